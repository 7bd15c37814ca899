//! Streams in their generations, and how far each was read.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx};
use crate::model::Timestamp;
use crate::problem::Problem;
use crate::problem::codes::LEASE_LOST;

#[derive(Debug, Clone)]
pub struct StreamRow {
    pub id: i64,
    pub source: String,
    pub name: String,
    /// Its first `SOURCE/NAME`, which stays.
    pub origin: String,
    /// Goes up whenever the key of its records changes.
    pub generation: i64,
    /// The digest of the mapping under which its records were mapped, or `EMPTIED`.
    pub digest: String,
    /// While a full read is under way: the first version that it could make, or `AGAIN`.
    pub full_since: Option<i64>,
    /// How many records were seen in it.
    pub full_seen: i64,
}

impl StreamRow {
    /// Instead of the first version: the full read has to begin again.
    pub const AGAIN: i64 = -1;
    /// Instead of a digest: all records of the stream were moved or removed.
    pub const EMPTIED: &str = "emptied";
}

impl Tx {
    /// The last generation of each stream.
    pub async fn streams(&mut self) -> Result<Vec<StreamRow>> {
        let mut rows = self.stream_generations().await?;
        let later: Vec<StreamRow> = rows.iter().skip(1).cloned().collect();
        let mut later = later.iter();
        rows.retain(|row| {
            let next = later.next();
            !next.is_some_and(|next| next.source == row.source && next.name == row.name)
        });
        Ok(rows)
    }

    /// Every generation of every stream; the generations of one stream are together, the latest last.
    pub async fn stream_generations(&mut self) -> Result<Vec<StreamRow>> {
        let text = "select id, source, name, generation, digest, full_since, full_seen, origin from stream order by source, name, generation";
        self.all(text, &[], |row| {
            Ok(StreamRow {
                id: get(row, 0)?,
                source: get(row, 1)?,
                name: get(row, 2)?,
                generation: get(row, 3)?,
                digest: get(row, 4)?,
                full_since: get(row, 5)?,
                full_seen: get(row, 6)?,
                origin: get(row, 7)?,
            })
        })
        .await
    }

    /// The stream's row, made if it is new.
    pub async fn stream(&mut self, source: &str, name: &str, digest: &str) -> Result<StreamRow> {
        let streams = self.streams().await?;
        let mut known = streams.iter();
        if let Some(stream) = known.find(|one| one.source == source && one.name == name) {
            return Ok(stream.clone());
        }
        let row = StreamRow {
            id: self.reserve("stream", 1).await?,
            source: source.to_owned(),
            name: name.to_owned(),
            origin: self.new_origin(source, name, &streams).await?,
            generation: 0,
            digest: digest.to_owned(),
            full_since: None,
            full_seen: 0,
        };
        self.add_stream(&row).await?;
        Ok(row)
    }

    /// A stream's next generation, which resumes reading where the previous one stopped.
    pub async fn next_generation(&mut self, before: &StreamRow, digest: &str) -> Result<StreamRow> {
        let row = StreamRow {
            id: self.reserve("stream", 1).await?,
            generation: before.generation + 1,
            digest: digest.to_owned(),
            // What was seen so far had other keys.
            full_since: before.full_since.map(|_| StreamRow::AGAIN),
            full_seen: 0,
            ..before.clone()
        };
        self.add_stream(&row).await?;
        let text = "update stream_cursor set stream_id = $2 where stream_id = $1";
        self.run(text, &[Arg::Int(before.id), Arg::Int(row.id)])
            .await?;
        Ok(row)
    }

    /// One that no other stream has: a renamed one may have had this name.
    async fn new_origin(
        &mut self,
        source: &str,
        name: &str,
        streams: &[StreamRow],
    ) -> Result<String> {
        let text = "select name from namespace where source = $1";
        let known: Option<String> = self.maybe(text, &[Arg::Text(source)], value).await?;
        let wanted = format!("{}/{name}", known.as_deref().unwrap_or(source));
        let is_free = |origin: &String| streams.iter().all(|one| one.origin != *origin);
        let others = (2..).map(|number| format!("{wanted}~{number}"));
        let mut all = std::iter::once(wanted.clone()).chain(others);
        Ok(all.find(is_free).unwrap_or(wanted))
    }

    async fn add_stream(&mut self, row: &StreamRow) -> Result<()> {
        let rows = [row];
        self.insert(
            "stream (id, source, name, origin, generation, digest, full_since, full_seen)",
            &rows,
            |row| {
                [
                    Arg::Int(row.id),
                    Arg::Text(&row.source),
                    Arg::Text(&row.name),
                    Arg::Text(&row.origin),
                    Arg::Int(row.generation),
                    Arg::Text(&row.digest),
                    Arg::OptInt(row.full_since),
                    Arg::Int(row.full_seen),
                ]
            },
        )
        .await
    }

    pub async fn set_stream_digest(&mut self, id: i64, digest: &str) -> Result<()> {
        let text = "update stream set digest = $2 where id = $1";
        self.run(text, &[Arg::Int(id), Arg::Text(digest)]).await
    }

    pub async fn cursor(&mut self, stream_id: i64, part: &str) -> Result<Option<Vec<u8>>> {
        let text = "select value from stream_cursor where stream_id = $1 and part = $2";
        self.maybe(text, &[Arg::Int(stream_id), Arg::Text(part)], value)
            .await
    }

    /// When a cursor of the stream last moved.
    pub async fn cursor_moved_at(&mut self, stream_id: i64) -> Result<Option<i64>> {
        let text = "select max(updated_at) from stream_cursor where stream_id = $1";
        self.one(text, &[Arg::Int(stream_id)], value).await
    }

    /// Moves a cursor from its value when reading began to the one that follows the rows of this transaction (I3). Fails when
    /// it has moved meanwhile: then another process read the same rows, too.
    pub async fn move_cursor(
        &mut self,
        stream_id: i64,
        part: &str,
        from: Option<&[u8]>,
        to: &[u8],
        now: Timestamp,
    ) -> Result<()> {
        let text = match from {
            None => {
                "insert into stream_cursor (stream_id, part, value, updated_at) values ($1, $2, $3, $4) \
                 on conflict (stream_id, part) do nothing"
            }
            Some(_) => {
                "update stream_cursor set value = $3, updated_at = $4 where stream_id = $1 and part = $2 and value = $5"
            }
        };
        let mut arguments = vec![
            Arg::Int(stream_id),
            Arg::Text(part),
            Arg::Bytes(to),
            Arg::Int(now.0),
        ];
        arguments.extend(from.map(Arg::Bytes));
        match self.changed(text, &arguments).await? {
            1 => Ok(()),
            _ => Err(Problem::new(
                &LEASE_LOST,
                "another process read the same stream meanwhile",
            )
            .hint("what it stored is complete; nothing more was stored by this one")),
        }
    }

    /// Those of the vendor's parts: what was sent to the hub does not come again.
    pub async fn clear_cursors(&mut self, stream_id: i64) -> Result<()> {
        let text = "delete from stream_cursor where stream_id = $1 and part <> 'inbox'";
        self.run(text, &[Arg::Int(stream_id)]).await
    }
}
