//! New and edited definitions: audiences are filled for a few thousand people at a time, and only what differs from what is
//! stored is written. Other work can be done between two transactions.
//!
//! A person who is touched meanwhile is evaluated by the new definitions anyway, so the parts need not be done together.

mod stale;

use crate::audience;
use crate::flow::commit::account_audiences;
use crate::flow::commit::select::{Judged, Selected, judge};
use crate::flow::commit::settle::TOGETHER;
use crate::flow::commit::view::Since;
use crate::flow::commit::views::{events_named, views};
use crate::flow::commit::want::{key_of, mark, want_as_stored, want_of};
use crate::flow::context::{Context, UNFINISHED};
use crate::manifest::{Audience, Subject};
use crate::model::Timestamp;
use crate::store::{PersonRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use stale::{Stale, digest, stale};
use std::collections::BTreeSet;

/// People that one transaction takes.
const PEOPLE: i64 = 5_000;
/// Accounts that one transaction takes.
const ACCOUNTS: i64 = 5_000;

/// Brings memberships, timers and wanted rows up to date with the plan. Returns how many definitions changed.
pub async fn backfill(context: &Context) -> Result<usize> {
    let mut filling = Filling::begin(context, PEOPLE).await?;
    while filling.go_on(context).await? {}
    Ok(filling.stale.len())
}

/// Work on definitions, done part by part. If it is left half-way, the next process begins it again (I9).
pub struct Filling {
    stale: Stale,
    at: Step,
    /// People per part.
    people: i64,
}

/// Where filling continues: audiences of people, then audiences of accounts, one stratum after another.
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
    /// Forgets what is no longer defined.
    pub async fn begin(context: &Context, people: i64) -> Result<Self> {
        let stale = stale(context).await?;
        announce_stale(context, &stale).await?;
        if !(stale.gone.is_empty() && stale.audiences.is_empty()) {
            let mut tx = context.begin().await?;
            for name in &stale.gone {
                tx.remove_audience(name).await?;
            }
            for (index, _) in &stale.audiences {
                // The audience may have been of the other kind before.
                let audience = &context.plan.audiences[*index];
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

    /// Does the next part; false when none was left, and the definitions are stored as applied to everyone.
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

/// Stores the definitions as applied to everyone.
async fn finish(context: &Context, stale: &Stale) -> Result<()> {
    let mut tx = context.begin().await?;
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

/// Marks changed definitions as unfinished before anyone is evaluated by them, so that reverting an edit half-way still triggers
/// a refill.
pub async fn announce(context: &Context) -> Result<()> {
    announce_stale(context, &stale(context).await?).await
}

async fn announce_stale(context: &Context, stale: &Stale) -> Result<()> {
    if stale.is_announced {
        return Ok(());
    }
    let mut tx = context.begin().await?;
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

/// Removes what is wanted at a destination, for some people; false when none are left. Its acknowledged state is kept, so that
/// it is compared if the destination comes back.
async fn forget_destination(context: &Context, name: &str) -> Result<bool> {
    let mut tx = context.begin().await?;
    let rows = tx.wanted_at(name, PEOPLE).await?;
    tx.remove_wanted(&rows).await?;
    mark(&mut tx, rows.iter().map(key_of).collect()).await?;
    tx.commit().await?;
    Ok(!rows.is_empty())
}

/// Fills audiences of people for the next people; returns the last of them, or none when nobody is left. With `everybody`, also
/// updates what destinations should hold of people who do not move.
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
    let mut tx = context.begin_for(most as usize).await?;
    let rows = tx.persons_after(after, most).await?;
    let Some(last) = rows.last().map(|row| row.id) else {
        return Ok(None);
    };
    let part = Part { after, rows };
    fill(&mut tx, context, audiences, everybody, part).await?;
    tx.commit().await?;
    Ok(Some(last))
}

/// Fills audiences of accounts for the next accounts, once the audiences of people that they count are filled; returns the last
/// of them, or none when no account is left.
async fn fill_accounts(
    context: &Context,
    audiences: &[(usize, &'static str)],
    after: &str,
) -> Result<Option<String>> {
    if audiences.is_empty() {
        return Ok(None);
    }
    let mut tx = context.begin().await?;
    let rows = tx.accounts_after(after, ACCOUNTS).await?;
    let ids: Vec<String> = rows.into_iter().map(|(row, _)| row.id).collect();
    let Some(last) = ids.last() else {
        return Ok(None);
    };
    let mut moved: BTreeSet<String> = BTreeSet::new();
    for (index, cause) in audiences {
        let indexes = [*index];
        let of = account_audiences::evaluate(&mut tx, context, &indexes, &ids, Some(*cause));
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

/// Some people whose numbers follow each other.
struct Part {
    /// The number before them.
    after: i64,
    rows: Vec<PersonRow>,
}

/// Fills audiences for these people, audiences that others refer to first.
async fn fill(
    tx: &mut Tx,
    context: &Context,
    audiences: &[(usize, &'static str)],
    everybody: bool,
    part: Part,
) -> Result<()> {
    let Part { after, rows } = part;
    let now = context.clock.now();
    let mut views = views(tx, context, rows).await?;
    let last = views.last().map_or(after, |view| view.id);
    let definitions = audiences.iter();
    let definitions: Vec<&Audience> = definitions
        .map(|(index, _)| &context.plan.audiences[*index])
        .collect();
    let read = audience::events_read(definitions.iter().map(|one| &one.who));
    let read: Vec<_> = read.into_iter().collect();
    let mut since = since(tx, &definitions, after, last).await?;
    let asked: Vec<(usize, Option<&str>)> = audiences
        .iter()
        .map(|(index, cause)| (*index, Some(*cause)))
        .collect();
    let mut selected = Selected::default();
    for views in views.chunks(TOGETHER) {
        let events = events_named(tx, &read, views, Some(now)).await?;
        for view in views {
            let person = Judged {
                view,
                events: events.get(&view.id).map(Vec::as_slice).unwrap_or_default(),
                since: since.remove(&view.id).unwrap_or_default(),
            };
            judge(context, &asked, person, now, &mut selected);
        }
    }
    let Selected { moves, mut timers } = selected;
    tx.leave_before();
    if !everybody {
        let moved: FxHashSet<i64> = moves.people().collect();
        views.retain(|view| moved.contains(&view.id));
    }
    moves.save(tx, now).await?;
    timers.sort_unstable_by(|a, b| (&a.audience, a.person_id).cmp(&(&b.audience, b.person_id)));
    let names: Vec<&str> = definitions.iter().map(|one| &*one.name).collect();
    tx.set_timers_between(&names, after, last, &timers).await?;
    if views.is_empty() || context.plan.destinations.is_empty() {
        return Ok(());
    }
    want_as_stored(tx, context, &views).await
}

/// Since when people with `after < id <= last` are in these audiences and in the ones that they refer to.
async fn since(
    tx: &mut Tx,
    definitions: &[&Audience],
    after: i64,
    last: i64,
) -> Result<FxHashMap<i64, Since>> {
    let needs = definitions
        .iter()
        .flat_map(|one| audience::depends_on(&one.who));
    let names: BTreeSet<&str> = definitions
        .iter()
        .map(|one| &*one.name)
        .chain(needs)
        .collect();
    let mut since: FxHashMap<i64, Since> = FxHashMap::default();
    for name in names {
        for (person, at) in tx.members_between(name, after, last).await? {
            let of = since.entry(person).or_default();
            of.insert(name.to_owned(), Timestamp(at));
        }
    }
    Ok(since)
}

#[cfg(test)]
mod properties;
