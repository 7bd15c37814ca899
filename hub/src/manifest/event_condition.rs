//! Conditions on events: which events, in which window, how many or how much, and in which order; and on what people have, which
//! is asked for in the same way.

use crate::expression::{Condition, Measure, Step, Window};
use crate::manifest::tree::{Hinted, Item, Table};
use crate::manifest::{Loader, schedule};
use crate::model::{EntityKind, snake_case};
use crate::problem::codes;
use toml::de::DeValue;

impl Loader<'_> {
    pub(super) fn event_condition(
        &mut self,
        table: &Table<'_>,
        subject: &Item<'_>,
    ) -> Option<Condition> {
        table.check_keys("a condition on events", "condition.event", &mut self.report);
        let name = self.event_name(subject);
        self.happened(table, name)
    }

    /// `{ has = "subscription", where = { status = "active" } }`
    pub(super) fn thing_condition(
        &mut self,
        table: &Table<'_>,
        subject: &Item<'_>,
    ) -> Option<Condition> {
        let what = "a condition on what people have";
        table.check_keys(what, "condition.has", &mut self.report);
        let kinds = EntityKind::THINGS.map(|kind| (kind.as_str(), kind));
        let name = subject.choice(&kinds, &mut self.report);
        let name = name.map(EntityKind::thing_name);
        let mention = name.clone().map(|name| (name, subject.spot()));
        self.mentions.events.extend(mention);
        self.happened(table, name)
    }

    fn happened(&mut self, table: &Table<'_>, name: Option<String>) -> Option<Condition> {
        let filter = match table.get("where") {
            Some(item) => self.event_filter(&item),
            None => Some(Vec::new()),
        };
        let window = self.window(table);
        let measure = self.measure(table);
        let never = self.never(table);
        let happened = Condition::Event {
            name: name?,
            filter: filter?,
            window: window?,
            measure: measure?,
        };
        Some(if never? { happened.negated() } else { happened })
    }

    fn event_name(&mut self, item: &Item<'_>) -> Option<String> {
        let name = item.text(&mut self.report)?;
        let mention = (name.to_owned(), item.part(0..name.len()));
        self.mentions.events.push(mention);
        Some(name.to_owned())
    }

    fn never(&mut self, table: &Table<'_>) -> Option<bool> {
        let Some(item) = table.get("never") else {
            return Some(false);
        };
        for other in ["count", "sum"] {
            if let Some(measured) = table.get(other) {
                let message = format!("what must never happen has no `{other}`");
                self.report
                    .error(&codes::BAD_CONDITION, &measured.key_spot(), message)
                    .with_hint(Some(
                        "`not = { … }` turns a condition with a bound around".to_owned(),
                    ));
                return None;
            }
        }
        item.boolean(&mut self.report)
    }

    /// `sequence = [ { event = "A" }, { event = "B", within = "7d" } ]`
    pub(super) fn sequence_condition(
        &mut self,
        table: &Table<'_>,
        subject: &Item<'_>,
    ) -> Option<Condition> {
        let what = "a condition on a sequence";
        table.check_keys(what, "condition.sequence", &mut self.report);
        let items = subject.list(&mut self.report);
        if items.len() < 2 && matches!(subject.raw(), DeValue::Array(_)) {
            let message = "a sequence has two steps or more";
            self.report
                .error(&codes::BAD_CONDITION, &subject.spot(), message);
        }
        let steps: Vec<Option<Step>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.step(item, index == 0))
            .collect();
        let (window, never) = (self.window(table), self.never(table));
        let steps = steps.into_iter().collect::<Option<Vec<_>>>();
        let sequence = Condition::Sequence {
            steps: steps.filter(|steps| steps.len() > 1)?,
            window: window?,
        };
        Some(if never? { sequence.negated() } else { sequence })
    }

    fn step(&mut self, item: &Item<'_>, is_first: bool) -> Option<Step> {
        let table = item.table("a step of a sequence", "condition.step", &mut self.report)?;
        let name = table
            .need("event", "a step of a sequence", &mut self.report)
            .and_then(|item| self.event_name(&item));
        let filter = match table.get("where") {
            Some(item) => self.event_filter(&item),
            None => Some(Vec::new()),
        };
        let within = match table.get("within") {
            Some(within) if is_first => {
                let message = "the first step comes after nothing, so it has no `within`";
                self.report
                    .error(&codes::BAD_CONDITION, &within.key_spot(), message)
                    .with_hint(Some(
                        "`within` next to `sequence` says how long ago the last step may be"
                            .to_owned(),
                    ));
                None
            }
            Some(within) => schedule::duration(&within, &mut self.report).map(Some),
            None => Some(None),
        };
        Some(Step {
            name: name?,
            filter: filter?,
            within: within?,
        })
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

    pub(super) fn measure(&mut self, table: &Table<'_>) -> Option<Measure> {
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
            (Some(count), None) => (count, count.table("`count`", "condition.count", report)?),
            (None, Some(sum)) => (sum, sum.table("`sum`", "condition.sum", report)?),
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
        match item.key {
            "count" => self.count_measure(&item, (least, most)),
            _ => self.sum_measure(&table, &item, (least, most)),
        }
    }

    fn count_measure(
        &mut self,
        item: &Item<'_>,
        (least, most): (Option<Item<'_>>, Option<Item<'_>>),
    ) -> Option<Measure> {
        let mut read = |item: Option<Item<'_>>| match item {
            Some(item) => item
                .integer(0..=i64::MAX, &mut self.report)
                .map(|number| Some(number.unsigned_abs())),
            None => Some(None),
        };
        let (least, most) = (read(least), read(most));
        let (at_least, at_most) = (least?, most?);
        self.check_bounds(at_least.zip(at_most).is_some_and(|(a, b)| a > b), item);
        Some(Measure::Count { at_least, at_most })
    }

    fn sum_measure(
        &mut self,
        table: &Table<'_>,
        item: &Item<'_>,
        (least, most): (Option<Item<'_>>, Option<Item<'_>>),
    ) -> Option<Measure> {
        let report = &mut self.report;
        let property = table
            .need("of", "`sum`", report)
            .and_then(|item| item.text(report));
        let mut read = |item: Option<Item<'_>>| match item {
            Some(item) => item.number(report).map(Some),
            None => Some(None),
        };
        let (least, most) = (read(least), read(most));
        let (at_least, at_most) = (least?, most?);
        self.check_bounds(at_least.zip(at_most).is_some_and(|(a, b)| a > b), item);
        Some(Measure::Sum {
            property: snake_case(property?).into_owned(),
            at_least,
            at_most,
        })
    }

    fn check_bounds(&mut self, crossed: bool, item: &Item<'_>) {
        if crossed {
            let message = format!(
                "no {} is at least one bound and at most the other",
                item.key
            );
            self.report
                .error(&codes::NEVER_HOLDS, &item.spot(), message);
        }
    }
}
