//! What an expression may be and do: its length, its nesting, the size of what it makes, the work of one evaluation. Owns all of
//! these numbers. They are checked before MiniJinja sees anything, because its parser and its compiler call themselves.

use crate::expression::filter::Failure;
use crate::expression::scan::ParseError;
use crate::expression::token::{Token, tokens};
use crate::model::Value;
use std::cell::Cell;
use std::ops::Range;

/// Bytes of an expression: twenty-five times the longest mapping of our own connectors, and little enough that everything which
/// is done for each name in it stays quick.
pub const LENGTH: usize = 8 << 10;

/// How deep the tree of an expression can be. Every operator, point and filter adds one, so that `a.b | lower ~ c` has three, and a
/// pair of brackets three to what is inside: without optimisation MiniJinja takes 17 KiB of stack for one. Threads have 2 MiB, and the
/// expressions at random in `tests/guests/expressions` have half of that.
pub const DEPTH: usize = 100;
const BRACKET: usize = 3;

/// Bytes of a text that an expression makes. A text that it only passes on may be longer.
pub const TEXT: usize = 1 << 20;

/// Steps of one evaluation. A byte of text that is read or made is one step, an item of a list or a field of an object `ITEM` more:
/// about the bytes of memory that they take. So this is also the most that an evaluation holds, give or take a half.
pub const WORK: usize = 8 << 20;
pub const ITEM: usize = 32;

/// How deep lists and objects of a result may be nested. `serde_json` reads 128 levels, and what is stored is inside a few more.
pub const NESTING: usize = 100;

/// Filters, and paths, that are evaluated without counting; an expression with more is one for the machine, which counts.
pub const UNCOUNTED: usize = 16;

/// Refuses a text that is too long, or so nested that to read it could end the process.
pub(super) fn check(text: &str) -> Result<(), ParseError> {
    if text.len() <= LENGTH {
        return too_deep(text).map_or(Ok(()), |span| Err(nested(span)));
    }
    Err(ParseError {
        message: format!(
            "the expression is {} bytes long; {LENGTH} are allowed",
            text.len()
        ),
        span: 0..0,
        hint: Some("map what it is made of to traits of their own".to_owned()),
    })
}

/// Refuses a text for what became of it, which has more brackets.
pub(super) fn check_rewritten(rewritten: &str, text: &str) -> Result<(), ParseError> {
    too_deep(rewritten).map_or(Ok(()), |_| Err(nested(0..text.len())))
}

fn nested(span: Range<usize>) -> ParseError {
    ParseError {
        message: format!("the expression is nested too deeply: {DEPTH} levels are allowed"),
        span,
        hint: Some(
            "a map, such as `{'a': 1, 'b': 2}[x]`, replaces a chain of `if` and `else`".to_owned(),
        ),
    }
}

/// What is between two commas or brackets of one pair.
#[derive(Default)]
struct Level {
    /// Signs and words of this part, each of which may be one level of the tree.
    operators: usize,
    /// The deepest of the brackets in this part.
    inner: usize,
    /// The deepest part before this one.
    deepest: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.deepest.max(self.operators + self.inner)
    }

    fn end_part(&mut self) {
        *self = Self {
            deepest: self.depth(),
            ..Self::default()
        };
    }
}

const OPERATORS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

/// Where the text gets deeper than allowed. Never less deep than any reading of the text: how operators bind is not looked at.
fn too_deep(text: &str) -> Option<Range<usize>> {
    let mut open = vec![Level::default()];
    for token in tokens(text) {
        let level = open.last_mut()?;
        match token.kind {
            Token::Sign('(' | '[' | '{') => {
                level.operators += 1;
                open.push(Level::default());
            }
            Token::Sign(')' | ']' | '}') => {
                let depth = level.depth();
                // One that closes nothing is a mistake that the parser finds.
                if open.len() > 1 {
                    open.pop();
                }
                let level = open.last_mut()?;
                level.inner = level.inner.max(depth + BRACKET - 1);
            }
            Token::Sign(',' | ':') => level.end_part(),
            Token::Sign('"') => {}
            Token::Name(name) if !OPERATORS.contains(&name) => {}
            Token::Sign(_) | Token::Name(_) => level.operators += 1,
        }
        let last = open.last().map_or(0, Level::depth);
        let outer = open.iter().rev().skip(1);
        let around: usize = outer.map(|one| one.operators + BRACKET - 1).sum();
        if last + around > DEPTH {
            return Some(token.span);
        }
    }
    None
}

