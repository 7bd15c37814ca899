//! The rules of the house, each a test, each shown to fail on a bad sample.
//! Owns the list of exceptions, which may only shrink; `ARCHITECTURE.md` says what the rules are for.

mod codes;
mod english;
mod floors;
mod invariants;
mod rooms;
mod rules;
mod source;

use source::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A place that may break a rule for now. Take a line out, or make its number smaller; never the other way round.
struct Exception {
    rule: &'static str,
    /// As the rule's message names it.
    place: &'static str,
    /// The size that is tolerated; 0 for rules that do not measure.
    up_to: usize,
}

const EXCEPTIONS: &[Exception] = &[];

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    /// File, and function or line.
    place: String,
    message: String,
    /// What was measured, 0 when nothing was.
    size: usize,
}

impl Breach {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
            size: 0,
        }
    }

    fn measured(self, size: usize) -> Self {
        Self { size, ..self }
    }
}

/// Fails unless the breaches are exactly the exceptions of that rule.
fn hold(rule: &str, breaches: &[Breach]) {
    let complaints = complaints(rule, breaches, EXCEPTIONS);
    assert!(complaints.is_empty(), "{rule}:\n{}", complaints.join("\n"));
}

fn complaints(rule: &str, breaches: &[Breach], exceptions: &[Exception]) -> Vec<String> {
    let exceptions: Vec<_> = exceptions
        .iter()
        .filter(|exception| exception.rule == rule)
        .collect();
    let put_up_with = |breach: &Breach| {
        exceptions
            .iter()
            .any(|exception| exception.place == breach.place && breach.size <= exception.up_to)
    };
    let broken = breaches.iter().filter(|breach| !put_up_with(breach));
    let mut lines: Vec<String> = broken
        .map(|breach| format!("  {}: {}", breach.place, breach.message))
        .collect();
    for exception in exceptions {
        let largest = breaches
            .iter()
            .filter(|breach| breach.place == exception.place)
            .map(|breach| breach.size)
            .max();
        if largest.is_none_or(|size| size < exception.up_to) {
            let now = largest.map_or("nothing".to_owned(), |size| size.to_string());
            lines.push(format!(
                "  {}: the exception is stale: {} allowed, {now} found",
                exception.place, exception.up_to
            ));
        }
    }
    lines
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests package is in the workspace")
        .to_owned()
}

/// Every Rust file of the workspace, test modules that another file declares marked as such.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["hub", "connector-sdk", "connectors", "tests", "xtask"] {
        collect(&root().join(folder), &mut files);
    }
    let mut sources: Vec<Source> = files.iter().map(|file| read(file)).collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let path = source.path.trim_end_matches(".rs");
        if tests
            .iter()
            .any(|test| path == test || path.starts_with(&format!("{test}/")))
        {
            source.is_test();
        }
    }
    sources
}

/// The hub's documents: what it is, how it is built, its reference, and the page of each problem.
fn documents() -> Vec<english::Document> {
    let pages =
        std::fs::read_dir(root().join("hub/src/problem/pages")).expect("pages can be listed");
    let mut files: Vec<PathBuf> = pages
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    files.sort();
    let documents = [
        "README.md",
        "hub/ARCHITECTURE.md",
        "hub/docs/reference/commands.md",
        "hub/docs/reference/filters.md",
        "hub/docs/reference/keys.md",
    ];
    files.extend(documents.map(|name| root().join(name)));
    let documents = files.iter().map(|file| {
        let source = read(file);
        (source.path, source.text)
    });
    documents.collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot list `{}`: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

fn read(file: &Path) -> Source {
    let text = std::fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("cannot read `{}`: {error}", file.display()));
    let path = file
        .strip_prefix(root())
        .expect("it was found under the root");
    Source::new(&path.to_string_lossy().replace('\\', "/"), &text)
}

#[test]
fn imports_go_down_only() {
    hold("imports", &floors::imports(&sources()));
}

#[test]
fn the_pure_floors_know_no_machinery() {
    hold("machinery", &floors::machinery(&sources()));
}

#[test]
fn each_heavy_crate_has_one_home() {
    hold("homes", &floors::homes(&sources()));
}

