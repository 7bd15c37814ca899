//! From the wire types to the plain ones, and back. What a guest returned is untrusted: everything is checked
//! here, and the first inconsistency invalidates the whole answer.

use crate::host::state::cut;
use crate::host::types::{
    AudiencePage, AudienceRef, Batch, CheckReport, Chunk, Erasure, ErasureStatus, Failure,
    MemberChange, MemberId, MemberIdForm, MemberIdKind, Outcome, ReceivedRows, Reply, RowFailure,
    StreamInfo, TargetInfo, WriteMode,
};
use crate::host::wire::{audience, destination, meta, privacy, source, types, webhook};
use crate::manifest::Limits;
use crate::model::Value;
use crate::problem::codes;

/// A cursor is a bookmark, not a store.
const CURSOR_BYTES: usize = 1 << 20;
/// Longest code and longest message of a row's failure.
const CODE_BYTES: usize = 200;
const MESSAGE_BYTES: usize = 1_000;
/// Most entries of any list that is neither rows nor failures.
const LIST_ENTRIES: usize = 10_000;
/// Longest name or id.
const NAME_BYTES: usize = 1_000;
/// Longest part of a stream, and longest name of a vendor's job or page.
const BOOKMARK_BYTES: usize = 64 << 10;
/// Longest text of an answer that is neither rows nor a cursor, such as a stream's schema.
const TEXT_BYTES: usize = 1 << 20;
/// All of them together: a CRM may have thousands of objects, each with its schema.
const ANSWER_BYTES: usize = 32 << 20;

type Checked<T> = Result<T, Failure>;

fn malformed(message: impl Into<String>) -> Failure {
    Failure::guest(&codes::MALFORMED_ANSWER, message)
}

pub fn check_report(report: meta::CheckReport) -> CheckReport {
    CheckReport {
        account: report
            .account
            .map(|text| cut(&text, MESSAGE_BYTES).to_owned()),
        warnings: report
            .warnings
            .iter()
            .take(100)
            .map(|text| cut(text, MESSAGE_BYTES).to_owned())
            .collect(),
    }
}

pub fn streams(streams: Vec<source::StreamInfo>) -> Checked<Vec<StreamInfo>> {
    few(&streams, "streams")?;
    let mut texts = Texts::default();
    streams
        .into_iter()
        .map(|stream| {
            texts.long(&stream.schema, "the schema of a stream")?;
            texts.long(&stream.data_classes, "the data classes of a stream")?;
            Ok(StreamInfo {
                schema: json(&stream.schema, "the schema of a stream")?,
                data_classes: json(&stream.data_classes, "the data classes of a stream")?,
                name: texts.name(stream.name, "the name of a stream")?,
                title: texts.name(stream.title, "the title of a stream")?,
                primary_key: texts.names(stream.primary_key, "a key field of a stream")?,
                cursor_fields: texts.names(stream.cursor_fields, "a cursor field of a stream")?,
                supports_deletes: stream.supports_deletes,
            })
        })
        .collect()
}

/// None means that there is nothing to read at this moment.
pub fn parts(parts: Vec<String>) -> Checked<Vec<String>> {
    few(&parts, "parts")?;
    let mut texts = Texts::default();
    for part in &parts {
        texts.add(part, BOOKMARK_BYTES, "a part of a stream")?;
    }
    if parts.iter().any(|part| part.starts_with('\u{1f}')) {
        return Err(malformed(
            "`split` named a part that begins with U+001F, which the hub keeps for itself",
        ));
    }
    let mut seen = std::collections::HashSet::new();
    if parts.iter().any(|part| !seen.insert(part)) {
        return Err(malformed("`split` named the same part twice"));
    }
    Ok(parts)
}

