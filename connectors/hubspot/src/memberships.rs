//! Who is in which list. HubSpot lists a list's members and reports no removal, so the cursor keeps the members of each list, and a
//! list that has changed is read whole and compared. Lists are distributed over a fixed number of parts, each with a cursor of its
//! own. A part that cannot keep all keeps its largest lists no longer: when one of those changes, the stream is read from its start.

use crate::lists::{self, List};
use crate::record::{text, with_members};
use crate::{Config, VENDOR, after_of, get};
use onefold_sdk::http::encode;
use onefold_sdk::{Batch, Error, Found, Hub, Level, ReadRequest, Result, Step};
use onefold_sdk::{cut, read_pages};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Lists go to parts by their ids, so this number cannot change without a full read.
const PARTS: u32 = 16;
/// A page of members has at most this many.
const PAGE: u32 = 250;
/// Ids that one cursor keeps, which take up to 13 bytes each: the hub takes cursors of up to 1 MiB.
const MOST_IDS: usize = 60_000;
/// What HubSpot shows of a list and of its members may not be of the same moment: a list that changed this recently is read again.
const SETTLED_MS: i64 = 600_000;
/// Lists whose members can be read. HubSpot refuses others, such as lists that its own tools make for one purpose.
const TYPES: [&str; 3] = ["MANUAL", "DYNAMIC", "SNAPSHOT"];

#[derive(Serialize, Deserialize)]
struct Cursor {
    /// The lists of this part by their ids.
    lists: BTreeMap<String, Known>,
    stage: Stage,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// Which lists there are, and which have changed.
    Lists { offset: u64 },
    /// The members of the first list that is due.
    Members { after: Option<String> },
    /// The members that are in it no longer.
    Leaving,
}

#[derive(Serialize, Deserialize)]
struct Known {
    /// What its members' records say of it: a JSON object.
    about: String,
    /// Empty when it has to be read again in any case.
    mark: String,
    /// This run has been shown it.
    shown: bool,
    /// Its members are to be read.
    due: bool,
    /// It was deleted, or is not wanted any more.
    gone: bool,
    /// The members of the last read that this one has not met; none when they are not kept.
    members: Option<Ids>,
    /// The members that this read has met.
    met: Ids,
}

impl Known {
    fn new() -> Self {
        Self {
            about: String::new(),
            mark: String::new(),
            shown: false,
            due: false,
            gone: false,
            members: Some(Ids::default()),
            met: Ids::default(),
        }
    }

    fn size(&self) -> usize {
        let left = self.members.as_ref().map_or(0, |ids| ids.0.len());
        left + self.met.0.len()
    }

    fn meet(&mut self, id: u64) {
        if let Some(left) = &mut self.members {
            left.0.remove(&id);
            self.met.0.insert(id);
        }
    }

    /// All its members leave it.
    fn end(&mut self) {
        let met = std::mem::take(&mut self.met);
        if let Some(left) = &mut self.members {
            left.0.extend(met.0);
        }
        (self.gone, self.due) = (true, true);
    }
}

/// Ids of records, in a cursor as the first one and how much larger each is than the one before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
struct Ids(BTreeSet<u64>);

impl From<Vec<u64>> for Ids {
    fn from(steps: Vec<u64>) -> Self {
        let ids = steps.into_iter().scan(0_u64, |id, step| {
            *id = id.wrapping_add(step);
            Some(*id)
        });
        Self(ids.collect())
    }
}

impl From<Ids> for Vec<u64> {
    fn from(ids: Ids) -> Self {
        let mut last = 0;
        let step = |id| id - std::mem::replace(&mut last, id);
        ids.0.into_iter().map(step).collect()
    }
}

pub(crate) fn parts() -> Vec<String> {
    (0..PARTS).map(|part| part.to_string()).collect()
}

fn part_of(list: &str) -> String {
    let sum = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(byte.into());
    (list.bytes().fold(0, sum) % PARTS).to_string()
}

pub(crate) fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    let reader = Reader {
        hub,
        config,
        part: &request.part,
    };
    let start = Cursor {
        lists: BTreeMap::new(),
        stage: Stage::Lists { offset: 0 },
    };
    read_pages(
        hub,
        request,
        || Ok(start),
        |cursor, room, found| reader.step(cursor, room, found),
    )
}

