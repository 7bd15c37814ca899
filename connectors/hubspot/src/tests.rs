//! HubSpot over a small stateful vendor and scripts: paging, boundaries, deletions, refusals.
//! Nothing here opens a socket.

use crate::HubSpot;
use onefold_sdk::connector::Connector;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, from_cursor, json, read_all, whole};
use onefold_sdk::time::{format_rfc3339, parse_rfc3339};
use onefold_sdk::{
    AudienceChange, Chunk, ErasureStatus, Error, HttpError, Identifier, Manifest, Member, Mode,
    Request, Response, WriteRequest,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

#[derive(Clone)]
struct Contact {
    id: u64,
    modified: i64,
    archived: Option<i64>,
}

/// A vendor that keeps contacts and answers the three reading endpoints.
#[derive(Default)]
struct Crm {
    contacts: Vec<Contact>,
    /// Runs after each answer, with the number of requests so far: changes while somebody reads.
    meddle: Option<fn(&mut Vec<Contact>, usize)>,
    requests: usize,
}

const T0: i64 = 1_690_000_000_000;

fn render(contact: &Contact) -> Value {
    json!({
        "id": contact.id.to_string(),
        "properties": {"email": format!("p{}@example.com", contact.id), "lastmodifieddate": format_rfc3339(contact.modified)},
        "createdAt": format_rfc3339(T0), "updatedAt": format_rfc3339(contact.modified),
        "archived": contact.archived.is_some(), "archivedAt": contact.archived.map(format_rfc3339),
    })
}

impl Crm {
    fn answer(&mut self, request: &Request) -> Response {
        self.requests += 1;
        let response = if request.url.contains("/search") {
            self.search(
                &serde_json::from_slice(request.body.as_deref().expect("body")).expect("json"),
            )
        } else {
            self.list(&request.url)
        };
        if let Some(meddle) = self.meddle {
            meddle(&mut self.contacts, self.requests);
        }
        response
    }

    fn list(&self, url: &str) -> Response {
        let parameter = |name: &str| {
            let (_, query) = url.split_once('?')?;
            query.split('&').find_map(|pair| {
                pair.strip_prefix(name)?
                    .strip_prefix('=')
                    .map(str::to_owned)
            })
        };
        let limit: usize = parameter("limit")
            .and_then(|n| n.parse().ok())
            .expect("limit");
        assert!(limit <= 100, "lists give 100 at most");
        let after: u64 = parameter("after").map_or(0, |n| n.parse().expect("after"));
        let archived = parameter("archived").as_deref() == Some("true");
        let mut found: Vec<&Contact> = self
            .contacts
            .iter()
            .filter(|contact| contact.archived.is_some() == archived && contact.id >= after)
            .collect();
        found.sort_by_key(|contact| contact.id);
        let next = found.get(limit).map(|contact| contact.id.to_string());
        let results: Vec<Value> = found
            .iter()
            .take(limit)
            .map(|contact| render(contact))
            .collect();
        match next {
            Some(after) => json(
                200,
                json!({"results": results, "paging": {"next": {"after": after}}}),
            ),
            None => json(200, json!({"results": results})),
        }
    }

    fn search(&self, body: &Value) -> Response {
        let limit = body["limit"].as_u64().expect("limit") as usize;
        assert!(limit <= 200 && body.get("after").is_none());
        let filters = body
            .pointer("/filterGroups/0/filters")
            .and_then(Value::as_array);
        let fits = |contact: &Contact| {
            filters.into_iter().flatten().all(|filter| {
                let value: i64 = filter["value"]
                    .as_str()
                    .and_then(|v| v.parse().ok())
                    .expect("value");
                match (filter["propertyName"].as_str(), filter["operator"].as_str()) {
                    (Some("lastmodifieddate"), Some("GTE")) => contact.modified >= value,
                    (Some("lastmodifieddate"), Some("EQ")) => contact.modified == value,
                    (Some("hs_object_id"), Some("GT")) => contact.id as i64 > value,
                    other => panic!("{other:?}"),
                }
            })
        };
        let mut found: Vec<&Contact> = self
            .contacts
            .iter()
            .filter(|contact| contact.archived.is_none() && fits(contact))
            .collect();
        let sort = &body["sorts"][0];
        if sort["propertyName"] == "hs_object_id" {
            found.sort_by_key(|contact| contact.id);
        } else {
            found.sort_by_key(|contact| (contact.modified, contact.id));
        }
        if sort["direction"] == "DESCENDING" {
            found.reverse();
        }
        let results: Vec<Value> = found
            .iter()
            .take(limit)
            .map(|contact| render(contact))
            .collect();
        json(200, json!({"total": found.len(), "results": results}))
    }
}

fn hub_of(crm: &Rc<RefCell<Crm>>) -> TestHub {
    let crm = crm.clone();
    TestHub::new(move |request| Ok(crm.borrow_mut().answer(request)))
}

fn crm(contacts: impl IntoIterator<Item = (u64, i64)>) -> Rc<RefCell<Crm>> {
    let contact = |(id, offset)| Contact {
        id,
        modified: T0 + offset,
        archived: None,
    };
    Rc::new(RefCell::new(Crm {
        contacts: contacts.into_iter().map(contact).collect(),
        ..Crm::default()
    }))
}

fn ids(rows: &[Value]) -> BTreeSet<u64> {
    rows.iter()
        .filter_map(|row| row["id"].as_str()?.parse().ok())
        .collect()
}

fn read(hub: &TestHub, cursor: Option<&[u8]>, config: &str) -> (Vec<Value>, Vec<Value>, Vec<u8>) {
    let request = cursor.map_or_else(
        || whole("contacts"),
        |cursor| from_cursor("contacts", cursor),
    );
    read_all(request, |request| {
        call::read::<HubSpot>(hub, config, request)
    })
    .expect("reads")
}

#[test]
fn the_manifest_fits_its_own_schemas() {
    let manifest = Manifest::parse(HubSpot::MANIFEST).expect("parses");
    assert_eq!(manifest.problems(), Vec::<String>::new());
    assert_eq!(manifest.version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_first_read_finds_all_and_the_second_only_what_changed() {
    let crm = crm((1..=250).map(|id| (id, id as i64 * 1_000_000)));
    let hub = hub_of(&crm);
    let (rows, _, cursor) = read(&hub, None, "{}");
    assert_eq!(ids(&rows), (1..=250).collect());
    crm.borrow_mut().contacts[6].modified = T0 + 900_000_000;
    let (rows, deletes, _) = read(&hub, Some(&cursor), "{}");
    assert_eq!((ids(&rows), deletes.len()), (BTreeSet::from([7, 250]), 0));
}

#[test]
fn what_changes_while_the_list_is_read_is_found_behind_it() {
    let crm = crm((1..=250).map(|id| (id, id as i64)));
    crm.borrow_mut().meddle = Some(|contacts, requests| {
        if requests == 3 {
            contacts[0].modified = T0 + 5_000_000;
        }
    });
    let (rows, _, _) = read(&hub_of(&crm), None, "{}");
    let last = rows.iter().rfind(|row| row["id"] == "1").expect("row");
    assert_eq!(
        last["updatedAt"].as_str().and_then(parse_rfc3339),
        Some(T0 + 5_000_000)
    );
}

#[test]
fn a_search_whose_records_move_while_it_is_read_skips_none() {
    let crm = crm([(0, 0)]);
    let hub = hub_of(&crm);
    let (_, _, cursor) = read(&hub, None, "{}");
    crm.borrow_mut().contacts = (1..=500)
        .map(|id| Contact {
            id,
            modified: T0 + id as i64 * 1_000,
            archived: None,
        })
        .collect();
    crm.borrow_mut().meddle = Some(|contacts, requests| {
        if let Some(contact) = contacts.get_mut(requests) {
            contact.modified = T0 + 9_000_000 + requests as i64;
        }
    });
    let (rows, _, _) = read(&hub, Some(&cursor), r#"{"page_size": 10}"#);
    assert_eq!(ids(&rows), (1..=500).collect());
}

#[test]
fn more_records_of_one_time_than_a_page_holds_are_all_read() {
    let crm = crm([(1, 0)]);
    let hub = hub_of(&crm);
    let (_, _, cursor) = read(&hub, None, "{}");
    let contact = |id: u64| Contact {
        id,
        modified: T0 + if id < 5 { 1 } else { 77 },
        archived: None,
    };
    crm.borrow_mut().contacts = (1..=1_000).map(contact).collect();
    crm.borrow_mut().contacts.push(Contact {
        id: 2_000,
        modified: T0 + 78,
        archived: None,
    });
    for page_size in [1, 7, 200] {
        let (rows, _, end) = read(
            &hub,
            Some(&cursor),
            &format!(r#"{{"page_size": {page_size}}}"#),
        );
        assert_eq!(ids(&rows), (1..=1_000).chain([2_000]).collect());
        let (again, _, _) = read(&hub, Some(&end), "{}");
        assert!(ids(&again).contains(&2_000), "the boundary is read again");
    }
}

#[test]
fn a_contact_that_is_archived_and_restored_is_no_deletion() {
    let crm = crm((1..=4).map(|id| (id, id as i64 * 1_000_000)));
    let hub = hub_of(&crm);
    let (_, _, cursor) = read(&hub, None, "{}");
    crm.borrow_mut().contacts[1].archived = Some(T0 + 10_000_000);
    let (_, deletes, cursor) = read(&hub, Some(&cursor), "{}");
    assert_eq!(ids(&deletes), BTreeSet::from([2]));
    crm.borrow_mut().contacts[1] = Contact {
        id: 2,
        modified: T0 + 10_000_000,
        archived: None,
    };
    let (rows, deletes, _) = read(&hub, Some(&cursor), "{}");
    assert_eq!((ids(&rows).contains(&2), deletes.len()), (true, 0));
}

#[test]
fn archived_contacts_become_deletions_and_old_ones_are_not_repeated() {
    let crm = crm((1..=3).map(|id| (id, 0)));
    let hub = hub_of(&crm);
    let (_, deletes, cursor) = read(&hub, None, "{}");
    assert!(deletes.is_empty());
    crm.borrow_mut().contacts[1].archived = Some(T0 + 10_000_000);
    let (_, deletes, cursor) = read(&hub, Some(&cursor), "{}");
    assert_eq!(deletes, [json!({"id": "2"})]);
    crm.borrow_mut().contacts[2].archived = Some(T0 + 20_000_000);
    let (_, deletes, cursor) = read(&hub, Some(&cursor), "{}");
    assert_eq!(deletes, [json!({"id": "2"}), json!({"id": "3"})]);
    let (_, deletes, _) = read(&hub, Some(&cursor), "{}");
    assert_eq!(deletes, [json!({"id": "3"})]);
}

#[test]
fn small_batches_read_the_same() {
    let crm = crm((1..=40).map(|id| (id, id as i64 / 10)));
    let hub = hub_of(&crm);
    let mut request = whole("contacts");
    request.max_records = 3;
    let (rows, _, _) = read_all(request, |request| {
        call::read::<HubSpot>(&hub, "{}", request)
    })
    .expect("reads");
    assert_eq!(ids(&rows), (1..=40).collect());
}

#[test]
fn every_kind_of_refusal_has_its_class() {
    let class = |status: u16, body: &'static str| {
        let hub = TestHub::new(move |_| {
            Ok(Response {
                status,
                headers: vec![("Retry-After".into(), b"10".to_vec())],
                body: body.into(),
            })
        });
        call::read::<HubSpot>(&hub, "{}", &whole("contacts")).expect_err("fails")
    };
    assert!(
        matches!(class(401, r#"{"category":"INVALID_AUTHENTICATION","message":"x"}"#), Error::Auth(d) if d.code == "hubspot.INVALID_AUTHENTICATION")
    );
    assert!(matches!(class(403, "{}"), Error::Permission(_)));
    assert!(matches!(class(404, "{}"), Error::Permanent(_)));
    assert!(
        matches!(class(429, "{}"), Error::RateLimited(limit) if limit.retry_after_ms == Some(10_000) && limit.bucket.as_deref() == Some("search"))
    );
    assert!(matches!(class(500, ""), Error::Transient(_)));
    assert!(matches!(class(200, "<html>"), Error::Transient(_)));
    assert!(matches!(
        class(200, r#"{"results":[{"id":"1","#),
        Error::Transient(_)
    ));
    assert!(matches!(
        class(200, r#"{"message":"ok"}"#),
        Error::Transient(_)
    ));
    let hub = TestHub::new(|_| Err(HttpError::Connect("reset".into())));
    let error = call::check::<HubSpot>(&hub, "{}").expect_err("fails");
    assert!(matches!(error, Error::Transient(_)));
    let error = call::check::<HubSpot>(&hub, r#"{"base": "x"}"#).expect_err("fails");
    assert!(matches!(error, Error::Config(_)));
}

fn write_request(lines: &str, verify: bool) -> WriteRequest {
    WriteRequest {
        target: "contacts".into(),
        mode: Mode::Upsert,
        rows: Chunk {
            count: lines.lines().count() as u32,
            data: lines.into(),
        },
        idempotency_key: "k".into(),
        verify,
    }
}

#[test]
fn rows_become_text_properties_and_each_failure_finds_its_row() {
    let answer = json!({
        "status": "COMPLETE", "numErrors": 2,
        "results": [{"id": "1", "properties": {"email": "a@example.com"}}],
        "errors": [
            {"status": "error", "category": "VALIDATION_ERROR", "message": "bad date", "context": {"objectWriteTraceId": ["1"]}},
            {"status": "error", "category": "CONFLICT", "message": "taken", "context": {"ids": ["C@example.com"]}}
        ]
    });
    let hub = TestHub::script([(
        "POST https://api.hubapi.com/crm/v3/objects/contacts/batch/upsert",
        json(207, answer),
    )]);
    let lines = "{\"email\":\"A@example.com\",\"age\":30,\"vip\":true,\"company\":null,\"tags\":[\"x\",\"y\"]}\n{\"email\":\"b@example.com\"}\n{\"email\":\"c@example.com\"}\n{\"age\":1}\n{\"email\":\"a@EXAMPLE.com\"}\n";
    let outcome = call::write::<HubSpot>(&hub, "{}", &write_request(lines, false)).expect("writes");
    let failed: Vec<(u32, &str)> = outcome
        .failures
        .iter()
        .map(|f| (f.index, f.code.as_str()))
        .collect();
    assert_eq!(
        failed,
        [
            (1, "hubspot.VALIDATION_ERROR"),
            (2, "hubspot.CONFLICT"),
            (3, "hubspot.no_email"),
            (4, "hubspot.duplicate")
        ]
    );
    assert_eq!(
        hub.bodies()[0]["inputs"][0],
        json!({"idProperty": "email", "id": "A@example.com", "objectWriteTraceId": "0",
            "properties": {"email": "A@example.com", "age": "30", "vip": "true", "company": "", "tags": "x;y"}})
    );
}

#[test]
fn after_a_lost_answer_only_what_differs_is_sent() {
    let present = json!({"results": [
        {"id": "1", "properties": {"email": "a@example.com", "age": "30"}},
        {"id": "2", "properties": {"email": "b@example.com", "age": null}}
    ]});
    let hub = TestHub::script([
        (
            "POST https://api.hubapi.com/crm/v3/objects/contacts/batch/read",
            json(207, present),
        ),
        (
            "POST https://api.hubapi.com/crm/v3/objects/contacts/batch/upsert",
            json(200, json!({"results": []})),
        ),
    ]);
    let lines = "{\"email\":\"a@example.com\",\"age\":30}\n{\"email\":\"b@example.com\",\"age\":31}\n{\"email\":\"c@example.com\"}\n";
    let outcome = call::write::<HubSpot>(&hub, "{}", &write_request(lines, true)).expect("writes");
    hub.finish();
    assert!(outcome.failures.is_empty());
    let sent: Vec<Value> = hub.bodies()[1]["inputs"]
        .as_array()
        .expect("inputs")
        .iter()
        .map(|input| input["id"].clone())
        .collect();
    assert_eq!(sent, [json!("b@example.com"), json!("c@example.com")]);
}

fn change(emails: &[&str], verify: bool) -> AudienceChange {
    AudienceChange {
        audience: "9".into(),
        members: emails
            .iter()
            .map(|email| Member {
                ids: vec![Identifier::email(*email)],
                traits: None,
            })
            .collect(),
        idempotency_key: "k".into(),
        verify,
    }
}

#[test]
fn members_are_found_by_email_and_added_by_id() {
    let found = json!({"results": [{"id": "11", "properties": {"email": "a@example.com"}}]});
    let hub = TestHub::script([
        (
            "POST https://api.hubapi.com/crm/v3/objects/contacts/batch/read",
            json(207, found.clone()),
        ),
        (
            "PUT https://api.hubapi.com/crm/v3/lists/9/memberships/add",
            json(200, json!({"recordsIdsAdded": ["11"]})),
        ),
        (
            "POST https://api.hubapi.com/crm/v3/objects/contacts/batch/read",
            json(207, found),
        ),
        (
            "GET https://api.hubapi.com/crm/v3/lists/9/memberships?limit=250",
            json(200, json!({"results": [{"recordId": "11"}]})),
        ),
    ]);
    let outcome = call::add::<HubSpot>(
        &hub,
        "{}",
        &change(&["A@example.com", "nobody@example.com"], false),
    )
    .expect("adds");
    assert_eq!(
        outcome.failures.iter().map(|f| f.index).collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(hub.bodies()[1], json!(["11"]));
    // Looking first, there is nothing left to add.
    call::add::<HubSpot>(&hub, "{}", &change(&["a@example.com"], true)).expect("adds");
    hub.finish();
}

#[test]
fn a_list_is_made_only_when_there_is_none_and_never_a_dynamic_one() {
    let list = |kind: &str| json!({"list": {"listId": "9", "name": "vip", "processingType": kind}});
    let by_name = "GET https://api.hubapi.com/crm/v3/lists/object-type-id/0-1/name/vip";
    let hub = TestHub::script([
        (by_name, json(200, list("MANUAL"))),
        (by_name, json(404, json!({"message": "none"}))),
        (
            "POST https://api.hubapi.com/crm/v3/lists/",
            json(200, list("MANUAL")),
        ),
        (by_name, json(200, list("DYNAMIC"))),
    ]);
    assert_eq!(
        call::create::<HubSpot>(&hub, "{}", "vip", None)
            .expect("finds")
            .id,
        "9"
    );
    assert_eq!(
        call::create::<HubSpot>(&hub, "{}", "vip", None)
            .expect("makes")
            .id,
        "9"
    );
    let error = call::create::<HubSpot>(&hub, "{}", "vip", None).expect_err("refuses");
    assert!(matches!(error, Error::Config(_)));
    hub.finish();
}

#[test]
fn erasure_is_by_email() {
    let hub = TestHub::script([(
        "POST https://api.hubapi.com/crm/v3/objects/contacts/gdpr-delete",
        Response {
            status: 204,
            ..Response::default()
        },
    )]);
    let done =
        call::erase_subject::<HubSpot>(&hub, "{}", &[Identifier::email("a@example.com")], "r")
            .expect("erases");
    assert_eq!(done.status, ErasureStatus::Done(1));
    assert_eq!(
        hub.bodies()[0],
        json!({"idProperty": "email", "objectId": "a@example.com"})
    );
    let none = call::erase_subject::<HubSpot>(&hub, "{}", &[], "r").expect("answers");
    assert!(matches!(none.status, ErasureStatus::Manual(_)));
}
