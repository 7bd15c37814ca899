//! `to`: what the records of a stream are about. One thing, or something that happened and the person it happened to.

use crate::manifest::Loader;
use crate::manifest::tree::{Hinted, Item};
use crate::model::EntityKind;
use crate::problem::codes;
use toml::de::DeValue;

const TARGETS: [(&str, Target); 7] = [
    ("person", Target::Person),
    ("event", Target::Event),
    ("account", Target::Entity(EntityKind::Account)),
    ("order", Target::Entity(EntityKind::Order)),
    ("subscription", Target::Entity(EntityKind::Subscription)),
    ("product", Target::Entity(EntityKind::Product)),
    ("consent", Target::Consent),
];

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    Person,
    Event,
    Entity(EntityKind),
    Consent,
}

impl Target {
    /// Whether it is somebody's, so that a record can be about the person, too.
    fn is_somebodys(self) -> bool {
        matches!(
            self,
            Self::Event | Self::Entity(EntityKind::Order | EntityKind::Subscription)
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct About {
    pub target: Target,
    pub is_of_person: bool,
}

impl About {
    /// None where a word is unknown, or where they do not go together.
    pub fn of(words: &[String]) -> Option<Self> {
        let known = |word: &String| {
            let mut targets = TARGETS.iter();
            targets.find(|(known, _)| known == word)
        };
        let targets = words.iter().map(|word| Some(known(word)?.1));
        Self::of_targets(&targets.collect::<Option<Vec<_>>>()?)
    }

    fn of_targets(targets: &[Target]) -> Option<Self> {
        let others = targets.iter().filter(|one| **one != Target::Person);
        let (target, is_of_person) = match (targets, &others.collect::<Vec<_>>()[..]) {
            ([target], _) => (*target, *target == Target::Person),
            ([_, _], [other]) if other.is_somebodys() => (**other, true),
            _ => return None,
        };
        Some(Self {
            target,
            is_of_person,
        })
    }
}

impl Loader<'_> {
    /// A word, or a list of `person` and what happened to the person.
    pub(super) fn about(&mut self, item: &Item<'_>) -> Option<About> {
        let words = match item.raw() {
            DeValue::Array(_) => item.list(&mut self.report),
            _ => return About::of_targets(&[item.choice(&TARGETS, &mut self.report)?]),
        };
        let targets = words
            .iter()
            .map(|word| word.choice(&TARGETS, &mut self.report));
        let targets = targets.collect::<Vec<_>>();
        let targets = targets.into_iter().collect::<Option<Vec<_>>>()?;
        let about = About::of_targets(&targets);
        if about.is_none() {
            let message = "these do not go together in one stream";
            let hint = "a list has `person` and one of `event`, `order` and `subscription`: `to = [\"person\", \"event\"]`";
            self.report
                .error(&codes::WRONG_VALUE, &item.spot(), message)
                .with_hint(Some(hint.to_owned()));
        }
        about
    }
}
