//! The kit for makers of connectors: a vendor to practise on, and what tries, records and inspects a connector.
//! Knows no store and no flow; what needs a connection is handed in by the command line.

pub mod capture;
pub mod cassette;
pub mod conformance;
pub mod inspect;
pub mod practice;
mod raw_json;
pub mod session;
pub mod tap;
pub mod vendor;
