//! `evaluate` against a naive reading of the definition, `changes_at` at every millisecond. The generators also serve the
//! test of `sql` against a database.

use super::*;
use crate::expression::{Comparison, Condition, Measure, Test, Window};
use crate::manifest::Audience;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Default)]
pub(crate) struct Someone {
    pub traits: Fields,
    pub granted: BTreeSet<String>,
    pub audiences: BTreeSet<String>,
    pub events: Vec<(String, Timestamp, Fields)>,
}

impl Someone {
    pub(crate) fn evaluate(&self, condition: &Condition, now: Timestamp) -> Verdict {
        self.ask(|facts| evaluate(condition, facts, now))
    }

    fn ask<T>(&self, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let events: Vec<_> = self
            .events
            .iter()
            .map(|(name, time, properties)| EventFact {
                name,
                time: *time,
                properties,
            })
            .collect();
        ask(&Facts {
            traits: &|name| self.traits.get(name),
            granted: &|purpose| self.granted.contains(purpose),
            audiences: &|name| self.audiences.contains(name),
            events: &events,
        })
    }
}

fn fields(value: Value) -> Fields {
    serde_json::from_value(value).unwrap()
}

fn ordered(window: Window, at_least: Option<u64>, at_most: Option<u64>) -> Condition {
    Condition::Event {
        name: "Order Completed".into(),
        filter: vec![],
        window,
        measure: Measure::Count { at_least, at_most },
    }
}

const DAY: i64 = 86_400_000;

fn customer() -> Someone {
    let order = |day: i64| {
        (
            "Order Completed".to_owned(),
            Timestamp(day * DAY),
            fields(json!({"total": 10})),
        )
    };
    Someone {
        traits: fields(json!({"country": "PL"})),
        events: vec![order(1), order(2), order(3)],
        ..Someone::default()
    }
}

fn lapsed() -> Condition {
    Condition::All(vec![
        Condition::Trait {
            name: "country".into(),
            test: Test::Is(json!("PL")),
        },
        ordered(Window::Ever, Some(3), None),
        Condition::Not(Box::new(ordered(Window::Within(30 * DAY), Some(1), None))),
    ])
}

#[test]
fn a_customer_lapses_thirty_days_after_the_last_order_to_the_millisecond() {
    let customer = customer();
    let at = |time: i64| customer.evaluate(&lapsed(), Timestamp(time));
    assert_eq!(
        at(3 * DAY),
        Verdict {
            holds: false,
            changes_at: Some(Timestamp(33 * DAY))
        }
    );
    assert_eq!(
        at(33 * DAY - 1),
        Verdict {
            holds: false,
            changes_at: Some(Timestamp(33 * DAY))
        }
    );
    assert_eq!(
        at(33 * DAY),
        Verdict {
            holds: true,
            changes_at: None
        }
    );
    // Before the third order has happened, its entering is no change: it is still within 30 days.
    assert_eq!(at(DAY).changes_at, Some(Timestamp(33 * DAY)));
}

#[test]
fn the_cause_names_the_leaf_that_decided_and_no_value_of_the_person() {
    let say = |someone: &Someone, time: i64| {
        someone.ask(|facts| cause(&lapsed(), facts, Timestamp(time)))
    };
    assert_eq!(
        say(&customer(), 40 * DAY),
        "no `Order Completed` in 30 days"
    );
    assert_eq!(say(&customer(), 20 * DAY), "3 `Order Completed` in 30 days");
    let stranger = Someone {
        traits: fields(json!({"country": "secret"})),
        ..customer()
    };
    assert_eq!(say(&stranger, 40 * DAY), "`country` is not `PL`");
}

