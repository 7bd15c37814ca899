//! The floors of the hub: which module stands where, what it may import, and which crates it must not know.
//! Test code is free: a test may use whatever shows the behaviour.

use super::Breach;
use super::source::{Source, is_word, line_of, name_at, words};

const FLOORS: &[&[&str]] = &[
    &["model", "problem", "clock"],
    &["expression", "files"],
    &["manifest"],
    &[
        "landing",
        "canonical",
        "identity",
        "profile",
        "compute",
        "likeness",
        "audience",
        "delivery",
        "privacy",
    ],
    &["store", "host", "egress", "ingress", "vault"],
    &["flow", "kit"],
    &["opening"],
    &["cli", "api", "ui", "collector"],
    &["app", "config", "telemetry", "main"],
];

/// The highest floor without machinery.
const PURE: usize = 3;

/// Neighbours that one module may import all the same, with the reason.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    (
        "clock",
        "model",
        "the nouns are the ground under everything, and the time is one of them",
    ),
    (
        "problem",
        "model",
        "a problem points at a record by the nouns' names",
    ),
    (
        "identity",
        "likeness",
        "whether two given names may be one is decided in one place",
    ),
    ("cli", "collector", "the command `serve` opens it"),
    (
        "cli",
        "api",
        "the command `serve` opens it, and `token` and `audit` work on what it checks and writes",
    ),
    ("app", "config", "the top wires itself"),
    ("app", "telemetry", "the top wires itself"),
    ("main", "app", "the program is nothing but `app`"),
];

/// What floors 0 to 3 must not name, because a stage has to give the same answer anywhere and at any time.
const MACHINERY: &[&str] = &[
    "async",
    "await",
    "tokio",
    "sqlx",
    "rusqlite",
    "wasmtime",
    "axum",
    "reqwest",
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "std::env",
    "env::var",
];

/// Crates that only these modules may name, so that one can be exchanged by rewriting one module.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("rusqlite", &["store"]),
    ("wasmtime", &["host"]),
    ("wasmtime_wasi", &["host"]),
    ("wasmtime_wasi_http", &["host"]),
    ("reqwest", &["egress"]),
    ("axum", &["ingress", "api", "ui", "collector"]),
    ("minijinja", &["expression"]),
    ("hyper", &["ingress", "kit"]),
    ("wasmparser", &["host", "kit"]),
    ("jsonschema", &["kit"]),
    ("ring", &["egress", "ingress", "kit", "api"]),
    ("prometheus_client", &["flow", "collector"]),
    ("tar", &["kit"]),
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The module of a file in the hub; the library's root has none, it only declares the others.
fn module(source: &Source) -> Option<&str> {
    let inside = source.path.strip_prefix("hub/src/")?;
    let first = inside
        .split('/')
        .next()
        .unwrap_or(inside)
        .trim_end_matches(".rs");
    (first != "lib").then_some(first)
}

pub fn imports(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        let Some(from) = module(source) else { continue };
        for (at, to) in imported(source) {
            if let Some(message) = objection(from, to) {
                breaches.push(Breach::new(
                    format!("{}:{}", source.path, line_of(&source.program, at)),
                    message,
                ));
            }
        }
    }
    breaches
}

fn objection(from: &str, to: &str) -> Option<String> {
    if from == to
        || NEIGHBOURS
            .iter()
            .any(|(one, other, _)| (*one, *other) == (from, to))
    {
        return None;
    }
    let Some(below) = floor(to) else {
        return Some(format!("`crate::{to}` is not a module with a floor"));
    };
    match floor(from) {
        None => Some(format!("`{from}` has no floor")),
        Some(above) if above > below => None,
        Some(above) if above == below => Some(format!(
            "`{from}` imports its neighbour `{to}` on floor {below}"
        )),
        Some(above) => Some(format!(
            "`{from}` on floor {above} imports `{to}` on floor {below} above it"
        )),
    }
}

/// Modules of the crate that the program names, as `crate::name`, in `crate::{…}`, or by climbing with `super`.
fn imported(source: &Source) -> Vec<(usize, &str)> {
    let code = source.program.as_str();
    let mut found = Vec::new();
    for at in words(code, "crate::") {
        named_after(code, at + "crate::".len(), &mut found);
    }
    let climb = "super::".repeat(depth(&source.path));
    for at in words(code, &climb) {
        let below = at >= 2 && &code[at - 2..at] == "::";
        if !below {
            named_after(code, at + climb.len(), &mut found);
        }
    }
    found
}

/// How many times `super::` climbs from a file's module to the crate's root.
fn depth(path: &str) -> usize {
    let folders = path.trim_start_matches("hub/src/").matches('/').count();
    if path.ends_with("/mod.rs") {
        folders
    } else {
        folders + 1
    }
}

/// The name that stands at `at`, or every first name of a group in braces.
fn named_after<'a>(code: &'a str, at: usize, found: &mut Vec<(usize, &'a str)>) {
    if !code[at..].starts_with('{') {
        found.push((at, name_at(code, at).unwrap_or("*")));
        return;
    }
    let mut depth = 0usize;
    let mut expected = false;
    for (place, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'{' => (depth, expected) = (depth + 1, depth == 0),
            b'}' if depth == 1 => return,
            b'}' => depth -= 1,
            b',' => expected = depth == 1,
            _ if expected && is_word(byte) => {
                found.push((place, name_at(code, place).unwrap_or("*")));
                expected = false;
            }
            _ => {}
        }
    }
}

