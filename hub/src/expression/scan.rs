//! Finds unknown names in an expression's text that MiniJinja would only report at run time: filters, tests and functions.
//! Owns the list of what an expression may call; does not parse expressions.

use crate::expression::filter::Filter;
use crate::expression::token::{Spanned, Token, tokens};
use std::ops::Range;

/// Why a text is not a valid expression; the span is in bytes of that text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    pub message: String,
    pub span: Range<usize>,
    pub hint: Option<String>,
}

/// MiniJinja's own filters that stay available in addition to ours.
pub(super) const BUILTIN_FILTERS: [&str; 16] = [
    "abs",
    "capitalize",
    "d",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "replace",
    "round",
    "split",
    "title",
    "unique",
];

/// MiniJinja's tests that stay available, as in `x is defined`.
pub(super) const TESTS: [&str; 12] = [
    "boolean",
    "defined",
    "endingwith",
    "false",
    "integer",
    "mapping",
    "none",
    "number",
    "sequence",
    "startingwith",
    "string",
    "true",
];
pub(super) const MORE_TESTS: [&str; 1] = ["undefined"];

/// "did you mean" when something is near, else the whole list.
pub fn suggest<'c>(name: &str, known: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    match closest(name, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!(
            "known: {}",
            known
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

/// The candidate that `name` most likely means, if any is near.
pub fn closest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, candidate)| {
            let distance = strsim::osa_distance(name, candidate);
            let longest = name.len().max(candidate.len());
            (distance <= 1 && longest > 2) || (*likeness >= 0.84 && distance <= 1 + longest / 3)
        })
        .max_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| y.cmp(x)))
        .map(|(_, candidate)| candidate)
}

/// Refuses unknown filters, tests and every call of a function or method.
pub(super) fn check_names(text: &str) -> Result<(), ParseError> {
    let tokens = tokens(text);
    for (at, token) in tokens.iter().enumerate() {
        let Token::Name(name) = token.kind else {
            continue;
        };
        let before = |back: usize| {
            at.checked_sub(back)
                .and_then(|index| tokens.get(index))
                .map(|token| token.kind)
        };
        let is_test = is_test(&tokens, at);
        let called = tokens.get(at + 1).map(|token| token.kind) == Some(Token::Sign('('));
        let unknown = if before(1) == Some(Token::Sign('|')) {
            unknown_filter(name)
                .or_else(|| wrong_arguments(name, called))
                .or_else(|| wrong_literal(name, literal(text, &tokens, at + 1)?))
        } else if is_test && name != "not" {
            unknown_test(name)
        } else if called && !matches!(name, "in" | "and" | "or" | "not" | "if" | "else" | "is") {
            Some((
                format!("`{name}` is called like a function, and there are none"),
                filter_for_call(name),
            ))
        } else {
            None
        };
        if let Some((message, hint)) = unknown {
            return Err(ParseError {
                message,
                span: token.span.clone(),
                hint,
            });
        }
    }
    Ok(())
}

/// Every field that the text names, as a dotted path: names at which a value begins, with the names behind points. The text compiles.
pub(super) fn fields(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let sign = |at: Option<usize>, signs: &[char]| {
        let token = at.and_then(|at| tokens.get(at));
        token.is_some_and(|token| matches!(token.kind, Token::Sign(sign) if signs.contains(&sign)))
    };
    let mut fields = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Name(name) = token.kind else {
            continue;
        };
        let before = at.checked_sub(1);
        let is_value = !name.starts_with(|c: char| c.is_ascii_digit())
            && !WORDS.contains(&name)
            && !sign(before, &['.', '|'])
            && !is_test(&tokens, at)
            && !is_name_of_argument(text, &tokens, at);
        if !is_value {
            continue;
        }
        let mut path = name.to_owned();
        let mut end = at + 1;
        while sign(Some(end), &['.'])
            && let Some(Token::Name(below)) = tokens.get(end + 1).map(|token| token.kind)
        {
            path.push('.');
            path.push_str(below);
            end += 2;
        }
        fields.push(path);
    }
    fields.sort();
    fields.dedup();
    fields
}

/// How often the text names a field, and cuts or looks into any value.
pub(super) fn uses(text: &str, field: &str) -> usize {
    let is_use = |token: &&Spanned<'_>| match token.kind {
        Token::Name(name) => name == field,
        Token::Sign(sign) => sign == '[',
    };
    tokens(text).iter().filter(is_use).count()
}

/// The filters that `joins` writes; no text can name them.
pub(super) const JOIN: &str = "onefold_join";
pub(super) const GIVEN: &str = "onefold_given";

