//! What one table says about another: traits that nothing fills, unknown audiences and sources, circles of audiences.

use crate::manifest::tree::{Hinted, Item, Spot, suggest};
use crate::manifest::{Loader, Sections};
use crate::model::{IDENTIFIER_FIELDS, PERSON_TRAITS};
use crate::problem::codes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Loader<'_> {
    pub(super) fn check_mentions(&mut self, sections: &Sections<'_>) {
        self.check_traits();
        self.check_audiences(&names(&sections.audiences));
        self.check_sources(&names(&sections.sources));
        self.check_circles();
    }

    fn check_traits(&mut self) {
        let reserved = PERSON_TRAITS
            .iter()
            .map(|(name, _)| *name)
            .chain(IDENTIFIER_FIELDS.iter().copied());
        let known: BTreeSet<&str> = reserved
            .chain(self.filled.iter().map(String::as_str))
            .collect();
        for (name, spot) in &self.mentions.traits {
            if !known.contains(name.as_str()) && !name.starts_with("external:") {
                self.report
                    .error(
                        &codes::UNKNOWN_TRAIT,
                        spot,
                        format!("unknown trait `{name}`"),
                    )
                    .with_hint(near(name, &known).or(Some(
                        "no stream fills it, and it is not reserved".to_owned(),
                    )));
            }
        }
    }

    fn check_audiences(&mut self, known: &BTreeSet<&str>) {
        for (name, _, spot) in &self.mentions.audiences {
            if !known.contains(name.as_str()) {
                self.report
                    .error(
                        &codes::UNKNOWN_AUDIENCE,
                        spot,
                        format!("there is no audience `{name}`"),
                    )
                    .with_hint(suggest(name, known.iter().copied()));
            }
        }
    }

    fn check_sources(&mut self, known: &BTreeSet<&str>) {
        for (name, spot) in &self.mentions.sources {
            if !known.contains(name.as_str()) {
                self.report
                    .error(
                        &codes::UNKNOWN_SOURCE,
                        spot,
                        format!("there is no source `{name}`"),
                    )
                    .with_hint(suggest(name, known.iter().copied()));
            }
        }
    }

    /// Reports each circle once, at the mention that closes it.
    fn check_circles(&mut self) {
        let mut edges: BTreeMap<Arc<str>, Vec<(&str, &Spot)>> = BTreeMap::new();
        for (name, owner, spot) in &self.mentions.audiences {
            if let Some(owner) = owner {
                edges.entry(owner.clone()).or_default().push((name, spot));
            }
        }
        for (circle, spot) in circles(&edges) {
            self.report
                .error(
                    &codes::AUDIENCE_CYCLE,
                    &spot,
                    format!("audiences refer to each other in a circle: {circle}"),
                )
                .with_hint(Some(
                    "write what they share as an audience of its own".to_owned(),
                ));
        }
    }
}

/// Each circle once, as names, with the mention that closes it. `edges` lead from a name to those that it mentions.
pub(super) fn circles(edges: &BTreeMap<Arc<str>, Vec<(&str, &Spot)>>) -> Vec<(String, Spot)> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut circles = Vec::new();
    for start in edges.keys() {
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, next)) = path.last_mut() {
            let here = *name;
            let step = edges.get(here).and_then(|targets| targets.get(*next));
            *next += 1;
            match step {
                None => {
                    done.insert(here);
                    path.pop();
                }
                Some((target, _)) if done.contains(target) => {}
                Some((target, spot)) => match path.iter().position(|(name, _)| name == target) {
                    Some(at) => {
                        let names = path[at..].iter().map(|(name, _)| *name).chain([*target]);
                        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
                        circles.push((names.join(" → "), (*spot).clone()));
                    }
                    None => path.push((target, 0)),
                },
            }
        }
    }
    circles
}

fn near(name: &str, known: &BTreeSet<&str>) -> Option<String> {
    crate::expression::closest(name, known.iter().copied())
        .map(|near| format!("did you mean `{near}`?"))
}

/// The names that tables give themselves, good or not.
pub(super) fn names<'t>(items: &[Item<'t>]) -> BTreeSet<&'t str> {
    let tables = items.iter().filter_map(|item| item.raw().as_table());
    tables
        .filter_map(|table| table.get("name")?.get_ref().as_str())
        .collect()
}
