//! What a connector may ask of the hub. Inside a component this is the contract's imports; natively it is whatever
//! implements `Hub`. Owns the shapes of a request and an answer, not what a status means (that is `http`).

use std::fmt;

/// Everything that a connector can reach. No method blocks for ever: the hub bounds each.
pub trait Hub {
    fn send(&self, request: Request) -> Result<Response, HttpError>;
    /// `fields` is a small JSON object.
    fn log(&self, level: Level, message: &str, fields: Option<&str>);
    /// True once the run should stop at the next safe point.
    fn cancelled(&self) -> bool;
    /// Milliseconds until the hub interrupts this call.
    fn remaining_ms(&self) -> u64;
    /// Milliseconds since 1970 UTC.
    fn now_ms(&self) -> u64;
    fn progress(&self, done: u64, total: Option<u64>, note: Option<&str>);
    fn count(&self, metric: &str, by: u64);
    /// A signature with a key that only the hub holds.
    fn mac(
        &self,
        credential: &str,
        algorithm: MacAlgorithm,
        data: &[u8],
    ) -> Result<Vec<u8>, String>;
    fn sha256(&self, data: &[u8]) -> Vec<u8>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacAlgorithm {
    HmacSha1,
    HmacSha256,
    HmacSha512,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
    pub auth: Option<String>,
    pub bucket: Option<String>,
    pub timeout_ms: Option<u32>,
    pub idempotent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Response {
    /// A header by its name in any case, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The hub's policy said no; the text names the line that would grant it.
    Denied(String),
    Dns(String),
    Connect(String),
    Tls(String),
    Timeout,
    TooLarge(u64),
    Cancelled,
    Other(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(text) => f.write_str(text),
            Self::Dns(text) => write!(f, "the host's name was not found: {text}"),
            Self::Connect(text) => write!(f, "no connection: {text}"),
            Self::Tls(text) => write!(f, "no secure connection: {text}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::TooLarge(limit) => write!(f, "the answer is larger than {limit} bytes"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Other(text) => f.write_str(text),
        }
    }
}
