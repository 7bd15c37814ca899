//! What operators paused, why and since when. Rows are added and ended, never deleted.

use super::query::get;
use super::value::Arg;
use super::{Result, Tx, dialect};
use std::fmt;

/// What can be paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paused {
    Source,
    Destination,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseRow {
    pub id: i64,
    pub kind: Paused,
    pub name: String,
    pub reason: String,
    pub author: String,
    pub since: i64,
}

impl Paused {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

impl fmt::Display for Paused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Tx {
    /// What is paused now, sources first.
    pub async fn pauses(&mut self) -> Result<Vec<PauseRow>> {
        let text = "select id, kind, name, reason, author, since from pause where ended_at is null order by kind desc, name";
        self.all(text, &[], pause).await
    }

    pub async fn pause_of(&mut self, kind: Paused, name: &str) -> Result<Option<PauseRow>> {
        let text = "select id, kind, name, reason, author, since from pause where ended_at is null and kind = $1 and name = $2";
        self.maybe(text, &[Arg::Text(kind.as_str()), Arg::Text(name)], pause)
            .await
    }

    pub async fn add_pause(&mut self, row: &PauseRow) -> Result<()> {
        let text = "insert into pause (id, kind, name, reason, author, since) values ($1, $2, $3, $4, $5, $6)";
        let arguments = [
            Arg::Int(row.id),
            Arg::Text(row.kind.as_str()),
            Arg::Text(&row.name),
            Arg::Text(&row.reason),
            Arg::Text(&row.author),
            Arg::Int(row.since),
        ];
        self.run(text, &arguments).await
    }

    pub async fn end_pause(&mut self, id: i64, at: i64, by: &str, reason: &str) -> Result<()> {
        let text = "update pause set ended_at = $2, ended_by = $3, ended_for = $4 where id = $1";
        let arguments = [Arg::Int(id), Arg::Int(at), Arg::Text(by), Arg::Text(reason)];
        self.run(text, &arguments).await
    }
}

fn pause(row: &dialect::Row) -> Result<PauseRow> {
    Ok(PauseRow {
        id: get(row, 0)?,
        kind: match get::<String>(row, 1)?.as_str() {
            "source" => Paused::Source,
            "destination" => Paused::Destination,
            other => {
                return Err(super::failed(format!(
                    "a pause of an unknown kind `{other}`"
                )));
            }
        },
        name: get(row, 2)?,
        reason: get(row, 3)?,
        author: get(row, 4)?,
        since: get(row, 5)?,
    })
}
