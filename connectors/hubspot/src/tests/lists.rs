//! Lists and who is in them, over a small stateful vendor: what a hub knows in the end is what HubSpot has.

use crate::HubSpot;
use onefold_sdk::connector::call;
use onefold_sdk::testing::{TestHub, from_cursor, json, read_all, whole};
use onefold_sdk::time::format_rfc3339;
use onefold_sdk::{Error, ReadRequest, Request, Response, Result};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A year before the clock of the test hub.
const T0: i64 = 1_668_000_000_000;

#[derive(Default)]
struct List {
    name: String,
    kind: &'static str,
    /// Record id to the time of joining.
    members: BTreeMap<u64, i64>,
    added: Option<i64>,
    removed: Option<i64>,
    /// The search does not show it, as when it slips between two pages.
    hidden: bool,
}

impl List {
    fn add(&mut self, ids: impl IntoIterator<Item = u64>, at: i64) {
        self.members.extend(ids.into_iter().map(|id| (id, at)));
        self.added = Some(at);
    }

    fn remove(&mut self, ids: impl IntoIterator<Item = u64>, at: i64) {
        ids.into_iter().for_each(|id| _ = self.members.remove(&id));
        self.removed = Some(at);
    }

    fn render(&self, id: u64) -> Value {
        let mut own = json!({ "hs_list_size": self.members.len().to_string() });
        for (name, time) in [
            ("hs_last_record_added_at", self.added),
            ("hs_last_record_removed_at", self.removed),
        ] {
            if let Some(time) = time {
                own[name] = json!(time.to_string());
            }
        }
        json!({
            "listId": id.to_string(), "name": self.name, "objectTypeId": self.kind, "processingType": "DYNAMIC",
            "processingStatus": "COMPLETE", "createdAt": format_rfc3339(T0), "updatedAt": format_rfc3339(T0),
            "additionalProperties": own,
        })
    }
}

type Meddle = Box<dyn FnMut(&mut Account, &str)>;

/// An account that answers what is asked of lists.
#[derive(Default)]
struct Account {
    lists: BTreeMap<u64, List>,
    /// How many lists the search shows at once, whatever is asked for.
    page: usize,
    /// Runs before each answer: changes while somebody reads.
    meddle: Option<Meddle>,
}

impl Account {
    fn of(lists: impl IntoIterator<Item = (u64, &'static str, Vec<u64>)>) -> Rc<RefCell<Self>> {
        let mut account = Self {
            page: 500,
            ..Self::default()
        };
        for (id, kind, members) in lists {
            account.list(id, kind).add(members, T0);
        }
        Rc::new(RefCell::new(account))
    }

    fn list(&mut self, id: u64, kind: &'static str) -> &mut List {
        let list = self.lists.entry(id).or_default();
        (list.name, list.kind) = (format!("List {id}"), kind);
        list
    }

    fn answer(&mut self, request: &Request) -> Response {
        let (_, target) = request.url.split_once("/crm/v3/lists/").expect("a list");
        let target = target.to_owned();
        if let Some(mut meddle) = self.meddle.take() {
            meddle(self, &target);
            self.meddle = Some(meddle);
        }
        if target == "search" {
            let body = request.body.as_deref().expect("a body");
            return self.search(&serde_json::from_slice(body).expect("json"));
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut path = path.split('/');
        let id = path.next().and_then(|id| id.parse().ok()).expect("an id");
        let Some(list) = self.lists.get(&id) else {
            return json(
                404,
                json!({"category": "OBJECT_NOT_FOUND", "message": "gone"}),
            );
        };
        match path.next() {
            None => json(200, json!({ "list": list.render(id) })),
            Some(_) => members(list, query),
        }
    }

    fn search(&self, body: &Value) -> Response {
        let number = |name: &str| body[name].as_u64().expect("a number") as usize;
        let (offset, count) = (number("offset"), number("count"));
        assert!((1..=500).contains(&count));
        let all: Vec<Value> = self
            .lists
            .iter()
            .filter(|(_, list)| !list.hidden)
            .map(|(id, list)| list.render(*id))
            .collect();
        let page = all.iter().skip(offset).take(count.min(self.page));
        let page: Vec<&Value> = page.collect();
        let next = offset + page.len();
        json(
            200,
            json!({"lists": page, "offset": next, "hasMore": next < all.len(), "total": all.len()}),
        )
    }
}

fn members(list: &List, query: &str) -> Response {
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.parse::<u64>().expect("a number"))
    };
    let limit = parameter("limit").expect("limit") as usize;
    assert!((1..=250).contains(&limit));
    let rest: Vec<(&u64, &i64)> = list
        .members
        .range(parameter("after").unwrap_or(0)..)
        .collect();
    let rows = rest.iter().take(limit).map(
        |(id, at)| json!({"recordId": id.to_string(), "membershipTimestamp": format_rfc3339(**at)}),
    );
    let mut body = json!({ "total": list.members.len(), "results": rows.collect::<Vec<Value>>() });
    if let Some((next, _)) = rest.get(limit) {
        body["paging"] = json!({"next": {"after": next.to_string()}});
    }
    json(200, body)
}

