//! N10: whatever is edited, `plan` says what `run` then does.

use crate::hub::{Hub, Ran};
use crate::small::{JANUARY_MS, MANIFEST, Small};
use onefold_tests::vendors::mailchimp::{Member, Status};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What can be edited: a place of the manifest, and the texts that can be there.
const DIALS: [(&str, &[&str]); 8] = [
    (
        "consent = [\"marketing_email\"]\nperson",
        &[
            "consent = [\"marketing_email\"]\nperson",
            "consent = []\nperson",
            "consent = [\"offers_email\"]\nperson",
            "consent = [\"marketing_email\", \"nobody_said\"]\nperson",
        ],
    ),
    (
        "person = { match = \"email\", map = { FNAME = \"first_name\", LNAME = \"last_name\" } }",
        &[
            "person = { match = \"email\", map = { FNAME = \"first_name\", LNAME = \"last_name\" } }",
            "person = { match = \"email\", map = { FNAME = \"first_name\" } }",
            "person = { match = \"email\", map = { FNAME = \"first_name\" }, only = [\"buyers\"] }",
            "person = { match = \"email\", map = { FNAME = \"full\", LNAME = \"last_name\" } }",
        ],
    ),
    (
        "\naudiences = [\"buyers\"]",
        &[
            "\naudiences = [\"buyers\"]",
            "\naudiences = [\"buyers\", \"poles\"]",
            "\naudiences = [\"poles\"]",
            "\naudiences = []",
        ],
    ),
    (
        "count = { at_least = 2 }",
        &[
            "count = { at_least = 2 }",
            "count = { at_least = 3 }",
            "count = { at_least = 200 }",
        ],
    ),
    (
        "max_removed = \"100%\"",
        &["max_removed = \"100%\"", "max_removed = \"10%\""],
    ),
    (
        "# consent of contacts",
        &["# consent of contacts", CONTACTS_AGREE, CONTACTS_REFUSE],
    ),
    (
        "derive = \"first_name ~ ' ' ~ last_name\"",
        &[
            "derive = \"first_name ~ ' ' ~ last_name\"",
            "derive = \"last_name ~ '!'\"",
            "derive = \"lifecycle_stage\"",
        ],
    ),
    ("is = \"PL\"", &["is = \"PL\"", "in = [\"PL\", \"US\"]"]),
];

const CONTACTS_AGREE: &str = "consent.offers_email = \"'granted'\"";
const CONTACTS_REFUSE: &str =
    "consent.offers_email = \"'denied' if properties.lifecyclestage == 'lead' else 'granted'\"";

const MORE: &str = r#"
[[purpose]]
name = "offers_email"

[[purpose]]
name = "nobody_said"

[[audience]]
name = "poles"
who = { trait = "country", is = "PL" }

[[trait]]
name = "full"
derive = "first_name ~ ' ' ~ last_name"
"#;

/// A hub whose manifest is at some setting of every dial.
struct Edited {
    small: Small,
    text: String,
    at: [usize; DIALS.len()],
}

