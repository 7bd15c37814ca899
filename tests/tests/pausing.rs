//! `onefold pause` and `onefold resume`: what an operator paused is left alone by every process until it is resumed, but for the
//! people who asked not to be sent anywhere.

use crate::serve::every_second;
use crate::small::{Small, set};
use onefold_tests::vendors::mailchimp::Write;
use std::process::Command;
use std::time::Duration;

#[test]
fn a_paused_source_is_not_read_and_a_paused_destination_only_loses_suppressed_people() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
    let reason = ["--reason", "the vendor migrates", "--by", "ada"];
    for name in ["crm", "newsletter-out"] {
        let words = [&["pause", name][..], &reason].concat();
        small.hub.run(&words).ends_with(0);
    }
    let read = small.hubspot.requests().len();
    let written = small.writes().len();
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
    });
    let ran = small.hub.run(&["run"]).ends_with(0);
    assert!(
        ran.stdout.contains("source crm is paused since"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .contains("newsletter-out paused, only suppressed people are removed"),
        "{}",
        ran.stdout
    );
    small.hub.run(&["run", "--source", "crm"]).ends_with(3);
    assert_eq!(small.hubspot.requests().len(), read);
    assert_eq!(small.writes().len(), written);
    // I13: an objection does not wait for the end of a pause.
    let suppress = [
        "suppress",
        "email:zofia@poczta.example",
        "--reason",
        "asked",
    ];
    small.hub.run(&suppress).ends_with(0);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged(), set(["ada@poczta.example"]));
    for name in ["crm", "newsletter-out"] {
        let words = ["resume", name, "--reason", "done"];
        small.hub.run(&words).ends_with(0);
    }
    small.hub.run(&["run"]).ends_with(0);
    assert!(small.hubspot.requests().len() > read);
    assert_eq!(small.tagged(), set(["ada@poczta.example"]));
    let king = |write: &Write| write.content["merge_fields"]["LNAME"] == "King";
    assert!(small.writes().iter().any(king));
    let ended = "select count(*) from pause where ended_for = 'done' and author = 'ada'";
    assert_eq!(small.hub.number("small.db", ended), 2);
}

#[test]
fn a_hub_that_serves_obeys_a_pause_and_its_end_within_seconds() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    every_second(&small);
    let mut child = small.hub.spawn(&["serve"]);
    let id = child.id().unwrap().to_string();
    let seen = || small.hubspot.requests().len();
    let wait = |ms| {
        small
            .hub
            .runtime
            .block_on(async { tokio::time::sleep(Duration::from_millis(ms)).await });
    };
    let wait_for_more = |than: usize| {
        for _ in 0..600 {
            if seen() > than {
                return;
            }
            wait(100);
        }
        panic!("the source was not read");
    };
    wait_for_more(seen());
    let pause = ["pause", "crm", "--reason", "the vendor migrates"];
    small.hub.run(&pause).ends_with(0);
    wait(2_500);
    let before = seen();
    wait(2_500);
    assert_eq!(seen(), before);
    let resume = ["resume", "crm", "--reason", "done"];
    small.hub.run(&resume).ends_with(0);
    wait_for_more(before);
    let kill = Command::new("kill").args(["-TERM", &id]).status();
    assert!(kill.unwrap().success());
    let ended = async { tokio::time::timeout(Duration::from_secs(30), child.wait()).await };
    let status = small.hub.runtime.block_on(ended).unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_name_that_cannot_be_paused_is_answered_with_the_names_that_can() {
    let small = Small::new();
    let ran = |words: &[&str]| small.hub.run(words).ends_with(2).stderr;
    let unknown = ran(&["pause", "crn", "--reason", "x"]);
    assert!(unknown.contains("did you mean `crm`?"), "{unknown}");
    let empty = ran(&["pause", "crm", "--reason", " "]);
    assert!(empty.contains("a reason is needed"), "{empty}");
    let wrong = ran(&["pause", "destination:crm", "--reason", "x"]);
    assert!(wrong.contains("there is no destination `crm`"), "{wrong}");
    small.edit("name = \"newsletter-out\"", "name = \"crm\"");
    let both = ran(&["pause", "crm", "--reason", "x"]);
    assert!(both.contains("write `source:crm` or"), "{both}");
    let which = ["pause", "source:crm", "--reason", "x"];
    small.hub.run(&which).ends_with(0);
}
