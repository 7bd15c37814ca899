//! Keyed hashes of identifiers that are sent nowhere, and what is wanted of the people who have them.

use super::deliveries::WantedRow;
use super::{Result, Tx, failed};
use crate::model::Timestamp;

impl Tx {
    /// Puts a hash on the list; whoever keeps a copy of the list sees by its version that it is an old one.
    pub async fn suppress(&mut self, hash: &[u8], reason: &str, now: Timestamp) -> Result<()> {
        self.reserve("suppression", 1).await?;
        sqlx::query("insert into suppression (hash, created_at, reason) values ($1, $2, $3) on conflict (hash) do nothing")
            .bind(hash)
            .bind(now.0)
            .bind(reason)
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(failed)
    }

    /// Goes up with each suppression.
    pub async fn suppression_version(&mut self) -> Result<i64> {
        let row: Option<(i64,)> =
            sqlx::query_as("select next from counter where name = 'suppression'")
                .fetch_optional(self.connection())
                .await
                .map_err(failed)?;
        Ok(row.map_or(0, |row| row.0))
    }

    /// All suppressed hashes; the list is small compared with the people.
    pub async fn suppressed(&mut self) -> Result<Vec<Vec<u8>>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as("select hash from suppression")
            .fetch_all(self.connection())
            .await
            .map_err(failed)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// People among whose traits a value stands, exactly as JSON has it, or who merely have it within another value. Looks at
    /// everybody.
    pub async fn persons_with_value(&mut self, json: &str) -> Result<Vec<i64>> {
        let rows: Vec<(i64,)> = sqlx::query_as(
            "select id from person where traits like '%' || $1 || '%' escape '\\' order by id",
        )
        .bind(
            json.replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_"),
        )
        .fetch_all(self.connection())
        .await
        .map_err(failed)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Nothing that is wanted of these people may be sent. Gives the rows that could be before.
    pub async fn forbid_wanted(
        &mut self,
        persons: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<WantedRow>> {
        let mut rows = self.wanted_of(persons).await?;
        rows.retain(|row| row.allowed);
        for row in &mut rows {
            row.allowed = false;
        }
        rows.sort_unstable_by(|a, b| {
            (&a.destination, &a.object, a.person_id).cmp(&(&b.destination, &b.object, b.person_id))
        });
        self.save_wanted(&rows).await?;
        Ok(rows)
    }
}
