//! What one call of `read` has gathered, in the vendor's order: records, and the keys of deleted records.
//! Owns how the key of a delete is compared with a record. Parses records only when a delete came before one.

use crate::records::{Mark, Rows, compact_into, each_member};
use crate::types::{Batch, Chunk, Result, StreamRows};
use std::collections::BTreeMap;

/// A key that lies deeper in objects is compared as it is written.
const DEEPEST: usize = 8;

/// The rows of the pages read so far. Add records to `upserts`, and call `delete` for each deleted record, in the order
/// in which the vendor reports them. Within one batch upserts count before deletes, so `finish` drops the delete of a
/// record that was added after it: deleted, then created again.
#[derive(Debug, Default)]
pub struct Found {
    pub upserts: Rows,
    deletes: Rows,
    /// For each delete where the upserts ended when it came, in bytes.
    upserts_before: Vec<usize>,
}

/// A place to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    upserts: Mark,
    deletes: Mark,
}

impl Found {
    /// A deleted record: an object with its primary key fields only.
    pub fn delete<T: serde::Serialize>(&mut self, key: &T) -> Result<()> {
        self.deletes.push(key)?;
        self.upserts_before.push(self.upserts.bytes());
        Ok(())
    }

    pub fn count(&self) -> u32 {
        self.upserts.count() + self.deletes.count()
    }

    /// The size of the rows with their line ends.
    pub fn bytes(&self) -> usize {
        self.upserts.bytes() + self.deletes.bytes()
    }

    /// The batch, for connectors that read without `read_pages`. The next batch begins at the cursor.
    pub fn finish(self, cursor: Vec<u8>, done: bool) -> Batch {
        let (upserts, deletes) = self.into_chunks();
        Batch {
            upserts,
            deletes,
            cursor,
            done,
        }
    }

    /// The rows of one stream in the reply to a webhook.
    pub fn into_rows(self, stream: &str) -> StreamRows {
        let (upserts, deletes) = self.into_chunks();
        StreamRows {
            stream: stream.to_owned(),
            upserts,
            deletes,
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            upserts: self.upserts.mark(),
            deletes: self.deletes.mark(),
        }
    }

    pub(crate) fn rewind(&mut self, place: Place) {
        self.upserts.rewind(place.upserts);
        self.deletes.rewind(place.deletes);
        self.upserts_before.truncate(place.deletes.count as usize);
    }

    fn into_chunks(self) -> (Chunk, Option<Chunk>) {
        let deletes = self.still_deleted().unwrap_or(self.deletes);
        let deletes = (deletes.count() > 0).then(|| deletes.into_chunk());
        (self.upserts.into_chunk(), deletes)
    }

    /// The deletes that no later record takes back; none when no record came after a delete.
    fn still_deleted(&self) -> Option<Rows> {
        let first = *self.upserts_before.first()?;
        let later = self.upserts.after(first).filter(|rows| !rows.is_empty())?;
        let keys: Vec<(Vec<Path>, Vec<String>)> = self.deletes.lines().map(key_of).collect();
        let mut last: BTreeMap<&[Path], BTreeMap<&[String], Option<usize>>> = BTreeMap::new();
        for (paths, key) in &keys {
            last.entry(paths).or_default().insert(key, None);
        }
        for (paths, upserts) in last.iter_mut().filter(|(paths, _)| !paths.is_empty()) {
            find_upserts(later, first, paths, upserts);
        }
        let mut kept = Rows::default();
        let deletes = self.deletes.lines().zip(&keys).zip(&self.upserts_before);
        for ((line, (paths, key)), before) in deletes {
            let upserted = last.get(paths.as_slice())?.get(key.as_slice())?;
            if upserted.is_none_or(|at| at < *before) {
                kept.push_line(line);
            }
        }
        Some(kept)
    }
}

/// Names of members, from the outermost on.
type Path = Vec<String>;

/// Notes where each of these keys was upserted last. The lines begin at `first`.
fn find_upserts(
    lines: &[u8],
    first: usize,
    paths: &[Path],
    last: &mut BTreeMap<&[String], Option<usize>>,
) {
    let mut at = first;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        if let Some(values) = values_at(line, paths)
            && let Some(known) = last.get_mut(values.as_slice())
        {
            *known = Some(at);
        }
        at += line.len();
    }
}

/// The fields of a delete and their values; nothing when it has none or cannot be read.
fn key_of(line: &[u8]) -> (Vec<Path>, Vec<String>) {
    let mut leaves = BTreeMap::new();
    if let Some(object) = members(line) {
        add_leaves(object, &[], &mut leaves);
    }
    leaves.into_iter().unzip()
}

fn add_leaves(object: Vec<(String, &[u8])>, path: &[String], leaves: &mut BTreeMap<Path, String>) {
    for (name, value) in object {
        let here = [path, &[name]].concat();
        let inner = (here.len() <= DEEPEST).then(|| members(value)).flatten();
        match inner.filter(|inner| !inner.is_empty()) {
            Some(inner) => add_leaves(inner, &here, leaves),
            None => {
                // Of equal names the first one counts.
                leaves.entry(here).or_insert_with(|| plain(value));
            }
        }
    }
}

