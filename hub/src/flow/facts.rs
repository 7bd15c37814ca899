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
/// configuration as far as both say the same things, or with the same credentials where they have nothing in common to compare.
pub fn written_to(plan: &Plan, source: &str) -> Vec<usize> {
    let Some(source) = plan.sources.iter().find(|one| *one.name == *source) else {
        return Vec::new();
    };
    let is_same = |one: &Destination| {
        let fields = source.config.as_object().into_iter().flatten();
        let mut common = fields.filter_map(|(name, value)| Some((value, one.config.get(name)?)));
        let mut common = common.by_ref().peekable();
        match common.peek() {
            None => !one.credentials.is_empty() && one.credentials == source.credentials,
            Some(_) => common.all(|(here, there)| here == there),
        }
    };
    let destinations = plan.destinations.iter().enumerate();
    let destinations =
        destinations.filter(|(_, one)| one.connector == source.connector && is_same(one));
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
