//! Each kind with its whole input in sight, and all of them against a naive implementation that filters and sorts again at
//! every millisecond.

use super::*;
use crate::audience::{EventFact, Facts, evaluate};
use crate::expression::{Comparison, Expression, Test, Window};
use crate::manifest::{Aggregate, Stage};
use chrono::{DateTime, Months, NaiveDate};
use proptest::prelude::*;
use serde_json::json;
use std::cmp::Ordering;

const DAY: i64 = 86_400_000;

#[derive(Debug, Clone, Default)]
struct Someone {
    traits: Fields,
    events: Vec<(String, Timestamp, Fields)>,
}

impl Someone {
    fn compute(&self, traits: &[ComputedTrait], now: Timestamp) -> Computed {
        let events: Vec<Event<'_>> = self
            .events
            .iter()
            .map(|(name, time, properties)| Event {
                name,
                time: *time,
                properties,
            })
            .collect();
        let given = Given {
            traits: &self.traits,
            events: &events,
            judge: &|condition, traits| self.judge(condition, traits, now),
        };
        compute(traits, &given, now)
    }

    fn judge(
        &self,
        condition: &Condition,
        traits: &Fields,
        now: Timestamp,
    ) -> (bool, Option<Timestamp>) {
        let events: Vec<EventFact<'_>> = self
            .events
            .iter()
            .map(|(name, time, properties)| EventFact {
                name,
                time: *time,
                properties,
            })
            .collect();
        let facts = Facts {
            id: [0; 16],
            traits: &|name| traits.get(name),
            granted: &|purpose| purpose == "a",
            audiences: &|name| (name == "b").then_some(Timestamp(i64::MIN / 2)),
            people: &|_| 0,
            events: &events,
        };
        let verdict = evaluate(condition, &facts, now);
        (verdict.holds, verdict.changes_at)
    }

    /// The one trait's value, its fault and its next change.
    fn one(&self, kind: TraitKind, now: i64) -> (Value, Option<FaultKind>, Option<i64>) {
        let computed = self.compute(&[named("x", kind)], Timestamp(now));
        let value = computed.values.get("x").cloned().unwrap_or_default();
        let fault = computed.faults.first().map(|fault| fault.kind);
        (value, fault, computed.changes_at.map(Timestamp::millis))
    }

    fn value(&self, kind: TraitKind, now: i64) -> Value {
        let (value, fault, _) = self.one(kind, now);
        assert_eq!(fault, None);
        value
    }
}

fn named(name: &str, kind: TraitKind) -> ComputedTrait {
    ComputedTrait {
        name: name.into(),
        description: String::new(),
        kind,
        digest: String::new(),
    }
}

fn fields(value: Value) -> Fields {
    serde_json::from_value(value).unwrap()
}

fn with(traits: Value) -> Someone {
    Someone {
        traits: fields(traits),
        ..Someone::default()
    }
}

/// One `Paid` at each time, with these properties.
fn paid(events: &[(i64, Value)]) -> Someone {
    let event = |(time, properties): &(i64, Value)| {
        (
            "Paid".to_owned(),
            Timestamp(*time),
            fields(properties.clone()),
        )
    };
    Someone {
        events: events.iter().map(event).collect(),
        ..Someone::default()
    }
}

fn over(aggregate: Aggregate, window: Window) -> TraitKind {
    TraitKind::Events {
        event: "Paid".to_owned(),
        filter: Vec::new(),
        window,
        aggregate,
    }
}

fn of() -> String {
    "total".to_owned()
}

fn derive(text: &str) -> TraitKind {
    let expression = Expression::parse(text).unwrap();
    TraitKind::Derive {
        multiplied: expression.multiplied(),
        expression,
    }
}

/// Three at different times, one with a text in place of the number, one without it.
fn customer() -> Someone {
    paid(&[
        (30, json!({"total": 20, "plan": "pro"})),
        (10, json!({"total": 0.1, "plan": "free"})),
        (20, json!({"total": 0.2, "plan": "free"})),
        (20, json!({"plan": null})),
    ])
}

#[test]
fn numbers_are_counted_added_and_compared_exactly() {
    let customer = customer();
    let now = |aggregate| customer.value(over(aggregate, Window::Ever), 40);
    assert_eq!(now(Aggregate::Count), json!(4));
    assert_eq!(now(Aggregate::Sum { of: of() }), json!(20.3));
    assert_eq!(now(Aggregate::Avg { of: of() }), json!(20.3 / 3.0));
    assert_eq!(now(Aggregate::Min { of: of() }), json!(0.1));
    assert_eq!(now(Aggregate::Max { of: of() }), json!(20));
    let nobody = Someone::default();
    let of_nobody = |aggregate| nobody.value(over(aggregate, Window::Ever), 40);
    assert_eq!(of_nobody(Aggregate::Count), json!(0));
    assert_eq!(of_nobody(Aggregate::Sum { of: of() }), json!(0));
    assert_eq!(of_nobody(Aggregate::Avg { of: of() }), Value::Null);
    assert_eq!(of_nobody(Aggregate::Max { of: of() }), Value::Null);
}