#[test]
fn values_of_different_types_are_never_equal() {
    let cases = [
        (json!(5), Test::Is(json!("5")), false),
        (json!("5"), Test::Is(json!(5)), false),
        (json!(5.0), Test::Is(json!(5)), true),
        (json!(true), Test::Is(json!(1)), false),
        (
            json!(9_007_199_254_740_993_i64),
            Test::Is(json!(9_007_199_254_740_992.0)),
            false,
        ),
        (json!("5"), Test::Compare(Comparison::AtLeast, 1.0), false),
        (json!(5), Test::Compare(Comparison::Below, 5.5), true),
        (json!(["a", "b"]), Test::Contains("a".into()), true),
        (json!(["ab"]), Test::Contains("a".into()), false),
        (json!("cab"), Test::Contains("a".into()), true),
        (json!([5]), Test::Contains("5".into()), false),
        (json!(["a"]), Test::Is(json!(["a"])), false),
        (json!(null), Test::Exists(false), true),
        (json!(null), Test::Is(json!(null)), false),
        (
            json!("2026-03-02"),
            Test::Before(Timestamp(1_772_409_600_001)),
            true,
        ),
        (
            json!("2026-03-02T01:00:00+01:00"),
            Test::After(Timestamp(1_772_409_599_999)),
            true,
        ),
        (json!("2026-02-30"), Test::After(Timestamp(0)), false),
        (
            json!(1_772_409_600_000_i64),
            Test::After(Timestamp(0)),
            true,
        ),
    ];
    for (value, test, expected) in cases {
        assert_eq!(
            crate::expression::passes(Some(&value), &test),
            expected,
            "{value} {test:?}"
        );
    }
    assert!(crate::expression::passes(None, &Test::Exists(false)));
    assert!(!crate::expression::passes(
        None,
        &Test::In(vec![json!(null)])
    ));
}

#[test]
fn what_is_no_time_is_not_read_as_one() {
    for text in [
        "",
        "now",
        "2026",
        "2026-3-2",
        "2026-03-02 10:00:00Z",
        "2026-03-02T10:00:00",
        "2026-03-02T24:00:00Z",
        "2026-03-02T10:00:00.Z",
        "2026-03-02T10:00:00+24:00",
        "2026-03-02T10:00:00.1234567890Z",
        "2026-03-02T10:00Z",
        "２０２６-03-02",
        "2026-03-02T10:00:00é00:00",
    ] {
        assert_eq!(crate::expression::parse_time(text), None, "{text}");
    }
    assert_eq!(
        crate::expression::parse_time("1970-01-01T00:00:00.0059Z"),
        Some(Timestamp(5))
    );
    assert_eq!(
        crate::expression::parse_time("1970-01-01T00:00:00-00:01"),
        Some(Timestamp(60_000))
    );
}

#[test]
fn sums_do_not_depend_on_the_order_of_events() {
    let sum = Condition::Event {
        name: "Paid".into(),
        filter: vec![],
        window: Window::Ever,
        measure: Measure::Sum {
            property: "total".into(),
            at_least: Some(0.6),
            at_most: Some(0.6),
        },
    };
    let mut events: Vec<_> = [0.1, 0.2, 0.3, 1e15, -1e15]
        .iter()
        .map(|total| {
            (
                "Paid".to_owned(),
                Timestamp(0),
                fields(json!({"total": total})),
            )
        })
        .collect();
    for _ in 0..5 {
        events.rotate_left(1);
        let payer = Someone {
            events: events.clone(),
            ..Someone::default()
        };
        assert!(payer.evaluate(&sum, Timestamp(0)).holds);
    }
}

#[test]
fn only_the_events_that_matter_are_read() {
    let between = ordered(Window::Between(Timestamp(50), Timestamp(60)), Some(1), None);
    let short = Condition::All(vec![ordered(Window::Within(10), Some(1), None), between]);
    let consent = Condition::Consent {
        purpose: "x".into(),
    };
    let read = events_read([&short, &consent]);
    assert_eq!(
        read.keys().copied().collect::<Vec<_>>(),
        ["Order Completed"]
    );
    assert_eq!(
        read["Order Completed"].after(Timestamp(100)),
        Some(Timestamp(49))
    );
    assert_eq!(
        read["Order Completed"].after(Timestamp(55)),
        Some(Timestamp(45))
    );
    let long = Condition::Not(Box::new(ordered(Window::Ever, Some(1), None)));
    assert_eq!(
        events_read([&short, &long])["Order Completed"].after(Timestamp(100)),
        None
    );
}

