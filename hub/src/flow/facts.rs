//! What follows from a plan alone: whether people have accounts, which audiences are counted, the names of computed traits.

use crate::expression::Condition;
use crate::manifest::{
    Destination, PREDICTED, PersonPush, Plan, Source, Stream, StreamTarget, trait_said,
};
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

/// In which fields of a tool's records the values are that a destination makes of what is read there: computed traits, and a trait of
/// several fields that is written to one of them. Other traits are known by their names.
#[derive(Debug, Clone)]
pub struct Back {
    /// The destination's index.
    pub destination: usize,
    /// By trait of the stream: the paths that its mapping reads and the destination writes, with the destination's names of them.
    pub reads: BTreeMap<String, Vec<(String, String)>>,
}

/// By source and stream. A mapping reads a field where its path ends with the field's name: `properties.firstname` reads `firstname`;
/// of several such paths the shortest is meant.
pub fn read_back(
    plan: &Plan,
    writers: &BTreeMap<String, Vec<usize>>,
) -> BTreeMap<String, BTreeMap<String, Vec<Back>>> {
    let computed = computed_names(plan);
    let mut all = BTreeMap::new();
    for (source, indexes) in writers {
        let streams = plan.sources.iter().filter(|one| *one.name == **source);
        let streams = streams.flat_map(|source| &source.streams).map(|stream| {
            let backs = indexes.iter().filter_map(|index| {
                let push = plan.destinations[*index].person.as_ref()?;
                let reads = reads_of(stream, push, &computed);
                (!reads.is_empty()).then_some(Back {
                    destination: *index,
                    reads,
                })
            });
            (stream.name.to_string(), backs.collect())
        });
        let streams = streams.collect();
        all.insert(source.clone(), streams);
    }
    all
}

fn reads_of(
    stream: &Stream,
    push: &PersonPush,
    computed: &[String],
) -> BTreeMap<String, Vec<(String, String)>> {
    let last = |path: &str| path.rsplit('.').next().map(str::to_owned);
    let depth = |path: &&String| (path.matches('.').count(), (*path).clone());
    let paths: Vec<&String> = stream.map.iter().flat_map(|(_, one)| one.reads()).collect();
    let path_of = |field: &str| {
        let of_field = paths
            .iter()
            .filter(|path| last(path).as_deref() == Some(field));
        of_field.copied().min_by_key(depth)
    };
    let written = push.map.iter();
    let written: BTreeMap<&String, &(String, String)> = written
        .filter_map(|pushed| Some((path_of(&pushed.0)?, pushed)))
        .collect();
    let mut reads = BTreeMap::new();
    for (name, expression) in &stream.map {
        let found = expression.reads().iter().filter_map(|path| {
            let (field, pushed) = written.get(path)?;
            let is_made =
                computed.contains(pushed) || (pushed == name && expression.reads().len() > 1);
            is_made.then(|| (path.clone(), field.clone()))
        });
        let found: Vec<(String, String)> = found.collect();
        if !found.is_empty() {
            reads.insert(name.clone(), found);
        }
    }
    reads
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
