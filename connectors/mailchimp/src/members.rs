//! Reading members by their last change, and noticing who was archived or deleted for good.
//! Mailchimp pages by offset and its times have whole seconds. A member that changes while we read moves to the end and
//! an offset would then jump over another, so each page asks for what changed since the last second seen; an offset is
//! used only within one second that holds more members than a page, and is set back when members leave it. How long a
//! page is says nothing: `total_items` says whether anything is left.

use crate::read::{Total, now};
use crate::roll::{Listing, Roll};
use crate::{Config, VENDOR, get};
use onefold_sdk::http::encode;
use onefold_sdk::time::{format_seconds, parse_rfc3339};
use onefold_sdk::{Error, Found, Hub, Request, Result, Row, Step, cut};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

const SECOND: i64 = 1_000;
/// The most members that Mailchimp shows at once.
const LONGEST_PAGE: u32 = 1_000;
/// Members that are looked for one by one in one step.
const LOOKS: usize = 20;

/// Where reading the members stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Walk {
    members: Place,
    archived: Place,
    stage: Stage,
    /// Who was in the list when all of it was last looked through.
    roll: Option<Roll>,
}

/// What is read next. A run goes from `Members` to the end; the first one looks through the list before that, so that who is
/// deleted for good while it reads is missed in the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Stage {
    Members,
    Archived,
    /// The ids of everybody in the list.
    Listing(Listing),
    /// Members who were in the list and were not met.
    Missing(Vec<String>),
}

impl Default for Stage {
    fn default() -> Self {
        Self::Listing(Listing::default())
    }
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
    /// Of no member on the page can be read when it changed: the offset goes over all that follow.
    unbounded: bool,
}

/// The few fields of a member that are looked at.
struct Head(Map<String, Value>);

impl Head {
    /// None when the row cannot be read at all. It is passed on as it is: the hub sets it aside.
    fn of(row: &Row<'_>) -> Option<Self> {
        row.read().ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    /// As the manifest's default mapping has it.
    fn key(&self) -> Option<&str> {
        self.text("contact_id").or_else(|| self.text("id"))
    }
}

pub(crate) struct Members<'a> {
    pub hub: &'a dyn Hub,
    pub config: &'a Config,
}

