//! What follows from a change through audiences of accounts: when people move, their accounts are evaluated; when accounts
//! move, the people whose conditions refer to them are evaluated; and so on, stratum by stratum, so that nobody enters or
//! leaves anything in between. All of it is in the transaction of the change.

use crate::flow::commit::select::{Selecting, memberships};
use crate::flow::commit::touched::Ripple;
use crate::flow::commit::views::{events_of, views};
use crate::flow::commit::want::want_of;
use crate::flow::commit::{account_audiences, settle};
use crate::flow::context::Context;
use crate::store::{Result, Tx};

/// People or accounts that are in memory at once.
const CHUNK: usize = 2_000;

impl Ripple {
    /// Evaluates everything that follows, and then updates what destinations should hold.
    pub async fn carry(mut self, tx: &mut Tx, context: &Context) -> Result<()> {
        if !context.has_account_audiences() {
            return Ok(());
        }
        for rank in 0..context.strata.len() {
            if rank > 0 {
                self.select_people(tx, context, rank).await?;
            }
            self.select_accounts(tx, context, rank).await?;
        }
        let people: Vec<i64> = self.people.into_iter().collect();
        for chunk in people.chunks(CHUNK) {
            want_of(tx, context, chunk).await?;
        }
        Ok(())
    }

    async fn select_people(&mut self, tx: &mut Tx, context: &Context, rank: usize) -> Result<()> {
        let people: Vec<i64> = self.people.iter().copied().collect();
        for chunk in people.chunks(CHUNK) {
            let rows = tx.persons(chunk.iter().copied()).await?;
            let views = views(tx, context, rows).await?;
            let events = events_of(tx, context, &views).await?;
            let selecting = Selecting {
                views: &views,
                events: &events,
                timers: Vec::new(),
                rank,
            };
            memberships(tx, context, selecting, self).await?;
        }
        Ok(())
    }

    async fn select_accounts(&mut self, tx: &mut Tx, context: &Context, rank: usize) -> Result<()> {
        let indexes = &context.strata[rank].accounts;
        if indexes.is_empty() {
            return Ok(());
        }
        let accounts: Vec<String> = self.accounts.iter().cloned().collect();
        for chunk in accounts.chunks(CHUNK) {
            let moved = account_audiences::evaluate(tx, context, indexes, chunk, None).await?;
            self.people(tx.people_of_main_accounts(&moved).await?);
        }
        Ok(())
    }
}

/// Evaluates the people of accounts that changed.
pub async fn look(
    tx: &mut Tx,
    context: &Context,
    changed: Vec<String>,
    ripple: &mut Ripple,
) -> Result<()> {
    let plan = &context.plan;
    let nobody_asks =
        plan.audiences.is_empty() && plan.destinations.is_empty() && !context.works_out_traits();
    if changed.is_empty() || nobody_asks {
        return Ok(());
    }
    let people = tx.people_of_accounts(&changed).await?;
    for chunk in people.chunks(5_000) {
        let rows = tx.persons(chunk.iter().copied()).await?;
        let mut views = views(tx, context, rows).await?;
        settle::evaluate(tx, context, &mut views, ripple).await?;
    }
    ripple.accounts(changed);
    Ok(())
}