#[test]
fn audiences_come_after_those_they_refer_to_and_circles_end() {
    let audience = |name: &str, needs: &[&str]| Audience {
        name: name.into(),
        description: String::new(),
        who: Condition::Not(Box::new(Condition::Any(
            needs
                .iter()
                .map(|name| Condition::Audience {
                    name: (*name).to_owned(),
                })
                .collect(),
        ))),
        digest: String::new(),
    };
    assert_eq!(
        order(&[
            audience("a", &["c", "b"]),
            audience("b", &["c", "nobody"]),
            audience("c", &[])
        ]),
        [2, 1, 0]
    );
    let mut circle = order(&[audience("a", &["b"]), audience("b", &["a", "b"])]);
    circle.sort_unstable();
    assert_eq!(circle, [0, 1]);
}

#[test]
fn every_value_of_a_query_is_bound() {
    let query = sql(
        &Condition::Trait {
            name: "o'name".into(),
            test: Test::Is(json!("'; drop table person; --")),
        },
        Timestamp(5),
        &SQLITE,
    );
    assert!(
        !query.text.contains("drop") && !query.text.contains("o'name"),
        "{}",
        query.text
    );
    assert_eq!(
        query.binds,
        [
            Bind::Text("o'name".into()),
            Bind::Text("'; drop table person; --".into())
        ]
    );
}

// ---- properties ----

fn naive(condition: &Condition, someone: &Someone, now: i64) -> bool {
    match condition {
        Condition::All(parts) => {
            parts
                .iter()
                .filter(|part| !naive(part, someone, now))
                .count()
                == 0
        }
        Condition::Any(parts) => {
            parts
                .iter()
                .filter(|part| naive(part, someone, now))
                .count()
                > 0
        }
        Condition::Not(part) => !naive(part, someone, now),
        Condition::Trait { name, test } => {
            naive_test(someone.traits.get(name).unwrap_or(&Value::Null), test)
        }
        Condition::Audience { name } => someone.audiences.contains(name),
        Condition::Consent { purpose } => someone.granted.contains(purpose),
        Condition::Event {
            name,
            filter,
            window,
            measure,
        } => {
            let mut count = 0;
            let mut sum = 0.0;
            for (event, time, properties) in &someone.events {
                let time = time.0;
                let inside = match window {
                    Window::Ever => true,
                    Window::Within(duration) => now - duration < time,
                    Window::Between(from, to) => from.0 <= time && time < to.0,
                };
                let passes = filter.iter().all(|(name, test)| {
                    naive_test(properties.get(name).unwrap_or(&Value::Null), test)
                });
                if event == name && inside && time <= now && passes {
                    count += 1;
                    if let Measure::Sum { property, .. } = measure {
                        sum += properties
                            .get(property)
                            .and_then(Value::as_f64)
                            .unwrap_or(0.0);
                    }
                }
            }
            match measure {
                Measure::Count {
                    at_least: None,
                    at_most: None,
                } => count > 0,
                Measure::Count { at_least, at_most } => {
                    count >= at_least.unwrap_or(0) && count <= at_most.unwrap_or(u64::MAX)
                }
                Measure::Sum {
                    at_least, at_most, ..
                } => {
                    sum >= at_least.unwrap_or(f64::NEG_INFINITY)
                        && sum <= at_most.unwrap_or(f64::INFINITY)
                }
            }
        }
    }
}

