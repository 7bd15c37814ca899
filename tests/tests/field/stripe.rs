//! What Stripe's records really mean: the time of a change, guests, refunds, captures, subscriptions.

use crate::small::{JANUARY_MS, Small, set};
use onefold_tests::client::Client;
use onefold_tests::vendors::stripe::KEY;
use onefold_tests::vendors::time::Clock;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;
const ALL: &str = "streams = [\"customers\", \"charges\", \"refunds\", \"subscriptions\"]";

/// The hub and Stripe at a day after everything that is there from the beginning.
fn small() -> Small {
    let small = Small::new();
    small.edit("streams = [\"customers\", \"charges\"]", ALL);
    stand(&small, 10);
    small
}

fn stand(small: &Small, day: i64) {
    let ms = JANUARY_MS + day * DAY_MS;
    small.hub.stand_at(ms);
    small.stripe.with(|stripe| stripe.clock = Clock::Fixed(ms));
}

fn post(small: &Small, path: &str, body: &str) -> Value {
    let client = Client::new(small.stripe.address);
    let client = client.header("authorization", &format!("Bearer {KEY}"));
    let answer = client.form(path, body).unwrap();
    assert_eq!(answer.status, 200, "{path} {body} {:?}", answer.json());
    answer.json()
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

fn run(small: &Small, arguments: &[&str]) {
    let ran = small.hub.run(&[&["run"], arguments].concat()).ends_with(0);
    assert!(!ran.stderr.contains("OF"), "{ran:#?}");
}

fn profile(small: &Small, of: &str) -> Value {
    small.hub.json(&["profile", "show", of])
}

/// A trait's value, and the record that it comes from.
fn origin(small: &Small, of: &str, name: &str) -> (Value, Value) {
    let why = profile(small, of)["why"].take();
    let one = why
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == name);
    let one = one.unwrap_or(&Value::Null);
    (one["value"].clone(), one["record"].clone())
}

fn in_audience(small: &Small, of: &str, audience: &str) -> bool {
    let audiences = profile(small, of)["audiences"].take();
    let mut audiences = audiences.as_array().unwrap().iter();
    audiences.any(|one| one["name"] == audience)
}

// F16
#[test]
fn a_customer_that_is_changed_today_is_newer_than_a_contact_of_long_ago() {
    let small = small();
    let ada = "email:ada@poczta.example";
    run(&small, &[]);
    assert_eq!(
        origin(&small, ada, "country"),
        (json!("PL"), json!("contacts/11"))
    );
    stand(&small, 11);
    for country in ["FR", "DE"] {
        let body = format!("address[country]={country}");
        post(&small, "/v1/customers/cus_ada", &body);
    }
    let german = (json!("DE"), json!("customers/cus_ada"));
    run(&small, &[]);
    assert_eq!(origin(&small, ada, "country"), german);
    // Read again from its beginning, by a list that knows no time of change, after the events are forgotten, and mapped again.
    stand(&small, 12);
    run(&small, &["--full"]);
    assert_eq!(origin(&small, ada, "country"), german);
    stand(&small, 60);
    run(&small, &["--full"]);
    assert_eq!(origin(&small, ada, "country"), german);
    small.edit(ALL, &format!("{ALL}\nregion = \"DE\""));
    run(&small, &[]);
    assert_eq!(origin(&small, ada, "country"), german);
    // A later word of the other source counts again.
    small.hubspot.with(|hubspot| {
        let at_ms = JANUARY_MS + 59 * DAY_MS;
        let values = [("email", "ada@poczta.example"), ("country", "US")];
        hubspot.contacts.seed(11, JANUARY_MS, at_ms, &values);
    });
    run(&small, &["--full"]);
    assert_eq!(
        origin(&small, ada, "country"),
        (json!("US"), json!("contacts/11"))
    );
}

fn buy_as_guest(small: &Small, name: &str, more: &str) -> Value {
    let card = format!("card[number]=4242424242424242&card[name]={name}");
    let token = id(&post(small, "/v1/tokens", &card));
    let body = format!("amount=9000&currency=pln&source={token}{more}");
    post(small, "/v1/charges", &body)
}

