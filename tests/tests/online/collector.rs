//! What clients send: stored before it is answered, once, and as they meant it.

use super::{KEY, MANIFEST, Online, ask, pause, post, track};
use crate::hub::Hub;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const WAITING: &str = "select count(*) from inbox where body is not null";
const LETTERS: &str = "select count(*) from dead_letter where state = 'open'";

#[test]
fn what_a_website_sends_is_a_profile_and_a_member_a_moment_later() {
    let mut online = Online::new();
    let sent = online.batch(&[
        json!({ "type": "identify", "messageId": "1", "userId": "u1", "anonymousId": "a1", "traits": { "email": "Ada@Mail.example", "firstName": "Ada" } }),
        json!({ "type": "page", "messageId": "2", "anonymousId": "a1", "name": "Home", "properties": { "url": "https://shop.example/" } }),
        json!({ "type": "group", "messageId": "3", "userId": "u1", "groupId": "g1", "traits": { "name": "Engines", "plan": "pro" } }),
        json!({ "type": "alias", "messageId": "4", "userId": "u1", "previousId": "a0" }),
    ]);
    assert_eq!(
        (sent.status, sent.body.as_str()),
        (200, "{\"success\":true}")
    );
    online.wait_for("select count(*) from membership", 1);
    online.wait_for(WAITING, 0);
    let profile = online.hub.json(&["profile", "show", "anonymous_id:a0"]);
    let text = profile.to_string();
    assert!(
        text.contains("Ada") && text.contains("ada@mail.example"),
        "{text}"
    );
    let account = online.hub.json(&["account", "show", "g1"]);
    assert!(account.to_string().contains("Engines"), "{account}");
    online.stop();
}

// S1: neither a kill nor an orderly stop costs anything that was answered.
#[test]
fn s1_what_was_answered_is_there_once_though_the_service_is_killed_or_stopped_meanwhile() {
    let mut online = Online::new();
    let answered: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let port = online.port;
    for round in 0..onefold_tests::need::asked("ONEFOLD_KILLS", 5) {
        let is_over = Arc::new(AtomicBool::new(false));
        let senders = (0..4).map(|sender| {
            let (is_over, answered) = (is_over.clone(), answered.clone());
            std::thread::spawn(move || {
                let authorization = format!("authorization: Basic {}", super::basic(KEY));
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let ids = (0..3).map(|part| format!("{round}-{sender}-{number}-{part}"));
                    let ids: Vec<String> = ids.collect();
                    let messages: Vec<Value> = ids
                        .iter()
                        .map(|id| track(id, &json!(format!("u{sender}"))))
                        .collect();
                    let body = json!({ "batch": messages }).to_string();
                    // Sent again until it is answered, as clients do.
                    while !is_over.load(Ordering::Relaxed) {
                        let answer = post(port, "/v1/batch", &[&authorization], body.as_bytes());
                        if answer.is_some_and(|answer| answer.status == 200) {
                            answered.lock().unwrap().extend(ids);
                            break;
                        }
                    }
                    number += 1;
                }
            })
        });
        let senders: Vec<_> = senders.collect();
        for _ in 0..(4 + round * 3 % 7) {
            pause();
        }
        match round % 2 {
            0 => online.kill(),
            _ => online.stop(),
        }
        is_over.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().unwrap();
        }
        online.start();
    }
    online.wait_for(WAITING, 0);
    let answered = answered.lock().unwrap().clone();
    assert!(answered.len() > 50, "{}", answered.len());
    let of_key = "select count(*) from record where key";
    for id in &answered {
        let found = online.hub.number("hub.db", &format!("{of_key} = '{id}'"));
        assert_eq!(found, 1, "{id} was answered");
    }
    let records = online.hub.number("hub.db", "select count(*) from record");
    assert_eq!(online.events(), records, "each is there once");
    online.stop();
    assert!(post(port, "/v1/batch", &[], b"{}").is_none());
}

