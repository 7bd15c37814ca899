//! Landing, the pure part: cutting a chunk into lines, hashing them, and deciding what a line is to the record
//! known under its key. Knows no mapping beyond the times that it is given.

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

/// Where a record's row would like to be. Non-negative; the store moves on to the next free place.
pub fn slot_of(stream_id: i64, key: &str) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&stream_id.to_le_bytes());
    hasher.update(key.as_bytes());
    first_bits(&hasher.finalize()) & i64::MAX
}

/// Where an identifier's row would like to be.
pub fn slot_of_identifier(kind: &str, value: &str) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes());
    hasher.update(&[0]);
    hasher.update(value.as_bytes());
    first_bits(&hasher.finalize()) & i64::MAX
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

/// I1: where both versions tell their time, the later wins and a tie goes to the larger hash, so that the order of
/// arrival does not matter; otherwise the version that arrives last wins.
pub fn decide(known: Option<Version>, arriving: Version) -> Arrival {
    let Some(known) = known else {
        return Arrival::Added;
    };
    if known.hash == arriving.hash {
        return Arrival::Unchanged;
    }
    match (known.updated_at, arriving.updated_at) {
        (Some(old), Some(new)) if (new, arriving.hash) < (old, known.hash) => Arrival::Stale,
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

    #[test]
    fn the_winner_of_two_versions_does_not_depend_on_which_came_first() {
        let versions = [
            Version {
                hash: 5,
                updated_at: Some(10),
            },
            Version {
                hash: 3,
                updated_at: Some(10),
            },
            Version {
                hash: 9,
                updated_at: Some(2),
            },
        ];
        for first in versions {
            for second in versions {
                let winner = |known: Version, arriving| match decide(Some(known), arriving) {
                    Arrival::Stale | Arrival::Unchanged => known,
                    _ => arriving,
                };
                assert_eq!(winner(first, second), winner(second, first));
            }
        }
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