pub fn batch(batch: source::Batch, limits: &Limits) -> Checked<Batch> {
    if batch.cursor.len() > CURSOR_BYTES {
        return Err(Failure::guest(
            &codes::CURSOR_TOO_LARGE,
            format!(
                "`read` returned a cursor of {} bytes; a cursor may have {CURSOR_BYTES}",
                batch.cursor.len()
            ),
        ));
    }
    let mut room = Room::new(limits);
    Ok(Batch {
        upserts: room.chunk(batch.upserts, "upserts")?,
        deletes: batch
            .deletes
            .map(|deletes| room.chunk(deletes, "deletes"))
            .transpose()?,
        cursor: batch.cursor,
        done: batch.done,
    })
}

pub fn reply(reply: webhook::Reply, limits: &Limits) -> Checked<Reply> {
    if !(200..600).contains(&reply.status) {
        return Err(malformed(format!(
            "`receive` answered with the HTTP status {}",
            reply.status
        )));
    }
    few(&reply.rows, "sets of rows")?;
    let (mut room, mut texts) = (Room::new(limits), Texts::default());
    room.bytes("body", reply.body.len())?;
    let rows = reply
        .rows
        .into_iter()
        .map(|rows| {
            Ok(ReceivedRows {
                stream: texts.name(rows.stream, "the name of a stream")?,
                upserts: room.chunk(rows.upserts, "upserts")?,
                deletes: rows
                    .deletes
                    .map(|deletes| room.chunk(deletes, "deletes"))
                    .transpose()?,
            })
        })
        .collect::<Checked<Vec<_>>>()?;
    Ok(Reply {
        status: reply.status,
        body: reply.body,
        rows,
    })
}

/// How much of one answer's rows and bytes is still allowed.
struct Room<'a> {
    limits: &'a Limits,
    rows: u64,
    bytes: u64,
}

impl<'a> Room<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            rows: 0,
            bytes: 0,
        }
    }

    fn bytes(&mut self, what: &str, more: usize) -> Checked<()> {
        self.bytes += more as u64;
        let most = self.limits.batch_bytes;
        if self.bytes > most {
            return Err(Failure::guest(
                &codes::BATCH_BYTES_LIMIT,
                format!(
                    "the {what} make the answer {} bytes long; `limits.batch_bytes` is {most}",
                    self.bytes
                ),
            ));
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: types::Chunk, what: &str) -> Checked<Chunk> {
        if chunk.encoding != "json-lines" {
            return Err(malformed(format!(
                "the {what} are in the unknown encoding `{}`; this hub knows `json-lines`",
                cut(&chunk.encoding, 40)
            )));
        }
        self.bytes(what, chunk.data.len())?;
        let lines = count_lines(&chunk.data);
        self.rows += lines;
        let most = self.limits.batch_rows;
        if self.rows > u64::from(most) || chunk.count > most {
            return Err(Failure::guest(
                &codes::BATCH_ROWS_LIMIT,
                format!(
                    "the answer holds {} rows; `limits.batch_rows` is {most}",
                    self.rows.max(u64::from(chunk.count))
                ),
            ));
        }
        if lines != u64::from(chunk.count) {
            return Err(malformed(format!(
                "the {what} are said to be {} rows and are {lines} lines",
                chunk.count
            )));
        }
        if chunk.data.last().is_some_and(|last| *last != b'\n') {
            return Err(malformed(format!(
                "the last line of the {what} does not end in a newline"
            )));
        }
        Ok(Chunk {
            count: chunk.count,
            data: chunk.data,
        })
    }
}

/// Newlines, and one more for a last line without one. Written so that the compiler can use wide registers.
fn count_lines(data: &[u8]) -> u64 {
    let newlines: u64 = data
        .chunks(255)
        .map(|part| {
            let count = part
                .iter()
                .fold(0_u8, |count, byte| count + u8::from(*byte == b'\n'));
            u64::from(count)
        })
        .sum();
    newlines + u64::from(data.last().is_some_and(|last| *last != b'\n'))
}

