//! Members of a list who change their address, who are deleted for good, and lists whose pages are not as long as was asked for.

use crate::small::{Small, set};
use onefold_tests::vendors::mailchimp::{Member, Pages, Status};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const OLIVER: &str = "oliver@mail.example";
const READERS: &str = "[[audience]]\nname = \"readers\"\ndescription = \"Called Oliver\"\nwho = { trait = \"first_name\", is = \"Oliver\" }\n\n";

/// With an audience that only somebody from the list is in.
fn with_readers() -> Small {
    let small = Small::new();
    let destination = "[[destination]]\n";
    small.edit(destination, &format!("{READERS}{destination}"));
    small.hub.run(&["run"]).ends_with(0);
    small
}

fn run(small: &Small) {
    small.hub.run(&["run"]).ends_with(0);
}

/// None when nobody is known by this address.
fn id_of(small: &Small, email: &str) -> Option<Value> {
    let email = format!("email:{email}");
    let shown = small.hub.run(&["--json", "profile", "show", &email]);
    (shown.code == Some(0)).then(|| shown.json()["id"].clone())
}

fn readers(small: &Small) -> usize {
    let shown = small.hub.json(&["audience", "show", "readers"]);
    shown["size"].as_u64().unwrap() as usize
}

fn consent(small: &Small, email: &str) -> String {
    let email = format!("email:{email}");
    let shown = small.hub.run(&["consent", "show", &email]);
    shown.ends_with(0).stdout
}

fn now_ms(small: &Small) -> i64 {
    small.mailchimp.with(|mailchimp| mailchimp.clock.now_ms())
}

fn subscribe(small: &Small, email: &str) {
    let now_ms = now_ms(small);
    small.mailchimp.with(|mailchimp| {
        mailchimp.seed_member(Member {
            email: email.to_owned(),
            status: Status::Subscribed,
            merge_fields: BTreeMap::from([("FNAME".to_owned(), json!("Nora"))]),
            language: String::new(),
            vip: false,
            signed_up_ms: now_ms,
            last_changed_ms: now_ms,
            unsubscribe_reason: None,
        });
    });
}

// F8
#[test]
fn a_member_whose_address_changes_is_the_same_person_and_goes_when_deleted_for_good() {
    let small = with_readers();
    let before = id_of(&small, OLIVER);
    assert_eq!((readers(&small), small.people()), (1, json!(5)));
    let new = "oliver.new@mail.example";
    small
        .mailchimp
        .with(|mailchimp| mailchimp.change_address(OLIVER, new));
    run(&small);
    assert_eq!((readers(&small), small.people()), (1, json!(5)));
    assert_eq!(id_of(&small, new), before);
    assert_eq!(id_of(&small, OLIVER), None);
    small
        .mailchimp
        .with(|mailchimp| mailchimp.delete_for_good(new));
    run(&small);
    assert_eq!((readers(&small), small.people()), (0, json!(4)));
    assert_eq!(id_of(&small, new), None);
}

#[test]
fn a_member_who_changes_the_address_and_is_deleted_between_two_runs_is_gone() {
    let small = with_readers();
    let new = "oliver.new@mail.example";
    small.mailchimp.with(|mailchimp| {
        mailchimp.change_address(OLIVER, new);
        mailchimp.delete_for_good(new);
    });
    run(&small);
    assert_eq!((readers(&small), small.people()), (0, json!(4)));
}

#[test]
fn a_member_deleted_for_good_is_missed_though_others_came_and_changed_meanwhile() {
    let small = with_readers();
    small
        .mailchimp
        .with(|mailchimp| mailchimp.delete_for_good(OLIVER));
    subscribe(&small, "nora@mail.example");
    run(&small);
    assert_eq!((readers(&small), small.people()), (0, json!(5)));
    // The address may be taken by somebody else, who is another contact.
    small
        .mailchimp
        .with(|mailchimp| mailchimp.sign_up(OLIVER, "Olga"));
    run(&small);
    assert_eq!((readers(&small), small.people()), (0, json!(6)));
}

// I14
#[test]
fn a_refusal_holds_for_the_old_address_and_for_the_new_one() {
    let small = Small::new();
    run(&small);
    let (old, new) = ("jan@poczta.example", "jan.nowak@mail.example");
    small
        .mailchimp
        .with(|mailchimp| mailchimp.change_address(old, new));
    run(&small);
    for address in [old, new] {
        let shown = consent(&small, address);
        assert!(shown.contains("withdrawn"), "{address}: {shown}");
    }
    small
        .mailchimp
        .with(|mailchimp| mailchimp.delete_for_good(new));
    run(&small);
    for address in [old, new] {
        let shown = consent(&small, address);
        assert!(shown.contains("withdrawn"), "{address}: {shown}");
    }
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
}

