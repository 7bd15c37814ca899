//! Makes the people: which vendors know them, by which values, what they bought, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::draw::{Draw, ascii, national_number};
use super::{Charge, Contact, Customer, DAY_MS, Member, Population, Truth};
use crate::vendors::mailchimp::{Status, contact_id};
use crate::vendors::stripe::Paid;

const FIRST: [&str; 20] = [
    "Ada",
    "Zofia",
    "Łukasz",
    "Grażyna",
    "Jan",
    "Małgorzata",
    "Oliver",
    "Amelia",
    "Jürgen",
    "Anke",
    "Søren",
    "José",
    "Mia",
    "Noah",
    "Emma",
    "Bogdan",
    "Świętosława",
    "Hans",
    "Grace",
    "Alan",
];
const LAST: [&str; 16] = [
    "Kowalska",
    "Nowak",
    "Wiśniewski",
    "Żółkiewska",
    "Müller",
    "Schäfer",
    "Smith",
    "O'Brien",
    "Jones",
    "García",
    "Lovelace",
    "Turing",
    "Hopper",
    "Dąbrowski",
    "Weiß",
    "Miller",
];
const STAGES: [&str; 4] = ["subscriber", "lead", "customer", "opportunity"];
const NOT_PHONES: [&str; 4] = ["ask reception", "n/a", "12", "--"];

/// One person before the vendors write anything down.
#[derive(Clone)]
pub(super) struct Person {
    pub serial: usize,
    pub first: &'static str,
    pub last: &'static str,
    pub country: &'static str,
    pub email: String,
    pub national: String,
}

/// With the next first name that is not among `names`: who shares a value and a name is one person to everybody who looks.
pub(super) fn named_otherwise(person: Person, names: &mut Vec<&'static str>) -> Person {
    let at = FIRST.iter().position(|name| *name == person.first);
    let mut free = FIRST.iter().cycle().skip(at.unwrap_or_default());
    let first = free.find(|name| !names.contains(name)).unwrap_or(&FIRST[0]);
    names.push(first);
    Person { first, ..person }
}

/// What one person's records hold, by vendor.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    pub contact: Option<Values>,
    pub customer: Option<Values>,
    pub member: bool,
}

