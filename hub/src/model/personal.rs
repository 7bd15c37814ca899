//! Texts from outside, without personal data: addresses, phone numbers, and values that are known to be somebody's.
//! Vendors quote what they refuse, and their words are shown and stored.

use std::ops::Range;

/// Fewer or more digits are not a phone number.
const PHONE_DIGITS: Range<usize> = 7..16;
/// A value that is shorter occurs in many texts by chance.
const SHORTEST_VALUE: usize = 3;

/// The text with `[e-mail]`, `[phone]` and, for each of `values`, `[value]` where they stood. Case does not matter.
pub fn without_personal(text: &str, values: &[&str]) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut cuts: Vec<(Range<usize>, &str)> = Vec::new();
    let mut take = |found: Vec<Range<usize>>, word| {
        for range in found {
            let is_free =
                |cut: &(Range<usize>, &str)| cut.0.end <= range.start || range.end <= cut.0.start;
            if cuts.iter().all(is_free) {
                cuts.push((range, word));
            }
        }
    };
    take(addresses(&chars), "[e-mail]");
    let lower: Vec<char> = chars.iter().map(|c| folded(*c)).collect();
    for value in values {
        take(occurrences(&chars, &lower, value), "[value]");
    }
    take(phones(&chars), "[phone]");
    cuts.sort_unstable_by_key(|cut| cut.0.start);
    let mut clean = String::with_capacity(text.len());
    let mut next = 0;
    for (range, word) in cuts {
        clean.extend(&chars[next..range.start]);
        clean.push_str(word);
        next = range.end;
    }
    clean.extend(&chars[next..]);
    clean
}

fn folded(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// What stands around `@`, or `%40` as URLs have it.
fn addresses(chars: &[char]) -> Vec<Range<usize>> {
    let is_local = |c: char| c.is_alphanumeric() || "!$*+-^_{|}~.%'".contains(c);
    let is_domain = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in 0..chars.len() {
        let sign = match chars[at..] {
            ['@', ..] => 1,
            ['%', '4', '0', ..] => 3,
            _ => continue,
        };
        let local = chars[..at].iter().rev().take_while(|c| is_local(**c));
        let domain = chars[at + sign..].iter().take_while(|c| is_domain(**c));
        let (start, mut end) = (at - local.count(), at + sign + domain.count());
        while matches!(chars[end - 1], '.' | '-') {
            end -= 1;
        }
        let is_new = found.last().is_none_or(|last| last.end <= start);
        if start < at && end > at + sign && is_new {
            found.push(start..end);
        }
    }
    found
}

/// Where a value stands as a word of its own.
fn occurrences(chars: &[char], lower: &[char], value: &str) -> Vec<Range<usize>> {
    let wanted: Vec<char> = value.trim().chars().map(folded).collect();
    if wanted.len() < SHORTEST_VALUE {
        return Vec::new();
    }
    let is_whole = |start: usize| {
        let end = start + wanted.len();
        let before = start.checked_sub(1).map(|at| chars[at]);
        let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !is_part(before) && !is_part(chars.get(end).copied())
    };
    let places = lower.windows(wanted.len()).enumerate();
    places
        .filter(|(start, window)| *window == wanted.as_slice() && is_whole(*start))
        .map(|(start, window)| start..start + window.len())
        .collect()
}

/// Numbers as people write them: digits in groups, with or without `+`. Dates, addresses of machines and sizes in bytes are none.
fn phones(chars: &[char]) -> Vec<Range<usize>> {
    let is_part = |c: &char| c.is_ascii_digit() || "+ ()-./\u{a0}".contains(*c);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let run = chars[at..].iter().take_while(|c| is_part(c)).count();
        if run == 0 {
            at += 1;
            continue;
        }
        let number = chars[at..at + run].iter();
        let first = number
            .clone()
            .position(|c| c.is_ascii_digit() || "+(".contains(*c));
        let last = number.clone().rposition(char::is_ascii_digit);
        if let (Some(first), Some(last)) = (first, last)
            && first <= last
        {
            let (start, end) = (at + first, at + last + 1);
            let before = start.checked_sub(1).map(|at| chars[at]);
            let inside = &chars[start..end];
            let digits = inside.iter().filter(|c| c.is_ascii_digit()).count();
            let stands_alone =
                !before.is_some_and(is_word) && !chars.get(end).copied().is_some_and(is_word);
            if stands_alone
                && PHONE_DIGITS.contains(&digits)
                && !is_date(inside)
                && !is_host(inside)
                && !is_size(inside, &chars[end..])
            {
                found.push(start..end);
            }
        }
        at += run;
    }
    found
}

/// `2026-03-02` and what follows.
fn is_date(inside: &[char]) -> bool {
    let shape = "dddd-dd-dd".chars();
    inside.len() >= 10
        && shape.zip(inside).all(|(wanted, c)| match wanted {
            'd' => c.is_ascii_digit(),
            dash => *c == dash,
        })
}

/// `192.168.100.100`
fn is_host(inside: &[char]) -> bool {
    let text: String = inside.iter().collect();
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

/// `67108864 bytes`; a number in groups is none.
fn is_size(inside: &[char], after: &[char]) -> bool {
    let unit = " bytes".chars();
    inside.iter().all(char::is_ascii_digit)
        && after.len() >= 6
        && unit.zip(after).all(|(wanted, c)| wanted == *c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_go_and_the_rest_stays() {
        for (text, clean) in [
            (
                "ada@poczta.example is not on the list.",
                "[e-mail] is not on the list.",
            ),
            ("see <Zażółć.Gęś+1@bücher.example>.", "see <[e-mail]>."),
            (
                "GET /members/ada%40x.example failed",
                "GET /members/[e-mail] failed",
            ),
            (
                "call +48 600 100 001, or (22) 555-12-34!",
                "call [phone], or [phone]!",
            ),
            ("600100001 is taken", "[phone] is taken"),
            (
                "larger than 67108864 bytes, call 67108864",
                "larger than 67108864 bytes, call [phone]",
            ),
            (
                "600100001 (9 bytes), +48 600 100 001 - 11 bytes",
                "[phone] bytes), [phone] bytes",
            ),
            ("a@b.example,c@d.example", "[e-mail],[e-mail]"),
            ("ada@x.example@y.example", "[e-mail]@y.example"),
        ] {
            assert_eq!(without_personal(text, &[]), clean);
        }
    }

    #[test]
    fn what_is_nobodys_stays() {
        for text in [
            "HTTP 400, `mailchimp.400`: at most 500 members, 1024 bytes",
            "since 2026-03-02 09:14:00, from 192.168.100.100",
            "request 995c5cb0-3280-4a6e-808b-3b096d0bb219",
            "@ alone, and list a1b2c3d4e5",
            "",
        ] {
            assert_eq!(without_personal(text, &[]), text);
        }
    }

    #[test]
    fn known_values_go_where_they_are_words_whatever_their_case() {
        let values = ["Zofia", "PL", "ul. Długa 5"];
        assert_eq!(
            without_personal("ZOFIA, zofias, PL, UL. DŁUGA 5", &values),
            "[value], zofias, PL, [value]"
        );
    }

    #[test]
    fn any_text_is_taken() {
        for text in [
            "@",
            "%40",
            "a@",
            "@a",
            "+",
            "İ@İ",
            "((((((",
            "a@-",
            "a@..",
            "1".repeat(50).as_str(),
        ] {
            let _ = without_personal(text, &["İ", "((((("]);
        }
    }
}
