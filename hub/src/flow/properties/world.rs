//! A hub with a clock that stands still, and records for it that are chosen from few values, so that they meet.

use super::sink::Sink;
use crate::clock::Clock;
use crate::flow::{self, Arrived, Context, StreamRef, Suppression};
use crate::manifest::{self, Plan, Stream};
use crate::model::{Description, StreamSpec};
use crate::store::Store;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

pub const DAY: i64 = 86_400_000;
const MANIFEST: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"
default_region = "PL"

[[source]]
name = "crm"
connector = "any"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
updated_at = "updated"
created_at = "created"
map.email = "email | email"
map.phone = "phone"
map.user_id = "user"
map.first_name = "name"
map.world = "world"
consent.marketing_email = "consent"

[[source]]
name = "payments"
connector = "any"
[[source.stream]]
name = "customers"
to = "person"
key = "id"
updated_at = "updated"
created_at = "created"
map.email = "email | email"
map.phone = "phone"
map.last_name = "name"
map.world = "world"
[[source.stream]]
name = "charges"
to = "event"
event = "Order Completed"
key = "id"
updated_at = "updated"
created_at = "created"
map.external_id = "customer"
map.total = "total"

[[trait]]
name = "orders_30d"
count = { event = "Order Completed", within = "30d" }
[[trait]]
name = "tier"
stages = [{ name = "buyer", who = { trait = "orders_30d", at_least = 1 } }, { name = "other" }]

[[audience]]
name = "buyers"
who = { trait = "tier", is = "buyer" }
[[audience]]
name = "repeat"
who.all = [{ event = "Order Completed", count = { at_least = 2 }, within = "30d" }]
[[audience]]
name = "named_or_silent"
who.any = [{ trait = "first_name", is = "n1" }, { not = { event = "Order Completed" } }]
[[audience]]
name = "agreed_repeat"
who.all = [{ audience = "repeat" }, { consent = "marketing_email" }]

[[destination]]
name = "sink"
connector = "any"
consent = ["marketing_email"]
audiences = ["buyers", "repeat", "named_or_silent", "agreed_repeat"]
guard = { max_removed = "100%" }
"#;

fn plan() -> Plan {
    let stream = |name: &str| StreamSpec {
        name: name.to_owned(),
        schema: json!({ "type": "object" }),
        primary_key: vec!["id".to_owned()],
        supports_deletes: true,
        ..StreamSpec::default()
    };
    let description = Description {
        name: "any".to_owned(),
        streams: ["contacts", "customers", "charges"].map(stream).into(),
        audience_keys: vec!["email".to_owned()],
        exports: vec!["source".to_owned(), "audience".to_owned()],
        config_schema: json!({ "type": "object" }),
        ..Description::default()
    };
    let connectors = manifest::Connectors {
        available: vec!["any".to_owned()],
        described: BTreeMap::from([("any".to_owned(), Arc::new(description))]),
    };
    manifest::load(&[("hub.toml".to_owned(), MANIFEST.to_owned())], &connectors).unwrap()
}

