//! What computed traits require of each other: numbers where numbers are needed, no cycles, and the order of computation.
//! Reads no table.

use super::Draft;
use crate::manifest::cross::{Edge, circles, in_words};
use crate::manifest::tree::{Hinted, Spot};
use crate::manifest::{Aggregate, ComputedTrait, Loader, TraitKind};
use crate::model::{Shape, event_property, person_trait};
use crate::problem::codes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A trait that must hold something, by the name of the kind that asks for it.
pub(super) struct Want {
    pub name: String,
    pub what: Holds,
    pub by: String,
    pub spot: Spot,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Holds {
    Number,
    Text,
    Date,
}

impl Loader<'_> {
    /// Text where a number is expected, as far as the names say it.
    pub(super) fn check_wants(&mut self, drafts: &[Draft]) {
        let kinds: BTreeMap<&str, &TraitKind> = drafts
            .iter()
            .map(|draft| (&*draft.one.name, &draft.one.kind))
            .collect();
        for want in drafts.iter().flat_map(|draft| &draft.wants) {
            let found = match kinds.get(want.name.as_str()) {
                Some(kind) => holds_of(kind),
                None => person_trait(&want.name).and_then(holds),
            };
            if let Some(found) = found
                && found != want.what
            {
                let name = |holds| match holds {
                    Holds::Number => "a number",
                    Holds::Text => "a text",
                    Holds::Date => "a date",
                };
                let message = format!(
                    "`{}` needs {}, and `{}` is {}",
                    want.by,
                    name(want.what),
                    want.name,
                    name(found)
                );
                self.report.error(&codes::BAD_TRAIT, &want.spot, message);
            }
        }
    }

    pub(super) fn check_trait_circles(&mut self, drafts: &[Draft]) {
        let edges = drafts.iter().map(|draft| {
            let needs = draft.needs.iter().map(|(name, spot)| Edge {
                to: name,
                spot,
                hint: None,
                is_condition: true,
            });
            (&*draft.one.name, needs.collect())
        });
        for circle in circles(&edges.collect()) {
            let Some(closing) = circle.last() else {
                continue;
            };
            let names = in_words(&circle);
            self.report
                .error(
                    &codes::TRAIT_CYCLE,
                    closing.spot,
                    format!("computed traits refer to each other in a circle: {names}"),
                )
                .with_hint(Some(
                    "write what they share as a trait of its own".to_owned(),
                ));
        }
    }
}

/// What a reserved field holds, when it is one of the three.
pub(super) fn holds(shape: Shape) -> Option<Holds> {
    match shape {
        Shape::Text | Shape::Country | Shape::Currency => Some(Holds::Text),
        Shape::Number | Shape::Time | Shape::Money => Some(Holds::Number),
        Shape::Date => Some(Holds::Date),
        Shape::TextOrObject => None,
    }
}

fn holds_of(kind: &TraitKind) -> Option<Holds> {
    match kind {
        TraitKind::Events { aggregate, .. } => match aggregate {
            Aggregate::First { of: None } | Aggregate::Last { of: None } => Some(Holds::Number),
            Aggregate::Count | Aggregate::UniqueCount { .. } => Some(Holds::Number),
            Aggregate::First { of: Some(of) }
            | Aggregate::Last { of: Some(of) }
            | Aggregate::MostFrequent { of } => event_property(of).and_then(holds),
            Aggregate::UniqueList { .. } => None,
            numeric => numeric.is_numeric().then_some(Holds::Number),
        },
        TraitKind::Age { .. } => Some(Holds::Number),
        TraitKind::Bin { .. } | TraitKind::Prefix { .. } | TraitKind::Stages(_) => {
            Some(Holds::Text)
        }
        TraitKind::Derive { .. } => None,
    }
}

/// Each after the ones it needs, otherwise in the order of the manifest. Traits in a cycle, which is reported, come last.
pub(super) fn in_order(drafts: Vec<Draft>) -> Vec<ComputedTrait> {
    let mut waiting = drafts;
    let mut ordered = Vec::with_capacity(waiting.len());
    loop {
        let names: BTreeSet<Arc<str>> =
            waiting.iter().map(|draft| draft.one.name.clone()).collect();
        let is_free = |draft: &Draft| !draft.needs.iter().any(|(name, _)| names.contains(&**name));
        let (free, others): (Vec<Draft>, Vec<Draft>) = waiting.into_iter().partition(is_free);
        waiting = others;
        if free.is_empty() {
            break;
        }
        ordered.extend(free.into_iter().map(|draft| draft.one));
    }
    ordered.extend(waiting.into_iter().map(|draft| draft.one));
    ordered
}
