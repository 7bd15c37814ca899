//! Contacts of the fake Mailchimp: whose id stays when the address changes, and how they leave: archived, or deleted for good.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::members::{Member, Status, subscriber_hash};
use super::{Answer, Mailchimp, Refusal};

/// The id of the contact that is the first to have this address.
pub fn contact_id(email: &str) -> String {
    numbered(email, 0)
}

/// Opaque, and nothing that an address could be told from.
fn numbered(email: &str, number: u32) -> String {
    let name = format!("contact {number} of {}", email.trim().to_lowercase());
    let digest = Md5::digest(name.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Mailchimp {
    /// Puts a member in. Who is in the list already stays the same contact.
    pub(super) fn enter(&mut self, member: Member) {
        let hash = subscriber_hash(&member.email);
        if !self.contacts.contains_key(&hash) {
            let ids = (0..).map(|number| numbered(&member.email, number));
            let contact = ids
                .into_iter()
                .find(|id| self.contacts_given.insert(id.clone()));
            self.contacts.extend(contact.map(|id| (hash.clone(), id)));
        }
        self.members.insert(hash, member);
    }

    /// Gives a contact another address: another hash, the same id, and the same place in each segment.
    pub(super) fn readdress(&mut self, hash: &str, email: &str) -> Result<String, Refusal> {
        let new = subscriber_hash(email);
        if let Some(other) = self.members.get(&new).filter(|_| new != hash) {
            let status = other.status.name();
            let detail =
                format!("\"{email}\" is already in this list with a status of \"{status}\".");
            return Err(Refusal::new(400, "Invalid Resource", detail));
        }
        let (Some(mut member), Some(contact)) =
            (self.members.remove(hash), self.contacts.remove(hash))
        else {
            return Err(Refusal::not_found());
        };
        member.email = email.trim().to_string();
        member.last_changed_ms = self.clock.now_ms();
        for segment in &mut self.segments {
            if segment.members.remove(hash) {
                segment.members.insert(new.clone());
            }
        }
        self.members.insert(new.clone(), member);
        self.contacts.insert(new.clone(), contact);
        Ok(new)
    }

    /// The person follows the link to their profile and changes the address.
    pub fn change_address(&mut self, from: &str, to: &str) {
        let changed = self.readdress(&subscriber_hash(from), to);
        assert!(changed.is_ok(), "{changed:?}");
    }

    /// Somebody who works with the list deletes a member for good.
    pub fn delete_for_good(&mut self, email: &str) {
        let erased = self.erase_member(&subscriber_hash(email));
        assert!(erased.is_ok(), "{erased:?}");
    }

    /// The same, who archives a member.
    pub fn archive(&mut self, email: &str) {
        let archived = self.archive_member(&subscriber_hash(email));
        assert!(archived.is_ok(), "{archived:?}");
        // It is no write of the hub's.
        self.writes.pop();
    }

    pub(super) fn archive_member(&mut self, who: &str) -> Answer {
        let hash = self.find(who)?;
        let now = self.clock.now_ms();
        let Some(member) = self.members.get_mut(&hash) else {
            return Err(Refusal::not_found());
        };
        if member.status == Status::Archived {
            return Err(Refusal::new(
                405,
                "Method Not Allowed",
                "This list member cannot be removed. Please contact support.",
            ));
        }
        member.status = Status::Archived;
        member.last_changed_ms = now;
        let object = format!("member:{}", member.email.to_lowercase());
        self.wrote(object, "archived", Value::Null, true);
        Ok(Value::Null)
    }

    /// The person fills in the list's own form. It takes every address, also one that was deleted for good and cannot be
    /// imported; the member has the same id as before.
    pub fn sign_up(&mut self, email: &str, first_name: &str) {
        let now = self.clock.now_ms();
        self.forgotten.remove(&subscriber_hash(email));
        self.enter(Member {
            email: email.to_string(),
            status: Status::Subscribed,
            merge_fields: BTreeMap::from([("FNAME".to_string(), json!(first_name))]),
            language: String::new(),
            vip: false,
            signed_up_ms: now,
            last_changed_ms: now,
            unsubscribe_reason: None,
        });
    }

    /// Deletes for good; the address can never be imported again.
    pub(super) fn erase_member(&mut self, who: &str) -> Answer {
        let hash = self.find(who)?;
        let Some(member) = self.members.remove(&hash) else {
            return Err(Refusal::not_found());
        };
        self.contacts.remove(&hash);
        for segment in &mut self.segments {
            segment.members.remove(&hash);
        }
        for campaign in &mut self.campaigns {
            campaign.forget(&hash);
        }
        self.forgotten.insert(hash);
        self.wrote(
            format!("member:{}", member.email.to_lowercase()),
            "erased",
            Value::Null,
            true,
        );
        Ok(Value::Null)
    }
}