/// What a hub knows of one stream: its records by their keys, and a cursor for each part.
struct Reader {
    hub: TestHub,
    account: Rc<RefCell<Account>>,
    stream: &'static str,
    config: &'static str,
    known: BTreeMap<String, Value>,
    cursors: BTreeMap<String, Vec<u8>>,
    max_records: u32,
    deleted: usize,
}

impl Reader {
    fn of(account: &Rc<RefCell<Account>>, stream: &'static str) -> Self {
        let answers = account.clone();
        Self {
            hub: TestHub::new(move |request| Ok(answers.borrow_mut().answer(request))),
            account: account.clone(),
            stream,
            config: "{}",
            known: BTreeMap::new(),
            cursors: BTreeMap::new(),
            max_records: 1_000,
            deleted: 0,
        }
    }

    /// One run, as the hub does it: the upserts of a batch before its deletes. Returns what was asked for.
    fn run(&mut self) -> Result<Vec<String>> {
        let before = self.hub.sent().len();
        for part in call::split::<HubSpot>(&self.hub, self.config, self.stream, None)? {
            loop {
                let request = ReadRequest {
                    part: part.clone(),
                    cursor: self.cursors.get(&part).cloned(),
                    max_records: self.max_records,
                    ..whole(self.stream)
                };
                let batch = call::read::<HubSpot>(&self.hub, self.config, &request)?;
                for line in batch.upserts.lines() {
                    let record: Value = serde_json::from_slice(line).expect("a record");
                    self.known.insert(key(&record), record);
                }
                for line in batch.deletes.iter().flat_map(|chunk| chunk.lines()) {
                    let record = serde_json::from_slice(line).expect("a key");
                    assert!(self.known.remove(&key(&record)).is_some(), "{record}");
                    self.deleted += 1;
                }
                self.cursors.insert(part.clone(), batch.cursor);
                if batch.done {
                    break;
                }
            }
        }
        let sent = self.hub.sent().split_off(before);
        Ok(sent.into_iter().map(|request| request.url).collect())
    }

    /// The same, and then the hub has what HubSpot has.
    fn agrees(&mut self) -> Vec<String> {
        let asked = self.run().expect("reads");
        let account = self.account.borrow();
        let lists = account.lists.iter();
        let wanted: BTreeSet<String> = match self.stream {
            "lists" => lists.map(|(id, _)| format!("{id} ")).collect(),
            _ => lists
                .filter(|(_, list)| ["0-1", "0-2"].contains(&list.kind))
                .flat_map(|(id, list)| list.members.keys().map(move |one| format!("{id} {one}")))
                .collect(),
        };
        assert_eq!(self.known.keys().cloned().collect::<BTreeSet<_>>(), wanted);
        asked
    }
}

