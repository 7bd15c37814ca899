//! The hub of the engine's table: its manifest, its audiences, and what its made-up customers are and did. Everything
//! follows from a customer's number, so that what a row must find can be counted without the engine.

use super::Size;
use anyhow::{Context as _, Result, anyhow, ensure};
use onefold::clock::Clock;
use onefold::flow::{Context, StreamRef, Suppression};
use onefold::manifest::{self, Plan, Stream};
use onefold::model::{Description, StreamSpec, load_phone_rules};
use onefold::problem::Problem;
use onefold::store::Store;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use uuid::Uuid;

/// The clock stands still here.
pub const NOW: i64 = 1_767_225_600_000;
pub const DAY: i64 = 86_400_000;
/// Events are from this many days before now.
pub const YEAR: i64 = 365;
/// Every customer has as many events of the year.
pub const EVENTS_EACH: u64 = 10;

const SOURCES: &str = r#"
[hub]
name = "bench"
store = "sqlite:unused.db"
default_region = "PL"

[[source]]
name = "crm"
connector = "memory"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
updated_at = "updated"
created_at = "created"
map.email = "email | email"
map.phone = "phone"
map.first_name = "first"
map.last_name = "last"
map.company = "company"
map.country = "country"
consent.marketing_email = "consent"

[[source]]
name = "shop"
connector = "memory"
[[source.stream]]
name = "customers"
to = "person"
key = "id"
updated_at = "updated"
created_at = "created"
map.email = "email | email"
map.phone = "phone"
map.first_name = "first"
map.country = "country"
map.segment = "segment"
[[source.stream]]
name = "orders"
to = "event"
event = "Order Completed"
key = "id"
created_at = "time"
map.external_id = "customer"
map.anonymous_id = "visitor"
map.total = "total"
[[source.stream]]
name = "pages"
to = "event"
event = "Page Viewed"
key = "id"
created_at = "time"
map.external_id = "customer"
map.total = "total"
[[source.stream]]
name = "checkouts"
to = "event"
event = "Checkout Started"
key = "id"
created_at = "time"
map.external_id = "customer"
map.total = "total"

[[source]]
name = "app"
connector = "memory"
[[source.stream]]
name = "users"
to = "person"
key = "id"
updated_at = "updated"
created_at = "created"
map.email = "email | email"
map.user_id = "user"
map.first_name = "name"
map.plan = "plan"
"#;

const STREAMS: [&str; 6] = [
    "contacts",
    "customers",
    "orders",
    "pages",
    "checkouts",
    "users",
];

/// The definitions of the first, or of all, of the hundred audiences.
pub fn audiences(count: usize) -> Vec<Audience> {
    let mut all = vec![Audience::Repeat {
        days: 180,
        country: None,
    }];
    all.extend((1..30).map(|index| Audience::Repeat {
        days: 10 + 5 * index,
        country: Some(index as u64 % COUNTRIES.len() as u64),
    }));
    all.extend((0..15).map(|index| Audience::Spent {
        days: 15 + 10 * index,
        at_least: 100 + 20 * index as u64,
    }));
    all.extend((0..14).map(|index| Audience::Quiet {
        days: 30 + 10 * index,
        segment: index as u64,
    }));
    all.extend((0..SEGMENTS).map(|segment| Audience::Segment { segment }));
    all.push(Audience::Fresh);
    all.truncate(count);
    all
}

/// How many audiences a whole plan has.
pub const AUDIENCES: usize = 100;
const SEGMENTS: u64 = 40;
const COUNTRIES: [&str; 5] = ["PL", "DE", "FR", "CZ", "GB"];

/// One audience: what it says, and who belongs to it.
#[derive(Debug, Clone, Copy)]
pub enum Audience {
    Repeat { days: i64, country: Option<u64> },
    Spent { days: i64, at_least: u64 },
    Quiet { days: i64, segment: u64 },
    Segment { segment: u64 },
    Fresh,
}