#[test]
fn a_grant_is_about_the_address_that_the_member_has() {
    let small = Small::new();
    run(&small);
    let (old, new) = ("zofia@poczta.example", "zofia.k@mail.example");
    small
        .mailchimp
        .with(|mailchimp| mailchimp.change_address(old, new));
    run(&small);
    let shown = consent(&small, new);
    assert!(shown.contains("granted"), "{shown}");
    let shown = consent(&small, old);
    assert!(!shown.contains(&format!("for {old}: granted")), "{shown}");
}

// E1
#[test]
fn a_member_that_the_hub_made_agrees_to_nothing_by_getting_another_address() {
    let small = Small::new();
    run(&small);
    let (old, new) = ("mia@mail.example", "mia.smith@mail.example");
    let grant = [
        "consent",
        "grant",
        "email:mia@mail.example",
        "marketing_email",
        "--reason",
        "signed form",
    ];
    small.hub.run(&grant).ends_with(0);
    run(&small);
    run(&small);
    let made = small
        .mailchimp
        .with(|mailchimp| mailchimp.snapshot().members.contains_key(old));
    assert!(made);
    small
        .mailchimp
        .with(|mailchimp| mailchimp.change_address(old, new));
    run(&small);
    let shown = consent(&small, new);
    assert!(!shown.contains(&format!("for {new}: granted")), "{shown}");
}

fn name_of(length: usize) -> String {
    "b".repeat(length)
}

/// With the audience of buyers under another name.
fn with_name(name: &str) -> Small {
    let small = Small::new();
    small.edit("name = \"buyers\"", &format!("name = \"{name}\""));
    small.edit(
        "audiences = [\"buyers\"]",
        &format!("audiences = [\"{name}\"]"),
    );
    small
}

// F21
#[test]
fn an_audience_whose_name_is_too_long_for_a_tag_is_named_by_check() {
    let small = with_name(&name_of(101));
    for command in [["check"], ["run"]] {
        let ran = small.hub.run(&command).ends_with(2);
        assert!(ran.stderr.contains("OF0210"), "{ran:#?}");
        assert!(ran.stderr.contains("at most 100"), "{ran:#?}");
    }
    assert!(small.writes().is_empty());
    run(&with_name(&name_of(100)));
}

#[test]
fn a_name_that_only_the_vendor_knows_to_be_too_long_is_one_problem_of_the_audience() {
    let small = with_name(&name_of(40));
    small.mailchimp.with(|mailchimp| mailchimp.longest_tag = 30);
    let ran = small.hub.run(&["--json", "run"]).ends_with(1).json();
    let sent = &ran["destinations"][0];
    assert_eq!(
        (&sent["rejected"], &sent["upserted"]),
        (&json!(0), &json!(3)),
        "{ran:#}"
    );
    let problems = ran["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{ran:#}");
    let message = problems[0]["message"].as_str().unwrap();
    assert!(message.contains("between 1 and 30 characters"), "{message}");
    let letters = small.hub.json(&["dead-letters", "list"]);
    assert_eq!(letters, json!([]));
}

/// A list of many members, of whom several hundred changed in one second.
fn long_list(small: &Small) -> usize {
    let now_ms = now_ms(small) - 3_600_000;
    small.mailchimp.with(|mailchimp| {
        for number in 0..120_i64 {
            let at_ms = now_ms + (number / 50) * 1_000;
            mailchimp.seed_member(Member {
                email: format!("reader{number}@mail.example"),
                status: Status::Subscribed,
                merge_fields: BTreeMap::new(),
                language: String::new(),
                vip: false,
                signed_up_ms: at_ms,
                last_changed_ms: at_ms,
                unsubscribe_reason: None,
            });
        }
        mailchimp.members.len()
    })
}

#[test]
fn pages_that_are_longer_or_shorter_than_asked_lose_and_repeat_nobody() {
    for (pages, size) in [
        (Pages::AtMost(7), 1_000),
        (Pages::AtMost(1), 20),
        (Pages::Longer(5), 10),
        (Pages::Longer(1_000), 40),
    ] {
        let small = Small::new();
        small.edit(
            "streams = [\"members\"]",
            &format!("streams = [\"members\"]\nconfig.page_size = {size}"),
        );
        let members = long_list(&small);
        small.mailchimp.with(|mailchimp| mailchimp.pages = pages);
        let ran = small.hub.run(&["--json", "run"]).ends_with(0);
        let known = small.people().as_u64().unwrap() as usize;
        // Mia is the only one who is not in the list.
        assert_eq!(known, members + 1, "{pages:?}: {ran:#?}");
        // Nobody is taken for somebody who was deleted.
        small.hub.run(&["run"]).ends_with(0);
        assert_eq!(small.people(), json!(known), "{pages:?}");
        small
            .mailchimp
            .with(|mailchimp| mailchimp.delete_for_good("reader7@mail.example"));
        small.hub.run(&["run"]).ends_with(0);
        assert_eq!(small.people(), json!(known - 1), "{pages:?}");
    }
}
