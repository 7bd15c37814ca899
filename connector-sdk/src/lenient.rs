//! Reading a vendor's JSON although some value in it cannot be read: half of a surrogate pair, `NaN`, a number that no
//! program holds, or what is nested too deeply. One such value must not cost the others. What is passed on to the hub stays
//! as the vendor wrote it.

use crate::records::{each_member, string_end};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, IntoDeserializer, MapAccess};
use serde::{Deserialize, de};
use serde_json::Error;

/// What is nested more deeply than this is not read.
const DEEPEST: usize = 100;

/// As `serde_json::from_slice`; where that fails, values that cannot be read are null, and half a pair is U+FFFD.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).or_else(|error| {
        let mended = mended(json);
        match mended.as_bytes() == json {
            true => Err(error),
            false => serde_json::from_str(&mended),
        }
    })
}

/// The same for a type that borrows, and of an object: fields that cannot be read are left out.
pub(crate) fn read_borrowed<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(json).or_else(|error| {
        let mut fields: Vec<(String, &[u8])> = Vec::new();
        let is_object = each_member(json, &mut |name, value| {
            let name: Result<String, Error> = read(name);
            if let (Ok(name), true) = (name, is_value(value)) {
                fields.retain(|(known, _)| *known != name);
                fields.push((name, value));
            }
            false
        });
        let fields = Fields {
            rest: fields.into_iter(),
            value: b"null",
        };
        match is_object {
            Some(()) => T::deserialize(MapAccessDeserializer::new(fields)),
            None => Err(error),
        }
    })
}

fn is_value(json: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(json).is_ok() && !is_no_value(json)
}

/// What some programs write where there is no number, and numbers that none reads.
fn is_no_value(word: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(word) else {
        return false;
    };
    let is_number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match word {
        "NaN" | "Infinity" | "-Infinity" => true,
        _ => is_number && word.parse().is_ok_and(f64::is_infinite),
    }
}

/// The members of an object, each read from where it stands.
struct Fields<'a> {
    rest: std::vec::IntoIter<(String, &'a [u8])>,
    value: &'a [u8],
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = value;
        let name: de::value::StringDeserializer<Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut serde_json::Deserializer::from_slice(self.value))
    }
}

fn mended(json: &[u8]) -> String {
    let mut out = Vec::with_capacity(json.len());
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = json.get(at) {
        let is_too_deep = matches!(byte, b'{' | b'[') && depth == DEEPEST;
        let end = match byte {
            b'"' => string_end(json, at + 1).unwrap_or(json.len()),
            _ if is_too_deep => nested_end(json, at),
            _ => word_end(json, at).max(at + 1),
        };
        let token = &json[at..end];
        match byte {
            b'"' => push_string(&mut out, token),
            _ if is_too_deep || is_no_value(token) => out.extend_from_slice(b"null"),
            _ => out.extend_from_slice(token),
        }
        match byte {
            b'{' | b'[' if !is_too_deep => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn word_end(json: &[u8], at: usize) -> usize {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(*byte);
    at + json[at..].iter().take_while(is_part).count()
}

fn nested_end(json: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = string_end(json, at + 1).unwrap_or(json.len()) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    json.len()
}

/// A string, with U+FFFD for each half of a surrogate pair.
fn push_string(out: &mut Vec<u8>, string: &[u8]) {
    let mut rest = string;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => 0,
            // The escaped character cannot begin an escape itself.
            _ => escape.len().min(2),
        };
        if length == 0 {
            out.extend_from_slice(b"\\ufffd");
            rest = &escape[6..];
        } else {
            out.extend_from_slice(&escape[..length]);
            rest = &escape[length..];
        }
    }
    out.extend_from_slice(rest);
}

/// The code unit of a `\uXXXX` at the beginning.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Rows, cut};
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
        deleted: Option<bool>,
    }

    // I17
    #[test]
    fn a_value_that_cannot_be_read_costs_no_other_record() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let objects = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        let bad = [
            r#""\ud83d""#,
            r#""x\udc00""#,
            "1e400",
            "-1E+999",
            "NaN",
            "Infinity",
            "-Infinity",
            &deep,
            &objects,
        ];
        for bad in bad {
            let row = format!(r#"{{"id":2,"bad":{bad},"deleted":true}}"#);
            let (one, three) = (r#"{"id":1}"#, r#"{"id":3,"name":"NaN"}"#);
            let pages = [
                vec![&*row, one, three],
                vec![one, &row, three],
                vec![one, three, &row],
                vec![&*row],
                vec![bad, &row],
            ];
            for rows in pages {
                let body = format!(r#"{{"rows":[{}],"more":{bad},"next":"7"}}"#, rows.join(","));
                let page = cut(body.as_bytes(), &["rows"]).expect("whole");
                let envelope: Value = page.envelope().expect("reads");
                assert_eq!(envelope["next"], "7", "{bad}");
                let mut lines = Rows::default();
                page.append_to(&mut lines);
                let lines = lines.into_chunk();
                let lines: Vec<&[u8]> = lines.lines().collect();
                let wanted: Vec<&[u8]> = rows.iter().map(|row| row.as_bytes()).collect();
                assert_eq!(lines, wanted);
                let place = rows.iter().position(|one| *one == row).expect("is there");
                let head: Head<'_> = page.rows[place].read_borrowed().expect("reads");
                assert_eq!((head.id.get(), head.deleted), ("2", Some(true)), "{bad}");
                let whole: Value = page.rows[place].read().expect("reads");
                assert_eq!((&whole["id"], &whole["deleted"]), (&json!(2), &json!(true)));
            }
        }
    }

    #[test]
    fn only_what_cannot_be_read_is_mended() {
        let text = |json: &str| mended(json.as_bytes());
        for ordinary in [
            r#"{"a":[1e308,-0.0,"\ud83d\ude00\\ud83d \"NaN\""],"b":null}"#,
            "",
            "<html>",
            "\"x",
            "{\"a\":\"\\",
        ] {
            assert_eq!(text(ordinary), ordinary);
        }
        assert_eq!(
            text(r#"[NaN,{"Infinity":-Infinity},"NaN"]"#),
            r#"[null,{"Infinity":null},"NaN"]"#
        );
        assert_eq!(text(r#""\ud83dx\ude00""#), r#""\ufffdx\ufffd""#);
        assert!(
            read::<Value>(b"{\"a\":nan}").is_err()
                && read_borrowed::<Value>(b"{\"a\":nan").is_err()
        );
        let twice: Head<'_> = read_borrowed(br#"{"id":1,"bad":NaN,"id":2}"#).expect("reads");
        assert_eq!(twice.id.get(), "2");
    }
}
