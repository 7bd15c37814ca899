//! The documents of a connector's project, judged by the JSON Schemas that a project is made with: where it is wrong, what is
//! allowed there, and what may have been meant.

mod outline;
mod place;
#[cfg(test)]
mod tests;

pub use outline::{Line, outline};

use crate::expression::{Expression, closest, suggest};
use crate::kit::conformance::validator;
use crate::problem::{Code, Place, Problem, codes};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    Manifest,
    Connector,
    Conformance,
}

impl Document {
    pub const ALL: [Self; 3] = [Self::Manifest, Self::Connector, Self::Conformance];

    pub const fn file(self) -> &'static str {
        match self {
            Self::Manifest => "manifest.json",
            Self::Connector => "connector.toml",
            Self::Conformance => "conformance.toml",
        }
    }

    pub const fn schema(self) -> &'static str {
        match self {
            Self::Manifest => include_str!("manifest.schema.json"),
            Self::Connector => include_str!("connector.schema.json"),
            Self::Conformance => include_str!("conformance.schema.json"),
        }
    }

    fn code(self) -> &'static Code {
        match self {
            Self::Manifest | Self::Connector => &codes::BAD_PROJECT,
            Self::Conformance => &codes::WRONG_CONFORMANCE,
        }
    }
}

/// What is wrong with a document; nothing where it is as it must be.
pub fn judge(document: Document, file: &str, text: &str) -> Vec<Problem> {
    let value = match document {
        Document::Manifest => json(text),
        Document::Connector | Document::Conformance => toml(text),
    };
    let judged = Judged {
        document,
        file,
        text,
    };
    let value = match value {
        Ok(value) => value,
        Err((message, span)) => return vec![judged.problem(message, span)],
    };
    let schema: Value = match serde_json::from_str(document.schema()) {
        Ok(schema) => schema,
        Err(error) => return vec![judged.problem(error.to_string(), 0..0)],
    };
    let mut problems = Vec::new();
    match validator(&schema) {
        Ok(validator) => {
            for error in validator.iter_errors(&value) {
                judged.explain(&schema, &error, &mut problems);
            }
        }
        Err(why) => problems.push(judged.problem(why, 0..0)),
    }
    if document == Document::Manifest {
        judged.compile(&value, &mut problems);
        judged.look_up(&value, &mut problems);
    }
    problems.sort_by_key(|problem| match &problem.place {
        Place::File { span, .. } => span.start,
        _ => 0,
    });
    problems
}

fn json(text: &str) -> Result<Value, (String, Range<usize>)> {
    serde_json::from_str(text).map_err(|error| {
        let before = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1));
        let line = before.map(str::len).sum::<usize>();
        let at = (line + error.column().saturating_sub(1)).min(text.len());
        (format!("this is not JSON: {}", reason(&error)), at..at)
    })
}

/// Without its own place.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

fn toml(text: &str) -> Result<Value, (String, Range<usize>)> {
    let wrong = |error: toml::de::Error| {
        let span = error.span().unwrap_or(0..0);
        (format!("this is not TOML: {}", error.message()), span)
    };
    let table: toml::Table = toml::from_str(text).map_err(wrong)?;
    serde_json::to_value(table).map_err(|error| (error.to_string(), 0..0))
}

struct Judged<'a> {
    document: Document,
    file: &'a str,
    text: &'a str,
}

