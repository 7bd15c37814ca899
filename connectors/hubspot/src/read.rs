//! Reading records of one type: all of them through the list, then what changed through the search, then what was archived; what
//! follows from merges is in `merges`. Pages of a search are never asked for by offset: a record that changes while we read moves to the end, and
//! an offset would then jump over another. Each page asks for what is at or behind the last value seen instead.

use crate::gather::Gather;
use crate::record::Head;
use crate::streams::{CONTACT_CHANGED, MERGED, Stream};
use crate::{Config, VENDOR, after_of, get, post};
use onefold_sdk::http::encode;
use onefold_sdk::{Batch, Found, Hub, Page, ReadRequest, Result, Step, cut, read_pages};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::collections::BTreeSet;

mod merges;

const CONTACTS_PATH: &str = "/crm/v3/objects/contacts";
/// A list gives at most this many.
const LIST_LIMIT: u32 = 100;
/// The search index lags behind the records by seconds: what changed just before the last value seen may appear later.
const INDEX_LAG_MS: i64 = 60_000;
/// How long after a time was first seen everything up to it is in the index.
const SETTLED_MS: i64 = 3_600_000;
/// HubSpot refuses addresses of 8,000 characters and more: the most that the names of properties may take in one.
const LIST_NAMES: usize = 6_000;
/// It refuses searches of more than 3,000 characters; the rest of ours takes a few hundred.
const SEARCH_NAMES: usize = 2_000;

/// Times are milliseconds since 1970. `since` is where the search goes on, `archived_since` where deletions do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    phase: Phase,
    since: i64,
    archived_since: i64,
    /// Merges before this are known. Cursors of earlier versions know of none.
    #[serde(default)]
    merged_since: i64,
    /// The same for merges of the contacts to whom the records belong.
    #[serde(default)]
    moved_since: i64,
    /// What is known of `since` and `moved_since`. Cursors of earlier versions know nothing, and look back.
    #[serde(default)]
    seen: Seen,
    #[serde(default)]
    moved_seen: Seen,
    /// When the read began, by the hub's clock; 0 in cursors of earlier versions.
    #[serde(default)]
    started: i64,
}

impl Cursor {
    /// How far a walk is complete that is not in the order of time: what happens while it goes on may be on a page that is behind it.
    fn complete_until(&self, newest: i64) -> i64 {
        match self.started {
            0 => newest,
            started => newest.min(started),
        }
    }
}

/// Whether the index had everything up to a time when it was read. Of the hub's clock only differences count, so it need not be right;
/// and the time between two runs says nothing, since what matters is when the index was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    since: i64,
    /// When a read began at that time for the first time.
    at: i64,
    /// A read looked back from it when everything was in the index.
    settled: bool,
}

impl Seen {
    /// For the read that begins at `now` from `since`, and whether it looks back.
    fn next(&self, since: i64, now: i64) -> (Self, bool) {
        if self.since != since {
            let seen = Self {
                since,
                at: now,
                settled: false,
            };
            return (seen, true);
        }
        let settled = self.settled || now - self.at > SETTLED_MS;
        (Self { settled, ..*self }, !self.settled)
    }
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
    /// Contacts into which others were merged, by their ids. `done` of what belongs to the next one is read; `newest` is the last
    /// change seen so far.
    Moved {
        after_id: String,
        done: usize,
        newest: i64,
    },
    /// Records into which others were merged, by their ids. `done` of the next one's are dealt with.
    Merged { after_id: String, done: usize },
    /// Deletions; `newest` is the last one seen so far. `done` is the last of the page that was dealt with.
    Archived {
        after: Option<String>,
        newest: i64,
        #[serde(default)]
        done: Option<String>,
    },
    /// Between two runs.
    Idle,
}

pub(crate) fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    let stream = Stream::of(config, &request.stream, &request.part)?;
    let reader = Reader {
        gather: Gather {
            hub,
            config,
            stream: &stream,
            currency: OnceCell::new(),
        },
        hub,
        config,
        stream: &stream,
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
    stream: &'a Stream<'a>,
    gather: Gather<'a>,
}