struct Reader<'a> {
    hub: &'a dyn Hub,
    config: &'a Config,
    part: &'a str,
}

impl Reader<'_> {
    fn step(&self, mut cursor: Cursor, room: u32, found: &mut Found) -> Result<Step<Cursor>> {
        if let Stage::Lists { offset } = cursor.stage {
            cursor.stage = self.lists(&mut cursor.lists, offset)?;
            return Ok(Step::More(cursor));
        }
        let Some((id, list)) = cursor.lists.iter_mut().find(|(_, list)| list.due) else {
            return self.missing(cursor);
        };
        // What an interrupted run has left to do may be wanted no more.
        if !list.gone && !self.wants(list) {
            list.end();
        }
        cursor.stage = match &cursor.stage {
            Stage::Members { after } if !list.gone => {
                self.members(id, list, after.as_deref(), room, found)?
            }
            _ => leave(id, list, room, found)?,
        };
        if list.gone && !list.due {
            let id = id.clone();
            cursor.lists.remove(&id);
        }
        keep_to(MOST_IDS, &mut cursor.lists)?;
        Ok(Step::More(cursor))
    }

    /// Whether the members of such lists are asked for. A list that does not say of what type they are is read.
    fn wants(&self, list: &Known) -> bool {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct About {
            object_type_id: Option<String>,
        }
        let about: About = serde_json::from_str(&list.about).unwrap_or_default();
        let kind = about.object_type_id;
        kind.is_none_or(|kind| self.config.list_types.contains(&kind))
    }

    /// One page of lists.
    fn lists(&self, known: &mut BTreeMap<String, Known>, offset: u64) -> Result<Stage> {
        let answer = lists::search(self.hub, self.config, offset, lists::PAGE, &TYPES)?;
        let page = cut(&answer.body, &["lists"])?;
        for row in &page.rows {
            let list = List::of(row).ok();
            let id = list.as_ref().and_then(List::id).unwrap_or_default();
            if part_of(&id) != self.part {
                continue;
            }
            match list.filter(|_| !id.is_empty()) {
                Some(list) if list.is_deleted() => {}
                Some(list) => self.note(known, id, &list)?,
                None => {
                    let message = "the members of a list are not read: it has no readable id";
                    self.hub.log(Level::Warn, message, None);
                }
            }
        }
        Ok(match lists::next(&page, offset)? {
            Some(offset) => Stage::Lists { offset },
            None => Stage::Members { after: None },
        })
    }

    fn note(&self, known: &mut BTreeMap<String, Known>, id: String, list: &List<'_>) -> Result<()> {
        // A list that does not say of what type its members are is read.
        let is_wanted = |kind: String| self.config.list_types.contains(&kind);
        if !list.kind().is_none_or(is_wanted) {
            if let Some(known) = known.get_mut(&id) {
                known.shown = true;
                known.end();
            }
            return Ok(());
        }
        let (about, mark) = (list.about(&id)?, list.mark());
        let known = known.entry(id).or_insert_with(Known::new);
        known.shown = true;
        if known.about == about && known.mark == mark {
            return Ok(());
        }
        if known.members.is_none() {
            return Err(not_kept());
        }
        let now = i64::try_from(self.hub.now_ms()).unwrap_or(i64::MAX);
        known.mark = match list.is_settled(now - SETTLED_MS) {
            true => mark,
            false => String::new(),
        };
        (known.about, known.due) = (about, true);
        Ok(())
    }

    /// One page of a list's members.
    fn members(
        &self,
        id: &str,
        list: &mut Known,
        after: Option<&str>,
        room: u32,
        found: &mut Found,
    ) -> Result<Stage> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Member<'r> {
            #[serde(borrow)]
            record_id: Option<&'r RawValue>,
        }
        #[derive(Deserialize)]
        struct Total {
            total: Option<u64>,
        }
        let path = format!("/crm/v3/lists/{}/memberships", encode(id));
        let limit = room.min(PAGE).to_string();
        let mut request = get(self.config, &path).query("limit", &limit);
        if let Some(after) = after {
            request = request.query("after", after);
        }
        let answer = match VENDOR.send(self.hub, request) {
            // It was deleted since this run was shown it.
            Err(error)
                if error.status() == Some(404) && lists::is_gone(self.hub, self.config, id)? =>
            {
                list.end();
                return Ok(Stage::Leaving);
            }
            other => other?,
        };
        let page = cut(&answer.body, &["results"])?;
        let about: &RawValue = serde_json::from_str(&list.about).map_err(unreadable)?;
        for row in &page.rows {
            match with_members(row, &about) {
                Some(line) => found.upserts.push(&line)?,
                None => found.upserts.push_raw(row),
            }
        }
        for row in &page.rows {
            let member: Option<Member<'_>> = row.read_borrowed().ok();
            let member = member.and_then(|member| text(member.record_id)?.parse().ok());
            if let Some(member) = member {
                list.meet(member);
            }
        }
        let total = page.envelope::<Total>()?.total.unwrap_or(0);
        match after_of(&page.envelope()?, after)? {
            Some(after) => Ok(Stage::Members { after: Some(after) }),
            None if total > 0 && after.is_none() && page.rows.is_empty() => {
                let message = format!("the answer has none of the {total} members that it counts");
                Err(Error::transient("hubspot.empty_page", message))
            }
            None => Ok(Stage::Leaving),
        }
    }

    /// Looks for a list that this run was not shown; ends the run when there is none.
    fn missing(&self, mut cursor: Cursor) -> Result<Step<Cursor>> {
        let mut missing = cursor.lists.iter_mut().filter(|(_, list)| !list.shown);
        if let Some((id, list)) = missing.next() {
            list.shown = true;
            if lists::is_gone(self.hub, self.config, id)? {
                list.end();
            }
            cursor.stage = Stage::Members { after: None };
            return Ok(Step::More(cursor));
        }
        cursor
            .lists
            .values_mut()
            .for_each(|list| list.shown = false);
        cursor.stage = Stage::Lists { offset: 0 };
        Ok(Step::Done(cursor))
    }
}

