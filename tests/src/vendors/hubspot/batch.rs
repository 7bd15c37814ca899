//! The batch calls of the fake HubSpot (read, create, update, upsert, archive) and the GDPR delete.
//! A row's own error becomes part of a 207 answer when every row carries a trace id; else the batch is refused whole.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::http::Reply;
use super::super::time::rfc3339_ms;
use super::lists::{self, List};
use super::objects::{Objects, not_found};
use super::properties::Written;
use super::{Answer, Refusal};

const MAX_ROWS: usize = 100;

struct Row {
    key: String,
    trace: Option<String>,
    properties: Value,
    id_property: Option<String>,
}

/// A row's record, and whether it is new.
type Done = (u64, bool);

pub(super) fn route(
    objects: &mut Objects,
    lists: &mut [List],
    action: &str,
    body: &Value,
    now_ms: i64,
) -> Answer {
    let rows = rows_of(body)?;
    match action {
        "read" => read(objects, body, &rows, now_ms),
        "create" => write(objects, &rows, now_ms, create_row, 201),
        "update" => write(objects, &rows, now_ms, update_row, 200),
        "upsert" => write(objects, &rows, now_ms, upsert_row, 200),
        "archive" => {
            for id in rows
                .iter()
                .filter_map(|row| objects.find(&row.key, None))
                .collect::<Vec<_>>()
            {
                objects.archive(id, now_ms);
                lists::forget(lists, (objects.type_names[2], id), now_ms);
            }
            Ok(Reply::empty(204))
        }
        _ => Err(Refusal::new(
            404,
            "RESOURCE_NOT_FOUND",
            "resource not found",
        )),
    }
}

fn rows_of(body: &Value) -> Result<Vec<Row>, Refusal> {
    let Some(inputs) = body["inputs"].as_array() else {
        return Err(Refusal::invalid(
            "Invalid input JSON: some required fields were not set: [inputs]",
        ));
    };
    if inputs.is_empty() || inputs.len() > MAX_ROWS {
        let count = inputs.len();
        return Err(Refusal::invalid(format!(
            "The number of inputs {count} must be between 1 and {MAX_ROWS}"
        )));
    }
    let text = |value: &Value| value.as_str().map(str::to_string);
    let rows = inputs.iter().map(|input| Row {
        key: text(&input["id"]).unwrap_or_default(),
        trace: text(&input["objectWriteTraceId"]),
        properties: input["properties"].clone(),
        id_property: text(&input["idProperty"]).or_else(|| text(&body["idProperty"])),
    });
    Ok(rows.collect())
}

fn read(objects: &mut Objects, body: &Value, rows: &[Row], now_ms: i64) -> Answer {
    let asked: Vec<String> = serde_json::from_value(body["properties"].clone()).unwrap_or_default();
    objects.check_id_property(body["idProperty"].as_str())?;
    let shape = objects.shape(&asked);
    let mut results = Vec::new();
    let mut absent = Vec::new();
    let mut seen = HashSet::new();
    for row in rows {
        match objects.find(&row.key, row.id_property.as_deref()) {
            Some(id) if seen.insert(id) => results.push(objects.rendered(id, shape)),
            Some(_) => {}
            None => absent.push(row.key.clone()),
        }
    }
    let mut errors = Vec::new();
    if !absent.is_empty() {
        let mut refusal = Refusal::missing(format!(
            "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
            objects.kind.to_uppercase()
        ));
        refusal.context = json!({"ids": absent});
        errors.push(refusal.body());
    }
    Ok(answer(&results, &errors, 200, now_ms))
}

