//! Tests of one value, of a trait or of an event's property, and whether several of them can be true together.

use crate::expression::{Comparison, Condition, Pattern, Test, passes, shown, to_shape};
use crate::manifest::tree::{Hinted, Item, Spot, Table};
use crate::manifest::{Loader, schedule, schema};
use crate::model::{Shape, Value, event_property, snake_case};
use crate::problem::{Severity, codes};
use std::collections::BTreeMap;
use toml::de::DeValue;

pub(super) const TESTS: [&str; 11] = [
    "is", "in", "contains", "matches", "exists", "before", "after", "at_least", "at_most", "above",
    "below",
];
/// Tests against another trait of the person.
pub(super) const REFERENCES: [&str; 5] = [
    "is_trait",
    "at_least_trait",
    "at_most_trait",
    "above_trait",
    "below_trait",
];

impl Loader<'_> {
    /// The tests of a table, in its order; `None` when one cannot be read.
    pub(super) fn tests(&mut self, table: &Table<'_>) -> Option<Vec<Test>> {
        let items = table.items();
        let tests = items
            .iter()
            .filter(|item| TESTS.contains(&item.key) || REFERENCES.contains(&item.key));
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
            "matches" => self.pattern(item).map(Test::Matches),
            "exists" => item.boolean(report).map(Test::Exists),
            "before" => schedule::time(item, report).map(Test::Before),
            "after" => schedule::time(item, report).map(Test::After),
            "at_least" => compare(Comparison::AtLeast, item.number(report)),
            "at_most" => compare(Comparison::AtMost, item.number(report)),
            "above" => compare(Comparison::Above, item.number(report)),
            "below" => compare(Comparison::Below, item.number(report)),
            "is_trait" => self.reference(item).map(Test::IsTrait),
            "at_least_trait" => self.compared(Comparison::AtLeast, item),
            "at_most_trait" => self.compared(Comparison::AtMost, item),
            "above_trait" => self.compared(Comparison::Above, item),
            _ => self.compared(Comparison::Below, item),
        }
    }

    fn compared(&mut self, comparison: Comparison, item: &Item<'_>) -> Option<Test> {
        let name = self.reference(item)?;
        Some(Test::CompareTrait(comparison, name))
    }

    /// The name of another trait of the same person.
    fn reference(&mut self, item: &Item<'_>) -> Option<String> {
        let name = item.text(&mut self.report)?;
        let canonical = snake_case(name).into_owned();
        self.mention_trait(canonical.clone(), item.part(0..name.len()));
        Some(canonical)
    }

    fn pattern(&mut self, item: &Item<'_>) -> Option<Pattern> {
        let text = item.text(&mut self.report)?;
        match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(bad) => {
                let message = format!(
                    "`{}` is not a valid regular expression: {}",
                    shown(text),
                    bad.message
                );
                self.report
                    .error(&codes::BAD_PATTERN, &item.part(bad.span), message)
                    .with_hint(Some(
                        "single quotes keep `\\` as it is, such as `'^\\d+$'`; look-around and back-references do not exist"
                            .to_owned(),
                    ));
                None
            }
        }
    }

    pub(super) fn scalar(&mut self, item: &Item<'_>) -> Option<Value> {
        if matches!(item.raw(), DeValue::Array(_) | DeValue::Table(_)) {
            item.wrong("a text, a number, or `true` or `false`", &mut self.report);
            return None;
        }
        Some(schema::to_json(item))
    }

    /// Warns of values that a trait or a property of this shape never has: `Poland` where countries are codes. Other values of a list, or
    /// other conditions, may hold all the same.
    pub(super) fn check_values(&mut self, name: &str, shape: Shape, table: &Table<'_>) {
        let tests = ["is", "in"].map(|key| table.get(key));
        for item in tests.into_iter().flatten() {
            self.check_value(name, shape, &item);
        }
    }

    /// The same of one value, or of each in a list.
    fn check_value(&mut self, name: &str, shape: Shape, item: &Item<'_>) {
        if matches!(item.raw(), DeValue::Array(_)) {
            for item in item.list(&mut self.report) {
                self.check_value(name, shape, &item);
            }
            return;
        }
        if matches!(item.raw(), DeValue::Table(_)) {
            return;
        }
        let wanted = schema::to_json(item);
        if wanted.is_number() && matches!(shape, Shape::Money | Shape::Number) {
            return;
        }
        let hint = match to_shape(shape, wanted.clone()) {
            Ok(stored) if passes(Some(&stored), &Test::Is(wanted.clone())) => return,
            Ok(Value::Null) => "`exists = false` asks for those without it".to_owned(),
            Ok(stored) if shape == Shape::Time => {
                format!(
                    "a time is stored as {stored}, in milliseconds: ask with `before` and `after`"
                )
            }
            Ok(stored) => format!("write `{stored}`, as it is stored"),
            Err(expected) => format!("each value of `{name}` is {expected}"),
        };
        let message = format!(
            "`{name}` never has the value `{}`",
            shown(&wanted.to_string())
        );
        let problem = self
            .report
            .error(&codes::NEVER_HOLDS, &item.spot(), message);
        problem.with_hint(Some(hint));
        problem.severity = Severity::Warning;
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
                    let table = item.table("the tests of a property", "tests", &mut self.report)?;
                    self.tests(&table)
                }
                _ => self.scalar(&item).map(|value| vec![Test::Is(value)]),
            };
            good &= tests.is_some();
            if let Some(shape) = event_property(&name) {
                match item.as_table() {
                    Some(table) => self.check_values(&name, shape, &table),
                    None => self.check_value(&name, shape, &item),
                }
            }
            if let Some(tests) = &tests {
                self.check_tests(&name, &tests.iter().collect::<Vec<_>>(), &item.spot());
            }
            filter.extend(tests.into_iter().flatten().map(|test| (name.clone(), test)));
        }
        good.then_some(filter)
    }

    /// Reports conditions that must all hold and cannot.
    pub(super) fn check_together(&mut self, parts: &[Condition], spot: &Spot) {
        let mut by_trait: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
        for part in parts {
            // A trait with several tests is a group of its own, which has been looked at.
            if let Condition::Trait { name, test } = part {
                by_trait.entry(name).or_default().push(test);
            }
        }
        for (name, tests) in by_trait {
            self.check_tests(name, &tests, spot);
        }
    }

    fn check_tests(&mut self, name: &str, tests: &[&Test], spot: &Spot) {
        if contradict(tests) {
            self.report
                .error(
                    &codes::NEVER_HOLDS,
                    spot,
                    format!("no value of `{name}` can pass all of these tests"),
                )
                .with_hint(Some("`any = [ … ]` asks for one of them".to_owned()));
        }
    }
}

