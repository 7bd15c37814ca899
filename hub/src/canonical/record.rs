//! A vendor's line of JSON as a record, and its key. What cannot be read costs as little as possible (I17): half of a
//! surrogate pair, which vendors leave where they cut a text, a number that is none or that no program holds, and what is
//! nested too deeply cost the fields that read them; anything else the record.

use super::key_of;
use crate::manifest::Stream;
use crate::model::Value;
use crate::problem::{Place, Problem, codes};
use std::fmt::Write;

/// The field in which the collector says why a message that a client sent cannot be used.
pub const REFUSED: &str = "onefold:refused";

/// A record's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub value: Value,
    /// Dotted paths of texts and names that were damaged: U+FFFD stands where no character could be read.
    damaged: Vec<String>,
    /// Those of them where nothing could be read.
    unread: Vec<String>,
}

impl From<Value> for Record {
    fn from(value: Value) -> Self {
        Self {
            value,
            damaged: Vec::new(),
            unread: Vec::new(),
        }
    }
}

impl Record {
    /// The value at a dotted path, as mappings write it.
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.')
            .try_fold(&self.value, |here, name| here.get(name))
    }

    /// Whether one of these dotted paths points to a damaged text, or to something that holds one.
    pub(super) fn is_damaged(&self, paths: &[String]) -> bool {
        any_is_at(&self.damaged, paths)
    }

    /// The same of what could not be read at all, which is never a value.
    pub(super) fn is_unread(&self, paths: &[String]) -> bool {
        any_is_at(&self.unread, paths)
    }
}

fn any_is_at(places: &[String], paths: &[String]) -> bool {
    let is_below = |path: &str, above: &str| {
        let rest = path.strip_prefix(above);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    places.iter().any(|place| {
        let mut paths = paths.iter();
        paths.any(|path| is_below(path, place) || is_below(place, path))
    })
}

/// Reads one line. `key` is for the place of the problem, where it is known.
#[allow(
    clippy::result_large_err,
    reason = "a line that cannot be read is rare, and its problem is kept"
)]
pub fn read(
    stream: &Stream,
    source: &str,
    key: Option<&str>,
    line: &[u8],
) -> Result<Record, Problem> {
    let error = match serde_json::from_slice::<Value>(line) {
        Ok(value) => return Ok(value.into()),
        Err(error) => error,
    };
    if let Some(record) = repaired(line) {
        return Ok(record);
    }
    let message = format!(
        "the record cannot be read: {}, column {}",
        fault(&error),
        error.column()
    );
    Err(Problem::new(&codes::RECORD_NOT_JSON, message)
        .at(Place::Record {
            source: source.to_owned(),
            stream: Some(stream.name.to_string()),
            key: key.map(str::to_owned),
            field: None,
        })
        .hint("the connector made the line: report it to its author"))
}

/// The key of a line. Most keys are at the top of a record and found without building the rest of it.
#[allow(
    clippy::result_large_err,
    reason = "a record without a key is rare, and its problem is kept"
)]
pub fn key_of_line(stream: &Stream, source: &str, line: &[u8]) -> Result<String, Problem> {
    match stream.key.glance(line) {
        Some(key) => Ok(key),
        None => key_of(stream, source, &read(stream, source, None, line)?),
    }
}

/// The library's own words can quote the text.
fn fault(error: &serde_json::Error) -> &'static str {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "its JSON ends too early",
        _ => "it is not JSON, or holds a number or a depth that no program reads",
    }
}

/// What can be read of JSON, and whether it is damaged; none where it is nothing of the kind.
pub fn readable(text: &[u8]) -> Option<(Value, bool)> {
    match serde_json::from_slice(text) {
        Ok(value) => Some((value, false)),
        Err(_) => Some((repaired(text)?.value, true)),
    }
}

/// The record of a line that is JSON but for damaged characters.
fn repaired(line: &[u8]) -> Option<Record> {
    let value: Value = serde_json::from_str(&with_stand_in(line, '\u{fffd}')).ok()?;
    // Where a second stand-in makes a difference, there is one.
    let other: Value = serde_json::from_str(&with_stand_in(line, '\u{fffc}')).ok()?;
    let mut record = Record::from(Value::Null);
    compare(&value, &other, "", &mut record);
    record.value = value;
    Some(record)
}

