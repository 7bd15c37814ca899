//! What integrators and operators do with connectors before a hub runs them: where connectors come from, who signed
//! them, and what a hub has agreed to. Knows no store and no flow; what needs a connection is handed in.

pub mod lock;
pub mod oci;
pub mod registry;
pub mod signature;
