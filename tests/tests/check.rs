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

#[test]
fn a_folder_without_manifests_and_a_wrong_flag_are_refused() {
    let hub = Hub::new();
    let empty = hub.run(&["check"]).ends_with(2);
    assert!(empty.stderr.contains("holds no manifest"), "{empty:?}");
    hub.run(&["run", "--fully"]).ends_with(2);
}
