//! JSON whose texts stay as they were written: numbers keep their spelling, members their order. For comparing what a
//! vendor sent with what a connector gave.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object's members in order; values as text without blanks around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, value.get().to_owned()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Members {
    /// None when the text is not an object.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The value under a name, or under names with dots between them.
    pub fn get(&self, path: &str) -> Option<String> {
        let whole = self.0.iter().find(|(name, _)| name == path);
        if let Some((_, value)) = whole {
            return Some(value.clone());
        }
        let (first, rest) = path.split_once('.')?;
        let (_, inner) = self.0.iter().find(|(name, _)| name == first)?;
        Self::parse(inner)?.get(rest)
    }

    /// The values of several names as one text; none when one is missing or null.
    pub fn key(&self, names: &[String]) -> Option<String> {
        let mut key = String::new();
        for name in names {
            let value = self.get(name).filter(|value| value != "null")?;
            key.push_str(&compact(&value));
            key.push('\u{1f}');
        }
        Some(key)
    }
}

fn items(text: &str) -> Vec<String> {
    let items: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap_or_default();
    items.iter().map(|item| item.get().to_owned()).collect()
}

/// The same JSON without blanks between its parts.
pub fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => {}
            '"' => {
                out.push(c);
                while let Some(c) = chars.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// Calls `found` with every object anywhere in a JSON text.
pub fn each_object(text: &str, found: &mut dyn FnMut(&Members)) {
    match text.as_bytes().first() {
        Some(b'{') => {
            let Some(members) = Members::parse(text) else {
                return;
            };
            found(&members);
            for (_, value) in &members.0 {
                each_object(value, found);
            }
        }
        Some(b'[') => items(text).iter().for_each(|item| each_object(item, found)),
        _ => {}
    }
}

/// Calls `found` with every object in a list, at any depth.
pub fn each_row(text: &str, found: &mut dyn FnMut(&Members)) {
    match text.as_bytes().first() {
        Some(b'{') => {
            let members = Members::parse(text).map_or_else(Vec::new, |members| members.0);
            members.iter().for_each(|(_, value)| each_row(value, found));
        }
        Some(b'[') => {
            for item in items(text) {
                if let Some(members) = Members::parse(&item) {
                    found(&members);
                }
                each_row(&item, found);
            }
        }
        _ => {}
    }
}

/// The text with one more member in every object that is in a list and that `wants` it.
pub fn with_member(text: &str, member: &str, wants: &dyn Fn(&Members) -> bool) -> String {
    fn walk(
        text: &str,
        member: &str,
        wants: &dyn Fn(&Members) -> bool,
        in_list: bool,
        out: &mut String,
    ) {
        match (text.as_bytes().first(), Members::parse(text)) {
            (Some(b'{'), Some(members)) => {
                out.push('{');
                for (index, (name, value)) in members.0.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                    out.push(':');
                    walk(value, member, wants, false, out);
                }
                if in_list && wants(&members) {
                    out.push(',');
                    out.push_str(member);
                }
                out.push('}');
            }
            (Some(b'['), _) => {
                out.push('[');
                for (index, item) in items(text).iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    walk(item, member, wants, true, out);
                }
                out.push(']');
            }
            _ => out.push_str(text),
        }
    }
    let mut out = String::with_capacity(text.len());
    walk(text.trim(), member, wants, false, &mut out);
    out
}

/// How many values a JSON text has, at any depth.
pub fn weight(text: &str) -> usize {
    match text.trim().as_bytes().first() {
        Some(b'{') => {
            let members = Members::parse(text).map_or_else(Vec::new, |members| members.0);
            1 + members
                .iter()
                .map(|(_, value)| weight(value))
                .sum::<usize>()
        }
        Some(b'[') => 1 + items(text).iter().map(|item| weight(item)).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_escapes_stay_as_they_were_written() {
        let members = Members::parse(r#"{"a": 1.10, "b": {"c": 1e2}, "d": "\u00e9"}"#).unwrap();
        assert_eq!(members.get("a").as_deref(), Some("1.10"));
        assert_eq!(members.get("b.c").as_deref(), Some("1e2"));
        assert_eq!(members.get("d").as_deref(), Some(r#""\u00e9""#));
        assert_eq!(
            compact("{ \"a b\" : [ 1 , \"\\\" \" ] }"),
            r#"{"a b":[1,"\" "]}"#
        );
    }

    #[test]
    fn the_rows_of_lists_are_found_and_what_surrounds_them_is_not() {
        let mut found = Vec::new();
        let text = r#"{"id":0,"rows":[{"id":1,"x":{"id":2,"y":[{"id":3}]}},4],"z":[]}"#;
        each_row(text, &mut |members| found.extend(members.get("id")));
        assert_eq!(found, ["1", "3"]);
    }

    #[test]
    fn a_member_is_added_to_the_rows_of_a_list_and_nothing_else_changes() {
        let text = r#"{"id":0,"rows":[{"id":1.0,"x":{"id":2}},{"other":3}],"next":null}"#;
        let out = with_member(text, r#""p":1"#, &|members| members.get("id").is_some());
        assert_eq!(
            out,
            r#"{"id":0,"rows":[{"id":1.0,"x":{"id":2},"p":1},{"other":3}],"next":null}"#
        );
        assert_eq!(weight(text), 10);
    }
}
