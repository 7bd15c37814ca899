//! Selecting: who enters and leaves which audience.

use crate::audience::{self, EventFact};
use crate::flow::commit::moves::Moves;
use crate::flow::commit::touched::Ripple;
use crate::flow::commit::view::{Happened, Since, View};
use crate::flow::context::Context;
use crate::model::Timestamp;
use crate::store::{Result, TimerRow, Tx};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Returns the names of the audiences that each person is in, in the order of `views`; stores what changed.
///
/// Only audiences of one stratum are evaluated; earlier strata are taken as stored. `timers` are the people's timers of other
/// kinds, to be stored with those of the audiences.
pub async fn memberships(
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

/// Evaluates one person against the audiences at these indexes, audiences that others refer to first. The log records the given
/// cause, or else the deciding condition.
pub fn judge(
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
