//! A profile as it was at a past time: what the hub had received by then, under today's mappings and rules.
//! Nothing is stored for this; the versions of all records are read again, in two passes.
//!
//! The first pass maps every version and only remembers which identifiers it connects, a few bytes each. The second maps what
//! could have been connected with the person asked for, and that is resolved and built as usual.

mod properties;
mod reach;
mod then;

pub(super) use then::claim;

use crate::canonical;
use crate::flow::ask::profile::{Found, Lookup, Wanted};
use crate::flow::ask::shown::named;
use crate::flow::commit::fitted::versions_at;
use crate::flow::commit::identifiers::{find, identifier_of, statement_kind};
use crate::flow::commit::neighbourhood::{message_id, said_in};
use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::view::Consents;
use crate::flow::context::{Context, in_parallel};
use crate::manifest::{Plan, Stream};
use crate::model::{Canonical, ConsentStatement, Fields, Identifier, Timestamp};
use crate::profile::{self, Claim};
use crate::store::{PastVersion, Result, StatementRow, Tx};
use reach::{NOBODY, Reach};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use then::{Background, Silent, Stated, Then, account_claim};

/// Versions that are read and mapped at once.
const BATCH: i64 = 4_000;

/// The person asked for, as it was at `at`. `progress` is called with the last version that was looked at and the last of all.
pub async fn profile_at(
    context: &Context,
    wanted: &Wanted,
    at: Timestamp,
    progress: &(dyn Fn(i64, i64) + Sync),
) -> Result<Found> {
    let mut tx = context.store.read().await?;
    let mapping = Arc::new(Mapping::load(&mut tx, context.plan.clone()).await?);
    let stated = stated_at(&mut tx, at).await?;
    let question = Question {
        wanted,
        at,
        mapping: &mapping,
        stated: &stated,
    };
    let mut skimmed = skim(&mut tx, context, &question, progress).await?;
    let accounts = std::mem::take(&mut skimmed.accounts);
    let refused = std::mem::take(&mut skimmed.refused);
    let Some(versions) = skimmed.connected(wanted) else {
        return Ok(Found::Nobody);
    };
    let mut records = Vec::with_capacity(versions.len());
    for ids in versions.chunks(BATCH as usize) {
        let rows = tx.versions_at(ids.iter().copied()).await?;
        let mapping = mapping.clone();
        let mapped = in_parallel(move || {
            let mapped = rows.iter().filter_map(|row| mapping.map(row));
            mapped.collect::<Vec<_>>()
        });
        records.extend(mapped.await);
    }
    let silent = silent(&mut tx, &mapping, &records, refused).await?;
    let then = Then::new(records, &stated, &context.rules);
    let person = match then.find(context, wanted) {
        Lookup::Person(person) => person,
        Lookup::Shared => return Ok(Found::Shared),
        Lookup::Nobody => return Ok(Found::Nobody),
    };
    let background = Background {
        account: match then.main_account(context, person) {
            Some(id) => account_at(&mut tx, context, &mapping, &accounts, &id).await?,
            None => Fields::new(),
        },
        models: versions_at(&context.plan, &tx.models().await?, at)?,
        consents: consents_at(&mut tx, context, &then, person, silent, at).await?,
    };
    let view = then.view(context, person, at, background);
    let view = named(view, &context.plan.namespaces);
    Ok(Found::Person(Box::new(view)))
}

/// What held of consent: what the records said then, what stood on its own, and what operators had stated. When a record first said what it
/// says without a time is not known of the past, nor what repeated only what the hub had written, nor what a version refused that its own
/// batch replaced, once the record says something else.
async fn consents_at(
    tx: &mut Tx,
    context: &Context,
    then: &Then,
    person: u32,
    silent: Vec<Silent>,
    at: Timestamp,
) -> Result<Consents> {
    let held = then.held_by(person, &context.rules);
    let mut standing: FxHashMap<i64, Vec<ConsentStatement>> = FxHashMap::default();
    for one in &held {
        let Some(known) = find(tx, &one.identifier).await? else {
            continue;
        };
        let mut said = said_in(known.slot, known.consents.as_deref())?;
        said.retain(|said| match said.record {
            None => said.time <= at,
            Some(_) => said.is_refusal() && said.learned_at.is_some_and(|learned| learned <= at),
        });
        standing.insert(one.slot, said);
    }
    Ok(then.consents(context, person, &held, standing, &silent, at))
}

