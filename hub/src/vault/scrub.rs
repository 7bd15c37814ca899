//! Removes secrets from text. Knows the values, and the few encodings in which they are transmitted.

use crate::vault::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use std::collections::BTreeMap;

/// Replaces secrets by `[secret NAME]`. Shorter values than this would blank out ordinary words.
const SHORTEST: usize = 4;

#[derive(Clone, Default)]
pub struct Scrubber {
    /// Value and its replacement, the longest value first.
    pairs: Vec<(String, String)>,
}

impl Scrubber {
    pub fn new(secrets: &BTreeMap<String, Secret>) -> Self {
        let mut pairs = Vec::new();
        for (name, secret) in secrets {
            let value = secret.expose();
            let instead = format!("[secret {name}]");
            let json = serde_json::to_string(value).unwrap_or_default();
            let json = json.trim_matches('"').to_owned();
            let spellings = [
                value.to_owned(),
                percent(value, |byte| format!("%{byte:02X}")),
                percent(value, |byte| format!("%{byte:02x}")),
                BASE64.encode(value),
                URL_SAFE_NO_PAD.encode(value),
                json.replace('/', "\\/"),
                json,
            ];
            for spelling in spellings {
                if spelling.len() >= SHORTEST {
                    pairs.push((spelling, instead.clone()));
                }
            }
        }
        pairs.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        pairs.dedup();
        Self { pairs }
    }

    /// Adds the spelling of HTTP's basic authentication.
    pub fn add_basic(&mut self, name: &str, username: &str, secret: &Secret) {
        let spelling = BASE64.encode(format!("{username}:{}", secret.expose()));
        self.pairs.push((spelling, format!("[secret {name}]")));
        self.pairs
            .sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    }

    pub fn scrub(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for (value, instead) in &self.pairs {
            if clean.contains(value.as_str()) {
                clean = clean.replace(value.as_str(), instead);
            }
        }
        clean
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_disappears_in_each_of_its_spellings() {
        let secrets = BTreeMap::from([
            ("token".to_owned(), Secret::new("pa+ss word").unwrap()),
            (
                "long".to_owned(),
                Secret::new("pa+ss word-and-more").unwrap(),
            ),
        ]);
        let scrubber = Scrubber::new(&secrets);
        let text = format!(
            "plain pa+ss word, longer pa+ss word-and-more, url pa%2Bss%20word, basic {}",
            BASE64.encode("pa+ss word")
        );
        assert_eq!(
            scrubber.scrub(&text),
            "plain [secret token], longer [secret long], url [secret token], basic [secret token]"
        );
        let secrets = BTreeMap::from([("key".to_owned(), Secret::new("AbC/d\"é+1").unwrap())]);
        let scrubber = Scrubber::new(&secrets);
        for text in [
            r#"{"key":"AbC/d\"é+1"}"#,
            r#"{"key":"AbC\/d\"é+1"}"#,
            "AbC%2fd%22%c3%a9%2b1",
            "AbC%2Fd%22%C3%A9%2B1",
            &URL_SAFE_NO_PAD.encode("AbC/d\"é+1"),
        ] {
            assert!(scrubber.scrub(text).contains("[secret key]"), "{text}");
            assert!(!scrubber.scrub(text).contains("AbC"), "{text}");
        }
    }
}
