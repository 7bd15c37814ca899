//! One profile from many claims: every trait's winner by its rule, and why. Owns survivorship; knows no person and no store.
//!
//! Every rule is commutative, associative and idempotent over the set of claims (I1): a claim is identified by its source and
//! record, and these break every tie.

mod account;
mod build;
pub mod consent;
mod explain;
mod value;

pub use account::{ACCOUNT_FIELD, ACCOUNT_PREFIX, account_ids, account_traits, accounts_of};
pub use build::{build, build_one};
pub use explain::{Loser, Why, explain};

use crate::model::{Fields, Timestamp, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one source record says about its person now. A record has one claim: its latest version's.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub source: Arc<str>,
    /// `stream/key`
    pub record: String,
    pub time: Timestamp,
    /// When it said a trait, where that is longer ago.
    pub since: BTreeMap<String, Timestamp>,
    /// A null clears: see `SurvivorshipRule` in `build`.
    pub traits: Fields,
    /// The record is about something else, such as an order. It counts where no record about the person says anything.
    pub is_aside: bool,
}

impl Claim {
    /// When it said this trait.
    pub fn time_of(&self, name: &str) -> Timestamp {
        self.since.get(name).copied().unwrap_or(self.time)
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// Never null.
    pub traits: BTreeMap<String, Won>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Won {
    pub value: Value,
    /// Index of the winning claim; of the first that gave the value where several did.
    pub claim: u32,
}

#[cfg(test)]
mod tests;
