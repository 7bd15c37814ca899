//! The fake Stripe's rules, over real HTTP.

use serde_json::{Value, json};

use super::*;
use crate::client::Client;
use crate::vendors::{Running, start};

fn serve(stripe: Stripe) -> (Running<Stripe>, Client) {
    let running = start(stripe, ([127, 0, 0, 1], 0).into()).unwrap();
    let client = Client::new(running.address).header("authorization", &format!("Bearer {KEY}"));
    (running, client)
}

fn charges(count: i64) -> Stripe {
    let mut stripe = Stripe::default();
    for number in 0..count {
        stripe.seed_charge(
            &format!("ch_{number}"),
            "cus_1",
            100 + number,
            "pln",
            1_700_000_000 + number / 2,
            Paid::Succeeded,
        );
    }
    stripe
}

fn get(client: &Client, target: &str) -> (u16, Value) {
    let answer = client.get(target).unwrap();
    (answer.status, answer.json())
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

#[test]
fn a_wrong_or_missing_key_is_401_in_stripes_words() {
    let (running, _) = serve(Stripe::default());
    let (status, body) = get(&Client::new(running.address), "/v1/customers");
    assert_eq!(
        (status, body["error"]["type"].as_str()),
        (401, Some("invalid_request_error"))
    );
    let wrong = Client::new(running.address).header("authorization", "Bearer sk_test_wrongwrong");
    let (status, body) = get(&wrong, "/v1/customers");
    assert_eq!(
        (status, body["error"]["message"].as_str()),
        (401, Some("Invalid API Key provided: sk_test_****"))
    );
}

#[test]
fn lists_come_newest_first_and_page_both_ways() {
    let (_running, client) = serve(charges(7));
    let (_, first) = get(&client, "/v1/charges?limit=3");
    assert_eq!(
        (ids(&first), first["has_more"] == true),
        (vec!["ch_6", "ch_5", "ch_4"], true)
    );
    let (_, second) = get(&client, "/v1/charges?limit=3&starting_after=ch_4");
    assert_eq!(ids(&second), ["ch_3", "ch_2", "ch_1"]);
    let (_, third) = get(&client, "/v1/charges?limit=3&starting_after=ch_1");
    assert_eq!(
        (ids(&third), third["has_more"] == true),
        (vec!["ch_0"], false)
    );
    let (_, back) = get(&client, "/v1/charges?limit=2&ending_before=ch_1");
    assert_eq!(
        (ids(&back), back["has_more"] == true),
        (vec!["ch_3", "ch_2"], true)
    );
}

#[test]
fn created_bounds_include_and_exclude_their_second() {
    let (_running, client) = serve(charges(6));
    let count = |query: &str| {
        get(&client, &format!("/v1/charges?{query}")).1["data"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count("created[gte]=1700000001"), 4);
    assert_eq!(count("created[gt]=1700000001"), 2);
    assert_eq!(count("created[lte]=1700000001"), 4);
    assert_eq!(count("created[lt]=1700000001"), 2);
    assert_eq!(
        count("created%5Bgte%5D=1700000001&created%5Blt%5D=1700000002&starting_after=ch_3"),
        1
    );
    assert_eq!(count("created[gt]=1700000009"), 0);
}

#[test]
fn limits_cursors_and_parameters_that_stripe_refuses_are_400() {
    let (_running, client) = serve(charges(2));
    for query in [
        "limit=101",
        "limit=0",
        "limit=x",
        "starting_after=ch_9",
        "colour=red",
        "created[near]=1",
    ] {
        let (status, body) = get(&client, &format!("/v1/charges?{query}"));
        assert_eq!(
            (status, body["error"]["type"].as_str()),
            (400, Some("invalid_request_error")),
            "{query}"
        );
    }
    assert_eq!(get(&client, "/v1/charges/ch_9").0, 404);
    assert_eq!(get(&client, "/v1/nonsense").0, 404);
}

#[test]
fn a_customers_life_leaves_events_in_order() {
    let (_running, client) = serve(Stripe::default());
    let made = client
        .form(
            "/v1/customers",
            "email=ada%40mail.example&metadata[plan]=gold",
        )
        .unwrap()
        .json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        (made["email"].as_str(), made["metadata"]["plan"].as_str()),
        (Some("ada@mail.example"), Some("gold"))
    );
    let changed = client
        .form(&format!("/v1/customers/{id}"), "name=Ada")
        .unwrap()
        .json();
    assert_eq!(
        (
            changed["name"].as_str(),
            changed["metadata"]["plan"].as_str()
        ),
        (Some("Ada"), Some("gold"))
    );
    let deleted = client
        .send("DELETE", &format!("/v1/customers/{id}"), "", b"")
        .unwrap()
        .json();
    assert_eq!(
        deleted,
        json!({"id": id, "object": "customer", "deleted": true})
    );
    assert_eq!(
        get(&client, &format!("/v1/customers/{id}")).1["deleted"],
        true
    );
    assert_eq!(ids(&get(&client, "/v1/customers").1).len(), 0);
    let (_, events) = get(
        &client,
        "/v1/events?types[]=customer.deleted&types[]=customer.updated",
    );
    let kinds: Vec<&str> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["customer.deleted", "customer.updated"]);
    assert_eq!(
        events["data"][1]["data"]["previous_attributes"],
        json!({"name": null})
    );
}

