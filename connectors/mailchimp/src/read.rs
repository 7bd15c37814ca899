//! Reading members by their last change, what campaigns caused, and who unsubscribed.
//! Mailchimp pages by offset and its times have whole seconds. A member that changes while we read moves to the end and
//! an offset would then jump over another, so each page asks for what changed since the last second seen; an offset is
//! used only within one second that holds more members than a page, and is set back when members leave it.

use crate::{Config, VENDOR, get};
use onefold_sdk::connector::unknown;
use onefold_sdk::http::encode;
use onefold_sdk::paging::next_offset;
use onefold_sdk::time::{format_seconds, parse_rfc3339};
use onefold_sdk::{
    Batch, Error, Found, Hub, ReadRequest, Request, Result, Row, Step, cut, read_pages,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Range;

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;
/// Activity is counted with a delay: each run reads this much of the past again.
const ACTIVITY_LAG_MS: i64 = 3_600_000;

pub(crate) fn split(hub: &dyn Hub, config: &Config, stream: &str) -> Result<Vec<String>> {
    match stream {
        "members" => Ok(vec![String::new()]),
        "campaign_activity" | "unsubscribes" => campaigns(hub, config),
        other => Err(unknown("stream", other)),
    }
}

pub(crate) fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    let reader = Reader { hub, config };
    match request.stream.as_str() {
        "members" => read_pages(
            hub,
            request,
            || Ok(Walk::default()),
            |cursor, room, found| reader.members(cursor, room, found),
        ),
        "campaign_activity" => read_pages(
            hub,
            request,
            || Ok(Activity::default()),
            |cursor, room, found| reader.activity(&request.part, cursor, room, found),
        ),
        "unsubscribes" => read_pages(
            hub,
            request,
            || Ok(0),
            |offset, room, found| reader.unsubscribes(&request.part, offset, room, found),
        ),
        other => Err(unknown("stream", other)),
    }
}

/// The campaigns of the list, each a part of its own.
fn campaigns(hub: &dyn Hub, config: &Config) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Answer {
        reports: Vec<Report>,
        total_items: u64,
    }
    #[derive(Deserialize)]
    struct Report {
        id: String,
        list_id: Option<String>,
    }
    let oldest = now(hub) - i64::from(config.activity_days) * DAY;
    let (mut parts, mut offset) = (Vec::new(), 0);
    loop {
        let request = get(config.url("/reports")?)
            .query("count", &config.page_size.to_string())
            .query("offset", &offset.to_string())
            .query("since_send_time", &format_seconds(oldest))
            .query("fields", "reports.id,reports.list_id,total_items");
        let answer: Answer = VENDOR.fetch(hub, request)?;
        let rows = answer.reports.len();
        for report in answer.reports {
            if report.list_id.is_none_or(|list| list == config.list_id) {
                parts.push(report.id);
            }
        }
        match next_offset(offset, rows, config.page_size, Some(answer.total_items)) {
            Some(next) => offset = next,
            None => {
                parts.sort();
                parts.dedup();
                return Ok(parts);
            }
        }
    }
}

/// Where the walk over the members stands: first all that are in the list, then those that were archived.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Walk {
    members: Place,
    archived: Place,
    in_archived: bool,
}

/// Everything that changed before the second `at` has been read. Milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Place {
    at: Option<i64>,
    tie: Option<Tie>,
    /// All of second `at` has been read too, by its offsets.
    past: bool,
    /// The server has shown that `since` includes its own second.
    inclusive: bool,
}

/// A second with more members than a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tie {
    offset: u64,
    total: u64,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(default)]
    status: String,
    last_changed: String,
}

#[derive(Deserialize)]
struct Total {
    total_items: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Activity {
    since: Option<i64>,
    started: i64,
    offset: u64,
    /// So many actions of the recipient at `offset` have been read.
    #[serde(default)]
    skip: usize,
}

#[derive(Deserialize)]
struct Email {
    campaign_id: String,
    list_id: Option<String>,
    email_id: String,
    email_address: String,
    #[serde(default)]
    activity: Vec<Action>,
}

#[derive(Deserialize)]
struct Action {
    action: String,
    timestamp: String,
    url: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    ip: Option<String>,
}

/// One action as a record.
#[derive(Serialize)]
struct ActionRecord<'a> {
    id: String,
    campaign_id: &'a str,
    list_id: Option<&'a str>,
    email_id: &'a str,
    email_address: &'a str,
    action: &'a str,
    timestamp: &'a str,
    url: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    ip: Option<&'a str>,
}

