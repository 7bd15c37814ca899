//! Reads for audiences: who would be in one now, how it overlaps with others, how it came to its size, and why one person
//! is in it or not. Writes nothing.

use crate::audience::{self, Explained, Part};
use crate::expression::Condition;
use crate::flow::fill::{Known, args};
use crate::flow::settle;
use crate::flow::{Context, accounts};
use crate::manifest::{Audience, Plan};
use crate::model::Timestamp;
use crate::store::{PersonRow, Result, Tx};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// People that one query looks at.
const PEOPLE: i64 = 20_000;
const DAY_MS: i64 = 86_400_000;

/// Who would be in an audience now.
#[derive(Debug)]
pub struct Preview {
    /// Ascending.
    pub ids: Vec<i64>,
    pub sample: Vec<PersonRow>,
    /// Other audiences with their sizes and how many people are in both, the largest overlap first.
    pub overlap: Vec<Overlap>,
}

#[derive(Debug, Serialize)]
pub struct Overlap {
    pub audience: String,
    pub size: usize,
    pub both: usize,
}

/// Evaluates an audience of `plan`, which may be a draft, over everybody who is stored. `with` names one other audience;
/// all others when nothing.
pub async fn preview(
    context: &Context,
    plan: &Plan,
    audience: &Audience,
    with: Option<&str>,
    sample: usize,
) -> Result<Preview> {
    let mut tx = context.store.read().await?;
    let stored: BTreeMap<String, String> = tx.audiences().await?.into_iter().collect();
    let now = context.clock.now();
    let who = inlined(&audience.who, plan, &stored, &mut BTreeSet::new());
    let ids = holding(&mut tx, &who, now).await?;
    let mut rows = tx.persons(ids.iter().copied().take(sample)).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let mut overlap = Vec::new();
    for other in &plan.audiences {
        let wanted = match with {
            Some(name) => *other.name == *name,
            None => other.name != audience.name && !other.is_step,
        };
        if !wanted {
            continue;
        }
        let others = match stored.get(&*other.name) {
            Some(digest) if *digest == other.digest => {
                tx.members_between(&other.name, (i64::MIN, i64::MAX))
                    .await?
            }
            _ => {
                let who = inlined(&other.who, plan, &stored, &mut BTreeSet::new());
                holding(&mut tx, &who, now).await?
            }
        };
        overlap.push(Overlap {
            audience: other.name.to_string(),
            size: others.len(),
            both: in_both(&ids, &others),
        });
    }
    overlap.sort_by_key(|one| std::cmp::Reverse(one.both));
    Ok(Preview {
        ids,
        sample: rows,
        overlap,
    })
}

/// The condition with those audiences spelled out that are not stored as the plan has them. Nobody has been in one of
/// these for a time.
fn inlined(
    condition: &Condition,
    plan: &Plan,
    stored: &BTreeMap<String, String>,
    inside: &mut BTreeSet<String>,
) -> Condition {
    let mut parts = |parts: &[Condition]| -> Vec<Condition> {
        let parts = parts.iter();
        parts
            .map(|part| inlined(part, plan, stored, inside))
            .collect()
    };
    match condition {
        Condition::All(all) => Condition::All(parts(all)),
        Condition::Any(any) => Condition::Any(parts(any)),
        Condition::Not(part) => inlined(part, plan, stored, inside).negated(),
        Condition::Audience { name, lasting } => {
            let found = plan.audiences.iter().find(|one| *one.name == **name);
            let Some(found) = found.filter(|one| stored.get(name) != Some(&one.digest)) else {
                return condition.clone();
            };
            if *lasting > 0 || !inside.insert(name.clone()) {
                return Condition::Any(Vec::new());
            }
            let who = inlined(&found.who, plan, stored, inside);
            inside.remove(name);
            who
        }
        leaf => leaf.clone(),
    }
}

pub(super) async fn holding(tx: &mut Tx, who: &Condition, now: Timestamp) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    let mut after = i64::MIN;
    while let Some(last) = tx.last_person(after, PEOPLE).await? {
        let query = audience::sql(who, now, Part { after, last }, &audience::SQLITE);
        ids.extend(tx.select_persons(&query.text, &args(&query)).await?);
        after = last;
    }
    Ok(ids)
}

/// How many are in both of two ascending lists.
fn in_both(a: &[i64], b: &[i64]) -> usize {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    few.iter()
        .filter(|id| many.binary_search(id).is_ok())
        .count()
}

/// What happened to an audience on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// `2026-03-02`, in UTC.
    pub day: String,
    /// At the end of the day.
    pub size: i64,
    pub entered: i64,
    pub left: i64,
    /// The most frequent first.
    pub causes: Vec<Cause>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    pub entered: bool,
    pub persons: i64,
    pub cause: String,
}

/// The days on which somebody moved, the latest first.
pub async fn history(context: &Context, name: &str, days: i64) -> Result<Vec<Day>> {
    let mut tx = context.store.read().await?;
    let today = context.clock.now().0.div_euclid(DAY_MS);
    let from = Timestamp((today - days + 1).saturating_mul(DAY_MS));
    let mut size = tx.member_count(name).await?;
    let mut history = Vec::new();
    for rows in tx.moved(name, from).await?.chunk_by(|a, b| a.day == b.day) {
        let sum = |entered: bool| -> i64 {
            let rows = rows.iter().filter(|row| row.entered == entered);
            rows.map(|row| row.persons).sum()
        };
        let (entered, left) = (sum(true), sum(false));
        let date = Timestamp(rows[0].day * DAY_MS).to_rfc3339();
        history.push(Day {
            day: date.chars().take("2026-03-02".len()).collect(),
            size,
            entered,
            left,
            causes: rows
                .iter()
                .map(|row| Cause {
                    entered: row.entered,
                    persons: row.persons,
                    cause: row.cause.clone(),
                })
                .collect(),
        });
        size -= entered - left;
    }
    Ok(history)
}

/// Every condition of an audience for one person, from what is stored.
pub async fn explain(
    context: &Context,
    audience: &Audience,
    person: &[u8; 16],
) -> Result<Option<Vec<Explained>>> {
    let mut tx = context.store.read().await?;
    let Some(id) = tx.alias(person).await? else {
        return Ok(None);
    };
    let Some(row) = tx.persons([id]).await?.pop() else {
        return Ok(None);
    };
    let now = context.clock.now();
    // All events, not only those that still count: an explanation says when the last one was.
    let known = Known::load_all(&mut tx, &audience.who, &[id]).await?;
    let mut view = [settle::view_of(&row)];
    accounts::fill(&mut tx, context, &mut view).await?;
    let [view] = view;
    Ok(Some(known.ask(&view, |facts| {
        audience::explain(&audience.who, facts, now)
    })))
}