impl Members<'_> {
    pub(crate) fn step(&self, mut walk: Walk, room: u32, found: &mut Found) -> Result<Step<Walk>> {
        match std::mem::replace(&mut walk.stage, Stage::Members) {
            Stage::Members => {
                if !self.page(&mut walk.members, false, room, found)? {
                    walk.stage = Stage::Archived;
                }
            }
            Stage::Archived => {
                if self.page(&mut walk.archived, true, room, found)? {
                    walk.stage = Stage::Archived;
                    return Ok(Step::More(walk));
                }
                let due = walk
                    .roll
                    .as_ref()
                    .is_none_or(|roll| roll.is_due(now(self.hub)));
                if !due {
                    return Ok(Step::Done(walk));
                }
                walk.stage = Stage::default();
            }
            Stage::Listing(listing) => return self.list(walk, listing),
            Stage::Missing(ids) => {
                let left = self.look(ids, walk.roll.as_mut(), found)?;
                if left.is_empty() {
                    return Ok(Step::Done(walk));
                }
                walk.stage = Stage::Missing(left);
            }
        }
        Ok(Step::More(walk))
    }

    /// One page of members; false when it was the last.
    fn page(
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
        // More than was asked for is read when its turn comes.
        let rows = &page.rows[..page.rows.len().min(count as usize)];
        let offset = place.tie.as_ref().map_or(0, |tie| tie.offset);
        if rows.is_empty() && offset < total && place.tie.is_some() {
            let message = format!("the answer has none of the {total} members that it counts");
            return Err(Error::transient("mailchimp.empty_page", message));
        }
        for row in rows {
            match archived {
                true => archived_row(row, found)?,
                false => found.upserts.push_raw(row),
            }
        }
        let times = (
            rows.iter().find_map(changed),
            rows.iter().rev().find_map(changed),
        );
        let count = rows.len() as u64;
        let more = count > 0 && offset + count < total;
        Ok(place.advance(times, count, total, more))
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
            if place.tie.as_ref().is_some_and(|tie| !tie.unbounded) {
                request = request.query("before_last_changed", &format_seconds(at + SECOND));
            }
        }
        Ok(request)
    }

    /// One page of the ids of everybody in the list. At its end it is compared with the time before.
    fn list(&self, mut walk: Walk, mut listing: Listing) -> Result<Step<Walk>> {
        let request = get(self.config.list("/members")?)
            .query("count", &LONGEST_PAGE.to_string())
            .query("offset", &listing.offset.to_string())
            .query("fields", "members.contact_id,members.id,total_items");
        let answer = VENDOR.send(self.hub, request)?;
        let page = cut(&answer.body, &["members"])?;
        let total = page.envelope::<Total>()?.total_items;
        let mark = (total, walk.members.at, walk.archived.at);
        if listing.offset == 0 {
            if walk.roll.as_ref().is_some_and(|roll| roll.mark == mark) {
                return Ok(Step::Done(walk));
            }
            listing.started = now(self.hub);
        }
        for head in page.rows.iter().filter_map(Head::of) {
            if let Some(key) = head.key() {
                listing.sketch.add(key);
            }
        }
        listing.offset += page.rows.len() as u64;
        if listing.offset < total && !page.rows.is_empty() {
            walk.stage = Stage::Listing(listing);
            return Ok(Step::More(walk));
        }
        if listing.offset < total && walk.roll.is_some() {
            // Not all of it was shown: nobody is missing for that.
            return Ok(Step::Done(walk));
        }
        let before = walk.roll.replace(listing.into_roll(mark));
        match (before, &walk.roll) {
            (Some(before), Some(roll)) => {
                let missing = before.missing(roll).ok_or_else(too_many)?;
                if missing.is_empty() {
                    return Ok(Step::Done(walk));
                }
                walk.stage = Stage::Missing(missing);
            }
            _ => walk.stage = Stage::Members,
        }
        Ok(Step::More(walk))
    }

    /// Looks for the first of these members: who is not found was deleted for good. Returns the others.
    fn look(
        &self,
        mut ids: Vec<String>,
        mut roll: Option<&mut Roll>,
        found: &mut Found,
    ) -> Result<Vec<String>> {
        let left = ids.split_off(ids.len().min(LOOKS));
        for id in ids {
            let request = get(self.config.list(&format!("/members/{}", encode(&id)))?)
                .query("fields", "contact_id,status");
            match VENDOR.fetch::<Value>(self.hub, request) {
                // The archive tells of it.
                Ok(member) if member["status"] == "archived" => {}
                // It was passed over: a page ends elsewhere when members come and go.
                Ok(_) => {
                    if let Some(roll) = &mut roll {
                        roll.sketch.add(&id);
                    }
                }
                Err(error) if error.status() == Some(404) => {
                    found.delete(&json!({ "contact_id": id }))?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(left)
    }
}

impl Place {
    /// Moves on behind a page with these first and last times, of which `total` is what it is a part of; false when nothing is left.
    fn advance(
        &mut self,
        (first, last): (Option<i64>, Option<i64>),
        rows: u64,
        total: u64,
        more: bool,
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
            if more && !moved_on {
                tie.offset += rows;
                tie.total = total;
                return true;
            }
            let is_end = tie.unbounded && !moved_on;
            self.tie = None;
            if is_end {
                self.past = false;
                return false;
            }
            match (moved_on, self.inclusive) {
                (true, _) => self.at = last,
                (false, true) => self.at = self.at.map(|at| at + SECOND),
                (false, false) => self.past = true,
            }
            return true;
        }
        if self.past && more && first == self.at && last == self.at {
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
            _ if more => {
                self.tie = Some(Tie {
                    offset: 0,
                    total: 0,
                    unbounded: last.is_none(),
                });
            }
            _ => {}
        }
        // The next run starts with the last second again.
        if !more {
            self.past = false;
            if self.inclusive && first.is_none() {
                self.at = self.at.map(|at| at - SECOND);
            }
        }
        more
    }
}

/// An archived member, or a row that the hub has to set aside.
fn archived_row(row: &Row<'_>, found: &mut Found) -> Result<()> {
    let head = Head::of(row);
    let read = head.as_ref().map(|head| (head.text("status"), head.key()));
    match read {
        Some((Some("archived"), Some(key))) => found.delete(&json!({ "contact_id": key }))?,
        // It came back since.
        Some((Some(status), _)) if status != "archived" => {}
        _ => found.upserts.push_raw(row),
    }
    Ok(())
}

/// The hub reads the list from its start then, and what does not come again is deleted.
fn too_many() -> Error {
    let message = "more members came and went than can be told apart by what is kept of the list";
    Error::cursor_expired("mailchimp.many_changes", message)
}

/// When a member changed last; none when that cannot be read, which must not stop the others.
fn changed(row: &Row<'_>) -> Option<i64> {
    parse_rfc3339(Head::of(row)?.text("last_changed")?)
}
