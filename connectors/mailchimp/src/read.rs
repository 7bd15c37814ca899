//! Reading what campaigns caused, and who unsubscribed. Members are read in `members`.

use crate::members::{Members, Walk};
use crate::{Config, VENDOR, get};
use onefold_sdk::connector::unknown;
use onefold_sdk::http::encode;
use onefold_sdk::paging::next_offset;
use onefold_sdk::time::format_seconds;
use onefold_sdk::{Batch, Found, Hub, ReadRequest, Result, Step, cut, read_pages};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

const DAY: i64 = 86_400_000;
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
            |walk, room, found| Members { hub, config }.step(walk, room, found),
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

#[derive(Deserialize)]
pub(crate) struct Total {
    pub total_items: u64,
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
            // A row that cannot be read is the hub's to set aside.
            let Ok(email) = row.read::<Email>() else {
                found.upserts.push_raw(row);
                continue;
            };
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
            None => {
                // Where the answer has none of the recipients that it counts, the next run asks for the same time again.
                let is_whole = cursor.offset + page.rows.len() as u64 >= total;
                let since = is_whole.then_some(started - ACTIVITY_LAG_MS);
                Ok(Step::Done(Activity {
                    since: since.or(cursor.since),
                    ..Activity::default()
                }))
            }
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
        // More than was asked for is read when its turn comes.
        let rows = &page.rows[..page.rows.len().min(count as usize)];
        rows.iter().for_each(|row| found.upserts.push_raw(row));
        let total = page.envelope::<Total>()?.total_items;
        match next_offset(offset, rows.len(), count, Some(total)) {
            Some(next) => Ok(Step::More(next)),
            None => Ok(Step::Done(0)),
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now(hub: &dyn Hub) -> i64 {
    i64::try_from(hub.now_ms()).unwrap_or(i64::MAX)
}