fn naive_test(value: &Value, test: &Test) -> bool {
    let equal = |wanted: &Value| match (value.as_f64(), wanted.as_f64()) {
        (Some(value), Some(wanted)) => value == wanted,
        _ => value == wanted && (value.is_string() || value.is_boolean()),
    };
    // The generators make four texts that are times.
    let time = match value.as_str() {
        Some("1970-01-01") => Some(0.0),
        Some("1970-01-01T00:00:00.005Z") => Some(5.0),
        Some("1970-01-01T01:00:00.0109+01:00") => Some(10.0),
        Some("1969-12-31T23:59:59.99Z") => Some(-10.0),
        _ => value.as_f64(),
    };
    match test {
        Test::Is(wanted) => equal(wanted),
        Test::In(wanted) => wanted.iter().any(equal),
        Test::Contains(part) => match value {
            Value::String(text) => text.contains(part.as_str()),
            Value::Array(items) => items.contains(&json!(part)),
            _ => false,
        },
        Test::Exists(wanted) => value.is_null() != *wanted,
        Test::Before(bound) => time.is_some_and(|time| time < bound.0 as f64),
        Test::After(bound) => time.is_some_and(|time| time > bound.0 as f64),
        Test::Compare(Comparison::AtLeast, bound) => {
            value.as_f64().is_some_and(|number| number >= *bound)
        }
        Test::Compare(Comparison::AtMost, bound) => {
            value.as_f64().is_some_and(|number| number <= *bound)
        }
        Test::Compare(Comparison::Above, bound) => {
            value.as_f64().is_some_and(|number| number > *bound)
        }
        Test::Compare(Comparison::Below, bound) => {
            value.as_f64().is_some_and(|number| number < *bound)
        }
    }
}

fn scalars() -> impl Strategy<Value = Value> {
    let texts = [
        "a",
        "ab",
        "",
        "5",
        "true",
        "it's \"ä\"",
        "null",
        "1970-01-01",
        "1970-01-01T00:00:00.005Z",
        "1970-01-01T01:00:00.0109+01:00",
        "1969-12-31T23:59:59.99Z",
        "1970-02-30",
        "1970-01-01T00:00:00",
        "now",
    ];
    prop_oneof![
        1 => Just(Value::Null),
        2 => any::<bool>().prop_map(Value::from),
        3 => (-3..12i64).prop_map(Value::from),
        2 => (-6..24i64).prop_map(|half| Value::from(half as f64 / 2.0)),
        4 => prop::sample::select(texts.to_vec()).prop_map(Value::from),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        5 => scalars(),
        1 => prop::collection::vec(scalars(), 0..3).prop_map(Value::from),
        1 => scalars().prop_map(|value| json!({ "a": value })),
    ]
}

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "x.y", "it's \"ä\"", "$[0]"]).prop_map(str::to_owned)
}

fn tests() -> impl Strategy<Value = Test> {
    let comparison = prop::sample::select(vec![
        Comparison::AtLeast,
        Comparison::AtMost,
        Comparison::Above,
        Comparison::Below,
    ]);
    prop_oneof![
        values().prop_map(Test::Is),
        prop::collection::vec(values(), 0..3).prop_map(Test::In),
        prop::sample::select(vec!["a", "", "ab", "5", "ä"])
            .prop_map(|part| Test::Contains(part.to_owned())),
        any::<bool>().prop_map(Test::Exists),
        (-12..12i64).prop_map(|time| Test::Before(Timestamp(time))),
        (-12..12i64).prop_map(|time| Test::After(Timestamp(time))),
        (comparison, -6..24i64)
            .prop_map(|(comparison, half)| Test::Compare(comparison, half as f64 / 2.0)),
    ]
}

