//! Every table and key that manifests can have, from one document. The reader takes the keys that it knows from here, and so do the
//! JSON Schema and the reference. What a key means to the hub is decided where its table is read.

mod json;

pub use json::json_schema;

use serde::Deserialize;
use std::sync::LazyLock;

/// A document that cannot be read knows no key at all, which no test survives.
static DOCUMENT: LazyLock<Document> =
    LazyLock::new(|| toml::from_str(include_str!("keys/keys.toml")).unwrap_or_default());

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "type")]
    types: Vec<Type>,
    #[serde(rename = "table")]
    tables: Vec<Table>,
}

/// What a value can be: a JSON Schema, or other types.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    pub name: String,
    pub about: String,
    schema: Option<serde_json::Value>,
    /// Further types, one of which it is.
    is: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Such as `source.stream`.
    pub name: String,
    /// As it is written in a manifest, such as `[[source.stream]]`.
    pub written: String,
    pub about: String,
    /// A part of a manifest that has it.
    pub example: String,
    /// Tables whose keys it has, too.
    #[serde(default)]
    with: Vec<String>,
    /// The type of every key that is not listed; none where other keys are a mistake.
    pub others: Option<String>,
    /// How many of its keys are needed at least, whichever they are.
    least_keys: Option<u64>,
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub key: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Words that it can be; nothing else, unless it has a type as well.
    #[serde(default)]
    choices: Vec<String>,
    #[serde(default)]
    pub needed: bool,
    pub default: Option<toml::Value>,
    least: Option<serde_json::Number>,
    most: Option<serde_json::Number>,
    pub about: String,
}

pub fn types() -> &'static [Type] {
    &DOCUMENT.types
}

pub fn tables() -> &'static [Table] {
    &DOCUMENT.tables
}

pub fn find(name: &str) -> Option<&'static Table> {
    tables().iter().find(|table| table.name == name)
}

/// The names of a table's keys, in the order of the document.
pub(super) fn known(table: &str) -> Vec<&'static str> {
    let keys = find(table).map(Table::keys).unwrap_or_default();
    keys.into_iter().map(|key| key.key.as_str()).collect()
}

impl Table {
    /// Its own keys, then the ones that it shares with other tables.
    pub fn keys(&self) -> Vec<&Key> {
        let shared = self.with.iter().filter_map(|name| find(name));
        let shared = shared.flat_map(Table::keys);
        self.keys.iter().chain(shared).collect()
    }
}

impl Key {
    /// Its type as the reference has it: `duration`, `list of text`, `"stop" or "allow"`.
    pub fn takes(&self) -> String {
        let words = self.choices.iter().map(|word| format!("`\"{word}\"`"));
        let kinds = self.kind.iter().flat_map(|kind| alternatives(kind));
        let all: Vec<String> = words.chain(kinds.map(in_words)).collect();
        let bounds = match (&self.least, &self.most) {
            (Some(least), Some(most)) => format!(" from {least} to {most}"),
            (Some(least), None) => format!(", at least {least}"),
            _ => String::new(),
        };
        match all.as_slice() {
            [_, _, _, ..] => format!("one of {}", all.join(", ")),
            _ => format!("{}{bounds}", all.join(" or ")),
        }
    }
}

fn in_words(kind: &str) -> String {
    let several = |inside| {
        let kinds = alternatives(inside).into_iter().map(in_words);
        kinds.collect::<Vec<_>>().join(" or ")
    };
    if let Some(inside) = within(kind, "[", "]") {
        format!("list of {}", several(inside))
    } else if let Some(inside) = within(kind, "{", "}") {
        format!("any names, each with {}", several(inside))
    } else if find(kind).is_some() {
        format!("table `{kind}`")
    } else {
        kind.to_owned()
    }
}

/// What is between the brackets that a type begins and ends with.
fn within<'k>(kind: &'k str, open: &str, close: &str) -> Option<&'k str> {
    kind.strip_prefix(open)?.strip_suffix(close)
}

/// The parts between `|`, outside of brackets.
fn alternatives(kind: &str) -> Vec<&str> {
    let mut depth = 0;
    let is_end = move |letter: char| {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        letter == '|' && depth == 0
    };
    kind.split(is_end).map(str::trim).collect()
}

#[cfg(test)]
pub(super) mod tests;
