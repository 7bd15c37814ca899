//! Components that crossed the cap are reported once.

use crate::flow::context::Context;
use crate::problem::codes::COMPONENT_CAPPED;
use crate::problem::{Problem, Severity};
use crate::store::{CappedRow, Result};

/// A warning about the components that have crossed the cap, each reported once.
pub async fn alarm(context: &Context) -> Result<Option<Problem>> {
    let is_new = |row: &CappedRow| !row.is_reported;
    if !context
        .store
        .read()
        .await?
        .capped()
        .await?
        .iter()
        .any(is_new)
    {
        return Ok(None);
    }
    let mut tx = context.begin().await?;
    let mut rows = tx.capped().await?;
    rows.retain(is_new);
    let (count, largest) = (rows.len(), rows.first().map_or(0, |row| row.identifiers));
    rows.iter_mut().for_each(|row| row.is_reported = true);
    let names: Vec<i64> = rows.iter().map(|row| row.component).collect();
    tx.set_capped(&names, &rows).await?;
    tx.commit().await?;
    let cap = context.rules.component_cap;
    let message = match count {
        1 => format!(
            "{largest} identifiers hang together, more than `component_cap` allows ({cap}): the weakest ties between them are no longer used"
        ),
        count => format!(
            "{count} groups of identifiers hang together, the largest of {largest}, more than `component_cap` allows ({cap}): the weakest ties in them are no longer used"
        ),
    };
    let mut problem = Problem::new(&COMPONENT_CAPPED, message)
        .hint("`onefold identity review` names a person in each; usually one value belongs to no particular person and should be `blocked`");
    problem.severity = Severity::Warning;
    Ok(Some(problem))
}
