//! Writing against scripted answers, without WebAssembly.

use crate::Helpdesk;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, json};
use onefold_sdk::{Chunk, Mode, WriteRequest};
use serde_json::json as value;

const CONFIG: &str = r#"{"base_url": "https://desk.test/", "page_size": 2}"#;

#[test]
fn rows_that_the_vendor_refuses_are_named_and_those_without_a_key_are_not_sent() {
    let results = value!({"results": [{"status": "created", "id": 1}, {"status": "error", "code": "invalid_email", "message": "no"}]});
    let hub = TestHub::script([(
        "POST https://desk.test/v1/contacts/upsert",
        json(200, results),
    )]);
    let rows = b"{\"name\":\"Nobody\"}\n{\"email\":\"a@x.test\"}\n{\"email\":\"b\"}\n";
    let request = WriteRequest {
        target: "contacts".to_owned(),
        mode: Mode::Upsert,
        rows: Chunk {
            count: 3,
            data: rows.to_vec(),
        },
        idempotency_key: "k1".to_owned(),
        verify: false,
    };
    let outcome = call::write::<Helpdesk>(&hub, CONFIG, &request).expect("writes");
    let codes: Vec<_> = outcome
        .failures
        .iter()
        .map(|one| (one.index, one.code.as_str()))
        .collect();
    assert_eq!(
        codes,
        [(0, "helpdesk.no_email"), (2, "helpdesk.invalid_email")]
    );
    assert_eq!(
        hub.bodies(),
        [value!({"contacts": [{"email": "a@x.test"}, {"email": "b"}]})]
    );
}
