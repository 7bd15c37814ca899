//! Survivorship: which claim's value a trait gets, under each rule. A trait that goes with another has no rule: it comes
//! from the claim that wins the other, or is absent if that claim has no value for it, so values of a group are never mixed.
//!
//! A null claim means that its source clears the value. Under `most_recent` it retracts what that source said before, and no
//! more: one tool's empty field says nothing about what another tool knows. Under every other rule a null is not a candidate.

use crate::manifest::{Survivorship, SurvivorshipRule};
use crate::model::{Fields, Timestamp, Value};
use crate::profile::{Claim, Profile, Won, value};
use std::borrow::Borrow;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

/// Builds the profile of one person. `claim` numbers in it are indices into `claims`.
pub fn build<C: Borrow<Claim>>(claims: &[C], rules: &Survivorship) -> Profile {
    let mut flat = flatten(claims);
    let traits = flat
        .chunk_by_mut(|a, b| a.name == b.name)
        .filter(|candidates| leader_of(rules, candidates[0].name).is_none())
        .filter_map(|candidates| {
            let name = candidates[0].name;
            choose(rule_of(rules, name), candidates).map(|won| (name.to_owned(), won))
        });
    let mut traits: BTreeMap<String, Won> = traits.collect();
    for (name, leader) in &rules.with {
        if let Some(won) = follow(claims, traits.get(leader), name) {
            traits.insert(name.clone(), won);
        }
    }
    Profile { traits }
}

/// What the claim that won the leading trait says of a trait that goes with it.
pub(super) fn follow<C: Borrow<Claim>>(
    claims: &[C],
    leader: Option<&Won>,
    name: &str,
) -> Option<Won> {
    let claim = leader?.claim;
    let value = claims[claim as usize].borrow().traits.get(name)?;
    (!value.is_null()).then(|| Won {
        value: value.clone(),
        claim,
    })
}

/// The trait that another one goes with.
pub(super) fn leader_of<'a>(rules: &'a Survivorship, name: &str) -> Option<&'a str> {
    if rules.with.is_empty() {
        return None;
    }
    rules.with.get(name).map(String::as_str)
}

/// The same for a person with one claim, which won everything: its values, without copying them.
pub fn build_one(mut claim: Claim, rules: &Survivorship) -> Fields {
    claim.traits.retain(|name, given| {
        if leader_of(rules, name).is_some() {
            return !given.is_null();
        }
        match rule_of(rules, name) {
            _ if given.is_null() => return false,
            SurvivorshipRule::Union => *given = value::union([&*given]),
            SurvivorshipRule::AnyTrue => return given.is_boolean(),
            _ => {}
        }
        true
    });
    for (name, leader) in &rules.with {
        if !claim.traits.contains_key(leader) {
            claim.traits.remove(name);
        }
    }
    claim.traits
}

/// One claim's value for one trait.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a Value,
    pub(super) index: u32,
    pub(super) claim: &'a Claim,
}

impl Candidate<'_> {
    fn time(&self) -> Timestamp {
        self.claim.time_of(self.name)
    }
}

/// All values of all claims, those of one trait together, names in order.
pub(super) fn flatten<C: Borrow<Claim>>(claims: &[C]) -> Vec<Candidate<'_>> {
    let mut flat = Vec::with_capacity(claims.iter().map(|claim| claim.borrow().traits.len()).sum());
    for (claim, index) in claims.iter().zip(0..) {
        let claim = claim.borrow();
        flat.extend(claim.traits.iter().map(|(name, value)| Candidate {
            name,
            value,
            index,
            claim,
        }));
    }
    // Stable, and made of sorted runs.
    flat.sort_by(|a, b| a.name.cmp(b.name));
    flat
}

pub(super) fn rule_of<'a>(rules: &'a Survivorship, name: &str) -> &'a SurvivorshipRule {
    if rules.by_trait.is_empty() {
        return &rules.default;
    }
    rules.by_trait.get(name).unwrap_or(&rules.default)
}

/// The winner among the candidates of one trait; nothing when every value was cleared. Brings `candidates` into their order of preference.
pub(super) fn choose(rule: &SurvivorshipRule, candidates: &mut [Candidate<'_>]) -> Option<Won> {
    let best = rank(rule, candidates)?;
    let is_aside = best.claim.is_aside;
    let of_its_kind = candidates
        .iter()
        .filter(|one| one.claim.is_aside == is_aside);
    let value = match rule {
        SurvivorshipRule::Union => value::union(of_its_kind.map(|candidate| candidate.value)),
        _ => best.value.clone(),
    };
    (!value.is_null()).then_some(Won {
        value,
        claim: best.index,
    })
}

/// Sorts the candidates from the best and returns the best. Every order ends in source and record, then in the value, which two versions
/// of one record could differ in; candidates that are equal in all of that are equal.
pub(super) fn rank<'a>(
    rule: &SurvivorshipRule,
    candidates: &mut [Candidate<'a>],
) -> Option<Candidate<'a>> {
    if candidates.iter().any(|one| one.claim.is_aside) {
        return rank_by_kind(rule, candidates);
    }
    rank_alike(rule, candidates)
}

