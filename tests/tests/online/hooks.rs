//! Show 7: Stripe's webhooks, signed by a server that nobody here wrote.

use super::Online;
use crate::vendors::localstripe::localstripe;
use onefold_tests::client::Client;
use onefold_tests::need::need;
use onefold_tests::vendors::start;
use onefold_tests::vendors::stripe::{KEY, Stripe, signature};
use onefold_tests::vendors::time::Clock;
use serde_json::{Value, json};

const SECRET: &str = "whsec_that_only_both_know";

const MORE: &str = r#"
[[source]]
name = "payments"
connector = "stripe"
credential.key = "env:STRIPE_KEY"
credential.webhook_secret = "env:STRIPE_WEBHOOK_SECRET"
config.base_url = "http://STRIPE"
config.events = "scan"
grant.addresses = ["STRIPE"]
streams = ["customers"]
"#;

#[test]
fn shows_7_a_customers_change_is_in_the_profile_within_a_second_of_the_call() {
    let found = localstripe();
    let missing = found.as_ref().err().copied();
    if !need("webhooks that localstripe signs", missing) {
        return;
    }
    let (_server, address) = found.unwrap();
    let more = MORE.replace("STRIPE\"", &format!("{address}\""));
    let mut online = Online::with(&more, |hub| {
        hub.set_secret("STRIPE_KEY", KEY);
        hub.set_secret("STRIPE_WEBHOOK_SECRET", SECRET);
    });
    let stripe = Client::new(address).header("authorization", &format!("Bearer {KEY}"));
    let hook = format!(
        "url=http://127.0.0.1:{}/hooks/payments&secret={SECRET}",
        online.port
    );
    let answer = stripe.form("/_config/webhooks/hub", &hook).unwrap();
    assert_eq!(answer.status, 200);
    let customer = "email=ada@mail.example&name=Ada+Lovelace";
    let made = stripe.form("/v1/customers", customer).unwrap();
    let id = made.json()["id"].as_str().unwrap().to_owned();
    online.wait_for("select count(*) from person", 1);
    for (versions, name) in [(2, "King"), (3, "Byron"), (4, "Noel")] {
        let body = format!("name=Ada+{name}");
        let change = stripe.form(&format!("/v1/customers/{id}"), &body);
        assert_eq!(change.unwrap().status, 200);
        online.wait_for("select count(*) from record_version", versions);
        online.wait_for("select count(*) from inbox where body is not null", 0);
        let shown = online
            .hub
            .run(&["profile", "show", "email:ada@mail.example"]);
        assert!(
            shown.stdout.contains(&format!("Ada {name}")),
            "{}",
            shown.stdout
        );
    }
    // A machine that is busy may take longer now and then.
    let least = "select min(v.received_at - i.received_at) from record_version v, inbox i where i.id = v.id";
    let took = online.hub.number("hub.db", least);
    assert!(took < 1_000, "{took} ms");
    // A wrong signature leaves nothing.
    let before = online.hub.number("hub.db", "select count(*) from inbox");
    let forged = online.post(
        "/hooks/payments",
        &["stripe-signature: t=1,v1=00"],
        b"{\"id\":\"evt_1\",\"object\":\"event\"}",
    );
    assert_eq!(forged.status, 400, "{forged:?}");
    assert_eq!(online.post("/hooks/web", &[], b"{}").status, 404);
    assert_eq!(
        online.hub.number("hub.db", "select count(*) from inbox"),
        before
    );
    online.stop();
}

// S14
#[test]
fn s14_an_older_state_that_comes_later_replaces_nothing_and_the_poll_agrees() {
    let now_s = Clock::System.now_ms() / 1_000;
    let mut vendor = Stripe::default();
    let fields = json!({ "email": "ada@mail.example", "name": "Ada Newest" });
    vendor.seed_customer("cus_ada", now_s - 600, &fields);
    let stripe = start(vendor, ([127, 0, 0, 1], 0).into()).unwrap();
    let more = MORE.replace("STRIPE\"", &format!("{}\"", stripe.address));
    let mut online = Online::with(&more, |hub| {
        hub.set_secret("STRIPE_WEBHOOK_SECRET", SECRET);
    });
    let deliver = |id: &str, kind: &str, at_s: i64, name: &str| {
        let object = json!({ "id": "cus_ada", "object": "customer", "created": now_s - 600,
            "email": "ada@mail.example", "name": name, "metadata": {} });
        let event: Value = json!({ "id": id, "object": "event", "type": kind, "created": at_s, "livemode": false,
            "data": { "object": object } });
        let body = event.to_string();
        let signed = format!("stripe-signature: {}", signature(&body, SECRET, now_s));
        let answer = online.post("/hooks/payments", &[&signed], body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        online.wait_for("select count(*) from inbox where body is not null", 0);
    };
    let is_newest = || {
        let shown = online
            .hub
            .run(&["profile", "show", "email:ada@mail.example"]);
        assert!(shown.stdout.contains("Ada Newest"), "{shown:?}");
    };
    deliver("evt_2", "customer.updated", now_s - 300, "Ada Newest");
    is_newest();
    deliver("evt_1", "customer.created", now_s - 600, "Ada First");
    is_newest();
    // The vendor sends an old event again, after a newer one.
    deliver("evt_3", "customer.updated", now_s - 450, "Ada Second");
    is_newest();
    online.stop();
    online
        .hub
        .run(&["run", "--source", "payments"])
        .ends_with(0);
    let shown = online
        .hub
        .run(&["profile", "show", "email:ada@mail.example"]);
    assert!(shown.stdout.contains("Ada Newest"), "{shown:?}");
}
