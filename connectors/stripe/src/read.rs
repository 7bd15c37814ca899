//! Reading a stream: the whole list once, then what happened since, from the events, then what was created since, from
//! the list. Where the events stand is noted before the list is read, so a change in between is met behind it.
//! Lists run from the newest to the oldest and page by id, so rows that arrive meanwhile move nothing.

use crate::{Config, Events, VENDOR, get};
use onefold_sdk::connector::unknown;
use onefold_sdk::paging::next_after;
use onefold_sdk::{
    Batch, Error, Found, Hub, ReadRequest, Request, Result, Row, Step, cut, read_pages,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Stripe keeps events for 30 days; a day is left for clocks and slow runs.
const EVENTS_KEPT_MS: u64 = 29 * 86_400_000;
/// A quiet stream's last event is replaced by a later one before it is forgotten.
const ANCHOR_AGE_MS: u64 = 7 * 86_400_000;
/// What a scan by time may hold at once; more is faster read from the list.
const SCAN_PAGES: usize = 200;
/// A row may become visible a moment after a later one.
const CREATED_LAG: i64 = 60;

pub(crate) struct Stream {
    pub name: &'static str,
    /// What Stripe calls the object.
    pub object: &'static str,
    path: &'static str,
    /// The list can be cut by `created`; the others are told of everything by events.
    by_created: bool,
    events: &'static [&'static str],
    /// The event that deletes a record.
    pub deleted: Option<&'static str>,
}

pub(crate) const STREAMS: [Stream; 4] = [
    Stream {
        name: "customers",
        object: "customer",
        path: "/v1/customers",
        by_created: false,
        events: &["customer.created", "customer.updated", "customer.deleted"],
        deleted: Some("customer.deleted"),
    },
    Stream {
        name: "charges",
        object: "charge",
        path: "/v1/charges",
        by_created: true,
        events: &[
            "charge.captured",
            "charge.expired",
            "charge.failed",
            "charge.pending",
            "charge.refunded",
            "charge.succeeded",
            "charge.updated",
        ],
        deleted: None,
    },
    Stream {
        name: "refunds",
        object: "refund",
        path: "/v1/refunds",
        by_created: true,
        events: &[
            "charge.refund.updated",
            "refund.created",
            "refund.updated",
            "refund.failed",
        ],
        deleted: None,
    },
    Stream {
        name: "subscriptions",
        object: "subscription",
        path: "/v1/subscriptions?status=all",
        by_created: false,
        events: &[
            "customer.subscription.created",
            "customer.subscription.deleted",
            "customer.subscription.paused",
            "customer.subscription.pending_update_applied",
            "customer.subscription.pending_update_expired",
            "customer.subscription.resumed",
            "customer.subscription.trial_will_end",
            "customer.subscription.updated",
        ],
        deleted: None,
    },
];

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

#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(default)]
    created: i64,
}

#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    pub id: String,
    pub created: i64,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(borrow)]
    pub data: EventData<'a>,
}

#[derive(Deserialize)]
pub(crate) struct EventData<'a> {
    #[serde(borrow)]
    pub object: &'a RawValue,
}

#[derive(Deserialize)]
pub(crate) struct Object {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub object: String,
}

pub(crate) fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    let stream = STREAMS.iter().find(|stream| stream.name == request.stream);
    let stream = stream.ok_or_else(|| unknown("stream", &request.stream))?;
    let reader = Reader {
        hub,
        config,
        stream,
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
        let newest: Option<Head> = page.rows.first().map(Row::read).transpose()?;
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
        get(self.config, self.stream.path).query("limit", &limit.to_string())
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
        page.append_to(&mut found.upserts);
        let last: Option<Head> = page.rows.last().map(Row::read).transpose()?;
        let first: Option<Head> = page.rows.first().map(Row::read).transpose()?;
        // Whichever way the server sorts, the newest is at one end.
        let newest = first.iter().chain(&last).map(|head| head.created).max();
        let more = page.envelope::<Envelope>()?.has_more;
        let next = next_after(more, last.as_ref().map(|head| head.id.as_str()));
        if next.is_some() && next.as_deref() == after {
            return Err(Error::transient(
                "stripe.paging",
                "the next page is the page itself",
            ));
        }
        Ok((next, newest.unwrap_or(0)))
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
        let mut latest = BTreeMap::new();
        for row in page.rows.iter().rev() {
            let event: Event<'_> = read_event(row)?;
            latest.extend(change(self.stream, &event)?);
            cursor.event_created = event.created;
            cursor.event = Some(event.id);
        }
        give(latest, found)?;
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
                let change = change(self.stream, &event)?;
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
        let mut latest = BTreeMap::new();
        for (created, id, change) in changes {
            latest.extend(change);
            cursor.event_created = created;
            cursor.event = Some(id);
        }
        give(latest, found)
    }
}

/// An event's time and id, and the record that it is about with what became of it.
type Happened = (i64, String, Option<(String, Change)>);

/// What an event makes of a record.
pub(crate) enum Change {
    /// The record as raw JSON.
    Is(String),
    Gone,
}

/// The record that an event is about, when it is one of the stream.
pub(crate) fn change(stream: &Stream, event: &Event<'_>) -> Result<Option<(String, Change)>> {
    if !stream.events.contains(&event.kind.as_str()) {
        return Ok(None);
    }
    let raw = event.data.object.get();
    let object: Object = serde_json::from_str(raw).map_err(|error| malformed(&error))?;
    if object.object != stream.object {
        return Ok(None);
    }
    let change = if stream.deleted == Some(event.kind.as_str()) {
        Change::Gone
    } else {
        Change::Is(raw.to_owned())
    };
    Ok(Some((object.id, change)))
}

/// Each record once, in its last state.
fn give(latest: BTreeMap<String, Change>, found: &mut Found) -> Result<()> {
    for (id, change) in latest {
        match change {
            Change::Is(raw) => {
                cut(format!("[{raw}]").as_bytes(), &[])?.append_to(&mut found.upserts);
            }
            Change::Gone => found.delete(&json!({ "id": id }))?,
        }
    }
    Ok(())
}

fn read_event<'a>(row: &Row<'a>) -> Result<Event<'a>> {
    serde_json::from_slice(row.bytes).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::transient(
        "stripe.malformed_event",
        format!("an event has another shape: {error}"),
    )
}

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
