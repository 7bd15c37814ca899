//! What people agreed to. A consent is a statement about an address, or about the person as such where its purpose has no channel;
//! this file owns which statement decides.
//!
//! A refusal stands until a grant lifts it, and nobody who refused is granted anything by a statement whose time is not known:
//! what a record says without a time of its own may have been said at any time before.

use crate::model::{ConsentStatus, Timestamp};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// How a statement's time is known, from the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Force {
    /// The time at which a record was first seen to say it.
    Observed,
    /// The record's own time of the statement.
    Stated,
    /// An operator made it, with a reason.
    Operator,
    /// A tool says it about a record that the hub made there: it counts for nothing.
    Echo,
}

impl Force {
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Observed, Self::Stated, Self::Operator, Self::Echo]
            .into_iter()
            .find(|force| force.code() == code)
    }

    pub fn code(self) -> i64 {
        self as i64
    }
}

/// One statement on one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    pub status: ConsentStatus,
    pub time: Timestamp,
    pub force: Force,
    /// When its record ceased to say it; it stands on its own since then.
    pub gone_at: Option<Timestamp>,
    pub source: &'a str,
    /// `stream/key`; empty for an operator's.
    pub record: &'a str,
}

/// A statement with what it is about.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub purpose: &'a str,
    /// None: the person as such.
    pub address: Option<&'a str>,
    pub statement: Statement<'a>,
}

/// What holds for one person and purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// What decides for the person: the latest grant if any address is granted.
    pub by: Statement<'a>,
    /// What decides for each address. Empty where the purpose has no channel.
    pub addresses: BTreeMap<&'a str, Statement<'a>>,
}

/// The answer for each purpose that anything was said about. A statement about the person as such is one about every address.
pub fn answers<'a>(said: &[Said<'a>]) -> BTreeMap<&'a str, Answer<'a>> {
    let purposes: BTreeSet<&str> = said.iter().map(|one| one.purpose).collect();
    let answer = |purpose: &'a str| {
        let about = |address: Option<&str>| -> Vec<Statement<'a>> {
            let of = said.iter().filter(|one| one.purpose == purpose);
            let of = of.filter(|one| one.address.is_none() || one.address == address);
            of.map(|one| one.statement).collect()
        };
        let of_purpose = said.iter().filter(|one| one.purpose == purpose);
        let addresses: BTreeSet<&str> = of_purpose.filter_map(|one| one.address).collect();
        let addresses = addresses
            .into_iter()
            .filter_map(|address| Some((address, deciding(&about(Some(address)))?)));
        let addresses: BTreeMap<&str, Statement<'_>> = addresses.collect();
        let latest = |granted: bool| {
            let of = addresses.values();
            let of = of.filter(|one| one.status.is_granted() == granted);
            of.max_by(|a, b| later(a, b)).copied()
        };
        let by = latest(true).or_else(|| latest(false));
        let by = by.or_else(|| deciding(&about(None)))?;
        Some((purpose, Answer { by, addresses }))
    };
    purposes.into_iter().filter_map(answer).collect()
}

/// The statement that decides among all that were made about one subject: the latest refusal that stands, or the latest grant.
pub fn deciding<'a>(statements: &[Statement<'a>]) -> Option<Statement<'a>> {
    let mut latest: [Option<&Statement<'a>>; 3] = [None; 3];
    let grants = statements.iter().filter(|one| one.status.is_granted());
    for grant in grants {
        let of = match grant.force {
            Force::Observed => 0,
            Force::Stated => 1,
            Force::Operator => 2,
            Force::Echo => continue,
        };
        if latest[of].is_none_or(|known| later(known, grant).is_lt()) {
            latest[of] = Some(grant);
        }
    }
    let grants = latest.into_iter().flatten();
    let standing = statements
        .iter()
        .filter(|one| !one.status.is_granted() && one.force != Force::Echo)
        .filter(|refusal| !grants.clone().any(|grant| lifts(grant, refusal)));
    let refusal = standing.max_by(|a, b| later(a, b));
    refusal
        .or_else(|| grants.max_by(|a, b| later(a, b)))
        .copied()
}

/// Whether a grant ends a refusal: both times must be known, and the grant's be the later. An operator's needs no more than to
/// come after the refusal was first seen.
pub fn lifts(grant: &Statement<'_>, refusal: &Statement<'_>) -> bool {
    let is_known = refusal.force > Force::Observed || refusal.gone_at.is_some();
    match grant.force {
        Force::Observed | Force::Echo => false,
        Force::Stated => is_known && grant.time > refused_at(refusal),
        Force::Operator => grant.time > refusal.time,
    }
}

