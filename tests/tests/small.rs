//! Five people, made by hand, known to three vendors: enough for each way that something can go, and small enough
//! to be read. All times are in 2025, so that what happens in a test can be told from what was there before.
//!
//! Ada is known everywhere and agreed; Zofia buys and agreed; Jan buys and has unsubscribed; Mia is only a contact;
//! Oliver is only a subscriber. Ada, Zofia and Jan have ordered twice or more.

use crate::hub::Hub;
use onefold_tests::vendors::hubspot::HubSpot;
use onefold_tests::vendors::mailchimp::{Mailchimp, Member, Status, Write};
use onefold_tests::vendors::stripe::{Paid, Stripe};
use onefold_tests::vendors::{Running, start};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// 2025-01-15 12:00 UTC
pub const JANUARY_MS: i64 = 1_736_942_400_000;
const DAY_S: i64 = 86_400;

pub const MANIFEST: &str = r#"
[hub]
name = "small"
store = "sqlite:small.db"
default_region = "PL"

[[source]]
name = "crm"
connector = "hubspot"
credential.token = "env:HUBSPOT_TOKEN"
config.base_url = "http://HUBSPOT"
grant.addresses = ["HUBSPOT"]
streams = ["contacts"]

[[source]]
name = "payments"
connector = "stripe"
credential.key = "env:STRIPE_KEY"
config.base_url = "http://STRIPE"
grant.addresses = ["STRIPE"]
streams = ["customers", "charges"]

[[source]]
name = "newsletter"
connector = "mailchimp"
credential.key = "env:MAILCHIMP_KEY"
config.base_url = "http://MAILCHIMP"
config.list_id = "a1b2c3d4e5"
grant.addresses = ["MAILCHIMP"]
streams = ["members"]

[[audience]]
name = "buyers"
description = "Ordered at least twice"
who = { event = "Order Completed", count = { at_least = 2 } }

[[destination]]
name = "newsletter-out"
connector = "mailchimp"
credential.key = "env:MAILCHIMP_KEY"
config.base_url = "http://MAILCHIMP"
config.list_id = "a1b2c3d4e5"
grant.addresses = ["MAILCHIMP"]
consent = ["marketing_email"]
person = { match = "email", map = { FNAME = "first_name", LNAME = "last_name" } }
audiences = ["buyers"]
guard = { empty_source = "stop", max_removed = "MAX_REMOVED" }
"#;

pub struct Small {
    pub hub: Hub,
    pub hubspot: Running<HubSpot>,
    pub stripe: Running<Stripe>,
    pub mailchimp: Running<Mailchimp>,
}

impl Small {
    pub fn new() -> Small {
        Small::guarded("100%")
    }

    /// The same with a limit on how many members one run may remove.
    pub fn guarded(max_removed: &str) -> Small {
        let small = Small {
            hub: Hub::new(),
            hubspot: start(contacts(), ([127, 0, 0, 1], 0).into()).unwrap(),
            stripe: start(customers(), ([127, 0, 0, 1], 0).into()).unwrap(),
            mailchimp: start(members(), ([127, 0, 0, 1], 0).into()).unwrap(),
        };
        let manifest = MANIFEST
            .replace("HUBSPOT\"", &format!("{}\"", small.hubspot.address))
            .replace("STRIPE\"", &format!("{}\"", small.stripe.address))
            .replace("MAILCHIMP\"", &format!("{}\"", small.mailchimp.address))
            .replace("MAX_REMOVED", max_removed);
        small.hub.write("hub.toml", &manifest);
        small
    }

    /// Replaces a text of the manifest that is there once.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.hub.path().join("hub.toml");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}");
        self.hub.write("hub.toml", &text.replace(from, to));
    }

    pub fn people(&self) -> Value {
        self.hub.json(&["status"])["people"].clone()
    }

    /// Who holds the tag at Mailchimp.
    pub fn tagged(&self) -> BTreeSet<String> {
        self.mailchimp
            .with(|mailchimp| mailchimp.segment_members("buyers"))
    }

    pub fn writes(&self) -> Vec<Write> {
        self.mailchimp.with(|mailchimp| mailchimp.writes.clone())
    }

    /// How many requests the three vendors have seen.
    pub fn requests(&self) -> usize {
        self.hubspot.requests().len()
            + self.stripe.requests().len()
            + self.mailchimp.requests().len()
    }
}

pub fn set<const N: usize>(emails: [&str; N]) -> BTreeSet<String> {
    emails.map(str::to_owned).into()
}

fn contacts() -> HubSpot {
    let mut hubspot = HubSpot::default();
    let rows = [
        (
            11,
            "Ada@Poczta.example",
            "+48 600 100 001",
            "Ada",
            "Lovelace",
            "PL",
            "customer",
        ),
        (
            12,
            "jan@poczta.example",
            "600 100 002",
            "Jan",
            "Nowak",
            "PL",
            "lead",
        ),
        (13, "mia@mail.example", "", "Mia", "Smith", "US", "lead"),
    ];
    for (id, email, phone, first, last, country, stage) in rows {
        let values = [
            ("email", email),
            ("phone", phone),
            ("firstname", first),
            ("lastname", last),
            ("country", country),
            ("lifecyclestage", stage),
        ];
        let at_ms = JANUARY_MS + id as i64 * 60_000;
        hubspot.contacts.seed(id, at_ms, at_ms, &values);
    }
    hubspot
}

fn customers() -> Stripe {
    let mut stripe = Stripe::default();
    let at_s = JANUARY_MS / 1_000;
    let rows = [
        ("cus_ada", "ada@poczta.example", "Ada L.", 3),
        ("cus_jan", "JAN@poczta.example", "Jan Nowak", 2),
        ("cus_zofia", "zofia@poczta.example", "Zofia Kowalska", 2),
    ];
    for (id, email, name, charges) in rows {
        stripe.seed_customer(id, at_s, &json!({"email": email, "name": name}));
        for day in 1..=charges {
            let charge = format!("ch_{}{day}", &id[4..]);
            let at_s = at_s + day * DAY_S;
            stripe.seed_charge(&charge, id, 1_999 + day, "pln", at_s, Paid::Succeeded);
        }
    }
    stripe
}

fn members() -> Mailchimp {
    let mut mailchimp = Mailchimp::default();
    for (email, status, first) in [
        ("ada@poczta.example", Status::Subscribed, "Ada"),
        ("jan@poczta.example", Status::Unsubscribed, "Jan"),
        ("zofia@poczta.example", Status::Subscribed, "Zofia"),
        ("oliver@mail.example", Status::Subscribed, "Oliver"),
    ] {
        mailchimp.seed_member(Member {
            email: email.to_owned(),
            status,
            merge_fields: BTreeMap::from([("FNAME".to_owned(), json!(first))]),
            language: "pl".to_owned(),
            vip: false,
            signed_up_ms: JANUARY_MS,
            last_changed_ms: JANUARY_MS,
            unsubscribe_reason: None,
        });
    }
    mailchimp
}
