//! The suppression list: identifiers whose people are sent nowhere. Only keyed hashes are kept. Every transaction that
//! decides what may be sent sees the list as it is then (I13, I15).

use crate::model::{Fields, IdentifierKind};
use crate::store::{Result, Store, Tx};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// The kinds of identifiers that something can be sent to.
pub(super) const REACHED_BY: [IdentifierKind; 2] = [IdentifierKind::Email, IdentifierKind::Phone];

/// The list at one version.
///
/// A live identifier suppresses each person whose evidence holds it, whichever address of the person would be sent to, and puts on the list
/// what else is that person's alone: addresses and strong ids. An address that came to the list in this way suppresses only who would be
/// reached at it, and no such entry brings others to the list. A number that several people share does the same for all of them. Any
/// other shared one and a blocked one belong to no person: they suppress only people who would be reached at that very address or number.
/// One that no person has yet takes effect as soon as a person has it.
#[derive(Debug, Default)]
pub struct List {
    version: i64,
    key: Vec<u8>,
    /// Whether nobody named it: it was the person's who had the one that was named.
    hashes: HashMap<Vec<u8>, bool>,
}

impl List {
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The hash of an identifier, already normalised, as the list holds it.
    pub(super) fn hash(&self, kind: &str, value: &str) -> Vec<u8> {
        hash(&self.key, kind, value)
    }

    /// True when the identifier, already normalised, is on the list.
    pub fn holds(&self, kind: &str, value: &str) -> bool {
        !self.is_empty() && self.hashes.contains_key(&self.hash(kind, value))
    }

    /// True when it is on the list because an operator named it.
    pub(super) fn is_named(&self, kind: &str, value: &str) -> bool {
        self.hashes.get(&self.hash(kind, value)) == Some(&false)
    }

    /// True when an address or number that would be sent to is on the list.
    pub fn holds_reached(&self, traits: &Fields) -> bool {
        !self.is_empty()
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
        // A transaction that began long ago may see an older one, and one that adds to the list may be rolled back.
        if known.version < list.version && !tx.changes_list() {
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
