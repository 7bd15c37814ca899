//! Rules about the shape of files: length, opening lines, names, what is left for later, the top level.
//! Sizes are those of the program; tests may be as long as what they show.

use super::Breach;
use super::source::{Source, functions, is_within, line_of, name_at, words};

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 500;
const HEADER_LINES: usize = 6;

const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

const LATER: &[&str] = &["todo!", "unimplemented!", "#[ignore"];

/// What makes a test a property or a snapshot, and the module that says so in the test's name.
const KINDS: &[(&str, &str)] = &[
    ("proptest!", "properties"),
    ("TestRunner", "properties"),
    ("assert_snapshot!", "snapshots"),
    ("assert_json_snapshot!", "snapshots"),
    ("assert_debug_snapshot!", "snapshots"),
];

/// Where stored rows are read.
const STORED: &[&str] = &[
    "hub/src/flow",
    "hub/src/store",
    "hub/src/delivery",
    "hub/src/opening",
    "hub/src/cli",
];

const PARSES: &[&str] = &[
    "serde_json::from_str",
    "serde_json::from_slice",
    "serde_json::from_value",
    "stored_json::read",
];

const FALLBACKS: &[&str] = &[".unwrap_or", ".ok()", ".is_ok_and(", ".map_or("];

const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "hub",
    "connector-sdk",
    "connectors",
    "manifests",
    "tests",
    "README.md",
    "xtask",
];

pub fn long_functions(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        for function in functions(&source.program)
            .into_iter()
            .filter(|function| function.lines > FUNCTION_LINES)
        {
            let message = format!(
                "{} lines, at most {FUNCTION_LINES} are readable",
                function.lines
            );
            breaches.push(
                Breach::new(format!("{} fn {}", source.path, function.name), message)
                    .measured(function.lines),
            );
        }
    }
    breaches
}

pub fn long_files(sources: &[Source]) -> Vec<Breach> {
    let long = sources.iter().filter(|source| source.lines > FILE_LINES);
    let breach = |source: &Source| {
        let message = format!("{} lines without tests, at most {FILE_LINES}", source.lines);
        Breach::new(&source.path, message).measured(source.lines)
    };
    long.map(breach).collect()
}

/// The published documentation of the SDK opens its crate and may be longer.
pub fn headers(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        let lines = source
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .count();
        let published = source.path == "connector-sdk/src/lib.rs";
        if lines == 0 {
            breaches.push(Breach::new(
                &source.path,
                "does not open with `//!` and what it owns",
            ));
        } else if lines > HEADER_LINES && !published {
            let message = format!("opens with {lines} lines, at most {HEADER_LINES} are read");
            breaches.push(Breach::new(&source.path, message).measured(lines));
        }
    }
    breaches
}

pub fn empty_names(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        let parts = source.path.trim_end_matches(".rs").split('/');
        let inline =
            words(&source.code, "mod").filter_map(|at| name_at(&source.code, at + "mod ".len()));
        for name in parts
            .chain(inline)
            .filter(|name| EMPTY_NAMES.contains(name))
        {
            breaches.push(Breach::new(
                &source.path,
                format!("`{name}` says nothing about what is inside"),
            ));
        }
    }
    breaches
}

pub fn left_for_later(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        for word in LATER {
            for at in words(&source.code, word) {
                let place = format!("{}:{}", source.path, line_of(&source.code, at));
                breaches.push(Breach::new(
                    place,
                    format!("`{word}` is work that is not done"),
                ));
            }
        }
    }
    breaches
}

/// The runner's summary counts tests by the modules they are in, so what they use has to agree.
pub fn miscounted(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        for (word, module) in KINDS {
            for at in words(&source.code, word).filter(|at| !is_within(source, *at, module)) {
                let place = format!("{}:{}", source.path, line_of(&source.code, at));
                breaches.push(Breach::new(
                    place,
                    format!("`{word}` belongs in a module `{module}`, where it is counted"),
                ));
            }
        }
    }
    breaches
}

/// A stored row that cannot be read is an error: a value used instead would be written back. Connectors' projects are not
/// stored rows.
pub fn defaults_for_rows(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let is_room = |source: &&Source| {
        let mut rooms = STORED.iter();
        rooms.any(|room| source.path.starts_with(room))
            && !source.path.starts_with("hub/src/cli/connector")
    };
    for source in sources.iter().filter(is_room) {
        for at in PARSES
            .iter()
            .flat_map(|parse| words(&source.program, parse))
        {
            let after = after_call(&source.program[at..]);
            if let Some(fallback) = FALLBACKS.iter().find(|one| after.starts_with(**one)) {
                let line = line_of(&source.program, at);
                let message = format!(
                    "line {line}: `{fallback}` makes a stored row that cannot be read an empty one"
                );
                breaches.push(Breach::new(&source.path, message));
            }
        }
    }
    breaches
}

