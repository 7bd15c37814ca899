//! Full reads under way: which records have been seen, so that an interrupted one resumes where it stopped and knows in the
//! end which records are missing.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx};

/// Some versions that were seen again, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenBlock {
    pub block: i64,
    pub bits: Vec<u8>,
}

impl Tx {
    /// The stream is read from its start, and what is not seen is deleted in the end. Returns the first version that can be
    /// made from now on.
    pub async fn begin_full_read(&mut self, stream_id: i64) -> Result<i64> {
        self.clear_cursors(stream_id).await?;
        self.forget_seen(stream_id).await?;
        let since = self.reserve("version", 0).await?;
        self.set_full_read(stream_id, Some(since)).await?;
        Ok(since)
    }

    /// Everything that was not seen has been dealt with.
    pub async fn end_full_read(&mut self, stream_id: i64) -> Result<()> {
        self.forget_seen(stream_id).await?;
        self.set_full_read(stream_id, None).await
    }

    async fn set_full_read(&mut self, stream_id: i64, since: Option<i64>) -> Result<()> {
        let text = "update stream set full_since = $2, full_seen = 0 where id = $1";
        self.run(text, &[Arg::Int(stream_id), Arg::OptInt(since)])
            .await
    }

    async fn forget_seen(&mut self, stream_id: i64) -> Result<()> {
        let text = "delete from full_seen where stream_id = $1";
        self.run(text, &[Arg::Int(stream_id)]).await
    }

    pub async fn seen_blocks(&mut self, stream_id: i64) -> Result<Vec<SeenBlock>> {
        let text = "select block, bits from full_seen where stream_id = $1 order by block";
        self.all(text, &[Arg::Int(stream_id)], |row| {
            Ok(SeenBlock {
                block: get(row, 0)?,
                bits: get(row, 1)?,
            })
        })
        .await
    }

    /// How many records were seen, and the blocks in which some were marked.
    pub async fn note_seen(
        &mut self,
        stream_id: i64,
        records: i64,
        blocks: &[SeenBlock],
    ) -> Result<()> {
        self.upsert(
            "full_seen (stream_id, block, bits)",
            "on conflict (stream_id, block) do update set bits = excluded.bits",
            blocks,
            |block| {
                [
                    Arg::Int(stream_id),
                    Arg::Int(block.block),
                    Arg::Bytes(&block.bits),
                ]
            },
        )
        .await?;
        let text = "update stream set full_seen = full_seen + $2 where id = $1";
        self.run(text, &[Arg::Int(stream_id), Arg::Int(records)])
            .await
    }

    /// How many records were seen in the full read that is under way.
    pub async fn full_seen(&mut self, stream_id: i64) -> Result<i64> {
        let text = "select full_seen from stream where id = $1";
        let seen: Option<i64> = self.maybe(text, &[Arg::Int(stream_id)], value).await?;
        Ok(seen.unwrap_or_default())
    }
}
