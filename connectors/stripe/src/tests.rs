//! Stripe over a small stateful vendor: lists, events, deletions, signatures, refusals.
//! Nothing here opens a socket.

use crate::Stripe;
use onefold_sdk::connector::{Connector, call};
use onefold_sdk::testing::{TestHub, from_cursor, hmac_sha256, json, read_all, whole};
use onefold_sdk::{Delivery, ErasureStatus, Error, Identifier, Manifest, Request, Response};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Objects and events, oldest first.
#[derive(Default)]
struct Vendor {
    customers: Vec<Value>,
    charges: Vec<Value>,
    events: Vec<Value>,
    /// Answers as localstripe does: oldest first, no backward paging, no filter by several types.
    simple: bool,
    meddle: Option<fn(&mut Vendor)>,
}

const NOW: i64 = 1_700_000_000;

impl Vendor {
    fn customer(&mut self, id: u32, name: &str, created: i64) {
        let object = json!({"id": format!("cus_{id}"), "object": "customer", "created": created, "name": name});
        let kind = match self
            .customers
            .iter_mut()
            .find(|known| known["id"] == object["id"])
        {
            Some(known) => {
                *known = object.clone();
                "customer.updated"
            }
            None => {
                self.customers.push(object.clone());
                "customer.created"
            }
        };
        self.event(kind, &object);
    }

    fn delete(&mut self, id: u32) {
        let id = json!(format!("cus_{id}"));
        let at = self
            .customers
            .iter()
            .position(|known| known["id"] == id)
            .expect("known");
        let object = self.customers.remove(at);
        self.event("customer.deleted", &object);
    }

    fn charge(&mut self, id: u32, created: i64) {
        self.charges.push(
            json!({"id": format!("ch_{id}"), "object": "charge", "created": created, "amount": 5}),
        );
    }

    fn event(&mut self, kind: &str, object: &Value) {
        let n = self.events.len();
        self.events.push(json!({"id": format!("evt_{n}"), "object": "event", "created": NOW - 1_000 + n as i64 / 3, "type": kind, "data": {"object": object}}));
    }

    fn answer(&mut self, request: &Request) -> Response {
        let url = request.url.replace("%5B", "[").replace("%5D", "]");
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let pairs: Vec<(&str, &str)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let get = |name: &str| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        let types: Vec<&str> = pairs
            .iter()
            .filter(|(key, _)| *key == "types[]")
            .map(|(_, value)| *value)
            .collect();
        if self.simple && (!types.is_empty() || get("ending_before").is_some()) {
            return json(400, json!({"error": {"message": "Unexpected"}}));
        }
        let all = match path.rsplit('/').next() {
            Some("customers") => &self.customers,
            Some("charges") => &self.charges,
            Some("events") => &self.events,
            _ => {
                return json(
                    404,
                    json!({"error": {"code": "resource_missing", "message": "no"}}),
                );
            }
        };
        let number = |name: &str| get(name).map(|value| value.parse::<i64>().expect("number"));
        let mut rows: Vec<&Value> = all.iter().collect();
        if !self.simple {
            rows.reverse();
        }
        rows.retain(|row| {
            let created = row["created"].as_i64().expect("created");
            (types.is_empty() || types.contains(&row["type"].as_str().unwrap_or("")))
                && number("created[gt]").is_none_or(|after| created > after)
                && number("created[gte]").is_none_or(|after| created >= after)
        });
        let limit = get("limit").map_or(10, |limit| limit.parse().expect("limit"));
        let place = |id: &str| {
            all.iter()
                .rev()
                .position(|row| row["id"] == id)
                .map(|at| all[all.len() - 1 - at]["id"].clone())
        };
        let (data, more) = if let Some(id) = get("ending_before") {
            let Some(end) = all.iter().rev().position(|row| row["id"] == id) else {
                return json(
                    400,
                    json!({"error": {"code": "resource_missing", "message": "No such event"}}),
                );
            };
            let newer: Vec<&Value> = rows
                .iter()
                .filter(|row| {
                    all.iter().rev().position(|known| known["id"] == row["id"]) < Some(end)
                })
                .copied()
                .collect();
            let skip = newer.len().saturating_sub(limit);
            (newer[skip..].to_vec(), skip > 0)
        } else {
            let start = match get("starting_after") {
                Some(id) => rows
                    .iter()
                    .position(|row| Some(&row["id"]) == place(id).as_ref())
                    .map_or(0, |at| at + 1),
                None => 0,
            };
            (
                rows.iter().skip(start).take(limit).copied().collect(),
                rows.len() > start + limit,
            )
        };
        let response = json(
            200,
            json!({"object": "list", "data": data, "has_more": more}),
        );
        if let Some(meddle) = self.meddle.take() {
            meddle(self);
        }
        response
    }
}

