//! What the help desk holds: contacts, tickets, tags, and the answers that were given under an idempotency key. Time moves
//! by one second with every change, so that an attempt can be repeated exactly. Knows no HTTP.

use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

/// The position of a row in its list.
pub type Position = (i64, u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub email: String,
    pub name: String,
    pub phone: Option<String>,
    pub plan: String,
    pub marketing_opt_in: bool,
    pub created_at: i64,
    /// Members that nobody declared, as JSON text that begins with a comma; or nothing.
    pub extra: &'static str,
    /// Text is written with `\u` escapes instead of as it is.
    pub escaped: bool,
}

/// Rows by their place, each with the text that a client gets. A tombstone stays in the list, also when its id is used
/// again: a client that reads on gets the tombstone first, then the new row.
#[derive(Debug, Default)]
pub struct Listed {
    rows: BTreeMap<Position, String>,
    /// Where the rows are that are not deleted.
    positions: HashMap<u64, Position>,
}

impl Listed {
    pub fn put(&mut self, id: u64, updated_at: i64, text: String) {
        if let Some(before) = self.positions.insert(id, (updated_at, id)) {
            self.rows.remove(&before);
        }
        self.rows.insert((updated_at, id), text);
    }

    /// Puts a tombstone in place of the row.
    pub fn delete(&mut self, id: u64, deleted_at: i64, tombstone: String) {
        if let Some(before) = self.positions.remove(&id) {
            self.rows.remove(&before);
        }
        self.rows.insert((deleted_at, id), tombstone);
    }

    /// The rows after a place, and whether there are more.
    pub fn page(&self, after: Position, limit: usize) -> (Vec<&str>, Position, bool) {
        let mut rows = self.rows.range((Bound::Excluded(after), Bound::Unbounded));
        let mut position = after;
        let mut page = Vec::new();
        for (at, text) in rows.by_ref().take(limit) {
            position = *at;
            page.push(text.as_str());
        }
        (page, position, rows.next().is_some())
    }

    pub fn text(&self, id: u64) -> Option<&str> {
        Some(self.rows.get(self.positions.get(&id)?)?)
    }
}

#[derive(Debug)]
pub struct Tag {
    pub name: String,
    pub members: BTreeSet<u64>,
}

#[derive(Debug, Default)]
pub struct Desk {
    /// Distinguishes this help desk's tokens from another's.
    pub seed: u64,
    pub contacts: Listed,
    pub tickets: Listed,
    live: HashMap<u64, Contact>,
    by_email: HashMap<String, u64>,
    pub tags: Vec<Tag>,
    /// Key to body and answer.
    pub answered: HashMap<String, (Vec<u8>, String)>,
    /// Whether an address that is added to a tag becomes a contact when there is none.
    pub new_members: bool,
    last_id: u64,
    now: i64,
}

/// A row of an upsert; what is not said stays as it is.
#[derive(Debug, Default)]
pub struct Wanted {
    pub email: String,
    pub name: Option<String>,
    pub phone: Option<Option<String>>,
    pub plan: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Created(u64),
    Updated(u64),
    Unchanged(u64),
}

impl Desk {
    pub fn new(seed: u64, now: i64, last_id: u64) -> Self {
        Self {
            seed,
            now,
            last_id,
            ..Self::default()
        }
    }

    /// A contact that was there when the help desk opened.
    pub fn put_contact(&mut self, id: u64, contact: Contact, updated_at: i64) {
        self.by_email.insert(contact.email.to_lowercase(), id);
        let text = contact_text(id, &contact, updated_at);
        self.now = self.now.max(updated_at);
        self.contacts.put(id, updated_at, text);
        self.live.insert(id, contact);
    }

    pub fn put_tombstone(&mut self, id: u64, updated_at: i64) {
        self.now = self.now.max(updated_at);
        let text = format!(
            r#"{{"id":{id},"deleted":true,"updated_at":"{}"}}"#,
            time(updated_at)
        );
        self.contacts.delete(id, updated_at, text);
    }

    fn tick(&mut self) -> i64 {
        self.now += 1_000;
        self.now
    }

    pub fn find(&self, email: &str) -> Option<u64> {
        self.by_email.get(&email.to_lowercase()).copied()
    }

