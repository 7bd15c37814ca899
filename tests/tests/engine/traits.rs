//! Computed traits from their definitions to a destination: values, why they are what they are, and what could not be made.

use super::transcripts;
use crate::small::{JANUARY_MS, Small};
use onefold_tests::vendors::mailchimp::subscriber_hash;
use onefold_tests::vendors::stripe::Paid;
use serde_json::Value;

const TRAITS: &str = r#"
[[trait]]
name = "orders"
description = "Orders ever"
count = { event = "Order Completed" }

[[trait]]
name = "spent"
sum = { event = "Order Completed", of = "total", where = { currency = "PLN" } }

[[trait]]
name = "declined"
count = { event = "Payment Failed" }

[[trait]]
name = "orders_a_failure"
description = "Divides by zero for whoever never failed to pay"
derive = "orders / declined"

[[trait]]
name = "tier"
bin = { of = "orders", edges = [1, 3], labels = ["none", "some", "loyal"] }

[[trait]]
name = "recent"
count = { event = "Order Completed", within = "3d" }

[[audience]]
name = "loyal"
who = { trait = "tier", is = "loyal" }
"#;
const DAY_MS: i64 = 86_400_000;

fn orders_of_zofia(small: &Small) -> Option<Value> {
    small.mailchimp.with(|mailchimp| {
        let zofia = &mailchimp.members[&subscriber_hash("zofia@poczta.example")];
        zofia.merge_fields.get("ORDERS").cloned()
    })
}

mod snapshots {
    use super::*;

    #[test]
    fn values_reasons_and_faults_reach_people_and_destinations() {
        let small = Small::new();
        small.edit(
            "FNAME = \"first_name\"",
            "FNAME = \"first_name\", ORDERS = \"orders\"",
        );
        small.hub.write("traits.toml", TRAITS);
        // A day after the second order of each, on the day of Ada's third.
        small.hub.stand_at(JANUARY_MS + 3 * DAY_MS + 3_600_000);
        let ada = "email:ada@poczta.example";
        let mut text = transcripts(
            &small.hub,
            &[
                &["run"],
                &["trait", "list"],
                &["profile", "show", ada, "--why"],
                &["profile", "show", "email:mia@mail.example", "--why"],
                &["audience", "explain", "loyal", ada],
            ],
        );
        assert_eq!(orders_of_zofia(&small), Some(Value::from(2)));

        // A third order for Zofia, and the first two are no longer recent.
        small.stripe.with(|stripe| {
            let at_s = JANUARY_MS / 1_000 + 5 * 86_400;
            stripe.seed_charge(
                "ch_zofia3",
                "cus_zofia",
                2_500,
                "pln",
                at_s,
                Paid::Succeeded,
            );
            stripe.seed_charge("ch_zofia4", "cus_zofia", 2_500, "pln", at_s, Paid::Declined);
        });
        small.hub.stand_at(JANUARY_MS + 6 * DAY_MS);
        let zofia = "email:zofia@poczta.example";
        text += "\n";
        text += &transcripts(
            &small.hub,
            &[
                &["run"],
                &["trait", "list"],
                &["profile", "show", zofia, "--why"],
                &["profile", "show", ada],
            ],
        );
        assert_eq!(orders_of_zofia(&small), Some(Value::from(3)));

        // Without definitions there are no values, no faults, and nothing at the destination.
        small.hub.write("traits.toml", "");
        small.edit(", ORDERS = \"orders\"", "");
        text += "\n";
        text += &transcripts(
            &small.hub,
            &[&["run"], &["trait", "list"], &["profile", "show", zofia]],
        );
        insta::assert_snapshot!("traits", text);
        let cleared = orders_of_zofia(&small);
        assert!(
            cleared.is_none() || cleared == Some(Value::from("")),
            "{cleared:?}"
        );
        let list = small.hub.json(&["trait", "list"]);
        assert_eq!(list, serde_json::json!([]));
    }
}
