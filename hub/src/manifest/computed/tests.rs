//! What a `[[trait]]` is compiled to. The error cases are in `manifest/tests/traits.toml`.

use super::*;
use crate::expression::{Comparison, Condition, Test, Window};
use crate::manifest::tests::{VALID, load_text};
use crate::manifest::{Aggregate, Plan};

fn plan(traits: &str) -> Plan {
    load_text(&format!("{VALID}\n{traits}")).expect("valid")
}

/// The one trait of a text.
fn kind(line: &str) -> TraitKind {
    let mut plan = plan(&format!("[[trait]]\nname = \"x\"\n{line}\n"));
    plan.traits.remove(0).kind
}

/// The messages and hints of a manifest that is not valid.
fn wrong(traits: &str) -> Vec<String> {
    let problems = load_text(&format!("{VALID}\n{traits}")).expect_err("wrong");
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn each_kind_becomes_what_it_spells() {
    let over = |aggregate| TraitKind::Events {
        event: "Order Completed".to_owned(),
        filter: Vec::new(),
        window: Window::Ever,
        aggregate,
    };
    let of = || "total".to_owned();
    let last = 3;
    for (line, aggregate) in [
        ("count = { event = \"Order Completed\" }", Aggregate::Count),
        (
            "sum = { event = \"Order Completed\", of = \"total\" }",
            Aggregate::Sum { of: of() },
        ),
        (
            "first = { event = \"Order Completed\" }",
            Aggregate::First { of: None },
        ),
        (
            "last = { event = \"Order Completed\", of = \"total\" }",
            Aggregate::Last { of: Some(of()) },
        ),
        (
            "unique_list = { event = \"Order Completed\", of = \"total\" }",
            Aggregate::UniqueList {
                of: of(),
                at_most: 100,
            },
        ),
        (
            "moving_average = { event = \"Order Completed\", of = \"total\", last = 3 }",
            Aggregate::MovingAverage { of: of(), last },
        ),
        (
            "exponential = { event = \"Order Completed\", of = \"total\", alpha = 0.3 }",
            Aggregate::Exponential {
                of: of(),
                alpha: 0.3,
            },
        ),
    ] {
        assert_eq!(kind(line), over(aggregate), "{line}");
    }
    let filtered = kind(
        "count = { event = \"Order Completed\", where = { total = { at_least = 1000 } }, within = \"90d\" }",
    );
    let expected = TraitKind::Events {
        event: "Order Completed".to_owned(),
        filter: vec![(
            "total".to_owned(),
            Test::Compare(Comparison::AtLeast, 1_000.0),
        )],
        window: Window::Within(90 * 86_400_000),
        aggregate: Aggregate::Count,
    };
    assert_eq!(filtered, expected);
    let bin = TraitKind::Bin {
        of: "age".to_owned(),
        edges: vec![18.0, 25.5, 35.0],
        labels: [
            "under 18",
            "18 to under 25.5",
            "25.5 to under 35",
            "35 and over",
        ]
        .map(str::to_owned)
        .into(),
    };
    assert_eq!(kind("bin = { of = \"age\", edges = [18, 25.5, 35] }"), bin);
    let age = TraitKind::Age {
        of: "birthday".to_owned(),
    };
    assert_eq!(kind("age = { of = \"birthday\" }"), age);
    let stages = kind(
        "stages = [{ name = \"Customer\", who = { trait = \"favouriteColour\", is = \"red\" } }, { name = \"rest\" }]",
    );
    let red = Condition::Trait {
        name: "favourite_colour".to_owned(),
        test: Test::Is("red".into()),
    };
    let stage = |name: &str, who| Stage {
        name: name.to_owned(),
        who,
    };
    let expected = vec![stage("Customer", Some(red)), stage("rest", None)];
    assert_eq!(stages, TraitKind::Stages(expected));
}

#[test]
fn traits_stand_after_those_that_they_read_and_audiences_may_use_them() {
    let plan = plan(
        r#"
[[trait]]
name = "label"
derive = "band ~ ' ' ~ favourite_colour"
[[trait]]
name = "stage"
stages = [{ name = "old", who.any = [{ trait = "label", contains = "x" }, { trait = "years", above = 90 }] }]
[[trait]]
name = "band"
bin = { of = "years", edges = [18] }
[[trait]]
name = "years"
description = "Whole years"
age = { of = "birthday" }
[[audience]]
name = "adults"
who = { trait = "years", at_least = 18 }
"#,
    );
    let names: Vec<&str> = plan.traits.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["years", "band", "label", "stage"]);
    assert_eq!(plan.traits[0].description, "Whole years");
}

#[test]
fn a_trait_has_another_digest_only_when_its_kind_changed() {
    let digest = |text: &str| plan(text).traits[0].digest.clone();
    let first = "[[trait]]\nname = \"x\"\nderive = \"1 + 1\"\n";
    let renamed = first.replace("\"x\"", "\"y\"") + "description = \"two\"\n";
    assert_eq!(digest(first), digest(&renamed));
    assert_ne!(digest(first), digest(&first.replace("1 + 1", "1 + 2")));
    let count =
        "[[trait]]\nname = \"x\"\ncount = { event = \"Order Completed\", within = \"1d\" }\n";
    assert_ne!(digest(count), digest(&count.replace("1d", "2d")));
}

#[test]
fn a_name_that_a_source_fills_is_not_computed() {
    let taken = wrong("[[trait]]\nname = \"favourite_colour\"\nderive = \"1\"\n");
    assert_eq!(
        taken,
        [
            "[OF0106] source `crm` fills the trait `favourite_colour` already; hint: take another name"
        ]
    );
    // A property of an event is not a trait.
    plan("[[trait]]\nname = \"total\"\nsum = { event = \"Order Completed\", of = \"total\" }\n");
}

#[test]
fn an_event_whose_name_is_worked_out_may_be_any() {
    let stream = "map.event = \"currency\"\nmap.size = \"amount\"\n";
    let text = VALID.replace(
        "streams = [\"charges\"]",
        &format!("[[source.stream]]\nname = \"charges\"\n{stream}"),
    );
    let count = |of: &str| {
        load_text(&format!(
            "{text}\n[[trait]]\nname = \"x\"\nmax = {{ event = \"Anything\", of = \"{of}\" }}\n"
        ))
    };
    assert!(count("size").is_ok());
    let problems = count("sise").expect_err("no such property");
    assert_eq!(
        problems[0].to_string(),
        "[OF0131] no stream fills `sise` of the event `Anything`; hint: did you mean `size`?"
    );
}

#[test]
fn nothing_is_said_of_events_while_a_source_cannot_be_read() {
    let text = VALID.replace("connector = \"stripe\"", "connector = \"strip\"");
    let count = "[[trait]]\nname = \"x\"\ncount = { event = \"Order Completed\" }\n";
    let problems = load_text(&format!("{text}\n{count}")).expect_err("no such connector");
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code.id).collect();
    assert!(!codes.contains(&"OF0131"), "{codes:?}");
}
