//! How well the hub finds who is who, by its exact rules and by its model of likeness, in data with a known answer: Febrl
//! (made-up Australians with made-up mistakes, the data that programs for record linkage are compared on), the files of
//! the package RecordLinkage (German names and dates of birth), and people made here. The answer is used to count and
//! for nothing else. Half of the sets were not looked at while the comparisons were chosen.

mod data;
mod made;
mod names;
mod rules;
mod sets;
mod slips;
mod unseen;

pub use data::{Person, fetch};
pub use sets::Set;

use anyhow::{Context, Result};
use onefold::likeness::{Options, People, Record, Standing, Suggestions, estimate, suggest};
use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

/// One way of finding pairs, on one set.
pub struct Line {
    pub set: &'static str,
    pub tuned_on: bool,
    pub method: Method,
    /// Pairs that were found, how many of them are right, and how many right ones there are.
    pub found: u64,
    pub right: u64,
    pub truth: u64,
    pub seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The hub's identity on exact keys, without any likeness.
    Rules,
    /// Every pair that the model suggests, pair by pair.
    Suggested,
    /// The pairs that would be linked without asking.
    Automatic,
    /// The people that those links make: two records linked through others count as a pair, too.
    AutomaticPeople,
}

impl Method {
    pub fn words(self) -> &'static str {
        match self {
            Self::Rules => "exact rules",
            Self::Suggested => "likeness: suggested pairs",
            Self::Automatic => "likeness: automatic links",
            Self::AutomaticPeople => "likeness: people by automatic links",
        }
    }
}

impl Line {
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.found.max(1) as f64
    }

    pub fn recall(&self) -> f64 {
        self.right as f64 / self.truth as f64
    }

    pub fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.found + self.truth) as f64
    }
}

pub struct Goal {
    pub text: String,
    pub held: bool,
}

/// Every method on the sets that are wanted, in the order of the table. `folder` has the files.
///
/// # Errors
/// When a file cannot be read or is not what it should be, or the model cannot be estimated.
pub fn measure(folder: &Path, is_wanted: impl Fn(&Set) -> bool) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for set in Set::ALL.iter().filter(|set| is_wanted(set)) {
        let people = set.people(folder)?;
        let truth = pairs(&people, &labels(&people, |person| person.truth)).found;
        let mut line = |method, counted: Counted, seconds| {
            lines.push(Line {
                set: set.name,
                tuned_on: set.tuned_on,
                method,
                found: counted.found,
                right: counted.right,
                truth,
                seconds,
            });
        };
        let begin = Instant::now();
        let by_rules = rules::resolve(&people)?;
        line(
            Method::Rules,
            pairs(&people, &by_rules),
            begin.elapsed().as_secs_f64(),
        );
        let begin = Instant::now();
        let suggestions = suggestions(set, &people)?;
        let seconds = begin.elapsed().as_secs_f64();
        line(
            Method::Suggested,
            count(&people, &suggestions, false),
            seconds,
        );
        line(
            Method::Automatic,
            count(&people, &suggestions, true),
            seconds,
        );
        let linked = pairs(&people, &linked(&people, &suggestions));
        line(Method::AutomaticPeople, linked, seconds);
    }
    Ok(lines)
}

/// The least F1 of the suggested pairs. Those of the sets that nothing was tuned on are a little below the first measurement.
const LEAST_F1: [(&str, f64); 13] = [
    ("Febrl 3", 0.99),
    ("Febrl 4", 0.995),
    ("Typing errors", 0.94),
    ("Dates", 0.89),
    ("Spellings", 0.97),
    ("Name and place", 0.91),
    ("Families", 0.65),
    ("After years", 0.65),
    ("RLdata500", 0.95),
    ("RLdata10000", 0.96),
    ("By ear", 0.93),
    ("Alphabets", 0.84),
    ("Couples", 0.82),
];

