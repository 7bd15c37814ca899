//! Statements of consent, by the identifier that each is about.

use super::query::value;
use super::value::Arg;
use super::{Result, Tx, dialect};

/// What a record or an operator says of one purpose about one identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRow {
    /// Of the identifier.
    pub slot: i64,
    pub purpose: String,
    /// The record's slot; 0 for an operator's.
    pub record: i64,
    /// What the record supports while it says it; else -1.
    pub evidence: i64,
    /// 0 while its record says it; else since when it stands on its own, as an operator's does from the beginning.
    pub gone_at: i64,
    pub status: String,
    pub time: i64,
    /// How the time is known, as a code.
    pub force: i64,
    /// Empty for an operator's, as `said_in` is.
    pub source: String,
    /// `stream/key`
    pub said_in: String,
    /// An operator's name and reason.
    pub author: Option<String>,
    pub reason: Option<String>,
}

impl ConsentRow {
    /// The columns that no two rows have in common.
    pub fn key(&self) -> (i64, &str, i64, i64) {
        (self.slot, &self.purpose, self.record, self.gone_at)
    }
}

impl Tx {
    /// Whether anybody ever said anything of consent.
    pub async fn has_consents(&mut self) -> Result<bool> {
        let text = "select 1 from consent limit 1";
        let any: Option<i64> = self.maybe(text, &[], value).await?;
        Ok(any.is_some())
    }

    /// Everything that was said about these identifiers.
    pub async fn consents_at(
        &mut self,
        slots: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<ConsentRow>> {
        let text = "select slot, purpose, record, gone_at, status, time, force, source, said_in, author, reason, evidence from consent where slot = $1";
        self.of_keys(text, slots, consent).await
    }

    /// Rows that are new, or take the place of others with the same key; sorted by key. Of two refusals that stand on their own since the
    /// same moment the later stays.
    pub async fn save_consents(&mut self, rows: &[ConsentRow]) -> Result<()> {
        self.upsert(
            "consent (slot, purpose, record, gone_at, status, time, force, source, said_in, author, reason, evidence)",
            "on conflict (slot, purpose, record, gone_at) do update set status = excluded.status, time = excluded.time, force = excluded.force, evidence = excluded.evidence \
             where excluded.gone_at = 0 or excluded.time >= consent.time",
            rows,
            |row| [
                Arg::Int(row.slot),
                Arg::Text(&row.purpose),
                Arg::Int(row.record),
                Arg::Int(row.gone_at),
                Arg::Text(&row.status),
                Arg::Int(row.time),
                Arg::Int(row.force),
                Arg::Text(&row.source),
                Arg::Text(&row.said_in),
                Arg::OptText(row.author.as_deref()),
                Arg::OptText(row.reason.as_deref()),
                Arg::Int(row.evidence),
            ],
        )
        .await
    }

    /// Sorted by key.
    pub async fn remove_consents(&mut self, rows: &[ConsentRow]) -> Result<()> {
        self.each(
            "delete from consent where slot = $1 and purpose = $2 and record = $3 and gone_at = $4",
            rows,
            |row| {
                [
                    Arg::Int(row.slot),
                    Arg::Text(&row.purpose),
                    Arg::Int(row.record),
                    Arg::Int(row.gone_at),
                ]
            },
        )
        .await
    }
}

fn consent(row: &dialect::Found<'_>) -> dialect::FoundResult<ConsentRow> {
    Ok(ConsentRow {
        slot: row.get(0)?,
        purpose: row.get(1)?,
        record: row.get(2)?,
        gone_at: row.get(3)?,
        status: row.get(4)?,
        time: row.get(5)?,
        force: row.get(6)?,
        source: row.get(7)?,
        said_in: row.get(8)?,
        author: row.get(9)?,
        reason: row.get(10)?,
        evidence: row.get(11)?,
    })
}
