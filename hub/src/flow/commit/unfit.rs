//! The guard of a source against records that do not fit: a mapping that has become wrong would set all of them aside.

use crate::flow::commit::change::{Change, To};
use crate::flow::commit::stream::StreamRef;
use crate::problem::codes::TOO_MANY_UNFIT;
use crate::problem::{Place, Problem};
use crate::store::Result;
use std::collections::BTreeMap;

/// With fewer, one bad record of a short night would stop the stream.
const FEW: i64 = 10;
/// How many reasons the problem names.
const REASONS: usize = 3;

/// What a run, or a new mapping of all stored records, has found so far.
pub struct Unfit {
    /// The largest share of the records that may not fit.
    most: Option<f64>,
    arrived: i64,
    unfit: i64,
    /// How many records each field and code cost.
    reasons: BTreeMap<(String, &'static str), i64>,
}

impl Unfit {
    pub fn new(most: Option<f64>) -> Self {
        Self {
            most,
            arrived: 0,
            unfit: 0,
            reasons: BTreeMap::new(),
        }
    }

    /// Whether anybody asks.
    pub fn is_asked(&self) -> bool {
        self.most.is_some()
    }

    /// Counts a batch of a read that is not written yet. Stops where too much of what came so far does not fit.
    pub fn judge(&mut self, changes: &[Change], stream: &StreamRef) -> Result<()> {
        if self.most.is_none() {
            return Ok(());
        }
        for change in changes {
            if let To::Put(put) = &change.to {
                self.count(&put.problems);
            }
        }
        self.answer(stream)
    }

    /// Counts one record by what does not fit.
    pub fn count(&mut self, problems: &[Problem]) {
        self.arrived += 1;
        self.unfit += i64::from(!problems.is_empty());
        for problem in problems {
            let reason = (problem.field().to_owned(), problem.code.id);
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    pub fn answer(&self, stream: &StreamRef) -> Result<()> {
        match self.most {
            Some(most) if self.unfit >= FEW && self.unfit as f64 > most * self.arrived as f64 => {
                Err(self.problem(most, stream))
            }
            _ => Ok(()),
        }
    }

    fn problem(&self, most: f64, stream: &StreamRef) -> Problem {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| -**count);
        let said = |((field, code), count): &(&(String, &str), &i64)| match field.as_str() {
            "" => format!("{count} as a whole ({code})"),
            field => format!("`{field}` of {count} ({code})"),
        };
        let more = match reasons.len().saturating_sub(REASONS) {
            0 => "",
            _ => ", and others",
        };
        let named: Vec<String> = reasons.iter().take(REASONS).map(said).collect();
        let message = format!(
            "{} of {} records that are new, changed or mapped again do not fit, which is more than the {}% that `guard.max_dead_letters` allows: {}{more}; \
             the step that found it was not stored",
            self.unfit,
            self.arrived,
            (most * 1_000.0).round() / 10.0,
            named.join(", "),
        );
        Problem::new(&TOO_MANY_UNFIT, message)
            .at(Place::Record {
                source: stream.source.to_string(),
                stream: Some(stream.name.to_string()),
                key: None,
                field: None,
            })
            .hint("correct the mapping and run again, or raise `guard.max_dead_letters` of the source")
    }
}
