//! A read that failed in a run, kept so that it can be repeated: the request with its cursor, and, only when the operator
//! asked for it, what the vendor said. Owns the file, which nobody else on the machine may read.

use crate::files;
use crate::host::{
    AudiencePage, AudienceRef, Batch, Cancel, CheckReport, Connector, Delivery, Erasure, Failure,
    MemberChange, MemberId, Outcome, ReadRequest, Reply, StreamInfo, TargetInfo, WriteRequest,
};
use crate::kit::cassette::{Cassette, Exchange, Recorder};
use crate::problem::{Problem, codes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FORMAT: u32 = 1;

/// The folder in the hub's folder where captured calls are stored.
pub const FOLDER: &str = "captured";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captured {
    onefold_captured_read: u32,
    pub source: String,
    pub connector: String,
    pub stream: String,
    pub part: String,
    /// Base64 of the connector's cursor.
    pub cursor: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub max_records: u32,
    pub max_bytes: u32,
    /// The problem's code and message, in which no secret is.
    pub code: String,
    pub message: String,
    /// What was asked and answered, when the operator wanted it kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cassette: Option<Cassette>,
}

impl Captured {
    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(
                &codes::BAD_CAPTURE,
                format!("`{name}` holds no captured call"),
            )
        };
        let captured: Self = serde_json::from_str(text).map_err(|_| wrong())?;
        match captured.onefold_captured_read == FORMAT {
            true => Ok(captured),
            false => Err(wrong()),
        }
    }

    pub fn read(path: &Path) -> Result<Self, Problem> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Problem::new(
                &codes::BAD_CAPTURE,
                format!("`{name}` cannot be read: {error}"),
            )
        })?;
        Self::parse(&name, &text)
    }

    pub fn request(&self) -> ReadRequest {
        let cursor = self.cursor.as_ref();
        ReadRequest {
            stream: self.stream.clone(),
            part: self.part.clone(),
            cursor: cursor.map(|text| STANDARD.decode(text).unwrap_or_default()),
            since: self.since.clone(),
            until: self.until.clone(),
            max_records: self.max_records,
            max_bytes: self.max_bytes,
        }
    }
}

/// Where and how much is captured for one source.
#[derive(Clone)]
pub struct Capture {
    /// The hub's folder.
    pub folder: PathBuf,
    pub source: String,
    pub connector: String,
    /// Keeps the exchanges, when the operator wants it.
    pub recorder: Option<Arc<Recorder>>,
}

impl Capture {
    fn path(&self, stream: &str) -> PathBuf {
        let plain = |text: &str| {
            text.replace(
                |c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_',
                "-",
            )
        };
        let name = format!("{}.{}.json", plain(&self.source), plain(stream));
        self.folder.join(FOLDER).join(name)
    }

    fn keep(&self, request: &ReadRequest, failure: &Failure, exchanges: Option<Vec<Exchange>>) {
        let captured = Captured {
            onefold_captured_read: FORMAT,
            source: self.source.clone(),
            connector: self.connector.clone(),
            stream: request.stream.clone(),
            part: request.part.clone(),
            cursor: request.cursor.as_ref().map(|bytes| STANDARD.encode(bytes)),
            since: request.since.clone(),
            until: request.until.clone(),
            max_records: request.max_records,
            max_bytes: request.max_bytes,
            code: failure.problem.code.id.to_owned(),
            message: failure.problem.message.clone(),
            cassette: exchanges.map(|exchanges| Cassette::new(&self.connector, exchanges)),
        };
        let text = serde_json::to_string_pretty(&captured).unwrap_or_default();
        let path = self.path(&request.stream);
        let folder = path.parent().unwrap_or(&self.folder);
        let written = files::make_folder(folder);
        // A run does not fail because its failure cannot be kept.
        if let Err(error) = written.and_then(|()| files::write(&path, text.as_bytes())) {
            tracing::warn!(path = %path.display(), "a failed read cannot be captured: {error}");
        }
    }

    fn forget(&self, stream: &str) {
        // Nearly always there is none.
        let _ = std::fs::remove_file(self.path(stream));
    }
}

/// A connector whose failed reads are captured. Everything else goes through.
pub struct Capturing {
    inner: Box<dyn Connector>,
    capture: Capture,
    /// A capture of this stream may be there from an earlier run or attempt.
    stale: Option<String>,
}

impl Capturing {
    pub fn new(inner: Box<dyn Connector>, capture: Capture) -> Self {
        Self {
            inner,
            capture,
            stale: None,
        }
    }
}

impl Connector for Capturing {
    fn read(&mut self, request: &ReadRequest) -> Result<Batch, Failure> {
        let recorder = self.capture.recorder.clone();
        if let Some(recorder) = &recorder {
            recorder.take();
        }
        let answer = self.inner.read(request);
        match &answer {
            Ok(_) if self.stale.as_deref() != Some(&request.stream) => {
                self.capture.forget(&request.stream);
                self.stale = Some(request.stream.clone());
            }
            Ok(_) => {}
            Err(failure) => {
                self.stale = None;
                let exchanges = recorder.map(|recorder| recorder.take());
                self.capture.keep(request, failure, exchanges);
            }
        }
        answer
    }

    fn check(&mut self) -> Result<CheckReport, Failure> {
        self.inner.check()
    }

    fn discover(&mut self) -> Result<Vec<StreamInfo>, Failure> {
        self.inner.discover()
    }

    fn split(&mut self, stream: &str, since: Option<&str>) -> Result<Vec<String>, Failure> {
        self.inner.split(stream, since)
    }

    fn targets(&mut self) -> Result<Vec<TargetInfo>, Failure> {
        self.inner.targets()
    }

    fn write(&mut self, request: &WriteRequest) -> Result<Outcome, Failure> {
        self.inner.write(request)
    }

    fn poll_write(&mut self, job: &str, rows: u32) -> Result<Option<Outcome>, Failure> {
        self.inner.poll_write(job, rows)
    }

    fn list_audiences(&mut self, page: Option<&str>) -> Result<AudiencePage, Failure> {
        self.inner.list_audiences(page)
    }

    fn create_audience(
        &mut self,
        name: &str,
        options: Option<&str>,
    ) -> Result<AudienceRef, Failure> {
        self.inner.create_audience(name, options)
    }

    fn add_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        self.inner.add_members(change)
    }

    fn remove_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        self.inner.remove_members(change)
    }

    fn poll_audience(&mut self, job: &str, members: u32) -> Result<Option<Outcome>, Failure> {
        self.inner.poll_audience(job, members)
    }

    fn erase(&mut self, ids: &[MemberId], request_id: &str) -> Result<Erasure, Failure> {
        self.inner.erase(ids, request_id)
    }

    fn poll_erasure(&mut self, job: &str) -> Result<Erasure, Failure> {
        self.inner.poll_erasure(job)
    }

    fn cancel_by(&mut self, cancel: &Cancel) {
        self.inner.cancel_by(cancel);
    }

    fn receive(&mut self, delivery: &Delivery) -> Result<Reply, Failure> {
        self.inner.receive(delivery)
    }
}
