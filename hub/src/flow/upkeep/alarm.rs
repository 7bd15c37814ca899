//! Components that crossed the cap, and identifiers that turned out to be of several people, are reported once.

use crate::flow::context::Context;
use crate::problem::codes::{COMPONENT_CAPPED, IDENTIFIER_PARTED};
use crate::problem::{Problem, Severity};
use crate::store::{CappedRow, Result};

/// Warnings about what an operator was not told of yet.
pub async fn alarm(context: &Context) -> Result<Vec<Problem>> {
    let warnings = [capped(context).await?, parted(context).await?];
    Ok(warnings.into_iter().flatten().collect())
}

async fn parted(context: &Context) -> Result<Option<Problem>> {
    if context.store.read().await?.parted().await?.is_empty() {
        return Ok(None);
    }
    let mut tx = context.begin().await?;
    let kinds = tx.parted().await?;
    tx.report_parted().await?;
    tx.commit().await?;
    let count: i64 = kinds.iter().map(|(_, count)| count).sum();
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let (subject, verbs) = match count {
        0 => return Ok(None),
        1 => ("1 identifier", "is of several people and joins"),
        _ => (
            &*format!("{count} identifiers"),
            "are of several people and join",
        ),
    };
    let kinds = kinds.join(", ");
    let message = format!(
        "{subject} ({kinds}) {verbs} nobody any more: who was one person for that reason is several now"
    );
    let mut problem = Problem::new(&IDENTIFIER_PARTED, message)
        .hint("`onefold identity review` lists them; `onefold identity link` joins people who are one all the same");
    problem.severity = Severity::Warning;
    Ok(Some(problem))
}

async fn capped(context: &Context) -> Result<Option<Problem>> {
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
