//! People as this trade meets them: guests, contacts that are merged later, refusals whose record goes,
//! names that the hub itself has written. And what happens to them on the next day.

use std::collections::BTreeSet;

use super::people::{Known, Maker, Person, Values};
use super::{Charge, DAY_MS, Truth};
use crate::vendors::mailchimp::Status;
use crate::vendors::stripe::Paid;

/// What happens at a vendor on the next day.
#[derive(Clone, Debug)]
pub enum Later {
    /// Two contacts turn out to be one person, and somebody merges them in the CRM.
    Merged {
        primary: u64,
        other: u64,
    },
    /// A member who had unsubscribed is archived, and then somebody edits the contact, whose box is still ticked.
    Archived {
        email: String,
        contact: u64,
    },
    /// The contact that gave the latest name is archived.
    Gone {
        contact: u64,
    },
    Refunded {
        charge: String,
    },
}

impl Maker {
    /// Somebody who buys without an account: only the form of the payment says who it is.
    pub(super) fn guest(&mut self) {
        let person = self.person();
        let bought = 1 + self.draw.below(3);
        let records = (0..bought).map(|_| self.guest_charge(&person)).collect();
        self.finish(&person, Known::default(), records, &[], false);
    }

    /// The same of somebody whom the CRM and the newsletter know.
    pub(super) fn known_guest(&mut self) {
        let person = self.pole();
        let mut records = BTreeSet::new();
        records.insert(self.contact(&person, Values::Both, None));
        let granted = self.member(&person, &mut records);
        let bought = 2 + self.draw.below(3);
        let charges: Vec<String> = (0..bought).map(|_| self.guest_charge(&person)).collect();
        records.extend(charges);
        let known = Known {
            customer: None,
            ..Known::everywhere()
        };
        let is_lapsed = bought >= 3;
        self.settle(&person, known, records, is_lapsed, granted);
    }

    /// Long ago, so that it never counts as recent.
    fn guest_charge(&mut self, person: &Person) -> String {
        let days = self.draw.between(33, 730);
        let (record, _) = self.charge(person, "", days);
        let email = self.draw.email(&person.email);
        let charge = self.population.charges.last_mut();
        if let Some(charge) = charge {
            charge.paid = Paid::Succeeded;
            charge.guest = Some((email, format!("{} {}", person.first, person.last)));
        }
        record
    }

    /// One person with two addresses, whom nobody has recognised yet: the newsletter has one of them, the shop the other.
    pub(super) fn twice(&mut self) {
        let home = self.pole();
        let work = Person {
            serial: home.serial + 1,
            email: format!("work.{}", home.email),
            ..home.clone()
        };
        let mut records = BTreeSet::new();
        records.insert(self.contact(&home, Values::Email, None));
        let primary = self.next_contact - 1;
        let granted = self.member(&home, &mut records);
        let known = Known {
            customer: None,
            ..Known::everywhere()
        };
        self.finish(&home, known, records, &[], granted);
        let records = BTreeSet::from([self.contact(&work, Values::Email, None)]);
        let other = self.next_contact - 1;
        let customer = self.customer(&work, Values::Email, None);
        let is_lapsed = self.finish(&work, known, records, &[customer], false);
        let happens = &mut self.population.later;
        happens.push(Later::Merged { primary, other });
        if is_lapsed && granted {
            self.joined.insert(home.email);
        }
    }

    /// Somebody with a ticked box in the CRM. Most have left the newsletter since, and their records there go on the next day.
    pub(super) fn ticked(&mut self) {
        let person = self.pole();
        let mut records = BTreeSet::new();
        records.insert(self.contact(&person, Values::Email, None));
        let contact = self.next_contact - 1;
        let has_left = self.draw.chance(70);
        let long_ago = self.population.now_ms - 850 * DAY_MS;
        if let Some(contact) = self.population.contacts.last_mut() {
            contact.newsletter = true;
            (contact.created_ms, contact.updated_ms) = (long_ago, long_ago + DAY_MS);
        }
        if has_left {
            self.member(&person, &mut records);
            if let Some(member) = self.population.members.last_mut() {
                member.status = Status::Unsubscribed;
            }
            let email = person.email.clone();
            self.population
                .later
                .push(Later::Archived { email, contact });
        }
        let customer = self.customer(&person, Values::Email, None);
        let known = Known {
            member: has_left,
            ..Known::everywhere()
        };
        self.finish(&person, known, records, &[customer], !has_left);
    }

