//! Vendors that refuse, fail, answer nonsense or nothing: the class of the failure decides what happens, the other
//! streams go on, and what was stored stays. Also the guards, and what may not be sent.

use crate::small::{JANUARY_MS, Small, set};
use onefold_tests::demo::applied_twice;
use onefold_tests::vendors::Fault;
use onefold_tests::vendors::mailchimp::{Status, subscriber_hash};
use serde_json::{Value, json};

/// More than any number of tries.
const ALWAYS: u32 = 10_000;

fn problems(report: &Value) -> Vec<&str> {
    let problems = report["problems"].as_array().unwrap().iter();
    problems
        .map(|problem| problem["code"].as_str().unwrap())
        .collect()
}

fn stream<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut streams = report["streams"].as_array().unwrap().iter();
    streams.find(|stream| stream["stream"] == name).unwrap()
}

/// Reads with a HubSpot that always fails like this; returns the report and what HubSpot was asked.
fn reading_fails(fault: &Fault, code: &str) -> usize {
    let small = Small::new();
    small
        .hub
        .run(&["run", "--source", "crm", "--no-delivery"])
        .ends_with(0);
    let before = small.hub.state("small.db", &[]);
    assert_eq!(before.people.len(), 3);
    small
        .hubspot
        .fail_next(ALWAYS, "/crm/v3/objects/contacts", fault.clone());
    small.hubspot.forget_requests();
    let ran = small.hub.run(&["--json", "run"]).ends_with(1);
    let report = ran.json();
    assert_eq!(problems(&report), [code], "{fault:?}: {report:#}");
    assert_eq!(stream(&report, "contacts")["read"], 0, "{fault:?}");
    for (name, added) in [("customers", 3), ("charges", 7), ("members", 4)] {
        assert_eq!(stream(&report, name)["added"], added, "{fault:?}");
    }
    // What was stored stays, and the rest has come.
    assert_eq!(report["people"], 5, "{fault:?}");
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
    let asked = small.hubspot.requests().len();
    small.hubspot.clear_faults();
    small.hub.run(&["run"]).ends_with(0);
    asked
}

#[test]
fn a_source_that_refuses_is_asked_once_and_the_others_go_on() {
    let cases = [
        (401, "OF0441"),
        (403, "OF0442"),
        (404, "OF0445"),
        (409, "OF0445"),
        (422, "OF0445"),
    ];
    for (status, code) in cases {
        let asked = reading_fails(&Fault::Refused { status }, code);
        assert_eq!(asked, 1, "{status}");
    }
}

#[test]
fn a_source_that_fails_for_now_is_asked_again_and_the_others_go_on() {
    for fault in [
        Fault::ServerError,
        Fault::Garbage,
        Fault::Reset,
        Fault::HalfBody,
    ] {
        let asked = reading_fails(&fault, "OF0444");
        assert!((2..100).contains(&asked), "{fault:?}: {asked} requests");
    }
}

#[test]
fn a_source_that_asks_to_wait_is_waited_for() {
    let small = Small::new();
    small.hubspot.fail_next(
        1,
        "/crm/v3/objects/contacts",
        Fault::TooManyRequests { retry_after_s: 1 },
    );
    small.hub.run(&["run"]).ends_with(0);
    let asked = small.hubspot.requests();
    assert_eq!((asked[0].status, asked[1].status), (429, 200));
    assert!(asked[1].at_ms - asked[0].at_ms >= 1_000);
    assert_eq!(small.people(), 5);
}

/// Delivers to a Mailchimp whose writing of members always fails like this; returns what it was asked to write.
fn writing_fails(fault: &Fault, codes: &[&str]) -> usize {
    let small = Small::new();
    small
        .mailchimp
        .fail_next(ALWAYS, "POST /3.0/lists/a1b2c3d4e5", fault.clone());
    let report = small.hub.run(&["--json", "run"]).ends_with(1).json();
    assert_eq!(problems(&report), codes, "{fault:?}: {report:#}");
    assert_eq!(report["people"], 5);
    assert_eq!(report["destinations"][0]["rejected"], 0, "{fault:?}");
    let asked = small.mailchimp.requests();
    let asked = asked
        .iter()
        .filter(|request| request.method == "POST")
        .count();
    small.mailchimp.clear_faults();
    small.hub.run(&["dead-letters", "retry"]).ends_with(0);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"]),
        "{fault:?}"
    );
    assert_eq!(
        applied_twice(&small.writes()),
        Vec::<String>::new(),
        "{fault:?}"
    );
    asked
}

