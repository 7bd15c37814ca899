//! I16: what a vendor refuses of a whole audience waits and is not any member's fault; an audience that is gone at the vendor is
//! made again with everybody in it.

use crate::identity::pair::Pair;
use onefold_tests::vendors::Fault;
use onefold_tests::vendors::mailchimp::{Member, Status};
use std::collections::{BTreeMap, BTreeSet};

const ADA: &str = "ada@poczta.example";
const ANNA: &str = "anna@poczta.example";

fn members(pair: &Pair, tag: &str) -> BTreeSet<String> {
    pair.mailchimp
        .with(|mailchimp| mailchimp.segment_members(tag))
}

fn letters(pair: &Pair) -> usize {
    let letters = pair.hub.json(&["dead-letters", "list"]);
    letters.as_array().unwrap().len()
}

/// Makes Anna one of the poles.
fn move_anna(pair: &Pair) {
    pair.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(12, &[("country", "PL")], now_ms);
    });
}

#[test]
fn a_tag_that_was_deleted_at_the_vendor_is_made_again_with_all_its_members() {
    let pair = Pair::new("");
    pair.push();
    assert_eq!(members(&pair, "poles"), [ADA.to_owned()].into());
    pair.mailchimp
        .with(|mailchimp| mailchimp.segments.retain(|one| one.name != "poles"));
    move_anna(&pair);
    pair.push();
    let both = [ADA.to_owned(), ANNA.to_owned()].into();
    assert_eq!(members(&pair, "poles"), both);
    assert_eq!(letters(&pair), 0);
    assert_eq!(pair.hub.json(&["status"])["changes_pending"], 0);
}

/// So many members who agreed, all of whom are quiet.
fn seed(pair: &Pair, count: usize) {
    pair.mailchimp.with(|mailchimp| {
        for n in 0..count {
            mailchimp.seed_member(Member {
                email: format!("m{n}@mail.example"),
                status: Status::Subscribed,
                merge_fields: BTreeMap::new(),
                language: "pl".to_owned(),
                vip: false,
                signed_up_ms: crate::small::JANUARY_MS,
                last_changed_ms: crate::small::JANUARY_MS + 1_000,
                unsubscribe_reason: None,
            });
        }
    });
}

#[test]
fn a_tag_that_takes_nobody_is_one_problem_and_its_members_wait() {
    let pair = Pair::new("");
    pair.push();
    seed(&pair, 64);
    let tag = pair.mailchimp.with(|mailchimp| {
        let of = mailchimp.segments.iter().find(|one| one.name == "quiet");
        of.unwrap().id
    });
    let path = format!("POST /3.0/lists/a1b2c3d4e5/segments/{tag}");
    pair.mailchimp
        .fail_next(1_000, &path, Fault::Refused { status: 400 });
    let before = pair.mailchimp.requests().len();
    let report = pair.hub.run(&["--json", "run"]).ends_with(1).json();
    let codes: Vec<&str> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["OF0705"]);
    assert_eq!(report["destinations"][0]["postponed"], 64);
    assert_eq!(letters(&pair), 0);
    let faults = pair.mailchimp.requests();
    let calls = faults[before..].iter().filter(|one| one.fault.is_some());
    // 1 + 2 * log2(64)
    assert!(calls.clone().count() <= 13, "{}", calls.count());
    pair.mailchimp.clear_faults();
    pair.push();
    assert_eq!(members(&pair, "quiet").len(), 67);
}

// B24: Mailchimp names the address that it refuses.
#[test]
fn a_dead_letter_does_not_quote_the_address_that_the_vendor_quotes() {
    let pair = Pair::new("");
    pair.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
    });
    pair.mailchimp.with(|mailchimp| {
        let hash = onefold_tests::vendors::mailchimp::subscriber_hash(ADA);
        mailchimp.forgotten.insert(hash);
    });
    pair.hub.run(&["run"]).ends_with(1);
    let letters = pair.hub.json(&["dead-letters", "list"]);
    let letter = &letters[0];
    let message = letter["message"].as_str().unwrap();
    assert!(
        message.contains("[e-mail] was permanently deleted"),
        "{message}"
    );
    assert!(!message.contains('@'), "{message}");
}
