//! Selecting and wanting: who enters and leaves which audience, and what destinations should hold of each person.

use super::View;
use crate::audience::{self, EventBound, EventFact, Facts};
use crate::compute::Event;
use crate::delivery;
use crate::flow::context::Context;
use crate::flow::deliver::has_consent;
use crate::flow::ripple::Ripple;
use crate::flow::stored_json::read;
use crate::flow::suppress;
use crate::model::{Fields, Timestamp};
use crate::store::{LogRow, MemberRow, Result, TimerRow, Tx, WantedRow};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

/// The audiences that a person is in, with the time since when.
pub(in crate::flow) type Since = BTreeMap<String, Timestamp>;

/// Names of the audiences that each person is in, in the order of `views`; stores what changed.
///
/// Only audiences of one stratum are worked out; those before it are taken as stored. `timers` are those of the people that
/// nobody else keeps; the others are added.
pub(in crate::flow) async fn memberships(
    tx: &mut Tx,
    context: &Context,
    (views, events): (&[View], &FxHashMap<i64, Vec<Happened>>),
    mut timers: Vec<TimerRow>,
    rank: usize,
    ripple: &mut Ripple,
) -> Result<Vec<BTreeSet<String>>> {
    let now = context.clock.now();
    let order = &context.strata[rank].people;
    let asked: Vec<(usize, Option<&str>)> = order.iter().map(|index| (*index, None)).collect();
    let known: Vec<i64> = views
        .iter()
        .filter(|view| !view.is_new)
        .map(|view| view.id)
        .collect();
    let mut before: FxHashMap<i64, Since> = FxHashMap::default();
    if !known.is_empty() {
        for row in tx.memberships_of(known.iter().copied()).await? {
            before
                .entry(row.person_id)
                .or_default()
                .insert(row.audience, Timestamp(row.since));
        }
    }
    let mut moves = Moves::default();
    let mut after = Vec::with_capacity(views.len());
    for view in views {
        let events = events.get(&view.id).map(Vec::as_slice).unwrap_or_default();
        let was = before.remove(&view.id).unwrap_or_default();
        let about = (view, events);
        let is = judge(context, &asked, about, was, now, (&mut moves, &mut timers));
        after.push(is.into_keys().collect());
    }
    ripple.moved(tx, context, &moves).await?;
    moves.save(tx, now).await?;
    if rank > 0 {
        let names: Vec<&str> = context.names(order).collect();
        tx.set_timers_of(&names, &known, &timers).await?;
    } else if !(timers.is_empty() && known.is_empty()) {
        tx.set_timers(&known, &timers).await?;
    }
    Ok(after)
}

/// One person against the audiences at these places, those that others refer to first. Whoever moves does so for the
/// cause given, or else for what the condition says.
pub(in crate::flow) fn judge(
    context: &Context,
    asked: &[(usize, Option<&str>)],
    (view, events): (&View, &[Happened]),
    was: Since,
    now: Timestamp,
    (moves, timers): (&mut Moves, &mut Vec<TimerRow>),
) -> Since {
    let events: Vec<EventFact<'_>> = events.iter().map(Happened::fact).collect();
    let mut is = was;
    for (index, given) in asked {
        let audience = &context.plan.audiences[*index];
        let who = &audience.who;
        let held = is.contains_key(&*audience.name);
        let (verdict, cause) = view.ask(&events, &is, |facts| {
            let verdict = audience::evaluate(who, facts, now);
            let cause = (verdict.holds != held).then(|| match given {
                Some(cause) => (*cause).to_owned(),
                None => audience::cause(who, facts, now),
            });
            (verdict, cause)
        });
        if let Some(due) = verdict.changes_at {
            timers.push(TimerRow {
                audience: audience.name.to_string(),
                person_id: view.id,
                due_at: due.0,
            });
        }
        match (cause, verdict.holds) {
            (Some(cause), true) => moves.enter(&audience.name, view.id, view.uuid, now, &cause),
            (Some(cause), false) => moves.leave(&audience.name, view.id, view.uuid, &cause),
            (None, _) => {}
        }
        if verdict.holds {
            is.entry(audience.name.to_string()).or_insert(now);
        } else {
            is.remove(&*audience.name);
        }
    }
    is
}

