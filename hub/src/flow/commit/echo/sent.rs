//! What destinations were sent of somebody, and which of it the tool itself had said.

use super::Came;
use crate::flow::commit::change::{Change, To};
use crate::flow::commit::consent::DAY_MS;
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::stored_json::read;
use crate::manifest::Destination;
use crate::model::{Fields, Timestamp, Value};
use crate::store::{Result, Tx, WrittenRow};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// How long a page that was read before something was written may take to come.
const LATE_MS: i64 = 10 * 60_000;

/// What a destination was sent of somebody.
#[derive(Debug, Clone)]
pub struct Sent {
    rows: Vec<Wrote>,
    /// The traits by which people are found there.
    keys: BTreeSet<String>,
    /// When it had the last of it; the end of time where that is not known.
    last: Timestamp,
}

/// One row that it was sent.
#[derive(Debug, Clone)]
struct Wrote {
    /// The destination's index.
    destination: usize,
    /// By the traits that it was made of: the field and its value, null where it was left empty.
    traits: BTreeMap<String, (String, Value)>,
    /// By field, the records of the tool that had said the same.
    own: Own,
    /// By its fields.
    payload: Fields,
    /// When it had this, or when something else was written over it; the end of time where that is not known.
    at: Timestamp,
    /// Until when this was there, where something else was written over it.
    until: Option<Timestamp>,
}

impl Wrote {
    /// The field of a trait, where it holds this value as it was written last.
    fn holds_by_name(&self, name: &str, value: &Value) -> Option<&str> {
        let (field, sent) = self.traits.get(name)?;
        (self.until.is_none() && is_same(sent, value)).then_some(field.as_str())
    }

    fn is_own(&self, field: &str, records: &[i64]) -> bool {
        let said = self.own.get(field);
        said.is_some_and(|said| records.iter().any(|record| said.contains(record)))
    }

    /// Whether something else was written to a field after this row.
    fn is_replaced(&self, field: &str, value: &Value, rows: &[Wrote]) -> bool {
        rows.iter().any(|other| {
            let is_later =
                other.until.is_none() && other.at > self.at && other.at != Timestamp::MAX;
            let there = other.payload.get(field);
            is_later && there.is_some_and(|there| !is_same(there, value))
        })
    }

    /// Whether the fields that a trait is read from are as they were written.
    fn holds_by_field(&self, name: &str, came: &Came<'_>) -> bool {
        // A record from before the last writing, which is read late, holds what was written before.
        let is_late = |until: Timestamp| {
            let is_old = came.updated_at.is_some_and(|at| at <= until);
            is_old && came.now.0.saturating_sub(until.0) <= LATE_MS
        };
        if self.until.is_some_and(|until| !is_late(until)) {
            return false;
        }
        let mut backs = came.backs.iter();
        let back = backs.find(|back| back.destination == self.destination);
        let reads = back.and_then(|back| back.reads.get(name));
        reads.is_some_and(|reads| {
            reads.iter().all(|(path, field)| {
                let both = self.payload.get(field).zip(came.echoed.fields.get(path));
                both.is_some_and(|(sent, back)| !sent.is_null() && is_same(sent, back))
            })
        })
    }
}

impl Sent {
    /// A tool stamps by its own clock, in whatever zone, and not everything at once: what it says to have happened in the day after it was
    /// sent something may come of that.
    pub fn settled_at(&self) -> Timestamp {
        Timestamp(self.last.0.saturating_add(DAY_MS))
    }

    /// Whether the hub wrote this there, and these records of the tool had not said it before.
    pub fn has(&self, name: &str, value: &Value, records: &[i64]) -> bool {
        self.rows.iter().any(|row| {
            let field = row.holds_by_name(name, value);
            field.is_some_and(|field| {
                !row.is_own(field, records) && !row.is_replaced(field, value, &self.rows)
            })
        })
    }

    /// Whether the hub wrote what these records had said before.
    pub fn is_own(&self, name: &str, value: &Value, records: &[i64]) -> bool {
        self.rows.iter().any(|row| {
            let field = row.holds_by_name(name, value);
            field.is_some_and(|field| row.is_own(field, records))
        })
    }