#[test]
fn a_sum_is_the_same_in_every_order_and_keeps_large_whole_numbers() {
    let mut payer = paid(&[
        (1, json!({"total": 0.1})),
        (1, json!({"total": 1e15})),
        (1, json!({"total": 0.2})),
        (1, json!({"total": -1e15})),
        (1, json!({"total": 9_007_199_254_740_993_i64})),
    ]);
    for _ in 0..5 {
        payer.events.rotate_left(1);
        let sum = payer.value(over(Aggregate::Sum { of: of() }, Window::Ever), 1);
        assert_eq!(sum, json!(9_007_199_254_740_994_i64));
    }
    payer.events.truncate(0);
    payer.events.push((
        "Paid".to_owned(),
        Timestamp(0),
        fields(json!({"total": i64::MAX})),
    ));
    let sum = payer.value(over(Aggregate::Sum { of: of() }, Window::Ever), 1);
    assert_eq!(sum, json!(i64::MAX));
}

#[test]
fn a_number_too_large_to_be_added_exactly_is_a_fault_and_its_size_is_still_known() {
    let payer = paid(&[(1, json!({"total": 1e25})), (2, json!({"total": 1}))]);
    let sum = payer.one(over(Aggregate::Sum { of: of() }, Window::Ever), 2);
    assert_eq!(sum, (Value::Null, Some(FaultKind::TooLarge), None));
    assert_eq!(
        payer.value(over(Aggregate::Max { of: of() }, Window::Ever), 2),
        json!(1e25)
    );
}

#[test]
fn text_where_a_number_is_expected_is_a_fault_until_it_leaves_the_window() {
    let payer = paid(&[(10, json!({"total": "12,50"})), (15, json!({"total": 3}))]);
    let sum = |now| payer.one(over(Aggregate::Sum { of: of() }, Window::Within(10)), now);
    assert_eq!(
        sum(15),
        (Value::Null, Some(FaultKind::NotANumber), Some(20))
    );
    assert_eq!(sum(20), (json!(3), None, Some(25)));
    assert_eq!(sum(25), (json!(0), None, None));
}

#[test]
fn first_and_last_go_by_time_and_then_by_value() {
    let customer = customer();
    let now = |aggregate, now| customer.value(over(aggregate, Window::Ever), now);
    let plan = || Some("plan".to_owned());
    assert_eq!(now(Aggregate::First { of: plan() }, 40), json!("free"));
    assert_eq!(now(Aggregate::Last { of: plan() }, 40), json!("pro"));
    assert_eq!(now(Aggregate::Last { of: plan() }, 29), json!("free"));
    assert_eq!(now(Aggregate::First { of: None }, 40), json!(10));
    assert_eq!(now(Aggregate::Last { of: None }, 40), json!(30));
    let tied = paid(&[
        (1, json!({"total": "b"})),
        (1, json!({"total": "c"})),
        (1, json!({"total": "a"})),
    ]);
    let tied = |aggregate| tied.value(over(aggregate, Window::Ever), 1);
    assert_eq!(tied(Aggregate::First { of: Some(of()) }), json!("a"));
    assert_eq!(tied(Aggregate::Last { of: Some(of()) }), json!("c"));
}

#[test]
fn the_most_frequent_value_is_seen_twice_and_ties_go_by_the_alphabet() {
    let seen = |values: &[Value]| {
        let events: Vec<_> = values
            .iter()
            .map(|value| (1, json!({ "total": value })))
            .collect();
        paid(&events).one(over(Aggregate::MostFrequent { of: of() }, Window::Ever), 1)
    };
    let (a, b, c) = (json!("a"), json!("b"), json!("c"));
    assert_eq!(seen(&[a.clone(), b.clone()]).0, Value::Null);
    assert_eq!(seen(&[c.clone(), b.clone(), a, c, b.clone()]).0, b);
    assert_eq!(
        seen(&[json!(10), json!(9.0), json!(9), json!(10.0)]).0,
        json!(9)
    );
    let list = seen(&[json!(["a"]), json!("a"), json!("a")]);
    assert_eq!(list.0, Value::Null);
    assert_eq!(list.1, Some(FaultKind::NotASingleValue));
}

