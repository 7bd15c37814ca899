//! After identity: profiles of the people whose claims changed, audiences and wanted rows of everybody touched.
//! One transaction with what caused it.

mod building;
pub(super) mod computed;
pub(super) mod select;

use crate::flow::accounts;
use crate::flow::change::StreamRef;
use crate::flow::context::{Context, beside};
use crate::flow::neighbourhood::{Neighbourhood, Reshaped, Resolved};
use crate::flow::ripple::Ripple;
use crate::flow::stored_json::{read, to_json};
use crate::manifest::Survivorship;
use crate::model::{Canonical, ConsentStatus, Fields, Timestamp};
use crate::profile::{self, ACCOUNT_PREFIX, Claim};
use crate::store::{ClaimRow, PersonRow, Result, Tx};
use building::Profiles;
use rustc_hash::{FxHashMap, FxHashSet};
pub use select::{Happened, events_of};
use select::{Moves, key_of, mark, memberships, want};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// People whose events are in memory at the same time.
pub(super) const TOGETHER: usize = 2_000;

/// Evidence that a batch touched.
#[derive(Default)]
pub struct Touched {
    /// Evidence whose claims or facts changed.
    pub evidence: FxHashSet<i64>,
    /// Evidence whose claims changed: its people's profiles are built anew.
    pub claimed: FxHashSet<i64>,
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
    /// The audiences that its main account is in, with the time since when.
    pub account_audiences: BTreeMap<String, Timestamp>,
}

impl View {
    /// Whether the person's latest word on a purpose grants it.
    pub fn granted(&self, purpose: &str) -> bool {
        let entry = self.consents.get(purpose);
        entry.is_some_and(|entry| entry.status == ConsentStatus::Granted)
    }
}

#[derive(Serialize)]
struct ClaimBodyRef<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    traits: &'a Fields,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    consents: &'a BTreeMap<String, ConsentStatus>,
}

/// A stored claim as the stage wants it.
pub fn claim_of(row: ClaimRow) -> Result<Claim> {
    let body: ClaimBody = read("claim.body", row.slot, &row.body)?;
    Ok(Claim {
        source: row.source,
        record: row.record,
        time: Timestamp(row.time),
        traits: body.traits,
        consents: body.consents,
    })
}

/// Stores the neighbourhood and the profiles that follow from it. The claims of those who are built anew may have been read,
/// those of others among them.
pub async fn settle(
    tx: &mut Tx,
    context: &Context,
    (mut neighbourhood, reshaped): (Neighbourhood, Reshaped),
    (touched, mut fresh, stored): (Touched, Vec<FreshClaim>, Option<Vec<ClaimRow>>),
    ripple: &mut Ripple,
) -> Result<()> {
    tx.save_heirs(&reshaped.heirs).await?;
    bury(tx, context, &reshaped.gone, ripple).await?;
    let (rebuild, look) = people(&neighbourhood, reshaped, &touched);
    let mut aliases: Vec<([u8; 16], i64)> = rebuild
        .iter()
        .filter(|person| !person.is_named)
        .map(|person| (person.uuid, person.earliest))
        .collect();
    aliases.sort_unstable();
    let stored = match stored {
        Some(stored) => stored,
        None => {
            let evidence = rebuild.iter().flat_map(|person| &person.evidence);
            let stored = evidence.filter(|id| !neighbourhood.is_new_evidence(**id));
            tx.claims_of(stored.copied()).await?
        }
    };
    // Those of evidence that was there are among the stored ones.
    fresh.retain(|(row, _)| neighbourhood.is_new_evidence(row.evidence_id));
    // Profiles are built while identifiers, evidence and aliases are written.
    let building = beside({
        let context = context.clone();
        move || building::build(rebuild, stored, fresh, &context)
    });
    neighbourhood.save(tx).await?;
    neighbourhood.save_capped(tx, context.clock.now()).await?;
    tx.save_aliases(&aliases).await?;
    let Profiles {
        mut rows,
        new_rows,
        mut views,
    } = building.await?;
    let mut worked = FxHashMap::default();
    if context.watches_people() {
        views.extend(stored_views(tx, look).await?);
        views.sort_unstable_by_key(|view| view.id);
        accounts::relate(tx, context, &mut views, ripple).await?;
        worked = select(tx, context, &mut views, ripple).await?;
    }
    for row in &mut rows {
        if let Some(traits) = worked.remove(&row.id) {
            row.traits = traits;
        }
    }
    // The new ones come first.
    let (new, known) = rows.split_at(new_rows);
    tx.add_persons(new).await?;
    tx.update_persons(known).await?;
    let worked: Vec<(i64, String)> = worked.into_iter().collect();
    tx.save_traits(&worked).await?;
    // Freeing what a batch needed takes a while, too.
    drop(beside(move || drop((neighbourhood, rows))));
    Ok(())
}

