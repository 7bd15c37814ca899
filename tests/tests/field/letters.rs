//! What an operator does with a record that does not fit, and with a row that a vendor refuses.

use crate::small::{JANUARY_MS, Small};
use onefold_tests::vendors::mailchimp::subscriber_hash;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;
const EVA: &str = "email:eva@poczta.example";

/// Eva's birthday is written as the CRM's users like it.
fn hub() -> Small {
    let small = Small::new();
    small.edit(
        "streams = [\"contacts\"]",
        "[[source.stream]]\nname = \"contacts\"\nmap.birthday = \"properties.jobtitle\"\n",
    );
    seed(&small, "12.05", JANUARY_MS);
    small
}

fn seed(small: &Small, birthday: &str, at_ms: i64) {
    let values = [
        ("email", "eva@poczta.example"),
        ("firstname", "Eva"),
        ("jobtitle", birthday),
    ];
    small
        .hubspot
        .with(|hubspot| hubspot.contacts.seed(77, JANUARY_MS, at_ms, &values));
}

fn letters(small: &Small) -> Vec<(Value, Value)> {
    let letters = small.hub.json(&["dead-letters", "list", "--all"]);
    let letters = letters.as_array().unwrap().iter();
    letters
        .map(|one| (one["field"].clone(), one["state"].clone()))
        .collect()
}

#[test]
fn a_dead_letter_is_shown_corrected_and_given_up() {
    let small = hub();
    let ran = small.hub.run(&["run"]).ends_with(0);
    assert!(ran.stdout.contains("dead-letters list"), "{ran:#?}");
    assert_eq!(letters(&small), [(json!("birthday"), json!("open"))]);
    let id = small.hub.json(&["dead-letters", "list"])[0]["id"].to_string();

    let shown = small.hub.run(&["dead-letters", "show", &id]).ends_with(0);
    for part in [
        "field        birthday = properties.jobtitle",
        "why          OF0506: ",
        ">     \"jobtitle\": \"12.05\"",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }

    let edit = |set: &str, reason: &str| {
        small.hub.run(&[
            "dead-letters",
            "edit",
            &id,
            "--set",
            set,
            "--reason",
            reason,
            "--by",
            "ola",
        ])
    };
    let wrong = edit("properties.jobtitle=12.06", "typo").ends_with(2);
    assert!(wrong.stderr.contains("OF0514"), "{wrong:#?}");
    edit("properties.jobtitle=1990-05-12", " ").ends_with(2);
    edit("properties.jobtitle=1990-05-12", "she told us").ends_with(0);
    let birthday = || small.hub.json(&["profile", "show", EVA])["traits"]["birthday"].clone();
    assert_eq!(birthday(), "1990-05-12");
    assert_eq!(letters(&small), [(json!("birthday"), json!("corrected"))]);
    // A full read brings the same line again.
    small.hub.run(&["run", "--full"]).ends_with(0);
    assert_eq!(birthday(), "1990-05-12");
    let shown = small.hub.json(&["dead-letters", "show", &id]);
    assert_eq!(shown["decided"]["by"], "ola");
    assert_eq!(shown["received"]["properties"]["jobtitle"], "12.05");
    assert_eq!(shown["now"]["properties"]["jobtitle"], "1990-05-12");

    // The vendor's next version counts, and somebody gives it up.
    seed(&small, "38", JANUARY_MS + DAY_MS);
    small.hub.run(&["run"]).ends_with(0);
    let second = small.hub.json(&["dead-letters", "list"])[0]["id"].to_string();
    small
        .hub
        .run(&["dead-letters", "retry", &second])
        .ends_with(1);
    let third = small.hub.json(&["dead-letters", "list"])[0]["id"].to_string();
    let reason = ["--reason", "nobody knows"];
    let give_up = [&["dead-letters", "give-up", &third][..], &reason].concat();
    small.hub.run(&give_up).ends_with(0);
    assert_eq!(small.hub.json(&["status"])["dead_letters"], 0);
    small.hub.run(&give_up).ends_with(2);
    let given = (json!("birthday"), json!("given_up"));
    assert_eq!(letters(&small)[0], given);
}

#[test]
fn a_rejected_row_is_retried_alone_or_given_up() {
    let small = Small::new();
    small.mailchimp.with(|mailchimp| {
        mailchimp
            .forgotten
            .insert(subscriber_hash("zofia@poczta.example"));
    });
    small.hub.run(&["run"]).ends_with(1);
    let open = || {
        let open = small.hub.json(&["dead-letters", "list"]);
        let open = open.as_array().unwrap();
        assert_eq!((open.len(), &open[0]["kind"]), (1, &json!("delivery")));
        open[0]["id"].to_string()
    };
    let first = open();
    let retry = |id: &str| small.hub.run(&["dead-letters", "retry", id]);
    retry(&first).ends_with(0);
    let reason = ["--reason", "she left"];
    let too_late = [&["dead-letters", "give-up", &first][..], &reason].concat();
    let ran = small.hub.run(&too_late).ends_with(2);
    assert!(ran.stderr.contains("about to be sent again"), "{ran:#?}");
    small.hub.run(&["run"]).ends_with(1);
    let id = open();
    assert_ne!(id, first);
    retry(&first).ends_with(2);
    let shown = small.hub.json(&["dead-letters", "show", &id]);
    assert_eq!(shown["wanted"]["FNAME"], "Zofia", "{shown:#}");
    let edit = ["dead-letters", "edit", &id, "--set", "a=1", "--reason", "x"];
    small.hub.run(&edit).ends_with(2);
    let give_up = [&["dead-letters", "give-up", &id][..], &reason].concat();
    small.hub.run(&give_up).ends_with(0);
    retry(&id).ends_with(2);
    // Nothing sends it again, until something about her changes.
    small.hub.run(&["dead-letters", "retry"]).ends_with(0);
    let before = small.writes().len();
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.writes().len(), before);
}
