//! Components of identifiers that are larger than the cap.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CappedRow {
    pub component: i64,
    pub identifiers: i64,
    pub since: i64,
    pub is_reported: bool,
}

impl Tx {
    /// All of them, the largest first.
    pub async fn capped(&mut self) -> Result<Vec<CappedRow>> {
        let text = "select component, identifiers, since, told from capped order by identifiers desc, component";
        self.all(text, &[], |row| {
            Ok(CappedRow {
                component: get(row, 0)?,
                identifiers: get(row, 1)?,
                since: get(row, 2)?,
                is_reported: get::<i64>(row, 3)? != 0,
            })
        })
        .await
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
                    Arg::Int(i64::from(row.is_reported)),
                ]
            },
        )
        .await
    }

    /// One of the people of a component.
    pub async fn person_of_component(&mut self, component: i64) -> Result<Option<i64>> {
        let text = "select min(person_id) from evidence where component = $1";
        self.one(text, &[Arg::Int(component)], value).await
    }
}
