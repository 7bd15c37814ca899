//! One object type of the fake HubSpot: records by id, their properties, the rules for writing them, and the list.
//! A record's JSON is rendered once per set of asked properties and kept, so that a page is a concatenation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use serde_json::{Map, Value, json};

use super::super::http::{Reply, Request};
use super::super::time::rfc3339_ms;
use super::kinds::Kind;
use super::properties::Written;
use super::{Answer, Refusal, limit_of};

pub struct Record {
    pub id: u64,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub archived_ms: Option<i64>,
    /// By number in `Objects::names`, sorted; never empty text.
    values: Vec<(u16, Box<str>)>,
    rendered: Option<(u32, Box<str>)>,
}

pub struct Objects {
    pub(super) kind: &'static str,
    /// What addresses call it.
    pub(super) type_names: [&'static str; 3],
    pub(super) modified: &'static str,
    default_properties: &'static [&'static str],
    /// The property whose value belongs to one record only.
    pub(super) unique: &'static str,
    pub(super) names: Vec<&'static str>,
    records: BTreeMap<u64, Record>,
    pub(super) by_unique: HashMap<String, u64>,
    pub(super) by_modified: BTreeSet<(i64, u64)>,
    /// Ids of records that were merged, and the record that they are now.
    pub(super) aliases: BTreeMap<u64, u64>,
    shapes: Vec<Vec<String>>,
    next_id: u64,
}

impl Objects {
    pub(super) fn of(kind: &Kind) -> Objects {
        Objects {
            kind: kind.names[1],
            type_names: kind.names,
            modified: kind.modified,
            default_properties: kind.defaults,
            unique: kind.unique,
            names: kind.properties.to_vec(),
            records: BTreeMap::new(),
            by_unique: HashMap::new(),
            by_modified: BTreeSet::new(),
            aliases: BTreeMap::new(),
            shapes: Vec::new(),
            next_id: 1,
        }
    }

    /// Adds a custom property, as an administrator would.
    pub fn define(&mut self, name: &'static str) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.records.keys().copied()
    }

    pub fn get(&self, id: u64) -> Option<&Record> {
        self.records.get(&id)
    }

