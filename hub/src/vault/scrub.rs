//! Removes secrets from what comes from outside. Knows the values, and the spellings in which they are transmitted: as they are,
//! in capitals or none, in URLs and forms, in JSON, in HTML, in base64 at any place of a longer text, in hexadecimal, in UTF-16.
//! One pass over a text, however many secrets there are.

use crate::vault::Secret;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, Match, MatchKind, Span, packed};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::collections::BTreeMap;

/// Shorter values than this would blank out ordinary words.
const SHORTEST: usize = 4;
/// Shorter values than this are not looked for in data: a record must not change because a word of it is a password.
const SHORTEST_IN_DATA: usize = 8;
/// Only so much of a spelling is searched for; what follows is compared where that is found.
const SOUGHT: usize = 64;
/// A line of a value of many lines, such as a key, that tells enough to be looked for alone.
const LINE: usize = 16;

/// A secret that may come back.
pub struct Known<'s> {
    pub name: &'s str,
    pub secret: &'s Secret,
    /// The user name of HTTP's basic authentication, where it is sent so.
    pub username: Option<&'s str>,
}

/// Replaces secrets by `[secret NAME]`.
#[derive(Default)]
pub struct Scrubber {
    words: Option<Finder>,
    data: Option<Finder>,
}

struct Finder {
    search: Search,
    /// By pattern: each spelling that begins with it, and its replacement.
    spellings: Vec<Vec<(Vec<u8>, String)>>,
    /// Nothing less than a whole spelling is replaced.
    is_whole: bool,
}

/// Of a few dozen patterns the packed one looks at many bytes at once: ten gigabytes in a second rather than one.
enum Search {
    Few(packed::Searcher),
    Many(AhoCorasick),
}

impl Search {
    fn new(patterns: &[&[u8]]) -> Self {
        let few = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostLongest)
            .builder()
            .extend(patterns)
            .build();
        if let Some(few) = few {
            return Self::Few(few);
        }
        let many = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns);
        Self::Many(many.expect("a few short patterns"))
    }

    fn find(&self, content: &[u8], from: usize) -> Option<Match> {
        match self {
            Self::Few(few) => few.find_in(content, Span::from(from..content.len())),
            Self::Many(many) => many.find(Input::new(content).range(from..)),
        }
    }
}

impl Scrubber {
    pub fn new<'s>(known: impl IntoIterator<Item = Known<'s>>) -> Self {
        let (mut words, mut data) = (Vec::new(), Vec::new());
        for one in known {
            let value = one.secret.expose();
            let instead = replacement(one.name);
            let mut spelled = spellings(value);
            if let Some(username) = one.username {
                let pair = format!("{username}:{value}");
                spelled.extend([STANDARD.encode(&pair).into(), URL_SAFE.encode(pair).into()]);
            }
            // Nobody can distinguish a value of digits from a number in a record.
            let is_telling =
                value.len() >= SHORTEST_IN_DATA && !value.bytes().all(|byte| byte.is_ascii_digit());
            for spelling in spelled {
                if is_telling && spelling.len() >= SHORTEST_IN_DATA {
                    data.push((spelling.clone(), instead.clone()));
                }
                if spelling.len() >= SHORTEST {
                    words.push((spelling, instead.clone()));
                }
            }
        }
        Self {
            words: Finder::new(words, false),
            data: Finder::new(data, true),
        }
    }

    /// A text for people: a message, a log line.
    pub fn words(&self, text: &str) -> String {
        let found = self.words.as_ref().map(|it| it.replaced(text.as_bytes()));
        match found.flatten() {
            Some(clean) => String::from_utf8_lossy(&clean).into_owned(),
            None => text.to_owned(),
        }
    }

    /// What programs read: bodies, records, cursors, ids. Values of less than 8 bytes, and of digits only, stay. None when
    /// nothing is found.
    pub fn data(&self, content: &[u8]) -> Option<Vec<u8>> {
        self.data.as_ref()?.replaced(content)
    }
}

/// What is in the place of a secret of this name.
pub fn replacement(name: &str) -> String {
    format!("[secret {name}]")
}

impl Finder {
    /// None when there is nothing to find.
    fn new(spelled: Vec<(Vec<u8>, String)>, is_whole: bool) -> Option<Self> {
        let mut by_start: BTreeMap<Vec<u8>, Vec<(Vec<u8>, String)>> = BTreeMap::new();
        for (spelling, instead) in spelled {
            let start = spelling[..spelling.len().min(SOUGHT)].to_vec();
            by_start.entry(start).or_default().push((spelling, instead));
        }
        if by_start.is_empty() {
            return None;
        }
        let patterns: Vec<&[u8]> = by_start.keys().map(Vec::as_slice).collect();
        Some(Self {
            search: Search::new(&patterns),
            spellings: by_start.into_values().collect(),
            is_whole,
        })
    }

