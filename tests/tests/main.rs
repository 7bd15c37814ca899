//! The one test binary: hub, connectors and vendors together, and the rules of the house.
//! Each module is a subject; the tests of one module show what it promises.

#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

mod audiences;
mod backfill;
mod bad_vendor;
mod cdnow;
mod check;
mod compiled;
mod conformance;
mod contract;
mod crash;
mod created_again;
mod engine;
mod febrl;
mod field;
mod first_hour;
mod guests;
mod hub;
mod identity;
mod kit;
mod languages;
mod lifetime;
mod online;
mod pausing;
mod planning;
mod registry;
mod serve;
mod small;
mod snapshots;
mod tidy;
mod together;
mod vendors;