fn key(record: &Value) -> String {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    format!("{} {}", text("listId"), text("recordId"))
}

fn of_members(asked: &[String]) -> usize {
    let asked = asked.iter().filter(|url| url.contains("/memberships"));
    asked.count()
}

#[test]
fn members_come_with_what_is_known_of_their_list() {
    let account = Account::of([
        (7, "0-1", vec![11, 12]),
        (8, "0-2", vec![11]),
        (9, "0-1", vec![]),
    ]);
    account.borrow_mut().list(7, "0-1").name = "VIP \"ä\" 🦊\n".to_owned();
    let mut reader = Reader::of(&account, "list_memberships");
    reader.agrees();
    assert_eq!(
        reader.known["7 12"],
        json!({"listId": "7", "listName": "VIP \"ä\" 🦊\n", "objectTypeId": "0-1", "recordId": "12",
            "membershipTimestamp": format_rfc3339(T0)})
    );
    assert_eq!(reader.known["8 11"]["objectTypeId"], "0-2");
}

#[test]
fn an_account_without_lists_has_no_records() {
    let account = Account::of([]);
    for stream in ["lists", "list_memberships"] {
        let mut reader = Reader::of(&account, stream);
        reader.agrees();
        reader.agrees();
        assert!(reader.known.is_empty());
    }
}

#[test]
fn a_list_that_did_not_change_is_not_read_again() {
    let account = Account::of((1..=40).map(|id| (id, "0-1", (id..id + 300).collect())));
    let mut reader = Reader::of(&account, "list_memberships");
    assert_eq!(of_members(&reader.agrees()), 80);
    assert_eq!(of_members(&reader.agrees()), 0);
    account.borrow_mut().list(3, "0-1").add([9_000], T0 + 1);
    assert_eq!(of_members(&reader.agrees()), 2);
    // Another name is another record of each member.
    account.borrow_mut().list(4, "0-1").name = "Renamed".to_owned();
    assert_eq!(of_members(&reader.agrees()), 2);
    assert_eq!(reader.known["4 5"]["listName"], "Renamed");
    assert_eq!(reader.deleted, 0);
}

#[test]
fn members_that_left_a_list_are_deletes() {
    let account = Account::of([
        (1, "0-1", (1..=600).collect()),
        (2, "0-1", (1..=600).collect()),
    ]);
    let mut reader = Reader::of(&account, "list_memberships");
    reader.agrees();
    account
        .borrow_mut()
        .list(1, "0-1")
        .remove((1..=600).step_by(7), T0 + 1);
    reader.agrees();
    assert_eq!(reader.deleted, 86);
    // As many came as left, so that only the times tell.
    account.borrow_mut().list(2, "0-1").remove([5], T0 + 2);
    account.borrow_mut().list(2, "0-1").add([601], T0 + 2);
    reader.agrees();
    // All of them leave, and the list stays.
    account.borrow_mut().list(2, "0-1").remove(1..=700, T0 + 3);
    assert_eq!(of_members(&reader.agrees()), 1);
    assert_eq!(of_members(&reader.agrees()), 0);
}

#[test]
fn the_members_of_a_list_that_is_deleted_are_deletes_and_come_back_with_it() {
    let account = Account::of([(1, "0-1", vec![11, 12]), (2, "0-1", vec![11])]);
    let mut reader = Reader::of(&account, "list_memberships");
    reader.agrees();
    let gone = account.borrow_mut().lists.remove(&1).expect("a list");
    reader.agrees();
    assert_eq!(reader.deleted, 2);
    reader.agrees();
    account.borrow_mut().lists.insert(1, gone);
    reader.agrees();
}

