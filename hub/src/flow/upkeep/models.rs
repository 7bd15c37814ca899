//! Fitted models: made from everybody's purchases, stored as versions, and applied to everybody at once. Computed traits that
//! are new, edited or gone are brought up to date here, too.

use crate::compute::Event;
use crate::compute::models::{Fitted, Sample};
use crate::flow::commit::fitted::{LIFETIME, fitted_of, versions_at};
use crate::flow::commit::view::Happened;
use crate::flow::context::{Context, UNFINISHED, Watch};
use crate::flow::facts::computed_names;
use crate::flow::stored_json::{read, to_json};
use crate::flow::upkeep::due::{evaluate_everybody, events_by_person};
use crate::manifest::Model;
use crate::model::Timestamp;
use crate::store::{ModelRow, Result, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The hub's value that says by which definitions traits were computed.
const WORKED_OUT: &str = "computed_traits";
/// The hub's value that says which models could not be fitted.
const REFUSED: &str = "refused_models";

/// How fitting a model went.
#[derive(Debug, Serialize)]
pub struct FitReport {
    pub model: String,
    pub fitted: Option<Fitted>,
    /// Why no version was made.
    pub refused: Option<String>,
}

/// An attempt to fit a model for which there was not enough data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    pub reason: String,
    pub tried_at: i64,
    digest: String,
    /// The latest event at that time.
    last_event: i64,
}

/// Takes the versions that the store has of the plan's models.
pub async fn adopt(context: &mut Context) -> Result<()> {
    let rows = context.store.read().await?.models().await?;
    context.models = Arc::new(versions_at(&context.plan, &rows, Timestamp::MAX)?);
    Ok(())
}

/// What is kept of a version of any kind, for a surface.
pub fn body_of(row: &ModelRow) -> Result<serde_json::Value> {
    read("model.body", row.id, &row.body)
}

/// Fits the models that are due, and brings every computed trait up to date with what is defined now.
pub async fn refresh(context: &mut Context, watch: Watch<'_>) -> Result<Vec<FitReport>> {
    adopt(context).await?;
    let mut tx = context.store.read().await?;
    let rows = tx.models().await?;
    let refused = refused(&mut tx).await?;
    let mut due = Vec::new();
    for (index, model) in context.plan.models.iter().enumerate() {
        if !is_due(context, model, &rows)? {
            continue;
        }
        // A model that could not be fitted cannot be until there are new events.
        let is_hopeless = match refused.get(&*model.name) {
            Some(refused) if refused.digest == model.digest => {
                context.clock.now().0.saturating_sub(refused.tried_at) < model.refit_ms
                    && !tx.has_event_after(refused.last_event, &model.event).await?
            }
            _ => false,
        };
        if !is_hopeless {
            due.push(index);
        }
    }
    drop(tx);
    let reports = fit(context, &due, watch).await?;
    work_out_everybody(context, watch).await?;
    Ok(reports)
}

/// Whether the latest version is old or was made by another definition. The age of one that was dropped is counted from then, so
/// that the version before it is used for a while.
fn is_due(context: &Context, model: &Model, rows: &[ModelRow]) -> Result<bool> {
    let mut versions = rows.iter().rev();
    let latest = versions.find(|row| row.kind == LIFETIME && row.name == *model.name);
    let Some(row) = latest else {
        return Ok(true);
    };
    let since = row.dropped_at.unwrap_or(row.fitted_at);
    let age_ms = context.clock.now().0.saturating_sub(since);
    Ok(age_ms >= model.refit_ms || fitted_of(row)?.digest != model.digest)
}

/// When the latest version of a model will be too old; none, if there is none.
pub fn due_at(model: &Model, rows: &[ModelRow]) -> Option<Timestamp> {
    let mut versions = rows.iter().rev();
    let latest = versions.find(|row| row.kind == LIFETIME && row.name == *model.name)?;
    let since = latest.dropped_at.unwrap_or(latest.fitted_at);
    Some(Timestamp(since.saturating_add(model.refit_ms)))
}

/// The models that could not be fitted at the last attempt, by name.
pub async fn refused(tx: &mut Tx) -> Result<BTreeMap<String, Refused>> {
    let known = tx.hub_value(REFUSED).await?;
    known.map_or_else(
        || Ok(BTreeMap::new()),
        |text| read("hub.value", REFUSED, &text),
    )
}

/// Fits models by their indexes; a version is added for each that could be fitted.
pub async fn fit(
    context: &mut Context,
    indexes: &[usize],
    watch: Watch<'_>,
) -> Result<Vec<FitReport>> {
    let mut reports = Vec::new();
    for index in indexes {
        let plan = context.plan.clone();
        reports.push(fit_one(context, &plan.models[*index], watch).await?);
    }
    adopt(context).await?;
    Ok(reports)
}