/// True when it is plain that no value passes all tests; false where it takes thought.
fn contradict(tests: &[&Test]) -> bool {
    let absent = tests.contains(&&Test::Exists(false));
    if absent {
        return tests.iter().any(|test| **test != Test::Exists(false));
    }
    let passes_all = |value: &Value| {
        let mut known = tests
            .iter()
            .filter(|test| !matches!(test, Test::IsTrait(_) | Test::CompareTrait(..)));
        known.all(|test| passes(Some(value), test))
    };
    for test in tests {
        match test {
            Test::Is(value) if !passes_all(value) => return true,
            Test::In(values) if !values.iter().any(passes_all) => return true,
            _ => {}
        }
    }
    let bounds = |wanted: [Comparison; 2]| {
        tests.iter().filter_map(move |test| match test {
            Test::Compare(comparison, bound) if wanted.contains(comparison) => {
                Some((*bound, *comparison == wanted[1]))
            }
            _ => None,
        })
    };
    let above: Vec<(f64, bool)> = bounds([Comparison::AtLeast, Comparison::Above]).collect();
    let crossed = bounds([Comparison::AtMost, Comparison::Below]).any(|(most, below)| {
        let meets =
            |(least, above): &(f64, bool)| least < &most || (*least == most && !above && !below);
        !above.iter().all(meets)
    });
    let times_crossed = tests.iter().any(|test| match test {
        Test::Before(before) => tests
            .iter()
            .any(|test| matches!(test, Test::After(after) if after >= before)),
        _ => false,
    });
    crossed || times_crossed
}
