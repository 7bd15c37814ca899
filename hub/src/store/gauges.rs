//! What is asked of a hub while it runs: how much waits, and how large the store is.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx, dialect};

impl Tx {
    /// How many changes of a destination wait, and the number of the first of them.
    pub async fn waiting_changes(&mut self, destination: &str) -> Result<(i64, Option<i64>)> {
        let text =
            "select count(*), min(id) from change where destination = $1 and state = 'pending'";
        self.one(text, &[Arg::Text(destination)], |row| {
            Ok((get(row, 0)?, get(row, 1)?))
        })
        .await
    }

    /// The number that the next change will have.
    pub async fn next_change(&mut self) -> Result<i64> {
        let text = "select next from counter where name = 'change'";
        let next: Option<i64> = self.maybe(text, &[], value).await?;
        Ok(next.unwrap_or_default())
    }

    /// How large the database is.
    pub async fn bytes(&mut self) -> Result<i64> {
        self.one(dialect::BYTES, &[], value).await
    }
}
