//! `onefold backfill` and `onefold replay`: reading again what the vendor has, and mapping again what is stored, while the runs go on.

use crate::cli::Ending;
use crate::cli::open::open_to_write;
use crate::cli::output::{Out, Outcome, plural};
use crate::cli::profiles;
use crate::cli::running::{Choice, carry_out};
use crate::flow::{self, Range, What};
use crate::opening::Environment;
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, Args)]
#[command(
    after_help = "The runs of the schedule go on meanwhile, with their own cursors, and what they bring is newer. Nothing is deleted because it does\nnot come. Stopped with Ctrl-C, the same command goes on where it was.\n\nExamples:\n  onefold backfill crm\n  onefold backfill shop --stream orders --since 2026-01-01 --until 2026-02-01\n  onefold backfill crm --stream contacts --key 4711 --key 4712"
)]
pub struct BackfillArguments {
    /// A source of the manifests.
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Only this stream.
    #[arg(long)]
    pub stream: Option<String>,
    /// Not what was last changed, or happened, before this date or time (UTC).
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only what was last changed, or happened, before this date or time (UTC).
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only the record with this key; may be repeated.
    #[arg(long, value_name = "KEY", requires = "stream")]
    pub key: Vec<String>,
    /// Deliver afterwards what changed; a service that runs does so by itself.
    #[arg(long)]
    pub deliver: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "An edited mapping is applied to what is stored by the next run, without this. Nothing is asked of the vendor. What is stopped\nhalf-way is done by the next run.\n\nExamples:\n  onefold replay crm\n  onefold replay crm --stream contacts"
)]
pub struct ReplayArguments {
    /// A source of the manifests.
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Only this stream.
    #[arg(long)]
    pub stream: Option<String>,
}

pub async fn backfill(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    typed: BackfillArguments,
) -> Outcome {
    let time = |text: Option<String>| text.as_deref().map(profiles::time).transpose();
    let range = Range {
        since: time(typed.since)?,
        until: time(typed.until)?,
        keys: typed.key.into_iter().collect(),
    };
    let choice = Choice {
        source: Some(typed.source),
        stream: typed.stream,
        what: What::Range(Arc::new(range)),
        full: false,
        deliver: typed.deliver,
        capture: false,
        show: 0,
    };
    carry_out(folder, environment, out, choice).await
}

pub async fn replay(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    typed: ReplayArguments,
) -> Outcome {
    let ReplayArguments { source, stream } = typed;
    let hub = open_to_write(folder, environment, out).await?;
    hub.refuse_unknown(Some(&source), stream.as_deref())?;
    let mut mapped = 0;
    let sources = hub.context.plan.sources.iter();
    for plan in sources.filter(|one| *one.name == *source) {
        mapped += flow::map_again(&hub.context, plan, stream.as_deref()).await?;
    }
    match out.json {
        true => out.value(&json!({ "mapped": mapped })),
        false => out.line(format!(
            "mapped again  {}",
            plural(mapped, "record", "records")
        )),
    }
    Ok(Ending::Done)
}
