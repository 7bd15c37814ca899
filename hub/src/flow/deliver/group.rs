//! Which pending changes may be sent, and as which operation: grouped by object and operation, each with the generation at
//! which it was read.

use crate::delivery::{self, Operation};
use crate::flow::commit::echo::{Attempt, Own};
use crate::flow::commit::view::read_consents;
use crate::flow::context::Context;
use crate::flow::stored_json::{read, to_json};
use crate::flow::suppression::List;
use crate::manifest::Destination;
use crate::model::{Fields, Permission, Timestamp};
use crate::store::{AttemptRow, ChangeRow, Looked, Result, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// Changes that are read together.
pub(super) const WINDOW: i64 = 5_000;
/// People go before memberships, since a vendor takes only members that it knows.
pub(super) const FAMILIES: [&str; 2] = [PEOPLE, "audience:"];
pub(super) const PEOPLE: &str = "person:";

/// One row to send.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub key: String,
    pub payload: String,
    /// The payload, parsed.
    pub fields: Fields,
    operation: Operation,
    /// The payload, with null for fields that it no longer holds.
    pub sent: String,
    /// Those of its fields that the tool says itself; known once it is about to be sent.
    pub own: Own,
    /// The state recorded before this attempt.
    pub before: AttemptRow,
    /// The destination has confirmed to hold something at the key.
    is_acknowledged: bool,
    /// Why it is not sent though somebody has this row.
    pub kept: Option<Permission>,
}

impl Row {
    pub fn change(&self) -> i64 {
        self.before.looked.change
    }

    /// State to record before sending: what is sent now or in an attempt without an answer may be at the destination.
    pub fn sending(&self, now: Timestamp) -> Result<AttemptRow> {
        let mut tried = attempts(self.change(), &self.before.tried)?;
        // Taking something away writes nothing.
        if self.operation != Operation::Remove {
            let attempt = Attempt {
                row: self.fields.clone(),
                own: self.own.clone(),
                at: now.0,
            };
            attempt.note(&mut tried);
        }
        Ok(AttemptRow {
            unsure: true,
            tried: to_json(&tried),
            ..self.before
        })
    }

    /// State to record when the vendor asked to send the row again.
    pub fn to_retry(&self) -> AttemptRow {
        AttemptRow {
            attempts: self.before.attempts + 1,
            ..self.before.clone()
        }
    }

    /// Whether its removal counts for the guard, which protects against mistakes. A suppressed person was named by an operator
    /// on purpose.
    pub fn is_guarded(&self) -> bool {
        self.is_acknowledged && !self.is_suppressed()
    }

    /// A person with consent has this row, and only an operator's suppression keeps it from being sent.
    pub fn is_suppressed(&self) -> bool {
        self.kept == Some(Permission::Suppressed)
    }

    /// The texts that may be personal data.
    pub fn values(&self) -> Vec<String> {
        let texts = self.fields.values().filter_map(|value| value.as_str());
        texts.map(str::to_owned).chain([self.key.clone()]).collect()
    }
}

fn acknowledged(row: &ChangeRow) -> Result<Option<Fields>> {
    let known = row.acknowledged.as_deref();
    let known = known.map(|known| read("acknowledged.payload", row.id, known));
    known.transpose()
}

/// What was sent without an answer.
fn attempts(change: i64, tried: &str) -> Result<Vec<Attempt>> {
    read("change.tried", change, tried)
}

/// Rows of one object and operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub object: String,
    pub operation: Operation,
    pub unsure: bool,
}

impl Group {
    /// The audience's name; empty for profiles.
    pub fn audience(&self) -> &str {
        self.object.strip_prefix("audience:").unwrap_or_default()
    }

    /// The target's name; empty for members.
    pub fn target(&self) -> &str {
        self.object.strip_prefix("person:").unwrap_or_default()
    }
}

