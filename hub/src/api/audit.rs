//! The audit log: who read whom and who changed what. The hash of a row covers the hash of the row before it, so that an altered row
//! is found. Rows hold ids of people and names of things, never personal data.

use crate::model::{Shown, Timestamp};
use crate::problem::Problem;
use crate::problem::codes::{AUDIT_BROKEN, USAGE};
use crate::store::{AuditRow, Result, Store, Tx};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Rows that are read at a time.
const PAGE: i64 = 5_000;

/// Who acts, and from where.
#[derive(Debug, Clone)]
pub struct By {
    /// Zero for the command line.
    pub token: i64,
    pub name: String,
    pub role: String,
    pub address: String,
}

/// What becomes a row.
#[derive(Debug, Clone)]
pub struct Entry {
    at: Timestamp,
    by: By,
    action: String,
    subject: String,
    outcome: u16,
}

/// A row as surfaces show it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Line {
    pub id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Shown,
    /// The number of the token; zero for the command line.
    pub token: i64,
    /// The token's name, or the operator's.
    pub by: String,
    pub role: String,
    pub action: String,
    /// Ids of people, or names of what was changed.
    pub subject: String,
    pub address: String,
    /// The HTTP status of the answer; zero for a change that was begun.
    pub outcome: i64,
    pub hash: String,
}

/// The whole log, unbroken.
#[derive(Debug, Serialize)]
pub struct Verified {
    pub rows: i64,
    /// The number of the last row and its hash, as `NUMBER:HASH`.
    pub last: Option<String>,
}

impl By {
    /// Somebody on the machine of the hub.
    pub fn operator(name: &str) -> Self {
        Self {
            token: 0,
            name: name.to_owned(),
            role: "command line".to_owned(),
            address: String::new(),
        }
    }

    pub fn entry(&self, at: Timestamp, action: &str, subject: &str, outcome: u16) -> Entry {
        Entry {
            at,
            by: self.clone(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            outcome,
        }
    }
}

impl From<AuditRow> for Line {
    fn from(row: AuditRow) -> Self {
        Self {
            hash: hex(&row.hash),
            id: row.id,
            at: Shown::of(row.at),
            token: row.token,
            by: row.name,
            role: row.role,
            action: row.action,
            subject: row.subject,
            address: row.address,
            outcome: row.outcome,
        }
    }
}

/// Adds rows in a transaction that may write, so that no other process adds a row between.
pub async fn append(tx: &mut Tx, entries: &[Entry]) -> Result<()> {
    let last = tx.last_audit().await?;
    let (mut id, mut before) = last.map_or((0, Vec::new()), |row| (row.id, row.hash));
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries.iter().cloned() {
        id += 1;
        let mut row = AuditRow {
            id,
            at: entry.at.0,
            token: entry.by.token,
            name: entry.by.name,
            role: entry.by.role,
            action: entry.action,
            subject: entry.subject,
            address: entry.by.address,
            outcome: i64::from(entry.outcome),
            hash: Vec::new(),
        };
        row.hash = chained(&before, &row);
        before.clone_from(&row.hash);
        rows.push(row);
    }
    tx.add_audit(&rows).await
}

/// The hash of a row after one with the hash `before`; each text with its length, so that no two rows are written alike.
fn chained(before: &[u8], row: &AuditRow) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(before);
    for number in [row.id, row.at, row.token, row.outcome] {
        add(&number.to_le_bytes());
    }
    let texts = [
        &row.name,
        &row.role,
        &row.action,
        &row.subject,
        &row.address,
    ];
    texts.into_iter().for_each(|text| add(text.as_bytes()));
    hash.finalize().to_vec()
}

/// Computes every hash again. `expected` is what an earlier call returned as `last`: that row must be there still.
pub async fn verify(store: &Store, expected: Option<&str>) -> Result<Verified> {
    let expected = expected.map(parsed).transpose()?;
    let mut tx = store.read().await?;
    let (mut last, mut before) = (0, Vec::new());
    let mut is_expected = expected.is_none();
    loop {
        let rows = tx.audit_after(last, PAGE).await?;
        let count = rows.len() as i64;
        for row in rows {
            if row.id != last + 1 {
                let message = format!("row {} of the audit log is missing", last + 1);
                return Err(broken(message));
            }
            if chained(&before, &row) != row.hash {
                let message = format!("row {} of the audit log was altered", row.id);
                return Err(broken(message));
            }
            is_expected |= expected.as_ref() == Some(&(row.id, hex(&row.hash)));
            (last, before) = (row.id, row.hash);
        }
        if count < PAGE {
            break;
        }
    }
    if let Some((id, _)) = expected.filter(|_| !is_expected) {
        let message = format!("row {id} of the audit log is missing, or is another one");
        return Err(broken(message));
    }
    Ok(Verified {
        rows: last,
        last: (last > 0).then(|| format!("{last}:{}", hex(&before))),
    })
}

fn parsed(text: &str) -> Result<(i64, String)> {
    let parts = text.split_once(':');
    let parts = parts.and_then(|(id, hash)| Some((id.parse().ok()?, hash.to_lowercase())));
    parts.ok_or_else(|| {
        let message = format!("`{text}` is not a row of the audit log");
        Problem::new(&USAGE, message)
            .hint("write `NUMBER:HASH`, as `onefold audit verify` prints it")
    })
}

fn broken(message: String) -> Problem {
    Problem::new(&AUDIT_BROKEN, message)
        .hint("compare the store with a backup; `onefold help OF0907` says more")
}

/// Rows after the number `after`.
pub async fn lines(store: &Store, after: i64, limit: i64) -> Result<Vec<Line>> {
    let rows = store.read().await?.audit_after(after, limit).await?;
    Ok(rows.into_iter().map(Line::from).collect())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
