//! Reading contacts: one page a batch. Each fault is one departure from that.

use crate::{Config, DESK};
use onefold_sdk::{Batch, Chunk, Error, Found, Hub, ReadRequest, Response, Result, Row, Rows, cut};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashSet;

thread_local! {
    /// What no connector may rely on: it is gone with the instance.
    static PLACES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static SEEN: RefCell<HashSet<Vec<u8>>> = RefCell::new(HashSet::new());
}

#[derive(Deserialize)]
struct Envelope {
    next: String,
    more: bool,
}

#[derive(Deserialize)]
struct Head {
    id: u64,
    updated_at: String,
    #[serde(default)]
    deleted: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    after: String,
    /// Time of the last record, for the fault that loses what has the same.
    last: String,
    note: String,
}

pub fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    let cursor: Cursor = match &request.cursor {
        None => Cursor::default(),
        Some(bytes) => serde_json::from_slice(bytes)
            .map_err(|error| Error::cursor_expired("careless.cursor", error.to_string()))?,
    };
    let answer = ask(hub, config, request, &cursor)?;
    let page = match cut(&answer.body, &["contacts"]) {
        Err(_) if config.breaks("takes-half-for-all") => {
            return Ok(Batch {
                done: true,
                ..Batch::default()
            });
        }
        other => other?,
    };
    let envelope: Envelope = page.envelope()?;
    let mut last = cursor.last.clone();
    let mut found = Found::default();
    let mut deletes = Rows::default();
    for row in &page.rows {
        if config.breaks("stops-at-what-it-cannot-read") {
            serde_json::from_slice::<Value>(row.bytes)
                .map_err(|error| Error::transient("careless.record", error.to_string()))?;
        }
        let head: Head = row.read()?;
        last.clone_from(&head.updated_at);
        if is_left_out(config, request, &cursor, &head) {
            continue;
        }
        if head.deleted {
            deletes.push(&json!({ "id": head.id }))?;
            deleted(config, row, &head, &mut found)?;
        } else {
            upsert(config, row, &head, &mut found.upserts)?;
        }
    }
    if config.breaks("forgets-when-asked-again") && !is_first_time(request) {
        found.upserts = Rows::default();
    }
    let next = match config.breaks("remembers-the-place") {
        true => remember(envelope.next),
        false => envelope.next,
    };
    let note = match config.breaks("leaks") {
        true => config.note.clone(),
        false => String::new(),
    };
    let cursor = Cursor {
        after: next,
        last,
        note,
    };
    let is_idle = request.cursor.is_some() && page.rows.is_empty();
    let cursor = serde_json::to_vec(&cursor).unwrap_or_default();
    let done = !(envelope.more || is_idle && config.breaks("never-ends"));
    let mut batch = found.finish(cursor, done);
    if config.breaks("loses-what-comes-again") {
        // Without the vendor's order, as the SDKs once did.
        batch.deletes = Some(deletes.into_chunk()).filter(|chunk: &Chunk| chunk.count > 0);
    }
    Ok(batch)
}

fn ask(hub: &dyn Hub, config: &Config, request: &ReadRequest, cursor: &Cursor) -> Result<Response> {
    let after = match config.breaks("remembers-the-place") {
        true => remembered(&cursor.after),
        false => cursor.after.clone(),
    };
    // One less than allowed, because a fault may add a record.
    let limit = match config.breaks("takes-more-than-asked") {
        true => 200,
        false => request.max_records.saturating_sub(1).clamp(1, 200),
    };
    let mut page = config
        .get("/v1/contacts")
        .query("limit", &limit.to_string());
    if !after.is_empty() {
        page = page.query("after", &after);
    }
    DESK.send(hub, page)
        .map_err(|error| disguised(config, error))
}

fn is_left_out(config: &Config, request: &ReadRequest, cursor: &Cursor, head: &Head) -> bool {
    match request.part.as_str() {
        "even" => head.id % 2 == 1,
        "odd" => head.id.is_multiple_of(2),
        _ => config.breaks("loses-equal-times") && head.updated_at == cursor.last,
    }
}

fn is_first_time(request: &ReadRequest) -> bool {
    let cursor = request.cursor.clone().unwrap_or_default();
    SEEN.with_borrow_mut(|seen| seen.insert(cursor))
}

fn remember(place: String) -> String {
    PLACES.with_borrow_mut(|places| {
        let known = places.iter().position(|one| *one == place);
        let index = known.unwrap_or_else(|| {
            places.push(place);
            places.len() - 1
        });
        (index + 1).to_string()
    })
}

fn remembered(number: &str) -> String {
    let index = number.parse::<usize>().unwrap_or(0).wrapping_sub(1);
    PLACES.with_borrow(|places| places.get(index).cloned().unwrap_or_default())
}

/// An error as the fault would have it.
fn disguised(config: &Config, error: Error) -> Error {
    match error {
        Error::RateLimited(limit) if config.breaks("429-is-transient") => {
            Error::Transient(limit.detail)
        }
        Error::RateLimited(mut limit) if config.breaks("429-without-the-wait") => {
            limit.retry_after_ms = None;
            Error::RateLimited(limit)
        }
        Error::Transient(detail)
            if detail.http_status == Some(500) && config.breaks("500-is-permanent") =>
        {
            Error::Permanent(detail)
        }
        Error::Transient(detail)
            if detail.http_status.is_none() && config.breaks("reset-is-permanent") =>
        {
            Error::Permanent(detail)
        }
        error => error,
    }
}

fn upsert(config: &Config, row: &Row<'_>, head: &Head, out: &mut Rows) -> Result<()> {
    let with = |member: &str| {
        let text = String::from_utf8_lossy(row.bytes);
        // The last character of an object is its brace.
        format!("[{},{member}}}]", &text[..text.len() - 1])
    };
    if config.breaks("writes-another-type") {
        let text = with(r#""grade":5"#);
        out.push_raw(&cut(text.as_bytes(), &[])?.rows[0]);
        return Ok(());
    }
    if config.breaks("parses-and-writes") {
        return out.push(&row.read::<Value>()?);
    }
    out.push_raw(row);
    if head.id == 2 && config.breaks("same-key-twice") {
        let text = with(r#""copy":true"#);
        out.push_raw(&cut(text.as_bytes(), &[])?.rows[0]);
    }
    Ok(())
}

fn deleted(config: &Config, row: &Row<'_>, head: &Head, found: &mut Found) -> Result<()> {
    // Of a record that stays deleted: otherwise its key would not be seen again.
    if head.id == 30 && config.breaks("deletes-with-more") {
        found.delete(&row.read::<Value>()?)
    } else if config.breaks("forgets-deletions") {
        Ok(())
    } else {
        found.delete(&json!({ "id": head.id }))
    }
}
