//! The API of a running hub, as its description has it: every operation that the description names is asked, so that a new one is
//! tested when it is there.

mod schemathesis;

use super::{Answer, ask, pause};
use crate::hub::Hub;
use crate::small::Small;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tokio::process::Child;

/// Everything, unmasked and masked, and nothing.
const ROLES: &str = r#"
[[role]]
name = "masked"
scopes = ["hub:read", "hub:operate", "audiences:read", "people:read", "memberships:check", "accounts:read", "deliveries:read", "dead-letters:read", "dead-letters:retry", "consents:state", "audit:read"]

[[role]]
name = "nothing"
scopes = []
"#;

/// What only the person says whose data must not be seen.
const CANARIES: [&str; 6] = [
    "canary@secret.example",
    "Zyxcanary",
    "Qwecanary",
    "+48600700800",
    "canary-street",
    "canary-value",
];
const MAIL: &str = "email:canary@secret.example";

/// A small hub that serves, with somebody whose data are canaries.
struct Served {
    small: Small,
    port: u16,
    _child: Child,
}

impl Served {
    fn new() -> Self {
        let small = Small::new();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let manifest = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
        let more = format!(
            "{ROLES}\n[serve]\nlisten = \"127.0.0.1:{port}\"\n\n[[source]]\nname = \"web\"\nconnector = \"collector\"\n\
             config.write_keys = [\"key-of-the-shop\"]\n\n[[audience]]\nname = \"visitors\"\n\
             who = {{ event = \"Page Viewed\", count = {{ at_least = 1 }} }}\n\
             [[audience]]\nname = \"big\"\nof = \"account\"\nwho = {{ trait = \"name\", exists = true }}\n"
        );
        small.hub.write("hub.toml", &(manifest + &more));
        small.hub.run(&["run"]).ends_with(0);
        drop(free);
        let child = small.hub.spawn(&["serve"]);
        let served = Self {
            small,
            port,
            _child: child,
        };
        served.wait_until(|| get(served.port, "/readyz", &[]).status == 200);
        served.send_canary();
        served
    }

    fn hub(&self) -> &Hub {
        &self.small.hub
    }

