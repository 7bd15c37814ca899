//! The people to be compared, stored compactly: each text once, each person as a row of numbers.
//! Does not know which texts are alike.

use crate::likeness::birth::{self, Birth};
use crate::likeness::letters::{address, digits, letters, sound, words};
use rustc_hash::FxHashMap;

/// One person as a profile shows it. Every text is optional, in any spelling; an empty one is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Whatever the caller knows the person by: distinct, and the same in every run, since it also decides which pairs are
    /// taken at random.
    pub id: u64,
    /// Represents the person's user id, if there is one. Two different ones are never linked automatically, not even
    /// through others.
    pub user: Option<u64>,
    /// A list that has everybody at most once, such as one system's customers. Two of the same list are two people.
    pub list: Option<u32>,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    /// Year, month, day: `1984-02-29` or `19840229`; a part that is not known is zero. Other orders are read where they
    /// cannot be taken for this one: `29.02.1984`.
    pub birth_date: Option<String>,
    pub house_number: Option<String>,
    pub street: Option<String>,
    /// The other line of the address: a flat, a building, a village.
    pub address_line: Option<String>,
    pub city: Option<String>,
    pub postcode: Option<String>,
    pub state: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub national_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    GivenName,
    Surname,
    BirthDate,
    HouseNumber,
    Street,
    AddressLine,
    City,
    Postcode,
    State,
    Phone,
    Email,
    NationalId,
    /// Of names that are several words: each word, with one space in between.
    GivenNames,
    Surnames,
}

const FIELDS: usize = 14;
const ABSENT: u32 = u32::MAX;

/// Any number of people; several hundred thousand fit a small machine.
#[derive(Debug, Default)]
pub struct People {
    rows: Vec<Row>,
    index: FxHashMap<u64, u32>,
    texts: Vec<Text>,
    known: FxHashMap<Box<str>, u32>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub id: u64,
    pub user: Option<u64>,
    pub list: Option<u32>,
    texts: [u32; FIELDS],
}

#[derive(Debug)]
struct Text {
    text: Box<str>,
    /// How many rows have it.
    rows: u32,
    digest: u64,
    /// Of the sounds of the first and of the last word.
    sounds: [u64; 2],
}

impl People {
    /// Adds somebody. The same id again replaces what was said before.
    pub fn add(&mut self, record: &Record) {
        let fields = [
            (&record.given_name, letters as fn(&str) -> String),
            (&record.surname, letters),
            (&record.birth_date, birth::normal),
            (&record.house_number, letters),
            (&record.street, letters),
            (&record.address_line, letters),
            (&record.city, letters),
            (&record.postcode, letters),
            (&record.state, letters),
            (&record.phone, digits),
            (&record.email, address),
            (&record.national_id, letters),
            (&record.given_name, words),
            (&record.surname, words),
        ];
        let row = Row {
            id: record.id,
            user: record.user,
            list: record.list,
            texts: fields.map(|(text, normal)| {
                let normal = text.as_deref().map(normal).unwrap_or_default();
                self.intern(normal)
            }),
        };
        for &text in row.texts.iter().filter(|text| **text != ABSENT) {
            self.texts[text as usize].rows += 1;
        }
        match self.index.get(&record.id) {
            Some(&index) => {
                let before = std::mem::replace(&mut self.rows[index as usize], row);
                for text in before.texts.into_iter().filter(|text| *text != ABSENT) {
                    self.texts[text as usize].rows -= 1;
                }
            }
            None => {
                self.index.insert(record.id, self.rows.len() as u32);
                self.rows.push(row);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn intern(&mut self, text: String) -> u32 {
        if text.is_empty() {
            return ABSENT;
        }
        if let Some(&known) = self.known.get(text.as_str()) {
            return known;
        }
        let number = self.texts.len() as u32;
        let text = text.into_boxed_str();
        let word_sound = |word: Option<&str>| digest(sound(word.unwrap_or_default()).as_bytes());
        self.texts.push(Text {
            digest: digest(text.as_bytes()),
            sounds: [
                word_sound(text.split(' ').next()),
                word_sound(text.rsplit(' ').next()),
            ],
            text: text.clone(),
            rows: 0,
        });
        self.known.insert(text, number);
        number
    }

    pub(super) fn index(&self, id: u64) -> Option<u32> {
        self.index.get(&id).copied()
    }

    pub(super) fn row(&self, index: u32) -> &Row {
        &self.rows[index as usize]
    }

    pub(super) fn text(&self, index: u32, field: Field) -> Option<&str> {
        let number = self.number(index, field)?;
        Some(&self.texts[number as usize].text)
    }

    /// Equal for equal texts of these people; nothing else may be made of it.
    pub(super) fn number(&self, index: u32, field: Field) -> Option<u32> {
        let number = self.rows[index as usize].texts[field as usize];
        (number != ABSENT).then_some(number)
    }

    /// How many people have the same text.
    pub(super) fn having_same(&self, index: u32, field: Field) -> u32 {
        let number = self.number(index, field);
        number.map_or(0, |number| self.texts[number as usize].rows)
    }

    /// Equal for equal texts, on every machine and in every version.
    pub(super) fn digest(&self, index: u32, field: Field) -> Option<u64> {
        let number = self.number(index, field)?;
        Some(self.texts[number as usize].digest)
    }

    /// Equal for words that sound alike: the first and the last word of a name.
    pub(super) fn sounds(&self, index: u32, name: Field) -> Option<[u64; 2]> {
        let words = match name {
            Field::GivenName => self.number(index, Field::GivenNames),
            Field::Surname => self.number(index, Field::Surnames),
            _ => None,
        };
        let number = words.or_else(|| self.number(index, name))?;
        Some(self.texts[number as usize].sounds)
    }

    /// Whether two names sound alike, the first words as well as the last ones. Two consonants are too few to tell.
    pub(super) fn sound_alike(&self, left: u32, right: u32, name: Field) -> bool {
        let sounds = self.sounds(left, name);
        sounds == self.sounds(right, name)
            && self
                .text(left, name)
                .is_some_and(|text| sound(text).len() > 2)
    }

    pub(super) fn birth(&self, index: u32) -> Option<Birth> {
        Birth::of(self.text(index, Field::BirthDate)?)
    }

    /// Whether the two may be one person at all.
    pub(super) fn may_be_one(&self, left: u32, right: u32) -> bool {
        let (left, right) = (self.row(left), self.row(right));
        left.id != right.id && (left.list.is_none() || left.list != right.list)
    }
}

/// Eight bytes that are the same on every machine and in every version.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(eight)
}

/// Spreads two numbers over the whole range (the finisher of splitmix64: Steele, Lea and Flood, OOPSLA 2014).
pub(super) fn mix(left: u64, right: u64) -> u64 {
    let mut mixed = left.rotate_left(32) ^ right.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
