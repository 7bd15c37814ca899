//! Which definitions are new, edited or gone, compared with the ones that the store says were applied.

use crate::audience;
use crate::flow::context::{Context, UNFINISHED};
use crate::manifest::{Destination, Subject};
use crate::store::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Definitions that differ from the ones that the store was last brought up to date with.
pub(super) struct Stale {
    /// Indexes into `plan.audiences` and the cause that is logged, audiences that others refer to first.
    pub audiences: Vec<(usize, &'static str)>,
    pub gone: Vec<String>,
    /// Destinations that are new or edited.
    pub destinations: Vec<Arc<str>>,
    pub gone_destinations: Vec<String>,
    /// All of them are marked as unfinished in the store already.
    pub is_announced: bool,
}

impl Stale {
    pub fn len(&self) -> usize {
        let destinations = self.destinations.len() + self.gone_destinations.len();
        self.audiences.len() + self.gone.len() + destinations
    }

    /// The stale audiences among those at these indexes.
    pub fn of(&self, indexes: &[usize]) -> Vec<(usize, &'static str)> {
        let audiences = self.audiences.iter();
        let of = audiences.filter(|(index, _)| indexes.contains(index));
        of.copied().collect()
    }
}

pub(super) async fn stale(context: &Context) -> Result<Stale> {
    let mut tx = context.store.read().await?;
    let known: BTreeMap<String, String> = tx.audiences().await?.into_iter().collect();
    let sent: BTreeMap<String, String> = tx.destinations().await?.into_iter().collect();
    let plan = &context.plan;
    let mut changed: BTreeSet<&str> = BTreeSet::new();
    let mut audiences = Vec::new();
    for index in &context.audience_order {
        let audience = &plan.audiences[*index];
        let needs = audience::depends_on(&audience.who);
        let cause = match known.get(&*audience.name) {
            None => "the definition is new",
            Some(digest) if digest == UNFINISHED => "the definition is new or changed",
            Some(digest) if *digest != audience.digest => "the definition changed",
            Some(_) if needs.iter().any(|name| changed.contains(name)) => {
                "the definition of an audience that it refers to changed"
            }
            Some(_) => continue,
        };
        changed.insert(&audience.name);
        audiences.push((*index, cause));
    }
    let is_in_plan = |name: &String| plan.audiences.iter().any(|one| *one.name == **name);
    let destinations = &plan.destinations;
    let is_other = |one: &&Destination| sent.get(&*one.name) != Some(&digest(context, one));
    let is_sent = |name: &String| destinations.iter().any(|one| *one.name == **name);
    let is_open = |known: &BTreeMap<String, String>, name: &str| {
        known.get(name).is_some_and(|digest| digest == UNFINISHED)
    };
    let gone: Vec<String> = known
        .keys()
        .filter(|name| !is_in_plan(name))
        .cloned()
        .collect();
    let gone_destinations: Vec<String> =
        sent.keys().filter(|name| !is_sent(name)).cloned().collect();
    let destinations: Vec<Arc<str>> = destinations
        .iter()
        .filter(is_other)
        .map(|one| one.name.clone())
        .collect();
    let changing = audiences
        .iter()
        .map(|(index, _)| &*plan.audiences[*index].name);
    let is_announced = changing
        .chain(gone.iter().map(String::as_str))
        .all(|name| is_open(&known, name))
        && destinations
            .iter()
            .map(|name| &**name)
            .chain(gone_destinations.iter().map(String::as_str))
            .all(|name| is_open(&sent, name));
    Ok(Stale {
        audiences,
        gone,
        destinations,
        gone_destinations,
        is_announced,
    })
}

pub(super) fn digest(context: &Context, destination: &Destination) -> String {
    let audiences = context.plan.audiences.iter();
    let kinds = audiences.map(|one| (&*one.name, one.of));
    let kinds: BTreeMap<&str, Subject> = kinds.collect();
    let only = destination.person.iter().flat_map(|push| &push.only);
    let named = destination.audiences.iter().chain(only);
    let kinds: Vec<_> = named.map(|name| kinds.get(name.as_str())).collect();
    let needed = destination.consent.iter();
    let channels: Vec<_> = needed
        .map(|purpose| context.plan.channel_of(purpose))
        .collect();
    let text = format!(
        "{:?} {channels:?} {} {:?} {:?} {:?} {} {kinds:?}",
        destination.consent,
        destination.other_addresses,
        destination.person,
        destination.audiences,
        destination.connector,
        destination.member_key
    );
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
