//! The rooms of `flow` and the files of `commit`: which floor each is on, and what it may import.
//! Test code is free, as it is between the floors of the hub; so is `flow/mod.rs`, which only names what surfaces may use.

use super::Breach;
use super::source::{Source, is_word, line_of, name_at, words};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// From floor 5.0 up.
const ROOMS: &[&[&str]] = &[
    &[
        "context",
        "facts",
        "meter",
        "stored_json",
        "suppression",
        "trace",
    ],
    &["connect", "lease", "commit"],
    &["intake", "deliver", "ask"],
    &["upkeep"],
    &["work"],
];

/// Neighbours that one room may import all the same, with the reason.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    (
        "context",
        "facts",
        "what follows from the plan is worked out once, when the context is made",
    ),
    ("context", "meter", "every hop counts what it did"),
    ("context", "trace", "every hop says what it does"),
    (
        "context",
        "suppression",
        "the list is kept as this process read it last",
    ),
];

/// The files of `commit` in groups. Each may import those before it, in its own group too.
const COMMIT: &[&[&str]] = &[
    &[
        "stream",
        "spoken",
        "identifiers",
        "fitted",
        "fence",
        "adopt",
        "view",
        "claim",
        "meaning",
        "change",
        "unfit",
        "moves",
        "touched",
        "views",
        "suppressed",
        "want",
    ],
    &[
        "neighbourhood",
        "consent",
        "echo",
        "agreed",
        "accounts",
        "account_audiences",
        "computed",
        "profiles",
        "select",
    ],
    &["settle", "ripple"],
    &["apply"],
];

const FRONT: &str = "hub/src/flow/mod.rs";
const COMMIT_ROOT: &str = "hub/src/flow/commit/mod.rs";

/// Who imports whom.
type Edges<'s> = BTreeMap<&'s str, BTreeSet<&'s str>>;

/// One import between two rooms, or between two files of `commit`.
struct Import<'s> {
    source: &'s Source,
    at: usize,
    is_within_commit: bool,
    from: &'s str,
    to: &'s str,
}

fn floor(room: &str) -> Option<usize> {
    ROOMS.iter().position(|rooms| rooms.contains(&room))
}

fn position(file: &str) -> Option<usize> {
    COMMIT.iter().copied().flatten().position(|it| *it == file)
}

pub fn imports(sources: &[Source]) -> Vec<Breach> {
    let imports: Vec<Import<'_>> = sources.iter().flat_map(imports_of).collect();
    let mut breaches = Vec::new();
    for import in &imports {
        let message = match import.is_within_commit {
            true => objection_within_commit(import.from, import.to),
            false => objection(import.from, import.to),
        };
        if let Some(message) = message {
            let line = line_of(&import.source.program, import.at);
            breaches.push(Breach::new(
                format!("{}:{line}", import.source.path),
                message,
            ));
        }
    }
    for (is_within_commit, what) in [(false, "rooms"), (true, "files of `commit`")] {
        if let Some(circle) = circle(&edges(&imports, is_within_commit)) {
            let message = format!("{what} import one another: {}", circle.join(" → "));
            breaches.push(Breach::new("hub/src/flow", message));
        }
    }
    breaches
}

/// Rooms and files that are not in the tables, and entries of the tables that are nowhere else.
pub fn without_a_floor(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = strangers(sources, FRONT, ROOMS);
    breaches.extend(strangers(sources, COMMIT_ROOT, COMMIT));
    breaches
}

fn strangers(sources: &[Source], root: &str, table: &[&[&str]]) -> Vec<Breach> {
    let folder = root.trim_end_matches("mod.rs");
    let mut declared = BTreeSet::new();
    for root in sources.iter().filter(|source| source.path == root) {
        let names = words(&root.program, "mod")
            .filter_map(|at| name_at(&root.program, at + "mod ".len()))
            .filter(|name| !is_test(sources, folder, name));
        declared.extend(names);
    }
    let listed: BTreeSet<&str> = table.iter().copied().flatten().copied().collect();
    let missing = declared.difference(&listed).map(|name| {
        Breach::new(
            root,
            format!("`{name}` is on no floor: give it one in the table"),
        )
    });
    let stale = listed
        .difference(&declared)
        .map(|name| Breach::new(root, format!("`{name}` is in the table and nowhere else")));
    missing.chain(stale).collect()
}

/// Whether the file of a module is nothing but a test.
fn is_test(sources: &[Source], folder: &str, name: &str) -> bool {
    let paths = [
        format!("{folder}{name}.rs"),
        format!("{folder}{name}/mod.rs"),
    ];
    let mut files = sources.iter().filter(|source| paths.contains(&source.path));
    files.any(|source| source.lines == 0)
}

