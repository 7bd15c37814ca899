//! The help desk as its clients see it.

use super::api::{Answer, Call, answer};
use super::desk::Desk;
use super::{READ_ONLY_TOKEN, Settings, TOKEN, data};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn desk() -> Desk {
    data::open(Settings {
        seed: 7,
        contacts: 300,
        ..Settings::default()
    })
}

fn call(method: &str, target: &str, body: &str) -> Call {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Call {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        authorization: Some(format!("Bearer {TOKEN}")),
        content_type: Some("application/json; charset=utf-8".to_owned()),
        idempotency_key: None,
        body: Bytes::from(body.to_owned()),
    }
}

fn get(desk: &mut Desk, target: &str) -> (u16, Value) {
    parsed(&answer(desk, &call("GET", target, "")))
}

fn post(desk: &mut Desk, target: &str, body: &Value) -> (u16, Value) {
    parsed(&answer(desk, &call("POST", target, &body.to_string())))
}

fn parsed(answer: &Answer) -> (u16, Value) {
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

/// All rows of a list by pages of `limit`, as text.
fn all(desk: &mut Desk, what: &str, limit: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let (status, page) = get(desk, &format!("/v1/{what}?limit={limit}{after}"));
        assert_eq!(status, 200, "{page}");
        rows.extend(page[what].as_array().unwrap().iter().map(Value::to_string));
        after = format!("&after={}", page["next"].as_str().unwrap());
        if page["more"] == false {
            return rows;
        }
    }
}

#[test]
fn every_page_size_gives_the_same_rows_in_the_same_order() {
    let mut desk = desk();
    for (what, count) in [("contacts", 300), ("tickets", 150)] {
        let whole = all(&mut desk, what, 200);
        assert_eq!(whole.len(), count);
        for limit in [1, 7, 25, 50] {
            assert_eq!(all(&mut desk, what, limit), whole, "{what} by {limit}");
        }
    }
}

#[test]
fn the_data_is_hard_on_connectors() {
    let mut desk = desk();
    let first = answer(&mut desk, &call("GET", "/v1/contacts?limit=200", "")).body;
    for expected in [
        r#""score":1.10"#,
        r#""balance":1e2"#,
        r#""ledger":123456789012345678901234567890"#,
        r#""deleted":true"#,
        r"\u00",
        "Łukasz",
        r#""id":9007199254741001"#,
    ] {
        assert!(first.contains(expected), "`{expected}`");
    }
    let page: Value = serde_json::from_str(&first).unwrap();
    let contacts = page["contacts"].as_array().unwrap();
    for boundary in [25, 50, 100] {
        assert_eq!(
            contacts[boundary - 1]["updated_at"],
            contacts[boundary]["updated_at"]
        );
    }
}

/// Where the tombstone and the new row of each id are that is used again.
fn created_again(rows: &[String]) -> Vec<(usize, usize)> {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let gone = |row: &Value| row.get("deleted").is_some();
    let mut found = Vec::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| !gone(row)) {
        let same = |other: &Value| other["id"] == row["id"];
        assert_eq!(
            rows.iter()
                .filter(|other| same(other) && !gone(other))
                .count(),
            1
        );
        let tombstones = rows
            .iter()
            .enumerate()
            .filter(|(_, other)| same(other) && gone(other));
        found.extend(tombstones.map(|(deleted, _)| (deleted, at)));
    }
    found
}

#[test]
fn a_row_is_deleted_and_created_again_with_its_id_in_one_page_and_pages_apart() {
    for seed in 1..8 {
        for contacts in [260, 300, 500, 1_000] {
            let mut desk = data::open(Settings {
                seed,
                contacts,
                ..Settings::default()
            });
            let whole = all(&mut desk, "contacts", 200);
            assert_eq!(whole.len(), contacts as usize);
            for rows in [whole, all(&mut desk, "tickets", 200)] {
                let again = created_again(&rows);
                assert!(
                    again.iter().all(|(deleted, again)| deleted < again),
                    "{again:?}"
                );
                let apart = |(deleted, again): &(usize, usize)| again - deleted;
                assert!(
                    again.iter().map(apart).any(|rows| rows <= 5),
                    "{seed} {contacts} {again:?}"
                );
                assert!(
                    again.iter().map(apart).any(|rows| rows > 40),
                    "{seed} {contacts} {again:?}"
                );
            }
        }
    }
}

