//! Standard output for results, standard error for everything else; text that fits a terminal, or JSON. The one way of printing
//! what others wrote: a line is one line, and nothing in it steers a terminal or hides (`problem::plain_line`).

use crate::cli::Ending;
use crate::opening::Stopped;
use crate::problem::{self, Look, Problem, Severity, plain_line};
use comfy_table::{ContentArrangement, presets};
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

    /// One line of a result, whatever is in it. A reader that went away is not a failure.
    pub fn line(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stdout(), "{}", plain_line(text.as_ref()));
    }

    /// A text of the hub's own that has several lines.
    pub fn lines(&self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    pub fn table(&self, table: &Table) {
        self.lines(&table.text());
    }

    /// JSON keeps every value as it is: what a terminal would obey is written as its number.
    pub fn value(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => {
                let _ = writeln!(std::io::stdout(), "{}", problem::plain_json(&text));
            }
            Err(error) => self.note(format!("the result cannot be written as JSON: {error}")),
        }
    }

    /// JSON in one line, where there is a line for each of many results.
    pub fn json_line(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => {
                let _ = writeln!(std::io::stdout(), "{}", problem::plain_json(&text));
            }
            Err(error) => self.note(format!("the result cannot be written as JSON: {error}")),
        }
    }

    /// One line that is not part of the result.
    pub fn note(&self, text: impl AsRef<str>) {
        if is_logged() {
            let text = text.as_ref();
            if !text.is_empty() {
                tracing::info!(target: SHOWN, "{text}");
            }
            return;
        }
        let _ = writeln!(std::io::stderr(), "{}", plain_line(text.as_ref()));
    }

    pub fn problems(&self, problems: &[Problem], files: &[(String, String)]) {
        if self.json {
            let wire: Vec<_> = problems
                .iter()
                .map(|problem| problem::to_wire(problem, files))
                .collect();
            self.value(&serde_json::json!({ "problems": wire }));
        } else if is_logged() {
            problems.iter().for_each(|problem| log(problem, files));
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
            self.note("");
            self.note(problem::summary(&stopped.problems));
        }
        Ending::Refused
    }
}

/// The target of what a command says on standard error. Where the log is JSON it is part of the log, so that each line there is an object.
pub const SHOWN: &str = "shown";

fn is_logged() -> bool {
    tracing::enabled!(target: SHOWN, tracing::Level::INFO)
}

/// A problem as an event.
fn log(problem: &Problem, files: &[(String, String)]) {
    let (code, message, hint) = (problem.code.id, &problem.message, problem.hint.as_deref());
    // Its place in the manifests; records are not named in a log.
    let (file, line) = problem::line_of(problem, files).unzip();
    match problem.severity {
        Severity::Error => tracing::error!(target: SHOWN, code, hint, file, line, "{message}"),
        Severity::Warning => tracing::warn!(target: SHOWN, code, hint, file, line, "{message}"),
    }
}

/// A table without lines, as wide as the terminal at most.
pub struct Table(comfy_table::Table);

pub fn table(head: &[&str]) -> Table {
    let mut table = comfy_table::Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if !head.is_empty() {
        table.set_header(head.iter().copied());
    }
    Table(table)
}

impl Table {
    /// A row whose cells are one line each, whatever is in them.
    pub fn add_row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells = cells.into_iter().map(|cell| plain_line(cell.as_ref()));
        self.0.add_row(cells);
    }

    /// The text without the blanks at the ends of its lines.
    fn text(&self) -> String {
        let text = self.0.to_string();
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    }
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
    fn a_cell_is_one_line_whatever_is_in_it() {
        let mut rows = table(&["what", "why"]);
        rows.add_row(["a\nFORGED", "\u{1b}[2K\u{9b}1A\u{202e}x"]);
        let text = rows.text();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("a\\nFORGED"), "{text}");
        assert!(text.contains("\\u{1b}[2K\\u{9b}1A\\u{202e}x"), "{text}");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [0, 12, 1204, 1_234_567, -4321].map(number),
            ["0", "12", "1,204", "1,234,567", "-4,321"]
        );
    }
}