/// What may be sent at a key: the wanted row of the person with the smallest id among the people whose consent allows it.
/// Otherwise, why a row that somebody wants there is not sent; a suppression where only that keeps one from being sent.
fn sendable(
    context: &Context,
    list: &List,
    destination: &Destination,
    rows: &[ChangeRow],
) -> Result<(Option<String>, Option<Permission>)> {
    let mut kept = None;
    for row in rows {
        // No person has a wanted row at this key.
        let (Some(wanted), Some(consents), Some(traits)) =
            (&row.wanted, &row.consents, &row.traits)
        else {
            continue;
        };
        let consents = read_consents(row.id, consents)?;
        let traits: Fields = read("person.traits", row.id, traits)?;
        let permission = context.permission(destination, &consents, &traits, &row.remote_key);
        if permission != Permission::Granted {
            kept = kept.max(Some(permission));
            continue;
        }
        let is_listed =
            list.holds_reached(&traits) || list.holds(&destination.member_key, &row.remote_key);
        if row.allowed && !is_listed {
            return Ok((Some(wanted.clone()), None));
        }
        kept = Some(Permission::Suppressed);
    }
    Ok((None, kept))
}

/// A window of changes, sorted.
#[derive(Default)]
pub(super) struct Grouped {
    pub groups: BTreeMap<Group, Vec<Row>>,
    /// Changes that need nothing sent.
    pub idle: Vec<Looked>,
    /// Profiles that are not wanted and may have been written by an attempt without an answer. Nothing is sent, but the fields
    /// that were tried have to be known when a row is wanted at that key again.
    pub held: Vec<Looked>,
    /// The keys of people among these: nothing of them will be at the destination for which their memberships should wait.
    pub unsent: Vec<String>,
}

pub(super) fn grouped(
    context: &Context,
    list: &List,
    destination: &Destination,
    rows: &[ChangeRow],
) -> Result<Grouped> {
    let mut grouped = Grouped::default();
    for rows in rows.chunk_by(|a, b| a.id == b.id) {
        let first = &rows[0];
        let looked = Looked {
            change: first.id,
            generation: first.generation,
        };
        let (wanted, kept) = sendable(context, list, destination, rows)?;
        let operation = delivery::operation(
            &first.object,
            wanted.as_deref(),
            first.acknowledged.as_deref(),
        );
        let is_member = first.object.starts_with("audience:");
        if operation == Operation::Nothing && !is_member {
            grouped.unsent.push(first.remote_key.clone());
        }
        if operation == Operation::Nothing && !first.unsure {
            grouped.idle.push(looked);
            continue;
        }
        // An attempt without an answer may have been applied: a member that is no longer wanted is removed.
        let operation = match operation {
            Operation::Nothing if wanted.is_none() && is_member => Operation::Remove,
            Operation::Nothing if wanted.is_none() => {
                grouped.held.push(looked);
                continue;
            }
            Operation::Nothing if is_member => Operation::Add,
            Operation::Nothing => Operation::Upsert,
            needed => needed,
        };
        let group = Group {
            object: first.object.clone(),
            operation,
            unsure: first.unsure,
        };
        let payload = wanted.unwrap_or_else(|| "{}".to_owned());
        let fields: Fields = read("wanted.payload", first.id, &payload)?;
        let known = acknowledged(first)?;
        let tried = attempts(first.id, &first.tried)?;
        let tried = tried.into_iter().flat_map(|one| one.row.into_keys());
        let tried: BTreeSet<String> = tried.collect();
        let sent = delivery::to_send(&fields, known.as_ref(), &tried);
        grouped.groups.entry(group).or_default().push(Row {
            key: first.remote_key.clone(),
            sent: sent.unwrap_or_else(|| payload.clone()),
            fields,
            payload,
            own: Own::new(),
            operation,
            before: AttemptRow {
                looked,
                unsure: first.unsure,
                tried: first.tried.clone(),
                attempts: first.attempts,
            },
            is_acknowledged: first.acknowledged.is_some(),
            kept,
        });
    }
    Ok(grouped)
}

/// The members among rows to add that the destination does not know yet: their people came after people were sent, or it refused them. By
/// change, the change of the person's row and whether that was refused.
pub(super) async fn strangers(
    tx: &mut Tx,
    destination: &Destination,
    group: &Group,
    rows: &[Row],
) -> Result<BTreeMap<i64, (i64, bool)>> {
    let push = destination.person.as_ref();
    let Some(push) = push.filter(|_| group.operation == Operation::Add) else {
        return Ok(BTreeMap::new());
    };
    let person = format!("person:{}", push.target);
    let changes = rows.iter().map(Row::change);
    let waiting = tx.before_their_person(&person, changes).await?.into_iter();
    let waiting = waiting.map(|(change, of, refused)| (change, (of, refused)));
    Ok(waiting.collect())
}
