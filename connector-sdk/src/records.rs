//! Cutting records out of a vendor's page as raw JSON, without parsing them, and gathering them as JSON lines.
//! The scan checks nesting, strings and that the document is whole; the grammar inside a record is the hub's to check.

use crate::lenient;
use crate::types::{Chunk, Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A page cut into its records and the rest.
#[derive(Debug)]
pub struct Page<'a> {
    pub rows: Vec<Row<'a>>,
    envelope: Vec<u8>,
}

/// One record as the vendor wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    pub bytes: &'a [u8],
    /// Written over several lines, so it has to be rewritten for JSON lines.
    broken: bool,
}

/// Cuts the array at a path of object keys; an empty path means that the page is the array itself. Fails with class
/// `transient` when the array is missing or the page is cut short or garbage: next time it may be whole.
pub fn cut<'a>(body: &'a [u8], path: &[&str]) -> Result<Page<'a>> {
    let mut scan = Scan {
        body,
        at: 0,
        arrays: 0,
    };
    let mut page = Page {
        rows: Vec::new(),
        envelope: Vec::new(),
    };
    match scan.page(path, &mut page) {
        Some(()) if scan.rest_is_blank() && scan.arrays == 1 => Ok(page),
        Some(()) if scan.rest_is_blank() => Err(Error::transient(
            "sdk.page",
            format!("the answer has no array `{}`", path.join(".")),
        )),
        _ => Err(Error::transient(
            "sdk.page",
            format!(
                "the answer of {} bytes is no whole JSON document; it went wrong near byte {}",
                body.len(),
                scan.at
            ),
        )),
    }
}

impl<'a> Page<'a> {
    /// What surrounds the rows, such as a paging cursor. The array itself reads as empty.
    pub fn envelope<T: DeserializeOwned>(&self) -> Result<T> {
        lenient::read(&self.envelope).map_err(|error| {
            Error::transient("sdk.page", format!("the answer has another shape: {error}"))
        })
    }

    /// Adds every record.
    pub fn append_to(&self, rows: &mut Rows) {
        let bytes: usize = self.rows.iter().map(|row| row.bytes.len() + 1).sum();
        rows.data.reserve(bytes);
        for row in &self.rows {
            rows.push_raw(row);
        }
    }
}

impl<'a> Row<'a> {
    /// A document that is one record, such as the body of a webhook.
    pub fn of(bytes: &'a [u8]) -> Row<'a> {
        Row {
            bytes,
            broken: bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r')),
        }
    }

    /// What the row holds at a path of object keys, as the vendor wrote it, whether all of it can be read or not.
    pub fn member(&self, path: &[&str]) -> Option<Row<'a>> {
        let mut here = *self;
        for wanted in path {
            let mut found = None;
            each_member(here.bytes, &mut |name, value| {
                let name: Option<String> = lenient::read(name).ok();
                if name.as_deref() == Some(*wanted) {
                    found = Some(value);
                }
                false
            })?;
            here.bytes = found?;
        }
        Some(here)
    }

