//! Full reads under way: what has come, so that one that was interrupted goes on where it stopped and knows in the end
//! what did not come.

use super::bulk::Arg;
use super::{Result, Tx, failed};

/// Some versions that came again, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenBlock {
    pub block: i64,
    pub bits: Vec<u8>,
}

impl Tx {
    /// The stream is read from its start, and what does not come is deleted in the end. Gives the first version that can be
    /// made from now on.
    pub async fn begin_full_read(&mut self, stream_id: i64) -> Result<i64> {
        self.clear_cursors(stream_id).await?;
        self.forget_seen(stream_id).await?;
        let since = self.reserve("version", 0).await?;
        self.set_full_read(stream_id, Some(since)).await?;
        Ok(since)
    }

    /// Everything that did not come was dealt with.
    pub async fn end_full_read(&mut self, stream_id: i64) -> Result<()> {
        self.forget_seen(stream_id).await?;
        self.set_full_read(stream_id, None).await
    }

    async fn set_full_read(&mut self, stream_id: i64, since: Option<i64>) -> Result<()> {
        sqlx::query("update stream set full_since = $2, full_seen = 0 where id = $1")
            .bind(stream_id)
            .bind(since)
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(failed)
    }

    async fn forget_seen(&mut self, stream_id: i64) -> Result<()> {
        sqlx::query("delete from full_seen where stream_id = $1")
            .bind(stream_id)
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(failed)
    }

    pub async fn seen_blocks(&mut self, stream_id: i64) -> Result<Vec<SeenBlock>> {
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("select block, bits from full_seen where stream_id = $1 order by block")
                .bind(stream_id)
                .fetch_all(self.connection())
                .await
                .map_err(failed)?;
        let blocks = rows.into_iter();
        Ok(blocks
            .map(|(block, bits)| SeenBlock { block, bits })
            .collect())
    }

    /// How many records came, and the blocks in which some were marked.
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
        sqlx::query("update stream set full_seen = full_seen + $2 where id = $1")
            .bind(stream_id)
            .bind(records)
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(failed)
    }

    /// How many records came in the full read that is under way.
    pub async fn full_seen(&mut self, stream_id: i64) -> Result<i64> {
        let row: Option<(i64,)> = sqlx::query_as("select full_seen from stream where id = $1")
            .bind(stream_id)
            .fetch_optional(self.connection())
            .await
            .map_err(failed)?;
        Ok(row.map_or(0, |row| row.0))
    }
}
