//! The rows of the audit log. Does not know how they are chained.

use super::query::get;
use super::value::Arg;
use super::{Result, Tx, dialect};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    pub id: i64,
    pub at: i64,
    /// Zero for the command line.
    pub token: i64,
    /// The token's name, or the operator's.
    pub name: String,
    pub role: String,
    pub action: String,
    /// Ids of people, or names of what was changed.
    pub subject: String,
    pub address: String,
    /// An HTTP status; zero for a change that was begun.
    pub outcome: i64,
    pub hash: Vec<u8>,
}

const COLUMNS: &str = "id, at, token, name, role, action, subject, address, outcome, hash";

impl Tx {
    pub async fn last_audit(&mut self) -> Result<Option<AuditRow>> {
        let text = format!("select {COLUMNS} from audit order by id desc limit 1");
        self.maybe(text, &[], audit).await
    }

    /// Rows after the number `after`, by number.
    pub async fn audit_after(&mut self, after: i64, limit: i64) -> Result<Vec<AuditRow>> {
        let text = format!("select {COLUMNS} from audit where id > $1 order by id limit $2");
        self.all(text, &[Arg::Int(after), Arg::Int(limit)], audit)
            .await
    }

    pub async fn add_audit(&mut self, rows: &[AuditRow]) -> Result<()> {
        self.insert(
            "audit (id, at, token, name, role, action, subject, address, outcome, hash)",
            rows,
            |row| {
                [
                    Arg::Int(row.id),
                    Arg::Int(row.at),
                    Arg::Int(row.token),
                    Arg::Text(&row.name),
                    Arg::Text(&row.role),
                    Arg::Text(&row.action),
                    Arg::Text(&row.subject),
                    Arg::Text(&row.address),
                    Arg::Int(row.outcome),
                    Arg::Bytes(&row.hash),
                ]
            },
        )
        .await
    }
}

fn audit(row: &dialect::Row) -> Result<AuditRow> {
    Ok(AuditRow {
        id: get(row, 0)?,
        at: get(row, 1)?,
        token: get(row, 2)?,
        name: get(row, 3)?,
        role: get(row, 4)?,
        action: get(row, 5)?,
        subject: get(row, 6)?,
        address: get(row, 7)?,
        outcome: get(row, 8)?,
        hash: get(row, 9)?,
    })
}
