//! `onefold check`: every problem of the manifests, and what the store holds that they no longer have.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome, plural};
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
    let counted = |count: usize, one: &str| plural(count as i64, one, &format!("{one}s"));
    out.line(format!(
        "{}: {} with {}, {}, {}; no problem found",
        plan.hub.name,
        counted(plan.sources.len(), "source"),
        counted(streams, "stream"),
        counted(plan.audiences.len(), "audience"),
        counted(plan.destinations.len(), "destination")
    ));
    Ok(Ending::Done)
}
