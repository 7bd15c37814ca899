//! Identifiers: what a person is known by, normalised on construction.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The kinds, from the strongest to the weakest; the order is the default priority.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum IdentifierKind {
    UserId,
    /// A record's id in one source, written `external:SOURCE`.
    External(Arc<str>),
    Email,
    Phone,
    AnonymousId,
    DeviceId,
    AdId,
}

impl IdentifierKind {
    /// Reads `email`, `external:crm`, …
    pub fn parse(text: &str) -> Option<Self> {
        Self::builtin(text).or_else(|| {
            let source = text.strip_prefix("external:")?;
            (!source.is_empty()).then(|| Self::External(source.into()))
        })
    }

    /// Reads `email` and the like, but no source's own.
    pub fn builtin(text: &str) -> Option<Self> {
        Some(match text {
            "user_id" => Self::UserId,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "anonymous_id" => Self::AnonymousId,
            "device_id" => Self::DeviceId,
            "ad_id" => Self::AdId,
            _ => return None,
        })
    }

    /// As manifests and the store spell it.
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::UserId => "user_id",
            Self::External(source) => return Cow::Owned(["external:", source].concat()),
            Self::Email => "email",
            Self::Phone => "phone",
            Self::AnonymousId => "anonymous_id",
            Self::DeviceId => "device_id",
            Self::AdId => "ad_id",
        })
    }
}

impl fmt::Display for IdentifierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl From<IdentifierKind> for String {
    fn from(kind: IdentifierKind) -> Self {
        kind.to_string()
    }
}

impl TryFrom<String> for IdentifierKind {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a kind of identifier"))
    }
}

/// A kind and its normalised value.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct Identifier {
    #[schema(value_type = String)]
    pub kind: IdentifierKind,
    pub value: String,
}

/// Why a text is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    Empty,
    /// Cannot be an address or number of its kind.
    Malformed,
    /// A stand-in such as `null`, `test`, an all-zero device id, a no-reply address.
    Blocked(StandIn),
}

/// By which rule a value is a stand-in, which names nobody in particular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandIn {
    Word,
    Mailbox,
    WholeAddress,
    Digits,
    Device,
}

impl StandIn {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Word => {
                "a word that is written where there is no value, such as `null` or `test`"
            }
            Self::Mailbox => {
                "a mailbox of nobody in particular, such as `nobody@`, `test@` or `noreply@`"
            }
            Self::WholeAddress => "an address of forms and manuals, such as `name@example.com`",
            Self::Digits => "one digit or one group of digits over and over, or a row of keys",
            Self::Device => "an id that whole series of devices share",
        }
    }
}

/// A person's id: UUIDv5 of the earliest evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersonId(pub Uuid);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
