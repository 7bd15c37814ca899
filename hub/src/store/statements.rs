//! What was stated about who is who: rows that are added and revoked, never changed otherwise.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx, dialect};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRow {
    pub id: i64,
    /// `link` or `separate`
    pub kind: String,
    pub left: i64,
    pub right: i64,
    pub reason: String,
    pub author: String,
    pub stated_at: i64,
    pub revoked: Option<Revoked>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    pub at: i64,
    pub by: String,
    pub reason: String,
}

const COLUMNS: &str = "id, kind, left_slot, right_slot, reason, author, stated_at, revoked_at, revoked_by, revoked_for";

impl Tx {
    /// Whether any statement is in force.
    pub async fn has_statements(&mut self) -> Result<bool> {
        let text = "select id from statement where revoked_at is null limit 1";
        let found: Option<i64> = self.maybe(text, &[], value).await?;
        Ok(found.is_some())
    }

    /// The statements in force with an end among the slots, by id.
    pub async fn statements_on(&mut self, slots: &[i64]) -> Result<Vec<StatementRow>> {
        let mut found = BTreeMap::new();
        for column in ["left_slot", "right_slot"] {
            let text = format!(
                "select {COLUMNS} from statement where revoked_at is null and {column} {}",
                dialect::IN_INTEGERS
            );
            for row in self.rows_in(text, slots.iter().copied(), statement).await? {
                found.insert(row.id, row);
            }
        }
        Ok(found.into_values().collect())
    }

    /// Every statement ever made, by id.
    pub async fn statements(&mut self) -> Result<Vec<StatementRow>> {
        let text = format!("select {COLUMNS} from statement order by id");
        self.all(text, &[], statement).await
    }

    pub async fn add_statements(&mut self, rows: &[StatementRow]) -> Result<()> {
        self.insert(
            "statement (id, kind, left_slot, right_slot, reason, author, stated_at)",
            rows,
            |row| {
                [
                    Arg::Int(row.id),
                    Arg::Text(&row.kind),
                    Arg::Int(row.left),
                    Arg::Int(row.right),
                    Arg::Text(&row.reason),
                    Arg::Text(&row.author),
                    Arg::Int(row.stated_at),
                ]
            },
        )
        .await
    }

    pub async fn revoke_statement(&mut self, id: i64, revoked: &Revoked) -> Result<()> {
        let text =
            "update statement set revoked_at = $1, revoked_by = $2, revoked_for = $3 where id = $4";
        self.run(
            text,
            &[
                Arg::Int(revoked.at),
                Arg::Text(&revoked.by),
                Arg::Text(&revoked.reason),
                Arg::Int(id),
            ],
        )
        .await
    }
}

fn statement(row: &dialect::Row) -> Result<StatementRow> {
    let revoked = match get::<Option<i64>>(row, 7)? {
        None => None,
        Some(at) => Some(Revoked {
            at,
            by: get::<Option<String>>(row, 8)?.unwrap_or_default(),
            reason: get::<Option<String>>(row, 9)?.unwrap_or_default(),
        }),
    };
    Ok(StatementRow {
        id: get(row, 0)?,
        kind: get(row, 1)?,
        left: get(row, 2)?,
        right: get(row, 3)?,
        reason: get(row, 4)?,
        author: get(row, 5)?,
        stated_at: get(row, 6)?,
        revoked,
    })
}
