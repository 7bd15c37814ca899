//! Problems as JSON: the format that `--json` prints, independent of their form in memory.

use crate::problem::{Class, Place, Problem, Severity, line_and_column};
use serde::Serialize;

/// One problem as it crosses to other programs.
#[derive(Debug, Serialize)]
pub struct WireProblem<'a> {
    code: &'static str,
    title: &'static str,
    class: &'static str,
    severity: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<WireFile<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<WireRecord<'a>>,
}

/// Lines and columns count from one; `start` and `end` are bytes of the file.
#[derive(Debug, Serialize)]
struct WireFile<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    start: usize,
    end: usize,
}

#[derive(Debug, Serialize)]
struct WireRecord<'a> {
    source: &'a str,
    stream: Option<&'a str>,
    key: Option<&'a str>,
    field: Option<&'a str>,
}

/// The file and the line that a problem is about.
pub fn line_of(problem: &Problem, files: &[(String, String)]) -> Option<(String, usize)> {
    let file = to_wire(problem, files).file?;
    Some((file.name.to_owned(), file.line?))
}

/// `files` are names and texts; a place in another file goes without line and column.
pub fn to_wire<'a>(problem: &'a Problem, files: &[(String, String)]) -> WireProblem<'a> {
    let (file, record) = match &problem.place {
        Place::Nowhere => (None, None),
        Place::File { file, span } => {
            let text = files
                .iter()
                .find(|(name, _)| *name == **file)
                .map(|(_, text)| text);
            let at = text.map(|text| line_and_column(text, span.start));
            let (line, column) = (at.map(|at| at.0), at.map(|at| at.1));
            (
                Some(WireFile {
                    name: file,
                    line,
                    column,
                    start: span.start,
                    end: span.end,
                }),
                None,
            )
        }
        Place::Record {
            source,
            stream,
            key,
            field,
        } => {
            let (stream, key, field) = (stream.as_deref(), key.as_deref(), field.as_deref());
            (
                None,
                Some(WireRecord {
                    source,
                    stream,
                    key,
                    field,
                }),
            )
        }
    };
    WireProblem {
        code: problem.code.id,
        title: problem.code.title,
        class: class(problem.code.class),
        severity: match problem.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        },
        message: &problem.message,
        hint: problem.hint.as_deref(),
        file,
        record,
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Retry => "retry",
        Class::Stop => "stop",
        Class::SkipRecord => "skip_record",
        Class::AskUser => "ask_user",
        Class::Bug => "bug",
    }
}
