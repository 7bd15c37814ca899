//! What went wrong, where, why and what to do next. Codes are stable and each has a page.

pub mod codes;
mod render;
mod wire;

pub use codes::{CODES, Code, find};
pub use render::{Look, record_place, render, summary};
pub use wire::{WireProblem, line_of, to_wire};

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Whether a text from outside is what it looks like when it is shown to a person: a terminal neither obeys it, nor breaks
/// its line, nor turns its direction around, and no character of it is invisible. Two invisible ones that some languages
/// need to join and to separate letters are allowed.
pub fn is_plain_line(text: &str) -> bool {
    !text.chars().any(is_deceiving)
}

/// A text from outside as one plain line: what deceives is spelled out.
pub fn plain_line(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match is_deceiving(c) {
            true => plain.extend(c.escape_default()),
            false => plain.push(c),
        }
    }
    plain
}

/// JSON that means the same and in which nothing deceives: inside a text, any character may be written as its number.
pub fn plain_json(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for c in json.chars() {
        match is_deceiving(c) && c != '\n' {
            true => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    plain.push_str(&format!("\\u{unit:04x}"));
                }
            }
            false => plain.push(c),
        }
    }
    plain
}

fn is_deceiving(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static Code,
    pub severity: Severity,
    /// Lower case, no full stop, backticks around names; never a secret or personal data.
    pub message: String,
    pub place: Place,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Error,
}

/// What the hub does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The same again later may work.
    Retry,
    /// This stream or destination stops; others go on.
    Stop,
    /// One record is set aside.
    SkipRecord,
    /// Only a person can fix it.
    AskUser,
    /// A bug in the hub.
    Bug,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    #[default]
    Nowhere,
    /// A byte range of a manifest file.
    File { file: Arc<str>, span: Range<usize> },
    /// A source or destination, and as much of the rest as is known.
    Record {
        source: String,
        stream: Option<String>,
        key: Option<String>,
        field: Option<String>,
    },
}

impl Place {
    /// A source or destination as a whole.
    pub fn entry(name: &str) -> Self {
        Self::Record {
            source: name.to_owned(),
            stream: None,
            key: None,
            field: None,
        }
    }
}

impl Problem {
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: Place::Nowhere,
            hint: None,
        }
    }

    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The field of a record that it is about; empty when it is about something else.
    pub fn field(&self) -> &str {
        match &self.place {
            Place::Record {
                field: Some(field), ..
            } => field,
            _ => "",
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The page of a code, as Markdown.
pub fn explain(id: &str) -> Option<&'static str> {
    find(id).map(|code| code.page)
}

/// What the program ends with: 0 nothing wrong, 1 some rows or streams failed, 2 wrong manifest or usage,
/// 3 a guard stopped it. Warnings count for nothing.
pub fn exit_code(problems: &[Problem]) -> u8 {
    let of = |problem: &Problem| match problem.code.id.get(..4) {
        Some("OF00" | "OF01" | "OF02" | "OF06") if problem.code.class == Class::AskUser => 2,
        Some("OF07") if problem.code.class == Class::AskUser => 3,
        _ => 1,
    };
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error);
    let codes: Vec<u8> = errors.map(of).collect();
    [2, 3, 1]
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or(0)
}

/// Line and column of a byte, both from one; columns count characters.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code.id, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests;
