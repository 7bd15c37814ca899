//! People who are told apart and put together: on time, by a statement, by other rules; and every text about it.

mod on_time;
pub mod pair;
mod rules;
mod separated;
mod snapshots;