#[test]
fn a_list_is_sorted_without_repeats_and_says_when_it_is_cut() {
    let customer = customer();
    let list = |at_most| {
        let of = "plan".to_owned();
        customer.one(
            over(Aggregate::UniqueList { of, at_most }, Window::Ever),
            40,
        )
    };
    assert_eq!(list(2), (json!(["free", "pro"]), None, None));
    assert_eq!(list(1), (json!(["free"]), Some(FaultKind::Capped), None));
    let of = "plan".to_owned();
    let count = customer.value(over(Aggregate::UniqueCount { of }, Window::Ever), 40);
    assert_eq!(count, json!(2));
}

#[test]
fn averages_move_over_the_latest_events_and_smooth_from_the_oldest() {
    let payer = paid(&[
        (3, json!({"total": 6})),
        (1, json!({"total": 1})),
        (2, json!({"total": 2})),
    ]);
    let now = |aggregate, now| payer.value(over(aggregate, Window::Ever), now);
    let moving = |last| Aggregate::MovingAverage { of: of(), last };
    assert_eq!(now(moving(2), 3), json!(4));
    assert_eq!(now(moving(2), 1), json!(1));
    assert_eq!(now(moving(9), 3), json!(3));
    let smooth = |alpha| Aggregate::Exponential { of: of(), alpha };
    // 1, then 1 + 0.5·(2 − 1) = 1.5, then 1.5 + 0.5·(6 − 1.5) = 3.75.
    assert_eq!(now(smooth(0.5), 3), json!(3.75));
    assert_eq!(now(smooth(1.0), 3), json!(6));
}

#[test]
fn a_window_moves_to_the_millisecond_and_what_is_to_come_waits() {
    let payer = paid(&[(10, json!({})), (12, json!({})), (25, json!({}))]);
    let count = |now| payer.one(over(Aggregate::Count, Window::Within(10)), now);
    assert_eq!(count(9), (json!(0), None, Some(10)));
    assert_eq!(count(12), (json!(2), None, Some(20)));
    assert_eq!(count(19), (json!(2), None, Some(20)));
    assert_eq!(count(20), (json!(1), None, Some(22)));
    assert_eq!(count(25), (json!(1), None, Some(35)));
    assert_eq!(count(35), (json!(0), None, None));
    let between = Window::Between(Timestamp(12), Timestamp(25));
    assert_eq!(payer.value(over(Aggregate::Count, between), 30), json!(1));
    // One leaves at the moment at which another enters.
    let even = paid(&[(10, json!({})), (20, json!({}))]);
    let count = even.one(over(Aggregate::Count, Window::Within(10)), 15);
    assert_eq!(count, (json!(1), None, Some(30)));
}

/// Two hundred thousand events, of which the oldest matter to no kind: looking at all of them at each of their ends would
/// take the square of that.
#[test]
fn the_next_change_is_found_in_one_walk_over_the_events() {
    const MANY: i64 = 200_000;
    let events: Vec<_> = (0..MANY)
        .map(|time| (time, json!({"total": 7 + time % 2})))
        .collect();
    let payer = paid(&events);
    for aggregate in [
        Aggregate::Max { of: of() },
        Aggregate::Last { of: Some(of()) },
        Aggregate::UniqueCount { of: of() },
        Aggregate::UniqueList {
            of: of(),
            at_most: 9,
        },
        Aggregate::MovingAverage { of: of(), last: 2 },
        Aggregate::Exponential {
            of: of(),
            alpha: 0.5,
        },
    ] {
        let kind = over(aggregate, Window::Within(MANY));
        let (_, fault, changes_at) = payer.one(kind.clone(), MANY - 1);
        let change = changes_at.unwrap();
        assert!(
            fault.is_none() && change > 2 * MANY - 100,
            "{kind:?} {change}"
        );
        assert_eq!(
            payer.one(kind.clone(), change - 1).0,
            payer.one(kind.clone(), MANY - 1).0
        );
        assert_ne!(
            payer.one(kind.clone(), change).0,
            payer.one(kind, MANY - 1).0
        );
    }
}

#[test]
fn a_filter_looks_at_the_properties() {
    let kind = TraitKind::Events {
        event: "Paid".to_owned(),
        filter: vec![(of(), Test::Compare(Comparison::AtLeast, 0.2))],
        window: Window::Ever,
        aggregate: Aggregate::Count,
    };
    assert_eq!(customer().value(kind, 40), json!(2));
}

