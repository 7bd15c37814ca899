//! Money, dates and fields, as the shipped mappings and the filters read them.

use crate::canonical::{self, Mapped};
use crate::host::parse_description;
use crate::manifest::{self, Connectors, Plan};
use crate::model::{Fact, Fields};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const STRIPE: &str = include_str!("../../../../connectors/stripe/manifest.json");

fn plan(text: &str, connectors: &[(&str, &str)]) -> Plan {
    try_plan(text, connectors).unwrap()
}

fn try_plan(text: &str, connectors: &[(&str, &str)]) -> Result<Plan, Vec<Problem>> {
    let described = connectors.iter().map(|(name, text)| {
        let schema = "{\"type\":\"object\"}";
        let description = parse_description(text, schema, vec!["source".to_owned()]);
        ((*name).to_owned(), Arc::new(description.unwrap()))
    });
    let described: BTreeMap<_, _> = described.collect();
    let connectors = Connectors {
        available: described.keys().cloned().collect(),
        described,
    };
    let hub = "[hub]\nname = \"test\"\nstore = \"sqlite:unused.db\"\ndefault_region = \"PL\"\n";
    let files = [("hub.toml".to_owned(), format!("{hub}{text}"))];
    manifest::load(&files, &connectors)
}

fn mapped(plan: &Plan, stream: &str, record: &Value) -> Mapped {
    let source = &plan.sources[0];
    let stream = source
        .streams
        .iter()
        .find(|one| *one.name == *stream)
        .unwrap();
    let key = canonical::key_of(stream, &source.name, &record.clone().into()).unwrap();
    canonical::map(stream, &source.name, &key, &record.clone().into())
}

fn stripe() -> Plan {
    let text =
        "[[source]]\nname = \"payments\"\nconnector = \"stripe\"\ncredential.key = \"env:KEY\"\n";
    plan(text, &[("stripe", STRIPE)])
}

/// The event's name, and its total.
fn event(record: &Value, stream: &str) -> (String, Value) {
    let mapped = mapped(&stripe(), stream, record);
    assert_eq!(mapped.problems, []);
    match mapped.canonical.unwrap().fact {
        Some(Fact::Event {
            name, properties, ..
        }) => (name, properties["total"].clone()),
        other => panic!("{other:?}"),
    }
}

// F11
#[test]
fn what_counts_as_an_order_is_what_was_taken() {
    let charge = |fields: Value| {
        let mut charge = json!({ "id": "ch_1", "created": 1_750_000_000, "amount": 9000, "currency": "eur", "status": "succeeded", "customer": "cus_1" });
        charge
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        event(&charge, "charges")
    };
    for (fields, name, total) in [
        (
            json!({ "captured": true, "amount_captured": 9000, "amount_refunded": 0 }),
            "Order Completed",
            9000,
        ),
        (
            json!({ "captured": false, "amount_captured": 0, "refunded": false }),
            "Payment Authorized",
            9000,
        ),
        (
            json!({ "captured": false, "amount_captured": 0, "refunded": true, "amount_refunded": 9000 }),
            "Payment Released",
            9000,
        ),
        (
            json!({ "captured": true, "amount_captured": 2500, "amount_refunded": 0 }),
            "Order Completed",
            2500,
        ),
        (
            json!({ "captured": true, "amount_captured": 9000, "refunded": true, "amount_refunded": 9000 }),
            "Order Completed",
            9000,
        ),
        (
            json!({ "status": "failed", "captured": false }),
            "Payment Failed",
            9000,
        ),
        (
            json!({ "status": "pending", "captured": false }),
            "Payment Pending",
            9000,
        ),
        // Servers that say nothing of it.
        (json!({}), "Order Completed", 9000),
    ] {
        assert_eq!(
            charge(fields.clone()),
            (name.to_owned(), json!(total)),
            "{fields}"
        );
    }
    let refund = |status: Value| {
        let refund = json!({ "id": "re_1", "created": 1_750_000_000, "amount": 9000, "currency": "eur", "status": status, "charge": "ch_1" });
        event(&refund, "refunds").0
    };
    assert_eq!(refund(json!("succeeded")), "Order Refunded");
    assert_eq!(refund(json!("failed")), "Refund Failed");
    assert_eq!(refund(json!("canceled")), "Refund Failed");
    assert_eq!(refund(json!("pending")), "Refund Pending");
}