/// What these records refused in earlier versions and have said nothing of since.
async fn silent(
    tx: &mut Tx,
    mapping: &Mapping,
    records: &[Standing],
    mut refused: FxHashMap<i64, Vec<Refused>>,
) -> Result<Vec<Silent>> {
    let mut by_version: FxHashMap<i64, Vec<(Arc<str>, Timestamp, Timestamp)>> =
        FxHashMap::default();
    for record in records {
        for one in refused.remove(&record.slot).into_iter().flatten() {
            if let Some((at, learned_at)) = one.gone {
                let of = by_version.entry(one.version).or_default();
                of.push((one.purpose, at, learned_at));
            }
        }
    }
    let mut silent = Vec::new();
    for row in tx.versions_at(by_version.keys().copied()).await? {
        let Some(mut said) = mapping.map(&row) else {
            continue;
        };
        let gone = by_version.remove(&row.id).unwrap_or_default();
        let consents = std::mem::take(&mut said.canonical.consents);
        let consents = consents.into_iter().filter_map(|(purpose, consent)| {
            let (_, at, learned_at) = gone.iter().find(|(of, ..)| *of == purpose)?;
            Some(((purpose, consent), (*at, *learned_at)))
        });
        for (consent, gone) in consents.collect::<Vec<_>>() {
            let mut said = said.clone();
            said.canonical.consents = vec![consent];
            silent.push(Silent { said, gone });
        }
    }
    Ok(silent)
}

/// The winning values of an account, from the records that described it then.
async fn account_at(
    tx: &mut Tx,
    context: &Context,
    mapping: &Mapping,
    accounts: &FxHashMap<i64, (i64, String)>,
    id: &str,
) -> Result<Fields> {
    let versions = accounts.values().filter(|(_, account)| account == id);
    let mut versions: Vec<i64> = versions.map(|(version, _)| *version).collect();
    versions.sort_unstable();
    let rows = tx.versions_at(versions).await?;
    let claims = rows.iter().filter_map(|row| mapping.map(row));
    let claims: Vec<Claim> = claims
        .filter_map(account_claim)
        .map(|(_, claim)| claim)
        .collect();
    let rules = context.plan.survivorship.of_accounts();
    let built = profile::build(&claims, &rules).traits.into_iter();
    Ok(built.map(|(name, won)| (name, won.value)).collect())
}

/// What operators had stated by then and not revoked.
async fn stated_at(tx: &mut Tx, at: Timestamp) -> Result<Vec<Stated>> {
    let rows = tx.statements().await?;
    let stood = |row: &StatementRow| {
        row.stated_at <= at.0 && row.revoked.as_ref().is_none_or(|revoked| revoked.at > at.0)
    };
    let rows: Vec<StatementRow> = rows.into_iter().filter(stood).collect();
    let slots: Vec<i64> = rows.iter().flat_map(|row| [row.left, row.right]).collect();
    let identifiers = tx.identifiers_at(&slots).await?;
    let identifiers: FxHashMap<i64, Identifier> = identifiers
        .iter()
        .map(|row| Ok((row.slot, identifier_of(row)?)))
        .collect::<Result<_>>()?;
    let mut stated = Vec::with_capacity(rows.len());
    for row in &rows {
        let ends = (identifiers.get(&row.left), identifiers.get(&row.right));
        if let (Some(left), Some(right)) = ends {
            stated.push(Stated {
                kind: statement_kind(row)?,
                left: left.clone(),
                right: right.clone(),
            });
        }
    }
    Ok(stated)
}

/// A record as it stood, in canonical words.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub slot: i64,
    pub stream: StreamRef,
    pub key: String,
    pub canonical: Canonical,
    /// The time of what it says.
    pub stated_at: Timestamp,
}

impl Standing {
    /// The id of the message that the record is.
    pub fn message(&self) -> String {
        message_id(&self.stream, &self.key)
    }
}

/// Today's mappings of the streams that the store knows.
pub(super) struct Mapping {
    plan: Arc<Plan>,
    /// With the indexes of the source and of the stream in the plan.
    streams: FxHashMap<i64, (StreamRef, usize, usize)>,
}

impl Mapping {
    pub async fn load(tx: &mut Tx, plan: Arc<Plan>) -> Result<Self> {
        let mut streams = FxHashMap::default();
        for row in tx.stream_generations().await? {
            let found = plan.sources.iter().enumerate().find_map(|(at, source)| {
                let is_it =
                    |stream: &Stream| *source.name == *row.source && *stream.name == *row.name;
                let stream = source.streams.iter().position(is_it)?;
                Some((at, stream))
            });
            // Records of a stream that the manifests no longer have mean nothing today.
            if let Some((source, stream)) = found {
                streams.insert(row.id, (StreamRef::from(&row), source, stream));
            }
        }
        Ok(Self { plan, streams })
    }

    /// None for a deletion, and for a version that cannot be mapped: it was or would be set aside. The key, too, is that of
    /// today's mapping.
    pub fn map(&self, version: &PastVersion) -> Option<Standing> {
        let (stream, source_at, stream_at) = self.streams.get(&version.stream_id)?;
        let plan = &self.plan.sources[*source_at].streams[*stream_at];
        let body = version.body.as_ref()?;
        let record = canonical::read(plan, &stream.source, None, body).ok()?;
        let key = canonical::key_of(plan, &stream.source, &record).ok()?;
        let canonical = canonical::map(plan, &stream.source, &key, &record).canonical?;
        let known = version.changed_at.filter(|_| plan.updated_at.is_some());
        let changed_at = canonical.updated_at.or(known);
        Some(Standing {
            slot: version.slot,
            stream: stream.clone(),
            key,
            stated_at: changed_at.or(canonical.created_at).unwrap_or_default(),
            canonical,
        })
    }
}

