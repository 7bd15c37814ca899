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
use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

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
    /// The traits that it was made of, null where a field was left empty.
    traits: Fields,
    /// Those of them that the tool had said itself.
    own: BTreeSet<String>,
    /// By its fields.
    payload: Fields,
    /// When it had this, or when something else was written over it; the end of time where that is not known.
    at: Timestamp,
    /// Until when this was there, where something else was written over it.
    until: Option<Timestamp>,
}

impl Wrote {
    fn holds_by_name(&self, name: &str, value: &Value) -> bool {
        let sent = self.traits.get(name);
        let is_echo = self.until.is_none() && !self.own.contains(name);
        is_echo && sent.is_some_and(|sent| is_same(sent, value))
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

    /// Whether the hub wrote this there, and the tool had not said it before.
    pub fn has(&self, name: &str, value: &Value) -> bool {
        let mut rows = self.rows.iter();
        rows.any(|row| row.holds_by_name(name, value))
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
                rows: wrote(*index, destination, &row, is_read_back)?,
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

/// A row that was sent, or may have been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub row: Fields,
    /// Those of its fields that the tool had said itself.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub own: BTreeSet<String>,
}

/// What a row wrote, what it had written before where fields are looked at, and what attempts may have written.
fn wrote(
    index: usize,
    destination: &Destination,
    row: &WrittenRow,
    is_read_back: bool,
) -> Result<Vec<Wrote>> {
    let attempts = match row.acknowledged_at {
        Some(at) => {
            let former = row.former.as_deref().filter(|_| is_read_back);
            let fields = |text: &str| read("acknowledged.payload", &row.object, text);
            let mut attempts = vec![(fields(&row.payload)?, None)];
            if let Some(former) = former {
                attempts.push((fields(former)?, Some(Timestamp(at))));
            }
            let own = row.own.as_deref();
            let own = own.map(|own| read("acknowledged.own", &row.object, own));
            let own: BTreeSet<String> = own.transpose()?.unwrap_or_default();
            let attempts = attempts.into_iter().map(|(row, until)| {
                let own = own.clone();
                (Attempt { row, own }, until)
            });
            attempts.collect()
        }
        None => tried(row)?,
    };
    let at = row.acknowledged_at.map_or(Timestamp::MAX, Timestamp);
    let rows = attempts.into_iter().map(|(attempt, until)| {
        let map = written(destination, &row.object, &row.remote_key, &attempt.row);
        let said = map.iter().filter(|one| attempt.own.contains(one.field));
        let own = said.map(|one| one.name.to_owned()).collect();
        let traits = map.into_iter();
        Wrote {
            destination: index,
            own,
            traits: traits.map(|one| (one.name.to_owned(), one.value)).collect(),
            payload: attempt.row,
            at,
            until,
        }
    });
    Ok(rows.collect())
}

/// What attempts without an answer may have written. A member may be there without one.
fn tried(row: &WrittenRow) -> Result<Vec<(Attempt, Option<Timestamp>)>> {
    let mut tried: Vec<Attempt> = read("change.tried", &row.object, &row.payload)?;
    if tried.is_empty() && row.object.starts_with("audience:") {
        tried.push(Attempt {
            row: Fields::new(),
            own: BTreeSet::new(),
        });
    }
    Ok(tried.into_iter().map(|attempt| (attempt, None)).collect())
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
