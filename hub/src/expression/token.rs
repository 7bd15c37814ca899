//! The names and signs of an expression, divided as MiniJinja divides them. Knows no grammar.

use std::ops::Range;

pub(super) struct Spanned<'t> {
    pub kind: Token<'t>,
    pub span: Range<usize>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Token<'t> {
    /// A word, or the digits of a number before or after its point.
    Name(&'t str),
    /// One character; `"` is a whole text.
    Sign(char),
}

/// Names and signs, without what is inside texts. The span of a text is that of its first quote.
pub(super) fn tokens(text: &str) -> Vec<Spanned<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let start = at;
        let (kind, end) = match character {
            '\'' | '"' => {
                at = end_of_text(text, start);
                (Token::Sign('"'), start + 1)
            }
            _ if character.is_ascii_digit() => {
                at = end_of_number(text, start);
                (Token::Name(&text[start..at]), at)
            }
            _ if is_in_name(character) => {
                let rest = &text[start..];
                at += rest.find(|c| !is_in_name(c)).unwrap_or(rest.len());
                (Token::Name(&text[start..at]), at)
            }
            _ => {
                at += character.len_utf8();
                if character.is_whitespace() {
                    continue;
                }
                (Token::Sign(character), at)
            }
        };
        let span = start..end;
        tokens.push(Spanned { kind, span });
    }
    tokens
}

fn is_in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn end_of_text(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            _ if *byte == bytes[start] => return at,
            _ => {}
        }
    }
    text.len()
}

/// A word may follow a number without a space: `1if a` is `1 if a`. An exponent is part of its number.
fn end_of_number(text: &str, start: usize) -> usize {
    let bytes = &text.as_bytes()[start..];
    let radix = bytes.get(1).filter(|_| bytes[0] == b'0');
    let is_digit = |byte: &u8| match radix {
        Some(b'x' | b'X') => byte.is_ascii_hexdigit() || *byte == b'_',
        _ => byte.is_ascii_digit() || *byte == b'_',
    };
    if matches!(radix, Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B')) {
        let digits = bytes[2..].iter().take_while(|byte| is_digit(byte)).count();
        return start + 2 + digits;
    }
    let mut end = bytes.iter().take_while(|byte| is_digit(byte)).count();
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        end += 1;
        if matches!(bytes.get(end), Some(b'+' | b'-')) {
            end += 1;
        }
        let digits = bytes[end..].iter().take_while(|byte| is_digit(byte));
        end += digits.count();
    }
    start + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_where_minijinja_ends_it() {
        let divided = |text: &str| {
            let all = tokens(text);
            let shown = all.iter().map(|one| match one.kind {
                Token::Name(name) => name.to_owned(),
                Token::Sign(sign) => sign.to_string(),
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        for (text, expected) in [
            ("1if a", "1 if a"),
            ("1or 2and 3", "1 or 2 and 3"),
            ("1e-5-2E+3", "1e-5 - 2E+3"),
            ("1.5e-5", "1 . 5e-5"),
            ("0x1e+5", "0x1e + 5"),
            ("0b1or 0o7in a", "0b1 or 0o7 in a"),
            ("1_000e", "1_000e"),
            ("1else 2", "1e lse 2"),
            (r"'a\' ~ b' ~ c", "\" ~ c"),
            ("'open", "\""),
            ("é1 ~ ż", "é1 ~ ż"),
        ] {
            assert_eq!(divided(text), expected, "{text}");
        }
    }
}
