//! `onefold check`: every problem of the manifests, and what the store holds that they no longer have.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome};
use crate::opening::{Environment, left_over, load};
use std::path::Path;

pub async fn check(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let loaded = load(folder, environment)?;
    let plan = &loaded.plan;
    let mut warnings = plan.warnings.clone();
    warnings.extend(left_over(plan).await?);
    out.problems(&warnings, &loaded.files);
    if out.json {
        return Ok(Ending::Done);
    }
    let streams: usize = plan.sources.iter().map(|source| source.streams.len()).sum();
    out.line(format!(
        "{}: {} sources with {streams} streams, {} audiences, {} destinations; no problem found",
        plan.hub.name,
        plan.sources.len(),
        plan.audiences.len(),
        plan.destinations.len()
    ));
    Ok(Ending::Done)
}