#[test]
fn events_older_than_thirty_days_are_gone() {
    let (running, client) = serve(Stripe::default());
    client.form("/v1/customers", "name=Old").unwrap();
    assert_eq!(ids(&get(&client, "/v1/events").1).len(), 1);
    running.with(|stripe| stripe.clock = Clock::Fixed(stripe.clock.now_ms() + 31 * 86_400_000));
    assert_eq!(ids(&get(&client, "/v1/events").1).len(), 0);
}

#[test]
fn a_declined_card_is_402_and_leaves_a_failed_charge() {
    let (running, client) = serve(Stripe::default());
    let token = client
        .form(
            "/v1/tokens",
            "card[number]=4000000000000341&card[exp_month]=12&card[exp_year]=2030",
        )
        .unwrap()
        .json();
    let customer = client
        .form(
            "/v1/customers",
            &format!("source={}", token["id"].as_str().unwrap()),
        )
        .unwrap()
        .json();
    let body = format!(
        "amount=500&currency=PLN&customer={}",
        customer["id"].as_str().unwrap()
    );
    let refused = client.form("/v1/charges", &body).unwrap();
    assert_eq!(
        (
            refused.status,
            refused.json()["error"]["code"].as_str().map(str::to_string)
        ),
        (402, Some("card_declined".into()))
    );
    assert_eq!(
        running.with(|stripe| stripe.charges.all()[0]["status"].clone()),
        "failed"
    );
}

#[test]
fn a_refund_never_exceeds_what_is_left_of_the_charge() {
    let (_running, client) = serve(charges(1));
    assert_eq!(
        client
            .form("/v1/refunds", "charge=ch_0&amount=60")
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        client
            .form("/v1/refunds", "charge=ch_0&amount=60")
            .unwrap()
            .status,
        400
    );
    assert_eq!(
        client.form("/v1/refunds", "charge=ch_0").unwrap().json()["amount"],
        40
    );
    assert_eq!(get(&client, "/v1/charges/ch_0").1["refunded"], true);
    assert_eq!(
        client.form("/v1/refunds", "charge=ch_0").unwrap().json()["error"]["code"],
        "charge_already_refunded"
    );
}

#[test]
fn cancelled_subscriptions_are_listed_only_when_asked_for() {
    let (_running, client) = serve(Stripe::default());
    let customer = client.form("/v1/customers", "name=Ada").unwrap().json()["id"]
        .as_str()
        .unwrap()
        .to_string();
    let price = client
        .form(
            "/v1/prices",
            "unit_amount=2000&currency=pln&recurring[interval]=month",
        )
        .unwrap()
        .json();
    let body = format!(
        "customer={customer}&items[0][price]={}&items[0][quantity]=2",
        price["id"].as_str().unwrap()
    );
    let made = client.form("/v1/subscriptions", &body).unwrap().json();
    assert_eq!(
        (
            made["status"].as_str(),
            made["items"]["data"][0]["quantity"].as_i64()
        ),
        (Some("active"), Some(2))
    );
    let target = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    assert_eq!(
        client.send("DELETE", &target, "", b"").unwrap().json()["status"],
        "canceled"
    );
    assert_eq!(ids(&get(&client, "/v1/subscriptions").1).len(), 0);
    assert_eq!(
        ids(&get(&client, "/v1/subscriptions?status=all").1).len(),
        1
    );
}

#[test]
fn the_same_idempotency_key_makes_one_customer() {
    let (running, _) = serve(Stripe::default());
    let client = Client::new(running.address)
        .header("authorization", &format!("Bearer {KEY}"))
        .header("idempotency-key", "once");
    let first = client.form("/v1/customers", "name=Ada").unwrap();
    let again = client.form("/v1/customers", "name=Ada").unwrap();
    assert_eq!(
        (
            again.header("idempotent-replayed"),
            first.body == again.body
        ),
        (Some("true"), true)
    );
    assert_eq!(
        client.form("/v1/customers", "name=Eve").unwrap().status,
        400
    );
    assert_eq!(running.with(|stripe| stripe.customers.len()), 1);
}

#[test]
fn a_webhook_signature_is_the_published_hmac() {
    // Worked out with `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`.
    let expected =
        "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
    assert_eq!(signature("{}", "key", 1_700_000_000), expected);
}

fn post(client: &Client, path: &str, body: &str) -> (u16, Value) {
    let answer = client.form(path, body).unwrap();
    (answer.status, answer.json())
}

