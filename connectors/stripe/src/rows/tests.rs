//! What rows say besides the vendor's own words: times of change, buyers, captures, monthly amounts.

use crate::Stripe;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, from_cursor, json, read_all, whole};
use onefold_sdk::{Request, Response};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

const NOW: i64 = 1_700_000_000;

/// Answers by the beginning of the path; notes what it was asked.
struct Vendor {
    answers: Vec<(&'static str, Value)>,
    asked: Vec<String>,
}

impl Vendor {
    fn of(answers: Vec<(&'static str, Value)>) -> Rc<RefCell<Self>> {
        let asked = Vec::new();
        Rc::new(RefCell::new(Self { answers, asked }))
    }

    fn answer(&mut self, request: &Request) -> Response {
        let url = request.url.replace("%5B", "[").replace("%5D", "]");
        let path = url.trim_start_matches("https://api.stripe.com").to_owned();
        let found = self
            .answers
            .iter()
            .find(|(begin, _)| path.starts_with(begin));
        let answer = match found {
            Some((_, value)) => json(200, value.clone()),
            None => json(
                404,
                json!({"error": {"code": "resource_missing", "message": "no"}}),
            ),
        };
        self.asked.push(path);
        answer
    }
}

fn list(rows: Vec<Value>) -> Value {
    json!({"object": "list", "data": rows, "has_more": false})
}

/// The rows of a first read of the stream, whose list is this.
fn rows(stream: &str, path: &'static str, listed: Vec<Value>) -> Vec<Value> {
    let vendor = Vendor::of(vec![("/v1/events", list(vec![])), (path, list(listed))]);
    read(&vendor, stream, None).0
}

fn read(
    vendor: &Rc<RefCell<Vendor>>,
    stream: &str,
    cursor: Option<&[u8]>,
) -> (Vec<Value>, Vec<u8>) {
    let answers = vendor.clone();
    let hub = TestHub::new(move |request| Ok(answers.borrow_mut().answer(request)));
    let request = cursor.map_or_else(|| whole(stream), |cursor| from_cursor(stream, cursor));
    let (rows, _, cursor) =
        read_all(request, |request| call::read::<Stripe>(&hub, "{}", request)).expect("reads");
    (rows, cursor)
}

fn event(id: &str, kind: &str, at: i64, object: Value) -> Value {
    json!({"id": id, "object": "event", "created": at, "type": kind, "data": {"object": object}})
}

// F16
#[test]
fn a_record_that_an_event_changes_says_when_and_one_that_is_listed_does_not() {
    let customer = |country: &str| json!({"id": "cus_1", "object": "customer", "created": 5, "address": {"country": country}});
    let first = event("evt_1", "customer.created", 5, customer("PL"));
    let vendor = Vendor::of(vec![
        ("/v1/events", list(vec![first.clone()])),
        ("/v1/customers", list(vec![customer("PL")])),
    ]);
    let (rows, cursor) = read(&vendor, "customers", None);
    assert!(rows.iter().all(|row| *row == customer("PL")), "{rows:?}");
    // The newest first, as Stripe lists them.
    vendor.borrow_mut().answers[0].1 = list(vec![
        event("evt_3", "customer.updated", NOW - 5, customer("DE")),
        event("evt_2", "customer.updated", NOW - 9, customer("FR")),
    ]);
    let (rows, _) = read(&vendor, "customers", Some(&cursor));
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["address"]["country"], &rows[0]["onefold"]),
        (&json!("DE"), &json!({"changed": NOW - 5}))
    );
}

#[test]
fn money_that_is_taken_later_is_taken_then_and_what_is_not_taken_is_released() {
    let charge = |fields: Value| {
        let mut charge = json!({"id": "ch_1", "object": "charge", "created": 1_000, "amount": 9000, "amount_captured": 0, "amount_refunded": 0,
            "captured": false, "status": "succeeded", "currency": "eur", "balance_transaction": null});
        for (name, value) in fields.as_object().into_iter().flatten() {
            charge[name] = value.clone();
        }
        rows("charges", "/v1/charges", vec![charge]).remove(0)
    };
    let taken = |at: i64| json!({"id": "txn_1", "object": "balance_transaction", "created": at});
    for (fields, added) in [
        (json!({}), Value::Null),
        (
            json!({"captured": true, "amount_captured": 9000, "balance_transaction": taken(1_002)}),
            Value::Null,
        ),
        (
            json!({"captured": true, "amount_captured": 9000, "balance_transaction": taken(90_000)}),
            json!({"captured": 90_000}),
        ),
        (
            json!({"captured": true, "amount_captured": 2500, "amount_refunded": 6500, "balance_transaction": taken(90_000)}),
            json!({"captured": 90_000, "returned": 0}),
        ),
        (
            json!({"captured": true, "amount_captured": 2500, "amount_refunded": 6900}),
            json!({"returned": 400}),
        ),
        // A server that does not count what it released among the refunds.
        (
            json!({"captured": true, "amount_captured": 2500, "amount_refunded": 400}),
            json!({"returned": 0}),
        ),
        // Not said by servers of old versions: the rest was refunded in the same second.
        (
            json!({"captured": true, "amount_captured": null, "amount_refunded": 7000, "balance_transaction": taken(90_000),
                "refunds": {"data": [{"amount": 6500, "created": 90_000}, {"amount": 500, "created": 90_001}]}}),
            json!({"captured": 90_000, "taken": 2500, "returned": 500}),
        ),
        // Of another type.
        (
            json!({"captured": true, "amount": "9000", "created": "now", "balance_transaction": 7}),
            Value::Null,
        ),
        (
            json!({"captured": "yes", "balance_transaction": "txn_1"}),
            Value::Null,
        ),
    ] {
        let row = charge(fields.clone());
        assert_eq!(row["onefold"], added, "{fields}");
        assert!(!row["balance_transaction"].is_object(), "{row}");
    }
}

