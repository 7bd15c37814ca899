//! Components of identifiers that are larger than the cap.

use super::bulk::Arg;
use super::{Result, Tx, failed};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CappedRow {
    pub component: i64,
    pub identifiers: i64,
    pub since: i64,
    pub is_told: bool,
}

impl Tx {
    /// All of them, the largest first.
    pub async fn capped(&mut self) -> Result<Vec<CappedRow>> {
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
            "select component, identifiers, since, told from capped order by identifiers desc, component",
        )
        .fetch_all(self.connection())
        .await
        .map_err(failed)?;
        let row = |(component, identifiers, since, told)| CappedRow {
            component,
            identifiers,
            since,
            is_told: told != 0,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    pub async fn set_capped(&mut self, gone: &[i64], rows: &[CappedRow]) -> Result<()> {
        self.remove("delete from capped where component", gone)
            .await?;
        self.insert(
            "capped (component, identifiers, since, told)",
            rows,
            |row| {
                [
                    Arg::Int(row.component),
                    Arg::Int(row.identifiers),
                    Arg::Int(row.since),
                    Arg::Int(i64::from(row.is_told)),
                ]
            },
        )
        .await
    }

    /// One of the people of a component.
    pub async fn person_of_component(&mut self, component: i64) -> Result<Option<i64>> {
        let row: (Option<i64>,) =
            sqlx::query_as("select min(person_id) from evidence where component = $1")
                .bind(component)
                .fetch_one(self.connection())
                .await
                .map_err(failed)?;
        Ok(row.0)
    }
}
