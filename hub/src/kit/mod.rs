//! The kit for makers of connectors: projects and how they become components, a vendor to practise on, and what tries,
//! records and inspects a connector. Knows no store and no flow; what needs a connection is handed in by the command line.

pub mod component;
pub mod practice;
pub mod project;
pub mod template;
pub mod toolchain;
