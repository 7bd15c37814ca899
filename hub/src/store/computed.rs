//! Computed traits, and why some could not be computed.

use super::query::columns;
use super::value::Arg;
use super::{Result, Tx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRow {
    pub person_id: i64,
    pub trait_name: String,
    pub kind: &'static str,
}

impl Tx {
    /// Traits of persons as JSON, by id.
    pub async fn save_traits(&mut self, traits: &[(i64, String)]) -> Result<()> {
        self.each(
            "update person set traits = $1 where id = $2",
            traits,
            |(person, traits)| [Arg::Text(traits), Arg::Int(*person)],
        )
        .await
    }

    /// Replaces the faults of persons.
    pub async fn set_faults(&mut self, persons: &[i64], faults: &[FaultRow]) -> Result<()> {
        self.remove("delete from trait_fault where person_id", persons)
            .await?;
        self.insert("trait_fault (person_id, trait, kind)", faults, |fault| {
            [
                Arg::Int(fault.person_id),
                Arg::Text(&fault.trait_name),
                Arg::Text(fault.kind),
            ]
        })
        .await
    }

    /// For how many persons each trait could not be computed, by trait and reason.
    pub async fn fault_counts(&mut self) -> Result<Vec<(String, String, i64)>> {
        let text = "select trait, kind, count(*) from trait_fault group by trait, kind order by trait, kind";
        self.all(text, &[], columns).await
    }
}
