//! How the names of two people agree: as they are written, as short forms, as one word of several, and as they sound.

use crate::likeness::compare::{Both, Level, in_each_others_place, letters, one_slip};
use crate::likeness::nicknames::{are_forms_of_one_name, share_a_name};
use crate::likeness::people::{Field, People};

/// Whether two given names in normal form may be one: short forms of it, an initial, or written a little differently.
pub fn may_be_one_given_name(left: &str, right: &str) -> bool {
    left == right
        || are_forms_of_one_name(left, right)
        || matches!(letters(left, right), Level::Close | Level::Similar)
}

/// The same, for where it would cost much to take somebody else's name for it: a slip counts in long names only.
pub fn is_likely_one_name(left: &str, right: &str) -> bool {
    let are_long = left.len().min(right.len()) >= LONG_NAME;
    left == right || are_forms_of_one_name(left, right) || are_long && one_slip(left, right)
}

const LONG_NAME: usize = 7;

/// The levels of given name and surname.
pub(super) fn levels(people: &People, left: u32, right: u32) -> (Level, Level) {
    let given = Both::of(people, left, right, Field::GivenName);
    let surname = Both::of(people, left, right, Field::Surname);
    if in_each_others_place(&given, &surname) {
        return (Level::Swapped, Level::Missing);
    }
    let given = given.level(|one, other| {
        let words = Words::of(people, left, right, Field::GivenNames, one, other);
        match words.have_forms_of_one() {
            true => Level::Form,
            false => level(people, left, right, Field::GivenName, &words),
        }
    });
    let surname = surname.level(|one, other| {
        let words = Words::of(people, left, right, Field::Surnames, one, other);
        level(people, left, right, Field::Surname, &words)
    });
    (given, surname)
}

/// A name of two people, written together and word by word.
struct Words<'a> {
    whole: (&'a str, &'a str),
    words: (&'a str, &'a str),
}

impl<'a> Words<'a> {
    fn of(
        people: &'a People,
        left: u32,
        right: u32,
        words: Field,
        one: &'a str,
        other: &'a str,
    ) -> Self {
        Self {
            whole: (one, other),
            words: (
                people.text(left, words).unwrap_or(one),
                people.text(right, words).unwrap_or(other),
            ),
        }
    }

    /// Whether a word of one is a form of a word of the other. An initial stands for the word in its own place: John A. is not Anna.
    fn have_forms_of_one(&self) -> bool {
        let (left, right) = self.words;
        let mut in_place = left.split(' ').zip(right.split(' '));
        in_place.any(|(one, other)| one != other && are_forms_of_one_name(one, other))
            || self.any(|one, other| one != other && share_a_name(one, other))
    }

    fn any(&self, fit: impl Fn(&str, &str) -> bool) -> bool {
        let (left, right) = self.words;
        left.split(' ')
            .any(|one| right.split(' ').any(|other| fit(one, other)))
    }

    /// Whether one is a word of the other, or both have a surname that is more than a particle: `van`, `de`. Two given names of which
    /// one is the same are two people's, Jean-Paul and Jean-Pierre.
    fn share_one(&self, name: Field) -> bool {
        let is_whole = |word: &str| word == self.whole.0 || word == self.whole.1;
        let is_long = |word: &str| name == Field::Surname && word.len() > PARTICLE;
        self.any(|one, other| one == other && (is_whole(one) || is_long(one)))
    }
}

fn level(people: &People, left: u32, right: u32, name: Field, words: &Words<'_>) -> Level {
    let (one, other) = words.whole;
    match letters(one, other) {
        Level::Close => Level::Close,
        _ if words.share_one(name) => Level::Part,
        Level::Different if people.sound_alike(left, right, name) => Level::Similar,
        level => level,
    }
}

/// The most letters of a particle.
const PARTICLE: usize = 3;