// F6
#[test]
fn a_guest_has_a_name_and_an_address_is_found_and_is_sent_once_it_agrees() {
    let small = small();
    let guest = "email:gosia@mail.example";
    for _ in 0..2 {
        buy_as_guest(&small, "Gosia+Lis", "&receipt_email=Gosia%40Mail.example");
    }
    // Nothing to know the guest by: no person, and no error.
    buy_as_guest(&small, "", "");
    run(&small, &[]);
    let (name, record) = origin(&small, guest, "name");
    assert_eq!(name, "Gosia Lis");
    assert!(
        record.as_str().unwrap().starts_with("charges/ch_"),
        "{record}"
    );
    assert_eq!(origin(&small, guest, "email").0, "gosia@mail.example");
    let shown = small
        .hub
        .run(&["profile", "show", guest, "--why"])
        .ends_with(0)
        .stdout;
    assert!(
        shown.contains("the record is about something else"),
        "{shown}"
    );
    let found = small
        .hub
        .run(&["profile", "find", "gosia"])
        .ends_with(0)
        .stdout;
    assert!(found.contains("Gosia Lis"), "{found}");
    assert!(!small.tagged().contains("gosia@mail.example"));
    let grant = [
        "consent",
        "grant",
        guest,
        "marketing_email",
        "--reason",
        "said so at the till",
    ];
    small.hub.run(&grant).ends_with(0);
    run(&small, &[]);
    let all = set([
        "ada@poczta.example",
        "gosia@mail.example",
        "zofia@poczta.example",
    ]);
    assert_eq!(small.tagged(), all);
    // A record about the person is stronger, however old it is.
    small.hubspot.with(|hubspot| {
        let values = [
            ("email", "gosia@mail.example"),
            ("firstname", "Małgorzata"),
            ("lastname", "Lis"),
        ];
        hubspot.contacts.seed(20, JANUARY_MS, JANUARY_MS, &values);
    });
    small.stripe.with(|stripe| {
        let at_s = JANUARY_MS / 1_000;
        stripe.seed_customer(
            "cus_gosia",
            at_s,
            &json!({"email": "gosia@mail.example", "name": "Małgorzata Lis"}),
        );
    });
    run(&small, &["--full"]);
    assert_eq!(
        origin(&small, guest, "name"),
        (json!("Małgorzata Lis"), json!("customers/cus_gosia"))
    );
}

// F11
#[test]
fn a_refund_is_its_buyers_and_what_was_never_taken_is_no_refund() {
    let small = small();
    small.hub.write(
        "more.toml",
        "[[audience]]\nname = \"refunded\"\nwho = { event = \"Order Refunded\", sum = { of = \"total\", at_least = 500 } }\n\
         [[audience]]\nname = \"big\"\nwho = { event = \"Order Completed\", where = { total = { at_least = 9000 } } }\n\
         [[audience]]\nname = \"late\"\nwho = { event = \"Order Completed\", within = \"2d\" }\n",
    );
    let (ada, guest) = ("external:payments:cus_ada", "email:gosia@mail.example");
    // One that the list has, and one that an event tells of.
    post(&small, "/v1/refunds", "charge=ch_ada1&amount=300");
    let sold = id(&buy_as_guest(
        &small,
        "Gosia",
        "&receipt_email=gosia%40mail.example",
    ));
    run(&small, &[]);
    assert!(!in_audience(&small, ada, "refunded"));
    stand(&small, 11);
    post(&small, "/v1/refunds", "charge=ch_ada2&amount=200");
    post(&small, "/v1/refunds", &format!("charge={sold}"));
    run(&small, &[]);
    for of in [ada, guest] {
        assert!(in_audience(&small, of, "refunded"), "{of}");
    }
    assert_eq!(
        (
            profile(&small, ada)["events"].clone(),
            profile(&small, guest)["events"].clone()
        ),
        (json!(5), json!(2))
    );
    // Held on day 11, taken in part on day 20: an order of that day, and nothing was refunded.
    let held = id(&buy_as_guest(
        &small,
        "Ola",
        "&receipt_email=ola%40mail.example&capture=false",
    ));
    run(&small, &[]);
    let ola = "email:ola@mail.example";
    assert!(!in_audience(&small, ola, "late"));
    stand(&small, 20);
    post(
        &small,
        &format!("/v1/charges/{held}/capture"),
        "amount=2500",
    );
    run(&small, &[]);
    let is_in = |audience: &str| in_audience(&small, ola, audience);
    assert_eq!(
        (is_in("late"), is_in("big"), is_in("refunded")),
        (true, false, false)
    );
    stand(&small, 21);
    post(&small, "/v1/refunds", &format!("charge={held}&amount=400"));
    run(&small, &[]);
    assert_eq!((is_in("late"), is_in("refunded")), (true, false));
    post(&small, "/v1/refunds", &format!("charge={held}&amount=100"));
    run(&small, &[]);
    assert!(is_in("refunded"));
    // The list says the same as the events.
    run(&small, &["--full"]);
    assert_eq!(
        (is_in("late"), is_in("big"), is_in("refunded")),
        (true, false, true)
    );
    stand(&small, 23);
    run(&small, &["--full"]);
    assert!(!is_in("late"));
}

fn price(small: &Small, fields: &str) -> String {
    id(&post(
        small,
        "/v1/prices",
        &format!("currency=pln&{fields}"),
    ))
}

