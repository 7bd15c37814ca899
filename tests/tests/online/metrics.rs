//! `/metrics`: what was sent, read and delivered is what is counted, and the official parser reads it.

use super::clients::python;
use super::{KEY, Online, ask, basic, pause, post};
use crate::small::Small;
use onefold_tests::need::need;
use onefold_tests::vendors::Fault;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The small world, read every second, with a collector.
fn small() -> (Small, u16) {
    let small = Small::new();
    for connector in ["hubspot", "stripe"] {
        let line = format!("connector = \"{connector}\"");
        small.edit(
            &line,
            &format!("{line}\nschedule = {{ cron = \"* * * * * *\", timezone = \"UTC\" }}"),
        );
    }
    let source = "name = \"newsletter\"";
    small.edit(
        source,
        &format!("{source}\nschedule = {{ cron = \"* * * * * *\", timezone = \"UTC\" }}"),
    );
    let port = Online::free_port();
    let collector = format!(
        "\n[serve]\nlisten = \"127.0.0.1:{port}\"\n\n[[source]]\nname = \"web\"\nconnector = \"collector\"\nconfig.write_keys = [\"{KEY}\"]\n"
    );
    let path = small.hub.path().join("hub.toml");
    let manifest = std::fs::read_to_string(path).unwrap();
    small.hub.write("hub.toml", &(manifest + &collector));
    (small, port)
}

fn scrape(port: u16) -> Option<String> {
    let asked = "GET /metrics HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n";
    let answer = ask(port, asked.as_bytes())?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("application/openmetrics-text"));
    Some(answer.body)
}

/// Each sample's value, by its name and labels as written.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    samples.collect()
}

fn wait_for(port: u16, sample: &str, expected: f64) -> String {
    let begun = Instant::now();
    loop {
        let text = scrape(port).unwrap_or_default();
        if samples(&text).get(sample) == Some(&expected) {
            return text;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{sample}: {text}"
        );
        pause();
    }
}

#[test]
fn metrics_are_the_numbers_that_were_sent_read_and_delivered() {
    let (small, port) = small();
    let mut child = small.hub.spawn(&["serve"]);
    let begun = Instant::now();
    while scrape(port).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        pause();
    }
    let send = |body: &serde_json::Value, key: &str| {
        let authorization = format!("authorization: Basic {}", basic(key));
        post(
            port,
            "/v1/batch",
            &[&authorization],
            body.to_string().as_bytes(),
        )
        .unwrap()
        .status
    };
    let message = |id: u32| json!({ "type": "track", "messageId": id.to_string(), "userId": "canary-person", "event": "Song Played" });
    let batch = json!({ "batch": (0..40).map(message).collect::<Vec<_>>() });
    assert_eq!(send(&batch, KEY), 200);
    assert_eq!(send(&batch, KEY), 200);
    let wrong =
        json!({ "batch": [{ "type": "track", "messageId": "w", "userId": "canary-person" }] });
    assert_eq!(send(&wrong, KEY), 200);
    for _ in 0..3 {
        assert_eq!(send(&batch, "canary-key"), 401);
    }
    assert_eq!(send(&json!("no batch"), KEY), 400);
    wait_for(port, r#"onefold_audience_members{audience="buyers"}"#, 3.0);
    let text = wait_for(
        port,
        r#"onefold_changes_waiting{destination="newsletter-out"}"#,
        0.0,
    );
    let found = samples(&text);
    let is =
        |sample: &str, expected: f64| assert_eq!(found.get(sample), Some(&expected), "{sample}");
    is(
        r#"onefold_messages_total{source="web",result="accepted"}"#,
        41.0,
    );
    is(
        r#"onefold_messages_total{source="web",result="duplicate"}"#,
        40.0,
    );
    is(
        r#"onefold_refused_requests_total{reason="unknown_key"}"#,
        3.0,
    );
    is(
        r#"onefold_refused_requests_total{reason="unreadable"}"#,
        1.0,
    );
    is(r#"onefold_inbox_waiting{source="web"}"#, 0.0);
    is(
        r#"onefold_records_total{source="web",stream="events",result="added"}"#,
        40.0,
    );
    is(
        r#"onefold_records_total{source="crm",stream="contacts",result="added"}"#,
        3.0,
    );
    is(
        r#"onefold_records_total{source="payments",stream="charges",result="added"}"#,
        7.0,
    );
    is(r#"onefold_ready"#, 1.0);
    let added = r#"onefold_delivered_rows_total{destination="newsletter-out",object="audience:buyers",operation="add"}"#;
    is(added, small.tagged().len() as f64);
    let letters = r#"onefold_dead_letters_total{kind="record",source="web",stream="events","#;
    let letters: f64 = found
        .iter()
        .filter(|(name, _)| name.starts_with(letters))
        .map(|(_, count)| count)
        .sum();
    assert!((letters - 1.0).abs() < f64::EPSILON);
    let done = r#"onefold_runs_total{source="crm",stream="contacts",outcome="done"}"#;
    assert!(found[done] >= 1.0);
    assert!(found["onefold_store_bytes"] > 100_000.0);
    assert!(found["onefold_resident_memory_bytes"] > 1e6);
    assert!(!text.contains("canary") && !text.contains("@"), "{text}");
    let passed_on = "GET /metrics HTTP/1.1\r\nhost: hub\r\nx-forwarded-for: 192.0.2.1\r\nconnection: close\r\n\r\n";
    assert_eq!(ask(port, passed_on.as_bytes()).unwrap().status, 403);
    parse(&text);
    // A delivery that fails: what it would have sent waits.
    let refused = Fault::Refused { status: 401 };
    small.mailchimp.fail_next(1, "POST", refused);
    small.hubspot.with(|hubspot| {
        let now_ms = hubspot.clock.now_ms();
        hubspot.contacts.edit(11, &[("lastname", "King")], now_ms);
    });
    let failed = r#"onefold_failed_deliveries_total{destination="newsletter-out",code="OF0441"}"#;
    wait_for(port, failed, 1.0);
    let waiting = r#"onefold_changes_waiting{destination="newsletter-out"}"#;
    let found = samples(&wait_for(port, waiting, 1.0));
    let oldest = found[r#"onefold_changes_oldest_seconds{destination="newsletter-out"}"#];
    assert!((0.0..60.0).contains(&oldest), "{oldest}");
    small.hub.runtime.block_on(child.kill()).unwrap();
}

/// Reads it with the parser of the format's authors.
fn parse(text: &str) {
    let python = python();
    let missing = python
        .is_none()
        .then_some("python3 with venv, and its registry");
    if !need("the parser of Prometheus", missing) {
        return;
    }
    let program = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\nprint(sum(len(f.samples) for f in parse(sys.stdin.read())))";
    let mut parser = Command::new(python.unwrap());
    parser
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut parser = parser.spawn().unwrap();
    parser
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let parsed = parser.wait_with_output().unwrap();
    assert!(parsed.status.success());
    let count: usize = String::from_utf8_lossy(&parsed.stdout)
        .trim()
        .parse()
        .unwrap();
    assert_eq!(count, samples(text).len());
}