impl Audience {
    fn who(self) -> String {
        match self {
            Self::Repeat { days, country } => {
                let orders = format!(
                    r#"{{ event = "Order Completed", count = {{ at_least = 2 }}, within = "{days}d" }}"#
                );
                match country {
                    None => format!("who = {orders}"),
                    Some(country) => format!(
                        r#"who.all = [{orders}, {{ trait = "country", is = "{}" }}]"#,
                        COUNTRIES[country as usize]
                    ),
                }
            }
            Self::Spent { days, at_least } => format!(
                r#"who = {{ event = "Order Completed", where = {{ total = {{ at_least = {at_least} }} }}, within = "{days}d" }}"#
            ),
            Self::Quiet { days, segment } => format!(
                r#"who.all = [{{ trait = "segment", is = "s{segment}" }}, {{ not = {{ event = "Product Viewed", within = "{days}d" }} }}]"#
            ),
            Self::Segment { segment } => {
                format!(r#"who = {{ trait = "segment", is = "s{segment}" }}"#)
            }
            Self::Fresh => r#"who = { event = "Checkout Started", within = "1d" }"#.to_owned(),
        }
    }

    /// None: no member. Some: a member, and when that ends without new data.
    pub fn holds(self, customer: u64, people: &People) -> Option<Option<i64>> {
        match self {
            Self::Repeat { days, country } => {
                let due = people.orders(customer).map(|order| order.time).min()? + days * DAY;
                let right = country.is_none_or(|country| country == customer % 5);
                (due > NOW && right).then_some(Some(due))
            }
            Self::Spent { days, at_least } => {
                let orders = people.orders(customer);
                let enough = orders.filter(|order| order.total >= at_least);
                let due = enough.map(|order| order.time).max()? + days * DAY;
                (due > NOW).then_some(Some(due))
            }
            Self::Quiet { days, segment } => {
                let last = people.views(customer).map(|view| view.time).max()?;
                (customer % SEGMENTS == segment && last + days * DAY <= NOW).then_some(None)
            }
            Self::Segment { segment } => (customer % SEGMENTS == segment).then_some(None),
            Self::Fresh => None,
        }
    }
}

/// The customers of the shop and their events.
pub struct People {
    pub count: u64,
    stride: u64,
    back: u64,
    first_back: u64,
}

/// An event of the year.
pub struct Event {
    pub customer: u64,
    /// The first of a customer's events is 0.
    pub nth: u64,
    pub name: &'static str,
    pub time: i64,
    pub total: u64,
}

/// Coprime with every power of ten, so that multiplying by it visits each number once.
const STRIDE: u64 = 7_368_787;
const FIRST_STRIDE: u64 = 611_953;

impl People {
    pub fn new(size: Size) -> Result<Self> {
        let events = size.profiles * EVENTS_EACH;
        ensure!(
            events == size.events,
            "every customer has {EVENTS_EACH} events"
        );
        Ok(Self {
            count: size.profiles,
            stride: STRIDE % events,
            back: inverse(STRIDE % events, events)?,
            first_back: inverse(FIRST_STRIDE % size.profiles, size.profiles)?,
        })
    }

    /// In the order of time, from 0 on.
    pub fn event(&self, place: u64) -> Event {
        let number = place * self.back % (self.count * EVENTS_EACH);
        self.event_of(number % self.count, number / self.count)
    }

    /// A customer's event, the first being 0.
    pub fn event_of(&self, customer: u64, nth: u64) -> Event {
        let events = self.count * EVENTS_EACH;
        let number = nth * self.count + customer;
        let place = number * self.stride % events;
        let span = (YEAR * DAY) as u64;
        Event {
            customer,
            nth,
            name: match nth {
                0..=5 => "Page Viewed",
                6..=7 => "Product Viewed",
                _ => "Order Completed",
            },
            time: NOW - YEAR * DAY + (place * (span / events)) as i64,
            total: number % 499,
        }
    }

    fn orders(&self, customer: u64) -> impl Iterator<Item = Event> {
        (8..10).map(move |nth| self.event_of(customer, nth))
    }

    fn views(&self, customer: u64) -> impl Iterator<Item = Event> {
        (6..8).map(move |nth| self.event_of(customer, nth))
    }

