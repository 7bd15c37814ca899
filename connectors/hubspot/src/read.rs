//! Reading contacts and companies: all of them through the list, then what changed through the search, then what was
//! archived. Pages of a search are never asked for by offset: a record that changes while we read moves to the end, and
//! an offset would then jump over another. Each page asks for what is at or behind the last value seen instead.

use crate::{Config, VENDOR, get, post};
use onefold_sdk::connector::unknown;
use onefold_sdk::paging::next_cursor;
use onefold_sdk::time::parse_rfc3339;
use onefold_sdk::{Batch, Error, Found, Hub, ReadRequest, Result, Row, Step, cut, read_pages};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A list gives at most this many.
const LIST_LIMIT: u32 = 100;
/// The search index lags behind the records by seconds: what changed just before the last value seen may appear later.
const INDEX_LAG_MS: i64 = 60_000;
/// Changes older than this are in the index.
const SETTLED_MS: i64 = 3_600_000;

struct Stream {
    path: &'static str,
    /// The property that holds the time of the last change.
    modified: &'static str,
    properties: &'static [&'static str],
}

const CONTACTS: Stream = Stream {
    path: "/crm/v3/objects/contacts",
    modified: "lastmodifieddate",
    properties: &[
        "email",
        "firstname",
        "lastname",
        "phone",
        "mobilephone",
        "company",
        "jobtitle",
        "website",
        "address",
        "city",
        "state",
        "zip",
        "country",
        "hs_language",
        "hs_timezone",
        "lifecyclestage",
        "createdate",
        "lastmodifieddate",
        "hs_object_id",
    ],
};

const COMPANIES: Stream = Stream {
    path: "/crm/v3/objects/companies",
    modified: "hs_lastmodifieddate",
    properties: &[
        "name",
        "domain",
        "website",
        "industry",
        "phone",
        "description",
        "city",
        "country",
        "numberofemployees",
        "annualrevenue",
        "hs_lastmodifieddate",
        "hs_object_id",
    ],
};

/// Times are milliseconds since 1970. `since` is where the search goes on, `archived_since` where deletions do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    phase: Phase,
    since: i64,
    archived_since: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// The first read.
    List { after: Option<String> },
    /// What changed at `since` or later.
    Changes,
    /// More records than a page share the time `since`: those of them with a higher id.
    Tie { after_id: String },
    /// Deletions; `newest` is the last one seen so far.
    Archived { after: Option<String>, newest: i64 },
    /// Between two runs.
    Idle,
}

#[derive(Deserialize)]
struct Envelope {
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: Option<String>,
}

pub(crate) fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    let stream = match request.stream.as_str() {
        "contacts" => &CONTACTS,
        "companies" => &COMPANIES,
        other => return Err(unknown("stream", other)),
    };
    let reader = Reader {
        hub,
        config,
        stream,
    };
    read_pages(
        hub,
        request,
        || reader.start(),
        |cursor, room, found| reader.page(&cursor, room, found),
    )
}

struct Reader<'a> {
    hub: &'a dyn Hub,
    config: &'a Config,
    stream: &'a Stream,
}

