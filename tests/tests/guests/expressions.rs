//! Expressions that a connector or a manifest brings along, made to end the hub (X3, X4). The program runs as a process of
//! its own, so that an abort is seen: it ends by a signal, without an exit code.

mod by_program;
mod hostile;

use super::guests_folder;
use super::peak::Peak;
use crate::hub::{Hub, Ran};
use serde_json::json;

const MANIFEST: &str = r#"
[hub]
name = "acme"
store = "sqlite:acme.db"

[[source]]
name = "crm"
connector = "mapper"
"#;

/// A copy of the guest `mapper` that maps `first_name` by `text`, in the answer of its code and in its documents.
fn mapped_by(text: &str) -> Vec<u8> {
    let mapping = json!({ "first_name": text }).to_string();
    rewritten(
        r#""first_name":"name"}}}]}"#,
        &format!("{}}}}}]}}", &mapping[1..]),
    )
}

/// A copy of the guest `mapper` whose manifest has `to` in place of `from` and of what follows.
fn rewritten(from: &str, to: &str) -> Vec<u8> {
    let mut component = std::fs::read(guests_folder().join("mapper.wasm")).unwrap();
    let found = component
        .windows(from.len())
        .position(|window| window == from.as_bytes());
    let at = found.expect("the guest has its manifest in one piece");
    let is_room = |window: &[u8]| window.iter().all(|byte| *byte == b' ');
    let room = component[at..].windows(64).position(is_room);
    let (end, to_end) = (at + room.expect("there is room"), at + to.len());
    assert!(is_room(&component[end..to_end.max(end)]), "no room for it");
    component[at..end].fill(b' ');
    component[at..to_end].copy_from_slice(to.as_bytes());
    component
}

/// The custom sections that `connector inspect` reads.
fn documents(text: &str) -> Vec<u8> {
    let manifest = json!({
        "name": "mapper", "title": "Mapper", "version": "1.0.0",
        "streams": [{ "name": "people", "title": "People", "primary_key": ["id"], "schema": { "type": "object" },
            "mapping": { "to": "person", "key": "id", "map": { "first_name": text } } }],
    });
    let section = |name: &str, data: &str| {
        let body = [&leb128(name.len())[..], name.as_bytes(), data.as_bytes()].concat();
        [&[0][..], &leb128(body.len()), &body].concat()
    };
    let manifest = section("onefold:manifest", &manifest.to_string());
    [
        manifest,
        section("onefold:config-schema", r#"{"type":"object"}"#),
    ]
    .concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A hub that has a connector with this default mapping, as if it had been installed by a hub that does not look.
fn hub_with(text: &str) -> Hub {
    let hub = Hub::new();
    hub.write("hub.toml", MANIFEST);
    let folder = hub.path().join("connectors");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("mapper.wasm"), mapped_by(text)).unwrap();
    hub
}

#[track_caller]
fn refuses(ran: &Ran, code: &str, words: &str) {
    assert_eq!(ran.code, Some(2), "{}", short(ran));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains(code) && said.contains(words),
        "{}",
        short(ran)
    );
    assert!(ran.stderr.len() < 4_000, "{}", short(ran));
}

fn short(ran: &Ran) -> String {
    let cut = |text: &str| text.chars().take(1_500).collect::<String>();
    format!(
        "{:?} out: {} err: {}",
        ran.code,
        cut(&ran.stdout),
        cut(&ran.stderr)
    )
}

/// What ended the hub, each deeper in the text than any stack.
fn towers() -> Vec<(&'static str, String)> {
    let many = |part: &str| part.repeat(30_000);
    vec![
        ("minus", format!("{}1", many("-"))),
        ("not", format!("{}a", many("not "))),
        ("if", format!("{}a", many("a if b else "))),
        ("points", format!("a{}", many(".b"))),
        ("powers", format!("a{}", many("**b"))),
        ("and", format!("a{}", many(" and b"))),
        ("filters", format!("a{}", many("|trim"))),
        ("joins", format!("a{}", many("~b"))),
        ("sums", format!("a{}", many("+b"))),
        ("tests", format!("a{}", many(" is none"))),
        ("cuts", format!("a{}", many("[1:]"))),
        ("calls", format!("a{}", many("()"))),
        ("brackets", format!("{}a", many("("))),
        ("lists", format!("{}a", many("["))),
        ("maps", format!("{}a", many("{1:"))),
        ("numbers", format!("{}1", many("1if 1else "))),
    ]
}

