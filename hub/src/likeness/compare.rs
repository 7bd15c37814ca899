//! Which fields of two people are compared, and the levels of agreement. Names and dates are compared in modules of their own.
//! Does not know what a level is worth: that is in the model.
//!
//! Texts are compared by Jaro-Winkler similarity (Winkler, "String Comparator Metrics and Enhanced Decision Rules in the
//! Fellegi-Sunter Model of Record Linkage", 1990) and by single edits: a letter changed, left out, added, or two swapped.

use crate::likeness::birth;
use crate::likeness::names;
use crate::likeness::people::{Field, People, mix};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    GivenName,
    Surname,
    BirthDate,
    HouseNumber,
    Street,
    AddressLine,
    /// Postcode, city and state at once: who knows one of them mostly knows the others, so they are one statement.
    Place,
    Phone,
    Email,
    NationalId,
    /// Takes off what both names are worth less than their sum, since two people may be namesakes: see `kin`.
    FullName,
    /// The same for a family.
    Family,
}

/// How far a comparison agrees. Each comparison uses some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// At least one side says nothing, or it was said elsewhere (see `Swapped`); worth nothing either way.
    Missing,
    Exact,
    /// Forms of one given name, or an initial.
    Form,
    Close,
    Similar,
    /// Two values in each other's place. What belongs to the second of them is counted here and missing there.
    Swapped,
    /// A part agrees exactly.
    Part,
    /// Of a place, what very many share: the state, or a large city.
    State,
    Different,
    /// Of a date, one part agrees and nothing else is known.
    Year,
}

impl Level {
    pub(super) const ALL: [Self; LEVELS] = [
        Self::Missing,
        Self::Exact,
        Self::Form,
        Self::Close,
        Self::Similar,
        Self::Swapped,
        Self::Part,
        Self::State,
        Self::Different,
        Self::Year,
    ];
}

pub(super) const LEVELS: usize = 10;
pub(super) const COMPARISONS: usize = 12;

impl Comparison {
    pub const ALL: [Self; COMPARISONS] = [
        Self::GivenName,
        Self::Surname,
        Self::BirthDate,
        Self::HouseNumber,
        Self::Street,
        Self::AddressLine,
        Self::Place,
        Self::Phone,
        Self::Email,
        Self::NationalId,
        Self::FullName,
        Self::Family,
    ];

    /// The levels it can have other than `Missing`, from the best to the worst.
    pub fn levels(self) -> &'static [Level] {
        use Level::{Close, Different, Exact, Form, Part, Similar, State, Swapped, Year};
        match self {
            Self::FullName | Self::Family => &[Exact],
            Self::GivenName => &[Exact, Form, Swapped, Close, Part, Similar, Different],
            Self::Surname => &[Exact, Close, Part, Similar, Different],
            Self::AddressLine => &[Exact, Close, Similar, Different],
            Self::Street => &[Exact, Swapped, Close, Similar, Different],
            Self::BirthDate => &[Exact, Swapped, Close, Part, Year, Different],
            Self::Place => &[Exact, Close, Part, Similar, State, Different],
            Self::Email => &[Exact, Close, Part, Different],
            Self::HouseNumber | Self::Phone | Self::NationalId => &[Exact, Close, Different],
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::FullName => "both names at once",
            Self::Family => "surname and address at once",
            Self::GivenName => "given name",
            Self::Surname => "surname",
            Self::BirthDate => "date of birth",
            Self::HouseNumber => "house number",
            Self::Street => "street",
            Self::AddressLine => "second address line",
            Self::Place => "place",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::NationalId => "national id",
        }
    }

    /// What a level of this comparison means, for the operator who reviews a pair.
    pub fn level_words(self, level: Level) -> &'static str {
        match (self, level) {
            (Self::Surname, Level::Missing) => "missing, or counted with the given name",
            (Self::AddressLine, Level::Missing) => "missing, or counted with the street",
            (Self::FullName | Self::Family, Level::Missing) => "not both the same",
            (_, Level::Missing) => "missing on one side",
            (Self::Place, Level::Exact) => "postcode and city agree",
            (_, Level::Exact) => "the same",
            (_, Level::Form) => "forms of one name, or an initial",
            (Self::BirthDate, Level::Swapped) => "day and month swapped",
            (Self::Street, Level::Swapped) => {
                "street and second address line in each other's place"
            }
            (_, Level::Swapped) => "given name and surname in each other's place",
            (Self::Place, Level::Close) => "postcode or city agrees, the other nearly",
            (
                Self::BirthDate | Self::HouseNumber | Self::Phone | Self::NationalId,
                Level::Close,
            ) => "one slip apart",
            (_, Level::Close) => "nearly the same letters",
            (Self::Place, Level::Similar) => "postcode and city nearly agree",
            (_, Level::Similar) => "similar letters, or a similar sound",
            (Self::BirthDate, Level::Part) => "two of year, month and day agree",
            (Self::GivenName | Self::Surname, Level::Part) => "one of several names is the same",
            (Self::Place, Level::Part) => "postcode or city agrees",
            (Self::Email, Level::Part) => "the same name at another provider",
            (_, Level::Part) => "a part agrees",
            (_, Level::State) => "only the state or a large city agrees",
            (_, Level::Year) => "the year agrees, more is not known",
            (_, Level::Different) => "different",
        }
    }

    /// What `Exact` compares, as a number that is equal for equal values everywhere.
    pub(super) fn value(self, people: &People, index: u32) -> Option<u64> {
        match self {
            Self::Place => Some(mix(
                people.digest(index, Field::Postcode)?,
                people.digest(index, Field::City)?,
            )),
            Self::FullName | Self::Family => {
                let [one, other] = self.kin()?.known_by;
                Some(mix(one.value(people, index)?, other.value(people, index)?))
            }
            Self::GivenName => people.digest(index, Field::GivenName),
            Self::Surname => people.digest(index, Field::Surname),
            Self::BirthDate => match people.text(index, Field::BirthDate) {
                Some(date) if birth::is_partial(date) => None,
                _ => people.digest(index, Field::BirthDate),
            },
            Self::HouseNumber => people.digest(index, Field::HouseNumber),
            Self::Street => people.digest(index, Field::Street),
            Self::AddressLine => people.digest(index, Field::AddressLine),
            Self::Phone => people.digest(index, Field::Phone),
            Self::Email => people.digest(index, Field::Email),
            Self::NationalId => people.digest(index, Field::NationalId),
        }
    }
}