#[test]
fn a_refund_has_the_buyer_of_its_charge_in_lists_and_in_events() {
    let charge = json!({"id": "ch_1", "object": "charge", "amount": 900, "amount_captured": 900, "captured": true, "customer": "cus_1",
        "receipt_email": null, "billing_details": {"email": "ada@mail.example"}, "balance_transaction": {"id": "txn_1", "created": 10}});
    let refund = |id: &str, charge: &Value| json!({"id": id, "object": "refund", "created": 20, "amount": 300, "currency": "eur", "charge": charge});
    let buyer = json!({"customer": "cus_1", "receipt_email": null, "billing_details": {"email": "ada@mail.example"}});
    let vendor = Vendor::of(vec![
        ("/v1/events", list(vec![])),
        ("/v1/refunds/re_2", refund("re_2", &charge)),
        ("/v1/refunds?", list(vec![refund("re_1", &charge)])),
    ]);
    let (rows, cursor) = read(&vendor, "refunds", None);
    assert_eq!(rows[0]["onefold"], json!({ "buyer": buyer }));
    assert_eq!(rows[0]["charge"], "ch_1");
    let lists = vendor.borrow().asked.join(" ");
    assert!(
        lists.contains("expand[]=data.charge.balance_transaction")
            && lists.contains("expand[]=data.payment_intent"),
        "{lists}"
    );
    vendor.borrow_mut().answers[0].1 = list(vec![
        event("evt_3", "refund.failed", 80, refund("re_9", &json!("ch_9"))),
        event(
            "evt_2",
            "refund.created",
            20,
            refund("re_2", &json!("ch_1")),
        ),
    ]);
    let (rows, _) = read(&vendor, "refunds", Some(&cursor));
    let of = |id: &str| rows.iter().find(|row| row["id"] == id).expect(id);
    assert_eq!(of("re_2")["onefold"], json!({ "buyer": buyer }));
    // What Stripe does not find is known from its event.
    assert_eq!(of("re_9")["onefold"], json!({"changed": 80}));
}

#[test]
fn what_is_given_back_of_an_authorisation_is_no_refund_of_money() {
    let row = |charge: Value, refund: Value| {
        let mut of = json!({"id": "re_1", "object": "refund", "created": 50, "amount": 6500, "currency": "eur", "charge": charge});
        for (name, value) in refund.as_object().into_iter().flatten() {
            of[name] = value.clone();
        }
        rows("refunds", "/v1/refunds", vec![of]).remove(0)["onefold"]["is_release"].clone()
    };
    let charge = |captured: bool, amount: Value| json!({"id": "ch_1", "amount": 9000, "captured": captured, "amount_captured": amount, "balance_transaction": {"created": 50}});
    let none = json!({});
    for (charge, refund, is_release) in [
        (charge(false, json!(0)), json!({"amount": 9000}), true),
        (charge(true, json!(2500)), none.clone(), true),
        (charge(true, json!(2500)), json!({"created": 90_000}), false),
        (charge(true, json!(2500)), json!({"amount": 500}), false),
        (charge(true, json!(9000)), none.clone(), false),
        (charge(true, Value::Null), none.clone(), true),
        (charge(true, Value::Null), json!({"created": 51}), false),
        (json!("ch_1"), none.clone(), false),
        (Value::Null, none.clone(), false),
        (json!({"captured": true, "amount": "x"}), none, false),
    ] {
        let said = row(charge.clone(), refund);
        assert_eq!(said == true, is_release, "{charge} {said}");
    }
}

fn tiered() -> Value {
    json!({"id": "price_1", "object": "price", "currency": "pln", "billing_scheme": "tiered", "tiers_mode": "graduated", "product": "prod_1",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}})
}

fn subscription(id: &str, price: &Value, fields: Value) -> Value {
    let mut one = json!({"id": id, "object": "subscription", "created": 9, "status": "active", "currency": "pln", "customer": "cus_1",
        "items": {"object": "list", "has_more": false, "data": [{"id": "si_1", "price": price, "quantity": 12}]}});
    for (name, value) in fields.as_object().into_iter().flatten() {
        one[name] = value.clone();
    }
    one
}