/// What the first pass remembers of each version.
#[derive(Default)]
struct Skimmed {
    versions: Vec<i64>,
    slots: Vec<i64>,
    /// One of its identifiers, or `NOBODY`.
    nodes: Vec<u32>,
    reach: Reach,
    /// By the record's slot: the version that describes an account, and the account's id.
    accounts: FxHashMap<i64, (i64, String)>,
    /// By the record's slot: what it refused and has said nothing of since.
    refused: FxHashMap<i64, Vec<Refused>>,
    /// An identifier of the record after which the wanted id is named.
    named: u32,
}

/// A record's refusal, which holds until the record says something else (I14).
struct Refused {
    purpose: Arc<str>,
    /// The version that says it.
    version: i64,
    /// Since when the record is silent of it, and when the hub learned that.
    gone: Option<(Timestamp, Timestamp)>,
}

/// What is asked for, and what the answer depends on apart from the versions of records.
struct Question<'a> {
    wanted: &'a Wanted,
    at: Timestamp,
    mapping: &'a Arc<Mapping>,
    /// The statements in force at `at`.
    stated: &'a [Stated],
}

/// The first pass.
async fn skim(
    tx: &mut Tx,
    context: &Context,
    question: &Question<'_>,
    progress: &(dyn Fn(i64, i64) + Sync),
) -> Result<Skimmed> {
    let mut skimmed = Skimmed {
        named: NOBODY,
        ..Skimmed::default()
    };
    for statement in question.stated {
        skimmed.reach.connect([&statement.left, &statement.right]);
    }
    let total = tx.last_version().await?;
    let mut after = -1;
    loop {
        let rows = tx.versions_until(question.at, after, BATCH).await?;
        let Some(last) = rows.last() else {
            return Ok(skimmed);
        };
        after = last.id;
        let (mapping, wanted) = (question.mapping.clone(), question.wanted.clone());
        let rules = context.rules.clone();
        skimmed = in_parallel(move || {
            for row in &rows {
                let standing = mapping.map(row);
                let is_named = |one: &Standing| match &wanted {
                    Wanted::Id(id) => rules.person_id(&one.message()).0 == *id,
                    Wanted::Identifier(_) => false,
                };
                let node = standing.as_ref().map_or(NOBODY, |one| {
                    skimmed.reach.connect(&one.canonical.identifiers)
                });
                if standing.as_ref().is_some_and(is_named) {
                    skimmed.named = node;
                }
                skimmed.note_refusals(row, standing.as_ref());
                skimmed.accounts.remove(&row.slot);
                if let Some((account, _)) = standing.and_then(account_claim) {
                    skimmed.accounts.insert(row.slot, (row.id, account));
                }
                skimmed.versions.push(row.id);
                skimmed.slots.push(row.slot);
                skimmed.nodes.push(node);
            }
            skimmed
        })
        .await;
        progress(after, total);
    }
}

impl Skimmed {
    fn note_refusals(&mut self, row: &PastVersion, standing: Option<&Standing>) {
        if row.body.is_none() {
            self.refused.remove(&row.slot);
        }
        let Some(canonical) = standing.map(|standing| &standing.canonical) else {
            return;
        };
        if canonical.consents.is_empty() && !self.refused.contains_key(&row.slot) {
            return;
        }
        let refused = self.refused.entry(row.slot).or_default();
        refused.retain(|one| {
            canonical
                .consents
                .iter()
                .all(|(purpose, _)| *purpose != one.purpose)
        });
        let at = canonical
            .updated_at
            .map_or(row.received_at, |at| at.min(row.received_at));
        for one in refused.iter_mut() {
            one.gone.get_or_insert((at, row.received_at));
        }
        let said = canonical.consents.iter();
        let refusals = said.filter(|(_, consent)| !consent.status.is_granted());
        refused.extend(refusals.map(|(purpose, _)| Refused {
            purpose: purpose.clone(),
            version: row.id,
            gone: None,
        }));
    }

    /// The last version of each record that could be connected with the one asked for.
    fn connected(mut self, wanted: &Wanted) -> Option<Vec<i64>> {
        let start = match wanted {
            Wanted::Identifier(identifier) => self.reach.find(identifier)?,
            Wanted::Id(_) if self.named == NOBODY => return None,
            Wanted::Id(_) => self.named,
        };
        let start = self.reach.root(start);
        let near: Vec<bool> = (self.nodes.iter())
            .map(|node| *node != NOBODY && self.reach.root(*node) == start)
            .collect();
        let slots = self.slots.iter().zip(&near).filter(|(_, near)| **near);
        let slots: FxHashSet<i64> = slots.map(|(slot, _)| *slot).collect();
        let mut last: FxHashMap<i64, usize> = FxHashMap::default();
        for (index, slot) in self.slots.iter().enumerate() {
            if slots.contains(slot) {
                last.insert(*slot, index);
            }
        }
        let mut versions: Vec<i64> = last
            .into_values()
            .filter(|index| near[*index])
            .map(|index| self.versions[index])
            .collect();
        versions.sort_unstable();
        Some(versions)
    }
}