impl Known {
    pub fn everywhere() -> Known {
        Known {
            contact: Some(Values::Both),
            customer: Some(Values::Email),
            member: true,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Values {
    Both,
    Email,
    Phone,
    Neither,
}

pub(super) struct Maker {
    pub draw: Draw,
    pub population: Population,
    pub next_contact: u64,
    next_customer: usize,
    next_charge: usize,
    /// Addresses that are in the newsletter once contacts are merged.
    pub joined: BTreeSet<String>,
}

pub(super) fn generate(seed: u64, people: usize, now_ms: i64) -> Population {
    let population = Population {
        now_ms,
        contacts: Vec::new(),
        customers: Vec::new(),
        members: Vec::new(),
        charges: Vec::new(),
        truth: Truth::default(),
        later: Vec::new(),
        tomorrow: Truth::default(),
        renamed: BTreeMap::new(),
    };
    let mut maker = Maker {
        draw: Draw::new(seed),
        population,
        next_contact: 1001,
        next_customer: 1,
        next_charge: 1,
        joined: BTreeSet::new(),
    };
    while maker.population.truth.people.len() < people {
        let left = people - maker.population.truth.people.len();
        match maker.draw.below(40) {
            0 if left >= 4 => maker.household(),
            1 if left >= 3 => maker.office(),
            2 if left >= 2 => maker.couple(),
            3 if left >= 2 => maker.twice(),
            4 => maker.guest(),
            5 => maker.known_guest(),
            6 => maker.ticked(),
            7 => maker.renamed(),
            _ => maker.single(),
        }
    }
    maker.break_some_charges();
    maker.refund_some();
    maker.population.tomorrow = maker.tomorrow();
    maker.population
}

impl Maker {
    /// Somebody in Poland, who may come into the audience.
    pub(super) fn pole(&mut self) -> Person {
        let person = self.person();
        Person {
            country: "PL",
            national: national_number("PL", person.serial),
            ..person
        }
    }

    pub(super) fn person(&mut self) -> Person {
        let serial = self.population.truth.people.len() + 1;
        let country = match self.draw.below(20) {
            0..=9 => "PL",
            10..=12 => "GB",
            13..=16 => "US",
            _ => "DE",
        };
        let (first, last) = (self.draw.pick(&FIRST), self.draw.pick(&LAST));
        let ending = match country {
            "PL" => "poczta.example",
            "DE" => "post.example",
            _ => "mail.example",
        };
        let email = format!("{}.{}{serial}@{ending}", ascii(first), ascii(last));
        Person {
            serial,
            first,
            last,
            country,
            email,
            national: national_number(country, serial),
        }
    }

    /// Somebody who shares nothing with anybody.
    fn single(&mut self) {
        let person = self.person();
        let known = self.known();
        let mut records = BTreeSet::new();
        if let Some(values) = known.contact {
            records.insert(self.contact(&person, values, None));
            if matches!(values, Values::Both | Values::Phone) && self.draw.chance(4) {
                // The same person twice in the CRM, the second time by phone only.
                records.insert(self.contact(&person, Values::Phone, None));
            }
        }
        let mut customers = Vec::new();
        if let Some(values) = known.customer {
            customers.push(self.customer(&person, values, None));
            if matches!(values, Values::Both | Values::Email) && self.draw.chance(6) {
                customers.push(self.customer(&person, values, None));
            }
        }
        let granted = known.member && self.member(&person, &mut records);
        self.finish(&person, known, records, &customers, granted);
    }

    /// Which vendors know somebody, such that all of it is one person by the rule.
    fn known(&mut self) -> Known {
        let both = |draw: &mut Draw| {
            if draw.chance(60) {
                Values::Both
            } else {
                Values::Email
            }
        };
        let alone = |draw: &mut Draw| {
            draw.pick(&[
                Values::Both,
                Values::Email,
                Values::Email,
                Values::Phone,
                Values::Neither,
            ])
        };
        let draw = &mut self.draw;
        match draw.below(20) {
            0..=6 => Known {
                contact: Some(both(draw)),
                customer: Some(both(draw)),
                member: true,
            },
            7..=8 => Known {
                contact: Some(Values::Both),
                customer: Some(Values::Phone),
                member: true,
            },
            9 => Known {
                contact: Some(Values::Phone),
                customer: Some(Values::Both),
                member: true,
            },
            10..=11 => Known {
                contact: Some(both(draw)),
                customer: Some(both(draw)),
                member: false,
            },
            12 => Known {
                contact: Some(Values::Phone),
                customer: Some(Values::Phone),
                member: false,
            },
            13..=14 => Known {
                contact: Some(both(draw)),
                customer: None,
                member: true,
            },
            15 => Known {
                contact: None,
                customer: Some(both(draw)),
                member: true,
            },
            16 => Known {
                contact: Some(alone(draw)),
                ..Known::default()
            },
            17 => Known {
                customer: Some(alone(draw)),
                ..Known::default()
            },
            _ => Known {
                member: true,
                ..Known::default()
            },
        }
    }

    pub(super) fn contact(
        &mut self,
        person: &Person,
        values: Values,
        shared_phone: Option<&str>,
    ) -> String {
        let id = self.next_contact;
        self.next_contact += 1;
        let created_ms = self.population.now_ms - self.draw.between(60, 900) * DAY_MS;
        let updated_ms = created_ms + self.draw.between(0, 50) * DAY_MS;
        let number = shared_phone.unwrap_or(&person.national);
        let phone = match values {
            Values::Both | Values::Phone => self.draw.phone(person.country, number),
            _ if self.draw.chance(10) => self.draw.pick(&NOT_PHONES).to_string(),
            _ => String::new(),
        };
        let email = match values {
            Values::Both | Values::Email => self.draw.email(&person.email),
            _ => String::new(),
        };
        let name = match person.country {
            "PL" => "Poland",
            "GB" => "United Kingdom",
            "DE" => "Germany",
            _ => "United States",
        };
        let country = if self.draw.chance(30) {
            name
        } else {
            person.country
        };
        let company = if self.draw.chance(40) {
            format!("Firma {}", person.serial % 37)
        } else {
            String::new()
        };
        self.population.contacts.push(Contact {
            id,
            created_ms,
            updated_ms,
            email,
            phone,
            first_name: person.first.to_string(),
            last_name: if self.draw.chance(95) {
                person.last.to_string()
            } else {
                String::new()
            },
            country: country.to_string(),
            company,
            stage: self.draw.pick(&STAGES),
            newsletter: false,
        });
        format!("hubspot:contacts:{id}")
    }

    pub(super) fn customer(
        &mut self,
        person: &Person,
        values: Values,
        shared_email: Option<&str>,
    ) -> String {
        let id = format!("cus_Onefold{:07}", self.next_customer);
        self.next_customer += 1;
        let email = match values {
            Values::Both | Values::Email => self.draw.email(shared_email.unwrap_or(&person.email)),
            _ => String::new(),
        };
        let phone = match values {
            Values::Both | Values::Phone => self.draw.phone(person.country, &person.national),
            _ => String::new(),
        };
        let created_s = (self.population.now_ms - self.draw.between(735, 900) * DAY_MS) / 1_000;
        let name = format!("{} {}", person.first, person.last);
        self.population.customers.push(Customer {
            id: id.clone(),
            created_s,
            email,
            phone,
            name,
        });
        id
    }

    /// Returns whether the person agreed to marketing.
    pub(super) fn member(&mut self, person: &Person, records: &mut BTreeSet<String>) -> bool {
        let status = match self.draw.below(20) {
            0..=14 => Status::Subscribed,
            15..=17 => Status::Unsubscribed,
            18 => Status::Cleaned,
            _ => Status::Pending,
        };
        let named = self.draw.chance(70);
        let name = |text: &str| {
            if named {
                text.to_string()
            } else {
                String::new()
            }
        };
        self.population.members.push(Member {
            email: self.draw.email(&person.email),
            status,
            first_name: name(person.first),
            last_name: name(person.last),
            signed_up_ms: self.population.now_ms - self.draw.between(35, 800) * DAY_MS,
        });
        records.insert(format!("mailchimp:members:{}", contact_id(&person.email)));
        status == Status::Subscribed
    }

    /// Lets the person buy, and writes down what is true of them. Returns whether they bought enough, and nothing lately.
    pub(super) fn finish(
        &mut self,
        person: &Person,
        known: Known,
        mut records: BTreeSet<String>,
        customers: &[String],
        granted: bool,
    ) -> bool {
        let mut orders = 0;
        let mut recent = false;
        let lapsed = self.draw.chance(60);
        for customer in customers {
            let count = self.draw.below(9);
            for _ in 0..count {
                // Nothing lies near the thirtieth day, so that a run may take its time.
                let days = if lapsed || self.draw.chance(70) {
                    self.draw.between(33, 730)
                } else {
                    self.draw.between(0, 27)
                };
                let (record, paid) = self.charge(person, customer, days);
                records.insert(record);
                if paid == Paid::Succeeded {
                    orders += 1;
                    recent |= days < 30;
                }
            }
            records.insert(format!("stripe:customers:{customer}"));
        }
        let is_lapsed = orders >= 3 && !recent;
        self.settle(person, known, records, is_lapsed, granted);
        is_lapsed
    }

    pub(super) fn settle(
        &mut self,
        person: &Person,
        known: Known,
        records: BTreeSet<String>,
        is_lapsed: bool,
        granted: bool,
    ) {
        let truth = &mut self.population.truth;
        let place = truth.people.len();
        truth.people.push(records);
        if known.contact.is_some() && person.country == "PL" && is_lapsed {
            truth.lapsed_vip.insert(place);
            if granted {
                truth.in_newsletter.insert(person.email.clone());
                if truth.example.is_empty() && known.customer.is_some() && known.member {
                    truth.example.clone_from(&person.email);
                }
            }
        }
    }

    pub(super) fn charge(&mut self, person: &Person, customer: &str, days: i64) -> (String, Paid) {
        let id = format!("ch_Onefold{:08}", self.next_charge);
        self.next_charge += 1;
        let paid = if self.draw.chance(92) {
            Paid::Succeeded
        } else {
            Paid::Declined
        };
        let currency = match person.country {
            "PL" => "pln",
            "GB" => "gbp",
            "DE" => "eur",
            _ => "usd",
        };
        let created_s =
            (self.population.now_ms - days * DAY_MS - self.draw.between(1, DAY_MS)) / 1_000;
        let amount = self.draw.between(900, 60_000);
        let customer = customer.to_string();
        self.population.charges.push(Charge {
            id: id.clone(),
            customer,
            guest: None,
            amount,
            currency,
            created_s,
            paid,
            invalid: false,
        });
        (format!("stripe:charges:{id}"), paid)
    }

    /// A few failed charges get invalid amounts, which no total counts.
    fn break_some_charges(&mut self) {
        let failed = self
            .population
            .charges
            .iter_mut()
            .filter(|charge| charge.paid == Paid::Declined);
        for charge in failed.take(5) {
            charge.invalid = true;
            self.population.truth.dead_letters += 1;
            for records in &mut self.population.truth.people {
                records.remove(&format!("stripe:charges:{}", charge.id));
            }
        }
    }
}
