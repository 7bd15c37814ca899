//! The one fence of every transaction that writes what follows from records (I15): it goes on only by the identity rules and
//! the lease by which its process works; a process that was overtaken is told, and stores nothing. Manifests are not fenced yet.

use crate::flow::context::Context;
use crate::flow::stored_json::read;
use crate::problem::Problem;
use crate::problem::codes::{LEASE_LOST, RULES_CHANGED};
use crate::store::{Result, Tx};

/// The hub's value that counts the changes of identity rules.
pub const VERSION: &str = "identity_version";

impl Context {
    /// A transaction that may write.
    pub async fn begin(&self) -> Result<Tx> {
        self.begin_for(0).await
    }

    /// The same for so many records; see `Store::begin_for`.
    pub async fn begin_for(&self, records: usize) -> Result<Tx> {
        let mut tx = self.store.begin_for(records).await?;
        check(&mut tx, self).await?;
        Ok(tx)
    }
}

impl Context {
    /// The same for work that does not depend on the rules.
    pub async fn begin_held(&self) -> Result<Tx> {
        let mut tx = self.store.begin().await?;
        check_lease(&mut tx, self).await?;
        Ok(tx)
    }
}

// I15
async fn check(tx: &mut Tx, context: &Context) -> Result<()> {
    check_current(tx, context).await?;
    check_lease(tx, context).await
}

async fn check_lease(tx: &mut Tx, context: &Context) -> Result<()> {
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

/// Refuses to work on by rules that another process has replaced.
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
