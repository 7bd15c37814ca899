//! Reading page after page: the loop with its bounds, and where the next page is under the five common schemes.
//! The cursor is the connector's own type, kept as JSON.

use crate::found::Found;
use crate::hub::{Hub, Response};
use crate::types::{Batch, Error, ReadRequest, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What one page left behind: where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<C> {
    More(C),
    /// Nothing more for now; the next run starts here.
    Done(C),
}

/// Below this the loop starts no further page.
const SPARE_MS: u64 = 5_000;

/// Reads pages until the request's bounds are reached or a step is `Done`. `page` fetches one page of at most the given
/// number of records, adds its rows and says where to go on. At least one page is read. A failure after the first page
/// returns what is there: the next call meets the failure again, and nothing is read twice.
pub fn read_pages<C: Serialize + DeserializeOwned>(
    hub: &dyn Hub,
    request: &ReadRequest,
    start: impl FnOnce() -> Result<C>,
    mut page: impl FnMut(C, u32, &mut Found) -> Result<Step<C>>,
) -> Result<Batch> {
    let mut cursor = match &request.cursor {
        Some(bytes) => serde_json::from_slice(bytes).map_err(unreadable)?,
        None => start()?,
    };
    let mut found = Found::default();
    loop {
        if hub.cancelled() {
            return Err(Error::Cancelled);
        }
        let (place, count, bytes) = (found.place(), found.count(), found.bytes());
        let saved = encode(&cursor)?;
        let room = request.max_records.saturating_sub(count).max(1);
        match page(cursor, room, &mut found) {
            Ok(Step::Done(end)) => return Ok(found.finish(encode(&end)?, true)),
            Ok(Step::More(next)) => cursor = next,
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) if count == 0 => return Err(error),
            Err(_) => {
                found.rewind(place);
                return Ok(found.finish(saved, false));
            }
        }
        let last_page = found.bytes().saturating_sub(bytes);
        let full = found.count() >= request.max_records
            || found.bytes() + last_page + last_page / 4 > request.max_bytes as usize;
        if full || hub.remaining_ms() < SPARE_MS {
            return Ok(found.finish(encode(&cursor)?, false));
        }
    }
}

