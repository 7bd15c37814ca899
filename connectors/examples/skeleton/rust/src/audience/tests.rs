//! Lists against scripted answers, without WebAssembly.

use crate::Helpdesk;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, json};
use onefold_sdk::{AudienceChange, Identifier, Member};
use serde_json::json as value;

#[test]
fn members_are_added_by_their_address() {
    let hub = TestHub::script([("POST https://api.test/lists/l1/add", json(200, value!({})))]);
    let change = AudienceChange {
        audience: "l1".to_owned(),
        members: vec![Member {
            ids: vec![Identifier::email("a@x.test")],
            traits: None,
        }],
        ..AudienceChange::default()
    };
    let config = r#"{"base_url": "https://api.test"}"#;
    let outcome = call::add::<Helpdesk>(&hub, config, &change).expect("adds");
    assert_eq!(outcome.failures, []);
    assert_eq!(hub.bodies(), [value!({"emails": ["a@x.test"]})]);
}
