//! Audiences of accounts, and audiences of people that ask for them, at every moment equal what their definitions say of
//! everything that is left then: members, since when, one row of the log a move, and what a destination should hold (I7, I8).
//!
//! Who is one person and what the profile says is taken from the store; that is tested elsewhere.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use crate::flow::ask::preview::preview;
use crate::flow::backfill;
use crate::flow::commit::views::views;
use crate::flow::harness::World;
use crate::manifest::Subject;
use crate::profile::{account_ids, accounts_of};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

const HUB: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"

[profile.trait.account_id]
rule = "union"

[[source]]
name = "crm"
connector = "any"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
map.email = "email | email"
map.user_id = "user"
map.title = "title"
map.account_id = "account"
consent.news = "consent"
[[source.stream]]
name = "companies"
to = "account"
key = "id"
map.plan = "plan"
map.renewal = "renewal"
[[source]]
name = "shop"
connector = "any"
[[source.stream]]
name = "orders"
to = "event"
event = "Order Completed"
key = "id"
created_at = "created"
map.email = "email | email"
map.account_id = "account"
"#;

const AUDIENCES: &str = r#"
[[audience]]
name = "recent"
who = { event = "Order Completed", within = "2h" }

[[audience]]
of = "account"
name = "pro"
who = { trait = "plan", is = "pro" }
[[audience]]
of = "account"
name = "busy"
who = { people = { event = "Order Completed", within = "2h" }, count = { at_least = 2 } }
[[audience]]
of = "account"
name = "busy_pro"
who.all = [{ audience = "pro" }, { audience = "busy" }]
[[audience]]
of = "account"
name = "staffed"
who = { people = "all", count = { at_least = 2 } }
[[audience]]
of = "account"
name = "quiet"
who = { people = { audience = "recent" }, count = { at_most = 0 } }
[[audience]]
of = "account"
name = "renewing"
who = { trait = "renewal", within_next = "3h" }
[[audience]]
of = "account"
name = "long_busy"
who = { audience = "busy", for = "1h" }

[[audience]]
name = "in_busy"
who = { audience = "busy" }
[[audience]]
name = "champion"
who.all = [{ audience = "in_busy" }, { trait = "title", is = "vp" }]
[[audience]]
of = "account"
name = "championed"
who = { people = { audience = "champion" } }
[[audience]]
name = "reached"
who.any = [
  { all = [{ audience = "championed" }, { consent = "news" }] },
  { audience = "renewing", for = "1h" },
]
[[audience]]
of = "account"
name = "well_reached"
who.any = [
  { people = { all = [{ audience = "reached" }, { trait = "account.plan", is = "pro" }] }, count = { at_least = 1, at_most = 2 } },
  { not = { people = "all" } },
]

[[destination]]
name = "tool"
connector = "tool"
consent = []
audiences = ["busy", "reached", "well_reached"]
"#;

const STREAMS: [(&str, &str); 3] = [
    ("crm", "contacts"),
    ("crm", "companies"),
    ("shop", "orders"),
];
const START: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;
const SENT: [&str; 3] = ["busy", "reached", "well_reached"];

#[derive(Debug, Clone)]
enum Operation {
    /// Rows of one stream; times are hours from the start.
    Put(usize, Vec<Value>),
    /// The record with this index among the present ones.
    Delete(usize),
    /// The clock moves on to the next timer.
    Next,
    /// The clock moves on by this many minutes.
    Wait(u16),
    /// The definitions exist from now on.
    Define,
}

fn record(stream: usize) -> impl Strategy<Value = Value> {
    let few = |most: u8| prop_oneof![1 => Just(None), 4 => (0..most).prop_map(Some)];
    (0..5u8, 0..4u8, (few(3), few(3), few(2)), 0..3u8, 0..12i64).prop_map(
        move |(key, email, (first, second, user), kind, hour)| {
            let id = |n: u8| format!("a{n}");
            let account = match (first, second) {
                (Some(one), Some(other)) if kind == 0 => json!([id(one), id(other)]),
                (one, _) => json!(one.map(id)),
            };
            json!({
                "id": match stream { 1 => id(key), _ => format!("{stream}-{key}") },
                "email": format!("e{email}@example.com"),
                "user": user.filter(|_| kind == 1).map(|n| format!("u{n}")),
                "title": (["vp", "vp", "dev"][usize::from(kind)]),
                "account": account,
                "consent": (["granted", "withdrawn"].get(usize::from(kind))),
                "plan": (kind > 0).then_some("pro"),
                "renewal": START + hour * HOUR,
                "created": START + hour * HOUR / 2,
            })
        },
    )
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let put = (0..3usize).prop_flat_map(|stream| {
        let rows = prop::collection::vec(record(stream), 1..5);
        rows.prop_map(move |rows| Operation::Put(stream, rows))
    });
    let one = prop_oneof![
        6 => put,
        2 => (0..20usize).prop_map(Operation::Delete),
        4 => Just(Operation::Next),
        1 => (1..200u16).prop_map(Operation::Wait),
        1 => Just(Operation::Define),
    ];
    prop::collection::vec(one, 2..14)
}

