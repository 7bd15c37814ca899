//! Golden pairs `NAME.toml` and `NAME.err`, and that no text makes the loader panic or point outside its file.

use super::*;
use crate::expression::{Comparison, Condition, Measure, Test, Window};
use crate::model::{CredentialSpec, Inject, RateSpec, StreamMapping, StreamSpec, TargetSpec};
use crate::problem::{Look, render};
use serde_json::json;

fn credential(title: &str) -> CredentialSpec {
    CredentialSpec {
        hosts: Vec::new(),
        title: title.to_owned(),
        required: true,
        inject: Inject::Bearer,
    }
}

fn mapping(to: &str, created_at: &str, map: &[(&str, &str)]) -> StreamMapping {
    StreamMapping {
        to: vec![to.to_owned()],
        key: "id".to_owned(),
        created_at: Some(created_at.to_owned()),
        map: map
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        ..StreamMapping::default()
    }
}

const SEARCHES: RateSpec = RateSpec {
    requests: 5,
    per_ms: 1_000,
};

fn hubspot() -> Description {
    Description {
        name: "hubspot".to_owned(),
        title: "HubSpot".to_owned(),
        credentials: [("token".to_owned(), credential("private app token"))].into(),
        rates: [("search".to_owned(), SEARCHES)].into(),
        config_schema: json!({"type": "object", "properties": {
            "page_size": {"type": "integer", "minimum": 1, "maximum": 100},
            "base_url": {"type": "string"},
        }}),
        streams: vec![
            StreamSpec {
                name: "contacts".to_owned(),
                schema: json!({"type": "object", "properties": {
                    "id": {"type": "string"}, "createdAt": {"type": "string"}, "updatedAt": {"type": "string"},
                    "properties": {"type": "object", "additionalProperties": true, "properties": {
                        "email": {}, "phone": {}, "firstname": {}, "lastname": {}, "lifecyclestage": {},
                    }},
                }}),
                mapping: Some(mapping(
                    "person",
                    "createdAt | timestamp",
                    &[
                        ("email", "properties.email | email"),
                        ("first_name", "properties.firstname"),
                    ],
                )),
                ..StreamSpec::default()
            },
            StreamSpec {
                name: "deals".to_owned(),
                ..StreamSpec::default()
            },
        ],
        ..Description::default()
    }
}

fn stripe() -> Description {
    Description {
        name: "stripe".to_owned(),
        title: "Stripe".to_owned(),
        credentials: [("key".to_owned(), credential("secret API key"))].into(),
        config_schema: json!({"type": "object", "properties": {"base_url": {"type": "string"}}}),
        streams: vec![StreamSpec {
            name: "charges".to_owned(),
            schema: json!({"type": "object", "properties": {
                "id": {}, "created": {}, "amount": {}, "currency": {}, "customer": {},
            }}),
            mapping: Some(StreamMapping {
                event: Some("Order Completed".to_owned()),
                ..mapping(
                    "event",
                    "created | timestamp",
                    &[
                        ("external_id", "customer"),
                        ("total", "amount | minor_units(currency)"),
                        ("currency", "currency"),
                    ],
                )
            }),
            ..StreamSpec::default()
        }],
        ..Description::default()
    }
}

fn mailchimp() -> Description {
    Description {
        name: "mailchimp".to_owned(),
        title: "Mailchimp".to_owned(),
        credentials: [("key".to_owned(), credential("API key"))].into(),
        config_schema: json!({"type": "object", "required": ["list_id"], "properties": {
            "list_id": {"type": "string", "title": "the list's id"},
            "server": {"type": "string"},
            "status_if_new": {"type": "string", "enum": ["subscribed", "pending"]},
        }}),
        targets: vec![TargetSpec {
            name: "members".to_owned(),
            schema: json!({"type": "object", "properties": {"email": {}, "FNAME": {}, "LNAME": {}}}),
            modes: vec!["upsert".to_owned()],
            keys: vec!["email".to_owned()],
            max_batch: 500,
        }],
        audience_keys: vec!["email".to_owned()],
        audience_name_max: Some(100),
        ..Description::default()
    }
}

