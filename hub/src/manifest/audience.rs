//! `[[audience]]`: names and condition trees.

use crate::expression::{Comparison, Condition, Measure, Test, Window};
use crate::manifest::tree::{Hinted, Item, Table};
use crate::manifest::{Audience, Loader, Names, schedule, schema};
use crate::model::{Value, snake_case};
use crate::problem::codes;
use std::sync::Arc;
use toml::de::DeValue;

const SUBJECTS: [&str; 7] = ["trait", "event", "audience", "consent", "not", "all", "any"];
const TESTS: [&str; 10] = [
    "is", "in", "contains", "exists", "before", "after", "at_least", "at_most", "above", "below",
];

impl Loader<'_> {
    pub(super) fn audience(&mut self, item: &Item<'_>, names: &mut Names) -> Option<Audience> {
        let table = item.table(
            "an audience",
            &["name", "description", "who"],
            &mut self.report,
        )?;
        let name = self.name("an audience", &table, names);
        let description = table
            .get("description")
            .and_then(|item| item.text(&mut self.report))
            .unwrap_or_default();
        let who = table.need("who", "an audience", &mut self.report)?;
        let who = self.who(&who, name.as_ref());
        let (name, who) = (name?, who?);
        let digest = blake3::hash(format!("{who:?}").as_bytes()).to_hex()[..32].to_owned();
        Some(Audience {
            name,
            description: description.to_owned(),
            who,
            digest,
        })
    }

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
        match subject.key {
            "trait" => self.trait_condition(&table, &subject),
            "event" => self.event_condition(&table, &subject),
            "audience" => {
                table.check_keys(
                    "a condition on an audience",
                    &["audience"],
                    &mut self.report,
                );
                let name = subject.text(&mut self.report)?;
                self.mentions
                    .audiences
                    .push((name.to_owned(), owner.cloned(), subject.spot()));
                Some(Condition::Audience {
                    name: name.to_owned(),
                })
            }
            "consent" => {
                table.check_keys("a condition on consent", &["consent"], &mut self.report);
                let purpose = subject.text(&mut self.report)?;
                Some(Condition::Consent {
                    purpose: purpose.to_owned(),
                })
            }
            _ => {
                table.check_keys("a group of conditions", &[subject.key], &mut self.report);
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
                    .with_hint(Some(subjects_hint()));
            }
            ([], Some(first)) => {
                let known = [&SUBJECTS[..], &TESTS[..]].concat();
                table.check_keys("a condition", &known, report);
                let message = "the condition has no subject";
                report
                    .error(&codes::BAD_CONDITION, &first.key_spot(), message)
                    .with_hint(Some(subjects_hint()));
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
        Some(match item.key {
            "all" => Condition::All(parts),
            "any" => Condition::Any(parts),
            _ => Condition::Not(Box::new(Condition::Any(parts))),
        })
    }

    fn trait_condition(&mut self, table: &Table<'_>, subject: &Item<'_>) -> Option<Condition> {
        let known = [&["trait"], &TESTS[..]].concat();
        let good = table.check_keys("a condition on a trait", &known, &mut self.report);
        let name = subject.text(&mut self.report)?;
        let canonical = snake_case(name).into_owned();
        self.mentions
            .traits
            .push((canonical.clone(), subject.part(0..name.len())));
        let tests = self.tests(table)?;
        if tests.is_empty() && !good {
            return None;
        }
        if tests.is_empty() {
            let known = TESTS.map(|name| format!("`{name}`")).join(", ");
            self.report
                .error(
                    &codes::BAD_CONDITION,
                    &subject.spot(),
                    format!("the condition does not say what `{name}` must be"),
                )
                .with_hint(Some(format!("add one of {known}")));
            return None;
        }
        let mut conditions: Vec<Condition> = tests
            .into_iter()
            .map(|test| Condition::Trait {
                name: canonical.clone(),
                test,
            })
            .collect();
        if conditions.len() == 1 {
            conditions.pop()
        } else {
            Some(Condition::All(conditions))
        }
    }

    /// The tests of a table, in its order; `None` when one cannot be read.
    fn tests(&mut self, table: &Table<'_>) -> Option<Vec<Test>> {
        let items = table.items();
        let tests = items.iter().filter(|item| TESTS.contains(&item.key));
        let read: Vec<Option<Test>> = tests.map(|item| self.test(item)).collect();
        read.into_iter().collect()
    }

    fn test(&mut self, item: &Item<'_>) -> Option<Test> {
        let report = &mut self.report;
        let compare = |comparison, number: Option<f64>| Some(Test::Compare(comparison, number?));
        match item.key {
            "is" => self.scalar(item).map(Test::Is),
            "in" => {
                let items = item.list(report);
                let values: Vec<Option<Value>> =
                    items.iter().map(|item| self.scalar(item)).collect();
                values.into_iter().collect::<Option<Vec<_>>>().map(Test::In)
            }
            "contains" => item
                .text(report)
                .map(|text| Test::Contains(text.to_owned())),
            "exists" => item.boolean(report).map(Test::Exists),
            "before" => schedule::time(item, report).map(Test::Before),
            "after" => schedule::time(item, report).map(Test::After),
            "at_least" => compare(Comparison::AtLeast, item.number(report)),
            "at_most" => compare(Comparison::AtMost, item.number(report)),
            "above" => compare(Comparison::Above, item.number(report)),
            _ => compare(Comparison::Below, item.number(report)),
        }
    }

    fn scalar(&mut self, item: &Item<'_>) -> Option<Value> {
        if matches!(item.raw(), DeValue::Array(_) | DeValue::Table(_)) {
            item.wrong("a text, a number, or `true` or `false`", &mut self.report);
            return None;
        }
        Some(schema::to_json(item))
    }

    fn event_condition(&mut self, table: &Table<'_>, subject: &Item<'_>) -> Option<Condition> {
        let known = ["event", "where", "count", "sum", "within", "between"];
        table.check_keys("a condition on events", &known, &mut self.report);
        let name = subject.text(&mut self.report);
        let filter = match table.get("where") {
            Some(item) => self.event_filter(&item),
            None => Some(Vec::new()),
        };
        let window = self.window(table);
        let measure = self.measure(table);
        Some(Condition::Event {
            name: name?.to_owned(),
            filter: filter?,
            window: window?,
            measure: measure?,
        })
    }

    /// Properties with a value or with tests.
    pub(super) fn event_filter(&mut self, item: &Item<'_>) -> Option<Vec<(String, Test)>> {
        let table = item.free_table(&mut self.report)?;
        let mut filter = Vec::new();
        let mut good = true;
        for item in table.items() {
            let name = snake_case(item.key).into_owned();
            let tests = match item.raw() {
                DeValue::Table(_) => {
                    let table = item.table("the tests of a property", &TESTS, &mut self.report)?;
                    self.tests(&table)
                }
                _ => self.scalar(&item).map(|value| vec![Test::Is(value)]),
            };
            good &= tests.is_some();
            filter.extend(tests.into_iter().flatten().map(|test| (name.clone(), test)));
        }
        good.then_some(filter)
    }

    pub(super) fn window(&mut self, table: &Table<'_>) -> Option<Window> {
        match (table.get("within"), table.get("between")) {
            (None, None) => Some(Window::Ever),
            (Some(within), None) => {
                schedule::duration(&within, &mut self.report).map(Window::Within)
            }
            (None, Some(between)) => {
                let items = between.list(&mut self.report);
                let times: Vec<_> = items
                    .iter()
                    .map(|item| schedule::time(item, &mut self.report))
                    .collect();
                match times.as_slice() {
                    [Some(from), Some(to)] if from < to => Some(Window::Between(*from, *to)),
                    [None, _] | [_, None] => None,
                    _ => {
                        let message = "`between` takes two times, the earlier one first";
                        self.report
                            .error(&codes::BAD_DURATION, &between.spot(), message);
                        None
                    }
                }
            }
            (Some(_), Some(between)) => {
                let message = "a condition takes `within` or `between`, not both";
                self.report
                    .error(&codes::BAD_CONDITION, &between.key_spot(), message);
                None
            }
        }
    }

    fn measure(&mut self, table: &Table<'_>) -> Option<Measure> {
        let report = &mut self.report;
        let (item, table) = match (table.get("count"), table.get("sum")) {
            (None, None) => {
                return Some(Measure::Count {
                    at_least: Some(1),
                    at_most: None,
                });
            }
            (Some(_), Some(sum)) => {
                report.error(
                    &codes::BAD_CONDITION,
                    &sum.key_spot(),
                    "a condition takes `count` or `sum`, not both",
                );
                return None;
            }
            (Some(count), None) => (
                count,
                count.table("`count`", &["at_least", "at_most"], report)?,
            ),
            (None, Some(sum)) => (
                sum,
                sum.table("`sum`", &["of", "at_least", "at_most"], report)?,
            ),
        };
        let (least, most) = (table.get("at_least"), table.get("at_most"));
        if least.is_none() && most.is_none() {
            report
                .error(
                    &codes::BAD_CONDITION,
                    &item.spot(),
                    format!("`{}` has no bound", item.key),
                )
                .with_hint(Some("add `at_least`, `at_most` or both".to_owned()));
            return None;
        }
        if item.key == "count" {
            let mut read = |item: Option<Item<'_>>| match item {
                Some(item) => item
                    .integer(0..=i64::MAX, report)
                    .map(|number| Some(number.unsigned_abs())),
                None => Some(None),
            };
            let (at_least, at_most) = (read(least), read(most));
            return Some(Measure::Count {
                at_least: at_least?,
                at_most: at_most?,
            });
        }
        let property = table
            .need("of", "`sum`", report)
            .and_then(|item| item.text(report));
        let mut read = |item: Option<Item<'_>>| match item {
            Some(item) => item.number(report).map(Some),
            None => Some(None),
        };
        let (at_least, at_most) = (read(least), read(most));
        Some(Measure::Sum {
            property: snake_case(property?).into_owned(),
            at_least: at_least?,
            at_most: at_most?,
        })
    }
}

fn subjects_hint() -> String {
    let known = SUBJECTS.map(|name| format!("`{name}`")).join(", ");
    format!("start with one of {known}")
}
