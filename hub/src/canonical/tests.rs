//! Records and what they mean.

use super::*;
use crate::model::EntityKind;
use serde_json::json;

fn stream(to: StreamTarget, map: &[(&str, &str)]) -> Stream {
    let compile = |text: &str| Expression::parse(text).expect(text);
    Stream {
        name: "things".into(),
        is_of_person: to == StreamTarget::Person,
        is_sent_to: false,
        namespace: None,
        to,
        key: compile("id"),
        updated_at: Some(compile("updated")),
        created_at: Some(compile("created | timestamp")),
        map: map
            .iter()
            .map(|(name, text)| ((*name).to_owned(), compile(text)))
            .collect(),
        consent: vec![ConsentRule::new(
            "marketing",
            None,
            compile("status"),
            Some(compile("agreed")),
        )],
        region: Some("PL".to_owned()),
        digest: String::new(),
    }
}

/// The record, and `code field` of each problem.
fn mapped(stream: &Stream, record: &Value) -> (Option<Canonical>, Vec<String>) {
    let record = Record::from(record.clone());
    let key = key_of(stream, "crm", &record).expect("a key");
    let mapped = map(stream, "crm", &key, &record);
    let problems = mapped.problems.iter().map(|problem| match &problem.place {
        Place::Record { field, .. } => {
            format!("{} {}", problem.code.id, field.as_deref().unwrap_or("-"))
        }
        _ => panic!("{problem:?} has no record"),
    });
    (mapped.canonical, problems.collect())
}

fn identifiers(canonical: &Canonical) -> Vec<String> {
    let texts = canonical
        .identifiers
        .iter()
        .map(|identifier| format!("{}:{}", identifier.kind, identifier.value));
    texts.collect()
}

// N5
#[test]
fn an_answer_is_an_event_and_about_its_person() {
    let map = [
        ("email", "mail | email"),
        ("score", "score"),
        ("person.first_name", "first"),
        ("person.city", "city"),
    ];
    let answered = || stream(StreamTarget::Event(Some("Survey Answered".into())), &map);
    let (event, mut both) = (answered(), answered());
    both.is_of_person = true;
    let record = json!({ "id": "a1", "mail": "Ada@Example.com", "score": 9, "first": "Ada", "city": "", "created": 1_772_442_840 });
    let (aside, _) = mapped(&event, &record);
    let (said, problems) = mapped(&both, &record);
    let (aside, said) = (aside.expect("mapped"), said.expect("mapped"));
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(identifiers(&said), ["email:ada@example.com"]);
    assert_eq!((aside.is_aside(), said.is_aside()), (true, false));
    assert_eq!(json!(aside.traits), json!({ "first_name": "Ada" }));
    // The address that identifies describes, too, as that of a person's record does; what is empty clears nothing.
    let traits = json!({ "first_name": "Ada", "email": "ada@example.com" });
    assert_eq!(json!(said.traits), traits);
    assert_eq!(said.fact, aside.fact);
    let mut blank = record;
    blank["mail"] = json!("");
    let (blank, _) = mapped(&both, &blank);
    assert_eq!(
        json!(blank.expect("mapped").traits),
        json!({ "first_name": "Ada" })
    );
}

#[test]
fn a_person_has_traits_and_is_known_by_key_email_and_phone() {
    let stream = stream(
        StreamTarget::Person,
        &[
            ("email", "email"),
            ("phone", "phone | phone"),
            ("user_id", "uid"),
            ("first_name", "first"),
            ("last_name", "last"),
            ("age", "age"),
            ("birthday", "born"),
            ("country", "country"),
            ("favourite", "favourite"),
            ("title", "missing"),
        ],
    );
    let record = json!({
        "id": 1042, "email": " Ada@Example.com", "phone": "600 123 456", "uid": "u1", "first": "Ada", "last": "",
        "age": "36", "born": "1815-12-10T00:00:00Z", "country": "Poland", "favourite": {"colour": "blue"},
        "created": 1_772_442_840, "updated": "2026-03-02T09:14:00Z", "status": "granted", "agreed": "2020-01-01T00:00:00Z",
    });
    let (canonical, problems) = mapped(&stream, &record);
    let canonical = canonical.expect("mapped");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(
        identifiers(&canonical),
        [
            "external:crm:1042",
            "email:ada@example.com",
            "phone:+48600123456",
            "user_id:u1",
        ]
    );
    assert_eq!(
        json!(canonical.traits),
        json!({
            "email": "ada@example.com", "phone": "+48600123456", "first_name": "Ada", "last_name": null, "age": 36,
            "birthday": "1815-12-10", "country": "PL", "favourite": {"colour": "blue"},
        })
    );
    assert_eq!(canonical.created_at, Some(Timestamp(1_772_442_840_000)));
    assert_eq!(canonical.updated_at, Some(Timestamp(1_772_442_840_000)));
    assert_eq!(
        canonical.consents,
        [(
            "marketing".into(),
            Consent {
                status: ConsentStatus::Granted,
                at: Some(Timestamp(1_577_836_800_000)),
                channel: None
            }
        )]
    );
    assert_eq!(canonical.fact, None);
}