/// Who is to be built anew, and whose facts alone changed. Evidence that is gone needs no look: the people of its whole
/// component are built anew.
fn people(
    neighbourhood: &Neighbourhood,
    reshaped: Reshaped,
    touched: &Touched,
) -> (Vec<Resolved>, FxHashMap<i64, Vec<i64>>) {
    let mut rebuild = reshaped.people;
    let done: FxHashSet<i64> = rebuild.iter().map(|person| person.id).collect();
    let of = |evidence: &FxHashSet<i64>| -> FxHashSet<i64> {
        evidence
            .iter()
            .filter_map(|id| neighbourhood.person_of(*id))
            .filter(|person| !done.contains(person))
            .collect()
    };
    let claimed: FxHashSet<i64> = of(&touched.claimed);
    let mut look = neighbourhood.evidence_of_persons(&of(&touched.evidence));
    for id in claimed {
        let evidence = look.remove(&id).unwrap_or_default();
        rebuild.extend(neighbourhood.standing(id, evidence));
    }
    (rebuild, look)
}

/// People who are no more: their rows go.
async fn bury(tx: &mut Tx, context: &Context, ids: &[i64], ripple: &mut Ripple) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    if context.watches_people() {
        leave_all(tx, context, ids).await?;
    }
    ripple.accounts_of(tx, context, ids).await?;
    tx.remove_relations(ids).await?;
    tx.remove_persons(ids).await
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
    tx.set_timers(ids, &[]).await?;
    tx.set_faults(ids, &[]).await?;
    let wanted = tx.wanted_of(ids.iter().copied()).await?;
    let keys = wanted.iter().map(key_of).collect();
    tx.remove_wanted(&wanted).await?;
    mark(tx, keys).await
}

/// A claim that was just written, and the profile that it would make alone.
pub type FreshClaim = (ClaimRow, Alone);

/// A claim as it is stored, and the profile that it would make alone; both made where the record is mapped.
#[derive(Debug)]
pub struct Told {
    pub body: String,
    pub alone: Alone,
}

impl Told {
    /// What a record says of its person; takes the traits and consents out of it. Every record without a fact says something, so that
    /// its evidence is known to be supported.
    pub fn by(canonical: &mut Canonical, stream: &StreamRef, context: &Context) -> Option<Self> {
        if canonical.fact.is_some() && canonical.consents.is_empty() {
            return None;
        }
        let traits = std::mem::take(&mut canonical.traits);
        let body = to_json(&ClaimBodyRef {
            traits: &traits,
            consents: &canonical.consents,
        });
        let claim = Claim {
            source: stream.source.clone(),
            record: String::new(),
            time: canonical.told_at(),
            traits,
            consents: std::mem::take(&mut canonical.consents),
        };
        Some(Self {
            body,
            alone: Alone(Built::from(vec![claim], context)),
        })
    }
}

/// The profile of a person about whom one claim is all that is known.
#[derive(Debug, Default)]
pub struct Alone(Built);

/// A profile as it is stored, and as audiences and destinations read it where there are any.
#[derive(Debug, Default)]
struct Built {
    traits: String,
    consents: String,
    read: Option<(Fields, BTreeMap<String, ConsentEntry>)>,
}

