//! Whatever a line holds, it has a key or a reason why not, and the short way to a key agrees with the long one.
#![cfg(test)]

use super::{key_of, key_of_line, map, read};
use crate::expression::Expression;
use crate::manifest::{ConsentRule, Stream, StreamTarget};
use proptest::prelude::*;

fn stream(key: &str) -> Stream {
    let compile = |text: &str| Expression::parse(text).expect(text);
    Stream {
        name: "things".into(),
        to: StreamTarget::Person,
        is_of_person: true,
        is_sent_to: false,
        namespace: None,
        key: compile(key),
        updated_at: None,
        created_at: Some(compile("at")),
        map: vec![
            ("email".to_owned(), compile("a.id | email")),
            ("name".to_owned(), compile("id ~ ' ' ~ a")),
            ("user_id".to_owned(), compile("a")),
        ],
        consent: vec![ConsentRule::new("marketing", None, compile("id"), None)],
        region: Some("PL".to_owned()),
        digest: String::new(),
    }
}

const KEYS: [&str; 8] = [
    "id",
    "a",
    "a.id",
    "id | lower",
    "(id or a.id) | trim",
    "id ~ '-' ~ a",
    "a[0]",
    "id or a",
];

/// Pieces of which most lines are nearly JSON.
const PIECES: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"\\",
    b"\"id\"",
    b"\"a\"",
    b"\"id\":",
    b"\"a\":",
    b"\"x\"",
    b"\"\\ud83d\"",
    b"\"\\ud83d\\ude00\"",
    b"\"\\udc00y\"",
    b"\"\\u0069\\u0064\":",
    b"\"i\\ud83dd\":",
    b"\xff",
    b"\"\xe9\"",
    b"42",
    b"-0",
    b"1e999",
    b"18446744073709551615",
    b"12345678901234567890123",
    b"1.50",
    b"null",
    b"true",
    b" ",
    b"\r",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    let value = prop::sample::select(&PIECES[..]).prop_map(<[u8]>::to_vec);
    let object = prop::collection::vec((prop::bool::ANY, value.clone()), 0..4).prop_map(|fields| {
        let fields: Vec<Vec<u8>> = fields
            .into_iter()
            .map(|(is_id, value)| {
                [if is_id { &b"\"id\":"[..] } else { b"\"a\":" }, &value].concat()
            })
            .collect();
        [b"{", &fields.join(&b","[..])[..], b"}"].concat()
    });
    prop_oneof![
        4 => object.clone(),
        2 => object.prop_map(|inner| [b"{\"id\":\"k\",\"a\":", &inner[..], b"}"].concat()),
        2 => prop::collection::vec(value, 0..12).prop_map(|pieces| pieces.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (100..200_usize).prop_map(|deep| {
            [b"{\"id\":\"k\",\"a\":", &vec![b'['; deep][..], &vec![b']'; deep], b"}"].concat()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    // I17
    #[test]
    fn a_line_of_any_bytes_has_one_key_or_a_reason(line in line(), key in prop::sample::select(&KEYS[..])) {
        let stream = stream(key);
        let at_once = key_of_line(&stream, "crm", &line);
        match read(&stream, "crm", None, &line) {
            Ok(record) => {
                prop_assert_eq!(&at_once, &key_of(&stream, "crm", &record));
                let mapped = map(&stream, "crm", "k", &record);
                prop_assert!(mapped.canonical.is_some() || !mapped.problems.is_empty());
                for identifier in mapped.canonical.iter().flat_map(|one| &one.identifiers) {
                    prop_assert!(!identifier.value.contains('\u{fffd}'), "{}", identifier.value);
                }
            }
            Err(problem) => {
                prop_assert_eq!(problem.code.id, "OF0590");
                // Only a glance finds a key where the rest cannot be read.
                prop_assert!(at_once.is_ok() == stream.key.glance(&line).is_some());
            }
        }
    }
}
