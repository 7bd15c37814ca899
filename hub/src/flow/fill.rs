//! New and edited definitions: audiences are filled by one query over a few thousand people after another, and only what
//! differs from what is stored is written. Other work takes its turn between two transactions.
//!
//! A person who is touched meanwhile is evaluated by the new definitions anyway, so each part may be taken at its own time.

mod stale;

use crate::audience::{self, EventFact, Facts, Part};
use crate::expression::{Condition, Measure};
use crate::flow::ripple::want_of;
use crate::flow::settle::select::{Moves, key_of, mark, want_as_stored};
use crate::flow::settle::{self, View};
use crate::flow::{Context, UNFINISHED, accounts};
use crate::manifest::{Audience, Subject};
use crate::model::{Fields, Timestamp};
use crate::store::{Arg, Result, TimerRow, Tx};
use rustc_hash::FxHashMap;
use stale::{Stale, digest, stale};
use std::collections::BTreeSet;

/// People that one transaction takes where it only writes.
const PEOPLE: i64 = 5_000;
/// People over whom audiences are filled at a time: what one query has read of them is still in the cache for the next.
const PART: i64 = 500;
/// Accounts that one transaction takes.
const ACCOUNTS: i64 = 5_000;

/// Brings memberships, timers and wanted rows up to date with the plan. Gives how many definitions changed.
pub async fn backfill(context: &Context) -> Result<usize> {
    let mut filling = Filling::begin(context, PART).await?;
    while filling.go_on(context).await? {}
    Ok(filling.stale.len())
}

/// Work on definitions that goes on part by part. One that is left half-way is begun anew by whoever comes next (I9).
pub struct Filling {
    stale: Stale,
    at: Step,
    /// How many people a part has.
    people: i64,
}

/// Where filling goes on: audiences of people, then audiences of accounts, one stratum after another.
enum Step {
    /// The last person who was looked at.
    People { rank: usize, after: i64 },
    /// The last account.
    Accounts { rank: usize, after: String },
}

const FIRST: Step = Step::People {
    rank: 0,
    after: i64::MIN,
};

impl Filling {
    /// Forgets what is defined no more.
    pub async fn begin(context: &Context, people: i64) -> Result<Self> {
        let stale = stale(context).await?;
        announce_stale(context, &stale).await?;
        if !(stale.gone.is_empty() && stale.audiences.is_empty()) {
            let mut tx = context.store.begin().await?;
            for name in &stale.gone {
                tx.remove_audience(name).await?;
            }
            for (place, _) in &stale.audiences {
                // What was of the other kind before.
                let audience = &context.plan.audiences[*place];
                let other = match audience.of {
                    Subject::Person => Subject::Account,
                    Subject::Account => Subject::Person,
                };
                tx.forget_members(other, &audience.name).await?;
            }
            tx.commit().await?;
        }
        for name in &stale.gone_destinations {
            while forget_destination(context, name).await? {}
        }
        Ok(Self {
            stale,
            at: FIRST,
            people,
        })
    }

    /// The next part; false when there was none, and the definitions are kept as those that everything follows.
    pub async fn go_on(&mut self, context: &Context) -> Result<bool> {
        if self.stale.len() == 0 {
            return Ok(false);
        }
        loop {
            self.at = match &mut self.at {
                Step::People { rank, after } => {
                    let Some(stratum) = context.strata.get(*rank) else {
                        finish(context, &self.stale).await?;
                        return Ok(false);
                    };
                    let audiences = self.stale.of(&stratum.people);
                    let everybody = *rank == 0 && !self.stale.destinations.is_empty();
                    let part = fill_people(context, &audiences, everybody, *after, self.people);
                    match part.await? {
                        Some(last) => {
                            *after = last;
                            return Ok(true);
                        }
                        None => Step::Accounts {
                            rank: *rank,
                            after: String::new(),
                        },
                    }
                }
                Step::Accounts { rank, after } => {
                    let audiences = self.stale.of(&context.strata[*rank].accounts);
                    match fill_accounts(context, &audiences, after).await? {
                        Some(last) => {
                            *after = last;
                            return Ok(true);
                        }
                        None => Step::People {
                            rank: *rank + 1,
                            after: i64::MIN,
                        },
                    }
                }
            };
        }
    }
}

/// The definitions are those that everything follows.
async fn finish(context: &Context, stale: &Stale) -> Result<()> {
    let mut tx = context.store.begin().await?;
    for audience in &context.plan.audiences {
        tx.set_audience(&audience.name, &audience.digest).await?;
    }
    for destination in &context.plan.destinations {
        tx.set_destination(&destination.name, &digest(context, destination))
            .await?;
    }
    for name in &stale.gone_destinations {
        tx.remove_destination(name).await?;
    }
    tx.commit().await
}

/// Says in the store, before anybody is judged by definitions that it does not know, that nothing follows from the ones that it
/// knows alone: should the old ones come back before these were filled, they are filled anew.
pub async fn announce(context: &Context) -> Result<()> {
    announce_stale(context, &stale(context).await?).await
}

