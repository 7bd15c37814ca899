//! Persons, their claims, and their events, among which is what they have (`EntityKind::thing_name`).

use super::query::value;
use super::value::Arg;
use super::{Result, Tx, dialect};
use crate::model::fold;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// The id of one piece of its evidence.
    pub id: i64,
    pub uuid: [u8; 16],
    pub component: i64,
    /// JSON object of the winning values.
    pub traits: String,
    /// JSON object: purpose to status, time and source.
    pub consents: String,
    pub updated_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimRow {
    pub evidence_id: i64,
    pub slot: i64,
    pub source: Arc<str>,
    /// `stream/key`
    pub record: String,
    pub time: i64,
    /// JSON: `traits` and `consents`.
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    pub id: i64,
    /// 0 when the record names nobody.
    pub evidence_id: i64,
    pub slot: i64,
    pub name: String,
    pub time: i64,
    /// JSON object.
    pub properties: String,
}

impl Tx {
    pub async fn persons(&mut self, ids: impl IntoIterator<Item = i64>) -> Result<Vec<PersonRow>> {
        let text =
            "select id, uuid, component, traits, consents, updated_at from person where id = $1";
        self.of_keys(text, ids, person).await
    }

    /// Persons after `after`, by id.
    pub async fn persons_after(&mut self, after: i64, limit: i64) -> Result<Vec<PersonRow>> {
        let text = format!(
            "select id, uuid, component, traits, consents, updated_at from person where id > $1 order by id limit {limit}"
        );
        self.by_key(&text, &[after], person).await
    }

    /// Persons with a trait value that contains a text, regardless of case in any script.
    pub async fn find_persons(&mut self, text: &str, limit: i64) -> Result<Vec<PersonRow>> {
        let wanted = fold(text);
        let text = "select id from person where mentions(traits, $1) order by id limit $2";
        let wanted = [Arg::Text(&wanted), Arg::Int(limit)];
        let ids: Vec<i64> = self.all(text, &wanted, value).await?;
        self.persons(ids).await
    }

    /// New rows, sorted by id.
    pub async fn add_persons(&mut self, persons: &[PersonRow]) -> Result<()> {
        self.insert(
            "person (id, uuid, component, traits, consents, updated_at)",
            persons,
            |person| {
                [
                    Arg::Int(person.id),
                    Arg::Bytes(&person.uuid),
                    Arg::Int(person.component),
                    Arg::Text(&person.traits),
                    Arg::Text(&person.consents),
                    Arg::Int(person.updated_at),
                ]
            },
        )
        .await
    }

    /// Existing rows, sorted by id.
    pub async fn update_persons(&mut self, persons: &[PersonRow]) -> Result<()> {
        self.update(
            "update person set uuid = $1, component = $2, traits = $3, consents = $4, updated_at = $5 where id = $6",
            persons,
            |person| {
                [
                    Arg::Bytes(&person.uuid),
                    Arg::Int(person.component),
                    Arg::Text(&person.traits),
                    Arg::Text(&person.consents),
                    Arg::Int(person.updated_at),
                    Arg::Int(person.id),
                ]
            },
        )
        .await
    }

    pub async fn remove_persons(&mut self, ids: &[i64]) -> Result<()> {
        self.remove("delete from person where id", ids).await
    }

