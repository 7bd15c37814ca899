//! Standard output for results, standard error for everything else; text that fits a terminal, or JSON.

use crate::cli::Ending;
use crate::opening::Stopped;
use crate::problem::{self, Look, Problem};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write};

pub struct Out {
    pub json: bool,
    pub look: Look,
}

/// The end of a command, or why it could not begin.
pub type Outcome = Result<Ending, Stopped>;

impl Out {
    pub fn new(json: bool) -> Self {
        let look = if std::io::stderr().is_terminal() {
            Look::Coloured
        } else {
            Look::Plain
        };
        Self { json, look }
    }

    /// One line of a result. A reader that went away is not a failure.
    pub fn line(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stdout(), "{}", text.as_ref());
    }

    pub fn value(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(text),
            Err(error) => self.note(format!("the result cannot be written as JSON: {error}")),
        }
    }

    /// One line that is not part of the result.
    pub fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
    }

    pub fn problems(&self, problems: &[Problem], files: &[(String, String)]) {
        if self.json {
            let wire: Vec<_> = problems
                .iter()
                .map(|problem| problem::to_wire(problem, files))
                .collect();
            self.value(&serde_json::json!({ "problems": wire }));
        } else if !problems.is_empty() {
            let text = problem::render(problems, files, self.look);
            let _ = write!(std::io::stderr(), "{text}");
        }
    }

    /// What does not stop a command; in JSON there is only its result.
    pub fn warnings(&self, warnings: &[Problem], files: &[(String, String)]) {
        if !self.json {
            self.problems(warnings, files);
        }
    }

    pub fn stopped(&self, stopped: &Stopped) -> Ending {
        self.warnings(&stopped.warnings, &stopped.files);
        self.problems(&stopped.problems, &stopped.files);
        if !self.json && stopped.nothing_was_run {
            self.note(format!("\n{}", problem::summary(&stopped.problems)));
        }
        Ending::Refused
    }
}

/// A table without lines, as wide as the terminal at most.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if !head.is_empty() {
        table.set_header(head.iter().copied());
    }
    table
}

/// A table's text without the blanks at the ends of its lines.
pub fn trimmed(table: &Table) -> String {
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A text of at most `width` characters; what does not fit is cut off with a sign of it.
pub fn fitted(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// `1,204`
pub fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// `+143 −0`
pub fn moves(entered: i64, left: i64) -> String {
    format!("+{} −{}", number(entered), number(left))
}

pub fn plural(count: i64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [0, 12, 1204, 1_234_567, -4321].map(number),
            ["0", "12", "1,204", "1,234,567", "-4,321"]
        );
    }
}
