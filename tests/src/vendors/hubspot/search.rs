//! Search in the fake HubSpot: filter groups, one sort, at most 200 results a page and 10,000 in all.
//! Archived records and changes younger than the index's lag are not found.

use std::cmp::Ordering;

use serde_json::Value;

use super::super::http::{Reply, Request};
use super::super::time::parse_rfc3339;
use super::objects::{Objects, Record};
use super::{Answer, Refusal, body_of};

const MAX_RESULTS: usize = 10_000;
const MAX_PAGE: u64 = 200;
const MAX_BODY: usize = 3_000;

struct Filter {
    property: String,
    operator: String,
    value: String,
    high: String,
    values: Vec<String>,
}

pub(super) fn search(objects: &mut Objects, request: &Request, until_ms: i64) -> Answer {
    if request.body.len() > MAX_BODY {
        return Err(Refusal::invalid(format!(
            "The request body must be at most {MAX_BODY} characters"
        )));
    }
    let body = body_of(request)?;
    let limit = body["limit"].as_u64().unwrap_or(10);
    if limit == 0 || limit > MAX_PAGE {
        return Err(Refusal::invalid(format!(
            "The requested limit {limit} must be between 1 and {MAX_PAGE}"
        )));
    }
    let after = match &body["after"] {
        Value::Null => 0,
        Value::Number(number) => number.as_u64().unwrap_or_default() as usize,
        other => {
            let text = other.as_str().unwrap_or_default();
            if text.is_empty() {
                0
            } else {
                text.parse()
                    .map_err(|_| Refusal::invalid("invalid paging cursor"))?
            }
        }
    };
    if after + limit as usize > MAX_RESULTS {
        return Err(Refusal::invalid(
            "Paging through results is limited to the first 10,000 results of a search",
        ));
    }
    let groups = groups_of(&body)?;
    let mut found = candidates(objects, &groups, until_ms);
    sort(objects, &mut found, &body)?;
    let asked: Vec<String> = serde_json::from_value(body["properties"].clone()).unwrap_or_default();
    let shape = objects.shape(&asked);
    let page: Vec<u64> = found
        .iter()
        .skip(after)
        .take(limit as usize)
        .copied()
        .collect();
    let mut out = format!("{{\"total\":{},\"results\":[", found.len());
    for (at, id) in page.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        objects.render(*id, shape, &mut out);
    }
    out.push(']');
    let next = after + page.len();
    if next < found.len() && next < MAX_RESULTS {
        out.push_str(&format!(
            ",\"paging\":{{\"next\":{{\"after\":\"{next}\"}}}}"
        ));
    }
    out.push('}');
    Ok(Reply::text(200, out))
}

fn groups_of(body: &Value) -> Result<Vec<Vec<Filter>>, Refusal> {
    let empty = Vec::new();
    let groups = body["filterGroups"].as_array().unwrap_or(&empty);
    if groups.len() > 5 {
        return Err(Refusal::invalid("At most 5 filterGroups are allowed"));
    }
    let mut parsed = Vec::new();
    for group in groups {
        let filters = group["filters"].as_array().unwrap_or(&empty);
        if filters.len() > 6 {
            return Err(Refusal::invalid("At most 6 filters are allowed in a group"));
        }
        parsed.push(
            filters
                .iter()
                .map(filter_of)
                .collect::<Result<Vec<_>, _>>()?,
        );
    }
    Ok(parsed)
}