/// What has to be reached, and whether it was.
pub fn goals(lines: &[Line]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (set, least_f1) in LEAST_F1 {
        for line in lines.iter().filter(|line| line.set == set) {
            let (what, value, least, least_recall) = match line.method {
                Method::Rules => continue,
                Method::Suggested => ("F1", line.f1(), least_f1, 0.0),
                // Finding nothing makes no mistakes.
                Method::Automatic | Method::AutomaticPeople if set.starts_with("Febrl") => {
                    ("precision", line.precision(), 0.999, 0.9)
                }
                Method::Automatic | Method::AutomaticPeople => continue,
            };
            goals.push(Goal {
                held: value >= least && line.recall() > least_recall,
                text: format!(
                    "{set}, {}: {what} at least {least}: {value:.4}",
                    line.method.words()
                ),
            });
        }
    }
    goals
}

fn suggestions(set: &Set, people: &[Person]) -> Result<Suggestions> {
    let mut compared = People::default();
    for (id, person) in (0..).zip(people) {
        let text = |index: usize| Some(person.fields[index].clone());
        compared.add(&Record {
            id,
            list: set.lists().then_some(person.list),
            given_name: text(data::GIVEN_NAME),
            surname: text(data::SURNAME),
            house_number: text(data::STREET_NUMBER),
            street: text(data::ADDRESS_1),
            address_line: text(data::ADDRESS_2),
            city: text(data::CITY),
            postcode: text(data::POSTCODE),
            state: text(data::STATE),
            birth_date: text(data::DATE_OF_BIRTH),
            national_id: text(data::SOC_SEC_ID),
            ..Record::default()
        });
    }
    let options = Options::default();
    let model = estimate(&compared, &options).with_context(|| format!("{}: no model", set.name))?;
    Ok(suggest(&compared, &model, &options))
}

struct Counted {
    found: u64,
    right: u64,
}

/// The suggested pairs as they stand.
fn count(people: &[Person], suggestions: &Suggestions, automatic: bool) -> Counted {
    let mut counted = Counted { found: 0, right: 0 };
    for pair in &suggestions.pairs {
        if !automatic || pair.standing == Standing::Automatic {
            counted.found += 1;
            let truth = |id: u64| people[id as usize].truth;
            counted.right += u64::from(truth(pair.left) == truth(pair.right));
        }
    }
    counted
}

/// Everybody's person when automatic pairs are one.
fn linked(people: &[Person], suggestions: &Suggestions) -> Vec<u64> {
    let mut label: Vec<u64> = (0..people.len() as u64).collect();
    let mut members: Vec<Vec<u64>> = label.iter().map(|&id| vec![id]).collect();
    for pair in &suggestions.pairs {
        let (into, from) = (label[pair.left as usize], label[pair.right as usize]);
        if pair.standing == Standing::Automatic && into != from {
            let moved = std::mem::take(&mut members[from as usize]);
            for &id in &moved {
                label[id as usize] = into;
            }
            members[into as usize].extend(moved);
        }
    }
    label
}

fn labels(people: &[Person], of: impl Fn(&Person) -> u64) -> Vec<u64> {
    people.iter().map(of).collect()
}

/// The pairs of records with the same label, without those inside a list that has everybody once.
fn pairs(people: &[Person], labels: &[u64]) -> Counted {
    let lists = people.iter().any(|person| person.list > 0);
    let count = |with_truth: bool, with_list: bool| {
        let mut sizes: HashMap<(u64, u64, u32), u64> = HashMap::new();
        for (person, &label) in people.iter().zip(labels) {
            let truth = if with_truth { person.truth } else { 0 };
            let list = if with_list { person.list } else { 0 };
            *sizes.entry((label, truth, list)).or_default() += 1;
        }
        sizes
            .values()
            .map(|size| size * (size - 1) / 2)
            .sum::<u64>()
    };
    let across = |with_truth| match lists {
        true => count(with_truth, false) - count(with_truth, true),
        false => count(with_truth, false),
    };
    Counted {
        found: across(false),
        right: across(true),
    }
}
