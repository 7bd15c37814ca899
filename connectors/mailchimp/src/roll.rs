//! What is kept of who was in the list, so that members who are deleted for good are missed: Mailchimp tells of them in no way.
//! A cursor cannot hold the ids of a list, but a sketch of them has one size, and two sketches show how their sets differ.

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// Looking through the list may take this long for each thousand members, twenty times as long as it takes the ids of so many
/// to come: it never needs more than a twentieth of the requests.
const REST_MS: i64 = 2_000;

/// The list as it was looked through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Roll {
    pub sketch: Sketch,
    /// Milliseconds since 1970.
    pub started: i64,
    /// How many members there were, and how far changed and archived members had been read: as long as this is the
    /// same, nobody came or went.
    pub mark: Mark,
}

pub(crate) type Mark = (u64, Option<i64>, Option<i64>);

/// The list while it is looked through.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub offset: u64,
    pub started: i64,
    pub sketch: Sketch,
}

impl Listing {
    pub fn into_roll(self, mark: Mark) -> Roll {
        Roll {
            sketch: self.sketch,
            started: self.started,
            mark,
        }
    }
}

impl Roll {
    pub fn is_due(&self, now: i64) -> bool {
        let thousands = i64::try_from(self.mark.0 / 1_000).unwrap_or(i64::MAX);
        now - self.started >= thousands.saturating_mul(REST_MS)
    }

    /// Who was in the list and is not in `later`; none when too many came and went.
    pub fn missing(&self, later: &Self) -> Option<Vec<String>> {
        self.sketch.without(&later.sketch)
    }
}

/// The cells of each of four tables. A hundred ids that only one of two sets has can be told, and nearly always half as many again.
const CELLS: usize = 64;
const TABLES: usize = 4;
/// An id of up to 32 bytes behind its length. A longer one is not kept.
const ID: usize = 33;
/// A cell in bytes: its count, its ids and their checks.
const CELL: usize = 4 + ID + 4;

/// A set of ids in a fixed size: an invertible Bloom lookup table (Goodrich and Mitzenmacher, 2011). Each id is in one cell of each
/// table. A cell counts its ids and adds up their bits, so that what differs between two sets is what differs between their
/// cells, and a cell that is left with one id shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Sketch(Vec<Cell>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Cell {
    count: i32,
    ids: [u8; ID],
    checks: u32,
}

const EMPTY: Cell = Cell {
    count: 0,
    ids: [0; ID],
    checks: 0,
};

impl Default for Sketch {
    fn default() -> Self {
        Self(vec![EMPTY; TABLES * CELLS])
    }
}

impl Sketch {
    pub fn add(&mut self, id: &str) {
        if (1..ID).contains(&id.len()) {
            self.put(id, 1);
        }
    }

    fn put(&mut self, id: &str, by: i32) {
        let (places, check) = places_of(id);
        for place in places {
            let cell = &mut self.0[place];
            cell.count = cell.count.wrapping_add(by);
            cell.checks ^= check;
            cell.ids[0] ^= id.len() as u8;
            for (byte, more) in cell.ids[1..].iter_mut().zip(id.bytes()) {
                *byte ^= more;
            }
        }
    }

    /// The ids that `later` has no more, in their order; none when too many differ.
    fn without(&self, later: &Self) -> Option<Vec<String>> {
        let mut left = self.clone();
        for (cell, later) in left.0.iter_mut().zip(&later.0) {
            cell.count = cell.count.wrapping_sub(later.count);
            cell.checks ^= later.checks;
            let ids = cell.ids.iter_mut().zip(later.ids);
            ids.for_each(|(byte, later)| *byte ^= later);
        }
        let mut gone = Vec::new();
        let mut open: Vec<usize> = (0..left.0.len()).collect();
        // Where an id was counted twice, a cell may show one that is not there: then nothing is left to be sure of.
        let mut shown = 0;
        while let Some(place) = open.pop() {
            let cell = left.0[place];
            let Some(id) = cell.only(place) else { continue };
            shown += 1;
            if shown > left.0.len() {
                return None;
            }
            left.put(&id, -cell.count);
            open.extend(places_of(&id).0);
            if cell.count == 1 {
                gone.push(id);
            }
        }
        gone.sort_unstable();
        left.0.iter().all(|cell| *cell == EMPTY).then_some(gone)
    }
}

impl Cell {
    /// The one id that is in it.
    fn only(&self, place: usize) -> Option<String> {
        let length = usize::from(self.ids[0]);
        if self.count.abs() != 1 || length >= ID {
            return None;
        }
        let id = std::str::from_utf8(&self.ids[1..=length]).ok()?;
        let (places, check) = places_of(id);
        (places.contains(&place) && check == self.checks).then(|| id.to_owned())
    }

