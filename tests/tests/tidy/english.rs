//! Plain English: phrases that a reader has to decode are refused in the hub's comments and texts and in its documents.
//! Owns the list of phrases; each was cleaned out completely before it was added.

use super::Breach;
use super::source::{Source, line_of};

/// In lower case; each is found as whole words, also across the end of a line.
const UNCLEAR: &[&str] = &[
    "a try",
    "anew",
    "beside",
    "for ever",
    "for want of",
    "gave back",
    "given back",
    "gives back",
    "hands over",
    "in doubt",
    "is known of nobody",
    "is no connector's",
    "is no cron",
    "is no duration",
    "is no json",
    "is no name",
    "is no region",
    "is no text",
    "is no valid",
    "is told",
    "leads on",
    "lies in",
    "put up with",
    "say it again",
    "stands in",
    "those that",
    "those who",
    "whoever",
    "whomever",
    "work off",
    "worked off",
];

/// A document by its path, with its text.
pub type Document = (String, String);

pub fn unclear(sources: &[Source], documents: &[Document]) -> Vec<Breach> {
    let of_the_hub = sources
        .iter()
        .filter(|source| source.path.starts_with("hub/src/"));
    let in_sources = of_the_hub.flat_map(|source| {
        let code = source.code.as_bytes();
        found(&source.path, &source.text, |at| code[at])
    });
    let in_documents = documents
        .iter()
        .flat_map(|(path, text)| found(path, text, |_| b' '));
    in_sources.chain(in_documents).collect()
}

fn found(path: &str, text: &str, code: impl Fn(usize) -> u8) -> Vec<Breach> {
    let words = words(text, code);
    let mut breaches = Vec::new();
    for phrase in UNCLEAR {
        let parts: Vec<&str> = phrase.split(' ').collect();
        for run in words.windows(parts.len()) {
            if run
                .iter()
                .map(|(_, word)| &**word)
                .eq(parts.iter().copied())
            {
                let line = line_of(text, run[0].0);
                let message = format!(
                    "`{phrase}` has to be decoded: say it as one engineer would to another"
                );
                breaches.push(Breach::new(format!("{path}:{line}"), message));
            }
        }
    }
    breaches
}

/// The words of comments and texts in lower case with their places, an empty one where code is in between. `code` is the
/// byte at a place with comments and texts blanked.
fn words(text: &str, code: impl Fn(usize) -> u8) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (at, letter) in text.char_indices() {
        let is_prose = code(at).is_ascii_whitespace();
        let is_letter = letter.is_alphanumeric() || matches!(letter, '_' | '-' | '\'');
        match (is_prose && is_letter, is_open) {
            (true, true) => {
                if let Some((_, word)) = words.last_mut() {
                    word.extend(letter.to_lowercase());
                }
            }
            (true, false) => words.push((at, letter.to_lowercase().collect())),
            (false, _) if !is_prose => words.push((at, String::new())),
            (false, _) => {}
        }
        is_open = is_prose && is_letter;
    }
    words
}

fn places(path: &str, text: &str) -> Vec<String> {
    let breaches = unclear(&[Source::new(path, text)], &[]);
    breaches.into_iter().map(|breach| breach.place).collect()
}

#[test]
fn an_unclear_phrase_is_seen_in_comments_texts_and_documents() {
    let text = "//! Rebuilt anew.\n\
        /// For those\n/// who ask.\n\
        const A: &str = \"`x` is no name for a source\";\n\
        // Whoever comes.\n";
    assert_eq!(
        places("hub/src/store/a.rs", text),
        [
            "hub/src/store/a.rs:1",
            "hub/src/store/a.rs:4",
            "hub/src/store/a.rs:2",
            "hub/src/store/a.rs:5"
        ]
    );
    let document = (
        "README.md".to_owned(),
        "one\n\nIt gives\nback.\n".to_owned(),
    );
    let breaches = unclear(&[], &[document]);
    assert_eq!(breaches.len(), 1);
    assert_eq!(breaches[0].place, "README.md:3");
}

#[test]
fn names_in_code_and_longer_words_are_not_phrases() {
    let text = "let beside = anew();\n// A tryout of besides.\nconst A: &str = \"a\"; // try\n";
    assert_eq!(places("hub/src/store/a.rs", text), [""; 0]);
    assert_eq!(places("xtask/src/a.rs", "// anew\n"), [""; 0]);
}
