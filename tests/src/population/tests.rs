//! The truth is checked against a second, simpler reading of the records.

use std::collections::HashMap;

use super::*;
use crate::vendors::mailchimp::contact_id;

const NOW_MS: i64 = 1_790_000_000_000;

/// Record name, the first name that it gives, and the normalised values it holds.
fn evidence(population: &Population) -> Vec<(String, &str, Vec<String>)> {
    let values = |email: &str, phone: &str| {
        let digits: String = phone
            .trim_start_matches("00")
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        let phone = match digits.len() {
            0..=6 => String::new(),
            9 => format!("+48{digits}"),
            _ => format!("+{digits}"),
        };
        [email.to_lowercase(), phone]
            .into_iter()
            .filter(|value| !value.is_empty())
            .collect::<Vec<_>>()
    };
    let contacts = population.contacts.iter().map(|row| {
        (
            format!("hubspot:contacts:{}", row.id),
            row.first_name.as_str(),
            values(&row.email, &row.phone),
        )
    });
    let customers = population.customers.iter().map(|row| {
        (
            format!("stripe:customers:{}", row.id),
            row.name.split(' ').next().unwrap_or_default(),
            values(&row.email, &row.phone),
        )
    });
    let members = population.members.iter().map(|row| {
        (
            format!("mailchimp:members:{}", contact_id(&row.email)),
            row.first_name.as_str(),
            values(&row.email, ""),
        )
    });
    contacts.chain(customers).chain(members).collect()
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

#[test]
fn joining_records_by_the_rule_gives_the_truth() {
    let population = generate(7, 2_000, NOW_MS);
    let evidence = evidence(&population);
    let mut holders: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, (_, _, values)) in evidence.iter().enumerate() {
        for value in values {
            holders.entry(value).or_default().push(at);
        }
    }
    let mut parents: Vec<usize> = (0..evidence.len()).collect();
    let mut shared = 0;
    for rows in holders.values() {
        let names = rows.iter().map(|at| evidence[*at].1);
        let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
        if names.len() > 1 {
            shared += 1;
            continue;
        }
        for pair in rows.windows(2) {
            let (left, right) = (root(&mut parents, pair[0]), root(&mut parents, pair[1]));
            parents[left] = right;
        }
    }
    let mut found: HashMap<usize, BTreeSet<String>> = HashMap::new();
    for (at, (record, _, _)) in evidence.iter().enumerate() {
        let person = root(&mut parents, at);
        found.entry(person).or_default().insert(record.clone());
    }
    let found: BTreeSet<BTreeSet<String>> = found.into_values().collect();
    let is_charge = |record: &String| record.starts_with("stripe:charges:");
    let mut truth: BTreeSet<BTreeSet<String>> = population
        .truth
        .people
        .iter()
        .map(|records| {
            records
                .iter()
                .filter(|record| !is_charge(record))
                .cloned()
                .collect()
        })
        .collect();
    // Guests are known by their charges only.
    assert!(truth.remove(&BTreeSet::new()));
    assert_eq!(population.truth.people.len(), 2_000);
    assert_eq!(found, truth);
    assert!(shared > 20, "{shared} shared values");
}

#[test]
fn the_audience_follows_from_the_charges() {
    let population = generate(7, 2_000, NOW_MS);
    let by_record = population.truth.by_record();
    let mut orders: HashMap<usize, Vec<i64>> = HashMap::new();
    for charge in population
        .charges
        .iter()
        .filter(|charge| !charge.invalid && charge.paid == Paid::Succeeded)
    {
        let person = by_record[format!("stripe:charges:{}", charge.id).as_str()];
        if charge.guest.is_none() {
            let customer = format!("stripe:customers:{}", charge.customer);
            assert_eq!(person, by_record[customer.as_str()]);
        }
        orders.entry(person).or_default().push(charge.created_s);
    }
    let polish = |contact: &&Contact| ["PL", "Poland"].contains(&contact.country.as_str());
    let candidates: BTreeSet<usize> = population
        .contacts
        .iter()
        .filter(polish)
        .map(|contact| by_record[format!("hubspot:contacts:{}", contact.id).as_str()])
        .collect();
    let border_s = (NOW_MS - 30 * DAY_MS) / 1_000;
    let lapsed = |person: &usize| {
        orders
            .get(person)
            .is_some_and(|times| times.len() >= 3 && times.iter().all(|time| *time < border_s))
    };
    let expected: BTreeSet<usize> = candidates.into_iter().filter(lapsed).collect();
    assert_eq!(expected, population.truth.lapsed_vip);
    let granted = population
        .members
        .iter()
        .filter(|member| member.status == Status::Subscribed);
    let subscribed = granted.map(|member| {
        let record = format!("mailchimp:members:{}", contact_id(&member.email));
        (member.email.to_lowercase(), record)
    });
    let members: BTreeSet<String> = population
        .members
        .iter()
        .map(|one| one.email.to_lowercase())
        .collect();
    let ticked = population
        .contacts
        .iter()
        .filter(|contact| contact.newsletter);
    let ticked = ticked.map(|contact| {
        let record = format!("hubspot:contacts:{}", contact.id);
        (contact.email.to_lowercase(), record)
    });
    let tagged: BTreeSet<String> = subscribed
        .chain(ticked.filter(|(email, _)| !members.contains(email)))
        .filter(|(_, record)| expected.contains(&by_record[record.as_str()]))
        .map(|(email, _)| email)
        .collect();
    assert_eq!(tagged, population.truth.in_newsletter);
    assert!(
        tagged.len() > 50 && tagged.len() < expected.len(),
        "{} of {}",
        tagged.len(),
        expected.len()
    );
}

