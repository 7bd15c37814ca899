//! What follows from a plan alone: whether people have accounts, which audiences are counted, the names of computed traits.

use crate::expression::Condition;
use crate::manifest::{Destination, PREDICTED, Plan, StreamTarget};
use crate::model::EntityKind;
use crate::profile::ACCOUNT_FIELD;
use std::collections::BTreeSet;

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
            let names = stream.map.iter().any(|(name, _)| name == ACCOUNT_FIELD);
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

/// The destinations, by their indexes, that write to the tool that a source reads: by the same connector, and with the same
/// credentials or the same configuration.
pub fn written_to(plan: &Plan, source: &str) -> Vec<usize> {
    let Some(source) = plan.sources.iter().find(|one| *one.name == *source) else {
        return Vec::new();
    };
    let has_config = source
        .config
        .as_object()
        .is_some_and(|fields| !fields.is_empty());
    let is_same = |one: &Destination| {
        let credentials = !one.credentials.is_empty() && one.credentials == source.credentials;
        one.connector == source.connector
            && (credentials || (has_config && one.config == source.config))
    };
    let destinations = plan.destinations.iter().enumerate();
    let destinations = destinations.filter(|(_, one)| is_same(one));
    destinations.map(|(index, _)| index).collect()
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
