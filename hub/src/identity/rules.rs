//! The identity rules in the form that `resolve` uses: every question about a kind or a source is a table look-up.

use crate::manifest::{IdentityRules, Trust};
use crate::model::{Identifier, IdentifierKind, PersonId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// The namespace under which every hub has its own, so that two hubs never give out the same person's id.
const HUBS: Uuid = Uuid::from_u128(0x6f6e_6566_6f6c_5d68_9562_1d5f_6875_6273);

#[derive(Debug, Clone)]
pub struct Rules {
    pub(super) namespace: Uuid,
    /// More live identifiers than this in one component, and its weakest edges are not used.
    pub component_cap: usize,
    shared_above: u32,
    shared_by_kind: Kinds<u32>,
    limits: Kinds<u32>,
    ranks: Kinds<u8>,
    strong: Kinds<()>,
    blocked: HashSet<Identifier>,
    patterns: Vec<(IdentifierKind, Vec<String>)>,
    trust: HashMap<Arc<str>, Trust>,
    role_mailboxes: bool,
}

/// Mailboxes that several people of a company read, in the languages of the countries where the hub is used most. After RFC 2142, and
/// what is common on websites.
const ROLES: [&str; 40] = [
    "abuse",
    "accounting",
    "accounts",
    "admin",
    "administration",
    "billing",
    "biuro",
    "booking",
    "bookings",
    "buero",
    "careers",
    "contact",
    "contacto",
    "customerservice",
    "enquiries",
    "faktury",
    "finance",
    "hello",
    "help",
    "helpdesk",
    "hostmaster",
    "hr",
    "info",
    "invoices",
    "jobs",
    "kontakt",
    "mail",
    "marketing",
    "office",
    "orders",
    "post",
    "postmaster",
    "press",
    "sales",
    "sekretariat",
    "service",
    "shop",
    "support",
    "team",
    "webmaster",
];

/// Values by kind. What is said of one source's ids goes before what is said of all external ids.
#[derive(Debug, Clone)]
struct Kinds<T> {
    builtin: [Option<T>; BUILTIN],
    external: Vec<(Arc<str>, T)>,
}

const BUILTIN: usize = 7;
const EXTERNAL: usize = 1;

/// As `model` orders them.
const USUAL_ORDER: [&str; BUILTIN] = [
    "user_id",
    "external",
    "email",
    "phone",
    "anonymous_id",
    "device_id",
    "ad_id",
];

fn builtin(kind: &IdentifierKind) -> usize {
    match kind {
        IdentifierKind::UserId => 0,
        IdentifierKind::External(_) => EXTERNAL,
        IdentifierKind::Email => 2,
        IdentifierKind::Phone => 3,
        IdentifierKind::AnonymousId => 4,
        IdentifierKind::DeviceId => 5,
        IdentifierKind::AdId => 6,
    }
}

impl<T: Copy> Kinds<T> {
    /// Kinds that do not exist, which `manifest` reports, say nothing; of two values for one kind the last counts.
    fn new<'a>(values: impl Iterator<Item = (&'a str, T)>) -> Self {
        let mut kinds = Self {
            builtin: [None; BUILTIN],
            external: Vec::new(),
        };
        for (name, value) in values {
            match (name, IdentifierKind::parse(name)) {
                ("external", _) => kinds.builtin[EXTERNAL] = Some(value),
                (_, Some(IdentifierKind::External(source))) => {
                    kinds.external.retain(|(known, _)| *known != source);
                    kinds.external.push((source, value));
                }
                (_, Some(kind)) => kinds.builtin[builtin(&kind)] = Some(value),
                (_, None) => {}
            }
        }
        kinds
    }

    fn get(&self, kind: &IdentifierKind) -> Option<T> {
        if let IdentifierKind::External(source) = kind
            && !self.external.is_empty()
            && let Some((_, value)) = self.external.iter().find(|(known, _)| known == source)
        {
            return Some(*value);
        }
        self.builtin[builtin(kind)]
    }
}

