//! HubSpot over a small stateful vendor and scripts: paging, boundaries, deletions, refusals.
//! Nothing here opens a socket.

mod lists;

use crate::HubSpot;
use onefold_sdk::connector::Connector;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, from_cursor, json, read_all, whole};
use onefold_sdk::time::{format_rfc3339, parse_rfc3339};
use onefold_sdk::{
    AudienceChange, Chunk, ErasureStatus, Error, HttpError, Identifier, Manifest, Member, Mode,
    ReadRequest, Request, Response, WriteRequest,
};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

#[derive(Clone, Default)]
struct Contact {
    id: u64,
    modified: i64,
    archived: Option<i64>,
    /// As HubSpot writes them.
    merged: Value,
    company: Option<u64>,
}

/// A vendor that keeps contacts and answers the reading endpoints.
#[derive(Default)]
struct Crm {
    contacts: Vec<Contact>,
    /// What the search does not show yet, as long as its index lags.
    hidden: BTreeSet<u64>,
    /// Runs after each answer, with the number of requests so far: changes while somebody reads.
    meddle: Option<fn(&mut Vec<Contact>, usize)>,
    requests: usize,
}

const T0: i64 = 1_690_000_000_000;

/// The properties that were asked for, of which one is made up.
fn render(contact: &Contact, asked: &[String]) -> Value {
    let mut properties = Map::new();
    for name in asked {
        let value = match name.as_str() {
            "email" => json!(format!("p{}@example.com", contact.id)),
            "lastmodifieddate" | "hs_lastmodifieddate" => json!(format_rfc3339(contact.modified)),
            "hs_object_id" => json!(contact.id.to_string()),
            "hs_merged_object_ids" => contact.merged.clone(),
            "associatedcompanyid" => json!(contact.company.map(|id| id.to_string())),
            _ => Value::Null,
        };
        properties.insert(name.clone(), value);
    }
    json!({
        "id": contact.id.to_string(), "properties": properties,
        "createdAt": format_rfc3339(T0), "updatedAt": format_rfc3339(contact.modified),
        "archived": contact.archived.is_some(), "archivedAt": contact.archived.map(format_rfc3339),
    })
}

fn names(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).expect("names")
}