/// The latest time at which a refusal may have been made.
fn refused_at(refusal: &Statement<'_>) -> Timestamp {
    match refusal.gone_at {
        Some(gone_at) if refusal.force == Force::Observed => gone_at.max(refusal.time),
        _ => refusal.time,
    }
}

/// Orders by time; of two at the same time the more restrictive comes last, then the one with more force. Every tie ends in
/// source and record.
fn later(a: &Statement<'_>, b: &Statement<'_>) -> Ordering {
    let key = |one: &Statement<'_>| (one.time, std::cmp::Reverse(one.status), one.force);
    key(a)
        .cmp(&key(b))
        .then_with(|| (b.source, b.record).cmp(&(a.source, a.record)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Force::{Observed, Operator, Stated};

    fn said(status: &str, time: i64, force: Force) -> Statement<'static> {
        Statement {
            status: ConsentStatus::parse(status).expect("a status"),
            time: Timestamp(time),
            force,
            gone_at: None,
            source: "crm",
            record: "contacts/1",
        }
    }

    fn gone(one: Statement<'static>, at: i64) -> Statement<'static> {
        Statement {
            gone_at: Some(Timestamp(at)),
            ..one
        }
    }

    fn is_granted(statements: &[Statement<'_>]) -> bool {
        let forwards = deciding(statements).expect("one decides");
        let backwards: Vec<_> = statements.iter().rev().copied().collect();
        assert_eq!(deciding(&backwards), Some(forwards));
        forwards.status.is_granted()
    }

    #[test]
    fn the_later_of_two_stated_ones_decides_and_otherwise_the_refusal() {
        let grant = |time, force| said("granted", time, force);
        let refusal = |time, force| said("withdrawn", time, force);
        for (grant, refusal, expected) in [
            (grant(2, Stated), refusal(1, Stated), true),
            (grant(1, Stated), refusal(1, Stated), false),
            (grant(1, Stated), refusal(2, Stated), false),
            (grant(9, Observed), refusal(1, Stated), false),
            (grant(9, Stated), refusal(1, Observed), false),
            (grant(9, Observed), refusal(1, Observed), false),
            (grant(9, Operator), refusal(1, Observed), true),
            (grant(9, Operator), refusal(9, Observed), false),
            (grant(9, Operator), refusal(10, Operator), false),
            (grant(9, Stated), refusal(8, Operator), true),
            // Of a record that is gone, the last day on which it may have been said counts.
            (grant(9, Stated), gone(refusal(1, Observed), 8), true),
            (grant(9, Stated), gone(refusal(1, Observed), 9), false),
            (grant(9, Observed), gone(refusal(1, Observed), 2), false),
            (grant(2, Stated), gone(refusal(1, Stated), 8), true),
        ] {
            assert_eq!(
                is_granted(&[grant, refusal]),
                expected,
                "{grant:?} {refusal:?}"
            );
        }
    }

    #[test]
    fn one_refusal_that_stands_is_enough() {
        let grant = said("granted", 5, Stated);
        let lifted = said("denied", 4, Stated);
        assert!(is_granted(&[grant, lifted]));
        assert!(!is_granted(&[grant, lifted, said("denied", 6, Stated)]));
        // A grant without a time counts where nothing is refused any more.
        assert!(is_granted(&[grant, lifted, said("granted", 1, Observed)]));
    }

    #[test]
    fn an_address_does_not_lend_its_consent_to_another() {
        let about = |address, statement| Said {
            purpose: "news",
            address,
            statement,
        };
        let work = about(Some("work"), said("withdrawn", 3, Stated));
        let home = about(Some("home"), said("granted", 2, Stated));
        let all = [work, home];
        let answers = answers(&all);
        let answer = &answers["news"];
        assert!(answer.by.status.is_granted());
        let status = |address: &str| answer.addresses[address].status;
        assert_eq!(status("work"), ConsentStatus::Withdrawn);
        assert_eq!(status("home"), ConsentStatus::Granted);
        // What is refused as such is refused at every address.
        let all = [home, about(None, said("denied", 2, Stated))];
        let answers = super::answers(&all);
        assert!(!answers["news"].by.status.is_granted());
        assert!(!answers["news"].addresses["home"].status.is_granted());
    }
}
