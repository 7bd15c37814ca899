//! Traces: one from a page to the receipt, without anything personal, and an endpoint that does not answer costs nothing but them.

use crate::small::{Small, set};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type Received = Arc<Mutex<Vec<Vec<u8>>>>;

/// A collector that keeps what it is sent; returns its port.
fn collector() -> (u16, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Received::default();
    let same = received.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let received = same.clone();
            std::thread::spawn(move || while take(&stream, &received).is_some() {});
        }
    });
    (port, received)
}

fn take(stream: &TcpStream, received: &Received) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line).ok()? > 2 {
        let lower = line.to_lowercase();
        if let Some(found) = lower.strip_prefix("content-length:") {
            length = found.trim().parse().ok()?;
        }
        line.clear();
    }
    if length == 0 {
        return None;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    received.lock().unwrap().push(body);
    let mut stream = stream;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .ok()
}

fn spans(received: &Received) -> Vec<Span> {
    let bodies = received.lock().unwrap();
    let requests = bodies
        .iter()
        .map(|body| ExportTraceServiceRequest::decode(&**body).unwrap());
    let resources = requests.flat_map(|request| request.resource_spans);
    let scopes = resources.flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

fn traced(port: u16) -> Small {
    let small = Small::new();
    let store = "store = \"sqlite:small.db\"";
    // A key of its own table, which ends the one before.
    let manifest = std::fs::read_to_string(small.hub.path().join("hub.toml")).unwrap();
    assert!(manifest.contains(store));
    let telemetry = format!("\n[telemetry]\notlp = \"http://127.0.0.1:{port}\"\n");
    small.hub.write("hub.toml", &(manifest + &telemetry));
    small
}

#[test]
fn one_trace_follows_a_batch_from_its_page_to_the_receipt() {
    let (port, received) = collector();
    let small = traced(port);
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
    let spans = spans(&received);
    let mut traces: BTreeMap<&[u8], Vec<&str>> = BTreeMap::new();
    for span in &spans {
        traces.entry(&span.trace_id).or_default().push(&span.name);
    }
    let whole = ["run", "fetch page", "land and map", "commit", "deliver"];
    let is_whole = |names: &&Vec<&str>| whole.iter().all(|name| names.contains(name));
    let from_page_to_receipt = traces.values().find(is_whole);
    assert!(from_page_to_receipt.is_some(), "{traces:?}");
    // A receipt is within the commit that it follows from, and a commit within its run.
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (&*span.span_id, span)).collect();
    let followed = spans.iter().filter(|span| span.name == "deliver");
    let followed = followed.filter_map(|span| by_id.get(&*span.parent_span_id));
    assert!(followed.clone().count() > 0);
    for commit in followed {
        assert_eq!(commit.name, "commit");
        assert_eq!(by_id[&*commit.parent_span_id].name, "run");
    }
    // Per batch, not per record: a few spans for each of the four streams.
    assert!(spans.len() < 60, "{}", spans.len());
    for body in received.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(body);
        for personal in ["poczta", "Lovelace", "Ada", "Zofia", "cus_"] {
            assert!(!text.contains(personal), "{personal}");
        }
        assert!(text.contains("onefold"));
    }
}

#[test]
fn a_collector_that_never_answers_costs_nothing_but_the_traces() {
    // It accepts and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let small = traced(silent.local_addr().unwrap().port());
    let begun = Instant::now();
    small.hub.run(&["run"]).ends_with(0);
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        small.tagged(),
        set(["ada@poczta.example", "zofia@poczta.example"])
    );
    drop(silent);
    // Nobody listens, which is said once.
    let ran = small.hub.run(&["run"]).ends_with(0);
    let said = ran.stderr.matches("traces cannot be delivered").count();
    assert_eq!(said, 1, "{}", ran.stderr);
}