    /// The customers in the order in which their first events arrive, and the way back.
    pub fn arriving(&self, place: u64) -> u64 {
        place * FIRST_STRIDE % self.count
    }

    pub fn arrival(&self, customer: u64) -> u64 {
        customer * self.first_back % self.count
    }

    /// A customer's record at the shop.
    pub fn customer(&self, customer: u64) -> String {
        let country = COUNTRIES[customer as usize % 5];
        format!(
            r#"{{"id":"c{customer}","email":"customer{customer}@bulk.example","phone":"+486{customer:08}","first":"Zofia","country":"{country}","segment":"s{}","created":{},"updated":{}}}"#,
            customer % SEGMENTS,
            NOW - 2 * YEAR * DAY,
            NOW - YEAR * DAY,
        )
    }
}

/// The number that undoes a multiplication by `number` among those below `modulus`, by Euclid.
fn inverse(number: u64, modulus: u64) -> Result<u64> {
    let (mut high, mut low) = (modulus as i128, number as i128);
    let (mut before, mut now) = (0i128, 1i128);
    while low != 0 {
        let times = high / low;
        (high, low) = (low, high - times * low);
        (before, now) = (now, before - times * now);
    }
    ensure!(high == 1, "{number} and {modulus} have a common divisor");
    Ok(u64::try_from(before.rem_euclid(modulus as i128))?)
}

/// The hub with the first `audiences` of the hundred.
pub async fn open(path: &Path, count: usize) -> Result<Context> {
    open_edited(path, count, ["", ""]).await
}

/// The same with a part of its manifest in the place of another.
pub async fn open_edited(path: &Path, count: usize, edit: [&str; 2]) -> Result<Context> {
    // As `flow::enter` does.
    std::thread::spawn(load_phone_rules);
    let store = Store::open(&format!("sqlite:{}", path.display())).await?;
    let suppression = Suppression::load(&store, Uuid::nil).await?;
    let clock = Clock::standing(Arc::new(AtomicI64::new(NOW)));
    Ok(Context::new(
        Arc::new(plan(count, edit)?),
        store,
        clock,
        suppression,
    ))
}

/// Where the rows after `Seed` find their hub.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("engine.db")
}

pub fn audience_name(index: usize) -> String {
    format!("audience_{index}")
}

fn plan(count: usize, [old, new]: [&str; 2]) -> Result<Plan> {
    let mut text = match old {
        "" => SOURCES.to_owned(),
        _ => SOURCES.replacen(old, new, 1),
    };
    for (index, audience) in audiences(count).into_iter().enumerate() {
        let name = audience_name(index);
        let who = audience.who();
        write!(text, "\n[[audience]]\nname = \"{name}\"\n{who}\n")?;
    }
    let description = Description {
        name: "memory".to_owned(),
        streams: STREAMS
            .map(|name| StreamSpec {
                name: name.to_owned(),
                schema: json!({ "type": "object" }),
                primary_key: vec!["id".to_owned()],
                ..StreamSpec::default()
            })
            .into(),
        exports: vec!["source".to_owned()],
        config_schema: json!({ "type": "object" }),
        ..Description::default()
    };
    let known = manifest::Connectors {
        available: vec!["memory".to_owned()],
        described: BTreeMap::from([("memory".to_owned(), Arc::new(description))]),
    };
    manifest::load(&[("bench.toml".to_owned(), text)], &known).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        anyhow!("{}", lines.join("\n"))
    })
}

/// A stream of the plan, and its row in the store.
pub async fn stream<'c>(
    context: &'c Context,
    source: &str,
    name: &str,
) -> Result<(&'c Stream, StreamRef)> {
    let sources = &context.plan.sources;
    let source = sources.iter().find(|one| &*one.name == source);
    let source = source.context("the plan has no such source")?;
    let stream = source.streams.iter().find(|one| &*one.name == name);
    let stream = stream.context("the source has no such stream")?;
    let mut tx = context.store.begin().await?;
    let row = tx.stream(&source.name, name, &stream.digest).await?;
    tx.commit().await?;
    Ok((stream, StreamRef::from(&row)))
}