struct Reader<'a> {
    hub: &'a dyn Hub,
    config: &'a Config,
}

impl Reader<'_> {
    fn members(&self, mut walk: Walk, room: u32, found: &mut Found) -> Result<Step<Walk>> {
        let archived = walk.in_archived;
        let place = if archived {
            &mut walk.archived
        } else {
            &mut walk.members
        };
        let more = self.step(place, archived, room, found)?;
        match (more, archived) {
            (true, _) => Ok(Step::More(walk)),
            (false, false) => {
                walk.in_archived = true;
                Ok(Step::More(walk))
            }
            (false, true) => {
                walk.in_archived = false;
                Ok(Step::Done(walk))
            }
        }
    }

    /// One page; false when it was the last.
    fn step(
        &self,
        place: &mut Place,
        archived: bool,
        room: u32,
        found: &mut Found,
    ) -> Result<bool> {
        // A page of one member could never pass a second that two share.
        let count = room.clamp(2, self.config.page_size.max(2));
        let answer = VENDOR.send(self.hub, self.page_request(place, archived, count)?)?;
        let page = cut(&answer.body, &["members"])?;
        let total = page.envelope::<Total>()?.total_items;
        if archived {
            for row in &page.rows {
                let head: Head = row.read()?;
                if head.status == "archived" {
                    found.delete(&json!({ "id": head.id }))?;
                }
            }
        } else {
            page.append_to(&mut found.upserts);
        }
        let times = (
            page.rows.first().map(changed).transpose()?,
            page.rows.last().map(changed).transpose()?,
        );
        let full = page.rows.len() >= count as usize;
        Ok(place.advance(times, page.rows.len() as u64, total, full))
    }

    fn page_request(&self, place: &Place, archived: bool, count: u32) -> Result<Request> {
        let mut request = get(self.config.list("/members")?)
            .query("count", &count.to_string())
            .query(
                "offset",
                &place.tie.as_ref().map_or(0, |tie| tie.offset).to_string(),
            )
            .query("sort_field", "last_changed")
            .query("sort_dir", "ASC");
        if archived {
            request = request.query("status", "archived");
        }
        if let Some(at) = place.at {
            // `since` may or may not include its own second, so the second before is named while that is not known.
            let exact = place.past || place.inclusive;
            let since = if exact { at } else { at - SECOND };
            request = request.query("since_last_changed", &format_seconds(since));
            if place.tie.is_some() {
                request = request.query("before_last_changed", &format_seconds(at + SECOND));
            }
        }
        Ok(request)
    }

    /// One page of a campaign's recipients, cut into one record for each action.
    fn activity(
        &self,
        campaign: &str,
        cursor: Activity,
        room: u32,
        found: &mut Found,
    ) -> Result<Step<Activity>> {
        let started = match cursor.offset {
            0 => now(self.hub),
            _ => cursor.started,
        };
        let count = self.config.page_size.min(room);
        let mut request = get(self
            .config
            .url(&format!("/reports/{}/email-activity", encode(campaign)))?)
        .query("count", &count.to_string())
        .query("offset", &cursor.offset.to_string());
        if let Some(since) = cursor.since {
            request = request.query("since", &format_seconds(since));
        }
        let answer = VENDOR.send(self.hub, request)?;
        let page = cut(&answer.body, &["emails"])?;
        let (mut left, mut skip) = (room as usize, cursor.skip);
        for (row, offset) in page.rows.iter().zip(cursor.offset..) {
            let email: Email = row.read()?;
            let until = email.activity.len().min(skip + left);
            self.actions(&email, skip..until, found)?;
            if until < email.activity.len() {
                return Ok(Step::More(Activity {
                    offset,
                    skip: until,
                    started,
                    ..cursor
                }));
            }
            left -= until.saturating_sub(skip);
            skip = 0;
        }
        let total = page.envelope::<Total>()?.total_items;
        match next_offset(cursor.offset, page.rows.len(), count, Some(total)) {
            Some(offset) => Ok(Step::More(Activity {
                offset,
                skip: 0,
                started,
                ..cursor
            })),
            None => Ok(Step::Done(Activity {
                since: Some(started - ACTIVITY_LAG_MS),
                ..Activity::default()
            })),
        }
    }

    /// An action has no id of its own: what it says is its id, with a number for those that say the same.
    fn actions(&self, email: &Email, wanted: Range<usize>, found: &mut Found) -> Result<()> {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for (place, action) in email.activity.iter().enumerate().take(wanted.end) {
            let mut id = format!(
                "{}:{}:{}:{}",
                email.campaign_id, email.email_id, action.action, action.timestamp
            );
            if let Some(url) = &action.url {
                let digest = self.hub.sha256(url.as_bytes());
                id.push(':');
                id.extend(digest.iter().take(6).map(|byte| format!("{byte:02x}")));
            }
            let repeats = seen.entry(id.clone()).or_default();
            *repeats += 1;
            if *repeats > 1 {
                id = format!("{id}#{repeats}");
            }
            if place < wanted.start {
                continue;
            }
            found.upserts.push(&ActionRecord {
                id,
                campaign_id: &email.campaign_id,
                list_id: email.list_id.as_deref(),
                email_id: &email.email_id,
                email_address: &email.email_address,
                action: &action.action,
                timestamp: &action.timestamp,
                url: action.url.as_deref(),
                kind: action.kind.as_deref(),
                ip: action.ip.as_deref(),
            })?;
        }
        Ok(())
    }

    /// There is no filter by time, so each run reads the campaign's unsubscribes again.
    fn unsubscribes(
        &self,
        campaign: &str,
        offset: u64,
        room: u32,
        found: &mut Found,
    ) -> Result<Step<u64>> {
        let count = room.min(self.config.page_size);
        let request = get(self
            .config
            .url(&format!("/reports/{}/unsubscribed", encode(campaign)))?)
        .query("count", &count.to_string())
        .query("offset", &offset.to_string());
        let answer = VENDOR.send(self.hub, request)?;
        let page = cut(&answer.body, &["unsubscribes"])?;
        page.append_to(&mut found.upserts);
        let total = page.envelope::<Total>()?.total_items;
        match next_offset(offset, page.rows.len(), count, Some(total)) {
            Some(next) => Ok(Step::More(next)),
            None => Ok(Step::Done(0)),
        }
    }
}