#[test]
fn the_same_seed_gives_the_same_population_and_another_seed_another() {
    let text = |seed| {
        let population = generate(seed, 300, NOW_MS);
        let contacts = population
            .contacts
            .iter()
            .map(|row| format!("{} {} {}", row.id, row.email, row.phone));
        let charges = population
            .charges
            .iter()
            .map(|row| format!("{} {} {}", row.id, row.amount, row.created_s));
        contacts.chain(charges).collect::<Vec<_>>()
    };
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

#[test]
fn it_is_as_messy_as_promised() {
    let population = generate(7, 2_000, NOW_MS);
    let alone = population.truth.people.iter().filter(|records| {
        records
            .iter()
            .filter(|record| !record.starts_with("stripe:charges:"))
            .count()
            == 1
    });
    let alone = alone.count();
    assert!(
        (200..700).contains(&alone),
        "{alone} records belong to nobody else"
    );
    assert_eq!(population.truth.dead_letters, 5);
    assert!(
        population
            .contacts
            .iter()
            .any(|contact| contact.email.is_empty() && contact.phone.is_empty())
    );
    assert!(
        population
            .contacts
            .iter()
            .any(|contact| !contact.first_name.is_ascii())
    );
    assert!(!population.truth.example.is_empty());
}

#[test]
fn the_next_day_has_every_case_and_its_truth_follows() {
    let population = generate(7, 2_000, NOW_MS);
    let count = |is: fn(&Later) -> bool| population.later.iter().filter(|one| is(one)).count();
    let merged = count(|one| matches!(one, Later::Merged { .. }));
    let cases = [
        merged,
        count(|one| matches!(one, Later::Archived { .. })),
        count(|one| matches!(one, Later::Gone { .. })),
        count(|one| matches!(one, Later::Refunded { .. })),
        population.renamed.len(),
        population
            .charges
            .iter()
            .filter(|one| one.guest.is_some())
            .count(),
    ];
    assert!(cases.iter().all(|cases| *cases > 5), "{cases:?}");
    let (today, tomorrow) = (&population.truth, &population.tomorrow);
    assert_eq!(today.people.len() - tomorrow.people.len(), merged);
    assert_eq!(today.lapsed_vip.len(), tomorrow.lapsed_vip.len());
    assert!(today.in_newsletter.is_subset(&tomorrow.in_newsletter));
    assert!(today.in_newsletter.len() < tomorrow.in_newsletter.len());
    assert!((1..=cases[3]).contains(&tomorrow.refunded));
}

#[test]
fn the_vendors_hold_what_was_generated() {
    use crate::vendors::{hubspot::HubSpot, mailchimp::Mailchimp, stripe::Stripe};
    let population = generate(7, 2_000, NOW_MS);
    let (mut hubspot, mut stripe, mut mailchimp) =
        (HubSpot::default(), Stripe::default(), Mailchimp::default());
    load_hubspot(&population, &mut hubspot);
    load_stripe(&population, &mut stripe);
    load_mailchimp(&population, &mut mailchimp);
    assert_eq!(hubspot.contacts.len(), population.contacts.len());
    assert_eq!(
        (stripe.customers.len(), stripe.charges.len()),
        (population.customers.len(), population.charges.len())
    );
    assert_eq!(mailchimp.members.len(), population.members.len());
}
