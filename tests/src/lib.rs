//! What the end-to-end tests and the demo stand on: vendors that behave like the real ones over HTTP on loopback,
//! a population whose true answer is known, and the rule for checks that need something this machine lacks.
//! Knows nothing of the hub: everything here sees Onefold from the outside, except `febrl`, which calls its pure steps.

pub mod client;
pub mod demo;
pub mod febrl;
pub mod need;
pub mod population;
pub mod registry;
pub mod stay;
pub mod vendors;
