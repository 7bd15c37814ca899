//! Keyed hashes of identifiers that are sent nowhere, and what is wanted of the people who have them.

use super::deliveries::WantedRow;
use super::query::value;
use super::value::Arg;
use super::{Result, Tx};
use crate::model::Timestamp;

impl Tx {
    /// Puts a hash on the list; whoever keeps a copy of the list sees by its version that it is an old one.
    pub async fn suppress(&mut self, hash: &[u8], reason: &str, now: Timestamp) -> Result<()> {
        self.reserve("suppression", 1).await?;
        let text = "insert into suppression (hash, created_at, reason) values ($1, $2, $3) on conflict (hash) do nothing";
        self.run(
            text,
            &[Arg::Bytes(hash), Arg::Int(now.0), Arg::Text(reason)],
        )
        .await
    }

    /// Goes up with each suppression.
    pub async fn suppression_version(&mut self) -> Result<i64> {
        let text = "select next from counter where name = 'suppression'";
        let next: Option<i64> = self.maybe(text, &[], value).await?;
        Ok(next.unwrap_or_default())
    }

    /// All suppressed hashes; the list is small compared with the people.
    pub async fn suppressed(&mut self) -> Result<Vec<Vec<u8>>> {
        self.all("select hash from suppression", &[], value).await
    }

    /// People among whose traits a value stands, exactly as JSON has it, or who merely have it within another value. Looks at
    /// everybody.
    pub async fn persons_with_value(&mut self, json: &str) -> Result<Vec<i64>> {
        let text =
            "select id from person where traits like '%' || $1 || '%' escape '\\' order by id";
        let part = json
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        self.all(text, &[Arg::Text(&part)], value).await
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