impl Reader<'_> {
    /// Before the first record is read: the newest change that the vendor knows. What changes later is found behind it.
    /// The vendor's own time is used, so that no clock has to be right.
    fn start(&self) -> Result<Cursor> {
        let body = json!({
            "filterGroups": [],
            "sorts": [{ "propertyName": self.stream.modified, "direction": "DESCENDING" }],
            "properties": [self.stream.modified],
            "limit": 1,
        });
        let answer = self.search(&body)?;
        let newest = match cut(&answer, &["results"])?.rows.first() {
            Some(row) => self.modified(row)? - INDEX_LAG_MS,
            None => 0,
        };
        Ok(Cursor {
            phase: Phase::List { after: None },
            since: newest.max(0),
            archived_since: newest.max(0),
        })
    }

    fn page(&self, cursor: &Cursor, room: u32, found: &mut Found) -> Result<Step<Cursor>> {
        match &cursor.phase {
            Phase::List { after } => {
                let after = self.list(after.as_deref(), room, found)?;
                let phase = match after {
                    Some(_) => Phase::List { after },
                    None => Phase::Changes,
                };
                Ok(Step::More(Cursor {
                    phase,
                    ..cursor.clone()
                }))
            }
            Phase::Idle => {
                let now = i64::try_from(self.hub.now_ms()).unwrap_or(i64::MAX);
                let settled = now - cursor.since > SETTLED_MS;
                let lag = if settled { 0 } else { INDEX_LAG_MS };
                let start = Cursor {
                    phase: Phase::Changes,
                    since: (cursor.since - lag).max(0),
                    ..cursor.clone()
                };
                self.changes(&start, room, found)
            }
            Phase::Changes => self.changes(cursor, room, found),
            Phase::Tie { after_id } => self.tie(cursor, after_id, room, found),
            Phase::Archived { after, newest } => {
                self.archived(cursor, after.as_deref(), *newest, room, found)
            }
        }
    }

    fn list(&self, after: Option<&str>, room: u32, found: &mut Found) -> Result<Option<String>> {
        let limit = room.min(LIST_LIMIT).min(self.config.page_size);
        let mut request = get(self.config, self.stream.path)
            .query("limit", &limit.to_string())
            .query("archived", "false")
            .query("properties", &self.properties().join(","));
        if let Some(after) = after {
            request = request.query("after", after);
        }
        let answer = VENDOR.send(self.hub, request)?;
        let page = cut(&answer.body, &["results"])?;
        page.append_to(&mut found.upserts);
        after_of(&page.envelope()?, after)
    }

    fn changes(&self, cursor: &Cursor, room: u32, found: &mut Found) -> Result<Step<Cursor>> {
        // A page of one record could never pass a time that two share.
        let limit = room.clamp(2, self.config.page_size.max(2));
        let body = json!({
            "filterGroups": [{ "filters": [
                { "propertyName": self.stream.modified, "operator": "GTE", "value": cursor.since.to_string() },
            ]}],
            "sorts": [{ "propertyName": self.stream.modified, "direction": "ASCENDING" }],
            "properties": self.properties(),
            "limit": limit,
        });
        let answer = self.search(&body)?;
        let page = cut(&answer, &["results"])?;
        page.append_to(&mut found.upserts);
        let last = match page.rows.last() {
            Some(row) => self.modified(row)?,
            None => cursor.since,
        };
        let full = page.rows.len() >= limit as usize;
        let phase = if !full {
            Phase::Archived {
                after: None,
                newest: cursor.archived_since,
            }
        } else if last > cursor.since {
            Phase::Changes
        } else {
            // Every id is above zero, so the records of this time are all read again, by their ids.
            Phase::Tie {
                after_id: "0".to_owned(),
            }
        };
        Ok(Step::More(Cursor {
            phase,
            since: last.max(cursor.since),
            ..cursor.clone()
        }))
    }

    fn tie(
        &self,
        cursor: &Cursor,
        after_id: &str,
        room: u32,
        found: &mut Found,
    ) -> Result<Step<Cursor>> {
        let limit = room.min(self.config.page_size);
        let body = json!({
            "filterGroups": [{ "filters": [
                { "propertyName": self.stream.modified, "operator": "EQ", "value": cursor.since.to_string() },
                { "propertyName": "hs_object_id", "operator": "GT", "value": after_id },
            ]}],
            "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }],
            "properties": self.properties(),
            "limit": limit,
        });
        let answer = self.search(&body)?;
        let page = cut(&answer, &["results"])?;
        page.append_to(&mut found.upserts);
        match page.rows.last() {
            Some(row) if page.rows.len() >= limit as usize => {
                let after_id = row.read::<Head>()?.id;
                let phase = Phase::Tie { after_id };
                Ok(Step::More(Cursor {
                    phase,
                    ..cursor.clone()
                }))
            }
            _ => Ok(Step::More(Cursor {
                phase: Phase::Changes,
                since: cursor.since + 1,
                ..cursor.clone()
            })),
        }
    }

    /// The list of archived records has no filter and no order, so each run walks it.
    fn archived(
        &self,
        cursor: &Cursor,
        after: Option<&str>,
        newest: i64,
        room: u32,
        found: &mut Found,
    ) -> Result<Step<Cursor>> {
        let mut request = get(self.config, self.stream.path)
            .query("limit", &room.min(LIST_LIMIT).to_string())
            .query("archived", "true")
            .query("properties", self.stream.modified);
        if let Some(after) = after {
            request = request.query("after", after);
        }
        let answer = VENDOR.send(self.hub, request)?;
        let page = cut(&answer.body, &["results"])?;
        let mut newest = newest;
        for row in &page.rows {
            let head: Head = row.read()?;
            if !head.archived {
                continue;
            }
            let time = head.archived_at.as_deref().and_then(parse_rfc3339);
            if time.is_none_or(|time| time >= cursor.archived_since) {
                found.delete(&json!({ "id": head.id }))?;
            }
            newest = newest.max(time.unwrap_or(0));
        }
        match after_of(&page.envelope()?, after)? {
            Some(after) => Ok(Step::More(Cursor {
                phase: Phase::Archived {
                    after: Some(after),
                    newest,
                },
                ..cursor.clone()
            })),
            None => Ok(Step::Done(Cursor {
                phase: Phase::Idle,
                archived_since: (newest - INDEX_LAG_MS).max(cursor.archived_since),
                ..cursor.clone()
            })),
        }
    }

    fn search(&self, body: &Value) -> Result<Vec<u8>> {
        let request = post(self.config, &format!("{}/search", self.stream.path))
            .json(body)?
            .bucket("search")
            .repeatable();
        Ok(VENDOR.send(self.hub, request)?.body)
    }

    fn properties(&self) -> Vec<&str> {
        let mut all = self.stream.properties.to_vec();
        for more in &self.config.properties {
            if !all.contains(&more.as_str()) {
                all.push(more);
            }
        }
        all
    }

    fn modified(&self, row: &Row<'_>) -> Result<i64> {
        let head: Head = row.read()?;
        let own = head.properties.get(self.stream.modified);
        let text = own.and_then(Value::as_str).or(head.updated_at.as_deref());
        text.and_then(parse_rfc3339).ok_or_else(|| {
            let message = format!("a record has no readable `{}`", self.stream.modified);
            Error::transient("hubspot.malformed_record", message)
        })
    }
}

#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(rename = "updatedAt")]
    updated_at: Option<String>,
    #[serde(default)]
    archived: bool,
    #[serde(rename = "archivedAt")]
    archived_at: Option<String>,
    #[serde(default)]
    properties: Value,
}

fn after_of(envelope: &Envelope, asked: Option<&str>) -> Result<Option<String>> {
    let next = envelope
        .paging
        .as_ref()
        .and_then(|paging| paging.next.as_ref());
    let next = next_cursor(next.and_then(|next| next.after.as_deref()));
    if next.is_some() && next.as_deref() == asked {
        let message = "the next page is the page itself";
        return Err(Error::transient("hubspot.paging", message));
    }
    Ok(next)
}
