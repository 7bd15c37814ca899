//! The order in which audiences of people and of accounts are evaluated when they refer to each other. Everything that an
//! audience refers to is in an earlier stratum, or earlier in the same one; within a stratum people come before accounts.

use crate::audience::{depends_on, order};
use crate::manifest::{Audience, Subject};
use std::collections::BTreeMap;

/// Indices of audiences, each after the ones it refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stratum {
    pub people: Vec<usize>,
    pub accounts: Vec<usize>,
}

/// One stratum at least; one is enough where no condition on people asks for an audience of accounts.
pub fn strata(audiences: &[Audience]) -> Vec<Stratum> {
    let mut strata = vec![Stratum::default()];
    let mut ranks: BTreeMap<&str, (usize, Subject)> = BTreeMap::new();
    for index in order(audiences) {
        let audience = &audiences[index];
        let needs = depends_on(&audience.who).into_iter();
        let needs = needs.filter_map(|name| ranks.get(name));
        let rank = needs.map(|(rank, of)| match (of, audience.of) {
            (Subject::Account, Subject::Person) => rank + 1,
            _ => *rank,
        });
        let rank = rank.max().unwrap_or(0);
        ranks.insert(&audience.name, (rank, audience.of));
        while strata.len() <= rank {
            strata.push(Stratum::default());
        }
        match audience.of {
            Subject::Person => strata[rank].people.push(index),
            Subject::Account => strata[rank].accounts.push(index),
        }
    }
    strata
}
