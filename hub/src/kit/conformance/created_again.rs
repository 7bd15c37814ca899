//! Whether a record that is deleted and created again survives. Batches are applied as the hub applies them: the upserts
//! of a batch, then its deletes, then the next batch.

use super::lossless::difference;
use super::reading::{key_of, lines, request};
use super::{Stop, Trial, Tried, failed, not_applicable, shown};
use crate::host::{Batch, Failure, ReadRequest};
use crate::kit::raw_json::{Members, each_row};
use crate::kit::tap::Tap;
use crate::model::StreamSpec;
use std::collections::{BTreeMap, BTreeSet};

/// How many records the hub asks for at once.
const HUB_RECORDS: u32 = 2_000;
/// A part that has not ended after this many batches will not end.
const MOST_BATCHES: usize = 5_000;
/// Reads of a part that begin in its middle.
const MOST_READS: usize = 3;

/// The last record of each key that is not deleted.
type Known = BTreeMap<String, String>;

/// A batch, and what the vendor answered meanwhile.
struct Answered {
    batch: Batch,
    answers: Vec<Vec<u8>>,
}

/// A record that one batch deletes and a later one has again.
struct Again {
    key: String,
    record: String,
    deleted_in: usize,
}

pub fn created_again(trial: &Trial) -> Tried {
    trial.needs_live()?;
    let baselines = trial.baselines()?;
    let mut seen = false;
    for stream in &trial.description().streams {
        for part in &baselines[&stream.name].parts {
            let tap = Tap::new(trial.way_out());
            tap.keep_answers();
            let mut connector = trial.fresh_through(tap.clone());
            let mut read = |request: &ReadRequest| -> Result<Answered, Failure> {
                let batch = connector.read(request)?;
                let answers = tap.take_answers();
                Ok(Answered { batch, answers })
            };
            seen |= part_again(stream, &part.name, &part.batches, &mut read)?;
        }
    }
    match seen {
        true => Ok(()),
        false => not_applicable("the vendor reports no record that was deleted and created again"),
    }
}

/// Reads a part as the hub does: from its start, and from right before a record is deleted. `batches` are what smaller
/// reads gave. False when no record is created again.
fn part_again(
    stream: &StreamSpec,
    part: &str,
    batches: &[Batch],
    read: &mut dyn FnMut(&ReadRequest) -> Result<Answered, Failure>,
) -> Result<bool, Stop> {
    let again = all_again(stream, batches)?;
    let mut starts: BTreeSet<usize> = again.iter().map(|one| one.deleted_in).collect();
    starts.insert(0);
    let mut seen = !again.is_empty();
    for start in starts.into_iter().take(MOST_READS) {
        let mut known = Known::new();
        for batch in &batches[..start] {
            apply(stream, batch, &mut known)?;
        }
        let mut cursor = start.checked_sub(1).map(|before| batches[before].clone());
        for number in 0.. {
            let Answered { batch, answers } = read(&request(
                stream.name.as_str(),
                part,
                cursor.as_ref(),
                HUB_RECORDS,
            ))?;
            seen |= is_right(stream, &batch, &answers)?;
            apply(stream, &batch, &mut known)?;
            if batch.done {
                break;
            }
            if number == MOST_BATCHES {
                return failed(format!("stream `{}` has not ended", stream.name));
            }
            cursor = Some(batch);
        }
        let here = again.iter().filter(|one| one.deleted_in >= start);
        for one in here {
            if known.get(&one.key) != Some(&one.record) {
                return failed(format!(
                    "stream `{}`: record {} was deleted and created again, and is lost when both come in one read of {HUB_RECORDS}",
                    stream.name,
                    shown_key(&one.key)
                ));
            }
        }
    }
    Ok(seen)
}