#[test]
fn a_list_that_is_deleted_while_its_members_are_read_leaves_none() {
    for asked_for in [
        "5/memberships?limit=250",
        "5/memberships?limit=250&after=251",
    ] {
        for first_read in [true, false] {
            let account = Account::of([(5, "0-1", (1..=600).collect()), (6, "0-1", vec![1])]);
            let mut reader = Reader::of(&account, "list_memberships");
            if !first_read {
                reader.agrees();
                account.borrow_mut().list(5, "0-1").remove([300], T0 + 1);
            }
            account.borrow_mut().meddle = Some(Box::new(move |account, target| {
                if target == asked_for {
                    account.lists.remove(&5);
                }
            }));
            reader.agrees();
            assert_eq!(reader.known.len(), 1);
            reader.agrees();
        }
    }
}

#[test]
fn a_list_that_slips_between_two_pages_of_the_search_is_not_taken_for_deleted() {
    for stream in ["lists", "list_memberships"] {
        let account = Account::of((1..=30).map(|id| (id, "0-1", vec![id, 99])));
        account.borrow_mut().page = 7;
        let mut reader = Reader::of(&account, stream);
        reader.agrees();
        account.borrow_mut().list(4, "0-1").hidden = true;
        let asked = reader.agrees();
        assert!(
            asked.iter().any(|url| url.ends_with("/lists/4")),
            "{asked:?}"
        );
        account.borrow_mut().list(4, "0-1").hidden = false;
        reader.agrees();
        assert_eq!(reader.deleted, 0);
    }
}

#[test]
fn a_list_that_changed_just_now_is_read_until_it_rests() {
    let now = 1_700_000_000_000;
    let account = Account::of([(1, "0-1", vec![11])]);
    account.borrow_mut().list(1, "0-1").added = Some(now - 5_000);
    let mut reader = Reader::of(&account, "list_memberships");
    reader.agrees();
    // Its members are not all of the moment of its times.
    account.borrow_mut().list(1, "0-1").members.insert(12, T0);
    assert_eq!(of_members(&reader.agrees()), 1);
    reader.hub.set_now_ms(now as u64 + 3_600_000);
    assert_eq!(of_members(&reader.agrees()), 1);
    assert_eq!(of_members(&reader.agrees()), 0);
}

#[test]
fn lists_of_other_types_are_read_where_the_configuration_names_them() {
    let account = Account::of([(1, "0-1", vec![11]), (2, "0-3", vec![12])]);
    let mut reader = Reader::of(&account, "list_memberships");
    reader.agrees();
    reader.config = r#"{"list_types": ["0-3"]}"#;
    reader.run().expect("reads");
    assert_eq!(reader.known.keys().collect::<Vec<_>>(), ["2 12"]);
    reader.config = "{}";
    reader.agrees();
    let mut reader = Reader::of(&account, "lists");
    reader.agrees();
}

/// Numbers that look random and repeat from their seed.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 + Clone {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    }
}

fn change(account: &mut Account, at: i64, next: &mut impl FnMut(u64) -> u64) {
    let (id, first, count) = (1 + next(20), next(400), next(300));
    match next(6) {
        0 => _ = account.lists.remove(&id),
        1 | 2 => account.list(id, "0-1").remove(first..first + count, at),
        _ => account.list(id, "0-1").add(first..first + count, at),
    }
}

/// Every kind of change, between runs and while lists are read, in batches of every size.
#[test]
fn whatever_happens_a_hub_has_what_hubspot_has() {
    for seed in 1..=20_u64 {
        let mut next = numbers(seed);
        let account = Account::of([]);
        account.borrow_mut().page = 1 + next(5) as usize;
        let mut reader = Reader::of(&account, "list_memberships");
        for round in 0..8 {
            let at = T0 + round * 1_000_000;
            for n in 0..next(8) {
                change(&mut account.borrow_mut(), at + n as i64, &mut next);
            }
            reader.max_records = 1 + next(400) as u32;
            if round % 2 == 0 {
                let (mut at, mut next) = (at + 1_000, next.clone());
                account.borrow_mut().meddle = Some(Box::new(move |account, _| {
                    at += 1;
                    if next(20) == 0 {
                        change(account, at, &mut next);
                    }
                }));
                reader.run().expect("reads");
                account.borrow_mut().meddle = None;
            }
            reader.agrees();
        }
    }
}

