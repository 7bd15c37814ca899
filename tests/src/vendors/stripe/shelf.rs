//! One collection of the fake Stripe: objects by id, in order of making, and Stripe's way of paging through them.
//! An object is kept as the JSON text that is served, so that a page is a concatenation.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use serde_json::Value;

use super::super::http::{Reply, Request};
use super::Refusal;

/// Seconds since 1970, then order of arrival.
type Position = (i64, u64);

struct Entry {
    /// What the collection is filtered by: an event's type, a charge's customer, a customer's email.
    tag: String,
    text: String,
}

#[derive(Default)]
pub struct Shelf {
    positions: HashMap<String, Position>,
    order: BTreeMap<Position, Entry>,
    /// Deleted customers: they can be read, not listed.
    gone: HashMap<String, String>,
    serial: u64,
}

impl Shelf {
    /// Puts an object in, or replaces it at its place. `id` and `created` are read from it.
    pub fn put(&mut self, tag: &str, object: &Value) {
        let id = object["id"].as_str().unwrap_or_default().to_string();
        let created = object["created"].as_i64().unwrap_or_default();
        self.serial += 1;
        let position = *self.positions.entry(id).or_insert((created, self.serial));
        self.order.insert(
            position,
            Entry {
                tag: tag.to_string(),
                text: object.to_string(),
            },
        );
    }

    pub fn get(&self, id: &str) -> Option<Value> {
        let entry = self.order.get(self.positions.get(id)?)?;
        serde_json::from_str(&entry.text).ok()
    }

    /// The JSON that a read by id answers, deleted objects included.
    pub(super) fn text(&self, id: &str) -> Option<&str> {
        let live = self
            .positions
            .get(id)
            .and_then(|position| self.order.get(position))
            .map(|entry| entry.text.as_str());
        live.or_else(|| self.gone.get(id).map(String::as_str))
    }

    pub(super) fn delete(&mut self, id: &str, stub: &Value) {
        if let Some(position) = self.positions.remove(id) {
            self.order.remove(&position);
            self.gone.insert(id.to_string(), stub.to_string());
        }
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// All objects, oldest first.
    pub fn all(&self) -> Vec<Value> {
        self.order
            .values()
            .filter_map(|entry| serde_json::from_str(&entry.text).ok())
            .collect()
    }

    /// Newest first; `filters` names the query parameters besides paging that this collection takes.
    pub(super) fn list(
        &self,
        request: &Request,
        what: &str,
        filters: &[&str],
        oldest: i64,
    ) -> Result<Reply, Refusal> {
        check_parameters(request, filters)?;
        let limit = limit(request)?;
        let (mut low, mut high) = created_bounds(request, oldest)?;
        let cursor = |name: &str| match request.query(name) {
            None => Ok(None),
            Some(id) => self.positions.get(id).copied().map(Some).ok_or_else(|| {
                Refusal::invalid(name, "resource_missing", format!("No such {what}: '{id}'"))
            }),
        };
        let (after, before) = (cursor("starting_after")?, cursor("ending_before")?);
        if after.is_some() && before.is_some() {
            return Err(Refusal::invalid(
                "",
                "",
                "You can only specify one of these parameters: starting_after, ending_before.",
            ));
        }
        if let Some(position) = after {
            high = tighter_high(high, position);
        }
        if let Some(position) = before {
            low = tighter_low(low, position);
        }
        let wanted = Wanted::of(request);
        let mut page: Vec<&Entry> = if empty(low, high) {
            Vec::new()
        } else if before.is_some() {
            self.order
                .range((low, high))
                .map(|(_, entry)| entry)
                .filter(|entry| wanted.takes(entry))
                .take(limit + 1)
                .collect()
        } else {
            self.order
                .range((low, high))
                .rev()
                .map(|(_, entry)| entry)
                .filter(|entry| wanted.takes(entry))
                .take(limit + 1)
                .collect()
        };
        let has_more = page.len() > limit;
        page.truncate(limit);
        if before.is_some() {
            page.reverse();
        }
        let mut out = String::with_capacity(
            page.iter().map(|entry| entry.text.len() + 1).sum::<usize>() + 96,
        );
        out.push_str("{\"object\":\"list\",\"data\":[");
        for (at, entry) in page.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&entry.text);
        }
        out.push_str(&format!(
            "],\"has_more\":{has_more},\"url\":\"{}\"}}",
            request.path
        ));
        Ok(Reply::text(200, out))
    }
}

struct Wanted {
    tags: Vec<String>,
    status: Option<String>,
    subscriptions: bool,
}