// F11
#[test]
fn what_was_released_is_neither_taken_nor_refunded() {
    let of = |fields: Value| {
        let mut charge = json!({ "id": "ch_1", "created": 1_750_000_000, "amount": 9000, "currency": "eur", "status": "succeeded", "captured": true });
        charge
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let canonical = mapped(&stripe(), "charges", &charge).canonical.unwrap();
        let (name, time, properties) = canonical.happened().unwrap();
        (
            name,
            time.0 / 1_000,
            properties["total"].clone(),
            properties["refunded_total"].clone(),
        )
    };
    let order = |time: i64, total: i64, back: i64| {
        (
            "Order Completed".to_owned(),
            time,
            json!(total),
            json!(back),
        )
    };
    let at = 1_750_000_000;
    for (fields, expected) in [
        (
            json!({ "amount_captured": 2500, "amount_refunded": 6500, "onefold": { "captured": at + 900, "returned": 0 } }),
            order(at + 900, 2500, 0),
        ),
        (
            json!({ "amount_captured": 2500, "amount_refunded": 7000, "onefold": { "returned": 500 } }),
            order(at, 2500, 500),
        ),
        (
            json!({ "amount_refunded": 7000, "onefold": { "taken": 2500, "returned": 500 } }),
            order(at, 2500, 500),
        ),
        (
            json!({ "amount_captured": 9000, "amount_refunded": 700 }),
            order(at, 9000, 700),
        ),
        (
            json!({ "amount_captured": null, "amount_refunded": null, "onefold": null }),
            order(at, 9000, 0),
        ),
    ] {
        assert_eq!(of(fields.clone()), expected, "{fields}");
    }
    let refund = json!({ "id": "re_1", "created": at, "amount": 6500, "currency": "eur", "status": "succeeded", "onefold": { "is_release": true } });
    assert_eq!(event(&refund, "refunds").0, "Payment Released");
}

// F6
#[test]
fn a_charge_says_of_a_guest_what_the_form_said_and_of_a_customer_nothing() {
    let billing = json!({ "email": "Ada@Mail.example", "name": "Ada L.", "phone": "601 100 200", "address": { "country": "PL" } });
    let of = |fields: Value| {
        let mut charge = json!({ "id": "ch_1", "created": 1_750_000_000, "amount": 9000, "currency": "eur", "status": "succeeded", "captured": true });
        charge
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let mapped = mapped(&stripe(), "charges", &charge);
        let canonical = mapped.canonical.unwrap();
        let known = canonical
            .identifiers
            .iter()
            .map(|one| format!("{} {}", one.kind, one.value));
        (
            json!(canonical.traits),
            known.collect::<Vec<_>>().join(", "),
            mapped.problems.len(),
        )
    };
    for (fields, traits, known, problems) in [
        (
            json!({ "customer": null, "billing_details": billing }),
            json!({ "email": "ada@mail.example", "name": "Ada L.", "phone": "+48601100200", "country": "PL" }),
            "email ada@mail.example",
            0,
        ),
        (
            json!({ "receipt_email": "receipt@mail.example", "billing_details": { "name": "Ada" } }),
            json!({ "email": "receipt@mail.example", "name": "Ada" }),
            "email receipt@mail.example",
            0,
        ),
        (
            json!({ "customer": "cus_1", "billing_details": billing }),
            json!({}),
            "external:payments cus_1",
            0,
        ),
        (
            json!({ "customer": null, "billing_details": null, "receipt_email": "" }),
            json!({}),
            "",
            0,
        ),
        (
            json!({ "billing_details": { "email": "ada", "name": 7, "address": [] } }),
            json!({ "name": "7" }),
            "",
            2,
        ),
        (json!({ "billing_details": "Ada" }), json!({}), "", 0),
    ] {
        assert_eq!(
            of(fields.clone()),
            (traits, known.to_owned(), problems),
            "{fields}"
        );
    }
}

// F17
#[test]
fn amounts_have_the_scale_of_iso_4217_whatever_the_vendor_does() {
    for (currency, amount, total) in [
        ("ugx", 500_000, 5_000),
        ("isk", 500_000, 5_000),
        ("jpy", 5_000, 5_000),
        ("eur", 5_000, 5_000),
        ("kwd", 5_000, 5_000),
    ] {
        let charge = json!({ "id": "ch_1", "created": 1, "amount": amount, "amount_captured": amount, "captured": true, "currency": currency, "status": "succeeded" });
        assert_eq!(event(&charge, "charges").1, json!(total), "{currency}");
    }
}

const ANY: &str = r#"{ "name": "any", "title": "Any", "version": "1.0.0",
    "streams": [{ "name": "people", "title": "People", "schema": { "type": "object" }, "primary_key": ["id"] }] }"#;