/// The records that small batches delete and have again, and that are not deleted once more.
fn all_again(stream: &StreamSpec, batches: &[Batch]) -> Result<Vec<Again>, Stop> {
    let mut deleted = BTreeMap::new();
    let mut again: BTreeMap<String, Again> = BTreeMap::new();
    for (number, batch) in batches.iter().enumerate() {
        for record in lines(&batch.upserts.data) {
            let key = key_of(stream, record)?;
            if let Some(&deleted_in) = deleted.get(&key) {
                let record = record.to_owned();
                again.insert(
                    key.clone(),
                    Again {
                        key,
                        record,
                        deleted_in,
                    },
                );
            }
        }
        for row in batch.deletes.iter().flat_map(|chunk| lines(&chunk.data)) {
            let key = key_of(stream, row)?;
            again.remove(&key);
            deleted.insert(key, number);
        }
    }
    Ok(again.into_values().collect())
}

fn apply(stream: &StreamSpec, batch: &Batch, known: &mut Known) -> Tried {
    for record in lines(&batch.upserts.data) {
        known.insert(key_of(stream, record)?, record.to_owned());
    }
    for row in batch.deletes.iter().flat_map(|chunk| lines(&chunk.data)) {
        known.remove(&key_of(stream, row)?);
    }
    Ok(())
}

/// Fails when a batch has a record, deletes it, and the record was the vendor's last word. False when no key is in both.
fn is_right(stream: &StreamSpec, batch: &Batch, answers: &[Vec<u8>]) -> Result<bool, Stop> {
    let Some(deletes) = &batch.deletes else {
        return Ok(false);
    };
    let mut upserts = BTreeMap::new();
    for record in lines(&batch.upserts.data) {
        upserts.insert(key_of(stream, record)?, record);
    }
    let mut last: Option<BTreeMap<String, Members>> = None;
    let mut seen = false;
    for row in lines(&deletes.data) {
        let key = key_of(stream, row)?;
        let Some(record) = upserts.get(&key) else {
            continue;
        };
        seen = true;
        let last = last.get_or_insert_with(|| last_rows(stream, answers));
        if last.get(&key).is_some_and(|row| is_same(row, record)) {
            return failed(format!(
                "stream `{}`: a batch has record {} and deletes it, although the vendor created it after the deletion; \
                 within a batch upserts count before deletes, so the record is lost",
                stream.name,
                shown_key(&key)
            ));
        }
    }
    Ok(seen)
}

/// What the vendor said last of each key: the last row of a list that has it.
fn last_rows(stream: &StreamSpec, answers: &[Vec<u8>]) -> BTreeMap<String, Members> {
    let mut last = BTreeMap::new();
    for answer in answers {
        let text = std::str::from_utf8(answer).unwrap_or_default();
        each_row(text.trim(), &mut |row| {
            if let Some(key) = row.key(&stream.primary_key) {
                last.insert(key, row.clone());
            }
        });
    }
    last
}

/// True when the vendor's row is the record and nothing else, so that it is not a tombstone.
fn is_same(row: &Members, record: &str) -> bool {
    Members::parse(record)
        .is_some_and(|record| row.0.len() == record.0.len() && difference(row, &record).is_none())
}