/// The floors with what each room imports, and the same for the files of `commit`.
pub fn table(sources: &[Source]) -> String {
    let imports: Vec<Import<'_>> = sources.iter().flat_map(imports_of).collect();
    let mut text = "floor  room               imports\n".to_owned();
    let mut list = |label: &dyn Fn(usize) -> String, groups: &[&[&str]], edges: &Edges<'_>| {
        for (index, group) in groups.iter().enumerate() {
            for name in *group {
                let to: Vec<&str> = match edges.get(name) {
                    Some(to) => to.iter().copied().collect(),
                    None => Vec::new(),
                };
                let line = format!("{:<5}  {name:<18} {}", label(index), to.join(" "));
                writeln!(text, "{}", line.trim_end()).expect("a text takes all that is written");
            }
        }
    };
    list(
        &|floor| format!("5.{floor}"),
        ROOMS,
        &edges(&imports, false),
    );
    list(
        &|group| format!("5.1.{group}"),
        COMMIT,
        &edges(&imports, true),
    );
    text
}

fn edges<'s>(imports: &[Import<'s>], is_within_commit: bool) -> Edges<'s> {
    let mut edges = Edges::new();
    for import in imports {
        if import.is_within_commit == is_within_commit {
            edges.entry(import.from).or_default().insert(import.to);
        }
    }
    edges
}

fn objection(from: &str, to: &str) -> Option<String> {
    let is_excepted = |(one, other, _): &(&str, &str, &str)| (*one, *other) == (from, to);
    if NEIGHBOURS.iter().any(is_excepted) {
        return None;
    }
    let Some(below) = floor(to) else {
        return Some(format!("`{to}` is not a room of `flow` with a floor"));
    };
    match floor(from) {
        None => Some(format!("`{from}` is not a room of `flow` with a floor")),
        Some(above) if above > below => None,
        Some(above) if above == below => Some(format!(
            "`{from}` imports its neighbour `{to}` on floor 5.{below}"
        )),
        Some(above) => Some(format!(
            "`{from}` on floor 5.{above} imports `{to}` on floor 5.{below} above it"
        )),
    }
}

fn objection_within_commit(from: &str, to: &str) -> Option<String> {
    match (position(from), position(to)) {
        (None, _) => Some(format!("`{from}` is not a file of `commit` with a place")),
        (_, None) => Some(format!("`{to}` is not a file of `commit` with a place")),
        (Some(from), Some(to)) if to < from => None,
        _ => Some(format!("`{from}` imports `{to}`, which comes after it")),
    }
}

/// What a file of a room imports of other rooms and, within `commit`, of its other files.
fn imports_of(source: &Source) -> Vec<Import<'_>> {
    let own = module_path(&source.path);
    let [flow, from, rest @ ..] = own.as_slice() else {
        return Vec::new();
    };
    if *flow != "flow" {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, path) in named(source, &own) {
        let import = |is_within_commit, from, to| Import {
            source,
            at,
            is_within_commit,
            from,
            to,
        };
        let to = match path.as_slice() {
            ["flow"] => "self",
            ["flow", to, ..] => *to,
            _ => continue,
        };
        if to != *from {
            found.push(import(false, *from, to));
        } else if to == "commit"
            && let (Some(from), Some(to)) = (rest.first(), path.get(2))
            && from != to
        {
            found.push(import(true, *from, *to));
        }
    }
    found
}

/// The names of a file's module, from the crate's root on.
fn module_path(path: &str) -> Vec<&str> {
    let Some(inside) = path.strip_prefix("hub/src/") else {
        return Vec::new();
    };
    let inside = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').collect()
}

/// Every path that the program names from the crate's root or by climbing, from the crate's root on.
fn named<'s>(source: &'s Source, own: &[&'s str]) -> Vec<(usize, Vec<&'s str>)> {
    let code = source.program.as_str();
    let mut found = Vec::new();
    // `pub(in crate::flow)` says who may see something, and imports nothing.
    for at in words(code, "crate::").filter(|at| !code[..*at].ends_with("(in ")) {
        paths_at(code, at + "crate::".len(), &[], &mut found);
    }
    for at in words(code, "super::").filter(|at| !code[..*at].ends_with("::")) {
        let (mut after, mut above) = (at, own);
        while code[after..].starts_with("super::") {
            after += "super::".len();
            above = &above[..above.len().saturating_sub(1)];
        }
        paths_at(code, after, above, &mut found);
    }
    found
}

