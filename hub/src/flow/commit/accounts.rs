//! Accounts: built from the records of all sources that describe them, related to people, and read by people's conditions.
//!
//! A record of an account stream describes the account that its `id` names, or its key where it maps no `id`. A person
//! belongs to the accounts that its trait `account_id` and the same property of its events name. When an account changes, its
//! people are evaluated again, and when a person changes, its accounts are, each in the transaction of the change.

mod properties;

use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::touched::Ripple;
use crate::flow::commit::view::View;
use crate::flow::commit::views;
use crate::flow::context::Context;
use crate::flow::stored_json::{read, to_json};
use crate::model::{Fields, Timestamp, Value};
use crate::profile::{self, ACCOUNT_FIELD, Claim, account_ids};
use crate::store::{AccountClaimRow, AccountRow, RecordRow, RelationRow, Result, Tx};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// What a batch changes about accounts.
#[derive(Default)]
pub struct AccountChanges {
    /// Records that have a new version or are gone.
    pub judged: Vec<i64>,
    claims: Vec<AccountClaimRow>,
}

impl AccountChanges {
    /// Adds what a record says of an account.
    pub fn add(
        &mut self,
        fields: &Fields,
        record: &RecordRow,
        time: Timestamp,
        stream: &StreamRef,
    ) {
        let id = fields.get("id").map(account_ids).unwrap_or_default();
        let id = id.into_iter().next();
        self.claims.push(AccountClaimRow {
            account: id.unwrap_or_else(|| record.key.clone()),
            slot: record.slot,
            source: stream.namespace().to_owned(),
            record: stream.record(&record.key),
            time: time.0,
            traits: to_json(fields),
        });
    }
}

/// Rebuilds the accounts that a batch says something about. Returns the accounts that changed.
pub async fn update(
    tx: &mut Tx,
    context: &Context,
    mut changes: AccountChanges,
) -> Result<Vec<String>> {
    let lost = tx.take_account_claims(&changes.judged).await?;
    let new = changes.claims.iter().map(|claim| claim.account.clone());
    let touched: BTreeSet<String> = lost.into_iter().chain(new).collect();
    if touched.is_empty() {
        return Ok(Vec::new());
    }
    changes
        .claims
        .sort_unstable_by(|a, b| (&a.account, a.slot).cmp(&(&b.account, b.slot)));
    tx.save_account_claims(&changes.claims).await?;
    rebuild(tx, context, touched.into_iter().collect()).await
}

/// Builds accounts from their claims. Returns the accounts whose winning values changed.
pub async fn rebuild(tx: &mut Tx, context: &Context, touched: Vec<String>) -> Result<Vec<String>> {
    let rules = context.plan.survivorship.of_accounts();
    let mut claims: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
    for row in tx.account_claims(&touched).await? {
        claims
            .entry(row.account.clone())
            .or_default()
            .push(claim_of(row)?);
    }
    let before: FxHashMap<String, String> = tx
        .accounts(&touched)
        .await?
        .into_iter()
        .map(|row| (row.id, row.traits))
        .collect();
    let (mut save, mut gone) = (Vec::new(), Vec::new());
    for id in touched {
        let Some(claims) = claims.get(&id) else {
            if before.contains_key(&id) {
                gone.push(id);
            }
            continue;
        };
        let built = profile::build(claims, &rules).traits.into_iter();
        let traits: Fields = built.map(|(name, won)| (name, won.value)).collect();
        let traits = to_json(&traits);
        if before.get(&id) != Some(&traits) {
            save.push(AccountRow { id, traits });
        }
    }
    tx.save_accounts(&save).await?;
    tx.remove_accounts(&gone).await?;
    gone.extend(save.into_iter().map(|row| row.id));
    Ok(gone)
}

pub fn claim_of(row: AccountClaimRow) -> Result<Claim> {
    Ok(Claim {
        source: row.source.into(),
        record: row.record,
        time: Timestamp(row.time),
        traits: read("account_claim.traits", row.slot, &row.traits)?,
        since: BTreeMap::new(),
        is_aside: false,
    })
}

/// Updates the relations of people whose traits or events changed, and adds what they read of their accounts.
pub async fn relate(
    tx: &mut Tx,
    context: &Context,
    views: &mut [View],
    ripple: &mut Ripple,
) -> Result<()> {
    if !context.relating.people {
        return Ok(());
    }
    let mut named = named_by_events(tx, context, views).await?;
    let mut before: FxHashMap<i64, Vec<RelationRow>> = FxHashMap::default();
    let known = views.iter().filter(|view| !view.is_new).map(|view| view.id);
    for row in tx.relations_of(known).await? {
        before.entry(row.person_id).or_default().push(row);
    }
    let (mut save, mut changed) = (Vec::new(), Vec::new());
    for view in views.iter() {
        let events = named.remove(&view.id).unwrap_or_default();
        let accounts = profile::accounts_of(&view.traits, events).into_iter();
        let after: Vec<RelationRow> = accounts
            .zip(0..)
            .map(|(account, place)| RelationRow {
                person_id: view.id,
                place,
                account,
            })
            .collect();
        let before = before.remove(&view.id).unwrap_or_default();
        if before != after {
            if context.has_account_audiences() {
                let both = before.iter().chain(&after);
                ripple.accounts(both.map(|row| row.account.clone()));
            }
            changed.push(view.id);
            save.extend(after);
        }
    }
    tx.remove_relations(&changed).await?;
    save.sort_unstable();
    tx.save_relations(&save).await?;
    views::add_account_traits(tx, context, views).await
}

/// The accounts that each person's events name.
async fn named_by_events(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
) -> Result<FxHashMap<i64, Vec<String>>> {
    let mut named: FxHashMap<i64, Vec<String>> = FxHashMap::default();
    if !context.relating.events {
        return Ok(named);
    }
    let pairs = |view: &View| {
        view.evidence
            .iter()
            .map(|id| (*id, view.id))
            .collect::<Vec<_>>()
    };
    let owner: FxHashMap<i64, i64> = views.iter().flat_map(pairs).collect();
    let evidence = owner.keys().copied();
    for (evidence, json) in tx.accounts_of_events(evidence, ACCOUNT_FIELD).await? {
        let value: Value = read("event.properties of evidence", evidence, &json)?;
        let of = named.entry(owner[&evidence]).or_default();
        of.extend(account_ids(&value));
    }
    Ok(named)
}
