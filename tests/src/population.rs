//! Two thousand people spread over three vendors, messy as in life, and the truth about them: who is who, and who
//! belongs into the audience `lapsed_vip`. The same seed gives the same population.
//!
//! The rule that the truth agrees with: records join through an equal normalised email or phone; a value that records hold under
//! different given names joins nobody; a charge belongs to its customer, or to the address that its form names.

mod cases;
mod draw;
mod load;
mod people;
mod shared;

use std::collections::{BTreeMap, BTreeSet};

pub use cases::Later;
pub use draw::Draw;
pub use load::{load_hubspot, load_mailchimp, load_stripe, next_day};

use crate::vendors::mailchimp::Status;
use crate::vendors::stripe::Paid;

pub const DAY_MS: i64 = 86_400_000;

pub struct Population {
    pub now_ms: i64,
    pub contacts: Vec<Contact>,
    pub customers: Vec<Customer>,
    pub members: Vec<Member>,
    pub charges: Vec<Charge>,
    pub truth: Truth,
    /// What happens on the next day, and what is true then.
    pub later: Vec<Later>,
    pub tomorrow: Truth,
    /// The last names today and tomorrow of people in the newsletter, by address.
    pub renamed: BTreeMap<String, (String, String)>,
}

/// A HubSpot contact; empty text is a property that is not set.
pub struct Contact {
    pub id: u64,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub email: String,
    pub phone: String,
    pub first_name: String,
    pub last_name: String,
    pub country: String,
    pub company: String,
    pub stage: &'static str,
    /// The box that says that somebody wants to be written to is ticked.
    pub newsletter: bool,
}

/// A Stripe customer; empty text is null.
pub struct Customer {
    pub id: String,
    pub created_s: i64,
    pub email: String,
    pub phone: String,
    pub name: String,
}

pub struct Member {
    pub email: String,
    pub status: Status,
    pub first_name: String,
    pub last_name: String,
    pub signed_up_ms: i64,
}

pub struct Charge {
    pub id: String,
    /// Empty where a guest paid.
    pub customer: String,
    /// The address and the name that a guest's form says.
    pub guest: Option<(String, String)>,
    pub amount: i64,
    pub currency: &'static str,
    pub created_s: i64,
    pub paid: Paid,
    /// Its amount is not a whole number, which no mapping may accept.
    pub invalid: bool,
}

#[derive(Default)]
pub struct Truth {
    /// One entry per person: names of the records, such as `hubspot:contacts:12`, `stripe:charges:ch_7`.
    pub people: Vec<BTreeSet<String>>,
    /// People in the audience, as places in `people`.
    pub lapsed_vip: BTreeSet<usize>,
    /// Addresses, in lower case, that the tag `lapsed_vip` must hold: those in the audience who granted consent.
    pub in_newsletter: BTreeSet<String>,
    /// How many people got money back.
    pub refunded: usize,
    /// Records that cannot be mapped.
    pub dead_letters: usize,
    /// A person of the audience known to all three vendors, to be shown: the address in lower case.
    pub example: String,
}

impl Truth {
    /// Record name to the place of its person.
    pub fn by_record(&self) -> BTreeMap<&str, usize> {
        let people = self.people.iter().enumerate();
        people
            .flat_map(|(at, records)| records.iter().map(move |record| (record.as_str(), at)))
            .collect()
    }
}

impl Population {
    /// What happens on the next day, counted.
    pub fn next_day_in_words(&self) -> String {
        let count = |is: fn(&Later) -> bool| self.later.iter().filter(|one| is(one)).count();
        format!(
            "in the CRM {} pairs of contacts are merged and {} contacts archived, in the newsletter {} unsubscribed members are archived, \
             and {} charges are refunded",
            count(|one| matches!(one, Later::Merged { .. })),
            count(|one| matches!(one, Later::Gone { .. })),
            count(|one| matches!(one, Later::Archived { .. })),
            count(|one| matches!(one, Later::Refunded { .. })),
        )
    }
}

/// `now_ms`: milliseconds since 1970; orders are from the two years before it.
pub fn generate(seed: u64, people: usize, now_ms: i64) -> Population {
    people::generate(seed, people, now_ms)
}

#[cfg(test)]
mod tests;
