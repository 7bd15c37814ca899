//! Numbers as people and spreadsheets write them, where it is named which sign stands before the decimals.

/// What may stand between groups of digits.
const BETWEEN_GROUPS: [char; 9] = [
    '.', ',', ' ', '\u{a0}', '\u{2009}', '\u{202f}', '\'', '\u{2019}', '_',
];

/// The sign before the decimals that a format names: `.` or `,`.
pub fn mark(format: &str) -> Option<char> {
    match format {
        "." => Some('.'),
        "," => Some(','),
        _ => None,
    }
}

/// A number without groups and with a point before its decimals: `(1.234,50)` with the mark `,` is `-1234.50`. Groups have three digits
/// or, as in India, two and at the end three, with the same sign between all of them.
pub fn plain(text: &str, mark: char) -> Option<String> {
    let (is_negative, amount) = signed(text.trim());
    let sign = if is_negative { "-" } else { "" };
    let Some((whole, decimals)) = amount.split_once(mark) else {
        return Some(format!("{sign}{}", ungrouped(amount, mark)?));
    };
    let whole = match whole {
        "" => "0".to_owned(),
        _ => ungrouped(whole, mark)?,
    };
    all_digits(decimals).then(|| format!("{sign}{whole}.{decimals}"))
}

/// Less than zero is written with a sign at either end, or in parentheses, as accountants do.
fn signed(text: &str) -> (bool, &str) {
    let inside = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    let before = || text.strip_prefix(['-', '\u{2212}']);
    let after = || text.strip_suffix(['-', '\u{2212}']);
    match inside.or_else(before).or_else(after) {
        Some(amount) => (true, amount.trim()),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn ungrouped(whole: &str, mark: char) -> Option<String> {
    let Some(sign) = whole.chars().find(|one| !one.is_ascii_digit()) else {
        return all_digits(whole).then(|| whole.to_owned());
    };
    let groups: Vec<&str> = whole.split(sign).collect();
    let (first, rest) = groups.split_first()?;
    let (last, middle) = rest.split_last()?;
    let in_groups = |of: usize| first.len() <= of && middle.iter().all(|one| one.len() == of);
    // `0.500` is written with another sign before the decimals.
    let is_grouped = sign != mark
        && !first.starts_with('0')
        && BETWEEN_GROUPS.contains(&sign)
        && last.len() == 3
        && (in_groups(3) || in_groups(2))
        && groups.iter().all(|one| all_digits(one));
    is_grouped.then(|| groups.concat())
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_they_are_written_around_the_world() {
        for (written, sign, expected) in [
            ("1.234.567,89", ',', Some("1234567.89")),
            ("1 234,5", ',', Some("1234.5")),
            ("1\u{a0}234\u{a0}567", ',', Some("1234567")),
            ("1\u{202f}234,50", ',', Some("1234.50")),
            ("1'234.50", '.', Some("1234.50")),
            ("12,34,567.8", '.', Some("1234567.8")),
            ("1,234", '.', Some("1234")),
            ("1,234", ',', Some("1.234")),
            (" 12 ", ',', Some("12")),
            (",5", ',', Some("0.5")),
            ("-1.234,5", ',', Some("-1234.5")),
            ("\u{2212}3", ',', Some("-3")),
            ("+3", ',', Some("3")),
            ("1.234,56-", ',', Some("-1234.56")),
            ("(1,234.56)", '.', Some("-1234.56")),
            ("0.500", ',', None),
            ("1.23,4", ',', None),
            ("1.234.56", ',', None),
            ("1.234 567,8", ',', None),
            ("1234.567,8", ',', None),
            (".234,5", ',', None),
            ("1..234", ',', None),
            ("1,2,3", ',', None),
            ("12,", ',', None),
            ("--1", ',', None),
            ("-(1)", ',', None),
            ("1,5 \u{20ac}", ',', None),
            ("1e5", ',', None),
            ("\u{ff11}", ',', None),
            (",", ',', None),
            ("-", ',', None),
            ("()", ',', None),
            ("", ',', None),
        ] {
            assert_eq!(plain(written, sign).as_deref(), expected, "{written}");
        }
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            /// Written in any way, a number is read as it was.
            #[test]
            fn what_is_written_is_read(
                number in any::<u64>(),
                decimals in "[0-9]{1,6}",
                group in prop::sample::select(vec![2_usize, 3]),
                mark in prop::sample::select(vec!['.', ',']),
                between in prop::sample::select(BETWEEN_GROUPS.to_vec()),
            ) {
                prop_assume!(between != mark && number > 0);
                let digits = number.to_string();
                let (head, last) = digits.split_at(digits.len().saturating_sub(3));
                let mut written = String::new();
                for (at, digit) in head.chars().enumerate() {
                    written.push(digit);
                    if (head.len() - at - 1).is_multiple_of(group) {
                        written.push(between);
                    }
                }
                let written = format!("{written}{last}{mark}{decimals}");
                prop_assert_eq!(plain(&written, mark), Some(format!("{digits}.{decimals}")));
            }

            /// What is read has the digits that were written, in their order, and nothing else.
            #[test]
            fn nothing_is_guessed(text in "[-+(). ,'_0-9e]{0,12}", mark in prop::sample::select(vec!['.', ','])) {
                let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
                if let Some(read) = plain(&text, mark) {
                    let is_led = text.trim().trim_start_matches(['-', '(', '+', ' ']).starts_with(mark);
                    prop_assert_eq!(digits(&read), format!("{}{}", if is_led { "0" } else { "" }, digits(&text)));
                    prop_assert!(read.parse::<f64>().is_ok());
                }
            }
        }
    }
}
