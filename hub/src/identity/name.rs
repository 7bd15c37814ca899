//! What a record's name says of who is who: that two records are not one person's.

use crate::likeness;
use crate::model::Fields;

const PARTS: char = '|';

/// A record's name as evidence keeps it: the given name and the family name in normal form; empty where it gives none.
pub fn name_of(traits: &Fields) -> String {
    let text = |name: &str| traits.get(name).and_then(|value| value.as_str());
    let whole = text("name").map(str::trim).unwrap_or_default();
    let (first, last) = whole
        .rsplit_once(char::is_whitespace)
        .unwrap_or((whole, ""));
    let given = text("first_name").unwrap_or(first);
    let family = text("last_name").unwrap_or(last);
    let normal = |text: &str| {
        let words = text.split_whitespace().map(likeness::normal_name);
        let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
        words.join(" ")
    };
    match (normal(given), normal(family)) {
        (given, family) if given.is_empty() && family.is_empty() => String::new(),
        (given, family) => format!("{given}{PARTS}{family}"),
    }
}

/// The given name of one that `name_of` returned.
pub(super) fn given(name: &str) -> &str {
    name.split(PARTS).next().unwrap_or_default()
}

/// Of the names that the records of one piece of evidence give, the one that it has; the order of the records means nothing. None: only
/// events, which tell of nobody's name.
pub fn better<'n>(one: Option<&'n str>, other: Option<&'n str>) -> Option<&'n str> {
    let names = one.into_iter().chain(other);
    names.min_by_key(|name| (name.is_empty(), *name))
}

/// Whether two people have these given names, both in normal form. Nothing is known where one is empty, or where the two are written in
/// different scripts.
pub(super) fn are_others(left: &str, right: &str) -> bool {
    let is_latin = |name: &str| name.starts_with(|letter: char| letter.is_ascii_alphabetic());
    if left.is_empty() || right.is_empty() || is_latin(left) != is_latin(right) {
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
        name_of(&traits)
    }

    #[test]
    fn a_name_is_kept_in_normal_form() {
        assert_eq!(
            of(json!({ "first_name": "  Zoë ", "last_name": "O'Neil" })),
            "zoe|oneil"
        );
        assert_eq!(
            of(json!({ "name": "Anna Maria Nowak" })),
            "anna maria|nowak"
        );
        assert_eq!(of(json!({ "name": "Anna" })), "anna|");
        assert_eq!(
            of(json!({ "last_name": "Nowak", "name": "Anna Nowak" })),
            "anna|nowak"
        );
        assert_eq!(of(json!({ "last_name": "Nowak" })), "|nowak");
        for nothing in [
            json!({}),
            json!({ "first_name": " ", "last_name": 7 }),
            json!({ "name": "-" }),
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
            ("", "anna", false),
            ("anna", "", false),
            ("анна", "marek", false),
        ] {
            assert_eq!(are_others(left, right), expected, "{left} {right}");
            assert_eq!(are_others(right, left), expected, "{right} {left}");
        }
    }
}