#[test]
fn a_run_that_is_interrupted_goes_on_where_it_was() {
    let account = Account::of((1..=20).map(|id| (id, "0-1", (1..=40).collect())));
    let mut reader = Reader::of(&account, "list_memberships");
    reader.agrees();
    for id in 1..=20 {
        account.borrow_mut().list(id, "0-1").remove(1..=id, T0 + 1);
    }
    let answers = account.clone();
    let mut calls = 0;
    reader.max_records = 3;
    reader.hub = TestHub::new(move |request| {
        calls += usize::from(request.url.contains("/memberships"));
        if calls % 3 == 1 {
            calls += 1;
            return Ok(json(500, json!({})));
        }
        Ok(answers.borrow_mut().answer(request))
    });
    let mut failures = 0;
    while let Err(error) = reader.run() {
        assert!(matches!(error, Error::Transient(_)), "{error}");
        failures += 1;
        assert!(failures < 1_000, "it goes on");
    }
    assert!(failures > 10, "{failures}");
    reader.hub = Reader::of(&account, "list_memberships").hub;
    reader.agrees();
}

#[test]
fn members_that_are_too_many_to_be_kept_are_read_from_the_start() {
    let account = Account::of([(1, "0-1", (1..=60_002).collect()), (17, "0-1", vec![5])]);
    let mut reader = Reader::of(&account, "list_memberships");
    reader.max_records = 2_000;
    reader.agrees();
    let largest = reader.cursors.values().map(Vec::len).max();
    assert!(largest < Some(10_000), "{largest:?}");
    assert_eq!(of_members(&reader.agrees()), 0);
    account.borrow_mut().list(1, "0-1").remove([7], T0 + 1);
    let error = reader.run().expect_err("expires");
    assert!(matches!(error, Error::CursorExpired(_)), "{error}");
    // The hub forgets its cursors and deletes what does not come again.
    reader.cursors.clear();
    reader.known.clear();
    reader.agrees();
    // Deleted, too, it cannot tell who left.
    account.borrow_mut().lists.remove(&1);
    let error = reader.run().expect_err("expires");
    assert!(matches!(error, Error::CursorExpired(_)), "{error}");
}

#[test]
fn a_list_that_grows_too_large_while_it_is_compared_is_read_from_the_start() {
    let account = Account::of([(1, "0-1", (59_000..59_900).collect())]);
    let mut reader = Reader::of(&account, "list_memberships");
    reader.max_records = 2_000;
    reader.agrees();
    account.borrow_mut().list(1, "0-1").add(1..=60_100, T0 + 1);
    account
        .borrow_mut()
        .list(1, "0-1")
        .remove(59_500..59_510, T0 + 1);
    let error = reader.run().expect_err("expires");
    assert!(matches!(error, Error::CursorExpired(_)), "{error}");
}

/// A vendor with these lists and, of each, these members, as they are written.
fn written(lists: &'static str, members: &'static str) -> TestHub {
    TestHub::new(move |request| {
        let body = match request.url.contains("/memberships") {
            true => members,
            false => lists,
        };
        let body = body.as_bytes().to_vec();
        Ok(Response {
            status: 200,
            body,
            ..Response::default()
        })
    })
}

/// The records of all parts as they are written.
fn lines(hub: &TestHub, stream: &str) -> Vec<String> {
    let mut all = Vec::new();
    for part in call::split::<HubSpot>(hub, "{}", stream, None).expect("parts") {
        let mut request = ReadRequest {
            part,
            ..whole(stream)
        };
        loop {
            let batch = call::read::<HubSpot>(hub, "{}", &request).expect("reads");
            let lines = batch.upserts.lines();
            all.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
            if batch.done {
                break;
            }
            request.cursor = Some(batch.cursor);
        }
    }
    all
}