#[test]
fn a_contact_that_is_created_again_comes_after_the_old_cursor_behind_its_tombstone() {
    let mut desk = desk();
    post(
        &mut desk,
        "/v1/contacts/upsert",
        &json!({"contacts": [{"email": "a@b.example"}]}),
    );
    let before = all(&mut desk, "contacts", 200).len();
    let id = desk.create_again("A@b.example", "Second").unwrap();
    let rows = all(&mut desk, "contacts", 200);
    // The old row is gone.
    assert_eq!(rows.len(), before + 1);
    let last: Vec<Value> = rows[before - 1..]
        .iter()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(
        (&last[0]["id"], &last[0]["deleted"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(
        (&last[1]["id"], &last[1]["name"]),
        (&json!(id), &json!("Second"))
    );
    assert_eq!(desk.create_again("nobody@b.example", "x"), None);
}

#[test]
fn the_same_seed_gives_the_same_data_and_another_seed_other_data() {
    let rows = |seed| {
        let settings = Settings {
            seed,
            contacts: 60,
            ..Settings::default()
        };
        all(&mut data::open(settings), "contacts", 60)
    };
    assert_eq!(rows(1), rows(1));
    assert_ne!(rows(1), rows(2));
}

#[test]
fn without_a_known_token_nothing_is_answered_and_a_reader_may_not_write() {
    let mut desk = desk();
    for authorization in [None, Some("Bearer nobody"), Some("practice-token")] {
        let mut call = call("GET", "/v1/me", "");
        call.authorization = authorization.map(str::to_owned);
        let (status, body) = parsed(&answer(&mut desk, &call));
        assert_eq!(
            (status, &body["error"]["code"]),
            (401, &json!("unauthorized"))
        );
    }
    let mut call = call("POST", "/v1/tags", r#"{"name":"x"}"#);
    call.authorization = Some(format!("Bearer {READ_ONLY_TOKEN}"));
    assert_eq!(answer(&mut desk, &call).status, 403);
    assert_eq!(
        get(&mut desk, "/v1/tags").1["tags"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn what_is_not_part_of_the_api_is_refused() {
    let mut desk = desk();
    let cases = [
        ("/v1/contacts?limit=0", 400),
        ("/v1/contacts?limit=201", 400),
        ("/v1/contacts?page=2", 400),
        ("/v1/contacts?limit=5&limit=5", 400),
        ("/v1/contacts?after=nonsense", 410),
        ("/v1/people", 404),
        ("/v1/me?x=1", 400),
        ("/v1/tags?after=t99", 400),
    ];
    for (target, status) in cases {
        assert_eq!(get(&mut desk, target).0, status, "{target}");
    }
    let next = get(&mut desk, "/v1/contacts").1["next"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(get(&mut desk, &format!("/v1/tickets?after={next}")).0, 410);
    let mut plain = call("POST", "/v1/tags", r#"{"name":"x"}"#);
    plain.content_type = None;
    assert_eq!(answer(&mut desk, &plain).status, 415);
    let many: Vec<Value> = (0..101)
        .map(|n| json!({"email": format!("a{n}@example.com")}))
        .collect();
    let cases = [
        (json!({"contacts": many}), 413),
        (json!({"contacts": []}), 422),
        (json!({"contacts": [], "extra": 1}), 400),
        (
            json!({"contacts": [{"email": "a@example.com", "extra": 1}]}),
            400,
        ),
        (json!([]), 400),
    ];
    for (body, status) in cases {
        assert_eq!(
            post(&mut desk, "/v1/contacts/upsert", &body).0,
            status,
            "{body}"
        );
    }
}

#[test]
fn a_row_is_created_then_unchanged_then_updated_and_comes_after_the_old_cursor() {
    let mut desk = desk();
    let mut after = get(&mut desk, "/v1/contacts?limit=200").1["next"].clone();
    for _ in 0..2 {
        let target = format!("/v1/contacts?limit=200&after={}", after.as_str().unwrap());
        after = get(&mut desk, &target).1["next"].clone();
    }
    let row =
        json!({"contacts": [{"email": "New@Example.com", "plan": "pro"}, {"email": "nonsense"}]});
    let mut statuses = Vec::new();
    for name in [None, None, Some("Nora")] {
        let mut row = row.clone();
        if let Some(name) = name {
            row["contacts"][0]["name"] = json!(name);
            row["contacts"][0]["email"] = json!("new@example.com");
        }
        let (status, body) = post(&mut desk, "/v1/contacts/upsert", &row);
        assert_eq!(
            (status, &body["results"][1]["code"]),
            (200, &json!("invalid_email"))
        );
        statuses.push(body["results"][0]["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(statuses, ["created", "unchanged", "updated"]);
    let target = format!("/v1/contacts?after={}", after.as_str().unwrap());
    let page = get(&mut desk, &target).1;
    assert_eq!(page["contacts"].as_array().unwrap().len(), 1);
    assert_eq!(page["contacts"][0]["email"], "New@Example.com");
    assert_eq!(page["contacts"][0]["name"], "Nora");
}

#[test]
fn an_idempotency_key_gives_the_first_answer_again_and_refuses_another_body() {
    let mut desk = desk();
    let mut first = call(
        "POST",
        "/v1/contacts/upsert",
        r#"{"contacts":[{"email":"a@b.example"}]}"#,
    );
    first.idempotency_key = Some("k".to_owned());
    let (_, body) = parsed(&answer(&mut desk, &first));
    assert_eq!(body["results"][0]["status"], "created");
    assert_eq!(parsed(&answer(&mut desk, &first)).1, body);
    first.body = Bytes::from_static(br#"{"contacts":[{"email":"c@b.example"}]}"#);
    let (status, body) = parsed(&answer(&mut desk, &first));
    assert_eq!(
        (status, &body["error"]["code"]),
        (422, &json!("idempotency_mismatch"))
    );
}

#[test]
fn a_help_desk_that_takes_new_members_makes_contacts_of_addresses_and_of_nothing_else() {
    let mut desk = data::open(Settings {
        new_members: true,
        ..Settings::default()
    });
    let body = json!({"add": ["new@example.com", "no address"]});
    let (_, answer) = post(&mut desk, "/v1/tags/t1/members", &body);
    assert_eq!(answer["results"][0]["status"], "added");
    assert_eq!(answer["results"][1]["code"], "unknown_contact");
    assert!(desk.find("NEW@example.com").is_some());
    let body = json!({"remove": ["other@example.com"]});
    let (_, answer) = post(&mut desk, "/v1/tags/t1/members", &body);
    assert_eq!(answer["results"][0]["status"], "absent");
    assert!(desk.find("other@example.com").is_none());
}

#[test]
fn tags_are_made_once_and_their_members_counted_once() {
    let mut desk = desk();
    let vip = call("POST", "/v1/tags", r#"{"name":"vip"}"#);
    assert_eq!(answer(&mut desk, &vip).status, 201);
    assert_eq!(answer(&mut desk, &vip).status, 200);
    post(
        &mut desk,
        "/v1/contacts/upsert",
        &json!({"contacts": [{"email": "a@b.example"}]}),
    );
    let mut words = Vec::new();
    for body in [
        json!({"add": ["A@B.example", "nobody@b.example"]}),
        json!({"add": ["a@b.example"]}),
        json!({"remove": ["a@b.example", "a@b.example"]}),
    ] {
        let (_, answer) = post(&mut desk, "/v1/tags/t2/members", &body);
        let results = answer["results"].as_array().unwrap().clone();
        words.extend(
            results
                .iter()
                .map(|one| one["status"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(words, ["added", "error", "already", "removed", "absent"]);
    for n in 0..40 {
        post(&mut desk, "/v1/tags", &json!({"name": format!("tag {n}")}));
    }
    let mut seen = BTreeSet::new();
    let mut target = "/v1/tags".to_owned();
    loop {
        let (_, page) = get(&mut desk, &target);
        for tag in page["tags"].as_array().unwrap() {
            assert!(seen.insert(tag["id"].as_str().unwrap().to_owned()));
        }
        match page["next"].as_str() {
            Some(next) => target = format!("/v1/tags?after={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 42);
}

#[test]
fn an_erased_contact_leaves_a_tombstone_and_is_found_no_more() {
    let mut desk = desk();
    let row = json!({"contacts": [{"email": "gone@example.com"}]});
    let id = post(&mut desk, "/v1/contacts/upsert", &row).1["results"][0]["id"].clone();
    let who = json!({"email": "GONE@example.com"});
    assert_eq!(
        post(&mut desk, "/v1/contacts/erase", &who),
        (200, json!({"erased": 1}))
    );
    assert_eq!(post(&mut desk, "/v1/contacts/erase", &who).0, 404);
    let found = post(
        &mut desk,
        "/v1/contacts/lookup",
        &json!({"emails": ["gone@example.com"]}),
    );
    assert_eq!(found.1, json!({"contacts": []}));
    let last = all(&mut desk, "contacts", 200).pop().unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&last["id"], &last["deleted"]), (&id, &json!(true)));
}

#[test]
fn it_serves_on_loopback_until_it_is_dropped() {
    use std::io::{Read, Write};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let practice = super::Practice::start(runtime.handle(), Settings::default(), 0).unwrap();
    let mut stream = std::net::TcpStream::connect(practice.address).unwrap();
    let request = format!(
        "GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(
        text.ends_with(r#"{"account":"practice","scopes":["read","write"]}"#),
        "{text}"
    );
}