    fn replaced(&self, content: &[u8]) -> Option<Vec<u8>> {
        let mut clean: Option<Vec<u8>> = None;
        let (mut at, mut copied) = (0, 0);
        while let Some(found) = self.search.find(content, at) {
            let rest = &content[found.start()..];
            let Some((length, instead)) = self.longest(rest, found.pattern().as_usize()) else {
                at = found.start() + 1;
                continue;
            };
            let clean = clean.get_or_insert_with(|| Vec::with_capacity(content.len()));
            clean.extend_from_slice(&content[copied..found.start()]);
            clean.extend_from_slice(instead.as_bytes());
            at = found.start() + length;
            copied = at;
        }
        let mut clean = clean?;
        clean.extend_from_slice(&content[copied..]);
        Some(clean)
    }

    /// What begins here, and what is put in its place. Of data only whole spellings count: two tokens of one issuer begin with the same
    /// hundred bytes, and what is left of a guess would say how much of it was right. A message may have been cut in the middle of one.
    fn longest(&self, rest: &[u8], pattern: usize) -> Option<(usize, &str)> {
        let of = match self.is_whole {
            true => &self.spellings[..],
            false => &self.spellings[pattern..=pattern],
        };
        let begun = of.iter().flatten().filter_map(|(spelling, instead)| {
            let length = common(rest, spelling);
            let counts = match self.is_whole {
                true => length == spelling.len(),
                false => length >= spelling.len().min(SOUGHT),
            };
            counts.then_some((length, &**instead))
        });
        begun.max_by_key(|(length, _)| *length)
    }
}

/// How many bytes two contents begin with in common.
fn common(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().zip(other);
    pairs.take_while(|(one, other)| one == other).count()
}

fn spellings(value: &str) -> Vec<Vec<u8>> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let texts = [
        value.to_owned(),
        value.to_lowercase(),
        value.to_uppercase(),
        percent(value, |byte| format!("%{byte:02X}")),
        percent(value, |byte| format!("%{byte:02x}")),
        percent(value, |byte| format!("%{byte:02X}")).replace("%20", "+"),
        json.replace('/', "\\/"),
        json_in_ascii(&json, &[]),
        json_in_ascii(&json, &['<', '>', '&']),
        json,
        html(value, "&quot;", "&#39;"),
        html(value, "&#34;", "&#x27;"),
        value.bytes().map(|byte| format!("{byte:02x}")).collect(),
        value.bytes().map(|byte| format!("{byte:02X}")).collect(),
        STANDARD.encode(value),
        URL_SAFE.encode(value),
    ];
    let mut spelled: Vec<Vec<u8>> = texts.map(String::into_bytes).into();
    let lines = value.lines().filter(|_| value.contains('\n'));
    let lines = lines.map(str::trim);
    let telling = lines.filter(|line| line.len() >= LINE && !line.starts_with("-----"));
    spelled.extend(telling.map(|line| line.as_bytes().to_vec()));
    for before in 0..3 {
        spelled.extend(base64_inside(value, before));
    }
    let units = || value.encode_utf16();
    spelled.push(units().flat_map(u16::to_le_bytes).collect());
    spelled.push(units().flat_map(u16::to_be_bytes).collect());
    spelled.sort();
    spelled.dedup();
    spelled
}

/// What a value looks like in the base64 of a longer text, with so many bytes, modulo three, before it: the digits that are the
/// value's alone, in both alphabets.
fn base64_inside(value: &str, before: usize) -> impl Iterator<Item = Vec<u8>> {
    let padded = [&vec![0; before][..], value.as_bytes()].concat();
    let (first, last) = ([0, 2, 3][before], padded.len() * 8 / 6);
    let encoded = [STANDARD.encode(&padded), URL_SAFE.encode(&padded)];
    encoded
        .into_iter()
        .map(move |text| text.as_bytes()[first..last].to_vec())
        .filter(|digits| digits.len() >= SHORTEST_IN_DATA)
}

fn percent(text: &str, spell: fn(u8) -> String) -> String {
    let mut spelled = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                spelled.push(char::from(byte));
            }
            _ => spelled.push_str(&spell(byte)),
        }
    }
    spelled
}

