//! From an accepted event to a member of an audience, and on to the vendor, under a steady load and while a large source is read.

use super::Latency;
use super::hub::{Served, pause};
use super::load::{Client, track};
use anyhow::{Context, Result, bail};
use onefold_tests::vendors::mailchimp::Mailchimp;
use onefold_tests::vendors::{Running, start};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Requests with one batch each, so many a second: 1,000 events, of which one in ten makes a member.
const REQUESTS_PER_S: usize = 100;
const EVENTS: usize = 10;
/// For what was accepted last to be at the vendor.
const PATIENCE: Duration = Duration::from_secs(60);

const MORE: &str = r#"
streams = ["identifies", "events"]

[[source.stream]]
name = "identifies"
consent.marketing_email = "'granted'"

[[source]]
name = "crm"
connector = "hubspot"
schedule = { cron = "* * * * * *", timezone = "UTC" }
credential.token = "env:HUBSPOT_TOKEN"
config.base_url = "http://HUBSPOT"
grant.addresses = ["HUBSPOT"]
streams = ["contacts"]
rates.default = { requests = 10000, per = "1s" }

[[audience]]
name = "buyers"
who = { event = "Bought", count = { at_least = 1 } }

[[destination]]
name = "newsletter-out"
connector = "mailchimp"
credential.key = "env:MAILCHIMP_KEY"
config.base_url = "http://MAILCHIMP"
config.list_id = "a1b2c3d4e5"
grant.addresses = ["MAILCHIMP"]
consent = ["marketing_email"]
person = { match = "email", map = { FNAME = "first_name" } }
audiences = ["buyers"]
rates.default = { requests = 10000, per = "1s" }
guard = { empty_source = "stop", max_removed = "100%" }
"#;

#[derive(Serialize)]
pub struct Members {
    pub events_per_s: f64,
    /// Events that make a member.
    pub triggers: usize,
    /// Contacts that were read by the end.
    pub read: i64,
    pub answer: Latency,
    pub member: Latency,
    pub destination: Latency,
    pub peak_mb: f64,
}

/// Milliseconds since 1970, by the clock that the fake vendor uses, too.
fn now_ms() -> i64 {
    onefold_tests::vendors::time::Clock::System.now_ms()
}

pub fn measure(here: &Path, folder: &Path, crm: SocketAddr, time: Duration) -> Result<Members> {
    let mailchimp = start(Mailchimp::default(), ([127, 0, 0, 1], 0).into())?;
    let more = MORE
        .replace("HUBSPOT\"", &format!("{crm}\""))
        .replace("MAILCHIMP\"", &format!("{}\"", mailchimp.address));
    let served = Served::start(here, folder, &more)?;
    let requests = REQUESTS_PER_S * time.as_secs() as usize;
    identify(&served, &mailchimp, requests)?;
    let is_over = Arc::new(AtomicBool::new(false));
    let watching = watch(&served, requests, &is_over)?;
    let sent = send(&served, requests)?;
    let begun = Instant::now();
    while reached(&mailchimp).len() < requests && begun.elapsed() < PATIENCE {
        pause(Duration::from_millis(100));
    }
    is_over.store(true, Ordering::Relaxed);
    let members = watching.join().ok().context("the watch panicked")??;
    let arrived = reached(&mailchimp);
    let since = |accepted: i64, at: i64| Duration::from_millis((at - accepted).max(0) as u64);
    let accepted = sent.accepted.iter().enumerate();
    let destination = accepted
        .filter_map(|(person, accepted)| Some(since(*accepted, *arrived.get(&email(person))?)));
    // Events are taken out of the inbox in the order in which they were accepted, so the first member is that of the first one.
    let member = sent.accepted.iter().zip(&members);
    let member = member.map(|(accepted, at)| since(*accepted, *at));
    Ok(Members {
        events_per_s: sent.events_per_s,
        triggers: requests,
        read: served.number("select count(*) from record r where r.key not like '%-%'")?,
        answer: Latency::of(sent.answers),
        member: Latency::of(member.collect()),
        destination: Latency::of(destination.collect()),
        peak_mb: served.peak_mb()?,
    })
}

