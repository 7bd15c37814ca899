//! Mapping expressions and audience conditions: check, evaluate, list the fields they read.
//!
//! Expressions are MiniJinja's. A plain path with a chain of our filters, which is what most mappings are, is evaluated
//! without MiniJinja, with exactly the same result.

mod arithmetic;
mod bound;
mod condition;
mod country;
mod decimal;
mod filter;
mod glance;
mod growth;
mod machine;
mod passes;
mod path;
mod pattern;
mod reference;
mod scan;
mod shape;
mod token;

pub use condition::{Comparison, Condition, Measure, Step, Test, Window};
pub use country::{country_code, is_region};
pub use filter::{Failure, Filter, scalar_text, to_date, to_timestamp};
#[cfg(test)]
pub use passes::parse_time;
pub use passes::{Number, SCALE, millis, number, passes, passes_for, scale};
pub use pattern::{BadPattern, POSITIONS, Pattern, split_position};
pub use reference::{Call, calls};
pub use scan::{ParseError, closest, suggest};
pub use shape::to_shape;

use crate::model::Value;
use crate::problem::plain_line;
use path::Chain;
use std::ops::Range;
use std::sync::Arc;

/// A compiled mapping expression with its text. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    reads: Arc<[String]>,
    program: Program,
}

#[derive(Debug, Clone)]
enum Program {
    Chain(Arc<Chain>),
    Machine(Arc<machine::Program>),
}

impl Expression {
    /// For a bare top-level path: its text straight from a record's JSON. None otherwise, or when `eval` must judge.
    pub fn glance(&self, json: &[u8]) -> Option<String> {
        match &self.program {
            Program::Chain(chain) => glance::top_level(json, chain.top_level()?),
            Program::Machine(_) => None,
        }
    }

    /// Compiles `text`. Filters, tests and functions must be known; spans are byte offsets in `text`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let compiled = machine::Program::compile(text)?;
        scan::check_names(text)?;
        let (reads, program) = match Chain::read(text) {
            Some(chain) => (chain.reads(), Program::Chain(Arc::new(chain))),
            None => (
                compiled.reads().to_vec(),
                Program::Machine(Arc::new(compiled)),
            ),
        };
        Ok(Self {
            text: text.into(),
            reads: reads.into(),
            program,
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields of a record that the expression can read, as dotted paths, sorted.
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// Where it divides by a zero that is written in it, in bytes of its text.
    pub fn divides_by_zero(&self) -> Option<Range<usize>> {
        scan::divides_by_zero(&self.text)
    }

    /// The fields that are operands of a `*`, as written, sorted.
    pub fn multiplied(&self) -> Vec<String> {
        scan::multiplied(&self.text)
    }

    /// True when what the expression gives is a canonical time already.
    pub fn makes_time(&self) -> bool {
        match &self.program {
            Program::Chain(chain) => chain.last_filter() == Some(Filter::Timestamp),
            Program::Machine(_) => scan::has_filter(&self.text, Filter::Timestamp.name()),
        }
    }

    /// The value for one record. `None` is "no statement", null is "cleared".
    /// `region` (ISO 3166 alpha-2) is for phone numbers without a country code.
    pub fn eval(&self, record: &Value, region: Option<&str>) -> Result<Option<Value>, Failure> {
        match &self.program {
            Program::Chain(chain) => chain.eval(record, region),
            Program::Machine(program) => program.eval(record, region),
        }
    }

    /// Like `eval`, for a caller that does what `filter` does itself: the filter may be left out if it comes last.
    pub fn eval_before(
        &self,
        filter: Filter,
        record: &Value,
        region: Option<&str>,
    ) -> Result<Option<Value>, Failure> {
        match &self.program {
            Program::Chain(chain) => chain.eval_before(filter, record, region),
            Program::Machine(program) => program.eval(record, region),
        }
    }

    /// The same through MiniJinja's machine in every case: what `eval` must equal.
    #[cfg(test)]
    fn eval_by_machine(
        &self,
        record: &Value,
        region: Option<&str>,
    ) -> Result<Option<Value>, Failure> {
        machine::Program::compile(&self.text)
            .expect("compiled before")
            .eval(record, region)
    }
}

/// A text of an expression as a message has it: one plain line of at most 200 characters.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let plain = plain_line(text.get(..8 * LONGEST).unwrap_or(text));
    match plain.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

/// Two expressions are equal when their texts are.
impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests;
