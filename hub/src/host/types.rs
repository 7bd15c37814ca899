//! What the hub passes to a connector and gets back, in plain Rust. Knows nothing about WebAssembly: the wire
//! types are in `wire` and are converted in `convert`.

use crate::clock::Clock;
use crate::host::cancel::Cancel;
use crate::manifest::Limits;
use crate::problem::{Class, Code, Problem};
use std::sync::Arc;
use std::time::Instant;

/// A connector with its configuration, ready to be called. The calls block, for at most the connection's
/// `limits.wall_ms` each. Every call is independent: after any failure the next call may still succeed.
pub trait Connector: Send {
    /// Calls the vendor once to prove that the configuration and the credential work.
    fn check(&mut self) -> Result<CheckReport, Failure>;
    fn discover(&mut self) -> Result<Vec<StreamInfo>, Failure>;
    /// Parts that can be read in parallel; one empty text when the stream has no parts.
    fn split(&mut self, stream: &str, since: Option<&str>) -> Result<Vec<String>, Failure>;
    fn read(&mut self, request: &ReadRequest) -> Result<Batch, Failure>;

    fn targets(&mut self) -> Result<Vec<TargetInfo>, Failure>;
    fn write(&mut self, request: &WriteRequest) -> Result<Outcome, Failure>;
    /// None while the job is still running. `rows` is how many the write held.
    fn poll_write(&mut self, job: &str, rows: u32) -> Result<Option<Outcome>, Failure>;

    fn list_audiences(&mut self, page: Option<&str>) -> Result<AudiencePage, Failure>;
    /// Returns the audience of that name, creating it when there is none.
    fn create_audience(
        &mut self,
        name: &str,
        options: Option<&str>,
    ) -> Result<AudienceRef, Failure>;
    fn add_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure>;
    fn remove_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure>;
    /// None while the job is still running. `members` is how many the change held.
    fn poll_audience(&mut self, job: &str, members: u32) -> Result<Option<Outcome>, Failure>;

    /// Erases one person at the vendor.
    fn erase(&mut self, ids: &[MemberId], request_id: &str) -> Result<Erasure, Failure>;
    fn poll_erasure(&mut self, job: &str) -> Result<Erasure, Failure>;

    /// What ends the calls from now on, their requests and waits, instead of the connection's own wish to stop. A connector
    /// that waits for nothing need not know.
    fn cancel_by(&mut self, _: &Cancel) {}

    /// The vendor called the hub.
    fn receive(&mut self, delivery: &Delivery) -> Result<Reply, Failure>;
}

/// Why a call gave no answer, and by `kind` what the hub does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    pub problem: Problem,
    pub retry_after_ms: Option<u64>,
    /// What the vendor answered, where the connector says it.
    pub http_status: Option<u16>,
    /// The connector's own code, as it is shown; empty where it gave none.
    pub said: String,
    /// The vendor may have carried out some of what was asked.
    pub may_have_written: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The operator must change the configuration or a grant.
    Config,
    /// The credential was refused.
    Auth,
    /// The credential lacks a right.
    Permission,
    /// Wait, then call again.
    RateLimited,
    /// The same call may work later.
    Transient,
    /// The same call will never work.
    Permanent,
    /// Read the stream from its start.
    CursorExpired,
    /// The connector noticed that the hub wants to stop.
    Cancelled,
    Other,
    /// A trap, a limit or a malformed answer: the connector's own fault.
    Guest,
}

impl Failure {
    /// By its kind alone, a call that gave no answer may have been carried out and one that was answered was not.
    pub fn new(kind: FailureKind, problem: Problem) -> Self {
        Self {
            kind,
            problem,
            retry_after_ms: None,
            http_status: None,
            said: String::new(),
            may_have_written: matches!(
                kind,
                FailureKind::Transient
                    | FailureKind::Guest
                    | FailureKind::Other
                    | FailureKind::Cancelled
            ),
        }
    }

    /// A failure of the connector itself.
    pub fn guest(code: &'static Code, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Guest, Problem::new(code, message))
    }

    /// True when the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self.kind {
            FailureKind::RateLimited | FailureKind::Transient => true,
            FailureKind::Other => self.problem.code.class == Class::Retry,
            _ => false,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Failure {}

/// Records in bulk: one JSON object a line, `\n` after each. `count` equals the number of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    pub count: u32,
    pub data: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    pub account: Option<String>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StreamInfo {
    pub name: String,
    pub title: String,
    /// JSON Schema of one record.
    pub schema: crate::model::Value,
    pub primary_key: Vec<String>,
    pub cursor_fields: Vec<String>,
    /// Path in the record to class of data, such as `pii.email`.
    pub data_classes: crate::model::Value,
    pub supports_deletes: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    pub stream: String,
    /// One of the texts that `split` returned.
    pub part: String,
    /// What the last committed batch returned; none on a first or full read.
    pub cursor: Option<Vec<u8>>,
    /// RFC 3339.
    pub since: Option<String>,
    pub until: Option<String>,
    pub max_records: u32,
    pub max_bytes: u32,
}

/// What one read returns. Upserts count before deletes: a key that is in both is deleted. Between batches the order is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    pub upserts: Chunk,
    /// One JSON object a line, with the primary key fields only.
    pub deletes: Option<Chunk>,
    /// To be committed together with the rows, or not at all.
    pub cursor: Vec<u8>,
    /// Nothing more to read for now.
    pub done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    Upsert,
    UpdateOnly,
    CreateOnly,
    Delete,
}

