//! Keyed hashes of suppressed identifiers, and the wanted rows of the people who have them.

use super::deliveries::WantedRow;
use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx};
use crate::model::{Permission, Timestamp};

impl Tx {
    /// Adds a hash to the list and raises its version, by which a process sees that its copy is out of date. `is_derived`: it follows from
    /// one that an operator named.
    pub async fn suppress(
        &mut self,
        hash: &[u8],
        reason: &str,
        is_derived: bool,
        now: Timestamp,
    ) -> Result<()> {
        self.changes_list = true;
        self.reserve("suppression", 1).await?;
        let text = "insert into suppression (hash, created_at, reason, derived) values ($1, $2, $3, $4) \
             on conflict (hash) do update set derived = min(derived, excluded.derived)";
        let arguments = [
            Arg::Bytes(hash),
            Arg::Int(now.0),
            Arg::Text(reason),
            Arg::Int(i64::from(is_derived)),
        ];
        self.run(text, &arguments).await
    }

    /// Whether this transaction has added to the list, so that nobody else may see yet what it sees.
    pub fn changes_list(&self) -> bool {
        self.changes_list
    }

    /// Goes up with each suppression.
    pub async fn suppression_version(&mut self) -> Result<i64> {
        let text = "select next from counter where name = 'suppression'";
        let next: Option<i64> = self.maybe(text, &[], value).await?;
        Ok(next.unwrap_or_default())
    }

    /// All suppressed hashes, and whether each is derived; the list is small compared with the people.
    pub async fn suppressed(&mut self) -> Result<Vec<(Vec<u8>, bool)>> {
        self.all("select hash, derived from suppression", &[], |row| {
            Ok((get(row, 0)?, get::<i64>(row, 1)? != 0))
        })
        .await
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
        rows.retain(|row| row.permission == Permission::Granted);
        for row in &mut rows {
            row.permission = Permission::Suppressed;
        }
        rows.sort_unstable_by(|a, b| {
            (&a.destination, &a.object, a.person_id).cmp(&(&b.destination, &b.object, b.person_id))
        });
        self.save_wanted(&rows).await?;
        Ok(rows)
    }
}