#[test]
fn what_cannot_be_read_goes_to_the_hub_as_it_is() {
    let lists = r#"{"hasMore":false,"lists":[
        {"listId":"1","name":"\ud83d","objectTypeId":"0-1","additionalProperties":7},
        {"listId":2},
        {"name":"no id"}, {"listId":"\ud83d"}, 7]}"#;
    let members = r#"{"results":[{"recordId":"11","membershipTimestamp":"\udc00"},{"recordId":12},
        {"recordId":"\ud83d"},{},{
        "recordId":"13"},7,{"recordId":"x"}]}"#;
    let hub = written(lists, members);
    let rows = lines(&hub, "list_memberships");
    let first = r#"{"listId":"1","listName":"\ud83d","objectTypeId":"0-1""#;
    assert_eq!(rows.len(), 14, "{rows:#?}");
    let of_first: Vec<&String> = rows.iter().filter(|row| row.starts_with(first)).collect();
    assert_eq!(
        of_first[0],
        &format!(r#"{first},"recordId":"11","membershipTimestamp":"\udc00"}}"#)
    );
    assert_eq!(of_first[2], &format!(r#"{first},"recordId":"\ud83d"}}"#));
    assert_eq!(of_first[3], &format!("{first}}}"));
    assert_eq!(rows.iter().filter(|row| *row == "7").count(), 2);
    let second = r#"{"listId":"2","listName":null,"objectTypeId":null,"recordId":"11""#;
    assert!(rows.iter().any(|row| row.starts_with(second)), "{rows:#?}");
    let logged = hub.logged();
    assert_eq!(
        logged.len(),
        3,
        "one line for each list without an id: {logged:?}"
    );
    // The lists themselves are all passed on.
    assert_eq!(lines(&hub, "lists").len(), 5);
}

#[test]
fn a_deleted_list_that_is_still_shown_counts_as_deleted() {
    let account = Account::of([(1, "0-1", vec![11])]);
    for stream in ["lists", "list_memberships"] {
        let mut reader = Reader::of(&account, stream);
        reader.agrees();
        let cursors = reader.cursors.clone();
        let deleted = r#"{"list":{"listId":"1","deletedAt":"2024-01-01T00:00:00Z"}}"#;
        let shown = r#"{"lists":[{"listId":"1","deletedAt":"2024-01-01T00:00:00Z"}]}"#;
        reader.hub = TestHub::new(move |request| {
            let is_search = request.url.ends_with("/search");
            let body = if is_search { shown } else { deleted };
            match request.url.contains("/memberships") {
                true => panic!("a deleted list is not read"),
                false => Ok(json(200, serde_json::from_str(body).expect("json"))),
            }
        });
        reader.run().expect("reads");
        assert!(reader.known.is_empty() && !cursors.is_empty(), "{stream}");
    }
}

#[test]
fn refusals_have_their_class_and_an_answer_that_contradicts_itself_deletes_nobody() {
    let class = |stream: &str, url: &'static str, status: u16, body: Value| {
        let account = Account::of([(0, "0-1", vec![11])]);
        let hub = TestHub::new(move |request| {
            Ok(match request.url.contains(url) {
                true => json(status, body.clone()),
                false => account.borrow_mut().answer(request),
            })
        });
        let parts = call::split::<HubSpot>(&hub, "{}", stream, None).expect("parts");
        let mut all = parts.into_iter().map(|part| {
            let request = ReadRequest {
                part,
                ..whole(stream)
            };
            read_all(request, |request| {
                call::read::<HubSpot>(&hub, "{}", request)
            })
            .err()
        });
        all.find_map(|error| error).expect("fails")
    };
    let scopes = || json!({"category": "MISSING_SCOPES", "message": "crm.lists.read"});
    for stream in ["lists", "list_memberships"] {
        let error = class(stream, "/search", 403, scopes());
        assert!(
            matches!(error, Error::Permission(detail) if detail.code == "hubspot.MISSING_SCOPES")
        );
        let error = class(
            stream,
            "/search",
            400,
            json!({"category": "VALIDATION_ERROR"}),
        );
        assert!(matches!(error, Error::Permanent(_)));
        let circle = json!({"lists": [], "hasMore": true, "offset": 0});
        assert!(matches!(
            class(stream, "/search", 200, circle),
            Error::Transient(_)
        ));
        let other = json!({"results": []});
        assert!(matches!(
            class(stream, "/search", 200, other),
            Error::Transient(_)
        ));
    }
    let members = |status, body| class("list_memberships", "/memberships", status, body);
    assert!(matches!(members(403, scopes()), Error::Permission(_)));
    let empty = json!({"results": [], "total": 3});
    assert!(
        matches!(members(200, empty), Error::Transient(detail) if detail.code == "hubspot.empty_page")
    );
}

#[test]
fn lists_come_and_go_and_a_cursor_of_another_version_starts_again() {
    let account = Account::of((1..=12).map(|id| (id, "0-1", vec![1])));
    let mut reader = Reader::of(&account, "lists");
    reader.max_records = 5;
    reader.agrees();
    for id in [2, 5, 11] {
        account.borrow_mut().lists.remove(&id);
    }
    account.borrow_mut().list(40, "0-5").name = "Tickets".to_owned();
    reader.agrees();
    assert_eq!(reader.deleted, 3);
    assert_eq!(reader.known["40 "]["objectTypeId"], "0-5");
    for stream in ["lists", "list_memberships"] {
        let request = from_cursor(stream, b"{\"page\":3}");
        let error = call::read::<HubSpot>(&reader.hub, "{}", &request).expect_err("fails");
        assert!(matches!(error, Error::CursorExpired(_)), "{error}");
    }
}

#[test]
fn what_an_interrupted_run_has_left_is_not_read_once_its_type_is_not_wanted() {
    // Both are in one part.
    let account = Account::of([(1, "0-1", vec![11, 13]), (12, "0-2", vec![5])]);
    let mut reader = Reader::of(&account, "list_memberships");
    let request = ReadRequest {
        part: "1".to_owned(),
        max_records: 1,
        ..whole(reader.stream)
    };
    let batch = call::read::<HubSpot>(&reader.hub, reader.config, &request).expect("a batch");
    assert!(!batch.done);
    for line in batch.upserts.lines() {
        let record: Value = serde_json::from_slice(line).expect("a record");
        reader.known.insert(key(&record), record);
    }
    reader.cursors.insert(request.part, batch.cursor);
    reader.config = r#"{"list_types": ["0-1"]}"#;
    let asked = reader.run().expect("reads");
    let of_companies = asked.iter().filter(|url| url.contains("/12/memberships"));
    assert_eq!(of_companies.count(), 0, "{asked:?}");
    let known: Vec<&String> = reader.known.keys().collect();
    assert_eq!(known, ["1 11", "1 13"]);
}

#[test]
fn members_stay_where_a_list_that_is_there_is_not_found_for_a_moment() {
    let account = Account::of([(1, "0-1", vec![11, 13])]);
    let mut reader = Reader::of(&account, "list_memberships");
    reader.agrees();
    account.borrow_mut().list(1, "0-1").add([17], T0 + 1);
    let answers = account.clone();
    reader.hub = TestHub::new(move |request| {
        if request.url.contains("/memberships") {
            let body = json!({"category": "OBJECT_NOT_FOUND", "message": "gone"});
            return Ok(json(404, body));
        }
        Ok(answers.borrow_mut().answer(request))
    });
    assert!(reader.run().is_err());
    assert_eq!((reader.known.len(), reader.deleted), (2, 0));
}
