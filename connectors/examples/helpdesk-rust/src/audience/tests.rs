//! Tagging and erasing against scripted answers, without WebAssembly.

use crate::Helpdesk;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, json};
use onefold_sdk::{AudienceChange, ErasureStatus, Identifier, Member};
use serde_json::json as value;

const CONFIG: &str = r#"{"base_url": "https://desk.test/", "page_size": 2}"#;

#[test]
fn members_are_sent_a_hundred_at_a_time() {
    let member = |n: usize| Member {
        ids: vec![Identifier::email(format!("p{n}@x.test"))],
        traits: None,
    };
    let added = value!({"results": vec![value!({"status": "added"}); 100]});
    let refused = value!({"results": [{"status": "error", "code": "unknown_contact"}]});
    let url = "POST https://desk.test/v1/tags/t%201/members";
    let hub = TestHub::script([(url, json(200, added)), (url, json(200, refused))]);
    let change = AudienceChange {
        audience: "t 1".to_owned(),
        members: (0..101).map(member).collect(),
        ..AudienceChange::default()
    };
    let outcome = call::add::<Helpdesk>(&hub, CONFIG, &change).expect("adds");
    assert_eq!(outcome.failures.len(), 1);
    assert_eq!(outcome.failures[0].index, 100);
    assert_eq!(outcome.failures[0].code, "helpdesk.unknown_contact");
    hub.finish();
}

#[test]
fn erasing_somebody_who_is_not_there_is_no_failure() {
    let url = "POST https://desk.test/v1/contacts/erase";
    let hub = TestHub::script([
        (url, json(200, value!({"erased": 1}))),
        (url, json(404, value!({"error": {"code": "not_found"}}))),
    ]);
    let ids = [Identifier::email("a@x.test")];
    let erase = || {
        call::erase_subject::<Helpdesk>(&hub, CONFIG, &ids, "r1")
            .expect("erases")
            .status
    };
    assert_eq!(erase(), ErasureStatus::Done(1));
    assert_eq!(erase(), ErasureStatus::NotFound);
}
