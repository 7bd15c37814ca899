//! Clients that send as fast as they are answered, each on a connection that stays open.

use super::Latency;
use super::hub::{KEY, Served, pause};
use anyhow::{Context, Result, bail};
use base64::Engine;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub const CONNECTIONS: usize = 16;
const BATCH: usize = 100;
/// A client that is refused waits so long.
const REFUSED: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    Batches,
    Single,
}

#[derive(Serialize)]
pub struct Load {
    /// Answered with 200.
    pub events_per_s: f64,
    pub answer: Latency,
    /// Requests that were answered with 429 or 503.
    pub refused: usize,
    /// Events that were in the profiles' store meanwhile.
    pub landed_per_s: f64,
    pub peak_mb: f64,
}

/// A connection to the collector.
pub struct Client {
    stream: BufReader<TcpStream>,
    head: String,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let key = base64::engine::general_purpose::STANDARD.encode(format!("{KEY}:"));
        Ok(Self {
            stream: BufReader::new(stream),
            head: format!("host: hub\r\nauthorization: Basic {key}\r\n"),
        })
    }

    /// Sends one request; returns the status of its answer.
    pub fn post(&mut self, route: &str, body: &str) -> Result<u16> {
        let length = body.len();
        let request = format!(
            "POST {route} HTTP/1.1\r\n{}content-length: {length}\r\n\r\n{body}",
            self.head
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the hub ended the connection");
            }
            let line = line.trim_end().to_lowercase();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                let word = line.split(' ').nth(1).context("no status")?;
                status = Some(word.parse()?);
            } else if let Some(number) = line.strip_prefix("content-length:") {
                length = number.trim().parse()?;
            }
        }
        self.stream.read_exact(&mut vec![0; length])?;
        status.context("no status")
    }
}

pub fn track(event: &str, id: &str, person: usize) -> Value {
    json!({
        "type": "track", "event": event, "messageId": id, "userId": format!("u{person}"),
        "properties": { "sku": "a-4711", "quantity": 2, "category": "books" },
        "context": { "library": { "name": "bench", "version": "1" }, "page": { "path": "/books/4711" } },
    })
}

pub fn measure(served: &Served, shape: Shape, time: Duration) -> Result<Load> {
    let begun = Instant::now();
    let address = served.address;
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|sender| std::thread::spawn(move || send(address, sender, shape, begun + time)))
        .collect();
    let (mut answers, mut events, mut refused) = (Vec::new(), 0, 0);
    for sender in senders {
        let sent = sender.join().ok().context("a sender panicked")??;
        events += sent.answers.len() * if shape == Shape::Single { 1 } else { BATCH };
        answers.extend(sent.answers);
        refused += sent.refused;
    }
    let took = begun.elapsed().as_secs_f64();
    let landed = served.number("select count(*) from event")?;
    Ok(Load {
        events_per_s: events as f64 / took,
        answer: Latency::of(answers),
        refused,
        landed_per_s: landed as f64 / took,
        peak_mb: served.peak_mb()?,
    })
}

struct Sent {
    answers: Vec<Duration>,
    refused: usize,
}

fn send(address: SocketAddr, sender: usize, shape: Shape, until: Instant) -> Result<Sent> {
    let mut client = Client::connect(address)?;
    let mut sent = Sent {
        answers: Vec::new(),
        refused: 0,
    };
    let mut number = 0;
    let mut next = || {
        number += 1;
        track("Seen", &format!("{sender}-{number}"), number % 10_000)
    };
    while Instant::now() < until {
        let (route, body) = match shape {
            Shape::Single => ("/v1/track", next()),
            Shape::Batches => {
                let batch: Vec<Value> = (0..BATCH).map(|_| next()).collect();
                ("/v1/batch", json!({ "batch": batch }))
            }
        };
        let body = body.to_string();
        loop {
            let asked = Instant::now();
            match client.post(route, &body)? {
                200 => {
                    sent.answers.push(asked.elapsed());
                    break;
                }
                429 | 503 if Instant::now() < until => {
                    sent.refused += 1;
                    pause(REFUSED);
                }
                429 | 503 => break,
                status => bail!("the collector answered {status}"),
            }
        }
    }
    Ok(sent)
}
