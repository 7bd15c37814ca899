//! The checked form of a hub's manifests: everything resolved, nothing optional that has a default.

use crate::expression::{Condition, Expression, Test, Window};
use crate::manifest::Schedule;
use crate::manifest::purpose::{ConsentRule, Purpose};
use crate::manifest::renames::{Namespaces, Rename};
use crate::manifest::serve::Serve;
use crate::manifest::survivorship::Survivorship;
use crate::manifest::version::Version;
use crate::model::{Description, EntityKind, RateSpec, Value};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug)]
pub struct Plan {
    pub hub: Hub,
    pub signers: Signers,
    /// What all connectors together may use, in bytes, where a manifest says it.
    pub memory: Option<u64>,
    /// Where others can send something.
    pub serve: Option<Serve>,
    pub sources: Vec<Source>,
    /// Each after the ones it reads.
    pub traits: Vec<ComputedTrait>,
    pub models: Vec<Model>,
    /// Nothing when nobody is to be suggested.
    pub suggest: Option<Suggest>,
    pub audiences: Vec<Audience>,
    pub destinations: Vec<Destination>,
    /// Every purpose that is declared, that a stream speaks of or that a destination needs, by name.
    pub purposes: BTreeMap<String, Purpose>,
    pub identity: IdentityRules,
    pub survivorship: Survivorship,
    /// Of the manifests' text and what their connectors say of themselves: changes whenever anything above may have.
    pub digest: String,
    /// What was read of the folder.
    pub version: Version,
    pub renames: Vec<Rename>,
    /// Under which names the hub knows what comes from renamed sources; everything above uses them once `is_named`.
    pub namespaces: Namespaces,
    pub is_named: bool,
    /// What is allowed but looks like a mistake.
    pub warnings: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Hub {
    pub name: String,
    /// `sqlite:PATH` with the path resolved against the hub's folder.
    pub store: String,
    /// ISO 3166 alpha-2, for phone numbers without a country code.
    pub default_region: Option<String>,
}

#[derive(Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub connector: String,
    pub description: Arc<Description>,
    /// What goes to the connector as JSON.
    pub config: Value,
    pub credentials: BTreeMap<String, SecretRef>,
    pub grants: Grants,
    pub limits: Limits,
    /// By bucket: the connector's, or the manifest's instead.
    pub rates: BTreeMap<String, RateSpec>,
    pub schedule: Option<Schedule>,
    pub streams: Vec<Stream>,
    /// What to do when a full read of a stream that had rows finds none.
    pub empty_source_stops: bool,
    /// The largest share of a run's new and changed records that may not fit; without one, each is set aside by itself.
    pub max_dead_letters: Option<f64>,
}

/// Where a secret is; never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    Env(String),
    File(String),
}

impl SecretRef {
    /// `env:NAME` or `file:PATH`; none for anything else, which may be a secret and is not to be repeated.
    pub fn parse(text: &str) -> Option<Self> {
        let is_variable = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match text.split_once(':')? {
            ("env", name) if is_variable(name) => Some(Self::Env(name.to_owned())),
            ("file", path) if !path.trim().is_empty() => Some(Self::File(path.to_owned())),
            _ => None,
        }
    }
}

/// Whose connectors the hub loads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signers {
    pub trusted: Vec<TrustedKey>,
    /// Nothing is loaded that none of them has signed.
    pub required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// This hub's name for the signer.
    pub name: String,
    /// An Ed25519 public key.
    pub key: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// `HOST` or `HOST:PORT` beyond the ones that the connector declares.
    pub hosts: Vec<String>,
    /// `ADDRESS:PORT` of private or loopback addresses that may be dialled, in plain HTTP too.
    pub addresses: Vec<String>,
    /// `HOST`, `HOST:PORT` or `ADDRESS:PORT` that a credential may be sent to, for those of which the operator says it.
    pub credential_hosts: BTreeMap<String, Vec<String>>,
}

/// Limits for one call of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: u64,
    pub cpu_ms: u64,
    pub wall_ms: u64,
    pub response_bytes: u64,
    pub batch_bytes: u64,
    pub batch_rows: u32,
    pub log_lines: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            cpu_ms: 10_000,
            wall_ms: 120_000,
            response_bytes: 64 << 20,
            batch_bytes: 64 << 20,
            batch_rows: 50_000,
            log_lines: 1_000,
        }
    }
}