#[test]
fn an_expression_reads_traits_and_fails_only_where_they_are() {
    let ada = with(json!({"first_name": "Ada", "orders": 3, "none": 0, "gone": null}));
    assert_eq!(ada.value(derive("orders * 2"), 0), json!(6));
    assert_eq!(ada.value(derive("orders / 3"), 0), json!(1));
    assert_eq!(ada.value(derive("first_name ~ '!'"), 0), json!("Ada!"));
    assert_eq!(ada.value(derive("missing * 2"), 0), Value::Null);
    assert_eq!(ada.value(derive("gone - 1"), 0), Value::Null);
    assert_eq!(ada.value(derive("missing ~ ' ' ~ gone"), 0), Value::Null);
    assert_eq!(ada.value(derive("orders if none"), 0), Value::Null);
    for text in [
        "orders / none",
        "orders // none",
        "orders % none",
        "orders - first_name",
    ] {
        let failed = ada.one(derive(text), 0);
        assert_eq!(
            failed,
            (Value::Null, Some(FaultKind::Failed), None),
            "{text}"
        );
    }
    let repeated = ada.one(derive("2 * first_name"), 0);
    assert_eq!(repeated, (Value::Null, Some(FaultKind::NotANumber), None));
}

#[test]
fn a_number_falls_into_one_range_and_an_edge_into_the_upper_one() {
    let bin = |value: Value| {
        with(json!({ "n": value })).one(
            TraitKind::Bin {
                of: "n".to_owned(),
                edges: vec![18.0, 25.5],
                labels: ["low", "middle", "high"].map(str::to_owned).into(),
            },
            0,
        )
    };
    assert_eq!(bin(json!(17.99)).0, json!("low"));
    assert_eq!(bin(json!(18)).0, json!("middle"));
    assert_eq!(bin(json!(25)).0, json!("middle"));
    assert_eq!(bin(json!(25.5)).0, json!("high"));
    assert_eq!(bin(Value::Null), (Value::Null, None, None));
    assert_eq!(
        bin(json!("18")),
        (Value::Null, Some(FaultKind::NotANumber), None)
    );
}

#[test]
fn a_prefix_counts_characters_and_takes_no_number() {
    let prefix = |value: Value| {
        let of = "code".to_owned();
        with(json!({ "code": value })).one(TraitKind::Prefix { of, length: 2 }, 0)
    };
    assert_eq!(prefix(json!("31-024")).0, json!("31"));
    assert_eq!(prefix(json!("ŁÓdź")).0, json!("ŁÓ"));
    assert_eq!(prefix(json!("3")).0, json!("3"));
    assert_eq!(prefix(json!(" ")), (Value::Null, None, None));
    assert_eq!(
        prefix(json!(1234)),
        (Value::Null, Some(FaultKind::NotAText), None)
    );
}

fn at(text: &str) -> i64 {
    crate::expression::parse_time(text).unwrap().0
}

#[test]
fn a_person_is_a_year_older_at_midnight_and_on_1_march_without_a_leap_day() {
    let age = |born: Value, now: &str| {
        let of = "born".to_owned();
        with(json!({ "born": born })).one(TraitKind::Age { of }, at(now))
    };
    let day = |text: &str| Some(at(text));
    let before = age(json!("2000-02-29"), "2023-02-28T23:59:59.999Z");
    assert_eq!(before, (json!(22), None, day("2023-03-01")));
    let after = age(json!("2000-02-29"), "2023-03-01");
    assert_eq!(after, (json!(23), None, day("2024-02-29")));
    let leap = age(json!("2000-02-29"), "2024-02-29");
    assert_eq!(leap, (json!(24), None, day("2025-03-01")));
    // A day later than in other years, because of the leap day that lies between: the calendar counts and not the days.
    let plain = age(json!("1990-06-15T10:00:00Z"), "2024-06-14T23:00:00Z");
    assert_eq!(plain, (json!(33), None, day("2024-06-15")));
    assert_eq!(age(json!("2024-06-15"), "2024-06-15").0, json!(0));
    let unborn = age(json!("2024-06-15"), "2024-06-14");
    assert_eq!(
        unborn,
        (Value::Null, Some(FaultKind::InTheFuture), day("2024-06-15"))
    );
    for wrong in [
        json!("1990"),
        json!(1990),
        json!("15.06.1990"),
        json!("1990-02-30"),
        json!("1990-6-015"),
    ] {
        let fault = age(wrong.clone(), "2024-06-15");
        assert_eq!(
            fault,
            (Value::Null, Some(FaultKind::NotADate), None),
            "{wrong}"
        );
    }
    assert_eq!(age(Value::Null, "2024-06-15"), (Value::Null, None, None));
}

fn paid_within(duration: i64) -> Condition {
    Condition::Event {
        name: "Paid".to_owned(),
        filter: Vec::new(),
        window: Window::Within(duration),
        measure: Measure::Count {
            at_least: None,
            at_most: None,
        },
    }
}