/// What follows a call that begins at the start of the text, without white space.
fn after_call(text: &str) -> String {
    let Some(open) = text.find('(') else {
        return String::new();
    };
    let mut depth = 0;
    let close = text[open..].find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    let rest = close.map_or("", |close| &text[open + close + 1..]);
    let rest = rest.chars().filter(|c| !c.is_whitespace());
    rest.take(20).collect()
}

pub fn strangers(names: impl Iterator<Item = String>) -> Vec<Breach> {
    let built = |name: &str| name == "target";
    let strangers = names.filter(|name| {
        !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()) && !built(name)
    });
    strangers
        .map(|name| {
            Breach::new(
                name,
                "does not belong at the top level: put it in a package or make it a dot-file",
            )
        })
        .collect()
}

fn sample(path: &str, text: &str) -> [Source; 1] {
    [Source::new(path, text)]
}

fn function_of(lines: usize) -> String {
    format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
}

#[test]
fn a_function_of_seventy_lines_passes_and_one_of_seventy_one_does_not() {
    assert_eq!(long_functions(&sample("a/src/a.rs", &function_of(70))), []);
    let breaches = long_functions(&sample("a/src/a.rs", &function_of(71)));
    assert_eq!(
        (breaches[0].place.as_str(), breaches[0].size),
        ("a/src/a.rs fn long", 71)
    );
}

#[test]
fn the_length_of_a_function_is_not_misled_by_what_is_in_it() {
    let tricks = [
        "let _ = '{';",
        "let _ = b'\"';",
        "let _ = '\\'';",
        "let _ = '\\u{7b}';",
        "let _: &'static str;",
        "let _ = ['ó','{'];",
        "let _ = '\\\"';",
        "let _ = \"}\\\"}\";",
        "let _ = r#\"}\"}\"#;",
        "let _ = br\"{\\\";",
        "let r#type = 1;",
        "// }",
        "/* { /* } */ } */",
        "let _ = |x: [u8; 2]| { x };",
    ];
    for trick in tricks {
        let text = format!("fn short() {{\n    {trick}\n}}\n{}", function_of(80));
        assert_eq!(
            names_and_lines(&text),
            [("short".to_owned(), 3), ("long".to_owned(), 80)],
            "{trick}"
        );
    }
}

#[test]
fn a_function_begins_at_its_name_and_needs_a_body() {
    let text = "fn a<'a>(x: [u8; 2]) -> &'a str\nwhere\n    u8: Copy,\n{\n    \"\"\n}\ntrait T { fn none(&self); }\ntype F = fn(u8) -> u8;\n";
    assert_eq!(names_and_lines(text), [("a".to_owned(), 6)]);
}

fn names_and_lines(text: &str) -> Vec<(String, usize)> {
    let source = Source::new("a/src/a.rs", text);
    functions(&source.program)
        .into_iter()
        .map(|function| (function.name, function.lines))
        .collect()
}

#[test]
fn the_length_of_a_file_leaves_its_tests_out() {
    let tests = format!(
        "#[cfg(test)]\n#[allow(x)]\nmod tests {{\n{}}}\n",
        "// a\n".repeat(300)
    );
    let program = "const A: u8 = 1;\n".repeat(500);
    assert_eq!(
        long_files(&sample("a/src/a.rs", &format!("{program}{tests}"))),
        []
    );
    let breaches = long_files(&sample(
        "a/src/a.rs",
        &format!("{program}{tests}const B: u8 = 1;\n"),
    ));
    assert_eq!(breaches[0].size, 501);
    let not_test = tests.replace("cfg(test)", "cfg(not(test))");
    assert_eq!(
        long_files(&sample("a/src/a.rs", &format!("{program}{not_test}"))).len(),
        1
    );
}

