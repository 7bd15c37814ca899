//! Writes a population into the three fake vendors.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{DAY_MS, Later, Population};
use crate::vendors::Running;
use crate::vendors::hubspot::HubSpot;
use crate::vendors::mailchimp::{Action, Activity, Campaign, Mailchimp, Member, Status};
use crate::vendors::stripe::Stripe;

/// A box of the account's own form.
const NEWSLETTER: &str = "newsletter";

pub fn load_hubspot(population: &Population, hubspot: &mut HubSpot) {
    hubspot.contacts.define(NEWSLETTER);
    for contact in &population.contacts {
        let values = [
            ("email", contact.email.as_str()),
            ("phone", &contact.phone),
            ("firstname", &contact.first_name),
            ("lastname", &contact.last_name),
            ("country", &contact.country),
            ("company", &contact.company),
            ("lifecyclestage", contact.stage),
            (NEWSLETTER, if contact.newsletter { "true" } else { "" }),
        ];
        hubspot
            .contacts
            .seed(contact.id, contact.created_ms, contact.updated_ms, &values);
    }
}

pub fn load_stripe(population: &Population, stripe: &mut Stripe) {
    let or_null = |text: &String| {
        if text.is_empty() {
            Value::Null
        } else {
            json!(text)
        }
    };
    for customer in &population.customers {
        let fields = json!({
            "email": or_null(&customer.email), "phone": or_null(&customer.phone), "name": or_null(&customer.name),
        });
        stripe.seed_customer(&customer.id, customer.created_s, &fields);
    }
    for charge in &population.charges {
        let (amount, currency) = (charge.amount, charge.currency);
        if let Some((email, name)) = &charge.guest {
            stripe.seed_guest_charge(
                &charge.id,
                (email, name),
                amount,
                currency,
                charge.created_s,
            );
            continue;
        }
        stripe.seed_charge(
            &charge.id,
            &charge.customer,
            amount,
            currency,
            charge.created_s,
            charge.paid,
        );
        if charge.invalid {
            let mut body = stripe.charges.get(&charge.id).unwrap_or_default();
            body["amount"] = json!(amount as f64 + 0.5);
            stripe.put_charge(&body);
        }
    }
}

pub fn load_mailchimp(population: &Population, mailchimp: &mut Mailchimp) {
    for member in &population.members {
        let names = [("FNAME", &member.first_name), ("LNAME", &member.last_name)];
        let kept = names.iter().filter(|(_, name)| !name.is_empty());
        let merge_fields: BTreeMap<String, Value> = kept
            .map(|(tag, name)| ((*tag).to_string(), json!(name)))
            .collect();
        let left = member.status == Status::Unsubscribed;
        mailchimp.seed_member(Member {
            email: member.email.clone(),
            status: member.status,
            merge_fields,
            language: "pl".to_string(),
            vip: false,
            signed_up_ms: member.signed_up_ms,
            last_changed_ms: member.signed_up_ms,
            unsubscribe_reason: left.then(|| "N/A (Unsubscribed by admin)".to_string()),
        });
    }
    mailchimp.campaigns.push(campaign(population));
}

/// Lets the next day pass at the vendors.
pub fn next_day(
    population: &Population,
    hubspot: &Running<HubSpot>,
    stripe: &Running<Stripe>,
    mailchimp: &Running<Mailchimp>,
) {
    for one in &population.later {
        match one {
            Later::Merged { primary, other } => hubspot.with(|hubspot| {
                let now_ms = hubspot.clock.now_ms();
                hubspot.merge("contacts", *primary, *other, now_ms);
            }),
            Later::Archived { email, contact } => {
                mailchimp.with(|mailchimp| mailchimp.archive(email));
                hubspot.with(|hubspot| {
                    let now_ms = hubspot.clock.now_ms();
                    let values = [("company", "Moved on")];
                    hubspot.contacts.edit(*contact, &values, now_ms);
                });
            }
            Later::Gone { contact } => hubspot.with(|hubspot| {
                let now_ms = hubspot.clock.now_ms();
                hubspot.contacts.archive(*contact, now_ms);
            }),
            Later::Refunded { charge } => stripe.with(|stripe| stripe.refund(charge)),
        }
    }
}

/// One mail to every subscriber ten days ago; every third opened it, every ninth clicked.
fn campaign(population: &Population) -> Campaign {
    let sent_ms = population.now_ms - 10 * DAY_MS;
    let readers = population
        .members
        .iter()
        .filter(|member| member.status == Status::Subscribed);
    let activity = readers.enumerate().map(|(at, member)| {
        let opened_ms = sent_ms + 60_000 * (1 + at as i64);
        let mut actions = Vec::new();
        if at % 3 == 0 {
            actions.push((opened_ms, Action::Open));
        }
        if at % 9 == 0 {
            actions.push((
                opened_ms + 30_000,
                Action::Click {
                    url: "https://shop.example/spring".to_string(),
                },
            ));
        }
        Activity {
            email: member.email.clone(),
            actions,
        }
    });
    Campaign {
        id: "spring01".to_string(),
        title: "Spring offers".to_string(),
        sent_ms,
        activity: activity.collect(),
        unsubscribed: Vec::new(),
    }
}