#[test]
fn a_destination_that_refuses_the_credential_is_asked_once() {
    for (status, code) in [(401, "OF0441"), (403, "OF0442")] {
        assert_eq!(
            writing_fails(&Fault::Refused { status }, &[code]),
            1,
            "{status}"
        );
    }
}

// I16: one problem, for the profiles; the memberships wait for them. No row is to blame, so none is a dead letter.
#[test]
fn a_destination_that_refuses_every_row_is_a_problem_and_the_rows_wait() {
    for status in [404, 409, 422] {
        writing_fails(&Fault::Refused { status }, &["OF0705"]);
    }
}

#[test]
fn a_destination_that_fails_for_now_is_asked_again_and_applies_nothing_twice() {
    for fault in [
        Fault::ServerError,
        Fault::Garbage,
        Fault::Reset,
        Fault::HalfBody,
        Fault::AnswerLost,
    ] {
        let asked = writing_fails(&fault, &["OF0444"]);
        assert!((2..100).contains(&asked), "{fault:?}: {asked} requests");
    }
}

#[test]
fn a_row_that_the_vendor_rejects_is_a_dead_letter_with_the_vendors_reason_and_its_batch_goes_on() {
    let small = Small::new();
    // Somebody who was deleted for good can never be imported again.
    small.mailchimp.with(|mailchimp| {
        mailchimp
            .forgotten
            .insert(subscriber_hash("zofia@poczta.example"));
    });
    let report = small.hub.run(&["--json", "run"]).ends_with(1).json();
    let delivered = &report["destinations"][0];
    assert_eq!(delivered["rejected"], 1, "{delivered:#}");
    assert_eq!(delivered["upserted"], 2, "{delivered:#}");
    let letters = small.hub.json(&["dead-letters", "list"]);
    assert_eq!(letters.as_array().unwrap().len(), 1);
    assert_eq!(letters[0]["source"], "newsletter-out");
    assert_eq!(letters[0]["key"], "zofia@poczta.example");
    let why = letters[0]["message"].as_str().unwrap();
    assert!(why.contains("permanently deleted"), "{why}");
    // It is not sent again by itself, and there is no second letter.
    let writes = small.writes().len();
    small.hub.run(&["run"]);
    assert_eq!(small.writes().len(), writes);
    assert_eq!(
        small
            .hub
            .json(&["dead-letters", "list"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // Mended at the vendor and asked for, it goes.
    small
        .mailchimp
        .with(|mailchimp| mailchimp.forgotten.clear());
    small.hub.run(&["dead-letters", "retry"]).ends_with(0);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.hub.json(&["dead-letters", "list"]), json!([]));
    assert_eq!(applied_twice(&small.writes()), Vec::<String>::new());
}

#[test]
fn a_missing_credential_is_named_before_anything_is_called() {
    let mut small = Small::new();
    small.hub.forget_secret("STRIPE_KEY");
    let ran = small.hub.run(&["run"]).ends_with(2);
    assert!(ran.stderr.contains("STRIPE_KEY"), "{ran:#?}");
    assert_eq!(small.requests(), 0, "{ran:#?}");
}

#[test]
fn a_wrong_credential_stops_its_source_and_is_not_printed() {
    let mut small = Small::new();
    small
        .hub
        .set_secret("STRIPE_KEY", "sk_test_wrong-and-secret");
    let ran = small.hub.run(&["run"]).ends_with(1);
    assert!(ran.stderr.contains("OF0441"), "{ran:#?}");
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains("sk_test_wrong-and-secret"), "{text}");
    }
    assert_eq!(small.people(), 5, "contacts and members have come");
}

#[test]
fn a_source_that_comes_up_empty_stops_the_run_and_removes_nothing() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let before = small.hub.state("small.db", &["buyers"]);
    let writes = small.writes();
    small.hubspot.with(|hubspot| {
        for id in [11, 12, 13] {
            hubspot.contacts.erase(id);
        }
    });
    let ran = small.hub.run(&["--json", "run", "--full"]).ends_with(3);
    assert_eq!(problems(&ran.json()), ["OF0701"]);
    assert_eq!(small.hub.state("small.db", &["buyers"]), before);
    assert_eq!(small.writes(), writes);
}

