//! The history of runs, and the counts that `status` shows.

use super::query::{columns, get};
use super::value::Arg;
use super::{Result, Tx, dialect};
use crate::model::THING;

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct RunRow {
    pub id: i64,
    pub source: String,
    pub stream: String,
    /// `read` (from the vendor), `inbox` (what was sent to the hub), `backfill` (from the vendor, in parallel with the reads)
    pub kind: String,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    /// `running`, `done`, `failed`, `stopped`, `lost` (its process died)
    pub state: String,
    pub read: i64,
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    pub deleted: i64,
    pub set_aside: i64,
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct StatusCounts {
    pub people: i64,
    pub records: i64,
    pub events: i64,
    pub dead_letters: i64,
    pub changes_pending: i64,
    pub changes_rejected: i64,
    /// What was sent to the hub and is not a record yet.
    pub messages: i64,
}

/// How many runs of a stream are kept: a week's when it is read each minute.
const KEPT_RUNS: i64 = 10_000;

const COLUMNS: &str = "id, source, stream, kind, started_at, finished_at, state, read, added, changed, unchanged, deleted, set_aside, problem";

impl Tx {
    pub async fn save_run(&mut self, run: &RunRow) -> Result<()> {
        let text = "insert into run (id, source, stream, kind, started_at, finished_at, state, read, added, changed, unchanged, deleted, set_aside, problem) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict (id) do update set \
             finished_at = excluded.finished_at, state = excluded.state, read = excluded.read, added = excluded.added, \
             changed = excluded.changed, unchanged = excluded.unchanged, deleted = excluded.deleted, \
             set_aside = excluded.set_aside, problem = excluded.problem";
        self.run(
            text,
            &[
                Arg::Int(run.id),
                Arg::Text(&run.source),
                Arg::Text(&run.stream),
                Arg::Text(&run.kind),
                Arg::Int(run.started_at),
                Arg::OptInt(run.finished_at),
                Arg::Text(&run.state),
                Arg::Int(run.read),
                Arg::Int(run.added),
                Arg::Int(run.changed),
                Arg::Int(run.unchanged),
                Arg::Int(run.deleted),
                Arg::Int(run.set_aside),
                Arg::OptText(run.problem.as_deref()),
            ],
        )
        .await
    }

    /// Ends runs of a stream whose process was killed. Only for the process that holds the stream's lease.
    pub async fn end_lost_runs(
        &mut self,
        source: &str,
        stream: &str,
        kind: &str,
        now: i64,
    ) -> Result<()> {
        let text = "update run set state = 'lost', finished_at = $4 where source = $1 and stream = $2 and kind = $3 and state = 'running'";
        let arguments = [
            Arg::Text(source),
            Arg::Text(stream),
            Arg::Text(kind),
            Arg::Int(now),
        ];
        self.run(text, &arguments).await
    }

    /// Says why the newest run of a source, or backfill, if it began since then, was ended early.
    pub async fn explain_stopped(
        &mut self,
        source: &str,
        is_backfill: bool,
        since: i64,
        why: &str,
    ) -> Result<()> {
        // A vendor that the read waited for may have been the last to say something.
        let text = "update run set problem = $3, state = 'stopped' where id = (select max(id) from run where source = $1 and (kind = 'backfill') = ($4 <> 0)) \
             and started_at >= $2 and state in ('stopped', 'failed')";
        let arguments = [
            Arg::Text(source),
            Arg::Int(since),
            Arg::Text(why),
            Arg::Int(i64::from(is_backfill)),
        ];
        self.run(text, &arguments).await
    }

    /// Forgets old runs of a stream: all but the newest, and the last that came to its end.
    pub async fn forget_runs(&mut self, source: &str, stream: &str, kind: &str) -> Result<()> {
        let text = "delete from run where source = $1 and stream = $2 and kind = $3 \
             and id < (select id from run where source = $1 and stream = $2 and kind = $3 order by id desc limit 1 offset $4) \
             and finished_at is distinct from (select max(finished_at) from run where source = $1 and stream = $2 and kind = 'read' and state = 'done')";
        let arguments = [
            Arg::Text(source),
            Arg::Text(stream),
            Arg::Text(kind),
            Arg::Int(KEPT_RUNS),
        ];
        self.run(text, &arguments).await
    }

    /// The newest run of a stream of a kind.
    pub async fn newest_run(
        &mut self,
        source: &str,
        stream: &str,
        kind: &str,
    ) -> Result<Option<RunRow>> {
        let text = format!(
            "select {COLUMNS} from run where source = $1 and stream = $2 and kind = $3 order by id desc limit 1"
        );
        let arguments = [Arg::Text(source), Arg::Text(stream), Arg::Text(kind)];
        self.maybe(text, &arguments, run).await
    }

    /// When the last read of each stream that came to its end began: source, stream, time.
    pub async fn last_done(&mut self) -> Result<Vec<(String, String, Option<i64>)>> {
        let text = "select source, stream, max(case when state = 'done' then started_at end) from run where kind = 'read' group by source, stream";
        self.all(text, &[], columns).await
    }

    /// When the last read of each stream of a source that came to its end ended.
    pub async fn last_ends(&mut self, source: &str) -> Result<Vec<(String, i64)>> {
        let text = "select stream, max(finished_at) from run where source = $1 and kind = 'read' and state = 'done' and finished_at is not null group by stream";
        self.all(text, &[Arg::Text(source)], columns).await
    }

    /// The newest run of each stream and kind.
    pub async fn last_runs(&mut self) -> Result<Vec<RunRow>> {
        let text = format!(
            "select {COLUMNS} from run where id in (select max(id) from run group by source, stream, kind) order by source, stream, kind desc"
        );
        self.all(text, &[], run).await
    }

    /// The newest runs, of all sources or of one.
    pub async fn newest_runs(&mut self, source: Option<&str>, limit: u32) -> Result<Vec<RunRow>> {
        let text = format!(
            "select {COLUMNS} from run where source = coalesce($1, source) order by id desc limit $2"
        );
        let arguments = [Arg::OptText(source), Arg::Int(i64::from(limit))];
        self.all(text, &arguments, run).await
    }

    /// The newest run of a source, or backfill.
    pub async fn newest_id(&mut self, source: &str, is_backfill: bool) -> Result<Option<i64>> {
        let text = "select max(id) from run where source = $1 and (kind = 'backfill') = ($2 <> 0)";
        let arguments = [Arg::Text(source), Arg::Int(i64::from(is_backfill))];
        self.one(text, &arguments, |row| get(row, 0)).await
    }

    pub async fn run_of(&mut self, id: i64) -> Result<Option<RunRow>> {
        let text = format!("select {COLUMNS} from run where id = $1");
        self.maybe(text, &[Arg::Int(id)], run).await
    }

    /// When the last read of each source began, whatever became of it.
    pub async fn last_attempts(&mut self) -> Result<Vec<(String, i64)>> {
        let text = "select source, max(started_at) from run where kind = 'read' group by source";
        self.all(text, &[], columns).await
    }

    pub async fn status_counts(&mut self) -> Result<StatusCounts> {
        let text = "select (select count(*) from person), (select count(*) from record where state = 0), (select count(*) from event where substr(name, 1, 1) <> $1), \
             (select count(*) from dead_letter where state = 'open'), (select count(*) from change where state = 'pending' and destination in (select name from destination)), \
             (select count(*) from change where state = 'rejected'), (select count(*) from inbox where body is not null)";
        self.one(text, &[Arg::Text(THING)], |row| {
            Ok(StatusCounts {
                people: get(row, 0)?,
                records: get(row, 1)?,
                events: get(row, 2)?,
                dead_letters: get(row, 3)?,
                changes_pending: get(row, 4)?,
                changes_rejected: get(row, 5)?,
                messages: get(row, 6)?,
            })
        })
        .await
    }
}

fn run(row: &dialect::Row) -> Result<RunRow> {
    Ok(RunRow {
        id: get(row, 0)?,
        source: get(row, 1)?,
        stream: get(row, 2)?,
        kind: get(row, 3)?,
        started_at: get(row, 4)?,
        finished_at: get(row, 5)?,
        state: get(row, 6)?,
        read: get(row, 7)?,
        added: get(row, 8)?,
        changed: get(row, 9)?,
        unchanged: get(row, 10)?,
        deleted: get(row, 11)?,
        set_aside: get(row, 12)?,
        problem: get(row, 13)?,
    })
}
