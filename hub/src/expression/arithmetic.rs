//! `+` and `*` in an expression's text, rewritten to filters of ours: MiniJinja's own repeat and join texts and lists without a
//! bound that fits, and already while they are compiled. Knows how operators bind, and nothing of values.

use crate::expression::token::{Spanned, Token, tokens};
use std::borrow::Cow;

/// The filters; no text can name them.
pub(super) const SUM: &str = "onefold_sum";
pub(super) const PRODUCT: &str = "onefold_product";

/// The text with `/` for every `+`, `*` and `~` between two values: it parses alike and reads the same fields, and nothing in it can
/// grow while MiniJinja computes what is constant. Every byte stays where it is.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let all = tokens(text);
    let mut bytes = Cow::Borrowed(text.as_bytes());
    for (at, token) in all.iter().enumerate() {
        let grows = match token.kind {
            Token::Sign('+' | '~') => true,
            Token::Sign('*') => !is_power(&all, at) && !is_spread(&all, at),
            _ => false,
        };
        if grows {
            bytes.to_mut()[token.span.start] = b'/';
        }
    }
    match bytes {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        // ASCII took the place of ASCII.
        Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned),
    }
}

/// `**`, the first or the second of its signs.
fn is_power(all: &[Spanned<'_>], at: usize) -> bool {
    let is_star = |at: usize| all.get(at).is_some_and(|one| one.kind == Token::Sign('*'));
    let touches = |first: usize| {
        is_star(first) && is_star(first + 1) && all[first].span.end == all[first + 1].span.start
    };
    // `***` is `**` and `*`, and a mistake.
    touches(at) || at.checked_sub(1).is_some_and(touches)
}

/// `f(*list)`
fn is_spread(all: &[Spanned<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| all[before].kind);
    matches!(before, Some(Token::Sign('(' | ',')))
}

/// The text with `[a, b, c]|onefold_sum` for each `a + b + c`, and the like for `*`, where there are any. The text parses.
/// An error is where it cannot be told what an operator is between.
pub(super) fn bounded(text: &str) -> Result<Option<String>, ()> {
    let all = tokens(text);
    let grows = |at: usize| match all[at].kind {
        Token::Sign('+') => true,
        Token::Sign('*') => !is_power(&all, at) && !is_spread(&all, at),
        _ => false,
    };
    if !(0..all.len()).any(grows) {
        return Ok(None);
    }
    let mut reader = Reader { text, all, at: 0 };
    let rewritten = reader.sequence()?;
    match reader.at == reader.all.len() {
        true => Ok(Some(rewritten)),
        false => Err(()),
    }
}

/// Words that end what `+` and `*` are between.
const LOOSER: [&str; 6] = ["and", "else", "if", "in", "not", "or"];

struct Reader<'t> {
    text: &'t str,
    all: Vec<Spanned<'t>>,
    at: usize,
}