#[test]
fn a_full_read_deletes_what_does_not_come_again() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    small.hubspot.with(|hubspot| hubspot.contacts.erase(13));
    let report = small.hub.json(&["run", "--full"]);
    assert_eq!(stream(&report, "contacts")["deleted"], 1);
    assert_eq!(small.people(), 4);
    small
        .hub
        .run(&["profile", "show", "email:mia@mail.example"])
        .ends_with(2);
}

/// Both buyers leave the newsletter: nobody may hold the tag any more.
fn everybody_withdraws(small: &Small) {
    small.mailchimp.with(|mailchimp| {
        for email in ["ada@poczta.example", "zofia@poczta.example"] {
            unsubscribe(mailchimp, email);
        }
    });
}

fn unsubscribe(mailchimp: &mut onefold_tests::vendors::mailchimp::Mailchimp, email: &str) {
    let now_ms = mailchimp.clock.now_ms();
    let member = mailchimp.members.get_mut(&subscriber_hash(email)).unwrap();
    member.status = Status::Unsubscribed;
    member.last_changed_ms = now_ms;
}

#[test]
fn more_removals_than_the_guard_allows_stop_the_delivery_until_it_is_raised() {
    let small = Small::guarded("20%");
    small.hub.run(&["run"]).ends_with(0);
    let writes = small.writes().len();
    everybody_withdraws(&small);
    let ran = small.hub.run(&["--json", "run"]).ends_with(3);
    assert_eq!(problems(&ran.json()), ["OF0702"]);
    assert_eq!(small.writes().len(), writes);
    assert_eq!(small.tagged().len(), 2);
    small.hub.run(&["plan"]).ends_with(3);
    let manifest = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    small
        .hub
        .write("hub.toml", &manifest.replace("20%", "100%"));
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged(), set([]));
}

#[test]
fn consent_that_is_withdrawn_at_the_vendor_takes_the_person_out_of_the_tag() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
    small
        .mailchimp
        .with(|mailchimp| unsubscribe(mailchimp, "ada@poczta.example"));
    let report = small.hub.json(&["run"]);
    assert_eq!(report["destinations"][0]["removed"], json!({"buyers": 1}));
    assert_eq!(small.tagged(), set(["zofia@poczta.example"]));
}

#[test]
fn nothing_is_sent_of_somebody_who_was_suppressed() {
    let small = Small::new();
    small.hub.run(&["run", "--no-delivery"]).ends_with(0);
    let suppress = [
        "suppress",
        "email:ADA@poczta.example",
        "--reason",
        "asked by phone",
    ];
    small.hub.run(&suppress).ends_with(0);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged(), set(["zofia@poczta.example"]));
    let about_ada = small
        .writes()
        .into_iter()
        .filter(|write| write.object.contains("ada@"));
    assert_eq!(about_ada.count(), 0);
}

#[test]
fn somebody_who_is_suppressed_later_leaves_the_tag() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let suppress = [
        "suppress",
        "email:ada@poczta.example",
        "--reason",
        "asked by phone",
    ];
    small.hub.run(&suppress).ends_with(0);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.tagged(), set(["zofia@poczta.example"]));
}

#[test]
fn a_contact_that_is_archived_takes_its_claims_along() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let show = ["profile", "show", "email:ada@poczta.example"];
    assert_eq!(
        small.hub.json(&show)["traits"]["lifecycle_stage"],
        "customer"
    );
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        for id in [11, 13] {
            hubspot.contacts.archive(id, now_ms);
        }
    });
    small.hub.run(&["run"]).ends_with(0);
    let ada = small.hub.json(&show);
    assert_eq!(ada["traits"]["lifecycle_stage"], Value::Null, "{ada:#}");
    assert_eq!(ada["traits"]["name"], "Ada L.");
    assert_eq!(small.people(), 4);
}

#[test]
fn a_contact_that_changed_is_sent_once() {
    let small = Small::new();
    small.hub.run(&["run"]).ends_with(0);
    let before = small.writes().len();
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        assert!(now_ms > JANUARY_MS);
        hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
    });
    let report = small.hub.json(&["run"]);
    assert_eq!(stream(&report, "contacts")["changed"], 1);
    small.hub.run(&["run"]).ends_with(0);
    let writes = small.writes();
    let new: Vec<_> = writes[before..]
        .iter()
        .map(|write| {
            (
                write.object.as_str(),
                &write.content["merge_fields"]["LNAME"],
            )
        })
        .collect();
    assert_eq!(new, [("member:ada@poczta.example", &json!("King"))]);
}
