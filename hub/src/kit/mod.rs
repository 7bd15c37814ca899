//! What authors and operators of connectors use before a hub runs them: projects and how they become components, a vendor
//! to practise on, what tests, records and inspects a connector, where connectors come from, who signed them, and what a hub
//! has agreed to. Knows no store and no flow; what needs a connection is passed in by the command line.

pub mod capture;
pub mod cassette;
pub mod component;
pub mod conformance;
pub mod inspect;
pub mod judge;
pub mod lock;
pub mod mappings;
pub mod oci;
pub mod practice;
pub mod project;
mod raw_json;
pub mod registry;
pub mod session;
pub mod signature;
pub mod tap;
pub mod template;
pub mod toolchain;
pub mod vendor;