#[test]
fn x3_a_connector_whose_mapping_nests_without_end_is_not_taken() {
    let _peak = Peak::of("x3");
    for (kind, text) in towers() {
        let hub = Hub::new();
        hub.write("hub.toml", MANIFEST);
        let room = 100_000.min(text.len());
        let file = hub.path().join("copy.wasm");
        std::fs::write(&file, mapped_by(&text[text.len() - room..])).unwrap();
        let file = file.display().to_string();
        let added = hub.run(&["connector", "add", &file, "--yes"]);
        refuses(&added, "OF0212", "are allowed");
        assert!(!hub.path().join("connectors.lock").exists(), "{kind}");

        let mut golden = std::fs::read(guests_folder().join("adversary.wasm")).unwrap();
        golden.extend(documents(&text));
        let file = hub.path().join("inspected.wasm");
        std::fs::write(&file, golden).unwrap();
        let file = file.display().to_string();
        refuses(
            &hub.run(&["connector", "inspect", &file]),
            "OF0212",
            "are allowed",
        );
    }
}

#[test]
fn x3_a_connector_that_a_hub_has_already_ends_no_command() {
    let _peak = Peak::of("x3");
    for text in [
        format!("{}1", "-".repeat(30_000)),
        format!("{}1", "-".repeat(8_000)),
        format!("a{}", "|trim".repeat(1_500)),
    ] {
        let hub = hub_with(&text);
        for command in [
            &["check"][..],
            &["plan"],
            &["status"],
            &["run"],
            &["serve"],
            &["dead-letters", "list"],
            &["connector", "list"],
        ] {
            let ran = hub.run(command);
            assert!(ran.code.is_some(), "{command:?}: {}", short(&ran));
            if command != ["connector", "list"] {
                refuses(&ran, "OF0212", "first_name");
            }
        }
    }
}

#[test]
fn x3_a_manifest_that_nests_without_end_is_a_problem_with_its_place() {
    let _peak = Peak::of("x3");
    for (kind, text) in towers() {
        let hub = hub_with("name");
        hub.write(
            "hub.toml",
            &format!(
                "{MANIFEST}\n[[source.stream]]\nname = \"people\"\n[source.stream.map]\nlast_name = '{text}'\n\
                 [[trait]]\nname = \"made\"\nderive = '{text}'\n"
            ),
        );
        let ran = hub.run(&["check"]);
        assert_eq!(ran.code, Some(2), "{kind}: {}", short(&ran));
        assert!(ran.stderr.contains("error[OF0113]"), "{}", short(&ran));
        assert!(ran.stderr.contains("are allowed"), "{}", short(&ran));
    }
}

/// Patterns, conditions, tables and JSON that nest.
#[test]
fn x3_nothing_else_that_nests_ends_a_command() {
    let _peak = Peak::of("x3");
    let deep = |open: &str, close: &str| {
        format!(
            "{}{}{}",
            open.repeat(30_000),
            if open.ends_with('=') || open.ends_with(':') {
                "1"
            } else {
                ""
            },
            close.repeat(30_000)
        )
    };
    let audience =
        |condition: &str| format!("{MANIFEST}\n[[audience]]\nname = \"all\"\nwho = {condition}\n");
    let manifests = [
        audience(&format!(
            "{{ trait = \"first_name\", matches = '{}' }}",
            deep("(", ")")
        )),
        audience(&format!(
            "{{ trait = \"first_name\", matches = '{}' }}",
            deep("[a&&", "]")
        )),
        audience(&format!(
            "{{ trait = \"first_name\", matches = 'a{}' }}",
            "{1000}".repeat(4_000)
        )),
        audience(&deep("{ not = ", "}")),
        audience(&deep("{ all = [", "]}")),
        format!("{MANIFEST}\nconfig.a = {}\n", deep("[", "]")),
        format!("{MANIFEST}\nconfig.a = {}\n", deep("{a=", "}")),
        format!("{MANIFEST}\n[{}a]\n", "a.".repeat(30_000)),
        format!("{MANIFEST}\nconfig.{}a = 1\n", "a.".repeat(30_000)),
    ];
    for (number, manifest) in manifests.iter().enumerate() {
        let hub = hub_with("name");
        hub.write("hub.toml", manifest);
        for command in [&["check"][..], &["status"]] {
            let ran = hub.run(command);
            assert_eq!(ran.code, Some(2), "manifest {number}: {}", short(&ran));
        }
    }
}

