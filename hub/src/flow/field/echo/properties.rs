//! What is typed at a tool that the hub also writes to, against what the tool itself would tell: who wrote each of its fields last.

use super::{CONTACTS, MANIFEST, MEMBERS};
use crate::flow::field::consent::Hub;
use crate::flow::properties::{RUNTIME, sequences};
use crate::model::Fields;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const ADDRESS: &str = "leo@kot.example";
const FIELDS: [&str; 2] = ["FNAME", "LNAME"];

#[derive(Debug, Clone)]
enum Operation {
    /// Somebody types something into a field of the member, or clears it.
    Type(usize, Option<u8>),
    Make(Option<u8>, Option<u8>),
    Remove,
    /// What the CRM says; nothing when its contact is deleted.
    Crm(Option<(u8, u8)>),
    Read,
    /// The member does not fit, and is set aside.
    ReadBadly,
    Deliver,
    /// The tool takes what is sent, and its answer is lost.
    Lose,
    /// The trait gets another name in every mapping and at the destination.
    Rename,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let value = || prop::option::weighted(0.8, 0..3u8);
    let operation = prop_oneof![
        4 => (0..2usize, value()).prop_map(|(field, value)| Operation::Type(field, value)),
        3 => (value(), value()).prop_map(|(first, last)| Operation::Make(first, last)),
        1 => Just(Operation::Remove),
        2 => prop::option::weighted(0.6, (0..3u8, 0..3u8)).prop_map(Operation::Crm),
        5 => Just(Operation::Read),
        1 => Just(Operation::ReadBadly),
        5 => Just(Operation::Deliver),
        2 => Just(Operation::Lose),
        2 => Just(Operation::Rename),
    ];
    prop::collection::vec(operation, 1..20)
}

/// Who wrote a field of the tool last.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Author {
    Somebody,
    Hub,
    /// Somebody typed what the hub had once written there, or the hub wrote over it before it had been read.
    Either,
}

