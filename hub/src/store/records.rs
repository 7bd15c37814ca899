//! The current state of each record. Every version of a record is in `versions`.

use super::query::{columns, get, known, value};
use super::value::Arg;
use super::versions::Effect;
use super::{Result, Tx, dialect};
use crate::problem::Problem;
use crate::problem::codes::RECORDS_CHANGED;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    Live,
    Deleted,
    /// The current version could not be mapped; its dead letters say why.
    SetAside,
}

impl RecordState {
    fn code(self) -> i64 {
        self as i64
    }

    fn from_code(code: i64) -> Option<Self> {
        [Self::Live, Self::Deleted, Self::SetAside]
            .into_iter()
            .find(|state| state.code() == code)
    }
}

/// The current state of a record.
#[derive(Debug, Clone)]
pub struct RecordRow {
    pub slot: i64,
    pub stream_id: i64,
    pub key: String,
    pub hash: i64,
    pub version_id: i64,
    pub state: RecordState,
    pub updated_at: Option<i64>,
    pub first_seen: i64,
    pub evidence_id: Option<i64>,
    /// The event or thing that it made.
    pub fact_id: Option<i64>,
}

/// A record with its current version.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    pub row: RecordRow,
    pub body: Vec<u8>,
    /// See `VersionRow::changed_at`.
    pub changed_at: Option<i64>,
    /// `Current` or `Corrected`
    pub effect: Effect,
}

const RECORD_COLUMNS: &str =
    "slot, stream_id, key, hash, version_id, state, updated_at, first_seen, evidence_id, fact_id";

impl Tx {
    /// How many records of a stream are not deleted. Scans every record of the hub.
    pub async fn record_count(&mut self, stream_id: i64) -> Result<i64> {
        let text = "select count(*) from record where stream_id = $1 and state <> 1";
        self.one(text, &[Arg::Int(stream_id)], value).await
    }

    pub async fn records_at(&mut self, slots: &[i64]) -> Result<Vec<RecordRow>> {
        let text = format!("select {RECORD_COLUMNS} from record where slot = $1");
        self.by_key(&text, slots, |row| {
            Ok(RecordRow {
                slot: row.get(0)?,
                stream_id: row.get(1)?,
                key: row.get(2)?,
                hash: row.get(3)?,
                version_id: row.get(4)?,
                state: dialect::known(row, 5, RecordState::from_code)?,
                updated_at: row.get(6)?,
                first_seen: row.get(7)?,
                evidence_id: row.get(8)?,
                fact_id: row.get(9)?,
            })
        })
        .await
    }