#[test]
fn what_identifies_nobody_is_left_out_with_a_warning_that_does_not_quote_it() {
    let stream = stream(
        StreamTarget::Person,
        &[
            ("email", "email | email"),
            ("phone", "phone"),
            ("user_id", "uid"),
            ("age", "age"),
            ("device_id", "device"),
        ],
    );
    let record = json!({
        "id": "k", "email": "secret at example", "phone": "secret", "uid": "null", "age": "secret", "device": ["secret"],
        "status": "secret", "updated": "secret",
    });
    let (canonical, problems) = mapped(&stream, &record);
    let canonical = canonical.expect("mapped");
    assert_eq!(identifiers(&canonical), ["external:crm:k"]);
    assert_eq!(canonical.traits, Fields::new());
    assert_eq!(
        problems,
        [
            "OF0505 updated_at",
            "OF0505 email",
            "OF0505 phone",
            "OF0505 user_id",
            "OF0506 age",
            "OF0505 device_id",
            "OF0508 consent.marketing",
        ]
    );
    let outcome = map(&stream, "crm", "k", &record.into());
    assert!(
        outcome
            .problems
            .iter()
            .all(|problem| problem.severity == crate::problem::Severity::Warning)
    );
    assert!(!format!("{:?}", outcome.problems).contains("secret"));
}

#[test]
fn a_blank_or_null_address_clears_the_trait() {
    let stream = stream(
        StreamTarget::Person,
        &[("email", "email | email"), ("phone", "phone")],
    );
    for record in [
        json!({"id": 1, "email": "", "phone": " "}),
        json!({"id": 1, "email": null, "phone": null}),
    ] {
        let (canonical, problems) = mapped(&stream, &record);
        let canonical = canonical.expect("mapped");
        assert_eq!(
            (identifiers(&canonical), problems),
            (vec!["external:crm:1".to_owned()], vec![])
        );
        assert_eq!(
            json!(canonical.traits),
            json!({"email": null, "phone": null})
        );
    }
}

#[test]
fn a_mapped_external_id_takes_the_place_of_the_key() {
    let stream = stream(
        StreamTarget::Person,
        &[("external_id", "customer"), ("external:shop", "shop")],
    );
    let record = json!({"id": 1, "customer": "c9", "shop": 7});
    let (canonical, _) = mapped(&stream, &record);
    assert_eq!(
        identifiers(&canonical.expect("mapped")),
        ["external:crm:c9", "external:shop:7"]
    );
}

