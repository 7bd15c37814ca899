//! What follows from a change through audiences of accounts: people move, so their accounts are looked at; accounts move, so
//! the people are looked at who ask for them; and so on, stratum by stratum, so that nobody enters or leaves anything
//! in between. All of it is in the transaction of the change.

use crate::flow::accounts::{self, audiences};
use crate::flow::backfill;
use crate::flow::context::Context;
use crate::flow::settle::select::{Moves, memberships, want_as_stored};
use crate::flow::settle::{self, events_of};
use crate::store::{Result, Tx};
use std::collections::BTreeSet;

/// People or accounts that are in memory at once.
const CHUNK: usize = 2_000;

/// Whom one transaction has touched. Stays empty where no audience is one of accounts.
#[derive(Default)]
pub struct Ripple {
    people: BTreeSet<i64>,
    accounts: BTreeSet<String>,
}

impl Ripple {
    /// People whose first stratum has been worked out.
    pub fn people(&mut self, ids: impl IntoIterator<Item = i64>) {
        self.people.extend(ids);
    }

    /// Accounts whose values or people changed.
    pub fn accounts(&mut self, ids: impl IntoIterator<Item = String>) {
        self.accounts.extend(ids);
    }

    /// The accounts of people who are about to change.
    pub async fn accounts_of(&mut self, tx: &mut Tx, context: &Context, ids: &[i64]) -> Result<()> {
        if context.has_account_audiences() && !ids.is_empty() {
            let rows = tx.relations_of(ids.iter().copied()).await?;
            self.accounts(rows.into_iter().map(|row| row.account));
        }
        Ok(())
    }

    /// The accounts that count people who have moved.
    pub(in crate::flow) async fn moved(
        &mut self,
        tx: &mut Tx,
        context: &Context,
        moves: &Moves,
    ) -> Result<()> {
        if context.counted.is_empty() {
            return Ok(());
        }
        self.accounts_of(tx, context, &moves.of(&context.counted))
            .await
    }

    /// Works out everything that follows, and then what destinations should hold.
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
            let views = backfill::views(tx, context, rows).await?;
            let events = events_of(tx, context, &views).await?;
            memberships(tx, context, (&views, &events), Vec::new(), rank, self).await?;
        }
        Ok(())
    }

    async fn select_accounts(&mut self, tx: &mut Tx, context: &Context, rank: usize) -> Result<()> {
        let places = &context.strata[rank].accounts;
        if places.is_empty() {
            return Ok(());
        }
        let accounts: Vec<String> = self.accounts.iter().cloned().collect();
        for chunk in accounts.chunks(CHUNK) {
            let moved = audiences::evaluate(tx, context, places, chunk, None).await?;
            self.people(tx.people_of_main_accounts(&moved).await?);
        }
        Ok(())
    }
}

/// What destinations should hold of people, from what is stored.
pub async fn want_of(tx: &mut Tx, context: &Context, ids: &[i64]) -> Result<()> {
    if context.plan.destinations.is_empty() {
        return Ok(());
    }
    let mut rows = tx.persons(ids.iter().copied()).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let views = rows.iter().map(settle::view_of);
    let mut views = views.collect::<Result<Vec<settle::View>>>()?;
    accounts::fill(tx, context, &mut views).await?;
    want_as_stored(tx, context, &views).await
}
