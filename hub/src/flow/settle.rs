//! After identity: profiles of the people whose claims changed, audiences and wanted rows of everybody touched.
//! One transaction with what caused it.

mod select;

use crate::flow::Context;
use crate::flow::neighbourhood::{Neighbourhood, Reshaped, Resolved};
use crate::model::{ConsentStatus, Fields, Timestamp};
use crate::profile::{self, Claim};
use crate::store::{ClaimRow, PersonRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use select::{Moves, key_of, mark, memberships, want};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Evidence that a batch touched.
#[derive(Default)]
pub struct Touched {
    /// Evidence whose claims or facts changed.
    pub evidence: FxHashSet<i64>,
    /// Evidence whose claims changed: its people's profiles are built anew.
    pub claimed: FxHashSet<i64>,
    /// Persons of evidence before the batch.
    pub former_persons: FxHashSet<i64>,
}

/// A claim's stored form.
#[derive(Serialize, Deserialize)]
struct ClaimBody {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    traits: Fields,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    consents: BTreeMap<String, ConsentStatus>,
}

/// A consent as a profile keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEntry {
    pub status: ConsentStatus,
    pub time: i64,
    pub source: String,
}

/// A person with what audiences and destinations look at.
pub struct View {
    pub id: i64,
    pub uuid: [u8; 16],
    pub is_new: bool,
    pub evidence: Vec<i64>,
    pub traits: Fields,
    pub consents: BTreeMap<String, ConsentEntry>,
}

#[derive(Serialize)]
struct ClaimBodyRef<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    traits: &'a Fields,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    consents: &'a BTreeMap<String, ConsentStatus>,
}

pub fn claim_body(traits: &Fields, consents: &BTreeMap<String, ConsentStatus>) -> String {
    to_json(&ClaimBodyRef { traits, consents })
}

/// JSON of a value that has text keys and finite numbers only.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps with text keys always serialise")
}

/// A stored claim as the stage wants it.
pub fn claim_of(row: &ClaimRow) -> Claim {
    let body: ClaimBody = serde_json::from_str(&row.body).unwrap_or(ClaimBody {
        traits: Fields::new(),
        consents: BTreeMap::new(),
    });
    Claim {
        source: row.source.as_str().into(),
        record: row.record.clone(),
        time: Timestamp(row.time),
        traits: body.traits,
        consents: body.consents,
    }
}

pub async fn settle(
    tx: &mut Tx,
    context: &Context,
    neighbourhood: &Neighbourhood,
    reshaped: Reshaped,
    touched: Touched,
    claims: Vec<ClaimRow>,
) -> Result<()> {
    bury(tx, context, &reshaped.gone).await?;
    let (rebuild, look) = people(context, neighbourhood, reshaped, &touched);
    let mut views = build(tx, context, neighbourhood, rebuild, claims).await?;
    if context.watches_people() {
        views.extend(stored_views(tx, look).await?);
        views.sort_unstable_by_key(|view| view.id);
        evaluate(tx, context, &views).await?;
    }
    Ok(())
}

/// Who is to be built anew, and whose facts alone changed.
fn people(
    context: &Context,
    neighbourhood: &Neighbourhood,
    reshaped: Reshaped,
    touched: &Touched,
) -> (Vec<Resolved>, FxHashMap<i64, Vec<i64>>) {
    let mut rebuild = reshaped.people;
    let done: FxHashSet<i64> = rebuild.iter().map(|person| person.id).collect();
    let gone: FxHashSet<i64> = reshaped.gone.iter().map(|pair| pair.0).collect();
    let of = |evidence: &FxHashSet<i64>| -> FxHashSet<i64> {
        evidence
            .iter()
            .filter_map(|id| neighbourhood.person_of(*id))
            .filter(|person| !done.contains(person))
            .collect()
    };
    let claimed: FxHashSet<i64> = of(&touched.claimed);
    let mut touched_persons = of(&touched.evidence);
    touched_persons.extend(
        touched
            .former_persons
            .iter()
            .filter(|person| !done.contains(person) && !gone.contains(person)),
    );
    let mut look = neighbourhood.evidence_of_persons(&touched_persons);
    for (id, component, uuid) in neighbourhood.heads(&claimed, &context.rules) {
        let evidence = look.remove(&id).unwrap_or_default();
        rebuild.push(Resolved {
            id,
            uuid,
            component,
            evidence,
            is_new: false,
        });
    }
    (rebuild, look)
}

/// People who are no more: their rows go, their ids lead on.
async fn bury(tx: &mut Tx, context: &Context, gone: &[(i64, Option<i64>)]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = gone.iter().map(|pair| pair.0).collect();
    if context.watches_people() {
        leave_all(tx, context, &ids).await?;
    }
    tx.redirect_aliases(gone).await?;
    tx.remove_persons(&ids).await
}