/// The paths that begin at `at`, groups in braces spelled out.
fn paths_at<'s>(
    code: &'s str,
    at: usize,
    above: &[&'s str],
    found: &mut Vec<(usize, Vec<&'s str>)>,
) {
    if code[at..].starts_with('{') {
        for at in group(code, at) {
            paths_at(code, at, above, found);
        }
        return;
    }
    let Some(name) = name_at(code, at) else {
        // What stands here is a `*`, or the type of a turbofish.
        found.push((at, above.to_vec()));
        return;
    };
    let path: Vec<&str> = above.iter().copied().chain([name]).collect();
    let after = at + name.len();
    match code[after..].starts_with("::") {
        true => paths_at(code, after + "::".len(), &path, found),
        false if name == "self" => found.push((at, above.to_vec())),
        false => found.push((at, path)),
    }
}

/// Where the members of a group in braces begin.
fn group(code: &str, open: usize) -> Vec<usize> {
    let mut members = Vec::new();
    let (mut depth, mut is_expected) = (0usize, false);
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' if is_expected => {
                members.push(at);
                (depth, is_expected) = (depth + 1, false);
            }
            b'{' => (depth, is_expected) = (depth + 1, depth == 0),
            b'}' if depth == 1 => break,
            b'}' => depth -= 1,
            b',' => is_expected = depth == 1,
            _ if is_expected && (is_word(byte) || byte == b'*') => {
                members.push(at);
                is_expected = false;
            }
            _ => {}
        }
    }
    members
}

/// Some circle of imports, from a name back to itself.
fn circle<'s>(edges: &Edges<'s>) -> Option<Vec<&'s str>> {
    let mut done = BTreeSet::new();
    let starts = edges.keys().copied();
    starts.into_iter().find_map(|start| {
        let mut way = Vec::new();
        circle_from(start, edges, &mut way, &mut done)
    })
}

fn circle_from<'s>(
    at: &'s str,
    edges: &Edges<'s>,
    way: &mut Vec<&'s str>,
    done: &mut BTreeSet<&'s str>,
) -> Option<Vec<&'s str>> {
    if let Some(begin) = way.iter().position(|passed| *passed == at) {
        let circle = way[begin..].iter().copied().chain([at]);
        return Some(circle.collect());
    }
    if !done.insert(at) {
        return None;
    }
    way.push(at);
    let next = edges.get(at).into_iter().flatten();
    let found = next
        .copied()
        .find_map(|next| circle_from(next, edges, way, done));
    way.pop();
    found
}

fn sample(path: &str, text: &str) -> [Source; 1] {
    [Source::new(path, text)]
}

fn messages(sources: &[Source]) -> Vec<String> {
    let breaches = imports(sources).into_iter();
    breaches.map(|breach| breach.message).collect()
}

#[test]
fn an_import_of_a_room_above_is_seen() {
    let breaches = imports(&sample(
        "hub/src/flow/deliver/send.rs",
        "use crate::flow::context::Context;\nuse crate::flow::upkeep::rules;\n",
    ));
    let [breach] = breaches.as_slice() else {
        panic!("{breaches:?}");
    };
    assert_eq!(breach.place, "hub/src/flow/deliver/send.rs:2");
    assert_eq!(
        breach.message,
        "`deliver` on floor 5.2 imports `upkeep` on floor 5.3 above it"
    );
}

#[test]
fn an_import_of_a_neighbouring_room_is_seen_however_it_is_written() {
    let expected = ["`deliver` imports its neighbour `intake` on floor 5.2"];
    for text in [
        "use crate::flow::intake::read;",
        "use crate::{flow::{context::{self, Context}, intake::{read, land}}, store::Tx};",
        "use crate::flow::{\n    commit::{view, claim::{self}},\n    intake,\n};",
        "use super::super::intake::read;",
        "fn f() { crate::flow::intake::read::<u8>(); }",
        "fn f() -> super::super::intake::Work { loop {} }",
        "use crate::flow::intake::*;",
    ] {
        let mut found = messages(&sample("hub/src/flow/deliver/send.rs", text));
        found.dedup();
        assert_eq!(found, expected, "{text}");
    }
    let nearer = "use super::intake;";
    assert_eq!(
        messages(&sample("hub/src/flow/deliver/mod.rs", nearer)),
        expected
    );
    assert_eq!(
        messages(&sample("hub/src/flow/deliver/send.rs", nearer)),
        [""; 0],
        "a file of its own room"
    );
}

#[test]
fn the_front_of_flow_is_for_surfaces() {
    for (text, to) in [
        ("use crate::flow::Context;", "Context"),
        ("use crate::flow::{self, context};", "self"),
        ("use crate::flow;", "self"),
        ("use crate::flow::*;", "self"),
        ("use crate::flow::harness::World;", "harness"),
    ] {
        let found = messages(&sample("hub/src/flow/work/run.rs", text));
        let expected = format!("`{to}` is not a room of `flow` with a floor");
        assert_eq!(found, [expected], "{text}");
    }
    let text = "pub use crate::flow::work::run;\nuse super::flow::Context;";
    assert_eq!(messages(&sample("hub/src/flow/mod.rs", text)), [""; 0]);
    assert_eq!(messages(&sample("hub/src/cli/mod.rs", text)), [""; 0]);
}

