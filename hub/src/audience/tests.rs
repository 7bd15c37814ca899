//! `evaluate` against a naive implementation of the definition, `changes_at` at every millisecond. The generators are also used
//! by the test of `sql` against a database.

use super::*;
use crate::expression::{
    Comparison, Condition, Measure, POSITIONS, Pattern, Step, Test, Window, split_position,
};
use crate::manifest::{Audience, Subject};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Default)]
pub(crate) struct Someone {
    pub id: [u8; 16],
    pub traits: Fields,
    pub granted: BTreeSet<String>,
    /// With the time since which the person is in it.
    pub audiences: BTreeMap<String, Timestamp>,
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
            id: self.id,
            traits: &|name| self.traits.get(name),
            granted: &|purpose| self.granted.contains(purpose),
            audiences: &|name| self.audiences.get(name).copied(),
            people: &|_| 0,
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
    // Before the third order has happened, its entering is not a change: it is still within 30 days.
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
        of: Subject::Person,
        who: Condition::Not(Box::new(Condition::Any(
            needs
                .iter()
                .map(|name| Condition::audience(*name))
                .collect(),
        ))),
        is_step: false,
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
        Part::EVERYBODY,
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

fn happened(name: &str, time: i64, properties: Value) -> (String, Timestamp, Fields) {
    (name.to_owned(), Timestamp(time), fields(properties))
}

#[test]
fn a_step_comes_after_the_one_before_it_and_before_its_time_is_up() {
    let step = |name: &str, within: Option<i64>| Step {
        name: name.to_owned(),
        filter: vec![],
        within,
    };
    let bought_after_seeing = Condition::Sequence {
        steps: vec![step("Seen", None), step("Bought", Some(7 * DAY))],
        window: Window::Within(30 * DAY),
    };
    let at = |bought: i64, now: i64| {
        let events = vec![
            happened("Seen", DAY, json!({})),
            happened("Bought", bought, json!({})),
        ];
        let someone = Someone {
            events,
            ..Someone::default()
        };
        someone.evaluate(&bought_after_seeing, Timestamp(now))
    };
    assert!(!at(DAY, 10 * DAY).holds, "at the same time is not after");
    assert!(at(DAY + 1, 10 * DAY).holds);
    assert!(at(8 * DAY - 1, 10 * DAY).holds);
    assert!(!at(8 * DAY, 10 * DAY).holds, "seven days are over");
    let bought = 5 * DAY;
    assert_eq!(
        at(bought, 0).changes_at,
        Some(Timestamp(bought)),
        "it waits for the last step"
    );
    assert_eq!(
        at(bought, 6 * DAY),
        Verdict {
            holds: true,
            changes_at: Some(Timestamp(bought + 30 * DAY))
        }
    );
}

#[test]
fn a_person_is_judged_by_how_long_the_membership_has_lasted() {
    let lasting = Condition::Audience {
        name: "vip".to_owned(),
        lasting: 3 * DAY,
    };
    let someone = Someone {
        audiences: [("vip".to_owned(), Timestamp(DAY))].into(),
        ..Someone::default()
    };
    let expected = [
        (4 * DAY - 1, false, Some(Timestamp(4 * DAY))),
        (4 * DAY, true, None),
    ];
    for (now, holds, changes_at) in expected {
        assert_eq!(
            someone.evaluate(&lasting, Timestamp(now)),
            Verdict { holds, changes_at }
        );
    }
}

/// Windows are milliseconds of UTC: a day is 24 hours, whatever the clocks on the wall do.
#[test]
fn changes_of_clocks_and_leap_days_move_no_window() {
    let time = |text: &str| crate::expression::parse_time(text).unwrap();
    for (ordered, leaves) in [
        // Clocks in Warsaw went forward on 29 March 2026 and back on 25 October.
        ("2026-03-15T12:00:00+01:00", "2026-04-14T13:00:00+02:00"),
        ("2026-10-10T12:00:00+02:00", "2026-11-09T11:00:00+01:00"),
        // 2028 has a 29 February, 2027 has none.
        ("2028-02-10T08:00:00Z", "2028-03-11T08:00:00Z"),
        ("2027-02-10T08:00:00Z", "2027-03-12T08:00:00Z"),
        ("2028-02-29T00:00:00Z", "2028-03-30T00:00:00Z"),
    ] {
        let someone = Someone {
            events: vec![("Order Completed".to_owned(), time(ordered), Fields::new())],
            ..Someone::default()
        };
        let recent = ordered_within(30);
        let verdict = someone.evaluate(&recent, time(ordered));
        assert_eq!(
            (verdict.holds, verdict.changes_at),
            (true, Some(time(leaves))),
            "{ordered}"
        );
        let last = Timestamp(time(leaves).0 - 1);
        assert!(someone.evaluate(&recent, last).holds);
        assert!(!someone.evaluate(&recent, time(leaves)).holds);
    }
}

fn ordered_within(days: i64) -> Condition {
    ordered(Window::Within(days * DAY), Some(1), None)
}

#[test]
fn an_explanation_shows_every_condition_and_when_it_can_change() {
    let lines = customer().ask(|facts| explain(&lapsed(), facts, Timestamp(20 * DAY)));
    let text: Vec<String> = lines
        .iter()
        .map(|line| {
            let sign = if line.holds { '+' } else { '-' };
            let change = line.changes_at.map(|time| time.to_minutes());
            format!(
                "{}{sign} {} ({}) {}",
                "  ".repeat(line.depth),
                line.condition,
                line.why,
                change.unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(
        text,
        [
            "- all of () 1970-02-03 00:00 UTC",
            "  + `country` is `PL` (it is `PL`) ",
            "  + 3 or more `Order Completed` (3, the last 1970-01-04 00:00 UTC) ",
            "  - not () 1970-02-03 00:00 UTC",
            "    + 1 or more `Order Completed` in 30 days (3, the last 1970-01-04 00:00 UTC) 1970-02-03 00:00 UTC",
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
        Condition::Trait { name, test } => naive_test(
            someone,
            someone.traits.get(name).unwrap_or(&Value::Null),
            test,
        ),
        Condition::Near { name, from, until } => {
            let time = someone.traits.get(name).and_then(naive_time);
            time.is_some_and(|time| {
                time + *from as f64 <= now as f64 && (now as f64) < time + *until as f64
            })
        }
        Condition::Audience { name, lasting } => someone
            .audiences
            .get(name)
            .is_some_and(|since| *lasting == 0 || now - since.0 >= *lasting),
        Condition::Consent { purpose } => someone.granted.contains(purpose),
        Condition::Split { name, from, until } => {
            let split_position = split_position(name, &someone.id);
            split_position >= *from && split_position < *until
        }
        Condition::Sequence { steps, window } => naive_sequence(steps, *window, someone, now),
        // What joins people and accounts is tried over a store, in `flow::commit::account_audiences`.
        Condition::AccountAudience { .. } | Condition::People { .. } => {
            unreachable!("no generator here makes one")
        }
        Condition::Event {
            name,
            filter,
            window,
            measure,
        } => {
            let mut count = 0;
            let mut sum = 0.0;
            for (event, time, properties) in &someone.events {
                let passes = filter.iter().all(|(name, test)| {
                    naive_test(someone, properties.get(name).unwrap_or(&Value::Null), test)
                });
                if event == name && naive_window(*window, time.0, now) && passes {
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

fn naive_window(window: Window, time: i64, now: i64) -> bool {
    let inside = match window {
        Window::Ever => true,
        Window::Within(duration) => now - duration < time,
        Window::Between(from, to) => from.0 <= time && time < to.0,
    };
    inside && time <= now
}

/// Tries every way to choose an event for each step.
fn naive_sequence(steps: &[Step], window: Window, someone: &Someone, now: i64) -> bool {
    let mut chains: Vec<i64> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let mut longer = Vec::new();
        for (event, time, properties) in &someone.events {
            let passes = step.filter.iter().all(|(name, test)| {
                naive_test(someone, properties.get(name).unwrap_or(&Value::Null), test)
            });
            if *event != step.name || !passes {
                continue;
            }
            let follows = |before: &i64| {
                time.0 > *before && step.within.is_none_or(|within| time.0 < before + within)
            };
            if at == 0 || chains.iter().any(follows) {
                longer.push(time.0);
            }
        }
        chains = longer;
    }
    chains.iter().any(|time| naive_window(window, *time, now))
}

/// The generators make four texts that are times.
fn naive_time(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("1970-01-01") => Some(0.0),
        Some("1970-01-01T00:00:00.005Z") => Some(5.0),
        Some("1970-01-01T01:00:00.0109+01:00") => Some(10.0),
        Some("1969-12-31T23:59:59.99Z") => Some(-10.0),
        _ => value.as_f64(),
    }
}

fn naive_test(someone: &Someone, value: &Value, test: &Test) -> bool {
    let other = |name: &String| someone.traits.get(name).unwrap_or(&Value::Null);
    let equal = |wanted: &Value| match (value.as_f64(), wanted.as_f64()) {
        (Some(value), Some(wanted)) => value == wanted,
        _ => value == wanted && (value.is_string() || value.is_boolean()),
    };
    let time = naive_time(value);
    match test {
        Test::Is(wanted) => equal(wanted),
        Test::In(wanted) => wanted.iter().any(equal),
        Test::Contains(part) => match value {
            Value::String(text) => text.contains(part.as_str()),
            Value::Array(items) => items.contains(&json!(part)),
            _ => false,
        },
        // The generators make these patterns.
        Test::Matches(pattern) => value.as_str().is_some_and(|text| match pattern.as_str() {
            "" => true,
            "^a" => text.starts_with('a'),
            "[0-9]$" => text.ends_with(|last: char| last.is_ascii_digit()),
            "(?i)ÄB?" => text.contains('ä'),
            other => panic!("{other}"),
        }),
        Test::Exists(wanted) => value.is_null() != *wanted,
        Test::IsTrait(name) => equal(other(name)),
        Test::CompareTrait(comparison, name) => other(name)
            .as_f64()
            .is_some_and(|bound| naive_test(someone, value, &Test::Compare(*comparison, bound))),
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
        prop::sample::select(vec!["", "^a", "[0-9]$", "(?i)ÄB?"])
            .prop_map(|text| Test::Matches(Pattern::parse(text).unwrap())),
        any::<bool>().prop_map(Test::Exists),
        names().prop_map(Test::IsTrait),
        (comparison.clone(), names())
            .prop_map(|(comparison, name)| Test::CompareTrait(comparison, name)),
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

fn windows() -> impl Strategy<Value = Window> {
    prop_oneof![
        Just(Window::Ever),
        (0..15i64).prop_map(Window::Within),
        (0..30i64, 0..30i64).prop_map(|(from, to)| Window::Between(Timestamp(from), Timestamp(to))),
    ]
}

fn event_names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["e", "f"]).prop_map(str::to_owned)
}

fn steps() -> impl Strategy<Value = Step> {
    let filter = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec((names(), tests()), 1..2),
    ];
    (event_names(), filter, prop::option::of(0..12i64)).prop_map(|(name, filter, within)| Step {
        name,
        filter,
        within,
    })
}

pub(crate) fn conditions() -> impl Strategy<Value = Condition> {
    let filter = prop::collection::vec((names(), tests()), 0..2);
    let event = (event_names(), filter, windows(), measures());
    let sequence = (prop::collection::vec(steps(), 1..4), windows());
    let positions = 0..=POSITIONS;
    let leaf = prop_oneof![
        2 => (names(), tests()).prop_map(|(name, test)| Condition::Trait { name, test }),
        1 => (names(), -8..8i64, -8..8i64).prop_map(|(name, from, until)| Condition::Near { name, from, until }),
        2 => (names(), prop_oneof![Just(0), 0..12i64]).prop_map(|(name, lasting)| Condition::Audience { name, lasting }),
        1 => names().prop_map(|purpose| Condition::Consent { purpose }),
        1 => (names(), positions.clone(), positions).prop_map(|(name, from, until)| Condition::Split { name, from, until }),
        3 => sequence.prop_map(|(steps, window)| Condition::Sequence { steps, window }),
        5 => event.prop_map(|(name, filter, window, measure)| Condition::Event { name, filter, window, measure }),
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
    let granted = prop::collection::btree_set(names(), 0..3);
    let audiences = prop::collection::btree_map(names(), (0..30i64).prop_map(Timestamp), 0..4);
    let events = prop::collection::vec(event, 0..10);
    (any::<[u8; 16]>(), fields(), granted, audiences, events).prop_map(
        |(id, traits, granted, audiences, events)| Someone {
            id,
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
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

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
            let lines = someone.ask(|facts| explain(&condition, facts, Timestamp(now)));
            prop_assert_eq!(lines[0].holds, someone.evaluate(&condition, Timestamp(now)).holds);
            prop_assert!(lines.iter().all(|line| !line.condition.is_empty()));
        }

        #[test]
        fn every_bind_is_used(condition in conditions(), now in 0..40i64) {
            let part = Part { after: 3, last: 9 };
            let query = sql(&condition, Timestamp(now), part, &SQLITE);
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