pub fn targets(targets: Vec<destination::Target>) -> Checked<Vec<TargetInfo>> {
    few(&targets, "targets")?;
    let mut texts = Texts::default();
    targets
        .into_iter()
        .map(|target| {
            texts.long(&target.schema, "the schema of a target")?;
            Ok(TargetInfo {
                schema: json(&target.schema, "the schema of a target")?,
                name: texts.name(target.name, "the name of a target")?,
                title: texts.name(target.title, "the title of a target")?,
                modes: target.modes.into_iter().map(mode_from_wire).collect(),
                keys: texts.names(target.keys, "a key of a target")?,
                max_batch: target.max_batch,
            })
        })
        .collect()
}

fn mode_from_wire(mode: destination::Mode) -> WriteMode {
    match mode {
        destination::Mode::Upsert => WriteMode::Upsert,
        destination::Mode::UpdateOnly => WriteMode::UpdateOnly,
        destination::Mode::CreateOnly => WriteMode::CreateOnly,
        destination::Mode::Delete => WriteMode::Delete,
    }
}

pub fn mode_to_wire(mode: WriteMode) -> destination::Mode {
    match mode {
        WriteMode::Upsert => destination::Mode::Upsert,
        WriteMode::UpdateOnly => destination::Mode::UpdateOnly,
        WriteMode::CreateOnly => destination::Mode::CreateOnly,
        WriteMode::Delete => destination::Mode::Delete,
    }
}

pub fn chunk_to_wire(chunk: &Chunk) -> types::Chunk {
    types::Chunk {
        encoding: "json-lines".to_owned(),
        count: chunk.count,
        data: chunk.data.clone(),
    }
}

pub fn write_outcome(outcome: destination::Outcome, rows: u32) -> Checked<Outcome> {
    let failures = outcome.failures.into_iter().map(|failure| RowFailure {
        index: failure.index,
        retryable: failure.retryable,
        code: failure.code,
        message: failure.message,
    });
    row_failures(failures.collect(), outcome.job, rows)
}

pub fn audience_outcome(outcome: audience::Outcome, members: u32) -> Checked<Outcome> {
    let failures = outcome.failures.into_iter().map(|failure| RowFailure {
        index: failure.index,
        retryable: failure.retryable,
        code: failure.code,
        message: failure.message,
    });
    row_failures(failures.collect(), outcome.job, members)
}

fn row_failures(mut failures: Vec<RowFailure>, job: Option<String>, rows: u32) -> Checked<Outcome> {
    failures.sort_by_key(|failure| failure.index);
    if let Some(failure) = failures.last()
        && failure.index >= rows
    {
        return Err(malformed(format!(
            "the outcome names row {} of {rows} (rows are counted from 0)",
            failure.index
        )));
    }
    if let Some(pair) = failures
        .windows(2)
        .find(|pair| pair[0].index == pair[1].index)
    {
        return Err(malformed(format!(
            "the outcome names row {} twice",
            pair[0].index
        )));
    }
    for failure in &mut failures {
        failure.code = cut(&failure.code, CODE_BYTES).to_owned();
        failure.message = cut(&failure.message, MESSAGE_BYTES).to_owned();
    }
    bookmark(job.as_deref(), "job")?;
    Ok(Outcome { failures, job })
}

pub fn audience_page(
    (audiences, next): (Vec<audience::AudienceRef>, Option<String>),
) -> Checked<AudiencePage> {
    few(&audiences, "audiences")?;
    bookmark(next.as_deref(), "page")?;
    Ok(AudiencePage {
        audiences: audiences
            .into_iter()
            .map(audience_ref)
            .collect::<Checked<_>>()?,
        next,
    })
}

pub fn audience_ref(found: audience::AudienceRef) -> Checked<AudienceRef> {
    let mut texts = Texts::default();
    Ok(AudienceRef {
        id: texts.name(found.id, "the id of an audience")?,
        name: texts.name(found.name, "the name of an audience")?,
        size: found.size,
    })
}