/// The traits that a record has by a mapping, and `code field` of each problem.
fn traits(map: &str, record: &Value) -> (Fields, Vec<String>) {
    let text = format!(
        "[[source]]\nname = \"crm\"\nconnector = \"any\"\n[[source.stream]]\nname = \"people\"\nto = \"person\"\nkey = \"'k'\"\n{map}\n"
    );
    let plan = plan(&text, &[("any", ANY)]);
    let mapped = mapped(&plan, "people", record);
    let problems = mapped.problems.iter();
    let problems = problems.map(|one| format!("{} {}", one.code.id, one.message));
    (mapped.canonical.unwrap().traits, problems.collect())
}

// F12
#[test]
fn a_date_is_a_date_or_a_dead_letter_and_never_a_guess() {
    for text in [
        json!("19880208"),
        json!("1988"),
        json!("32181"),
        json!("12.05"),
        json!("38"),
        json!("88-02-08"),
        json!(19_880_208),
        json!(1988),
        json!(32181),
        json!(12.05),
        json!("1988-2"),
        json!("1988-02-30"),
        json!("08.02.1988"),
        json!("8 Feb"),
        json!(true),
        json!(["1988-02-08"]),
        json!("1988-02-08T"),
        json!("0"),
        json!(0),
        json!("-1"),
        json!("1e3"),
        json!("１９８８"),
        json!("1988-02-08 and more"),
    ] {
        for map in ["map.birthday = \"born\"", "map.born = \"born | date\""] {
            let (traits, problems) = traits(map, &json!({ "born": text }));
            assert_eq!(traits, Fields::new(), "{text}");
            assert_eq!(problems.len(), 1, "{text}");
        }
    }
    for (written, date) in [
        (json!("1988-02-08"), "1988-02-08"),
        (json!(" 1988-02-08 "), "1988-02-08"),
        (json!("1988-02-08T23:30:00+02:00"), "1988-02-08"),
        (json!("1988-02-08T00:00:00Z"), "1988-02-08"),
        (json!(571_276_800_000_i64), "1988-02-08"),
        (json!("571276800000"), "1988-02-08"),
        (json!(571_276_800), "1988-02-08"),
    ] {
        let (traits, problems) = traits("map.birthday = \"born\"", &json!({ "born": written }));
        assert_eq!(
            (traits["birthday"].as_str(), problems),
            (Some(date), Vec::new()),
            "{written}"
        );
    }
    for (written, format, date) in [
        (json!("08.02.1988"), "date('%d.%m.%Y')", Some("1988-02-08")),
        (json!("2/8/88"), "date('%m/%d/%y')", Some("1988-02-08")),
        (json!(19_880_208), "date('%Y%m%d')", Some("1988-02-08")),
        (json!("1988-02-08"), "date('%d.%m.%Y')", None),
        (json!("31.02.1988"), "date('%d.%m.%Y')", None),
        (json!(""), "date('%d.%m.%Y')", Some("")),
    ] {
        let (traits, problems) = traits(
            &format!("map.birthday = \"born | {format}\""),
            &json!({ "born": written }),
        );
        let found = traits
            .get("birthday")
            .map(|value| value.as_str().unwrap_or_default());
        assert_eq!(found, date, "{written} {problems:?}");
        assert_eq!(problems.len(), usize::from(date.is_none()), "{written}");
    }
    let (traits, problems) = traits(
        "map.seen = \"at | timestamp('%d.%m.%Y %H:%M')\"",
        &json!({ "at": "08.02.1988 12:30" }),
    );
    assert_eq!(
        (&traits["seen"], problems),
        (&json!(571_321_800_000_i64), Vec::new())
    );
}

// F13
#[test]
fn a_number_in_another_format_is_read_where_the_mapping_names_its_decimal_sign() {
    for (written, filters, value) in [
        (json!("1.234,56"), "number(',')", Some(json!(1_234.56))),
        (json!("12 000"), "number(',')", Some(json!(12_000))),
        (json!("1,234.5"), "number('.')", Some(json!(1_234.5))),
        (json!("1.234,56-"), "number(',')", Some(json!(-1_234.56))),
        (json!(1_234.56), "number(',')", Some(json!(1_234.56))),
        (json!(" "), "number(',')", Some(Value::Null)),
        (
            json!("1.234,56"),
            "number(',') | to_minor_units('EUR')",
            Some(json!(123_456)),
        ),
        (json!("1.234,56"), "number", None),
        (json!("1,234.56"), "number(',')", None),
        (json!("12,34,56"), "number('.')", None),
        (json!("1.234,56 zł"), "number(',')", None),
        (json!(["1"]), "number(',')", None),
        (json!(true), "number(',')", None),
    ] {
        let map = format!("map.paid = \"paid | {filters}\"");
        let (traits, problems) = traits(&map, &json!({ "paid": written }));
        assert_eq!(
            problems.len(),
            usize::from(value.is_none()),
            "{written} {problems:?}"
        );
        assert_eq!(traits.get("paid").cloned(), value, "{written} {filters}");
    }
}

