//! Strict, stateful stand-ins for the vendors, served over real HTTP on loopback.
//! Each one is a plain value that answers requests; `server` gives it a socket, a request log, a rate limit and
//! injected faults. Nothing here is shared with the connectors that are tested against it.

pub mod faults;
pub mod http;
pub mod hubspot;
pub mod mailchimp;
pub mod server;
#[cfg(test)]
mod server_tests;
pub mod stripe;
pub mod time;

pub use faults::{Fault, RateLimit};
pub use http::{Reply, Request};
pub use server::{Logged, Running, Vendor, start};
