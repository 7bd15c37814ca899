//! Versions of fitted models as they are stored, and which one is used at a time.

use crate::compute::models::Fitted;
use crate::flow::stored_json::read;
use crate::manifest::{Model, Plan};
use crate::model::Timestamp;
use crate::store::{ModelRow, Result};

/// The kind of row that a model of customers is.
pub const LIFETIME: &str = "lifetime";

/// The version of each of the plan's models that was used at `at`, with the model's index.
pub fn versions_at(plan: &Plan, rows: &[ModelRow], at: Timestamp) -> Result<Vec<(usize, Fitted)>> {
    let mut models = Vec::new();
    for (index, model) in plan.models.iter().enumerate() {
        if let Some(row) = current(rows, model, at) {
            models.push((index, fitted_of(row)?));
        }
    }
    Ok(models)
}

/// The latest version of a model that existed at `at` and was not dropped by then.
fn current<'r>(rows: &'r [ModelRow], model: &Model, at: Timestamp) -> Option<&'r ModelRow> {
    let stood = |row: &&ModelRow| {
        row.fitted_at <= at.0 && row.dropped_at.is_none_or(|dropped| dropped > at.0)
    };
    rows.iter()
        .rev()
        .filter(stood)
        .find(|row| row.kind == LIFETIME && row.name == *model.name)
}

pub fn fitted_of(row: &ModelRow) -> Result<Fitted> {
    read("model.body", row.id, &row.body)
}
