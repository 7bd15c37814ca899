//! Dates of birth: the normal form, its parts, and how two of them agree. A date may lack parts, or its century.

use crate::likeness::compare::{Level, one_slip};
use crate::likeness::letters::letters;

/// A date as eight letters: `19840229`. A part that is not known is `00`, a century `--`. Dates that are not made of digits
/// are compared as letters.
pub(super) fn normal(text: &str) -> String {
    let groups = text.split(|letter: char| !letter.is_ascii_digit());
    let groups: Vec<&str> = groups.filter(|group| !group.is_empty()).collect();
    let (year, month, day) = match groups[..] {
        [year, month] if year.len() == 4 => (year, month, "0"),
        [year, month, day, ..] if year.len() == 4 => (year, month, day),
        [day, month, year, ..] if year.len() == 4 => (year, month, day),
        [day, month, year] if is_day_first(text, day) => (year, month, day),
        [year, month, day] => (year, month, day),
        [one] => match one.len() {
            8 if !is_year(&one[..4]) && is_year(&one[4..]) => (&one[4..], &one[2..4], &one[..2]),
            8 => (&one[..4], &one[4..6], &one[6..]),
            6 => (&one[..2], &one[2..4], &one[4..]),
            4 => (one, "0", "0"),
            _ => return letters(text),
        },
        _ => return letters(text),
    };
    let number = |part: &str| part.parse::<u32>().unwrap_or(u32::MAX);
    match (year.len(), number(month), number(day)) {
        (4, 0, 0) if number(year) == 0 => String::new(),
        (4, month @ 0..=99, day @ 0..=99) => format!("{year}{month:02}{day:02}"),
        (2, month @ 0..=99, day @ 0..=99) => format!("--{year}{month:02}{day:02}"),
        _ => letters(text),
    }
}

/// `29.02.84` and `29/02/84`, but `84-02-29`.
fn is_day_first(text: &str, first: &str) -> bool {
    !text.contains('-') && first.parse::<u32>().is_ok_and(|day| day <= 31)
}

fn is_year(digits: &str) -> bool {
    ["18", "19", "20"]
        .iter()
        .any(|century| digits.starts_with(century))
}

/// A date in normal form, by parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Birth {
    /// With its century, if that is known.
    full_year: Option<u32>,
    /// The last two digits.
    pub year: Option<u32>,
    pub month: Option<u32>,
    pub day: Option<u32>,
}

impl Birth {
    /// Nothing when the text is not a date.
    pub fn of(normal: &str) -> Option<Self> {
        if normal.len() != 8 || !normal.is_ascii() {
            return None;
        }
        let number = |part: &str| part.parse::<u32>().ok();
        let is_known = |part: &u32| *part > 0;
        let full_year = number(&normal[..4]);
        let (month, day) = (number(&normal[4..6])?, number(&normal[6..])?);
        Some(Self {
            full_year,
            year: number(&normal[2..4]).filter(|_| full_year != Some(0)),
            month: Some(month).filter(is_known),
            day: Some(day).filter(is_known),
        })
    }

    fn is_possible(self) -> bool {
        let days = match self.month {
            Some(2) => 29,
            Some(4 | 6 | 9 | 11) => 30,
            Some(1..=12) => 31,
            _ => 0,
        };
        self.day.is_some_and(|day| day <= days)
    }

    /// How many parts both know, and how many of those agree.
    fn agreement(self, other: Self) -> (usize, usize) {
        let year = match (self.full_year, other.full_year) {
            (Some(one), Some(other)) if one > 0 && other > 0 => Some(one == other),
            _ => self.year.zip(other.year).map(|(one, other)| one == other),
        };
        let parts = [
            year,
            self.month.zip(other.month).map(|(one, other)| one == other),
            self.day.zip(other.day).map(|(one, other)| one == other),
        ];
        let known = parts.iter().flatten();
        (
            known.clone().count(),
            known.filter(|agrees| **agrees).count(),
        )
    }

    fn is_same_year(self, other: Self) -> bool {
        self.year.is_some() && self.year == other.year
    }
}

/// Whether a date in normal form lacks something.
pub(super) fn is_partial(normal: &str) -> bool {
    Birth::of(normal).is_some_and(|birth| {
        let has_century = birth.full_year.is_some_and(|year| year > 0);
        !has_century || birth.month.is_none() || birth.day.is_none()
    })
}

/// The level of two dates that are not both whole and the same.
pub(super) fn level(left: &str, right: &str) -> Level {
    let is_close = one_slip(left, right);
    let (Some(one), Some(other)) = (Birth::of(left), Birth::of(right)) else {
        return match is_close {
            true => Level::Close,
            false => Level::Different,
        };
    };
    let is_swapped = one.is_same_year(other) && one.month == other.day && one.day == other.month;
    match one.agreement(other) {
        (3, 3) => Level::Close,
        (3, _) if is_swapped => Level::Swapped,
        (3, _) if is_close => Level::Close,
        (3, 2) | (2, 2) => Level::Part,
        (1, 1) => Level::Year,
        (0, _) => Level::Missing,
        // A day that does not exist says that something is wrong, but not what.
        (3, _) if one.is_same_year(other) && one.is_possible() != other.is_possible() => {
            Level::Year
        }
        _ => Level::Different,
    }
}
