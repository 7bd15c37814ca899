//! What happens in a HubSpot account: contacts are merged, there are hundreds of properties, and people have deals and talk to
//! somebody. Lists are in a file of their own.

mod lists;

use crate::small::{JANUARY_MS, Small, set};
use onefold_tests::vendors::hubspot::{HubSpot, Owner};
use onefold_tests::vendors::time::Clock;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DAY_MS: i64 = 86_400_000;
const JAN: &str = "jan@poczta.example";
const HOME: &str = "jan@dom.example";
const ALL: &str = "streams = [\"contacts\", \"companies\", \"deals\", \"calls\", \"emails\", \"meetings\", \"notes\", \"tasks\"]";

impl Small {
    fn profile(&self, email: &str) -> Value {
        self.hub
            .json(&["profile", "show", &format!("email:{email}")])
    }

    fn emails_of(&self, email: &str) -> BTreeSet<String> {
        let profile = self.profile(email);
        let identifiers = profile["identifiers"].as_array().unwrap().iter();
        let emails = identifiers.filter(|one| one["kind"] == "email");
        emails
            .map(|one| one["value"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What a run, or a full one, did with a stream of the CRM.
    fn read(&self, arguments: &[&str], stream: &str) -> Value {
        let report = self.hub.json(arguments);
        assert_eq!(report["problems"], json!([]), "{report:#}");
        let mut streams = report["streams"].as_array().unwrap().iter();
        streams.find(|one| one["stream"] == stream).unwrap().clone()
    }
}

/// Jan has two contacts. Nothing but his name says that they are one person.
fn twice() -> Small {
    let small = Small::new();
    small.hubspot.with(|hubspot| {
        let values = [("email", HOME), ("firstname", "Jan"), ("lastname", "Nowak")];
        let at_ms = JANUARY_MS + 14 * 60_000;
        hubspot.contacts.seed(14, at_ms, at_ms, &values);
    });
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.people(), 6);
    small
}

// F7
#[test]
fn contacts_that_are_merged_are_one_person_at_the_next_run() {
    for keeps_the_primary in [false, true] {
        let small = twice();
        let winner = small.hubspot.with(|hubspot| {
            hubspot.merges_keep_the_primary = keeps_the_primary;
            hubspot.merge("contacts", 12, 14, JANUARY_MS + DAY_MS)
        });
        assert_eq!(winner, if keeps_the_primary { 12 } else { 15 });
        let contacts = small.read(&["run"], "contacts");
        assert_eq!(contacts["deleted"], if keeps_the_primary { 1 } else { 2 });
        assert_eq!(small.people(), 5);
        assert_eq!(small.emails_of(HOME), set([JAN, HOME]));
        assert_eq!(small.profile(HOME)["traits"]["email"], JAN);
        // Neither the next run nor a full one forgets it.
        for arguments in [&["run"][..], &["run", "--full"]] {
            let contacts = small.read(arguments, "contacts");
            assert_eq!(contacts["deleted"], 0, "{arguments:?}");
            assert_eq!(small.emails_of(JAN), set([JAN, HOME]), "{arguments:?}");
            assert_eq!(small.people(), 5, "{arguments:?}");
        }
    }
}

#[test]
fn contacts_that_are_merged_again_stay_one_person() {
    let small = twice();
    small.hubspot.with(|hubspot| {
        let first = hubspot.merge("contacts", 12, 14, JANUARY_MS + DAY_MS);
        let values = [("email", "jan@klub.example"), ("firstname", "Jan")];
        let at_ms = JANUARY_MS + DAY_MS;
        hubspot.contacts.seed(90, at_ms, at_ms, &values);
        hubspot.merge("contacts", 90, first, JANUARY_MS + DAY_MS + 1_000);
    });
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(small.people(), 5);
    assert_eq!(small.emails_of(JAN), set([JAN, HOME, "jan@klub.example"]));
    assert_eq!(small.profile(JAN)["traits"]["email"], "jan@klub.example");
}

#[test]
fn what_belongs_to_contacts_that_are_merged_goes_with_them() {
    let small = Small::new();
    small.edit("streams = [\"contacts\"]", ALL);
    small.hubspot.with(|hubspot| {
        let values = [("email", HOME), ("firstname", "Jan"), ("lastname", "Nowak")];
        hubspot.contacts.seed(14, JANUARY_MS, JANUARY_MS, &values);
        for id in 1..=30 {
            let values = [("hs_timestamp", "2025-01-16T09:00:00Z")];
            hubspot
                .of("calls")
                .seed(id, JANUARY_MS, JANUARY_MS, &values);
            hubspot.associate(("calls", id), ("contacts", 14), JANUARY_MS);
        }
    });
    small.hub.run(&["run"]).ends_with(0);
    // Two orders, and thirty calls with somebody else.
    assert_eq!(small.profile(JAN)["events"], 2);
    assert_eq!(small.profile(HOME)["events"], 30);
    let at_ms = JANUARY_MS + DAY_MS;
    small
        .hubspot
        .with(|hubspot| hubspot.merge("contacts", 12, 14, at_ms));
    // HubSpot changes no call, so that only the merge tells of it.
    assert_eq!(small.read(&["run"], "calls")["changed"], 30);
    assert_eq!(small.profile(HOME)["events"], 32);
    assert_eq!(small.people(), 5);
    // The index may have been late, so it is looked at again until it has to be complete.
    let now_ms = Clock::System.now_ms();
    for hours in [2, 4, 6] {
        small.hub.stand_at(now_ms + hours * 3_600_000);
        small.hubspot.forget_requests();
        assert_eq!(small.read(&["run"], "calls")["changed"], 0);
    }
    let asked = small.hubspot.requests().into_iter();
    let asked = asked.filter(|request| request.target.contains("calls/batch/read"));
    assert_eq!(asked.count(), 0, "what is known is not read again");
}

#[test]
fn companies_that_are_merged_are_one_account_at_the_next_run() {
    let small = Small::new();
    small.edit(
        "streams = [\"contacts\"]",
        "streams = [\"contacts\", \"companies\"]",
    );
    small.hubspot.with(|hubspot| {
        for (id, name) in [(501, "Engines"), (502, "Engines Ltd")] {
            hubspot
                .companies
                .seed(id, JANUARY_MS, JANUARY_MS, &[("name", name)]);
            hubspot.associate(("contacts", 11), ("companies", id), JANUARY_MS + 1);
        }
        hubspot.associate(("contacts", 13), ("companies", 502), JANUARY_MS + 1);
    });
    small.hub.run(&["run"]).ends_with(0);
    // All of a contact's companies are its accounts, the primary one first.
    assert_eq!(
        small.profile("ada@poczta.example")["accounts"],
        json!(["501", "502"])
    );
    assert_eq!(
        small.profile("mia@mail.example")["accounts"],
        json!(["502"])
    );
    small.hubspot.with(|hubspot| {
        let at_ms = JANUARY_MS + DAY_MS;
        let winner = hubspot.merge("companies", 501, 502, at_ms);
        assert_eq!(winner, 503);
        for id in [11, 13] {
            hubspot.refresh(("contacts", id), at_ms);
        }
    });
    let companies = small.read(&["run"], "companies");
    assert_eq!(
        (&companies["added"], &companies["deleted"]),
        (&json!(1), &json!(2))
    );
    for (email, _) in [("ada@poczta.example", 1), ("mia@mail.example", 2)] {
        assert_eq!(small.profile(email)["accounts"], json!(["503"]), "{email}");
    }
    assert_eq!(
        small.hub.json(&["account", "show", "503"])["traits"]["name"],
        "Engines"
    );
    small.hub.run(&["account", "show", "502"]).ends_with(2);
}

fn many(hubspot: &mut HubSpot) -> Vec<String> {
    let names: Vec<String> = (0..600).map(|n| format!("our_own_{n:03}")).collect();
    for name in &names {
        let name: &'static str = name.clone().leak();
        hubspot.contacts.define(name);
        hubspot.companies.define(name);
    }
    names
}

// F14
#[test]
fn six_hundred_properties_are_read_of_contacts_and_companies() {
    let small = Small::new();
    let names = small.hubspot.with(|hubspot| {
        let names = many(hubspot);
        let at_ms = JANUARY_MS + 60_000;
        hubspot.contacts.edit(11, &[("our_own_599", "tea")], at_ms);
        let values = [("name", "Engines"), ("our_own_000", "steam")];
        hubspot.companies.seed(501, JANUARY_MS, JANUARY_MS, &values);
        names
    });
    let stream = "[[source.stream]]\nname = \"contacts\"\nmap.drink = \"properties.our_own_599\"\n\
                  [[source.stream]]\nname = \"companies\"\nmap.power = \"properties.our_own_000\"\n";
    let config = format!("config.properties = {}\n{stream}", json!(names));
    small.edit("streams = [\"contacts\"]", &config);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(
        small.profile("ada@poczta.example")["traits"]["drink"],
        "tea"
    );
    assert_eq!(
        small.hub.json(&["account", "show", "501"])["traits"]["power"],
        "steam"
    );
    small.hubspot.with(|hubspot| {
        let at_ms = JANUARY_MS + DAY_MS;
        hubspot.contacts.edit(12, &[("our_own_599", "milk")], at_ms);
    });
    assert_eq!(small.read(&["run"], "contacts")["changed"], 1);
    assert_eq!(small.profile(JAN)["traits"]["drink"], "milk");
}

#[test]
fn properties_are_named_for_one_stream() {
    let small = Small::new();
    let names = small.hubspot.with(many);
    let config = format!(
        "streams = [\"contacts\", \"companies\"]\nconfig.stream_properties.contacts = {}",
        json!(names)
    );
    small.edit("streams = [\"contacts\"]", &config);
    small.hub.run(&["run"]).ends_with(0);
    let asked = small.hubspot.requests().into_iter();
    let asked = asked.filter(|request| request.target.contains("/batch/read"));
    let asked: BTreeSet<String> = asked.map(|request| request.target).collect();
    assert_eq!(asked, set(["/crm/v3/objects/contacts/batch/read"]));
    // A slip is said before anything is called.
    small.edit("stream_properties.contacts", "stream_properties.contact");
    let ran = small.hub.run(&["check"]).ends_with(2);
    assert!(ran.stderr.contains("contact"), "{ran:#?}");
}

const HAPPENED: (&str, &str) = ("hs_timestamp", "2025-01-16T09:00:00Z");

type Values = &'static [(&'static str, &'static str)];

fn busy(hubspot: &mut HubSpot) {
    let at_ms = JANUARY_MS;
    hubspot
        .companies
        .seed(501, at_ms, at_ms, &[("name", "Engines")]);
    for (id, stage, amount, currency) in [
        (1, "closedwon", "1500.50", ""),
        (2, "closedlost", "900", "EUR"),
        (3, "qualifiedtobuy", "", ""),
        (4, "closedwon", "12.345", "EUR"),
    ] {
        let values = [
            ("dealname", "Looms"),
            ("dealstage", stage),
            ("pipeline", "default"),
            ("amount", amount),
            ("deal_currency_code", currency),
            ("closedate", "2025-01-20T00:00:00Z"),
            ("hubspot_owner_id", "77"),
        ];
        hubspot.of("deals").seed(id, at_ms, at_ms, &values);
        hubspot.associate(("deals", id), ("contacts", 11), at_ms);
        hubspot.associate(("deals", id), ("companies", 501), at_ms);
    }
    hubspot.associate(("deals", 1), ("contacts", 12), at_ms);
    let activities: [(&str, u64, Values); 9] = [
        (
            "calls",
            1,
            &[
                HAPPENED,
                ("hs_call_status", "COMPLETED"),
                ("hs_call_duration", "61000"),
            ],
        ),
        ("calls", 2, &[HAPPENED, ("hs_call_status", "NO_ANSWER")]),
        (
            "emails",
            1,
            &[
                HAPPENED,
                ("hs_email_direction", "INCOMING_EMAIL"),
                ("hs_email_subject", "Looms?"),
            ],
        ),
        (
            "emails",
            2,
            &[
                HAPPENED,
                ("hs_email_direction", "EMAIL"),
                ("hs_email_status", "BOUNCED"),
            ],
        ),
        (
            "meetings",
            1,
            &[HAPPENED, ("hs_meeting_outcome", "COMPLETED")],
        ),
        (
            "meetings",
            2,
            &[HAPPENED, ("hs_meeting_outcome", "NO_SHOW")],
        ),
        ("notes", 1, &[HAPPENED, ("hs_note_body", "Likes tea")]),
        (
            "tasks",
            1,
            &[
                HAPPENED,
                ("hs_task_status", "COMPLETED"),
                ("hs_task_completion_date", "2025-01-17T09:00:00Z"),
            ],
        ),
        ("tasks", 2, &[HAPPENED, ("hs_task_status", "NOT_STARTED")]),
    ];
    for (kind, id, values) in activities {
        hubspot.of(kind).seed(id, at_ms, at_ms, values);
        hubspot.associate((kind, id), ("contacts", 11), at_ms);
    }
}

/// An audience for each event, and who is in it.
const EVENTS: [(&str, &str); 12] = [
    (
        "won",
        "{ event = \"Deal Won\", sum = { of = \"total\", at_least = 150050 }, where = { currency = \"PLN\" } }",
    ),
    (
        "lost",
        "{ event = \"Deal Lost\", where = { total = 90000, currency = \"EUR\", stage = \"closedlost\" } }",
    ),
    (
        "open",
        "{ event = \"Deal Opened\", where = { owner_id = \"77\" } }",
    ),
    (
        "called",
        "{ event = \"Call Completed\", where = { duration_ms = 61000 } }",
    ),
    ("tried", "{ event = \"Call Not Completed\" }"),
    (
        "wrote",
        "{ event = \"Sales Email Received\", where = { subject = \"Looms?\" } }",
    ),
    ("bounced", "{ event = \"Sales Email Not Delivered\" }"),
    ("met", "{ event = \"Meeting Held\" }"),
    ("missed", "{ event = \"Meeting Missed\" }"),
    ("noted", "{ event = \"Note Added\" }"),
    (
        "done",
        "{ event = \"Task Completed\", between = [\"2025-01-17\", \"2025-01-18\"] }",
    ),
    ("to_do", "{ event = \"Task Created\" }"),
];

// F25
#[test]
fn deals_and_activities_are_events_of_their_contact_and_account() {
    let small = Small::new();
    small.hubspot.with(busy);
    small.edit("streams = [\"contacts\"]", ALL);
    let audiences =
        EVENTS.map(|(name, who)| format!("[[audience]]\nname = \"{name}\"\nwho = {who}\n"));
    small.hub.write("audiences.toml", &audiences.concat());
    // One record is set aside, see below.
    small.hub.run(&["run"]).ends_with(1);
    for (name, who) in EVENTS {
        let preview = small.hub.json(&["audience", "show", name]);
        let members = &preview["size"];
        assert_eq!(members, 1, "{name} {who}: {preview:#}");
    }
    let ada = small.profile("ada@poczta.example");
    assert_eq!(ada["accounts"], json!(["501"]));
    // An amount with more digits than its currency has is a dead letter of its deal.
    let letters = small.hub.json(&["dead-letters", "list"]);
    let letters: Vec<&Value> = letters.as_array().unwrap().iter().collect();
    assert_eq!(letters.len(), 1, "{letters:#?}");
    assert_eq!(
        (&letters[0]["stream"], &letters[0]["key"]),
        (&json!("deals"), &json!("4"))
    );
    // What somebody wrote or said is not asked for.
    let asked = small.hubspot.requests();
    assert!(asked.iter().all(|request| !request.target.contains("body")));
    // A deal moves on, and another is deleted.
    small.hubspot.with(|hubspot| {
        let at_ms = JANUARY_MS + DAY_MS;
        hubspot
            .of("deals")
            .edit(3, &[("dealstage", "closedwon"), ("amount", "10")], at_ms);
        hubspot.of("deals").archive(2, at_ms);
    });
    let deals = small.read(&["run"], "deals");
    assert_eq!(
        (&deals["changed"], &deals["deleted"]),
        (&json!(1), &json!(1))
    );
    for (name, count) in [("won", 1), ("lost", 0), ("open", 0)] {
        let members = small.hub.json(&["audience", "show", name]);
        assert_eq!(members["size"], count, "{name}");
    }
}

#[test]
fn owners_and_custom_objects_are_read_where_a_manifest_names_them() {
    let small = Small::new();
    small.hubspot.with(|hubspot| {
        for (id, archived) in [(77, false), (78, false), (79, true)] {
            hubspot.owners.push(Owner {
                id,
                email: "ola@acme.example",
                first_name: "Ola",
                last_name: "Nowak",
                created_ms: JANUARY_MS,
                updated_ms: JANUARY_MS,
                archived,
            });
        }
        hubspot.define("2-100", &["model", "hs_merged_object_ids"]);
        hubspot.define("2-200", &["breed", "hs_merged_object_ids"]);
        hubspot
            .of("2-100")
            .seed(1, JANUARY_MS, JANUARY_MS, &[("model", "T")]);
        hubspot
            .of("2-200")
            .seed(1, JANUARY_MS, JANUARY_MS, &[("breed", "cat")]);
        hubspot.associate(("2-100", 1), ("contacts", 11), JANUARY_MS);
        hubspot.associate(("2-200", 1), ("contacts", 13), JANUARY_MS);
    });
    let config = r#"
config.custom_objects = [
  { type = "2-100", properties = ["model"], associations = ["contacts"] },
  { type = "2-200", properties = ["breed"], associations = ["contacts"] },
]
[[source.stream]]
name = "contacts"
[[source.stream]]
name = "owners"
to = "account"
key = "'owner ' ~ id"
map.name = "firstName"
[[source.stream]]
name = "custom_objects"
to = "event"
key = "objectType ~ ' ' ~ id"
event = "Thing Owned"
map.time = "createdAt"
map.external_id = "associations.contacts[0]"
map.model = "properties.model"
map.breed = "properties.breed"
"#;
    small.edit("streams = [\"contacts\"]\n", config);
    small.hub.write(
        "audiences.toml",
        "[[audience]]\nname = \"drivers\"\nwho = { event = \"Thing Owned\", where = { model = \"T\" } }\n\
         [[audience]]\nname = \"keepers\"\nwho = { event = \"Thing Owned\", where = { breed = \"cat\" } }\n",
    );
    assert_eq!(small.read(&["run"], "owners")["added"], 2);
    for name in ["drivers", "keepers"] {
        let members = small.hub.json(&["audience", "show", name]);
        assert_eq!(members["size"], 1, "{name}");
    }
    small.hubspot.with(|hubspot| {
        hubspot.owners[1].archived = true;
        hubspot.of("2-200").archive(1, JANUARY_MS + DAY_MS);
    });
    assert_eq!(small.read(&["run"], "owners")["deleted"], 1);
    let members = |name: &str| small.hub.json(&["audience", "show", name])["size"].clone();
    assert_eq!(
        (members("drivers"), members("keepers")),
        (json!(1), json!(0))
    );
}