pub fn change_to_wire(config: &str, change: &MemberChange) -> audience::Change {
    audience::Change {
        config: config.to_owned(),
        audience: change.audience.clone(),
        members: change
            .members
            .iter()
            .map(|member| audience::Member {
                ids: ids_to_wire(&member.ids),
                traits: member.traits.clone(),
            })
            .collect(),
        idempotency_key: change.idempotency_key.clone(),
        verify: change.verify,
    }
}

pub fn ids_to_wire(ids: &[MemberId]) -> Vec<audience::Identifier> {
    ids.iter()
        .map(|id| audience::Identifier {
            kind: match id.kind {
                MemberIdKind::Email => audience::IdKind::Email,
                MemberIdKind::Phone => audience::IdKind::Phone,
                MemberIdKind::ExternalId => audience::IdKind::ExternalId,
                MemberIdKind::Device => audience::IdKind::Device,
                MemberIdKind::Address => audience::IdKind::Address,
            },
            form: match id.form {
                MemberIdForm::Plain => audience::IdForm::Plain,
                MemberIdForm::Sha256Hex => audience::IdForm::Sha256Hex,
            },
            value: id.value.clone(),
        })
        .collect()
}

pub fn erasure((status, evidence): (privacy::Status, Option<String>)) -> Checked<Erasure> {
    if let Some(evidence) = &evidence {
        Texts::default().add(evidence, BOOKMARK_BYTES, "the evidence of an erasure")?;
        json(evidence, "the evidence of an erasure")?;
    }
    let status = match status {
        privacy::Status::Done(count) => ErasureStatus::Done(count),
        privacy::Status::Pending(job) => {
            bookmark(Some(&job), "job")?;
            ErasureStatus::Pending(job)
        }
        privacy::Status::NotFound => ErasureStatus::NotFound,
        privacy::Status::Manual(text) => {
            ErasureStatus::Manual(cut(&text, MESSAGE_BYTES).to_owned())
        }
    };
    Ok(Erasure { status, evidence })
}

fn json(text: &str, what: &str) -> Checked<Value> {
    serde_json::from_str(text).map_err(|error| {
        malformed(format!(
            "{what} is not JSON: line {}, column {}",
            error.line(),
            error.column()
        ))
    })
}

fn few<T>(entries: &[T], what: &str) -> Checked<()> {
    if entries.len() > LIST_ENTRIES {
        return Err(malformed(format!(
            "the answer names {} {what}; at most {LIST_ENTRIES} are taken",
            entries.len()
        )));
    }
    Ok(())
}

fn bookmark(text: Option<&str>, what: &str) -> Checked<()> {
    match text {
        Some(text) => Texts::default().add(text, BOOKMARK_BYTES, &format!("the answer's `{what}`")),
        None => Ok(()),
    }
}

/// How long the texts of one answer are, which are stored, listed and printed.
#[derive(Default)]
struct Texts {
    bytes: usize,
}

impl Texts {
    fn add(&mut self, text: &str, most: usize, what: &str) -> Checked<()> {
        if text.len() > most {
            return Err(malformed(format!(
                "{what} has {} bytes; at most {most} are taken",
                text.len()
            )));
        }
        self.bytes += text.len();
        if self.bytes > ANSWER_BYTES {
            return Err(malformed(format!(
                "the answer's names and texts have more than {ANSWER_BYTES} bytes"
            )));
        }
        Ok(())
    }

    fn long(&mut self, text: &str, what: &str) -> Checked<()> {
        self.add(text, TEXT_BYTES, what)
    }

    fn name(&mut self, text: String, what: &str) -> Checked<String> {
        self.add(&text, NAME_BYTES, what)?;
        Ok(text)
    }

    fn names(&mut self, texts: Vec<String>, what: &str) -> Checked<Vec<String>> {
        few(&texts, "fields")?;
        let texts = texts.into_iter().map(|text| self.name(text, what));
        texts.collect()
    }
}
