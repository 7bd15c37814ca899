//! Which pairs are worth comparing: people who share a blocking key. Every pair is produced once, by the first key it shares.
//! Blocks above the cap are skipped and reported, since work grows with the square of their size.

use crate::likeness::people::{Field, People, mix};
use rustc_hash::FxHashSet;
use std::ops::Range;

/// A key that too many people share: its pairs were not compared unless they share another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// What the key is made of, in words.
    pub key: &'static str,
    pub people: u64,
}

/// What a key is made of, in any order: names and the lines of an address come in each other's place.
struct Rule {
    words: &'static str,
    all_of: &'static [Part],
}

/// What of a person a key is made of.
#[derive(Clone, Copy)]
enum Part {
    Whole(Field),
    /// How the first word of a name sounds, and the last one.
    First(Field),
    Last(Field),
    /// Day and month in either order.
    Day,
    /// The last two digits of the year.
    Year,
    Month,
}

use Field::{
    AddressLine, City, Email, GivenName, HouseNumber, NationalId, Phone, Postcode, Street, Surname,
};
use Part::{Day, First, Last, Month, Whole, Year};

/// No two fields are in all keys, so that a pair with mistakes in two fields mostly shares one.
const RULES: [Rule; 20] = [
    rule("national id", &[Whole(NationalId)]),
    rule("email", &[Whole(Email)]),
    rule("phone", &[Whole(Phone)]),
    rule(
        "given name and surname",
        &[Whole(GivenName), Whole(Surname)],
    ),
    rule("date of birth", &[Day, Year]),
    rule(
        "sounds of given name and surname",
        &[First(GivenName), First(Surname)],
    ),
    rule(
        "sounds of given name and last surname",
        &[First(GivenName), Last(Surname)],
    ),
    rule(
        "sounds of last given name and surname",
        &[Last(GivenName), First(Surname)],
    ),
    rule("sound of surname and year of birth", &[Last(Surname), Year]),
    rule("sound of surname and day of birth", &[First(Surname), Day]),
    rule(
        "sound of given name and day of birth",
        &[First(GivenName), Day],
    ),
    rule(
        "sound of given name and year of birth",
        &[First(GivenName), Year],
    ),
    rule(
        "sound of given name and month of birth",
        &[First(GivenName), Month, Year],
    ),
    rule(
        "sound of surname and postcode",
        &[First(Surname), Whole(Postcode)],
    ),
    rule("sound of surname and city", &[First(Surname), Whole(City)]),
    rule(
        "sound of given name and postcode",
        &[First(GivenName), Whole(Postcode)],
    ),
    rule(
        "sound of given name and city",
        &[First(GivenName), Whole(City)],
    ),
    rule(
        "house number and street",
        &[Whole(HouseNumber), Whole(Street)],
    ),
    rule(
        "street and second address line",
        &[Whole(Street), Whole(AddressLine)],
    ),
    rule("street and postcode", &[Whole(Street), Whole(Postcode)]),
];

const fn rule(words: &'static str, all_of: &'static [Part]) -> Rule {
    Rule { words, all_of }
}

impl Rule {
    /// Two keys that are equal by chance cost one comparison.
    fn key(&self, people: &People, index: u32) -> Option<u32> {
        let mut key = 0_u64;
        for part in self.all_of {
            key = key.wrapping_add(mix(part.of(people, index)?, 0));
        }
        // Zero means no key.
        Some((key >> 32).max(1) as u32)
    }
}

impl Part {
    fn of(self, people: &People, index: u32) -> Option<u64> {
        match self {
            Whole(field) => people.digest(index, field),
            First(name) => Some(people.sounds(index, name)?[0]),
            Last(name) => Some(people.sounds(index, name)?[1]),
            Day => {
                let birth = people.birth(index)?;
                let (month, day) = (birth.month?, birth.day?);
                Some(u64::from(100 * month.max(day) + month.min(day)))
            }
            // Numbers that no day has, nor a month.
            Year => Some(u64::from(20_000 + people.birth(index)?.year?)),
            Month => Some(u64::from(10_000 + people.birth(index)?.month?)),
        }
    }
}

/// The keys of everybody.
pub(super) struct Blocks {
    keys: Vec<[u32; RULES.len()]>,
    too_large: [FxHashSet<u32>; RULES.len()],
    pub skipped: Vec<Skipped>,
    cap: usize,
}

impl Blocks {
    pub fn new(people: &People, cap: usize) -> Self {
        let everybody = 0..people.len() as u32;
        let keys = everybody.map(|index| {
            let keys = RULES.each_ref().map(|rule| rule.key(people, index));
            keys.map(Option::unwrap_or_default)
        });
        let mut blocks = Self {
            keys: keys.collect(),
            too_large: Default::default(),
            skipped: Vec::new(),
            cap,
        };
        for (index, rule) in RULES.iter().enumerate() {
            let members = blocks.members(index);
            for block in stretches(&members) {
                if block.len() > cap {
                    blocks.too_large[index].insert(members[block.start].0);
                    blocks.skipped.push(Skipped {
                        key: rule.words,
                        people: block.len() as u64,
                    });
                }
            }
        }
        blocks.skipped.sort_unstable();
        blocks
    }

    /// Keys of one rule with who has them, sorted.
    fn members(&self, rule: usize) -> Vec<(u32, u32)> {
        let keys = self
            .keys
            .iter()
            .zip(0..)
            .map(|(keys, index)| (keys[rule], index));
        let mut members: Vec<(u32, u32)> = keys.filter(|(key, _)| *key != 0).collect();
        members.sort_unstable();
        members
    }

    /// Every pair that shares a key and may be one person, once, in no order that means anything.
    pub fn for_each(&self, people: &People, mut meet: impl FnMut(u32, u32)) {
        for rule in 0..RULES.len() {
            let members = self.members(rule);
            for block in stretches(&members) {
                if block.len() > self.cap {
                    continue;
                }
                let block = &members[block];
                for (at, &(_, left)) in block.iter().enumerate() {
                    for &(_, right) in &block[at + 1..] {
                        if people.may_be_one(left, right) && !self.met_before(rule, left, right) {
                            meet(left, right);
                        }
                    }
                }
            }
        }
    }

    fn met_before(&self, rule: usize, left: u32, right: u32) -> bool {
        let (left, right) = (&self.keys[left as usize], &self.keys[right as usize]);
        (0..rule).any(|earlier| {
            let key = left[earlier];
            key != 0 && key == right[earlier] && !self.too_large[earlier].contains(&key)
        })
    }
}

/// Where each key begins and ends.
fn stretches(members: &[(u32, u32)]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    members
        .chunk_by(|(one, _), (other, _)| one == other)
        .map(move |block| {
            let range = start..start + block.len();
            start = range.end;
            range
        })
}
