//! Records that are made up while they are read: a source that costs next to nothing, in the place of a connector.

use super::world;
use anyhow::{Context as _, Result, bail};
use onefold::flow::read_stream;
use onefold::flow::{
    Arrived, Context, Counts, ReadOptions, Since, StreamRef, apply, key_lines, land,
};
use onefold::host::{
    AudiencePage, AudienceRef, Batch, CheckReport, Chunk, Connector, Delivery, Erasure, Failure,
    FailureKind, MemberChange, MemberId, Outcome, ReadRequest, Reply, StreamInfo, TargetInfo,
    WriteRequest,
};
use onefold::manifest::Stream;
use onefold::problem::{Problem, codes};
use std::sync::Arc;

/// Reads `count` records into the hub, as a run of a source does it: one thread makes them, one lands and maps them,
/// one resolves and writes. `line` returns a record by its index.
pub async fn read(
    context: &Context,
    names: (&str, &str),
    count: u64,
    line: impl Fn(u64) -> String + Send + 'static,
) -> Result<Counts> {
    pass(context, names, count, Pass::default(), line).await
}

/// One of several reads of a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pass {
    /// Where the cursor of the read before ended.
    pub base: u64,
    /// From the start; what does not come is deleted.
    pub full: bool,
    /// The lines are deletions.
    pub deletes: bool,
}

/// The same for any read of the stream.
pub async fn pass(
    context: &Context,
    (source, stream): (&str, &str),
    count: u64,
    pass: Pass,
    line: impl Fn(u64) -> String + Send + 'static,
) -> Result<Counts> {
    let (plan, _) = world::stream(context, source, stream).await?;
    let sources = &context.plan.sources;
    let source = sources.iter().find(|one| &*one.name == source);
    let memory = Box::new(Memory {
        count,
        line: Box::new(line),
        pass,
    });
    let options = ReadOptions {
        what: onefold::flow::What::Vendor,
        full: pass.full,
        progress: Arc::new(|_| {}),
    };
    let source = source.context("the plan has no such source")?;
    let (report, _) = read_stream(context, source, plan, memory, &options).await?;
    match report.problem {
        Some(problem) => bail!("{problem}"),
        None => Ok(report.counts),
    }
}

/// Some records through the hub in one transaction.
pub async fn put(
    context: &Context,
    plan: &Stream,
    stream: &StreamRef,
    lines: String,
) -> Result<Counts> {
    let mut arrived = Arrived::default();
    arrived.add(lines.into_bytes().into(), None);
    let lines = key_lines(stream, plan, &arrived);
    let since = Since {
        version: i64::MAX,
        is_full: false,
        range: None,
    };
    let landed = land(context, stream, plan, lines, since).await?;
    let mut tx = context.begin().await?;
    let counts = apply(&mut tx, context, stream, landed.changes).await?;
    tx.commit().await?;
    Ok(counts)
}

struct Memory {
    count: u64,
    line: Box<dyn Fn(u64) -> String + Send>,
    pass: Pass,
}

fn only_read<T>() -> Result<T, Failure> {
    let problem = Problem::new(
        &codes::VENDOR_PERMANENT,
        "the benchmark's memory can only be read",
    );
    Err(Failure::new(FailureKind::Permanent, problem))
}

impl Connector for Memory {
    fn split(&mut self, _: &str, _: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(vec![String::new()])
    }

    fn read(&mut self, request: &ReadRequest) -> Result<Batch, Failure> {
        let cursor = request.cursor.as_deref();
        let from = cursor.and_then(|cursor| cursor.try_into().ok());
        let Pass { base, deletes, .. } = self.pass;
        let from = from.map_or(0, |from| u64::from_le_bytes(from).saturating_sub(base));
        let to = self.count.min(from + u64::from(request.max_records));
        let mut data = Vec::new();
        for place in from..to {
            data.extend_from_slice((self.line)(place).as_bytes());
            data.push(b'\n');
        }
        let lines = Chunk {
            count: (to - from) as u32,
            data,
        };
        let (upserts, deletes) = match deletes {
            true => (Chunk::default(), Some(lines)),
            false => (lines, None),
        };
        Ok(Batch {
            upserts,
            deletes,
            cursor: (base + to).to_le_bytes().to_vec(),
            done: to == self.count,
        })
    }

    fn check(&mut self) -> Result<CheckReport, Failure> {
        only_read()
    }

    fn discover(&mut self) -> Result<Vec<StreamInfo>, Failure> {
        only_read()
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
