//! Static lists of the fake HubSpot: create, find by name, search, and membership by record id.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::http::{Reply, Request};
use super::super::time::rfc3339_ms;
use super::{Answer, HubSpot, Refusal, body_of, limit_of};

pub struct List {
    pub id: u64,
    pub name: String,
    pub object_type: String,
    pub processing: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// Record id and the time it was added.
    pub members: BTreeMap<u64, i64>,
}

impl List {
    fn body(&self) -> Value {
        json!({
            "listId": self.id.to_string(),
            "listVersion": 1,
            "name": self.name,
            "objectTypeId": self.object_type,
            "processingType": self.processing,
            "processingStatus": "COMPLETE",
            "createdById": "1",
            "updatedById": "1",
            "createdAt": rfc3339_ms(self.created_ms),
            "updatedAt": rfc3339_ms(self.updated_ms),
            "filtersUpdatedAt": rfc3339_ms(self.created_ms),
            "size": self.members.len(),
        })
    }
}

/// Takes an archived or erased record out of every list.
pub(super) fn forget(lists: &mut [List], id: u64) {
    for list in lists {
        list.members.remove(&id);
    }
}

pub(super) fn route(hub: &mut HubSpot, request: &Request, rest: &[&str]) -> Answer {
    match (request.method.as_str(), rest) {
        ("POST", []) => create(hub, &body_of(request)?),
        ("POST", ["search"]) => search(hub, &body_of(request)?),
        ("GET", ["object-type-id", kind, "name", name]) => {
            let found = hub
                .lists
                .iter()
                .find(|list| list.object_type == *kind && list.name == *name);
            let list = found.ok_or_else(|| {
                Refusal::missing(format!("List does not exist with name {name}."))
            })?;
            Ok(Reply::json(200, &json!({"list": list.body()})))
        }
        ("GET", []) => {
            let wanted: Vec<&str> = request
                .query
                .iter()
                .filter(|(name, _)| name == "listIds")
                .map(|(_, value)| value.as_str())
                .collect();
            let found = hub
                .lists
                .iter()
                .filter(|list| wanted.contains(&list.id.to_string().as_str()));
            let lists: Vec<Value> = found.map(List::body).collect();
            Ok(Reply::json(200, &json!({"lists": lists})))
        }
        ("GET", [id]) => Ok(Reply::json(200, &json!({"list": find(hub, id)?.body()}))),
        ("DELETE", [id]) => {
            let id = find(hub, id)?.id;
            hub.lists.retain(|list| list.id != id);
            Ok(Reply::empty(204))
        }
        ("GET", [id, "memberships"]) => memberships(hub, request, id),
        ("PUT", [id, "memberships", action]) => change(hub, id, action, &body_of(request)?),
        _ => Err(Refusal::new(
            404,
            "RESOURCE_NOT_FOUND",
            "resource not found",
        )),
    }
}

fn find<'a>(hub: &'a mut HubSpot, id: &str) -> Result<&'a mut List, Refusal> {
    let found = hub.lists.iter_mut().find(|list| list.id.to_string() == id);
    found.ok_or_else(|| Refusal::missing(format!("List does not exist with ID {id}.")))
}

fn create(hub: &mut HubSpot, body: &Value) -> Answer {
    let text = |name: &str| {
        body[name]
            .as_str()
            .map(str::trim)
            .unwrap_or_default()
            .to_string()
    };
    let (name, object_type, processing) =
        (text("name"), text("objectTypeId"), text("processingType"));
    if name.is_empty() {
        return Err(Refusal::invalid(
            "Invalid input JSON: some required fields were not set: [name]",
        ));
    }
    if !["0-1", "0-2"].contains(&object_type.as_str()) {
        return Err(Refusal::invalid(format!(
            "Object type '{object_type}' does not support lists."
        )));
    }
    if !["MANUAL", "SNAPSHOT"].contains(&processing.as_str()) {
        return Err(Refusal::invalid(format!(
            "processingType `{processing}` is not one of [MANUAL, SNAPSHOT]"
        )));
    }
    if hub.lists.iter().any(|list| list.name == name) {
        return Err(Refusal::invalid(format!(
            "List with name '{name}' already exists."
        )));
    }
    let now_ms = hub.clock.now_ms();
    hub.last_list += 1;
    let id = hub.last_list;
    let list = List {
        id,
        name,
        object_type,
        processing,
        created_ms: now_ms,
        updated_ms: now_ms,
        members: BTreeMap::new(),
    };
    let reply = Reply::json(200, &json!({"list": list.body()}));
    hub.lists.push(list);
    Ok(reply)
}