impl Reader<'_> {
    /// Before the first record is read: the newest change that the vendor knows. What changes later is found behind it.
    /// The vendor's own time is used, so that no clock has to be right.
    fn start(&self) -> Result<Cursor> {
        let newest = self.newest(&self.stream.path(), self.stream.modified)?;
        let moved_since = match self.stream.is_of_contacts() {
            true => self.newest(CONTACTS_PATH, CONTACT_CHANGED)?,
            false => 0,
        };
        Ok(Cursor {
            phase: Phase::List { after: None },
            since: newest,
            archived_since: newest,
            merged_since: 0,
            moved_since,
            seen: Seen::default(),
            moved_seen: Seen::default(),
            started: self.now(),
        })
    }

    fn now(&self) -> i64 {
        i64::try_from(self.hub.now_ms()).unwrap_or(i64::MAX)
    }

    /// The newest change that the index is sure to have.
    fn newest(&self, path: &str, modified: &str) -> Result<i64> {
        let body = json!({
            "filterGroups": [],
            "sorts": [{ "propertyName": modified, "direction": "DESCENDING" }],
            "properties": [modified],
            "limit": 1,
        });
        let answer = self.search(path, &body)?;
        let newest = match cut(&answer, &["results"])?.rows.first() {
            Some(row) => Head::of(row)?.modified()? - INDEX_LAG_MS,
            None => 0,
        };
        Ok(newest.max(0))
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
            Phase::Idle => self.page(&self.next_read(cursor), room, found),
            Phase::Changes => self.changes(cursor, room, found),
            Phase::Tie { after_id } => self.tie(cursor, after_id, room, found),
            Phase::Moved {
                after_id,
                done,
                newest,
            } => self.moved(cursor, after_id, *done, *newest, room, found),
            Phase::Merged { after_id, done } => self.merged(cursor, after_id, *done, room, found),
            Phase::Archived {
                after,
                newest,
                done,
            } => self.archived(
                cursor,
                (after.as_deref(), done.as_deref()),
                *newest,
                room,
                found,
            ),
        }
    }

    /// Where the next read begins: what the index may not have had is looked at again.
    fn next_read(&self, cursor: &Cursor) -> Cursor {
        let now = self.now();
        let (seen, looks_back) = cursor.seen.next(cursor.since, now);
        let lag = if looks_back { INDEX_LAG_MS } else { 0 };
        let newest = cursor.moved_since;
        let (moved_seen, looks_back) = cursor.moved_seen.next(newest, now);
        // What belongs to the contact that was merged last is not read again in each run.
        let moved_since = if looks_back {
            (newest - INDEX_LAG_MS).max(0)
        } else {
            newest + 1
        };
        let phase = match self.stream.is_of_contacts() {
            true => Phase::Moved {
                after_id: "0".to_owned(),
                done: 0,
                newest,
            },
            false => Phase::Changes,
        };
        Cursor {
            phase,
            since: (cursor.since - lag).max(0),
            merged_since: (cursor.merged_since - lag).max(0),
            moved_since,
            seen,
            moved_seen,
            started: now,
            ..cursor.clone()
        }
    }

    fn list(&self, after: Option<&str>, room: u32, found: &mut Found) -> Result<Option<String>> {
        let limit = room.min(LIST_LIMIT).min(self.config.page_size);
        let is_whole = self.fits(LIST_NAMES);
        let mut request = get(self.config, &self.stream.path())
            .query("limit", &limit.to_string())
            .query("archived", "false")
            .query("properties", &self.properties(is_whole).join(","));
        if let Some(after) = after {
            request = request.query("after", after);
        }
        let answer = VENDOR.send(self.hub, request)?;
        let page = cut(&answer.body, &["results"])?;
        self.gather.add(&page, is_whole, found)?;
        after_of(&page.envelope()?, after)
    }

    fn changes(&self, cursor: &Cursor, room: u32, found: &mut Found) -> Result<Step<Cursor>> {
        // A page of one record could never pass a time that two share.
        let limit = room.clamp(2, self.config.page_size.max(2));
        let is_whole = self.fits(SEARCH_NAMES);
        let body = json!({
            "filterGroups": [{ "filters": [
                { "propertyName": self.stream.modified, "operator": "GTE", "value": cursor.since.to_string() },
            ]}],
            "sorts": [{ "propertyName": self.stream.modified, "direction": "ASCENDING" }],
            "properties": self.properties(is_whole),
            "limit": limit,
        });
        let answer = self.search(&self.stream.path(), &body)?;
        let page = cut(&answer, &["results"])?;
        self.gather.add(&page, is_whole, found)?;
        let last = match page.rows.last() {
            Some(row) => Head::of(row)?.modified()?,
            None => cursor.since,
        };
        let full = page.rows.len() >= limit as usize;
        let phase = if !full {
            Phase::Merged {
                after_id: "0".to_owned(),
                done: 0,
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
        let is_whole = self.fits(SEARCH_NAMES);
        let body = json!({
            "filterGroups": [{ "filters": [
                { "propertyName": self.stream.modified, "operator": "EQ", "value": cursor.since.to_string() },
                { "propertyName": "hs_object_id", "operator": "GT", "value": after_id },
            ]}],
            "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }],
            "properties": self.properties(is_whole),
            "limit": limit,
        });
        let answer = self.search(&self.stream.path(), &body)?;
        let page = cut(&answer, &["results"])?;
        self.gather.add(&page, is_whole, found)?;
        match page.rows.last() {
            Some(row) if page.rows.len() >= limit as usize => {
                let after_id = Head::of(row)?.id()?;
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

    /// What a page of archived records says was deleted since then, each once, and the latest time on it.
    fn gone(&self, page: &Page<'_>, newest: i64, since: i64) -> Result<(i64, Vec<String>)> {
        let (mut newest, mut gone) = (newest, Vec::new());
        let mut once = BTreeSet::new();
        for row in &page.rows {
            let head = Head::of(row)?;
            if !head.is_archived() {
                continue;
            }
            let time = head.archived_at();
            if time.is_none_or(|time| time >= since) {
                let id = head.id()?;
                let all = head.merged(&id).into_iter().chain([id]);
                gone.extend(all.filter(|id| once.insert(id.clone())));
            }
            newest = newest.max(time.unwrap_or(0));
        }
        Ok((newest, gone))
    }

    /// The list of archived records has no filter and no order, so each run walks it. What was merged into a record that is archived by
    /// now is in no search.
    fn archived(
        &self,
        cursor: &Cursor,
        (after, done): (Option<&str>, Option<&str>),
        newest: i64,
        room: u32,
        found: &mut Found,
    ) -> Result<Step<Cursor>> {
        let properties = match self.stream.merges {
            true => format!("{},{MERGED}", self.stream.modified),
            false => self.stream.modified.to_owned(),
        };
        let mut request = get(self.config, &self.stream.path())
            .query("limit", &self.config.page_size.min(LIST_LIMIT).to_string())
            .query("archived", "true")
            .query("properties", &properties);
        if let Some(after) = after {
            request = request.query("after", after);
        }
        let answer = VENDOR.send(self.hub, request)?;
        let page = cut(&answer.body, &["results"])?;
        let (newest, gone) = self.gone(&page, newest, cursor.archived_since)?;
        // A page that changed meanwhile is dealt with again: a deletion that is said twice is one.
        let before = done.and_then(|done| gone.iter().position(|id| id == done));
        let left = &gone[before.map_or(0, |before| before + 1)..];
        let now = &left[..left.len().min(room.max(1) as usize)];
        for id in now {
            found.delete(&self.stream.key(id))?;
        }
        if let Some(last) = now.last().filter(|_| now.len() < left.len()) {
            let phase = Phase::Archived {
                after: after.map(str::to_owned),
                newest,
                done: Some(last.clone()),
            };
            return Ok(Step::More(Cursor {
                phase,
                ..cursor.clone()
            }));
        }
        match after_of(&page.envelope()?, after)? {
            Some(after) => Ok(Step::More(Cursor {
                phase: Phase::Archived {
                    after: Some(after),
                    newest,
                    done: None,
                },
                ..cursor.clone()
            })),
            None => Ok(Step::Done(Cursor {
                phase: Phase::Idle,
                archived_since: (cursor.complete_until(newest) - INDEX_LAG_MS)
                    .max(cursor.archived_since),
                ..cursor.clone()
            })),
        }
    }

    fn search(&self, path: &str, body: &Value) -> Result<Vec<u8>> {
        let request = post(self.config, &format!("{path}/search"))
            .json(body)?
            .bucket("search")
            .repeatable();
        Ok(VENDOR.send(self.hub, request)?.body)
    }

    /// Whether the names of the properties take no more than so many characters of an address or of a search.
    fn fits(&self, most: usize) -> bool {
        let names = self.stream.properties.iter();
        names.map(|name| encode(name).len() + 3).sum::<usize>() <= most
    }

    /// What a page is asked for: everything, or what is needed to read the rest by id.
    fn properties(&self, is_whole: bool) -> Vec<&str> {
        match is_whole {
            true => self.stream.properties.clone(),
            false => vec![self.stream.modified],
        }
    }
}
