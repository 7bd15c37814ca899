//! The suppression list: identifiers whose people are sent nowhere. Only keyed hashes are kept. Every transaction that
//! decides what may be sent sees the list as it is then (I13, I15), and accepting an entry decides anew for the people who
//! have the identifier.

use crate::flow::neighbourhood::{find, identifier_of};
use crate::flow::settle::View;
use crate::flow::settle::select::{key_of, mark};
use crate::flow::stored_json::to_json;
use crate::flow::{Context, settle};
use crate::model::{Fields, Identifier, IdentifierKind};
use crate::store::{IdentifierRow, Result, Store, Tx};
use hmac::{Hmac, Mac};
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::Sha256;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// The kinds of identifiers that something can be sent to.
const REACHED_BY: [IdentifierKind; 2] = [IdentifierKind::Email, IdentifierKind::Phone];

/// The list at one version.
///
/// An identifier that is live suppresses each person whose evidence holds it, whichever address of the person would be
/// sent to. One that is shared or blocked belongs to nobody: only who would be reached at that very address or
/// number is not sent. One that nobody has yet holds as soon as somebody does.
#[derive(Debug, Default)]
pub struct List {
    version: i64,
    key: Vec<u8>,
    hashes: HashSet<Vec<u8>>,
}

impl List {
    /// True when the identifier, already normalised, is on the list.
    pub fn holds(&self, kind: &str, value: &str) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&hash(&self.key, kind, value))
    }

    /// True when what would be sent to is on the list.
    pub fn holds_reached(&self, traits: &Fields) -> bool {
        !self.hashes.is_empty()
            && REACHED_BY.iter().any(|kind| {
                let name = kind.text();
                let value = traits.get(&*name).and_then(|value| value.as_str());
                value.is_some_and(|value| self.holds(&name, value))
            })
    }
}