impl WriteMode {
    /// Reads the spelling of manifests.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "upsert" => Some(Self::Upsert),
            "update-only" => Some(Self::UpdateOnly),
            "create-only" => Some(Self::CreateOnly),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::UpdateOnly => "update-only",
            Self::CreateOnly => "create-only",
            Self::Delete => "delete",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct TargetInfo {
    pub name: String,
    pub title: String,
    pub schema: crate::model::Value,
    pub modes: Vec<WriteMode>,
    pub keys: Vec<String>,
    pub max_batch: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRequest {
    pub target: String,
    pub mode: WriteMode,
    pub rows: Chunk,
    /// The same on every attempt with the same rows.
    pub idempotency_key: String,
    /// An earlier attempt ended without an answer: the connector checks first.
    pub verify: bool,
}

/// Rows that are not named succeeded. Indices are in order, unique and below the number of rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    pub failures: Vec<RowFailure>,
    /// The vendor answers later: poll with this.
    pub job: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFailure {
    pub index: u32,
    pub retryable: bool,
    pub code: String,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberIdKind {
    Email,
    Phone,
    ExternalId,
    Device,
    Address,
}

impl MemberIdKind {
    /// By a key of `audience_keys` in the manifest.
    pub fn of_key(key: &str) -> Self {
        match key {
            "email" => Self::Email,
            "phone" => Self::Phone,
            "device_id" | "ad_id" => Self::Device,
            _ => Self::ExternalId,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberIdForm {
    Plain,
    Sha256Hex,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberId {
    pub kind: MemberIdKind,
    pub form: MemberIdForm,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub ids: Vec<MemberId>,
    /// JSON text.
    pub traits: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudienceRef {
    pub id: String,
    pub name: String,
    pub size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AudiencePage {
    pub audiences: Vec<AudienceRef>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// The vendor's id of the audience.
    pub audience: String,
    pub members: Vec<Member>,
    pub idempotency_key: String,
    pub verify: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub status: ErasureStatus,
    /// JSON text for the audit log.
    pub evidence: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureStatus {
    /// How many records were erased.
    Done(u64),
    /// Poll with this.
    Pending(String),
    NotFound,
    /// What an operator has to do by hand.
    Manual(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub headers: Vec<(String, Vec<u8>)>,
    pub query: String,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    pub rows: Vec<ReceivedRows>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRows {
    pub stream: String,
    pub upserts: Chunk,
    pub deletes: Option<Chunk>,
}

/// How a connector's requests leave the hub. Filled with `egress` by `flow::connect`.
pub trait Http: Send + Sync {
    /// Blocks until the answer, an error, the deadline, or until it is cancelled.
    fn send(
        &self,
        request: HttpRequest,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<HttpResponse, HttpError>;
}

#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
    /// A credential by name, added after the policy checks.
    pub auth: Option<String>,
    /// The rate bucket; `default` when none.
    pub bucket: Option<String>,
    /// May be repeated after a network error, a 429 or a 5xx.
    pub idempotent: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The policy said no; the problem's hint is the line that would grant it.
    Denied(Problem),
    Dns(String),
    Connect(String),
    Tls(String),
    Timeout,
    /// How many bytes would have been allowed.
    ResponseTooLarge(u64),
    Cancelled,
    Other(String),
}

/// Signatures with keys that the guest never sees.
pub trait Keys: Send + Sync {
    /// The error is for the connector's author.
    fn mac(
        &self,
        credential: &str,
        algorithm: MacAlgorithm,
        data: &[u8],
    ) -> Result<Vec<u8>, String>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacAlgorithm {
    HmacSha1,
    HmacSha256,
    HmacSha512,
}

/// One line of a connector's log, capped and scrubbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub connection: Arc<str>,
    /// The stream that is being read, if one is.
    pub stream: Option<String>,
    pub level: LogLevel,
    pub message: String,
    /// A small JSON object.
    pub fields: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where a connector's log goes.
pub type LogSink = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// What takes secrets out of bytes; none when there is nothing to take out.
pub type CleanBytes = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// Replaces known secrets in what comes from outside.
#[derive(Clone)]
pub struct Scrub {
    /// In a text for people.
    pub words: Arc<dyn Fn(&str) -> String + Send + Sync>,
    /// In what programs read.
    pub data: CleanBytes,
}

impl Scrub {
    /// For a connection without secrets.
    pub fn nothing() -> Self {
        Self {
            words: Arc::new(str::to_owned),
            data: Arc::new(|_| None),
        }
    }

    pub fn words(&self, text: &str) -> String {
        (self.words)(text)
    }

    pub fn data(&self, content: &[u8]) -> Option<Vec<u8>> {
        (self.data)(content)
    }
}

/// A source or a destination as the host needs to know it.
#[derive(Clone)]
pub struct Connection {
    pub name: Arc<str>,
    /// JSON text.
    pub config: String,
    pub limits: Limits,
    pub http: Arc<dyn Http>,
    pub keys: Option<Arc<dyn Keys>>,
    pub clock: Clock,
    pub cancel: Cancel,
    pub log: LogSink,
    pub scrub: Scrub,
    pub advice: Advice,
}

/// What the operator can do about a failure that the vendor's answer does not explain; empty where nothing is known.
#[derive(Debug, Clone, Default)]
pub struct Advice {
    /// The vendor does not accept the credential.
    pub auth: String,
    /// The vendor did not answer at all.
    pub no_answer: String,
}