fn search(hub: &HubSpot, body: &Value) -> Answer {
    let query = body["query"].as_str().unwrap_or_default().to_lowercase();
    let offset = body["offset"].as_u64().unwrap_or_default() as usize;
    let count = body["count"].as_u64().unwrap_or(20) as usize;
    if count == 0 || count > 500 {
        return Err(Refusal::invalid(format!(
            "count {count} must be between 1 and 500"
        )));
    }
    let found: Vec<&List> = hub
        .lists
        .iter()
        .filter(|list| list.name.to_lowercase().contains(&query))
        .collect();
    let page: Vec<Value> = found
        .iter()
        .skip(offset)
        .take(count)
        .map(|list| {
            let mut body = list.body();
            body["additionalProperties"] = json!({"hs_list_size": list.members.len().to_string()});
            body
        })
        .collect();
    let next = offset + page.len();
    Ok(Reply::json(
        200,
        &json!({"offset": next, "hasMore": next < found.len(), "total": found.len(), "lists": page}),
    ))
}

fn memberships(hub: &mut HubSpot, request: &Request, id: &str) -> Answer {
    let limit = limit_of(request.query("limit"), 100, 250)?;
    let after: u64 = request
        .query("after")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let list = find(hub, id)?;
    let mut results: Vec<Value> = list
        .members
        .range(after + 1..)
        .take(limit + 1)
        .map(|(id, at)| json!({"recordId": id.to_string(), "membershipTimestamp": rfc3339_ms(*at)}))
        .collect();
    let more = results.len() > limit;
    results.truncate(limit);
    let mut body = json!({"total": list.members.len()});
    if let Some(last) = results.last().filter(|_| more) {
        body["paging"] = json!({"next": {"after": last["recordId"], "link": ""}});
    }
    body["results"] = Value::Array(results);
    Ok(Reply::json(200, &body))
}

fn change(hub: &mut HubSpot, id: &str, action: &str, body: &Value) -> Answer {
    let ids = |value: &Value| -> Result<Vec<u64>, Refusal> {
        let Some(values) = value.as_array() else {
            return Err(Refusal::invalid(
                "Invalid input JSON: an array of record ids was expected",
            ));
        };
        let parse = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let parsed = values
            .iter()
            .map(|value| parse(value).ok_or_else(|| Refusal::invalid("invalid record id")));
        parsed.collect()
    };
    let (add, remove) = match action {
        "add" => (ids(body)?, Vec::new()),
        "remove" => (Vec::new(), ids(body)?),
        "add-and-remove" => (
            ids(&body["recordIdsToAdd"])?,
            ids(&body["recordIdsToRemove"])?,
        ),
        _ => {
            return Err(Refusal::new(
                404,
                "RESOURCE_NOT_FOUND",
                "resource not found",
            ));
        }
    };
    if add.len() + remove.len() > 100_000 {
        return Err(Refusal::invalid(
            "at most 100,000 records may be changed at once",
        ));
    }
    let now_ms = hub.clock.now_ms();
    let list_id = find(hub, id)?.id;
    let contacts = &hub.contacts;
    let alive = |id: &u64| {
        contacts
            .get(*id)
            .is_some_and(|record| record.archived_ms.is_none())
    };
    let (present, missing): (Vec<u64>, Vec<u64>) = add.into_iter().partition(alive);
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for list in hub.lists.iter_mut().filter(|list| list.id == list_id) {
        for id in &present {
            if list.members.insert(*id, now_ms).is_none() {
                added.push(id.to_string());
            }
        }
        for id in &remove {
            if list.members.remove(id).is_some() {
                removed.push(id.to_string());
            }
        }
    }
    let missing: Vec<String> = missing.iter().map(u64::to_string).collect();
    Ok(Reply::json(
        200,
        &json!({"recordIdsAdded": added, "recordsIdsAdded": added, "recordIdsRemoved": removed,
                "recordIdsMissing": missing}),
    ))
}