#[test]
fn the_first_stage_that_holds_is_meant_until_it_or_an_earlier_one_turns() {
    let stage = |name: &str, who| Stage {
        name: name.to_owned(),
        who,
    };
    let stages = vec![
        stage("active", Some(paid_within(10))),
        stage("cooling", Some(paid_within(20))),
        stage("lapsed", None),
    ];
    let payer = paid(&[(0, json!({})), (50, json!({}))]);
    let stage = |now| payer.one(TraitKind::Stages(stages.clone()), now);
    assert_eq!(stage(5), (json!("active"), None, Some(10)));
    assert_eq!(stage(10), (json!("cooling"), None, Some(20)));
    assert_eq!(stage(20), (json!("lapsed"), None, Some(50)));
    assert_eq!(stage(60).0, json!("cooling"));
    assert_eq!(stage(70), (json!("lapsed"), None, None));
    let known = with(json!({}));
    let only = vec![stages[0].clone()];
    assert_eq!(
        known.one(TraitKind::Stages(only), 0),
        (Value::Null, None, None)
    );
}

#[test]
fn traits_follow_each_other_and_the_next_change_is_that_of_any() {
    let born = TraitKind::Age {
        of: "birthday".to_owned(),
    };
    let band = TraitKind::Bin {
        of: "years".to_owned(),
        edges: vec![18.0],
        labels: vec!["minor".to_owned(), "adult".to_owned()],
    };
    let text = derive("band ~ ' of ' ~ years ~ ', paid ' ~ paid");
    let traits = [
        named("years", born),
        named("band", band),
        named("paid", over(Aggregate::Count, Window::Within(DAY))),
        named("text", text),
    ];
    let mut someone = with(json!({"birthday": "2000-06-15"}));
    let now = at("2018-06-14T12:00:00Z");
    let computed = someone.compute(&traits, Timestamp(now));
    assert_eq!(computed.values["text"], json!("minor of 17, paid 0"));
    assert_eq!(computed.changes_at, Some(Timestamp(at("2018-06-15"))));
    someone.events = paid(&[(now - DAY + 1, json!({}))]).events;
    let computed = someone.compute(&traits, Timestamp(now));
    assert_eq!(computed.values["text"], json!("minor of 17, paid 1"));
    assert_eq!(computed.changes_at, Some(Timestamp(now + 1)));
    let older = someone.compute(&traits, Timestamp(at("2018-06-15")));
    assert_eq!(older.values["text"], json!("adult of 18, paid 0"));
}

#[test]
fn a_fault_names_the_trait_and_never_the_value() {
    let someone = with(json!({"n": "s3cr3t"}));
    let traits = [named("double", derive("n - 1"))];
    let computed = someone.compute(&traits, Timestamp(0));
    assert!(!format!("{computed:?}").contains("s3cr3t"));
    let fault = &computed.faults[0];
    assert_eq!(
        (&*fault.trait_name, fault.kind.to_string()),
        ("double", "no result, as of a division by zero".to_owned())
    );
    let texts: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let mut unique = texts.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), texts.len());
}

#[test]
fn what_traits_read_is_said_as_conditions() {
    let stages = TraitKind::Stages(vec![
        Stage {
            name: "active".to_owned(),
            who: Some(paid_within(10)),
        },
        Stage {
            name: "rest".to_owned(),
            who: None,
        },
    ]);
    let traits = [
        named("a", over(Aggregate::Sum { of: of() }, Window::Within(30))),
        named("b", derive("a * 2")),
        named("c", stages),
    ];
    assert_eq!(reads(&traits), [paid_within(30), paid_within(10)]);
}

// ---- properties ----

