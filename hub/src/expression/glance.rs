//! Reads one top-level field of a record's JSON without parsing the rest. Used for keys, which every record needs.

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// The field's text, or its integer as text. None when it is anything else or the JSON is not a well-formed object;
/// then the long way says why.
pub(super) fn top_level(json: &[u8], name: &str) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = reader.deserialize_map(Seek { name }).ok()?;
    reader.end().ok()?;
    found
}

struct Seek<'n> {
    name: &'n str,
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(IsName(self.name))? {
            // The last of equal names counts, as in the whole record.
            match is_it {
                true => found = Some(map.next_value::<&serde_json::value::RawValue>()?.get()),
                false => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found.and_then(plain))
    }
}

fn plain(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        b'"' if !raw.contains('\\') => Some(raw[1..raw.len() - 1].to_owned()),
        b'"' => serde_json::from_str(raw).ok(),
        // A number that the long way takes for -0.0.
        b'-' if raw == "-0" => None,
        b'0'..=b'9' | b'-' => raw.parse::<i64>().ok().map(|number| number.to_string()),
        _ => None,
    }
    .filter(|text| !text.trim().is_empty())
}

/// Compares a key in place.
struct IsName<'n>(&'n str);

impl<'de> serde::de::DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        Ok(text == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::top_level;

    #[test]
    fn texts_and_integers_are_read_and_everything_else_is_left_to_the_long_way() {
        let cases: [(&[u8], Option<&str>); 10] = [
            (br#"{"id":-0}"#, None),
            (br#"{"a":{"id":"no"},"id":"x1"}"#, Some("x1")),
            (br#"{"id":42}"#, Some("42")),
            (br#"{"id":"a\u00e9"}"#, Some("aé")),
            (br#"{"id":"first","id":"last"}"#, Some("last")),
            (br#"{"id":1.5}"#, None),
            (br#"{"id":null}"#, None),
            (br#"{"id":" "}"#, None),
            (br#"{"id":"x"} trailing"#, None),
            (br#"[1]"#, None),
        ];
        for (json, expected) in cases {
            assert_eq!(
                top_level(json, "id").as_deref(),
                expected,
                "{}",
                String::from_utf8_lossy(json)
            );
        }
    }
}