// F15
#[test]
fn an_empty_text_clears_a_custom_trait_too() {
    let (traits, problems) = traits(
        "map.tier = \"tier\"\nmap.first_name = \"name\"\nmap.flag = \"flag\"",
        &json!({ "tier": "", "name": " ", "flag": false }),
    );
    assert_eq!(
        json!(traits),
        json!({ "tier": null, "first_name": null, "flag": false })
    );
    assert_eq!(problems, Vec::<String>::new());
}

// F22
#[test]
fn a_role_and_a_number_that_nobody_has_identify_nobody() {
    use crate::identity::Rules;
    use crate::manifest::IdentityRules;
    use crate::model::{Identifier, IdentifierKind, Rejected};
    let email = |text: &str| Identifier::parse(IdentifierKind::Email, text, None).unwrap();
    let usual = Rules::new(&IdentityRules::default(), "test");
    let joining = IdentityRules {
        role_mailboxes: true,
        ..IdentityRules::default()
    };
    let joining = Rules::new(&joining, "test");
    for (address, is_role) in [
        ("info@firma.example", true),
        ("Biuro@firma.example", true),
        ("sales+pl@firma.example", true),
        ("information@firma.example", false),
        ("ada.info@firma.example", false),
        ("ada@info.example", false),
        ("office@x.example", true),
        ("zofia@x.example", false),
    ] {
        assert_eq!(usual.blocks(&email(address)), is_role, "{address}");
        assert!(!joining.blocks(&email(address)), "{address}");
    }
    for number in ["123123123", "500500500", "+48 500 500 500", "555555555"] {
        let parsed = Identifier::parse(IdentifierKind::Phone, number, Some("PL"));
        assert!(matches!(parsed, Err(Rejected::Blocked(_))), "{number}");
    }
    assert!(Identifier::parse(IdentifierKind::Phone, "500500501", Some("PL")).is_ok());
}

// F24
#[test]
fn a_plan_of_a_vendor_that_allows_more_is_written_in_the_manifest() {
    use crate::model::RateSpec;
    let source = |rates: &str| {
        format!(
            "[[source]]\nname = \"payments\"\nconnector = \"stripe\"\ncredential.key = \"env:KEY\"\n{rates}\n"
        )
    };
    let usual = plan(&source(""), &[("stripe", STRIPE)]);
    let rate = |plan: &Plan| plan.sources[0].rates["default"];
    assert_eq!(
        rate(&usual),
        RateSpec {
            requests: 80,
            per_ms: 1_000
        }
    );
    let more = source("rates.default = { requests = 190, per = \"10s\" }");
    let more = plan(&more, &[("stripe", STRIPE)]);
    assert_eq!(
        rate(&more),
        RateSpec {
            requests: 190,
            per_ms: 10_000
        }
    );
    let wrong = [
        (
            "rates.defautl = { requests = 1, per = \"1s\" }",
            "did you mean `default`?",
        ),
        (
            "rates.default = { requests = 1, per = \"1 day\" }",
            "such as `10s`",
        ),
        ("rates.default = { requests = 0, per = \"1s\" }", ""),
        ("rates.default = { per = \"1s\" }", ""),
    ];
    for (rates, hint) in wrong {
        let problems = try_plan(&source(rates), &[("stripe", STRIPE)]).unwrap_err();
        assert_eq!(problems.len(), 1, "{rates}: {problems:?}");
        let shown = problems[0].hint.clone().unwrap_or_default();
        assert!(shown.contains(hint), "{rates}: {problems:?}");
    }
}

// F9
#[test]
fn the_country_of_a_record_says_how_its_phone_number_is_read() {
    let phone = |country: Value, number: &str| {
        let map = "map.phone = \"phone\"\nmap.country = \"land\"";
        let record = json!({ "phone": number, "land": country });
        traits(map, &record).0["phone"].clone()
    };
    for (country, number, expected) in [
        (json!("Czech Republic"), "601 123 456", "+420601123456"),
        (json!("Poland"), "601 123 456", "+48601123456"),
        (json!("US"), "(415) 555-2671", "+14155552671"),
        (json!("DEU"), "030 901820", "+4930901820"),
        // Nothing is known, or nobody knows the country.
        (Value::Null, "601 123 456", "+48601123456"),
        (json!("Atlantis"), "601 123 456", "+48601123456"),
        // A number with its country code needs none, with the prefix of most countries either.
        (json!("US"), "00 1 212 200 0001", "+12122000001"),
        (json!("US"), "0048 601 123 456", "+48601123456"),
        (json!("Germany"), "+48 601 123 456", "+48601123456"),
    ] {
        assert_eq!(phone(country.clone(), number), json!(expected), "{country}");
    }
}
