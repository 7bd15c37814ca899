//! Form-encoded bodies as Stripe reads them: `metadata[key]=v`, `items[0][price]=p` and `expand[]=x` become nested JSON
//! in which every leaf is text.

use serde_json::{Map, Value};

use super::super::http::Request;
use super::Refusal;

pub(super) fn parse(request: &Request) -> Result<Value, Refusal> {
    let kind = request.header("content-type").unwrap_or_default();
    if !request.body.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Refusal::invalid(
            "",
            "",
            format!(
                "Invalid request: the content type `{kind}` is not application/x-www-form-urlencoded."
            ),
        ));
    }
    let mut root = Value::Object(Map::new());
    for (name, value) in request.form() {
        let keys: Vec<&str> = name
            .split('[')
            .map(|key| key.trim_end_matches(']'))
            .collect();
        if keys.len() > 6 {
            return Err(Refusal::invalid(
                &name,
                "parameter_unknown",
                format!("Invalid array or hash: {name}"),
            ));
        }
        insert(&mut root, &keys, value);
    }
    Ok(arrays(root))
}

fn insert(node: &mut Value, keys: &[&str], value: String) {
    let Some(object) = node.as_object_mut() else {
        return;
    };
    let Some((first, rest)) = keys.split_first() else {
        return;
    };
    let key = if first.is_empty() {
        object.len().to_string()
    } else {
        (*first).to_string()
    };
    if rest.is_empty() {
        object.insert(key, Value::String(value));
        return;
    }
    let child = object
        .entry(key)
        .or_insert_with(|| Value::Object(Map::new()));
    if child.is_string() {
        *child = Value::Object(Map::new());
    }
    insert(child, rest, value);
}

/// An object whose keys are all numbers is an array.
fn arrays(value: Value) -> Value {
    let Value::Object(object) = value else {
        return value;
    };
    let numbered = !object.is_empty()
        && object
            .keys()
            .all(|key| key.bytes().all(|byte| byte.is_ascii_digit()));
    if numbered {
        let mut rows: Vec<(u64, Value)> = object
            .into_iter()
            .map(|(key, value)| (key.parse().unwrap_or_default(), arrays(value)))
            .collect();
        rows.sort_by_key(|(number, _)| *number);
        return Value::Array(rows.into_iter().map(|(_, value)| value).collect());
    }
    Value::Object(
        object
            .into_iter()
            .map(|(key, value)| (key, arrays(value)))
            .collect(),
    )
}

pub(super) fn integer(form: &Value, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = form[name].as_str() else {
        return Ok(None);
    };
    let parsed = text.parse();
    parsed.map(Some).map_err(|_| {
        Refusal::invalid(
            name,
            "parameter_invalid_integer",
            format!("Invalid integer: {text}"),
        )
    })
}

/// Refuses parameters that the call does not have.
pub(super) fn only(form: &Value, known: &[&str]) -> Result<(), Refusal> {
    let given = form.as_object().into_iter().flat_map(Map::keys);
    for name in given {
        if !known.contains(&name.as_str()) && name != "expand" {
            return Err(Refusal::invalid(
                name,
                "parameter_unknown",
                format!("Received unknown parameter: {name}"),
            ));
        }
    }
    Ok(())
}