fn connectors() -> Connectors {
    let described = [hubspot(), stripe(), mailchimp()];
    Connectors {
        available: described
            .iter()
            .map(|description| description.name.clone())
            .collect(),
        described: described
            .into_iter()
            .map(|description| (description.name.clone(), Arc::new(description)))
            .collect(),
    }
}

/// What loads is valid by the schema as well.
pub(super) fn load_text(text: &str) -> Result<Plan, Vec<Problem>> {
    let loaded = load(&[("hub.toml".to_owned(), text.to_owned())], &connectors());
    if loaded.is_ok() {
        keys::tests::assert_valid(text);
    }
    loaded
}

/// The folder's files as one hub, their problems rendered.
fn report_of(files: &[(String, String)]) -> String {
    let problems = match load(files, &connectors()) {
        Ok(plan) => plan.warnings,
        Err(problems) => problems,
    };
    format!(
        "{}\n{}\n",
        render(&problems, files, Look::Plain),
        crate::problem::summary(&problems)
    )
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "`UPDATE_GOLDEN` rewrites the expected reports"
)]
fn each_bad_manifest_gives_the_report_beside_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manifest/tests");
    let entries = std::fs::read_dir(&folder).expect("the golden files are in the source");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    names.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    names.sort();
    assert!(names.len() > 3, "{names:?}");
    for path in names {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let report = report_of(&[(
            name,
            std::fs::read_to_string(&path).expect("a readable file"),
        )]);
        let golden = path.with_extension("err");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &report).expect("a writable file");
        }
        assert_eq!(
            report,
            std::fs::read_to_string(&golden).unwrap_or_default(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn an_operator_says_to_whom_a_credential_is_sent() {
    let text = "[hub]\nname = \"acme\"\nstore = \"sqlite:acme.db\"\n[[source]]\nname = \"crm\"\nconnector = \"hubspot\"\n\
        credential.token = { from = \"env:HUBSPOT_TOKEN\", hosts = [\"API.example.com\", \"10.0.0.5:443\"] }\n\
        grant = { hosts = [\"api.example.com\"], addresses = [\"10.0.0.5:443\"] }\n";
    let crm = load_text(text).expect("valid").sources.remove(0);
    let token = SecretRef::Env("HUBSPOT_TOKEN".to_owned());
    assert_eq!(crm.credentials, [("token".to_owned(), token)].into());
    let hosts = ["api.example.com", "10.0.0.5:443"]
        .map(str::to_owned)
        .into();
    assert_eq!(
        crm.grants.credential_hosts,
        [("token".to_owned(), hosts)].into()
    );
    let plain = load_text(VALID).expect("valid").sources.remove(0);
    assert_eq!(plain.grants.credential_hosts, BTreeMap::new());
}

pub(super) const VALID: &str = include_str!("tests/valid.toml");

#[test]
fn the_valid_manifest_becomes_the_plan_that_it_describes() {
    let plan = load_text(VALID).expect("valid");
    assert_eq!(
        plan.hub,
        Hub {
            name: "acme".to_owned(),
            store: "sqlite:acme.db".to_owned(),
            default_region: Some("PL".to_owned()),
        }
    );
    assert_eq!(
        plan.identity,
        IdentityRules {
            shared_above: 3,
            limits: vec![("user_id".to_owned(), 1), ("email".to_owned(), 5)],
            blocked: vec!["email:front.desk@example.com".to_owned()],
            ..IdentityRules::default()
        }
    );
    let priority = SurvivorshipRule::SourcePriority(vec!["crm".to_owned(), "payments".to_owned()]);
    assert_eq!(
        plan.survivorship.by_trait,
        [("phone".to_owned(), priority)].into()
    );
    assert_eq!(
        plan.survivorship.with,
        [("last_name".to_owned(), "first_name".to_owned())].into()
    );
    let crm = &plan.sources[0];
    assert_eq!(
        crm.credentials["token"],
        SecretRef::Env("HUBSPOT_TOKEN".to_owned())
    );
    assert_eq!(crm.config, json!({"page_size": 50}));
    assert_eq!(crm.grants.addresses, ["127.0.0.1:8420"]);
    let schedule = crm.schedule.as_ref().expect("a schedule");
    assert_eq!(
        (&schedule.when, schedule.timezone),
        (
            &When::Cron("0 */15 * * * *".to_owned()),
            chrono_tz::Europe::Warsaw
        )
    );
    let contacts = &crm.streams[0];
    let map: Vec<(&str, &str)> = contacts
        .map
        .iter()
        .map(|(name, expression)| (name.as_str(), expression.text()))
        .collect();
    assert_eq!(
        map,
        [
            ("email", "properties.email | email"),
            ("first_name", "properties.firstname"),
            ("lifecycle_stage", "properties.lifecyclestage"),
            ("favourite_colour", "properties.colour"),
        ]
    );
    assert_eq!(contacts.region.as_deref(), Some("PL"));
    let payments = &plan.sources[1];
    assert_eq!(
        payments.credentials["key"],
        SecretRef::File("/run/secrets/stripe".to_owned())
    );
    assert_eq!(
        payments.streams[0].to,
        StreamTarget::Event(Some("Order Completed".to_owned()))
    );
    let newsletter = &plan.destinations[0];
    assert_eq!(
        newsletter.person,
        Some(PersonPush {
            target: "members".to_owned(),
            match_field: "email".to_owned(),
            only: vec![],
            map: vec![
                ("FNAME".to_owned(), "first_name".to_owned()),
                ("LNAME".to_owned(), "last_name".to_owned())
            ],
            mode: "upsert".to_owned(),
        })
    );
    assert_eq!(
        newsletter.guard,
        Guard {
            empty_source_stops: true,
            max_removed: 0.2
        }
    );
}

#[test]
fn audiences_become_the_trees_that_they_spell() {
    let plan = load_text(VALID).expect("valid");
    let orders = |window, measure| Condition::Event {
        name: "Order Completed".to_owned(),
        filter: vec![],
        window,
        measure,
    };
    let count = |at_least| Measure::Count {
        at_least: Some(at_least),
        at_most: None,
    };
    let day = 24 * 60 * 60 * 1_000;
    assert_eq!(
        plan.audiences[0].who,
        Condition::All(vec![
            Condition::Trait {
                name: "country".to_owned(),
                test: Test::Is("PL".into())
            },
            orders(Window::Ever, count(3)),
            Condition::Not(Box::new(orders(Window::Within(30 * day), count(1)))),
        ])
    );
    let january = crate::model::Timestamp(1_767_225_600_000);
    let july = crate::model::Timestamp(1_782_864_000_000);
    assert_eq!(
        plan.audiences[1].who,
        Condition::Any(vec![
            Condition::Event {
                name: "Order Completed".to_owned(),
                filter: vec![
                    ("currency".to_owned(), Test::Is("PLN".into())),
                    ("total".to_owned(), Test::Compare(Comparison::Above, 10.0)),
                ],
                window: Window::Between(january, july),
                measure: Measure::Sum {
                    property: "total".to_owned(),
                    at_least: Some(100_000.0),
                    at_most: None
                },
            },
            Condition::All(vec![
                Condition::audience("lapsed_vip".to_owned()),
                Condition::Consent {
                    purpose: "marketing_email".to_owned()
                },
                Condition::Trait {
                    name: "favourite_colour".to_owned(),
                    test: Test::In(vec!["red".into(), "blue".into()]),
                },
            ]),
        ])
    );
}

/// What the audiences of a hub with these tables look like, as text.
fn composed(tables: &str) -> Vec<(String, String)> {
    let hub = "[hub]\nname = \"acme\"\nstore = \"sqlite:acme.db\"\n";
    let plan =
        load_text(&format!("{hub}{tables}")).unwrap_or_else(|problems| panic!("{problems:?}"));
    plan.audiences
        .iter()
        .map(|audience| (audience.name.to_string(), spelled(&audience.who)))
        .collect()
}

fn spelled(condition: &Condition) -> String {
    let parts = |parts: &[Condition]| parts.iter().map(spelled).collect::<Vec<_>>();
    match condition {
        Condition::All(all) => format!("({})", parts(all).join(" and ")),
        Condition::Any(any) => format!("({})", parts(any).join(" or ")),
        Condition::Not(part) => format!("not {}", spelled(part)),
        Condition::Audience { name, lasting: 0 } => format!("[{name}]"),
        Condition::Audience { name, lasting } => format!("[{name} for {}h]", lasting / 3_600_000),
        Condition::Consent { purpose } => purpose.clone(),
        Condition::Split { name, from, until } => format!("{name} {from}..{until}"),
        Condition::Event { name, .. } => name.clone(),
        other => format!("{other:?}"),
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(name, who)| ((*name).to_owned(), (*who).to_owned()))
        .collect()
}

#[test]
fn priorities_exclusions_and_hold_outs_become_plain_conditions() {
    let audiences = composed(
        r#"
[[purpose]]
name = "a"

[[purpose]]
name = "b"

[[purpose]]
name = "c"

[[purpose]]
name = "d"
[[audience]]
name = "vip"
who = { consent = "a" }
holdout = "10%"
[[audience]]
name = "regular"
who = { consent = "b" }
[[audience]]
name = "staff"
who = { consent = "c" }
[[audience]]
name = "everybody"
who = { consent = "d" }
exclude = false
[exclude]
audiences = ["staff"]
[[priority]]
name = "offers"
audiences = ["vip", "regular"]
"#,
    );
    assert_eq!(
        audiences,
        pairs(&[
            ("vip", "(a and not ([staff]) and not holdout/vip 0..1000)"),
            (
                "vip/holdout",
                "(a and not ([staff]) and holdout/vip 0..1000)"
            ),
            (
                "regular",
                "(b and not ([staff]) and not ([vip] or [vip/holdout]))"
            ),
            ("staff", "c"),
            ("everybody", "d"),
        ])
    );
}

#[test]
fn a_journey_is_a_chain_of_audiences() {
    let audiences = composed(
        r#"
[[purpose]]
name = "no"

[[purpose]]
name = "offers"
[[journey]]
name = "welcome"
entry = { event = "Signed Up" }
exit = { consent = "no" }
[[journey.stage]]
name = "hello"
[[journey.stage]]
name = "offer"
after = "3d"
when = { consent = "offers" }
[[journey.stage]]
name = "last_call"
after = "12h"
"#,
    );
    assert_eq!(
        audiences,
        pairs(&[
            ("welcome/entered", "(Signed Up and not no)"),
            ("welcome/hello/reached", "[welcome/entered]"),
            (
                "welcome/hello",
                "([welcome/hello/reached] and not [welcome/offer/reached])"
            ),
            (
                "welcome/offer/reached",
                "([welcome/hello/reached for 72h] and offers)"
            ),
            (
                "welcome/offer",
                "([welcome/offer/reached] and not [welcome/last_call])"
            ),
            ("welcome/last_call", "[welcome/offer/reached for 12h]"),
        ])
    );
}

#[test]
fn an_event_that_some_stream_may_make_is_only_warned_of() {
    let text = VALID.to_owned()
        + "\n[[audience]]\nname = \"open\"\nwho = { event = \"Charge Captured\" }\n";
    let problems = load_text(&text).expect_err("an unknown event");
    assert_eq!(problems[0].code, &codes::UNKNOWN_EVENT);
    let payments = "[[source]]\nname = \"payments\"";
    let deals = "[[source.stream]]\nname = \"deals\"\nto = \"event\"\nkey = \"id\"\nmap.event = \"kind\"\nmap.email = \"mail\"\n";
    let open = text.replace(payments, &format!("{deals}{payments}"));
    let plan = load_text(&open).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(
        plan.warnings.last().map(|problem| problem.code),
        Some(&codes::UNKNOWN_EVENT)
    );
}

#[test]
fn a_pattern_keeps_the_digest_of_its_audience() {
    let digest = |pattern: &str| {
        let text = format!(
            "{VALID}\n[[audience]]\nname = \"p\"\nwho = {{ trait = \"email\", matches = '{pattern}' }}\n"
        );
        load_text(&text)
            .expect("valid")
            .audiences
            .last()
            .map(|one| one.digest.clone())
    };
    assert_eq!(digest("^a"), digest("^a"));
    assert_ne!(digest("^a"), digest("^b"));
}

#[test]
fn a_stream_has_another_digest_only_when_its_mapping_changed() {
    let digest = |text: &str| {
        load_text(text).expect("valid").sources[0].streams[0]
            .digest
            .clone()
    };
    let first = digest(VALID);
    assert_eq!(
        first,
        digest(&VALID.replace("0 */15 * * * *", "0 0 * * * *"))
    );
    assert_ne!(
        first,
        digest(&VALID.replace("properties.colour", "properties.color"))
    );
    assert_ne!(
        first,
        digest(&VALID.replace("default_region = \"PL\"", "default_region = \"DE\""))
    );
}

#[test]
fn purposes_of_consent_stay_as_they_are_written() {
    let text = VALID.replace(
        "map.favouriteColour",
        "consent.smsDE = \"properties.sms\"\nmap.favouriteColour",
    );
    let plan = load_text(&text).expect("valid");
    assert_eq!(&*plan.sources[0].streams[0].consent[0].purpose, "smsDE");
}

// F21
#[test]
fn a_name_that_is_too_long_for_the_vendor_is_named_before_anything_is_sent() {
    let problems = |length: usize, push: &str| {
        let name = "n".repeat(length);
        let text = format!(
            "[hub]\nname = \"acme\"\nstore = \"sqlite:acme.db\"\n[[audience]]\nname = \"{name}\"\n\
             who = {{ event = \"Order Completed\" }}\n[[destination]]\nname = \"newsletter\"\n\
             connector = \"mailchimp\"\ncredential.key = \"env:KEY\"\nconfig.list_id = \"abc\"\nconsent = []\n"
        );
        let text = text + &push.replace("NAME", &name);
        let found = load_text(&text).err().unwrap_or_default();
        let mut found = found.into_iter();
        let about = found.find(|problem| problem.code.id == codes::CANNOT.id);
        about.map(|problem| problem.message.replace(&name, "NAME"))
    };
    let audiences = "audiences = [\"NAME\"]\n";
    assert_eq!(problems(100, audiences), None);
    assert_eq!(
        problems(101, audiences).as_deref(),
        Some("`NAME` has 101 characters; `mailchimp` takes audiences whose names have at most 100")
    );
    // Nothing of that name is made there.
    let only = "person = { match = \"email\", only = [\"NAME\"] }\n";
    assert_eq!(problems(101, only), None);
}

#[test]
fn the_same_name_in_two_files_names_both_places() {
    let files = [
        ("a.toml".to_owned(), VALID.to_owned()),
        (
            "b.toml".to_owned(),
            "\n[[audience]]\nname = \"lapsed_vip\"\nwho = { consent = \"marketing_email\" }\n"
                .to_owned(),
        ),
    ];
    let problems = load(&files, &connectors()).expect_err("a duplicate");
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].place,
        Place::File {
            file: "b.toml".into(),
            span: 21..33
        }
    );
    assert_eq!(
        problems[0].hint.as_deref(),
        Some("the first one is at a.toml:41:8")
    );
}