async fn fit_one(context: &Context, model: &Model, watch: Watch<'_>) -> Result<FitReport> {
    let as_of = context.clock.now();
    // Looked up before the events are read: one that arrives meanwhile is new at the next run.
    let last_event = context.store.read().await?.last_event().await?;
    let doing = format!("fitting {}", model.name);
    let mut sample = Sample::default();
    let (mut after, mut people) = (0, 0);
    while let Some((last, events)) = events_by_person(context, after).await? {
        after = last;
        people += events.len();
        watch(&doing, people);
        for events in events.values() {
            let events: Vec<Event<'_>> = events.iter().map(Happened::event).collect();
            sample.add(model, &events, as_of);
        }
    }
    let (fitted, reason) = match sample.fit(model, as_of) {
        Ok(fitted) => (Some(fitted), None),
        Err(reason) => (None, Some(reason)),
    };
    let mut tx = context.begin().await?;
    let mut refused = refused(&mut tx).await?;
    refused.remove(&*model.name);
    if let Some(reason) = &reason {
        let refusal = Refused {
            reason: reason.clone(),
            tried_at: as_of.0,
            digest: model.digest.clone(),
            last_event,
        };
        refused.insert(model.name.to_string(), refusal);
    }
    tx.set_hub_value(REFUSED, &to_json(&refused)).await?;
    if let Some(fitted) = &fitted {
        let row = ModelRow {
            id: tx.reserve("model", 1).await?,
            kind: LIFETIME.to_owned(),
            name: model.name.to_string(),
            fitted_at: as_of.0,
            body: to_json(fitted),
            dropped_at: None,
        };
        tx.add_model(&row).await?;
    }
    tx.commit().await?;
    Ok(FitReport {
        model: model.name.to_string(),
        fitted,
        refused: reason,
    })
}

/// The names of the traits that the current definitions and model versions compute, and a text that identifies these.
fn working_by(context: &Context) -> (Vec<String>, String) {
    let names = computed_names(&context.plan);
    let digests: Vec<&str> = context
        .plan
        .traits
        .iter()
        .map(|one| one.digest.as_str())
        .collect();
    let versions: Vec<(&str, i64)> = context
        .models
        .iter()
        .map(|(index, fitted)| (context.plan.models[*index].digest.as_str(), fitted.as_of))
        .collect();
    let text = to_json(&(&names, digests, versions));
    (names, text)
}

/// The trait names in a stored `WORKED_OUT`.
fn worked_out_names(known: Option<String>) -> Result<Vec<String>> {
    let Some(text) = known else {
        return Ok(Vec::new());
    };
    let (names, _, _): (Vec<String>, serde_json::Value, serde_json::Value) =
        read("hub.value", WORKED_OUT, &text)?;
    Ok(names)
}

/// Whether somebody's traits may not follow the current definitions and versions.
pub async fn are_behind(context: &Context) -> Result<bool> {
    let known = context.store.read().await?.hub_value(WORKED_OUT).await?;
    let (names, wanted) = working_by(context);
    Ok(known.as_ref() != Some(&wanted) && !(known.is_none() && names.is_empty()))
}

/// Marks the stored definitions as unfinished before anyone's traits are computed by new ones, so that reverting an edit half-way
/// still computes everybody's traits again.
pub async fn announce(context: &Context) -> Result<()> {
    if !are_behind(context).await? {
        return Ok(());
    }
    let (mut names, _) = working_by(context);
    let known = context.store.read().await?.hub_value(WORKED_OUT).await?;
    names.extend(worked_out_names(known.clone())?);
    names.sort_unstable();
    names.dedup();
    let nothing: [&str; 0] = [];
    let unfinished = to_json(&(&names, nothing, UNFINISHED));
    if known.as_deref() != Some(&unfinished) {
        let mut tx = context.begin().await?;
        tx.set_hub_value(WORKED_OUT, &unfinished).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Computes everybody's traits when definitions or model versions changed since that was last done.
pub async fn work_out_everybody(context: &mut Context, watch: Watch<'_>) -> Result<bool> {
    if !are_behind(context).await? {
        return Ok(false);
    }
    announce(context).await?;
    let (names, wanted) = working_by(context);
    let known = context.store.read().await?.hub_value(WORKED_OUT).await?;
    // Traits that are no longer defined are removed in the same pass.
    context.computed_names.extend(worked_out_names(known)?);
    evaluate_everybody(context, watch).await?;
    context.computed_names = names;
    let mut tx = context.begin().await?;
    tx.set_hub_value(WORKED_OUT, &wanted).await?;
    tx.commit().await?;
    Ok(true)
}
