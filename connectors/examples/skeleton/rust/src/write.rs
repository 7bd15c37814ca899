//! Writing people.

use crate::{Config, Helpdesk, VENDOR};
use onefold_sdk::connector::unknown;
use onefold_sdk::rows::keyed;
use onefold_sdk::{Destination, Error, Hub, Mode, Outcome, Request, Result, WriteRequest};

impl Destination for Helpdesk {
    fn write(hub: &dyn Hub, config: &Config, request: &WriteRequest) -> Result<Outcome> {
        // The targets of `manifest.json` and their modes.
        if request.target != "people" {
            return Err(unknown("target", &request.target));
        }
        if request.mode != Mode::Upsert {
            return Err(Error::config("helpdesk.mode", "people are only upserted"));
        }
        let (rows, failures) = keyed(&VENDOR, request, "email");
        if !rows.is_empty() {
            let lines: Vec<&[u8]> = request.rows.lines().collect();
            let people: Vec<&[u8]> = rows.iter().map(|row| lines[row.index]).collect();
            // `repeatable` where a repetition changes nothing: the hub then tries again by itself.
            let mut post = Request::post(config.at("/people"))
                .header("Content-Type", "application/json")
                .auth("token")
                .repeatable();
            post.body = Some([b"{\"people\":[", &*people.join(&b','), b"]}"].concat());
            VENDOR.send(hub, post)?;
        }
        // Add `Failure::rejected(row.index, code, message)` for each row that the vendor does not take.
        Ok(Outcome::of(failures))
    }
}

#[cfg(test)]
mod tests;