    pub fn value<'a>(&self, record: &'a Record, name: &str) -> Option<&'a str> {
        let number = self.number(name)?;
        let found = record.values.iter().find(|(known, _)| *known == number);
        found.map(|(_, value)| value.as_ref())
    }

    /// Puts a record in as HubSpot's own import would, without its checks. Values that are empty are left out.
    ///
    /// # Panics
    /// When a property is not defined: the seed is wrong.
    pub fn seed(&mut self, id: u64, created_ms: i64, updated_ms: i64, values: &[(&str, &str)]) {
        let mut kept: Vec<(u16, Box<str>)> = Vec::with_capacity(values.len());
        for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
            let number = self
                .number(name)
                .expect("a seeded property must be defined");
            if *name == self.unique {
                self.by_unique.insert(value.to_lowercase(), id);
            }
            kept.push((number, (*value).into()));
        }
        kept.sort_by_key(|(number, _)| *number);
        self.by_modified.insert((updated_ms, id));
        self.next_id = self.next_id.max(id + 1);
        let record = Record {
            id,
            created_ms,
            updated_ms,
            archived_ms: None,
            values: kept,
            rendered: None,
        };
        self.records.insert(id, record);
    }

    /// Changes properties as a person in HubSpot's own pages would. Returns whether anything changed.
    ///
    /// # Panics
    /// When a property is not defined or a value is not valid.
    pub fn edit(&mut self, id: u64, values: &[(&str, &str)], now_ms: i64) -> bool {
        let object: Map<String, Value> = values
            .iter()
            .map(|(name, value)| ((*name).to_string(), json!(value)))
            .collect();
        let written = self
            .check(&Value::Object(object))
            .expect("an edit in a test must be valid");
        self.apply(id, &written, now_ms)
    }

    /// The property that holds when a record was made.
    pub(super) fn created(&self) -> &'static str {
        match self.default_properties.contains(&"hs_createdate") {
            true => "hs_createdate",
            false => "createdate",
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<u16> {
        self.names
            .iter()
            .position(|known| *known == name)
            .map(|at| at as u16)
    }

    /// The live record with this id, or with this value of the unique property.
    pub fn find(&self, id: &str, id_property: Option<&str>) -> Option<u64> {
        let found = match id_property {
            Some(name) if name == self.unique => *self.by_unique.get(&id.to_lowercase())?,
            _ => self.current(id.parse().ok()?),
        };
        self.records
            .get(&found)
            .filter(|record| record.archived_ms.is_none())
            .map(|record| record.id)
    }

    pub(super) fn check_id_property(&self, name: Option<&str>) -> Result<(), Refusal> {
        match name {
            None | Some("hs_object_id") => Ok(()),
            Some(name) if name == self.unique => Ok(()),
            Some(name) => Err(Refusal::invalid(format!(
                "The property '{name}' is not a unique identifier property for object type '{}'",
                self.kind
            ))),
        }
    }

    /// The live record that already holds the unique value of this write, unless it is `except`.
    pub(super) fn holder(&self, written: &Written, except: Option<u64>) -> Option<u64> {
        let unique = self.number(self.unique)?;
        let (_, value) = written.iter().find(|(number, _)| *number == unique)?;
        let holder = *self.by_unique.get(&value.to_lowercase())?;
        (Some(holder) != except).then_some(holder)
    }

    pub(super) fn insert(&mut self, written: &Written, now_ms: i64) -> u64 {
        let id = self.next_id;
        let names = self.names.clone();
        let values: Vec<(&str, &str)> = written
            .iter()
            .map(|(number, value)| (names[usize::from(*number)], value.as_str()))
            .collect();
        self.seed(id, now_ms, now_ms, &values);
        id
    }

    /// Writes checked properties; the time of modification moves only when a value changes.
    pub(super) fn apply(&mut self, id: u64, written: &Written, now_ms: i64) -> bool {
        let unique = self.number(self.unique);
        let Some(record) = self.records.get_mut(&id) else {
            return false;
        };
        let mut changed = false;
        for (number, value) in written {
            let at = record.values.iter().position(|(known, _)| known == number);
            let old = at.map(|at| record.values[at].1.to_string());
            if old.as_deref().unwrap_or_default() == value {
                continue;
            }
            changed = true;
            if Some(*number) == unique {
                self.by_unique
                    .remove(&old.unwrap_or_default().to_lowercase());
                self.by_unique.insert(value.to_lowercase(), id);
            }
            if let Some(at) = at {
                record.values.remove(at);
            }
            if !value.is_empty() {
                record.values.push((*number, value.as_str().into()));
            }
        }
        if changed {
            self.by_modified.remove(&(record.updated_ms, id));
            record.updated_ms = now_ms.max(record.updated_ms);
            self.by_modified.insert((record.updated_ms, id));
            record.rendered = None;
        }
        changed
    }

    /// Archived records leave search and free their unique value; the list shows them with `archived=true`.
    pub fn archive(&mut self, id: u64, now_ms: i64) {
        let Some(record) = self.records.get_mut(&id) else {
            return;
        };
        self.by_modified.remove(&(record.updated_ms, id));
        record.archived_ms = Some(now_ms);
        record.rendered = None;
        self.by_unique.retain(|_, holder| *holder != id);
    }

    /// Sets a property that HubSpot works out itself.
    pub(super) fn put(&mut self, id: u64, name: &str, value: &str, now_ms: i64) {
        if let Some(number) = self.number(name) {
            self.apply(id, &vec![(number, value.to_string())], now_ms);
        }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// These ids, and the ones that led to them, lead to this record from now on.
    pub(super) fn lead(&mut self, gone: Vec<u64>, to: u64) {
        for target in self.aliases.values_mut() {
            if gone.contains(target) {
                *target = to;
            }
        }
        self.aliases.extend(gone.into_iter().map(|id| (id, to)));
    }

    /// What a record holds, by property.
    pub(super) fn values(&self, id: u64) -> Vec<(String, String)> {
        let values = self
            .records
            .get(&id)
            .into_iter()
            .flat_map(|one| &one.values);
        let named = values.map(|(number, value)| (self.names[usize::from(*number)], value));
        named
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    /// Removes every trace of a record.
    pub fn erase(&mut self, id: u64) {
        if let Some(record) = self.records.remove(&id) {
            self.by_modified.remove(&(record.updated_ms, id));
            self.by_unique.retain(|_, holder| *holder != id);
        }
    }

    /// The number of a set of asked properties; what HubSpot does not know is left out.
    pub(super) fn shape(&mut self, asked: &[String]) -> u32 {
        let mut names: Vec<String> = asked
            .iter()
            .filter(|name| self.number(name).is_some())
            .cloned()
            .collect();
        if asked.is_empty() {
            names.extend(
                self.default_properties
                    .iter()
                    .map(|name| (*name).to_string()),
            );
        }
        let created = self.created();
        names.extend([created, "hs_object_id", self.modified].map(str::to_string));
        names.sort();
        names.dedup();
        let at = self
            .shapes
            .iter()
            .position(|known| *known == names)
            .unwrap_or_else(|| {
                self.shapes.push(names);
                self.shapes.len() - 1
            });
        at as u32
    }

    /// Appends a record's JSON to `out`.
    pub(super) fn render(&mut self, id: u64, shape: u32, out: &mut String) {
        let Some(record) = self.records.get_mut(&id) else {
            return;
        };
        if let Some((known, text)) = &record.rendered
            && *known == shape
        {
            out.push_str(text);
            return;
        }
        let text = render(
            record,
            &self.names,
            &self.shapes[shape as usize],
            self.modified,
        );
        out.push_str(&text);
        record.rendered = Some((shape, text.into_boxed_str()));
    }

    pub(super) fn rendered(&mut self, id: u64, shape: u32) -> String {
        let mut text = String::with_capacity(512);
        self.render(id, shape, &mut text);
        text
    }

    pub(super) fn list(&mut self, request: &Request) -> Answer {
        let limit = limit_of(request.query("limit"), 10, 100)?;
        let archived = request.query("archived") == Some("true");
        let after: u64 = match request.query("after") {
            None | Some("") => 0,
            Some(text) => text
                .parse()
                .map_err(|_| Refusal::invalid(format!("invalid paging cursor: `{text}`")))?,
        };
        let shape = self.shape(&asked_properties(request));
        let range = self
            .records
            .range((Bound::Excluded(after), Bound::Unbounded));
        let wanted = range.filter(|(_, record)| record.archived_ms.is_some() == archived);
        let mut ids: Vec<u64> = wanted.map(|(id, _)| *id).take(limit + 1).collect();
        let more = ids.len() > limit;
        ids.truncate(limit);
        let mut out = String::with_capacity(ids.len() * 600 + 128);
        out.push_str("{\"results\":[");
        for (at, id) in ids.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            self.render(*id, shape, &mut out);
        }
        out.push(']');
        if let Some(last) = ids.last().filter(|_| more) {
            out.push_str(&format!(
                ",\"paging\":{{\"next\":{{\"after\":\"{last}\",\"link\":\"?after={last}\"}}}}"
            ));
        }
        out.push('}');
        Ok(Reply::text(200, out))
    }

    pub(super) fn read_one(&mut self, request: &Request, id: &str) -> Answer {
        let id_property = request.query("idProperty");
        self.check_id_property(id_property)?;
        let archived = request.query("archived") == Some("true");
        let found = match archived {
            false => self.find(id, id_property),
            true => id.parse().ok().filter(|id| {
                self.get(*id)
                    .is_some_and(|record| record.archived_ms.is_some())
            }),
        };
        let found = found.ok_or_else(|| not_found(id))?;
        let shape = self.shape(&asked_properties(request));
        Ok(Reply::text(200, self.rendered(found, shape)))
    }

    pub(super) fn create_one(&mut self, body: &Value, now_ms: i64) -> Answer {
        let written = self.check(&body["properties"])?;
        if let Some(holder) = self.holder(&written, None) {
            return Err(self.taken(holder));
        }
        let id = self.insert(&written, now_ms);
        let shape = self.shape(&[]);
        Ok(Reply::text(201, self.rendered(id, shape)))
    }

    pub(super) fn update_one(
        &mut self,
        request: &Request,
        id: &str,
        body: &Value,
        now_ms: i64,
    ) -> Answer {
        let id_property = request.query("idProperty");
        self.check_id_property(id_property)?;
        let found = self.find(id, id_property).ok_or_else(|| not_found(id))?;
        let written = self.check(&body["properties"])?;
        if let Some(holder) = self.holder(&written, Some(found)) {
            return Err(self.taken(holder));
        }
        self.apply(found, &written, now_ms);
        let shape = self.shape(&[]);
        Ok(Reply::text(200, self.rendered(found, shape)))
    }

    pub(super) fn taken(&self, holder: u64) -> Refusal {
        let (first, rest) = self.kind.split_at(1);
        let kind = first.to_uppercase() + rest;
        Refusal::new(
            409,
            "CONFLICT",
            format!("{kind} already exists. Existing ID: {holder}"),
        )
    }
}

pub(super) fn not_found(id: &str) -> Refusal {
    Refusal::missing(format!(
        "Object not found.  objectId are usually numeric: {id}"
    ))
}

fn asked_properties(request: &Request) -> Vec<String> {
    let values = request
        .query
        .iter()
        .filter(|(name, _)| name == "properties");
    values
        .flat_map(|(_, value)| value.split(','))
        .filter(|name| !name.is_empty())
        .map(str::to_string)
        .collect()
}

fn render(record: &Record, names: &[&'static str], shape: &[String], modified: &str) -> String {
    let created = rfc3339_ms(record.created_ms);
    let updated = rfc3339_ms(record.updated_ms);
    let mut text = format!("{{\"id\":\"{}\",\"properties\":{{", record.id);
    for (at, name) in shape.iter().enumerate() {
        let number = record.id.to_string();
        let own = || {
            record
                .values
                .iter()
                .find(|(known, _)| names[usize::from(*known)] == name)
        };
        let closed = |stages: &[&str]| {
            let mut stage = record.values.iter();
            let stage = stage.find(|(known, _)| names[usize::from(*known)] == "dealstage");
            match stage.is_some_and(|(_, stage)| stages.contains(&&**stage)) {
                true => "true",
                false => "false",
            }
        };
        let value = match name.as_str() {
            "createdate" | "hs_createdate" => Some(created.as_str()),
            "hs_object_id" => Some(number.as_str()),
            "hs_is_closed" => Some(closed(&["closedwon", "closedlost"])),
            "hs_is_closed_won" => Some(closed(&["closedwon"])),
            name if name == modified => Some(updated.as_str()),
            _ => own().map(|(_, value)| value.as_ref()),
        };
        if at > 0 {
            text.push(',');
        }
        text.push_str(&format!("\"{name}\":{}", json!(value)));
    }
    text.push_str(&format!(
        "}},\"createdAt\":\"{created}\",\"updatedAt\":\"{updated}\",\"archived\":"
    ));
    match record.archived_ms {
        Some(ms) => text.push_str(&format!("true,\"archivedAt\":\"{}\"}}", rfc3339_ms(ms))),
        None => text.push_str("false}"),
    }
    text
}
