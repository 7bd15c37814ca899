//! Runs connectors: compiles them once, links them to the hub, calls them under limits, and distrusts what they return.
//! Knows no HTTP client, no secret and no database: those are passed in with a connection.

mod cancel;
mod compiler;
mod component;
mod convert;
mod describe;
mod engine;
mod failure;
mod guest;
mod imports;
mod judge;
mod requests;
mod room;
mod state;
mod told;
mod types;
mod wasi;
mod wire;

pub use cancel::Cancel;
pub use compiler::Job as CompilerJob;
pub use component::{Component, Host, HostSettings, Interfaces};
pub use describe::parse as parse_description;
pub use room::Budget;

pub use types::{
    Advice, AudiencePage, AudienceRef, Batch, CheckReport, Chunk, Connection, Connector, Delivery,
    Erasure, ErasureStatus, Failure, FailureKind, Http, HttpError, HttpRequest, HttpResponse, Keys,
    LogLevel, LogLine, LogSink, MacAlgorithm, Member, MemberChange, MemberId, MemberIdForm,
    MemberIdKind, Outcome, ReadRequest, ReceivedRows, Reply, RowFailure, Scrub, StreamInfo,
    TargetInfo, WriteMode, WriteRequest,
};