#[test]
fn connectors_are_named_before_anything_is_checked() {
    let text = "[[source]]\nconnector = \"crm\"\n[[destination]]\nconnector = \"mail\"\nname = 3\n";
    let names = connector_names(&[("hub.toml".to_owned(), text.to_owned())]);
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["crm", "mail"]);
}

#[test]
fn a_secret_is_in_no_problem_and_no_report() {
    for line in [
        "credential.token = \"pat-eu1-s3cr3t\"",
        "credential.tokn = \"pat-eu1-s3cr3t\"",
        "credential = { token = \"pat-eu1-s3cr3t\", other = 1 }",
        "token = \"pat-eu1-s3cr3t\"",
        "config.api_key = \"pat-eu1-s3cr3t\"",
        "credential.token = \"pat-eu1-s3cr3t",
        "credential.token = 'pat,=}eu1-s3cr3t' x",
        "credential.token = \"env:pat-eu1-s3cr3t\"",
        "credential.token = pat-eu1-s3cr3t",
        "credential.token = false-s3cr3t",
        "credential = \"pat-eu1-s3cr3t\"",
        "credential = [\"pat-eu1-s3cr3t\"]",
        "config.base_url = \"user:pat-eu1-s3cr3t@api.example.com\"",
        "config.base_url = \"ftp://user:pat-eu1-s3cr3t@api.example.com\"",
    ] {
        let text = VALID.replace("credential.token = \"env:HUBSPOT_TOKEN\"", line);
        let files = [("hub.toml".to_owned(), text)];
        let problems = load(&files, &connectors()).expect_err(line);
        let shown = format!("{problems:?}{}", render(&problems, &files, Look::Plain));
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}

mod properties {
    use super::*;

    proptest::proptest! {
        /// Any piece of the text is cut out, doubled or overwritten by another.
        #[test]
        fn no_text_makes_the_loader_panic_or_point_outside_its_file(
            cuts in proptest::collection::vec((0usize..4_000, 0usize..40, 0usize..4_000, "[a-z\"'\\[\\]{}=.,|\n 0-9é🦀-]{0,6}"), 1..5),
        ) {
            let mut text = VALID.to_owned();
            for (start, length, from, insert) in &cuts {
                let cut = tree::clamp(&text, *start % text.len().max(1)..(*start % text.len().max(1)) + length);
                let copied = tree::clamp(&text, *from % text.len().max(1)..(*from % text.len().max(1)) + length);
                let replacement = if insert.is_empty() { text[copied].to_owned() } else { insert.clone() };
                text.replace_range(cut, &replacement);
            }
            let files = [("hub.toml".to_owned(), text.clone())];
            let problems = match load(&files, &connectors()) {
                Ok(plan) => plan.warnings,
                Err(problems) => {
                    proptest::prop_assert!(!problems.is_empty());
                    problems
                }
            };
            for problem in &problems {
                if let Place::File { span, .. } = &problem.place {
                    proptest::prop_assert!(text.get(span.clone()).is_some(), "{problem:?}");
                }
            }
            connector_names(&files);
            render(&problems, &files, Look::Coloured);
        }
    }
}

#[test]
fn identity_rules_are_read_whole() {
    let text = format!(
        "{}\n",
        VALID.replace(
            "shared_above = 3",
            "shared_above = 3\nshared = { phone = 5 }\npriority = [\"user_id\", \"external:crm\", \"email\"]\nstrong = [\"user_id\", \"external\"]\ntrust = { payments = \"late\" }\ncomponent_cap = 50",
        )
    );
    let plan = load_text(&text).expect("valid");
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(plan.identity.shared, [("phone".to_owned(), 5)]);
    assert_eq!(
        plan.identity.priority,
        names(&["user_id", "external:crm", "email"])
    );
    assert_eq!(plan.identity.trust, [("payments".to_owned(), Trust::Late)]);
    assert_eq!(plan.identity.component_cap, 50);
}
