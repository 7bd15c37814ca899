//! What was sent to the hub and has not been landed yet, and the ids by which a message is known again.

use super::query::{columns, get, json_texts, value};
use super::value::Arg;
use super::{Result, Tx};
use crate::model::Timestamp;

/// A message as it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxRow<'a> {
    pub id: i64,
    pub source: &'a str,
    pub stream: &'a str,
    /// Its id at the sender.
    pub message: &'a str,
    /// Of what was sent, without what the hub adds.
    pub hash: i64,
    /// The record is deleted, and the body has its key alone.
    pub removes: bool,
    /// A record of the stream, as a line of JSON.
    pub body: &'a [u8],
}

/// What came to a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct SentRow {
    pub source: String,
    pub taken: i64,
    /// They had come before.
    pub known: i64,
    /// Those of them that said something else than before under the same id.
    pub conflicts: i64,
}

/// What waits: its id, whether it deletes its record, and its body.
pub type Waiting = (i64, bool, Vec<u8>);

impl Tx {
    /// Which of these messages of a source are known, with the hash of each.
    pub async fn known_messages(
        &mut self,
        source: &str,
        messages: &[&str],
    ) -> Result<Vec<(String, String, i64)>> {
        let text = "select i.stream, i.message, i.hash from json_each($1) as m cross join inbox as i on i.source = $2 and i.message = m.value";
        let messages = json_texts(messages);
        self.all(text, &[Arg::Text(&messages), Arg::Text(source)], |row| {
            Ok((get(row, 0)?, get(row, 1)?, get(row, 2)?))
        })
        .await
    }

    /// New rows, by id.
    pub async fn add_messages(&mut self, rows: &[InboxRow<'_>], now: Timestamp) -> Result<()> {
        self.insert(
            "inbox (id, source, stream, message, hash, received_at, removes, body)",
            rows,
            |row| {
                [
                    Arg::Int(row.id),
                    Arg::Text(row.source),
                    Arg::Text(row.stream),
                    Arg::Text(row.message),
                    Arg::Int(row.hash),
                    Arg::Int(now.0),
                    Arg::Int(i64::from(row.removes)),
                    Arg::Bytes(row.body),
                ]
            },
        )
        .await
    }

    /// The messages of a stream that wait after an id, in their order: up to `records` of them, with their bodies.
    pub async fn waiting_messages(
        &mut self,
        source: &str,
        stream: &str,
        after: i64,
        records: i64,
    ) -> Result<Vec<Waiting>> {
        let text = "select id, removes, body from inbox where source = $1 and stream = $2 and id > $3 and body is not null order by id limit $4";
        let arguments = [
            Arg::Text(source),
            Arg::Text(stream),
            Arg::Int(after),
            Arg::Int(records),
        ];
        self.all(text, &arguments, |row| {
            Ok((get(row, 0)?, get::<i64>(row, 1)? != 0, get(row, 2)?))
        })
        .await
    }

    /// What has been landed is a record, and only its id is kept here. Empties up to `limit`; returns how many.
    pub async fn empty_messages(
        &mut self,
        source: &str,
        stream: &str,
        up_to: i64,
        limit: i64,
    ) -> Result<u64> {
        let text = "update inbox set body = null where id in (select id from inbox where source = $1 and stream = $2 and id <= $3 and body is not null order by id limit $4)";
        let arguments = [
            Arg::Text(source),
            Arg::Text(stream),
            Arg::Int(up_to),
            Arg::Int(limit),
        ];
        self.changed(text, &arguments).await
    }

    /// Forgets the ids of landed messages that came before a time; up to `limit` of them. Returns how many.
    pub async fn forget_messages(&mut self, before: Timestamp, limit: i64) -> Result<u64> {
        let text = "delete from inbox where id in (select id from inbox where body is null and received_at < $1 order by id limit $2)";
        self.changed(text, &[Arg::Int(before.0), Arg::Int(limit)])
            .await
    }

    /// How many messages wait, and when the oldest of them came.
    pub async fn inbox_counts(&mut self, source: &str) -> Result<(i64, Option<i64>)> {
        let text =
            "select count(*), min(received_at) from inbox where source = $1 and body is not null";
        self.one(text, &[Arg::Text(source)], |row| {
            Ok((get(row, 0)?, get(row, 1)?))
        })
        .await
    }

    /// Counts what came to a source.
    pub async fn count_sent(&mut self, rows: &[SentRow]) -> Result<()> {
        self.upsert(
            "sent (source, taken, known, conflicts)",
            "on conflict (source) do update set taken = sent.taken + excluded.taken, known = sent.known + excluded.known, \
             conflicts = sent.conflicts + excluded.conflicts",
            rows,
            |row| {
                [
                    Arg::Text(&row.source),
                    Arg::Int(row.taken),
                    Arg::Int(row.known),
                    Arg::Int(row.conflicts),
                ]
            },
        )
        .await
    }

    /// What came to each source since it was first sent to.
    pub async fn sent(&mut self) -> Result<Vec<SentRow>> {
        let text = "select source, taken, known, conflicts from sent order by source";
        self.all(text, &[], |row| {
            Ok(SentRow {
                source: get(row, 0)?,
                taken: get(row, 1)?,
                known: get(row, 2)?,
                conflicts: get(row, 3)?,
            })
        })
        .await
    }

    /// Whether anything was ever sent to a source of that name.
    pub async fn was_sent_to(&mut self, source: &str) -> Result<bool> {
        let text = "select exists (select 1 from sent where source = $1) or exists (select 1 from inbox where source = $1)";
        self.one(text, &[Arg::Text(source)], |row| {
            Ok(get::<i64>(row, 0)? != 0)
        })
        .await
    }

    /// Whether at least so many messages wait, of all sources together.
    pub async fn is_inbox_full(&mut self, most: i64) -> Result<bool> {
        let text =
            "select count(*) from (select 1 from inbox where body is not null limit $1) as waiting";
        let waiting: i64 = self.one(text, &[Arg::Int(most)], |row| get(row, 0)).await?;
        Ok(waiting >= most)
    }

    /// How many messages wait for each stream that has any: source, stream, how many.
    pub async fn messages_waiting(&mut self) -> Result<Vec<(String, String, i64)>> {
        let text = "select source, stream, count(*) from inbox where body is not null group by source, stream";
        self.all(text, &[], columns).await
    }

    /// Forgets messages of a stream, landed or not: up to `limit` of them. Returns how many.
    pub async fn remove_messages(&mut self, source: &str, stream: &str, limit: i64) -> Result<u64> {
        let text = "delete from inbox where id in (select id from inbox where source = $1 and stream = $2 limit $3)";
        let arguments = [Arg::Text(source), Arg::Text(stream), Arg::Int(limit)];
        self.changed(text, &arguments).await
    }

    /// The streams of a source for which messages wait.
    pub async fn waiting_streams(&mut self, source: &str) -> Result<Vec<String>> {
        let text = "select distinct stream from inbox where source = $1 and body is not null";
        self.all(text, &[Arg::Text(source)], value).await
    }
}