// F18
#[test]
fn tiers_are_asked_for_once_a_price_and_further_items_where_there_are_more() {
    let mut whole = tiered();
    whole["tiers"] =
        json!([{"up_to": 10, "unit_amount": 200}, {"up_to": null, "unit_amount": 100}]);
    let more = json!({"has_more": true, "data": [], "object": "list"});
    let plain = json!({"id": "p2", "currency": "pln", "unit_amount": 700, "recurring": {"interval": "month", "interval_count": 1}});
    let all = list(vec![
        json!({"price": plain}),
        json!({"price": plain, "quantity": 2}),
    ]);
    let listed = vec![
        subscription("sub_1", &tiered(), json!({})),
        subscription("sub_2", &tiered(), json!({"status": "past_due"})),
        subscription("sub_3", &tiered(), json!({"items": more})),
    ];
    let vendor = Vendor::of(vec![
        ("/v1/events", list(vec![])),
        (
            "/v1/prices/price_1?expand[]=tiers&expand[]=currency_options.tiers",
            whole,
        ),
        ("/v1/subscription_items?limit=100&subscription=sub_3", all),
        (
            "/v1/subscriptions?status=all&limit=100&expand[]=data.discount.coupon.applies_to",
            list(listed),
        ),
    ]);
    let (rows, _) = read(&vendor, "subscriptions", None);
    let amounts: Vec<&Value> = rows.iter().map(|row| &row["onefold"]["mrr"]).collect();
    assert_eq!(amounts, [&json!(2200), &json!(2200), &json!(2100)]);
    let asked = vendor.borrow().asked.clone();
    let prices = asked.iter().filter(|path| path.contains("/v1/prices/"));
    assert_eq!(prices.count(), 1, "{asked:?}");
}

#[test]
fn a_subscription_of_an_event_is_asked_for_in_the_shape_of_our_version() {
    let plain = json!({"id": "p", "currency": "pln", "unit_amount": 700, "recurring": {"interval": "week"}});
    let vendor = Vendor::of(vec![
        ("/v1/events", list(vec![])),
        (
            "/v1/subscriptions/sub_1?expand[]=discount.coupon.applies_to",
            subscription(
                "sub_1",
                &plain,
                json!({"discount": {"coupon": {"duration": "forever", "percent_off": 50}}}),
            ),
        ),
        ("/v1/subscriptions?", list(vec![])),
    ]);
    let (_, cursor) = read(&vendor, "subscriptions", None);
    // A later version of the API has other shapes.
    let later = json!({"id": "sub_1", "object": "subscription", "created": 9, "discounts": ["di_1"], "items": {"data": []}});
    vendor.borrow_mut().answers[0].1 = list(vec![event(
        "evt_1",
        "customer.subscription.updated",
        700,
        later,
    )]);
    let (rows, _) = read(&vendor, "subscriptions", Some(&cursor));
    assert_eq!(rows[0]["onefold"], json!({"changed": 700, "mrr": 18_250}));
}

// I17
#[test]
fn half_a_character_costs_nothing_that_follows_from_other_fields() {
    let row = r#"{"id":"sub_1","object":"subscription","created":9,"status":"active","currency":"pln","customer":"cus_1",
        "description":"x\ud83d","metadata":{"a\udc00":"\\ud83d"},
        "items":{"data":[{"price":{"currency":"pln","nickname":"\ud83d","unit_amount":700,"recurring":{"interval":"month"}}}]}}"#;
    // The second has a number that no program reads.
    for row in [
        row.to_owned(),
        row.replace("\"created\":9", "\"created\":1e999"),
    ] {
        let body = format!(r#"{{"object":"list","data":[{row}],"has_more":false}}"#);
        let hub = TestHub::new(move |request| {
            let none = list(vec![]).to_string();
            let body = match request.url.contains("/v1/events") {
                true => none,
                false => body.clone(),
            };
            Ok(Response {
                status: 200,
                headers: Vec::new(),
                body: body.into_bytes(),
            })
        });
        let batch = call::read::<Stripe>(&hub, "{}", &whole("subscriptions")).expect("reads");
        let line = String::from_utf8(batch.upserts.data).expect("text");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.contains(r#""mrr":700"#), "{line}");
        assert!(line.contains(r#""description":"x\ud83d""#), "{line}");
    }
}

#[test]
fn a_row_that_is_no_object_is_handed_on_as_it_is() {
    for row in [json!("sub_1"), json!([1]), Value::Null, json!({})] {
        let listed = rows_as_text(&row);
        assert!(
            listed.contains(&row.to_string()) || row == json!({}),
            "{listed}"
        );
    }
}

fn rows_as_text(row: &Value) -> String {
    let page = list(vec![row.clone()]);
    let hub = TestHub::new(move |request| {
        let is_list = request.url.contains("/v1/refunds");
        Ok(json(200, if is_list { page.clone() } else { list(vec![]) }))
    });
    match call::read::<Stripe>(&hub, "{}", &whole("refunds")) {
        Ok(batch) => String::from_utf8(batch.upserts.data).expect("text"),
        // The next page begins behind the last row's id.
        Err(error) => format!("{error:?} {row}"),
    }
}
