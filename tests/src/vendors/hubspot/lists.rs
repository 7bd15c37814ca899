//! Lists of the fake HubSpot: create, delete, restore, find by name and search. Their members are in `memberships`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::http::{Reply, Request};
use super::super::time::rfc3339_ms;
use super::{Answer, HubSpot, Refusal, body_of, memberships};

const TYPES: [&str; 3] = ["MANUAL", "SNAPSHOT", "DYNAMIC"];
const MOST_IN_A_PAGE: i64 = 500;

pub struct List {
    pub id: u64,
    pub name: String,
    pub object_type: String,
    pub processing: String,
    pub status: &'static str,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// It can be restored, and has its members then.
    pub deleted_ms: Option<i64>,
    /// Record id and the time it was added.
    pub members: BTreeMap<u64, i64>,
    pub last_added_ms: Option<i64>,
    pub last_removed_ms: Option<i64>,
}

impl List {
    /// What every answer says of a list.
    fn head(&self) -> Value {
        json!({
            "listId": self.id.to_string(),
            "listVersion": 1,
            "name": self.name,
            "objectTypeId": self.object_type,
            "processingType": self.processing,
            "processingStatus": self.status,
            "createdById": "1",
            "updatedById": "1",
            "createdAt": rfc3339_ms(self.created_ms),
            "updatedAt": rfc3339_ms(self.updated_ms),
            "filtersUpdatedAt": rfc3339_ms(self.created_ms),
        })
    }

    fn body(&self) -> Value {
        let mut body = self.head();
        body["size"] = json!(self.members.len());
        body
    }

    /// As a search shows it: what has no value is left out.
    fn found(&self, asked: &[String]) -> Value {
        let text = |ms: Option<i64>| ms.map(|ms| ms.to_string());
        let mut all = vec![
            ("hs_list_reference_count", Some("0".to_owned())),
            ("hs_list_size", Some(self.members.len().to_string())),
            ("hs_last_record_added_at", text(self.last_added_ms)),
            ("hs_last_record_removed_at", text(self.last_removed_ms)),
        ];
        if asked.iter().any(|name| name == "hs_list_size_week_delta") {
            all.push(("hs_list_size_week_delta", Some("0".to_owned())));
        }
        let all = all.into_iter();
        let all: Map<String, Value> = all
            .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))))
            .collect();
        let mut body = self.head();
        body["additionalProperties"] = Value::Object(all);
        body
    }

    /// True when the record was not in the list.
    pub fn add(&mut self, id: u64, now_ms: i64) -> bool {
        let is_new = !self.members.contains_key(&id);
        if is_new {
            self.members.insert(id, now_ms);
            self.last_added_ms = Some(now_ms);
        }
        is_new
    }

    /// True when the record was in the list.
    pub fn remove(&mut self, id: u64, now_ms: i64) -> bool {
        let was_there = self.members.remove(&id).is_some();
        if was_there {
            self.last_removed_ms = Some(now_ms);
        }
        was_there
    }
}

/// Takes an archived or erased record out of every list of its type.
pub(super) fn forget(lists: &mut [List], (kind, id): (&str, u64), now_ms: i64) {
    for list in lists.iter_mut().filter(|list| list.object_type == kind) {
        list.remove(id, now_ms);
    }
}

/// A record was merged into another one, which takes its place and has been a member as long.
pub(super) fn lead(lists: &mut [List], (kind, gone): (&str, u64), to: u64, now_ms: i64) {
    for list in lists.iter_mut().filter(|list| list.object_type == kind) {
        let since = list.members.get(&gone).copied();
        list.remove(gone, now_ms);
        if let Some(since) = since {
            list.add(to, now_ms);
            list.members.insert(to, since);
        }
    }
}

pub(super) fn route(hub: &mut HubSpot, request: &Request, rest: &[&str]) -> Answer {
    let reads = request.method == "GET" || rest == ["search"];
    hub.need(if reads {
        "crm.lists.read"
    } else {
        "crm.lists.write"
    })?;
    match (request.method.as_str(), rest) {
        ("POST", []) => create(hub, &body_of(request)?),
        ("POST", ["search"]) => search(hub, &body_of(request)?),
        ("GET", ["object-type-id", kind, "name", name]) => {
            let mut all = hub.lists.iter().filter(|list| list.deleted_ms.is_none());
            let found = all.find(|list| list.object_type == *kind && list.name == *name);
            let list = found.ok_or_else(|| {
                Refusal::missing(format!("List does not exist with name {name}."))
            })?;
            Ok(Reply::json(200, &json!({"list": list.body()})))
        }
        ("GET", []) => {
            let asked = request.query.iter().filter(|(name, _)| name == "listIds");
            let wanted: Vec<&str> = asked.map(|(_, value)| value.as_str()).collect();
            let all = hub.lists.iter().filter(|list| list.deleted_ms.is_none());
            let found = all.filter(|list| wanted.contains(&list.id.to_string().as_str()));
            let lists: Vec<Value> = found.map(List::body).collect();
            Ok(Reply::json(200, &json!({"lists": lists})))
        }
        ("GET", [id]) => Ok(Reply::json(200, &json!({"list": find(hub, id)?.body()}))),
        ("DELETE", [id]) => {
            let now_ms = hub.clock.now_ms();
            find(hub, id)?.deleted_ms = Some(now_ms);
            Ok(Reply::empty(204))
        }
        ("PUT", [id, "restore"]) => {
            let mut deleted = hub
                .lists
                .iter_mut()
                .filter(|list| list.deleted_ms.is_some());
            let found = deleted.find(|list| list.id.to_string() == *id);
            found.ok_or_else(|| unknown(id))?.deleted_ms = None;
            Ok(Reply::empty(204))
        }
        ("GET", [id, "memberships", order @ ..]) if matches!(order, [] | ["join-order"]) => {
            memberships::page(hub, request, id, !order.is_empty())
        }
        ("PUT", [id, "memberships", action]) => {
            memberships::change(hub, id, action, &body_of(request)?)
        }
        _ => Err(Refusal::new(
            404,
            "RESOURCE_NOT_FOUND",
            "resource not found",
        )),
    }
}

