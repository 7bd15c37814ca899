//! After identity: profiles of the people whose claims changed, audiences and wanted rows of everybody touched.
//! One transaction with what caused it.

use crate::audience::{EventFact, Facts};
use crate::flow::Context;
use crate::flow::neighbourhood::{Neighbourhood, Reshaped, Resolved};
use crate::model::{ConsentStatus, Fields, Timestamp};
use crate::profile::{self, Claim};
use crate::store::{ClaimRow, LogRow, MemberRow, PersonRow, Result, TimerRow, Tx, WantedRow};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
            ..view_of(row)
        })
        .collect())
}

/// A stored person without its evidence.
pub fn view_of(row: PersonRow) -> View {
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

/// Names of the audiences that each person is in, in the order of `views`; stores what changed.
async fn memberships(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
) -> Result<Vec<BTreeSet<String>>> {
    if context.plan.audiences.is_empty() {
        return Ok(vec![BTreeSet::new(); views.len()]);
    }
    let now = context.clock.now();
    let mut events = events_of(tx, context, views).await?;
    let known: Vec<i64> = views
        .iter()
        .filter(|view| !view.is_new)
        .map(|view| view.id)
        .collect();
    let mut before: FxHashMap<i64, BTreeSet<String>> = FxHashMap::default();
    if !known.is_empty() {
        for row in tx.memberships_of(known.iter().copied()).await? {
            before
                .entry(row.person_id)
                .or_default()
                .insert(row.audience);
        }
    }
    let mut moves = Moves::default();
    let mut timers = Vec::new();
    let mut after = Vec::with_capacity(views.len());
    for view in views {
        let events = events.remove(&view.id).unwrap_or_default();
        let was = before.remove(&view.id).unwrap_or_default();
        let is = judge(context, view, &events, &was, now, &mut moves, &mut timers);
        after.push(is);
    }
    moves.save(tx, now).await?;
    if !(timers.is_empty() && known.is_empty()) {
        tx.set_timers(&known, timers).await?;
    }
    Ok(after)
}

/// One person against every audience, those that others refer to first.
fn judge(
    context: &Context,
    view: &View,
    events: &[Happened],
    was: &BTreeSet<String>,
    now: Timestamp,
    moves: &mut Moves,
    timers: &mut Vec<TimerRow>,
) -> BTreeSet<String> {
    let happened: Vec<EventFact<'_>> = events
        .iter()
        .map(|event| EventFact {
            name: &event.name,
            time: event.time,
            properties: &event.properties,
        })
        .collect();
    let granted = |purpose: &str| {
        view.consents
            .get(purpose)
            .is_some_and(|entry| entry.status == ConsentStatus::Granted)
    };
    let mut is = BTreeSet::new();
    for index in &context.audience_order {
        let audience = &context.plan.audiences[*index];
        let within = |name: &str| is.contains(name);
        let facts = Facts {
            traits: &|name| view.traits.get(name),
            granted: &granted,
            audiences: &within,
            events: &happened,
        };
        let verdict = crate::audience::evaluate(&audience.who, &facts, now);
        let held = was.contains(&*audience.name);
        let cause =
            (verdict.holds != held).then(|| crate::audience::cause(&audience.who, &facts, now));
        if let Some(due) = verdict.changes_at {
            timers.push(TimerRow {
                audience: audience.name.to_string(),
                person_id: view.id,
                due_at: due.0,
            });
        }
        match (cause, verdict.holds) {
            (Some(cause), true) => moves.enter(&audience.name, view.id, view.uuid, now, &cause),
            (Some(cause), false) => moves.leave(&audience.name, view.id, view.uuid, &cause),
            (None, _) => {}
        }
        if verdict.holds {
            is.insert(audience.name.to_string());
        }
    }
    is
}

/// An event with its properties read.
pub struct Happened {
    pub name: String,
    pub time: Timestamp,
    pub properties: Fields,
}

/// The events that audiences read, by person.
async fn events_of(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
) -> Result<FxHashMap<i64, Vec<Happened>>> {
    if context.events_read.is_empty() {
        return Ok(FxHashMap::default());
    }
    let mut owner: FxHashMap<i64, i64> = FxHashMap::default();
    for view in views {
        owner.extend(view.evidence.iter().map(|id| (*id, view.id)));
    }
    let mut events: FxHashMap<i64, Vec<Happened>> = FxHashMap::default();
    for row in tx.events_of(owner.keys().copied()).await? {
        if context.events_read.contains(&row.name) {
            events
                .entry(owner[&row.evidence_id])
                .or_default()
                .push(Happened {
                    properties: serde_json::from_str(&row.properties).unwrap_or_default(),
                    name: row.name,
                    time: Timestamp(row.time),
                });
        }
    }
    Ok(events)
}

/// People who entered and left audiences.
#[derive(Default)]
struct Moves {
    entered: Vec<MemberRow>,
    left: Vec<(String, i64)>,
    log: Vec<LogRow>,
}

impl Moves {
    fn enter(
        &mut self,
        audience: &str,
        person_id: i64,
        uuid: [u8; 16],
        now: Timestamp,
        cause: &str,
    ) {
        self.entered.push(MemberRow {
            audience: audience.to_owned(),
            person_id,
            since: now.0,
        });
        self.write(audience, uuid, true, cause);
    }

    fn leave(&mut self, audience: &str, person_id: i64, uuid: [u8; 16], cause: &str) {
        self.left.push((audience.to_owned(), person_id));
        self.write(audience, uuid, false, cause);
    }

    fn write(&mut self, audience: &str, uuid: [u8; 16], entered: bool, cause: &str) {
        self.log.push(LogRow {
            id: 0,
            audience: audience.to_owned(),
            person: uuid,
            at: 0,
            entered,
            cause: cause.to_owned(),
        });
    }

    async fn save(mut self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        if self.log.is_empty() {
            return Ok(());
        }
        let first = tx.reserve("membership_log", self.log.len() as i64).await?;
        for (index, row) in self.log.iter_mut().enumerate() {
            row.id = first + index as i64;
            row.at = now.0;
        }
        self.entered
            .sort_unstable_by(|a, b| (&a.audience, a.person_id).cmp(&(&b.audience, b.person_id)));
        tx.remove_members(&self.left).await?;
        tx.add_members(self.entered).await?;
        tx.add_log(self.log).await
    }
}

/// What each destination should hold of each person, against what was wanted before.
async fn want(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
    members: &[BTreeSet<String>],
) -> Result<()> {
    if context.plan.destinations.is_empty() {
        return Ok(());
    }
    let known: Vec<i64> = views
        .iter()
        .filter(|view| !view.is_new)
        .map(|view| view.id)
        .collect();
    let mut before: FxHashMap<(i64, String, String), WantedRow> = FxHashMap::default();
    if !known.is_empty() {
        for row in tx.wanted_of(known).await? {
            before.insert(
                (row.person_id, row.destination.clone(), row.object.clone()),
                row,
            );
        }
    }
    let mut save = Vec::new();
    let mut keys = Vec::new();
    for (view, audiences) in views.iter().zip(members) {
        for row in context.wanted(view, audiences) {
            match before.remove(&(view.id, row.destination.clone(), row.object.clone())) {
                Some(old) if old == row => continue,
                Some(old) if old.remote_key != row.remote_key => keys.push(key_of(&old)),
                _ => {}
            }
            keys.push(key_of(&row));
            save.push(row);
        }
    }
    let gone: Vec<WantedRow> = before.into_values().collect();
    keys.extend(gone.iter().map(key_of));
    tx.remove_wanted(&gone).await?;
    save.sort_unstable_by(|a, b| {
        (&a.destination, &a.object, a.person_id).cmp(&(&b.destination, &b.object, b.person_id))
    });
    tx.save_wanted(save).await?;
    mark(tx, keys).await
}

fn key_of(row: &WantedRow) -> (String, String, String) {
    (
        row.destination.clone(),
        row.object.clone(),
        row.remote_key.clone(),
    )
}

async fn mark(tx: &mut Tx, mut keys: Vec<(String, String, String)>) -> Result<()> {
    keys.sort_unstable();
    keys.dedup();
    let first = tx.reserve("change", keys.len() as i64).await?;
    tx.mark_changes(first, keys).await
}
