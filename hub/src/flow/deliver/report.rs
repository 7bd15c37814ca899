//! What a delivery did or would do, and the problems that are its own.

use super::group::{Group, Row};
use crate::delivery::Operation;
use crate::manifest::Destination;
use crate::model::Permission;
use crate::problem::codes::{self, GUARD_REMOVED, ROW_REJECTED, WHOLE_REFUSED};
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
    /// How many people are not sent though they would be there.
    pub withheld: i64,
    pub withheld_because: BTreeMap<Permission, i64>,
    /// Purposes that the destination needs and no stream states.
    pub unstated: Vec<String>,
    /// Some of what was sent, or would be, and of whom is withheld, as far as the caller asked to see them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<ShownRow>,
    /// Why the destination, or one audience of it, stopped.
    #[serde(skip)]
    pub problems: Vec<Problem>,
    pub guarded: bool,
    /// An operator paused it: only suppressed people were removed.
    pub paused: bool,
}

/// One row of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct ShownRow {
    /// What is done: `upsert`, `add`, `remove` or `withhold`.
    pub what: &'static str,
    /// Empty for a profile.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub audience: String,
    /// By which the person is found there.
    pub key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Permission>,
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

    /// Keeps some of the rows of a group, up to `most` of each operation.
    pub(super) fn show(&mut self, group: &Group, rows: &[Row], most: usize) {
        let what = match group.operation {
            Operation::Nothing => return,
            Operation::Upsert => "upsert",
            Operation::Add => "add",
            Operation::Remove => "remove",
        };
        let of_this_kind = |row: &&ShownRow| row.what == what && row.audience == group.audience();
        let left = most.saturating_sub(self.shown.iter().filter(of_this_kind).count());
        self.shown
            .extend(rows.iter().take(left).map(|row| ShownRow {
                what,
                audience: group.audience().to_owned(),
                key: row.key.clone(),
                because: row.kept,
            }));
    }
}

/// Removals of one audience that a guard counts.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Removals {
    pub all: i64,
    /// Of people who are in the audience all the same, and have no consent any more.
    pub without_consent: i64,
}

pub(super) fn too_many(
    destination: &Destination,
    audience: &str,
    removals: Removals,
    acknowledged: i64,
) -> Problem {
    let share = destination.guard.max_removed * 100.0;
    let name = &destination.name;
    let purposes = destination.consent.join("`, `");
    let Removals {
        all: removals,
        without_consent: without,
    } = removals;
    let cause = match without * 2 >= removals {
        true => format!(
            "{without} of them are in the audience still and have no consent to `{purposes}`: see whether `consent` of destination `{name}` is what people were asked, and whether its source says what it said before"
        ),
        false => format!(
            "most of them left the audience: see whether its definition or a mapping was edited, or a source lost records (`onefold audience history {audience}` has the causes)"
        ),
    };
    Problem::new(
        &GUARD_REMOVED,
        format!("audience `{audience}` would lose {removals} of its {acknowledged} members there, more than the {share:.0}% that one run may remove; only suppressed people are removed"),
    )
    .at(at(destination))
    .hint(format!("{cause}; `onefold plan --show 20` names some. If it is right, raise `guard.max_removed` of the destination and run again"))
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
    Place::entry(&destination.name)
}

/// Our codes of refused rows; what a vendor calls them may be anything.
pub(super) fn codes_of(rejected: &[(Row, String, String)]) -> Vec<&'static str> {
    let codes = rejected.iter();
    let codes = codes.map(|(_, code, _)| codes::find(code).unwrap_or(&ROW_REJECTED).id);
    codes.collect()
}
