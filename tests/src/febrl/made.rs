//! Made-up people with a known answer: names as frequent as they are in a few countries, a date of birth or a place, and a
//! tenth of the records a second one of somebody, changed. Equal seeds give equal sets.

use super::chance::Chance;
use super::data::{CITY, DATE_OF_BIRTH, Fields, GIVEN_NAME, POSTCODE, Person, SURNAME};
use super::names::Country;

/// How a set is made.
pub struct Made {
    pub seed: u64,
    pub countries: &'static [&'static Country],
    pub known: Known,
    /// What happens to the second record of somebody.
    pub harm: fn(&mut Fields, &mut Chance),
}

/// What is known of people in addition to their names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Birth,
    Place,
}

const PEOPLE: u64 = 9_000;
const TWICE: u64 = 1_000;

impl Made {
    pub fn people(&self) -> Vec<Person> {
        let mut chance = Chance::new(self.seed);
        let mut people: Vec<Person> = (0..PEOPLE)
            .map(|truth| Person {
                truth,
                list: 0,
                fields: self.fields(&mut chance),
            })
            .collect();
        for truth in 0..TWICE {
            let mut fields = people[truth as usize].fields.clone();
            (self.harm)(&mut fields, &mut chance);
            people.push(Person {
                truth,
                list: 0,
                fields,
            });
        }
        people
    }

    fn fields(&self, chance: &mut Chance) -> Fields {
        let country = chance.one_of(self.countries);
        let mut fields = Fields::default();
        fields[GIVEN_NAME] = country.given_name(chance);
        fields[SURNAME] = country.surname(chance);
        match self.known {
            Known::Birth => fields[DATE_OF_BIRTH] = birth(chance),
            Known::Place => (fields[CITY], fields[POSTCODE]) = place(chance),
        }
        fields
    }
}

fn birth(chance: &mut Chance) -> String {
    let (year, month, day) = (chance.below(80), chance.below(12), chance.below(28));
    format!("{}-{:02}-{:02}", 1930 + year, month + 1, day + 1)
}

/// One of 400 towns, large ones with many postcodes.
fn place(chance: &mut Chance) -> (String, String) {
    const STARTS: [&str; 20] = [
        "Al", "Bran", "Cor", "Dor", "El", "Fal", "Gran", "Hav", "Is", "Kar", "Lo", "Mon", "Nor", "Os", "Pra", "Ros",
        "Sal", "Tor", "Ul", "Ver",
    ];
    const ENDS: [&str; 20] = [
        "burg", "ville", "stadt", "grad", "mouth", "port", "ice", "ów", "hausen", "by", "ona", "ria", "berg", "more",
        "tal", "see", "nik", "min", "au", "den",
    ];
    // The square of a number below 20 is below 400, and more often small.
    let town = chance.below(20) * chance.below(21);
    let name = format!("{}{}", STARTS[town as usize % 20], ENDS[town as usize / 20 % 20]);
    let postcodes = 1 + 40 / (town + 1);
    let postcode = 10_000 + town * 200 + chance.below(postcodes);
    (name, postcode.to_string())
}
