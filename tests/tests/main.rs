//! The one test binary.
mod vendors;
