//! The one fence of every transaction that writes what follows from records (I15): it goes on only by the identity rules and
//! the lease by which its process works; a process that was overtaken is told, and stores nothing. Manifests are not fenced yet.

use crate::flow::context::Context;
use crate::flow::rules;
use crate::problem::Problem;
use crate::problem::codes::LEASE_LOST;
use crate::store::{Result, Tx};

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
    rules::check_current(tx, context).await?;
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
