//! What the hub of these tests reads and defines, and records for it that are chosen from few values, so that they meet.

pub use crate::flow::harness::World;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

pub const DAY: i64 = 86_400_000;
const SOURCES: &str = r#"
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
consent.marketing_email = { status = "consent", at = "agreed" }

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
map.person.first_name = "buyer"
map.person.world = "world"
"#;

const DEFINITIONS: &str = r#"
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
connector = "tool"
consent = ["marketing_email"]
audiences = ["buyers", "repeat", "named_or_silent", "agreed_repeat"]
guard = { max_removed = "100%" }
"#;

/// By kind of record.
const STREAMS: [(&str, &str); 3] = [
    ("crm", "contacts"),
    ("payments", "customers"),
    ("payments", "charges"),
];

/// The hub with these traits, audiences and destinations.
fn manifest(definitions: &str) -> String {
    format!("{SOURCES}\n{definitions}")
}

impl World {
    pub async fn usual() -> Self {
        Self::new(&manifest(DEFINITIONS), &STREAMS, 0).await
    }

    /// Other definitions from now on; nothing is brought up to date yet.
    pub async fn redefine(&mut self, definitions: &str) {
        self.reread(&manifest(definitions), &STREAMS).await;
    }

    /// Every person of one world, as text: id, traits, consents, audiences.
    pub async fn people(&self, world: &str) -> BTreeSet<String> {
        let mut tx = self.context.store.read().await.unwrap();
        let rows = tx.find_persons(world, 10_000).await.unwrap();
        let is_in = format!("\"world\":\"{world}\"");
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|row| row.traits.contains(&is_in))
            .collect();
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
    /// Its source and stream.
    pub fn names(self) -> (&'static str, &'static str) {
        STREAMS[self as usize]
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
    /// Refusals outlive what is deleted and changed, and what has no time of its own is as old as when it was first seen: for both
    /// the order counts.
    pub fn without_refusal(&self) -> Self {
        let consent = if self.consent == 1 { 2 } else { self.consent };
        Self {
            consent,
            created: self.created & !1,
            ..self.clone()
        }
    }

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
                record["buyer"] = json!((self.name > 0).then(|| format!("n{}", self.name)));
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
                    // With a time of its own, or without one.
                    let agreed = created + i64::from(self.key % 3) * DAY;
                    record["agreed"] = json!(self.created.is_multiple_of(2).then_some(agreed));
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
