//! Reading contacts and tickets.

use crate::{Config, Helpdesk, VENDOR};
use onefold_sdk::connector::unknown;
use onefold_sdk::{
    Batch, Error, Found, Hub, ReadRequest, Request, Result, Source, Step, cut, read_pages,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const STREAMS: [&str; 2] = ["contacts", "tickets"];

/// Where the next page begins: what the vendor called `next`.
#[derive(Serialize, Deserialize)]
struct Cursor {
    after: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    next: String,
    more: bool,
}

/// The fields of a record that decide what becomes of it.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(default)]
    deleted: bool,
}

/// Of a deleted record only the key is passed on, as it was written.
#[derive(Serialize)]
struct Key<'a> {
    id: &'a RawValue,
}

impl Source for Helpdesk {
    fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
        let stream = request.stream.as_str();
        if !STREAMS.contains(&stream) {
            return Err(unknown("stream", stream));
        }
        let start = || Ok(Cursor { after: None });
        read_pages(hub, request, start, |cursor, room, found| {
            let limit = room.min(config.page_size).to_string();
            let mut page = Request::get(config.at(&format!("/v1/{stream}")))
                .query("limit", &limit)
                .auth("token");
            if let Some(after) = &cursor.after {
                page = page.query("after", after);
            }
            let Envelope { next, more } = read_page(hub, page, stream, found)?;
            let next = Cursor { after: Some(next) };
            Ok(if more {
                Step::More(next)
            } else {
                Step::Done(next)
            })
        })
    }
}

/// A deleted record comes as a tombstone.
fn read_page(hub: &dyn Hub, page: Request, stream: &str, found: &mut Found) -> Result<Envelope> {
    let answer = VENDOR.send(hub, page).map_err(lost_place)?;
    let page = cut(&answer.body, &[stream])?;
    for row in &page.rows {
        match row.read_borrowed::<Head<'_>>() {
            Ok(head) if head.deleted => found.delete(&Key { id: head.id })?,
            // What cannot be read is the hub's to set aside.
            _ => found.upserts.push_raw(row),
        }
    }
    page.envelope()
}

/// 410: the vendor no longer knows where the last run ended.
fn lost_place(error: Error) -> Error {
    match error.detail() {
        Some(detail) if detail.http_status == Some(410) => Error::CursorExpired(detail.clone()),
        _ => error,
    }
}

#[cfg(test)]
mod tests;