fn compare(value: &Value, other: &Value, path: &str, found: &mut Record) {
    match (value, other) {
        (Value::Object(fields), Value::Object(others)) => {
            for (name, field) in fields {
                let below = match path {
                    "" => name.clone(),
                    _ => format!("{path}.{name}"),
                };
                match others.get(name) {
                    Some(other) => compare(field, other, &below, found),
                    None => found.damaged.push(below),
                }
            }
        }
        // Paths do not lead into lists.
        _ if value != other => {
            found.damaged.push(path.to_owned());
            if has_stand_in(value) {
                found.unread.push(path.to_owned());
            }
        }
        _ => {}
    }
}

/// Whether it is, or holds, a text of which nothing could be read.
fn has_stand_in(value: &Value) -> bool {
    match value {
        Value::String(text) => text == "\u{fffd}",
        Value::Array(items) => items.iter().any(has_stand_in),
        Value::Object(fields) => fields.values().any(has_stand_in),
        _ => false,
    }
}

/// What is nested more deeply than this is not read.
const DEEPEST: usize = 120;

/// The line with something in the place of each byte that is not UTF-8, of each half of a surrogate pair, and of each value
/// that cannot be read.
fn with_stand_in(line: &[u8], stand_in: char) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(stand_in);
        }
    }
    let mut whole = String::with_capacity(text.len());
    let (mut rest, mut depth) = (text.as_str(), 0_usize);
    while let Some(first) = rest.chars().next() {
        let is_too_deep = matches!(first, '{' | '[') && depth == DEEPEST;
        let length = match first {
            '"' => string_length(rest),
            _ if is_too_deep => nested_length(rest),
            _ => word_length(rest).max(first.len_utf8()),
        };
        let (token, after) = rest.split_at(length);
        match first {
            '"' => push_string(&mut whole, token, stand_in),
            _ if is_too_deep || is_no_value(token) => {
                let _ = write!(whole, "\"\\u{:04x}\"", u32::from(stand_in));
            }
            _ => whole.push_str(token),
        }
        match first {
            '{' | '[' if !is_too_deep => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        rest = after;
    }
    whole
}

/// The length of the string here, up to the end of the text where it does not end.
fn string_length(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            // The escaped character cannot end the string.
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
    text.len()
}

/// The length of the object or array here, with all that is in it.
fn nested_length(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at += string_length(&text[at..]) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the word or number here; 0 when there is neither.
fn word_length(text: &str) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    text.bytes().take_while(|byte| is_part(byte)).count()
}

/// What some programs write where there is no number, and numbers that none reads.
fn is_no_value(word: &str) -> bool {
    let is_number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match word {
        "NaN" | "Infinity" | "-Infinity" => true,
        _ => is_number && word.parse().is_ok_and(f64::is_infinite),
    }
}

/// A string, with the stand-in for each half of a surrogate pair.
fn push_string(whole: &mut String, string: &str, stand_in: char) {
    let mut rest = string;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        whole.push_str(before);
        let length = match unit(escape) {
            Some(0xd800..=0xdbff) => match unit(&escape[6..]) {
                Some(0xdc00..=0xdfff) => 12,
                _ => 0,
            },
            Some(0xdc00..=0xdfff) => 0,
            // The escaped character cannot begin an escape itself.
            _ => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        if length == 0 {
            let _ = write!(whole, "\\u{:04x}", u32::from(stand_in));
            rest = &escape[6..];
        } else {
            whole.push_str(&escape[..length]);
            rest = &escape[length..];
        }
    }
    whole.push_str(rest);
}

