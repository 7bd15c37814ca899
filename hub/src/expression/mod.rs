//! Mapping expressions and audience conditions: check, evaluate, list the fields they read.

mod condition;

pub use condition::{Comparison, Condition, Measure, Test, Window};

/// A compiled mapping expression with its text. To be written.
#[derive(Debug)]
pub struct Expression {
    pub text: String,
}
