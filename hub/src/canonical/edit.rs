//! Edits of one record's line, as an operator corrects it. What is not edited stays as the vendor wrote it, byte for byte.

use serde::de::IgnoredAny;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// JSON is read up to 128 levels.
const NAMES: usize = 128;

/// One field to set, or to take out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Names and positions from the outside in.
    pub path: Vec<String>,
    /// The new value as it was typed; none takes the field out.
    pub value: Option<String>,
}

impl Edit {
    /// A path with dots, or with slashes when it begins with one: `properties.birthday`, `/properties/b.day`.
    pub fn path(text: &str) -> Vec<String> {
        match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(str::to_owned).collect(),
            None => text.split('.').map(str::to_owned).collect(),
        }
    }
}

/// The line with these edits. Says why an edit cannot be made.
pub fn edited(line: &str, edits: &[Edit]) -> Result<String, String> {
    let mut whole: Box<RawValue> = serde_json::from_str(line)
        .map_err(|error| format!("the record cannot be read, column {}", error.column()))?;
    for edit in edits {
        if edit.path.len() > NAMES {
            return Err(format!("a path has at most {NAMES} names"));
        }
        whole = at(Some(&whole), &edit.path, edit, 0)?.unwrap_or(whole);
    }
    Ok(whole.get().to_owned())
}

/// The value at `depth` of the path with the edit made; none when it is taken out.
fn at(
    old: Option<&RawValue>,
    rest: &[String],
    edit: &Edit,
    depth: usize,
) -> Result<Option<Box<RawValue>>, String> {
    let Some((name, deeper)) = rest.split_first() else {
        return Ok(edit.value.as_deref().map(|typed| value(old, typed)));
    };
    let here = || match edit.path[..depth].join(".") {
        path if path.is_empty() => "the record".to_owned(),
        path => format!("`{path}`"),
    };
    let raw = old.map_or("{}", RawValue::get);
    if raw.starts_with('[') {
        let mut items: Vec<Box<RawValue>> =
            serde_json::from_str(raw).map_err(|_| format!("{} cannot be read", here()))?;
        let position = name.parse::<usize>().ok().filter(|at| *at < items.len());
        let Some(position) = position else {
            let message = format!(
                "{} is a list of {}; `{name}` is none of its positions, which start at 0",
                here(),
                items.len()
            );
            return Err(message);
        };
        match at(Some(&items[position]), deeper, edit, depth + 1)? {
            Some(new) => items[position] = new,
            None => drop(items.remove(position)),
        }
        return raw_of(&items).map(Some);
    }
    if !raw.starts_with('{') && raw != "null" {
        return Err(format!(
            "{} is neither an object nor a list, and has no `{name}`",
            here()
        ));
    }
    let raw = if raw == "null" { "{}" } else { raw };
    let mut fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(raw).map_err(|_| format!("{} cannot be read", here()))?;
    let old = fields.get(name).map(|one| &**one);
    if old.is_none() && edit.value.is_none() {
        return Err(format!("{} has no `{name}`", here()));
    }
    match at(old, deeper, edit, depth + 1)? {
        Some(new) => drop(fields.insert(name.clone(), new)),
        None => drop(fields.remove(name)),
    }
    raw_of(&fields).map(Some)
}

/// JSON as it was typed, or the text that was typed: always where the field is a text now and what was typed would make a
/// number or a truth value of it.
fn value(old: Option<&RawValue>, typed: &str) -> Box<RawValue> {
    let is_text = old.is_some_and(|old| old.get().starts_with('"'));
    let stays_text = is_text && !typed.starts_with(['"', '{', '[']) && typed != "null";
    let is_json = !stays_text && serde_json::from_str::<IgnoredAny>(typed).is_ok();
    let raw = is_json.then(|| RawValue::from_string(typed.to_owned()).ok());
    raw.flatten()
        .unwrap_or_else(|| to_raw_value(typed).expect("a text is JSON"))
}

fn raw_of(value: &impl serde::Serialize) -> Result<Box<RawValue>, String> {
    to_raw_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;

    fn set(path: &str, value: &str) -> Edit {
        Edit {
            path: Edit::path(path),
            value: Some(value.to_owned()),
        }
    }

    fn out(path: &str) -> Edit {
        Edit {
            path: Edit::path(path),
            value: None,
        }
    }

    #[test]
    fn an_edit_changes_its_field_and_nothing_else() {
        let line = r#"{"id":7,"big":12345678901234567890123.10,"half":"\ud83d","p":{"zip":"00123","when":null,"n":1},"l":[{"a":1},{"a":2}]}"#;
        let made = |edits: &[Edit]| edited(line, edits).unwrap();
        let kept = r#""big":12345678901234567890123.10,"half":"\ud83d""#;
        let text = made(&[set("p.zip", "00124")]);
        assert!(text.contains(kept), "{text}");
        assert!(text.contains(r#""zip":"00124""#), "{text}");
        // A text stays one, unless another kind of value is written as such.
        assert!(made(&[set("p.zip", "12")]).contains(r#""zip":"12""#));
        assert!(made(&[set("p.zip", "null")]).contains(r#""zip":null"#));
        assert!(made(&[set("p.n", "12")]).contains(r#""n":12"#));
        assert!(made(&[set("p.n", "12a")]).contains(r#""n":"12a""#));
        assert!(made(&[set("p.when", "2026-01-01")]).contains(r#""when":"2026-01-01""#));
        assert!(made(&[set("l.1.a", "3")]).contains(r#""l":[{"a":1},{"a":3}]"#));
        assert!(made(&[out("l.0")]).contains(r#""l":[{"a":2}]"#));
        assert!(made(&[set("/p/a.b", "x")]).contains(r#""a.b":"x""#));
        assert!(made(&[set("new.deep", "true")]).contains(r#""new":{"deep":true}"#));
        assert!(!made(&[out("half")]).contains("half"));
    }

    #[test]
    fn an_edit_that_cannot_be_made_says_why() {
        let line = r#"{"id":7,"l":[1]}"#;
        let said = |edit: Edit| edited(line, &[edit]).unwrap_err();
        let seen = [
            said(out("nothing")),
            said(out("p.nothing")),
            said(set("id.x", "1")),
            said(set("l.1", "1")),
            said(set("l.x", "1")),
            edited("{\"id\":", &[set("id", "1")]).unwrap_err(),
        ];
        assert_eq!(
            seen,
            [
                "the record has no `nothing`",
                "the record has no `p`",
                "`id` is neither an object nor a list, and has no `x`",
                "`l` is a list of 1; `1` is none of its positions, which start at 0",
                "`l` is a list of 1; `x` is none of its positions, which start at 0",
                "the record cannot be read, column 6",
            ]
        );
    }
}