/// A hub with a clock that stands still, and a way to give it records.
pub struct World {
    pub context: Context,
    pub hand: Arc<AtomicI64>,
    pub sink: Sink,
    _folder: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!(
            "sqlite:{}",
            folder.path().join("hub.db").display()
        ))
        .await
        .unwrap();
        let suppression = Suppression::load(&store, uuid::Uuid::nil).await.unwrap();
        let hand = Arc::new(AtomicI64::new(0));
        let context = Context::new(
            Arc::new(plan()),
            store,
            Clock::standing(hand.clone()),
            suppression,
        );
        Self {
            context,
            hand,
            sink: Sink::default(),
            _folder: folder,
        }
    }

    pub fn stream(&self, kind: Kind) -> (&Stream, &'static str) {
        let (source, stream) = kind.names();
        let plan = self
            .context
            .plan
            .sources
            .iter()
            .find(|one| &*one.name == source)
            .unwrap();
        (
            plan.streams
                .iter()
                .find(|one| &*one.name == stream)
                .unwrap(),
            source,
        )
    }

    /// One transaction of one stream.
    pub async fn apply(&self, kind: Kind, upserts: &[String], deletes: &[String]) {
        let (plan, source) = self.stream(kind);
        let mut tx = self.context.store.begin().await.unwrap();
        let id = tx
            .stream(source, &plan.name, &plan.digest)
            .await
            .unwrap()
            .id;
        tx.commit().await.unwrap();
        let stream = StreamRef {
            id,
            source: source.into(),
            name: plan.name.clone(),
        };
        let lines = |rows: &[String]| {
            rows.iter()
                .map(|row| format!("{row}\n").into_bytes().into())
                .collect()
        };
        let arrived = Arrived {
            upserts: lines(upserts),
            deletes: lines(deletes),
        };
        let lines = flow::key_lines(&stream, plan, &arrived).unwrap();
        let landed = flow::land(&self.context, &stream, plan, lines)
            .await
            .unwrap();
        let mut tx = self.context.store.begin().await.unwrap();
        flow::apply(&mut tx, &self.context, &stream, landed.changes)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Every person of one world, as text: id, traits, consents, audiences.
    pub async fn people(&self, world: &str) -> BTreeSet<String> {
        let mut tx = self.context.store.read().await.unwrap();
        let rows = tx
            .find_persons(&format!("\"world\":\"{world}\""), 10_000)
            .await
            .unwrap();
        let memberships = tx
            .memberships_of(rows.iter().map(|row| row.id))
            .await
            .unwrap();
        rows.iter()
            .map(|row| {
                let audiences: BTreeSet<&str> = memberships
                    .iter()
                    .filter(|member| member.person_id == row.id)
                    .map(|member| member.audience.as_str())
                    .collect();
                format!(
                    "{} {} {} {audiences:?}",
                    uuid::Uuid::from_bytes(row.uuid),
                    row.traits,
                    row.consents
                )
            })
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Contact,
    Customer,
    Charge,
}

impl Kind {
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Contact => ("crm", "contacts"),
            Self::Customer => ("payments", "customers"),
            Self::Charge => ("payments", "charges"),
        }
    }
}

/// One record, with what it says chosen from few values so that records meet.
#[derive(Debug, Clone)]
pub struct Record {
    pub kind: Kind,
    pub key: u8,
    pub email: Option<u8>,
    pub phone: Option<u8>,
    pub user: Option<u8>,
    pub name: u8,
    pub created: u8,
    pub consent: u8,
    pub customer: u8,
}

impl Record {
    pub fn id(&self, world: &str) -> String {
        format!("{world}-{:?}-{}", self.kind, self.key)
    }

    pub fn line(&self, world: &str, updated: i64) -> String {
        let created = i64::from(self.created) * DAY + 1_700_000_000_000;
        let mut record =
            json!({ "id": self.id(world), "updated": updated, "created": created, "world": world });
        match self.kind {
            Kind::Charge => {
                record["customer"] = json!(format!("{world}-Customer-{}", self.customer));
                record["total"] = json!(100);
            }
            _ => {
                record["email"] = json!(self.email.map(|n| format!("W{world}x{n}@Example.com")));
                record["phone"] = json!(
                    self.phone
                        .map(|n| format!("60{n}{:0>6}", world.trim_start_matches('w')))
                );
                record["name"] = json!(format!("n{}", self.name));
                if self.kind == Kind::Contact {
                    record["user"] = json!(self.user.map(|n| format!("{world}-u{n}")));
                    record["consent"] =
                        json!(["granted", "withdrawn"].get(usize::from(self.consent)));
                }
            }
        }
        record.to_string()
    }
}

pub fn record() -> impl Strategy<Value = Record> {
    let kind = prop_oneof![
        Just(Kind::Contact),
        Just(Kind::Customer),
        Just(Kind::Charge)
    ];
    let rare = |most| prop_oneof![1 => Just(None), 2 => (0..most).prop_map(Some)];
    (
        kind,
        0..6u8,
        rare(4u8),
        rare(3u8),
        rare(3u8),
        0..3u8,
        0..60u8,
        0..3u8,
        0..5u8,
    )
        .prop_map(
            |(kind, key, email, phone, user, name, created, consent, customer)| Record {
                kind,
                key,
                email,
                phone,
                user,
                name,
                created,
                consent,
                customer,
            },
        )
}
