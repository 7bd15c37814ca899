//! The keys of manifests as a JSON Schema (draft 2020-12), for editors. It refuses nothing that the reader accepts; what depends on
//! other keys, on a connector or on the rest of the hub is judged by `onefold check` alone.

use super::{Key, Table, Type, alternatives, find, tables, types, within};
use serde_json::{Map, Value, json};

pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    for kind in types() {
        if let Some(is) = &kind.is {
            let mut schema = of_type(is);
            schema.insert("description".to_owned(), kind.about.as_str().into());
            definitions.insert(kind.name.clone(), schema.into());
        }
    }
    let mut root = Map::new();
    for table in tables() {
        match table.name.as_str() {
            "manifest" => root = of_table(table),
            name => drop(definitions.insert(name.to_owned(), of_table(table).into())),
        }
    }
    root.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    root.insert("title".to_owned(), "A Onefold hub's TOML".into());
    root.insert("$defs".to_owned(), definitions.into());
    root.into()
}

fn of_table(table: &Table) -> Map<String, Value> {
    let keys = table.keys();
    let needed = keys.iter().filter(|key| key.needed);
    let needed: Vec<&str> = needed.map(|key| key.key.as_str()).collect();
    let properties = keys.iter().map(|key| (key.key.clone(), of_key(key)));
    let others = match &table.others {
        Some(kind) => of_type(kind).into(),
        None => Value::Bool(false),
    };
    let mut schema = Map::from_iter([
        ("type".to_owned(), "object".into()),
        ("description".to_owned(), table.about.as_str().into()),
        (
            "properties".to_owned(),
            properties.collect::<Map<_, _>>().into(),
        ),
        ("additionalProperties".to_owned(), others),
    ]);
    if let Some(least) = table.least_keys {
        schema.insert("minProperties".to_owned(), least.into());
    }
    if !needed.is_empty() {
        schema.insert("required".to_owned(), needed.into());
    }
    schema
}

fn of_key(key: &Key) -> Value {
    let typed = key.kind.as_deref().map(of_type);
    let mut schema = match typed {
        Some(schema) if key.choices.is_empty() => schema,
        Some(schema) => one_of(vec![json!({ "enum": key.choices }), schema.into()]),
        None => Map::from_iter([
            ("type".to_owned(), "string".into()),
            ("enum".to_owned(), key.choices.clone().into()),
        ]),
    };
    schema.insert("description".to_owned(), key.about.as_str().into());
    let default = key.default.as_ref();
    let default = default.and_then(|default| serde_json::to_value(default).ok());
    let bounds = [("minimum", &key.least), ("maximum", &key.most)];
    let bounds = bounds
        .into_iter()
        .filter_map(|(name, bound)| Some((name, Value::Number(bound.clone()?))));
    let further = default.map(|default| ("default", default)).into_iter();
    for (name, value) in further.chain(bounds) {
        schema.insert(name.to_owned(), value);
    }
    schema.into()
}

fn of_type(kind: &str) -> Map<String, Value> {
    if let [_, _, ..] = alternatives(kind).as_slice() {
        let each = alternatives(kind).into_iter();
        return one_of(each.map(|kind| of_type(kind).into()).collect());
    }
    if let Some(inside) = within(kind, "[", "]") {
        return Map::from_iter([
            ("type".to_owned(), "array".into()),
            ("items".to_owned(), of_type(inside).into()),
        ]);
    }
    if let Some(inside) = within(kind, "{", "}") {
        return Map::from_iter([
            ("type".to_owned(), "object".into()),
            ("additionalProperties".to_owned(), of_type(inside).into()),
        ]);
    }
    let plain = |one: &&Type| one.name == kind && find(kind).is_none();
    let plain = types()
        .iter()
        .find(plain)
        .and_then(|one| one.schema.clone());
    match plain {
        Some(Value::Object(schema)) => schema,
        _ => Map::from_iter([("$ref".to_owned(), format!("#/$defs/{kind}").into())]),
    }
}

fn one_of(schemas: Vec<Value>) -> Map<String, Value> {
    Map::from_iter([("anyOf".to_owned(), Value::Array(schemas))])
}