/// Deletes up to `room` of the members that left a list. At the end the list is not due any more.
fn leave(id: &str, list: &mut Known, room: u32, found: &mut Found) -> Result<Stage> {
    match &mut list.members {
        None if list.gone => return Err(not_kept()),
        None => {}
        Some(left) => {
            for _ in 0..room {
                let Some(record) = left.0.pop_first() else {
                    break;
                };
                found.delete(&json!({ "listId": id, "recordId": record.to_string() }))?;
            }
            if !left.0.is_empty() {
                return Ok(Stage::Leaving);
            }
            *left = std::mem::take(&mut list.met);
        }
    }
    list.due = false;
    Ok(Stage::Members { after: None })
}

/// Keeps no more than so many ids: those of the largest lists are dropped.
fn keep_to(most: usize, lists: &mut BTreeMap<String, Known>) -> Result<()> {
    while lists.values().map(Known::size).sum::<usize>() > most {
        let Some(largest) = lists.values_mut().max_by_key(|list| list.size()) else {
            break;
        };
        let left = largest.members.take().unwrap_or_default();
        // Who left it could not be told any more.
        if largest.due && !left.0.is_empty() {
            return Err(not_kept());
        }
        largest.met = Ids::default();
    }
    Ok(())
}

/// The hub then reads the stream from its start, and what does not come again is deleted.
fn not_kept() -> Error {
    let message = "a list changed whose members are too many to be kept";
    Error::cursor_expired("hubspot.large_list", message)
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` wants
fn unreadable(error: serde_json::Error) -> Error {
    Error::permanent("hubspot.list", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_from_a_cursor_and_take_little_of_it() {
        let ids = Ids((0..1_000).map(|n| 17_157_692_517 + n * 90_001).collect());
        let text = serde_json::to_string(&ids).expect("text");
        assert_eq!(serde_json::from_str::<Ids>(&text).expect("ids"), ids);
        assert!(text.len() < 6_100, "{}", text.len());
        let far: Ids = serde_json::from_str("[18446744073709551615,2]").expect("ids");
        assert_eq!(far.0.len(), 2);
    }
}