impl Edited {
    fn new() -> Self {
        let small = Small::new();
        // Whom the tool would refuse: no plan can know that.
        small.mailchimp.with(|mailchimp| {
            mailchimp.seed_member(Member {
                email: "jan@poczta.example".to_owned(),
                status: Status::Subscribed,
                merge_fields: BTreeMap::new(),
                language: "pl".to_owned(),
                vip: false,
                signed_up_ms: JANUARY_MS,
                last_changed_ms: JANUARY_MS,
                unsubscribe_reason: None,
            });
        });
        let path = small.hub.path().join("hub.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let stream = "streams = [\"contacts\"]\n\n[[source]]\nname = \"payments\"";
        assert!(text.contains(stream) && MANIFEST.contains("streams = [\"contacts\"]"));
        let own = "\n[[source.stream]]\nname = \"contacts\"\n# consent of contacts\n\n[[source]]\nname = \"payments\"";
        let text = text.replace(stream, own) + MORE;
        let edited = Self {
            small,
            text,
            at: [0; DIALS.len()],
        };
        edited.write();
        edited
    }

    fn write(&self) {
        let mut text = self.text.clone();
        for ((from, choices), at) in DIALS.iter().zip(self.at) {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text = text.replacen(from, choices[at], 1);
        }
        self.small.hub.write("hub.toml", &text);
    }

    fn turn(&mut self, dial: usize, to: usize) {
        let dial = dial % DIALS.len();
        self.at[dial] = to % DIALS[dial].1.len();
        self.write();
    }

    /// Runs until nothing happens any more, so that an edit is all that the next run has to do.
    fn settle(&self) {
        for _ in 0..6 {
            let ran = done(&self.small.hub, "run");
            let moved = ran["streams"].as_array().unwrap().iter().any(|stream| {
                let counts = ["added", "changed", "deleted"];
                counts.iter().any(|count| stream[count] != 0)
            });
            let sent = told(&ran)
                .values()
                .any(|counts| counts["sent"] != json!([0, {}, {}]));
            if !moved && (!sent || is_guarded(&ran)) {
                return;
            }
        }
        panic!("the hub does not come to rest");
    }
}

fn done(hub: &Hub, command: &str) -> Value {
    let ran: Ran = hub.run(&["--json", command]);
    assert!(matches!(ran.code, Some(0 | 1 | 3)), "{ran:#?}");
    ran.json()
}

fn is_guarded(report: &Value) -> bool {
    let destinations = report["destinations"].as_array().unwrap();
    destinations.iter().any(|one| one["guarded"] == true)
}

/// What is said of each destination.
fn told(report: &Value) -> BTreeMap<String, Value> {
    let destinations = report["destinations"].as_array().unwrap().iter();
    let told = destinations.map(|one| {
        let sent = match one["guarded"] == true {
            true => json!("nothing"),
            false => json!([one["upserted"], one["added"], one["removed"]]),
        };
        let name = one["destination"].as_str().unwrap().to_owned();
        (
            name,
            json!({ "guarded": one["guarded"], "withheld": one["withheld"], "sent": sent }),
        )
    });
    told.collect()
}

fn plan_and_run_agree(edits: &[(usize, usize)]) {
    let mut edited = Edited::new();
    edited.settle();
    for (at, (dial, to)) in edits.iter().enumerate() {
        edited.turn(*dial, *to);
        let planned = done(&edited.small.hub, "plan");
        let ran = done(&edited.small.hub, "run");
        let refused = &ran["destinations"][0]["rejected"];
        assert_eq!(
            *refused, 0,
            "a plan cannot know what the vendor refuses, edit {at} of {edits:?}: {ran:#}"
        );
        assert_eq!(
            told(&planned),
            told(&ran),
            "after edit {at} of {edits:?}: planned on the left, done on the right"
        );
        edited.settle();
    }
}

#[test]
fn n10_a_purpose_that_nobody_stated_is_planned_as_it_is_run() {
    plan_and_run_agree(&[(0, 3), (0, 0), (0, 2), (5, 1), (5, 2), (0, 1)]);
}

// What the list says of names is written over by what is made of them.
#[test]
fn n10_a_trait_that_is_written_where_it_is_read_comes_to_rest() {
    plan_and_run_agree(&[(1, 3), (6, 1), (1, 0), (6, 2), (1, 3), (6, 0)]);
}

mod properties {
    use super::plan_and_run_agree;
    use proptest::prelude::*;

    fn sequences() -> u32 {
        onefold_tests::need::asked("ONEFOLD_EDITS", 2)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: sequences(), max_shrink_iters: 30, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn n10_a_plan_is_what_a_run_does_after_every_edit(edits in proptest::collection::vec((0..8_usize, 0..4_usize), 1..6)) {
            plan_and_run_agree(&edits);
        }
    }
}
