//! A total order over values, so that choosing between two is always deterministic.

use crate::model::Value;
use std::cmp::Ordering;

/// Null, booleans, numbers, texts, lists, objects; numbers by size, texts by code point, lists and objects element by element.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let differing = a
                .iter()
                .zip(b)
                .map(|(a, b)| compare(a, b))
                .find(|order| order.is_ne());
            differing.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => {
            let (mut a, mut b): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
            a.sort_unstable_by_key(|(name, _)| *name);
            b.sort_unstable_by_key(|(name, _)| *name);
            let fields = a
                .iter()
                .zip(&b)
                .map(|(a, b)| a.0.cmp(b.0).then_with(|| compare(a.1, b.1)));
            let differing = fields.into_iter().find(|order| order.is_ne());
            differing.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        _ => kind(a).cmp(&kind(b)),
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// By size, then whole numbers before others, then exactly: large whole numbers can share one `f64`.
fn compare_numbers(a: &serde_json::Number, b: &serde_json::Number) -> Ordering {
    let size = |number: &serde_json::Number| number.as_f64().unwrap_or(0.0);
    let whole = |number: &serde_json::Number| {
        number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))
    };
    size(a)
        .total_cmp(&size(b))
        .then_with(|| match (whole(a), whole(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        })
}

/// Characters of a text, or of the JSON of anything else.
pub(super) fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        other => other.to_string().chars().count(),
    }
}

/// The distinct values, lists taken apart one level, in order; without nulls.
pub(super) fn union<'a>(values: impl IntoIterator<Item = &'a Value>) -> Value {
    let mut all: Vec<&Value> = Vec::new();
    for value in values {
        match value {
            Value::Array(list) => all.extend(list),
            other => all.push(other),
        }
    }
    all.retain(|value| !value.is_null());
    all.sort_by(|a, b| compare(a, b));
    all.dedup_by(|a, b| compare(a, b).is_eq());
    Value::Array(all.into_iter().cloned().collect())
}