    fn bytes(self) -> impl Iterator<Item = u8> {
        let count = self.count.to_be_bytes().into_iter();
        count.chain(self.ids).chain(self.checks.to_be_bytes())
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let (ids, rest) = rest.split_first_chunk()?;
        Some(Self {
            count: i32::from_be_bytes(*count),
            ids: *ids,
            checks: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// Its cell in each table, and what tells it from other ids.
fn places_of(id: &str) -> ([usize; TABLES], u32) {
    let digest = Md5::digest(id.as_bytes());
    let place = |table: usize| table * CELLS + usize::from(digest[table]) % CELLS;
    let check = digest[TABLES..TABLES + 4].iter();
    let check = check.fold(0, |all, byte| all << 8 | u32::from(*byte));
    ([place(0), place(1), place(2), place(3)], check)
}

impl From<Sketch> for String {
    fn from(sketch: Sketch) -> Self {
        let bytes = sketch.0.into_iter().flat_map(Cell::bytes);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for Sketch {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.map(byte).collect();
        let bytes = bytes.ok_or("not hexadecimal")?;
        let cells: Option<Vec<Cell>> = bytes.chunks(CELL).map(Cell::parse).collect();
        let cells = cells.filter(|cells| cells.len() == TABLES * CELLS);
        cells.map(Self).ok_or("of another size")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> String {
        format!(
            "{:032x}",
            u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        )
    }

    fn sketch(ids: impl IntoIterator<Item = u32>) -> Sketch {
        let mut sketch = Sketch::default();
        ids.into_iter().for_each(|number| sketch.add(&id(number)));
        sketch
    }

    fn sorted(ids: impl IntoIterator<Item = u32>) -> Vec<String> {
        let mut ids: Vec<String> = ids.into_iter().map(id).collect();
        ids.sort();
        ids
    }

    #[test]
    fn what_only_the_first_of_two_sets_has_is_named() {
        for (gone, come) in [(0, 0), (1, 0), (0, 1), (1, 1), (3, 90), (50, 50), (100, 0)] {
            let before = sketch(0..20_000);
            let later = sketch(gone..20_000 + come);
            assert_eq!(
                before.without(&later),
                Some(sorted(0..gone)),
                "{gone} {come}"
            );
        }
    }

    #[test]
    fn of_too_many_nobody_is_named() {
        let before = sketch(0..20_000);
        for later in [sketch(400..20_000), sketch(0..25_000), sketch(0..0)] {
            assert_eq!(before.without(&later), None);
        }
    }

    #[test]
    fn an_id_that_was_counted_twice_takes_nobody_away() {
        let before = sketch(0..1_000);
        let later = sketch((0..1_000).chain([7]));
        assert_eq!(before.without(&later), Some(Vec::new()));
        // Afterwards it is there once, which looks like one that is gone: the connector looks for it.
        assert_eq!(later.without(&before), Some(sorted([7])));
        assert_eq!(
            later.without(&sketch((0..1_000).filter(|id| *id != 7))),
            None
        );
    }

    #[test]
    fn ids_of_any_text_up_to_its_size_are_kept() {
        for text in ["a", "ä", "0123456789abcdef0123456789abcdef"] {
            let mut before = Sketch::default();
            before.add(text);
            assert_eq!(
                before.without(&Sketch::default()),
                Some(vec![text.to_owned()])
            );
        }
        let mut other = Sketch::default();
        other.add("");
        other.add(&"x".repeat(33));
        assert_eq!(other, Sketch::default());
    }

    #[test]
    fn a_sketch_is_small_and_comes_back_from_its_text() {
        let sketch = sketch(0..100_000);
        let text = serde_json::to_string(&sketch).expect("text");
        assert!(text.len() < 22_000, "{}", text.len());
        assert_eq!(
            serde_json::from_str::<Sketch>(&text).expect("reads"),
            sketch
        );
        for bad in ["\"\"", "\"00\"", "\"zz\"", "\"é\"", "7"] {
            assert!(serde_json::from_str::<Sketch>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_short_list_is_looked_through_by_each_run_and_a_long_one_from_time_to_time() {
        let roll = |members| Listing::default().into_roll((members, None, None));
        assert!(roll(999).is_due(0));
        assert!(!roll(100_000).is_due(199_999) && roll(100_000).is_due(200_000));
        assert!(!roll(u64::MAX).is_due(i64::MAX - 1));
    }
}