    /// Reads the few fields that the connector itself needs. A value that cannot be read is null, and costs no other.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        lenient::read(self.bytes).map_err(other_shape)
    }

    /// The same for a type that borrows from the page, such as one with a `&RawValue`, which keeps a field as written.
    pub fn read_borrowed<T: Deserialize<'a>>(&self) -> Result<T> {
        lenient::read_borrowed(self.bytes).map_err(other_shape)
    }
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` wants
fn other_shape(error: serde_json::Error) -> Error {
    Error::transient("sdk.record", format!("a record has another shape: {error}"))
}

/// Records as JSON lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    data: Vec<u8>,
    count: u32,
}

/// A place to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub bytes: usize,
    pub count: u32,
}

impl Rows {
    /// A record as it is, without its line breaks.
    pub fn push_raw(&mut self, row: &Row<'_>) {
        if row.broken {
            compact_into(row.bytes, &mut self.data);
        } else {
            self.data.extend_from_slice(row.bytes);
        }
        self.data.push(b'\n');
        self.count += 1;
    }

    pub fn push<T: Serialize>(&mut self, record: &T) -> Result<()> {
        let start = self.data.len();
        if let Err(error) = serde_json::to_writer(&mut self.data, record) {
            self.data.truncate(start);
            return Err(Error::permanent("sdk.record", error.to_string()));
        }
        self.data.push(b'\n');
        self.count += 1;
        Ok(())
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    pub fn into_chunk(self) -> Chunk {
        Chunk {
            count: self.count,
            data: self.data,
        }
    }

    /// A record that is JSON on one line.
    pub(crate) fn push_line(&mut self, line: &[u8]) {
        self.data.extend_from_slice(line);
        self.data.push(b'\n');
        self.count += 1;
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.data.split_inclusive(|byte| *byte == b'\n');
        lines.map(|line| &line[..line.len() - 1])
    }

    /// What was added after the first so many bytes; none when there are less.
    pub(crate) fn after(&self, bytes: usize) -> Option<&[u8]> {
        self.data.get(bytes..)
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            bytes: self.data.len(),
            count: self.count,
        }
    }

    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.data.truncate(mark.bytes);
        self.count = mark.count;
    }
}

/// Copies JSON without the white space between its tokens.
pub(crate) fn compact_into(json: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < json.len() {
        match json[at] {
            b'"' => {
                let end = string_end(json, at + 1).unwrap_or(json.len());
                out.extend_from_slice(&json[at..end]);
                at = end;
            }
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
}

/// Calls `look` with each member of an object, the name in its quotes and the value as written, until it says that this
/// is enough. None when the text is not an object.
pub(crate) fn each_member<'a>(
    object: &'a [u8],
    look: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool,
) -> Option<()> {
    let mut scan = Scan {
        body: object,
        at: 0,
        arrays: 0,
    };
    scan.one_of(b"{")?;
    if scan.peek()? == b'}' {
        return Some(());
    }
    loop {
        let name = scan.string()?;
        scan.one_of(b":")?;
        scan.peek()?;
        let start = scan.at;
        scan.value()?;
        let value = &object[start..scan.at];
        let next = scan.one_of(b",}")?;
        if look(name, value) || next == b'}' {
            return Some(());
        }
    }
}

/// A reader that moves over JSON; `None` from any method means that the document is broken at `at`.
struct Scan<'a> {
    body: &'a [u8],
    at: usize,
    /// How often the wanted array was met; a document that holds it twice is no answer either.
    arrays: u32,
}

impl<'a> Scan<'a> {
    fn page(&mut self, path: &[&str], page: &mut Page<'a>) -> Option<()> {
        let Some((key, deeper)) = path.split_first() else {
            return self.rows(page);
        };
        if self.peek()? != b'{' {
            return self.keep(page);
        }
        page.envelope.push(b'{');
        self.at += 1;
        if self.peek()? == b'}' {
            page.envelope.push(b'}');
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.string()?;
            page.envelope.extend_from_slice(name);
            page.envelope.push(self.one_of(b":")?);
            if name[1..name.len() - 1] == *key.as_bytes() {
                self.page(deeper, page)?;
            } else {
                self.keep(page)?;
            }
            let next = self.one_of(b",}")?;
            page.envelope.push(next);
            if next == b'}' {
                return Some(());
            }
        }
    }

    fn rows(&mut self, page: &mut Page<'a>) -> Option<()> {
        if self.peek()? != b'[' {
            return self.keep(page);
        }
        page.envelope.extend_from_slice(b"[]");
        self.arrays += 1;
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.peek()?;
            let start = self.at;
            let broken = self.value()?;
            page.rows.push(Row {
                bytes: &self.body[start..self.at],
                broken,
            });
            if self.one_of(b",]")? == b']' {
                return Some(());
            }
        }
    }

    fn keep(&mut self, page: &mut Page<'a>) -> Option<()> {
        self.peek()?;
        let start = self.at;
        self.value()?;
        page.envelope.extend_from_slice(&self.body[start..self.at]);
        Some(())
    }

    /// Skips one value; true when a line break stands between its tokens.
    fn value(&mut self) -> Option<bool> {
        match self.body.get(self.at)? {
            b'{' | b'[' => self.nested(),
            b'"' => {
                self.at = string_end(self.body, self.at + 1)?;
                Some(false)
            }
            // `NaN` and `Infinity` are the hub's to leave out.
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b'N' | b'I' => {
                let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                let rest = &self.body[self.at..];
                self.at += rest.iter().take_while(|byte| word(byte)).count();
                Some(false)
            }
            _ => None,
        }
    }

    fn nested(&mut self) -> Option<bool> {
        let body = self.body;
        let (mut at, mut depth, mut broken) = (self.at, 0_usize, false);
        loop {
            let Some(byte) = body.get(at) else {
                self.at = at;
                return None;
            };
            at += 1;
            match CLASS[*byte as usize] {
                ORDINARY => {}
                QUOTE => match string_end(body, at) {
                    Some(end) => at = end,
                    None => {
                        self.at = body.len();
                        return None;
                    }
                },
                OPEN => depth += 1,
                CLOSE => {
                    depth -= 1;
                    if depth == 0 {
                        self.at = at;
                        return Some(broken);
                    }
                }
                LINE => broken = true,
                _ => {
                    self.at = at;
                    return None;
                }
            }
        }
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at;
        self.at = string_end(self.body, start + 1)?;
        Some(&self.body[start..self.at])
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek()?;
        if !wanted.contains(&byte) {
            return None;
        }
        self.at += 1;
        Some(byte)
    }

    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.body.get(self.at)? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    fn rest_is_blank(&mut self) -> bool {
        self.peek().is_none()
    }
}

const ORDINARY: u8 = 0;
const QUOTE: u8 = 1;
const OPEN: u8 = 2;
const CLOSE: u8 = 3;
const LINE: u8 = 4;
const NEVER: u8 = 5;

/// What a byte means outside a string.
static CLASS: [u8; 256] = {
    let mut class = [ORDINARY; 256];
    let mut control = 0;
    while control < 0x20 {
        class[control] = NEVER;
        control += 1;
    }
    class[b'\t' as usize] = ORDINARY;
    class[b'\n' as usize] = LINE;
    class[b'\r' as usize] = LINE;
    class[b'"' as usize] = QUOTE;
    class[b'{' as usize] = OPEN;
    class[b'[' as usize] = OPEN;
    class[b'}' as usize] = CLOSE;
    class[b']' as usize] = CLOSE;
    class
};

/// Behind the closing quote of a string whose content begins at `at`. Eight bytes at a time: a byte is equal to a wanted
/// one where the exclusive or is zero, and `(x - 1) & !x` has its high bit set in the lowest zero byte. A raw control
/// character inside a string is no JSON, and a line break there would split the line, so it ends the scan.
pub(crate) fn string_end(body: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const SLASHES: u64 = ONES * b'\\' as u64;
    const CONTROL: u64 = ONES * 0x20;
    loop {
        while let Some(eight) = body.get(at..at + 8) {
            let word = u64::from_le_bytes(eight.try_into().ok()?);
            let (quote, slash) = (word ^ QUOTES, word ^ SLASHES);
            let found = (quote.wrapping_sub(ONES) & !quote)
                | (slash.wrapping_sub(ONES) & !slash)
                | (word.wrapping_sub(CONTROL) & !word);
            let found = found & HIGH;
            if found != 0 {
                at += (found.trailing_zeros() / 8) as usize;
                break;
            }
            at += 8;
        }
        match body.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if *body.get(at + 1)? >= 0x20 => at += 2,
            0..0x20 | b'\\' => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn texts(body: &str, path: &[&str]) -> Vec<String> {
        let mut rows = Rows::default();
        cut(body.as_bytes(), path)
            .expect("whole")
            .append_to(&mut rows);
        let text = String::from_utf8(rows.data).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn records_come_out_as_they_were_written_and_the_rest_is_the_envelope() {
        let body = r#"{"total": 2, "results":[{"a":"x]},\"{","b":[1,{}]},{"a":1e5, "b":null}],"paging":{"next":{"after":"7"}}}"#;
        assert_eq!(
            texts(body, &["results"]),
            [r#"{"a":"x]},\"{","b":[1,{}]}"#, r#"{"a":1e5, "b":null}"#]
        );
        let envelope: Value = cut(body.as_bytes(), &["results"])
            .and_then(|page| page.envelope())
            .expect("reads");
        assert_eq!(
            envelope,
            json!({"total": 2, "results": [], "paging": {"next": {"after": "7"}}})
        );
    }

    #[test]
    fn a_pretty_printed_record_becomes_one_line() {
        let body = "[\r\n  {\n    \"a\": \"b \\\"  c\",\n\t\"d\": [ 1,\n 2 ]\n  }\n]\n";
        assert_eq!(texts(body, &[]), [r#"{"a":"b \"  c","d":[1,2]}"#]);
    }

    #[test]
    fn a_nested_path_leads_to_the_array() {
        let body = r#"{"data":{"x":1,"items":[{"n":1}]},"items":[{"n":2}]}"#;
        assert_eq!(texts(body, &["data", "items"]), [r#"{"n":1}"#]);
        assert!(texts(r#"{"items": [ ]}"#, &["items"]).is_empty());
    }

    #[test]
    fn a_page_cut_short_anywhere_is_an_error() {
        let body = r#"{"results":[{"a":"\u00e9\\"},{"b":[true,-1.5]}],"more":false}"#.as_bytes();
        assert!(cut(body, &["results"]).is_ok());
        for end in 0..body.len() {
            assert!(cut(&body[..end], &["results"]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        let line_in_string = "{\"results\":[{\"a\":\"x\ny\"}]}";
        for body in [
            "<html>",
            "{\"results\":[}]}",
            "{} {}",
            "[1]",
            line_in_string,
            "{\"a\" 1}",
            "{\"results\":null}",
            "{\"result\":[]}",
            "{\"results\":[{\"a\":\"x\\\ny\"}]}",
            "{\"results\":[1 2]}",
            "{\"results\":[],\"results\":[{}]}",
        ] {
            assert!(cut(body.as_bytes(), &["results"]).is_err(), "{body}");
        }
    }

    #[test]
    fn any_document_is_cut_as_a_parser_would_cut_it() {
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..2_000 {
            let rows: Vec<Value> = (0..random(5)).map(|_| value(&mut random, 4)).collect();
            let page =
                json!({"before": value(&mut random, 3), "rows": rows, "z": value(&mut random, 2)});
            let pretty = serde_json::to_string_pretty(&page).expect("text");
            for body in [page.to_string(), pretty] {
                let lines = texts(&body, &["rows"]);
                let parsed: Vec<Value> = lines
                    .iter()
                    .map(|line| serde_json::from_str(line).expect("a line is one document"))
                    .collect();
                assert_eq!(parsed, rows, "{body}");
            }
        }
    }

    fn value(random: &mut impl FnMut(u64) -> u64, depth: u32) -> Value {
        let pieces = [
            "",
            "\"",
            "\\",
            "\n",
            "é",
            "0123456789",
            "]}",
            "{[",
            "\u{7f}",
        ];
        let mut text = || -> String {
            (0..random(6))
                .map(|_| pieces[random(pieces.len() as u64) as usize])
                .collect()
        };
        let (key, word) = (text(), text());
        match random(if depth == 0 { 4 } else { 6 }) {
            0 => Value::Null,
            1 => json!(random(2) == 0),
            2 => json!(random(1_000) as f64 - 500.5),
            3 => json!(word),
            4 => (0..random(4)).map(|_| value(random, depth - 1)).collect(),
            _ => json!({ key: value(random, depth - 1), "k": word }),
        }
    }
}