// S2
#[test]
fn s2_one_value_that_cannot_be_read_costs_no_other_message() {
    let mut online = Online::new();
    let messages: Vec<String> = (0..10)
        .map(|n| {
            let name = match n {
                4 => "half \\ud83d",
                7 => "nothing \\u0000",
                _ => "whole",
            };
            format!(r#"{{"type":"track","messageId":"m{n}","userId":"u{n}","event":"Seen","properties":{{"sku":"{name}","k\ud83d":1}}}}"#)
        })
        .collect();
    let body = format!("{{\"batch\":[\n{}\n]}}", messages.join(",\n"));
    assert_eq!(online.post("/v1/batch", &[], body.as_bytes()).status, 200);
    online.wait_for("select count(*) from event", 10);
    let marked = online.hub.json(&["dead-letters", "list"]);
    let marked: BTreeSet<String> = marked["dead_letters"]
        .as_array()
        .unwrap_or(marked.as_array().unwrap_or(&Vec::new()))
        .iter()
        .map(|one| {
            one["key"]
                .as_str()
                .or(one["record"].as_str())
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert!(marked.contains("m4"), "{marked:?}");
    // Not JSON at all.
    assert_eq!(online.post("/v1/batch", &[], b"{\"batch\":").status, 400);
    assert_eq!(online.post("/v1/batch", &[], b"[]").status, 400);
    online.stop();
}

// S3
#[test]
fn s3_one_insert_decides_what_is_new() {
    let mut online = Online::new();
    let user = json!("u1");
    assert_eq!(online.batch(&[track("a", &user)]).status, 200);
    let again = [
        track("a", &user),
        track("b", &user),
        track("c", &user),
        track("c", &user),
    ];
    assert_eq!(online.batch(&again).status, 200);
    online.wait_for("select count(*) from event", 3);
    // On two connections at once, and after a new start.
    let (port, authorization) = (
        online.port,
        format!("authorization: Basic {}", super::basic(KEY)),
    );
    let body = json!({ "batch": [track("d", &user)] }).to_string();
    let senders = (0..2).map(|_| {
        let (authorization, body) = (authorization.clone(), body.clone());
        std::thread::spawn(move || {
            post(port, "/v1/batch", &[&authorization], body.as_bytes())
                .unwrap()
                .status
        })
    });
    let senders: Vec<_> = senders.collect();
    for sender in senders {
        assert_eq!(sender.join().unwrap(), 200);
    }
    online.wait_for("select count(*) from event", 4);
    online.stop();
    online.start();
    let mut other = track("a", &user);
    other["event"] = json!("Song Skipped");
    assert_eq!(online.batch(&[other, track("e", &user)]).status, 200);
    online.wait_for("select count(*) from event", 5);
    let skipped = "select count(*) from event where name = 'Song Skipped'";
    assert_eq!(
        online.hub.number("hub.db", skipped),
        0,
        "the first one counts"
    );
    online.stop();
}

// S4
#[test]
fn s4_a_word_that_means_nobody_joins_nobody() {
    let mut online = Online::new();
    let nobody = [
        json!("null"),
        json!("undefined"),
        json!("[object Object]"),
        json!("NaN"),
        json!("None"),
        json!("0"),
        json!(""),
        json!(" "),
        Value::Null,
    ];
    let mut messages = Vec::new();
    for (at, user) in nobody.iter().enumerate() {
        for visitor in 0..2 {
            messages.push(json!({ "type": "identify", "messageId": format!("{at}-{visitor}"), "userId": user,
                "anonymousId": format!("visitor-{at}-{visitor}"), "traits": { "firstName": format!("V{at}{visitor}") } }));
        }
    }
    assert_eq!(online.batch(&messages).status, 200);
    online.wait_for(WAITING, 0);
    let people = online.hub.number("hub.db", "select count(*) from person");
    assert_eq!(people, messages.len() as i64);
    online.stop();
}

// S5
#[test]
fn s5_two_people_at_one_browser_are_two_people() {
    let mut online = Online::new();
    let identify = |id: &str, user: &str| {
        json!({ "type": "identify", "messageId": id, "userId": user, "anonymousId": "the-shared-browser",
            "traits": { "email": format!("{user}@mail.example") } })
    };
    let messages = [
        identify("1", "anna"),
        identify("2", "bert"),
        json!({ "type": "alias", "messageId": "3", "userId": "bert", "previousId": "anna" }),
    ];
    assert_eq!(online.batch(&messages).status, 200);
    online.wait_for(WAITING, 0);
    let of = |user: &str| {
        let shown = online
            .hub
            .json(&["profile", "show", &format!("user_id:{user}")]);
        shown["id"].as_str().unwrap().to_owned()
    };
    assert_ne!(of("anna"), of("bert"));
    online.stop();
}

// What no stream of its call could show is a dead letter of another.
#[test]
fn an_identify_that_is_too_long_is_a_dead_letter_with_its_reason() {
    let mut online = Online::new();
    let traits = json!({ "email": "ada@mail.example", "bio": "y".repeat(40_000) });
    let long = json!({ "type": "identify", "messageId": "long", "userId": "u1", "traits": traits });
    let unread = json!({ "type": "track", "messageId": "when", "userId": "u1", "event": "E", "timestamp": "yesterday" });
    assert_eq!(online.batch(&[long, unread]).status, 200);
    online.wait_for(LETTERS, 2);
    let listed = online.hub.run(&["dead-letters", "list"]).stdout;
    for expected in ["OF0517", "long values are cut here", "`timestamp`"] {
        assert!(listed.contains(expected), "{listed}");
    }
    assert_eq!(online.events(), 0);
    online.stop();
}

// S7
#[test]
fn s7_one_bad_message_of_a_hundred_is_a_dead_letter() {
    let mut online = Online::new();
    let mut messages: Vec<Value> = (0..100)
        .map(|n| track(&format!("m{n}"), &json!(format!("u{n}"))))
        .collect();
    messages[17] = json!({ "type": "track", "messageId": "m17", "userId": "u17" });
    messages[41]["properties"] = json!({ "sku": "x".repeat(40_000) });
    messages[63] = json!("no message");
    assert_eq!(online.batch(&messages).status, 200);
    online.wait_for("select count(*) from event", 97);
    online.wait_for(LETTERS, 3);
    let long = online
        .hub
        .number("hub.db", "select id from dead_letter where key = 'm41'");
    let shown = online.hub.run(&["dead-letters", "show", &long.to_string()]);
    assert!(
        shown.stdout.contains("a message may have 32768"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("Song Played"), "{}", shown.stdout);
    assert!(!shown.stdout.contains("xxxxxxxx"), "cut");
    online.stop();
}

#[test]
fn keys_origins_and_calls_of_one_message() {
    let mut online = Online::new();
    let body = json!({ "userId": "u1", "event": "Seen", "messageId": "1" }).to_string();
    let with =
        |headers: &[&str], route: &str, body: &str| online.post(route, headers, body.as_bytes());
    let unknown = format!("authorization: Basic {}", super::basic("nobody-has-this"));
    let answer = with(&[&unknown], "/v1/track", &body);
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("write key"), "{}", answer.body);
    let next = format!(
        "authorization: Basic {}",
        super::basic("key-that-comes-next")
    );
    assert_eq!(with(&[&next], "/v1/track", &body).status, 200);
    // As browsers send it: a text, the key in the body, from a page.
    let of_page = json!({ "writeKey": KEY, "anonymousId": "a1", "name": "Home", "messageId": "2" });
    let none = "authorization: none";
    let from = |origin: &str| {
        let origin = format!("origin: {origin}");
        with(
            &[none, "content-type: text/plain", &origin],
            "/p",
            &of_page.to_string(),
        )
    };
    let answer = from("https://shop.example");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .head
            .contains("access-control-allow-origin: https://shop.example")
    );
    assert_eq!(from("https://elsewhere.example").status, 403);
    let settings =
        format!("GET /v1/projects/{KEY}/settings HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    let settings = ask(online.port, settings.as_bytes()).unwrap();
    assert!(settings.body.contains("Segment.io"), "{}", settings.body);
    let pixel = {
        use base64::Engine;
        let call =
            json!({ "writeKey": KEY, "userId": "u1", "event": "Mail Seen", "messageId": "3" });
        base64::engine::general_purpose::STANDARD.encode(call.to_string())
    };
    let pixel = format!(
        "GET /v1/pixel/track?data={pixel} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
    );
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", online.port)).unwrap();
    std::io::Write::write_all(&mut stream, pixel.as_bytes()).unwrap();
    let mut image = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut image).unwrap();
    assert!(String::from_utf8_lossy(&image).contains("image/gif"));
    online.wait_for("select count(*) from event", 3);
    online.stop();
}

// What is small on its way is not made large.
#[test]
fn a_batch_with_too_much_for_every_message_is_refused_whole() {
    let mut online = Online::new();
    let large = json!({ "batch": [{}, {}], "context": { "a": "x".repeat(400_000) } });
    let answer = online.send("/v1/batch", &large);
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("8 KiB"), "{}", answer.body);
    let many: Vec<Value> = (0..2_501).map(|_| json!({})).collect();
    assert_eq!(online.batch(&many).status, 413);
    assert_eq!(online.hub.number("hub.db", "select count(*) from inbox"), 0);
    // Equal messages at an unknown time are two.
    let twice = json!({ "type": "track", "event": "E", "userId": "u", "timestamp": null });
    assert_eq!(online.batch(std::slice::from_ref(&twice)).status, 200);
    pause();
    assert_eq!(online.batch(&[twice]).status, 200);
    online.wait_for("select count(*) from event", 2);
    online.stop();
}

#[test]
fn check_sees_keys_and_origins_that_could_not_work() {
    let hub = Hub::new();
    let second = "\n[[source]]\nname = \"app\"\nconnector = \"collector\"\n";
    for (config, expected) in [
        (
            "config.write_keys = [\"key-of-the-shop\"]",
            "source `web` has one of these write keys, too",
        ),
        ("config.write_keys = []", "at least one key"),
        ("config.write_keys = [\"short\"]", "at least 8 characters"),
        (
            "config.write_keys = [\"key-of-the-app\"]\nconfig.origins = [\"shop.example\"]",
            "an origin has a scheme and a host",
        ),
    ] {
        hub.write(
            "hub.toml",
            &(MANIFEST.replace("PORT", "7117") + second + config),
        );
        let checked = hub.run(&["check"]);
        assert_eq!(checked.code, Some(2), "{checked:?}");
        assert!(checked.stderr.contains(expected), "{checked:?}");
    }
    let nowhere = MANIFEST.replace("[serve]\nlisten = \"127.0.0.1:PORT\"\n", "");
    hub.write("hub.toml", &nowhere);
    assert!(
        hub.run(&["check"])
            .stderr
            .contains("nobody can send anything")
    );
    hub.write(
        "hub.toml",
        &MANIFEST.replace("127.0.0.1:PORT", "0.0.0.0:7117"),
    );
    assert!(hub.run(&["check"]).stderr.contains("behind_proxy"));
}

// An edit that names a port of another program costs nothing that is served already.
#[test]
fn an_edit_whose_port_is_taken_leaves_the_service_where_it_is() {
    let mut online = Online::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let other = MANIFEST
        .replace("PORT", &port.to_string())
        .replace("visitors", "guests");
    online.hub.write("hub.toml", &other);
    online.hub.run(&["run"]).ends_with(0);
    assert_eq!(
        online
            .batch(&[json!({ "type": "page", "messageId": "1", "userId": "u1" })])
            .status,
        200
    );
    online.wait_for(
        "select count(*) from membership where audience = 'guests'",
        1,
    );
    let messages = online.hub.run(&["status"]).stdout;
    assert!(!messages.contains("to take in"), "{messages}");
    online.stop();
}