fn hash(key: &[u8], kind: &str, value: &str) -> Vec<u8> {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(kind.as_bytes());
    mac.update(&[0]);
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The list as this process read it last.
#[derive(Default)]
pub struct Suppression(Mutex<Arc<List>>);

impl Suppression {
    /// Makes the key of a new hub with `random`.
    pub async fn load(store: &Store, random: impl FnOnce() -> Uuid) -> Result<Self> {
        let mut tx = store.read().await?;
        if tx.hub_value("suppression_key").await?.is_none() {
            drop(tx);
            tx = store.begin().await?;
            if tx.hub_value("suppression_key").await?.is_none() {
                let key = random().simple().to_string();
                tx.set_hub_value("suppression_key", &key).await?;
            }
        }
        let list = read(&mut tx).await?;
        tx.commit().await?;
        Ok(Self(Mutex::new(Arc::new(list))))
    }

    /// The list as the transaction sees it.
    pub async fn at(&self, tx: &mut Tx) -> Result<Arc<List>> {
        let version = tx.suppression_version().await?;
        let known = self.known().clone();
        if known.version == version {
            return Ok(known);
        }
        let list = Arc::new(read(tx).await?);
        let mut known = self.known();
        // A transaction that began long ago may see an older one.
        if known.version < list.version {
            *known = list.clone();
        }
        Ok(list)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Arc<List>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(tx: &mut Tx) -> Result<List> {
    let key = tx.hub_value("suppression_key").await?.unwrap_or_default();
    Ok(List {
        version: tx.suppression_version().await?,
        key: key.into_bytes(),
        hashes: tx.suppressed().await?.into_iter().collect(),
    })
}

/// Those of the people of whom nothing may be sent.
pub(super) async fn suppressed(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
) -> Result<FxHashSet<i64>> {
    let list = context.suppression.at(tx).await?;
    if list.hashes.is_empty() {
        return Ok(FxHashSet::default());
    }
    let reached = views.iter().filter(|view| list.holds_reached(&view.traits));
    let mut found: FxHashSet<i64> = reached.map(|view| view.id).collect();
    let owners = owners(tx, views).await?;
    let evidence = tx.evidence_by_id(owners.keys().copied()).await?;
    let slots = evidence.iter().flat_map(|row| row.nodes.iter().copied());
    let mut on_it: FxHashSet<i64> = FxHashSet::default();
    for row in listed(tx, &list, slots).await? {
        if is_live(context, &row)? {
            on_it.insert(row.slot);
        }
    }
    if !on_it.is_empty() {
        let holding = evidence
            .iter()
            .filter(|row| row.nodes.iter().any(|slot| on_it.contains(slot)));
        found.extend(holding.filter_map(|row| owners.get(&row.id)));
    }
    Ok(found)
}

/// The evidence with an identifier that is on the list, whether it is live or not.
pub(super) async fn with_listed(
    tx: &mut Tx,
    context: &Context,
    evidence: &[(i64, &[i64])],
) -> Result<FxHashSet<i64>> {
    let list = context.suppression.at(tx).await?;
    if list.hashes.is_empty() {
        return Ok(FxHashSet::default());
    }
    let slots = evidence.iter().flat_map(|(_, nodes)| nodes.iter().copied());
    let listed = listed(tx, &list, slots).await?;
    let listed: FxHashSet<i64> = listed.iter().map(|row| row.slot).collect();
    let holding = evidence
        .iter()
        .filter(|(_, nodes)| nodes.iter().any(|slot| listed.contains(slot)));
    Ok(holding.map(|(id, _)| *id).collect())
}

/// Those of the identifiers at these slots that are on the list.
async fn listed(
    tx: &mut Tx,
    list: &List,
    slots: impl Iterator<Item = i64>,
) -> Result<Vec<IdentifierRow<'static>>> {
    let slots: BTreeSet<i64> = slots.collect();
    let slots: Vec<i64> = slots.into_iter().collect();
    let mut rows = tx.identifiers_at(&slots).await?;
    rows.retain(|row| list.holds(&row.kind, &row.value));
    Ok(rows)
}

/// Whose each piece of evidence is.
async fn owners(tx: &mut Tx, views: &[View]) -> Result<FxHashMap<i64, i64>> {
    let mut owners = FxHashMap::default();
    let mut unknown = Vec::new();
    for view in views {
        match view.evidence.is_empty() {
            true => unknown.push(view.id),
            false => owners.extend(view.evidence.iter().map(|id| (*id, view.id))),
        }
    }
    if !unknown.is_empty() {
        unknown.sort_unstable();
        let pairs = tx.evidence_of_persons(&unknown).await?;
        owners.extend(pairs.into_iter().map(|(person, id)| (id, person)));
    }
    Ok(owners)
}

/// Neither blocked nor shared, so that it says who somebody is.
fn is_live(context: &Context, row: &IdentifierRow<'_>) -> Result<bool> {
    Ok(!row.shared && !context.rules.blocks(&identifier_of(row)?))
}

/// What an entry on the list changed at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// People who have the identifier now, or are reached at it.
    pub people: usize,
    /// Of them, those of whom something could be sent to some destination until now.
    pub stopped: usize,
}

/// Puts an identifier on the list, in the caller's transaction. What is wanted of the people who have it may not be sent from
/// the moment that the transaction commits, and they are removed from the audiences that hold them.
pub async fn suppress(
    tx: &mut Tx,
    context: &Context,
    identifier: &Identifier,
    reason: &str,
) -> Result<Suppressed> {
    let list = context.suppression.at(tx).await?;
    let hash = hash(&list.key, &identifier.kind.text(), &identifier.value);
    tx.suppress(&hash, reason, context.clock.now()).await?;
    let people = holders(tx, context, identifier).await?;
    let rows = tx.forbid_wanted(people.iter().copied()).await?;
    // I13, I16: a delivery that looked at them before sends nothing of them any more.
    mark(tx, rows.iter().map(key_of).collect()).await?;
    let stopped: BTreeSet<i64> = rows.iter().map(|row| row.person_id).collect();
    Ok(Suppressed {
        people: people.len(),
        stopped: stopped.len(),
    })
}

async fn holders(tx: &mut Tx, context: &Context, identifier: &Identifier) -> Result<BTreeSet<i64>> {
    let Some(row) = find(tx, identifier).await? else {
        return Ok(BTreeSet::new());
    };
    if is_live(context, &row)? {
        let evidence = tx.evidence_of_components(row.component).await?.into_iter();
        let holding = evidence.filter(|one| one.nodes.contains(&row.slot));
        return Ok(holding.filter_map(|one| one.person_id).collect());
    }
    if !REACHED_BY.contains(&identifier.kind) {
        return Ok(BTreeSet::new());
    }
    let name = identifier.kind.text();
    let ids = tx.persons_with_value(&to_json(&identifier.value)).await?;
    let persons = tx.persons(ids).await?;
    let is_reached = |traits: &Fields| {
        let value = traits.get(&*name).and_then(|value| value.as_str());
        value == Some(identifier.value.as_str())
    };
    let mut found = BTreeSet::new();
    for row in &persons {
        let view = settle::view_of(row)?;
        if is_reached(&view.traits) {
            found.insert(view.id);
        }
    }
    Ok(found)
}
