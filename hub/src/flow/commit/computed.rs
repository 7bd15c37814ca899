//! Computed traits: what models and definitions make of a person's values and events, added to the values.

use crate::audience::{self, EventFact, Facts};
use crate::compute::models::{Fitted, predicted};
use crate::compute::{self, Event, Fault, Given};
use crate::flow::commit::view::{Happened, View};
use crate::flow::context::Context;
use crate::model::Timestamp;
use crate::store::{FaultRow, Result, TimerRow, Tx};
use rustc_hash::FxHashMap;

/// The name under which timers of traits are stored among those of audiences; no audience has it.
const TRAITS: &str = "";

/// What computing traits changed.
#[derive(Default)]
pub struct Worked {
    /// People whose traits differ from what they were when the view was made.
    pub changed: Vec<i64>,
    /// When a value changes without new data.
    pub timers: Vec<TimerRow>,
}

/// Puts the computed traits into the views.
pub async fn work_out(
    tx: &mut Tx,
    context: &Context,
    views: &mut [View],
    events: &FxHashMap<i64, Vec<Happened>>,
) -> Result<Worked> {
    let mut worked = Worked::default();
    if !context.works_out_traits() {
        return Ok(worked);
    }
    let now = context.clock.now();
    let mut faults = Vec::new();
    for view in views.iter_mut() {
        let events = events.get(&view.id).map(Vec::as_slice).unwrap_or_default();
        let before = view.traits.clone();
        let (changes_at, found) = one(context, &context.models, view, events, now);
        if view.traits != before {
            worked.changed.push(view.id);
        }
        worked.timers.extend(changes_at.map(|due| TimerRow {
            audience: TRAITS.to_owned(),
            person_id: view.id,
            due_at: due.0,
        }));
        faults.extend(found.into_iter().map(|fault| FaultRow {
            person_id: view.id,
            trait_name: fault.trait_name.to_string(),
            kind: fault.kind.as_str(),
        }));
    }
    let known: Vec<i64> = views
        .iter()
        .filter(|view| !view.is_new)
        .map(|view| view.id)
        .collect();
    tx.set_faults(&known, &faults).await?;
    Ok(worked)
}

/// Puts the traits of one person into its view, by these versions of models. Returns when they change by themselves, and
/// what could not be computed.
pub fn one(
    context: &Context,
    models: &[(usize, Fitted)],
    view: &mut View,
    happened: &[Happened],
    now: Timestamp,
) -> (Option<Timestamp>, Vec<Fault>) {
    for name in &context.computed_names {
        view.traits.remove(name);
    }
    let events: Vec<Event<'_>> = happened.iter().map(Happened::event).collect();
    for (model, fitted) in models {
        let model = &context.plan.models[*model];
        view.traits.extend(predicted(model, fitted, &events));
    }
    let facts: Vec<EventFact<'_>> = happened.iter().map(Happened::fact).collect();
    let person = view.uuid;
    let granted = |purpose: &str| view.granted(purpose);
    let computed = compute::compute(
        &context.plan.traits,
        &Given {
            traits: &view.traits,
            events: &events,
            judge: &|condition, traits| {
                let facts = Facts {
                    id: person,
                    traits: &|name| traits.get(name),
                    granted: &granted,
                    // Traits are computed before audiences, so none of them refers to one.
                    audiences: &|_| None,
                    people: &|_| 0,
                    events: &facts,
                };
                let verdict = audience::evaluate(condition, &facts, now);
                (verdict.holds, verdict.changes_at)
            },
        },
        now,
    );
    view.traits.extend(computed.values);
    (computed.changes_at, computed.faults)
}