#[derive(Debug)]
pub struct Stream {
    pub name: Arc<str>,
    pub to: StreamTarget,
    /// Whether its records are about a person: the stream's only meaning, or that of a person to whom something happened.
    pub is_of_person: bool,
    /// Clients send its records to the hub.
    pub is_sent_to: bool,
    pub key: Expression,
    pub updated_at: Option<Expression>,
    pub created_at: Option<Expression>,
    /// Canonical field (trait, property, identifier) and what fills it. Identifier fields are
    /// `email`, `phone`, `user_id`, `anonymous_id`, `device_id`, `ad_id`, `external_id` (meaning
    /// `external:THIS SOURCE`) and `external:SOURCE`. On a person stream the key is `external_id` unless mapped.
    pub map: Vec<(String, Expression)>,
    pub consent: Vec<ConsentRule>,
    /// ISO 3166 alpha-2 for the phone filter.
    pub region: Option<String>,
    /// Whose ids its records have, where that is not the source's name (`Namespaces`).
    pub namespace: Option<Arc<str>>,
    /// Changes whenever anything above changes: records mapped under another digest must be mapped again.
    pub digest: String,
}

impl Stream {
    /// The part of a stream's digest that changes with its key.
    pub fn key_digest(digest: &str) -> &str {
        digest.split('-').next().unwrap_or_default()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum StreamTarget {
    Person,
    /// With the constant name, unless `map.event` computes it. `map.time` gives its time, else `created_at`.
    Event(Option<String>),
    Entity(EntityKind),
    /// Nothing but identifiers and consents.
    Consent,
}

/// A trait that is computed for each person.
#[derive(Debug, Clone, PartialEq)]
pub struct ComputedTrait {
    pub name: Arc<str>,
    pub description: String,
    pub kind: TraitKind,
    /// Changes with the kind.
    pub digest: String,
}

/// Purchases, and the model of customers that is fitted on them.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: Arc<str>,
    pub event: String,
    pub filter: Vec<(String, Test)>,
    /// The property that says what a purchase is worth.
    pub value: Option<String>,
    /// The prefix of the names of its traits.
    pub prefix: String,
    /// How old a version may grow.
    pub refit_ms: i64,
    /// Changes with what it is fitted on.
    pub digest: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TraitKind {
    /// Over the events of one name whose properties pass every test, in a window.
    Events {
        event: String,
        filter: Vec<(String, Test)>,
        window: Window,
        aggregate: Aggregate,
    },
    /// An expression over traits.
    Derive {
        expression: Expression,
        /// Traits that are operands of `*`, where the expression language would repeat a text.
        multiplied: Vec<String>,
    },
    /// The label of the range that a number is in. There is one label more than edges; an edge belongs to the range above it.
    Bin {
        of: String,
        edges: Vec<f64>,
        labels: Vec<String>,
    },
    /// The first characters of a text.
    Prefix { of: String, length: usize },
    /// Whole years since a date.
    Age { of: String },
    /// The name of the first stage whose condition holds.
    Stages(Vec<Stage>),
}

/// What is made of events. `of` is a property; events without it, or with null, are left out.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregate {
    Count,
    Sum {
        of: String,
    },
    Avg {
        of: String,
    },
    Min {
        of: String,
    },
    Max {
        of: String,
    },
    /// Of the earliest event; its time in milliseconds when no property is named.
    First {
        of: Option<String>,
    },
    /// Of the latest event.
    Last {
        of: Option<String>,
    },
    /// Seen at least twice; of several that are seen as often, the first in order.
    MostFrequent {
        of: String,
    },
    /// In order, and no more than `at_most` of them.
    UniqueList {
        of: String,
        at_most: usize,
    },
    UniqueCount {
        of: String,
    },
    /// The average over the latest `last` events, or over all when there are fewer.
    MovingAverage {
        of: String,
        last: usize,
    },
    /// `s ← s + alpha·(x − s)` from the oldest event on; what is too long ago to be seen in the result is left out.
    Exponential {
        of: String,
        alpha: f64,
    },
}

impl Aggregate {
    /// The property that is read.
    pub fn of(&self) -> Option<&str> {
        match self {
            Self::Count => None,
            Self::First { of } | Self::Last { of } => of.as_deref(),
            Self::Sum { of }
            | Self::Avg { of }
            | Self::Min { of }
            | Self::Max { of }
            | Self::MostFrequent { of }
            | Self::UniqueList { of, .. }
            | Self::UniqueCount { of }
            | Self::MovingAverage { of, .. }
            | Self::Exponential { of, .. } => Some(of),
        }
    }

