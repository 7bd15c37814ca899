//! JSON whose texts stay as they were written: numbers keep their spelling, members their order. For comparing what a
//! vendor sent with what a connector gave.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Levels of lists and objects that are looked into. Texts are only divided, which has no limit of its own, and a vendor decides how
/// deep they are.
const DEEPEST: usize = 128;

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

/// Calls `found` with every object anywhere in a JSON text, down to `DEEPEST` levels.
pub fn each_object(text: &str, found: &mut dyn FnMut(&Members)) {
    fn walk(text: &str, left: usize, found: &mut dyn FnMut(&Members)) {
        match text.as_bytes().first() {
            Some(b'{') if left > 0 => {
                let Some(members) = Members::parse(text) else {
                    return;
                };
                found(&members);
                for (_, value) in &members.0 {
                    walk(value, left - 1, found);
                }
            }
            Some(b'[') if left > 0 => {
                let items = items(text);
                items.iter().for_each(|item| walk(item, left - 1, found));
            }
            _ => {}
        }
    }
    walk(text, DEEPEST, found);
}

/// Calls `found` with every object in a list, down to `DEEPEST` levels.
pub fn each_row(text: &str, found: &mut dyn FnMut(&Members)) {
    fn walk(text: &str, left: usize, found: &mut dyn FnMut(&Members)) {
        match text.as_bytes().first() {
            Some(b'{') if left > 0 => {
                let members = Members::parse(text).map_or_else(Vec::new, |members| members.0);
                for (_, value) in &members {
                    walk(value, left - 1, found);
                }
            }
            Some(b'[') if left > 0 => {
                for item in items(text) {
                    if let Some(members) = Members::parse(&item) {
                        found(&members);
                    }
                    walk(&item, left - 1, found);
                }
            }
            _ => {}
        }
    }
    walk(text, DEEPEST, found);
}

/// The text with one more member in every object that is in a list and that `wants` it, down to `DEEPEST` levels.
pub fn with_member(text: &str, member: &str, wants: &dyn Fn(&Members) -> bool) -> String {
    let mut adding = Adding {
        member,
        wants,
        out: String::with_capacity(text.len()),
    };
    adding.walk(text.trim(), false, DEEPEST);
    adding.out
}

struct Adding<'a> {
    member: &'a str,
    wants: &'a dyn Fn(&Members) -> bool,
    out: String,
}

impl Adding<'_> {
    fn walk(&mut self, text: &str, in_list: bool, left: usize) {
        if left == 0 {
            return self.out.push_str(text);
        }
        match (text.as_bytes().first(), Members::parse(text)) {
            (Some(b'{'), Some(members)) => {
                self.out.push('{');
                for (index, (name, value)) in members.0.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    let name = serde_json::Value::from(name.as_str()).to_string();
                    self.out.push_str(&name);
                    self.out.push(':');
                    self.walk(value, false, left - 1);
                }
                if in_list && (self.wants)(&members) {
                    self.out.push(',');
                    self.out.push_str(self.member);
                }
                self.out.push('}');
            }
            (Some(b'['), _) => {
                self.out.push('[');
                for (index, item) in items(text).iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.walk(item, true, left - 1);
                }
                self.out.push(']');
            }
            _ => self.out.push_str(text),
        }
    }
}

/// How many values a JSON text has, down to `DEEPEST` levels.
pub fn weight(text: &str) -> usize {
    fn walk(text: &str, left: usize) -> usize {
        match text.trim().as_bytes().first() {
            Some(b'{') if left > 0 => {
                let members = Members::parse(text).map_or_else(Vec::new, |members| members.0);
                let inside = members.iter().map(|(_, value)| walk(value, left - 1));
                1 + inside.sum::<usize>()
            }
            Some(b'[') if left > 0 => {
                let items = items(text);
                1 + items.iter().map(|item| walk(item, left - 1)).sum::<usize>()
            }
            _ => 1,
        }
    }
    walk(text, DEEPEST)
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

    #[test]
    fn what_nests_without_end_is_left_as_it_is() {
        let list = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let object = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        for text in [list, object] {
            let mut seen = 0;
            each_object(&text, &mut |_| seen += 1);
            each_row(&text, &mut |_| seen += 1);
            assert!(seen <= DEEPEST);
            assert_eq!(with_member(&text, "\"b\":1", &|_| true), text);
            assert!(weight(&text) <= DEEPEST + 1);
        }
    }
}
