//! Where a value of a document is written.

use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The bytes of the value at a path of names and positions, or of its key `named` where that is given. The place of what holds it
/// where it cannot be found.
pub fn in_json(text: &str, path: &[String], named: Option<&str>) -> Range<usize> {
    let mut here = text.trim();
    for name in path {
        match member(here, name) {
            Some(below) => here = below,
            None => return range_of(text, here),
        }
    }
    let key = named.and_then(|name| {
        let value = range_of(text, member(here, name)?);
        let key = serde_json::to_string(name).ok()?;
        let start = text.get(..value.start)?.rfind(&key)?;
        Some(start..start + key.len())
    });
    key.unwrap_or_else(|| range_of(text, here))
}

fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    if let Ok(position) = name.parse::<usize>()
        && let Ok(list) = serde_json::from_str::<Vec<&'t RawValue>>(text)
    {
        return list.get(position).map(|value| value.get());
    }
    let members: BTreeMap<String, &'t RawValue> = serde_json::from_str(text).ok()?;
    members.get(name).map(|value| value.get())
}

/// `part` is a part of `text`.
fn range_of(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
}

/// The same of TOML.
pub fn in_toml(text: &str, path: &[String], named: Option<&str>) -> Range<usize> {
    let Ok(document) = DeTable::parse(text) else {
        return 0..0;
    };
    let mut span = 0..0;
    let mut here = DeValue::Table(document.into_inner());
    for name in path {
        let below = match here {
            DeValue::Table(table) => table
                .into_iter()
                .find(|(key, _)| key.get_ref() == name)
                .map(|(_, value)| value),
            DeValue::Array(list) => name
                .parse()
                .ok()
                .and_then(|position| list.into_iter().nth(position)),
            _ => None,
        };
        let Some(below) = below else {
            return span;
        };
        span = below.span();
        here = below.into_inner();
    }
    match (here, named) {
        (DeValue::Table(table), Some(name)) => {
            let key = table.keys().find(|key| key.get_ref() == name);
            key.map_or(span, |key| key.span())
        }
        _ => span,
    }
}