#[test]
fn every_module_of_the_hub_stands_on_a_floor() {
    let library = read(&root().join("hub/src/lib.rs"));
    hold("floors", &floors::without_a_floor(&library));
}

/// `cargo test --workspace --test main -- tidy::the_rooms_of_flow --nocapture` shows the floors.
#[test]
fn the_rooms_of_flow() {
    let sources = sources();
    println!("{}", rooms::table(&sources));
    hold("rooms", &rooms::imports(&sources));
    hold("floors of rooms", &rooms::without_a_floor(&sources));
}

#[test]
fn each_invariant_is_upheld_by_the_hub_and_attacked_by_a_test() {
    let map = std::fs::read_to_string(root().join("hub/ARCHITECTURE.md"));
    let map = map.expect("the map can be read");
    hold("invariants", &invariants::uncited(&map, &sources()));
}

#[test]
fn functions_fit_on_a_screen() {
    hold("functions", &rules::long_functions(&sources()));
}

#[test]
fn files_stay_small() {
    hold("files", &rules::long_files(&sources()));
}

#[test]
fn every_file_opens_by_saying_what_it_owns() {
    hold("headers", &rules::headers(&sources()));
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    hold("names", &rules::empty_names(&sources()));
}

#[test]
fn nothing_is_left_for_later() {
    hold("later", &rules::left_for_later(&sources()));
}

#[test]
fn no_stored_row_counts_as_empty() {
    hold("defaults", &rules::defaults_for_rows(&sources()));
}

#[test]
fn comments_messages_and_documents_are_in_plain_english() {
    hold("english", &english::unclear(&sources(), &documents()));
}

#[test]
fn a_test_is_counted_as_what_it_is() {
    hold("kinds", &rules::miscounted(&sources()));
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    let entries = std::fs::read_dir(root()).expect("the root can be listed");
    let names = entries.map(|entry| {
        entry
            .expect("the root can be read")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    hold("top level", &rules::strangers(names));
}

#[test]
fn every_problem_code_is_unique_and_has_a_page() {
    hold("codes", &codes::of_the_hub(&root().join("hub/src/problem")));
}

#[test]
fn a_rule_with_neither_breach_nor_exception_is_content() {
    assert_eq!(complaints("files", &[], &[]), Vec::<String>::new());
}

#[test]
fn an_exception_covers_its_own_rule_and_place_up_to_its_size() {
    let exceptions = [Exception {
        rule: "files",
        place: "a.rs",
        up_to: 600,
    }];
    let breach = |place: &str, size| [Breach::new(place, "is too long").measured(size)];
    assert_eq!(
        complaints("files", &breach("a.rs", 600), &exceptions),
        Vec::<String>::new()
    );
    assert_eq!(
        complaints("files", &breach("a.rs", 601), &exceptions),
        ["  a.rs: is too long"]
    );
    assert_eq!(
        complaints("functions", &breach("a.rs", 600), &exceptions),
        ["  a.rs: is too long"]
    );
    assert_eq!(
        complaints("files", &breach("b.rs", 600), &exceptions).len(),
        2,
        "a breach and a stale exception"
    );
}

#[test]
fn an_exception_that_is_no_longer_needed_fails() {
    let exceptions = [Exception {
        rule: "files",
        place: "a.rs",
        up_to: 600,
    }];
    let stale = "  a.rs: the exception is stale: 600 allowed, nothing found";
    assert_eq!(complaints("files", &[], &exceptions), [stale]);
    let smaller = [Breach::new("a.rs", "is too long").measured(550)];
    assert_eq!(
        complaints("files", &smaller, &exceptions),
        ["  a.rs: the exception is stale: 600 allowed, 550 found"]
    );
}

#[test]
fn the_sources_of_every_package_are_found() {
    let sources = sources();
    for start in [
        "hub/src/lib.rs",
        "connector-sdk/src/lib.rs",
        "connectors/stripe/src/lib.rs",
        "xtask/src/main.rs",
    ] {
        assert!(
            sources
                .iter()
                .any(|source| source.path == start && source.lines > 0),
            "`{start}`"
        );
    }
}
