//! Records in: pages are read, or taken from the inbox, landed and written.

pub mod inbox;
pub mod land;
pub mod range;
pub mod read;
