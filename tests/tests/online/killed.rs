//! Show 2: killed at random moments under load, the service loses nothing that it answered and doubles nothing, and the
//! vendor ends with what is wanted.

use super::{KEY, MANIFEST, Online, basic, pause, post};
use crate::hub::Hub;
use onefold_tests::demo::applied_twice;
use onefold_tests::need::asked;
use onefold_tests::population::Draw;
use onefold_tests::vendors::hubspot::HubSpot;
use onefold_tests::vendors::mailchimp::Mailchimp;
use onefold_tests::vendors::time::Clock;
use onefold_tests::vendors::{Running, start};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const SENDERS: usize = 3;
/// Of each sender.
const PEOPLE: usize = 8;

pub const CONSENT: &str = r#"
streams = ["identifies", "events"]

[[source.stream]]
name = "identifies"
consent.marketing_email = "'granted'"
"#;

const CRM: &str = r#"
[[source]]
name = "crm"
connector = "hubspot"
schedule = { cron = "* * * * * *", timezone = "Europe/Warsaw" }
credential.token = "env:HUBSPOT_TOKEN"
config.base_url = "http://HUBSPOT"
grant.addresses = ["HUBSPOT"]
streams = ["contacts"]
"#;

pub const NEWSLETTER: &str = r#"
[[destination]]
name = "newsletter-out"
connector = "mailchimp"
credential.key = "env:MAILCHIMP_KEY"
config.base_url = "http://MAILCHIMP"
config.list_id = "a1b2c3d4e5"
grant.addresses = ["MAILCHIMP"]
consent = ["marketing_email"]
person = { match = "email", map = { FNAME = "first_name", LNAME = "last_name" } }
audiences = ["visitors"]
guard = { empty_source = "stop", max_removed = "100%" }
"#;

/// What was answered with 200.
#[derive(Default)]
struct Answered {
    events: BTreeSet<String>,
    /// The last first name of each address.
    names: BTreeMap<String, String>,
    /// Addresses of those with a page.
    visitors: BTreeSet<String>,
}

/// A moment at which the service is killed.
#[derive(Debug)]
enum Moment {
    /// Although it may not be ready yet.
    Starting(Duration),
    Running(Duration),
    /// After so many requests of the read.
    Reading(usize, Duration),
    /// After so many requests that change something at the vendor. With no time, their last answer is never read.
    Delivering(usize, Duration),
}

impl Moment {
    fn draw(draw: &mut Draw) -> Moment {
        let mut within = |ms: usize| Duration::from_micros(draw.below(ms * 1_000) as u64);
        let (soon, later) = (within(20), within(600));
        let nth = 1 + draw.below(3);
        match draw.below(5) {
            0 => Moment::Starting(later),
            1 => Moment::Running(later),
            2 => Moment::Reading(nth, soon),
            3 => Moment::Delivering(nth, soon),
            _ => Moment::Delivering(nth, Duration::ZERO),
        }
    }
}

fn email(person: usize) -> String {
    format!("p{person}@mail.example")
}

