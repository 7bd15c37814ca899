//! Reading against scripted answers, without WebAssembly.

use crate::Helpdesk;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, from_cursor, json, whole};
use onefold_sdk::{Error, Response};
use serde_json::json as value;

const CONFIG: &str = r#"{"base_url": "https://desk.test/", "page_size": 2}"#;

fn text(status: u16, body: &str) -> Response {
    Response {
        status,
        body: body.into(),
        ..Response::default()
    }
}

#[test]
fn records_are_passed_on_as_they_were_written_and_tombstones_as_deletes() {
    let first = r#"{"contacts":[{"id":12345678901234567890,"score":1.10},{"id":2, "x":1e2}],"next":"a/1","more":true}"#;
    let second = r#"{"contacts":[{"id":98765432109876543210,"deleted":true,"updated_at":"x"}],"next":"a2","more":false}"#;
    let hub = TestHub::script([
        (
            "GET https://desk.test/v1/contacts?limit=2",
            text(200, first),
        ),
        (
            "GET https://desk.test/v1/contacts?limit=2&after=a%2F1",
            text(200, second),
        ),
    ]);
    let batch = call::read::<Helpdesk>(&hub, CONFIG, &whole("contacts")).expect("reads");
    assert_eq!(
        String::from_utf8_lossy(&batch.upserts.data),
        "{\"id\":12345678901234567890,\"score\":1.10}\n{\"id\":2, \"x\":1e2}\n"
    );
    let deletes = batch.deletes.expect("one");
    assert_eq!(deletes.data, b"{\"id\":98765432109876543210}\n");
    assert_eq!(hub.sent()[0].auth.as_deref(), Some("token"));
    hub.finish();
}

#[test]
fn a_record_that_is_deleted_and_created_again_is_there() {
    let first = r#"{"tickets":[{"id":"T-1","deleted":true},{"id":"T-2","deleted":true}],"next":"a1","more":true}"#;
    let second = r#"{"tickets":[{"id":"T-1","subject":"again"}],"next":"a2","more":false}"#;
    let hub = TestHub::script([
        ("GET https://desk.test/v1/tickets?limit=2", text(200, first)),
        (
            "GET https://desk.test/v1/tickets?limit=2&after=a1",
            text(200, second),
        ),
    ]);
    let batch = call::read::<Helpdesk>(&hub, CONFIG, &whole("tickets")).expect("reads");
    assert_eq!(
        batch.upserts.data,
        b"{\"id\":\"T-1\",\"subject\":\"again\"}\n"
    );
    assert_eq!(batch.deletes.expect("one").data, b"{\"id\":\"T-2\"}\n");
}

#[test]
fn a_cursor_that_the_vendor_no_longer_knows_asks_for_a_fresh_start() {
    let gone = json(410, value!({"error": {"code": "cursor_expired"}}));
    let hub = TestHub::script([("GET https://desk.test/v1/tickets?limit=2&after=old", gone)]);
    let request = from_cursor("tickets", br#"{"after":"old"}"#);
    let error = call::read::<Helpdesk>(&hub, CONFIG, &request).expect_err("fails");
    assert!(matches!(error, Error::CursorExpired(_)));
}
