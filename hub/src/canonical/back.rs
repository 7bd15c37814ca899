//! What a tool's record says where it holds what was written to it.

use super::{Record, map};
use crate::manifest::Stream;
use crate::model::{Fields, Value};
use std::collections::BTreeSet;

/// The traits that a stream reads from the fields that were `written` to the same tool, with the values that it reads there then.
/// A mapping reads a field where a path of it ends with the field's name: `properties.firstname` reads `firstname`.
pub fn read_back(stream: &Stream, source: &str, written: &Fields) -> Fields {
    let mut record = Value::Object(serde_json::Map::new());
    let mut names = BTreeSet::new();
    for (name, expression) in &stream.map {
        for path in expression.reads() {
            let field = path.rsplit('.').next().unwrap_or(path);
            if let Some(value) = written.get(field) {
                put(&mut record, path, value);
                names.insert(name.as_str());
            }
        }
    }
    if names.is_empty() {
        return Fields::new();
    }
    // What it would say of other fields, and what does not fit, is of no interest here.
    let mapped = map(stream, source, "", &Record::from(record));
    let mut traits = mapped
        .canonical
        .map_or_else(Fields::new, |canonical| canonical.traits);
    traits.retain(|name, _| names.contains(name.as_str()));
    traits
}

/// Puts a value at a dotted path.
fn put(record: &mut Value, path: &str, value: &Value) {
    let mut at = record;
    for name in path.split('.') {
        let Value::Object(fields) = at else {
            return;
        };
        let empty = || Value::Object(serde_json::Map::new());
        at = fields.entry(name.to_owned()).or_insert_with(empty);
    }
    *at = value.clone();
}
