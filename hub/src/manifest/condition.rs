//! Conditions: compiles TOML tables to a tree. Events are in `event_condition`, tests of one value in `value_test`.

use crate::expression::{Condition, POSITIONS};
use crate::manifest::tree::{Hinted, Item, Table};
use crate::manifest::value_test::TESTS;
use crate::manifest::{Loader, Subject, schedule};
use crate::model::{EntityKind, entity_field, person_trait, snake_case};
use crate::problem::codes;
use std::sync::Arc;
use toml::de::DeValue;

const SUBJECTS: [&str; 11] = [
    "trait", "event", "has", "sequence", "people", "audience", "consent", "split", "not", "all",
    "any",
];

impl Loader<'_> {
    /// One condition, or `all`, `any` and `not` side by side, which must all hold.
    pub(super) fn who(&mut self, item: &Item<'_>, owner: Option<&Arc<str>>) -> Option<Condition> {
        let table = item.free_table(&mut self.report)?;
        let items = table.items();
        let groups = items
            .iter()
            .all(|item| matches!(item.key, "all" | "any" | "not"));
        if !groups || items.len() < 2 {
            return self.condition(item, owner);
        }
        let parts: Vec<Option<Condition>> =
            items.iter().map(|item| self.group(item, owner)).collect();
        Some(Condition::All(
            parts.into_iter().collect::<Option<Vec<_>>>()?,
        ))
    }

    fn condition(&mut self, item: &Item<'_>, owner: Option<&Arc<str>>) -> Option<Condition> {
        let table = item.free_table(&mut self.report)?;
        let subject = self.subject(item, &table)?;
        self.check_subject(&subject)?;
        match subject.key {
            "trait" => self.trait_condition(&table, &subject),
            "event" => self.event_condition(&table, &subject),
            "has" => self.thing_condition(&table, &subject),
            "sequence" => self.sequence_condition(&table, &subject),
            "people" => self.people_condition(&table, &subject, owner),
            "split" => {
                table.check_keys(
                    "a condition on a split",
                    "condition.split",
                    &mut self.report,
                );
                self.split(&subject)
            }
            "audience" => {
                let what = "a condition on an audience";
                table.check_keys(what, "condition.audience", &mut self.report);
                let name = subject.text(&mut self.report)?.to_owned();
                let mention = (name.clone(), owner.cloned(), subject.spot());
                self.mentions.audiences.push(mention);
                let lasting = match table.get("for") {
                    Some(item) => schedule::duration(&item, &mut self.report)?,
                    None => 0,
                };
                self.in_audience(name, lasting, &subject)
            }
            "consent" => {
                let what = "a condition on consent";
                table.check_keys(what, "condition.consent", &mut self.report);
                let purpose = subject.text(&mut self.report)?;
                self.mention_purpose(purpose, subject.spot());
                Some(Condition::Consent {
                    purpose: purpose.to_owned(),
                })
            }
            _ => {
                table.only("a group of conditions", &[subject.key], &mut self.report);
                self.group(&subject, owner)
            }
        }
    }

    /// The one key that says what a condition is about.
    fn subject<'t>(&mut self, item: &Item<'t>, table: &Table<'t>) -> Option<Item<'t>> {
        let items = table.items();
        let subjects: Vec<&Item<'t>> = items
            .iter()
            .filter(|item| SUBJECTS.contains(&item.key))
            .collect();
        let report = &mut self.report;
        match (subjects.as_slice(), items.first()) {
            ([one], _) => return Some(**one),
            ([first, second, ..], _) => {
                let message = format!(
                    "a condition has one subject, not both `{}` and `{}`",
                    first.key, second.key
                );
                report
                    .error(&codes::BAD_CONDITION, &second.key_spot(), message)
                    .with_hint(Some("combine conditions with `all` or `any`".to_owned()));
            }
            ([], None) => {
                report
                    .error(
                        &codes::BAD_CONDITION,
                        &item.spot(),
                        "the condition is empty",
                    )
                    .with_hint(Some(subjects_hint(self.subject)));
            }
            ([], Some(first)) => {
                let known = [&SUBJECTS[..], &TESTS[..]].concat();
                table.only("a condition", &known, report);
                let message = "the condition has no subject";
                report
                    .error(&codes::BAD_CONDITION, &first.key_spot(), message)
                    .with_hint(Some(subjects_hint(self.subject)));
            }
        }
        None
    }

    /// `all = […]`, `any = […]`, `not = {…}`; `not = […]` means none of them.
    fn group(&mut self, item: &Item<'_>, owner: Option<&Arc<str>>) -> Option<Condition> {
        if item.key == "not" && matches!(item.raw(), DeValue::Table(_)) {
            let inner = self.condition(item, owner)?;
            return Some(Condition::Not(Box::new(inner)));
        }
        let items = item.list(&mut self.report);
        if items.is_empty() && matches!(item.raw(), DeValue::Array(_)) {
            self.report.error(
                &codes::BAD_CONDITION,
                &item.spot(),
                format!("`{}` has no conditions", item.key),
            );
        }
        let parts: Vec<Option<Condition>> = items
            .iter()
            .map(|item| self.condition(item, owner))
            .collect();
        let parts = parts
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .filter(|parts| !parts.is_empty())?;
        if item.key == "all" {
            self.check_together(&parts, &item.spot());
        }
        Some(match item.key {
            "all" => Condition::All(parts),
            "any" => Condition::Any(parts),
            _ => Condition::Not(Box::new(Condition::Any(parts))),
        })
    }

    fn trait_condition(&mut self, table: &Table<'_>, subject: &Item<'_>) -> Option<Condition> {
        let good = table.check_keys(
            "a condition on a trait",
            "condition.trait",
            &mut self.report,
        );
        let name = subject.text(&mut self.report)?;
        let canonical = snake_case(name).into_owned();
        self.mention_trait(canonical.clone(), subject.part(0..name.len()));
        let shape = match self.subject {
            Subject::Person => person_trait(&canonical),
            Subject::Account => entity_field(EntityKind::Account, &canonical),
        };
        // What the hub works out itself has the shape that its definition gives it.
        let shape = shape.filter(|_| !self.computed.contains(&canonical));
        if let Some(shape) = shape {
            self.check_values(&canonical, shape, table);
        }
        let tests = self.tests(table)?.into_iter().map(|test| Condition::Trait {
            name: canonical.clone(),
            test,
        });
        let mut conditions: Vec<Condition> = tests.collect();
        for (key, ahead) in [("within_next", true), ("within_last", false)] {
            let Some(item) = table.get(key) else { continue };
            let length = schedule::duration(&item, &mut self.report)?;
            conditions.push(Condition::Near {
                name: canonical.clone(),
                from: if ahead { -length } else { 0 },
                until: if ahead { 0 } else { length },
            });
        }
        if conditions.is_empty() && good {
            let known = TESTS.map(|name| format!("`{name}`")).join(", ");
            self.report
                .error(
                    &codes::BAD_CONDITION,
                    &subject.spot(),
                    format!("the condition does not say what `{name}` must be"),
                )
                .with_hint(Some(format!("add one of {known}")));
        }
        self.check_together(&conditions, &table.spot());
        match conditions.len() {
            0 | 1 => conditions.pop(),
            _ => Some(Condition::All(conditions)),
        }
    }

    /// `split = { name = "spring", from = 0, to = 50 }`, in percent.
    fn split(&mut self, item: &Item<'_>) -> Option<Condition> {
        let table = item.table("`split`", "condition.split.part", &mut self.report)?;
        let name = table.need("name", "`split`", &mut self.report);
        let name = name.and_then(|item| item.text(&mut self.report));
        let mut bound = |key: &str, missing: u32| match table.get(key) {
            Some(item) => self.percent(&item),
            None => Some(missing),
        };
        let (from, until) = (bound("from", 0), bound("to", POSITIONS));
        let (name, from, until) = (name?, from?, until?);
        if from >= until {
            let message = "the split takes nobody: `from` must be below `to`";
            self.report
                .error(&codes::NEVER_HOLDS, &item.spot(), message);
            return None;
        }
        Some(Condition::Split {
            name: name.to_owned(),
            from,
            until,
        })
    }

    /// `12.5` or `"12.5%"` as places of a split.
    pub(super) fn percent(&mut self, item: &Item<'_>) -> Option<u32> {
        let percent = match item.raw().as_str() {
            Some(text) => text
                .strip_suffix('%')
                .and_then(|number| number.trim().parse::<f64>().ok()),
            None => item.as_number(),
        };
        match percent {
            Some(percent) if (0.0..=100.0).contains(&percent) => {
                Some((percent * f64::from(POSITIONS) / 100.0).round() as u32)
            }
            _ => {
                let message = format!("`{}` must be from 0% to 100%", item.key);
                self.report
                    .error(&codes::BAD_NUMBER, &item.spot(), message)
                    .with_hint(Some("write it as text, such as `\"12.5%\"`".to_owned()));
                None
            }
        }
    }
}

fn subjects_hint(of: Subject) -> String {
    let fits = |name: &&&str| match of {
        Subject::Person => **name != "people",
        Subject::Account => !matches!(**name, "event" | "has" | "sequence" | "consent"),
    };
    let known = SUBJECTS.iter().filter(fits);
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    format!("start with one of {}", known.join(", "))
}