fn filter_of(filter: &Value) -> Result<Filter, Refusal> {
    let text = |name: &str| match &filter[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let operator = text("operator");
    let known = [
        "EQ",
        "NEQ",
        "LT",
        "LTE",
        "GT",
        "GTE",
        "BETWEEN",
        "IN",
        "NOT_IN",
        "HAS_PROPERTY",
        "NOT_HAS_PROPERTY",
    ];
    if !known.contains(&operator.as_str()) {
        return Err(Refusal::invalid(format!(
            "Invalid operator `{operator}`: must be one of {known:?}"
        )));
    }
    let values = serde_json::from_value(filter["values"].clone()).unwrap_or_default();
    let needs_value =
        !["IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY"].contains(&operator.as_str());
    if needs_value && filter["value"].is_null() {
        return Err(Refusal::invalid(format!(
            "operator {operator} requires a value"
        )));
    }
    Ok(Filter {
        property: text("propertyName"),
        operator,
        value: text("value"),
        high: text("highValue"),
        values,
    })
}

/// Ids that any group accepts, by time of modification. A lower bound on that time narrows the walk.
fn candidates(objects: &Objects, groups: &[Vec<Filter>], until_ms: i64) -> Vec<u64> {
    let bound = |filters: &Vec<Filter>| {
        let on_time = filters
            .iter()
            .filter(|filter| filter.property == objects.modified);
        on_time
            .filter(|filter| ["GT", "GTE", "BETWEEN", "EQ"].contains(&filter.operator.as_str()))
            .filter_map(|filter| instant(&filter.value))
            .max()
            .unwrap_or(i64::MIN)
    };
    let from = groups.iter().map(bound).min().unwrap_or(i64::MIN);
    let walk = objects.by_modified.range((from, 0)..=(until_ms, u64::MAX));
    let records = walk.filter_map(|(_, id)| objects.get(*id));
    let accepted = records.filter(|record| {
        groups.is_empty()
            || groups
                .iter()
                .any(|group| group.iter().all(|filter| holds(objects, record, filter)))
    });
    accepted.map(|record| record.id).collect()
}

fn instant(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| parse_rfc3339(text))
}

fn value_of(objects: &Objects, record: &Record, property: &str) -> Option<String> {
    match property {
        "createdate" | "hs_createdate" => Some(record.created_ms.to_string()),
        "hs_object_id" => Some(record.id.to_string()),
        name if name == objects.modified => Some(record.updated_ms.to_string()),
        name => objects.value(record, name).map(str::to_string),
    }
}

fn compare(left: &str, right: &str) -> Ordering {
    match (instant(left), instant(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.to_lowercase().cmp(&right.to_lowercase()),
    }
}

fn holds(objects: &Objects, record: &Record, filter: &Filter) -> bool {
    let value = value_of(objects, record, &filter.property);
    let is = |wanted: &String| {
        value
            .as_deref()
            .is_some_and(|value| compare(value, wanted).is_eq())
    };
    let against = |wanted: &str| value.as_deref().map(|value| compare(value, wanted));
    match filter.operator.as_str() {
        "HAS_PROPERTY" => value.is_some(),
        "NOT_HAS_PROPERTY" => value.is_none(),
        "IN" => filter.values.iter().any(is),
        "NOT_IN" => value.is_some() && !filter.values.iter().any(is),
        "EQ" => is(&filter.value),
        "NEQ" => !is(&filter.value),
        "LT" => against(&filter.value).is_some_and(Ordering::is_lt),
        "LTE" => against(&filter.value).is_some_and(Ordering::is_le),
        "GT" => against(&filter.value).is_some_and(Ordering::is_gt),
        "GTE" => against(&filter.value).is_some_and(Ordering::is_ge),
        _ => {
            against(&filter.value).is_some_and(Ordering::is_ge)
                && against(&filter.high).is_some_and(Ordering::is_le)
        }
    }
}

fn sort(objects: &Objects, found: &mut [u64], body: &Value) -> Result<(), Refusal> {
    let Some(sorts) = body["sorts"].as_array().filter(|sorts| !sorts.is_empty()) else {
        found.sort_unstable();
        return Ok(());
    };
    if sorts.len() > 1 {
        return Err(Refusal::invalid("Only one sort is allowed"));
    }
    let (property, descending) = match &sorts[0] {
        Value::String(name) => (
            name.trim_start_matches('-').to_string(),
            name.starts_with('-'),
        ),
        other => {
            let name = other["propertyName"]
                .as_str()
                .unwrap_or_default()
                .to_string();
            (name, other["direction"].as_str() == Some("DESCENDING"))
        }
    };
    if property != objects.modified {
        let value = |id: &u64| {
            objects
                .get(*id)
                .and_then(|record| value_of(objects, record, &property))
        };
        found.sort_by(|left, right| {
            compare(
                &value(left).unwrap_or_default(),
                &value(right).unwrap_or_default(),
            )
        });
    }
    if descending {
        found.reverse();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::time::rfc3339_ms;
    use super::*;

    #[test]
    fn times_compare_as_times_whether_written_as_text_or_milliseconds() {
        assert_eq!(
            compare(&rfc3339_ms(1_700_000_000_000), "1700000000000"),
            Ordering::Equal
        );
        assert_eq!(compare("abc", "ABD"), Ordering::Less);
    }
}