/// The tool's memory of its member.
#[derive(Debug, Default)]
struct Tool {
    /// Whether somebody made the member, which was read before the hub wrote to it.
    is_made_there: bool,
    is_made_unread: bool,
    /// What was typed since the last read.
    unread: BTreeSet<&'static str>,
    authors: BTreeMap<&'static str, Author>,
    /// What somebody has typed into each field, and what the hub has written.
    typed: BTreeSet<(&'static str, String)>,
    written: BTreeSet<(&'static str, String)>,
    has_contact: bool,
    was_read: bool,
}

fn renamed() -> String {
    MANIFEST.replace("first_name", "given_name")
}

fn value_of(field: &str, value: u8) -> String {
    format!("{field}{value}")
}

impl Tool {
    fn row(hub: &Hub) -> Option<Fields> {
        hub.sink.rows.lock().unwrap().get(ADDRESS).cloned()
    }

    /// Somebody sets a field.
    fn types(&mut self, hub: &Hub, field: &'static str, value: Option<u8>) {
        let mut rows = hub.sink.rows.lock().unwrap();
        let Some(row) = rows.get_mut(ADDRESS) else {
            return;
        };
        let value = value.map(|value| value_of(field, value));
        let before = row.get(field).and_then(|text| text.as_str());
        if before == value.as_deref() {
            return;
        }
        let author = match &value {
            Some(value) if self.written.contains(&(field, value.clone())) => Author::Either,
            _ => Author::Somebody,
        };
        self.authors.insert(field, author);
        self.unread.insert(field);
        match value {
            Some(value) => {
                self.typed.insert((field, value.clone()));
                row.insert(field.to_owned(), json!(value));
            }
            None => {
                row.remove(field);
            }
        }
    }

    async fn deliver(&mut self, hub: &Hub) {
        let before = Self::row(hub);
        hub.delivered().await;
        let Some(after) = Self::row(hub) else {
            return;
        };
        self.is_made_there &= before.is_some() && !self.is_made_unread;
        for field in std::mem::take(&mut self.unread) {
            self.authors.insert(field, Author::Either);
        }
        for field in FIELDS {
            let now = after.get(field);
            if before.as_ref().and_then(|before| before.get(field)) == now {
                continue;
            }
            self.authors.insert(field, Author::Hub);
            if let Some(text) = now.and_then(|value| value.as_str()) {
                self.written.insert((field, text.to_owned()));
            }
        }
    }

    async fn read(&mut self, hub: &Hub, is_good: bool) {
        match Self::row(hub) {
            Some(mut row) => {
                for field in FIELDS {
                    row.entry(field.to_owned()).or_insert(json!(null));
                }
                let now = hub.world.context.clock.now().0;
                let updated = if is_good { json!(now) } else { json!("soon") };
                row.insert("updated".to_owned(), updated);
                hub.put(MEMBERS, json!(row)).await;
                self.was_read = true;
                if is_good {
                    self.is_made_unread = false;
                    self.unread.clear();
                }
            }
            None if self.was_read => {
                let key = json!({ "email": ADDRESS });
                hub.world.apply(MEMBERS, &[], &[key]).await;
                self.was_read = false;
            }
            None => {}
        }
    }

    async fn apply(&mut self, hub: &mut Hub, operation: &Operation, is_renamed: &mut bool) {
        match operation {
            Operation::Type(field, value) => self.types(hub, FIELDS[*field], *value),
            Operation::Make(first, last) => {
                if Self::row(hub).is_some() {
                    return;
                }
                let row = Fields::from([("email".to_owned(), json!(ADDRESS))]);
                let mut rows = hub.sink.rows.lock().unwrap();
                rows.insert(ADDRESS.to_owned(), row);
                drop(rows);
                (self.is_made_there, self.is_made_unread) = (true, true);
                self.authors.clear();
                self.unread.clear();
                self.types(hub, FIELDS[0], *first);
                self.types(hub, FIELDS[1], *last);
            }
            Operation::Remove => {
                hub.sink.rows.lock().unwrap().remove(ADDRESS);
                self.is_made_there = false;
                self.authors.clear();
            }
            Operation::Crm(Some((first, last))) => {
                let now = hub.world.context.clock.now().0;
                let (first, last) = (value_of(FIELDS[0], *first), value_of(FIELDS[1], *last));
                let row = json!({ "id": "1", "email": ADDRESS, "first": first, "last": last, "updated": now });
                hub.put(CONTACTS, row).await;
                self.has_contact = true;
            }
            Operation::Crm(None) => {
                if std::mem::take(&mut self.has_contact) {
                    hub.delete(CONTACTS, "1").await;
                }
            }
            Operation::Read => self.read(hub, true).await,
            Operation::ReadBadly => self.read(hub, false).await,
            Operation::Deliver => self.deliver(hub).await,
            Operation::Lose => {
                hub.sink.loses = true;
                self.deliver(hub).await;
                hub.sink.loses = false;
            }
            Operation::Rename => {
                *is_renamed = !*is_renamed;
                let manifest = match is_renamed {
                    true => renamed(),
                    false => MANIFEST.to_owned(),
                };
                hub.edit(&manifest).await;
            }
        }
    }
}

async fn check(operations: &[Operation]) -> Result<(), TestCaseError> {
    let mut hub = Hub::with(MANIFEST).await;
    let mut tool = Tool::default();
    let mut is_renamed = false;
    for operation in operations {
        hub.later();
        tool.apply(&mut hub, operation, &mut is_renamed).await;
    }
    let at_last = Tool::row(&hub);
    for _ in 0..3 {
        hub.later();
        tool.read(&hub, true).await;
        hub.later();
        hub.sent().await;
    }
    let rests = Tool::row(&hub);
    hub.later();
    tool.read(&hub, true).await;
    hub.later();
    hub.sent().await;
    prop_assert_eq!(Tool::row(&hub), rests.clone(), "it does not come to rest");
    if tool.has_contact || !tool.is_made_there {
        return Ok(());
    }
    let (Some(at_last), Some(rests)) = (at_last, rests) else {
        return Ok(());
    };
    for field in FIELDS {
        let before = at_last.get(field);
        let typed = |value: &serde_json::Value| {
            let text = value.as_str().unwrap_or_default().to_owned();
            tool.typed.contains(&(field, text))
        };
        match tool.authors.get(field) {
            Some(Author::Somebody) => {
                prop_assert_eq!(rests.get(field), before, "{} is somebody's word", field);
            }
            Some(Author::Hub) if before.is_some_and(|value| !typed(value)) => {
                prop_assert_eq!(rests.get(field), None, "{} is what the hub wrote", field);
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    // E1
    #[test]
    fn what_somebody_typed_stays_and_what_the_hub_wrote_goes(operations in operations()) {
        RUNTIME.block_on(check(&operations))?;
    }
}