fn hub_of(vendor: &Rc<RefCell<Vendor>>) -> TestHub {
    let vendor = vendor.clone();
    TestHub::new(move |request| Ok(vendor.borrow_mut().answer(request)))
}

fn read(
    hub: &TestHub,
    stream: &str,
    cursor: Option<&[u8]>,
    config: &str,
) -> (Vec<Value>, Vec<Value>, Vec<u8>) {
    let request = cursor.map_or_else(|| whole(stream), |cursor| from_cursor(stream, cursor));
    read_all(request, |request| {
        call::read::<Stripe>(hub, config, request)
    })
    .expect("reads")
}

fn ids(rows: &[Value]) -> BTreeSet<String> {
    rows.iter()
        .filter_map(|row| Some(row["id"].as_str()?.to_owned()))
        .collect()
}

fn vendor(customers: u32) -> Rc<RefCell<Vendor>> {
    let mut vendor = Vendor::default();
    for id in 0..customers {
        vendor.customer(id, "first", NOW - 5_000 + i64::from(id));
    }
    Rc::new(RefCell::new(vendor))
}

#[test]
fn the_manifest_fits_its_own_schemas() {
    let manifest = Manifest::parse(Stripe::MANIFEST).expect("parses");
    assert_eq!(manifest.problems(), Vec::<String>::new());
    assert_eq!(manifest.version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_list_is_read_once_and_then_only_what_happened() {
    let vendor = vendor(250);
    let hub = hub_of(&vendor);
    let (rows, _, cursor) = read(&hub, "customers", None, "{}");
    assert_eq!((ids(&rows).len(), rows.len()), (250, 250));
    let (rows, deletes, cursor) = read(&hub, "customers", Some(&cursor), "{}");
    assert_eq!((rows.len(), deletes.len()), (0, 0));
    for id in 0..130 {
        vendor.borrow_mut().customer(id, "second", NOW);
    }
    vendor.borrow_mut().customer(3, "third", NOW);
    vendor.borrow_mut().delete(4);
    let (rows, deletes, _) = read(&hub, "customers", Some(&cursor), r#"{"page_size": 50}"#);
    assert_eq!(deletes, [json!({"id": "cus_4"})]);
    let last = |id: &str| {
        rows.iter()
            .rfind(|row| row["id"] == id)
            .map(|row| row["name"].clone())
    };
    assert_eq!(last("cus_3"), Some(json!("third")));
    assert_eq!(last("cus_129"), Some(json!("second")));
}

#[test]
fn what_happens_while_the_list_is_read_is_met_behind_it() {
    let vendor = vendor(250);
    let hub = hub_of(&vendor);
    vendor.borrow_mut().meddle = Some(|vendor| {
        vendor.customer(249, "changed", NOW);
        vendor.customer(900, "new", NOW);
        vendor.delete(10);
    });
    let (rows, deletes, _) = read(&hub, "customers", None, "{}");
    assert!(ids(&rows).contains("cus_900"));
    let last = rows
        .iter()
        .rfind(|row| row["id"] == "cus_249")
        .expect("row");
    assert_eq!((last["name"].as_str(), deletes.len()), (Some("changed"), 1));
}

#[test]
fn an_account_without_events_is_followed_from_its_first() {
    let vendor = vendor(0);
    let hub = hub_of(&vendor);
    let (_, _, cursor) = read(&hub, "customers", None, "{}");
    vendor.borrow_mut().customer(1, "a", NOW);
    vendor.borrow_mut().customer(1, "b", NOW);
    let (rows, _, cursor) = read(&hub, "customers", Some(&cursor), "{}");
    assert_eq!(
        rows.iter()
            .map(|row| row["name"].clone())
            .collect::<Vec<_>>(),
        [json!("b")]
    );
    let (rows, ..) = read(&hub, "customers", Some(&cursor), "{}");
    assert!(rows.is_empty());
}

#[test]
fn charges_are_also_found_by_their_time_and_the_boundary_is_read_again() {
    let vendor = vendor(1);
    for id in 0..150 {
        vendor
            .borrow_mut()
            .charge(id, NOW - 10_000 + i64::from(id) * 10);
    }
    let hub = hub_of(&vendor);
    let (rows, _, cursor) = read(&hub, "charges", None, "{}");
    assert_eq!(ids(&rows).len(), 150);
    vendor.borrow_mut().charge(500, NOW - 10_000 + 1_490);
    let (rows, ..) = read(&hub, "charges", Some(&cursor), "{}");
    assert!(
        ids(&rows).contains("ch_500") && rows.len() < 12,
        "{}",
        rows.len()
    );
}

#[test]
fn a_server_that_only_scans_is_read_right() {
    let vendor = vendor(5);
    vendor.borrow_mut().simple = true;
    let hub = hub_of(&vendor);
    let scan = r#"{"events": "scan"}"#;
    let (rows, _, cursor) = read(&hub, "customers", None, scan);
    assert_eq!(ids(&rows).len(), 5);
    vendor.borrow_mut().customer(1, "a", NOW);
    vendor.borrow_mut().customer(1, "b", NOW);
    vendor.borrow_mut().delete(2);
    let (rows, deletes, _) = read(&hub, "customers", Some(&cursor), scan);
    assert_eq!(deletes, [json!({"id": "cus_2"})]);
    let last = rows.iter().rfind(|row| row["id"] == "cus_1").expect("row");
    assert_eq!(last["name"], "b");
}

#[test]
fn a_cursor_older_than_the_events_is_expired() {
    let vendor = vendor(3);
    let hub = hub_of(&vendor);
    let (_, _, cursor) = read(&hub, "customers", None, "{}");
    hub.set_now_ms(1_700_000_000_000 + 30 * 86_400_000);
    let old = from_cursor("customers", &cursor);
    let error = call::read::<Stripe>(&hub, "{}", &old).expect_err("fails");
    assert!(matches!(error, Error::CursorExpired(_)));
    hub.set_now_ms(1_700_000_000_000);
    vendor.borrow_mut().events.clear();
    let error = call::read::<Stripe>(&hub, "{}", &old).expect_err("fails");
    assert!(matches!(error, Error::CursorExpired(d) if d.code == "stripe.resource_missing"));
}

#[test]
fn a_quiet_stream_does_not_hang_on_an_event_that_is_soon_forgotten() {
    let vendor = vendor(3);
    let hub = hub_of(&vendor);
    let (_, _, cursor) = read(&hub, "charges", None, "{}");
    let day = 86_400_000;
    hub.set_now_ms(1_700_000_000_000 + 20 * day);
    vendor.borrow_mut().customer(7, "x", NOW);
    vendor.borrow_mut().events[3]["created"] = json!(NOW + 20 * 86_400);
    let (_, _, cursor) = read(&hub, "charges", Some(&cursor), "{}");
    hub.set_now_ms(1_700_000_000_000 + 40 * day);
    vendor.borrow_mut().events.drain(..3);
    let (rows, ..) = read(&hub, "charges", Some(&cursor), "{}");
    assert!(rows.is_empty());
}

#[test]
fn every_kind_of_refusal_has_its_class() {
    let class = |status: u16, body: &'static str| {
        let hub = TestHub::new(move |_| {
            Ok(Response {
                status,
                headers: Vec::new(),
                body: body.into(),
            })
        });
        call::read::<Stripe>(&hub, "{}", &whole("customers")).expect_err("fails")
    };
    assert!(
        matches!(class(401, r#"{"error":{"type":"invalid_request_error","message":"x"}}"#), Error::Auth(d) if d.code == "stripe.invalid_request_error")
    );
    assert!(matches!(class(403, "{}"), Error::Permission(_)));
    assert!(matches!(class(404, "{}"), Error::Permanent(_)));
    assert!(matches!(class(429, "{}"), Error::RateLimited(_)));
    assert!(matches!(class(500, ""), Error::Transient(_)));
    assert!(matches!(class(200, "oops"), Error::Transient(_)));
    assert!(matches!(
        class(200, r#"{"data":[{"id":"#),
        Error::Transient(_)
    ));
    let hub = TestHub::new(|_| unreachable!());
    let error = call::read::<Stripe>(&hub, "{}", &whole("invoices")).expect_err("fails");
    assert!(matches!(error, Error::Config(_)));
}

fn delivery(body: &str, time: i64, key: &[u8]) -> Delivery {
    let mac = hmac_sha256(key, format!("{time}.{body}").as_bytes());
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let header = format!("t={time},v1=00,v1={hex},v0=zz");
    Delivery {
        headers: vec![("Stripe-Signature".into(), header.into())],
        query: String::new(),
        body: body.into(),
    }
}

#[test]
fn a_signed_webhook_gives_its_row_and_any_other_none() {
    let hub = TestHub::new(|_| unreachable!()).key("webhook_secret", b"whsec_1");
    let event = |kind: &str| {
        format!(
            "{{\n  \"id\": \"evt_1\", \"created\": 1, \"type\": \"{kind}\",\n  \"data\": {{\"object\": {{\n\"id\": \"cus_1\", \"object\": \"customer\"}}}}}}"
        )
    };
    let receive =
        |delivery: &Delivery| call::receive::<Stripe>(&hub, "{}", delivery).expect("answers");
    let reply = receive(&delivery(&event("customer.updated"), NOW, b"whsec_1"));
    assert_eq!(
        (
            reply.status,
            reply.rows.len(),
            reply.rows[0].stream.as_str()
        ),
        (200, 1, "customers")
    );
    assert_eq!(
        reply.rows[0].upserts.data,
        b"{\"id\":\"cus_1\",\"object\":\"customer\",\"onefold\":{\"changed\":1}}\n"
    );
    let reply = receive(&delivery(&event("customer.deleted"), NOW, b"whsec_1"));
    assert_eq!(
        reply.rows[0].deletes.as_ref().map(|chunk| chunk.count),
        Some(1)
    );
    assert!(
        receive(&delivery(&event("invoice.paid"), NOW, b"whsec_1"))
            .rows
            .is_empty()
    );
    let mut forged = delivery(&event("customer.updated"), NOW, b"whsec_1");
    forged.body.push(b' ');
    let refused = [
        forged,
        delivery("{}", NOW - 301, b"whsec_1"),
        delivery("{}", NOW, b"other"),
        Delivery::default(),
    ];
    for delivery in &refused {
        let reply = receive(delivery);
        assert_eq!((reply.status, reply.rows.len()), (400, 0));
    }
}

#[test]
fn erasure_names_the_customers_and_deletes_only_when_told_to() {
    let found = json!({"data": [{"id": "cus_1"}], "has_more": false});
    let list = "GET https://api.stripe.com/v1/customers?limit=100&email=a%40example.com";
    let hub = TestHub::script([
        (list, json(200, found.clone())),
        (list, json(200, found)),
        (
            "DELETE https://api.stripe.com/v1/customers/cus_1",
            json(200, json!({"deleted": true})),
        ),
        (list, json(200, json!({"data": [], "has_more": false}))),
    ]);
    let ids = [Identifier::email("a@example.com")];
    let manual = call::erase_subject::<Stripe>(&hub, "{}", &ids, "r").expect("answers");
    assert!(matches!(manual.status, ErasureStatus::Manual(text) if text.contains("cus_1")));
    let done =
        call::erase_subject::<Stripe>(&hub, r#"{"erase": "delete"}"#, &ids, "r").expect("erases");
    assert_eq!(done.status, ErasureStatus::Done(1));
    let none = call::erase_subject::<Stripe>(&hub, "{}", &ids, "r").expect("answers");
    assert_eq!(none.status, ErasureStatus::NotFound);
    hub.finish();
}
