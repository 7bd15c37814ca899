//! The history of runs, and the counts that `status` shows.

use super::records::get;
use super::{Result, Tx, failed};

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct RunRow {
    pub id: i64,
    pub source: String,
    pub stream: String,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    /// `running`, `done`, `failed`, `stopped`, `interrupted`
    pub state: String,
    pub read: i64,
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    pub deleted: i64,
    pub set_aside: i64,
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct StatusCounts {
    pub people: i64,
    pub records: i64,
    pub events: i64,
    pub dead_letters: i64,
    pub changes_pending: i64,
    pub changes_rejected: i64,
}

impl Tx {
    pub async fn save_run(&mut self, run: &RunRow) -> Result<()> {
        sqlx::query(
            "insert into run (id, source, stream, started_at, finished_at, state, read, added, changed, unchanged, deleted, set_aside, problem) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict (id) do update set \
             finished_at = excluded.finished_at, state = excluded.state, read = excluded.read, added = excluded.added, \
             changed = excluded.changed, unchanged = excluded.unchanged, deleted = excluded.deleted, \
             set_aside = excluded.set_aside, problem = excluded.problem",
        )
        .bind(run.id)
        .bind(&run.source)
        .bind(&run.stream)
        .bind(run.started_at)
        .bind(run.finished_at)
        .bind(&run.state)
        .bind(run.read)
        .bind(run.added)
        .bind(run.changed)
        .bind(run.unchanged)
        .bind(run.deleted)
        .bind(run.set_aside)
        .bind(run.problem.as_deref())
        .execute(self.connection())
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Runs of a stream that never came to an end: their process was killed. For whoever holds the stream's lease.
    pub async fn end_interrupted_runs(
        &mut self,
        source: &str,
        stream: &str,
        now: i64,
    ) -> Result<()> {
        sqlx::query(
            "update run set state = 'interrupted', finished_at = $3 where source = $1 and stream = $2 and state = 'running'",
        )
        .bind(source)
        .bind(stream)
        .bind(now)
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(failed)
    }

    /// When the last run of each stream that came to its end began: source, stream, time.
    pub async fn last_done(&mut self) -> Result<Vec<(String, String, i64)>> {
        sqlx::query_as(
            "select source, stream, max(started_at) from run where state = 'done' group by source, stream",
        )
        .fetch_all(self.connection())
        .await
        .map_err(failed)
    }

    /// The newest run of each stream.
    pub async fn last_runs(&mut self) -> Result<Vec<RunRow>> {
        let rows = sqlx::query(
            "select id, source, stream, started_at, finished_at, state, read, added, changed, unchanged, deleted, set_aside, problem \
             from run where id in (select max(id) from run group by source, stream) order by source, stream",
        )
        .fetch_all(self.connection())
        .await
        .map_err(failed)?;
        rows.iter()
            .map(|row| {
                Ok(RunRow {
                    id: get(row, 0)?,
                    source: get(row, 1)?,
                    stream: get(row, 2)?,
                    started_at: get(row, 3)?,
                    finished_at: get(row, 4)?,
                    state: get(row, 5)?,
                    read: get(row, 6)?,
                    added: get(row, 7)?,
                    changed: get(row, 8)?,
                    unchanged: get(row, 9)?,
                    deleted: get(row, 10)?,
                    set_aside: get(row, 11)?,
                    problem: get(row, 12)?,
                })
            })
            .collect()
    }

    pub async fn status_counts(&mut self) -> Result<StatusCounts> {
        let row: (i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from person), (select count(*) from record where state = 0), (select count(*) from event), \
             (select count(*) from dead_letter where state = 'open'), (select count(*) from change where state = 'pending' and destination in (select name from destination)), \
             (select count(*) from change where state = 'rejected')",
        )
        .fetch_one(self.connection())
        .await
        .map_err(failed)?;
        Ok(StatusCounts {
            people: row.0,
            records: row.1,
            events: row.2,
            dead_letters: row.3,
            changes_pending: row.4,
            changes_rejected: row.5,
        })
    }
}
