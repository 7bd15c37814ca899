//! How the names of two people agree: as they are written, as short forms, as one word of several, and as they sound.

use crate::likeness::compare::{Both, Level, in_each_others_place, letters, one_slip};
use crate::likeness::nicknames::are_forms_of_one_name;
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
        match words.any(|one, other| one != other && are_forms_of_one_name(one, other)) {
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

    fn any(&self, fit: impl Fn(&str, &str) -> bool) -> bool {
        let (left, right) = self.words;
        left.split(' ')
            .any(|one| right.split(' ').any(|other| fit(one, other)))
    }

    /// Whether one is a word of the other, or both have a word that is more than a particle: `van`, `de`.
    fn share_one(&self) -> bool {
        let is_whole = |word: &str| word == self.whole.0 || word == self.whole.1;
        self.any(|one, other| one == other && (is_whole(one) || one.len() > PARTICLE))
    }
}

fn level(people: &People, left: u32, right: u32, name: Field, words: &Words<'_>) -> Level {
    let (one, other) = words.whole;
    match letters(one, other) {
        Level::Close => Level::Close,
        _ if words.share_one() => Level::Part,
        Level::Different if people.sound_alike(left, right, name) => Level::Similar,
        level => level,
    }
}

/// The most letters of a particle.
const PARTICLE: usize = 3;
