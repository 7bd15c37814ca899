//! The one test binary: hub, connectors and vendors together, and the rules of the house.
//! Each module is a subject; the tests of one module show what it promises.

mod guests;
mod tidy;
mod vendors;