/// Like `Answer`, by the definition: filter, sort, and look at every value.
fn naive_events(
    (event, filter, window, aggregate): (&str, &[(String, Test)], Window, &Aggregate),
    someone: &Someone,
    now: i64,
) -> (Option<Value>, Option<FaultKind>) {
    let mut found: Vec<(i64, Value)> = Vec::new();
    for (name, time, properties) in &someone.events {
        let time = time.0;
        let inside = match window {
            Window::Ever => true,
            Window::Within(duration) => now - duration < time,
            Window::Between(from, to) => from.0 <= time && time < to.0,
        };
        let fits = filter
            .iter()
            .all(|(name, test)| crate::expression::passes(properties.get(name), test));
        if name == event && inside && fits && time <= now {
            let value = match aggregate.of() {
                Some(property) => properties.get(property).cloned().unwrap_or_default(),
                None => json!(time),
            };
            if !value.is_null() {
                found.push((time, plain(value)));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| naive_order(&a.1, &b.1)));
    let values: Vec<Value> = found.into_iter().map(|(_, value)| value).collect();
    if aggregate.is_numeric() && values.iter().any(|value| !value.is_number()) {
        return (None, Some(FaultKind::NotANumber));
    }
    let single = matches!(
        aggregate,
        Aggregate::MostFrequent { .. }
            | Aggregate::UniqueList { .. }
            | Aggregate::UniqueCount { .. }
    );
    if single
        && values
            .iter()
            .any(|value| value.is_array() || value.is_object())
    {
        return (None, Some(FaultKind::NotASingleValue));
    }
    naive_value(aggregate, &values)
}

fn naive_value(aggregate: &Aggregate, values: &[Value]) -> (Option<Value>, Option<FaultKind>) {
    let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    let average = |numbers: &[f64]| {
        let sum: f64 = numbers.iter().sum();
        (!numbers.is_empty()).then(|| plain(json!(sum / numbers.len() as f64)))
    };
    let mut sorted = values.to_vec();
    sorted.sort_by(naive_order);
    let mut unique = sorted.clone();
    unique.dedup();
    let value = match aggregate {
        Aggregate::Count => Some(json!(values.len())),
        Aggregate::Sum { .. } => Some(plain(json!(numbers.iter().sum::<f64>()))),
        Aggregate::Avg { .. } => average(&numbers),
        Aggregate::Min { .. } => sorted.first().cloned(),
        Aggregate::Max { .. } => sorted.last().cloned(),
        Aggregate::First { .. } => values.first().cloned(),
        Aggregate::Last { .. } => values.last().cloned(),
        Aggregate::MostFrequent { .. } => {
            let mut best: Option<(usize, Value)> = None;
            for value in unique {
                let count = values.iter().filter(|other| **other == value).count();
                if count >= 2 && best.as_ref().is_none_or(|(most, _)| count > *most) {
                    best = Some((count, value));
                }
            }
            best.map(|(_, value)| value)
        }
        Aggregate::UniqueList { .. } if values.is_empty() => None,
        Aggregate::UniqueList { at_most, .. } => {
            let capped = (unique.len() > *at_most).then_some(FaultKind::Capped);
            unique.truncate(*at_most);
            return (Some(Value::Array(unique)), capped);
        }
        Aggregate::UniqueCount { .. } => Some(json!(unique.len())),
        Aggregate::MovingAverage { last, .. } => {
            let skipped = numbers.len().saturating_sub(*last);
            average(&numbers[skipped..])
        }
        Aggregate::Exponential { alpha, .. } => {
            let mut smoothed: Option<f64> = None;
            for number in numbers {
                smoothed = Some(match smoothed {
                    Some(before) => alpha * number + (1.0 - alpha) * before,
                    None => number,
                });
            }
            smoothed.map(|smoothed| plain(json!(smoothed)))
        }
    };
    (value, None)
}

/// 5.0 is 5.
fn plain(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 => json!(number as i64),
        _ => value,
    }
}

fn naive_order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        _ => 4,
    };
    let by_rank = rank(a).cmp(&rank(b));
    by_rank.then_with(|| match (a, b) {
        (Value::Number(_), _) => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => a.to_string().cmp(&b.to_string()),
    })
}

fn naive_age(born: Option<&Value>, now: i64) -> (Option<Value>, Option<FaultKind>) {
    let Some(born) = born else {
        return (None, None);
    };
    let born = born.as_str().unwrap_or_default();
    let Ok(born) = NaiveDate::parse_from_str(born, "%Y-%m-%d") else {
        return (None, Some(FaultKind::NotADate));
    };
    let today = DateTime::from_timestamp_millis(now).unwrap().date_naive();
    // None of the generator's birthdays but one has no day in some years, and that one is far from the times that are tried.
    let had = (0..100).filter(|years| born + Months::new(12 * years) <= today);
    match had.count() {
        0 => (None, Some(FaultKind::InTheFuture)),
        birthdays => (Some(json!(birthdays - 1)), None),
    }
}

fn naive(traits: &[ComputedTrait], someone: &Someone, now: i64) -> (Fields, Vec<Fault>) {
    let mut known = someone.traits.clone();
    known.retain(|_, value| !value.is_null());
    let (mut values, mut faults) = (Fields::new(), Vec::new());
    for one in traits {
        let (value, fault) = match &one.kind {
            TraitKind::Events {
                event,
                filter,
                window,
                aggregate,
            } => naive_events((event, filter, *window, aggregate), someone, now),
            TraitKind::Derive { expression, .. } => naive_derived(expression, &known),
            TraitKind::Bin { of, edges, labels } => match known.get(of) {
                None => (None, None),
                Some(value) => match value.as_f64() {
                    Some(number) => {
                        let above = edges.iter().filter(|edge| number >= **edge).count();
                        (Some(json!(labels[above])), None)
                    }
                    None => (None, Some(FaultKind::NotANumber)),
                },
            },
            TraitKind::Prefix { of, length } => match known.get(of) {
                Some(Value::String(text)) => {
                    let start: String = text.chars().take(*length).collect();
                    (Some(json!(start)).filter(|_| !text.trim().is_empty()), None)
                }
                Some(_) => (None, Some(FaultKind::NotAText)),
                None => (None, None),
            },
            TraitKind::Age { of } => naive_age(known.get(of), now),
            TraitKind::Stages(stages) => {
                let holds = |who: &Condition| someone.judge(who, &known, Timestamp(now)).0;
                let first = stages
                    .iter()
                    .find(|stage| stage.who.as_ref().is_none_or(holds));
                (first.map(|stage| json!(stage.name)), None)
            }
        };
        known.remove(&*one.name);
        if let Some(value) = value {
            known.insert(one.name.to_string(), value.clone());
            values.insert(one.name.to_string(), value);
        }
        faults.extend(fault.map(|kind| Fault {
            trait_name: one.name.clone(),
            kind,
        }));
    }
    (values, faults)
}