async fn announce_stale(context: &Context, stale: &Stale) -> Result<()> {
    if stale.is_announced {
        return Ok(());
    }
    let mut tx = context.store.begin().await?;
    let audiences = stale.audiences.iter();
    let audiences = audiences.map(|(index, _)| &*context.plan.audiences[*index].name);
    for name in audiences.chain(stale.gone.iter().map(String::as_str)) {
        tx.set_audience(name, UNFINISHED).await?;
    }
    let gone = stale.gone_destinations.iter().map(String::as_str);
    for name in stale.destinations.iter().map(|name| &**name).chain(gone) {
        tx.set_destination(name, UNFINISHED).await?;
    }
    tx.commit().await
}

/// Wants nothing at a destination any more, for some people; false when nobody is left. What it holds stays known, so that it
/// is looked at should the destination come back.
async fn forget_destination(context: &Context, name: &str) -> Result<bool> {
    let mut tx = context.store.begin().await?;
    let rows = tx.wanted_at(name, PEOPLE).await?;
    tx.remove_wanted(&rows).await?;
    mark(&mut tx, rows.iter().map(key_of).collect()).await?;
    tx.commit().await?;
    Ok(!rows.is_empty())
}

/// Audiences of people over some of them; gives the last, unless nobody is left. With `everybody`, what destinations should
/// hold of those too who do not move.
async fn fill_people(
    context: &Context,
    audiences: &[(usize, &'static str)],
    everybody: bool,
    after: i64,
    most: i64,
) -> Result<Option<i64>> {
    if audiences.is_empty() && !everybody {
        return Ok(None);
    }
    let mut tx = context.store.begin().await?;
    let Some(last) = tx.last_person(after, most).await? else {
        return Ok(None);
    };
    let part = Part { after, last };
    fill(&mut tx, context, audiences, everybody, part).await?;
    tx.commit().await?;
    Ok(Some(last))
}

/// Audiences of accounts over some of them, when the people whom they count are as they should be; gives the last, unless
/// none is left.
async fn fill_accounts(
    context: &Context,
    audiences: &[(usize, &'static str)],
    after: &str,
) -> Result<Option<String>> {
    if audiences.is_empty() {
        return Ok(None);
    }
    let mut tx = context.store.begin().await?;
    let rows = tx.accounts_after(after, ACCOUNTS).await?;
    let ids: Vec<String> = rows.into_iter().map(|(row, _)| row.id).collect();
    let Some(last) = ids.last() else {
        return Ok(None);
    };
    let mut moved: BTreeSet<String> = BTreeSet::new();
    for (place, cause) in audiences {
        let places = [*place];
        let of = accounts::audiences::evaluate(&mut tx, context, &places, &ids, Some(*cause));
        moved.extend(of.await?);
    }
    let moved: Vec<String> = moved.into_iter().collect();
    let people = tx.people_of_main_accounts(&moved).await?;
    for people in people.chunks(PEOPLE as usize) {
        want_of(&mut tx, context, people).await?;
    }
    tx.commit().await?;
    Ok(Some(last.clone()))
}

async fn fill(
    tx: &mut Tx,
    context: &Context,
    audiences: &[(usize, &'static str)],
    everybody: bool,
    part: Part,
) -> Result<()> {
    let now = context.clock.now();
    let mut moved: BTreeSet<i64> = BTreeSet::new();
    for (index, cause) in audiences {
        let audience = &context.plan.audiences[*index];
        moved.extend(fill_one(tx, context, audience, cause, now, part).await?);
    }
    if everybody {
        let text = "select id from person where id > $1 and id <= $2";
        let range = [Arg::Int(part.after), Arg::Int(part.last)];
        moved.extend(tx.select_persons(text, &range).await?);
    }
    if moved.is_empty() || context.plan.destinations.is_empty() {
        return Ok(());
    }
    let views = views(tx, context, moved).await?;
    want_as_stored(tx, context, &views).await
}

async fn views(
    tx: &mut Tx,
    context: &Context,
    ids: impl IntoIterator<Item = i64>,
) -> Result<Vec<View>> {
    let mut rows = tx.persons(ids).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let mut views: Vec<View> = rows.iter().map(settle::view_of).collect();
    accounts::fill(tx, context, &mut views).await?;
    Ok(views)
}

/// One audience over some people. Gives those who entered or left.
async fn fill_one(
    tx: &mut Tx,
    context: &Context,
    audience: &Audience,
    cause: &str,
    now: Timestamp,
    part: Part,
) -> Result<Vec<i64>> {
    let holding = audience::sql(&audience.who, now, part, &audience::SQLITE);
    let holding = tx.select_persons(&holding.text, &args(&holding)).await?;
    let range = (part.after, part.last);
    let members = tx.members_between(&audience.name, range).await?;
    let entered = difference(&holding, &members);
    let left = difference(&members, &holding);
    let moved: Vec<i64> = entered.iter().chain(&left).copied().collect();
    let mut moves = Moves::default();
    if !moved.is_empty() {
        let uuids: FxHashMap<i64, [u8; 16]> = tx.uuids(&moved).await?.into_iter().collect();
        let uuid = |id: &i64| uuids.get(id).copied().unwrap_or_default();
        for id in &entered {
            moves.enter(&audience.name, *id, uuid(id), now, cause);
        }
        for id in &left {
            moves.leave(&audience.name, *id, uuid(id), cause);
        }
    }
    moves.save(tx, now).await?;
    let timers = timers(tx, context, audience, now, part).await?;
    tx.set_timers_between(&audience.name, range, &timers)
        .await?;
    Ok(moved)
}

/// Of two ascending lists, what only the first has.
fn difference(a: &[i64], b: &[i64]) -> Vec<i64> {
    let missing = |id: &&i64| b.binary_search(id).is_err();
    a.iter().filter(missing).copied().collect()
}

/// When the answer changes for those for whom time alone changes it: a query finds them, with a few others, and the
/// evaluation in memory says when.
async fn timers(
    tx: &mut Tx,
    context: &Context,
    audience: &Audience,
    now: Timestamp,
    part: Part,
) -> Result<Vec<TimerRow>> {
    let who = &audience.who;
    let Some(open) = audience::sql_open(who, now, part, &audience::SQLITE) else {
        return Ok(Vec::new());
    };
    let open = tx.select_persons(&open.text, &args(&open)).await?;
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let known = Known::load(tx, who, &open, now).await?;
    let views = views(tx, context, open).await?;
    let mut timers = Vec::new();
    for view in &views {
        let verdict = known.ask(view, |facts| audience::evaluate(who, facts, now));
        timers.extend(verdict.changes_at.map(|due| TimerRow {
            audience: audience.name.to_string(),
            person_id: view.id,
            due_at: due.0,
        }));
    }
    Ok(timers)
}

/// What a query's values are to the store.
pub fn args(query: &audience::Query) -> Vec<Arg<'_>> {
    query
        .binds
        .iter()
        .map(|bind| match bind {
            audience::Bind::Text(text) => Arg::Text(text),
            audience::Bind::Integer(number) => Arg::Int(*number),
            audience::Bind::Real(number) => Arg::Real(*number),
        })
        .collect()
}

/// What one condition asks about some people beside their profiles.
#[derive(Default)]
pub struct Known {
    events: FxHashMap<i64, Vec<(String, Timestamp, Fields)>>,
    since: FxHashMap<(i64, String), Timestamp>,
}

impl Known {
    /// What matters at `now` and later.
    pub async fn load(
        tx: &mut Tx,
        condition: &Condition,
        persons: &[i64],
        now: Timestamp,
    ) -> Result<Self> {
        Self::load_since(tx, condition, persons, Some(now)).await
    }

    /// Events of any time.
    pub async fn load_all(tx: &mut Tx, condition: &Condition, persons: &[i64]) -> Result<Self> {
        Self::load_since(tx, condition, persons, None).await
    }

    async fn load_since(
        tx: &mut Tx,
        condition: &Condition,
        persons: &[i64],
        now: Option<Timestamp>,
    ) -> Result<Self> {
        let mut known = Self::default();
        let properties = reads_properties(condition);
        for (name, bound) in audience::events_read([condition]) {
            let after = now.and_then(|now| bound.after(now));
            let after = after.map_or(i64::MIN, Timestamp::millis);
            let rows = tx.events_of_persons(persons, name, after, properties);
            for row in rows.await? {
                let properties = serde_json::from_str(&row.properties).unwrap_or_default();
                let event = (name.to_owned(), Timestamp(row.time), properties);
                known.events.entry(row.person_id).or_default().push(event);
            }
        }
        if !audience::depends_on(condition).is_empty() {
            for row in tx.memberships_of(persons.iter().copied()).await? {
                let key = (row.person_id, row.audience);
                known.since.insert(key, Timestamp(row.since));
            }
        }
        Ok(known)
    }

    pub fn ask<T>(&self, view: &View, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let events: Vec<EventFact<'_>> = self
            .events
            .get(&view.id)
            .into_iter()
            .flatten()
            .map(|(name, time, properties)| EventFact {
                name,
                time: *time,
                properties,
            })
            .collect();
        ask(&Facts {
            id: view.uuid,
            traits: &|name| view.traits.get(name),
            granted: &|purpose| view.granted(purpose),
            audiences: &|name| {
                let own = self.since.get(&(view.id, name.to_owned()));
                own.or(view.account_audiences.get(name)).copied()
            },
            people: &|_| 0,
            events: &events,
        })
    }
}

fn reads_properties(condition: &Condition) -> bool {
    let mut reads = false;
    condition.visit(&mut |leaf| {
        reads |= match leaf {
            Condition::Event {
                filter, measure, ..
            } => !filter.is_empty() || matches!(measure, Measure::Sum { .. }),
            Condition::Sequence { steps, .. } => steps.iter().any(|step| !step.filter.is_empty()),
            _ => false,
        };
    });
    reads
}

#[cfg(test)]
mod properties;