impl Rules {
    /// `hub` is the hub's name. A limit below one counts as one.
    pub fn new(rules: &IdentityRules, hub: &str) -> Self {
        let pairs = |list: &'_ [(String, u32)]| -> Vec<(String, u32)> {
            list.iter()
                .map(|(kind, number)| (kind.clone(), (*number).max(1)))
                .collect()
        };
        let named = |list: &[(String, u32)]| {
            let list = pairs(list);
            Kinds::new(list.iter().map(|(kind, number)| (kind.as_str(), *number)))
        };
        let (exact, patterns): (Vec<_>, Vec<_>) = rules
            .blocked
            .iter()
            .filter_map(|text| split(text))
            .partition(|(_, value)| !value.contains('*'));
        Self {
            namespace: Uuid::new_v5(&HUBS, hub.as_bytes()),
            component_cap: rules.component_cap as usize,
            role_mailboxes: rules.role_mailboxes,
            shared_above: rules.shared_above,
            shared_by_kind: named(&rules.shared),
            limits: named(&rules.limits),
            ranks: ranks(&rules.priority),
            strong: Kinds::new(rules.strong.iter().map(|kind| (kind.as_str(), ()))),
            blocked: exact
                .into_iter()
                .map(|(kind, value)| normal(kind, value))
                .collect(),
            patterns: patterns
                .into_iter()
                .map(|(kind, value)| {
                    let parts = value.to_lowercase();
                    (kind, parts.split('*').map(str::to_owned).collect())
                })
                .collect(),
            trust: rules
                .trust
                .iter()
                .map(|(source, trust)| (source.as_str().into(), *trust))
                .collect(),
        }
    }

    /// The id of the person whose earliest evidence is this message.
    pub fn person_id(&self, message: &str) -> PersonId {
        PersonId(Uuid::new_v5(&self.namespace, message.as_bytes()))
    }

    /// Whether the hub's own list blocks it. The stand-ins that every hub blocks never become an `Identifier`.
    pub fn blocks(&self, identifier: &Identifier) -> bool {
        (!self.role_mailboxes && is_role(identifier))
            || (!self.blocked.is_empty() && self.blocked.contains(identifier))
            || self.patterns.iter().any(|(kind, parts)| {
                *kind == identifier.kind && matches(parts, &identifier.value.to_lowercase())
            })
    }

    /// How many values of `kind` one person may have.
    pub fn limit(&self, kind: &IdentifierKind) -> Option<u32> {
        self.limits.get(kind)
    }

    /// A weak value seen with more distinct strong ids of one kind than this is shared.
    pub fn shared_above(&self, kind: &IdentifierKind) -> u32 {
        self.shared_by_kind.get(kind).unwrap_or(self.shared_above)
    }

    /// A strong kind names one person in one system; a weak one can be shared.
    pub fn is_strong(&self, kind: &IdentifierKind) -> bool {
        self.strong.get(kind).is_some()
    }

    /// The kind's place in the priority, the strongest 0.
    pub fn rank(&self, kind: &IdentifierKind) -> u8 {
        self.ranks.get(kind).unwrap_or(u8::MAX)
    }

    /// Which of a record's live identifiers make its person: all of them, or only the strongest where its source is not trusted.
    pub fn joined<'i, K: Copy>(
        &self,
        message: &str,
        live: impl Iterator<Item = (K, &'i Identifier)>,
    ) -> Vec<K> {
        if self.trust(message) != Trust::None {
            return live.map(|(key, _)| key).collect();
        }
        let strongest =
            live.min_by(|(_, a), (_, b)| (self.rank(&a.kind), *a).cmp(&(self.rank(&b.kind), *b)));
        strongest.map(|(key, _)| key).into_iter().collect()
    }

    /// Whether one of a record's live identifiers makes its person.
    pub fn joins<'i, K: Copy + PartialEq>(
        &self,
        message: &str,
        one: K,
        live: impl Iterator<Item = (K, &'i Identifier)>,
    ) -> bool {
        self.trust(message) != Trust::None || self.joined(message, live).contains(&one)
    }

    /// How far the source of a message, `source/stream/key`, is believed.
    pub fn trust(&self, message: &str) -> Trust {
        if self.trust.is_empty() {
            return Trust::Full;
        }
        let source = message.split('/').next().unwrap_or_default();
        self.trust.get(source).copied().unwrap_or_default()
    }
}

/// Whether an address is that of a role, with or without a tag (`info+shop@`).
fn is_role(identifier: &Identifier) -> bool {
    if identifier.kind != IdentifierKind::Email {
        return false;
    }
    let local = identifier.value.split(['@', '+']).next();
    local.is_some_and(|local| ROLES.binary_search(&local).is_ok())
}

/// `KIND:VALUE`; the kind `external:SOURCE` has a colon of its own.
fn split(text: &str) -> Option<(IdentifierKind, &str)> {
    let value_at = match text.strip_prefix("external:") {
        Some(rest) => "external:".len() + rest.find(':')?,
        None => text.find(':')?,
    };
    Some((
        IdentifierKind::parse(&text[..value_at])?,
        &text[value_at + 1..],
    ))
}

/// As a record's value would come out; a value that no record could have is kept as it is.
fn normal(kind: IdentifierKind, value: &str) -> Identifier {
    Identifier::parse(kind.clone(), value, None).unwrap_or_else(|_| Identifier {
        kind,
        value: value.to_owned(),
    })
}

/// The kinds named come first, in their order; the others keep theirs behind them.
fn ranks(priority: &[String]) -> Kinds<u8> {
    let named = priority.iter().map(String::as_str);
    let others = USUAL_ORDER
        .iter()
        .copied()
        .filter(|kind| !priority.iter().any(|name| name == kind));
    Kinds::new(named.chain(others).zip(0..))
}

/// Whether the text is the parts with anything between them.
fn matches(parts: &[String], text: &str) -> bool {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    let Some(rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    if parts.len() == 1 {
        return rest.is_empty();
    }
    let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
        return false;
    };
    for part in &parts[1..parts.len() - 1] {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}