    #[track_caller]
    fn wait_until(&self, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never is");
            pause();
        }
    }

    fn send_canary(&self) {
        let key = "authorization: Basic a2V5LW9mLXRoZS1zaG9wOg==";
        let traits = json!({
            "email": CANARIES[0], "firstName": CANARIES[1], "lastName": CANARIES[2], "phone": CANARIES[3],
            "street": CANARIES[4], "birthday": "not a date, canary-value",
        });
        let batch = json!({ "batch": [
            { "type": "identify", "messageId": "canary-value-1", "userId": "canary-value", "traits": traits },
            { "type": "page", "messageId": "c2", "userId": "canary-value", "name": "canary-value", "properties": { "url": "https://shop.example/canary-value" } },
            { "type": "track", "messageId": "c3", "userId": "canary-value", "event": "Order Completed", "properties": { "order_id": "canary-value", "revenue": 7 } },
            { "type": "track", "messageId": "c4", "userId": "canary-value", "event": "Order Completed", "properties": { "order_id": "canary-value-2", "revenue": 7 } },
            { "type": "track", "messageId": "canary-value-6", "userId": "canary-value", "event": "Seen", "timestamp": "canary-value", "properties": traits },
            { "type": "group", "messageId": "c5", "userId": "canary-value", "groupId": "g-1", "traits": { "name": "Zyxcanary and Sons" } },
        ] });
        let sent = super::post(self.port, "/v1/batch", &[key], batch.to_string().as_bytes());
        assert_eq!(sent.unwrap().status, 200);
        let stored = "select count(*) from membership where audience = 'visitors'";
        self.wait_until(|| self.hub().number("small.db", stored) == 1);
        let accounts = "select count(*) from account_membership where audience = 'big'";
        self.wait_until(|| self.hub().number("small.db", accounts) == 1);
        let letters = "select count(*) from dead_letter";
        self.wait_until(|| self.hub().number("small.db", letters) > 0);
    }

    fn token(&self, role: &str) -> String {
        let made = self.hub().run(&["token", "create", "--role", role]);
        let secret = made.ends_with(0).stdout.trim().to_owned();
        assert!(secret.starts_with("onefold_"), "{secret}");
        secret
    }

    fn get(&self, token: &str, path: &str) -> Answer {
        get(self.port, path, &[&bearer(token)])
    }

    fn call(&self, operation: &Operation, headers: &[&str]) -> Answer {
        let Operation { method, path, body } = operation;
        let body = body.to_string();
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        request += "content-type: application/json\r\n";
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        ask(self.port, request.as_bytes()).expect("the hub answers")
    }

    /// Every operation of the description, of something that there is.
    fn operations(&self) -> Vec<Operation> {
        let described = get(self.port, "/openapi.json", &[]);
        let described: Value = serde_json::from_str(&described.body).unwrap();
        let number = |query: &str| self.hub().number("small.db", query).to_string();
        let run = number("select max(id) from run");
        let letter = number("select max(id) from dead_letter");
        let mut operations = Vec::new();
        for (path, of_path) in described["paths"].as_object().unwrap() {
            for (method, _) in of_path.as_object().unwrap() {
                let id = match path.as_str() {
                    "/api/v1/runs/{id}" => &run,
                    "/api/v1/dead-letters/{id}" => &letter,
                    _ => "g-1",
                };
                let filled = path
                    .replace("{identifier}", MAIL)
                    .replace("{audience}", "visitors")
                    .replace("{destination}", "newsletter-out")
                    .replace("{id}", id);
                assert!(!filled.contains('{'), "{filled}");
                let filled = match path.as_str() {
                    "/api/v1/profiles" => format!("{filled}?q=zyxcanary"),
                    _ => filled,
                };
                let body = match path.as_str() {
                    "/api/v1/memberships" => json!({ "identifiers": [MAIL] }),
                    "/api/v1/consents" => {
                        json!({ "identifier": MAIL, "purpose": "marketing_email", "status": "granted", "reason": "canary-value" })
                    }
                    "/api/v1/pause" | "/api/v1/resume" => {
                        json!({ "name": "crm", "reason": "the vendor migrates" })
                    }
                    _ => Value::Null,
                };
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: filled,
                    body,
                });
            }
        }
        assert!(operations.len() > 20, "{operations:?}");
        operations
    }
}

#[derive(Debug)]
struct Operation {
    method: String,
    path: String,
    body: Value,
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

fn get(port: u16, path: &str, headers: &[&str]) -> Answer {
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n");
    for header in headers {
        request += &format!("{header}\r\n");
    }
    ask(port, (request + "\r\n").as_bytes()).unwrap_or(Answer {
        status: 0,
        head: String::new(),
        body: String::new(),
    })
}

#[track_caller]
fn problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(
        answer.head.contains("application/problem+json"),
        "{answer:?}"
    );
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["status"], status, "{body}");
}

