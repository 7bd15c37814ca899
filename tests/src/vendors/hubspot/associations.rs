//! Associations of the fake HubSpot: which records belong together, as version 4 of its API tells of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::http::Reply;
use super::super::time::rfc3339_ms;
use super::kinds::COMPANY;
use super::{Answer, HubSpot, Refusal};

/// Records of one request, and associations of one record in an answer.
const MAX_ROWS: usize = 1_000;
const PAGE: usize = 500;

/// A record: its type, singular, and its id.
pub type End = (&'static str, u64);

#[derive(Default)]
pub struct Associations {
    /// For each record the others that belong to it, and whether that is its primary company.
    of: BTreeMap<End, BTreeMap<End, bool>>,
}

impl Associations {
    /// The first company of a record is its primary one.
    pub(super) fn add(&mut self, one: End, other: End) {
        for (from, to) in [(one, other), (other, one)] {
            let known = self.of.entry(from).or_default();
            let is_first = !known.keys().any(|(kind, _)| *kind == to.0);
            known.entry(to).or_insert(to.0 == COMPANY && is_first);
        }
    }

    pub(super) fn remove(&mut self, one: End, other: End) {
        for (from, to) in [(one, other), (other, one)] {
            if let Some(known) = self.of.get_mut(&from) {
                known.remove(&to);
            }
        }
    }

    pub(super) fn primary(&self, of: End) -> Option<u64> {
        let known = self.of.get(&of)?;
        let primary = known.iter().find(|(_, is_primary)| **is_primary);
        primary.map(|((_, id), _)| *id)
    }

    pub(super) fn move_to(&mut self, kind: &'static str, from: u64, to: u64) {
        for (end, is_primary) in self.of.remove(&(kind, from)).unwrap_or_default() {
            let mine = self.of.entry((kind, to)).or_default();
            // Of two primary companies that of the primary record stays one.
            let taken = mine.values().any(|one| *one);
            mine.entry(end).or_insert(is_primary && !taken);
            let theirs = self.of.entry(end).or_default();
            let was = theirs.remove(&(kind, from)).unwrap_or_default();
            theirs.entry((kind, to)).or_insert(was);
        }
    }
}

pub(super) fn read(hub: &mut HubSpot, from: &str, to: &str, body: &Value) -> Answer {
    let from_kind = hub.objects(from)?.kind;
    let to_kind = hub.objects(to)?.kind;
    let Some(inputs) = body["inputs"].as_array() else {
        return Err(Refusal::invalid(
            "Invalid input JSON: some required fields were not set: [inputs]",
        ));
    };
    if inputs.is_empty() || inputs.len() > MAX_ROWS {
        return Err(Refusal::invalid(format!(
            "The number of inputs {} must be between 1 and {MAX_ROWS}",
            inputs.len()
        )));
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        let Some(text) = input["id"].as_str() else {
            return Err(Refusal::invalid(
                "Invalid input JSON: Cannot deserialize value of type `java.lang.String` (through reference chain: inputs[\"id\"])",
            ));
        };
        let after = input["after"].as_str().and_then(|text| text.parse().ok());
        match one(hub, from, (to, to_kind), text, after.unwrap_or(0)) {
            Some(found) => results.push(found),
            None => errors.push(none(from_kind, to_kind, text)),
        }
    }
    let at = rfc3339_ms(hub.clock.now_ms());
    let mut body =
        json!({"status": "COMPLETE", "startedAt": at, "completedAt": at, "results": results});
    if errors.is_empty() {
        return Ok(Reply::json(200, &body));
    }
    body["numErrors"] = json!(errors.len());
    body["errors"] = json!(errors);
    Ok(Reply::json(207, &body))
}

/// The associations of one record, from the id `after` on.
fn one(hub: &HubSpot, from: &str, to: (&str, &'static str), id: &str, after: u64) -> Option<Value> {
    let (objects, others) = (hub.objects(from).ok()?, hub.objects(to.0).ok()?);
    let id = objects.find(id, None)?;
    let known = hub.associations.of.get(&(objects.kind, id))?;
    let is_live = |id: u64| others.get(id).is_some_and(|one| one.archived_ms.is_none());
    let of_kind = known.iter().filter(|((kind, _), _)| *kind == to.1);
    let mut found: Vec<(u64, bool)> = of_kind
        .map(|((_, id), is_primary)| (*id, *is_primary))
        .filter(|(id, _)| *id > after && is_live(*id))
        .collect();
    if found.is_empty() {
        return None;
    }
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let described: Vec<Value> = found
        .iter()
        .map(|(other, is_primary)| {
            let plain = json!({"category": "HUBSPOT_DEFINED", "typeId": type_id(objects.kind, to.1), "label": null});
            let primary = json!({"category": "HUBSPOT_DEFINED", "typeId": if objects.kind == "deal" { 5 } else { 1 }, "label": "Primary"});
            let types = match is_primary {
                true => vec![primary, plain],
                false => vec![plain],
            };
            json!({"toObjectId": other, "associationTypes": types})
        })
        .collect();
    let mut answer = json!({"from": {"id": id.to_string()}, "to": described});
    if let Some((last, _)) = found.last().filter(|_| more) {
        answer["paging"] = json!({"next": {"after": last.to_string(), "link": ""}});
    }
    Some(answer)
}

/// HubSpot's numbers for associations without a label.
fn type_id(from: &str, to: &str) -> u32 {
    match (from, to) {
        ("contact", "company") => 279,
        ("company", "contact") => 280,
        ("deal", "contact") => 3,
        ("contact", "deal") => 4,
        ("deal", "company") => 341,
        ("company", "deal") => 342,
        ("call", "contact") => 194,
        ("call", "company") => 182,
        ("email", "contact") => 198,
        ("email", "company") => 186,
        ("meeting", "contact") => 200,
        ("meeting", "company") => 188,
        ("note", "contact") => 202,
        ("note", "company") => 190,
        ("task", "contact") => 204,
        ("task", "company") => 192,
        _ => 1_000,
    }
}

fn none(from: &str, to: &str, id: &str) -> Value {
    let mut body = Refusal::missing(format!("No {to} is associated with {from} {id}.")).body();
    body["subCategory"] = json!("crm.associations.NO_ASSOCIATIONS_FOUND");
    body["context"] = json!({"fromObjectId": [id], "fromObjectType": [from], "toObjectType": [to]});
    body
}
