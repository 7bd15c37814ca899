//! Lists, which HubSpot's own pages call segments. There are few, and the search for them has no filter by time, so each run reads
//! all. The search does not show deleted lists, and a list can slip through between its pages, whose order HubSpot does not state: a
//! list that was not shown is looked for before it counts as deleted. Who is in a list is read in `memberships`.

use crate::record::text;
use crate::{Config, VENDOR, get, post};
use onefold_sdk::http::encode;
use onefold_sdk::time::parse_rfc3339;
use onefold_sdk::{Batch, Error, Found, Hub, Page, ReadRequest, Response, Result, Row, Step};
use onefold_sdk::{cut, read_pages};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// A search shows at most this many.
pub(crate) const PAGE: u32 = 500;

#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    offset: u64,
    /// Lists that were there at the last read.
    known: BTreeSet<String>,
    /// Lists that this read was shown.
    shown: BTreeSet<String>,
    /// Lists to be looked for.
    missing: Vec<String>,
}

pub(crate) fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    read_pages(
        hub,
        request,
        || Ok(Cursor::default()),
        |cursor, room, found| step(hub, config, cursor, room, found),
    )
}

fn step(
    hub: &dyn Hub,
    config: &Config,
    mut cursor: Cursor,
    room: u32,
    found: &mut Found,
) -> Result<Step<Cursor>> {
    if let Some(id) = cursor.missing.pop() {
        if is_gone(hub, config, &id)? {
            found.delete(&json!({ "listId": id }))?;
        } else {
            cursor.known.insert(id);
        }
    } else {
        let answer = search(hub, config, cursor.offset, room, &[])?;
        let page = cut(&answer.body, &["lists"])?;
        for row in &page.rows {
            // What cannot be read is the hub's to set aside.
            let list = List::of(row).ok();
            if list.as_ref().is_some_and(List::is_deleted) {
                continue;
            }
            cursor.shown.extend(list.and_then(|list| list.id()));
            found.upserts.push_raw(row);
        }
        if let Some(offset) = next(&page, cursor.offset)? {
            return Ok(Step::More(Cursor { offset, ..cursor }));
        }
        cursor.missing = cursor.known.difference(&cursor.shown).cloned().collect();
        cursor.known = std::mem::take(&mut cursor.shown);
        cursor.offset = 0;
    }
    Ok(match cursor.missing.is_empty() {
        true => Step::Done(cursor),
        false => Step::More(cursor),
    })
}

/// A page of lists. `types` are ways in which a list is filled; none means all.
pub(crate) fn search(
    hub: &dyn Hub,
    config: &Config,
    offset: u64,
    room: u32,
    types: &[&str],
) -> Result<Response> {
    let body = json!({
        "offset": offset,
        "count": room.min(PAGE),
        "processingTypes": types,
        "additionalProperties": ["hs_list_size", "hs_last_record_added_at", "hs_last_record_removed_at"],
    });
    let request = post(config, "/crm/v3/lists/search").json(&body)?;
    VENDOR.send(hub, request.repeatable())
}

/// Where the page after this one begins.
pub(crate) fn next(page: &Page<'_>, asked: u64) -> Result<Option<u64>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope {
        has_more: Option<bool>,
        offset: Option<u64>,
    }
    let envelope: Envelope = page.envelope()?;
    match envelope.offset {
        _ if envelope.has_more != Some(true) => Ok(None),
        Some(next) if next > asked => Ok(Some(next)),
        _ => {
            let message = "there are more lists, but the next page is not behind this one";
            Err(Error::transient("hubspot.paging", message))
        }
    }
}

/// Whether a list that was not shown was deleted.
pub(crate) fn is_gone(hub: &dyn Hub, config: &Config, id: &str) -> Result<bool> {
    let request = get(config, &format!("/crm/v3/lists/{}", encode(id)));
    match VENDOR.send(hub, request) {
        Ok(answer) => {
            let list = Row::of(&answer.body).member(&["list"]);
            Ok(list.is_some_and(|list| List::of(&list).is_ok_and(|list| list.is_deleted())))
        }
        Err(error) if error.status() == Some(404) => Ok(true),
        Err(error) => Err(error),
    }
}

/// What the connector itself reads of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List<'r> {
    #[serde(borrow)]
    list_id: Option<&'r RawValue>,
    #[serde(borrow)]
    name: Option<&'r RawValue>,
    #[serde(borrow)]
    object_type_id: Option<&'r RawValue>,
    #[serde(borrow)]
    processing_status: Option<&'r RawValue>,
    #[serde(borrow)]
    updated_at: Option<&'r RawValue>,
    #[serde(borrow)]
    deleted_at: Option<&'r RawValue>,
    #[serde(borrow)]
    additional_properties: Option<&'r RawValue>,
}

#[derive(Default, Deserialize)]
struct Properties<'r> {
    #[serde(borrow)]
    hs_list_size: Option<&'r RawValue>,
    #[serde(borrow)]
    hs_last_record_added_at: Option<&'r RawValue>,
    #[serde(borrow)]
    hs_last_record_removed_at: Option<&'r RawValue>,
}

/// What the records of a list's members say of it, as HubSpot writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About<'r> {
    list_id: &'r str,
    list_name: Option<&'r RawValue>,
    object_type_id: Option<&'r RawValue>,
}

impl<'r> List<'r> {
    pub fn of(row: &Row<'r>) -> Result<Self> {
        row.read_borrowed()
    }

    pub fn id(&self) -> Option<String> {
        text(self.list_id).filter(|id| !id.trim().is_empty())
    }

    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// The type of its members.
    pub fn kind(&self) -> Option<String> {
        text(self.object_type_id)
    }

    /// The members to add to each record, on one line.
    pub fn about(&self, list_id: &str) -> Result<String> {
        let about = serde_json::to_string(&About {
            list_id,
            list_name: self.name,
            object_type_id: self.object_type_id,
        });
        let about = about.map_err(|error| Error::permanent("hubspot.list", error.to_string()))?;
        Ok(about.replace(['\n', '\r'], ""))
    }

    fn properties(&self) -> Properties<'r> {
        let own = self.additional_properties.map(RawValue::get);
        let own = own.and_then(|own| serde_json::from_str(own).ok());
        own.unwrap_or_default()
    }

    /// Moves when members come or go.
    pub fn mark(&self) -> String {
        let own = self.properties();
        let all = [
            self.updated_at,
            own.hs_list_size,
            own.hs_last_record_added_at,
            own.hs_last_record_removed_at,
        ];
        all.map(|raw| raw.map_or("", RawValue::get)).join(" ")
    }

    /// Whether its mark can be relied on: HubSpot is not working on the list, and nothing happened at `since` or later, in milliseconds.
    pub fn is_settled(&self, since: i64) -> bool {
        let is_complete = text(self.processing_status).is_none_or(|status| status == "COMPLETE");
        let own = self.properties();
        let times = [own.hs_last_record_added_at, own.hs_last_record_removed_at];
        let is_old = |raw: &RawValue| {
            let text = text(Some(raw)).unwrap_or_default();
            let time = text.parse().ok().or_else(|| parse_rfc3339(&text));
            time.is_some_and(|time: i64| time < since)
        };
        is_complete && own.hs_list_size.is_some() && times.into_iter().flatten().all(is_old)
    }
}
