//! Dead letters: records, fields and rows that could not be used, each with its reason.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx, dialect, failed};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    Open,
    /// Its record or row was looked at again since.
    Closed,
    /// An operator corrected the record.
    Corrected,
    /// An operator decided that it stays as it is.
    GivenUp,
}

impl LetterState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Corrected => "corrected",
            Self::GivenUp => "given_up",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::Open, Self::Closed, Self::Corrected, Self::GivenUp]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct DeadLetterRow {
    pub id: i64,
    /// `record`, `field` or `delivery`
    pub kind: String,
    pub source: String,
    pub stream: String,
    #[serde(skip)]
    pub slot: i64,
    /// The version of the record, or the generation of the change, that it is about.
    #[serde(skip)]
    pub version: i64,
    pub key: String,
    pub field: String,
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    pub created_at: i64,
    pub state: LetterState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decision>,
}

/// How many dead letters were committed, by kind, source, stream and code.
#[derive(Debug, Clone, Default)]
pub struct LettersWritten(Arc<Mutex<LetterCounts>>);

type LetterCounts = BTreeMap<[String; 4], u64>;

impl LettersWritten {
    pub fn counts(&self) -> BTreeMap<[String; 4], u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The same of a transaction, until it is committed.
pub(super) struct Uncommitted {
    written: LettersWritten,
    added: LetterCounts,
}

impl Uncommitted {
    pub fn of(written: &LettersWritten) -> Self {
        Self {
            written: written.clone(),
            added: LetterCounts::new(),
        }
    }

    fn add(&mut self, letters: &[DeadLetterRow]) {
        for row in letters {
            let labels = [&row.kind, &row.source, &row.stream, &row.code].map(String::clone);
            *self.added.entry(labels).or_default() += 1;
        }
    }

    pub fn commit(self) {
        if self.added.is_empty() {
            return;
        }
        let mut counts = self
            .written
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (labels, count) in self.added {
            *counts.entry(labels).or_default() += count;
        }
    }
}

/// What an operator decided about a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Decision {
    pub at: i64,
    pub by: String,
    pub reason: String,
}

const COLUMNS: &str = "id, kind, source, stream, slot, version, key, field, code, message, hint, created_at, state, \
    decided_at, decided_by, reason";

impl Tx {
    /// Closes the open dead letters of records that are about to be mapped again.
    pub async fn close_dead_letters(&mut self, slots: impl IntoIterator<Item = i64>) -> Result<()> {
        let mut slots: Vec<i64> = slots.into_iter().collect();
        slots.sort_unstable();
        let text = "update dead_letter set state = 'closed' where state = 'open' and slot = $1";
        self.each(text, &slots, |slot| [Arg::Int(*slot)]).await
    }

    pub async fn add_dead_letters(&mut self, letters: &[DeadLetterRow]) -> Result<()> {
        self.letters.add(letters);
        self.insert(
            "dead_letter (id, kind, source, stream, slot, version, key, field, code, message, hint, created_at, state)",
            letters,
            |letter| [
                Arg::Int(letter.id),
                Arg::Text(&letter.kind),
                Arg::Text(&letter.source),
                Arg::Text(&letter.stream),
                Arg::Int(letter.slot),
                Arg::Int(letter.version),
                Arg::Text(&letter.key),
                Arg::Text(&letter.field),
                Arg::Text(&letter.code),
                Arg::Text(&letter.message),
                Arg::OptText(letter.hint.as_deref()),
                Arg::Int(letter.created_at),
                Arg::Text(letter.state.as_str()),
            ],
        )
        .await
    }

    /// The records among these of which something is known not to fit.
    pub async fn with_letters(&mut self, slots: &[i64]) -> Result<Vec<i64>> {
        let text = format!(
            "select slot from dead_letter where state = 'open' and slot {0} union \
             select slot from dead_letter where state = 'given_up' and slot {0}",
            dialect::IN_INTEGERS
        );
        self.rows_in(text, slots.iter().copied(), value).await
    }

    /// What somebody has given up of a record's version is given up of the one that counts now, too.
    pub async fn go_on_given_up(&mut self, slot: i64, version: i64) -> Result<()> {
        let text = "update dead_letter set version = (select version_id from record where slot = $1) \
             where state = 'given_up' and slot = $1 and version = $2";
        self.run(text, &[Arg::Int(slot), Arg::Int(version)]).await
    }

    /// Takes out the open dead letters of records that say what somebody has given up of the same version already.
    pub async fn leave_given_up(&mut self, slots: &[i64]) -> Result<()> {
        let text = "delete from dead_letter where state = 'open' and slot = $1 and exists (select 1 from dead_letter g \
             where g.state = 'given_up' and g.slot = $1 and g.version = dead_letter.version and g.field = dead_letter.field \
             and g.code = dead_letter.code)";
        self.each(text, slots, |slot| [Arg::Int(*slot)]).await
    }

    /// Open dead letters, newest first; with `decided` also the ones about which somebody decided.
    pub async fn dead_letters(&mut self, decided: bool, limit: i64) -> Result<Vec<DeadLetterRow>> {
        let states = match decided {
            true => "state in ('open', 'corrected', 'given_up')",
            false => "state = 'open'",
        };
        let text =
            format!("select {COLUMNS} from dead_letter where {states} order by id desc limit $1");
        self.all(text, &[Arg::Int(limit)], letter).await
    }

    pub async fn dead_letter(&mut self, id: i64) -> Result<Option<DeadLetterRow>> {
        let text = format!("select {COLUMNS} from dead_letter where id = $1");
        Ok(self.all(text, &[Arg::Int(id)], letter).await?.pop())
    }

    /// Says what somebody decided about an open dead letter. False when it is not open any more.
    pub async fn decide_dead_letter(
        &mut self,
        id: i64,
        state: LetterState,
        decision: &Decision,
    ) -> Result<bool> {
        let text = "update dead_letter set state = $1, decided_at = $2, decided_by = $3, reason = $4 where id = $5 and state = 'open'";
        let arguments = [
            Arg::Text(state.as_str()),
            Arg::Int(decision.at),
            Arg::Text(&decision.by),
            Arg::Text(&decision.reason),
            Arg::Int(id),
        ];
        Ok(self.changed(text, &arguments).await? > 0)
    }
}

fn letter(row: &dialect::Row) -> Result<DeadLetterRow> {
    let at: Option<i64> = get(row, 13)?;
    let decided = match at {
        Some(at) => Some(Decision {
            at,
            by: get(row, 14)?,
            reason: get(row, 15)?,
        }),
        None => None,
    };
    let state: String = get(row, 12)?;
    Ok(DeadLetterRow {
        id: get(row, 0)?,
        kind: get(row, 1)?,
        source: get(row, 2)?,
        stream: get(row, 3)?,
        slot: get(row, 4)?,
        version: get(row, 5)?,
        key: get(row, 6)?,
        field: get(row, 7)?,
        code: get(row, 8)?,
        message: get(row, 9)?,
        hint: get(row, 10)?,
        created_at: get(row, 11)?,
        state: LetterState::from_text(&state)
            .ok_or_else(|| failed(format!("`{state}` is no state of a dead letter")))?,
        decided,
    })
}
