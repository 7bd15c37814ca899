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
    let same_sound = |name| people.sounds(left, name) == people.sounds(right, name);
    // A name of one word is its own word.
    let words = |index, words, name| people.text(index, words).or_else(|| people.text(index, name));
    let any_word = |several, name, fit: &dyn Fn(&str, &str) -> bool| {
        let (one, other) = (words(left, several, name), words(right, several, name));
        let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
        one.split(' ').any(|one| other.split(' ').any(|other| fit(one, other)))
    };
    let other = |name, several, least: usize, one: &str, other: &str| match letters(one, other) {
        Level::Close => Level::Close,
        _ if any_word(several, name, &|one, other| one == other && one.len() >= least) => Level::Part,
        Level::Different if same_sound(name) => Level::Similar,
        level => level,
    };
    let is_form = || any_word(Field::GivenNames, Field::GivenName, &are_forms_of_one_name);
    let given = given.level(|left, right| match is_form() {
        true => Level::Form,
        false => other(Field::GivenName, Field::GivenNames, GIVEN_WORD, left, right),
    });
    let surname = surname
        .level(|left, right| other(Field::Surname, Field::Surnames, SURNAME_WORD, left, right));
    (given, surname)
}

/// The least letters of a word that is a name. In front of surnames, shorter ones are particles: `van`, `de`.
const GIVEN_WORD: usize = 3;
const SURNAME_WORD: usize = 4;