/// A level for each comparison, four bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Pattern(u64);

impl Pattern {
    pub fn level(self, comparison: Comparison) -> Level {
        Level::ALL[(self.0 >> (4 * comparison as u32)) as usize & 15]
    }

    fn with(self, comparison: Comparison, level: Level) -> Self {
        Self(self.0 | (level as u64) << (4 * comparison as u32))
    }

    pub fn of(levels: impl IntoIterator<Item = (Comparison, Level)>) -> Self {
        let mut pattern = Self::default();
        for (comparison, level) in levels {
            pattern = pattern.with(comparison, level);
        }
        pattern
    }
}

/// Compares two people by everything.
pub(super) fn compare(people: &People, left: u32, right: u32) -> Pattern {
    use Comparison as C;
    let both = |field| Both::of(people, left, right, field);
    let (given, surname) = names::levels(people, left, right);
    let (street, line) = (both(Field::Street), both(Field::AddressLine));
    let (street, line) = match in_each_others_place(&street, &line) {
        true => (Level::Swapped, Level::Missing),
        false => (text(&street), text(&line)),
    };
    let locality = locality(
        &both(Field::Postcode),
        &both(Field::City),
        &both(Field::State),
        is_large_city(people, left),
    );
    let alone = Pattern::of([
        (C::GivenName, given),
        (C::Surname, surname),
        (C::BirthDate, birth_date(&both(Field::BirthDate))),
        (C::HouseNumber, number(&both(Field::HouseNumber))),
        (C::Street, street),
        (C::AddressLine, line),
        (C::Place, locality),
        (C::Phone, phone(&both(Field::Phone))),
        (C::Email, email(&both(Field::Email))),
        (C::NationalId, number(&both(Field::NationalId))),
    ]);
    let is_exact = |part: &C| alone.level(*part) == Level::Exact;
    C::ALL
        .into_iter()
        .fold(alone, |pattern, comparison| match comparison.kin() {
            Some(kin) if kin.known_by.iter().all(is_exact) => {
                pattern.with(comparison, Level::Exact)
            }
            _ => pattern,
        })
}

/// One field of two people.
pub(super) struct Both<'a> {
    pub left: Option<&'a str>,
    pub right: Option<&'a str>,
    pub same: bool,
}

impl<'a> Both<'a> {
    pub fn of(people: &'a People, left: u32, right: u32, field: Field) -> Self {
        let number = people.number(left, field);
        Self {
            left: people.text(left, field),
            right: people.text(right, field),
            same: number.is_some() && number == people.number(right, field),
        }
    }

    /// `Missing` and `Exact` for every field in the same way; what else it can be decides `other`.
    pub fn level(&self, other: impl FnOnce(&str, &str) -> Level) -> Level {
        match (self.left, self.right) {
            (Some(_), Some(_)) if self.same => Level::Exact,
            (Some(left), Some(right)) => other(left, right),
            _ => Level::Missing,
        }
    }
}

/// The least Jaro-Winkler similarities of the two levels.
const CLOSE: f64 = 0.92;
const SIMILAR: f64 = 0.82;

