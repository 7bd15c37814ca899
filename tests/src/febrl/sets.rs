//! The sets that are measured, and which of them the comparisons were tuned on.

use super::data::{Fields, Person, febrl, rldata};
use super::made::{Known, Made};
use super::names::{CZECHIA, Country, ENGLAND, FRANCE, GERMANY, POLAND, RUSSIA, SPAIN, UKRAINE};
use super::{slips, unseen};
use crate::population::Draw;
use anyhow::Result;
use std::path::Path;

pub struct Set {
    pub name: &'static str,
    /// Whether its mistakes were looked at while the comparisons were chosen. What it gives says little about other data.
    pub tuned_on: bool,
    source: Source,
}

enum Source {
    /// Of two files, each has everybody once.
    Febrl(&'static [&'static str]),
    RecordLinkage(&'static str),
    Made(Made),
}

impl Set {
    pub const ALL: [Self; 15] = [
        Self::tuned("Febrl 3", Source::Febrl(&["dataset3.csv"])),
        Self::tuned(
            "Febrl 4",
            Source::Febrl(&["dataset4a.csv", "dataset4b.csv"]),
        ),
        Self::tuned("Typing errors", made(1, WEST, Known::Birth, slips::typing)),
        Self::tuned("Dates", made(1, WEST, Known::Birth, slips::dates)),
        Self::tuned("Spellings", made(1, WEST, Known::Birth, slips::spellings)),
        Self::tuned(
            "Name and place",
            made(1, WEST, Known::Place, slips::few_fields),
        ),
        Self::tuned("Families", made(1, WEST, Known::Home, slips::few_fields)),
        Self::tuned(
            "After years",
            made(73, FAMILIES, Known::Home, unseen::after_years),
        ),
        Self::unseen("Febrl 1", Source::Febrl(&["dataset1.csv"])),
        Self::unseen("Febrl 2", Source::Febrl(&["dataset2.csv"])),
        Self::unseen("RLdata500", Source::RecordLinkage("RLdata500")),
        Self::unseen("RLdata10000", Source::RecordLinkage("RLdata10000")),
        Self::unseen("By ear", made(71, SOUTH, Known::Birth, unseen::by_ear)),
        Self::unseen(
            "Alphabets",
            made(72, EAST, Known::Birth, unseen::in_another_alphabet),
        ),
        Self::unseen("Couples", made(74, CENTRE, Known::House, unseen::ordering)),
    ];

    const fn tuned(name: &'static str, source: Source) -> Self {
        Self {
            name,
            tuned_on: true,
            source,
        }
    }

    const fn unseen(name: &'static str, source: Source) -> Self {
        Self {
            name,
            tuned_on: false,
            source,
        }
    }

    pub fn lists(&self) -> bool {
        matches!(self.source, Source::Febrl(files) if files.len() > 1)
    }

    /// # Errors
    /// When a file of the folder is not there or a line is not as expected.
    pub fn people(&self, folder: &Path) -> Result<Vec<Person>> {
        match &self.source {
            Source::Febrl(files) => febrl(folder, files),
            Source::RecordLinkage(name) => rldata(folder, name),
            Source::Made(made) => Ok(made.people()),
        }
    }
}

const WEST: &[&Country] = &[&POLAND, &GERMANY, &ENGLAND];
const SOUTH: &[&Country] = &[&CZECHIA, &SPAIN, &FRANCE];
const EAST: &[&Country] = &[&UKRAINE, &RUSSIA];
const CENTRE: &[&Country] = &[&GERMANY, &CZECHIA];
const FAMILIES: &[&Country] = &[&GERMANY, &SPAIN, &FRANCE];

const fn made(
    seed: u64,
    countries: &'static [&'static Country],
    known: Known,
    harm: fn(&mut Fields, &mut Draw),
) -> Source {
    Source::Made(Made {
        seed,
        countries,
        known,
        harm,
    })
}
