//! What ran and what did not, as one history: each run of a stream, and the times at which a source was due and was not read.

use super::Opened;
use crate::flow::{self, Counts};
use crate::model::Shown;
use crate::problem::{Problem, codes};
use crate::store::{MissedRow, Result, RunRow, StreamRow, Tx};
use serde::Serialize;

/// A run of one stream, or what was due and was not run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Ran {
    pub id: i64,
    pub source: String,
    /// None where nothing was run.
    pub stream: Option<String>,
    /// `running`, `done`, `failed`, `stopped`, `lost` (its process died), or `missed`
    pub state: String,
    /// When it began, or was found to have been missed.
    pub at: Shown,
    /// None while it runs, and where its process died: when is not known.
    pub ended: Option<Shown>,
    pub duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Due>,
    /// Why it failed, was stopped or was missed.
    pub why: Option<String>,
}

/// The times that were missed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Due {
    pub first: Shown,
    pub last: Shown,
    pub times: i64,
}

/// One run with where its stream goes on from.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RanOne {
    #[serde(flatten)]
    pub ran: Ran,
    /// None where nothing was run.
    pub goes_on: Option<GoesOn>,
}

/// From where the next read of a stream begins.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct GoesOn {
    /// When its cursor was stored; from the start, if it has none.
    pub cursor_of: Option<Shown>,
    /// A full read is under way, and goes on.
    pub full: bool,
}

impl From<RunRow> for Ran {
    fn from(row: RunRow) -> Self {
        let ended = row.finished_at.filter(|_| row.state != "lost");
        Self {
            id: row.id,
            source: row.source,
            stream: Some(row.stream),
            at: Shown::of(row.started_at),
            ended: ended.map(Shown::of),
            duration_ms: ended.map(|ended| ended - row.started_at),
            state: row.state,
            counts: Some(Counts {
                read: row.read,
                added: row.added,
                changed: row.changed,
                unchanged: row.unchanged,
                deleted: row.deleted,
                set_aside: row.set_aside,
            }),
            due: None,
            why: row.problem,
        }
    }
}

impl From<MissedRow> for Ran {
    fn from(row: MissedRow) -> Self {
        Self {
            id: row.id,
            source: row.source,
            stream: None,
            state: "missed".to_owned(),
            at: Shown::of(row.noted_at),
            ended: None,
            duration_ms: None,
            counts: None,
            due: Some(Due {
                first: Shown::of(row.first_due),
                last: Shown::of(row.last_due),
                times: row.times,
            }),
            why: Some(row.reason),
        }
    }
}

impl Opened {
    /// The newest first, of all sources or of one.
    pub async fn runs(&self, source: Option<&str>, limit: u32) -> Result<Vec<Ran>> {
        let mut tx = self.context.store.read().await?;
        let mut runs = tx.newest_runs(source, limit).await?;
        let missed = tx.newest_missed(source, limit).await?;
        self.mark_lost(&mut runs).await?;
        let runs = runs.into_iter().map(Ran::from);
        let mut all: Vec<Ran> = runs.chain(missed.into_iter().map(Ran::from)).collect();
        all.sort_unstable_by_key(|one| std::cmp::Reverse(one.id));
        all.truncate(limit as usize);
        Ok(all)
    }

    pub async fn run_of(&self, id: i64) -> Result<RanOne> {
        let mut tx = self.context.store.read().await?;
        if let Some(missed) = tx.missed_of(id).await? {
            return Ok(RanOne {
                ran: missed.into(),
                goes_on: None,
            });
        }
        let Some(run) = tx.run_of(id).await? else {
            let message = format!("there is no run {id}");
            return Err(Problem::new(&codes::NOT_FOUND, message)
                .hint("`onefold runs` lists the newest ones with their numbers"));
        };
        let mut runs = [run];
        self.mark_lost(&mut runs).await?;
        let [run] = runs;
        let goes_on = goes_on(&mut tx, &run).await?;
        Ok(RanOne {
            ran: run.into(),
            goes_on,
        })
    }

    /// A run whose process is gone runs no more.
    pub(super) async fn mark_lost(&self, runs: &mut [RunRow]) -> Result<()> {
        for run in runs.iter_mut().filter(|run| run.state == "running") {
            let is_backfill = run.kind == "backfill";
            let what = if is_backfill { "backfill" } else { "read" };
            let name = format!("{what} {}", run.source);
            let mut tx = self.context.store.read().await?;
            let newest = tx.newest_id(&run.source, is_backfill).await?;
            // A source's streams are read one after another.
            let is_newest = newest <= Some(run.id);
            if !is_newest || !flow::is_held(&self.context, &name).await? {
                "lost".clone_into(&mut run.state);
            }
        }
        Ok(())
    }
}

async fn goes_on(tx: &mut Tx, run: &RunRow) -> Result<Option<GoesOn>> {
    let streams = tx.streams().await?;
    let is_it = |row: &&StreamRow| row.source == run.source && row.name == run.stream;
    let Some(stream) = streams.iter().find(is_it) else {
        return Ok(None);
    };
    Ok(Some(GoesOn {
        cursor_of: tx.cursor_moved_at(stream.id).await?.map(Shown::of),
        full: stream.full_since.is_some(),
    }))
}