pub(super) fn letters(left: &str, right: &str) -> Level {
    let likeness = strsim::jaro_winkler(left, right);
    if likeness >= CLOSE || one_slip(left, right) {
        Level::Close
    } else if likeness >= SIMILAR {
        Level::Similar
    } else {
        Level::Different
    }
}

fn text(both: &Both<'_>) -> Level {
    both.level(letters)
}

/// Whether the first of one is the second of the other, both ways, and nothing is where it should be.
pub(super) fn in_each_others_place(first: &Both<'_>, second: &Both<'_>) -> bool {
    let (Some(a), Some(b), Some(c), Some(d)) = (first.left, first.right, second.left, second.right)
    else {
        return false;
    };
    let near = |left: &str, right: &str| {
        left == right || strsim::jaro_winkler(left, right) >= CLOSE || one_slip(left, right)
    };
    let may_be_near = |left: &str, right: &str| left.len().abs_diff(right.len()) <= 4;
    !first.same
        && !second.same
        && may_be_near(a, d)
        && may_be_near(c, b)
        && near(a, d)
        && near(c, b)
        && !near(a, b)
        && !near(c, d)
}

fn number(both: &Both<'_>) -> Level {
    both.level(|left, right| match one_slip(left, right) {
        true => Level::Close,
        false => Level::Different,
    })
}

fn birth_date(both: &Both<'_>) -> Level {
    match (both.left, both.right) {
        // Two that lack the same part agree on the rest only.
        (Some(left), Some(right)) if birth::is_partial(left) => birth::level(left, right),
        _ => both.level(birth::level),
    }
}

/// Numbers are written with and without their country; the subscriber's own part has at least this many digits.
const SUBSCRIBER: usize = 7;

fn phone(both: &Both<'_>) -> Level {
    both.level(|left, right| {
        let left = left.trim_start_matches('0');
        let right = right.trim_start_matches('0');
        let (short, long) = match left.len() < right.len() {
            true => (left, right),
            false => (right, left),
        };
        let same_end = short.len() >= SUBSCRIBER && long.ends_with(short);
        match same_end || one_slip(left, right) {
            true => Level::Close,
            false => Level::Different,
        }
    })
}

fn email(both: &Both<'_>) -> Level {
    both.level(|left, right| {
        if one_slip(left, right) {
            return Level::Close;
        }
        match (left.rsplit_once('@'), right.rsplit_once('@')) {
            (Some((one, _)), Some((other, _))) if one == other => Level::Part,
            _ => Level::Different,
        }
    })
}

/// Whether so many live there that the city says as little as a state: more than half a percent of everybody.
fn is_large_city(people: &People, index: u32) -> bool {
    let there = people.having_same(index, Field::City) as usize;
    there > 20 && there * 200 > people.len()
}

fn locality(postcode: &Both<'_>, city: &Both<'_>, state: &Both<'_>, is_large: bool) -> Level {
    let state = match state.level(|_, _| Level::Different) {
        Level::Exact => Level::State,
        other => other,
    };
    match (number(postcode), text(city)) {
        (Level::Exact, Level::Exact) => Level::Exact,
        (Level::Exact, Level::Close | Level::Similar) | (Level::Close, Level::Exact) => {
            Level::Close
        }
        (_, Level::Exact) if is_large => Level::State,
        (Level::Exact, _) | (_, Level::Exact) => Level::Part,
        (Level::Close, Level::Close | Level::Similar) => Level::Similar,
        (Level::Missing, Level::Missing) => state,
        _ if state == Level::State => Level::State,
        _ => Level::Different,
    }
}

/// Whether one letter was changed, left out or added, or two neighbours changed places. Of two letters or less, a slip
/// leaves nothing to know a value by.
pub(super) fn one_slip(left: &str, right: &str) -> bool {
    if left.len().abs_diff(right.len()) > 4 || left.len().min(right.len()) < 3 {
        return false;
    }
    let pairs = left.chars().zip(right.chars());
    let start = pairs.take_while(|(one, other)| one == other);
    let start: usize = start.map(|(letter, _)| letter.len_utf8()).sum();
    let (left, right) = (&left[start..], &right[start..]);
    let pairs = left.chars().rev().zip(right.chars().rev());
    let end = pairs.take_while(|(one, other)| one == other);
    let end: usize = end.map(|(letter, _)| letter.len_utf8()).sum();
    let mut left = left[..left.len() - end].chars();
    let mut right = right[..right.len() - end].chars();
    let left = (left.next(), left.next(), left.next());
    let right = (right.next(), right.next(), right.next());
    match (left, right) {
        ((_, None, _), (_, None, _)) => true,
        ((one, two, None), (three, four, None)) => one == four && two == three,
        _ => false,
    }
}
