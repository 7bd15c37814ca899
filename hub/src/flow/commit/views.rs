//! Reading people from the store: their values, evidence, accounts and events.

use crate::audience::EventBound;
use crate::flow::commit::view::read_consents;
use crate::flow::commit::view::{Happened, View};
use crate::flow::context::Context;
use crate::flow::stored_json::read;
use crate::landing;
use crate::model::{Fields, Timestamp};
use crate::profile::{self, ACCOUNT_PREFIX};
use crate::store::{AccountRow, PersonRow, Result, Tx};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// People with their evidence.
pub async fn views(tx: &mut Tx, context: &Context, rows: Vec<PersonRow>) -> Result<Vec<View>> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut evidence: FxHashMap<i64, Vec<i64>> = FxHashMap::default();
    for (person, id) in tx.evidence_of_persons(&ids).await? {
        evidence.entry(person).or_default().push(id);
    }
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        views.push(View {
            evidence: evidence.remove(&row.id).unwrap_or_default(),
            ..view_of(&row)?
        });
    }
    add_account_traits(tx, context, &mut views).await?;
    Ok(views)
}

/// People whose profile did not change, read from the store for their audiences.
pub async fn stored_views(tx: &mut Tx, people: FxHashMap<i64, Vec<i64>>) -> Result<Vec<View>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.persons(people.keys().copied()).await?;
    rows.iter()
        .map(|row| {
            Ok(View {
                evidence: people.get(&row.id).cloned().unwrap_or_default(),
                ..view_of(row)?
            })
        })
        .collect()
}

/// A stored person without its evidence.
pub fn view_of(row: &PersonRow) -> Result<View> {
    Ok(View {
        id: row.id,
        uuid: row.uuid,
        is_new: false,
        evidence: Vec::new(),
        traits: traits_of(row)?,
        consents: read_consents(row.id, &row.consents)?,
        account_audiences: BTreeMap::new(),
    })
}

/// The winning values of a stored person.
pub fn traits_of(row: &PersonRow) -> Result<Fields> {
    read("person.traits", row.id, &row.traits)
}

/// Adds what people read of their main account to their traits, as `account.NAME`. Relations must be up to date.
pub async fn add_account_traits(tx: &mut Tx, context: &Context, views: &mut [View]) -> Result<()> {
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

/// The winning values of a stored account. A vendor's id of an account may be somebody's name, so a problem shows its hash.
pub fn values_of(row: &AccountRow) -> Result<Fields> {
    let row_name = format_args!("{:016x}", landing::hash(row.id.as_bytes()));
    read("account.traits", row_name, &row.traits)
}

/// The events that audiences and traits read, by person.
pub async fn events_of(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
) -> Result<FxHashMap<i64, Vec<Happened>>> {
    let read = context.events_read.iter();
    let read: Vec<_> = read.map(|(name, bound)| (name.as_str(), *bound)).collect();
    events_named(tx, &read, views, Some(context.clock.now())).await
}

/// The events with these names, by person: only events that can matter at `now` or later, or all when it is none.
pub async fn events_named(
    tx: &mut Tx,
    names: &[(&str, EventBound)],
    views: &[View],
    now: Option<Timestamp>,
) -> Result<FxHashMap<i64, Vec<Happened>>> {
    let mut events: FxHashMap<i64, Vec<Happened>> = FxHashMap::default();
    if names.is_empty() {
        return Ok(events);
    }
    let mut owner: FxHashMap<i64, i64> = FxHashMap::default();
    for view in views {
        owner.extend(view.evidence.iter().map(|id| (*id, view.id)));
    }
    let mut evidence: Vec<i64> = owner.keys().copied().collect();
    evidence.sort_unstable();
    for (name, bound) in names {
        let after = now.and_then(|now| bound.after(now));
        let after = after.map_or(i64::MIN, Timestamp::millis);
        let rows = tx.events_named(&evidence, name, after, bound.properties);
        for row in rows.await? {
            let properties = match row.properties.as_str() {
                // Properties were not loaded.
                "" => Fields::new(),
                text => read("event.properties of evidence", row.evidence_id, text)?,
            };
            let of = events.entry(owner[&row.evidence_id]).or_default();
            of.push(Happened {
                name: (*name).to_owned(),
                time: Timestamp(row.time),
                properties,
            });
        }
    }
    Ok(events)
}
