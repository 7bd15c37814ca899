//! Persons, their claims, events and other entities.

use super::bulk::{Arg, json_integers};
use super::{Result, Tx, dialect, failed};
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRow {
    pub id: i64,
    pub evidence_id: Option<i64>,
    pub slot: i64,
    pub kind: &'static str,
    /// JSON object.
    pub fields: String,
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

    /// Persons any of whose trait values contains a text, regardless of case.
    pub async fn find_persons(&mut self, text: &str, limit: i64) -> Result<Vec<PersonRow>> {
        let pattern = format!(
            "%{}%",
            text.to_lowercase()
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_")
        );
        let rows: Vec<(i64,)> = sqlx::query_as(
            "select id from person where lower(traits) like $1 escape '\\' order by id limit $2",
        )
        .bind(pattern)
        .bind(limit)
        .fetch_all(self.connection())
        .await
        .map_err(failed)?;
        self.persons(rows.into_iter().map(|row| row.0)).await
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

    /// Rows that are there, sorted by id.
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

    /// New rows, sorted by key. What a record said before is removed first.
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

    /// Claims by evidence and record. A record has one claim at most, so the two sets may be given side by side.
    pub async fn remove_claims(&mut self, pairs: &[(i64, i64)]) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let text = format!(
            "delete from claim where evidence_id {} and slot {}",
            dialect::IN_INTEGERS,
            dialect::IN_INTEGERS.replace("$1", "$2")
        );
        sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(json_integers(pairs.iter().map(|pair| pair.0)))
            .bind(json_integers(pairs.iter().map(|pair| pair.1)))
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(failed)
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

    pub async fn save_entities(&mut self, entities: &[EntityRow]) -> Result<()> {
        self.insert(
            "entity (id, evidence_id, slot, kind, fields)",
            entities,
            |entity| {
                [
                    Arg::Int(entity.id),
                    Arg::OptInt(entity.evidence_id),
                    Arg::Int(entity.slot),
                    Arg::Text(entity.kind),
                    Arg::Text(&entity.fields),
                ]
            },
        )
        .await
    }

    /// Events and entities by id; ids come from one counter.
    pub async fn remove_facts(&mut self, ids: &[i64]) -> Result<()> {
        self.remove("delete from event where id", ids).await?;
        self.remove("delete from entity where id", ids).await
    }

    pub(super) async fn remove(&mut self, head: &'static str, ids: &[i64]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        self.execute_in(
            format!("{head} {}", dialect::IN_INTEGERS),
            ids.iter().copied(),
        )
        .await
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
