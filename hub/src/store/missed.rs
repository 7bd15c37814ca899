//! What was due and was not run. A row takes an id of the runs, so that both are one history.

use super::query::{columns, get};
use super::value::Arg;
use super::{Result, Tx, dialect};

/// Times at which a source was due and was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedRow {
    pub id: i64,
    pub source: String,
    pub first_due: i64,
    pub last_due: i64,
    pub times: i64,
    pub noted_at: i64,
    /// Why, and what was done instead.
    pub reason: String,
}

/// How many of a source are kept.
const KEPT: i64 = 1_000;

const COLUMNS: &str = "id, source, first_due, last_due, times, noted_at, reason";

impl Tx {
    pub async fn add_missed(&mut self, rows: &[MissedRow]) -> Result<()> {
        let table = "missed (id, source, first_due, last_due, times, noted_at, reason)";
        self.insert(table, rows, |row| {
            [
                Arg::Int(row.id),
                Arg::Text(&row.source),
                Arg::Int(row.first_due),
                Arg::Int(row.last_due),
                Arg::Int(row.times),
                Arg::Int(row.noted_at),
                Arg::Text(&row.reason),
            ]
        })
        .await
    }

    /// Forgets all but the newest of a source.
    pub async fn forget_missed(&mut self, source: &str) -> Result<()> {
        let text = "delete from missed where source = $1 and id < (select id from missed where source = $1 order by id desc limit 1 offset $2)";
        self.run(text, &[Arg::Text(source), Arg::Int(KEPT)]).await
    }

    /// The newest ones, of all sources or of one.
    pub async fn newest_missed(
        &mut self,
        source: Option<&str>,
        limit: u32,
    ) -> Result<Vec<MissedRow>> {
        let text = format!(
            "select {COLUMNS} from missed where source = coalesce($1, source) order by id desc limit $2"
        );
        let arguments = [Arg::OptText(source), Arg::Int(i64::from(limit))];
        self.all(text, &arguments, missed).await
    }

    pub async fn missed_of(&mut self, id: i64) -> Result<Option<MissedRow>> {
        let text = format!("select {COLUMNS} from missed where id = $1");
        self.maybe(text, &[Arg::Int(id)], missed).await
    }

    /// The last time of each source that is known to have been missed.
    pub async fn last_missed(&mut self) -> Result<Vec<(String, i64)>> {
        let text = "select source, max(last_due) from missed group by source";
        self.all(text, &[], columns).await
    }
}

fn missed(row: &dialect::Row) -> Result<MissedRow> {
    Ok(MissedRow {
        id: get(row, 0)?,
        source: get(row, 1)?,
        first_due: get(row, 2)?,
        last_due: get(row, 3)?,
        times: get(row, 4)?,
        noted_at: get(row, 5)?,
        reason: get(row, 6)?,
    })
}
