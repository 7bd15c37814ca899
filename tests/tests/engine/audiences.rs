//! What is shown of audiences, whole: sequences, splits, hold-outs, priorities and exclusions, at moments of the test's own.

use super::transcripts;
use crate::small::{JANUARY_MS, Small};

const DAY_MS: i64 = 86_400_000;

const AUDIENCES: &str = r#"
[exclude]
audiences = ["staff"]

[[audience]]
name = "staff"
who = { trait = "email", is = "mia@mail.example" }
exclude = false

[[audience]]
name = "in_a_row"
description = "A second order within a day and a half, this week"
who = { sequence = [{ event = "Order Completed" }, { event = "Order Completed", within = "36h" }], within = "7d" }

[[audience]]
name = "half"
who = { split = { name = "spring", from = 0, to = 50 } }

[[audience]]
name = "known"
description = "Everybody with an address, but for the hold-out"
who = { trait = "email", exists = true }
holdout = "40%"

[[audience]]
name = "loyal"
who = { event = "Order Completed", count = { at_least = 3 } }

[[audience]]
name = "regular"
who = { event = "Order Completed", count = { at_least = 2 } }

[[audience]]
name = "steady"
description = "Regular for three days without interruption"
who.any = [{ audience = "regular", for = "3d" }, { all = [{ consent = "marketing_email" }, { not = { event = "Order Completed" } }] }]

[[priority]]
name = "offers"
audiences = ["loyal", "regular"]
"#;

const DRAFT: &str = r#"
[[audience]]
name = "regular"
who.all = [{ event = "Order Completed", count = { at_least = 1 } }, { trait = "country", is = "PL" }]

[[audience]]
name = "abroad"
who = { not = { trait = "country", is = "PL" } }
"#;

mod snapshots {
    use super::*;

    #[test]
    fn previews_histories_and_explanations() {
        let small = Small::new();
        small.hub.write("audiences.toml", AUDIENCES);
        small.hub.write("draft.text", DRAFT);
        let draft = small.hub.path().join("draft.text").display().to_string();
        let (ada, jan, mia) = (
            "email:ada@poczta.example",
            "email:jan@poczta.example",
            "email:mia@mail.example",
        );
        small.hub.stand_at(JANUARY_MS + 4 * DAY_MS);
        let mut text = transcripts(
            &small.hub,
            &[
                &["run", "--no-delivery"],
                &["audience", "list"],
                &["audience", "preview", "known"],
                &["audience", "preview", "known/holdout"],
                &[
                    "audience", "preview", "regular", "--with", "half", "--limit", "1",
                ],
                &["audience", "preview", "regular", "--file", &draft],
                &["audience", "preview", "abroad", "--file", &draft],
                &["audience", "explain", "in_a_row", ada],
                &["audience", "explain", "in_a_row", mia],
                &["audience", "explain", "half", ada],
                &["audience", "explain", "known", jan],
                &["audience", "explain", "known", mia],
                &["audience", "explain", "regular", ada],
                &["audience", "explain", "steady", jan],
            ],
        );
        // Nothing comes in, and a week goes by.
        for days in [7, 8, 12] {
            small.hub.stand_at(JANUARY_MS + days * DAY_MS);
            text += "\n";
            text += &transcripts(&small.hub, &[&["run", "--no-delivery"]]);
        }
        text += "\n";
        text += &transcripts(
            &small.hub,
            &[
                &["audience", "explain", "in_a_row", ada],
                &["audience", "history", "in_a_row"],
                &["audience", "history", "steady", "--days", "6"],
                &["audience", "history", "steady", "--days", "3"],
                &["audience", "history", "known/holdout"],
                &["audience", "preview", "nobody_called_so"],
            ],
        );
        insta::assert_snapshot!("audiences", text);
    }

    #[test]
    fn with_json_previews_histories_and_explanations_are_values() {
        let small = Small::new();
        small.hub.write("audiences.toml", AUDIENCES);
        small.hub.stand_at(JANUARY_MS + 4 * DAY_MS);
        small.hub.run(&["run", "--no-delivery"]).ends_with(0);
        let ada = "email:ada@poczta.example";
        let values: Vec<String> = [
            &["audience", "preview", "regular", "--with", "half"][..],
            &["audience", "history", "in_a_row"],
            &["audience", "explain", "in_a_row", ada],
        ]
        .iter()
        .map(|arguments| serde_json::to_string_pretty(&small.hub.json(arguments)).unwrap())
        .collect();
        insta::assert_snapshot!("audiences-json", values.join("\n"));
    }
}
