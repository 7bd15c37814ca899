//! Checks across tables: traits that nothing fills, unknown events, audiences and sources, cycles of audiences.

use crate::manifest::audience::further_names;
use crate::manifest::journey::stage_names;
use crate::manifest::tree::{Hinted, Item, Spot, suggest};
use crate::manifest::{Loader, Sections, Source, StreamTarget, Subject};
use crate::model::{COLLECTOR, EVENT_NAMES, EntityKind, IDENTIFIER_FIELDS, PERSON_TRAITS};
use crate::problem::{Severity, codes};
use std::collections::{BTreeMap, BTreeSet};

impl Loader<'_> {
    pub(super) fn check_mentions(&mut self, sections: &Sections<'_>) {
        self.check_traits();
        self.check_account_traits();
        self.check_audiences();
        self.check_purposes();
        self.check_sources(&names(&sections.sources));
        self.check_after(&sections.sources);
        self.check_circles();
    }

    /// Sources that are read after others.
    fn check_after(&mut self, sources: &[Item<'_>]) {
        let known = names(sources);
        let is_collected = |item: &&Item<'_>| {
            let connector = item
                .raw()
                .as_table()
                .and_then(|table| table.get("connector"));
            connector.is_some_and(|one| one.get_ref().as_str() == Some(COLLECTOR))
        };
        let collected: Vec<Item<'_>> = sources.iter().filter(is_collected).cloned().collect();
        let collected = names(&collected);
        let mut edges: BTreeMap<&str, Vec<Edge<'_>>> = BTreeMap::new();
        for (source, after, spot) in &self.mentions.after {
            if !known.contains(after.as_str()) {
                let message = format!("there is no source `{after}`");
                self.report
                    .error(&codes::UNKNOWN_SOURCE, spot, message)
                    .with_hint(suggest(after, known.iter().copied()));
            }
            if collected.contains(after.as_str()) {
                let message = format!(
                    "`{after}` is sent to the hub as it happens and is never read to an end, so nothing can follow it"
                );
                self.report
                    .error(&codes::BAD_SCHEDULE, spot, message)
                    .with_hint(Some("write `cron` or `every`".to_owned()));
            }
            edges.entry(source).or_default().push(Edge {
                to: after,
                spot,
                hint: None,
                is_condition: true,
            });
        }
        for circle in circles(&edges) {
            let Some(last) = circle.last() else { continue };
            let message = format!(
                "sources wait for each other in a circle: {}",
                in_words(&circle)
            );
            self.report
                .error(&codes::BAD_SCHEDULE, last.spot, message)
                .with_hint(Some("give one of them `cron` or `every`".to_owned()));
        }
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

    /// What conditions ask of accounts themselves.
    fn check_account_traits(&mut self) {
        let filled = self.filled.iter();
        let known: BTreeSet<&str> = filled
            .filter_map(|name| name.strip_prefix("account."))
            .collect();
        for (name, spot) in &self.mentions.account_traits {
            if known.contains(name.as_str()) {
                continue;
            }
            let own = name
                .strip_prefix("account.")
                .filter(|name| known.contains(name));
            let hint = match own {
                Some(own) => format!("write `{own}`: the condition is about the account itself"),
                None => near(name, &known).unwrap_or("no stream of accounts fills it".to_owned()),
            };
            let message = format!("unknown trait `{name}` of accounts");
            self.report
                .error(&codes::UNKNOWN_TRAIT, spot, message)
                .with_hint(Some(hint));
        }
    }

    fn check_audiences(&mut self) {
        let known = &self.kinds;
        for (name, _, spot) in &self.mentions.audiences {
            if !known.contains_key(name) {
                self.report
                    .error(
                        &codes::UNKNOWN_AUDIENCE,
                        spot,
                        format!("there is no audience `{name}`"),
                    )
                    .with_hint(suggest(name, known.keys().map(String::as_str)));
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

    /// Events that no stream makes and that have no canonical name. When some stream works its events' names out, it may
    /// be one of them.
    pub(super) fn check_events(&mut self, sources: &[Source]) {
        let mut named: BTreeSet<&str> = BTreeSet::new();
        let mut is_open = false;
        for stream in sources.iter().flat_map(|source| &source.streams) {
            if let StreamTarget::Event(constant) = &stream.to {
                named.extend(constant.as_deref());
                is_open |= stream.map.iter().any(|(name, _)| name == "event");
            }
        }
        if sources.iter().any(Source::is_collected) {
            named.extend(["Page Viewed", "Screen Viewed"]);
        }
        let known: BTreeSet<&str> = named.iter().chain(EVENT_NAMES).copied().collect();
        let streams = sources.iter().flat_map(|source| &source.streams);
        let things: Vec<&StreamTarget> = streams.map(|stream| &stream.to).collect();
        for (name, spot) in &self.mentions.events {
            if let Some(kind) = EntityKind::of_thing(name) {
                if !things.contains(&&StreamTarget::Entity(kind)) {
                    let kind = kind.as_str();
                    let message = format!("no stream is about what is asked for: `{kind}`");
                    let hint = format!("a stream says it with `to = \"{kind}\"`");
                    self.report
                        .error(&codes::UNKNOWN_EVENT, spot, message)
                        .with_hint(Some(hint));
                }
                continue;
            }
            if known.contains(name.as_str()) {
                continue;
            }
            let message = format!("no stream makes the event `{name}`");
            let hint = near(name, &known).or_else(|| suggest(name, named.iter().copied()));
            // Clients give any names to what they send.
            if hint.is_none() && sources.iter().any(Source::is_collected) {
                continue;
            }
            let problem = self.report.error(&codes::UNKNOWN_EVENT, spot, message);
            problem.with_hint(hint);
            if is_open {
                problem.severity = Severity::Warning;
            }
        }
    }

    /// Reports each cycle once, at the first condition in it.
    fn check_circles(&mut self) {
        let mut edges: BTreeMap<&str, Vec<Edge<'_>>> = BTreeMap::new();
        for (to, owner, spot) in &self.mentions.audiences {
            if let Some(from) = owner {
                let (hint, is_condition) = (None, true);
                edges.entry(from).or_default().push(Edge {
                    to,
                    spot,
                    hint,
                    is_condition,
                });
            }
        }
        for link in &self.mentions.links {
            edges.entry(&link.from).or_default().push(Edge {
                to: &link.to,
                spot: &link.spot,
                hint: link.hint.as_deref(),
                is_condition: false,
            });
        }
        for circle in circles(&edges) {
            let Some(shown) = circle
                .iter()
                .find(|edge| edge.is_condition)
                .or(circle.last())
            else {
                continue;
            };
            let hint = circle.iter().find_map(|edge| edge.hint);
            let message = format!(
                "audiences refer to each other in a circle: {}",
                in_words(&circle)
            );
            self.report
                .error(&codes::AUDIENCE_CYCLE, shown.spot, message)
                .with_hint(Some(
                    hint.unwrap_or("write what they share as an audience of its own")
                        .to_owned(),
                ));
        }
    }
}

/// One name refers to another.
#[derive(Clone, Copy)]
pub(super) struct Edge<'m> {
    pub to: &'m str,
    pub spot: &'m Spot,
    pub hint: Option<&'m str>,
    /// Written in a condition, not made from a list or a journey.
    pub is_condition: bool,
}

/// The names in a cycle; the last one is also the first.
pub(super) fn in_words(circle: &[Edge<'_>]) -> String {
    let names = circle.last().into_iter().chain(circle);
    let names: Vec<String> = names.map(|edge| format!("`{}`", edge.to)).collect();
    names.join(" → ")
}

/// Circles as their edges, the last of which leads back to where the first begins.
pub(super) fn circles<'m>(edges: &BTreeMap<&'m str, Vec<Edge<'m>>>) -> Vec<Vec<Edge<'m>>> {
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
                Some(edge) if done.contains(edge.to) => {}
                Some(edge) => match path.iter().position(|(name, _)| *name == edge.to) {
                    Some(at) => {
                        let taken = path[at..].iter();
                        circles.push(taken.map(|(name, next)| edges[name][next - 1]).collect());
                    }
                    None => path.push((edge.to, 0)),
                },
            }
        }
    }
    circles
}

/// Every name under which an audience can be mentioned.
pub(super) fn audience_kinds(sections: &Sections<'_>) -> BTreeMap<String, Subject> {
    let mut kinds = BTreeMap::new();
    for item in &sections.journeys {
        let stages = item.raw().as_table().map(stage_names);
        let stages = stages.into_iter().flatten();
        kinds.extend(stages.map(|name| (name, Subject::Person)));
    }
    for item in &sections.audiences {
        let Some(table) = item.raw().as_table() else {
            continue;
        };
        let of = table.get("of").and_then(|of| of.get_ref().as_str());
        let kind = match of {
            Some("account") => Subject::Account,
            _ => Subject::Person,
        };
        let names = item.name().map(str::to_owned).into_iter();
        kinds.extend(names.chain(further_names(table)).map(|name| (name, kind)));
    }
    kinds
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