impl Place {
    /// Moves on behind a page with these first and last times; false when nothing is left.
    fn advance(
        &mut self,
        (first, last): (Option<i64>, Option<i64>),
        rows: u64,
        total: u64,
        full: bool,
    ) -> bool {
        if let Some(tie) = &mut self.tie {
            let left = tie.total.saturating_sub(total);
            let moved_on = last.is_some_and(|last| Some(last) > self.at);
            if !moved_on && left > 0 {
                // Members changed and left this second, and as many may have slipped past the offset.
                tie.offset = tie.offset.saturating_sub(left);
                tie.total = total;
                return true;
            }
            if full && !moved_on {
                tie.offset += rows;
                tie.total = total;
                return true;
            }
            self.tie = None;
            match (moved_on, self.inclusive) {
                (true, _) => self.at = last,
                (false, true) => self.at = self.at.map(|at| at + SECOND),
                (false, false) => self.past = true,
            }
            return true;
        }
        if self.past && full && first == self.at && last == self.at {
            self.inclusive = true;
            self.past = false;
            self.at = self.at.map(|at| at + SECOND);
            return true;
        }
        match last {
            Some(last) if Some(last) > self.at => {
                self.at = Some(last);
                self.past = false;
            }
            _ if full => {
                self.tie = Some(Tie {
                    offset: 0,
                    total: 0,
                });
            }
            _ => {}
        }
        // The next run starts with the last second again.
        if !full {
            self.past = false;
            if self.inclusive && first.is_none() {
                self.at = self.at.map(|at| at - SECOND);
            }
        }
        full
    }
}

fn changed(row: &Row<'_>) -> Result<i64> {
    let head: Head = row.read()?;
    parse_rfc3339(&head.last_changed).ok_or_else(|| {
        let message = "a member has no readable `last_changed`";
        Error::transient("mailchimp.malformed_record", message)
    })
}

fn now(hub: &dyn Hub) -> i64 {
    i64::try_from(hub.now_ms()).unwrap_or(i64::MAX)
}