impl Judged<'_> {
    fn problem(&self, message: String, span: Range<usize>) -> Problem {
        let file = self.file.into();
        Problem::new(self.document.code(), message).at(Place::File { file, span })
    }

    fn span(&self, path: &[String], named: Option<&str>) -> Range<usize> {
        match self.document {
            Document::Manifest => place::in_json(self.text, path, named),
            Document::Connector | Document::Conformance => place::in_toml(self.text, path, named),
        }
    }

    fn explain(&self, schema: &Value, error: &ValidationError<'_>, problems: &mut Vec<Problem>) {
        let path = names(error.instance_path().as_str());
        let place = dotted(&path);
        let rule = names(error.schema_path().as_str());
        let node = schema.pointer(&pointer(&rule[..rule.len().saturating_sub(1)]));
        let node = node.unwrap_or(&Value::Null);
        let hint = |node: &Value| node.get("description")?.as_str().map(str::to_owned);
        let mut add = |message: String, named: Option<&str>, hint: Option<String>| {
            let problem = self.problem(message, self.span(&path, named));
            problems.push(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
        };
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = node.get("properties").and_then(Value::as_object);
                let known: Vec<&str> = known
                    .into_iter()
                    .flat_map(|known| known.keys().map(String::as_str))
                    .collect();
                for name in unexpected {
                    let hint = suggest(name, known.iter().copied());
                    add(format!("unknown key `{name}` in {place}"), Some(name), hint);
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let missing = node.get("properties").and_then(|all| all.get(name));
                add(
                    format!("{place} has no `{name}`"),
                    None,
                    missing.and_then(hint),
                );
            }
            ValidationErrorKind::Type { .. } => {
                let wanted = wanted(node);
                let found = kind(error.instance());
                add(
                    format!("{place} must be {wanted}, and is {found}"),
                    None,
                    hint(node),
                );
            }
            ValidationErrorKind::Enum { .. } | ValidationErrorKind::AnyOf { .. } => {
                let near = near(node, error.instance());
                let hint = near
                    .map(|near| format!("did you mean `{near}`?"))
                    .or(hint(node));
                add(
                    format!("{place} cannot be {}", shown(error.instance())),
                    None,
                    hint,
                );
            }
            ValidationErrorKind::Pattern { .. } => {
                add(
                    format!("{place} cannot be {}", shown(error.instance())),
                    None,
                    hint(node),
                );
            }
            _ => add(
                format!("{place} does not fit: {}", error.masked()),
                None,
                hint(node),
            ),
        }
    }

    /// The fields that a stream names next to its schema.
    fn look_up(&self, manifest: &Value, problems: &mut Vec<Problem>) {
        let streams = manifest.get("streams").and_then(Value::as_array);
        for (index, stream) in streams.into_iter().flatten().enumerate() {
            let schema = &stream["schema"];
            let lists = ["primary_key", "cursor_fields"]
                .into_iter()
                .flat_map(|list| {
                    let fields = stream[list].as_array().into_iter().flatten().enumerate();
                    fields.map(move |(at, field)| (list, at.to_string(), field.as_str(), None))
                });
            let classes = stream["data_classes"].as_object().into_iter().flatten();
            let classes = classes.map(|(field, _)| {
                let named = Some(field.as_str());
                ("data_classes", String::new(), named, named)
            });
            for (list, at, field, named) in lists.chain(classes) {
                let Some((unknown, known)) = field.and_then(|field| undeclared(schema, field))
                else {
                    continue;
                };
                let mut path = vec!["streams".to_owned(), index.to_string(), list.to_owned()];
                path.extend(Some(at).filter(|at| !at.is_empty()));
                let message = format!(
                    "{} names `{unknown}`, which the stream's schema does not have",
                    dotted(&path)
                );
                let problem = self.problem(message, self.span(&path, named));
                problems.push(match suggest(unknown, known) {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                });
            }
        }
    }

    /// The expressions of the default mappings.
    fn compile(&self, manifest: &Value, problems: &mut Vec<Problem>) {
        let streams = manifest.get("streams").and_then(Value::as_array);
        for (index, stream) in streams.into_iter().flatten().enumerate() {
            let Some(mapping) = stream.get("mapping") else {
                continue;
            };
            let above = [
                "streams".to_owned(),
                index.to_string(),
                "mapping".to_owned(),
            ];
            let singles = ["key", "updated_at", "created_at"].map(|name| vec![name.to_owned()]);
            let below = |table: &str| {
                let names = mapping.get(table).and_then(Value::as_object);
                let names = names.into_iter().flat_map(|table| table.keys());
                names
                    .map(|name| vec![table.to_owned(), name.clone()])
                    .collect::<Vec<_>>()
            };
            let consents = below("consent");
            let timed = consents.iter().flat_map(|path| {
                ["status", "at"].map(|name| path.iter().cloned().chain([name.to_owned()]).collect())
            });
            let paths = singles
                .into_iter()
                .chain(below("map"))
                .chain(consents.clone());
            for path in paths.chain(timed) {
                let text = mapping.pointer(&pointer(&path)).and_then(Value::as_str);
                let Some(Err(error)) = text.map(Expression::parse) else {
                    continue;
                };
                let path: Vec<String> = above.iter().cloned().chain(path).collect();
                let message = format!("{}: {}", dotted(&path), error.message);
                let problem = self.problem(message, self.span(&path, None));
                problems.push(match error.hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                });
            }
        }
    }
}

/// The part of a field's name that a schema does not have, with the names that it has there: a name, or names with dots between them.
/// Schemas that list no properties have all.
pub fn undeclared<'a>(schema: &'a Value, field: &'a str) -> Option<(&'a str, Vec<&'a str>)> {
    let properties = schema["properties"].as_object()?;
    if properties.contains_key(field) {
        return None;
    }
    let (first, rest) = field.split_once('.').unwrap_or((field, ""));
    match properties.get(first).filter(|_| !rest.is_empty()) {
        Some(below) => undeclared(below, rest),
        None => Some((first, properties.keys().map(String::as_str).collect())),
    }
}

/// The parts of a JSON pointer.
fn names(pointer: &str) -> Vec<String> {
    let parts = pointer.split('/').skip(1);
    parts
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn pointer(names: &[String]) -> String {
    let parts = names.iter();
    parts
        .map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// `streams[0].mapping.to`, as a person reads it.
fn dotted(path: &[String]) -> String {
    let mut text = String::new();
    for name in path {
        match name.parse::<usize>() {
            Ok(position) => text.push_str(&format!("[{position}]")),
            Err(_) if text.is_empty() => text.push_str(name),
            Err(_) => text.push_str(&format!(".{name}")),
        }
    }
    match text.is_empty() {
        true => "the document".to_owned(),
        false => format!("`{text}`"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

fn wanted(node: &Value) -> String {
    let word = |name: &Value| match name.as_str().unwrap_or_default() {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "null",
    };
    match node.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().map(word).collect::<Vec<_>>().join(" or "),
        Some(one) => word(one).to_owned(),
        None => "something else".to_owned(),
    }
}

/// A value, where it is a short text.
fn shown(value: &Value) -> String {
    match value.as_str().filter(|text| text.len() <= 60) {
        Some(text) => format!("`{}`", text.escape_debug()),
        None => kind(value).to_owned(),
    }
}

/// Of the words that a schema allows, the one that is most like what stands there.
fn near<'s>(node: &'s Value, found: &Value) -> Option<&'s str> {
    let words = match found {
        Value::String(word) => vec![word.as_str()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::Object(table) => table.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let known = allowed(node);
    let unknown = words.into_iter().filter(|word| !known.contains(word));
    unknown
        .into_iter()
        .find_map(|word| closest(word, known.iter().copied()))
}

fn allowed(node: &Value) -> Vec<&str> {
    let list = |name: &str| {
        node.get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let own = list("enum")
        .chain(list("required"))
        .filter_map(Value::as_str);
    let below = list("anyOf").chain(node.get("items")).flat_map(allowed);
    own.chain(below).collect()
}