fn encode<C: Serialize>(cursor: &C) -> Result<Vec<u8>> {
    serde_json::to_vec(cursor)
        .map_err(|error| Error::permanent("sdk.cursor", format!("the cursor is no JSON: {error}")))
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` wants
fn unreadable(error: serde_json::Error) -> Error {
    Error::cursor_expired(
        "sdk.cursor",
        format!("the cursor was written by another version of the connector: {error}"),
    )
}

/// The next cursor of a vendor that gives one; an empty text is none.
pub fn next_cursor(given: Option<&str>) -> Option<String> {
    given.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The next page of a vendor that counts pages and says nothing: a full page may have a successor.
pub fn next_page(page: u64, rows: usize, limit: u32) -> Option<u64> {
    (rows > 0 && rows >= limit as usize).then_some(page + 1)
}

/// The next offset: up to a total when the vendor gives one, else while pages are full.
pub fn next_offset(offset: u64, rows: usize, limit: u32, total: Option<u64>) -> Option<u64> {
    let next = offset + rows as u64;
    let more = match total {
        Some(total) => next < total,
        None => rows >= limit as usize,
    };
    (rows > 0 && more).then_some(next)
}

/// The last row's id, for vendors that say `has_more` and page by it.
pub fn next_after(has_more: bool, last_id: Option<&str>) -> Option<String> {
    last_id.filter(|_| has_more).map(str::to_owned)
}

/// The `next` address of a `Link` header (RFC 8288).
pub fn next_link(response: &Response) -> Option<String> {
    let links: Vec<&str> = response
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("link"))
        .filter_map(|(_, value)| std::str::from_utf8(value).ok())
        .collect();
    let links = links.join(",");
    let mut rest = links.as_str();
    loop {
        let (_, after) = rest.split_once('<')?;
        let (url, after) = after.split_once('>')?;
        let end = after.find('<').unwrap_or(after.len());
        let is_next = after[..end].split(';').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or(("", ""));
            let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split(' ').any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(url.to_owned());
        }
        rest = &after[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestHub;

    fn request(max_records: u32, max_bytes: u32) -> ReadRequest {
        ReadRequest {
            max_records,
            max_bytes,
            ..ReadRequest::default()
        }
    }

    /// Pages of ten numbered rows, a hundred in all.
    fn numbers(cursor: u32, room: u32, found: &mut Found) -> Result<Step<u32>> {
        let end = (cursor + room.min(10)).min(100);
        for n in cursor..end {
            found.upserts.push(&serde_json::json!({ "n": n }))?;
        }
        Ok(if end == 100 {
            Step::Done(end)
        } else {
            Step::More(end)
        })
    }

    #[test]
    fn no_row_is_lost_or_repeated_at_any_bound() {
        for (records, bytes) in [
            (1, 1),
            (7, 1_000_000),
            (25, 40),
            (1_000, 200),
            (1_000, 1_000_000),
        ] {
            let hub = TestHub::new(|_| unreachable!());
            let mut ask = request(records, bytes);
            let mut seen = Vec::new();
            loop {
                let batch = read_pages(&hub, &ask, || Ok(0), numbers).expect("reads");
                seen.extend_from_slice(&batch.upserts.data);
                ask.cursor = Some(batch.cursor);
                if batch.done {
                    break;
                }
            }
            let expected: String = (0..100).map(|n| format!("{{\"n\":{n}}}\n")).collect();
            assert_eq!(String::from_utf8(seen).expect("text"), expected);
        }
    }

    #[test]
    fn a_failure_after_the_first_page_keeps_the_pages_before_it() {
        let hub = TestHub::new(|_| unreachable!());
        let ask = request(1_000, 1_000_000);
        let batch = read_pages(
            &hub,
            &ask,
            || Ok(0),
            |cursor, room, found| {
                let step = numbers(cursor, room, found)?;
                match cursor {
                    30 => Err(Error::transient("x", "broke after half of its rows")),
                    _ => Ok(step),
                }
            },
        )
        .expect("keeps the first pages");
        assert_eq!((batch.upserts.count, batch.done), (30, false));
        assert_eq!(batch.cursor, b"30");
    }

    #[test]
    fn a_foreign_cursor_asks_for_a_fresh_start() {
        let hub = TestHub::new(|_| unreachable!());
        let mut ask = request(10, 1_000);
        ask.cursor = Some(b"{\"other\":1}".to_vec());
        let error = read_pages(&hub, &ask, || Ok(0), numbers).expect_err("fails");
        assert!(matches!(error, Error::CursorExpired(_)));
    }

    #[test]
    fn cancelling_gives_nothing() {
        let hub = TestHub::new(|_| unreachable!()).cancel();
        let error = read_pages(&hub, &request(10, 1_000), || Ok(0), numbers).expect_err("fails");
        assert_eq!(error, Error::Cancelled);
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        let response = |text: &str| Response {
            headers: vec![("Link".to_owned(), text.as_bytes().to_vec())],
            ..Response::default()
        };
        let both =
            "<https://a/?page=1,2>; rel=\"prev\", <https://a/?page=3>; title=x; rel=\"next\"";
        assert_eq!(
            next_link(&response(both)).as_deref(),
            Some("https://a/?page=3")
        );
        let mut twice = response("<https://a/?page=1>; rel=\"prev\"");
        twice
            .headers
            .extend(response("<https://a/?page=3>; rel=\"next\"").headers);
        assert_eq!(next_link(&twice).as_deref(), Some("https://a/?page=3"));
        assert_eq!(next_link(&response("<https://a/>; rel=last")), None);
        assert_eq!(next_link(&response("garbage")), None);
    }

    #[test]
    fn each_scheme_stops_at_its_end() {
        assert_eq!(next_offset(0, 10, 10, None), Some(10));
        assert_eq!(next_offset(10, 9, 10, None), None);
        assert_eq!(next_offset(10, 10, 10, Some(20)), None);
        assert_eq!(next_offset(10, 0, 10, Some(50)), None);
        assert_eq!(next_page(1, 10, 10), Some(2));
        assert_eq!(next_page(2, 3, 10), None);
        assert_eq!(next_cursor(Some("")), None);
        assert_eq!(next_after(false, Some("id")), None);
    }
}