#[test]
fn an_event_has_a_name_a_time_and_properties_without_its_identifiers() {
    let map = [
        ("event", "'Order Completed' if paid else 'Payment Failed'"),
        ("time", "at | timestamp"),
        ("external_id", "customer"),
        ("email", "email | email"),
        ("total", "amount | minor_units(currency)"),
        ("currency", "currency"),
        ("order_id", "id"),
    ];
    let stream = stream(StreamTarget::Event(None), &map);
    let record = json!({
        "id": "ch_1", "paid": true, "at": 1_772_442_840, "customer": "cus_9", "email": null, "amount": 1250, "currency": "eur",
    });
    let (canonical, problems) = mapped(&stream, &record);
    let canonical = canonical.expect("mapped");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(identifiers(&canonical), ["external:crm:cus_9"]);
    assert_eq!(canonical.traits, Fields::new());
    let properties = [
        ("currency", json!("EUR")),
        ("order_id", json!("ch_1")),
        ("total", json!(1250)),
    ];
    assert_eq!(
        canonical.fact,
        Some(Fact::Event {
            name: "Order Completed".to_owned(),
            time: Timestamp(1_772_442_840_000),
            properties: properties
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    );
}

#[test]
fn an_event_before_1973_keeps_its_time() {
    let stream = stream(StreamTarget::Event(Some("Born".to_owned())), &[]);
    let (canonical, _) = mapped(&stream, &json!({"id": 1, "created": "1970-01-02"}));
    let Some(Fact::Event { time, .. }) = canonical.expect("mapped").fact else {
        panic!("no event")
    };
    assert_eq!(time, Timestamp(86_400_000));
}

#[test]
fn an_account_keeps_its_own_address_and_identifies_nobody_by_it() {
    let stream = stream(
        StreamTarget::Entity(EntityKind::Account),
        &[
            ("email", "email | email"),
            ("name", "name"),
            ("user_id", "owner"),
        ],
    );
    let (canonical, _) = mapped(
        &stream,
        &json!({"id": 1, "email": "Office@example.com", "name": 7, "owner": "u1"}),
    );
    let canonical = canonical.expect("mapped");
    assert_eq!(identifiers(&canonical), ["user_id:u1"]);
    let fields = [("email", json!("office@example.com")), ("name", json!("7"))];
    assert_eq!(
        canonical.fact,
        Some(Fact::Entity {
            kind: EntityKind::Account,
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    );
}

#[test]
fn a_record_that_cannot_be_mapped_is_set_aside_with_its_reason() {
    let event = |map: &[(&str, &str)]| stream(StreamTarget::Event(None), map);
    let time = ("time", "at");
    for (stream, record, reason) in [
        (
            event(&[("event", "missing"), time]),
            json!({"id": 1, "at": 5}),
            "OF0503 event",
        ),
        (
            event(&[("event", "' '"), time]),
            json!({"id": 1, "at": 5}),
            "OF0503 event",
        ),
        (
            event(&[("event", "'E'"), time]),
            json!({"id": 1}),
            "OF0504 time",
        ),
        (
            event(&[("event", "'E'"), ("total", "amount"), time]),
            json!({"id": 1, "at": 5, "amount": 1.5}),
            "OF0507 total",
        ),
        (
            event(&[("event", "'E'"), ("total", "amount"), time]),
            json!({"id": 1, "at": 5, "amount": ""}),
            "OF0507 total",
        ),
        (
            event(&[("total", "amount | minor_units(currency)")]),
            json!({"id": 1, "amount": "5"}),
            "OF0502 total",
        ),
        (
            event(&[("x", "at + 'secret'")]),
            json!({"id": 1, "at": 5}),
            "OF0502 x",
        ),
    ] {
        let (canonical, problems) = mapped(&stream, &record);
        assert_eq!(
            (canonical, problems),
            (None, vec![reason.to_owned()]),
            "{record}"
        );
    }
    let person = stream(StreamTarget::Person, &[]);
    let outcome = map(&person, "crm", "1", &json!([1]).into());
    assert_eq!(
        (outcome.canonical, outcome.problems[0].code.id),
        (None, "OF0509")
    );
}

#[test]
fn a_key_is_a_text_or_a_number_and_its_absence_is_a_problem() {
    let stream = stream(StreamTarget::Person, &[]);
    assert_eq!(
        key_of(&stream, "crm", &json!({"id": "a b"}).into()),
        Ok("a b".to_owned())
    );
    assert_eq!(
        key_of(&stream, "crm", &json!({"id": 1042}).into()),
        Ok("1042".to_owned())
    );
    for record in [
        json!({}),
        json!({"id": null}),
        json!({"id": ""}),
        json!({"id": [1]}),
        json!(7),
    ] {
        assert_eq!(
            key_of(&stream, "crm", &record.clone().into())
                .expect_err("no key")
                .code
                .id,
            "OF0501",
            "{record}"
        );
    }
}
