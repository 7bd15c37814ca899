//! What is done when, and by which process: a whole run, and the tasks of a service.

mod checked;
mod reading;
mod rest;
pub mod run;
pub mod schedule;
pub mod serve;