fn email(person: usize) -> String {
    format!("buyer{person}@bench.example")
}

/// Makes the people known, at the vendor, too, before anything is measured.
fn identify(served: &Served, mailchimp: &Running<Mailchimp>, people: usize) -> Result<()> {
    let mut client = Client::connect(served.address)?;
    for first in (0..people).step_by(100) {
        let people = first..(first + 100).min(people);
        let batch = people.map(|person| {
            json!({ "type": "identify", "messageId": format!("i-{person}"), "userId": format!("u{person}"),
                "traits": { "email": email(person), "firstName": "Ada" } })
        });
        let batch: Vec<Value> = batch.collect();
        let status = client.post("/v1/batch", &json!({ "batch": batch }).to_string())?;
        if status != 200 {
            bail!("the collector answered {status}");
        }
    }
    let begun = Instant::now();
    while mailchimp.with(|mailchimp| mailchimp.members.len()) < people {
        if begun.elapsed() > 3 * PATIENCE {
            bail!("the people are not at the vendor: see serve.log");
        }
        pause(Duration::from_millis(100));
    }
    Ok(())
}

struct Sent {
    events_per_s: f64,
    answers: Vec<Duration>,
    /// When the event of each person was accepted.
    accepted: Vec<i64>,
}

/// One batch each hundredth of a second, whether the one before was answered soon or late.
fn send(served: &Served, requests: usize) -> Result<Sent> {
    let mut client = Client::connect(served.address)?;
    let begun = Instant::now();
    let (mut answers, mut accepted) = (Vec::new(), Vec::new());
    for person in 0..requests {
        let due = begun + Duration::from_secs(1) * person as u32 / REQUESTS_PER_S as u32;
        pause(due.saturating_duration_since(Instant::now()));
        let others = (1..EVENTS).map(|part| {
            let other = (person * EVENTS + part) % requests;
            track("Seen", &format!("s-{person}-{part}"), other)
        });
        let mut batch: Vec<Value> = others.collect();
        batch.push(track("Bought", &format!("b-{person}"), person));
        let body = json!({ "batch": batch }).to_string();
        let asked = Instant::now();
        let status = client.post("/v1/batch", &body)?;
        if status != 200 {
            bail!("the collector answered {status}");
        }
        answers.push(asked.elapsed());
        accepted.push(now_ms());
    }
    Ok(Sent {
        events_per_s: (requests * EVENTS) as f64 / begun.elapsed().as_secs_f64(),
        answers,
        accepted,
    })
}

/// When the audience had so many members: the moment at which each place was taken.
fn watch(
    served: &Served,
    most: usize,
    is_over: &Arc<AtomicBool>,
) -> Result<std::thread::JoinHandle<Result<Vec<i64>>>> {
    let store = served.store()?;
    let is_over = is_over.clone();
    Ok(std::thread::spawn(move || {
        let mut moments = Vec::new();
        while moments.len() < most && !is_over.load(Ordering::Relaxed) {
            let query = "select count(*) from membership where audience = 'buyers'";
            let found: i64 = store.prepare(query)?.query_row([], |row| row.get(0))?;
            let now = now_ms();
            moments.resize((found as usize).max(moments.len()), now);
            pause(Duration::from_millis(5));
        }
        Ok(moments)
    }))
}

/// When each address got the audience's tag.
fn reached(mailchimp: &Running<Mailchimp>) -> HashMap<String, i64> {
    mailchimp.with(|mailchimp| {
        let tags = mailchimp.writes.iter().filter_map(|write| {
            let email = write.object.strip_prefix("segment:buyers:")?;
            (write.action == "added").then(|| (email.to_owned(), write.at_ms))
        });
        tags.collect()
    })
}
