//! Conditions on accounts: what they ask about their people, and what can only be asked about people.

use crate::expression::{Condition, Measure};
use crate::manifest::journey::step;
use crate::manifest::tree::{Hinted, Item, Spot, Table};
use crate::manifest::{Loader, Subject};
use crate::problem::codes;
use std::sync::Arc;
use toml::de::DeValue;

impl Loader<'_> {
    pub(super) fn mention_trait(&mut self, name: String, spot: Spot) {
        let mentions = &mut self.mentions;
        match self.subject {
            Subject::Person => mentions.traits.push((name, spot)),
            Subject::Account => mentions.account_traits.push((name, spot)),
        }
    }

    /// Reports a subject that the condition cannot have.
    pub(super) fn check_subject(&mut self, subject: &Item<'_>) -> Option<()> {
        let (message, hint) = match (self.subject, subject.key) {
            (Subject::Person, "people") => (
                "a person has no people",
                "`of = \"account\"` makes an audience of accounts, for which `{ audience = … }` can ask here",
            ),
            (Subject::Account, "event" | "sequence") => (
                "an account has no events of its own",
                "ask its people: `{ people = { event = … }, count = { at_least = 1 } }`",
            ),
            (Subject::Account, "has") => (
                "an account has no orders, subscriptions or products of its own",
                "ask its people: `{ people = { has = … }, count = { at_least = 1 } }`",
            ),
            (Subject::Account, "consent") => (
                "accounts do not give consent",
                "ask its people: `{ people = { consent = … }, count = { at_least = 1 } }`",
            ),
            _ => return Some(()),
        };
        self.report
            .error(&codes::BAD_CONDITION, &subject.key_spot(), message)
            .with_hint(Some(hint.to_owned()));
        None
    }

    /// Membership of an audience, whose kind says what it means.
    pub(super) fn in_audience(
        &mut self,
        name: String,
        lasting: i64,
        item: &Item<'_>,
    ) -> Option<Condition> {
        match (self.subject, self.kinds.get(&name)) {
            (Subject::Person, Some(Subject::Account)) => {
                Some(Condition::AccountAudience { name, lasting })
            }
            (Subject::Account, Some(Subject::Person)) => {
                let message = format!("`{name}` is an audience of people, not of accounts");
                let hint = format!(
                    "`{{ people = {{ audience = \"{name}\" }}, count = {{ at_least = 1 }} }}` counts the account's people in it"
                );
                self.report
                    .error(&codes::BAD_CONDITION, &item.spot(), message)
                    .with_hint(Some(hint));
                None
            }
            _ => Some(Condition::Audience { name, lasting }),
        }
    }

    /// `{ people = { … }, count = { at_least = 2 } }`; `people = "all"` counts every one.
    pub(super) fn people_condition(
        &mut self,
        table: &Table<'_>,
        subject: &Item<'_>,
        owner: Option<&Arc<str>>,
    ) -> Option<Condition> {
        let what = "a condition on an account's people";
        table.check_keys(what, "condition.people", &mut self.report);
        let measure = self.measure(table);
        let who = match subject.raw() {
            DeValue::String(_) => subject
                .choice(&[("all", ())], &mut self.report)
                .map(|()| Condition::All(Vec::new())),
            _ => {
                self.subject = Subject::Person;
                let who = self.who(subject, owner);
                self.subject = Subject::Account;
                who
            }
        };
        let Measure::Count { at_least, at_most } = measure? else {
            return None;
        };
        let who = who?;
        Some(Condition::People {
            step: self.step_of(&who, owner),
            who: Box::new(who),
            at_least,
            at_most,
        })
    }

    /// The audience whose members are counted.
    fn step_of(&mut self, who: &Condition, owner: Option<&Arc<str>>) -> Option<String> {
        match who {
            Condition::All(parts) if parts.is_empty() => None,
            Condition::Audience { name, lasting: 0 } => Some(name.clone()),
            who => {
                let prefix = format!("{}/people/", owner.map_or("", |owner| owner));
                let of = self
                    .steps
                    .iter()
                    .filter(|one| one.name.starts_with(&prefix));
                let name = format!("{prefix}{}", of.count() + 1);
                self.steps.push(step(name.as_str().into(), who.clone()));
                Some(name)
            }
        }
    }
}