    /// When the fields that a trait is read from were last written, where they hold what was written.
    pub fn written_over(&self, name: &str, came: &Came<'_>) -> Option<Timestamp> {
        let rows = self.rows.iter();
        let rows = rows.filter(|row| row.holds_by_field(name, came));
        rows.map(|row| row.at).max()
    }

    /// Whether people are found there by this trait.
    pub fn is_key(&self, name: &str) -> bool {
        self.keys.contains(name)
    }

    fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.keys.extend(other.keys);
        self.last = self.last.max(other.last);
    }
}

/// What was sent of the person of each change, where anything was; asked before the identifiers of the changes are taken.
pub async fn sent(
    tx: &mut Tx,
    context: &Context,
    stream: &StreamRef,
    changes: &[Change],
) -> Result<Vec<Option<Sent>>> {
    let writers = context.writers_to(&stream.source);
    if writers.is_empty() {
        return Ok(Vec::new());
    }
    let is_read_back = !context.backs(&stream.source, &stream.name).is_empty();
    let now = context.clock.now();
    let mut all: Vec<Option<Sent>> = vec![None; changes.len()];
    for index in writers {
        let destination = &context.plan.destinations[*index];
        let keys = changes.iter().map(|change| key_at(destination, change));
        let keys: Vec<Option<String>> = keys.collect();
        let asked: Vec<String> = keys.iter().flatten().cloned().collect();
        let push = destination.person.as_ref();
        let object = push.map(|push| format!("person:{}", push.target));
        let audiences = destination.audiences.iter();
        let objects = audiences.map(|name| format!("audience:{name}"));
        let objects: Vec<String> = objects.chain(object.clone()).collect();
        let mut keys_of = BTreeSet::from([destination.member_key.clone()]);
        keys_of.extend(push.map(|push| push.match_field.clone()));
        let mut known: FxHashMap<String, Sent> = FxHashMap::default();
        for row in tx.written_at(&destination.name, &objects, &asked).await? {
            let sent = Sent {
                rows: wrote(*index, destination, &row, is_read_back, now)?,
                keys: keys_of.clone(),
                last: row.acknowledged_at.map_or(Timestamp::MAX, Timestamp),
            };
            match known.entry(row.remote_key) {
                Entry::Occupied(mut known) => known.get_mut().extend(sent),
                Entry::Vacant(free) => {
                    free.insert(sent);
                }
            }
        }
        for (sent, key) in all.iter_mut().zip(keys) {
            if let Some(found) = key.and_then(|key| known.get(&key)) {
                match sent {
                    Some(sent) => sent.extend(found.clone()),
                    None => *sent = Some(found.clone()),
                }
            }
        }
    }
    Ok(all)
}

/// By which the destination knows the person of a changed record. The hub makes people there: what tells of an event or of something else
/// is nobody's copy.
fn key_at(destination: &Destination, change: &Change) -> Option<String> {
    let To::Put(put) = &change.to else {
        return None;
    };
    let meaning = put.meaning.as_ref()?;
    if meaning.canonical.is_aside() {
        return None;
    }
    let echoed = meaning.claim.as_ref().and_then(|claim| claim.echo.as_ref());
    match echoed.and_then(|echoed| echoed.traits.get(&destination.member_key)) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => {
            let mut identifiers = meaning.canonical.identifiers.iter();
            let found = identifiers.find(|one| *one.kind.text() == *destination.member_key);
            found.map(|one| one.value.clone())
        }
    }
}

/// By field, the slots of the records that say its value themselves.
pub type Own = BTreeMap<String, BTreeSet<i64>>;

/// A row that may have been written: an attempt without an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub row: Fields,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own: Own,
    /// In milliseconds.
    pub at: i64,
}

/// Attempts at one key that are kept apart. Of older ones only the fields matter, which may have to be cleared.
const ATTEMPTS: usize = 8;
/// Whatever came of an attempt has been read by then, or nothing came of it.
const ATTEMPT_MS: i64 = 30 * DAY_MS;

