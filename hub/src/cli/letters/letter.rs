//! How one dead letter is shown.

use crate::cli::output::Out;
use crate::flow::{About, Letter};
use crate::model::Timestamp;
use crate::store::LetterState;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

pub fn state(state: LetterState) -> &'static str {
    match state {
        LetterState::Open => "open",
        LetterState::Closed => "closed",
        LetterState::Corrected => "corrected",
        LetterState::GivenUp => "given up",
    }
}

pub fn show(letter: &Letter, out: &Out) {
    if out.json {
        return out.value(&as_json(letter));
    }
    let row = &letter.row;
    let since = Timestamp(row.created_at).to_minutes();
    out.line(format!(
        "dead letter {}, {}, of {since}",
        row.id,
        state(row.state)
    ));
    if let Some(decided) = &row.decided {
        let at = Timestamp(decided.at).to_minutes();
        out.line(format!(
            "decided      {at} by {}: {}",
            decided.by, decided.reason
        ));
    }
    out.line(format!(
        "where        {} {} {}",
        row.source, row.stream, row.key
    ));
    let expression = match &letter.about {
        About::Record { expression, .. } => expression.as_ref(),
        About::Row { .. } => None,
    };
    match expression {
        Some((text, _)) => out.line(format!("field        {} = {text}", row.field)),
        None if row.field.is_empty() => {}
        None => out.line(format!("field        {}", row.field)),
    }
    out.line(format!("why          {}: {}", row.code, row.message));
    if let Some(hint) = &row.hint {
        out.line(format!("what to do   {hint}"));
    }
    let reads = expression.map_or(&[][..], |(_, reads)| reads);
    match &letter.about {
        About::Record { received, now, .. } => {
            match received {
                Some(body) => shown("as received", body, reads, out),
                None => out.line("the version that it is about is not stored any more"),
            }
            if let Some(body) = now {
                shown("as it counts now", body, reads, out);
            }
        }
        About::Row { wanted: Some(row) } => shown("the row", row.as_bytes(), &[], out),
        About::Row { wanted: None } => {
            out.line("the row is to be taken out there, or nothing is to be sent any more");
        }
    }
}

/// A record with a mark at each field that the expression reads.
fn shown(title: &str, body: &[u8], reads: &[String], out: &Out) {
    out.line("");
    out.line(format!("{title}:"));
    let text = String::from_utf8_lossy(body);
    let Ok(raw) = serde_json::from_str::<&RawValue>(&text) else {
        return out.line(format!("  {text}"));
    };
    let mut printer = Printer { reads, out };
    printer.value("", "", raw, "", 1);
}

/// What is nested more deeply is shown on one line: nobody reads it, and JSON that is only divided has no limit of its own.
const DEEPEST: usize = 32;

struct Printer<'a> {
    reads: &'a [String],
    out: &'a Out,
}

impl Printer<'_> {
    /// One value with what stands before it on its line and after it.
    fn value(&mut self, path: &str, before: &str, raw: &RawValue, after: &str, depth: usize) {
        let is_read = self.reads.iter().any(|read| read == path);
        let mark = if is_read { "> " } else { "  " };
        let indent = "  ".repeat(depth - 1);
        let text = raw.get();
        let mut inside: Vec<(String, String, &RawValue)> = Vec::new();
        if depth > DEEPEST {
            // As it is.
        } else if let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
            inside.extend(fields.into_iter().map(|(name, raw)| {
                let quoted = serde_json::Value::from(name.as_str());
                (format!("{quoted}: "), name, raw)
            }));
        } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
            let items = items.into_iter().enumerate();
            inside.extend(items.map(|(at, raw)| (String::new(), at.to_string(), raw)));
        }
        if inside.is_empty() {
            return self
                .out
                .line(format!("{mark}{indent}{before}{text}{after}"));
        }
        let (open, close) = if text.starts_with('{') {
            ("{", "}")
        } else {
            ("[", "]")
        };
        self.out.line(format!("{mark}{indent}{before}{open}"));
        let last = inside.len() - 1;
        for (at, (before, name, raw)) in inside.into_iter().enumerate() {
            let path = match path.is_empty() {
                true => name,
                false => format!("{path}.{name}"),
            };
            let after = if at == last { "" } else { "," };
            self.value(&path, &before, raw, after, depth + 1);
        }
        self.out.line(format!("  {indent}{close}{after}"));
    }
}

fn as_json(letter: &Letter) -> serde_json::Value {
    let mut value = json!(letter.row);
    let parsed = |body: &Option<Vec<u8>>| -> Option<serde_json::Value> {
        let body = body.as_ref()?;
        Some(match serde_json::from_slice(body) {
            Ok(value) => value,
            Err(_) => String::from_utf8_lossy(body).into_owned().into(),
        })
    };
    match &letter.about {
        About::Record {
            received,
            now,
            expression,
        } => {
            value["received"] = json!(parsed(received));
            value["now"] = json!(parsed(now));
            value["expression"] = json!(expression.as_ref().map(|(text, _)| text));
            value["reads"] = json!(expression.as_ref().map(|(_, reads)| reads));
        }
        About::Row { wanted } => {
            value["wanted"] = json!(parsed(&wanted.clone().map(String::into_bytes)));
        }
    }
    value
}
