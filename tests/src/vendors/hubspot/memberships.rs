//! Which records are in a list of the fake HubSpot: pages by record id or by the time of joining, and changes.

use serde_json::{Value, json};

use super::super::http::{Reply, Request};
use super::super::time::rfc3339_ms;
use super::lists::{List, find};
use super::{Answer, HubSpot, Refusal, limit_of};

/// The most changes of one request.
const MOST_CHANGES: usize = 100_000;

/// What a page is ordered by: nothing or the time of joining, then the record's id.
type Place = (i64, u64);

/// A page behind `after` in ascending order, or in front of `before` in descending order.
pub(super) fn page(hub: &mut HubSpot, request: &Request, id: &str, by_time: bool) -> Answer {
    let limit = limit_of(request.query("limit"), 100, 250)?;
    let after = request.query("after").map(place_of).transpose()?;
    let before = request.query("before").map(place_of).transpose()?;
    let kind = find(hub, id)?.object_type.clone();
    if kind == "0-2" {
        hub.need("crm.objects.companies.read")?;
    }
    let list = find(hub, id)?;
    if list.processing == "ADHOC" {
        return Err(Refusal::invalid(
            "INVALID_PROCESSING_TYPE: memberships of ADHOC lists cannot be read",
        ));
    }
    let places = list.members.iter();
    let places = places.map(|(id, at)| (if by_time { *at } else { 0 }, *id));
    let mut places: Vec<Place> = places.collect();
    places.sort_unstable();
    let descends = after.is_none() && before.is_some();
    match (after, before) {
        (Some(after), _) => places.retain(|place| *place > after),
        (None, Some(before)) => places.retain(|place| *place < before),
        (None, None) => {}
    }
    if descends {
        places.reverse();
    }
    let more = places.len() > limit;
    places.truncate(limit);
    Ok(Reply::json(200, &body(list, &places, more, descends)))
}

fn body(list: &List, places: &[Place], more: bool, descends: bool) -> Value {
    let row = |(_, id): &Place| json!({"recordId": id.to_string(), "membershipTimestamp": rfc3339_ms(list.members[id])});
    let results: Vec<Value> = places.iter().map(row).collect();
    let mut body = json!({"total": list.members.len(), "results": results});
    let (where_to, name) = match descends {
        true => ("prev", "before"),
        false => ("next", "after"),
    };
    if let Some(last) = places.last().filter(|_| more) {
        let token = token_of(*last);
        let link = format!("?{name}={token}");
        body["paging"] = json!({where_to: {name: token, "link": link}});
    }
    body
}

/// An offset token says nothing to a client.
fn token_of((at, id): Place) -> String {
    format!("{at:x}.{id:x}")
}

fn place_of(token: &str) -> Result<Place, Refusal> {
    let parse = || {
        let (at, id) = token.split_once('.')?;
        Some((
            i64::from_str_radix(at, 16).ok()?,
            u64::from_str_radix(id, 16).ok()?,
        ))
    };
    parse().ok_or_else(|| Refusal::invalid(format!("invalid paging offset: `{token}`")))
}

pub(super) fn change(hub: &mut HubSpot, id: &str, action: &str, body: &Value) -> Answer {
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
    if add.len() + remove.len() > MOST_CHANGES {
        return Err(Refusal::invalid(
            "at most 100,000 records may be changed at once",
        ));
    }
    let now_ms = hub.clock.now_ms();
    let list = find(hub, id)?;
    if !["MANUAL", "SNAPSHOT"].contains(&list.processing.as_str()) {
        return Err(Refusal::invalid(format!(
            "INVALID_PROCESSING_TYPE: the members of a list with processingType {} cannot be changed",
            list.processing
        )));
    }
    let kind = list.object_type.clone();
    let objects = hub.objects(&kind)?;
    let alive = |id: &u64| {
        let record = objects.get(*id);
        record.is_some_and(|record| record.archived_ms.is_none())
    };
    let (present, missing): (Vec<u64>, Vec<u64>) = add.into_iter().partition(alive);
    let list = find(hub, id)?;
    let texts = |ids: Vec<u64>| ids.iter().map(u64::to_string).collect::<Vec<_>>();
    let added = present.into_iter().filter(|id| list.add(*id, now_ms));
    let added = texts(added.collect());
    let removed = remove.into_iter().filter(|id| list.remove(*id, now_ms));
    let removed = texts(removed.collect());
    Ok(Reply::json(
        200,
        &json!({"recordIdsAdded": added, "recordsIdsAdded": added, "recordIdsRemoved": removed,
                "recordIdsMissing": texts(missing)}),
    ))
}

fn ids(value: &Value) -> Result<Vec<u64>, Refusal> {
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
}