/// Sends the people of one sender in turn, each with another name, each request again until it is answered.
fn send(port: u16, sender: usize, is_over: &AtomicBool, answered: &Mutex<Answered>) {
    let authorization = format!("authorization: Basic {}", basic(KEY));
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        let person = sender * PEOPLE + number % PEOPLE;
        let user = format!("u{person}");
        let name = format!("Name{number}");
        let mut messages = vec![
            json!({ "type": "identify", "messageId": format!("i-{sender}-{number}"), "userId": user,
            "traits": { "email": email(person), "firstName": name } }),
        ];
        let ids: Vec<String> = (0..3)
            .map(|part| format!("e-{sender}-{number}-{part}"))
            .collect();
        for (part, id) in ids.iter().enumerate() {
            let call = match person.is_multiple_of(2) && part == 0 {
                true => json!({ "type": "page", "name": "Home" }),
                false => json!({ "type": "track", "event": "Song Played" }),
            };
            let mut message = call;
            message["messageId"] = json!(id);
            message["userId"] = json!(user);
            messages.push(message);
        }
        let body = json!({ "batch": messages }).to_string();
        let is_taken = || {
            let answer = post(port, "/v1/batch", &[&authorization], body.as_bytes());
            answer.is_some_and(|answer| answer.status == 200)
        };
        while !is_taken() {
            pause();
        }
        let mut answered = answered.lock().unwrap();
        answered.events.extend(ids);
        answered.names.insert(email(person), name);
        if person.is_multiple_of(2) {
            answered.visitors.insert(email(person));
        }
        drop(answered);
        number += 1;
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Vendors whose requests are told, and the hub between them.
struct Killed {
    online: Online,
    hubspot: Running<HubSpot>,
    mailchimp: Running<Mailchimp>,
    reads: mpsc::Receiver<String>,
    writes: mpsc::Receiver<String>,
    /// The last name of each contact by its address.
    last_names: BTreeMap<String, String>,
}

impl Killed {
    fn new() -> Killed {
        let mut contacts = HubSpot::default();
        let now_ms = Clock::System.now_ms();
        let mut last_names = BTreeMap::new();
        for person in 0..SENDERS * PEOPLE {
            let at_ms = now_ms - 3_600_000 + person as i64;
            let values = [("email", &*email(person)), ("lastname", "Last")];
            contacts
                .contacts
                .seed(100 + person as u64, at_ms, at_ms, &values);
            last_names.insert(email(person), "Last".to_owned());
        }
        let anywhere = ([127, 0, 0, 1], 0).into();
        let hubspot = start(contacts, anywhere).unwrap();
        let mailchimp = start(Mailchimp::default(), anywhere).unwrap();
        let more = (CRM.to_owned() + NEWSLETTER)
            .replace("HUBSPOT\"", &format!("{}\"", hubspot.address))
            .replace("MAILCHIMP\"", &format!("{}\"", mailchimp.address));
        let online = Online::stopped("", |_: &mut Hub| {});
        let manifest = MANIFEST
            .replace("PORT", &online.port.to_string())
            .replace("\n[[audience]]", &format!("{CONSENT}\n[[audience]]"));
        online.hub.write("hub.toml", &(manifest + &more));
        let (tell, reads) = mpsc::channel(10_000);
        hubspot.tell(tell);
        let (tell, writes) = mpsc::channel(10_000);
        mailchimp.tell(tell);
        Killed {
            online,
            hubspot,
            mailchimp,
            reads,
            writes,
            last_names,
        }
    }

    /// Some contacts get another name, so that there is something to read.
    fn edit(&mut self, round: usize, draw: &mut Draw) {
        for _ in 0..3 {
            let person = draw.below(SENDERS * PEOPLE);
            let name = format!("Last{round}");
            self.hubspot.with(|hubspot| {
                let now_ms = hubspot.clock.now_ms();
                let id = 100 + person as u64;
                hubspot.contacts.edit(id, &[("lastname", &name)], now_ms);
            });
            self.last_names.insert(email(person), name);
        }
    }

    /// Waits for a moment, and kills the service.
    fn kill_at(&mut self, moment: &Moment) {
        let Killed {
            online,
            reads,
            writes,
            ..
        } = self;
        let (told, matching, nth, then) = match *moment {
            Moment::Starting(then) | Moment::Running(then) => (reads, "", 0, then),
            Moment::Reading(nth, then) => (reads, "", nth, then),
            Moment::Delivering(nth, then) => (writes, "POST /3.0/", nth, then),
        };
        while told.try_recv().is_ok() {}
        online.hub.runtime.block_on(async {
            let counted = async {
                let mut left = nth;
                while left > 0 {
                    let line = told.recv().await.unwrap();
                    left -= usize::from(line.contains(matching));
                }
            };
            let counted = tokio::time::timeout(Duration::from_secs(60), counted).await;
            counted.unwrap_or_else(|_| panic!("{moment:?}: it makes no such request"));
            tokio::time::sleep(then).await;
        });
        online.kill();
    }

    /// What the vendor's list has to be in the end, and what it is: names by address, and who has the tag.
    fn wanted(&self, answered: &Answered) -> Value {
        let members: BTreeMap<&String, [&String; 2]> = answered
            .names
            .iter()
            .map(|(email, first)| (email, [first, &self.last_names[email]]))
            .collect();
        json!({ "members": members, "visitors": answered.visitors })
    }

    fn found(&self) -> Value {
        let snapshot = self.mailchimp.with(|mailchimp| mailchimp.snapshot());
        let members: BTreeMap<String, [Value; 2]> = snapshot
            .members
            .into_iter()
            .map(|(email, (_, fields))| (email, [fields["FNAME"].clone(), fields["LNAME"].clone()]))
            .collect();
        json!({ "members": members, "visitors": snapshot.segments.get("visitors") })
    }
}

fn say(line: &str) {
    // Past the capture of the test runner.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[test]
fn shows_2_killed_at_random_moments_it_loses_no_answered_event_and_ends_with_what_is_wanted() {
    let seed = asked("ONEFOLD_SEED", 20_261_201);
    let kills = asked("ONEFOLD_KILLS", 4) as usize;
    let mut draw = Draw::new(u64::from(seed));
    let mut killed = Killed::new();
    let is_over = Arc::new(AtomicBool::new(false));
    let answered: Arc<Mutex<Answered>> = Arc::default();
    let port = killed.online.port;
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (is_over, answered) = (is_over.clone(), answered.clone());
            std::thread::spawn(move || send(port, sender, &is_over, &answered))
        })
        .collect();
    let mut moments: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..kills {
        killed.edit(round, &mut draw);
        let moment = Moment::draw(&mut draw);
        match moment {
            Moment::Starting(_) => killed.online.spawn(),
            _ => killed.online.start(),
        }
        killed.kill_at(&moment);
        let name = format!("{moment:?}");
        let name = name.split('(').next().unwrap().to_owned();
        *moments.entry(name).or_default() += 1;
    }
    killed.online.start();
    is_over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().unwrap();
    }
    let answered = std::mem::take(&mut *answered.lock().unwrap());
    killed
        .online
        .wait_for("select count(*) from inbox where body is not null", 0);
    let wanted = killed.wanted(&answered);
    let begun = Instant::now();
    while killed.found() != wanted && begun.elapsed() < Duration::from_secs(60) {
        pause();
    }
    killed.online.stop();
    assert_eq!(killed.found(), wanted, "seed {seed}");
    let hub = &killed.online.hub;
    let number = |query: &str| hub.number("hub.db", query);
    let events = answered.events.len() as i64;
    // All that was sent was answered in the end, so there is nothing else either.
    for query in [
        "select count(*) from event",
        "select count(distinct key) from record where key like 'e-%'",
        "select count(*) from record where key like 'e-%'",
    ] {
        assert_eq!(number(query), events, "seed {seed}: {query}");
    }
    let writes = killed.mailchimp.with(|mailchimp| mailchimp.writes.clone());
    let twice = applied_twice(&writes);
    let moments: Vec<String> = moments
        .iter()
        .map(|(name, count)| format!("{count} {}", name.to_lowercase()))
        .collect();
    say(&format!(
        "killed {kills} times ({}), seed {seed}: {events} events answered, each there once; {} members and {} tags as wanted; \
         {} writes, {} of them twice",
        moments.join(", "),
        answered.names.len(),
        answered.visitors.len(),
        writes.len(),
        twice.len(),
    ));
    assert_eq!(twice, Vec::<String>::new(), "seed {seed}");
}
