//! Owners: the account's users to whom records are assigned. There are few, and HubSpot has no search for them, so each run reads all.

use crate::{Config, VENDOR, after_of, get};
use onefold_sdk::{Batch, Hub, ReadRequest, Result, Step, cut, read_pages};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Owners whose user was removed are listed apart.
#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    archived: bool,
    after: Option<String>,
}

#[derive(Deserialize)]
struct Owner {
    id: String,
}

pub(crate) fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
    read_pages(
        hub,
        request,
        || Ok(Cursor::default()),
        |cursor, room, found| {
            let mut request = get(config, "/crm/v3/owners")
                .query("limit", &room.min(config.page_size).to_string())
                .query("archived", if cursor.archived { "true" } else { "false" });
            if let Some(after) = &cursor.after {
                request = request.query("after", after);
            }
            let answer = VENDOR.send(hub, request)?;
            let page = cut(&answer.body, &["results"])?;
            match cursor.archived {
                false => page.append_to(&mut found.upserts),
                true => {
                    for row in &page.rows {
                        let owner: Owner = row.read()?;
                        found.delete(&json!({ "id": owner.id }))?;
                    }
                }
            }
            let after = after_of(&page.envelope()?, cursor.after.as_deref())?;
            Ok(match (after, cursor.archived) {
                (Some(after), archived) => Step::More(Cursor {
                    archived,
                    after: Some(after),
                }),
                (None, false) => Step::More(Cursor {
                    archived: true,
                    after: None,
                }),
                (None, true) => Step::Done(Cursor::default()),
            })
        },
    )
}