#[test]
fn imports_down_of_excepted_neighbours_and_in_tests_are_no_breach() {
    let text = "//! crate::flow::work\nuse crate::flow::commit::{apply::apply, view};\nuse crate::flow::connect::Opens;\n\
        pub(in crate::flow) const A: &str = \"crate::flow::work\";\n#[cfg(test)]\nmod tests { use crate::flow::{self, work::run}; }\n";
    assert_eq!(
        messages(&sample("hub/src/flow/intake/read.rs", text)),
        [""; 0]
    );
    let text = "use crate::flow::facts;\nuse crate::flow::suppression::List;";
    assert_eq!(messages(&sample("hub/src/flow/context.rs", text)), [""; 0]);
}

#[test]
fn a_file_of_commit_imports_only_those_before_it() {
    let text = "use crate::flow::commit::view::View;\nuse super::apply;\nuse crate::flow::commit::attic;\n";
    assert_eq!(
        messages(&sample("hub/src/flow/commit/settle.rs", text)),
        [
            "`attic` is not a file of `commit` with a place",
            "`settle` imports `apply`, which comes after it"
        ]
    );
    let inside = "use super::load;\nuse crate::flow::commit::neighbourhood::capped;";
    let path = "hub/src/flow/commit/neighbourhood/reshape.rs";
    assert_eq!(messages(&sample(path, inside)), [""; 0]);
    let deeper = "use super::super::select::judge;";
    assert_eq!(
        messages(&sample(path, deeper)),
        ["`neighbourhood` imports `select`, which comes after it"]
    );
}

#[test]
fn a_circle_is_named_from_end_to_end() {
    let edges = Edges::from([
        ("a", BTreeSet::from(["b", "e"])),
        ("b", BTreeSet::from(["c", "d"])),
        ("d", BTreeSet::from(["b"])),
    ]);
    assert_eq!(circle(&edges), Some(vec!["b", "d", "b"]));
    let edges = Edges::from([
        ("a", BTreeSet::from(["b", "c"])),
        ("b", BTreeSet::from(["d"])),
        ("c", BTreeSet::from(["d"])),
    ]);
    assert_eq!(circle(&edges), None);
    let files = [
        Source::new("hub/src/flow/commit/settle.rs", "use super::ripple::look;"),
        Source::new("hub/src/flow/commit/ripple.rs", "use super::settle;"),
    ];
    let circle = "files of `commit` import one another: ripple → settle → ripple";
    assert!(messages(&files).contains(&circle.to_owned()));
    let rooms = [
        Source::new("hub/src/flow/lease.rs", "use super::commit::fence;"),
        Source::new("hub/src/flow/commit/fence.rs", "use crate::flow::lease;"),
    ];
    let circle = "rooms import one another: commit → lease → commit";
    assert!(messages(&rooms).contains(&circle.to_owned()));
}

#[test]
fn a_room_without_a_floor_and_a_floor_without_its_room_are_seen() {
    let rooms: String = ROOMS
        .iter()
        .copied()
        .flatten()
        .filter(|room| **room != "work")
        .map(|room| format!("mod {room};\n"))
        .collect();
    let front = format!("{rooms}mod attic;\nmod harness;\n#[cfg(test)]\nmod tests;\n");
    let harness = Source::new("hub/src/flow/harness.rs", "#![cfg(test)]\nstruct World;");
    let attic = Source::new("hub/src/flow/attic.rs", "struct Box;");
    let sources = [Source::new(FRONT, &front), harness, attic];
    let found = strangers(&sources, FRONT, ROOMS);
    let messages: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`attic` is on no floor: give it one in the table",
            "`work` is in the table and nowhere else"
        ]
    );
}

#[test]
fn the_table_lists_each_room_with_what_it_imports() {
    let sources = [
        Source::new(
            "hub/src/flow/work/run.rs",
            "use crate::flow::intake;\nuse crate::flow::ask;",
        ),
        Source::new("hub/src/flow/commit/apply.rs", "use super::settle;"),
    ];
    let table = table(&sources);
    assert!(
        table.contains("\n5.4    work               ask intake\n"),
        "{table}"
    );
    assert!(
        table.contains("\n5.1.3  apply              settle\n"),
        "{table}"
    );
    assert!(table.contains("\n5.0    facts\n"), "{table}");
}