fn write(
    objects: &mut Objects,
    rows: &[Row],
    now_ms: i64,
    one: fn(&mut Objects, &Row, i64) -> Result<Done, Refusal>,
    status: u16,
) -> Answer {
    let mut keys = HashSet::new();
    for row in rows.iter().filter(|row| !row.key.is_empty()) {
        if !keys.insert(row.key.to_lowercase()) {
            return Err(Refusal::invalid(format!(
                "Duplicate IDs found in batch input: [{}]",
                row.key
            )));
        }
    }
    let per_row = rows.iter().all(|row| row.trace.is_some());
    if !per_row {
        // Without trace ids nothing of a batch with a wrong row is carried out.
        for row in rows {
            objects.check(&row.properties)?;
        }
    }
    let shape = objects.shape(&[]);
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for row in rows {
        match one(objects, row, now_ms) {
            Ok((id, new)) => results.push(with_row_facts(objects.rendered(id, shape), row, new)),
            Err(refusal) if !per_row => return Err(refusal),
            Err(mut refusal) => {
                refusal.context = json!({"ids": [row.key], "objectWriteTraceId": [row.trace]});
                errors.push(refusal.body());
            }
        }
    }
    Ok(answer(&results, &errors, status, now_ms))
}

fn create_row(objects: &mut Objects, row: &Row, now_ms: i64) -> Result<Done, Refusal> {
    let written = objects.check(&row.properties)?;
    if let Some(holder) = objects.holder(&written, None) {
        return Err(objects.taken(holder));
    }
    Ok((objects.insert(&written, now_ms), true))
}

fn update_row(objects: &mut Objects, row: &Row, now_ms: i64) -> Result<Done, Refusal> {
    objects.check_id_property(row.id_property.as_deref())?;
    let written = objects.check(&row.properties)?;
    let id = objects
        .find(&row.key, row.id_property.as_deref())
        .ok_or_else(|| not_found(&row.key))?;
    if let Some(holder) = objects.holder(&written, Some(id)) {
        return Err(objects.taken(holder));
    }
    objects.apply(id, &written, now_ms);
    Ok((id, false))
}

fn upsert_row(objects: &mut Objects, row: &Row, now_ms: i64) -> Result<Done, Refusal> {
    if row.id_property.is_none() {
        return Err(Refusal::invalid(
            "idProperty must be set to a unique identifier property for an upsert",
        ));
    }
    objects.check_id_property(row.id_property.as_deref())?;
    let written: Written = objects.check(&row.properties)?;
    if objects.find(&row.key, row.id_property.as_deref()).is_some() {
        return update_row(objects, row, now_ms);
    }
    let mut all = objects.check(&json!({objects.unique: row.key}))?;
    let key = all[0].0;
    all.extend(written.into_iter().filter(|(number, _)| *number != key));
    Ok((objects.insert(&all, now_ms), true))
}

fn with_row_facts(mut rendered: String, row: &Row, new: bool) -> String {
    rendered.pop();
    rendered.push_str(&format!(",\"new\":{new}"));
    if let Some(trace) = &row.trace {
        rendered.push_str(&format!(",\"objectWriteTraceId\":{}", json!(trace)));
    }
    rendered.push('}');
    rendered
}

fn answer(results: &[String], errors: &[Value], status: u16, now_ms: i64) -> Reply {
    let at = rfc3339_ms(now_ms);
    let mut text = format!(
        "{{\"status\":\"COMPLETE\",\"startedAt\":\"{at}\",\"completedAt\":\"{at}\",\"results\":[{}]",
        results.join(",")
    );
    if !errors.is_empty() {
        text.push_str(&format!(
            ",\"numErrors\":{},\"errors\":{}",
            errors.len(),
            json!(errors)
        ));
    }
    text.push('}');
    Reply::text(if errors.is_empty() { status } else { 207 }, text)
}

/// Forgets a contact for good. An unknown one is as good as forgotten.
pub(super) fn gdpr_delete(
    objects: &mut Objects,
    lists: &mut [List],
    body: &Value,
    now_ms: i64,
) -> Answer {
    let Some(id) = body["objectId"].as_str() else {
        return Err(Refusal::invalid(
            "Invalid input JSON: some required fields were not set: [objectId]",
        ));
    };
    let id_property = body["idProperty"].as_str();
    objects.check_id_property(id_property)?;
    let found = match id_property {
        Some(_) => objects.find(id, id_property),
        None => id.parse().ok(),
    };
    if let Some(found) = found {
        objects.erase(found);
        lists::forget(lists, (objects.type_names[2], found), now_ms);
    }
    Ok(Reply::empty(204))
}