    /// Up to `limit` live or set-aside records of a stream with their bodies, in the order of their slots, after `after`.
    pub async fn records_of_stream(
        &mut self,
        stream_id: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredRecord>> {
        let text = "select r.slot, r.stream_id, r.key, r.hash, r.version_id, r.state, r.updated_at, r.first_seen, r.evidence_id, \
             r.fact_id, v.body, v.changed_at, v.effect from record r join record_version v on v.id = r.version_id \
             where r.stream_id = $1 and r.slot > $2 and r.state <> 1 order by r.slot limit $3";
        self.all(
            text,
            &[Arg::Int(stream_id), Arg::Int(after), Arg::Int(limit)],
            record_and_body,
        )
        .await
    }

    /// The same in the order in which their versions arrived, after the version `after`.
    pub async fn records_by_arrival(
        &mut self,
        stream_id: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredRecord>> {
        let text = "select r.slot, r.stream_id, r.key, r.hash, r.version_id, r.state, r.updated_at, r.first_seen, r.evidence_id, \
             r.fact_id, v.body, v.changed_at, v.effect from record_version v cross join record r on r.slot = v.slot \
             where v.id > $2 and r.version_id = v.id and r.stream_id = $1 and r.state <> 1 order by v.id limit $3";
        self.all(
            text,
            &[Arg::Int(stream_id), Arg::Int(after), Arg::Int(limit)],
            record_and_body,
        )
        .await
    }

    /// The same for records with an open dead letter, whole or in a field.
    pub async fn records_with_letters(
        &mut self,
        stream_id: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredRecord>> {
        let text = "select r.slot, r.stream_id, r.key, r.hash, r.version_id, r.state, r.updated_at, r.first_seen, r.evidence_id, \
             r.fact_id, v.body, v.changed_at, v.effect from dead_letter d cross join record r on r.slot = d.slot \
             cross join record_version v on v.id = r.version_id \
             where d.state = 'open' and d.slot > $2 and r.stream_id = $1 and r.state <> 1 group by d.slot order by d.slot limit $3";
        self.all(
            text,
            &[Arg::Int(stream_id), Arg::Int(after), Arg::Int(limit)],
            record_and_body,
        )
        .await
    }

    /// The same without bodies.
    pub async fn record_heads(
        &mut self,
        stream_id: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordRow>> {
        let text = format!(
            "select {RECORD_COLUMNS} from record where stream_id = $1 and slot > $2 and state <> 1 order by slot limit $3"
        );
        self.all(
            text,
            &[Arg::Int(stream_id), Arg::Int(after), Arg::Int(limit)],
            record_row,
        )
        .await
    }

    /// One record that is not deleted, with its body.
    pub async fn stored_record(&mut self, slot: i64) -> Result<Option<StoredRecord>> {
        let text = "select r.slot, r.stream_id, r.key, r.hash, r.version_id, r.state, r.updated_at, r.first_seen, r.evidence_id, \
             r.fact_id, v.body, v.changed_at, v.effect from record r join record_version v on v.id = r.version_id \
             where r.slot = $1 and r.state <> 1";
        self.maybe(text, &[Arg::Int(slot)], record_and_body).await
    }

    pub async fn bodies(
        &mut self,
        versions: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<(i64, Vec<u8>)>> {
        let text = format!(
            "select id, body from record_version where id {}",
            dialect::IN_INTEGERS
        );
        self.rows_in(text, versions, columns).await
    }

    /// New rows, sorted by slot. Fails when another process has added one of them.
    pub async fn add_records(&mut self, records: &[RecordRow]) -> Result<()> {
        let race = self.race_to_insert(
            "record (slot, stream_id, key, hash, version_id, state, updated_at, first_seen, evidence_id, fact_id)",
            records,
            |record| {
                [
                    Arg::Int(record.slot),
                    Arg::Int(record.stream_id),
                    Arg::Text(&record.key),
                    Arg::Int(record.hash),
                    Arg::Int(record.version_id),
                    Arg::Int(record.state.code()),
                    Arg::OptInt(record.updated_at),
                    Arg::Int(record.first_seen),
                    Arg::OptInt(record.evidence_id),
                    Arg::OptInt(record.fact_id),
                ]
            },
        )
        .await?;
        race.won_or(overtaken)
    }

    /// Existing rows, sorted by slot, each with its state when it was read (I15). Fails when another process has changed
    /// one of them since.
    pub async fn update_records(&mut self, records: &[(RecordRow, RecordRow)]) -> Result<()> {
        let race = self.race_to_update(
            "update record set hash = $1, version_id = $2, state = $3, updated_at = $4, first_seen = $5, \
             evidence_id = $6, fact_id = $7 where slot = $8 and version_id = $9 and state = $10 \
             and evidence_id is $11 and fact_id is $12",
            records,
            |(record, was)| {
                [
                    Arg::Int(record.hash),
                    Arg::Int(record.version_id),
                    Arg::Int(record.state.code()),
                    Arg::OptInt(record.updated_at),
                    Arg::Int(record.first_seen),
                    Arg::OptInt(record.evidence_id),
                    Arg::OptInt(record.fact_id),
                    Arg::Int(record.slot),
                    Arg::Int(was.version_id),
                    Arg::Int(was.state.code()),
                    Arg::OptInt(was.evidence_id),
                    Arg::OptInt(was.fact_id),
                ]
            },
        )
        .await?;
        race.won_or(overtaken)
    }
}

/// Another process changed the same records meanwhile.
fn overtaken() -> Problem {
    let message = "another process changed the same records meanwhile";
    Problem::new(&RECORDS_CHANGED, message).hint("nothing of this step was stored; run it again")
}

fn record_and_body(row: &dialect::Row) -> Result<StoredRecord> {
    Ok(StoredRecord {
        row: record_row(row)?,
        body: get(row, 10)?,
        changed_at: get(row, 11)?,
        effect: match get::<i64>(row, 12)? == Effect::Corrected as i64 {
            true => Effect::Corrected,
            false => Effect::Current,
        },
    })
}

fn record_row(row: &dialect::Row) -> Result<RecordRow> {
    Ok(RecordRow {
        slot: get(row, 0)?,
        stream_id: get(row, 1)?,
        key: get(row, 2)?,
        hash: get(row, 3)?,
        version_id: get(row, 4)?,
        state: known(row, 5, RecordState::from_code)?,
        updated_at: get(row, 6)?,
        first_seen: get(row, 7)?,
        evidence_id: get(row, 8)?,
        fact_id: get(row, 9)?,
    })
}
