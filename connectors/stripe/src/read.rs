//! Reading a stream: the whole list once, then what happened since, from the events, then what was created since, from
//! the list. Where the events stand is noted before the list is read, so a change in between is met behind it.
//! Lists run from the newest to the oldest and page by id, so rows that arrive meanwhile move nothing.

use crate::events::{Change, Event, Head, Latest, change, give, read_event};
use crate::rows::Rows;
use crate::streams::{STREAMS, Stream};
use crate::{Config, Events, VENDOR, get};
use onefold_sdk::connector::unknown;
use onefold_sdk::paging::next_after;
use onefold_sdk::{
    Batch, Error, Found, Hub, ReadRequest, Request, Result, Row, Step, cut, read_pages,
};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::cmp::Ordering;

/// Stripe keeps events for 30 days; a day is left for clocks and slow runs.
const EVENTS_KEPT_MS: u64 = 29 * 86_400_000;
/// A quiet stream's last event is replaced by a later one before it is forgotten.
const ANCHOR_AGE_MS: u64 = 7 * 86_400_000;
/// What a scan by time may hold at once; more is faster read from the list.
const SCAN_PAGES: usize = 200;
/// A row may become visible a moment after a later one.
const CREATED_LAG: i64 = 60;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    phase: Phase,
    /// The last event that was dealt with.
    event: Option<String>,
    /// Its time in seconds.
    event_created: i64,
    /// When the hub last asked for events: they are kept for 30 days.
    asked_ms: u64,
    /// A later event of any kind, to go on behind when a quiet stream has none of its own.
    anchor: Option<(String, i64)>,
    /// The newest `created` of the list.
    newest: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    List {
        after: Option<String>,
    },
    Events,
    Created {
        after: Option<String>,
        newest: i64,
    },
    /// Between two runs.
    Idle,
}

#[derive(Deserialize)]
struct Envelope {
    has_more: bool,
}

/// The ends of a page: where the next one begins, and what is newest. A row of which they cannot be read is passed over.
struct Ends {
    last: Option<String>,
    newest: i64,
}

impl Ends {
    fn of(page: &[Row<'_>]) -> Self {
        let heads = || page.iter().map(Head::of);
        let first = heads().find_map(|head| head.created);
        let last = heads().rev().find_map(|head| head.created);
        Self {
            last: heads().rev().find_map(|head| head.id),
            // Whichever way the server sorts, the newest is at one end.
            newest: first.max(last).unwrap_or(0),
        }
    }
}

pub(crate) fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    let stream = STREAMS.iter().find(|stream| stream.name == request.stream);
    let stream = stream.ok_or_else(|| unknown("stream", &request.stream))?;
    let reader = Reader {
        hub,
        config,
        stream,
        rows: RefCell::new(Rows::new(hub, config, stream)),
    };
    read_pages(
        hub,
        request,
        || reader.start(),
        |cursor, room, found| reader.page(cursor, room, found),
    )
}

struct Reader<'a> {
    hub: &'a dyn Hub,
    config: &'a Config,
    stream: &'a Stream,
    rows: RefCell<Rows<'a>>,
}