fn measures() -> impl Strategy<Value = Measure> {
    let bound = || prop::option::of(0..4u64);
    let sum_bound = || prop::option::of((-6..20i64).prop_map(|half| half as f64 / 2.0));
    prop_oneof![
        (bound(), bound()).prop_map(|(at_least, at_most)| Measure::Count { at_least, at_most }),
        (names(), sum_bound(), sum_bound()).prop_map(|(property, at_least, at_most)| {
            Measure::Sum {
                property,
                at_least,
                at_most,
            }
        }),
    ]
}

pub(crate) fn conditions() -> impl Strategy<Value = Condition> {
    let window = prop_oneof![
        Just(Window::Ever),
        (0..15i64).prop_map(Window::Within),
        (0..30i64, 0..30i64).prop_map(|(from, to)| Window::Between(Timestamp(from), Timestamp(to))),
    ];
    let filter = prop::collection::vec((names(), tests()), 0..2);
    let event = (
        prop::sample::select(vec!["e", "f"]),
        filter,
        window,
        measures(),
    );
    let leaf = prop_oneof![
        2 => (names(), tests()).prop_map(|(name, test)| Condition::Trait { name, test }),
        1 => names().prop_map(|name| Condition::Audience { name }),
        1 => names().prop_map(|purpose| Condition::Consent { purpose }),
        5 => event.prop_map(|(name, filter, window, measure)| Condition::Event { name: name.to_owned(), filter, window, measure }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

pub(crate) fn people() -> impl Strategy<Value = Someone> {
    let fields = || prop::collection::btree_map(names(), values(), 0..4);
    let event = (prop::sample::select(vec!["e", "f"]), 0..35i64, fields());
    let set = || prop::collection::btree_set(names(), 0..3);
    (fields(), set(), set(), prop::collection::vec(event, 0..10)).prop_map(
        |(traits, granted, audiences, events)| Someone {
            traits,
            granted,
            audiences,
            events: events
                .into_iter()
                .map(|(name, time, properties)| (name.to_owned(), Timestamp(time), properties))
                .collect(),
        },
    )
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn the_verdict_and_its_next_change_are_the_naive_ones(condition in conditions(), someone in people(), now in -5..40i64) {
            let verdict = someone.evaluate(&condition, Timestamp(now));
            prop_assert_eq!(verdict.holds, naive(&condition, &someone, now));
            // No time in the generators is later than 35 + 15.
            let change = (now + 1..60).find(|&time| naive(&condition, &someone, time) != verdict.holds);
            prop_assert_eq!(verdict.changes_at, change.map(Timestamp));
        }

        #[test]
        fn the_order_of_events_means_nothing(condition in conditions(), mut someone in people(), now in 0..40i64) {
            let verdict = someone.evaluate(&condition, Timestamp(now));
            someone.events.reverse();
            prop_assert_eq!(someone.evaluate(&condition, Timestamp(now)), verdict);
        }

        #[test]
        fn events_outside_of_what_is_read_change_nothing(condition in conditions(), someone in people(), now in 0..40i64) {
            let now = Timestamp(now);
            let read = events_read([&condition]);
            let mut least = someone.clone();
            least.events.retain(|(name, time, _)| {
                read.get(name.as_str()).is_some_and(|bound| bound.after(now).is_none_or(|after| *time > after))
            });
            prop_assert_eq!(least.evaluate(&condition, now), someone.evaluate(&condition, now));
        }

        #[test]
        fn a_cause_is_always_found(condition in conditions(), someone in people(), now in 0..40i64) {
            prop_assert!(!someone.ask(|facts| cause(&condition, facts, Timestamp(now))).is_empty());
        }

        #[test]
        fn every_bind_is_used(condition in conditions(), now in 0..40i64) {
            let query = sql(&condition, Timestamp(now), &SQLITE);
            for number in 1..=query.binds.len() {
                let placeholder = format!("${number}");
                let used = query.text.match_indices(&placeholder).any(|(at, _)| {
                    !query.text[at + placeholder.len()..].starts_with(|c: char| c.is_ascii_digit())
                });
                prop_assert!(used, "{}", placeholder);
            }
        }
    }
}
