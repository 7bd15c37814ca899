//! What a record's name says of who is who: that two records are not one person's.

use crate::likeness;
use crate::model::Fields;

const PARTS: char = '|';

/// What forms put where nobody gave a name, in normal form.
const NOBODY: [&str; 14] = [
    "anonymous",
    "client",
    "customer",
    "default",
    "demo",
    "guest",
    "klient",
    "na",
    "name",
    "none",
    "null",
    "test",
    "unknown",
    "user",
];

/// Not a part of a name, though written before it.
const TITLES: [&str; 12] = [
    "dr", "frau", "herr", "ing", "mgr", "miss", "mr", "mrs", "ms", "pan", "pani", "prof",
];

/// A record's name as evidence keeps it: the given name and the family name in normal form. None without a given name.
pub fn name_of(traits: &Fields) -> Option<String> {
    let text = |name: &str| traits.get(name).and_then(|value| value.as_str());
    let whole = text("name").map(str::trim).unwrap_or_default();
    let (first, last) = whole
        .rsplit_once(char::is_whitespace)
        .unwrap_or((whole, ""));
    let given = text("first_name").unwrap_or(first);
    let family = text("last_name").unwrap_or(last);
    let normal = |text: &str| {
        let words = text.split_whitespace().map(likeness::normal_name);
        let words = words.filter(|word| !word.is_empty() && !TITLES.contains(&word.as_str()));
        let words: Vec<String> = words.collect();
        words.join(" ")
    };
    let (given, family) = (normal(given), normal(family));
    let is_nobody = given.is_empty() || given.split(' ').any(|word| NOBODY.contains(&word));
    (!is_nobody).then(|| format!("{given}{PARTS}{family}"))
}

/// The given name of one that `name_of` returned.
pub(super) fn given(name: &str) -> &str {
    name.split(PARTS).next().unwrap_or_default()
}

/// Of the names that the records of one piece of evidence give, the one that it has; the order of the records means nothing.
pub fn better<'n>(one: Option<&'n str>, other: Option<&'n str>) -> Option<&'n str> {
    one.into_iter().chain(other).min()
}

/// Whether two people have these given names, both in normal form. Nothing is known where the two are written in different scripts.
pub(super) fn are_others(left: &str, right: &str) -> bool {
    // Latin letters end with the last of their extensions, before those of Greek.
    let is_latin = |name: &str| name.starts_with(|letter: char| letter < '\u{370}');
    if is_latin(left) != is_latin(right) {
        return false;
    }
    let one_of_them = |one: &str| {
        let mut others = right.split(' ');
        others.any(|other| likeness::may_be_one_given_name(one, other))
    };
    !left.split(' ').any(one_of_them)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(traits: serde_json::Value) -> String {
        let traits: Fields = serde_json::from_value(traits).unwrap_or_default();
        name_of(&traits).unwrap_or_default()
    }

    #[test]
    fn a_name_is_kept_in_normal_form() {
        let named = |first: &str, last: &str| of(json!({ "first_name": first, "last_name": last }));
        assert_eq!(named("  Zoë ", "O'Neil"), "zoe|oneil");
        assert_eq!(named("Mr. John", "Smith"), "john|smith");
        assert_eq!(
            of(json!({ "name": "Anna Maria Nowak" })),
            "anna maria|nowak"
        );
        assert_eq!(of(json!({ "name": "Anna" })), "anna|");
        assert_eq!(
            of(json!({ "last_name": "Nowak", "name": "Anna Nowak" })),
            "anna|nowak"
        );
    }

    #[test]
    fn what_is_no_name_is_none() {
        for nothing in [
            json!({}),
            json!({ "first_name": " ", "last_name": 7 }),
            json!({ "name": "-" }),
            json!({ "last_name": "Nowak" }),
            json!({ "name": "Guest" }),
            json!({ "first_name": "Test", "last_name": "User" }),
            json!({ "first_name": "n/a", "last_name": "n/a" }),
        ] {
            assert_eq!(of(nothing), "");
        }
    }

    #[test]
    fn what_may_be_one_given_name_is_no_other() {
        for (left, right, expected) in [
            ("anna", "marek", true),
            ("pavel", "piotr", true),
            ("anna", "anna", false),
            ("anna maria", "maria", false),
            ("a", "anna", false),
            ("bob", "robert", false),
            ("jon", "john", false),
            ("łukasz", "anna", true),
            ("анна", "marek", false),
        ] {
            assert_eq!(are_others(left, right), expected, "{left} {right}");
            assert_eq!(are_others(right, left), expected, "{right} {left}");
        }
    }
}