/// The members of an object, names without their escapes; none when the text is not an object.
fn members(object: &[u8]) -> Option<Vec<(String, &[u8])>> {
    let mut found = Vec::new();
    each_member(object, &mut |name, value| {
        found.push((plain(name), value));
        false
    })?;
    Some(found)
}

/// A record's values at these paths; none when one is missing.
fn values_at(record: &[u8], paths: &[Path]) -> Option<Vec<String>> {
    let value = |path: &Path| {
        let mut here = record;
        for wanted in path {
            let mut found = None;
            each_member(here, &mut |name, value| {
                let is_it = is_name(name, wanted);
                found = is_it.then_some(value);
                is_it
            })?;
            here = found?;
        }
        Some(plain(here))
    };
    paths.iter().map(value).collect()
}

/// Compares a name in its quotes with what `plain` made of another.
fn is_name(written: &[u8], wanted: &str) -> bool {
    match written.contains(&b'\\') {
        true => plain(written) == wanted,
        false => written[..written.len() - 1] == *wanted.as_bytes(),
    }
}

/// A value so that equal JSON values are equal texts. Arrays are compared as they are written.
fn plain(value: &[u8]) -> String {
    let written = || String::from_utf8_lossy(value).into_owned();
    match value.first() {
        Some(b'"') if !value.contains(&b'\\') => {
            String::from_utf8_lossy(&value[..value.len() - 1]).into_owned()
        }
        // Half a surrogate pair is not a character, so such a string stays as it is.
        Some(b'"') => serde_json::from_slice::<String>(value)
            .map_or_else(|_| written(), |text| format!("\"{text}")),
        Some(b'-' | b'0'..=b'9') => decimal(&written()).unwrap_or_else(written),
        _ => {
            let mut text = Vec::with_capacity(value.len());
            compact_into(value, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}

/// A number by its digits, since 7, 7.0 and 70e-1 are equal, and large integers differ in their last digit. None when
/// the exponent is too long to be counted with.
fn decimal(number: &str) -> Option<String> {
    let unsigned = number.trim_start_matches('-');
    let sign = &number[..number.len() - unsigned.len()];
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let kept = digits.trim_end_matches('0');
    let power: i64 = exponent.parse().ok().filter(|_| exponent.len() <= 9)?;
    let zeros = i64::try_from(digits.len() - kept.len()).ok()?;
    let power = power - i64::try_from(fraction.len()).ok()? + zeros;
    Some(format!("{sign}{kept}e{power}"))
}

#[cfg(test)]
mod tests {
    use crate::hub::Hub;
    use crate::paging::{Step, read_pages};
    use crate::testing::{TestHub, whole};
    use crate::types::{Batch, Chunk, Error};
    use serde_json::value::RawValue;

    fn nobody() -> impl Hub {
        TestHub::new(|_| unreachable!())
    }

    fn lines(chunk: &Chunk) -> Vec<String> {
        let lines: Vec<String> = chunk
            .lines()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        assert_eq!(lines.len(), chunk.count as usize);
        lines
    }

    fn deletes(batch: &Batch) -> Vec<String> {
        batch.deletes.as_ref().map(lines).unwrap_or_default()
    }

    /// What a batch of these pages holds; each row is a `+` or a `-` and JSON.
    fn gathered(pages: &[&[&str]]) -> (Vec<String>, Vec<String>) {
        let batch = read_pages(
            &nobody(),
            &whole("x"),
            || Ok(0),
            |number: usize, _, found| {
                for row in pages[number] {
                    let line = &row[1..];
                    if row.starts_with('+') {
                        found.upserts.push_line(line.as_bytes());
                    } else if let Ok(key) = serde_json::from_str::<&RawValue>(line) {
                        found.delete(&key)?;
                    } else {
                        found.deletes.push_line(line.as_bytes());
                        found.upserts_before.push(found.upserts.bytes());
                    }
                }
                Ok(match pages.len() == number + 1 {
                    true => Step::Done(0),
                    false => Step::More(number + 1),
                })
            },
        )
        .expect("reads");
        (lines(&batch.upserts), deletes(&batch))
    }

    #[test]
    fn a_record_that_is_deleted_and_created_again_is_not_deleted() {
        let (gone, again, other) = (r#"-{"id":1}"#, r#"+{"id":1,"name":"new"}"#, r#"+{"id":2}"#);
        let wanted = (vec![other[1..].to_owned(), again[1..].to_owned()], vec![]);
        assert_eq!(gathered(&[&[gone], &[other, again]]), wanted);
        assert_eq!(gathered(&[&[other, gone, again]]), wanted);
    }

    #[test]
    fn the_vendors_last_word_counts() {
        let (gone, here) = (r#"-{"id":1}"#, r#"+{"id":1,"name":"old"}"#);
        let cases: [&[&[&str]]; 3] = [
            &[&[here], &[gone]],
            &[&[here, gone]],
            &[&[gone, here], &[gone]],
        ];
        for pages in cases {
            assert_eq!(gathered(pages).1, [r#"{"id":1}"#], "{pages:?}");
        }
        let other = r#"-{"id":2}"#;
        assert_eq!(
            gathered(&[&[gone], &[here, gone, here, other]]).1,
            [r#"{"id":2}"#]
        );
    }

    #[test]
    fn keys_are_compared_as_json_values() {
        let long = format!(r#"{{"id":1{}}}"#, "0".repeat(50));
        let same = [
            (r#"{"id":7}"#, r#"{"name":"x","id":7.0}"#),
            (r#"{"id":70}"#, r#"{"id":7e1}"#),
            (r#"{"id":-0.0}"#, r#"{"id":0}"#),
            (
                r#"{"id":12345678901234567890123}"#,
                r#"{"id":12345678901234567890123}"#,
            ),
            (r#"{"id":"aé"}"#, r#"{ "\u0069d" : "a\u00e9" }"#),
            (r#"{"id":"a/b\n"}"#, r#"{"id":"a\/b\u000a"}"#),
            (r#"{"id":"\ud83d"}"#, r#"{"id":"\ud83d"}"#),
            (r#"{"a":1,"b":"x"}"#, r#"{"b":"x","c":3,"a":1}"#),
            (
                r#"{"key":{"a":1,"b":2}}"#,
                r#"{"key":{"b":2,"c":3,"a":1.0}}"#,
            ),
            (r#"{"id":[1,{"a":2}]}"#, r#"{"id":[ 1, {"a": 2} ]}"#),
            (r#"{"id":null}"#, r#"{"id":null}"#),
            (r#"{"id":1}"#, r#"{"id":1,"id":2}"#),
            (&long, r#"{"id":1e50}"#),
            (r#"{"a.b":"x"}"#, r#"{"a.b":"x"}"#),
        ];
        for (key, record) in same {
            let found = gathered(&[&[&format!("-{key}")], &[&format!("+{record}")]]);
            assert_eq!(found, (vec![record.to_owned()], vec![]), "{key}");
        }
    }

    #[test]
    fn other_keys_and_what_is_not_a_key_leave_the_delete_alone() {
        let deep = format!("{}1{}", r#"{"id":"#.repeat(5_000), "}".repeat(5_000));
        let different = [
            (r#"{"id":7}"#, r#"{"id":"7"}"#),
            (r#"{"id":7}"#, r#"{"id":70}"#),
            (r#"{"id":7}"#, r#"{"id":-7}"#),
            (r#"{"id":7}"#, r#"{"id":7e40}"#),
            (r#"{"id":0}"#, r#"{"id":0.5}"#),
            (r#"{"id":"a"}"#, r#"{"id":"ab"}"#),
            (r#"{"id":2}"#, r#"{"id":1,"id":2}"#),
            (
                r#"{"id":12345678901234567890123}"#,
                r#"{"id":12345678901234567890124}"#,
            ),
            (r#"{"id":1e1999999999999}"#, r#"{"id":1e1999999999998}"#),
            (r#"{"id":"\ud83d"}"#, r#"{"id":"\ud83e"}"#),
            (r#"{"id":"a"}"#, r#"{"id":"A"}"#),
            (r#"{"id":"{1}"}"#, r#"{"id":{"1":1}}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":3}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":1}"#),
            (r#"{"key":{"a":1}}"#, r#"{"key":1}"#),
            (r#"{"key":{"a":1}}"#, r#"{"key":[{"a":1}]}"#),
            (r#"{"id":[1,2]}"#, r#"{"id":[1]}"#),
            (r#"{"id":true}"#, r#"{"id":"true"}"#),
            (r#"{"id":null}"#, "{}"),
            ("{}", r#"{"id":1}"#),
            (r#"{"id":1}"#, "7"),
            (r#"{"id":1}"#, r#"{"id":1"#),
            (r#"{"id":1}"#, "x"),
            ("[1]", "[1]"),
            (r#"{"id":1"#, r#"{"id":1}"#),
            (r#"{"id":1}"#, &deep),
            (&deep, r#"{"id":1}"#),
        ];
        for (key, record) in different {
            let found = gathered(&[&[&format!("-{key}")], &[&format!("+{record}")]]);
            let wanted = (vec![record.to_owned()], vec![key.to_owned()]);
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_page_that_fails_takes_its_part_back() {
        let batch = read_pages(
            &nobody(),
            &whole("x"),
            || Ok(0),
            |number: u32, _, found| {
                if number == 0 {
                    found.delete(&serde_json::json!({ "id": 1 }))?;
                    return Ok(Step::More(1));
                }
                found.upserts.push(&serde_json::json!({ "id": 1 }))?;
                found.delete(&serde_json::json!({ "id": 2 }))?;
                Err(Error::transient("x", "broke after its rows"))
            },
        )
        .expect("keeps the first page");
        assert_eq!(
            (batch.upserts.count, batch.cursor.as_slice()),
            (0, &b"1"[..])
        );
        assert_eq!(deletes(&batch), [r#"{"id":1}"#]);
    }
}
