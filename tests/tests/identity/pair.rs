//! Three people, made by hand, of whom two may be taken for one. All times are in January 2025, and Mailchimp's clock
//! stands there, so that what a member looks like does not depend on when the hub wrote it.
//!
//! Ada buys and lives in Poland; Anna has neither a last name nor a country and never bought; Mia is just there. All agreed.

use crate::hub::Hub;
use crate::small::JANUARY_MS;
use onefold_tests::vendors::hubspot::HubSpot;
use onefold_tests::vendors::mailchimp::{Mailchimp, Member, Snapshot, Status};
use onefold_tests::vendors::stripe::{Paid, Stripe};
use onefold_tests::vendors::time::Clock;
use onefold_tests::vendors::{Running, start};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const ADA: &str = "email:ada@poczta.example";
pub const ANNA: &str = "email:anna@poczta.example";
pub const MIA: &str = "email:mia@mail.example";
const DAY_S: i64 = 86_400;

const MANIFEST: &str = r#"
[hub]
name = "pair"
store = "sqlite:pair.db"
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
# What the hub wrote there is no news: only who agreed is read.
[[source.stream]]
name = "members"
to = "person"
key = "id"
updated_at = "last_changed | timestamp"
map.email = "email_address | email"
map.first_name = "none"
map.last_name = "none"
consent.marketing_email = "'granted' if status == 'subscribed' else 'withdrawn'"

[[audience]]
name = "buyers"
who = { event = "Order Completed", count = { at_least = 2 } }

[[audience]]
name = "poles"
who = { trait = "country", is = "PL" }

[[audience]]
name = "quiet"
who = { not = { event = "Order Completed", within = "30d" } }

[[destination]]
name = "newsletter-out"
connector = "mailchimp"
credential.key = "env:MAILCHIMP_KEY"
config.base_url = "http://MAILCHIMP"
config.list_id = "a1b2c3d4e5"
grant.addresses = ["MAILCHIMP"]
consent = ["marketing_email"]
person = { match = "email", map = { FNAME = "first_name", LNAME = "last_name", COUNTRY = "country" } }
audiences = ["buyers", "poles", "quiet"]
guard = { max_removed = "100%" }
"#;

pub struct Pair {
    pub hub: Hub,
    pub hubspot: Running<HubSpot>,
    pub stripe: Running<Stripe>,
    pub mailchimp: Running<Mailchimp>,
}

/// What a member's status, merge fields and tags are, by address. A merge field that is empty is one that is not set.
pub type Tool = BTreeMap<String, (Status, BTreeMap<String, Value>, Vec<String>)>;

impl Pair {
    /// Anna's contact with the phone number given.
    pub fn new(phone_of_anna: &str) -> Pair {
        let anywhere = ([127, 0, 0, 1], 0).into();
        let pair = Pair {
            hub: Hub::new(),
            hubspot: start(contacts(phone_of_anna), anywhere).unwrap(),
            stripe: start(customers(), anywhere).unwrap(),
            mailchimp: start(members(), anywhere).unwrap(),
        };
        pair.hub.write("hub.toml", &pair.manifest());
        pair
    }

    /// The manifest with the vendors' addresses in it.
    pub fn manifest(&self) -> String {
        MANIFEST
            .replace("HUBSPOT\"", &format!("{}\"", self.hubspot.address))
            .replace("STRIPE\"", &format!("{}\"", self.stripe.address))
            .replace("MAILCHIMP\"", &format!("{}\"", self.mailchimp.address))
    }

    /// A customer who has Anna's address and Ada's phone number.
    pub fn add_go_between(&self, created_s: i64) {
        self.stripe.with(|stripe| {
            let fields = json!({"email": "anna@poczta.example", "phone": "+48600100001", "name": "A. Lovelace"});
            stripe.seed_customer("cus_between", created_s, &fields);
        });
    }

    /// Reads, delivers, and reads what was delivered.
    #[track_caller]
    pub fn push(&self) {
        self.hub.run(&["run"]).ends_with(0);
        self.hub.run(&["run"]).ends_with(0);
    }

    #[track_caller]
    pub fn separate(&self) {
        let reason = ["--reason", "sisters with one phone", "--by", "ola"];
        let separate = [&["identity", "separate", ADA, ANNA][..], &reason].concat();
        self.hub.run(&separate).ends_with(0);
    }

    #[track_caller]
    pub fn revoke(&self, number: &str) {
        let revoke = [
            "identity",
            "revoke",
            number,
            "--reason",
            "one person after all",
        ];
        self.hub.run(&revoke).ends_with(0);
    }

    #[track_caller]
    pub fn is_one_person(&self, left: &str, right: &str) -> bool {
        let explained = self.hub.json(&["identity", "explain", left, right]);
        explained["one_person"].as_bool().unwrap()
    }

    pub fn tool(&self) -> Tool {
        let Snapshot { members, segments } = self.mailchimp.with(|mailchimp| mailchimp.snapshot());
        let tags = |email: &str| {
            let held = segments.iter().filter(|(_, emails)| emails.contains(email));
            held.map(|(name, _)| name.clone()).collect()
        };
        let shown = |(email, (status, mut fields)): (String, (Status, BTreeMap<String, Value>))| {
            fields.retain(|_, value| *value != json!(""));
            let tags = tags(&email);
            (email, (status, fields, tags))
        };
        members.into_iter().map(shown).collect()
    }
}

fn contacts(phone_of_anna: &str) -> HubSpot {
    let mut hubspot = HubSpot::default();
    let ada = [
        ("email", "ada@poczta.example"),
        ("phone", "+48 600 100 001"),
        ("firstname", "Ada"),
        ("lastname", "Lovelace"),
        ("country", "PL"),
    ];
    let anna = [
        ("email", "anna@poczta.example"),
        ("phone", phone_of_anna),
        ("firstname", "A."),
    ];
    let mia = [("email", "mia@mail.example"), ("firstname", "Mia")];
    for (id, values) in [(11, &ada[..]), (12, &anna[..]), (13, &mia[..])] {
        let at_ms = JANUARY_MS + id as i64 * 60_000;
        hubspot.contacts.seed(id, at_ms, at_ms, values);
    }
    hubspot
}

fn customers() -> Stripe {
    let mut stripe = Stripe::default();
    let at_s = JANUARY_MS / 1_000;
    stripe.seed_customer(
        "cus_ada",
        at_s,
        &json!({"email": "ada@poczta.example", "name": "Ada L."}),
    );
    for day in 1..=3 {
        let at_s = at_s + day * DAY_S;
        let charge = format!("ch_ada{day}");
        stripe.seed_charge(
            &charge,
            "cus_ada",
            1_999 + day,
            "pln",
            at_s,
            Paid::Succeeded,
        );
    }
    stripe
}

fn members() -> Mailchimp {
    let mut mailchimp = Mailchimp {
        clock: Clock::Fixed(JANUARY_MS),
        ..Mailchimp::default()
    };
    for email in [
        "ada@poczta.example",
        "anna@poczta.example",
        "mia@mail.example",
    ] {
        mailchimp.seed_member(Member {
            email: email.to_owned(),
            status: Status::Subscribed,
            merge_fields: BTreeMap::new(),
            language: "pl".to_owned(),
            vip: false,
            signed_up_ms: JANUARY_MS,
            last_changed_ms: JANUARY_MS,
            unsubscribe_reason: None,
        });
    }
    mailchimp
}
