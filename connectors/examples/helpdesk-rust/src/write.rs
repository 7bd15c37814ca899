//! Writing contacts.

use crate::audience::{Answer, refused};
use crate::{Config, Helpdesk, VENDOR};
use onefold_sdk::connector::unknown;
use onefold_sdk::rows::keyed;
use onefold_sdk::{Destination, Error, Hub, Mode, Outcome, Request, Result, WriteRequest};

impl Destination for Helpdesk {
    /// The vendor gives a repeated key its first answer again, so a batch without an answer is simply sent once more.
    fn write(hub: &dyn Hub, config: &Config, request: &WriteRequest) -> Result<Outcome> {
        if request.target != "contacts" {
            return Err(unknown("target", &request.target));
        }
        if request.mode != Mode::Upsert {
            return Err(Error::config("helpdesk.mode", "contacts are only upserted"));
        }
        let (rows, mut failures) = keyed(&VENDOR, request, "email");
        if rows.is_empty() {
            return Ok(Outcome::of(failures));
        }
        let lines: Vec<&[u8]> = request.rows.lines().collect();
        let given: Vec<&[u8]> = rows.iter().map(|row| lines[row.index]).collect();
        let mut upsert = Request::post(config.at("/v1/contacts/upsert"))
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", &request.idempotency_key)
            .auth("token")
            .repeatable();
        upsert.body = Some([b"{\"contacts\":[", &*given.join(&b','), b"]}"].concat());
        let answer: Answer = VENDOR.fetch(hub, upsert)?;
        let places: Vec<usize> = rows.iter().map(|row| row.index).collect();
        failures.extend(refused(&places, answer)?);
        Ok(Outcome::of(failures))
    }
}

#[cfg(test)]
mod tests;
