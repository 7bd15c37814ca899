//! The HubSpot connector without its sandbox: the same code compiled natively, with the same way out. Only what
//! reading takes; a call for anything else fails.

use onefold::flow::Opens;
use onefold::flow::connect::Connectors;
use onefold::host::{
    AudiencePage, AudienceRef, Batch, CheckReport, Chunk, Connection, Connector, Delivery, Erasure,
    Failure, FailureKind, HttpError, HttpRequest, MemberChange, MemberId, Outcome, ReadRequest,
    Reply, StreamInfo, TargetInfo, WriteRequest,
};
use onefold::manifest::{Destination, Source};
use onefold::problem::{Problem, codes};
use onefold_sdk::connector::call;
use onefold_sdk::{self as sdk, Level, MacAlgorithm, Request, Response};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

use hubspot_connector::HubSpot;

/// Opens sources natively.
pub struct Native(pub Connectors);

impl Opens for Native {
    fn source(&self, source: &Source) -> Result<Box<dyn Connector>, Vec<Problem>> {
        let opened = self.0.open_source(source)?;
        Ok(Box::new(Instance(opened.connection().clone())))
    }

    fn destination(&self, destination: &Destination) -> Result<Box<dyn Connector>, Vec<Problem>> {
        self.0.destination(destination)
    }

    fn rest(&self) {
        self.0.rest();
    }
}

struct Instance(Connection);

impl Instance {
    fn hub(&self) -> Way<'_> {
        Way {
            connection: &self.0,
            deadline: Instant::now() + Duration::from_millis(self.0.limits.wall_ms),
        }
    }
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` asks for"
)]
fn failed(error: sdk::Error) -> Failure {
    let (kind, code) = match &error {
        sdk::Error::Transient(_) => (FailureKind::Transient, &codes::VENDOR_TRANSIENT),
        sdk::Error::RateLimited(_) => (FailureKind::RateLimited, &codes::VENDOR_RATE_LIMITED),
        _ => (FailureKind::Permanent, &codes::VENDOR_PERMANENT),
    };
    Failure::new(kind, Problem::new(code, error.to_string()))
}

fn only_read<T>() -> Result<T, Failure> {
    Err(failed(sdk::Error::permanent(
        "bench.only_reads",
        "the benchmark's native connector only reads",
    )))
}

fn chunk(chunk: sdk::Chunk) -> Chunk {
    Chunk {
        count: chunk.count,
        data: chunk.data,
    }
}

impl Connector for Instance {
    fn check(&mut self) -> Result<CheckReport, Failure> {
        only_read()
    }

    fn discover(&mut self) -> Result<Vec<StreamInfo>, Failure> {
        only_read()
    }

    fn split(&mut self, stream: &str, since: Option<&str>) -> Result<Vec<String>, Failure> {
        call::split::<HubSpot>(&self.hub(), &self.0.config, stream, since).map_err(failed)
    }

    fn read(&mut self, request: &ReadRequest) -> Result<Batch, Failure> {
        let request = sdk::ReadRequest {
            stream: request.stream.clone(),
            part: request.part.clone(),
            cursor: request.cursor.clone(),
            since: request.since.clone(),
            until: request.until.clone(),
            max_records: request.max_records,
            max_bytes: request.max_bytes,
        };
        let batch = call::read::<HubSpot>(&self.hub(), &self.0.config, &request).map_err(failed)?;
        Ok(Batch {
            upserts: chunk(batch.upserts),
            deletes: batch.deletes.map(chunk),
            cursor: batch.cursor,
            done: batch.done,
        })
    }

    fn targets(&mut self) -> Result<Vec<TargetInfo>, Failure> {
        only_read()
    }

    fn write(&mut self, _: &WriteRequest) -> Result<Outcome, Failure> {
        only_read()
    }

    fn poll_write(&mut self, _: &str, _: u32) -> Result<Option<Outcome>, Failure> {
        only_read()
    }

    fn list_audiences(&mut self, _: Option<&str>) -> Result<AudiencePage, Failure> {
        only_read()
    }

    fn create_audience(&mut self, _: &str, _: Option<&str>) -> Result<AudienceRef, Failure> {
        only_read()
    }

    fn add_members(&mut self, _: &MemberChange) -> Result<Outcome, Failure> {
        only_read()
    }

    fn remove_members(&mut self, _: &MemberChange) -> Result<Outcome, Failure> {
        only_read()
    }

    fn poll_audience(&mut self, _: &str, _: u32) -> Result<Option<Outcome>, Failure> {
        only_read()
    }

    fn erase(&mut self, _: &[MemberId], _: &str) -> Result<Erasure, Failure> {
        only_read()
    }

    fn poll_erasure(&mut self, _: &str) -> Result<Erasure, Failure> {
        only_read()
    }

    fn receive(&mut self, _: &Delivery) -> Result<Reply, Failure> {
        only_read()
    }
}

/// The hub as the connector's code sees it.
struct Way<'a> {
    connection: &'a Connection,
    deadline: Instant,
}

impl sdk::Hub for Way<'_> {
    fn send(&self, request: Request) -> Result<Response, sdk::HttpError> {
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            auth: request.auth,
            bucket: request.bucket,
            idempotent: request.idempotent,
        };
        match self
            .connection
            .http
            .send(request, self.deadline, &self.connection.cancel)
        {
            Ok(response) => Ok(Response {
                status: response.status,
                headers: response.headers,
                body: response.body,
            }),
            Err(error) => Err(match error {
                HttpError::Denied(problem) => sdk::HttpError::Denied(problem.to_string()),
                HttpError::Dns(text) => sdk::HttpError::Dns(text),
                HttpError::Connect(text) => sdk::HttpError::Connect(text),
                HttpError::Tls(text) => sdk::HttpError::Tls(text),
                HttpError::Timeout => sdk::HttpError::Timeout,
                HttpError::ResponseTooLarge(most) => sdk::HttpError::TooLarge(most),
                HttpError::Cancelled => sdk::HttpError::Cancelled,
                HttpError::Other(text) => sdk::HttpError::Other(text),
            }),
        }
    }

    fn log(&self, _: Level, _: &str, _: Option<&str>) {}

    fn cancelled(&self) -> bool {
        self.connection.cancel.is_cancelled()
    }

    fn remaining_ms(&self) -> u64 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    fn now_ms(&self) -> u64 {
        self.connection.clock.now().0.unsigned_abs()
    }

    fn progress(&self, _: u64, _: Option<u64>, _: Option<&str>) {}

    fn count(&self, _: &str, _: u64) {}

    fn mac(&self, _: &str, _: MacAlgorithm, _: &[u8]) -> Result<Vec<u8>, String> {
        Err("the benchmark signs nothing".to_owned())
    }

    fn sha256(&self, data: &[u8]) -> Vec<u8> {
        Sha256::digest(data).to_vec()
    }
}