/// The code unit of a `\uXXXX` at the beginning.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::{Record, repaired};
    use serde_json::json;

    fn damaged(line: &[u8]) -> (serde_json::Value, Vec<String>) {
        let Record { value, damaged, .. } = repaired(line).expect("JSON");
        (value, damaged)
    }

    #[test]
    fn half_a_pair_is_replaced_and_known_by_its_path() {
        let cases: [(&[u8], serde_json::Value, &[&str]); 7] = [
            (
                br#"{"a":{"b":"x\ud83d"},"c":1}"#,
                json!({"a": {"b": "x\u{fffd}"}, "c": 1}),
                &["a.b"],
            ),
            (
                br#"{"a":"\uDE00y\ud83d\ud83d\ude00"}"#,
                json!({"a": "\u{fffd}y\u{fffd}\u{1f600}"}),
                &["a"],
            ),
            (
                br#"{"a":"\\ud83d","b":"\ud83d\n"}"#,
                json!({"a": "\\ud83d", "b": "\u{fffd}\n"}),
                &["b"],
            ),
            (
                br#"{"a":["ok",["\ud83d"]]}"#,
                json!({"a": ["ok", ["\u{fffd}"]]}),
                &["a"],
            ),
            (br#"{"x\ud83d":1}"#, json!({"x\u{fffd}": 1}), &["x\u{fffd}"]),
            (
                b"{\"a\":\"caf\xe9\",\"b\":\"\"}",
                json!({"a": "caf\u{fffd}", "b": ""}),
                &["a"],
            ),
            (
                "{\"a\":\"\u{fffd}\",\"b\":\"\\ud83d\"}".as_bytes(),
                json!({"a": "\u{fffd}", "b": "\u{fffd}"}),
                &["b"],
            ),
        ];
        for (line, value, paths) in cases {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(damaged(line), (value, paths));
        }
        for line in [
            &b"{\"a\":\xff}"[..],
            br#"{"a":"\ud83"}"#,
            br#"\ud83d"#,
            b"",
            br#"{"a":1e}"#,
            br#"{"a":nan}"#,
            br#"{"a":Nano}"#,
            br#"{"a":"x}"#,
            br#"{"a":NaN"#,
            b"{\"a\":\"\\",
        ] {
            assert_eq!(repaired(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_costs_its_field() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let objects = format!("{}7{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        let values = [
            "1e400",
            "-1E+999",
            "NaN",
            "Infinity",
            "-Infinity",
            &deep,
            &objects,
        ];
        for bad in values {
            let line = format!(r#"{{"id":1,"bad":{{"x":{bad},"y":"NaN 1e400"}},"after":true}}"#);
            let record = repaired(line.as_bytes()).expect("JSON");
            assert_eq!(record.damaged, record.unread);
            let Record { value, damaged, .. } = record;
            assert_eq!((&value["id"], &value["after"]), (&json!(1), &json!(true)));
            assert_eq!(value["bad"]["y"], "NaN 1e400");
            assert!(damaged[0].starts_with("bad.x"), "{bad}: {damaged:?}");
            assert_eq!(damaged.len(), 1, "{bad}");
            for list in [format!("[{bad}]"), format!("[1,{bad}]"), bad.to_owned()] {
                let line = format!(r#"{{"id":1,"list":{list}}}"#);
                let Record { damaged, .. } = repaired(line.as_bytes()).expect("JSON");
                assert!(damaged[0].starts_with("list"), "{list}: {damaged:?}");
            }
        }
        let ordinary = br#"{"a":[1e308,-0.0,1E-400,"\u0000"],"b":{"c":[null,true,false]}}"#;
        assert!(damaged_none(ordinary));
    }

    fn damaged_none(line: &[u8]) -> bool {
        let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        damaged(line) == (value, Vec::new())
    }

    #[test]
    fn a_path_is_damaged_when_it_leads_to_damage_or_holds_it() {
        let record = repaired(br#"{"a":{"b":"\ud83d"},"ab":1}"#).expect("JSON");
        for (path, is_damaged) in [
            ("a", true),
            ("a.b", true),
            ("a.b.c", true),
            ("a.c", false),
            ("ab", false),
        ] {
            assert_eq!(record.is_damaged(&[path.to_owned()]), is_damaged, "{path}");
        }
    }
}
