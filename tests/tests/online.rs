//! A hub that runs and takes what others send.

mod api;
mod clients;
mod collector;
mod hooks;
mod killed;
mod logs;
mod metrics;
mod order;
mod service;
mod slow;
mod snapshots;
mod staying;
mod tls;
mod traces;

use crate::hub::Hub;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::process::Child;

pub const KEY: &str = "key-of-the-shop";

const MANIFEST: &str = r#"
[hub]
name = "online"
store = "sqlite:hub.db"

[serve]
listen = "127.0.0.1:PORT"

[[source]]
name = "web"
connector = "collector"
config.write_keys = ["key-of-the-shop", "key-that-comes-next"]
config.origins = ["https://shop.example"]

[[audience]]
name = "visitors"
who = { event = "Page Viewed", count = { at_least = 1 } }
"#;

/// A hub in a folder, with a service that can be ended and started again.
pub struct Online {
    pub hub: Hub,
    pub port: u16,
    child: Option<Child>,
}

/// An answer of the hub.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Online {
    pub fn new() -> Online {
        Self::with("", |_| {})
    }

    /// A port that nothing uses now.
    pub fn free_port() -> u16 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    }

    /// With more in its manifest, and its secrets.
    pub fn with(more: &str, secrets: impl FnOnce(&mut Hub)) -> Online {
        let mut online = Self::stopped(more, secrets);
        online.start();
        online
    }

    /// The same, not yet started.
    pub fn stopped(more: &str, secrets: impl FnOnce(&mut Hub)) -> Online {
        let mut online = Self::unstarted();
        secrets(&mut online.hub);
        let manifest = MANIFEST.replace("PORT", &online.port.to_string());
        online.hub.write("hub.toml", &(manifest + more));
        online
    }

    /// The same, with nothing that runs yet.
    pub fn unstarted() -> Online {
        let (hub, port) = (Hub::new(), Self::free_port());
        hub.write("hub.toml", &MANIFEST.replace("PORT", &port.to_string()));
        Online {
            hub,
            port,
            child: None,
        }
    }

    pub fn spawn(&mut self) {
        self.child = Some(self.hub.spawn(&["serve"]));
    }

    /// Stops the service, and returns what it said.
    pub fn end(&mut self) -> String {
        let child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.unwrap().success());
        let output = self.hub.runtime.block_on(child.wait_with_output());
        String::from_utf8_lossy(&output.unwrap().stderr).into_owned()
    }

    /// Starts the service, and waits until it takes messages.
    pub fn start(&mut self) {
        self.spawn();
        let begun = Instant::now();
        while !self.is_ready() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is not ready");
            pause();
        }
    }

    fn is_ready(&self) -> bool {
        let asked = "GET /readyz HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n";
        ask(self.port, asked.as_bytes()).is_some_and(|answer| answer.status == 200)
    }

    fn signal(&mut self, signal: &str) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
        let ended = async { tokio::time::timeout(Duration::from_secs(60), child.wait()).await };
        self.hub.runtime.block_on(ended).unwrap().unwrap().code()
    }

    pub fn kill(&mut self) {
        self.signal("-KILL");
    }

    pub fn stop(&mut self) {
        assert_eq!(self.signal("-TERM"), Some(0));
    }

    /// Sends JSON to a route with the write key.
    pub fn send(&self, route: &str, body: &Value) -> Answer {
        self.post(route, &[], body.to_string().as_bytes())
    }

    pub fn batch(&self, messages: &[Value]) -> Answer {
        self.send("/v1/batch", &json!({ "batch": messages }))
    }

    pub fn post(&self, route: &str, headers: &[&str], body: &[u8]) -> Answer {
        let authorization = format!("authorization: Basic {}", basic(KEY));
        let mut headers = headers.to_vec();
        if !headers.iter().any(|one| one.starts_with("authorization")) {
            headers.push(&authorization);
        }
        post(self.port, route, &headers, body).expect("the hub answers")
    }

    /// Waits until a query of the store gives a number.
    pub fn wait_for(&self, query: &str, expected: i64) {
        let begun = Instant::now();
        loop {
            let found = self.hub.number("hub.db", query);
            if found == expected {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{query}: {found}, not {expected}"
            );
            pause();
        }
    }

    pub fn events(&self) -> i64 {
        self.hub.number("hub.db", "select count(*) from event")
    }
}

fn basic(key: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(format!("{key}:"))
}

/// A moment, in which the hub goes on.
pub fn pause() {
    std::thread::park_timeout(Duration::from_millis(50));
}

pub fn post(port: u16, route: &str, headers: &[&str], body: &[u8]) -> Option<Answer> {
    let mut request = format!("POST {route} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n");
    for header in headers {
        request += &format!("{header}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n", body.len());
    ask(port, &[request.as_bytes(), body].concat())
}

/// Sends a request; none where nobody answers.
pub fn ask(port: u16, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    stream.write_all(request).ok()?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let mut body = String::new();
    reader.read_to_string(&mut body).ok()?;
    Some(Answer { status, head, body })
}

pub fn track(id: &str, user: &Value) -> Value {
    json!({ "type": "track", "messageId": id, "userId": user, "event": "Song Played" })
}