impl Reader<'_> {
    /// The newest event of any kind, before the first row is read.
    fn start(&self) -> Result<Cursor> {
        let newest = self.newest_event()?;
        Ok(Cursor {
            phase: Phase::List { after: None },
            event_created: newest.as_ref().map_or(0, |(_, created)| *created),
            event: newest.map(|(id, _)| id),
            asked_ms: self.hub.now_ms(),
            anchor: None,
            newest: 0,
        })
    }

    fn newest_event(&self) -> Result<Option<(String, i64)>> {
        let answer = VENDOR.send(self.hub, get(self.config, "/v1/events?limit=1"))?;
        let page = cut(&answer.body, &["data"])?;
        let newest = page.rows.first().map(read_event).transpose()?;
        Ok(newest.map(|event| (event.id, event.created)))
    }

    fn page(&self, mut cursor: Cursor, room: u32, found: &mut Found) -> Result<Step<Cursor>> {
        let limit = room.min(self.config.page_size).min(100);
        match cursor.phase.clone() {
            Phase::List { after } => {
                let (next, newest) = self.list(self.request(limit), after.as_deref(), found)?;
                cursor.newest = cursor.newest.max(newest);
                cursor.phase = match next {
                    Some(_) => Phase::List { after: next },
                    None => Phase::Events,
                };
                Ok(Step::More(cursor))
            }
            Phase::Idle | Phase::Events => self.events(cursor, limit, found),
            Phase::Created { after, newest } => {
                let since = (cursor.newest - CREATED_LAG).max(0);
                let mut request = self.request(limit);
                // Servers that only scan know the filter for charges alone.
                let whole = self.config.events == Events::Scan && self.stream.object != "charge";
                if since > 0 && !whole {
                    request = request.query("created[gt]", &(since - 1).to_string());
                }
                let (next, seen) = self.list(request, after.as_deref(), found)?;
                let newest = newest.max(seen);
                match next {
                    Some(_) => {
                        cursor.phase = Phase::Created {
                            after: next,
                            newest,
                        };
                        Ok(Step::More(cursor))
                    }
                    None => {
                        cursor.phase = Phase::Idle;
                        cursor.newest = cursor.newest.max(newest);
                        Ok(Step::Done(cursor))
                    }
                }
            }
        }
    }

    fn request(&self, limit: u32) -> Request {
        self.rows.borrow().list(limit)
    }

    /// One page of the list: the id to go on behind, and the newest `created` in it.
    fn list(
        &self,
        mut request: Request,
        after: Option<&str>,
        found: &mut Found,
    ) -> Result<(Option<String>, i64)> {
        if let Some(after) = after {
            request = request.query("starting_after", after);
        }
        let answer = VENDOR.send(self.hub, request).map_err(lost_place)?;
        let page = cut(&answer.body, &["data"])?;
        let mut rows = self.rows.borrow_mut();
        for row in &page.rows {
            rows.add(row, found)?;
        }
        let ends = Ends::of(&page.rows);
        let more = page.envelope::<Envelope>()?.has_more;
        let next = next_after(more, ends.last.as_deref());
        if more && (next.is_none() || next.as_deref() == after) {
            let message = "the next page is the page itself";
            return Err(Error::transient("stripe.paging", message));
        }
        Ok((next, ends.newest))
    }

    fn events(&self, mut cursor: Cursor, limit: u32, found: &mut Found) -> Result<Step<Cursor>> {
        let now = self.hub.now_ms();
        if now.saturating_sub(cursor.asked_ms) > EVENTS_KEPT_MS {
            let message =
                "the stream was last read more than 29 days ago, and Stripe keeps events for 30";
            return Err(Error::cursor_expired("stripe.events_expired", message));
        }
        let follow = self.config.events == Events::Follow;
        let age_ms = now.saturating_sub(cursor.event_created.unsigned_abs() * 1_000);
        if follow && cursor.phase == Phase::Idle && age_ms > ANCHOR_AGE_MS {
            cursor.anchor = self.newest_event()?;
        }
        let more = match cursor.event.clone() {
            Some(event) if follow => self.follow(&mut cursor, &event, limit, found)?,
            _ => self.scan(&mut cursor, found)?,
        };
        cursor.asked_ms = now;
        if more {
            cursor.phase = Phase::Events;
            return Ok(Step::More(cursor));
        }
        if let Some((id, created)) = cursor.anchor.take()
            && created > cursor.event_created
        {
            cursor.event = Some(id);
            cursor.event_created = created;
        }
        if self.stream.by_created {
            cursor.phase = Phase::Created {
                after: None,
                newest: 0,
            };
            return Ok(Step::More(cursor));
        }
        cursor.phase = Phase::Idle;
        Ok(Step::Done(cursor))
    }

    /// One page of the events right behind the last one, oldest first.
    fn follow(
        &self,
        cursor: &mut Cursor,
        event: &str,
        limit: u32,
        found: &mut Found,
    ) -> Result<bool> {
        let mut request = get(self.config, "/v1/events")
            .query("limit", &limit.to_string())
            .query("ending_before", event);
        for kind in self.stream.events {
            request = request.query("types[]", kind);
        }
        let answer = VENDOR.send(self.hub, request).map_err(lost_place)?;
        let page = cut(&answer.body, &["data"])?;
        let mut latest = Latest::new();
        for row in page.rows.iter().rev() {
            let event: Event<'_> = read_event(row)?;
            latest.extend(change(self.stream, &event));
            cursor.event_created = event.created;
            cursor.event = Some(event.id);
        }
        give(latest, &mut self.rows.borrow_mut(), found)?;
        Ok(page.envelope::<Envelope>()?.has_more && !page.rows.is_empty())
    }

    /// All events since the last one's second, for servers that cannot page backwards and for accounts without events.
    fn scan(&self, cursor: &mut Cursor, found: &mut Found) -> Result<bool> {
        let mut changes = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..SCAN_PAGES {
            let mut request = get(self.config, "/v1/events?limit=100")
                .query("created[gte]", &cursor.event_created.to_string());
            if let Some(after) = &after {
                request = request.query("starting_after", after);
            }
            let answer = VENDOR.send(self.hub, request)?;
            let page = cut(&answer.body, &["data"])?;
            for row in &page.rows {
                let event: Event<'_> = read_event(row)?;
                let change = change(self.stream, &event);
                changes.push((event.created, event.id, change));
            }
            let more = page.envelope::<Envelope>()?.has_more && !page.rows.is_empty();
            if !more {
                self.replay(changes, cursor, found)?;
                return Ok(false);
            }
            after = changes.last().map(|(_, id, _)| id.clone());
        }
        let message = "too much happened since the last run to be read from the events";
        Err(Error::cursor_expired("stripe.too_many_events", message))
    }

    /// Stripe lists the newest first; a server that knows scanning only may do it the other way round.
    fn replay(
        &self,
        mut changes: Vec<Happened>,
        cursor: &mut Cursor,
        found: &mut Found,
    ) -> Result<()> {
        let (first, last) = (changes.first(), changes.last());
        let newest_first = match first
            .map(|change| change.0)
            .cmp(&last.map(|change| change.0))
        {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => self.config.events == Events::Follow,
        };
        if newest_first {
            changes.reverse();
        }
        changes.sort_by_key(|(created, ..)| *created);
        let mut latest = Latest::new();
        for (created, id, change) in changes {
            latest.extend(change);
            cursor.event_created = created;
            cursor.event = Some(id);
        }
        give(latest, &mut self.rows.borrow_mut(), found)
    }
}

/// An event's time and id, and the record that it is about with what became of it.
type Happened = (i64, String, Option<(String, Change)>);

/// The row or event behind which the next page begins is gone.
fn lost_place(error: Error) -> Error {
    let missing = error.detail().is_some_and(|detail| {
        matches!(detail.http_status, Some(400 | 404)) && detail.code == "stripe.resource_missing"
    });
    match error.detail() {
        Some(detail) if missing => Error::CursorExpired(detail.clone()),
        _ => error,
    }
}