// Shows 5.
#[test]
fn every_operation_needs_a_token_with_its_scope_and_shows_a_masked_role_no_personal_data() {
    let served = Served::new();
    let (admin, masked, nothing) = (
        served.token("admin"),
        served.token("masked"),
        served.token("nothing"),
    );
    let (admin, masked, nothing) = (bearer(&admin), bearer(&masked), bearer(&nothing));
    let mut seen = 0;
    for operation in served.operations() {
        let what = format!("{operation:?}");
        problem(&served.call(&operation, &[]), 401, "OF0901");
        let wrong = served.call(&operation, &["authorization: Bearer onefold_x"]);
        problem(&wrong, 401, "OF0902");
        assert!(
            wrong
                .head
                .to_lowercase()
                .contains("www-authenticate: bearer")
        );
        problem(&served.call(&operation, &[&nothing]), 403, "OF0903");
        let shown = served.call(&operation, &[&admin]);
        assert_eq!(shown.status, 200, "{what}: {shown:?}");
        let head = shown.head.to_lowercase();
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        let has = |answer: &Answer| CANARIES.iter().any(|one| answer.body.contains(one));
        if has(&shown) {
            assert!(head.contains("cache-control: no-store"), "{what}: {head}");
            seen += 1;
        }
        let answer = served.call(&operation, &[&masked]);
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        assert!(!has(&answer), "{what}: {}", answer.body);
        assert!(
            !answer.body.contains("poczta.example"),
            "{what}: {}",
            answer.body
        );
    }
    let line = format!(
        "{seen} operations show the canary to a role that may see it, and none to a masked one\n"
    );
    let _ = std::io::stderr().write_all(line.as_bytes());
    assert!(seen >= 9, "{seen}");
}

#[test]
fn a_token_ends_when_it_expires_or_is_revoked_and_its_secret_is_stored_nowhere() {
    let served = Served::new();
    let path = "/api/v1/audiences";
    let token = served.token("viewer");
    assert_eq!(served.get(&token, path).status, 200);
    served
        .hub()
        .run(&["token", "revoke", "viewer"])
        .ends_with(0);
    problem(&served.get(&token, path), 401, "OF0902");
    // Made two hours ago for an hour.
    let now = onefold::app::system_clock().now().0;
    served.hub().stand_at(now - 7_200_000);
    let create = [
        "token",
        "create",
        "--role",
        "viewer",
        "--name",
        "old",
        "--expires",
        "1h",
    ];
    let old = served.hub().run(&create).ends_with(0);
    problem(&served.get(old.stdout.trim(), path), 401, "OF0902");
    served.hub().stand_at(now);
    let listed = served.hub().json(&["token", "list"]);
    let states: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["revoked", "expired"]);
    served.wait_until(|| {
        let listed = served.hub().json(&["token", "list"]);
        listed[0]["last_used_at"].is_string() && listed[1]["last_used_at"].is_null()
    });
    for file in std::fs::read_dir(served.hub().path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let is_in = bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes());
        assert!(!is_in, "{}", path.display());
    }
}

#[test]
fn reads_of_people_are_logged_and_one_altered_row_is_found() {
    let served = Served::new();
    let admin = served.token("admin");
    let view = served.get(&admin, &format!("/api/v1/profiles/{MAIL}"));
    let view: Value = serde_json::from_str(&view.body).unwrap();
    let id = view["id"].as_str().unwrap();
    let pause = Operation {
        method: "POST".to_owned(),
        path: "/api/v1/pause".to_owned(),
        body: json!({ "name": "crm", "reason": "the vendor migrates" }),
    };
    assert_eq!(served.call(&pause, &[&bearer(&admin)]).status, 200);
    let rows = || served.hub().json(&["audit", "list"]);
    let rows = rows();
    let short: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().replace(id, "ID");
            format!(
                "{} {} {} {}",
                text("action"),
                text("subject"),
                text("address"),
                row["outcome"]
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            "token.create token 1 of role admin  200",
            "GET /api/v1/profiles/{identifier} ID 127.0.0.1 200",
            "POST /api/v1/pause  127.0.0.1 0",
            "POST /api/v1/pause source crm 127.0.0.1 200",
        ]
    );
    for canary in CANARIES {
        assert!(!rows.to_string().contains(canary), "{rows}");
    }
    let whole = served.hub().run(&["audit", "verify"]).ends_with(0);
    assert!(whole.stdout.starts_with("4 rows, unbroken"), "{whole:?}");
    let last = served.hub().json(&["audit", "verify"])["last"]
        .as_str()
        .unwrap()
        .to_owned();
    let exported = served.hub().run(&["audit", "export"]).ends_with(0);
    assert_eq!(exported.stdout.lines().count(), 4, "{exported:?}");
    served.alter("update audit set subject = 'nobody' where id = 2 returning id");
    let broken = served.hub().run(&["audit", "verify"]).ends_with(2);
    assert!(
        broken.stderr.contains("row 2 of the audit log was altered"),
        "{broken:?}"
    );
    served.alter(&format!(
        "update audit set subject = '{id}' where id = 2 returning id"
    ));
    served.alter("delete from audit where id = 4 returning id");
    served.hub().run(&["audit", "verify"]).ends_with(0);
    let cut = served
        .hub()
        .run(&["audit", "verify", "--expect", &last])
        .ends_with(2);
    assert!(
        cut.stderr.contains("row 4 of the audit log is missing"),
        "{cut:?}"
    );
}