thread_local! {
    /// The steps that the evaluation under way has left. It is not among what a filter is given: to look it up there takes longer than
    /// most filters do. An evaluation never changes its thread, and none begins inside another.
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Starts an evaluation.
pub(super) fn begin() {
    LEFT.set(WORK);
}

pub(super) fn left() -> usize {
    LEFT.get()
}

/// Takes steps from the evaluation under way.
pub(super) fn spend(steps: usize) -> Result<(), Failure> {
    match LEFT.get().checked_sub(steps) {
        Some(left) => {
            LEFT.set(left);
            Ok(())
        }
        None => {
            LEFT.set(0);
            Err(Failure::Failed(format!(
                "the expression takes more than the {WORK} steps that it may take for one record"
            )))
        }
    }
}

/// Refuses a value that could be stored, and not be read again.
pub(super) fn check_nesting(value: &Value) -> Result<(), Failure> {
    fn walk(value: &Value, depth: usize) -> Result<(), Failure> {
        match value {
            Value::Array(items) => {
                let inside = inside(depth)?;
                items.iter().try_for_each(|item| walk(item, inside))
            }
            Value::Object(map) => {
                let inside = inside(depth)?;
                map.values().try_for_each(|item| walk(item, inside))
            }
            _ => Ok(()),
        }
    }
    walk(value, 0)
}

/// The depth of what is inside a list or an object at `depth`.
pub(super) fn inside(depth: usize) -> Result<usize, Failure> {
    match depth < NESTING {
        true => Ok(depth + 1),
        false => Err(Failure::Failed(format!(
            "the value is nested more than {NESTING} levels deep"
        ))),
    }
}

/// Takes the steps for a text that is about to be made.
pub(super) fn spend_text(bytes: usize) -> Result<(), Failure> {
    if bytes > TEXT {
        return Err(Failure::Failed(format!(
            "the expression makes a text of more than {TEXT} bytes"
        )));
    }
    spend(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_nests_counts_and_what_is_side_by_side_does_not() {
        let deep = |text: &str| too_deep(text).is_some();
        let chain = |part: &str, times: usize| format!("a{}", part.repeat(times));
        for part in [
            ".b", "|trim", " ~ b", " + b", " ** b", " or b", " in b", "[0]", "()", "[a:b]",
        ] {
            assert!(!deep(&chain(part, DEPTH / 2)), "{part}");
            assert!(deep(&chain(part, DEPTH + 1)), "{part}");
        }
        for part in ["not ", "-", "(", "[", "{a:", "a if b else ", "1if 1else "] {
            assert!(deep(&(part.repeat(DEPTH + 1) + "a")), "{part}");
        }
        let brackets = |times: usize| format!("{}a{}", "(".repeat(times), ")".repeat(times));
        assert!(!deep(&brackets(DEPTH / BRACKET)) && deep(&brackets(DEPTH / BRACKET + 1)));
        // The first operand of a chain is below all of its operators.
        let half = DEPTH / 2 + 1;
        assert!(deep(&format!(
            "({}){}",
            chain(" + b", half),
            "|trim".repeat(half)
        )));
        assert!(deep(&format!(
            "{}({})",
            "-".repeat(half),
            chain(" + b", half)
        )));
        assert!(!deep(&format!("[{}]", "a ~ b, ".repeat(500))));
        assert!(!deep(&format!("{{{}}}[a]", "'a': -1, ".repeat(500))));
        assert!(!deep(&format!("'{}'", "-(".repeat(500))));
    }

    #[test]
    fn a_long_text_is_refused_with_its_length() {
        let error = check(&" ".repeat(LENGTH + 1)).unwrap_err();
        assert_eq!(
            error.message,
            "the expression is 8193 bytes long; 8192 are allowed"
        );
        assert_eq!(check(&" ".repeat(LENGTH)), Ok(()));
    }
}