/// The generators make these three expressions, over one trait `a`.
fn naive_derived(expression: &Expression, known: &Fields) -> (Option<Value>, Option<FaultKind>) {
    let absent = Value::Null;
    let value = known.get("a").unwrap_or(&absent);
    let number = match (value.as_f64(), value) {
        (Some(number), _) => Some(number),
        (None, Value::Bool(flag)) => Some(f64::from(u8::from(*flag))),
        _ => None,
    };
    match (expression.text(), number) {
        ("a * 2" | "6 / a", None) if value.is_null() => (None, None),
        ("a * 2", Some(number)) => (Some(plain(json!(number * 2.0))), None),
        ("a * 2", None) if value.is_string() => (None, Some(FaultKind::NotANumber)),
        ("6 / a", Some(number)) if number != 0.0 => (Some(plain(json!(6.0 / number))), None),
        ("6 / a", _) => (None, Some(FaultKind::Failed)),
        // What is joined with nothing is nothing, and that is no value.
        ("a ~ '!'", _) if value.is_null() || *value == json!("") => (None, None),
        _ => match expression.eval(&json!(known), None) {
            Ok(value) => (value.map(plain), None),
            Err(_) => (None, Some(FaultKind::Failed)),
        },
    }
}

fn property_values() -> impl Strategy<Value = Value> {
    let texts = ["a", "b", "ab", "", "5"];
    prop_oneof![
        12 => (-3..6i64).prop_map(Value::from),
        6 => (-6..12i64).prop_map(|half| Value::from(half as f64 / 2.0)),
        6 => prop::sample::select(texts.to_vec()).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!(["a", 1])),
    ]
}

fn events() -> impl Strategy<Value = (String, Timestamp, Fields)> {
    let numbers = prop_oneof![
        20 => (-6..12i64).prop_map(|half| json!(half as f64 / 2.0)),
        1 => property_values(),
    ];
    let texts = prop_oneof![
        20 => prop::sample::select(vec!["x", "y", "z"]).prop_map(Value::from),
        1 => property_values(),
    ];
    let properties = (
        prop::option::of(numbers),
        prop::option::of(texts),
        property_values(),
    );
    (prop::sample::select(vec!["e", "f"]), -3..35i64, properties).prop_map(
        |(name, time, (number, text, any))| {
            let mut fields = Fields::from([("a".to_owned(), any)]);
            fields.extend(number.map(|number| ("n".to_owned(), number)));
            fields.extend(text.map(|text| ("t".to_owned(), text)));
            (name.to_owned(), Timestamp(time), fields)
        },
    )
}

fn people() -> impl Strategy<Value = Someone> {
    let born = [
        "1960-01-01",
        "1960-02-29",
        "1970-01-01",
        "1969-12-31",
        "1970-01-02",
        "soon",
    ];
    let born = prop::option::of(prop::sample::select(born.to_vec()).prop_map(Value::from));
    let more = prop::option::of(property_values());
    (born, more, prop::collection::vec(events(), 0..12)).prop_map(|(born, more, events)| {
        let mut traits = Fields::new();
        traits.extend(born.map(|born| ("born".to_owned(), born)));
        traits.extend(more.map(|more| ("b".to_owned(), more)));
        Someone { traits, events }
    })
}

