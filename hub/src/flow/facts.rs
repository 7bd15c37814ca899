//! What follows from a plan alone: whether people have accounts, which audiences are counted, the names of computed traits.

use crate::expression::Condition;
use crate::manifest::{Destination, PREDICTED, Plan, Source, StreamTarget, trait_said};
use crate::model::{EntityKind, Value};
use crate::profile::ACCOUNT_FIELD;
use std::collections::{BTreeMap, BTreeSet};

/// Whether people can have accounts, and whether events can name them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Relating {
    pub people: bool,
    pub events: bool,
}

impl Relating {
    pub fn of(plan: &Plan) -> Self {
        let mut relating = Self::default();
        for stream in plan.sources.iter().flat_map(|source| &source.streams) {
            let names = stream.map.iter().any(|(name, _)| {
                name == ACCOUNT_FIELD || trait_said(&stream.to, name) == Some(ACCOUNT_FIELD)
            });
            let events = names && matches!(stream.to, StreamTarget::Event(_));
            let accounts = stream.to == StreamTarget::Entity(EntityKind::Account);
            relating.people |= names || accounts;
            relating.events |= events;
        }
        relating
    }
}

/// The audiences of people whose members some account counts.
pub fn counted(plan: &Plan) -> BTreeSet<String> {
    let mut counted = BTreeSet::new();
    for audience in &plan.audiences {
        audience.who.visit(&mut |leaf| {
            if let Condition::People { step, .. } = leaf {
                counted.extend(step.clone());
            }
        });
    }
    counted
}

/// By source, the destinations that write to the tool that it reads, by their indexes: by the same connector, and with the same
/// texts in its configuration (addresses, accounts, lists) as far as both give them.
pub fn writers(plan: &Plan) -> BTreeMap<String, Vec<usize>> {
    let text = |value: &Value| Some(value.as_str()?.trim_end_matches('/').to_owned());
    let is_same = |source: &Source, one: &Destination| {
        let mut fields = source.config.as_object().into_iter().flatten();
        source.connector == one.connector
            && fields.all(|(name, here)| {
                let there = one.config.get(name).and_then(text);
                let both = text(here).zip(there);
                both.is_none_or(|(here, there)| here == there)
            })
    };
    let writers = plan.sources.iter().map(|source| {
        let all = plan.destinations.iter().enumerate();
        let same = all.filter(|(_, one)| is_same(source, one));
        let same: Vec<usize> = same.map(|(index, _)| index).collect();
        (source.name.to_string(), same)
    });
    writers.filter(|(_, same)| !same.is_empty()).collect()
}

/// Names of computed traits, those of models too.
pub fn computed_names(plan: &Plan) -> Vec<String> {
    let traits = plan.traits.iter().map(|one| one.name.to_string());
    let models = plan.models.iter().flat_map(|model| {
        PREDICTED
            .iter()
            .map(move |name| format!("{}{name}", model.prefix))
    });
    traits.chain(models).collect()
}