impl Crm {
    fn answer(&mut self, request: &Request) -> Response {
        self.requests += 1;
        let body = || serde_json::from_slice(request.body.as_deref().expect("body")).expect("json");
        let response = if request.url.len() > 8_000 {
            json(414, json!({}))
        } else if request.url.contains("/search") {
            assert!(
                request
                    .body
                    .as_ref()
                    .is_some_and(|body| body.len() <= 3_000)
            );
            self.search(&body())
        } else if request.url.contains("/associations/") {
            self.associations(&body())
        } else if request.url.contains("/account-info/") {
            json(200, json!({"companyCurrency": "PLN"}))
        } else if request.url.contains("/batch/read") {
            self.batch(&body())
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
        let asked = parameter("properties").expect("properties");
        let asked: Vec<String> = asked.split("%2C").map(str::to_owned).collect();
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
            .map(|contact| render(contact, &asked))
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
                let value = || -> i64 {
                    let text = filter["value"].as_str();
                    text.and_then(|v| v.parse().ok()).expect("value")
                };
                match (filter["propertyName"].as_str(), filter["operator"].as_str()) {
                    (Some("lastmodifieddate" | "hs_lastmodifieddate"), Some("GTE")) => {
                        contact.modified >= value()
                    }
                    (Some("lastmodifieddate"), Some("EQ")) => contact.modified == value(),
                    (Some("hs_object_id"), Some("GT")) => contact.id as i64 > value(),
                    (Some("hs_merged_object_ids"), Some("HAS_PROPERTY")) => {
                        !contact.merged.is_null() && contact.merged != ""
                    }
                    other => panic!("{other:?}"),
                }
            })
        };
        let mut found: Vec<&Contact> = self
            .contacts
            .iter()
            .filter(|contact| contact.archived.is_none() && fits(contact))
            .filter(|contact| !self.hidden.contains(&contact.id))
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
        let asked = names(&body["properties"]);
        let results: Vec<Value> = found
            .iter()
            .take(limit)
            .map(|contact| render(contact, &asked))
            .collect();
        json(200, json!({"total": found.len(), "results": results}))
    }

    fn batch(&self, body: &Value) -> Response {
        let inputs = body["inputs"].as_array().expect("inputs");
        assert!((1..=100).contains(&inputs.len()));
        let asked = names(&body["properties"]);
        let (mut results, mut absent) = (Vec::new(), Vec::new());
        for input in inputs {
            let id = input["id"].as_str().expect("a text");
            let is_it = |contact: &&Contact| {
                let merged = contact.merged.as_str().unwrap_or_default();
                contact.id.to_string() == id || merged.split(';').any(|one| one == id)
            };
            match self.contacts.iter().find(is_it) {
                Some(contact) => results.push(render(contact, &asked)),
                None => absent.push(id),
            }
        }
        let errors = [
            json!({"category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": absent}}),
        ];
        match absent.is_empty() {
            true => json(200, json!({"results": results})),
            false => json(
                207,
                json!({"results": results, "numErrors": 1, "errors": errors}),
            ),
        }
    }

    /// Contacts with a company have it as the primary one, and company 1, too.
    fn associations(&self, body: &Value) -> Response {
        let (mut results, mut errors) = (Vec::new(), Vec::new());
        for input in body["inputs"].as_array().expect("inputs") {
            let id = input["id"].as_str().expect("a text");
            let contact = self.contacts.iter().find(|one| one.id.to_string() == id);
            let company = contact.and_then(|contact| contact.company);
            match company.filter(|id| *id != 9) {
                Some(company) => results.push(json!({"from": {"id": id}, "to": [
                    {"toObjectId": 1, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": null}]},
                    {"toObjectId": company, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"}]},
                ]})),
                None => errors.push(json!({"category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND", "message": "No company"})),
            }
        }
        json(207, json!({"results": results, "errors": errors}))
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
        ..Contact::default()
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

fn gone(rows: &[Value]) -> Vec<u64> {
    let ids = rows.iter().map(|row| row["id"].as_str().expect("id"));
    ids.map(|id| id.parse().expect("a number")).collect()
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
            ..Contact::default()
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
        ..Contact::default()
    };
    crm.borrow_mut().contacts = (1..=1_000).map(contact).collect();
    crm.borrow_mut().contacts.push(Contact {
        id: 2_000,
        modified: T0 + 78,
        ..Contact::default()
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
        ..Contact::default()
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

/// How many deletions come when a batch may have three.
fn deleted_by_threes(hub: &TestHub, mut request: ReadRequest) -> usize {
    request.max_records = 3;
    let (_, deletes, _) = read_all(request, |request| {
        let batch = call::read::<HubSpot>(hub, "{}", request)?;
        let deletes = batch.deletes.as_ref().map_or(0, |chunk| chunk.count);
        assert!(deletes <= 3);
        Ok(batch)
    })
    .expect("reads");
    deletes.len()
}

const HOUR: i64 = 3_600_000;

// The index shows a change seconds later. A later change may be shown before it, and then the next run comes hours later.
#[test]
fn what_the_index_did_not_show_at_one_read_is_found_by_the_next_however_late_that_is() {
    for (between, ahead) in [
        (60_000, 0),
        (HOUR / 2, 0),
        (2 * HOUR, 0),
        (30 * HOUR, 0),
        (60_000, 5 * HOUR),
    ] {
        let crm = crm((1..=9).map(|id| (id, id as i64)));
        let hub = hub_of(&crm);
        // By the hub's clock, which is `ahead` of the vendor's.
        let mut now = T0 + ahead + 10 * HOUR;
        hub.set_now_ms(now as u64);
        let (_, _, mut cursor) = read(&hub, None, "{}");
        let at = 10 * HOUR + between;
        now += between;
        crm.borrow_mut().contacts.extend([
            merged(10, at, Value::Null),
            merged(11, at + 10, json!("3;4")),
            merged(12, at + 50, Value::Null),
        ]);
        crm.borrow_mut()
            .contacts
            .retain(|one| ![3, 4].contains(&one.id));
        crm.borrow_mut().contacts[0].modified = T0 + at + 5;
        crm.borrow_mut().hidden = BTreeSet::from([1, 10, 11]);
        hub.set_now_ms(now as u64 + 1_000);
        let (rows, deletes, next) = read(&hub, Some(&cursor), "{}");
        assert_eq!((ids(&rows).contains(&12), deletes.len()), (true, 0));
        cursor = next;
        crm.borrow_mut().hidden = BTreeSet::new();
        now += between;
        hub.set_now_ms(now as u64);
        let (rows, deletes, next) = read(&hub, Some(&cursor), "{}");
        assert!(
            ids(&rows).is_superset(&BTreeSet::from([1, 10, 11])),
            "{between}: {rows:?}"
        );
        assert_eq!(gone(&deletes), [3, 4], "{between}");
        // What was seen long enough after it is not read for ever.
        cursor = next;
        let mut last = 0;
        for _ in 0..3 {
            now += 2 * HOUR;
            hub.set_now_ms(now as u64);
            let (rows, _, next) = read(&hub, Some(&cursor), "{}");
            (last, cursor) = (rows.len(), next);
        }
        assert_eq!(last, 1, "{between}: only the newest is looked at again");
    }
}

// The list of archived records has no order: what is deleted while it is walked may be on a page that was read already.
#[test]
fn what_is_deleted_behind_a_walk_is_found_by_the_next() {
    let crm = crm((1..=250).map(|id| (id, id as i64)));
    let vendor = crm.clone();
    let hub = TestHub::new(move |request| {
        let mut crm = vendor.borrow_mut();
        let answer = crm.answer(request);
        let is_walk = request.url.contains("archived=true");
        // Once the first page of the walk was read, one from before it goes, and an hour later the last one does.
        if is_walk && !request.url.contains("after=") && crm.contacts[150].archived.is_some() {
            crm.contacts[0].archived = Some(T0 + HOUR + 10_000);
            crm.contacts[249].archived = Some(T0 + 2 * HOUR);
        }
        Ok(answer)
    });
    hub.set_now_ms((T0 + HOUR) as u64);
    let (_, _, cursor) = read(&hub, None, "{}");
    for contact in &mut crm.borrow_mut().contacts[99..] {
        contact.archived = Some(T0 + HOUR - 1_000);
    }
    let (_, deletes, cursor) = read(&hub, Some(&cursor), "{}");
    assert!(!gone(&deletes).contains(&1), "it went behind the walk");
    hub.set_now_ms((T0 + 3 * HOUR) as u64);
    let (_, later, _) = read(&hub, Some(&cursor), "{}");
    let all: BTreeSet<u64> = gone(&deletes).into_iter().chain(gone(&later)).collect();
    assert!(all.contains(&1), "the first is deleted: {}", all.len());
    assert_eq!(all.len(), 152);
}

#[test]
fn what_was_merged_into_a_contact_that_is_archived_by_then_is_deleted() {
    let crm = crm([(1, 0), (2, 0), (3, 0), (4, 0)]);
    let hub = hub_of(&crm);
    let (_, _, cursor) = read(&hub, None, "{}");
    // Merged into a new one, and into one of both; each result is archived before the next read.
    let archived = |id, ids: &str| Contact {
        archived: Some(T0 + 10_000_000),
        ..merged(id, 9_000_000, json!(ids))
    };
    crm.borrow_mut().contacts = vec![archived(5, "1;2"), archived(3, "4")];
    let (_, deletes, cursor) = read(&hub, Some(&cursor), "{}");
    assert_eq!(
        gone(&deletes).into_iter().collect::<BTreeSet<u64>>(),
        (1..=5).collect()
    );
    let many: Vec<String> = (1_000..1_250).map(|id| id.to_string()).collect();
    crm.borrow_mut().contacts = vec![Contact {
        archived: Some(T0 + 20_000_000),
        ..merged(6, 19_000_000, json!(many.join(";")))
    }];
    assert_eq!(
        deleted_by_threes(&hub, from_cursor("contacts", &cursor)),
        251
    );
}

fn merged(id: u64, offset: i64, merged: Value) -> Contact {
    Contact {
        id,
        modified: T0 + offset,
        merged,
        ..Contact::default()
    }
}

// F7
#[test]
fn a_merge_deletes_what_was_merged_at_the_next_read() {
    let crm = crm([(11, 0), (22, 1_000), (44, 2_000)]);
    let hub = hub_of(&crm);
    let (_, deletes, cursor) = read(&hub, None, "{}");
    assert!(deletes.is_empty());
    // A new record with a new id takes the place of both.
    crm.borrow_mut().contacts = vec![
        merged(44, 2_000, Value::Null),
        merged(55, 10_000_000, json!("11;22")),
    ];
    let (rows, deletes, cursor) = read(&hub, Some(&cursor), "{}");
    assert_eq!(
        (ids(&rows).contains(&55), gone(&deletes)),
        (true, vec![11, 22])
    );
    // Which is merged in turn: its list has all that ever were.
    crm.borrow_mut().contacts = vec![merged(66, 20_000_000, json!("11;22;55;44"))];
    let (rows, deletes, cursor) = read(&hub, Some(&cursor), "{}");
    assert_eq!(
        (ids(&rows), gone(&deletes)),
        (BTreeSet::from([66]), vec![11, 22, 55, 44])
    );
    crm.borrow_mut()
        .contacts
        .push(merged(77, 30_000_000, Value::Null));
    let (rows, deletes, cursor) = read(&hub, Some(&cursor), "{}");
    // The last change is looked at again, as always.
    assert_eq!((ids(&rows).contains(&77), deletes.len()), (true, 4));
    let (_, deletes, _) = read(&hub, Some(&cursor), "{}");
    assert!(deletes.is_empty(), "what is known is not repeated");
}

#[test]
fn the_ids_of_what_was_merged_may_be_missing_empty_spaced_and_of_any_type() {
    let crm = crm([]);
    crm.borrow_mut().contacts = vec![
        merged(1, 0, Value::Null),
        merged(2, 0, json!("")),
        merged(3, 0, json!(" ; ;")),
        merged(4, 0, json!(" 101 ;102;; 101;4")),
        merged(5, 0, json!(103)),
        merged(6, 0, json!(["104", 105, null, {}])),
        merged(7, 0, json!({"ids": "106"})),
        merged(8, 0, json!(true)),
    ];
    let hub = hub_of(&crm);
    for page_size in [1, 3, 200] {
        let config = format!(r#"{{"page_size": {page_size}}}"#);
        let (rows, deletes, _) = read(&hub, None, &config);
        assert_eq!(ids(&rows), (1..=8).collect());
        assert_eq!(gone(&deletes), [101, 102, 103, 104, 105]);
    }
}

#[test]
fn what_a_page_has_from_before_its_merge_is_deleted_behind_it() {
    // 200 is merged into 1 when page one has been read, and the second page has it still.
    let crm = crm((1..=250).map(|id| (id, id as i64)));
    crm.borrow_mut().contacts[0].merged = json!("200");
    let (rows, deletes, _) = read(&hub_of(&crm), None, "{}");
    assert!(ids(&rows).contains(&200));
    assert_eq!(gone(&deletes), [200]);
    let again = self::crm((1..=250).map(|id| (id, id as i64)));
    again.borrow_mut().meddle = Some(|contacts, requests| {
        if requests == 2 {
            contacts.retain(|one| one.id != 200);
            contacts[0] = merged(1, 9_000_000, json!("200"));
        }
    });
    let (rows, deletes, _) = read(&hub_of(&again), None, "{}");
    let winner = rows.iter().rfind(|row| row["id"] == "1").expect("row");
    assert_eq!(winner["properties"]["hs_merged_object_ids"], "200");
    assert_eq!(gone(&deletes), [200]);
}

#[test]
fn a_record_with_many_merges_fills_more_than_one_batch() {
    let ids: Vec<String> = (1_000..1_250).map(|id| id.to_string()).collect();
    let crm = crm([]);
    crm.borrow_mut().contacts = vec![merged(1, 0, json!(ids.join(";"))), merged(2, 5, json!("7"))];
    let hub = hub_of(&crm);
    assert_eq!(deleted_by_threes(&hub, whole("contacts")), 251);
}

#[test]
fn a_cursor_of_an_earlier_version_finds_the_merges_that_it_missed() {
    let crm = crm([(44, 0)]);
    crm.borrow_mut()
        .contacts
        .push(merged(33, -9_000_000, json!("11;22")));
    let cursor = format!(r#"{{"phase":"idle","since":{T0},"archived_since":{T0}}}"#);
    let (_, deletes, _) = read(&hub_of(&crm), Some(cursor.as_bytes()), "{}");
    assert_eq!(gone(&deletes), [11, 22]);
}

fn many(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("our_own_property_{n:04}"))
        .collect()
}

// F14
#[test]
fn six_hundred_properties_are_read_by_id() {
    let crm = crm((1..=250).map(|id| (id, id as i64 * 1_000_000)));
    let hub = hub_of(&crm);
    let config = json!({ "properties": many(600) }).to_string();
    let (rows, _, cursor) = read(&hub, None, &config);
    assert_eq!(ids(&rows), (1..=250).collect());
    for row in &rows {
        assert!(
            row["properties"].get("our_own_property_0599").is_some(),
            "{row}"
        );
        assert!(row["properties"]["email"].is_string());
    }
    crm.borrow_mut().contacts[6].modified = T0 + 900_000_000;
    let (rows, _, _) = read(&hub, Some(&cursor), &config);
    let row = rows.iter().find(|row| row["id"] == "7").expect("row");
    assert!(
        row["properties"].get("our_own_property_0000").is_some(),
        "{row}"
    );
    // Companies have the shared list, too; other streams have their own.
    for (stream, config, asked) in [
        ("companies", json!({ "properties": many(600) }), true),
        ("deals", json!({ "properties": many(600) }), false),
        (
            "deals",
            json!({ "stream_properties": { "deals": many(600) } }),
            true,
        ),
        (
            "contacts",
            json!({ "stream_properties": { "deals": many(600) } }),
            false,
        ),
    ] {
        let crm = self::crm([(1, 0)]);
        let hub = hub_of(&crm);
        let (rows, _, _) = read_all(whole(stream), |request| {
            call::read::<HubSpot>(&hub, &config.to_string(), request)
        })
        .expect(stream);
        let has = rows[0]["properties"].get("our_own_property_0599").is_some();
        assert_eq!(has, asked, "{stream} {config}");
    }
}

#[test]
fn what_goes_or_is_merged_before_it_is_read_by_id_comes_once_or_not_at_all() {
    let crm = crm([(1, 0), (2, 1), (3, 2)]);
    crm.borrow_mut().meddle = Some(|contacts, requests| {
        // The list has been given.
        if requests == 2 {
            contacts.retain(|one| one.id == 3);
            contacts[0].merged = json!("1");
        }
    });
    let config = json!({ "properties": many(600) }).to_string();
    let (rows, deletes, _) = read(&hub_of(&crm), None, &config);
    assert_eq!(ids(&rows), BTreeSet::from([3]));
    assert_eq!(gone(&deletes), [1]);
}

#[test]
fn a_failure_among_the_records_that_are_read_by_id_is_not_passed_over() {
    let list = json!({"results": [{"id": "1", "properties": {}}]});
    let failed =
        json!({"results": [], "errors": [{"category": "INTERNAL_ERROR", "message": "later"}]});
    let hub = TestHub::new(move |request| {
        Ok(match request.url.as_str() {
            url if url.contains("/search") => json(200, json!({"results": []})),
            url if url.contains("/batch/read") => json(207, failed.clone()),
            _ => json(200, list.clone()),
        })
    });
    let config = json!({ "properties": many(600) }).to_string();
    let error = call::read::<HubSpot>(&hub, &config, &whole("contacts")).expect_err("fails");
    assert!(matches!(error, Error::Transient(detail) if detail.code == "hubspot.INTERNAL_ERROR"));
}

// F25
#[test]
fn a_contacts_companies_come_with_it_the_primary_one_first() {
    let crm = crm([(1, 0), (2, 1), (3, 2)]);
    crm.borrow_mut().contacts[0].company = Some(7);
    // Its association is not known yet.
    crm.borrow_mut().contacts[1].company = Some(9);
    let hub = hub_of(&crm);
    let (rows, _, _) = read(&hub, None, "{}");
    let companies = |id: &str| {
        let row = rows.iter().rfind(|row| row["id"] == id).expect("row");
        row.get("associations").map(|all| all["companies"].clone())
    };
    assert_eq!(companies("1"), Some(json!(["7", "1"])));
    assert_eq!(companies("2"), Some(json!(["9"])));
    assert_eq!(companies("3"), None);
    let asked = hub.sent().into_iter();
    let asked = asked.filter(|request| request.url.contains("/associations/"));
    assert_eq!(
        asked.count(),
        2,
        "once for the list and once for what changed"
    );
}

#[test]
fn a_token_that_may_not_read_companies_still_reads_contacts() {
    let crm = crm([(1, 0)]);
    crm.borrow_mut().contacts[0].company = Some(7);
    let hub = TestHub::new(move |request| {
        if request.url.contains("/associations/") {
            return Ok(json(
                403,
                json!({"category": "MISSING_SCOPES", "message": "no"}),
            ));
        }
        Ok(crm.borrow_mut().answer(request))
    });
    let (rows, _, _) = read(&hub, None, "{}");
    assert_eq!(rows[0]["associations"]["companies"], json!(["7"]));
    assert!(hub.logged()[0].contains("primary company only"));
}

#[test]
fn a_record_that_cannot_be_read_goes_to_the_hub_as_it_is() {
    let bad =
        r#"{"id":"1","properties":{"firstname":"\ud83d","associatedcompanyid":"7"},"deep":DEEP}"#;
    let bad = bad.replace("DEEP", &format!("{}{}", "[".repeat(200), "]".repeat(200)));
    let page = format!("{{\"results\":[{bad},{{\"id\":\n\"2\",\"properties\":7}}]}}");
    let hub = TestHub::new(move |request| {
        let body = match request.url.as_str() {
            url if url.contains("/associations/") => json!({"results": []}).to_string(),
            url if url.contains("/search") || url.contains("archived=true") => {
                json!({"results": []}).to_string()
            }
            _ => page.clone(),
        };
        let body = body.into_bytes();
        Ok(Response {
            status: 200,
            body,
            ..Response::default()
        })
    });
    let mut request = whole("contacts");
    let mut lines = Vec::new();
    loop {
        let batch = call::read::<HubSpot>(&hub, "{}", &request).expect("reads");
        let rows = batch
            .upserts
            .lines()
            .map(|line| String::from_utf8_lossy(line).into_owned());
        lines.extend(rows);
        if batch.done {
            break;
        }
        request.cursor = Some(batch.cursor);
    }
    assert!(
        lines[0].starts_with(r#"{"associations":{"companies":["7"]},"id":"1""#),
        "{lines:?}"
    );
    assert!(lines[0].contains(r#""firstname":"\ud83d""#), "{lines:?}");
    assert_eq!(lines[1], r#"{"id":"2","properties":7}"#);
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
fn a_member_is_found_by_the_address_of_a_contact_that_was_merged() {
    let found = json!({"results": [{"id": "33", "properties": {
        "email": "a@example.com", "hs_additional_emails": "Old@example.com; b@example.com"}}]});
    let hub = TestHub::script([
        (
            "POST https://api.hubapi.com/crm/v3/objects/contacts/batch/read",
            json(200, found),
        ),
        (
            "PUT https://api.hubapi.com/crm/v3/lists/9/memberships/add",
            json(200, json!({"recordsIdsAdded": ["33"]})),
        ),
    ]);
    let outcome = call::add::<HubSpot>(&hub, "{}", &change(&["old@example.com"], false));
    assert!(outcome.expect("adds").failures.is_empty());
    assert_eq!(hub.bodies()[1], json!(["33"]));
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
fn audiences_come_with_their_sizes() {
    let list = |size: Value| json!({"listId": "9", "name": "vip", "additionalProperties": size});
    let lists = [
        list(json!({"hs_list_size": "12"})),
        list(json!({})),
        json!({"listId": "8", "name": "old", "size": 3}),
    ];
    let hub = TestHub::script([(
        "POST https://api.hubapi.com/crm/v3/lists/search",
        json(200, json!({"lists": lists, "hasMore": false, "offset": 3})),
    )]);
    let (found, next) = call::list_audiences::<HubSpot>(&hub, "{}", None).expect("lists");
    let sizes: Vec<Option<u64>> = found.iter().map(|one| one.size).collect();
    assert_eq!((sizes, next), (vec![Some(12), None, Some(3)], None));
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