/// The text with a list and a filter in the place of each `a ~ b ~ c`, where there are any: `([a|given, b|given, c|given]|join)`. Only fields
/// are `given`. `~` binds closer than `+`, and looser than `*`.
pub(super) fn joins(text: &str) -> Option<String> {
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    let mut open = vec![Chain::default()];
    let mut before = Token::Sign('(');
    for token in tokens(text) {
        let start = token.span.start;
        let chain = open.last_mut()?;
        let is_after_value = match before {
            Token::Name(name) => !BINDING_LOOSER.contains(&name),
            Token::Sign(sign) => matches!(sign, ')' | ']' | '}' | '"'),
        };
        match token.kind {
            Token::Sign('~') => {
                chain.end_part(start);
                edits.push((start, start + 1, ",".to_owned()));
            }
            Token::Sign(sign @ ('(' | '[' | '{')) => {
                chain.add(start, sign == '[' && is_after_value);
                open.push(Chain::default());
            }
            Token::Sign(')' | ']' | '}') => {
                open.pop()?.end(start, &mut edits);
            }
            Token::Sign(',' | ':' | '=' | '!' | '<' | '>' | '+') => chain.end(start, &mut edits),
            Token::Sign('-') if is_after_value => chain.end(start, &mut edits),
            Token::Sign('.') => chain.add(start, true),
            Token::Name(name) if BINDING_LOOSER.contains(&name) => chain.end(start, &mut edits),
            Token::Name(name) => chain.add(start, !name.starts_with(|c: char| c.is_ascii_digit())),
            Token::Sign(_) => chain.add(start, false),
        }
        before = token.kind;
    }
    open.pop()?.end(text.len(), &mut edits);
    edits.sort_by_key(|edit| (edit.0, edit.1));
    let mut joined = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for (start, end, with) in &edits {
        joined.push_str(&text[at..*start]);
        joined.push_str(with);
        at = *end;
    }
    joined.push_str(&text[at..]);
    (!edits.is_empty()).then_some(joined)
}

const BINDING_LOOSER: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

/// What is joined in one pair of brackets, as far as it was seen.
#[derive(Default)]
struct Chain {
    /// Where the part at hand begins, and whether it is nothing but a field.
    part: Option<(usize, bool)>,
    /// Where each part before it begins and ends, and whether it is a field.
    parts: Vec<(usize, usize, bool)>,
}

impl Chain {
    fn add(&mut self, start: usize, may_be_field: bool) {
        self.part = match self.part {
            Some((start, is_field)) => Some((start, is_field && may_be_field)),
            None => Some((start, may_be_field)),
        };
    }

    fn end_part(&mut self, end: usize) {
        if let Some((start, is_field)) = self.part.take() {
            self.parts.push((start, end, is_field));
        }
    }

    /// Something that binds looser follows.
    fn end(&mut self, end: usize, edits: &mut Vec<(usize, usize, String)>) {
        self.end_part(end);
        let parts = std::mem::take(&mut self.parts);
        if let [(first, ..), _, ..] = parts[..] {
            edits.push((first, first, "([".to_owned()));
            let fields = parts.iter().filter(|(.., is_field)| *is_field);
            edits.extend(fields.map(|(_, end, _)| (*end, *end, format!("|{GIVEN}"))));
            edits.push((end, end, format!("]|{JOIN})")));
        }
    }
}

/// Whether the text cuts a value, as in `x[a:b]`. A third part is refused: nobody needs one, and MiniJinja has none that is safe.
pub(super) fn cuts(text: &str) -> Result<bool, ParseError> {
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut is_cut = false;
    for token in tokens(text) {
        match token.kind {
            Token::Sign(sign @ ('(' | '[' | '{')) => open.push((sign, 0)),
            Token::Sign(')' | ']' | '}') => drop(open.pop()),
            Token::Sign(':') => {
                let Some(('[', colons)) = open.last_mut() else {
                    continue;
                };
                *colons += 1;
                is_cut = true;
                if *colons > 1 {
                    return Err(ParseError {
                        message: "a cut has a first and a last position, and no step".to_owned(),
                        span: token.span,
                        hint: Some("write `[first:last]`, as in `name[:1]`".to_owned()),
                    });
                }
            }
            _ => {}
        }
    }
    Ok(is_cut)
}

const WORDS: [&str; 13] = [
    "and", "else", "false", "False", "if", "in", "is", "none", "None", "not", "or", "true", "True",
];

