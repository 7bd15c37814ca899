//! What a delivery did or would do, and the problems that are its own.

use super::group::Group;
use crate::delivery::Operation;
use crate::manifest::Destination;
use crate::problem::codes::{GUARD_REMOVED, WHOLE_REFUSED};
use crate::problem::{Place, Problem};
use std::collections::BTreeMap;

/// What a delivery did or would do.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct DeliveryReport {
    pub destination: String,
    pub upserted: i64,
    /// By audience.
    pub added: BTreeMap<String, i64>,
    pub removed: BTreeMap<String, i64>,
    pub rejected: i64,
    /// Left for the next run, after failures that may pass or because they changed while they were sent.
    pub postponed: i64,
    /// People who are not sent because consent is missing or they are suppressed.
    pub withheld: i64,
    /// Why the destination, or one audience of it, stopped.
    #[serde(skip)]
    pub problems: Vec<Problem>,
    pub guarded: bool,
}

impl DeliveryReport {
    pub fn of(destination: &Destination) -> Self {
        Self {
            destination: destination.name.to_string(),
            ..Self::default()
        }
    }

    pub(super) fn count(&mut self, group: &Group, rows: i64) {
        let audience = group.audience().to_owned();
        match group.operation {
            Operation::Nothing => {}
            Operation::Upsert => self.upserted += rows,
            Operation::Add => *self.added.entry(audience).or_default() += rows,
            Operation::Remove => *self.removed.entry(audience).or_default() += rows,
        }
    }
}

pub(super) fn too_many(
    destination: &Destination,
    audience: &str,
    removals: i64,
    acknowledged: i64,
) -> Problem {
    let share = destination.guard.max_removed * 100.0;
    Problem::new(
        &GUARD_REMOVED,
        format!("audience `{audience}` would lose {removals} of its {acknowledged} members there, more than the {share:.0}% that one run may remove; only suppressed people are removed"),
    )
    .at(at(destination))
    .hint(format!("if that is right, raise `guard.max_removed` of destination `{}` and run again", destination.name))
}

/// The vendor refuses an audience, or all rows of a target, and none of its rows is to blame.
pub(super) fn whole_refused(destination: &Destination, group: &Group, why: &Problem) -> Problem {
    let what = match group.audience() {
        "" => format!("every row of target `{}`", group.target()),
        name => format!("audience `{name}` as a whole"),
    };
    let problem = Problem::new(
        &WHOLE_REFUSED,
        format!(
            "destination `{}` does not take {what}: {}",
            destination.name, why.message
        ),
    );
    let problem = problem.at(at(destination));
    match &why.hint {
        Some(hint) => problem.hint(hint.clone()),
        None => problem.hint("its changes wait; correct what the vendor names and run again"),
    }
}

pub(super) fn at(destination: &Destination) -> Place {
    Place::Record {
        source: destination.name.to_string(),
        stream: None,
        key: None,
        field: None,
    }
}
