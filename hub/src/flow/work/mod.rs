//! What is done when, and by which process: a whole run, and the tasks of a service.

mod bounded;
mod checked;
pub mod delivering;
pub mod pauses;
pub mod reading;
pub mod replay;
mod rest;
pub mod run;
pub mod schedule;
pub mod serve;
pub mod turns;