/// What is nested as deeply as JSON may be, stored and read again, and what is nested more deeply, shown and edited.
#[test]
fn x3_records_that_nest_without_end_end_no_command() {
    let _peak = Peak::of("x3");
    let hub = hub_with("name");
    for round in 0..2 {
        let ran = hub.run(&["run", "--full"]);
        assert!(ran.code.is_some(), "{round}: {}", short(&ran));
    }
    let letters = hub.json(&["dead-letters", "list"]);
    let letters = letters.as_array().unwrap();
    assert!(!letters.is_empty());
    for letter in letters {
        let id = letter["id"].to_string();
        for command in [
            &["dead-letters", "show", &id][..],
            &["--json", "dead-letters", "show", &id],
            &["dead-letters", "retry", &id],
            &[
                "dead-letters",
                "edit",
                &id,
                "--set",
                "a.b=1",
                "--reason",
                "x",
            ],
        ] {
            let ran = hub.run(command);
            assert!(ran.code.is_some(), "{command:?}: {}", short(&ran));
        }
    }
    // What was stored is read again, since every record is mapped again.
    let mapped = "[[source.stream]]\nname = \"deep\"\nmap.last_name = \"id\"\n";
    hub.write("hub.toml", &format!("{MANIFEST}\n{mapped}"));
    for command in [&["run"][..], &["status"], &["check"], &["plan"]] {
        hub.run(command).ends_with(0);
    }
    let letters = hub.json(&["dead-letters", "list"]).to_string();
    assert!(
        letters.contains("nested more than 100 levels"),
        "{letters:.2000}"
    );
}

/// Five times as long as before, five times over: gigabytes of a name of two letters.
fn bomb() -> String {
    let long = "a".repeat(200);
    format!("name{}", format!("|replace('a','{long}')").repeat(5))
}

#[test]
fn x4_a_mapping_that_grows_is_a_dead_letter_with_its_reason() {
    let _peak = Peak::of("x4");
    let repeats = [
        bomb(),
        "name * 100000000".to_owned(),
        "(name * 10000)|list * 10000".to_owned(),
        "([[[name] * 99999999] * 99999999] * 99999999)|join(',')".to_owned(),
        "[[[name] * 99999999] * 99999999] * 99999999".to_owned(),
        "('a' * 1000000)|join('b' * 1000000)".to_owned(),
        format!("name{}", " ~ ('a' * 500000)".repeat(40)),
        format!("[{}]", "'a' * 1000000, ".repeat(400)),
        "('ab' * 500000)|replace('', 'c' * 100000)".to_owned(),
        "(('a,' * 500000)|split(','))|join('b' * 1000)".to_owned(),
        "[name] * 99999999 == [name] * 99999999".to_owned(),
        "'x' in [name] * 99999999".to_owned(),
    ];
    for text in repeats {
        let hub = hub_with(&text);
        hub.run(&["check"]).ends_with(0);
        let ran = hub.run(&["run"]);
        assert!(ran.code.is_some(), "{text:.80}: {}", short(&ran));
        let letters = hub.json(&["dead-letters", "list"]);
        let letters = letters.as_array().unwrap();
        let letters = letters.iter().filter(|one| one["stream"] == "people");
        assert_eq!(letters.clone().count(), 2, "{text:.80}");
        for letter in letters {
            let why = letter.to_string();
            assert!(why.contains("more than"), "{text:.80}: {why:.500}");
        }
        hub.run(&["status"]).ends_with(0);
    }
}

#[test]
fn x4_a_mapping_that_only_works_is_not_hindered() {
    let _peak = Peak::of("x4");
    let hub = hub_with("(name * 3)|replace('a', 'bb') ~ ('-' + '-') ~ [1] * 2");
    hub.run(&["run"]);
    let letters = hub.json(&["dead-letters", "list"]);
    let letters = letters.as_array().unwrap().iter();
    assert_eq!(letters.filter(|one| one["stream"] == "people").count(), 0);
    let found = hub.run(&["profile", "find", "AdbbAdbbAdbb--[1, 1]"]);
    assert!(found.stdout.contains("AdbbAdbbAdbb"), "{}", short(&found));
}
