//! The one fence of every transaction that writes what follows from records (I13, I15): it goes on only while its process has
//! the current manifests, the current identity rules and its lease; a process that was overtaken gets an error, and stores and
//! sends nothing.

use crate::flow::context::Context;
use crate::flow::stored_json::{read, to_json};
use crate::problem::Problem;
use crate::problem::codes::{LEASE_LOST, MANIFESTS_CHANGED, RULES_CHANGED};
use crate::store::{Result, Tx};
use serde::{Deserialize, Serialize};

/// The hub's value that says which manifests its processes use.
const MANIFESTS: &str = "manifests";

/// The manifests that are in use.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifests {
    /// Goes up each time a process begins to write with different ones.
    pub version: i64,
    pub digest: String,
}

/// The hub's value of the identity rules that are being put in force.
pub const APPLYING: &str = "identity_rules_next";

/// The hub's value that counts the changes of identity rules.
pub const VERSION: &str = "identity_version";

impl Context {
    /// A transaction that may write.
    pub async fn begin(&self) -> Result<Tx> {
        self.begin_for(0).await
    }

    /// The same for this number of records; see `Store::begin_for`.
    pub async fn begin_for(&self, records: usize) -> Result<Tx> {
        let mut tx = self.store.begin_for(records).await?;
        check_current(&mut tx, self).await?;
        check(&mut tx, self).await?;
        Ok(tx)
    }

    /// The same for work that does not depend on the rules.
    pub async fn begin_held(&self) -> Result<Tx> {
        let mut tx = self.store.begin().await?;
        check(&mut tx, self).await?;
        Ok(tx)
    }
}

/// Whether this process still has the current manifests.
pub async fn has_current_manifests(tx: &mut Tx, context: &Context) -> Result<bool> {
    Ok(manifests(tx).await?.version == context.manifests_version)
}

/// The digest of the current manifests; empty where no process has written yet.
pub async fn manifests_digest(tx: &mut Tx) -> Result<String> {
    Ok(manifests(tx).await?.digest)
}

pub(super) async fn set_manifests(tx: &mut Tx, manifests: &Manifests) -> Result<()> {
    tx.set_hub_value(MANIFESTS, &to_json(manifests)).await
}

pub(super) async fn manifests(tx: &mut Tx) -> Result<Manifests> {
    let text = tx.hub_value(MANIFESTS).await?;
    let known = text.map(|text| read("hub.value", MANIFESTS, &text));
    Ok(known.transpose()?.unwrap_or_default())
}

/// Refuses to go on without the current manifests or the lease. Also for a transaction that only reads.
// I13, I15
pub async fn check(tx: &mut Tx, context: &Context) -> Result<()> {
    if !has_current_manifests(tx, context).await? {
        let message = "another process uses this hub with other manifests";
        let hint =
            "run it again: it reads the manifests as they are now, and goes on where it stopped";
        return Err(Problem::new(&MANIFESTS_CHANGED, message).hint(hint));
    }
    let Some(token) = &context.lease else {
        return Ok(());
    };
    let job = tx.job(&token.name).await?;
    match job.is_some_and(|job| job.token == token.number && job.holder.is_some()) {
        true => Ok(()),
        false => Err(Problem::new(
            &LEASE_LOST,
            format!("another process took over `{}`", token.name),
        )
        .hint("this one was silent for too long; nothing more was stored by it")),
    }
}

/// Refuses to go on with rules that another process has replaced.
async fn check_current(tx: &mut Tx, context: &Context) -> Result<()> {
    match version(tx).await? == context.rules_version {
        true => Ok(()),
        false => Err(Problem::new(
            &RULES_CHANGED,
            "other identity rules were applied to this hub meanwhile",
        )
        .hint("run it again; it goes on where it stopped")),
    }
}

pub async fn version(tx: &mut Tx) -> Result<i64> {
    let value = tx.hub_value(VERSION).await?;
    value.map_or(Ok(0), |text| read("hub.value", VERSION, &text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::flow::harness::World;
    use crate::flow::lease;
    use crate::flow::{self, Leave};

    const MANIFEST: &str = "[hub]\nname = \"fenced\"\nstore = \"sqlite:unused.db\"\n";

    // I13
    #[tokio::test]
    async fn a_process_by_older_manifests_stores_and_sends_nothing() {
        let mut world = World::new(MANIFEST, &[], 0).await;
        flow::enter(&mut world.context, &|| true, &Leave::Automatic)
            .await
            .unwrap();
        let old = world.context.clone();
        let held = lease::take(&old, "deliver tool").await.unwrap().unwrap();
        let sending = held.fencing(&old);
        world.reread(MANIFEST, &[]).await;
        assert!(old.begin().await.is_ok(), "these are the same manifests");

        world.reread(&format!("{MANIFEST}\n"), &[]).await;
        let mut tx = world.context.store.read().await.unwrap();
        assert!(!has_current_manifests(&mut tx, &old).await.unwrap());
        drop(tx);
        for begun in [
            old.begin().await,
            old.begin_held().await,
            sending.begin_held().await,
        ] {
            assert_eq!(begun.err().unwrap().code, &MANIFESTS_CHANGED);
        }
        assert!(world.context.begin().await.is_ok());
        // Manifests that are put back count as different ones again.
        let newer = world.context.clone();
        world.reread(MANIFEST, &[]).await;
        assert!(newer.begin().await.is_err() && old.begin().await.is_err());
        assert!(world.context.begin().await.is_ok());
    }

    // I13
    #[tokio::test]
    async fn manifests_that_were_edited_since_they_were_read_do_not_replace_the_edited_ones() {
        let mut world = World::new(MANIFEST, &[], 0).await;
        let mut slow = world.context.clone();
        world.reread(&format!("{MANIFEST}\n"), &[]).await;
        let entered = flow::enter(&mut slow, &|| false, &Leave::Automatic).await;
        assert_eq!(entered.unwrap_err().code, &MANIFESTS_CHANGED);
        assert!(world.context.begin().await.is_ok());
        assert!(slow.begin().await.is_err());
    }
}
