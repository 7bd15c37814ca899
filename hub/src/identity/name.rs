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
    let mut name = String::with_capacity(given.len() + 1 + family.len());
    push_normal(given, &mut name);
    if name.is_empty() || name.split(' ').any(|word| NOBODY.contains(&word)) {
        return None;
    }
    name.push(PARTS);
    push_normal(family, &mut name);
    Some(name)
}

/// Adds the words of a part of a name in normal form, without titles.
fn push_normal(text: &str, name: &mut String) {
    let start = name.len();
    for word in text.split_whitespace() {
        let end = name.len();
        if end > start {
            name.push(' ');
        }
        let from = name.len();
        likeness::push_normal_name(word, name);
        if name.len() == from || TITLES.contains(&&name[from..]) {
            name.truncate(end);
        }
    }
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
    !fit(left, right, likeness::may_be_one_given_name)
}

/// Whether two names that `name_of` returned are not one person's: a short form, an initial, a slip, another order and a longer family name
/// may be.
pub(super) fn are_other_people(left: &str, right: &str) -> bool {
    let (given, family) = left.split_once(PARTS).unwrap_or((left, ""));
    let (other, others) = right.split_once(PARTS).unwrap_or((right, ""));
    let are_in_order =
        || fit(given, other, likeness::is_likely_one_name) && fit(family, others, is_likely_part);
    let are_turned = || fit(given, others, is_likely_part) && fit(family, other, is_likely_part);
    let is_whole = !family.is_empty() && !others.is_empty();
    !(are_in_order() || is_whole && are_turned())
}

/// Whether a word of one may be a word of the other.
fn fit(left: &str, right: &str, is_same: fn(&str, &str) -> bool) -> bool {
    is_latin(left) != is_latin(right)
        || left
            .split(' ')
            .any(|one| right.split(' ').any(|other| is_same(one, other)))
}

/// A family name may be longer in one of two places, or missing.
fn is_likely_part(left: &str, right: &str) -> bool {
    let short = left.len().min(right.len());
    let holds = |one: &str, other: &str| one.starts_with(other) || one.ends_with(other);
    let is_longer = (short == 0 || short >= WHOLE) && (holds(left, right) || holds(right, left));
    let is_particle = PARTICLES.contains(&left) || PARTICLES.contains(&right);
    is_longer || !is_particle && likeness::is_likely_one_name(left, right)
}

/// The letters of a word that says whose name it is.
const WHOLE: usize = 4;

/// Words of many family names.
const PARTICLES: [&str; 20] = [
    "al", "bin", "da", "de", "del", "den", "der", "di", "do", "dos", "du", "el", "ibn", "la", "le",
    "ter", "van", "vom", "von", "zu",
];

/// Latin letters end with the last of their extensions, before those of Greek.
fn is_latin(name: &str) -> bool {
    name.starts_with(|letter: char| letter < '\u{370}')
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
    fn what_may_be_one_person_is_no_other() {
        for (left, right, expected) in [
            ("ola|nowak", "ola|nowak", false),
            ("o|nowak", "aleksandra ola|nowak", false),
            ("nowak|ola", "ola|nowak", false),
            ("nowak|ola", "o|nowak", false),
            ("domek|ola", "aleksandra ola|domeklas", false),
            ("ola|lis", "ola|lis", false),
            ("maria|de souza", "maria|de oliveira", true),
            ("jan|van dijk", "jan|van der berg", true),
            ("jan|marek", "marek|janowski", true),
            ("ola|nowak kowalska", "ola|kowalska", false),
            ("ola|nowak", "ola|", false),
            ("ola|nowak", "ola|nowakkowalska", false),
            ("ola|kowalski", "ola|kowalska", false),
            ("ola|nowak", "ола|новак", false),
            ("ola|nowak", "ola|zielinska", true),
            ("ola|nowak", "marek|nowak", true),
            ("ada|nowak", "anna|nowak", true),
            ("ala|nowak", "ola|nowak", true),
            ("jan|nowak", "janina|nowak", true),
            ("maria|nowak", "marta|nowak", true),
            ("katarzyna|nowak", "katarzna|nowak", false),
            ("ola|marek", "marek|nowak", true),
        ] {
            assert_eq!(are_other_people(left, right), expected, "{left} {right}");
            assert_eq!(are_other_people(right, left), expected, "{right} {left}");
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
