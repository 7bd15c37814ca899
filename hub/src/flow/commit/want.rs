//! The wanted state: what destinations should hold of each person, whether it may be sent there, and the changes that follow.

use crate::delivery;
use crate::flow::commit::suppressed::suppressed;
use crate::flow::commit::view::{Consents, View};
use crate::flow::commit::views::{self, view_of};
use crate::flow::context::Context;
use crate::manifest::{Destination, Plan};
use crate::model::{Channel, ConsentStatus, Fields, Permission, Value, normalise_email};
use crate::store::{Result, Tx, WantedRow};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
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
            let mut wanted = delivery::wanted(destination, &view.traits, audiences);
            let Some(first) = wanted.first() else {
                continue;
            };
            let mut permission =
                self.permission(destination, &view.consents, &view.traits, &first.remote_key);
            if permission != Permission::Granted
                && destination.other_addresses
                && let Some(address) = other_address(&self.plan, destination, &view.consents)
            {
                let mut traits = view.traits.clone();
                traits.insert(destination.member_key.clone(), address.into());
                wanted = delivery::wanted(destination, &traits, audiences);
                permission = Permission::Granted;
            }
            if permission == Permission::Granted && suppressed.contains(&view.id) {
                permission = Permission::Suppressed;
            }
            rows.extend(wanted.into_iter().map(|row| WantedRow {
                destination: destination.name.to_string(),
                object: row.object,
                person_id: view.id,
                remote_key: row.remote_key,
                payload: row.payload,
                permission,
            }));
        }
        rows
    }

    // I13: every purpose must be granted for the very address that is sent to, and no statement means no.
    // A refusal says more than silence, so it is the reason where there are both.
    pub fn permission(
        &self,
        destination: &Destination,
        consents: &Consents,
        traits: &Fields,
        remote_key: &str,
    ) -> Permission {
        let purposes = destination.consent.iter();
        let answers = purposes.map(|purpose| {
            let status = self.answer(purpose, destination, consents, traits, remote_key);
            match status {
                Some(status) if status.is_granted() => Permission::Granted,
                Some(_) => Permission::Refused,
                None => Permission::Unstated,
            }
        });
        answers.max().unwrap_or(Permission::Granted)
    }

    /// What holds of a purpose for the address at which a person would be reached.
    pub fn answer(
        &self,
        purpose: &str,
        destination: &Destination,
        consents: &Consents,
        traits: &Fields,
        remote_key: &str,
    ) -> Option<ConsentStatus> {
        let entry = consents.get(purpose)?;
        let Some(channel) = self.plan.channel_of(purpose) else {
            return Some(entry.status);
        };
        let address = address(destination, channel, traits, remote_key)?;
        Some(entry.addresses.get(&address)?.status)
    }
}

/// The address of a channel at which a person would be reached there: the one by which the person is found, or that of the profile.
fn address<'a>(
    destination: &Destination,
    channel: Channel,
    traits: &'a Fields,
    remote_key: &'a str,
) -> Option<Cow<'a, str>> {
    let kind = channel.kind().text();
    if *destination.member_key == *kind {
        return Some(Cow::Borrowed(remote_key));
    }
    if channel == Channel::Email && remote_key.contains('@') {
        return normalise_email(remote_key).ok().map(Cow::Owned);
    }
    let value = traits.get(&*kind).and_then(Value::as_str);
    value.map(Cow::Borrowed)
}

/// Another address of a person, to which everything was agreed that the destination needs: the one that was granted last.
fn other_address(plan: &Plan, destination: &Destination, consents: &Consents) -> Option<String> {
    let mut found: Option<BTreeMap<&str, i64>> = None;
    for purpose in &destination.consent {
        let entry = consents.get(purpose)?;
        let Some(channel) = plan.channel_of(purpose) else {
            if !entry.status.is_granted() {
                return None;
            }
            continue;
        };
        if *destination.member_key != *channel.kind().text() {
            return None;
        }
        let granted = entry
            .addresses
            .iter()
            .filter(|(_, one)| one.status.is_granted());
        let granted = granted.map(|(address, one)| (address, one.time));
        let granted = granted.filter_map(|(address, time)| match &found {
            None => Some((address, time)),
            Some(before) => Some((address, time.max(*before.get(address)?))),
        });
        found = Some(granted.collect());
    }
    let found = found?.into_iter();
    let best = found.max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(a.0)));
    best.map(|(address, _)| address.to_owned())
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