/// `x is NAME`, `x is not NAME`
fn is_test(tokens: &[Spanned<'_>], at: usize) -> bool {
    let kind = |back: usize| {
        let token = at.checked_sub(back).and_then(|at| tokens.get(at));
        token.map(|token| token.kind)
    };
    kind(1) == Some(Token::Name("is"))
        || (kind(1) == Some(Token::Name("not")) && kind(2) == Some(Token::Name("is")))
}

/// `NAME=value` between parentheses
fn is_name_of_argument(text: &str, tokens: &[Spanned<'_>], at: usize) -> bool {
    let is_sign = |at: Option<usize>, signs: &[char]| {
        let token = at.and_then(|at| tokens.get(at));
        token.is_some_and(|token| matches!(token.kind, Token::Sign(sign) if signs.contains(&sign)))
    };
    let equals = is_sign(Some(at + 1), &['=']);
    let rest = || &text[tokens[at + 1].span.end..];
    equals && is_sign(at.checked_sub(1), &['(', ',']) && !rest().starts_with('=')
}

/// True when the text applies the filter somewhere.
pub(super) fn has_filter(text: &str, filter: &str) -> bool {
    tokens(text)
        .windows(2)
        .any(|pair| pair[0].kind == Token::Sign('|') && pair[1].kind == Token::Name(filter))
}

/// A `/`, `//` or `%` with nothing but a zero after it. What only turns out to be zero is not found here.
pub(super) fn divides_by_zero(text: &str) -> Option<Range<usize>> {
    let tokens = tokens(text);
    (0..tokens.len()).find_map(|at| {
        let divides = matches!(tokens[at].kind, Token::Sign('/' | '%'));
        let from = tokens.get(at + 1).filter(|_| divides)?;
        let digits = tokens[at + 1..]
            .iter()
            .take_while(|token| match token.kind {
                Token::Name(name) => name.starts_with(|c: char| c.is_ascii_digit()),
                Token::Sign(sign) => sign == '.',
            })
            .last()?;
        let after = tokens[at + 1..]
            .iter()
            .find(|token| token.span.start >= digits.span.end);
        // A filter and a power bind closer than the division.
        let alone = after.is_none_or(|token| {
            let power = text[token.span.start..].starts_with("**");
            !power && !matches!(token.kind, Token::Sign('|'))
        });
        let number: f64 = text[from.span.start..digits.span.end].parse().ok()?;
        (alone && number == 0.0).then_some(tokens[at].span.start..digits.span.end)
    })
}

/// The names that stand before or after a `*`, up to their first point.
pub(super) fn multiplied(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let is_sign = |at: usize, sign: char| {
        tokens
            .get(at)
            .is_some_and(|token| token.kind == Token::Sign(sign))
    };
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Name(name) = token.kind else {
            continue;
        };
        let is_field = name.starts_with(|c: char| !c.is_ascii_digit());
        let before = at.checked_sub(1);
        let inside = before.is_some_and(|at| is_sign(at, '.') || is_sign(at, '|'));
        let mut end = at + 1;
        while is_sign(end, '.') {
            end += 2;
        }
        // A filter binds closer than what stands before its field.
        let multiplies = before.is_some_and(|at| is_sign(at, '*')) && !is_sign(end, '|');
        if is_field && !inside && (multiplies || is_sign(end, '*')) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

fn unknown_filter(name: &str) -> Option<(String, Option<String>)> {
    if Filter::find(name).is_some() || BUILTIN_FILTERS.contains(&name) {
        return None;
    }
    let known = || {
        Filter::ALL
            .iter()
            .map(|filter| filter.name())
            .chain(BUILTIN_FILTERS)
    };
    let hint = match closest(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let ours: Vec<&str> = Filter::ALL.iter().map(|filter| filter.name()).collect();
            format!("filters are {}", ours.join(", "))
        }
    };
    Some((format!("unknown filter `{name}`"), Some(hint)))
}

/// Our filters take the currency, a format, or nothing.
fn wrong_arguments(name: &str, called: bool) -> Option<(String, Option<String>)> {
    let filter = Filter::find(name)?;
    match (filter.takes_argument(), called) {
        (true, false) => {
            let hint = format!("write `{name}(currency)` with the field that holds it");
            Some((
                format!("the filter `{name}` needs the currency"),
                Some(hint),
            ))
        }
        (false, true) if !filter.may_take_argument() => {
            Some((format!("the filter `{name}` takes no arguments"), None))
        }
        _ => None,
    }
}

/// The text between the parentheses that open at `at`, where it is one literal.
fn literal<'t>(text: &'t str, tokens: &[Spanned<'t>], at: usize) -> Option<&'t str> {
    let [open, only, close] = tokens.get(at..at + 3)? else {
        return None;
    };
    if [open.kind, only.kind, close.kind] != ['(', '"', ')'].map(Token::Sign) {
        return None;
    }
    let inside = text.get(only.span.start..close.span.start)?.trim();
    let quote = inside.chars().next()?;
    let inside = inside.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inside.contains([quote, '\\'])).then_some(inside)
}

fn wrong_literal(name: &str, argument: &str) -> Option<(String, Option<String>)> {
    let why = Filter::find(name)?.refuses(argument)?;
    Some((why, None))
}

fn unknown_test(name: &str) -> Option<(String, Option<String>)> {
    let known = || TESTS.into_iter().chain(MORE_TESTS);
    if known().any(|test| test == name) {
        return None;
    }
    let hint = closest(name, known()).map(|near| format!("did you mean `{near}`?"));
    Some((format!("unknown test `{name}`"), hint))
}

fn filter_for_call(name: &str) -> Option<String> {
    let known = Filter::find(name).is_some() || BUILTIN_FILTERS.contains(&name);
    known.then(|| format!("`{name}` is a filter: write `field | {name}`"))
}