pub fn machinery(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        let pure = module(source)
            .and_then(floor)
            .is_some_and(|floor| floor <= PURE);
        for word in MACHINERY.iter().filter(|_| pure) {
            for at in words(&source.program, word) {
                let place = format!("{}:{}", source.path, line_of(&source.program, at));
                breaches.push(Breach::new(
                    place,
                    format!("floors 0 to {PURE} do not know `{word}`"),
                ));
            }
        }
    }
    breaches
}

pub fn homes(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        let Some(module) = module(source) else {
            continue;
        };
        for (name, homes) in HOMES.iter().filter(|(_, homes)| !homes.contains(&module)) {
            for at in words(&source.program, name) {
                let place = format!("{}:{}", source.path, line_of(&source.program, at));
                breaches.push(Breach::new(
                    place,
                    format!("only `{}` may name the crate `{name}`", homes.join("`, `")),
                ));
            }
        }
    }
    breaches
}

/// Modules that the library declares and the table above does not know.
pub fn without_a_floor(library: &Source) -> Vec<Breach> {
    let declared = words(&library.program, "mod")
        .filter_map(|at| name_at(&library.program, at + "mod ".len()));
    let strangers = declared.filter(|name| floor(name).is_none());
    strangers
        .map(|name| {
            Breach::new(
                &library.path,
                format!("`{name}` is on no floor: give it one in the table"),
            )
        })
        .collect()
}

fn at_path(path: &str, text: &str) -> [Source; 1] {
    [Source::new(path, text)]
}

fn places(breaches: &[Breach]) -> Vec<&str> {
    breaches
        .iter()
        .map(|breach| breach.place.as_str())
        .collect()
}

#[test]
fn an_import_from_above_is_seen() {
    let breaches = imports(&at_path(
        "hub/src/store/rows.rs",
        "use crate::model::Value;\nuse crate::flow::run;\n",
    ));
    assert_eq!(places(&breaches), ["hub/src/store/rows.rs:2"]);
    assert_eq!(
        breaches[0].message,
        "`store` on floor 4 imports `flow` on floor 5 above it"
    );
}

#[test]
fn an_import_of_a_neighbour_is_seen() {
    let breaches = imports(&at_path(
        "hub/src/identity/mod.rs",
        "fn f() -> crate::profile::Profile { loop {} }",
    ));
    assert_eq!(
        breaches[0].message,
        "`identity` imports its neighbour `profile` on floor 3"
    );
}

#[test]
fn imports_in_groups_and_by_climbing_are_seen() {
    let group = "use crate::{model::{Value, flow}, cli, audience::{self}};\n";
    assert_eq!(
        imports(&at_path("hub/src/host/mod.rs", group)).len(),
        1,
        "only `cli` is above `host`"
    );
    let climbing = "use super::types;\nuse super::super::cli::Table;\n";
    assert_eq!(
        places(&imports(&at_path("hub/src/host/wasm.rs", climbing))),
        ["hub/src/host/wasm.rs:2"]
    );
    let nearer = "use super::cli::Table;\n";
    assert_eq!(imports(&at_path("hub/src/host/mod.rs", nearer)).len(), 1);
    assert_eq!(imports(&at_path("hub/src/host/wasm.rs", nearer)), []);
    assert_eq!(
        places(&imports(&at_path("hub/src/model/time.rs", "use crate::*;"))),
        ["hub/src/model/time.rs:1"]
    );
}

#[test]
fn imports_downwards_of_itself_in_texts_and_in_tests_are_no_breach() {
    let text = "//! crate::cli\nuse crate::store::rows;\npub(crate) struct A;\nconst B: &str = \"crate::cli\";\n\
        #[cfg(test)]\nmod tests { use crate::cli; }\n";
    assert_eq!(imports(&at_path("hub/src/store/mod.rs", text)), []);
    assert_eq!(
        imports(&at_path("hub/src/clock.rs", "use crate::model::Timestamp;")),
        []
    );
}

#[test]
fn machinery_on_a_pure_floor_is_seen() {
    let text =
        "async fn f() { tokio::spawn(g()).await }\nfn now() { std::time::SystemTime::now(); }\n";
    let breaches = machinery(&at_path("hub/src/audience/mod.rs", text));
    let lines = places(&breaches);
    assert_eq!(
        lines.iter().filter(|place| place.ends_with(":1")).count(),
        3,
        "async, await, tokio"
    );
    assert_eq!(
        lines.iter().filter(|place| place.ends_with(":2")).count(),
        1
    );
    assert_eq!(
        machinery(&at_path("hub/src/flow/mod.rs", text)),
        [],
        "floor 5 is where it belongs"
    );
    let words = "fn asynchronous() { let tokio_like = \"tokio\"; }";
    assert_eq!(machinery(&at_path("hub/src/model/mod.rs", words)), []);
}

#[test]
fn a_crate_away_from_its_home_is_seen() {
    let text = "use sqlx::Row;";
    assert_eq!(
        places(&homes(&at_path("hub/src/flow/intake/land.rs", text))),
        ["hub/src/flow/intake/land.rs:1"]
    );
    assert_eq!(homes(&at_path("hub/src/store/rows.rs", text)), []);
    assert_eq!(
        homes(&at_path("tests/src/bin/bench.rs", text)),
        [],
        "the rule is the hub's"
    );
}

#[test]
fn a_module_without_a_floor_is_seen() {
    let library = Source::new("hub/src/lib.rs", "pub mod model;\npub mod attic;\n");
    assert_eq!(without_a_floor(&library).len(), 1);
}
