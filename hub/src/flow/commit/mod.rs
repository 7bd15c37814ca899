//! One transaction: what a batch of records, a rule, a statement or a timer changes, and everything that follows from it.
//! Each file builds on files before it, in groups from the lowest up; the table in `tests/tests/tidy/rooms.rs` has their order.

pub mod adopt;
pub mod change;
pub mod claim;
pub mod fence;
pub mod fitted;
pub mod identifiers;
pub mod meaning;
pub mod moves;
pub mod spoken;
pub mod stream;
pub mod suppressed;
pub mod touched;
pub mod unfit;
pub mod view;
pub mod views;
pub mod want;

pub mod account_audiences;
pub mod accounts;
pub mod agreed;
pub mod computed;
pub mod consent;
pub mod echo;
pub mod neighbourhood;
pub mod profiles;
pub mod select;

pub mod ripple;
pub mod settle;

pub mod apply;