// F18
#[test]
fn subscriptions_are_shown_and_asked_for_with_what_they_bring_in_a_month() {
    let small = small();
    let has =
        |fields: &str| format!("who = {{ has = \"subscription\", where = {{ {fields} }} }}\n");
    let audiences = [
        ("paying", has("status = \"active\", mrr = { at_least = 1 }")),
        ("large", has("mrr = { at_least = 5000 }")),
        ("leaving", has("status = \"canceled\"")),
        (
            "none",
            "who = { has = \"subscription\", never = true }\n".to_owned(),
        ),
        (
            "new",
            "who = { has = \"subscription\", within = \"5d\" }\n".to_owned(),
        ),
    ];
    let audiences = audiences.map(|(name, who)| format!("[[audience]]\nname = \"{name}\"\n{who}"));
    small.hub.write("more.toml", &audiences.concat());
    let tiers = "billing_scheme=tiered&tiers_mode=graduated&tiers[0][up_to]=10&tiers[0][unit_amount]=500\
        &tiers[1][up_to]=inf&tiers[1][unit_amount]=300&nickname=Seats";
    let seats = price(&small, tiers);
    let support = price(
        &small,
        "unit_amount=1000&recurring[interval]=week&recurring[interval_count]=2&nickname=Support",
    );
    let metered = price(&small, "unit_amount=9000&recurring[usage_type]=metered");
    post(
        &small,
        "/v1/coupons",
        "id=half&percent_off=50&duration=forever",
    );
    post(
        &small,
        "/v1/coupons",
        "id=start&percent_off=50&duration=repeating&duration_in_months=3",
    );
    let subscribe = |customer: &str, fields: &str| {
        let body = format!("customer={customer}&{fields}");
        id(&post(&small, "/v1/subscriptions", &body))
    };
    let ada = subscribe(
        "cus_ada",
        &format!(
            "items[0][price]={seats}&items[0][quantity]=12&items[1][price]={support}&items[2][price]={metered}&coupon=half"
        ),
    );
    let jan = subscribe(
        "cus_jan",
        &format!("items[0][price]={support}&coupon=start"),
    );
    let zofia = subscribe(
        "cus_zofia",
        &format!("items[0][price]={seats}&trial_period_days=14"),
    );
    run(&small, &[]);
    let mrr = |customer: &str| {
        let things = profile(&small, &format!("external:payments:{customer}"))["things"].take();
        assert_eq!(things.as_array().map(Vec::len), Some(1), "{things}");
        (
            things[0]["fields"]["mrr"].clone(),
            things[0]["fields"]["status"].clone(),
        )
    };
    let all = || (mrr("cus_ada"), mrr("cus_jan"), mrr("cus_zofia"));
    let of = |amount: i64, status: &str| (json!(amount), json!(status));
    // (10 · 500 + 2 · 300 + 1000 · 365 / 168) / 2
    assert_eq!(
        all(),
        (of(3886, "active"), of(2173, "active"), of(0, "trialing"))
    );
    let is_in = |customer: &str, audience: &str| {
        in_audience(&small, &format!("external:payments:{customer}"), audience)
    };
    assert!(
        is_in("cus_ada", "paying") && is_in("cus_jan", "paying") && !is_in("cus_zofia", "paying")
    );
    assert!(!is_in("cus_ada", "large") && is_in("cus_ada", "new"));
    assert!(in_audience(&small, "email:mia@mail.example", "none") && !is_in("cus_ada", "none"));
    let shown = small
        .hub
        .run(&["profile", "show", "external:payments:cus_ada", "--why"])
        .ends_with(0)
        .stdout;
    let line = shown
        .lines()
        .find(|line| line.starts_with("subscription"))
        .unwrap();
    assert!(
        line.contains("Seats, active, quantity 12, mrr 3886 PLN, since 2025-01-25 12:00 UTC"),
        "{line}"
    );
    assert!(
        line.ends_with(&format!("(payments subscriptions/{ada})")),
        "{line}"
    );

    stand(&small, 16);
    post(&small, &format!("/v1/subscriptions/{ada}"), "quantity=30");
    post(
        &small,
        &format!("/v1/subscriptions/{jan}"),
        "pause_collection[behavior]=void",
    );
    let gone = format!("/v1/subscriptions/{zofia}");
    let client =
        Client::new(small.stripe.address).header("authorization", &format!("Bearer {KEY}"));
    assert_eq!(client.send("DELETE", &gone, "", b"").unwrap().status, 200);
    run(&small, &[]);
    let now = (of(6586, "active"), of(0, "active"), of(0, "canceled"));
    assert_eq!(all(), now);
    assert!(is_in("cus_ada", "large") && !is_in("cus_ada", "new"));
    assert!(!is_in("cus_jan", "paying") && is_in("cus_zofia", "leaving"));
    run(&small, &["--full"]);
    assert_eq!(all(), now);
    let explained = small
        .hub
        .run(&["audience", "explain", "large", "external:payments:cus_ada"])
        .ends_with(0)
        .stdout;
    assert!(
        explained.contains("1 or more `subscription` where `mrr` is at least 5000"),
        "{explained}"
    );
    // What nobody can have is said.
    small.hub.write(
        "wrong.toml",
        "[[audience]]\nname = \"wrong\"\nwho = { has = \"subscriptoin\" }\n",
    );
    let ran = small.hub.run(&["check"]).ends_with(2);
    assert!(ran.stderr.contains("subscription"), "{ran:#?}");
}
