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

/// People to evaluate against the audiences of one stratum.
pub struct Selecting<'a> {
    pub views: &'a [View],
    /// Their events, by person.
    pub events: &'a FxHashMap<i64, Vec<Happened>>,
    /// Timers of these people that are not of audiences, to be stored with those of the audiences.
    pub timers: Vec<TimerRow>,
    /// The rank of the stratum.
    pub rank: usize,
}

/// What evaluating people leads to.
#[derive(Default)]
pub struct Selected {
    pub moves: Moves,
    /// When memberships may change by themselves.
    pub timers: Vec<TimerRow>,
}

/// One person to evaluate.
pub struct Judged<'a> {
    pub view: &'a View,
    pub events: &'a [Happened],
    /// The audiences that the person was in until now.
    pub since: Since,
}

/// Returns the names of the audiences that each person is in, in the order of `views`; stores what changed.
///
/// Only audiences of one stratum are evaluated; earlier strata are taken as stored.
pub async fn memberships(
    tx: &mut Tx,
    context: &Context,
    selecting: Selecting<'_>,
    ripple: &mut Ripple,
) -> Result<Vec<BTreeSet<String>>> {
    let Selecting {
        views,
        events,
        timers,
        rank,
    } = selecting;
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
    let mut selected = Selected {
        timers,
        ..Selected::default()
    };
    let mut after = Vec::with_capacity(views.len());
    for view in views {
        let person = Judged {
            view,
            events: events.get(&view.id).map(Vec::as_slice).unwrap_or_default(),
            since: before.remove(&view.id).unwrap_or_default(),
        };
        let is = judge(context, &asked, person, now, &mut selected);
        after.push(is.into_keys().collect());
    }
    let Selected { moves, timers } = selected;
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
/// cause, or else the deciding condition. Returns the audiences that the person is in now.
pub fn judge(
    context: &Context,
    asked: &[(usize, Option<&str>)],
    person: Judged<'_>,
    now: Timestamp,
    selected: &mut Selected,
) -> Since {
    let Judged {
        view,
        events,
        since: mut is,
    } = person;
    let events: Vec<EventFact<'_>> = events.iter().map(Happened::fact).collect();
    let Selected { moves, timers } = selected;
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