#[test]
fn what_is_not_captured_is_refunded_at_once_and_nothing_is_captured_twice() {
    let (_running, client) = serve(Stripe::default());
    let (_, token) = post(
        &client,
        "/v1/tokens",
        "card[number]=4242424242424242&card[name]=Ada",
    );
    let body = format!(
        "amount=900&currency=eur&capture=false&source={}",
        token["id"].as_str().unwrap()
    );
    let (_, held) = post(&client, "/v1/charges", &body);
    let shown = |charge: &Value| {
        json!([
            charge["captured"],
            charge["amount_captured"],
            charge["amount_refunded"],
            charge["refunded"]
        ])
    };
    assert_eq!(shown(&held), json!([false, 0, 0, false]));
    assert_eq!(held["billing_details"]["name"], "Ada");
    let id = held["id"].as_str().unwrap();
    let capture = format!("/v1/charges/{id}/capture");
    assert_eq!(post(&client, &capture, "amount=901").0, 400);
    let (_, taken) = post(&client, &capture, "amount=250");
    assert_eq!(shown(&taken), json!([true, 250, 650, false]));
    assert_eq!(
        post(&client, &capture, "").1["error"]["code"],
        "charge_already_captured"
    );
    let (_, refunds) = get(
        &client,
        &format!("/v1/refunds?charge={id}&expand[]=data.charge.balance_transaction"),
    );
    let refund = &refunds["data"][0];
    assert_eq!(
        (
            &refund["amount"],
            &refund["charge"]["balance_transaction"]["amount"]
        ),
        (&json!(650), &json!(250))
    );
    assert_eq!(
        post(&client, "/v1/refunds", &format!("charge={id}&amount=251")).0,
        400
    );
    let (_, events) = get(&client, "/v1/events");
    let kinds: Vec<&str> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["charge.captured", "refund.created", "charge.succeeded"]
    );
}

#[test]
fn what_is_not_expanded_is_not_shown_and_four_levels_are_the_most() {
    let (_running, client) = serve(Stripe::default());
    let tiers = "currency=pln&billing_scheme=tiered&tiers_mode=volume&tiers[0][up_to]=5&tiers[0][unit_amount]=700\
        &tiers[1][up_to]=inf&tiers[1][flat_amount]=100&currency_options[eur][unit_amount]=3";
    let (_, price) = post(&client, "/v1/prices", tiers);
    assert!(
        price["tiers"].is_null() && price["currency_options"].is_null(),
        "{price}"
    );
    let path = format!("/v1/prices/{}", price["id"].as_str().unwrap());
    let (_, whole) = get(
        &client,
        &format!("{path}?expand[]=tiers&expand[]=currency_options.tiers"),
    );
    assert_eq!(
        whole["tiers"][1],
        json!({"flat_amount": 100, "flat_amount_decimal": "100", "unit_amount": null, "unit_amount_decimal": null, "up_to": null})
    );
    assert_eq!(whole["currency_options"]["eur"]["unit_amount"], 3);
    let (_, customer) = post(&client, "/v1/customers", "name=Ada");
    post(
        &client,
        "/v1/coupons",
        "id=half&percent_off=50&duration=forever&applies_to[products][0]=prod_1",
    );
    let items: String = (0..11)
        .map(|at| format!("&items[{at}][price]={}", price["id"].as_str().unwrap()))
        .collect();
    let body = format!(
        "coupon=half&customer={}{items}",
        customer["id"].as_str().unwrap()
    );
    let (_, made) = post(&client, "/v1/subscriptions", &body);
    assert_eq!(
        (
            made["items"]["data"].as_array().unwrap().len(),
            &made["items"]["has_more"]
        ),
        (10, &json!(true))
    );
    assert!(made["discount"]["coupon"]["applies_to"].is_null(), "{made}");
    let list = "/v1/subscriptions?status=all&expand[]=data";
    let (_, page) = get(&client, &format!("{list}.discount.coupon.applies_to"));
    assert_eq!(
        page["data"][0]["discount"]["coupon"]["applies_to"],
        json!({"products": ["prod_1"]})
    );
    for path in ["items.data.price.tiers", "colour", "items.data.quantity"] {
        let (status, body) = get(&client, &format!("{list}.{path}"));
        assert_eq!(status, 400, "{path} {body}");
    }
    let all = format!(
        "/v1/subscription_items?subscription={}&limit=100",
        made["id"].as_str().unwrap()
    );
    assert_eq!(get(&client, &all).1["data"].as_array().unwrap().len(), 11);
    for bad in [
        "percent_off=50&amount_off=3&currency=pln",
        "amount_off=3",
        "percent_off=5&duration=repeating",
        "percent_off=5&duration=eternal",
    ] {
        assert_eq!(post(&client, "/v1/coupons", bad).0, 400, "{bad}");
    }
    for bad in [
        "currency=pln",
        "currency=pln&billing_scheme=tiered&tiers_mode=volume",
        "currency=pln&billing_scheme=tiered&tiers[0][up_to]=inf&tiers[0][unit_amount]=1",
        "currency=pln&billing_scheme=tiered&tiers_mode=volume&tiers[0][up_to]=5&tiers[0][unit_amount]=1",
    ] {
        assert_eq!(post(&client, "/v1/prices", bad).0, 400, "{bad}");
    }
}
