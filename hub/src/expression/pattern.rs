//! Regular expressions in conditions, and people's positions in splits: functions of conditions that no database has built in,
//! so that `store` can register them with one.

use crate::expression::bound::LENGTH;
use regex::Regex;
use std::fmt;
use std::ops::Range;

/// A compiled regular expression, equal to another of the same text. Cheap to clone.
#[derive(Clone)]
pub struct Pattern(Regex);

/// Why a text is not a valid pattern, and where in it.
#[derive(Debug, PartialEq, Eq)]
pub struct BadPattern {
    pub message: String,
    pub span: Range<usize>,
}

impl Pattern {
    /// Finds its text anywhere in a value; `^` and `$` bind it to the ends. Matching takes linear time. A pattern has at most
    /// `LENGTH` bytes; the crate bounds how deep its groups are nested and how large it is when compiled.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if text.len() > LENGTH {
            return Err(BadPattern {
                message: format!("it is {} bytes long; {LENGTH} are allowed", text.len()),
                span: 0..0,
            });
        }
        Regex::new(text)
            .map(Self)
            .map_err(|error| BadPattern::new(text, &error))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl BadPattern {
    /// The crate shows a place only as a drawing: the pattern, a line with a caret under the place, and the reason.
    fn new(text: &str, error: &regex::Error) -> Self {
        let drawn = error.to_string();
        let reason = drawn
            .lines()
            .find_map(|line| line.strip_prefix("error: "))
            .unwrap_or("the pattern is too large");
        let carets = drawn.lines().find(|line| {
            line.contains('^') && line.chars().all(|character| matches!(character, ' ' | '^'))
        });
        let span = match carets {
            Some(carets) if text.is_ascii() && !text.contains('\n') => {
                const MARGIN: usize = 4;
                let start = carets.find('^').unwrap_or(0).saturating_sub(MARGIN);
                let width = carets.matches('^').count();
                start.min(text.len())..(start + width).min(text.len())
            }
            _ => 0..text.len(),
        };
        Self {
            message: reason.to_owned(),
            span,
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.as_str()).finish()
    }
}

/// How finely a split divides people: a hundredth of a percent.
pub const POSITIONS: u32 = 10_000;

/// A person's position in a split: always the same, and independent of other splits.
pub fn split_position(split: &str, person: &[u8; 16]) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(person);
    hasher.update(split.as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    (u64::from_le_bytes(number) % u64::from(POSITIONS)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_pattern_says_why_and_where() {
        let bad = Pattern::parse("ab(c").unwrap_err();
        assert_eq!((bad.message.as_str(), bad.span), ("unclosed group", 2..3));
        let bad = Pattern::parse("a{999}{999}{999}").unwrap_err();
        assert_eq!(bad.message, "the pattern is too large");
        let bad = Pattern::parse(&"a".repeat(LENGTH + 1)).unwrap_err();
        assert_eq!(bad.message, "it is 8193 bytes long; 8192 are allowed");
        assert!(Pattern::parse(&"(".repeat(4_000)).is_err());
        assert!(Pattern::parse(r"^[\p{L}\p{M}' -]{1,100}@\w{1,64}\.\w+$").is_ok());
    }

    #[test]
    fn a_pattern_is_found_anywhere_and_shown_by_its_text() {
        let pattern = Pattern::parse("^a.c$").unwrap();
        assert!(pattern.is_in("abc") && !pattern.is_in("xabc"));
        assert!(Pattern::parse("b").unwrap().is_in("abc"));
        assert_eq!(format!("{pattern:?}"), "Pattern(\"^a.c$\")");
    }

    #[test]
    fn a_split_is_even_and_two_splits_are_independent() {
        let people: Vec<[u8; 16]> = (0..20_000_u128).map(u128::to_be_bytes).collect();
        let half = |split: &str, person: &[u8; 16]| split_position(split, person) < POSITIONS / 2;
        let first = people.iter().filter(|one| half("spring", one)).count();
        let both = people
            .iter()
            .filter(|one| half("spring", one) && half("autumn", one))
            .count();
        assert!((9_700..10_300).contains(&first), "{first}");
        assert!((4_750..5_250).contains(&both), "{both}");
        assert_eq!(
            split_position("spring", &people[7]),
            split_position("spring", &people[7])
        );
    }
}
