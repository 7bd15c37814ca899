//! Identifiers, evidence, and what each person's id resolves to.

use super::query::{columns, value};
use super::value::{Arg, json_integers};
use super::{Result, Tx, dialect};
use crate::model::IdentifierKind;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Page size for reading whole tables.
const PAGE: usize = 20_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierRow<'a> {
    pub slot: i64,
    pub kind: Cow<'a, str>,
    pub value: Cow<'a, str>,
    /// None when it is shared or no evidence holds it.
    pub component: Option<i64>,
    pub shared: bool,
    /// JSON array of the statements of consent about it; none where nothing was said.
    pub consents: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRow {
    pub id: i64,
    pub component: i64,
    pub person_id: Option<i64>,
    /// Slots of its identifiers, in the order of the mapping.
    pub nodes: Vec<i64>,
    pub first_seen: i64,
    pub message: Arc<str>,
    /// The name that its records give (`identity::name_of`).
    pub name: Option<Arc<str>>,
}

impl Tx {
    pub async fn identifiers_at(&mut self, slots: &[i64]) -> Result<Vec<IdentifierRow<'static>>> {
        let text =
            "select slot, kind, value, component, shared, consents from identifier where slot = $1";
        self.by_key(text, slots, identifier).await
    }

    /// The identifiers after a slot, by slot, one page.
    pub async fn identifiers_after(&mut self, slot: i64) -> Result<Vec<IdentifierRow<'static>>> {
        let text = format!(
            "select slot, kind, value, component, shared, consents from identifier where slot > $1 order by slot limit {PAGE}"
        );
        self.by_key(&text, &[slot], identifier).await
    }

    /// The evidence after an id, by id, one page.
    pub async fn evidence_after(&mut self, id: i64) -> Result<Vec<EvidenceRow>> {
        let text = format!(
            "select id, component, person_id, nodes, first_seen, message, name from evidence where id > $1 order by id limit {PAGE}"
        );
        self.by_key(&text, &[id], evidence).await
    }

    /// Identifiers that join nobody, with the pieces of evidence that hold them, most first.
    pub async fn most_shared(&mut self, limit: i64) -> Result<Vec<(i64, i64)>> {
        let text = "select slot, count(*) from shared_evidence group by slot order by count(*) desc, slot limit $1";
        self.all(text, &[Arg::Int(limit)], columns).await
    }

    /// Components of at least `least` pieces of evidence with their people and pieces, the largest first.
    pub async fn large_components(
        &mut self,
        least: i64,
        limit: i64,
    ) -> Result<Vec<(i64, i64, i64)>> {
        let text = "select component, count(distinct person_id), count(*) from evidence group by component \
             having count(*) >= $1 order by count(*) desc, component limit $2";
        self.all(text, &[Arg::Int(least), Arg::Int(limit)], columns)
            .await
    }

    /// Components of more than one person.
    pub async fn divided_components(&mut self, limit: i64) -> Result<Vec<i64>> {
        let text = "select component from evidence where person_id is not null group by component \
             having min(person_id) <> max(person_id) order by component limit $1";
        self.all(text, &[Arg::Int(limit)], value).await
    }

    /// People with more than one piece of evidence.
    pub async fn persons_of_several_sets(&mut self) -> Result<Vec<i64>> {
        let text = "select person_id from evidence where person_id is not null group by person_id having count(*) > 1 order by person_id";
        self.all(text, &[], value).await
    }

    /// New rows, sorted by slot.
    pub async fn add_identifiers(&mut self, identifiers: &[IdentifierRow<'_>]) -> Result<()> {
        self.insert(
            "identifier (slot, kind, value, component, shared, consents)",
            identifiers,
            |identifier| {
                [
                    Arg::Int(identifier.slot),
                    Arg::Text(&identifier.kind),
                    Arg::Text(&identifier.value),
                    Arg::OptInt(identifier.component),
                    Arg::Int(i64::from(identifier.shared)),
                    Arg::OptText(identifier.consents.as_deref()),
                ]
            },
        )
        .await
    }

    /// Existing rows, sorted by slot.
    pub async fn update_identifiers(&mut self, identifiers: &[IdentifierRow<'_>]) -> Result<()> {
        self.update(
            "update identifier set component = $1, shared = $2, consents = $3 where slot = $4",
            identifiers,
            |identifier| {
                [
                    Arg::OptInt(identifier.component),
                    Arg::Int(i64::from(identifier.shared)),
                    Arg::OptText(identifier.consents.as_deref()),
                    Arg::Int(identifier.slot),
                ]
            },
        )
        .await
    }

    pub async fn evidence_of_components(
        &mut self,
        components: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<EvidenceRow>> {
        self.evidence_where("component", components).await
    }

    /// Persons with the ids of their evidence, in the order of the persons, which have rows.
    pub async fn evidence_of_persons(&mut self, persons: &[i64]) -> Result<Vec<(i64, i64)>> {
        let text = "select p.id, v.id from person as p cross join evidence as v \
             where p.id = $1 and v.component = p.component and v.person_id = p.id";
        self.by_key(text, persons, |row| Ok((row.get(0)?, row.get(1)?)))
            .await
    }

    pub async fn evidence_by_id(
        &mut self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<EvidenceRow>> {
        self.evidence_where("id", ids).await
    }

    async fn evidence_where(
        &mut self,
        column: &'static str,
        values: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<EvidenceRow>> {
        let text = format!(
            "select id, component, person_id, nodes, first_seen, message, name from evidence where {column} = $1"
        );
        self.of_keys(&text, values, evidence).await
    }

    /// New rows, sorted by id.
    pub async fn add_evidence(&mut self, evidence: &[&EvidenceRow]) -> Result<()> {
        self.insert(
            "evidence (id, component, person_id, nodes, first_seen, message, name)",
            evidence,
            |row| {
                [
                    Arg::Int(row.id),
                    Arg::Int(row.component),
                    Arg::OptInt(row.person_id),
                    Arg::Integers(&row.nodes),
                    Arg::Int(row.first_seen),
                    Arg::Text(&row.message),
                    Arg::OptText(row.name.as_deref()),
                ]
            },
        )
        .await
    }

    /// Existing rows, sorted by id.
    pub async fn update_evidence(&mut self, evidence: &[&EvidenceRow]) -> Result<()> {
        self.update(
            "update evidence set component = $1, person_id = $2, first_seen = $3, message = $4, name = $5 where id = $6",
            evidence,
            |row| {
                [
                    Arg::Int(row.component),
                    Arg::OptInt(row.person_id),
                    Arg::Int(row.first_seen),
                    Arg::Text(&row.message),
                    Arg::OptText(row.name.as_deref()),
                    Arg::Int(row.id),
                ]
            },
        )
        .await
    }

    /// The owners of evidence: existing rows, sorted by id, in which nothing else changes.
    pub async fn give_evidence(&mut self, evidence: &[&EvidenceRow]) -> Result<()> {
        self.update(
            "update evidence set person_id = $1 where id = $2",
            evidence,
            |row| [Arg::OptInt(row.person_id), Arg::Int(row.id)],
        )
        .await
    }

    /// Existing rows, sorted by id, with their entries for shared identifiers.
    pub async fn remove_evidence(&mut self, evidence: &[&EvidenceRow]) -> Result<()> {
        self.each("delete from evidence where id = $1", evidence, |row| {
            [Arg::Int(row.id)]
        })
        .await?;
        let mut pairs: Vec<(i64, i64)> = evidence
            .iter()
            .flat_map(|row| row.nodes.iter().map(|slot| (*slot, row.id)))
            .collect();
        pairs.sort_unstable();
        self.each(
            "delete from shared_evidence where slot = $1 and evidence_id = $2",
            &pairs,
            |(slot, evidence)| [Arg::Int(*slot), Arg::Int(*evidence)],
        )
        .await
    }

    /// The records that still support the given evidence: its id, first sighting, source, stream and key, by evidence. Each
    /// table is queried by its own index: a union of them would have no index, and every claim and event would be read.
    pub async fn supporters(
        &mut self,
        evidence: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<(i64, i64, String)>> {
        let of = |table: &str| {
            format!(
                "select s.evidence_id, r.first_seen, t.source || '/' || t.name || '/' || r.key from {table} s \
                 cross join record r on r.slot = s.slot cross join stream t on t.id = r.stream_id where s.evidence_id = $1"
            )
        };
        let text = ["claim", "event"].map(of).join(" union all ");
        self.of_keys(&text, evidence, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .await
    }

    pub async fn evidence_of_shared(
        &mut self,
        slots: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<(i64, i64)>> {
        let text = format!(
            "select slot, evidence_id from shared_evidence where slot {}",
            dialect::IN_INTEGERS
        );
        self.rows_in(text, slots, columns).await
    }

    pub async fn add_shared_evidence(&mut self, pairs: &[(i64, i64)]) -> Result<()> {
        self.upsert(
            "shared_evidence (slot, evidence_id)",
            "on conflict (slot, evidence_id) do nothing",
            pairs,
            |(slot, evidence)| [Arg::Int(*slot), Arg::Int(*evidence)],
        )
        .await
    }

    pub async fn remove_shared(&mut self, slots: &[i64]) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let text = format!(
            "delete from shared_evidence where slot {}",
            dialect::IN_INTEGERS
        );
        let set = json_integers(slots.iter().copied());
        self.run(text, &[Arg::Text(&set)]).await
    }

    /// Which evidence each id was issued for; rows sorted by uuid.
    pub async fn save_aliases(&mut self, aliases: &[([u8; 16], i64)]) -> Result<()> {
        self.upsert(
            "alias (uuid, evidence_id)",
            "on conflict (uuid) do update set evidence_id = excluded.evidence_id",
            aliases,
            |(uuid, evidence)| [Arg::Bytes(uuid), Arg::Int(*evidence)],
        )
        .await
    }

    /// Removed evidence, and the person it would belong to.
    pub async fn save_heirs(&mut self, pairs: &[(i64, Option<i64>)]) -> Result<()> {
        self.upsert(
            "heir (evidence_id, person_id)",
            "on conflict (evidence_id) do update set person_id = excluded.person_id",
            pairs,
            |(evidence, person)| [Arg::Int(*evidence), Arg::OptInt(*person)],
        )
        .await
    }

    /// Of these ids, removed evidence that would belong to nobody.
    pub async fn without_heir(
        &mut self,
        evidence: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<i64>> {
        let text = "select evidence_id from heir where evidence_id = $1 and person_id is null";
        self.of_keys(text, evidence, |row| row.get(0)).await
    }

    /// The current person that an id resolves to.
    pub async fn alias(&mut self, uuid: &[u8]) -> Result<Option<i64>> {
        let text = "select evidence_id from alias where uuid = $1";
        let mut next: Option<i64> = self.maybe(text, &[Arg::Bytes(uuid)], value).await?;
        let mut passed = BTreeSet::new();
        while let Some(number) = next {
            // A person's number is that of evidence, which knows whose it is now.
            let evidence = self.evidence_by_id([number]).await?.pop();
            if let Some(owner) = evidence.and_then(|row| row.person_id) {
                return Ok(Some(owner));
            }
            // Two that were each other's heir at different times: neither exists any more.
            if !passed.insert(number) {
                return Ok(None);
            }
            let text = "select person_id from heir where evidence_id = $1";
            let heir: Option<Option<i64>> = self.maybe(text, &[Arg::Int(number)], value).await?;
            next = heir.flatten();
        }
        Ok(None)
    }
}

fn identifier(row: &dialect::Found<'_>) -> dialect::FoundResult<IdentifierRow<'static>> {
    Ok(IdentifierRow {
        slot: row.get(0)?,
        kind: kind(row.get_ref(1)?.as_str()?),
        value: row.get::<_, String>(2)?.into(),
        component: row.get(3)?,
        shared: row.get::<_, i64>(4)? != 0,
        consents: row.get::<_, Option<String>>(5)?.map(Cow::Owned),
    })
}

/// Most are of a kind that every hub has, whose name need not be copied.
fn kind(text: &str) -> Cow<'static, str> {
    match IdentifierKind::builtin(text) {
        Some(kind) => kind.text(),
        None => Cow::Owned(text.to_owned()),
    }
}

fn evidence(row: &dialect::Found<'_>) -> dialect::FoundResult<EvidenceRow> {
    Ok(EvidenceRow {
        id: row.get(0)?,
        component: row.get(1)?,
        person_id: row.get(2)?,
        nodes: dialect::integers_in(row, 3)?,
        first_seen: row.get(4)?,
        message: row.get_ref(5)?.as_str()?.into(),
        name: row.get_ref(6)?.as_str_or_null()?.map(Into::into),
    })
}
