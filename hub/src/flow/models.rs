//! Fitted models: made from everybody's purchases, kept as versions, and put to use for everybody at once. Computed traits that
//! are new, edited or gone are brought up to date here, too.

use crate::compute::Event;
use crate::compute::models::{Fitted, Sample};
use crate::flow::backfill::{evaluate_everybody, events_by_person};
use crate::flow::{Context, settle};
use crate::manifest::{Model, PREDICTED, Plan};
use crate::problem::Problem;
use crate::problem::codes::STORE_UNREADABLE;
use crate::store::{ModelRow, Result};
use std::sync::Arc;

/// The kind of row that a model of customers is.
const LIFETIME: &str = "lifetime";
/// The hub's value that says by which definitions traits were worked out.
const WORKED_OUT: &str = "computed_traits";

/// Names of computed traits, those of models too.
pub fn computed_names(plan: &Plan) -> Vec<String> {
    let traits = plan.traits.iter().map(|one| one.name.to_string());
    let models = plan.models.iter().flat_map(|model| {
        PREDICTED
            .iter()
            .map(move |name| format!("{}{name}", model.prefix))
    });
    traits.chain(models).collect()
}

/// How fitting a model went.
#[derive(Debug, serde::Serialize)]
pub struct FitReport {
    pub model: String,
    pub fitted: Option<Fitted>,
    /// Why there is no version.
    pub refused: Option<String>,
}

/// Takes the versions that the store has of the plan's models.
pub async fn adopt(context: &mut Context) -> Result<()> {
    let rows = context.store.read().await?.models().await?;
    let mut models = Vec::new();
    for (place, model) in context.plan.models.iter().enumerate() {
        if let Some(row) = current(&rows, model) {
            models.push((place, fitted_of(row)?));
        }
    }
    context.models = Arc::new(models);
    Ok(())
}

/// The latest version of a model that was not dropped.
fn current<'r>(rows: &'r [ModelRow], model: &Model) -> Option<&'r ModelRow> {
    rows.iter()
        .rev()
        .find(|row| row.kind == LIFETIME && row.name == *model.name && row.dropped_at.is_none())
}

pub fn fitted_of(row: &ModelRow) -> Result<Fitted> {
    serde_json::from_str(&row.body).map_err(|_| {
        let message = format!("version {} of model `{}` cannot be read", row.id, row.name);
        Problem::new(&STORE_UNREADABLE, message)
    })
}

/// Fits the models that have no version, or an old one, and brings every computed trait up to date with what is defined now.
pub async fn refresh(context: &mut Context) -> Result<Vec<FitReport>> {
    adopt(context).await?;
    let now = context.clock.now();
    let due: Vec<usize> = (0..context.plan.models.len())
        .filter(|place| {
            let model = &context.plan.models[*place];
            let mut versions = context.models.iter();
            let fitted = versions
                .find(|(of, _)| of == place)
                .map(|(_, fitted)| fitted);
            fitted.is_none_or(|fitted| {
                fitted.digest != model.digest
                    || now.0.saturating_sub(fitted.as_of) >= model.refit_ms
            })
        })
        .collect();
    let reports = fit(context, &due).await?;
    work_out_everybody(context).await?;
    Ok(reports)
}

/// Fits models by their places; a version is added for each that could be.
pub async fn fit(context: &mut Context, places: &[usize]) -> Result<Vec<FitReport>> {
    let mut reports = Vec::new();
    let as_of = context.clock.now();
    for place in places {
        let plan = context.plan.clone();
        let model = &plan.models[*place];
        let mut sample = Sample::default();
        let mut after = 0;
        while let Some((last, people)) = events_by_person(context, after).await? {
            after = last;
            for events in people.values() {
                let events: Vec<Event<'_>> = events.iter().map(settle::Happened::event).collect();
                sample.add(model, &events, as_of);
            }
        }
        let (fitted, refused) = match sample.fit(model, as_of) {
            Ok(fitted) => (Some(fitted), None),
            Err(reason) => (None, Some(reason)),
        };
        if let Some(fitted) = &fitted {
            let mut tx = context.store.begin().await?;
            let row = ModelRow {
                id: tx.reserve("model", 1).await?,
                kind: LIFETIME.to_owned(),
                name: model.name.to_string(),
                fitted_at: as_of.0,
                body: settle::to_json(fitted),
                dropped_at: None,
            };
            tx.add_model(&row).await?;
            tx.commit().await?;
        }
        reports.push(FitReport {
            model: model.name.to_string(),
            fitted,
            refused,
        });
    }
    adopt(context).await?;
    Ok(reports)
}

/// Works out everybody's traits where definitions or model versions are not those by which it was done last.
pub async fn work_out_everybody(context: &mut Context) -> Result<bool> {
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
        .map(|(place, fitted)| (context.plan.models[*place].digest.as_str(), fitted.as_of))
        .collect();
    let wanted = settle::to_json(&(&names, digests, versions));
    let known = context.store.read().await?.hub_value(WORKED_OUT).await?;
    if known.as_deref() == Some(&wanted) || (known.is_none() && names.is_empty()) {
        return Ok(false);
    }
    // A trait that is defined no more goes with the others.
    let before: Option<(Vec<String>, serde_json::Value, serde_json::Value)> =
        known.and_then(|text| serde_json::from_str(&text).ok());
    let before = before.map(|(names, ..)| names).unwrap_or_default();
    context.computed_names.extend(before);
    evaluate_everybody(context).await?;
    context.computed_names = names;
    let mut tx = context.store.begin().await?;
    tx.set_hub_value(WORKED_OUT, &wanted).await?;
    tx.commit().await?;
    Ok(true)
}
