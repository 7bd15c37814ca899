//! Reading against scripted answers, without WebAssembly.

use crate::Helpdesk;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, json, whole};
use serde_json::json as value;

#[test]
fn every_page_is_read() {
    let url = "GET https://api.test/people?limit=";
    let hub = TestHub::script([
        (
            url,
            json(200, value!({"people": [{"id": "1"}], "next": "p2"})),
        ),
        (
            url,
            json(200, value!({"people": [{"id": "2"}], "next": null})),
        ),
    ]);
    let config = r#"{"base_url": "https://api.test"}"#;
    let batch = call::read::<Helpdesk>(&hub, config, &whole("people")).expect("reads");
    assert_eq!(batch.upserts.data, b"{\"id\":\"1\"}\n{\"id\":\"2\"}\n");
    assert!(hub.sent()[1].url.contains("after=p2"));
    assert_eq!(hub.sent()[0].auth.as_deref(), Some("token"));
    hub.finish();
}
