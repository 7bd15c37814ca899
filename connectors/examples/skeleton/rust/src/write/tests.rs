//! Writing against scripted answers, without WebAssembly.

use crate::Helpdesk;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, json};
use onefold_sdk::{Chunk, Mode, WriteRequest};
use serde_json::json as value;

#[test]
fn rows_are_sent_and_one_without_a_key_is_a_failure() {
    let hub = TestHub::script([("POST https://api.test/people", json(200, value!({})))]);
    let request = WriteRequest {
        target: "people".to_owned(),
        mode: Mode::Upsert,
        rows: Chunk {
            count: 2,
            data: b"{\"name\":\"Nobody\"}\n{\"email\":\"a@x.test\"}\n".to_vec(),
        },
        idempotency_key: "k1".to_owned(),
        verify: false,
    };
    let config = r#"{"base_url": "https://api.test"}"#;
    let outcome = call::write::<Helpdesk>(&hub, config, &request).expect("writes");
    assert_eq!(outcome.failures.len(), 1);
    assert_eq!(outcome.failures[0].index, 0);
    assert_eq!(hub.bodies(), [value!({"people": [{"email": "a@x.test"}]})]);
}