    /// True when the property must be a number.
    pub fn is_numeric(&self) -> bool {
        match self {
            Self::Sum { .. }
            | Self::Avg { .. }
            | Self::Min { .. }
            | Self::Max { .. }
            | Self::MovingAverage { .. }
            | Self::Exponential { .. } => true,
            Self::Count
            | Self::First { .. }
            | Self::Last { .. }
            | Self::MostFrequent { .. }
            | Self::UniqueList { .. }
            | Self::UniqueCount { .. } => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    pub name: String,
    /// Nothing for the last one, which takes everybody who is left.
    pub who: Option<Condition>,
}

/// What an audience is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Person,
    Account,
}

#[derive(Debug)]
pub struct Audience {
    pub name: Arc<str>,
    pub description: String,
    pub of: Subject,
    pub who: Condition,
    /// It is only there for others to refer to, and not shown in lists.
    pub is_step: bool,
    /// Changes with the condition.
    pub digest: String,
}

#[derive(Debug)]
pub struct Destination {
    pub name: Arc<str>,
    pub connector: String,
    pub description: Arc<Description>,
    pub config: Value,
    pub credentials: BTreeMap<String, SecretRef>,
    pub grants: Grants,
    pub limits: Limits,
    /// By bucket: the connector's, or the manifest's instead.
    pub rates: BTreeMap<String, RateSpec>,
    /// Purposes of which every one must be granted.
    pub consent: Vec<String>,
    /// Where the address of the profile has no consent, another address of the person that has may be sent instead.
    pub other_addresses: bool,
    pub person: Option<PersonPush>,
    /// Audience names, in the manifest's order.
    pub audiences: Vec<String>,
    /// The canonical identifier kind or trait by which a member is named; `person.match` or the connector's first key.
    pub member_key: String,
    pub guard: Guard,
}

/// Profiles as rows of a destination's target.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonPush {
    /// The target's name; the connector's first when the manifest names none.
    pub target: String,
    /// The canonical trait that is the row's key at the vendor.
    pub match_field: String,
    /// Only people in any of these audiences; everybody when empty.
    pub only: Vec<String>,
    /// The vendor's field, and the trait that fills it.
    pub map: Vec<(String, String)>,
    /// `upsert`, `update-only`, `create-only`
    pub mode: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    pub empty_source_stops: bool,
    /// Share of acknowledged rows that one run may remove, 0 to 1.
    pub max_removed: f64,
}

/// What the operator says about who is who. Kinds are `user_id`, `email`, …, `external` for every source's ids and
/// `external:SOURCE` for one source's. It is kept in the store, too: see `flow::upkeep::rules`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentityRules {
    /// A weak value seen with more than this many distinct ids of one strong kind joins nobody; ids with names that may be one person's count once.
    pub shared_above: u32,
    /// The same for one weak kind.
    pub shared: Vec<(String, u32)>,
    /// Kind and how many distinct values of it one person may have.
    pub limits: Vec<(String, u32)>,
    /// Further blocked values as `kind:value`; a `*` in the value matches any text.
    pub blocked: Vec<String>,
    /// Whether a role's mailbox (`info@`, `office@`) says who somebody is, like any other address. It did in rules that say nothing of
    /// it, which were stored before there was this one.
    #[serde(default = "said_who")]
    pub role_mailboxes: bool,
    /// Kinds from the strongest; the others follow in their usual order.
    pub priority: Vec<String>,
    /// Kinds that name one person in one system.
    pub strong: Vec<String>,
    /// How far a source's records may join people.
    pub trust: Vec<(String, Trust)>,
    /// Identifiers that one component may have before its weakest edges are not used.
    pub component_cap: u32,
}

/// Whether people who look alike are suggested as one, and linked.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggest {
    /// From this probability on a pair is linked without asking; nothing is when there is none.
    pub automatic: Option<f64>,
    /// From this probability on a pair waits for an operator.
    pub review: f64,
}

impl Default for Suggest {
    fn default() -> Self {
        Self {
            automatic: None,
            review: 0.5,
        }
    }
}

/// How far a source's word that two identifiers are one person's is taken.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    #[default]
    Full,
    /// Only after everything that other sources say.
    Late,
    /// Not at all: a record belongs to the person of its strongest identifier and joins nobody.
    None,
}

fn said_who() -> bool {
    true
}

impl Default for IdentityRules {
    fn default() -> Self {
        Self {
            shared_above: 2,
            shared: Vec::new(),
            limits: vec![("user_id".to_owned(), 1)],
            blocked: Vec::new(),
            role_mailboxes: false,
            priority: Vec::new(),
            strong: vec!["user_id".to_owned(), "external".to_owned()],
            trust: Vec::new(),
            component_cap: 1_000,
        }
    }
}