impl View {
    /// The person, what happened, and since when it is in audiences.
    pub fn ask<T>(
        &self,
        events: &[EventFact<'_>],
        since: &Since,
        ask: impl FnOnce(&Facts<'_>) -> T,
    ) -> T {
        ask(&Facts {
            id: self.uuid,
            traits: &|name| self.traits.get(name),
            granted: &|purpose| self.granted(purpose),
            audiences: &|name| {
                since
                    .get(name)
                    .or(self.account_audiences.get(name))
                    .copied()
            },
            people: &|_| 0,
            events,
        })
    }
}

/// An event with its properties read.
pub struct Happened {
    pub name: String,
    pub time: Timestamp,
    pub properties: Fields,
}

impl Happened {
    pub fn event(&self) -> Event<'_> {
        Event {
            name: &self.name,
            time: self.time,
            properties: &self.properties,
        }
    }

    pub fn fact(&self) -> EventFact<'_> {
        EventFact {
            name: &self.name,
            time: self.time,
            properties: &self.properties,
        }
    }
}

/// The events that audiences and traits read, by person.
pub async fn events_of(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
) -> Result<FxHashMap<i64, Vec<Happened>>> {
    let read = context.events_read.iter();
    let read: Vec<_> = read.map(|(name, bound)| (name.as_str(), *bound)).collect();
    events_named(tx, &read, views, Some(context.clock.now())).await
}

/// The events of these names, by person: those that matter at `now` and later, or else all.
pub(in crate::flow) async fn events_named(
    tx: &mut Tx,
    names: &[(&str, EventBound)],
    views: &[View],
    now: Option<Timestamp>,
) -> Result<FxHashMap<i64, Vec<Happened>>> {
    let mut events: FxHashMap<i64, Vec<Happened>> = FxHashMap::default();
    if names.is_empty() {
        return Ok(events);
    }
    let mut owner: FxHashMap<i64, i64> = FxHashMap::default();
    for view in views {
        owner.extend(view.evidence.iter().map(|id| (*id, view.id)));
    }
    let mut evidence: Vec<i64> = owner.keys().copied().collect();
    evidence.sort_unstable();
    for (name, bound) in names {
        let after = now.and_then(|now| bound.after(now));
        let after = after.map_or(i64::MIN, Timestamp::millis);
        let rows = tx.events_named(&evidence, name, after, bound.properties);
        for row in rows.await? {
            let properties = match row.properties.as_str() {
                // They were not asked for.
                "" => Fields::new(),
                text => read("event.properties of evidence", row.evidence_id, text)?,
            };
            let of = events.entry(owner[&row.evidence_id]).or_default();
            of.push(Happened {
                name: (*name).to_owned(),
                time: Timestamp(row.time),
                properties,
            });
        }
    }
    Ok(events)
}

/// People who entered and left audiences.
#[derive(Default)]
pub(in crate::flow) struct Moves {
    entered: Vec<MemberRow>,
    left: Vec<(String, i64)>,
    log: Vec<LogRow>,
}

impl Moves {
    pub fn enter(
        &mut self,
        audience: &str,
        person_id: i64,
        uuid: [u8; 16],
        now: Timestamp,
        cause: &str,
    ) {
        self.entered.push(MemberRow {
            audience: audience.to_owned(),
            person_id,
            since: now.0,
        });
        self.write(audience, uuid, true, cause);
    }

    pub fn leave(&mut self, audience: &str, person_id: i64, uuid: [u8; 16], cause: &str) {
        self.left.push((audience.to_owned(), person_id));
        self.write(audience, uuid, false, cause);
    }

    fn write(&mut self, audience: &str, uuid: [u8; 16], entered: bool, cause: &str) {
        self.log.push(LogRow {
            id: 0,
            audience: audience.to_owned(),
            person: uuid,
            at: 0,
            entered,
            cause: cause.to_owned(),
        });
    }

    /// All who moved, as often as they did.
    pub fn people(&self) -> impl Iterator<Item = i64> {
        let entered = self.entered.iter().map(|row| row.person_id);
        entered.chain(self.left.iter().map(|(_, id)| *id))
    }

    /// People who entered or left one of these audiences.
    pub fn of(&self, audiences: &BTreeSet<String>) -> Vec<i64> {
        let entered = self
            .entered
            .iter()
            .map(|row| (&row.audience, row.person_id));
        let left = self.left.iter().map(|(audience, id)| (audience, *id));
        let of = entered
            .chain(left)
            .filter(|(audience, _)| audiences.contains(*audience));
        of.map(|(_, id)| id).collect()
    }

