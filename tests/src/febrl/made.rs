//! Made-up people with a known answer: names as frequent as they are in a few countries, a date of birth or a place, and a
//! tenth of the records a second one of somebody, changed. Equal seeds give equal sets.

use super::data::{
    ADDRESS_1, CITY, DATE_OF_BIRTH, Fields, GIVEN_NAME, POSTCODE, Person, STREET_NUMBER, SURNAME,
};
use super::names::Country;
use crate::population::Draw;

/// How a set is made.
pub struct Made {
    pub seed: u64,
    pub countries: &'static [&'static Country],
    pub known: Known,
    /// What happens to the second record of somebody.
    pub harm: fn(&mut Fields, &mut Draw),
}

/// What is known of people in addition to their names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Birth,
    Place,
    /// A place that people of one surname share, three at a time.
    Home,
    /// A street with a number, in which couples live, every other one of one surname.
    House,
}

const PEOPLE: u64 = 9_000;
const TWICE: u64 = 1_000;

impl Made {
    pub fn people(&self) -> Vec<Person> {
        let mut draw = Draw::new(self.seed);
        let mut people: Vec<Person> = Vec::new();
        for truth in 0..PEOPLE {
            let mut fields = self.fields(&mut draw);
            if self.known == Known::Home && truth % 3 > 0 {
                let family = &people[truth as usize - 1].fields;
                for field in [SURNAME, CITY, POSTCODE] {
                    fields[field].clone_from(&family[field]);
                }
            }
            if self.known == Known::House && truth % 2 > 0 {
                let partner = &people[truth as usize - 1].fields;
                for field in [STREET_NUMBER, ADDRESS_1, CITY, POSTCODE] {
                    fields[field].clone_from(&partner[field]);
                }
                if truth % 4 > 1 {
                    fields[SURNAME].clone_from(&partner[SURNAME]);
                }
            }
            people.push(person(truth, fields));
        }
        for truth in 0..TWICE {
            let mut fields = people[truth as usize].fields.clone();
            (self.harm)(&mut fields, &mut draw);
            people.push(person(truth, fields));
        }
        people
    }

    fn fields(&self, draw: &mut Draw) -> Fields {
        let country = draw.pick(self.countries);
        let mut fields = Fields::default();
        fields[GIVEN_NAME] = country.given_name(draw);
        fields[SURNAME] = country.surname(draw);
        match self.known {
            Known::Birth => fields[DATE_OF_BIRTH] = birth(draw),
            Known::Place | Known::Home => (fields[CITY], fields[POSTCODE]) = place(draw),
            Known::House => {
                (fields[CITY], fields[POSTCODE]) = place(draw);
                fields[ADDRESS_1] = format!("{}straße", country.surname(draw));
                fields[STREET_NUMBER] = (1 + draw.below(8) * draw.below(12)).to_string();
            }
        }
        fields
    }
}

fn person(truth: u64, fields: Fields) -> Person {
    Person {
        truth,
        list: 0,
        fields,
    }
}

fn birth(draw: &mut Draw) -> String {
    let (year, month, day) = (draw.below(80), draw.below(12), draw.below(28));
    format!("{}-{:02}-{:02}", 1930 + year, month + 1, day + 1)
}

const STARTS: [&str; 20] = [
    "Al", "Bran", "Cor", "Dor", "El", "Fal", "Gran", "Hav", "Is", "Kar", "Lo", "Mon", "Nor", "Os",
    "Pra", "Ros", "Sal", "Tor", "Ul", "Ver",
];
const ENDS: [&str; 20] = [
    "burg", "ville", "stadt", "grad", "mouth", "port", "ice", "ów", "hausen", "by", "ona", "ria",
    "berg", "more", "tal", "see", "nik", "min", "au", "den",
];

/// City and postcode of one of 400 towns; large ones have many postcodes.
pub fn place(draw: &mut Draw) -> (String, String) {
    // A product of two numbers is more often small.
    let town = draw.below(20) * draw.below(21);
    let name = format!("{}{}", STARTS[town % 20], ENDS[town / 20]);
    let postcodes = 1 + 40 / (town + 1);
    let postcode = 10_000 + town * 200 + draw.below(postcodes);
    (name, postcode.to_string())
}
