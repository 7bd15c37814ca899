//! The words of the contract as plain Rust types: what a call gets, what it gives back, how it fails.
//! The component's own types are made from these in `guest`.

use serde::{Deserialize, Serialize};
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Facts about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// Stable, in the connector's own words, such as `hubspot.VALIDATION_ERROR`.
    pub code: String,
    pub message: String,
    pub http_status: Option<u16>,
    /// More facts as JSON.
    pub data: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    pub detail: Detail,
    pub retry_after_ms: Option<u64>,
    pub bucket: Option<String>,
}

/// Why a call failed, sorted by what the hub does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The operator must change the configuration.
    Config(Detail),
    /// The credential was refused.
    Auth(Detail),
    /// The credential is good but lacks a right.
    Permission(Detail),
    /// Wait, then call again.
    RateLimited(Box<RateLimit>),
    /// The same call may work later.
    Transient(Detail),
    /// The same call will never work.
    Permanent(Detail),
    /// Read the stream from its start.
    CursorExpired(Detail),
    Cancelled,
    Other(Detail),
}

impl Error {
    pub fn config(code: &str, message: impl Into<String>) -> Self {
        Self::Config(Detail::new(code, message))
    }

    pub fn transient(code: &str, message: impl Into<String>) -> Self {
        Self::Transient(Detail::new(code, message))
    }

    pub fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self::Permanent(Detail::new(code, message))
    }

    pub fn cursor_expired(code: &str, message: impl Into<String>) -> Self {
        Self::CursorExpired(Detail::new(code, message))
    }

    pub fn detail(&self) -> Option<&Detail> {
        match self {
            Self::Config(detail)
            | Self::Auth(detail)
            | Self::Permission(detail)
            | Self::Transient(detail)
            | Self::Permanent(detail)
            | Self::CursorExpired(detail)
            | Self::Other(detail) => Some(detail),
            Self::RateLimited(limit) => Some(&limit.detail),
            Self::Cancelled => None,
        }
    }

    /// The vendor's status, when the vendor answered.
    pub fn status(&self) -> Option<u16> {
        self.detail().and_then(|detail| detail.http_status)
    }
}

impl Detail {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            http_status: None,
            data: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail() {
            Some(detail) => write!(f, "{}: {}", detail.code, detail.message),
            None => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {}

/// JSON lines: one object a line, `\n` after each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    pub count: u32,
    pub data: Vec<u8>,
}

impl Chunk {
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.data
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// The account's name or id at the vendor.
    pub account: Option<String>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    pub name: String,
    pub title: String,
    /// JSON Schema of one record.
    pub schema: String,
    pub primary_key: Vec<String>,
    pub cursor_fields: Vec<String>,
    /// JSON object: path in the record to class of data.
    pub data_classes: String,
    pub supports_deletes: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadRequest {
    pub stream: String,
    pub part: String,
    pub cursor: Option<Vec<u8>>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub max_records: u32,
    pub max_bytes: u32,
}

/// What one `read` returns. The hub applies the upserts before the deletes, so a key that is in both is deleted; see
/// `Found`. Between batches it keeps the order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    pub upserts: Chunk,
    /// Objects with the primary key fields only.
    pub deletes: Option<Chunk>,
    /// Where the next batch begins. It is committed together with the rows, or not at all.
    pub cursor: Vec<u8>,
    /// Nothing more to read for now.
    pub done: bool,
}

/// A call from the vendor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    pub headers: Vec<(String, Vec<u8>)>,
    pub query: String,
    pub body: Vec<u8>,
}

impl Delivery {
    /// A header by its name in any case, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}

/// Rows of a webhook; upserts count before deletes, as in a `Batch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRows {
    pub stream: String,
    pub upserts: Chunk,
    pub deletes: Option<Chunk>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    pub rows: Vec<StreamRows>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Upsert,
    UpdateOnly,
    CreateOnly,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetInfo {
    pub name: String,
    pub title: String,
    pub schema: String,
    pub modes: Vec<Mode>,
    pub keys: Vec<String>,
    pub max_batch: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRequest {
    pub target: String,
    pub mode: Mode,
    pub rows: Chunk,
    pub idempotency_key: String,
    /// An earlier try ended without an answer: look first.
    pub verify: bool,
}

/// A row that the vendor did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub index: u32,
    pub retryable: bool,
    pub code: String,
    pub message: String,
}

impl Failure {
    /// A row that will not do better on another try.
    pub fn rejected(index: usize, code: &str, message: impl Into<String>) -> Self {
        Self {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            retryable: false,
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// Rows that are not named succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    pub failures: Vec<Failure>,
    pub job: Option<String>,
}

impl Outcome {
    /// One failure a row, in the rows' order.
    pub fn of(mut failures: Vec<Failure>) -> Self {
        failures.sort_by_key(|failure| failure.index);
        failures.dedup_by_key(|failure| failure.index);
        Self {
            failures,
            job: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    Email,
    Phone,
    ExternalId,
    Device,
    Address,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    Plain,
    Sha256Hex,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    pub kind: IdKind,
    pub form: IdForm,
    pub value: String,
}

impl Identifier {
    pub fn email(value: impl Into<String>) -> Self {
        Self {
            kind: IdKind::Email,
            form: IdForm::Plain,
            value: value.into(),
        }
    }
}

/// The first plain identifier of a kind.
pub fn plain(ids: &[Identifier], kind: IdKind) -> Option<&str> {
    ids.iter()
        .find(|id| id.kind == kind && id.form == IdForm::Plain)
        .map(|id| id.value.as_str())
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    pub ids: Vec<Identifier>,
    pub traits: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudienceRef {
    pub id: String,
    pub name: String,
    pub size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AudienceChange {
    pub audience: String,
    pub members: Vec<Member>,
    pub idempotency_key: String,
    pub verify: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureStatus {
    /// How many of the person's records were erased.
    Done(u64),
    /// A job for `poll_erasure`.
    Pending(String),
    NotFound,
    /// What somebody has to do by hand.
    Manual(String),
}

/// How an erasure stands, with evidence as JSON for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub status: ErasureStatus,
    pub evidence: Option<String>,
}