    pub fn upsert(&mut self, wanted: Wanted) -> Written {
        let Some(id) = self.find(&wanted.email) else {
            self.last_id += 1;
            let (id, now) = (self.last_id, self.tick());
            let contact = Contact {
                email: wanted.email,
                name: wanted.name.unwrap_or_default(),
                phone: wanted.phone.flatten(),
                plan: wanted.plan.unwrap_or_else(|| "free".to_owned()),
                marketing_opt_in: false,
                created_at: now,
                extra: "",
                escaped: false,
            };
            self.put_contact(id, contact, now);
            return Written::Created(id);
        };
        let before = self.live[&id].clone();
        let mut contact = before.clone();
        contact.email = wanted.email;
        if let Some(name) = wanted.name {
            contact.name = name;
        }
        if let Some(phone) = wanted.phone {
            contact.phone = phone;
        }
        if let Some(plan) = wanted.plan {
            contact.plan = plan;
        }
        // The e-mail is the key, in any spelling.
        if contact.email.to_lowercase() == before.email.to_lowercase() {
            contact.email.clone_from(&before.email);
        }
        if contact == before {
            return Written::Unchanged(id);
        }
        let now = self.tick();
        self.put_contact(id, contact, now);
        Written::Updated(id)
    }

    /// The id of the contact with this address, which is made when there is none.
    pub fn contact(&mut self, email: String) -> u64 {
        let wanted = Wanted {
            email,
            ..Wanted::default()
        };
        match self.upsert(wanted) {
            Written::Created(id) | Written::Updated(id) | Written::Unchanged(id) => id,
        }
    }

    /// Removes a contact from everywhere and leaves a tombstone; false when there is none.
    pub fn erase(&mut self, email: &str) -> bool {
        let Some(id) = self.by_email.remove(&email.to_lowercase()) else {
            return false;
        };
        self.live.remove(&id);
        for tag in &mut self.tags {
            tag.members.remove(&id);
        }
        let now = self.tick();
        self.put_tombstone(id, now);
        true
    }

    /// Deletes a contact and creates it again with the same id and another name; none when there is no such contact.
    pub fn create_again(&mut self, email: &str, name: &str) -> Option<u64> {
        let id = self.find(email)?;
        let mut contact = self.live.get(&id)?.clone();
        self.erase(email);
        contact.name = name.to_owned();
        let now = self.tick();
        contact.created_at = now;
        self.put_contact(id, contact, now);
        Some(id)
    }

    /// What there is, as JSON, in an order that does not change by itself.
    pub fn state(&self) -> String {
        let mut ids: Vec<&u64> = self.live.keys().collect();
        ids.sort();
        let contacts: Vec<&str> = ids
            .into_iter()
            .filter_map(|id| self.contacts.text(*id))
            .collect();
        let tags: Vec<String> = self
            .tags
            .iter()
            .map(|tag| {
                let members: Vec<String> = tag.members.iter().map(u64::to_string).collect();
                format!(
                    r#"{{"name":{},"members":[{}]}}"#,
                    quoted(&tag.name),
                    members.join(",")
                )
            })
            .collect();
        format!(
            r#"{{"contacts":[{}],"tags":[{}]}}"#,
            contacts.join(","),
            tags.join(",")
        )
    }

    /// The tag of that name and whether it is new.
    pub fn tag(&mut self, name: &str) -> (usize, bool) {
        if let Some(index) = self.tags.iter().position(|tag| tag.name == name) {
            return (index, false);
        }
        self.tags.push(Tag {
            name: name.to_owned(),
            members: BTreeSet::new(),
        });
        (self.tags.len() - 1, true)
    }
}

/// RFC 3339 in UTC with milliseconds.
pub fn time(at: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn contact_text(id: u64, contact: &Contact, updated_at: i64) -> String {
    let quoted = |text: &str| match contact.escaped {
        true => escaped(text),
        false => quoted(text),
    };
    let phone = match &contact.phone {
        Some(phone) => quoted(phone),
        None => "null".to_owned(),
    };
    format!(
        r#"{{"id":{id},"email":{},"name":{},"phone":{phone},"plan":"{}","marketing_opt_in":{},"created_at":"{}","updated_at":"{}"{}}}"#,
        quoted(&contact.email),
        quoted(&contact.name),
        contact.plan,
        contact.marketing_opt_in,
        time(contact.created_at),
        time(updated_at),
        contact.extra,
    )
}

pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// JSON text in ASCII only, and with `\/`, which means `/`.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in quoted(text).chars() {
        match c {
            '/' => out.push_str("\\/"),
            c if c.is_ascii() => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}
