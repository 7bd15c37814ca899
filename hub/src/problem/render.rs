//! Problems as text for people, like a compiler's: code, message, place, the line underlined, a hint.
//! Masks what looks like a secret in the lines it shows.

use crate::problem::{Place, Problem, Severity, codes, is_plain_line, plain_line};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

/// How the text may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Plain,
    /// With colours, for a terminal.
    Coloured,
}

/// Every problem as a paragraph, with the lines of `files` (name and text) that they point at.
pub fn render(problems: &[Problem], files: &[(String, String)], look: Look) -> String {
    let renderer = match look {
        Look::Plain => Renderer::plain(),
        Look::Coloured => Renderer::styled(),
    };
    let shown: Vec<(&str, String)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), masked(name, text, problems)))
        .collect();
    let mut text = String::new();
    for problem in problems {
        let group = group(problem, &shown);
        text.push_str(&renderer.render(&[group]));
        text.push_str("\n\n");
    }
    text.truncate(text.trim_end().len());
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// `2 errors and 1 warning; nothing was run. `onefold help OF0107` explains a code`
pub fn summary(problems: &[Problem]) -> String {
    let count = |severity, noun: &str| {
        let number = problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count();
        match number {
            0 => None,
            1 => Some(format!("1 {noun}")),
            _ => Some(format!("{number} {noun}s")),
        }
    };
    let counts: Vec<String> = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut text = if counts.is_empty() {
        "no problems".to_owned()
    } else {
        counts.join(" and ")
    };
    let worst = problems
        .iter()
        .find(|problem| problem.severity == Severity::Error)
        .or(problems.first());
    if let Some(problem) = worst {
        let stopped = match problem.severity {
            Severity::Error => "nothing was run. ",
            Severity::Warning => "",
        };
        let code = problem.code.id;
        // Writing to a String cannot fail.
        let _ = write!(text, "; {stopped}`onefold help {code}` explains a code");
    }
    text
}

fn group<'a>(problem: &'a Problem, files: &'a [(&str, String)]) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(one_line(&problem.message))
        .id(problem.code.id);
    let mut hint = problem.hint.as_deref();
    let mut group = match &problem.place {
        Place::Nowhere => Group::with_title(title),
        Place::File { file, span } => match files.iter().find(|(name, _)| *name == &**file) {
            None => title.element(Origin::path(&**file)),
            Some((name, text)) => {
                let mut annotation = AnnotationKind::Primary.span(first_line(text, span));
                if let Some(label) = hint.filter(|hint| hint.starts_with("did you mean")) {
                    annotation = annotation.label(one_line(label));
                    hint = None;
                }
                title.element(
                    Snippet::source(text.as_str())
                        .path(*name)
                        .annotation(annotation),
                )
            }
        },
        Place::Record { .. } => title.element(Origin::path(record_place(&problem.place))),
    };
    if let Some(hint) = hint {
        group = group.element(Level::HELP.with_name("hint").message(one_line(hint)));
    }
    group
}

/// `crm/contacts 1042 total`
pub fn record_place(place: &Place) -> String {
    let Place::Record {
        source,
        stream,
        key,
        field,
    } = place
    else {
        return String::new();
    };
    let mut text = source.clone();
    if let Some(stream) = stream {
        text.push('/');
        text.push_str(stream);
    }
    for part in [key, field].into_iter().flatten() {
        text.push(' ');
        text.push_str(part);
    }
    one_line(&text).into_owned()
}

/// Text from outside must not break the layout or steer a terminal.
fn one_line(text: &str) -> Cow<'_, str> {
    if is_plain_line(text) {
        return Cow::Borrowed(text);
    }
    let blanks = text.replace(['\n', '\r', '\t'], " ");
    Cow::Owned(plain_line(&blanks))
}

/// A span that runs over several lines is shown by its first.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0)
    };
    let (start, end) = (floor(span.start), floor(span.end));
    let end = end.max(start);
    match text[start..end].find('\n') {
        Some(newline) => start..start + newline,
        None => start..end,
    }
}

/// The text of a file, byte for byte as long, with stars in place of secrets: the reported ones, and texts under
/// a name that suggests one and that are neither `env:` nor `file:`.
fn masked(name: &str, text: &str, problems: &[Problem]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for problem in problems
        .iter()
        .filter(|problem| *problem.code == codes::INLINE_SECRET)
    {
        if let Place::File { file, span } = &problem.place
            && **file == *name
        {
            star(&mut bytes, span.clone());
        }
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for value in telling_values(line) {
            star(&mut bytes, start + value.start..start + value.end);
        }
        start += line.len();
    }
    // Stars take the place of whole characters, so this stays UTF-8.
    String::from_utf8(bytes).unwrap_or_default()
}

fn star(bytes: &mut [u8], span: Range<usize>) {
    for byte in bytes.get_mut(span).into_iter().flatten() {
        if !matches!(*byte, b'\n' | b'\r' | b' ' | b'"' | b'\'') {
            *byte = b'*';
        }
    }
}

const TELLING: [&str; 7] = [
    "token",
    "secret",
    "password",
    "credential",
    "api_key",
    "apikey",
    "private",
];

/// What follows `=` on a line whose key suggests a secret.
fn telling_values(line: &str) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    let mut from = 0;
    while let Some(equals) = line[from..].find('=').map(|at| from + at) {
        let key = line[from..equals].to_ascii_lowercase();
        let value = equals + 1;
        let end = line[value..]
            .find(['=', ',', '}'])
            .map_or(line.len(), |at| value + at);
        let content = line[value..].trim_start().trim_start_matches(['"', '\'']);
        let named = ["env:", "file:", "{"]
            .iter()
            .any(|start| content.starts_with(start));
        // What is before an `@` in a URL is a password.
        let has_login = key.contains("url") && line[value..].contains('@');
        if (has_login || TELLING.iter().any(|word| key.contains(word))) && !named {
            // A secret can hold any sign, so everything to the end of the line goes.
            values.push(value..line.len());
            break;
        }
        from = end.max(value);
    }
    values
}
