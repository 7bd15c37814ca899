//! Mailchimp over a small stateful vendor and scripts: walks, boundaries, deletions, per-row failures.
//! Nothing here opens a socket.

use crate::{Mailchimp, subscriber_hash};
use onefold_sdk::connector::{Connector, call};
use onefold_sdk::testing::{TestHub, from_cursor, json, read_all, whole};
use onefold_sdk::time::{format_seconds, parse_rfc3339};
use onefold_sdk::{
    AudienceChange, Chunk, ErasureStatus, Error, Identifier, Manifest, Member, Mode, Outcome,
    ReadRequest, Request, Response, WriteRequest,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

const CONFIG: &str = r#"{"list_id": "L1", "server": "us1"}"#;
const LIST: &str = "https://us1.api.mailchimp.com/3.0/lists/L1";
const T0: i64 = 1_690_000_000;

#[derive(Clone)]
struct Known {
    id: u32,
    /// Seconds.
    changed: i64,
    archived: bool,
}

impl Known {
    fn body(&self) -> Value {
        json!({
            "id": format!("{:032x}", self.id), "contact_id": self.id.to_string(),
            "email_address": format!("m{}@example.com", self.id),
            "status": if self.archived { "archived" } else { "subscribed" },
            "last_changed": format_seconds(self.changed * 1_000),
        })
    }
}

/// How many rows a page has of those that were asked for.
#[derive(Clone, Copy, Debug)]
enum Pages {
    AsAsked,
    AtMost(usize),
    Longer(usize),
}

struct List {
    members: Vec<Known>,
    /// `since_last_changed` includes its own second.
    inclusive: bool,
    /// `before_last_changed` is known.
    bounded: bool,
    meddle: Option<fn(&mut Vec<Known>, usize)>,
    requests: usize,
    pages: Pages,
    /// Texts in answers, and what stands in their place.
    spoil: Vec<(String, String)>,
}

impl List {
    fn of(members: impl IntoIterator<Item = (u32, i64)>) -> Self {
        let known = |(id, at)| Known {
            id,
            changed: T0 + at,
            archived: false,
        };
        Self {
            members: members.into_iter().map(known).collect(),
            inclusive: false,
            bounded: true,
            meddle: None,
            requests: 0,
            pages: Pages::AsAsked,
            spoil: Vec::new(),
        }
    }

    fn answer(&mut self, request: &Request) -> Response {
        self.requests += 1;
        let url = request.url.replace("%3A", ":").replace("%2B", "+");
        let (path, query) = url.split_once('?').expect("query");
        if let Some(contact) = path.strip_prefix(&format!("{LIST}/members/")) {
            let mut known = self.members.iter();
            return match known.find(|known| known.id.to_string() == contact) {
                Some(known) => json(200, known.body()),
                None => json(404, json!({"title": "Resource Not Found"})),
            };
        }
        let get = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let time = |name: &str| get(name).map(|text| parse_rfc3339(text).expect("time") / 1_000);
        let archived = get("status") == Some("archived");
        let (since, before) = (
            time("since_last_changed"),
            time("before_last_changed").filter(|_| self.bounded),
        );
        let mut found: Vec<&Known> = self
            .members
            .iter()
            .filter(|member| member.archived == archived)
            .filter(|member| {
                since.is_none_or(|since| {
                    member.changed > since || self.inclusive && member.changed == since
                })
            })
            .filter(|member| {
                before.is_none_or(|before| {
                    member.changed < before || self.inclusive && member.changed == before
                })
            })
            .collect();
        if get("sort_field") == Some("last_changed") {
            found.sort_by_key(|member| (member.changed, member.id));
        }
        let number = |name: &str| get(name).expect("number").parse::<usize>().expect("number");
        let total = found.len();
        let count = number("count");
        let count = match self.pages {
            Pages::AsAsked => count,
            Pages::AtMost(most) => count.min(most),
            Pages::Longer(more) => count + more,
        };
        let found = found.into_iter().skip(number("offset")).take(count);
        let rows: Vec<Value> = found.map(Known::body).collect();
        if let Some(meddle) = self.meddle {
            meddle(&mut self.members, self.requests);
        }
        let mut answer =
            json!({"members": rows, "list_id": "L1", "total_items": total}).to_string();
        for (from, to) in &self.spoil {
            answer = answer.replace(from, to);
        }
        Response {
            status: 200,
            body: answer.into_bytes(),
            ..Response::default()
        }
    }
}

fn hub_of(list: &Rc<RefCell<List>>) -> TestHub {
    let list = list.clone();
    TestHub::new(move |request| Ok(list.borrow_mut().answer(request)))
}

fn walk(
    hub: &TestHub,
    cursor: Option<&[u8]>,
    page_size: u32,
) -> (BTreeSet<u32>, Vec<Value>, Vec<u8>) {
    let config = format!(r#"{{"list_id": "L1", "server": "us1", "page_size": {page_size}}}"#);
    let request = cursor.map_or_else(|| whole("members"), |cursor| from_cursor("members", cursor));
    let (rows, deletes, cursor) = read_all(request, |request| {
        call::read::<Mailchimp>(hub, &config, request)
    })
    .expect("reads");
    (
        rows.iter()
            .filter_map(|row| row["contact_id"].as_str()?.parse().ok())
            .collect(),
        deletes,
        cursor,
    )
}

#[test]
fn the_manifest_fits_its_own_schemas() {
    let manifest = Manifest::parse(Mailchimp::MANIFEST).expect("parses");
    assert_eq!(manifest.problems(), Vec::<String>::new());
    assert_eq!(manifest.version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_member_is_read_whatever_the_server_thinks_of_bounds() {
    for (inclusive, bounded, page_size) in [
        (true, true, 10),
        (false, true, 10),
        (true, false, 7),
        (false, false, 7),
        (false, true, 1),
        (true, true, 1_000),
    ] {
        // Three seconds with more members than a page, side by side, and a tail.
        let members = (0..200).map(|id| {
            (
                id,
                i64::from(id / 40).min(3) + if id > 190 { i64::from(id) } else { 0 },
            )
        });
        let list = Rc::new(RefCell::new(List {
            inclusive,
            bounded,
            ..List::of(members)
        }));
        let hub = hub_of(&list);
        let (found, _, cursor) = walk(&hub, None, page_size);
        assert_eq!(
            found,
            (0..200).collect(),
            "{inclusive} {bounded} {page_size}"
        );
        list.borrow_mut().members[3].changed = T0 + 1_000;
        list.borrow_mut().members.push(Known {
            id: 900,
            changed: T0 + 202,
            archived: false,
        });
        let (found, ..) = walk(&hub, Some(&cursor), page_size);
        assert!(
            found.contains(&3) && found.contains(&900),
            "the last second is read again"
        );
        assert!(found.len() < 20, "{}", found.len());
    }
}

#[test]
fn members_that_change_while_they_are_read_hide_no_other() {
    for inclusive in [true, false] {
        let list = Rc::new(RefCell::new(List {
            inclusive,
            ..List::of((0..300).map(|id| (id, i64::from(id / 100))))
        }));
        list.borrow_mut().meddle = Some(|members, requests| {
            if requests < 40 {
                for known in [requests * 3, requests * 5] {
                    members[known].changed = T0 + 5_000 + requests as i64;
                }
            }
        });
        let (found, ..) = walk(&hub_of(&list), None, 10);
        assert_eq!(found, (0..300).collect(), "{inclusive}");
    }
}

#[test]
fn archived_members_become_deletions() {
    let list = Rc::new(RefCell::new(List::of((0..5).map(|id| (id, i64::from(id))))));
    let hub = hub_of(&list);
    let (_, deletes, cursor) = walk(&hub, None, 10);
    assert!(deletes.is_empty());
    list.borrow_mut().members[2].archived = true;
    list.borrow_mut().members[2].changed = T0 + 50;
    let (_, deletes, _) = walk(&hub, Some(&cursor), 10);
    assert_eq!(deletes, [json!({"contact_id": "2"})]);
}

#[test]
fn a_member_that_is_archived_and_subscribed_again_is_no_deletion() {
    let list = Rc::new(RefCell::new(List::of((0..5).map(|id| (id, i64::from(id))))));
    let hub = hub_of(&list);
    let (_, _, cursor) = walk(&hub, None, 10);
    let change = |archived: bool, at: i64| {
        let member = &mut list.borrow_mut().members[2];
        (member.archived, member.changed) = (archived, T0 + at);
    };
    change(true, 50);
    let (_, deletes, cursor) = walk(&hub, Some(&cursor), 10);
    assert_eq!(deletes, [json!({"contact_id": "2"})]);
    // The second in which it was archived is read again, and again in the same second it comes back.
    change(false, 50);
    let (found, deletes, cursor) = walk(&hub, Some(&cursor), 10);
    assert_eq!((found.contains(&2), deletes.len()), (true, 0));
    change(true, 60);
    change(false, 61);
    let (found, deletes, _) = walk(&hub, Some(&cursor), 10);
    assert_eq!((found.contains(&2), deletes.len()), (true, 0));
}

// F8
#[test]
fn members_who_are_deleted_for_good_become_deletions_though_others_come_meanwhile() {
    for pages in [Pages::AsAsked, Pages::AtMost(7), Pages::Longer(3)] {
        let list = Rc::new(RefCell::new(List {
            pages,
            ..List::of((0..50).map(|id| (id, i64::from(id))))
        }));
        let hub = hub_of(&list);
        let (_, deletes, cursor) = walk(&hub, None, 10);
        assert!(deletes.is_empty());
        let known = |id, at| Known {
            id,
            changed: T0 + at,
            archived: false,
        };
        let members = |change: fn(&mut Vec<Known>)| change(&mut list.borrow_mut().members);
        // Nobody of the last second, who would be read again.
        members(|members| members.retain(|known| ![3, 20].contains(&known.id)));
        list.borrow_mut()
            .members
            .extend([known(60, 100), known(61, 100)]);
        let (found, deletes, cursor) = walk(&hub, Some(&cursor), 10);
        let gone = [json!({"contact_id": "20"}), json!({"contact_id": "3"})];
        assert_eq!(deletes, gone, "{pages:?}");
        assert!(found.contains(&60) && found.contains(&61), "{pages:?}");
        // The one who is read last, too.
        members(|members| members.retain(|known| known.id != 61));
        let (_, deletes, cursor) = walk(&hub, Some(&cursor), 10);
        assert_eq!(deletes, [json!({"contact_id": "61"})], "{pages:?}");
        let requests = list.borrow().requests;
        let (_, deletes, _) = walk(&hub, Some(&cursor), 10);
        assert!(deletes.is_empty());
        assert_eq!(
            list.borrow().requests - requests,
            3,
            "nothing happened: {pages:?}"
        );
    }
}

#[test]
fn a_member_who_is_passed_over_while_the_list_is_looked_through_is_not_deleted() {
    let list = Rc::new(RefCell::new(List::of((0..2_500).map(|id| (id, 0)))));
    let hub = hub_of(&list);
    let (_, _, cursor) = walk(&hub, None, 1_000);
    // Between two pages of the ids the first members are archived, so that others move to pages that were read.
    list.borrow_mut().members[2_000].changed = T0 + 10;
    hub.set_now_ms(1_800_000_000_000);
    list.borrow_mut().requests = 0;
    list.borrow_mut().meddle = Some(|members, requests| {
        if requests == 3 {
            for known in &mut members[..5] {
                known.archived = true;
                known.changed = T0 + 20;
            }
        }
    });
    let (_, deletes, cursor) = walk(&hub, Some(&cursor), 1_000);
    let archived = (0..5).map(|id| json!({"contact_id": id.to_string()}));
    let archived: Vec<Value> = archived.collect();
    assert!(
        deletes.iter().all(|gone| archived.contains(gone)),
        "{deletes:?}"
    );
    hub.set_now_ms(1_900_000_000_000);
    let (_, deletes, _) = walk(&hub, Some(&cursor), 1_000);
    assert!(
        deletes.iter().all(|gone| archived.contains(gone)),
        "{deletes:?}"
    );
}

#[test]
fn a_list_from_which_very_many_are_gone_is_read_from_its_start() {
    let list = Rc::new(RefCell::new(List::of((0..900).map(|id| (id, 0)))));
    let hub = hub_of(&list);
    let (_, _, cursor) = walk(&hub, None, 1_000);
    list.borrow_mut().members.truncate(200);
    let request = from_cursor("members", &cursor);
    let first = call::read::<Mailchimp>(&hub, CONFIG, &request).expect("the pages before");
    assert!(!first.done);
    let request = from_cursor("members", &first.cursor);
    let error = call::read::<Mailchimp>(&hub, CONFIG, &request).expect_err("fails");
    assert!(
        matches!(error, Error::CursorExpired(detail) if detail.code == "mailchimp.many_changes")
    );
}

#[test]
fn a_cursor_of_before_asks_for_a_fresh_start() {
    let cursor = br#"{"members":{"at":1690000000000,"tie":null,"past":false,"inclusive":false},"archived":{"at":null,"tie":null,"past":false,"inclusive":false},"in_archived":false}"#;
    let hub = hub_of(&Rc::new(RefCell::new(List::of([]))));
    let request = from_cursor("members", cursor);
    let error = call::read::<Mailchimp>(&hub, CONFIG, &request).expect_err("fails");
    assert!(matches!(error, Error::CursorExpired(_)));
}

#[test]
fn pages_of_another_length_than_was_asked_lose_nobody() {
    for pages in [1, 2, 7, 1_000]
        .into_iter()
        .flat_map(|size| [Pages::AtMost(size), Pages::Longer(size)])
    {
        for (inclusive, bounded) in [(true, true), (false, true), (true, false), (false, false)] {
            let members = (0..60).map(|id| (id, i64::from(id / 25)));
            let list = Rc::new(RefCell::new(List {
                inclusive,
                bounded,
                pages,
                ..List::of(members)
            }));
            let hub = hub_of(&list);
            let (found, deletes, _) = walk(&hub, None, 10);
            assert_eq!(found, (0..60).collect(), "{pages:?} {inclusive} {bounded}");
            assert!(deletes.is_empty());
        }
    }
}

// I17
#[test]
fn members_of_whom_nothing_can_be_read_stop_nobody() {
    let stamp = |at: i64| format_seconds((T0 + at) * 1_000);
    for bad in ["", "yesterday"] {
        for spoiled in [0..1, 5..25, 0..30, 29..30] {
            for pages in [Pages::AsAsked, Pages::AtMost(1)] {
                let spoil = spoiled.clone().map(|at| (stamp(at), bad.to_owned()));
                let list = Rc::new(RefCell::new(List {
                    pages,
                    spoil: spoil.collect(),
                    ..List::of((0..30).map(|id| (id, i64::from(id))))
                }));
                let (found, ..) = walk(&hub_of(&list), None, 4);
                assert_eq!(found, (0..30).collect(), "{bad:?} {spoiled:?} {pages:?}");
            }
        }
    }
}

#[test]
fn campaigns_are_parts_and_each_action_is_a_record_with_a_stable_id() {
    let email = json!({"campaign_id": "c1", "list_id": "L1", "email_id": "e1", "email_address": "a@example.com", "activity": [
        {"action": "open", "timestamp": "2026-01-01T00:00:00+00:00", "ip": "1.2.3.4"},
        {"action": "open", "timestamp": "2026-01-01T00:00:00+00:00", "ip": "1.2.3.4"},
        {"action": "click", "timestamp": "2026-01-01T00:01:00+00:00", "url": "https://example.com/"}
    ]});
    let quiet = json!({"campaign_id": "c1", "list_id": "L1", "email_id": "e2", "email_address": "b@example.com", "activity": []});
    let page = json(200, json!({"emails": [email, quiet], "total_items": 2}));
    let hub = TestHub::script([
        (
            "GET https://us1.api.mailchimp.com/3.0/reports?count=1000&offset=0&since_send_time=2022-11-14T",
            json(
                200,
                json!({"reports": [{"id": "c1", "list_id": "L1"}, {"id": "c2", "list_id": "other"}], "total_items": 2}),
            ),
        ),
        (
            "GET https://us1.api.mailchimp.com/3.0/reports/c1/email-activity?count=1000&offset=0",
            page.clone(),
        ),
        (
            "GET https://us1.api.mailchimp.com/3.0/reports/c1/email-activity?count=1000&offset=0&since=2023-11-14T21%3A13%3A20",
            page,
        ),
    ]);
    assert_eq!(
        call::split::<Mailchimp>(&hub, CONFIG, "campaign_activity", None).expect("splits"),
        ["c1"]
    );
    let request = ReadRequest {
        part: "c1".into(),
        ..whole("campaign_activity")
    };
    let first = call::read::<Mailchimp>(&hub, CONFIG, &request).expect("reads");
    assert!(first.done);
    let second = call::read::<Mailchimp>(
        &hub,
        CONFIG,
        &ReadRequest {
            cursor: Some(first.cursor),
            ..request
        },
    )
    .expect("reads");
    assert_eq!(first.upserts, second.upserts);
    let rows: Vec<Value> = first
        .upserts
        .lines()
        .map(|line| serde_json::from_slice(line).expect("json"))
        .collect();
    let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(
        ids,
        [
            "c1:e1:open:2026-01-01T00:00:00+00:00",
            "c1:e1:open:2026-01-01T00:00:00+00:00#2",
            "c1:e1:click:2026-01-01T00:01:00+00:00:0f115db062b7"
        ]
    );
    hub.finish();
}

// F5
#[test]
fn a_list_without_a_campaign_has_no_parts() {
    let reports = "GET https://us1.api.mailchimp.com/3.0/reports?count=1000&offset=0&since_send_time=2022-11-14T";
    let hub = TestHub::script([(reports, json(200, json!({"reports": [], "total_items": 0})))]);
    let parts = call::split::<Mailchimp>(&hub, CONFIG, "unsubscribes", None).expect("splits");
    assert!(parts.is_empty());
    hub.finish();
}

#[test]
fn unsubscribes_are_read_by_offset() {
    let row = |id: u32| json!({"campaign_id": "c1", "email_id": id.to_string(), "email_address": "a@example.com", "timestamp": "2026-01-01T00:00:00+00:00"});
    let start = "GET https://us1.api.mailchimp.com/3.0/reports/c1/unsubscribed?count=2&offset=";
    let (first, second) = (format!("{start}0"), format!("{start}2"));
    let hub = TestHub::script([
        (
            first.as_str(),
            json(
                200,
                json!({"unsubscribes": [row(1), row(2)], "total_items": 3}),
            ),
        ),
        (
            second.as_str(),
            json(200, json!({"unsubscribes": [row(3)], "total_items": 3})),
        ),
    ]);
    let config = r#"{"list_id": "L1", "server": "us1", "page_size": 2}"#;
    let request = ReadRequest {
        part: "c1".into(),
        ..whole("unsubscribes")
    };
    let batch = call::read::<Mailchimp>(&hub, config, &request).expect("reads");
    assert_eq!((batch.upserts.count, batch.done), (3, true));
    hub.finish();
}

#[test]
fn every_kind_of_refusal_has_its_class() {
    let class = |status: u16, body: &'static str| {
        let hub = TestHub::new(move |_| {
            Ok(Response {
                status,
                headers: vec![("retry-after".into(), b"2".to_vec())],
                body: body.into(),
            })
        });
        call::read::<Mailchimp>(&hub, CONFIG, &whole("members")).expect_err("fails")
    };
    assert!(
        matches!(class(401, r#"{"title":"API Key Invalid","detail":"x"}"#), Error::Auth(d) if d.code == "mailchimp.API Key Invalid")
    );
    assert!(matches!(class(403, "{}"), Error::Permission(_)));
    assert!(matches!(class(404, "{}"), Error::Permanent(_)));
    assert!(
        matches!(class(429, "{}"), Error::RateLimited(limit) if limit.retry_after_ms == Some(2_000))
    );
    assert!(matches!(class(500, ""), Error::Transient(_)));
    assert!(matches!(class(200, "<html>"), Error::Transient(_)));
    assert!(matches!(
        class(200, r#"{"members":[{"id":"1"}],"#),
        Error::Transient(_)
    ));
    let hub = TestHub::new(|_| Ok(json(404, json!({"title": "Resource Not Found"}))));
    assert!(matches!(
        call::check::<Mailchimp>(&hub, CONFIG),
        Err(Error::Config(_))
    ));
    let error = call::check::<Mailchimp>(&hub, r#"{"list_id": "L1"}"#).expect_err("fails");
    assert!(error.to_string().contains("config.server"));
}

fn write(hub: &TestHub, lines: &str, verify: bool) -> Outcome {
    let request = WriteRequest {
        target: "members".into(),
        mode: Mode::Upsert,
        rows: Chunk {
            count: lines.lines().count() as u32,
            data: lines.into(),
        },
        idempotency_key: "k".into(),
        verify,
    };
    call::write::<Mailchimp>(hub, CONFIG, &request).expect("writes")
}

#[test]
fn only_new_members_are_given_a_status() {
    let post = format!("POST {LIST}");
    let first = json!({"errors": [
        {"email_address": "Old@example.com", "error_code": "ERROR_CONTACT_EXISTS", "error": "is already a list member"},
        {"email_address": "fake@example.com", "error_code": "ERROR_GENERIC", "error": "looks fake"}
    ], "error_count": 2});
    let second = json!({"errors": [{"email_address": "old@example.com", "error_code": "ERROR_GENERIC", "error": "Your merge fields were invalid.",
        "field": "BIRTHDAY", "field_message": "Please enter a month and a day"}], "error_count": 1});
    let hub = TestHub::script([
        (post.as_str(), json(200, first)),
        (post.as_str(), json(200, second)),
    ]);
    let lines = "{\"email\":\"new@example.com\",\"FNAME\":\"Ada\",\"LNAME\":null}\n{\"email\":\"old@example.com\",\"FNAME\":\"Bo\"}\n{\"email\":\"fake@example.com\"}\n{}\n";
    let outcome = write(&hub, lines, false);
    let failed: Vec<(u32, &str, &str)> = outcome
        .failures
        .iter()
        .map(|f| (f.index, f.code.as_str(), f.message.as_str()))
        .collect();
    assert_eq!(
        failed,
        [
            (
                1,
                "mailchimp.ERROR_GENERIC",
                "Your merge fields were invalid. `BIRTHDAY`: Please enter a month and a day"
            ),
            (2, "mailchimp.ERROR_GENERIC", "looks fake"),
            (
                3,
                "mailchimp.no_email",
                "the row has no `email`, by which rows are matched"
            ),
        ]
    );
    let bodies = hub.bodies();
    assert_eq!(bodies[0]["update_existing"], false);
    assert_eq!(
        bodies[0]["members"][0],
        json!({"email_address": "new@example.com", "status": "subscribed", "merge_fields": {"FNAME": "Ada", "LNAME": ""}})
    );
    assert_eq!(
        bodies[1],
        json!({"update_existing": true, "members": [{"email_address": "old@example.com", "merge_fields": {"FNAME": "Bo"}}]})
    );
}

#[test]
fn after_a_lost_answer_only_what_differs_is_sent() {
    let member = |email: &str| format!("GET {LIST}/members/{}?", subscriber_hash(email));
    let (a, b, c) = (
        member("a@example.com"),
        member("B@example.com"),
        member("c@example.com"),
    );
    let post = format!("POST {LIST}");
    let hub = TestHub::script([
        (
            a.as_str(),
            json(200, json!({"merge_fields": {"AGE": 30, "FNAME": ""}})),
        ),
        (b.as_str(), json(200, json!({"merge_fields": {"AGE": 29}}))),
        (
            c.as_str(),
            json(404, json!({"title": "Resource Not Found"})),
        ),
        (
            post.as_str(),
            json(
                200,
                json!({"errors": [{"email_address": "b@example.com", "error_code": "ERROR_CONTACT_EXISTS"}]}),
            ),
        ),
        (post.as_str(), json(200, json!({"errors": []}))),
    ]);
    write(
        &hub,
        "{\"email\":\"a@example.com\",\"AGE\":30,\"FNAME\":null}\n{\"email\":\"B@example.com\",\"AGE\":30}\n{\"email\":\"c@example.com\"}\n",
        true,
    );
    hub.finish();
    assert_eq!(hub.bodies()[0]["members"].as_array().map(Vec::len), Some(2));
    assert_eq!(hub.bodies()[1]["members"].as_array().map(Vec::len), Some(1));
}

fn change(emails: &[&str], verify: bool) -> AudienceChange {
    AudienceChange {
        audience: "49".into(),
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
fn a_segment_is_found_by_name_or_made() {
    let list = format!("GET {LIST}/segments?type=static");
    let post = format!("POST {LIST}/segments");
    let hub = TestHub::script([
        (
            list.as_str(),
            json(
                200,
                json!({"segments": [{"id": 1, "name": "other"}, {"id": 49, "name": "vip", "member_count": 3}], "total_items": 2}),
            ),
        ),
        (
            list.as_str(),
            json(200, json!({"segments": [], "total_items": 0})),
        ),
        (
            post.as_str(),
            json(200, json!({"id": 50, "name": "vip", "member_count": 0})),
        ),
    ]);
    let found = call::create::<Mailchimp>(&hub, CONFIG, "vip", None).expect("finds");
    assert_eq!((found.id.as_str(), found.size), ("49", Some(3)));
    assert_eq!(
        call::create::<Mailchimp>(&hub, CONFIG, "vip", None)
            .expect("makes")
            .id,
        "50"
    );
    assert_eq!(
        hub.bodies()[0],
        json!({"name": "vip", "static_segment": []})
    );
}

#[test]
fn members_are_added_and_removed_with_a_reason_for_each_that_is_not() {
    let segment = format!("POST {LIST}/segments/49");
    let present = format!("GET {LIST}/segments/49/members?");
    let refused = json!({"errors": [{"email_addresses": ["Gone@example.com"], "error": "not in the list"}], "error_count": 1});
    let hub = TestHub::script([
        (segment.as_str(), json(200, refused.clone())),
        (segment.as_str(), json(200, refused)),
        (
            present.as_str(),
            json(
                200,
                json!({"members": [{"email_address": "x@example.com"}], "total_items": 1}),
            ),
        ),
        (
            present.as_str(),
            json(
                200,
                json!({"members": [{"email_address": "A@example.com"}], "total_items": 1}),
            ),
        ),
        (segment.as_str(), json(200, json!({"errors": []}))),
    ]);
    let both = ["a@example.com", "gone@example.com"];
    let added = call::add::<Mailchimp>(&hub, CONFIG, &change(&both, false)).expect("adds");
    assert_eq!(
        added
            .failures
            .iter()
            .map(|f| (f.index, f.message.as_str()))
            .collect::<Vec<_>>(),
        [(1, "not in the list")]
    );
    assert_eq!(hub.bodies()[0], json!({"members_to_add": both}));
    // Whoever is not there needs no removing.
    let removed = call::remove::<Mailchimp>(&hub, CONFIG, &change(&both, false)).expect("removes");
    assert!(removed.failures.is_empty());
    let verified = call::add::<Mailchimp>(&hub, CONFIG, &change(&both, true)).expect("adds");
    assert!(verified.failures.is_empty());
    assert_eq!(
        hub.bodies()[2],
        json!({"members_to_add": ["gone@example.com"]})
    );
    hub.finish();
}

#[test]
fn erasure_is_for_good_and_says_when_nobody_was_there() {
    let post = format!(
        "POST {LIST}/members/{}/actions/delete-permanent",
        subscriber_hash("a@example.com")
    );
    let hub = TestHub::script([
        (
            post.as_str(),
            Response {
                status: 204,
                ..Response::default()
            },
        ),
        (
            post.as_str(),
            json(404, json!({"title": "Resource Not Found"})),
        ),
    ]);
    let erase = || {
        call::erase_subject::<Mailchimp>(&hub, CONFIG, &[Identifier::email("A@example.com")], "r")
            .expect("answers")
            .status
    };
    assert_eq!(erase(), ErasureStatus::Done(1));
    assert_eq!(erase(), ErasureStatus::NotFound);
}
