//! `[[purpose]]`: what people are asked to agree to, and the kind of address that their answer is about.

use crate::expression::{Expression, closest};
use crate::manifest::tree::{Hinted, Item, Spot};
use crate::manifest::{Destination, Loader, Names, Plan, Source};
use crate::model::Channel;
use crate::problem::codes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a stream says about one purpose.
#[derive(Debug, Clone)]
pub struct ConsentRule {
    pub purpose: Arc<str>,
    /// What problems call it.
    pub field: String,
    /// As in the purpose.
    pub channel: Option<Channel>,
    /// Results in `granted`, `denied`, `withdrawn` or none.
    pub status: Expression,
    /// Results in the time of the statement, or none where the record does not say.
    pub at: Option<Expression>,
}

impl ConsentRule {
    pub fn new(
        purpose: &str,
        channel: Option<Channel>,
        status: Expression,
        at: Option<Expression>,
    ) -> Self {
        Self {
            purpose: purpose.into(),
            field: format!("consent.{purpose}"),
            channel,
            status,
            at,
        }
    }
}

/// Something that people are asked to agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    pub name: String,
    /// The kind of address that a consent to it is about; none where it is about the person as such.
    pub channel: Option<Channel>,
    pub description: String,
    pub legal_basis: String,
}

impl Purpose {
    /// What a purpose that no manifest declares is taken to be: the end of its name says its channel.
    pub fn undeclared(name: &str) -> Self {
        let channel = match name.rsplit('_').next() {
            Some("email") => Some(Channel::Email),
            Some("sms" | "phone" | "whatsapp" | "call" | "calls") => Some(Channel::Phone),
            Some("push") => Some(Channel::Push),
            _ => None,
        };
        Self {
            name: name.to_owned(),
            channel,
            description: String::new(),
            legal_basis: String::new(),
        }
    }
}

impl Plan {
    /// What a destination needs and no stream ever states.
    pub fn unstated_purposes(&self, destination: &Destination) -> Vec<String> {
        let streams = self.sources.iter().flat_map(|source| &source.streams);
        let stated: BTreeSet<&str> = streams
            .flat_map(|stream| stream.consent.iter().map(|rule| &*rule.purpose))
            .collect();
        let needed = destination.consent.iter();
        needed
            .filter(|purpose| !stated.contains(purpose.as_str()))
            .cloned()
            .collect()
    }

    /// The channel of a purpose, whether anything in the manifests names it or not.
    pub fn channel_of(&self, purpose: &str) -> Option<Channel> {
        match self.purposes.get(purpose) {
            Some(known) => known.channel,
            None => Purpose::undeclared(purpose).channel,
        }
    }
}

const CHANNELS: [(&str, Option<Channel>); 4] = [
    ("email", Some(Channel::Email)),
    ("phone", Some(Channel::Phone)),
    ("push", Some(Channel::Push)),
    ("none", None),
];

impl Loader<'_> {
    /// Reads the purposes, before anything that speaks of them.
    pub(super) fn purposes(&mut self, items: &[Item<'_>]) {
        let mut names = Names::default();
        for item in items {
            if let Some(purpose) = self.purpose(item, &mut names) {
                self.purposes.insert(purpose.name.clone(), purpose);
            }
        }
    }

    fn purpose(&mut self, item: &Item<'_>, names: &mut Names) -> Option<Purpose> {
        let table = item.table("a purpose", "purpose", &mut self.report)?;
        let name = self.name("a purpose", &table, names)?;
        let channel = match table.get("channel") {
            Some(item) => item.choice(&CHANNELS, &mut self.report)?,
            None => Purpose::undeclared(&name).channel,
        };
        let mut text = |key| {
            let item = table.get(key);
            let text = item.and_then(|item| item.text(&mut self.report));
            text.unwrap_or_default().to_owned()
        };
        Some(Purpose {
            channel,
            description: text("description"),
            legal_basis: text("legal_basis"),
            name: name.to_string(),
        })
    }

    pub(super) fn mention_purpose(&mut self, purpose: &str, spot: Spot) {
        self.mentions.purposes.push((purpose.to_owned(), spot));
    }

    /// Reports purposes that are asked for, and that nobody can have agreed to.
    pub(super) fn check_purposes(&mut self) {
        let declared = self.purposes.keys();
        let known: BTreeSet<&str> = declared.chain(&self.stated).map(String::as_str).collect();
        for (purpose, spot) in &self.mentions.purposes {
            if known.contains(purpose.as_str()) {
                continue;
            }
            let message = format!("no stream states the consent `{purpose}`");
            let hint = match closest(purpose, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "map it, such as `consent.{purpose} = \"'granted' if newsletter == 'true' else none\"`, or declare it with `[[purpose]]` if people are asked elsewhere"
                ),
            };
            self.report
                .error(&codes::UNKNOWN_PURPOSE, spot, message)
                .with_hint(Some(hint));
        }
    }

    /// The channel of a purpose, whether it is declared or not.
    pub(super) fn channel_of(&self, purpose: &str) -> Option<Channel> {
        match self.purposes.get(purpose) {
            Some(known) => known.channel,
            None => Purpose::undeclared(purpose).channel,
        }
    }
}

/// The declared purposes, and others that are only spoken of.
pub(super) fn all(
    mut declared: BTreeMap<String, Purpose>,
    sources: &[Source],
    destinations: &[Destination],
) -> BTreeMap<String, Purpose> {
    let streams = sources.iter().flat_map(|source| &source.streams);
    let said = streams.flat_map(|stream| stream.consent.iter().map(|rule| &*rule.purpose));
    let needed = destinations.iter().flat_map(|one| &one.consent);
    let needed = needed.map(String::as_str);
    for name in said.chain(needed) {
        if !declared.contains_key(name) {
            declared.insert(name.to_owned(), Purpose::undeclared(name));
        }
    }
    declared
}