async fn leave_all(tx: &mut Tx, context: &Context, ids: &[i64]) -> Result<()> {
    let memberships = tx.memberships_of(ids.iter().copied()).await?;
    let uuids: FxHashMap<i64, [u8; 16]> = tx
        .persons(ids.iter().copied())
        .await?
        .into_iter()
        .map(|row| (row.id, row.uuid))
        .collect();
    let mut moves = Moves::default();
    for row in memberships {
        let uuid = uuids.get(&row.person_id).copied().unwrap_or_default();
        moves.leave(
            &row.audience,
            row.person_id,
            uuid,
            "the profile became part of another",
        );
    }
    moves.save(tx, context.clock.now()).await?;
    tx.set_timers(ids, Vec::new()).await?;
    let wanted = tx.wanted_of(ids.iter().copied()).await?;
    let keys = wanted.iter().map(key_of).collect();
    tx.remove_wanted(&wanted).await?;
    mark(tx, keys).await
}

/// The claims of people: of new evidence as they were just written, of the rest from the store.
async fn claims_by_evidence(
    tx: &mut Tx,
    neighbourhood: &Neighbourhood,
    people: &[Resolved],
    fresh: Vec<ClaimRow>,
) -> Result<FxHashMap<i64, Vec<ClaimRow>>> {
    let mut by_evidence: FxHashMap<i64, Vec<ClaimRow>> = FxHashMap::default();
    let known: Vec<i64> = people
        .iter()
        .flat_map(|person| person.evidence.iter().copied())
        .filter(|id| !neighbourhood.is_new_evidence(*id))
        .collect();
    for row in fresh {
        if neighbourhood.is_new_evidence(row.evidence_id) {
            by_evidence.entry(row.evidence_id).or_default().push(row);
        }
    }
    if !known.is_empty() {
        for row in tx.claims_of(known).await? {
            by_evidence.entry(row.evidence_id).or_default().push(row);
        }
    }
    Ok(by_evidence)
}

/// Builds and stores profiles.
async fn build(
    tx: &mut Tx,
    context: &Context,
    neighbourhood: &Neighbourhood,
    people: Vec<Resolved>,
    fresh: Vec<ClaimRow>,
) -> Result<Vec<View>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let by_evidence = claims_by_evidence(tx, neighbourhood, &people, fresh).await?;
    let now = context.clock.now().0;
    let mut rows = Vec::with_capacity(people.len());
    let mut aliases = Vec::with_capacity(people.len());
    let mut views = Vec::new();
    for person in people {
        let claims: Vec<Claim> = person
            .evidence
            .iter()
            .filter_map(|id| by_evidence.get(id))
            .flatten()
            .map(claim_of)
            .collect();
        let (traits, consents) = profile_of(&claims, context);
        rows.push(PersonRow {
            id: person.id,
            uuid: person.uuid,
            component: person.component,
            traits: to_json(&traits),
            consents: to_json(&consents),
            updated_at: now,
        });
        aliases.push((person.uuid, Some(person.id)));
        if context.watches_people() {
            let Resolved {
                id,
                uuid,
                is_new,
                evidence,
                ..
            } = person;
            views.push(View {
                id,
                uuid,
                is_new,
                evidence,
                traits,
                consents,
            });
        }
    }
    rows.sort_unstable_by_key(|row| row.id);
    aliases.sort_unstable();
    tx.save_persons(rows).await?;
    tx.save_aliases(aliases).await?;
    Ok(views)
}

/// Winning traits and consents of a person's claims.
pub fn profile_of(claims: &[Claim], context: &Context) -> (Fields, BTreeMap<String, ConsentEntry>) {
    let profile = profile::build(claims, &context.plan.survivorship);
    let traits = profile
        .traits
        .into_iter()
        .map(|(name, won)| (name, won.value))
        .collect();
    let consents = profile
        .consents
        .into_iter()
        .map(|(purpose, won)| {
            let source = claims[won.claim as usize].source.to_string();
            (
                purpose,
                ConsentEntry {
                    status: won.status,
                    time: won.time.0,
                    source,
                },
            )
        })
        .collect();
    (traits, consents)
}

/// People whose profile stands, read back for their audiences.
pub async fn stored_views(tx: &mut Tx, people: FxHashMap<i64, Vec<i64>>) -> Result<Vec<View>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.persons(people.keys().copied()).await?;
    Ok(rows
        .into_iter()
        .map(|row| View {
            evidence: people.get(&row.id).cloned().unwrap_or_default(),
            ..view_of(&row)
        })
        .collect())
}

/// A stored person without its evidence.
pub fn view_of(row: &PersonRow) -> View {
    View {
        id: row.id,
        uuid: row.uuid,
        is_new: false,
        evidence: Vec::new(),
        traits: serde_json::from_str(&row.traits).unwrap_or_default(),
        consents: serde_json::from_str(&row.consents).unwrap_or_default(),
    }
}

/// Evaluates all audiences for the people given, and works out what destinations should hold of them.
pub async fn evaluate(tx: &mut Tx, context: &Context, views: &[View]) -> Result<()> {
    for chunk in views.chunks(2_000) {
        let members = memberships(tx, context, chunk).await?;
        want(tx, context, chunk, &members).await?;
    }
    Ok(())
}
