//! What a transaction has touched: evidence, people and accounts. `ripple` evaluates what follows from it.

use crate::flow::commit::moves::Moves;
use crate::flow::context::Context;
use crate::store::{Result, Tx};
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

/// Evidence that a batch touched.
#[derive(Default)]
pub struct Touched {
    /// Evidence whose claims or facts changed.
    pub evidence: FxHashSet<i64>,
    /// Evidence whose claims changed: its people's profiles are rebuilt.
    pub claimed: FxHashSet<i64>,
}

/// The people and accounts that one transaction has touched. Stays empty where no audience is one of accounts.
#[derive(Default)]
pub struct Ripple {
    pub people: BTreeSet<i64>,
    pub accounts: BTreeSet<String>,
}

impl Ripple {
    /// Adds people whose first stratum has been evaluated.
    pub fn people(&mut self, ids: impl IntoIterator<Item = i64>) {
        self.people.extend(ids);
    }

    /// Adds accounts whose values or people changed.
    pub fn accounts(&mut self, ids: impl IntoIterator<Item = String>) {
        self.accounts.extend(ids);
    }

    /// Adds the accounts of people who are about to change.
    pub async fn accounts_of(&mut self, tx: &mut Tx, context: &Context, ids: &[i64]) -> Result<()> {
        if context.has_account_audiences() && !ids.is_empty() {
            let rows = tx.relations_of(ids.iter().copied()).await?;
            self.accounts(rows.into_iter().map(|row| row.account));
        }
        Ok(())
    }

    /// Adds the accounts that count people who have moved.
    pub async fn moved(&mut self, tx: &mut Tx, context: &Context, moves: &Moves) -> Result<()> {
        if context.counted.is_empty() {
            return Ok(());
        }
        self.accounts_of(tx, context, &moves.of(&context.counted))
            .await
    }
}
