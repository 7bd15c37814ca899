//! Query parameters that every call of Mailchimp's API takes: `fields`, `exclude_fields`, `count`, `offset`.

use serde_json::{Map, Value};

use super::super::http::Request;
use super::{Mailchimp, Refusal};

/// How many rows a page has, of as many as were asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pages {
    AsAsked,
    /// At most so many.
    AtMost(usize),
    /// So many more, as long as there are any.
    Longer(usize),
}

/// Keeps what `fields` names and drops what `exclude_fields` names.
pub(super) fn select(request: &Request, body: Value) -> Value {
    let paths = |name: &str| -> Vec<Vec<String>> {
        let text = request.query(name).unwrap_or_default();
        let given = text.split(',').filter(|path| !path.is_empty());
        given
            .map(|path| path.split('.').map(str::to_string).collect())
            .collect()
    };
    let (wanted, unwanted) = (paths("fields"), paths("exclude_fields"));
    let kept = if wanted.is_empty() {
        body
    } else {
        keep(&body, &wanted, 0)
    };
    unwanted
        .iter()
        .fold(kept, |body, path| drop_path(body, path))
}

fn keep(value: &Value, paths: &[Vec<String>], depth: usize) -> Value {
    match value {
        Value::Array(rows) => rows.iter().map(|row| keep(row, paths, depth)).collect(),
        Value::Object(object) => {
            let mut kept = Map::new();
            for (name, child) in object {
                let matching: Vec<Vec<String>> = paths
                    .iter()
                    .filter(|path| path.get(depth) == Some(name))
                    .cloned()
                    .collect();
                if matching.iter().any(|path| path.len() == depth + 1) {
                    kept.insert(name.clone(), child.clone());
                } else if !matching.is_empty() {
                    kept.insert(name.clone(), keep(child, &matching, depth + 1));
                }
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

fn drop_path(value: Value, path: &[String]) -> Value {
    match value {
        Value::Array(rows) => rows.into_iter().map(|row| drop_path(row, path)).collect(),
        Value::Object(mut object) => {
            if let [name] = path {
                object.remove(name);
            } else if let Some((name, rest)) = path.split_first()
                && let Some(child) = object.remove(name)
            {
                object.insert(name.clone(), drop_path(child, rest));
            }
            Value::Object(object)
        }
        other => other,
    }
}

impl Mailchimp {
    /// The rows that `count` (10, at most 1,000) and `offset` ask for.
    pub(super) fn page<T>(&self, request: &Request, rows: Vec<T>) -> Result<Vec<T>, Refusal> {
        let number = |name: &str, default: usize| match request.query(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| {
                Refusal::field(
                    name,
                    "This value should be a number greater than or equal to zero.",
                )
            }),
        };
        let (count, offset) = (number("count", 10)?, number("offset", 0)?);
        if count > 1_000 {
            return Err(Refusal::field(
                "count",
                "This value should be between 0 and 1000.",
            ));
        }
        let count = match self.pages {
            Pages::AsAsked => count,
            Pages::AtMost(most) => count.min(most),
            Pages::Longer(more) => count + more,
        };
        Ok(rows.into_iter().skip(offset).take(count).collect())
    }
}