fn over_events() -> impl Strategy<Value = TraitKind> {
    let property = || prop::sample::select(vec!["n", "n", "t", "a"]).prop_map(str::to_owned);
    let aggregate = prop_oneof![
        Just(Aggregate::Count),
        property().prop_map(|of| Aggregate::Sum { of }),
        property().prop_map(|of| Aggregate::Avg { of }),
        property().prop_map(|of| Aggregate::Min { of }),
        property().prop_map(|of| Aggregate::Max { of }),
        prop::option::of(property()).prop_map(|of| Aggregate::First { of }),
        prop::option::of(property()).prop_map(|of| Aggregate::Last { of }),
        property().prop_map(|of| Aggregate::MostFrequent { of }),
        (property(), 1..4usize).prop_map(|(of, at_most)| Aggregate::UniqueList { of, at_most }),
        property().prop_map(|of| Aggregate::UniqueCount { of }),
        (property(), 1..4usize).prop_map(|(of, last)| Aggregate::MovingAverage { of, last }),
        (property(), prop::sample::select(vec![0.25, 0.5, 1.0]))
            .prop_map(|(of, alpha)| Aggregate::Exponential { of, alpha }),
    ];
    let window = prop_oneof![
        1 => Just(Window::Ever),
        3 => (1..15i64).prop_map(Window::Within),
        1 => (0..20i64, 1..20i64)
            .prop_map(|(from, long)| Window::Between(Timestamp(from), Timestamp(from + long))),
    ];
    let filter = prop::option::weighted(
        0.2,
        (-3..6i64).prop_map(|bound| {
            (
                "n".to_owned(),
                Test::Compare(Comparison::AtLeast, bound as f64),
            )
        }),
    );
    (aggregate, window, filter).prop_map(|(aggregate, window, filter)| TraitKind::Events {
        event: "e".to_owned(),
        filter: filter.into_iter().collect(),
        window,
        aggregate,
    })
}

fn over_traits() -> impl Strategy<Value = TraitKind> {
    let name = || prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned);
    let stage = crate::audience::tests::conditions();
    let stages = (prop::collection::vec(stage, 1..3), any::<bool>());
    prop_oneof![
        prop::sample::select(vec!["a * 2", "6 / a", "a ~ '!'"]).prop_map(derive),
        name().prop_map(|of| TraitKind::Bin {
            of,
            edges: vec![-1.0, 0.5, 2.0],
            labels: ["w", "x", "y", "z"].map(str::to_owned).into(),
        }),
        name().prop_map(|of| TraitKind::Prefix { of, length: 1 }),
        Just(TraitKind::Age {
            of: "born".to_owned()
        }),
        stages.prop_map(|(conditions, open)| {
            let ends = open.then_some(None);
            let all = conditions.into_iter().map(Some).chain(ends);
            let stage = |(at, who): (usize, Option<Condition>)| Stage {
                name: at.to_string(),
                who,
            };
            TraitKind::Stages(all.enumerate().map(stage).collect())
        }),
    ]
}

/// `a` over events, then one over `a` or what is known, then another.
fn chains() -> impl Strategy<Value = Vec<ComputedTrait>> {
    (over_events(), over_traits(), over_events(), over_traits())
        .prop_map(|(a, c, d, e)| vec![named("a", a), named("c", c), named("d", d), named("e", e)])
}

mod properties {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_trait_over_events_and_its_next_change_are_the_naive_ones(kind in over_events(), someone in people(), now in -5..40i64) {
            let traits = [named("a", kind)];
            let computed = someone.compute(&traits, Timestamp(now));
            let (values, faults) = naive(&traits, &someone, now);
            prop_assert_eq!(&computed.values, &values);
            prop_assert_eq!(computed.faults, faults);
            // No time in the generators is later than 35 + 15.
            let change = (now + 1..60).find(|time| naive(&traits, &someone, *time).0 != values);
            prop_assert_eq!(computed.changes_at, change.map(Timestamp));
        }

        #[test]
        fn traits_over_traits_and_their_next_change_are_the_naive_ones(traits in chains(), someone in people(), now in -5..40i64) {
            let computed = someone.compute(&traits, Timestamp(now));
            let (values, faults) = naive(&traits, &someone, now);
            prop_assert_eq!(&computed.values, &values);
            prop_assert_eq!(computed.faults, faults);
            let change = (now + 1..60).find(|time| naive(&traits, &someone, *time).0 != values);
            // Ages change far from here, too; every other change is within the range.
            let near = computed.changes_at.filter(|time| time.0 < 60);
            prop_assert_eq!(near, change.map(Timestamp));
        }

        #[test]
        fn the_order_of_events_means_nothing(traits in chains(), mut someone in people(), now in -5..40i64, by in 0..12usize) {
            let computed = someone.compute(&traits, Timestamp(now));
            someone.events.reverse();
            prop_assert_eq!(someone.compute(&traits, Timestamp(now)), computed.clone());
            let by = by.min(someone.events.len());
            someone.events.rotate_left(by);
            prop_assert_eq!(someone.compute(&traits, Timestamp(now)), computed);
        }

        #[test]
        fn events_outside_of_what_is_read_change_nothing(traits in chains(), someone in people(), now in -5..40i64) {
            let now = Timestamp(now);
            let conditions = reads(&traits);
            let read = crate::audience::events_read(&conditions);
            let mut least = someone.clone();
            least.events.retain(|(name, time, _)| {
                read.get(name.as_str()).is_some_and(|bound| bound.after(now).is_none_or(|after| *time > after))
            });
            prop_assert_eq!(least.compute(&traits, now), someone.compute(&traits, now));
        }
    }
}