/// JSON as libraries write it that keep to ASCII, or keep away from HTML.
fn json_in_ascii(json: &str, also: &[char]) -> String {
    let mut spelled = String::with_capacity(json.len());
    for c in json.chars() {
        match c.is_ascii() && !also.contains(&c) {
            true => spelled.push(c),
            false => {
                let mut units = [0; 2];
                let units = c.encode_utf16(&mut units).iter();
                spelled.extend(units.map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    spelled
}

fn html(text: &str, quote: &str, apostrophe: &str) -> String {
    let text = text.replace('&', "&amp;");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', quote).replace('\'', apostrophe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(secrets: &[(&str, &str)]) -> Scrubber {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|(name, value)| (*name, Secret::new(value).unwrap()))
            .collect();
        Scrubber::new(secrets.iter().map(|(name, secret)| Known {
            name,
            secret,
            username: Some("ada"),
        }))
    }

    #[test]
    fn a_secret_disappears_in_each_of_its_spellings() {
        let both = scrubber(&[("token", "pa+ss word"), ("long", "pa+ss word-and-more")]);
        let text = format!(
            "plain pa+ss word, longer pa+ss word-and-more, url pa%2Bss%20word, basic {} {}",
            STANDARD.encode("pa+ss word"),
            STANDARD.encode("ada:pa+ss word"),
        );
        assert_eq!(
            both.words(&text),
            "plain [secret token], longer [secret long], url [secret token], basic [secret token] [secret token]"
        );
        let value = "AbC/d\"é+1<x>";
        let one = scrubber(&[("key", value)]);
        for text in [
            r#"{"key":"AbC/d\"é+1<x>"}"#,
            r#"{"key":"AbC\/d\"é+1<x>"}"#,
            r#"{"key":"AbC/d\"\u00e9+1<x>"}"#,
            r#"{"key":"AbC/d\"\u00e9+1\u003cx\u003e"}"#,
            "AbC%2fd%22%c3%a9%2b1%3cx%3e",
            "AbC%2Fd%22%C3%A9%2B1%3Cx%3E",
            "AbC/d&quot;é+1&lt;x&gt;",
            "abc/d\"é+1<x>",
            "4162432f6422c3a92b313c783e",
            &URL_SAFE.encode(value),
        ] {
            let clean = one.words(text);
            assert!(clean.contains("[secret key]"), "{text}: {clean}");
            assert!(!clean.to_lowercase().contains("abc"), "{text}: {clean}");
            assert_eq!(one.data(text.as_bytes()), Some(clean.into_bytes()));
        }
    }

    #[test]
    fn of_many_secrets_each_is_found() {
        let values: Vec<(String, String)> = (0..20)
            .map(|number| (format!("n{number}"), format!("value-of-number-{number}-/")))
            .collect();
        let known: Vec<(&str, &str)> = values.iter().map(|(n, v)| (&**n, &**v)).collect();
        let many = scrubber(&known);
        for (name, value) in known {
            let text = format!("a {value} b {}", STANDARD.encode(value));
            let clean = many.words(&text);
            assert_eq!(clean, format!("a [secret {name}] b [secret {name}]"));
        }
    }

    #[test]
    fn a_secret_inside_longer_base64_is_found_wherever_it_begins() {
        let one = scrubber(&[("key", "kx9-token-value")]);
        for before in ["", "a", "ab", "abc", "user:"] {
            for engine in [&STANDARD, &URL_SAFE] {
                let text = engine.encode(format!("{before}kx9-token-value and more"));
                let clean = one.words(&text);
                assert!(clean.contains("[secret key]"), "{before}: {clean}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        let one = scrubber(&[("key", "kx9-token")]);
        let clean = one.data(b"\xff\xfekx9-token\xff kx9-toke");
        assert_eq!(clean.unwrap(), b"\xff\xfe[secret key]\xff kx9-toke");
        for spell in [u16::to_le_bytes, u16::to_be_bytes] {
            let wide: Vec<u8> = "t=kx9-token".encode_utf16().flat_map(spell).collect();
            let clean = String::from_utf8(one.data(&wide).unwrap()).unwrap();
            assert_eq!(clean.replace('\0', ""), "t=[secret key]");
        }
        assert_eq!(one.data(b"nothing here"), None);
    }

    #[test]
    fn short_values_and_numbers_stay_in_data_and_go_from_words() {
        let both = scrubber(&[("pin", "12345678"), ("word", "hello")]);
        let record = br#"{"id":123456789,"text":"hello"}"#;
        assert_eq!(both.data(record), None);
        let clean = both.words("hello 12345678");
        assert_eq!(clean, "[secret word] [secret pin]");
        assert_eq!(scrubber(&[("tiny", "abc")]).words("abc"), "abc");
    }

    #[test]
    fn of_a_long_value_as_much_goes_as_is_there_and_each_of_its_lines() {
        let start = "a".repeat(SOUGHT) + "-the-rest-of-one";
        let other = start.clone() + "-and-of-another";
        let both = scrubber(&[("one", &start), ("other", &other)]);
        assert_eq!(both.words(&format!("<{other}>")), "<[secret other]>");
        assert_eq!(both.words(&format!("<{start}>")), "<[secret other]>");
        let cut = both.words(&format!("<{}>", &start[..SOUGHT + 5]));
        assert_eq!(cut, "<[secret other]>");
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASCB\n-----END KEY-----";
        let lines = scrubber(&[("key", key)]);
        let clean = lines.words("kiG9w0BAQEFAASCB, -----BEGIN KEY-----");
        assert_eq!(clean, "[secret key], -----BEGIN KEY-----");
        let clean = lines.words(&serde_json::to_string(key).unwrap());
        assert_eq!(clean, "\"[secret key]\"");
    }
}