impl Attempt {
    /// Adds an attempt to those without an answer.
    pub fn note(self, tried: &mut Vec<Self>) {
        tried.retain(|one| one.row != self.row || one.own != self.own);
        tried.push(self);
        if tried.len() > ATTEMPTS {
            let oldest = tried.remove(0);
            for (field, value) in oldest.row {
                tried[0].row.entry(field).or_insert(value);
            }
        }
    }
}

/// What a row wrote, what it had written before where fields are looked at, and what attempts may have written.
fn wrote(
    index: usize,
    destination: &Destination,
    row: &WrittenRow,
    is_read_back: bool,
    now: Timestamp,
) -> Result<Vec<Wrote>> {
    let own = row.own.as_deref();
    let own = own.map(|own| read("acknowledged.own", &row.object, own));
    let own: Own = own.transpose()?.unwrap_or_default();
    let rows = match row.acknowledged_at {
        Some(at) => {
            let former = row.former.as_deref().filter(|_| is_read_back);
            let fields = |text: &str| read("acknowledged.payload", &row.object, text);
            let mut rows = vec![(fields(&row.payload)?, own.clone(), None)];
            if let Some(former) = former {
                rows.push((fields(former)?, own, Some(Timestamp(at))));
            }
            rows
        }
        None => tried(row, own, now)?,
    };
    let at = row.acknowledged_at.map_or(Timestamp::MAX, Timestamp);
    let rows = rows.into_iter().map(|(payload, own, until)| {
        let map = written(destination, &row.object, &row.remote_key, &payload);
        let traits = map.into_iter();
        let traits = traits.map(|one| (one.name.to_owned(), (one.field.to_owned(), one.value)));
        Wrote {
            destination: index,
            own,
            traits: traits.collect(),
            payload,
            at,
            until,
        }
    });
    Ok(rows.collect())
}

/// What attempts without an answer may have written. A member may be there without one, or still be there.
fn tried(
    row: &WrittenRow,
    own: Own,
    now: Timestamp,
) -> Result<Vec<(Fields, Own, Option<Timestamp>)>> {
    let tried: Vec<Attempt> = read("change.tried", &row.object, &row.payload)?;
    if tried.is_empty() && row.object.starts_with("audience:") {
        return Ok(vec![(Fields::new(), own, None)]);
    }
    let tried = tried.into_iter();
    let recent = tried.filter(|attempt| now.0.saturating_sub(attempt.at) <= ATTEMPT_MS);
    Ok(recent
        .map(|attempt| (attempt.row, attempt.own, None))
        .collect())
}

/// A field of a row, the trait that fills it, and its value.
pub struct Written<'a> {
    pub field: &'a str,
    pub name: &'a str,
    pub value: Value,
}

/// What a row holds, by the traits that it is made of; null where a field was left empty. A member is known by its key alone.
pub fn written<'a>(
    destination: &'a Destination,
    object: &str,
    key: &str,
    payload: &Fields,
) -> Vec<Written<'a>> {
    let push = destination.person.as_ref();
    let push = push.filter(|push| object.strip_prefix("person:") == Some(&push.target));
    let Some(push) = push else {
        let field = destination.member_key.as_str();
        return vec![Written {
            field,
            name: field,
            value: key.into(),
        }];
    };
    let found = (push.match_field.as_str(), push.match_field.as_str());
    let mapped = push.map.iter();
    let mapped = mapped.map(|(field, name)| (field.as_str(), name.as_str()));
    let all = mapped.chain([found]);
    let all = all.map(|(field, name)| Written {
        field,
        name,
        value: payload.get(field).cloned().unwrap_or(Value::Null),
    });
    all.collect()
}

/// Tools give back numbers as texts, and lists in one text.
pub fn is_same(sent: &Value, back: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(is_so.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    if sent == back {
        return true;
    }
    match (sent, back) {
        (Value::Array(many), Value::String(back)) => {
            let back = back
                .split([',', ';'])
                .map(|one| Some(one.trim().to_owned()));
            many.iter().map(text).eq(back)
        }
        _ => text(sent).is_some_and(|sent| Some(sent) == text(back)),
    }
}
