//! `was`: what something was called before, so that what the hub holds of it stays its own; and the names by which sources are
//! known inside the hub, which never change.

use crate::manifest::tree::{Hinted, Item, Report};
use crate::manifest::{Loader, Plan, Sections, SurvivorshipRule, is_name};
use crate::problem::codes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What can be renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Renamed {
    Source,
    Stream,
    Trait,
    Destination,
}

impl Renamed {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Stream => "stream",
            Self::Trait => "trait",
            Self::Destination => "destination",
        }
    }
}

/// A name with the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    pub what: Renamed,
    /// The source of a stream, by its new name.
    pub source: Option<String>,
    pub from: String,
    pub to: String,
}

impl Loader<'_> {
    pub(super) fn renames(&mut self, sections: &Sections<'_>) -> Vec<Rename> {
        let report = &mut self.report;
        let mut found = Vec::new();
        let of = [
            (Renamed::Source, &sections.sources),
            (Renamed::Trait, &sections.traits),
            (Renamed::Destination, &sections.destinations),
        ];
        for (what, items) in of {
            renames_of(what, None, items, report, &mut found);
        }
        for source in &sections.sources {
            let streams = source.as_table().and_then(|table| table.get("stream"));
            let streams = streams.map(|item| item.list(&mut Report::default()));
            let (name, streams) = (source.name(), streams.unwrap_or_default());
            renames_of(Renamed::Stream, name, &streams, report, &mut found);
        }
        found
    }
}

fn renames_of(
    what: Renamed,
    source: Option<&str>,
    items: &[Item<'_>],
    report: &mut Report,
    found: &mut Vec<Rename>,
) {
    let kind = what.as_str();
    let names: BTreeSet<&str> = items.iter().filter_map(Item::name).collect();
    let mut claimed: BTreeMap<&str, &str> = BTreeMap::new();
    for item in items {
        let was = item.as_table().and_then(|table| table.get("was"));
        let (Some(was), Some(to)) = (was, item.name()) else {
            continue;
        };
        let Some(from) = was.text(report) else {
            continue;
        };
        if what != Renamed::Stream && !is_name(from) {
            let message = format!("`{from}` is not a valid name for a {kind}");
            report.error(&codes::BAD_NAME, &was.spot(), message);
            continue;
        }
        let why = match claimed.insert(from, to) {
            _ if names.contains(from) => format!("there is still a {kind} `{from}`"),
            Some(other) => format!("`{other}` says that it was the {kind} `{from}`, too"),
            None => {
                found.push(Rename {
                    what,
                    source: source.map(str::to_owned),
                    from: from.to_owned(),
                    to: to.to_owned(),
                });
                continue;
            }
        };
        let message = format!("`{to}` cannot have been the {kind} `{from}`: {why}");
        report
            .error(&codes::BAD_RENAME, &was.spot(), message)
            .with_hint(Some(
                "one thing can go on under one new name; take `was` out where that is not meant"
                    .to_owned(),
            ));
    }
}

/// By source, the name under which its ids and records are known inside the hub, where that is not the source's own: the first
/// name that it had. Who is who, and every tie, depends on it, so a new name changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces(pub BTreeMap<String, String>);

impl Namespaces {
    /// The one of a source.
    pub fn of<'n>(&'n self, source: &'n str) -> &'n str {
        self.0.get(source).map_or(source, String::as_str)
    }

    /// The source that has it.
    pub fn source_of<'n>(&'n self, namespace: &'n str) -> &'n str {
        let mut own = self.0.iter();
        let found = own.find(|(_, one)| *one == namespace);
        found.map_or(namespace, |(source, _)| source)
    }

    /// After these renames, for these sources. One that has a name under which another was known gets a namespace of its own.
    pub fn after<'a>(
        mut self,
        renames: impl Iterator<Item = &'a Rename>,
        sources: impl Iterator<Item = &'a str>,
    ) -> Self {
        for rename in renames.filter(|one| one.what == Renamed::Source) {
            let known = self.0.remove(&rename.from);
            let known = known.unwrap_or_else(|| rename.from.clone());
            // Its first name needs no entry; and one that another had left is no longer meant.
            match known == rename.to {
                true => self.0.remove(&rename.to),
                false => self.0.insert(rename.to.clone(), known),
            };
        }
        for source in sources {
            let is_taken = |name: &str| self.0.values().any(|one| one == name);
            if !self.0.contains_key(source) && is_taken(source) {
                let mut names = (2..).map(|number| format!("{source}~{number}"));
                if let Some(free) = names.find(|name| !is_taken(name)) {
                    self.0.insert(source.to_owned(), free);
                }
            }
        }
        self
    }

    /// A kind of identifier, with or without a value after it, by the namespace of its source.
    pub fn kind(&self, text: &str) -> String {
        replaced(text, |source| self.of(source))
    }

    /// The same by the source's name, as people know it.
    pub fn shown_kind(&self, text: &str) -> String {
        replaced(text, |namespace| self.source_of(namespace))
    }

    /// A record's `source/stream/key` by the source's name.
    pub fn shown_record(&self, message: &str) -> String {
        match message.split_once('/') {
            Some((namespace, rest)) => format!("{}/{rest}", self.source_of(namespace)),
            None => message.to_owned(),
        }
    }
}

