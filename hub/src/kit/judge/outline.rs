//! The keys of a document with what they are for, as the reference prints them.

use super::Document;
use serde_json::Value;

/// One key, with the keys above it: `credentials.NAME.inject`.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub path: String,
    pub is_needed: bool,
    pub about: String,
}

pub fn outline(document: Document) -> Vec<Line> {
    let schema: Value = serde_json::from_str(document.schema()).unwrap_or_default();
    let mut lines = Vec::new();
    below(&schema, "", &mut lines);
    lines
}

fn below(node: &Value, path: &str, lines: &mut Vec<Line>) {
    let needed = node["required"].as_array();
    let is_needed = |name: &str| {
        let mut needed = needed.into_iter().flatten();
        needed.any(|one| one == name)
    };
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        let path = match path.is_empty() {
            true => name.clone(),
            false => format!("{path}.{name}"),
        };
        lines.push(Line {
            is_needed: is_needed(name),
            about: property["description"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            path: path.clone(),
        });
        below(property, &path, lines);
    }
    let each = [("items", "[]"), ("additionalProperties", ".NAME")];
    for (key, sign) in each {
        if node[key].is_object() {
            below(&node[key], &format!("{path}{sign}"), lines);
        }
    }
}
