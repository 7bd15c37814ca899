//! The pure part of landing: splits a chunk into lines, hashes them, and decides how each line relates to the stored record
//! with the same key. Knows nothing about mappings except the times that are passed in.

/// A record as it came: one line of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub body: &'a [u8],
    /// Content hash; equal lines are the same version.
    pub hash: i64,
}

/// The non-empty lines of a chunk.
pub fn lines(data: &[u8]) -> impl Iterator<Item = Line<'_>> {
    data.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|body| Line {
            body,
            hash: hash(body),
        })
}

/// The first 64 bits of BLAKE3.
pub fn hash(bytes: &[u8]) -> i64 {
    first_bits(&blake3::hash(bytes))
}

/// Where a record's row would like to be. Non-negative; `next_slot` says where it goes when that is taken. Records that the
/// vendor numbers, with or without a word before the number, are in the order of their numbers, so that a batch of them
/// touches few pages. Everything else goes where its hash says.
pub fn slot_of(stream_id: i64, key: &str) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&stream_id.to_le_bytes());
    match numbered(key) {
        Some(("", number)) => in_order(stream_id, number),
        Some((word, number)) => in_order(
            first_bits(&hasher.update(word.as_bytes()).finalize()),
            number,
        ),
        None => hashed(hasher.update(key.as_bytes())),
    }
}

/// Where an identifier's row would like to be: a vendor's numbers in their order, too.
pub fn slot_of_identifier(kind: &str, value: &str) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes());
    hasher.update(&[0]);
    let is_key = kind.starts_with("external:") || kind == "user_id";
    match numbered(value).filter(|_| is_key) {
        Some((word, number)) => in_order(
            first_bits(&hasher.update(word.as_bytes()).finalize()),
            number,
        ),
        None => hashed(hasher.update(value.as_bytes())),
    }
}

/// Where to look next when a slot is taken by another key: far away, since its neighbours may all be taken.
pub fn next_slot(slot: i64) -> i64 {
    hash(&slot.to_le_bytes()) & i64::MAX | HASHED
}

/// Slots from here on are hashes; below they are numbers in order, each row of numbers in a block of 2^40.
const HASHED: i64 = 1 << 62;

fn in_order(block: i64, number: i64) -> i64 {
    (block & ((1 << 22) - 1)) << 40 | number
}

/// A key that ends in a number of at most 40 bits, as what stands before it and the number. A word takes a number of some
/// digits: a few digits at the end of something random would lead many keys to one place.
fn numbered(key: &str) -> Option<(&str, i64)> {
    let digits = key.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (word, number) = key.split_at(key.len() - digits);
    if digits < if word.is_empty() { 1 } else { LEAST_DIGITS } {
        return None;
    }
    let number = number.parse().ok()?;
    (number < 1 << 40).then_some((word, number))
}

/// How many digits a number has at least that follows a word.
const LEAST_DIGITS: usize = 4;

fn hashed(hasher: &blake3::Hasher) -> i64 {
    first_bits(&hasher.finalize()) & i64::MAX | HASHED
}

fn first_bits(hash: &blake3::Hash) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_le_bytes(bytes)
}

/// What decides between two versions of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub hash: i64,
    /// UTC milliseconds, where the stream tells.
    pub updated_at: Option<i64>,
}

/// What an arriving version is to the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The record was unknown, or known as deleted.
    Added,
    Changed,
    Unchanged,
    /// Older than what is known: kept, but without effect.
    Stale,
}

/// What arrives last is what the vendor says now, unless both versions tell their time and the arriving one is older. Two
/// versions of the same time follow each other in the order in which their stream gave them.
pub fn decide(known: Option<Version>, arriving: Version) -> Arrival {
    let Some(known) = known else {
        return Arrival::Added;
    };
    if known.hash == arriving.hash {
        return Arrival::Unchanged;
    }
    match (known.updated_at, arriving.updated_at) {
        (Some(old), Some(new)) if new < old => Arrival::Stale,
        _ => Arrival::Changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_not_records() {
        let cut: Vec<_> = lines(b"{\"id\":1}\n\n{\"id\":2}")
            .map(|line| line.body.to_vec())
            .collect();
        assert_eq!(cut, [b"{\"id\":1}".to_vec(), b"{\"id\":2}".to_vec()]);
    }

    fn version(hash: i64, updated_at: Option<i64>) -> Version {
        Version { hash, updated_at }
    }

    #[test]
    fn the_later_time_wins_whichever_came_first() {
        let (old, new) = (version(9, Some(2)), version(3, Some(10)));
        assert_eq!(decide(Some(old), new), Arrival::Changed);
        assert_eq!(decide(Some(new), old), Arrival::Stale);
    }

    #[test]
    fn of_two_versions_with_one_time_the_one_that_arrives_last_wins() {
        for (first, second) in [(5, 3), (3, 5)] {
            let versions = [version(first, Some(10)), version(second, Some(10))];
            assert_eq!(decide(Some(versions[0]), versions[1]), Arrival::Changed);
        }
    }

    #[test]
    fn numbered_keys_lie_in_their_order_and_words_apart() {
        let keys = ["user-0999", "user-1000", "user-1001", "user-20000"];
        let slots = keys.map(|key| slot_of(1, key));
        assert!(
            slots.is_sorted() && slots[3] - slots[0] == 20_000 - 999,
            "{slots:?}"
        );
        let plain = ["7", "8", "900"].map(|key| slot_of(1, key));
        assert!(plain.is_sorted() && plain[2] - plain[0] == 893, "{plain:?}");
        for other in ["team-1000", "1000", "user-100", "user-1000a"] {
            assert!(slot_of(1, other).abs_diff(slots[1]) > 1 << 39, "{other}");
        }
        assert!(slot_of(2, "user-1000").abs_diff(slots[1]) > 1 << 39);
        assert_eq!(
            slot_of(1, "007"),
            slot_of(1, "7"),
            "told apart by their keys"
        );
    }

    #[test]
    fn without_a_time_the_last_arrival_wins() {
        let known = Version {
            hash: 5,
            updated_at: None,
        };
        assert_eq!(
            decide(
                Some(known),
                Version {
                    hash: 1,
                    updated_at: None
                }
            ),
            Arrival::Changed
        );
    }
}