impl Served {
    fn alter(&self, text: &str) {
        let address = format!("sqlite:{}", self.hub().path().join("small.db").display());
        self.hub().runtime.block_on(async {
            let store = onefold::store::Store::open(&address).await.unwrap();
            let mut tx = store.begin().await.unwrap();
            assert_eq!(tx.select_persons(text, &[]).await.unwrap().len(), 1);
            tx.commit().await.unwrap();
            store.close().await;
        });
    }
}

#[test]
fn what_did_not_change_is_304_and_what_cannot_be_used_is_a_problem() {
    let served = Served::new();
    let admin = served.token("admin");
    let with = |path: &str, header: &str| get(served.port, path, &[&bearer(&admin), header]);
    let path = format!("/api/v1/profiles/{MAIL}");
    let first = served.get(&admin, &path);
    let tag = first
        .head
        .lines()
        .find_map(|line| line.strip_prefix("etag: "));
    let tag = tag.expect("an ETag").trim().to_owned();
    let same = with(&path, &format!("if-none-match: \"other\", {tag}"));
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    assert_eq!(with(&path, "if-none-match: \"other\"").status, 200);
    for (path, status, code) in [
        ("/api/v1/profiles/nobody", 400, "OF0904"),
        (
            "/api/v1/profiles/email:somebody@mail.example",
            404,
            "OF0004",
        ),
        ("/api/v1/profiles/email:%FF", 400, "OF0904"),
        ("/api/v1/profiles?q=", 400, "OF0904"),
        ("/api/v1/profiles?q=a&limit=0", 400, "OF0904"),
        ("/api/v1/profiles?q=a&limit=1000", 400, "OF0904"),
        ("/api/v1/profiles?q=a&unknown=1", 400, "OF0904"),
        ("/api/v1/audiences/byers/members", 404, "OF0004"),
        ("/api/v1/audiences/buyers/members?after=x", 400, "OF0904"),
        ("/api/v1/runs/7777777", 404, "OF0004"),
        ("/api/v1/runs/99999999999999999999", 400, "OF0904"),
        ("/api/v1/nothing/here", 404, "OF0905"),
        ("/api/v1/memberships", 405, "OF0905"),
    ] {
        problem(&served.get(&admin, path), status, code);
    }
    let check = |body: &[u8]| {
        let headers = [bearer(&admin)];
        super::post(served.port, "/api/v1/memberships", &[&headers[0]], body).unwrap()
    };
    for body in [
        &b"{"[..],
        b"[]",
        b"{}",
        b"{\"identifiers\": []}",
        &[b'['; 10_000],
        b"\xff\xfe",
    ] {
        problem(&check(body), 400, "OF0904");
    }
    problem(&check(&vec![b' '; 100_000]), 413, "OF0904");
    let found = check(b"{\"identifiers\": [\"email:canary@secret.example\", \"email:somebody@mail.example\"], \"audiences\": [\"visitors\"]}");
    let found: Value = serde_json::from_str(&found.body).unwrap();
    assert_eq!(found[0]["audiences"], json!(["visitors"]), "{found}");
    assert_eq!(found[1], json!({ "person": null, "audiences": [] }));
}

