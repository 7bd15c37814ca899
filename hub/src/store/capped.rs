//! What an operator hears of once: components of identifiers that are larger than the cap, and identifiers that turned out to be of
//! several people.

use super::query::{get, value};
use super::value::Arg;
use super::{Result, Tx};
use crate::model::Timestamp;

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

    pub async fn add_parted(&mut self, slots: &[i64], now: Timestamp) -> Result<()> {
        self.upsert(
            "parted (slot, since, told)",
            "on conflict (slot) do nothing",
            slots,
            |slot| [Arg::Int(*slot), Arg::Int(now.0), Arg::Int(0)],
        )
        .await
    }

    pub async fn remove_parted(&mut self, slots: &[i64]) -> Result<()> {
        self.remove("delete from parted where slot", slots).await
    }

    /// How many identifiers of each kind turned out to be of several people, of which nobody was told.
    pub async fn parted(&mut self) -> Result<Vec<(String, i64)>> {
        let text = "select i.kind, count(*) from parted as p cross join identifier as i on i.slot = p.slot \
             where p.told = 0 group by i.kind order by i.kind";
        self.all(text, &[], |row| Ok((get(row, 0)?, get(row, 1)?)))
            .await
    }

    pub async fn report_parted(&mut self) -> Result<()> {
        self.run("update parted set told = 1 where told = 0", &[])
            .await
    }

    /// One of the people of a component.
    pub async fn person_of_component(&mut self, component: i64) -> Result<Option<i64>> {
        let text = "select min(person_id) from evidence where component = $1";
        self.one(text, &[Arg::Int(component)], value).await
    }
}