impl Wanted {
    fn of(request: &Request) -> Wanted {
        let names = ["email", "customer", "charge", "type", "types", "types[]"];
        let is_tag = |name: &str| names.contains(&name) || name.starts_with("types[");
        let tags = request
            .query
            .iter()
            .filter(|(name, _)| is_tag(name))
            .map(|(_, value)| value.clone())
            .collect();
        let status = request.query("status").map(str::to_string);
        Wanted {
            tags,
            status,
            subscriptions: request.path.ends_with("/subscriptions"),
        }
    }

    fn takes(&self, entry: &Entry) -> bool {
        let by_tag =
            self.tags.is_empty() || self.tags.iter().any(|tag| tag_matches(tag, &entry.tag));
        by_tag && (!self.subscriptions || self.takes_status(entry))
    }

    /// Without a status Stripe leaves out what was cancelled.
    fn takes_status(&self, entry: &Entry) -> bool {
        let is = |status: &str| entry.text.contains(&format!("\"status\":\"{status}\""));
        match self.status.as_deref() {
            Some("all") => true,
            None => !is("canceled"),
            Some("ended") => is("canceled") || is("incomplete_expired"),
            Some(status) => is(status),
        }
    }
}

fn tag_matches(wanted: &str, tag: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => tag.starts_with(prefix),
        None => wanted == tag,
    }
}

fn check_parameters(request: &Request, filters: &[&str]) -> Result<(), Refusal> {
    for (name, _) in &request.query {
        let base = name.split('[').next().unwrap_or_default();
        let paging = [
            "limit",
            "starting_after",
            "ending_before",
            "created",
            "expand",
        ]
        .contains(&base);
        if !paging && !filters.contains(&base) {
            return Err(Refusal::invalid(
                name,
                "parameter_unknown",
                format!("Received unknown parameter: {name}"),
            ));
        }
    }
    Ok(())
}

fn limit(request: &Request) -> Result<usize, Refusal> {
    let Some(text) = request.query("limit") else {
        return Ok(10);
    };
    let number: i64 = text.parse().map_err(|_| {
        Refusal::invalid(
            "limit",
            "parameter_invalid_integer",
            format!("Invalid integer: {text}"),
        )
    })?;
    if number < 1 {
        return Err(Refusal::invalid(
            "limit",
            "",
            "This value must be greater than or equal to 1.",
        ));
    }
    if number > 100 {
        return Err(Refusal::invalid(
            "limit",
            "",
            "This value must be less than or equal to 100.",
        ));
    }
    Ok(number as usize)
}

type Bounds = (Bound<Position>, Bound<Position>);

fn created_bounds(request: &Request, oldest: i64) -> Result<Bounds, Refusal> {
    let (mut from, mut to) = (oldest, i64::MAX);
    for (name, text) in request
        .query
        .iter()
        .filter(|(name, _)| name.starts_with("created"))
    {
        let time: i64 = text.parse().map_err(|_| {
            Refusal::invalid(
                name,
                "parameter_invalid_integer",
                format!("Invalid integer: {text}"),
            )
        })?;
        match name.as_str() {
            "created" => (from, to) = (from.max(time), to.min(time)),
            "created[gte]" => from = from.max(time),
            "created[gt]" => from = from.max(time + 1),
            "created[lte]" => to = to.min(time),
            "created[lt]" => to = to.min(time - 1),
            _ => {
                return Err(Refusal::invalid(
                    name,
                    "parameter_unknown",
                    format!("Received unknown parameter: {name}"),
                ));
            }
        }
    }
    Ok((Bound::Included((from, 0)), Bound::Included((to, u64::MAX))))
}

fn tighter_high(high: Bound<Position>, position: Position) -> Bound<Position> {
    match high {
        Bound::Included(known) if known < position => high,
        _ => Bound::Excluded(position),
    }
}

fn tighter_low(low: Bound<Position>, position: Position) -> Bound<Position> {
    match low {
        Bound::Included(known) if known > position => low,
        _ => Bound::Excluded(position),
    }
}

/// A range that `BTreeMap` would refuse.
fn empty(low: Bound<Position>, high: Bound<Position>) -> bool {
    let (Bound::Included(from) | Bound::Excluded(from)) = low else {
        return false;
    };
    let (Bound::Included(to) | Bound::Excluded(to)) = high else {
        return false;
    };
    let open = matches!(low, Bound::Excluded(_)) || matches!(high, Bound::Excluded(_));
    from > to || (from == to && open)
}
