//! Keyed hashes of suppressed identifiers, and the wanted rows of the people who have them.

use super::deliveries::WantedRow;
use super::query::value;
use super::value::Arg;
use super::{Result, Tx};
use crate::model::Timestamp;

impl Tx {
    /// Adds a hash to the list and raises its version, by which a process sees that its copy is out of date.
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

    /// People with a trait that contains this JSON text, whether as the whole value or as a part of it. Scans everybody.
    pub async fn persons_with_value(&mut self, json: &str) -> Result<Vec<i64>> {
        let text =
            "select id from person where traits like '%' || $1 || '%' escape '\\' order by id";
        let part = json
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        self.all(text, &[Arg::Text(&part)], value).await
    }

    /// Forbids sending these people's wanted rows. Returns the rows that were allowed before.
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
