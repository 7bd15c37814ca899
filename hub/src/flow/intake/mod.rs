//! Records in: pages are read, landed and written.

pub mod land;
pub mod read;