#[test]
fn a_test_module_in_a_file_of_its_own_is_known_by_its_declaration() {
    let parent = Source::new(
        "hub/src/host/mod.rs",
        "#[cfg(test)]\nmod tests;\nmod limits;\n",
    );
    assert_eq!(
        parent.test_modules().into_iter().collect::<Vec<_>>(),
        ["hub/src/host/tests"]
    );
    let parent = Source::new(
        "hub/src/clock.rs",
        "#[cfg(test)]\n#[rustfmt::skip]\nmod cases;\n",
    );
    assert_eq!(
        parent.test_modules().into_iter().collect::<Vec<_>>(),
        ["hub/src/clock/cases"]
    );
    let parent = Source::new("hub/src/flow/properties.rs", "#![cfg(test)]\nmod oracle;\n");
    assert_eq!(
        parent.test_modules().into_iter().collect::<Vec<_>>(),
        ["hub/src/flow/properties"]
    );
}

#[test]
fn a_file_without_an_opening_or_with_an_essay_is_seen() {
    assert_eq!(
        headers(&sample("a/src/a.rs", "//! Owns a.\n\nuse b::c;\n")),
        []
    );
    assert_eq!(
        headers(&sample("a/src/a.rs", "// Owns a.\nuse b::c;\n")).len(),
        1
    );
    assert_eq!(
        headers(&sample("a/src/a.rs", &"//! More.\n".repeat(7))).len(),
        1
    );
}

#[test]
fn a_name_that_says_nothing_is_seen_in_paths_and_in_code() {
    for path in [
        "hub/src/util.rs",
        "hub/src/helpers/mod.rs",
        "tests/tests/common/mod.rs",
    ] {
        assert_eq!(empty_names(&sample(path, "")).len(), 1, "`{path}`");
    }
    assert_eq!(
        empty_names(&sample("hub/src/a.rs", "mod misc { }\nmod miscellany { }")).len(),
        1
    );
}

#[test]
fn work_left_for_later_is_seen_even_in_tests() {
    let text = "fn f() { todo!() }\n#[cfg(test)]\nmod tests {\n    #[test]\n    #[ignore = \"slow\"]\n    fn t() {}\n}\n";
    let breaches = left_for_later(&sample("hub/src/a.rs", text));
    let places: Vec<_> = breaches
        .iter()
        .map(|breach| breach.place.as_str())
        .collect();
    assert_eq!(places, ["hub/src/a.rs:1", "hub/src/a.rs:5"]);
    assert_eq!(
        left_for_later(&sample(
            "hub/src/a.rs",
            "// todo!\nconst A: &str = \"todo!\";"
        )),
        []
    );
}

#[test]
fn a_default_for_a_stored_row_is_seen() {
    for (text, breaches) in [
        (
            "let a: B = serde_json::from_str(&row.a).unwrap_or_default();",
            1,
        ),
        (
            "x.and_then(|text| serde_json::from_slice(f(text))\n    .ok())",
            1,
        ),
        ("serde_json::from_str::<B>(text).unwrap_or(B { a: (1) })", 1),
        ("serde_json::from_str(text).map_err(|_| wrong())?;", 0),
        (
            "stored_json::read(\"a.b\", row.id, &row.b)?.unwrap_or_default()",
            0,
        ),
        ("// serde_json::from_str(a).ok()\nlet b = c.ok();", 0),
    ] {
        let found =
            |path| defaults_for_rows(&sample(path, &format!("fn f() {{ {text} }}\n"))).len();
        assert_eq!(found("hub/src/flow/a.rs"), breaches, "{text}");
        assert_eq!(
            found("hub/src/kit/a.rs") + found("hub/src/cli/connector/a.rs"),
            0
        );
    }
}

#[test]
fn a_stranger_at_the_top_level_is_seen() {
    let names = ["hub", ".ci", "target", "README.md", "LICENSE", "docs"].map(str::to_owned);
    let breaches = strangers(names.into_iter());
    assert_eq!(
        breaches
            .iter()
            .map(|breach| breach.place.as_str())
            .collect::<Vec<_>>(),
        ["LICENSE", "docs"]
    );
}

#[test]
fn a_property_or_a_snapshot_outside_its_module_is_seen() {
    let text = "#[cfg(test)]\nmod tests {\n    proptest! { }\n    mod snapshots {\n        fn a() { insta::assert_snapshot!(x); }\n    }\n}\n";
    let breaches = miscounted(&sample("hub/src/a.rs", text));
    assert_eq!(
        breaches
            .iter()
            .map(|breach| breach.place.as_str())
            .collect::<Vec<_>>(),
        ["hub/src/a.rs:3"]
    );
    assert_eq!(
        miscounted(&sample("hub/src/a/properties.rs", "proptest! { }")),
        []
    );
    assert_eq!(
        miscounted(&sample("hub/src/a/snapshots.rs", "proptest! { }")).len(),
        1
    );
}
