//! Every version of every record, and how to look back at them. Versions are only ever added.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx, dialect};
use crate::model::Timestamp;
use bytes::Bytes;

/// What a version did when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It became the record's current version.
    Current,
    /// The record was deleted.
    Deleted,
    /// It was older than the current version, and is kept without effect.
    Stale,
    /// An operator wrote it in the place of the version before it, and it became the current one.
    Corrected,
}

#[derive(Debug, Clone)]
pub struct VersionRow {
    pub id: i64,
    pub slot: i64,
    pub received_at: Timestamp,
    pub effect: Effect,
    pub body: Bytes,
    /// The time of the record's last change, where the version does not say one itself.
    pub changed_at: Option<i64>,
}

/// A version that had an effect, with the record that it is of.
#[derive(Debug, Clone)]
pub struct PastVersion {
    pub id: i64,
    pub slot: i64,
    pub stream_id: i64,
    pub key: String,
    pub received_at: Timestamp,
    /// None when it says that the record was deleted.
    pub body: Option<Vec<u8>>,
    /// The time of the record's last change, where the version does not say one itself.
    pub changed_at: Option<Timestamp>,
}

const COLUMNS: &str = "select v.id, v.slot, r.stream_id, r.key, v.received_at, v.effect, v.body, v.changed_at \
    from record_version v join record r on r.slot = v.slot where v.effect <> 2";

impl Tx {
    pub async fn add_versions(&mut self, versions: &[VersionRow]) -> Result<()> {
        self.insert(
            "record_version (id, slot, received_at, effect, body, changed_at)",
            versions,
            |version| {
                [
                    Arg::Int(version.id),
                    Arg::Int(version.slot),
                    Arg::Int(version.received_at.0),
                    Arg::Int(version.effect as i64),
                    Arg::Bytes(&version.body),
                    Arg::OptInt(version.changed_at),
                ]
            },
        )
        .await
    }

    /// Versions received until `until`, by id, after the id `after`.
    pub async fn versions_until(
        &mut self,
        until: Timestamp,
        after: i64,
        limit: i64,
    ) -> Result<Vec<PastVersion>> {
        let text =
            format!("{COLUMNS} and v.received_at <= $1 and v.id > $2 order by v.id limit $3");
        self.all(
            text,
            &[Arg::Int(until.0), Arg::Int(after), Arg::Int(limit)],
            past_version,
        )
        .await
    }

    /// Versions by id, in the order of their ids.
    pub async fn versions_at(
        &mut self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<PastVersion>> {
        let text = format!("{COLUMNS} and v.id {} order by v.id", dialect::IN_INTEGERS);
        self.rows_in(text, ids, past_version).await
    }

    /// All versions of some records, in the order in which they arrived. Scans every version, since an index by record
    /// would slow every write down for a question that is rarely asked.
    pub async fn versions_of(
        &mut self,
        slots: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<PastVersion>> {
        let text = format!(
            "{COLUMNS} and v.slot {} order by v.id",
            dialect::IN_INTEGERS
        );
        self.rows_in(text, slots, past_version).await
    }

    /// Deletes the records of a stream with every version of them.
    pub async fn erase_records(&mut self, stream_id: i64) -> Result<()> {
        for text in [
            "delete from record_version where slot in (select slot from record where stream_id = $1)",
            "delete from record where stream_id = $1",
            "delete from stream_cursor where stream_id = $1",
        ] {
            self.run(text, &[Arg::Int(stream_id)]).await?;
        }
        Ok(())
    }

    /// Deletes what was set aside of a stream, and what was sent to it.
    pub async fn erase_letters(&mut self, source: &str, stream: &str) -> Result<()> {
        for text in [
            "delete from dead_letter where source = $1 and stream = $2 and kind <> 'delivery'",
            "delete from inbox where source = $1 and stream = $2",
        ] {
            self.run(text, &[Arg::Text(source), Arg::Text(stream)])
                .await?;
        }
        Ok(())
    }

    /// When versions came, and whether an operator wrote them, by their ids.
    pub async fn versions_received(
        &mut self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<(i64, Timestamp, bool)>> {
        let text = format!(
            "select id, received_at, effect from record_version where id {}",
            dialect::IN_INTEGERS
        );
        self.rows_in(text, ids, |row| {
            let is_corrected = get::<i64>(row, 2)? == Effect::Corrected as i64;
            Ok((get(row, 0)?, Timestamp(get(row, 1)?), is_corrected))
        })
        .await
    }

    /// The greatest id of a version, 0 when there is none.
    pub async fn last_version(&mut self) -> Result<i64> {
        let text = "select max(id) from record_version";
        let last: Option<i64> = self.one(text, &[], value).await?;
        Ok(last.unwrap_or_default())
    }
}

fn past_version(row: &dialect::Row) -> Result<PastVersion> {
    let deleted = get::<i64>(row, 5)? == Effect::Deleted as i64;
    let body = (!deleted).then(|| get(row, 6)).transpose()?;
    Ok(PastVersion {
        id: get(row, 0)?,
        slot: get(row, 1)?,
        stream_id: get(row, 2)?,
        key: get(row, 3)?,
        received_at: Timestamp(get(row, 4)?),
        body,
        changed_at: get::<Option<i64>>(row, 7)?.map(Timestamp),
    })
}
