//! An audience of accounts from its people's orders to a destination, and back when their time is over.

use super::transcripts;
use crate::small::{JANUARY_MS, Small, set};
use std::collections::BTreeSet;

const DAY_MS: i64 = 86_400_000;

const AUDIENCES: &str = r#"
[[audience]]
name = "lively"
description = "Makers of software of whom two have ordered in ten days"
of = "account"
who.all = [
  { trait = "industry", is = "SOFTWARE" },
  { people = { event = "Order Completed", within = "10d" }, count = { at_least = 2 } },
]

[[audience]]
name = "leads_there"
who.all = [{ audience = "lively" }, { trait = "lifecycle_stage", is = "lead" }]
"#;

/// Ada and Jan work for Engines, Mia for Looms.
fn employed() -> Small {
    let small = Small::new();
    small.edit("streams = [\"contacts\"]\n", "\n[[source.stream]]\nname = \"contacts\"\nmap.account_id = \"properties.company\"\n\n[[source.stream]]\nname = \"companies\"\n");
    small.edit(
        "audiences = [\"buyers\"]",
        "audiences = [\"buyers\", \"lively\"]",
    );
    small.hub.write("audiences.toml", AUDIENCES);
    small.hubspot.with(|hubspot| {
        for (id, name) in [(501, "Engines"), (502, "Looms")] {
            let values = [("name", name), ("industry", "SOFTWARE")];
            hubspot.companies.seed(id, JANUARY_MS, JANUARY_MS, &values);
        }
        for (id, email, stage, company) in [
            (11, "Ada@Poczta.example", "customer", "501"),
            (12, "jan@poczta.example", "lead", "501"),
            (13, "mia@mail.example", "lead", "502"),
        ] {
            let values = [
                ("email", email),
                ("lifecyclestage", stage),
                ("company", company),
            ];
            hubspot.contacts.seed(id, JANUARY_MS, JANUARY_MS, &values);
        }
    });
    small
}

fn tagged(small: &Small) -> BTreeSet<String> {
    small
        .mailchimp
        .with(|mailchimp| mailchimp.segment_members("lively"))
}

mod snapshots {
    use super::*;

    #[test]
    fn an_account_brings_its_people_who_agreed() {
        let small = employed();
        small.hub.stand_at(JANUARY_MS + 4 * DAY_MS);
        let explain = |of| ["audience", "explain", "lively", of];
        let mut text = transcripts(
            &small.hub,
            &[
                &["run"],
                &["audience", "list"],
                &explain("501"),
                &explain("502"),
                &[
                    "audience",
                    "explain",
                    "leads_there",
                    "email:jan@poczta.example",
                ],
                &["audience", "preview", "lively"],
                &["account", "show", "501", "--why"],
            ],
        );
        // Jan does not want to hear of us.
        assert_eq!(tagged(&small), set(["ada@poczta.example"]));

        // Jan's last order was on the second day.
        small.hub.stand_at(JANUARY_MS + 12 * DAY_MS - 1);
        small.hub.run(&["run"]).ends_with(0);
        assert_eq!(tagged(&small), set(["ada@poczta.example"]));
        small.hub.stand_at(JANUARY_MS + 12 * DAY_MS);
        text += "\n";
        text += &transcripts(
            &small.hub,
            &[
                &["run"],
                &["audience", "list"],
                &explain("501"),
                &["audience", "history", "lively"],
                &["audience", "history", "leads_there"],
            ],
        );
        assert_eq!(tagged(&small), set([]));
        insta::assert_snapshot!("accounts", text);
    }
}
