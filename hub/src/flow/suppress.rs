//! The suppression list: identifiers whose people are sent nowhere. Only keyed hashes are kept.

use crate::flow::Context;
use crate::model::Identifier;
use crate::store::{Result, Store, Tx};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::HashSet;
use uuid::Uuid;

/// The list as it was when the run began, with the key of its hashes.
#[derive(Default)]
pub struct Suppression {
    key: Vec<u8>,
    hashes: HashSet<Vec<u8>>,
}

impl Suppression {
    /// Reads the list. `random` makes the key of a new hub.
    pub async fn load(store: &Store, random: impl FnOnce() -> Uuid) -> Result<Self> {
        let mut tx = store.begin().await?;
        let key = match tx.hub_value("suppression_key").await? {
            Some(key) => key,
            None => {
                let key = random().simple().to_string();
                tx.set_hub_value("suppression_key", &key).await?;
                key
            }
        };
        let hashes = tx.suppressed().await?.into_iter().collect();
        tx.commit().await?;
        Ok(Self {
            key: key.into_bytes(),
            hashes,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// True when the identifier, already normalised, is on the list.
    pub fn holds(&self, kind: &str, value: &str) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&self.hash(kind, value))
    }

    fn hash(&self, kind: &str, value: &str) -> Vec<u8> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key)
            .expect("HMAC takes keys of any length");
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

/// Puts an identifier on the list, in the caller's transaction; it counts for every change sent from the next run on.
pub async fn suppress(
    tx: &mut Tx,
    context: &Context,
    identifier: &Identifier,
    reason: &str,
) -> Result<()> {
    let hash = context
        .suppression
        .hash(&identifier.kind.to_string(), &identifier.value);
    tx.suppress(&hash, reason, context.clock.now()).await
}
