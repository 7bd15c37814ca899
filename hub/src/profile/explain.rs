//! Why a trait has its value: the winning claim, the losers and the rule in words.

use crate::manifest::{Survivorship, SurvivorshipRule};
use crate::model::Value;
use crate::profile::build::{Candidate, choose, flatten, follow, leader_of, rank, rule_of};
use crate::profile::{Claim, Won};
use std::borrow::Borrow;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    pub name: String,
    /// Nothing when every value was cleared or no claim was a candidate.
    pub winner: Option<Won>,
    /// Every other claim that says something about the trait, the best first; nulls among them.
    pub losers: Vec<Loser>,
    /// `most recent of 2 claims`, `source priority: crm before newsletter`, …
    pub rule: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Loser {
    pub value: Value,
    pub claim: u32,
}

/// One answer for each trait that any claim says something about, by name. Agrees with `build`.
pub fn explain<C: Borrow<Claim>>(claims: &[C], rules: &Survivorship) -> Vec<Why> {
    let mut flat = flatten(claims);
    let mut whys = BTreeMap::new();
    let mut following = Vec::new();
    for candidates in flat.chunk_by_mut(|a, b| a.name == b.name) {
        let name = candidates[0].name;
        if let Some(leader) = leader_of(rules, name) {
            following.push((name, leader, candidates));
            continue;
        }
        let rule = rule_of(rules, name);
        let winner = choose(rule, candidates);
        let rule_text = describe(rule, winner.as_ref(), candidates);
        whys.insert(name.to_owned(), why(name, winner, rule_text, candidates));
    }
    for (name, leader, candidates) in following {
        let led = whys.get(leader).and_then(|why: &Why| why.winner.as_ref());
        let winner = follow(claims, led, name);
        let rule_text = match (&winner, led) {
            (Some(_), _) => format!("with {leader}, from the same record"),
            (None, Some(_)) => format!("with {leader}, whose record gives none"),
            (None, None) => format!("with {leader}, which has no value"),
        };
        rank(&SurvivorshipRule::MostRecent, candidates);
        whys.insert(name.to_owned(), why(name, winner, rule_text, candidates));
    }
    whys.into_values().collect()
}

/// `candidates` from the best; the winner is one of them.
fn why(name: &str, winner: Option<Won>, rule: String, candidates: &[Candidate<'_>]) -> Why {
    let won = winner.as_ref().map(|won| won.claim);
    let losers = candidates
        .iter()
        .filter(|candidate| Some(candidate.index) != won);
    Why {
        name: name.to_owned(),
        losers: losers
            .map(|loser| Loser {
                value: loser.value.clone(),
                claim: loser.index,
            })
            .collect(),
        winner,
        rule,
    }
}

/// `candidates` from the best.
fn describe(rule: &SurvivorshipRule, winner: Option<&Won>, candidates: &[Candidate<'_>]) -> String {
    let won = winner.map(|won| won.claim);
    let won = candidates.iter().find(|one| Some(one.index) == won);
    let Some(is_aside) = won.map(|won| won.claim.is_aside) else {
        return describe_alike(rule, winner, candidates);
    };
    let alike = candidates
        .iter()
        .filter(|one| one.claim.is_aside == is_aside);
    let alike: Vec<Candidate<'_>> = alike.copied().collect();
    let text = describe_alike(rule, winner, &alike);
    match is_aside {
        true => format!("{text}; the record is about something else"),
        false => text,
    }
}

/// Of claims of one kind.
fn describe_alike(
    rule: &SurvivorshipRule,
    winner: Option<&Won>,
    candidates: &[Candidate<'_>],
) -> String {
    let count = candidates.len();
    if winner.is_none() {
        return match rule {
            SurvivorshipRule::MostRecent if count > 1 => {
                format!("cleared by the source of each of {count} claims")
            }
            SurvivorshipRule::AnyTrue => "no claim is true or false".to_owned(),
            _ => "cleared by every claim".to_owned(),
        };
    }
    if count == 1 {
        return "only claim".to_owned();
    }
    match rule {
        SurvivorshipRule::MostRecent => format!("most recent of {count} claims"),
        SurvivorshipRule::SourcePriority(_) => describe_priority(candidates),
        SurvivorshipRule::First => format!("first of {count} claims"),
        SurvivorshipRule::Min => format!("smallest of {count} claims"),
        SurvivorshipRule::Max => format!("largest of {count} claims"),
        SurvivorshipRule::Longest => format!("longest of {count} claims"),
        SurvivorshipRule::MostFrequent => {
            let same = candidates
                .iter()
                .filter(|candidate| candidate.value == candidates[0].value)
                .count();
            format!("most frequent: {same} of {count} claims")
        }
        SurvivorshipRule::Union => format!("all values of {count} claims"),
        SurvivorshipRule::AnyTrue => format!("true if any of {count} claims is"),
    }
}

fn describe_priority(candidates: &[Candidate<'_>]) -> String {
    let first = &candidates[0].claim.source;
    match candidates
        .iter()
        .find(|candidate| candidate.claim.source != *first)
    {
        Some(next) if !next.value.is_null() => {
            format!("source priority: {first} before {}", next.claim.source)
        }
        Some(next) => format!("source priority: {} has cleared it", next.claim.source),
        None => format!("most recent of {} claims of {first}", candidates.len()),
    }
}