#[test]
fn a_change_with_a_key_is_made_once_and_has_the_same_answer_again() {
    let served = Served::new();
    let admin = bearer(&served.token("admin"));
    let pause = |name: &str, key: &str| {
        let operation = Operation {
            method: "POST".to_owned(),
            path: "/api/v1/pause".to_owned(),
            body: json!({ "name": name, "reason": "the vendor migrates" }),
        };
        served.call(&operation, &[&admin, &format!("idempotency-key: {key}")])
    };
    let first = pause("crm", "k1");
    let again = pause("crm", "k1");
    assert_eq!((first.status, &first.body), (200, &again.body));
    assert!(
        again.head.contains("idempotent-replayed: true"),
        "{again:?}"
    );
    let pauses = "select count(*) from pause";
    assert_eq!(served.hub().number("small.db", pauses), 1);
    problem(&pause("payments", "k1"), 409, "OF0908");
    // What was refused can be asked for again.
    for _ in 0..2 {
        problem(&pause("nothing", "k2"), 404, "OF0004");
    }
    problem(&pause("crm", &"k".repeat(300)), 400, "OF0904");
    let body: Value = serde_json::from_str(&pause("crm", "k3").body).unwrap();
    assert_eq!(body["before"]["reason"], "the vendor migrates", "{body}");
    assert_eq!(served.hub().number("small.db", pauses), 2);
}

#[test]
fn members_changes_and_events_come_in_pages() {
    let served = Served::new();
    let admin = served.token("admin");
    let json =
        |path: &str| -> Value { serde_json::from_str(&served.get(&admin, path).body).unwrap() };
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = json(&format!("/api/v1/audiences/buyers/members?limit=1{after}"));
        let members = page["members"].as_array().unwrap();
        assert_eq!(members.len(), 1, "{page}");
        ids.push(members[0]["id"].clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    let whole = json("/api/v1/audiences/buyers/members");
    let all: Vec<&Value> = whole["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids.iter().collect::<Vec<_>>(), all);
    assert_eq!(whole["size"], 4, "{whole}");
    let first = json("/api/v1/audiences/buyers/changes?limit=3");
    let rest = json(&format!(
        "/api/v1/audiences/buyers/changes?after={}",
        first["next"]
    ));
    let count = |page: &Value| page["changes"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&rest)), (3, 1), "{first} {rest}");
    let latest = json(&format!("/api/v1/profiles/{MAIL}/events?limit=2"));
    let next = latest["next"].as_str().unwrap();
    let before = json(&format!(
        "/api/v1/profiles/{MAIL}/events?limit=2&after={next}"
    ));
    assert_eq!(latest["events"].as_array().unwrap().len(), 2);
    assert_eq!(before["events"].as_array().unwrap().len(), 1, "{before}");
    assert_eq!(before["next"], Value::Null);
    let page = json("/api/v1/destinations/newsletter-out/rows?limit=2");
    let next = page["next"].as_str().unwrap();
    let rest = json(&format!(
        "/api/v1/destinations/newsletter-out/rows?after={next}"
    ));
    let rows = [&page, &rest].map(|page| page["rows"].as_array().unwrap().clone());
    let states: BTreeSet<String> = rows
        .concat()
        .iter()
        .map(|row| format!("{} {}", row["object"].as_str().unwrap(), row["state"]))
        .collect();
    let expected = [
        r#"audience:buyers {"because":"refused","is":"withheld","there":false}"#,
        r#"audience:buyers {"because":"unstated","is":"withheld","there":false}"#,
        r#"audience:buyers {"is":"sent"}"#,
        r#"person:members {"because":"refused","is":"withheld","there":false}"#,
        r#"person:members {"because":"unstated","is":"withheld","there":false}"#,
        r#"person:members {"is":"sent"}"#,
    ];
    assert_eq!(states, expected.map(str::to_owned).into());
}
