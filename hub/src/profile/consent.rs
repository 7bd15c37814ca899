//! What people agreed to. A consent is a statement about an address, or about the person as such where its purpose has no channel;
//! this file owns which statement decides.
//!
//! A refusal stands until a grant lifts it, and nobody who refused is granted anything by a statement whose time is not known:
//! what a record says without a time of its own may have been said at any time before.

use crate::model::{ConsentStatement, Force};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A statement with what it is about.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// None: the person as such.
    pub address: Option<&'a str>,
    pub statement: &'a ConsentStatement,
}

/// What holds for one person and purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// What decides for the person: the latest grant if any address is granted.
    pub by: &'a ConsentStatement,
    /// What decides for each address. Empty where the purpose has no channel.
    pub addresses: BTreeMap<&'a str, &'a ConsentStatement>,
}

/// The answer for each purpose that anything was said about. A statement about the person as such is one about every address.
pub fn answers<'a>(said: &[Said<'a>]) -> BTreeMap<&'a str, Answer<'a>> {
    let mut by_purpose: BTreeMap<&str, Vec<Said<'a>>> = BTreeMap::new();
    for one in said {
        let of = by_purpose.entry(&one.statement.purpose).or_default();
        of.push(*one);
    }
    let answers = by_purpose.into_iter();
    let answers = answers.filter_map(|(purpose, said)| Some((purpose, answer(&said)?)));
    answers.collect()
}

/// The answer to one purpose.
fn answer<'a>(said: &[Said<'a>]) -> Option<Answer<'a>> {
    let about = |address: Option<&str>| {
        let of = said.iter();
        let of = of.filter(|one| one.address.is_none() || one.address == address);
        let of: Vec<&ConsentStatement> = of.map(|one| one.statement).collect();
        deciding(&of)
    };
    let mut addresses = BTreeMap::new();
    for address in said.iter().filter_map(|one| one.address) {
        if !addresses.contains_key(address)
            && let Some(by) = about(Some(address))
        {
            addresses.insert(address, by);
        }
    }
    let latest = |granted: bool| {
        let of = addresses.values().copied();
        let of = of.filter(|one: &&ConsentStatement| one.status.is_granted() == granted);
        of.max_by(|a, b| later(a, b))
    };
    let by = latest(true).or_else(|| latest(false));
    let by = by.or_else(|| about(None))?;
    Some(Answer { by, addresses })
}

/// The statement that decides among all that were made about one subject: the latest refusal that stands, or the latest grant. Grants
/// that are echoes are none.
pub fn deciding<'a>(statements: &[&'a ConsentStatement]) -> Option<&'a ConsentStatement> {
    let grants = latest_grants(statements);
    let grants = || grants.iter().copied().flatten();
    let refusals = statements.iter().copied();
    let standing = refusals
        .filter(|one| one.is_refusal())
        .filter(|refusal| !grants().any(|grant| lifts(grant, refusal)));
    let refusal = standing.max_by(|a, b| later(a, b));
    refusal.or_else(|| grants().max_by(|a, b| later(a, b)))
}

/// Of the grants of one force the latest ends what any of them does.
pub fn latest_grants<'a>(statements: &[&'a ConsentStatement]) -> [Option<&'a ConsentStatement>; 3] {
    [Force::Observed, Force::Stated, Force::Operator].map(|force| {
        let grants = statements.iter().copied();
        let grants = grants.filter(|one| one.force == force && !one.is_refusal());
        grants.max_by(|a, b| later(a, b))
    })
}

/// Whether a grant ends a refusal: both times must be known, and the grant's be the later. An operator's needs no more than to
/// come after the refusal was first seen.
pub fn lifts(grant: &ConsentStatement, refusal: &ConsentStatement) -> bool {
    let is_known = refusal.force > Force::Observed || refusal.gone_at.is_some();
    match grant.force {
        Force::Observed | Force::Echo => false,
        Force::Stated => is_known && grant.time > refusal.refused_at(),
        Force::Operator => grant.time > refusal.time,
    }
}

/// Orders by time; of two at the same time the more restrictive comes last, then the one with more force. Every tie ends in
/// source and record.
fn later(a: &ConsentStatement, b: &ConsentStatement) -> Ordering {
    let key = |one: &ConsentStatement| (one.time, std::cmp::Reverse(one.status), one.force);
    key(a)
        .cmp(&key(b))
        .then_with(|| b.origin().cmp(&a.origin()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConsentStatus, Timestamp};
    use Force::{Observed, Operator, Stated};

    fn said(status: &str, time: i64, force: Force) -> ConsentStatement {
        ConsentStatement {
            purpose: "news".into(),
            status: ConsentStatus::parse(status).expect("a status"),
            time: Timestamp(time),
            force,
            record: Some(1),
            evidence: Some(1),
            gone_at: None,
            learned_at: None,
            said_in: "crm/contacts/1".into(),
            by: None,
        }
    }

    fn gone(one: ConsentStatement, at: i64) -> ConsentStatement {
        ConsentStatement {
            gone_at: Some(Timestamp(at)),
            ..one
        }
    }

    fn is_granted(statements: &[&ConsentStatement]) -> bool {
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
                is_granted(&[&grant, &refusal]),
                expected,
                "{grant:?} {refusal:?}"
            );
        }
    }

    #[test]
    fn one_refusal_that_stands_is_enough() {
        let grant = said("granted", 5, Stated);
        let lifted = said("denied", 4, Stated);
        assert!(is_granted(&[&grant, &lifted]));
        let later = said("denied", 6, Stated);
        assert!(!is_granted(&[&grant, &lifted, &later]));
        // A grant without a time counts where nothing is refused any more.
        let untimed = said("granted", 1, Observed);
        assert!(is_granted(&[&grant, &lifted, &untimed]));
    }

    #[test]
    fn an_address_does_not_lend_its_consent_to_another() {
        fn about<'a>(address: Option<&'a str>, statement: &'a ConsentStatement) -> Said<'a> {
            Said { address, statement }
        }
        let (left, joined) = (said("withdrawn", 3, Stated), said("granted", 2, Stated));
        let all = [about(Some("work"), &left), about(Some("home"), &joined)];
        let news = answers(&all).remove("news").expect("an answer");
        assert!(news.by.status.is_granted());
        let status = |address: &str| news.addresses[address].status;
        assert_eq!(status("work"), ConsentStatus::Withdrawn);
        assert_eq!(status("home"), ConsentStatus::Granted);
        // What is refused as such is refused at every address.
        let denied = said("denied", 2, Stated);
        let all = [about(Some("home"), &joined), about(None, &denied)];
        let news = answers(&all).remove("news").expect("an answer");
        assert!(!news.by.status.is_granted());
        assert!(!news.addresses["home"].status.is_granted());
    }
}
