//! The manifests' way to the user: every mistake at once with its place, and a fresh hub that has none.

use crate::hub::{Hub, in_repository};

#[test]
fn twelve_mistakes_are_twelve_problems_with_places_and_nothing_is_run() {
    let hub = Hub::new();
    let fixture = in_repository("tests/fixtures/twelve-mistakes");
    for file in std::fs::read_dir(&fixture).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|ending| ending == "toml") {
            let name = file.file_name().unwrap().to_str().unwrap();
            hub.write(name, &std::fs::read_to_string(&file).unwrap());
        }
    }
    let ran = hub.run(&["check"]).ends_with(2);
    let expected = std::fs::read_to_string(fixture.join("expected.err")).unwrap();
    assert_eq!(ran.stderr.trim_end(), expected.trim_end());
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr.matches("error[OF").count(), 12);

    let refused = hub.run(&["run"]).ends_with(2);
    assert_eq!(refused.stderr, ran.stderr);
    let json = hub.run(&["--json", "check"]).ends_with(2).json();
    assert_eq!(json["problems"].as_array().unwrap().len(), 12);
    let files: Vec<_> = std::fs::read_dir(hub.path()).unwrap().collect();
    assert_eq!(files.len(), 5, "a refused hub has no store: {files:?}");
}

#[test]
fn a_new_hub_passes_its_check_and_is_not_made_twice() {
    let hub = Hub::new();
    let made = hub.run(&["init", "--name", "acme"]).ends_with(0);
    assert!(made.stdout.starts_with("made "), "{made:?}");
    let checked = hub.run(&["check"]).ends_with(0);
    assert!(checked.stdout.contains("no problem found"), "{checked:?}");
    let again = hub.run(&["init", "--name", "acme"]).ends_with(2);
    assert!(again.stderr.contains("exists already"), "{again:?}");
}

#[test]
fn help_explains_a_code_a_command_and_what_comes_close() {
    let hub = Hub::new();
    let page = include_str!("../../hub/src/problem/pages/OF0107.md");
    let explained = hub.run(&["help", "OF0107"]).ends_with(0);
    assert_eq!(explained.stdout.trim_end(), page.trim_end());
    let command = hub.run(&["help", "run"]).ends_with(0);
    assert!(command.stdout.contains("--full"), "{command:?}");
    let close = hub.run(&["help", "serv"]).ends_with(2);
    assert!(close.stderr.contains("did you mean `serve`?"), "{close:?}");
}

// N19 and the hub's part of N3
#[test]
fn help_lists_every_key_filter_command_and_code_offline() {
    let hub = Hub::new();
    let says = |words: &[&str]| {
        let said = hub.run(&[&["help"], words].concat()).ends_with(0).stdout;
        let longest = said.lines().map(|line| line.chars().count()).max();
        let is_page = said.starts_with("# OF");
        assert!(is_page || longest <= Some(80), "{words:?}: {said}");
        said
    };
    let first = says(&[]);
    assert!(first.contains("`onefold help keys`"), "{first}");
    assert!(first.contains("  schema "), "{first}");
    let shown: [(&[&str], &str); 12] = [
        (&["keys"], "source.stream "),
        (
            &["keys", "source.stream"],
            "- `default_map`: boolean, default `true`.",
        ),
        (
            &["keys", "[[source.stream]]"],
            "- `default_map`: boolean, default `true`.",
        ),
        (
            &["keys", "source.stream.event"],
            "- `event`: text. The name of the events",
        ),
        (&["filters"], "to_minor_units "),
        (&["filters", "date"], "result      \"1988-02-08\""),
        (&["commands"], "connector build "),
        (&["commands", "run"], "Usage: onefold run"),
        (&["connector", "build"], "Usage: onefold connector build"),
        (&["problems"], "OF0124 "),
        (&["problems", "of0124"], "# OF0124: unknown purpose"),
        (&["OF0124"], "# OF0124: unknown purpose"),
    ];
    for (words, expected) in shown {
        let said = says(words);
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    let near: [(&[&str], &str); 6] = [
        (&["kyes"], "keys"),
        (&["keys", "sorce.stream"], "source.stream"),
        (&["keys", "source.stream.evnt"], "source.stream.event"),
        (&["filters", "dat"], "date"),
        (&["connector", "biuld"], "connector build"),
        (&["of0142x"], "OF0142"),
    ];
    for (words, meant) in near {
        let refused = hub.run(&[&["help"], words].concat()).ends_with(2).stderr;
        assert!(
            refused.contains(&format!("did you mean `{meant}`?")),
            "{words:?}: {refused}"
        );
    }
    let keys = hub.run(&["--json", "help", "keys"]).ends_with(0).json();
    assert_eq!(keys["sections"][0]["name"], "manifest", "{keys}");
}

#[test]
fn the_schema_completes_every_table_of_a_hub() {
    let hub = Hub::new();
    let schema = hub.run(&["schema"]).ends_with(0).json();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["additionalProperties"], false);
    let stream = &schema["$defs"]["source.stream"];
    assert_eq!(
        stream["properties"]["default_map"]["default"], true,
        "{stream}"
    );
    assert_eq!(
        schema["properties"]["source"]["items"]["$ref"],
        "#/$defs/source"
    );
}

#[test]
fn a_folder_without_manifests_and_a_wrong_flag_are_refused() {
    let hub = Hub::new();
    let empty = hub.run(&["check"]).ends_with(2);
    assert!(empty.stderr.contains("holds no manifest"), "{empty:?}");
    hub.run(&["run", "--fully"]).ends_with(2);
}
