//! `onefold backup`: the store as it is now, in a file of its own.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome, number};
use crate::opening::{Environment, back_up};
use serde_json::json;
use std::path::Path;

pub async fn backup(folder: &Path, environment: &Environment, out: &Out, file: &Path) -> Outcome {
    let bytes = back_up(folder, environment, file).await?;
    if out.json {
        out.value(&json!({ "file": file, "bytes": bytes }));
        return Ok(Ending::Done);
    }
    let size = number(i64::try_from(bytes).unwrap_or(i64::MAX));
    out.line(format!("wrote {} ({size} bytes)", file.display()));
    out.line("keep it with the hub's folder: manifests, `connectors.lock` and `connectors`; secrets are in none of them");
    Ok(Ending::Done)
}
