//! What follows from merges. A record that was merged into another is neither listed nor archived any more, and HubSpot moves the
//! associations of a merged contact without changing the records that have them.

use super::{CONTACTS_PATH, Cursor, LIST_LIMIT, Phase, Reader};
use crate::record::Head;
use crate::streams::{CONTACT_CHANGED, CONTACTS, MERGED};
use onefold_sdk::{Found, Result, Step, cut};
use serde_json::{Value, json};

impl Reader<'_> {
    /// Reads again what belongs to contacts that were merged since the last read.
    pub(super) fn moved(
        &self,
        cursor: &Cursor,
        after_id: &str,
        done: usize,
        newest: i64,
        room: u32,
        found: &mut Found,
    ) -> Result<Step<Cursor>> {
        let (mut after_id, mut done, mut newest) = (after_id.to_owned(), done, newest);
        let (mut left, limit) = (room as usize, room.min(LIST_LIMIT));
        let body = merged_since(CONTACT_CHANGED, cursor.moved_since, &after_id, limit);
        let answer = self.search(CONTACTS_PATH, &body)?;
        let page = cut(&answer, &["results"])?;
        let mut is_full = page.rows.len() >= limit as usize;
        let mut contacts = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            let head = Head::of(row)?;
            contacts.push(head.id()?);
            newest = newest.max(head.modified()?);
        }
        let known = self
            .gather
            .associated(CONTACTS, &contacts, self.stream.object)?;
        for contact in contacts {
            let all = known.get(&contact).map_or(&[][..], Vec::as_slice);
            let rest = all.get(done..).unwrap_or_default();
            let now = &rest[..rest.len().min(left)];
            self.gather.by_id(now, found)?;
            left -= now.len();
            if now.len() < rest.len() {
                (done, is_full) = (done + now.len(), true);
                break;
            }
            (after_id, done) = (contact, 0);
        }
        let next = match is_full {
            true => Cursor {
                phase: Phase::Moved {
                    after_id,
                    done,
                    newest,
                },
                ..cursor.clone()
            },
            false => Cursor {
                phase: Phase::Changes,
                moved_since: cursor.complete_until(newest),
                ..cursor.clone()
            },
        };
        Ok(Step::More(next))
    }

    /// Deletes what was merged into records that changed since the last read. That comes after all that this read has found, since a
    /// page may have had it from before.
    pub(super) fn merged(
        &self,
        cursor: &Cursor,
        after_id: &str,
        done: usize,
        room: u32,
        found: &mut Found,
    ) -> Result<Step<Cursor>> {
        let to = |phase| {
            Ok(Step::More(Cursor {
                phase,
                ..cursor.clone()
            }))
        };
        let archived = Cursor {
            phase: Phase::Archived {
                after: None,
                newest: cursor.archived_since,
                done: None,
            },
            merged_since: cursor.since,
            ..cursor.clone()
        };
        if !self.stream.merges {
            return Ok(Step::More(archived));
        }
        let limit = room.min(self.config.page_size);
        let body = merged_since(self.stream.modified, cursor.merged_since, after_id, limit);
        let answer = self.search(&self.stream.path(), &body)?;
        let page = cut(&answer, &["results"])?;
        let (mut after_id, mut done, mut left) = (after_id.to_owned(), done, room);
        for row in &page.rows {
            let head = Head::of(row)?;
            let id = head.id()?;
            for gone in head.merged(&id).iter().skip(done) {
                if left == 0 {
                    return to(Phase::Merged { after_id, done });
                }
                found.delete(&self.stream.key(gone))?;
                (left, done) = (left - 1, done + 1);
            }
            (after_id, done) = (id, 0);
        }
        match page.rows.len() >= limit as usize {
            true => to(Phase::Merged { after_id, done }),
            false => Ok(Step::More(archived)),
        }
    }
}

/// A search for records into which others were merged, by their ids.
fn merged_since(modified: &str, since: i64, after_id: &str, limit: u32) -> Value {
    json!({
        "filterGroups": [{ "filters": [
            { "propertyName": modified, "operator": "GTE", "value": since.to_string() },
            { "propertyName": MERGED, "operator": "HAS_PROPERTY" },
            { "propertyName": "hs_object_id", "operator": "GT", "value": after_id },
        ]}],
        "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }],
        "properties": [modified, MERGED],
        "limit": limit,
    })
}
