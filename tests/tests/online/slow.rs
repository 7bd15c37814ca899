//! Clients that are slow, or send what is not meant to be read.

use super::{KEY, Online, pause, track};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

// S15
#[test]
fn s15_connections_that_send_nothing_end_and_keep_nobody_waiting() {
    let mut online = Online::new();
    let count = onefold_tests::need::asked("ONEFOLD_CONNECTIONS", 300);
    let begins: [&[u8]; 4] = [
        b"",
        b"POST /v1/ba",
        b"POST /v1/batch HTTP/1.1\r\nhost: h\r\nx-",
        b"POST /v1/batch HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{",
    ];
    let slow = (0..count).map(|at| {
        let mut stream = TcpStream::connect(("127.0.0.1", online.port)).unwrap();
        stream
            .write_all(begins[at as usize % begins.len()])
            .unwrap();
        stream
    });
    let mut slow: Vec<TcpStream> = slow.collect();
    let begun = Instant::now();
    assert_eq!(online.batch(&[track("1", &json!("u1"))]).status, 200);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a good client waits"
    );
    // Whoever sent no whole head is gone within the limit.
    let one = &mut slow[0];
    one.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // Unlike `read`, it goes on when a signal interrupts it: programs of other tests end meanwhile.
    let rest = one.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(rest, 0, "it is closed");
    let begun = Instant::now();
    online.stop();
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "the stop waits for slow clients"
    );
}

// S16
#[test]
fn s16_what_unpacks_to_more_than_is_allowed_is_refused() {
    let mut online = Online::new();
    let bomb = std::process::Command::new("sh")
        .args(["-c", "head -c 134217728 /dev/zero | gzip -9"])
        .output()
        .unwrap()
        .stdout;
    assert!(bomb.len() < 200_000);
    let before = memory(&online);
    for _ in 0..20 {
        assert_eq!(online.post("/v1/batch", &[], &bomb).status, 413);
        assert_eq!(online.post("/v1/none", &[], &bomb).status, 404);
        let unknown = format!("authorization: Basic {}", super::basic("nobody-has-this"));
        assert_eq!(online.post("/v1/batch", &[&unknown], &bomb).status, 401);
    }
    let grown = memory(&online).saturating_sub(before);
    assert!(grown < 40 << 20, "{grown} bytes more");
    let deep = format!(
        "{{\"batch\":[{}{}]}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(online.post("/v1/batch", &[], deep.as_bytes()).status, 200);
    let unlabelled = std::process::Command::new("sh")
        .args(["-c", &format!("printf '%s' '{{\"writeKey\":\"{KEY}\",\"batch\":[{{\"type\":\"track\",\"event\":\"E\",\"userId\":\"u\",\"messageId\":\"z\"}}]}}' | gzip")])
        .output()
        .unwrap()
        .stdout;
    let label = [
        "content-type: application/x-www-form-urlencoded",
        "authorization: none",
    ];
    assert_eq!(online.post("/v1/batch", &label, &unlabelled).status, 200);
    online.wait_for("select count(*) from event", 1);
    pause();
    online.stop();
}

/// What the service has in memory, in bytes.
fn memory(online: &Online) -> u64 {
    let id = online.child.as_ref().unwrap().id().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
