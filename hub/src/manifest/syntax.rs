//! Text that is no TOML: what its writer may have meant, and which other problems are only consequences of it.

use crate::manifest::tree::File;
use crate::problem::{Code, Place, Problem, codes};
use std::ops::Range;

/// What to do about a mistake at `span`, by the parser's words. What is written there is not repeated: it may be a secret.
pub(super) fn hint(text: &str, span: &Range<usize>, message: &str) -> Option<String> {
    let before = text.get(..span.start)?.rsplit('\n').next()?;
    let after = text.get(span.start..)?.lines().next().unwrap_or_default();
    if message.starts_with("string values must be quoted") || message.starts_with("invalid boolean")
    {
        return Some("write it in quotes, if it is a text".to_owned());
    }
    if message.starts_with("unexpected key or value") && before.trim_end().ends_with(['"', '\'']) {
        let quote = if before.trim_end().ends_with('"') {
            '"'
        } else {
            '\''
        };
        let other = if quote == '"' { '\'' } else { '"' };
        return Some(format!(
            "the text ended at the `{quote}` before this; inside it write `{other}`, such as `{quote}first_name ~ {other} {other} ~ last_name{quote}`"
        ));
    }
    if message.starts_with("invalid basic string") && after.is_empty() {
        return Some("the text has no `\"` at its end".to_owned());
    }
    if message.starts_with("invalid literal string") && after.is_empty() {
        return Some("the text has no `'` at its end".to_owned());
    }
    if message.starts_with("invalid unquoted key") && after.starts_with(':') {
        let key = before.trim();
        return Some(format!("write `{key} = …`, with `=`"));
    }
    None
}

/// Leaves out what a mistake in the syntax explains: what is said of the same line, what the file lacks, and what others
/// do not find in it.
pub(super) fn without_consequences(problems: Vec<Problem>, files: &[File<'_>]) -> Vec<Problem> {
    let line = |problem: &Problem| match &problem.place {
        Place::File { file, span } => {
            let text = files.iter().find(|other| other.name == *file)?.text;
            Some((
                file.clone(),
                crate::problem::line_and_column(text, span.start).0,
            ))
        }
        _ => None,
    };
    let is_syntax = |problem: &&Problem| *problem.code == codes::SYNTAX;
    let mistakes: Vec<_> = problems.iter().filter(is_syntax).map(line).collect();
    let mut left = problems;
    left.retain(|problem| {
        is_syntax(&problem) || !(may_follow(problem.code) || mistakes.contains(&line(problem)))
    });
    left
}

/// What a file lacks, or what another file cannot find in it, may be behind its syntax error.
fn may_follow(code: &Code) -> bool {
    let codes = [
        &codes::MISSING_KEY,
        &codes::UNKNOWN_TRAIT,
        &codes::UNKNOWN_PROPERTY,
        &codes::UNKNOWN_AUDIENCE,
        &codes::UNKNOWN_SOURCE,
        &codes::NO_CONSENT,
        &codes::NO_HUB,
        &codes::NOTHING_TO_SEND,
        &codes::MISSING_CREDENTIAL,
        &codes::NO_MAPPING,
        &codes::UNKNOWN_EVENT,
        &codes::UNKNOWN_PURPOSE,
    ];
    codes.contains(&code)
}
