//! The subset of JSON Schema that manifests are checked by: which paths a record has, and whether a configuration fits.
//! Not a validator: it accepts whatever it does not know.

use crate::expression::closest;
use crate::manifest::tree::{Hinted, Item, Report, Spot, Table, suggest};
use crate::model::Value;
use crate::problem::codes;
use toml::de::DeValue;

/// What a schema says about a dotted path.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Yes,
    /// Not listed, with a name that may have been meant; `open` when the schema allows further fields.
    No {
        near: Option<String>,
        open: bool,
    },
}

pub(super) fn find_path(schema: &Value, path: &str) -> Found {
    let mut here = schema;
    for (at, name) in path.split('.').enumerate() {
        let Some(properties) = here.get("properties").and_then(Value::as_object) else {
            return Found::Yes;
        };
        match properties.get(name) {
            Some(next) => here = next,
            None => {
                let near = closest(name, properties.keys().map(String::as_str));
                let open = is_open(here) && !near.is_some_and(|near| is_slip(name, near));
                let near = near.map(|near| {
                    path.split('.')
                        .enumerate()
                        .map(move |(other, name)| if other == at { near } else { name })
                });
                let near = near.map(|names| names.collect::<Vec<_>>().join("."));
                return Found::No { near, open };
            }
        }
    }
    Found::Yes
}

/// The same letters in another order: nobody would give another field such a name.
fn is_slip(name: &str, near: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(name) == sorted(near)
}

/// The names that a schema lists at its top.
pub(super) fn properties(schema: &Value) -> impl Iterator<Item = &str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flat_map(|properties| properties.keys().map(String::as_str))
}

/// Further fields are allowed only where a schema says so.
fn is_open(schema: &Value) -> bool {
    match schema.get("additionalProperties") {
        Some(Value::Bool(open)) => *open,
        Some(_) => true,
        None => false,
    }
}

pub(super) fn check_config(
    schema: &Value,
    item: Option<&Item<'_>>,
    given: Option<&Table<'_>>,
    spot: &Spot,
    report: &mut Report,
) {
    if item.is_some() && given.is_none() {
        return;
    }
    check_object(schema, "config", given, spot, report);
}

fn check_object(
    schema: &Value,
    path: &str,
    given: Option<&Table<'_>>,
    spot: &Spot,
    report: &mut Report,
) {
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for name in required.filter_map(Value::as_str) {
        if given.is_none_or(|table| table.get(name).is_none()) {
            report
                .error(
                    &codes::BAD_CONFIG,
                    spot,
                    format!("the connector needs `{path}.{name}`"),
                )
                .with_hint(title(schema, name));
        }
    }
    let known = schema.get("properties").and_then(Value::as_object);
    for item in given.map(Table::items).unwrap_or_default() {
        let path = format!("{path}.{}", item.key);
        match known.and_then(|properties| properties.get(item.key)) {
            Some(property) => check_value(property, &path, &item, report),
            None if is_open(schema)
                || (known.is_none() && schema.get("additionalProperties").is_none()) => {}
            None => {
                report
                    .error(
                        &codes::BAD_CONFIG,
                        &item.key_spot(),
                        format!("the connector knows no `{path}`"),
                    )
                    .with_hint(suggest(item.key, properties(schema)));
            }
        }
    }
}

fn title(schema: &Value, name: &str) -> Option<String> {
    let property = schema.get("properties")?.get(name)?;
    let text = property
        .get("title")
        .or_else(|| property.get("description"))?
        .as_str()?;
    Some(format!("`{name}`: {text}"))
}

fn check_value(schema: &Value, path: &str, item: &Item<'_>, report: &mut Report) {
    if let Some(expected) = wrong_type(schema, item.raw()) {
        report.error(
            &codes::BAD_CONFIG,
            &item.spot(),
            format!("`{path}` must be {expected}"),
        );
        return;
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array)
        && !choices.contains(&to_json(item))
    {
        let words: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        let given = item.raw().as_str().unwrap_or_default();
        report
            .error(
                &codes::BAD_CONFIG,
                &item.spot(),
                format!("`{path}` is not one of its choices"),
            )
            .with_hint(suggest(given, words));
    }
    check_bounds(schema, path, item, report);
    match item.raw() {
        DeValue::Table(_) => {
            let table = item.free_table(report);
            check_object(schema, path, table.as_ref(), &item.key_spot(), report);
        }
        DeValue::Array(_) => {
            if let Some(schema) = schema.get("items") {
                for (at, element) in item.list(report).iter().enumerate() {
                    check_value(schema, &format!("{path}[{at}]"), element, report);
                }
            }
        }
        _ => {}
    }
}

fn check_bounds(schema: &Value, path: &str, item: &Item<'_>, report: &mut Report) {
    let Some(number) = item.as_number() else {
        return;
    };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let message = match (bound("minimum"), bound("maximum")) {
        (Some(least), _) if number < least => format!("`{path}` must be at least {least}"),
        (_, Some(most)) if number > most => format!("`{path}` must be at most {most}"),
        _ => return,
    };
    report.error(&codes::BAD_CONFIG, &item.spot(), message);
}

/// What was expected when the value is of none of the schema's types.
fn wrong_type(schema: &Value, value: &DeValue<'_>) -> Option<String> {
    let types: Vec<&str> = match schema.get("type")? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let fits = |kind: &&str| match *kind {
        "string" => matches!(value, DeValue::String(_) | DeValue::Datetime(_)),
        "integer" => matches!(value, DeValue::Integer(_)),
        "number" => matches!(value, DeValue::Integer(_) | DeValue::Float(_)),
        "boolean" => matches!(value, DeValue::Boolean(_)),
        "array" => matches!(value, DeValue::Array(_)),
        "object" => matches!(value, DeValue::Table(_)),
        "null" => false,
        _ => true,
    };
    if types.iter().any(fits) {
        return None;
    }
    let name = |kind: &&str| match *kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        _ => "a table",
    };
    let names: Vec<&str> = types
        .iter()
        .filter(|kind| **kind != "null")
        .map(name)
        .collect();
    Some(names.join(" or "))
}

/// The value as a connector gets it; dates become text.
pub(super) fn to_json(item: &Item<'_>) -> Value {
    json_of(item.raw())
}

fn json_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => integer.into(),
            Err(_) => Value::Null,
        },
        DeValue::Float(float) => {
            let number = float
                .as_str()
                .parse()
                .ok()
                .and_then(serde_json::Number::from_f64);
            number.map_or(Value::Null, Value::Number)
        }
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json_of(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), json_of(value.get_ref())));
            Value::Object(entries.collect())
        }
    }
}