pub(super) fn find<'a>(hub: &'a mut HubSpot, id: &str) -> Result<&'a mut List, Refusal> {
    let mut all = hub
        .lists
        .iter_mut()
        .filter(|list| list.deleted_ms.is_none());
    let found = all.find(|list| list.id.to_string() == id);
    found.ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Refusal {
    Refusal::missing(format!("List does not exist with ID {id}."))
}

impl HubSpot {
    /// Makes a list of any kind, as a person in HubSpot's own pages would. Returns its id.
    pub fn make_list(&mut self, name: &str, object_type: &str, processing: &str) -> u64 {
        let now_ms = self.clock.now_ms();
        self.last_list += 1;
        self.lists.push(List {
            id: self.last_list,
            name: name.to_owned(),
            object_type: object_type.to_owned(),
            processing: processing.to_owned(),
            status: "COMPLETE",
            created_ms: now_ms,
            updated_ms: now_ms,
            deleted_ms: None,
            members: BTreeMap::new(),
            last_added_ms: None,
            last_removed_ms: None,
        });
        self.last_list
    }

    /// The list of a test that changes it.
    ///
    /// # Panics
    /// When there is no such list: the test is wrong.
    pub fn list(&mut self, id: u64) -> &mut List {
        let mut all = self.lists.iter_mut();
        all.find(|list| list.id == id)
            .expect("a list of the account")
    }
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
    let mut all = hub.lists.iter().filter(|list| list.deleted_ms.is_none());
    if all.any(|list| list.name == name) {
        return Err(Refusal::invalid(format!(
            "List with name '{name}' already exists."
        )));
    }
    let id = hub.make_list(&name, &object_type, &processing);
    Ok(Reply::json(200, &json!({"list": hub.list(id).body()})))
}

/// The order of what a search finds is not documented. Here the list that was changed last is the first.
fn search(hub: &HubSpot, body: &Value) -> Answer {
    let query = body["query"].as_str().unwrap_or_default().to_lowercase();
    let offset = whole(body, "offset", 0)?;
    let count = whole(body, "count", 20)?;
    if offset < 0 {
        return Err(Refusal::invalid(format!(
            "offset {offset} must not be negative"
        )));
    }
    if !(1..=MOST_IN_A_PAGE).contains(&count) {
        return Err(Refusal::invalid(format!(
            "count {count} must be between 1 and {MOST_IN_A_PAGE}"
        )));
    }
    let (ids, types) = (texts(body, "listIds")?, texts(body, "processingTypes")?);
    if let Some(wrong) = types.iter().find(|one| !TYPES.contains(&one.as_str())) {
        return Err(Refusal::invalid(format!(
            "INVALID_PROCESSING_TYPE: `{wrong}` is not one of {TYPES:?}"
        )));
    }
    let asked = texts(body, "additionalProperties")?;
    let fits = |list: &&List| {
        list.deleted_ms.is_none()
            && list.name.to_lowercase().contains(&query)
            && (ids.is_empty() || ids.contains(&list.id.to_string()))
            && (types.is_empty() || types.contains(&list.processing))
    };
    let mut found: Vec<&List> = hub.lists.iter().filter(fits).collect();
    found.sort_by_key(|list| (-list.updated_ms, list.id));
    let page = found.iter().skip(offset as usize).take(count as usize);
    let page: Vec<Value> = page.map(|list| list.found(&asked)).collect();
    let next = offset as usize + page.len();
    Ok(Reply::json(
        200,
        &json!({"offset": next, "hasMore": next < found.len(), "total": found.len(), "lists": page}),
    ))
}

fn whole(body: &Value, name: &str, default: i64) -> Result<i64, Refusal> {
    match &body[name] {
        Value::Null => Ok(default),
        value => value
            .as_i64()
            .ok_or_else(|| Refusal::invalid(format!("Invalid input JSON: {name} is no integer"))),
    }
}

fn texts(body: &Value, name: &str) -> Result<Vec<String>, Refusal> {
    match &body[name] {
        Value::Null => Ok(Vec::new()),
        value => serde_json::from_value(value.clone()).map_err(|_| {
            Refusal::invalid(format!("Invalid input JSON: {name} is no list of texts"))
        }),
    }
}
