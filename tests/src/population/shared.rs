//! People who share an address or a telephone and are not one person.

use std::collections::BTreeSet;

use super::draw::national_number;
use super::people::{Known, Maker, Person, Values, named_otherwise};

impl Maker {
    /// Three who pay under one address, and that address on the newsletter: nobody is joined through it.
    pub(super) fn household(&mut self) {
        let address = format!("family{}@dom.example", self.population.truth.people.len());
        let mut names = Vec::new();
        for _ in 0..3 {
            let person = Person {
                country: "GB",
                ..self.person()
            };
            let person = named_otherwise(person, &mut names);
            let person = Person {
                national: national_number("GB", person.serial),
                ..person
            };
            let mut records = BTreeSet::new();
            records.insert(self.contact(&person, Values::Phone, None));
            let customer = self.customer(&person, Values::Both, Some(&address));
            let known = Known {
                contact: Some(Values::Phone),
                customer: Some(Values::Both),
                member: false,
            };
            self.finish(&person, known, records, &[customer], false);
        }
        let reader = Person {
            email: address,
            ..self.person()
        };
        let mut records = BTreeSet::new();
        self.member(&reader, &mut records);
        self.finish(
            &reader,
            Known {
                member: true,
                ..Known::default()
            },
            records,
            &[],
            false,
        );
    }

    /// Three contacts with one switchboard number, each otherwise known by an address of their own.
    pub(super) fn office(&mut self) {
        let switchboard = national_number("DE", 900_000 + self.population.truth.people.len());
        let mut names = Vec::new();
        for _ in 0..3 {
            let person = Person {
                country: "DE",
                ..self.person()
            };
            let person = named_otherwise(person, &mut names);
            let mut records = BTreeSet::new();
            records.insert(self.contact(&person, Values::Both, Some(&switchboard)));
            let customer = self.customer(&person, Values::Email, None);
            let known = Known {
                contact: Some(Values::Both),
                customer: Some(Values::Email),
                member: false,
            };
            self.finish(&person, known, records, &[customer], false);
        }
    }

    /// Two who live together: one telephone, and a name and an address each. What one refuses the other may have agreed to.
    pub(super) fn couple(&mut self) {
        let landline = self.pole().national;
        let mut names = Vec::new();
        for _ in 0..2 {
            let person = self.pole();
            let person = named_otherwise(person, &mut names);
            let mut records = BTreeSet::new();
            records.insert(self.contact(&person, Values::Both, Some(&landline)));
            let customer = self.customer(&person, Values::Email, None);
            let granted = self.member(&person, &mut records);
            self.finish(&person, Known::everywhere(), records, &[customer], granted);
        }
    }
}