/// A person, as far as the definitions ask.
struct Someone {
    id: i64,
    accounts: Vec<String>,
    orders: Vec<i64>,
    is_vp: bool,
    agrees: bool,
    /// A tool can be sent the person only with an address, which people known from events alone do not have.
    has_email: bool,
}

/// An account's record.
#[derive(Default)]
struct Company {
    is_pro: bool,
    renewal: Option<i64>,
}

type Since<T> = BTreeMap<(&'static str, T), i64>;

#[derive(Default, Clone, PartialEq, Debug)]
struct Members {
    people: Since<i64>,
    accounts: Since<String>,
}

/// Who is in what at `now`, one definition after another, each written out. `was` says since when.
fn oracle(
    people: &[Someone],
    companies: &BTreeMap<String, Company>,
    was: &Members,
    now: i64,
) -> Members {
    let mut is = Members::default();
    let mut ids: BTreeSet<&String> = companies.keys().collect();
    ids.extend(people.iter().flat_map(|one| &one.accounts));
    let person = |is: &mut Members, name, holds: &dyn Fn(&Members, &Someone) -> bool| {
        let before = is.clone();
        for one in people.iter().filter(|one| holds(&before, one)) {
            let since = was.people.get(&(name, one.id)).copied().unwrap_or(now);
            is.people.insert((name, one.id), since);
        }
    };
    let account = |is: &mut Members, name, holds: &dyn Fn(&Members, &String) -> bool| {
        let before = is.clone();
        for id in ids.iter().filter(|id| holds(&before, id)) {
            let key = (name, (*id).clone());
            let since = was.accounts.get(&key).copied().unwrap_or(now);
            is.accounts.insert(key, since);
        }
    };
    let recent = |one: &Someone| {
        let counts = |time: &i64| *time <= now && *time > now - 2 * HOUR;
        one.orders.iter().any(counts)
    };
    let of = |id: &String, holds: &dyn Fn(&Someone) -> bool| {
        let of = people.iter().filter(|one| one.accounts.contains(id));
        of.filter(|one| holds(one)).count()
    };
    let main = |is: &Members, one: &Someone, name, lasting: i64| {
        let id = one.accounts.first().cloned().unwrap_or_default();
        let since = is.accounts.get(&(name, id));
        since.is_some_and(|since| since + lasting <= now)
    };
    let company = |id: &String| companies.get(id);
    person(&mut is, "recent", &|_, one| recent(one));
    account(&mut is, "pro", &|_, id| {
        company(id).is_some_and(|it| it.is_pro)
    });
    account(&mut is, "busy", &|_, id| of(id, &recent) >= 2);
    account(&mut is, "busy_pro", &|is, id| {
        let has = |name| is.accounts.contains_key(&(name, id.clone()));
        has("pro") && has("busy")
    });
    account(&mut is, "staffed", &|_, id| of(id, &|_| true) >= 2);
    account(&mut is, "quiet", &|_, id| of(id, &recent) == 0);
    account(&mut is, "renewing", &|_, id| {
        let renewal = company(id).and_then(|it| it.renewal);
        renewal.is_some_and(|time| time - 3 * HOUR <= now && now < time)
    });
    account(&mut is, "long_busy", &|is, id| {
        let since = is.accounts.get(&("busy", id.clone()));
        since.is_some_and(|since| since + HOUR <= now)
    });
    person(&mut is, "in_busy", &|is, one| main(is, one, "busy", 0));
    person(&mut is, "champion", &|is, one| {
        is.people.contains_key(&("in_busy", one.id)) && one.is_vp
    });
    account(&mut is, "championed", &|is, id| {
        of(id, &|one| is.people.contains_key(&("champion", one.id))) > 0
    });
    person(&mut is, "reached", &|is, one| {
        main(is, one, "championed", 0) && one.agrees || main(is, one, "renewing", HOUR)
    });
    account(&mut is, "well_reached", &|is, id| {
        let is_it = |one: &Someone| {
            let main = one.accounts.first().and_then(company);
            is.people.contains_key(&("reached", one.id)) && main.is_some_and(|it| it.is_pro)
        };
        matches!(of(id, &is_it), 1 | 2) || of(id, &|_| true) == 0
    });
    is
}

struct Run {
    world: World,
    records: BTreeMap<(usize, String), Value>,
    is_defined: bool,
    was: Members,
    /// The last rows of the two logs that were checked.
    logs: (i64, i64),
}

impl Run {
    fn now(&self) -> i64 {
        self.world.hand.load(Ordering::SeqCst)
    }

    async fn people(&self) -> Vec<Someone> {
        let context = &self.world.context;
        let mut tx = context.store.read().await.unwrap();
        let rows = tx.persons_after(0, 1_000).await.unwrap();
        let views = views(&mut tx, context, rows).await.unwrap();
        let mut people = Vec::new();
        for view in views {
            let events = tx.events_of(view.evidence.iter().copied()).await.unwrap();
            let named = events.iter().flat_map(|event| {
                let properties: Value = serde_json::from_str(&event.properties).unwrap();
                account_ids(&properties["account_id"])
            });
            people.push(Someone {
                id: view.id,
                accounts: accounts_of(&view.traits, named),
                orders: events.iter().map(|event| event.time).collect(),
                is_vp: view.traits.get("title") == Some(&json!("vp")),
                agrees: view.granted("news"),
                has_email: view.traits.contains_key("email"),
            });
        }
        people
    }

    fn companies(&self) -> BTreeMap<String, Company> {
        let of = self.records.iter().filter(|((stream, _), _)| *stream == 1);
        of.map(|((_, key), record)| {
            let company = Company {
                is_pro: record["plan"] == "pro",
                renewal: record["renewal"].as_i64(),
            };
            (key.clone(), company)
        })
        .collect()
    }

    /// After a transaction, or while nothing has happened.
    async fn compare(&mut self, moved: bool) -> Result<(), TestCaseError> {
        if !self.is_defined {
            return Ok(());
        }
        let people = self.people().await;
        let expected = oracle(&people, &self.companies(), &self.was, self.now());
        let context = &self.world.context;
        let mut tx = context.store.read().await.unwrap();
        let mut stored = Members::default();
        let shown = context.plan.audiences.iter().filter(|one| !one.is_step);
        let names: Vec<(&'static str, Subject)> = shown
            .map(|one| {
                (
                    NAMES.into_iter().find(|name| *name == &*one.name).unwrap(),
                    one.of,
                )
            })
            .collect();
        for (name, of) in &names {
            if *of == Subject::Person {
                let rows = tx.members(name).await.unwrap();
                let rows = rows
                    .into_iter()
                    .map(|row| ((*name, row.person_id), row.since));
                stored.people.extend(rows);
            } else {
                let rows = tx.account_members(name).await.unwrap();
                let rows = rows
                    .into_iter()
                    .map(|row| ((*name, row.account), row.since));
                stored.accounts.extend(rows);
            }
        }
        prop_assert_eq!(&stored, &expected);
        let wanted = tx.wanted_of(people.iter().map(|one| one.id)).await.unwrap();
        let wanted: BTreeSet<(i64, String)> = wanted
            .into_iter()
            .map(|row| (row.person_id, row.object))
            .collect();
        let mut sent = BTreeSet::new();
        for one in people.iter().filter(|one| one.has_email) {
            let main = one.accounts.first().cloned().unwrap_or_default();
            for name in SENT {
                let holds = expected.people.contains_key(&(name, one.id))
                    || expected.accounts.contains_key(&(name, main.clone()));
                if holds {
                    sent.insert((one.id, format!("audience:{name}")));
                }
            }
        }
        prop_assert_eq!(wanted, sent);
        drop(tx);
        self.compare_logs(&expected, moved).await?;
        self.was = expected;
        Ok(())
    }

    /// Each account that moved is logged once, and no account is logged twice in one transaction.
    async fn compare_logs(&mut self, is: &Members, moved: bool) -> Result<(), TestCaseError> {
        let context = &self.world.context;
        let mut tx = context.store.read().await.unwrap();
        let rows = tx.account_log_after(self.logs.0).await.unwrap();
        self.logs.0 = rows.last().map_or(self.logs.0, |row| row.id);
        let logged: Vec<(String, String, bool)> = rows
            .into_iter()
            .map(|row| (row.audience, row.account, row.entered))
            .collect();
        let logged_once: BTreeSet<(String, String, bool)> = logged.iter().cloned().collect();
        prop_assert_eq!(logged.len(), logged_once.len());
        let mut expected = BTreeSet::new();
        let (was, is) = (&self.was.accounts, &is.accounts);
        for (audience, account) in was.keys().chain(is.keys()) {
            let key = (*audience, account.clone());
            let (before, after) = (was.contains_key(&key), is.contains_key(&key));
            if before != after {
                expected.insert((audience.to_string(), account.clone(), after));
            }
        }
        prop_assert_eq!(logged_once, expected);
        prop_assert!(moved || logged.is_empty());
        let rows = tx.log_after(self.logs.1).await.unwrap();
        self.logs.1 = rows.last().map_or(self.logs.1, |row| row.id);
        // A person whose first record changed can have given way to one of the same id.
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row.cause != "the profile became part of another")
            .collect();
        let moves: BTreeSet<(&String, [u8; 16])> =
            rows.iter().map(|row| (&row.audience, row.person)).collect();
        prop_assert_eq!(moves.len(), rows.len());
        Ok(())
    }

    async fn define(&mut self) {
        if !self.is_defined {
            self.is_defined = true;
            self.world
                .reread(&format!("{HUB}{AUDIENCES}"), &STREAMS)
                .await;
            backfill(&self.world.context).await.unwrap();
        }
    }

    async fn take(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Put(stream, rows) => {
                for row in rows {
                    let key = row["id"].as_str().unwrap().to_owned();
                    self.records.insert((*stream, key), row.clone());
                }
                self.world.apply(STREAMS[*stream], rows, &[]).await;
            }
            Operation::Delete(index) => {
                let index = index % self.records.len().max(1);
                let found = self.records.keys().nth(index).cloned();
                if let Some((stream, key)) = found {
                    let gone = [json!({ "id": key })];
                    self.world.apply(STREAMS[stream], &[], &gone).await;
                    self.records.remove(&(stream, key));
                }
            }
            Operation::Next => {
                let mut tx = self.world.context.store.read().await.unwrap();
                let Some(due) = tx.next_due().await.unwrap() else {
                    return Ok(());
                };
                drop(tx);
                if due > self.now() {
                    // Until then nothing changes.
                    self.world.hand.store(due - 1, Ordering::SeqCst);
                    self.compare(false).await?;
                    self.world.hand.store(due, Ordering::SeqCst);
                }
                crate::flow::due(&self.world.context).await.unwrap();
            }
            Operation::Wait(minutes) => {
                let time = self.now() + i64::from(*minutes) * 60_000;
                self.world.hand.store(time, Ordering::SeqCst);
                crate::flow::due(&self.world.context).await.unwrap();
            }
            Operation::Define => self.define().await,
        }
        self.compare(true).await
    }

    /// Drafts of the same definitions, not stored, have the same members, except where a membership has to be remembered.
    async fn compare_drafts(&self) -> Result<(), TestCaseError> {
        let context = &self.world.context;
        let mut tx = context.begin().await.unwrap();
        let kept = tx.audiences().await.unwrap();
        for draft in [false, true] {
            if draft {
                for (name, _) in &kept {
                    tx.set_audience(name, "another").await.unwrap();
                }
                tx.commit().await.unwrap();
                tx = context.begin().await.unwrap();
            }
            for audience in &context.plan.audiences {
                let name = &*audience.name;
                let remembers = ["long_busy", "reached", "well_reached"].contains(&name);
                if audience.is_step || draft && remembers {
                    continue;
                }
                let preview = preview(context, &context.plan, audience, None, 0);
                let size = preview.await.unwrap().size;
                let people = self.was.people.keys().filter(|(of, _)| *of == name).count();
                let accounts = self
                    .was
                    .accounts
                    .keys()
                    .filter(|(of, _)| *of == name)
                    .count();
                prop_assert_eq!(size, people + accounts, "{} {}", name, draft);
            }
        }
        Ok(())
    }
}

const NAMES: [&str; 14] = [
    "recent",
    "pro",
    "busy",
    "busy_pro",
    "staffed",
    "quiet",
    "renewing",
    "long_busy",
    "in_busy",
    "champion",
    "championed",
    "reached",
    "well_reached",
    "",
];

async fn check(operations: &[Operation]) -> Result<(), TestCaseError> {
    let mut run = Run {
        world: World::new(HUB, &STREAMS, START).await,
        records: BTreeMap::new(),
        is_defined: false,
        was: Members::default(),
        logs: (0, 0),
    };
    let first = operations
        .iter()
        .position(|one| matches!(one, Operation::Define));
    if first.is_none_or(|first| first > operations.len() / 2) {
        run.define().await;
    }
    for operation in operations {
        run.take(operation).await?;
    }
    run.compare_drafts().await
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

/// `ONEFOLD_SEQUENCES` makes the run longer.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is asked for more cases from outside"
)]
fn sequences() -> u32 {
    let asked = std::env::var("ONEFOLD_SEQUENCES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn audiences_of_accounts_are_what_their_definitions_say_at_every_moment(operations in operations()) {
        RUNTIME.block_on(check(&operations))?;
    }
}