    pub async fn claims_of(
        &mut self,
        evidence: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<ClaimRow>> {
        let text = "select evidence_id, slot, source, record, time, body from claim where evidence_id = $1";
        self.of_keys(text, evidence, |row| {
            Ok(ClaimRow {
                evidence_id: row.get(0)?,
                slot: row.get(1)?,
                source: row.get_ref(2)?.as_str()?.into(),
                record: row.get(3)?,
                time: row.get(4)?,
                body: row.get(5)?,
            })
        })
        .await
    }

    /// New rows, sorted by key. The record's earlier claims are removed first.
    pub async fn add_claims(&mut self, claims: &[&ClaimRow]) -> Result<()> {
        self.insert(
            "claim (evidence_id, slot, source, record, time, body)",
            claims,
            |claim| {
                [
                    Arg::Int(claim.evidence_id),
                    Arg::Int(claim.slot),
                    Arg::Text(&claim.source),
                    Arg::Text(&claim.record),
                    Arg::Int(claim.time),
                    Arg::Text(&claim.body),
                ]
            },
        )
        .await
    }

    /// Claims by evidence and record. Each pair is looked up by the whole key: two separate sets would be probed as their product.
    pub async fn remove_claims(&mut self, pairs: &[(i64, i64)]) -> Result<()> {
        let mut pairs = pairs.to_vec();
        pairs.sort_unstable();
        self.each(
            "delete from claim where evidence_id = $1 and slot = $2",
            &pairs,
            |(evidence, slot)| [Arg::Int(*evidence), Arg::Int(*slot)],
        )
        .await
    }

    pub async fn events_of(
        &mut self,
        evidence: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<EventRow>> {
        let text = "select id, evidence_id, slot, name, time, properties from event where evidence_id = $1";
        self.of_keys(text, evidence, |row| {
            Ok(EventRow {
                id: row.get(0)?,
                evidence_id: row.get(1)?,
                slot: row.get(2)?,
                name: row.get(3)?,
                time: row.get(4)?,
                properties: row.get(5)?,
            })
        })
        .await
    }

    pub async fn save_events(&mut self, events: &[EventRow]) -> Result<()> {
        self.insert(
            "event (id, evidence_id, slot, name, time, properties)",
            events,
            |event| {
                [
                    Arg::Int(event.id),
                    Arg::Int(event.evidence_id),
                    Arg::Int(event.slot),
                    Arg::Text(&event.name),
                    Arg::Int(event.time),
                    Arg::Text(&event.properties),
                ]
            },
        )
        .await
    }

    pub async fn remove_facts(&mut self, ids: &[i64]) -> Result<()> {
        self.remove("delete from event where id", ids).await
    }

    /// Runs `{head} = ID` for each id.
    pub(super) async fn remove(&mut self, head: &'static str, ids: &[i64]) -> Result<()> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        let text = format!("{head} = $1");
        self.each(&text, &ids, |id| [Arg::Int(*id)]).await
    }
}

fn person(row: &dialect::Found<'_>) -> dialect::FoundResult<PersonRow> {
    Ok(PersonRow {
        id: row.get(0)?,
        uuid: row.get(1)?,
        component: row.get(2)?,
        traits: row.get(3)?,
        consents: row.get(4)?,
        updated_at: row.get(5)?,
    })
}

#[cfg(test)]
impl Tx {
    /// Runs any text, to damage a row.
    pub async fn damage(&mut self, text: &'static str) {
        let changed = self.changed(text, &[]).await;
        assert!(changed.expect(text) > 0, "{text}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::store::Store;
    use std::time::{Duration, Instant};

    async fn store(folder: &tempfile::TempDir) -> Store {
        let path = folder.path().join("hub.db");
        Store::open(&format!("sqlite:{}", path.display()))
            .await
            .unwrap()
    }

    fn claims(count: i64) -> Vec<ClaimRow> {
        let claim = |id| ClaimRow {
            evidence_id: id,
            slot: id * 7,
            source: "crm".into(),
            record: format!("contacts/{id}"),
            time: id,
            body: "{}".to_owned(),
        };
        (1..=count).map(claim).collect()
    }

    async fn claim_count(tx: &mut Tx) -> i64 {
        tx.one("select count(*) from claim", &[], value)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_person_is_found_by_a_value_in_any_script_and_case() {
        let folder = tempfile::tempdir().unwrap();
        let mut tx = store(&folder).await.begin().await.unwrap();
        let person = |id: i64, traits: &str| PersonRow {
            id,
            uuid: [id as u8; 16],
            component: id,
            traits: traits.to_owned(),
            consents: "{}".to_owned(),
            updated_at: 0,
        };
        let persons = [
            person(1, r#"{"first_name":"Łukasz","tags":["ŻÓŁW"]}"#),
            person(2, r#"{"city":"GROSSE STRASSE","nick":"say \"hi\"\\"}"#),
            person(3, r#"{"address":{"city":"Αθήνα"},"points":1042}"#),
        ];
        tx.add_persons(&persons).await.unwrap();
        for (text, ids) in [
            ("łukasz", &[1][..]),
            ("ŁUKASZ", &[1]),
            ("Łuk", &[1]),
            ("żółw", &[1]),
            ("straße", &[2]),
            ("\"HI\"\\", &[2]),
            ("ΑΘΉΝΑ", &[3]),
            ("1042", &[3]),
            ("%", &[]),
            ("_", &[]),
            // The name of a trait is not what it says.
            ("first_name", &[]),
            ("lukasz", &[]),
        ] {
            let found = tx.find_persons(text, 10).await.unwrap();
            let found: Vec<i64> = found.iter().map(|row| row.id).collect();
            assert_eq!(found, ids, "{text}");
        }
        assert_eq!(tx.find_persons("a", 1).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn claims_are_taken_away_by_the_pair() {
        let folder = tempfile::tempdir().unwrap();
        let mut tx = store(&folder).await.begin().await.unwrap();
        let rows = claims(4);
        tx.add_claims(&rows.iter().collect::<Vec<_>>())
            .await
            .unwrap();
        // Both halves of the second are there, of two claims.
        tx.remove_claims(&[(3, 21), (1, 14)]).await.unwrap();
        assert_eq!(claim_count(&mut tx).await, 3);
    }

    #[tokio::test]
    async fn taking_claims_away_costs_about_what_adding_them_does() {
        const COUNT: i64 = 16_000;
        let folder = tempfile::tempdir().unwrap();
        let mut tx = store(&folder).await.begin().await.unwrap();
        let rows = claims(COUNT);
        let begun = Instant::now();
        tx.add_claims(&rows.iter().collect::<Vec<_>>())
            .await
            .unwrap();
        let added = begun.elapsed();
        let pairs: Vec<(i64, i64)> = rows.iter().map(|row| (row.evidence_id, row.slot)).collect();
        let begun = Instant::now();
        tx.remove_claims(&pairs).await.unwrap();
        let most = added * 10 + Duration::from_secs(2);
        assert!(
            begun.elapsed() < most,
            "{:?} after {added:?}",
            begun.elapsed()
        );
        assert_eq!(claim_count(&mut tx).await, 0);
    }

    #[tokio::test]
    async fn the_supporters_of_evidence_are_found_without_a_look_at_those_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let mut tx = store.begin().await.unwrap();
        let rows = claims(40_000);
        tx.add_claims(&rows.iter().collect::<Vec<_>>())
            .await
            .unwrap();
        let begun = Instant::now();
        for id in 0..300 {
            assert_eq!(tx.supporters([id]).await.unwrap(), []);
        }
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
    }
}
