//! Reading people.

use crate::{Config, Helpdesk, VENDOR};
use onefold_sdk::connector::unknown;
use onefold_sdk::{Batch, Hub, ReadRequest, Request, Result, Source, Step, cut, read_pages};
use serde::{Deserialize, Serialize};

/// Where a page begins.
#[derive(Serialize, Deserialize)]
struct Cursor {
    after: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    next: Option<String>,
}

impl Source for Helpdesk {
    fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
        // The streams of `manifest.json`.
        if request.stream != "people" {
            return Err(unknown("stream", &request.stream));
        }
        let start = || Ok(Cursor { after: None });
        // One page, from where the last one ended; `room` is how many records are still wanted.
        read_pages(hub, request, start, |cursor, room, found| {
            let mut asked = Request::get(config.at("/people"))
                .query("limit", &room.to_string())
                .auth("token");
            if let Some(after) = &cursor.after {
                asked = asked.query("after", after);
            }
            let answer = VENDOR.send(hub, asked)?;
            let page = cut(&answer.body, &["people"])?;
            page.append_to(&mut found.upserts);
            // Where the next page begins: another place than this one's. Without one, the next run begins here again.
            Ok(match page.envelope::<Envelope>()?.next {
                None => Step::Done(cursor),
                after => Step::More(Cursor { after }),
            })
        })
    }
}

#[cfg(test)]
mod tests;
