//! What really happens to people who do this job, each case as a test with its right value. `cargo xtask test field` runs them.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

mod clocks;
mod consent;
mod echo;
mod facts;
mod guests;
mod merged;
mod names;
mod properties;