    /// Twice in the CRM, the second time under the name after a wedding; on the next day that contact is archived. The
    /// newsletter has had the new name by then, from the hub.
    pub(super) fn renamed(&mut self) {
        let person = self.pole();
        let married = format!("{}-Nowicka", person.last);
        let mut records = BTreeSet::new();
        for (values, name, days) in [
            (Values::Both, person.last.to_string(), 900),
            (Values::Phone, married.clone(), 20),
        ] {
            records.insert(self.contact(&person, values, None));
            let at = self.population.now_ms - days * DAY_MS;
            if let Some(contact) = self.population.contacts.last_mut() {
                contact.last_name = name;
                (contact.created_ms, contact.updated_ms) = (at - DAY_MS, at);
            }
        }
        let contact = self.next_contact - 1;
        let granted = self.member(&person, &mut records);
        let customer = self.customer(&person, Values::Email, None);
        let is_lapsed = self.finish(&person, Known::everywhere(), records, &[customer], granted);
        self.population.later.push(Later::Gone { contact });
        if is_lapsed && granted {
            let names = (married, person.last.to_string());
            self.population.renamed.insert(person.email, names);
        }
    }

    /// On the next day some charges are given back.
    pub(super) fn refund_some(&mut self) {
        let is_good = |charge: &&Charge| charge.paid == Paid::Succeeded;
        let charges = self.population.charges.iter().filter(is_good);
        let ids: Vec<String> = charges
            .step_by(97)
            .map(|charge| charge.id.clone())
            .collect();
        let later = ids.into_iter().map(|charge| Later::Refunded { charge });
        self.population.later.extend(later);
    }

    /// What is true when the next day is over.
    pub(super) fn tomorrow(&self) -> Truth {
        let today = &self.population.truth;
        let places = today.by_record();
        let mut people: Vec<BTreeSet<String>> = today.people.clone();
        let mut lapsed = today.lapsed_vip.clone();
        let mut refunded = BTreeSet::new();
        for one in &self.population.later {
            match one {
                Later::Merged { primary, other } => {
                    let place = |id: &u64| places[format!("hubspot:contacts:{id}").as_str()];
                    let (to, from) = (place(primary), place(other));
                    let moved = std::mem::take(&mut people[from]);
                    people[to].extend(moved);
                    people[to].remove(&format!("hubspot:contacts:{other}"));
                    if lapsed.remove(&from) {
                        lapsed.insert(to);
                    }
                }
                Later::Gone { contact } => {
                    let record = format!("hubspot:contacts:{contact}");
                    people[places[record.as_str()]].remove(&record);
                }
                Later::Refunded { charge } => {
                    let record = format!("stripe:charges:{charge}");
                    refunded.insert(places[record.as_str()]);
                }
                Later::Archived { .. } => {}
            }
        }
        let mut tomorrow = Truth {
            in_newsletter: today.in_newsletter.union(&self.joined).cloned().collect(),
            dead_letters: today.dead_letters,
            example: today.example.clone(),
            ..Truth::default()
        };
        for (at, records) in people.into_iter().enumerate() {
            if records.is_empty() {
                continue;
            }
            let place = tomorrow.people.len();
            tomorrow.people.push(records);
            tomorrow
                .lapsed_vip
                .extend(lapsed.contains(&at).then_some(place));
            tomorrow.refunded += usize::from(refunded.contains(&at));
        }
        tomorrow
    }
}