fn shown_key(key: &str) -> String {
    shown(key.replace('\u{1f}', " ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Chunk;

    /// A row as the vendor sends it; a tombstone has `gone`.
    static ROWS: [&str; 7] = [
        r#"{"id":1,"name":"first"}"#,
        r#"{"id":2,"gone":true}"#,
        r#"{"id":2,"name":"at once"}"#,
        r#"{"id":3,"gone":true}"#,
        r#"{"id":4,"name":"other"}"#,
        r#"{"id":3,"name":"later"}"#,
        r#"{"id":1,"gone":true}"#,
    ];

    /// How a connector puts a batch together from rows.
    type Gather = fn(&[&str]) -> (Vec<String>, Vec<String>);

    fn split(rows: &[&str]) -> (Vec<String>, Vec<String>) {
        let (gone, here): (Vec<&str>, Vec<&str>) =
            rows.iter().copied().partition(|row| row.contains("gone"));
        let key = |row: &str| format!("{}}}", &row[..row.find(',').expect("has fields")]);
        (
            here.into_iter().map(str::to_owned).collect(),
            gone.into_iter().map(key).collect(),
        )
    }

    /// As the SDKs did: what is created again stays deleted.
    fn loses_the_order(rows: &[&str]) -> (Vec<String>, Vec<String>) {
        split(rows)
    }

    fn keeps_the_order(rows: &[&str]) -> (Vec<String>, Vec<String>) {
        let (upserts, _) = split(rows);
        let last = |id: &str| rows.iter().rfind(|row| row.starts_with(id)).copied();
        let deletes = split(rows)
            .1
            .into_iter()
            .filter(|key| last(key.trim_end_matches('}')).is_some_and(|row| row.contains("gone")));
        (upserts, deletes.collect())
    }

    /// Leaves out every record that was also deleted.
    fn forgets_what_was_created_again(rows: &[&str]) -> (Vec<String>, Vec<String>) {
        let (upserts, deletes) = split(rows);
        let gone = |record: &String| {
            deletes
                .iter()
                .any(|key| record.starts_with(key.trim_end_matches('}')))
        };
        (
            upserts.into_iter().filter(|record| !gone(record)).collect(),
            deletes,
        )
    }

    fn batch(rows: &[&str], gather: Gather, end: usize) -> Batch {
        let (upserts, deletes) = gather(rows);
        let chunk = |rows: Vec<String>| Chunk {
            count: u32::try_from(rows.len()).expect("few"),
            data: rows
                .iter()
                .flat_map(|row| format!("{row}\n").into_bytes())
                .collect(),
        };
        Batch {
            upserts: chunk(upserts),
            deletes: Some(chunk(deletes)),
            cursor: end.to_string().into_bytes(),
            done: end == ROWS.len(),
        }
    }

    /// The verdict on a connector that has `small` rows in the batches of its first read, and reads pages of two.
    fn verdict(small: usize, gather: Gather) -> Result<bool, String> {
        let stream = StreamSpec {
            name: "contacts".to_owned(),
            primary_key: vec!["id".to_owned()],
            ..StreamSpec::default()
        };
        let mut first = Vec::new();
        for start in (0..ROWS.len()).step_by(small) {
            let end = ROWS.len().min(start + small);
            first.push(batch(&ROWS[start..end], gather, end));
        }
        let mut read = |request: &ReadRequest| {
            let text = String::from_utf8(request.cursor.clone().unwrap_or_default());
            let start: usize = text.expect("text").parse().unwrap_or(0);
            let answers = ROWS[start..].chunks(2);
            Ok(Answered {
                batch: batch(&ROWS[start..], gather, ROWS.len()),
                answers: answers
                    .map(|rows| format!("{{\"rows\":[{}],\"id\":0}}", rows.join(",")).into_bytes())
                    .collect(),
            })
        };
        part_again(&stream, "", &first, &mut read).map_err(|stop| match stop {
            Stop::Failed(why) | Stop::NotApplicable(why) => why,
        })
    }

    #[test]
    fn a_connector_that_keeps_the_vendors_order_passes() {
        for small in 1..=ROWS.len() {
            assert_eq!(verdict(small, keeps_the_order), Ok(true), "{small}");
        }
    }

    #[test]
    fn a_connector_that_puts_deletes_behind_what_came_after_them_fails() {
        for small in 1..=ROWS.len() {
            let why = verdict(small, loses_the_order).expect_err("the record is lost");
            let wanted = "stream `contacts`: a batch has record 2 and deletes it, although the vendor created it after";
            assert!(why.starts_with(wanted), "{small}: {why}");
        }
    }

    #[test]
    fn a_connector_that_drops_what_was_created_again_fails() {
        for small in 1..=2 {
            let why = verdict(small, forgets_what_was_created_again).expect_err("it is lost");
            assert!(
                why.contains("was deleted and created again, and is lost"),
                "{small}: {why}"
            );
        }
    }

    #[test]
    fn a_delete_after_the_record_is_right() {
        let rows = [ROWS[0], ROWS[6]];
        let stream = StreamSpec {
            primary_key: vec!["id".to_owned()],
            ..StreamSpec::default()
        };
        let answers = [format!("[{}]", rows.join(",")).into_bytes()];
        let both = is_right(&stream, &batch(&rows, split, 2), &answers);
        assert!(matches!(both, Ok(true)));
    }
}
