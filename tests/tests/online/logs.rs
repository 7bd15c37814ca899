//! The log as JSON: one object a line, and nothing personal in it.

use super::{KEY, Online, basic, pause, post};
use crate::hub::Hub;
use crate::small::Small;
use onefold_tests::vendors::Fault;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What must be in no line: of the vendors' people, and of what clients sent.
const PERSONAL: [&str; 6] = ["poczta", "Lovelace", "600", "canary", "Zofia", "cus_ada"];

/// Each line as an object with its time, level and message.
fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        for field in ["timestamp", "level", "message", "target"] {
            assert!(object[field].is_string(), "{field}: {line}");
        }
        object
    });
    lines.collect()
}

fn assert_nothing_personal(log: &[Value]) {
    for line in log {
        let mut line = line.clone();
        // Digits of a time look like a telephone number.
        line["timestamp"] = Value::Null;
        let text = line.to_string();
        for personal in PERSONAL {
            assert!(!text.contains(personal), "{personal}: {text}");
        }
    }
}

#[test]
fn a_service_that_logs_json_writes_objects_only_and_nothing_personal() {
    let small = Small::new();
    let line = "connector = \"hubspot\"";
    small.edit(
        line,
        &format!("{line}\nschedule = {{ cron = \"* * * * * *\", timezone = \"UTC\" }}"),
    );
    let port = Online::free_port();
    let manifest = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    let more = format!(
        "\n[serve]\nlisten = \"127.0.0.1:{port}\"\n\n[[source]]\nname = \"web\"\nconnector = \"collector\"\nconfig.write_keys = [\"{KEY}\"]\n"
    );
    small.hub.write("hub.toml", &(manifest + &more));
    small.hub.run(&["run"]).ends_with(0);
    // The vendor's words about its failures name people.
    small
        .hubspot
        .fail_after(6, 40, "", Fault::Refused { status: 400 });
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot
            .contacts
            .edit(11, &[("email", "canary@poczta.example")], now_ms);
    });
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = small.hub.command(&["--log-format", "json", "serve"]);
    command.env("ONEFOLD_LOG", "onefold=debug");
    command.stdout(Stdio::null()).stderr(log.reopen().unwrap());
    let mut child = {
        let _inside = small.hub.runtime.enter();
        command.spawn().unwrap()
    };
    let read = || std::fs::read_to_string(log.path()).unwrap();
    let send = |body: &Value, key: &str| {
        let authorization = format!("authorization: Basic {}", basic(key));
        post(
            port,
            "/v1/batch",
            &[&authorization],
            body.to_string().as_bytes(),
        )
    };
    let letter = json!({ "batch": [{ "type": "track", "messageId": "canary", "userId": "canary-person", "timestamp": "canary-time", "event": "canary-event" }] });
    let begun = Instant::now();
    let mut is_sent = false;
    while !(is_sent && read().contains("\"code\"")) {
        is_sent |= send(&letter, KEY).is_some_and(|answer| answer.status == 200);
        send(&letter, "canary-key");
        send(&json!("canary"), KEY);
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", read());
        pause();
    }
    let id = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(small.hub.runtime.block_on(child.wait()).unwrap().success());
    let log = lines(&read());
    assert_nothing_personal(&log);
    assert_eq!(
        small.hub.number(
            "small.db",
            "select count(*) from dead_letter where source = 'web'"
        ),
        1
    );
    let failed = log.iter().find(|line| line["code"].is_string()).unwrap();
    assert!(
        failed["code"].as_str().unwrap().starts_with("OF"),
        "{failed}"
    );
    let read = log.iter().find(|line| line["message"] == "read").unwrap();
    assert!(read["source"].is_string() && read["run"].is_i64(), "{read}");
    assert!(log.iter().any(|line| line["message"] == "stopped"));
}

#[test]
fn problems_of_manifests_are_objects_too_and_a_format_that_is_unknown_is_refused() {
    let hub = Hub::new();
    hub.write("hub.toml", "[hub]\nname = \"x\"\n\n[[sauce]]\n");
    let refused = hub.run(&["--log-format", "json", "serve"]).ends_with(2);
    let log = lines(&refused.stderr);
    let problem = log.iter().find(|line| line["line"] == 4).unwrap();
    assert_eq!(problem["file"], "hub.toml");
    let mut command = hub.command(&["check"]);
    command.env("ONEFOLD_LOG_FORMAT", "yaml");
    let refused = hub.runtime.block_on(async { command.output().await });
    let refused = refused.unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("may be `text` or `json`"), "{said}");
}
