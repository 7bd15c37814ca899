//! Accounts: built from the records of all sources that speak of them, related to people, and read by people's conditions.
//!
//! A record of an account stream tells about the account that its `id` names, or its key where it maps no `id`. A person
//! belongs to the accounts that its trait `account_id` and the same property of its events name. A changed account looks at
//! its people again, a changed person at its accounts, each in the transaction of the change.

pub mod audiences;
mod properties;

use crate::flow::backfill;
use crate::flow::change::StreamRef;
use crate::flow::context::Context;
use crate::flow::ripple::Ripple;
use crate::flow::settle::{self, View, traits_of};
use crate::flow::show::InAudience;
use crate::flow::stored_json::{read, to_json};
use crate::landing;
use crate::model::{EntityKind, Fields, Timestamp, Value};
use crate::profile::{self, ACCOUNT_FIELD, ACCOUNT_PREFIX, Claim, account_ids};
use crate::store::{AccountClaimRow, AccountRow, PersonRow, RelationRow, Result, Tx};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a batch says anew about accounts.
#[derive(Default)]
pub struct Told {
    /// Records that have a new version or are gone.
    pub judged: Vec<i64>,
    claims: Vec<AccountClaimRow>,
}

impl Told {
    pub fn entity(
        &mut self,
        kind: EntityKind,
        fields: &Fields,
        (slot, key, time): (i64, &str, Timestamp),
        stream: &StreamRef,
    ) {
        if kind != EntityKind::Account {
            return;
        }
        let id = fields.get("id").map(account_ids).unwrap_or_default();
        self.claims.push(AccountClaimRow {
            account: id.into_iter().next().unwrap_or_else(|| key.to_owned()),
            slot,
            source: stream.source.to_string(),
            record: format!("{}/{key}", stream.name),
            time: time.0,
            traits: to_json(fields),
        });
    }
}

/// Builds the accounts anew that a batch told about. Gives those that changed.
pub async fn settle(tx: &mut Tx, context: &Context, mut told: Told) -> Result<Vec<String>> {
    let lost = tx.take_account_claims(&told.judged).await?;
    let new = told.claims.iter().map(|claim| claim.account.clone());
    let touched: BTreeSet<String> = lost.into_iter().chain(new).collect();
    if touched.is_empty() {
        return Ok(Vec::new());
    }
    told.claims
        .sort_unstable_by(|a, b| (&a.account, a.slot).cmp(&(&b.account, b.slot)));
    tx.save_account_claims(&told.claims).await?;
    rebuild(tx, context, touched.into_iter().collect()).await
}

/// Looks at the people of accounts that changed.
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
        let mut views = backfill::views(tx, context, rows).await?;
        settle::evaluate(tx, context, &mut views, ripple).await?;
    }
    ripple.accounts(changed);
    Ok(())
}

/// Builds accounts from their claims. Gives those whose winning values are others than before.
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

fn claim_of(row: AccountClaimRow) -> Result<Claim> {
    Ok(Claim {
        source: row.source.into(),
        record: row.record,
        time: Timestamp(row.time),
        traits: read("account_claim.traits", row.slot, &row.traits)?,
        consents: BTreeMap::new(),
    })
}

/// The winning values of a stored account. What a vendor calls an account may be a name, so that a problem shows a hash.
pub fn values_of(row: &AccountRow) -> Result<Fields> {
    let row_name = format_args!("{:016x}", landing::hash(row.id.as_bytes()));
    read("account.traits", row_name, &row.traits)
}

/// Keeps the relations of people whose traits or events changed, and fills in what they read of their accounts.
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
    fill(tx, context, views).await
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

/// Puts what people read of their main account beside their traits, as `account.NAME`. Relations must be up to date.
pub async fn fill(tx: &mut Tx, context: &Context, views: &mut [View]) -> Result<()> {
    if !context.relating.people || views.is_empty() {
        return Ok(());
    }
    let mut main: FxHashMap<i64, String> = FxHashMap::default();
    for row in tx.relations_of(views.iter().map(|view| view.id)).await? {
        main.entry(row.person_id).or_insert(row.account);
    }
    let ids: BTreeSet<String> = main.values().cloned().collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let mut members: FxHashMap<String, BTreeMap<String, Timestamp>> = FxHashMap::default();
    if context.has_account_audiences() {
        for row in tx.account_memberships_of(&ids).await? {
            let of = members.entry(row.account).or_default();
            of.insert(row.audience, Timestamp(row.since));
        }
    }
    let mut known: BTreeMap<String, Fields> = BTreeMap::new();
    for row in tx.accounts(&ids).await? {
        let values = values_of(&row)?;
        known.insert(row.id, values);
    }
    for view in views {
        view.traits
            .retain(|name, _| !name.starts_with(ACCOUNT_PREFIX));
        view.account_audiences.clear();
        if let Some(id) = main.remove(&view.id) {
            view.account_audiences = members.get(&id).cloned().unwrap_or_default();
            view.traits.extend(profile::account_traits(&[id], &known));
        }
    }
    Ok(())
}

/// An account in a list.
#[derive(Debug, Serialize)]
pub struct AccountHead {
    pub id: String,
    pub traits: Fields,
    pub people: i64,
}

/// An account as a surface shows it.
#[derive(Debug, Serialize)]
pub struct AccountView {
    pub id: String,
    pub traits: Fields,
    pub why: Vec<crate::flow::show::TraitWhy>,
    pub audiences: Vec<InAudience>,
    pub people_count: usize,
    pub people: Vec<PersonHead>,
}

#[derive(Debug, Serialize)]
pub struct PersonHead {
    pub id: String,
    pub traits: Fields,
}

/// Accounts after the id `after`, by id.
pub async fn list(context: &Context, after: &str, limit: i64) -> Result<Vec<AccountHead>> {
    let mut tx = context.store.read().await?;
    let rows = tx.accounts_after(after, limit).await?;
    let head = |(row, people): (AccountRow, i64)| {
        Ok(AccountHead {
            traits: values_of(&row)?,
            id: row.id,
            people,
        })
    };
    rows.into_iter().map(head).collect()
}

/// One account with at most `limit` of its people; nothing when neither a record nor a person names it.
pub async fn show(context: &Context, id: &str, limit: usize) -> Result<Option<AccountView>> {
    let mut tx = context.store.read().await?;
    let ids = [id.to_owned()];
    let claims: Vec<Claim> = tx
        .account_claims(&ids)
        .await?
        .into_iter()
        .map(claim_of)
        .collect::<Result<_>>()?;
    let mut people = tx.people_of_accounts(&ids).await?;
    if claims.is_empty() && people.is_empty() {
        return Ok(None);
    }
    let people_count = people.len();
    people.truncate(limit);
    let mut rows = tx.persons(people).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let why = crate::flow::show::why(&context.plan.survivorship.of_accounts(), &claims);
    let traits = why
        .iter()
        .filter_map(|one| Some((one.name.clone(), one.value.clone()?)));
    let memberships = tx.account_memberships_of(&ids).await?;
    let memberships = memberships.into_iter().map(|row| InAudience {
        name: row.audience,
        since: Timestamp(row.since).to_rfc3339(),
    });
    let head = |row: &PersonRow| {
        Ok(PersonHead {
            id: Uuid::from_bytes(row.uuid).to_string(),
            traits: traits_of(row)?,
        })
    };
    Ok(Some(AccountView {
        id: id.to_owned(),
        audiences: memberships.collect(),
        traits: traits.collect(),
        people_count,
        people: rows.iter().map(head).collect::<Result<_>>()?,
        why,
    }))
}