/// What records say that are about something else (a guest's order) counts under every rule where no record about the person says
/// anything. A source's null there clears what it says elsewhere, too.
fn rank_by_kind<'a>(
    rule: &SurvivorshipRule,
    candidates: &mut [Candidate<'a>],
) -> Option<Candidate<'a>> {
    candidates.sort_by_key(|one| one.claim.is_aside);
    let count = candidates.partition_point(|one| !one.claim.is_aside);
    let (own, aside) = candidates.split_at_mut(count);
    let best = rank_alike(rule, own);
    let other = rank_alike(rule, aside);
    match rule {
        SurvivorshipRule::MostRecent if best.is_none() => standing_first(candidates),
        _ => best.or(other),
    }
}

fn rank_alike<'a>(
    rule: &SurvivorshipRule,
    candidates: &mut [Candidate<'a>],
) -> Option<Candidate<'a>> {
    if let SurvivorshipRule::MostFrequent = rule {
        rank_by_frequency(candidates);
    } else if candidates.len() > 1 {
        candidates.sort_by(|a, b| prefer(rule, a, b).then_with(|| recency(a, b)));
    }
    if let SurvivorshipRule::MostRecent = rule {
        return standing_first(candidates);
    }
    let best = *candidates.first()?;
    match rule {
        SurvivorshipRule::AnyTrue => best.value.is_boolean().then_some(best),
        _ => (!best.value.is_null()).then_some(best),
    }
}

/// Moves candidates that their own source cleared later behind the others; returns the first of the others. Expects the latest
/// first.
fn standing_first<'a>(candidates: &mut [Candidate<'a>]) -> Option<Candidate<'a>> {
    if candidates.iter().any(|candidate| candidate.value.is_null()) {
        let cleared: Vec<bool> = (0..candidates.len())
            .map(|index| {
                let source = &candidates[index].claim.source;
                candidates[..=index]
                    .iter()
                    .any(|later| later.value.is_null() && later.claim.source == *source)
            })
            .collect();
        let pick = |wanted: bool| {
            let both = candidates.iter().zip(&cleared);
            both.filter(move |(_, cleared)| **cleared == wanted)
                .map(|(candidate, _)| *candidate)
        };
        let ordered: Vec<Candidate<'a>> = pick(false).chain(pick(true)).collect();
        let stands = cleared.contains(&false);
        candidates.copy_from_slice(&ordered);
        return stands.then(|| ordered[0]);
    }
    candidates.first().copied()
}

/// What a rule looks at first.
fn prefer(rule: &SurvivorshipRule, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    let null_last = a.value.is_null().cmp(&b.value.is_null());
    match rule {
        SurvivorshipRule::MostRecent => Ordering::Equal,
        SurvivorshipRule::SourcePriority(sources) => {
            let place = |candidate: &Candidate<'_>| {
                let source = &*candidate.claim.source;
                sources
                    .iter()
                    .position(|name| name == source)
                    .unwrap_or(sources.len())
            };
            null_last.then_with(|| place(a).cmp(&place(b)))
        }
        SurvivorshipRule::First => null_last.then_with(|| a.time().cmp(&b.time())),
        SurvivorshipRule::Min => null_last.then_with(|| value::compare(a.value, b.value)),
        SurvivorshipRule::Max => null_last.then_with(|| value::compare(b.value, a.value)),
        SurvivorshipRule::Longest => {
            null_last.then_with(|| value::length(b.value).cmp(&value::length(a.value)))
        }
        SurvivorshipRule::MostFrequent | SurvivorshipRule::Union => null_last,
        SurvivorshipRule::AnyTrue => {
            let place = |candidate: &Candidate<'_>| match candidate.value {
                Value::Bool(true) => 0,
                Value::Bool(false) => 1,
                _ => 2,
            };
            place(a).cmp(&place(b))
        }
    }
}

/// The latest first; the end of every tie.
fn recency(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    Reverse(a.time())
        .cmp(&Reverse(b.time()))
        .then_with(|| a.claim.source.cmp(&b.claim.source))
        .then_with(|| a.claim.record.cmp(&b.claim.record))
        .then_with(|| value::compare(a.value, b.value))
}

/// The value that most records give first, and among its claims the latest. A record counts once, however often its claim is repeated.
fn rank_by_frequency(candidates: &mut [Candidate<'_>]) {
    let record = |candidate: &Candidate<'_>| {
        (
            candidate.claim.source.clone(),
            candidate.claim.record.clone(),
        )
    };
    candidates.sort_by(|a, b| value::compare(a.value, b.value).then_with(|| recency(a, b)));
    let mut groups: Vec<(usize, Vec<Candidate<'_>>)> = candidates
        .chunk_by(|a, b| value::compare(a.value, b.value) == Ordering::Equal)
        .map(|group| {
            let records: std::collections::BTreeSet<_> = group.iter().map(record).collect();
            (records.len(), group.to_vec())
        })
        .collect();
    groups.sort_by(|(a_count, a), (b_count, b)| {
        let null_last = a[0].value.is_null().cmp(&b[0].value.is_null());
        null_last
            .then(b_count.cmp(a_count))
            .then_with(|| recency(&a[0], &b[0]))
    });
    for (slot, candidate) in candidates
        .iter_mut()
        .zip(groups.into_iter().flat_map(|(_, group)| group))
    {
        *slot = candidate;
    }
}