fn replaced<'n>(text: &'n str, by: impl Fn(&'n str) -> &'n str) -> String {
    let Some(rest) = text.strip_prefix("external:") else {
        return text.to_owned();
    };
    match rest.split_once(':') {
        Some((source, value)) => format!("external:{}:{value}", by(source)),
        None => format!("external:{}", by(rest)),
    }
}

impl Plan {
    /// Uses the namespaces wherever sources are named for what is inside the hub. Once.
    pub fn name_by(&mut self, namespaces: Namespaces) {
        if !std::mem::replace(&mut self.is_named, true) && !namespaces.0.is_empty() {
            self.name_rules(&namespaces);
            for source in &mut self.sources {
                let own = namespaces.0.get(&*source.name);
                for stream in &mut source.streams {
                    stream.namespace = own.map(|own| own.as_str().into());
                    for (field, _) in &mut stream.map {
                        *field = namespaces.kind(field);
                    }
                }
            }
            for destination in &mut self.destinations {
                let push = destination.person.as_mut();
                if let Some(push) = push {
                    push.match_field = namespaces.kind(&push.match_field);
                    for (_, field) in &mut push.map {
                        *field = namespaces.kind(field);
                    }
                }
                destination.member_key = namespaces.kind(&destination.member_key);
            }
            self.namespaces = namespaces;
        }
    }

    fn name_rules(&mut self, namespaces: &Namespaces) {
        let rules = &mut self.identity;
        let limits = rules.limits.iter_mut().chain(&mut rules.shared);
        let named = limits.map(|(kind, _)| kind);
        let named = named.chain(&mut rules.priority).chain(&mut rules.strong);
        for kind in named.chain(&mut rules.blocked) {
            *kind = namespaces.kind(kind);
        }
        for (source, _) in &mut rules.trust {
            *source = namespaces.of(source).to_owned();
        }
        let survivorship = &mut self.survivorship;
        let by_trait = survivorship.by_trait.values_mut();
        for rule in by_trait.chain([&mut survivorship.default]) {
            if let SurvivorshipRule::SourcePriority(sources) = rule {
                for source in sources {
                    *source = namespaces.of(source).to_owned();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename(from: &str, to: &str) -> Rename {
        Rename {
            what: Renamed::Source,
            source: None,
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    fn after(known: Namespaces, renames: &[Rename], sources: &[&str]) -> Namespaces {
        known.after(renames.iter(), sources.iter().copied())
    }

    #[test]
    fn a_source_keeps_the_first_name_it_had_and_a_new_one_never_takes_it() {
        let one = after(
            Namespaces::default(),
            &[rename("crm", "sales")],
            &["sales", "app"],
        );
        assert_eq!(
            (one.of("sales"), one.of("app"), one.source_of("crm")),
            ("crm", "app", "sales")
        );
        let two = after(one.clone(), &[rename("sales", "leads")], &["leads"]);
        assert_eq!((two.of("leads"), two.of("sales")), ("crm", "sales"));
        let back = after(two, &[rename("leads", "crm")], &["crm"]);
        assert_eq!(back, Namespaces::default());
        let other = after(one, &[], &["sales", "crm"]);
        assert_eq!((other.of("sales"), other.of("crm")), ("crm", "crm~2"));
        assert_eq!(other.kind("external:crm:7"), "external:crm~2:7");
        assert_eq!(other.shown_kind("external:crm"), "external:sales");
        assert_eq!(other.shown_record("crm/contacts/7"), "sales/contacts/7");
        assert_eq!(
            (other.kind("email"), other.kind("email:crm:1")),
            ("email".into(), "email:crm:1".into())
        );
    }
}