impl<'t> Reader<'t> {
    fn kind(&self) -> Option<Token<'t>> {
        self.all.get(self.at).map(|token| token.kind)
    }

    /// The next token with everything before the one after it.
    fn take(&mut self) -> &'t str {
        let from = self.start();
        self.at += 1;
        &self.text[from..self.start()]
    }

    fn start(&self) -> usize {
        let next = self.all.get(self.at);
        next.map_or(self.text.len(), |token| token.span.start)
    }

    /// Everything up to the bracket that closes.
    fn sequence(&mut self) -> Result<String, ()> {
        let mut read = String::new();
        while let Some(kind) = self.kind() {
            match kind {
                Token::Sign(')' | ']' | '}') => break,
                Token::Sign('*')
                    if is_power(&self.all, self.at) || is_spread(&self.all, self.at) =>
                {
                    read.push_str(self.take());
                }
                Token::Sign('+' | '*' | '~') => return Err(()),
                Token::Sign(',' | ':' | '=' | '!' | '<' | '>' | '/' | '%' | '|' | '.') => {
                    read.push_str(self.take());
                }
                Token::Name(name) if LOOSER.contains(&name) => read.push_str(self.take()),
                _ => read.push_str(&self.sums()?),
            }
        }
        Ok(read)
    }

    /// `a + b - c`
    fn sums(&mut self) -> Result<String, ()> {
        let mut parts = vec![self.joined()?];
        loop {
            match self.kind() {
                Some(Token::Sign('+')) => {
                    self.take();
                    parts.push(self.joined()?);
                }
                Some(Token::Sign('-')) => {
                    let left = ended(parts, SUM);
                    parts = vec![left + self.take() + &self.joined()?];
                }
                _ => return Ok(ended(parts, SUM)),
            }
        }
    }

    /// `a ~ b`, which stays as it is.
    fn joined(&mut self) -> Result<String, ()> {
        let mut read = self.products()?;
        while self.kind() == Some(Token::Sign('~')) {
            read.push_str(self.take());
            read.push_str(&self.products()?);
        }
        Ok(read)
    }

    /// `a * b / c // d % e`
    fn products(&mut self) -> Result<String, ()> {
        let mut parts = vec![self.operand()?];
        loop {
            match self.kind() {
                Some(Token::Sign('*')) => {
                    self.take();
                    parts.push(self.operand()?);
                }
                Some(Token::Sign('/' | '%')) => {
                    let mut left = ended(parts, PRODUCT) + self.take();
                    if self.kind() == Some(Token::Sign('/')) {
                        left.push_str(self.take());
                    }
                    parts = vec![left + &self.operand()?];
                }
                _ => return Ok(ended(parts, PRODUCT)),
            }
        }
    }

    /// What binds closer: a value with its points, brackets, filters, tests, minus signs and powers.
    fn operand(&mut self) -> Result<String, ()> {
        let mut read = String::new();
        // A minus sign is part of a value at its beginning, behind `**`, and behind a test as its argument.
        let mut may_be_negative = true;
        while let Some(kind) = self.kind() {
            let is_power = is_power(&self.all, self.at);
            let mut after = false;
            match kind {
                Token::Sign('(' | '[' | '{') => {
                    read.push_str(self.take());
                    read.push_str(&self.sequence()?);
                    match self.kind() {
                        Some(_) => read.push_str(self.take()),
                        None => return Err(()),
                    }
                }
                Token::Sign('*') if is_power => {
                    read.push_str(self.take());
                    after = true;
                }
                Token::Sign('-') if may_be_negative => {
                    read.push_str(self.take());
                    after = true;
                }
                Token::Name("is") => {
                    read.push_str(self.take());
                    if self.kind() == Some(Token::Name("not")) {
                        read.push_str(self.take());
                    }
                    read.push_str(self.take());
                    after = true;
                }
                Token::Name(name) if LOOSER.contains(&name) => break,
                Token::Name(_) | Token::Sign('"' | '|' | '.') => read.push_str(self.take()),
                Token::Sign(_) => break,
            }
            may_be_negative = after;
        }
        match read.is_empty() {
            true => Err(()),
            false => Ok(read),
        }
    }
}

fn ended(mut parts: Vec<String>, filter: &str) -> String {
    match parts.len() {
        1 => parts.remove(0),
        _ => format!("[{}]|{filter} ", parts.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_bind_as_they_do_in_minijinja() {
        for (text, expected) in [
            ("a+b+c", "[a,b,c]|onefold_sum "),
            (
                "a * b / c * d",
                "[[a ,b ]|onefold_product / c ,d]|onefold_product ",
            ),
            ("a // b * c", "[a // b ,c]|onefold_product "),
            ("a - b + c", "[a - b ,c]|onefold_sum "),
            ("-a * -b ** -c", "[-a ,-b ** -c]|onefold_product "),
            (
                "a + b * c ~ d",
                "[a ,[b ,c ]|onefold_product ~ d]|onefold_sum ",
            ),
            ("a ** b * c", "[a ** b ,c]|onefold_product "),
            ("a is none + b", "[a is none ,b]|onefold_sum "),
            (
                "x and a+b or not c*d",
                "x and [a,b ]|onefold_sum or not [c,d]|onefold_product ",
            ),
            (
                "a+b == c|f(d+1, *e)",
                "[a,b ]|onefold_sum == c|f([d,1]|onefold_sum , *e)",
            ),
            ("{'a+b': x[y+1:]}", "{'a+b': x[[y,1]|onefold_sum :]}"),
            ("1e+5+2", "[1e+5,2]|onefold_sum "),
        ] {
            assert_eq!(bounded(text).unwrap().as_deref(), Some(expected), "{text}");
        }
        for text in ["a", "a ** b", "f(*a)", "'a + b'", "1e+5", "a - b / c"] {
            assert_eq!(bounded(text), Ok(None), "{text}");
        }
        for text in ["a +", "(a + b", "a */ b", "a + * b", "a * not"] {
            assert_eq!(bounded(text), Err(()), "{text}");
        }
    }

    #[test]
    fn a_harmless_text_has_every_byte_in_its_place() {
        for (text, expected) in [
            ("a+b*c~d", "a/b/c/d"),
            ("'ą+' * 2 ** 3", "'ą+' / 2 ** 3"),
            ("f(*a, *b) - 1e+5", "f(*a, *b) - 1e+5"),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }
}