impl Built {
    fn from(claims: Vec<Claim>, context: &Context) -> Self {
        let (traits, consents) = profile_of(claims, &context.plan.survivorship);
        Self {
            traits: to_json(&traits),
            consents: to_json(&consents),
            read: context.watches_people().then_some((traits, consents)),
        }
    }
}

/// Winning traits and consents of a person's claims.
pub(super) fn profile_of(
    mut claims: Vec<Claim>,
    rules: &Survivorship,
) -> (Fields, BTreeMap<String, ConsentEntry>) {
    if claims.len() == 1
        && let Some(claim) = claims.pop()
    {
        let source = claim.source.clone();
        let (traits, consents) = profile::build_one(claim, rules);
        let consents = consents
            .into_iter()
            .map(|(purpose, won)| (purpose, entry(won, &source)))
            .collect();
        return (traits, consents);
    }
    let profile = profile::build(&claims, rules);
    let traits = profile
        .traits
        .into_iter()
        .map(|(name, won)| (name, won.value))
        .collect();
    let consents = profile
        .consents
        .into_iter()
        .map(|(purpose, won)| {
            let source = &claims[won.claim as usize].source;
            (purpose, entry(won, source))
        })
        .collect();
    (traits, consents)
}

fn entry(won: profile::WonConsent, source: &str) -> ConsentEntry {
    ConsentEntry {
        status: won.status,
        time: won.time.0,
        source: source.to_owned(),
    }
}

/// People whose profile stands, read back for their audiences.
pub async fn stored_views(tx: &mut Tx, people: FxHashMap<i64, Vec<i64>>) -> Result<Vec<View>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.persons(people.keys().copied()).await?;
    rows.iter()
        .map(|row| {
            Ok(View {
                evidence: people.get(&row.id).cloned().unwrap_or_default(),
                ..view_of(row)?
            })
        })
        .collect()
}

/// A stored person without its evidence.
pub fn view_of(row: &PersonRow) -> Result<View> {
    Ok(View {
        id: row.id,
        uuid: row.uuid,
        is_new: false,
        evidence: Vec::new(),
        traits: traits_of(row)?,
        consents: read("person.consents", row.id, &row.consents)?,
        account_audiences: BTreeMap::new(),
    })
}

/// The winning values of a stored person.
pub fn traits_of(row: &PersonRow) -> Result<Fields> {
    read("person.traits", row.id, &row.traits)
}

/// Works out the traits and evaluates all audiences for people who stand in the store.
pub async fn evaluate(
    tx: &mut Tx,
    context: &Context,
    views: &mut [View],
    ripple: &mut Ripple,
) -> Result<()> {
    let worked = select(tx, context, views, ripple).await?;
    let worked: Vec<(i64, String)> = worked.into_iter().collect();
    tx.save_traits(&worked).await
}

/// Works out traits, audiences, and what destinations should hold. Gives the traits that are not what the views said, as JSON,
/// by person.
async fn select(
    tx: &mut Tx,
    context: &Context,
    views: &mut [View],
    ripple: &mut Ripple,
) -> Result<FxHashMap<i64, String>> {
    let mut traits = FxHashMap::default();
    for chunk in views.chunks_mut(TOGETHER) {
        let events = events_of(tx, context, chunk).await?;
        let worked = computed::work_out(tx, context, chunk, &events).await?;
        let changed: FxHashSet<i64> = worked.changed.into_iter().collect();
        let views = chunk.iter().filter(|view| changed.contains(&view.id));
        // What is read of an account is kept with the account.
        let own = |view: &View| -> String {
            let own = view.traits.iter();
            let own = own.filter(|(name, _)| !name.starts_with(ACCOUNT_PREFIX));
            to_json(&own.collect::<BTreeMap<_, _>>())
        };
        traits.extend(views.map(|view| (view.id, own(view))));
        let members = memberships(tx, context, (chunk, &events), worked.timers, 0, ripple).await?;
        // What is wanted can depend on audiences that are worked out later.
        match context.has_account_audiences() {
            true => ripple.people(chunk.iter().map(|view| view.id)),
            false => want(tx, context, chunk, &members).await?,
        }
    }
    Ok(traits)
}
