//! Clients that are slow, or send what is not meant to be read.

use super::{KEY, Online, pause, post, track};
use onefold_tests::need::asked;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What the service may have in memory, whatever is sent to it.
const MOST_BYTES: u64 = 350_000_000;

const BEGINS: [&[u8]; 4] = [
    b"",
    b"POST /v1/ba",
    b"POST /v1/batch HTTP/1.1\r\nhost: h\r\nx-",
    b"POST /v1/batch HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{",
];

// S15
#[test]
fn s15_connections_that_send_nothing_end_and_keep_nobody_waiting() {
    let mut online = Online::new();
    let count = asked("ONEFOLD_CONNECTIONS", 300);
    let slow = (0..count).map(|at| {
        let mut stream = TcpStream::connect(("127.0.0.1", online.port)).unwrap();
        stream
            .write_all(BEGINS[at as usize % BEGINS.len()])
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
    // A client that sent no whole head is gone within the limit.
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
    let bomb = bomb();
    let before = memory(&online, "VmRSS:");
    for _ in 0..20 {
        assert_eq!(online.post("/v1/batch", &[], &bomb).status, 413);
        assert_eq!(online.post("/v1/none", &[], &bomb).status, 404);
        let unknown = format!("authorization: Basic {}", super::basic("nobody-has-this"));
        assert_eq!(online.post("/v1/batch", &[&unknown], &bomb).status, 401);
    }
    let grown = memory(&online, "VmRSS:").saturating_sub(before);
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

/// 128 MiB of nothing, in less than 200 KB.
fn bomb() -> Vec<u8> {
    let packed = std::process::Command::new("sh")
        .args(["-c", "head -c 134217728 /dev/zero | gzip -9"])
        .output();
    let packed = packed.unwrap().stdout;
    assert!(packed.len() < 200_000);
    packed
}

/// A connection that sends a part of a request, in turn: less than a head, or almost all of a body without a key.
fn slow(port: u16, at: usize) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    if at % 8 != 7 {
        stream.write_all(BEGINS[at % BEGINS.len()]).ok()?;
        return Some(stream);
    }
    let head = "POST /v1/batch HTTP/1.1\r\nhost: h\r\ncontent-length: 512000\r\n\r\n";
    stream.write_all(head.as_bytes()).ok()?;
    stream
        .set_write_timeout(Some(Duration::from_secs(2)))
        .ok()?;
    // A body that is refused meanwhile cannot be sent to its end.
    let _ = stream.write_all(&vec![b' '; 511_999]);
    Some(stream)
}

/// Sends a body again and again until it is over; returns how often.
fn flood(port: u16, body: Vec<u8>, is_over: &Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    let is_over = is_over.clone();
    std::thread::spawn(move || {
        let authorization = format!("authorization: Basic {}", super::basic(KEY));
        let mut sent = 0;
        while !is_over.load(Ordering::Relaxed) {
            post(port, "/v1/batch", &[&authorization], &body);
            sent += 1;
        }
        sent
    })
}

#[test]
fn shows_6_memory_is_bounded_and_good_clients_are_served_whatever_the_others_send() {
    let mut online = Online::new();
    let count = asked("ONEFOLD_CONNECTIONS", 1_600) as usize;
    let port = online.port;
    let is_over = Arc::new(AtomicBool::new(false));
    let deep = "{\"batch\":[".to_owned() + &"[".repeat(500_000);
    let floods = [
        flood(port, bomb(), &is_over),
        flood(port, deep.into_bytes(), &is_over),
    ];
    let open = Arc::new(AtomicUsize::new(0));
    let slow_clients: Vec<_> = (0..4)
        .map(|part| {
            let (open, is_over) = (open.clone(), is_over.clone());
            std::thread::spawn(move || {
                let numbers = (0..count).filter(|at| at % 4 == part);
                // Numbers of one thread are of each kind.
                let slow = numbers.filter_map(|at| {
                    let slow = slow(port, at / 4);
                    open.fetch_add(usize::from(slow.is_some()), Ordering::Relaxed);
                    slow
                });
                let slow: Vec<TcpStream> = slow.collect();
                while !is_over.load(Ordering::Relaxed) {
                    pause();
                }
                slow.len()
            })
        })
        .collect();
    let mut took: Vec<Duration> = Vec::new();
    let begun = Instant::now();
    while open.load(Ordering::Relaxed) < count || took.len() < 50 {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "the slow clients wait"
        );
        let number = took.len();
        let asked = Instant::now();
        let message = track(&format!("good-{number}"), &json!("u1"));
        assert_eq!(online.batch(&[message]).status, 200);
        took.push(asked.elapsed());
    }
    is_over.store(true, Ordering::Relaxed);
    let [bombs, deep] = floods.map(|flood| flood.join().unwrap());
    let slow: usize = slow_clients
        .into_iter()
        .map(|slow| slow.join().unwrap())
        .sum();
    let most = memory(&online, "VmHWM:");
    took.sort_unstable();
    let good = took.len();
    let line = format!(
        "{slow} slow connections, {bombs} bombs and {deep} deep bodies: at most {} MB; {good} requests of a good client, \
         each stored: half within {} ms, the slowest {} ms\n",
        most / 1_000_000,
        took[good / 2].as_millis(),
        took[good - 1].as_millis()
    );
    // Past the capture of the test runner.
    let _ = std::io::stderr().write_all(line.as_bytes());
    assert!(most < MOST_BYTES, "{most} bytes");
    assert!(
        took[good - 1] < Duration::from_secs(5),
        "a good client waits"
    );
    online.wait_for("select count(*) from event", good as i64);
    online.stop();
}

/// What the service has, or at most had, in memory, in bytes.
fn memory(online: &Online, which: &str) -> u64 {
    let id = online.child.as_ref().unwrap().id().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(which)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
