//! A journey from its entry to its end, as the newsletter sees it: a person in a stage has its tag, and at the millisecond
//! at which a wait is over the tags change.

use super::transcripts;
use crate::small::{JANUARY_MS, Small, set};
use std::collections::BTreeSet;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

const JOURNEY: &str = r#"
[[journey]]
name = "welcome"
description = "From the first order to the third"
entry = { event = "Order Completed", within = "10d" }
exit = { event = "Order Completed", count = { at_least = 3 } }
stage = [
  { name = "hello" },
  { name = "offer", after = "3d", when = { trait = "name", exists = true } },
  { name = "last_call", after = "2d" },
]
"#;

fn tags(small: &Small) -> [BTreeSet<String>; 3] {
    ["hello", "offer", "last_call"].map(|stage| {
        let tag = format!("welcome/{stage}");
        small
            .mailchimp
            .with(|mailchimp| mailchimp.segment_members(&tag))
    })
}

mod snapshots {
    use super::*;

    #[test]
    fn stages_follow_one_another_at_a_destination() {
        let small = Small::new();
        small.edit(
            "audiences = [\"buyers\"]",
            "audiences = [\"welcome/hello\", \"welcome/offer\", \"welcome/last_call\"]",
        );
        small.hub.write("journey.toml", JOURNEY);
        let zofia = || set(["zofia@poczta.example"]);
        let nobody = BTreeSet::new;
        // Ada has ordered three times, Jan does not want to hear of us, and Zofia's second order was two days ago.
        let began = JANUARY_MS + 4 * DAY_MS;
        small.hub.stand_at(began);
        let looks = [
            &["audience", "list"][..],
            &[
                "audience",
                "explain",
                "welcome/offer",
                "email:zofia@poczta.example",
            ],
        ];
        let mut text = transcripts(&small.hub, &[&["run"], looks[0], looks[1]]);
        assert_eq!(tags(&small), [zofia(), nobody(), nobody()]);

        // A moment before the three days are over, and at their end.
        small.hub.stand_at(began + 3 * DAY_MS - 1);
        small.hub.run(&["run"]).ends_with(0);
        assert_eq!(tags(&small), [zofia(), nobody(), nobody()]);
        small.hub.stand_at(began + 3 * DAY_MS);
        text += "\n";
        text += &transcripts(&small.hub, &[&["run"], looks[0], looks[1]]);
        assert_eq!(tags(&small), [nobody(), zofia(), nobody()]);

        small.hub.stand_at(began + 5 * DAY_MS);
        small.hub.run(&["run"]).ends_with(0);
        assert_eq!(tags(&small), [nobody(), nobody(), zofia()]);

        // The last order of Zofia was on the second day; ten days later she is in no stage.
        small.hub.stand_at(JANUARY_MS + 12 * DAY_MS - 1);
        small.hub.run(&["run"]).ends_with(0);
        assert_eq!(tags(&small), [nobody(), nobody(), zofia()]);
        small.hub.stand_at(JANUARY_MS + 12 * DAY_MS);
        text += "\n";
        text += &transcripts(
            &small.hub,
            &[
                &["run"],
                looks[0],
                &["audience", "history", "welcome/hello"],
                &["audience", "history", "welcome/offer"],
                &["audience", "history", "welcome/last_call"],
            ],
        );
        assert_eq!(tags(&small), [nobody(), nobody(), nobody()]);
        insta::assert_snapshot!("journey", text);
    }
}
