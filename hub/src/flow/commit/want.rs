//! The wanted state: what destinations should hold of each person, whether it may be sent there, and the changes that follow.

use crate::delivery;
use crate::flow::commit::suppressed::suppressed;
use crate::flow::commit::view::{ConsentEntry, View};
use crate::flow::commit::views::{self, view_of};
use crate::flow::context::Context;
use crate::manifest::Destination;
use crate::model::ConsentStatus;
use crate::store::{Result, Tx, WantedRow};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

/// Updates what destinations should hold of people, from what is stored.
pub async fn want_of(tx: &mut Tx, context: &Context, ids: &[i64]) -> Result<()> {
    if context.plan.destinations.is_empty() {
        return Ok(());
    }
    let mut rows = tx.persons(ids.iter().copied()).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let views = rows.iter().map(view_of);
    let mut views = views.collect::<Result<Vec<View>>>()?;
    views::add_account_traits(tx, context, &mut views).await?;
    want_as_stored(tx, context, &views).await
}

/// Updates what destinations should hold of people whose memberships, and those of their accounts, are stored.
pub async fn want_as_stored(tx: &mut Tx, context: &Context, views: &[View]) -> Result<()> {
    let mut members: FxHashMap<i64, BTreeSet<String>> = FxHashMap::default();
    for row in tx.memberships_of(views.iter().map(|view| view.id)).await? {
        let of = members.entry(row.person_id).or_default();
        of.insert(row.audience);
    }
    let all = |view: &View| -> BTreeSet<String> {
        let own = members.get(&view.id).into_iter().flatten();
        own.chain(view.account_audiences.keys()).cloned().collect()
    };
    let members: Vec<BTreeSet<String>> = views.iter().map(all).collect();
    want(tx, context, views, &members).await
}

/// Updates what each destination should hold of each person, and marks what differs from what was wanted before.
pub async fn want(
    tx: &mut Tx,
    context: &Context,
    views: &[View],
    members: &[BTreeSet<String>],
) -> Result<()> {
    if context.plan.destinations.is_empty() {
        return Ok(());
    }
    let known: Vec<i64> = views
        .iter()
        .filter(|view| !view.is_new)
        .map(|view| view.id)
        .collect();
    let mut before: FxHashMap<(i64, String, String), WantedRow> = FxHashMap::default();
    if !known.is_empty() {
        for row in tx.wanted_of(known).await? {
            before.insert(
                (row.person_id, row.destination.clone(), row.object.clone()),
                row,
            );
        }
    }
    let suppressed = suppressed(tx, context, views).await?;
    let mut save = Vec::new();
    let mut keys = Vec::new();
    for (view, audiences) in views.iter().zip(members) {
        for row in context.wanted(view, audiences, &suppressed) {
            match before.remove(&(view.id, row.destination.clone(), row.object.clone())) {
                Some(old) if old == row => continue,
                Some(old) if old.remote_key != row.remote_key => keys.push(key_of(&old)),
                _ => {}
            }
            keys.push(key_of(&row));
            save.push(row);
        }
    }
    let gone: Vec<WantedRow> = before.into_values().collect();
    keys.extend(gone.iter().map(key_of));
    tx.remove_wanted(&gone).await?;
    save.sort_unstable_by(|a, b| {
        (&a.destination, &a.object, a.person_id).cmp(&(&b.destination, &b.object, b.person_id))
    });
    tx.save_wanted(&save).await?;
    mark(tx, keys).await
}

impl Context {
    /// The rows that every destination should hold of a person, and whether they may be sent there.
    fn wanted(
        &self,
        view: &View,
        audiences: &BTreeSet<String>,
        suppressed: &FxHashSet<i64>,
    ) -> Vec<WantedRow> {
        let mut rows = Vec::new();
        for destination in &self.plan.destinations {
            let wanted = delivery::wanted(destination, &view.traits, audiences);
            if wanted.is_empty() {
                continue;
            }
            let allowed =
                !suppressed.contains(&view.id) && has_consent(destination, &view.consents);
            rows.extend(wanted.into_iter().map(|row| WantedRow {
                destination: destination.name.to_string(),
                object: row.object,
                person_id: view.id,
                remote_key: row.remote_key,
                payload: row.payload,
                allowed,
            }));
        }
        rows
    }
}

// I13: every purpose must be granted, and no statement means no.
pub fn has_consent(destination: &Destination, consents: &BTreeMap<String, ConsentEntry>) -> bool {
    let granted = |purpose: &String| {
        consents
            .get(purpose)
            .is_some_and(|entry| entry.status == ConsentStatus::Granted)
    };
    destination.consent.iter().all(granted)
}

pub fn key_of(row: &WantedRow) -> (String, String, String) {
    (
        row.destination.clone(),
        row.object.clone(),
        row.remote_key.clone(),
    )
}

pub async fn mark(tx: &mut Tx, mut keys: Vec<(String, String, String)>) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    keys.sort_unstable();
    keys.dedup();
    let first = tx.reserve("change", keys.len() as i64).await?;
    tx.mark_changes(first, keys).await
}