    pub async fn save(mut self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        if self.log.is_empty() {
            return Ok(());
        }
        let first = tx.reserve("membership_log", self.log.len() as i64).await?;
        for (index, row) in self.log.iter_mut().enumerate() {
            row.id = first + index as i64;
            row.at = now.0;
        }
        self.entered
            .sort_unstable_by(|a, b| (&a.audience, a.person_id).cmp(&(&b.audience, b.person_id)));
        tx.remove_members(&self.left).await?;
        tx.add_members(&self.entered).await?;
        tx.add_log(&self.log).await
    }
}

/// What destinations should hold of people whose memberships, and those of their accounts, are stored.
pub(in crate::flow) async fn want_as_stored(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
) -> Result<()> {
    let mut members: FxHashMap<i64, BTreeSet<String>> = FxHashMap::default();
    for row in tx.memberships_of(views.iter().map(|view| view.id)).await? {
        let of = members.entry(row.person_id).or_default();
        of.insert(row.audience);
    }
    let all = |view: &View| -> BTreeSet<String> {
        let own = members.get(&view.id).into_iter().flatten();
        own.chain(view.account_audiences.keys()).cloned().collect()
    };
    let members: Vec<BTreeSet<String>> = views.iter().map(all).collect();
    want(tx, context, views, &members).await
}

/// What each destination should hold of each person, against what was wanted before.
pub(super) async fn want(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
    members: &[BTreeSet<String>],
) -> Result<()> {
    if context.plan.destinations.is_empty() {
        return Ok(());
    }
    let known: Vec<i64> = views
        .iter()
        .filter(|view| !view.is_new)
        .map(|view| view.id)
        .collect();
    let mut before: FxHashMap<(i64, String, String), WantedRow> = FxHashMap::default();
    if !known.is_empty() {
        for row in tx.wanted_of(known).await? {
            before.insert(
                (row.person_id, row.destination.clone(), row.object.clone()),
                row,
            );
        }
    }
    let suppressed = suppress::suppressed(tx, context, views).await?;
    let mut save = Vec::new();
    let mut keys = Vec::new();
    for (view, audiences) in views.iter().zip(members) {
        for row in context.wanted(view, audiences, &suppressed) {
            match before.remove(&(view.id, row.destination.clone(), row.object.clone())) {
                Some(old) if old == row => continue,
                Some(old) if old.remote_key != row.remote_key => keys.push(key_of(&old)),
                _ => {}
            }
            keys.push(key_of(&row));
            save.push(row);
        }
    }
    let gone: Vec<WantedRow> = before.into_values().collect();
    keys.extend(gone.iter().map(key_of));
    tx.remove_wanted(&gone).await?;
    save.sort_unstable_by(|a, b| {
        (&a.destination, &a.object, a.person_id).cmp(&(&b.destination, &b.object, b.person_id))
    });
    tx.save_wanted(&save).await?;
    mark(tx, keys).await
}

impl Context {
    /// What every destination should hold of a person, and whether it may be sent there.
    fn wanted(
        &self,
        view: &View,
        audiences: &BTreeSet<String>,
        suppressed: &FxHashSet<i64>,
    ) -> Vec<WantedRow> {
        let mut rows = Vec::new();
        for destination in &self.plan.destinations {
            let wanted = delivery::wanted(destination, &view.traits, audiences);
            if wanted.is_empty() {
                continue;
            }
            let allowed =
                !suppressed.contains(&view.id) && has_consent(destination, &view.consents);
            rows.extend(wanted.into_iter().map(|row| WantedRow {
                destination: destination.name.to_string(),
                object: row.object,
                person_id: view.id,
                remote_key: row.remote_key,
                payload: row.payload,
                allowed,
            }));
        }
        rows
    }
}

pub(in crate::flow) fn key_of(row: &WantedRow) -> (String, String, String) {
    (
        row.destination.clone(),
        row.object.clone(),
        row.remote_key.clone(),
    )
}

pub(in crate::flow) async fn mark(
    tx: &mut Tx,
    mut keys: Vec<(String, String, String)>,
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    keys.sort_unstable();
    keys.dedup();
    let first = tx.reserve("change", keys.len() as i64).await?;
    tx.mark_changes(first, keys).await
}
