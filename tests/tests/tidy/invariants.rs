//! Each invariant is cited in a comment where the hub upholds it, and in a test that attacks it.
//! Owns the list of invariants that are not upheld yet.

use super::Breach;
use super::source::{Source, is_word};
use std::collections::BTreeSet;

/// Invariants that the hub does not uphold yet, with the reason. A line that is no longer true fails.
const NOT_YET: &[(u32, &str)] = &[(
    11,
    "connectors can erase a person, the hub cannot: `privacy` has a floor and no code",
)];

/// The rules' own samples cite everything and attack nothing.
const RULES: &str = "tests/tests/tidy";

/// `map` is the text of `ARCHITECTURE.md`, whose table lists the invariants.
pub fn uncited(map: &str, sources: &[Source]) -> Vec<Breach> {
    let listed: BTreeSet<u32> = map.lines().filter_map(row).collect();
    breaches(&listed, NOT_YET, sources)
}

/// `7` of a row that begins with `| I7 |`.
fn row(line: &str) -> Option<u32> {
    let (number, _) = line.strip_prefix("| I")?.split_once(" |")?;
    number.parse().ok()
}

fn breaches(listed: &BTreeSet<u32>, not_yet: &[(u32, &str)], sources: &[Source]) -> Vec<Breach> {
    let excepted: BTreeSet<u32> = not_yet.iter().map(|(number, _)| *number).collect();
    let all: BTreeSet<u32> = listed.union(&excepted).copied().collect();
    let mut breaches = Vec::new();
    for number in 1..=all.last().copied().unwrap_or_default() {
        let name = format!("I{number}");
        if !all.contains(&number) {
            let message = "is neither in the map's table nor among those not upheld yet";
            breaches.push(Breach::new(name, message));
            continue;
        }
        let (upheld, attacked) = cited(&name, sources);
        let is_excepted = excepted.contains(&number);
        match (upheld, attacked) {
            (true, true) if is_excepted => breaches.push(Breach::new(
                name,
                "is cited and attacked: the exception is stale",
            )),
            (true, true) => {}
            _ if is_excepted => {}
            (false, false) => breaches.push(Breach::new(
                name,
                "no file of the hub says that it upholds it, and no test that it attacks it",
            )),
            (false, true) => {
                breaches.push(Breach::new(
                    name,
                    "no file of the hub says that it upholds it",
                ));
            }
            (true, false) => {
                breaches.push(Breach::new(name, "no test says that it attacks it"));
            }
        }
    }
    breaches
}

/// Whether a file of the hub upholds an invariant, and whether a test attacks it.
fn cited(name: &str, sources: &[Source]) -> (bool, bool) {
    let (mut upheld, mut attacked) = (false, false);
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with(RULES))
    {
        for at in citations(source, name) {
            match source.tests.iter().any(|tests| tests.contains(&at)) {
                true => attacked = true,
                false => upheld |= source.path.starts_with("hub/src/"),
            }
        }
    }
    (upheld, attacked)
}

/// Places in comments where the name stands as a word.
fn citations<'s>(source: &'s Source, name: &'s str) -> impl Iterator<Item = usize> + 's {
    let bytes = source.text.as_bytes();
    let found = source.text.match_indices(name).map(|(at, _)| at);
    found.filter(move |at| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + name.len());
        let is_whole = !before.is_some_and(is_word) && !after.copied().is_some_and(is_word);
        is_whole && is_in_comment(source, *at)
    })
}

fn is_in_comment(source: &Source, at: usize) -> bool {
    let begin = source.text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = source.text[at..].find('\n');
    let end = end.map_or(source.text.len(), |end| at + end);
    let comment = source.text[begin..at].find("//");
    // A text is blank in the code, too, but something follows it.
    comment.is_some_and(|comment| source.code[begin + comment..end].trim().is_empty())
}

fn messages(listed: &[u32], not_yet: &[(u32, &str)], files: &[(&str, &str)]) -> Vec<String> {
    let listed = listed.iter().copied().collect();
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::new(path, text))
        .collect();
    let breaches = breaches(&listed, not_yet, &sources).into_iter();
    breaches
        .map(|breach| format!("{} {}", breach.place, breach.message))
        .collect()
}

const UPHOLDS: (&str, &str) = ("hub/src/a.rs", "// I1: the cursor follows.\nfn f() {}\n");
const ATTACKS: (&str, &str) = ("tests/tests/a.rs", "//! I1, killed half-way.\n");

#[test]
fn an_invariant_that_is_upheld_and_attacked_is_no_breach() {
    assert_eq!(messages(&[1], &[], &[UPHOLDS, ATTACKS]), [""; 0]);
    let both =
        "/// Upholds (I1).\nfn f() {}\n#[cfg(test)]\nmod tests {\n    // I1\n    fn t() {}\n}\n";
    assert_eq!(messages(&[1], &[], &[("hub/src/a.rs", both)]), [""; 0]);
}

#[test]
fn an_invariant_that_nothing_upholds_or_attacks_is_seen() {
    assert_eq!(
        messages(&[1], &[], &[ATTACKS]),
        ["I1 no file of the hub says that it upholds it"]
    );
    assert_eq!(
        messages(&[1], &[], &[UPHOLDS]),
        ["I1 no test says that it attacks it"]
    );
    let neither = "I1 no file of the hub says that it upholds it, and no test that it attacks it";
    for (path, text) in [
        (
            "hub/src/a.rs",
            "struct I1;\nconst A: &str = \"I1\";\n// I12, XI1\n",
        ),
        ("connectors/a/src/lib.rs", "// I1\n"),
        ("tests/tests/tidy/a.rs", "// I1\n"),
        ("hub/src/a.rs", "const A: &str = \"http://I1\";\n"),
    ] {
        let found = messages(&[1], &[], &[(path, text)]);
        assert_eq!(found, [neither], "{path}: {text}");
    }
}

#[test]
fn an_exception_holds_until_the_invariant_is_upheld_and_attacked() {
    let not_yet = [(1, "nobody has built it")];
    assert_eq!(messages(&[1], &not_yet, &[]), [""; 0]);
    assert_eq!(messages(&[], &not_yet, &[UPHOLDS]), [""; 0]);
    assert_eq!(
        messages(&[1], &not_yet, &[UPHOLDS, ATTACKS]),
        ["I1 is cited and attacked: the exception is stale"]
    );
}

#[test]
fn a_number_that_nobody_lists_is_seen() {
    let found = messages(&[3], &[(1, "nobody has built it")], &[]);
    assert_eq!(
        found[0],
        "I2 is neither in the map's table nor among those not upheld yet"
    );
    let rows = "| | what always holds |\n| I1 | a |\n| I17 | b |\n| Ix | c |\nI2\n";
    let listed: Vec<u32> = rows.lines().filter_map(row).collect();
    assert_eq!(listed, [1, 17]);
}
