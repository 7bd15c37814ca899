//! A version that asks for more waits for a yes; one that asks for the same or less goes through. Until then the old
//! one stays.

use super::world::{Author, MANIFEST, clean_hub, golden, next, reference, rewritten};
use crate::hub::Hub;
use onefold_tests::registry::{Gate, Registry};

/// A hub with version 1.0.0, and where it came from.
fn hub(author: &Author) -> Hub {
    let file = author.write("golden.wasm", &golden());
    let hub = clean_hub(MANIFEST);
    hub.run(&["connector", "add", &file]).ends_with(0);
    hub
}

fn lock(hub: &Hub) -> String {
    std::fs::read_to_string(hub.path().join("connectors.lock")).unwrap()
}

#[test]
fn an_upgrade_that_asks_for_a_new_host_waits_for_approval() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let author = Author::new();
    let old = reference(&registry, "1.0.0");
    let new = reference(&registry, "1.1.0");
    author.publish(&golden(), &old).ends_with(0);
    let wants = next(
        r#"["api.example.com""#,
        r#"["api.example.com","eu.example.com""#,
    );
    author.publish(&wants, &new).ends_with(0);
    let hub = clean_hub(MANIFEST);
    hub.run(&["connector", "add", &old]).ends_with(0);
    let before = lock(&hub);

    let asked = hub.run(&["connector", "add", &new]).ends_with(3);
    assert!(
        asked
            .stdout
            .contains("golden 1.1.0 (locked: 1.0.0), Golden\n"),
        "{asked:?}"
    );
    assert!(
        asked
            .stdout
            .contains("new:           host `eu.example.com`\n"),
        "{asked:?}"
    );
    let expected =
        "error[OF0354]: `golden` 1.1.0 asks for more than 1.0.0 was granted: host `eu.example.com`";
    assert!(asked.stderr.contains(expected), "{asked:?}");
    let json = hub
        .run(&["--json", "connector", "add", &new])
        .ends_with(3)
        .json();
    assert_eq!(json["added"], false);
    assert_eq!(
        json["connectors"][0]["asks_for_more"][0],
        "host `eu.example.com`"
    );
    assert_eq!(lock(&hub), before);
    hub.run(&["run"]).ends_with(0);
    let version = |hub: &Hub| {
        let list = hub.json(&["connector", "list"]);
        let list = list.as_array().unwrap().clone();
        let one = list
            .into_iter()
            .find(|one| one["name"] == "golden")
            .unwrap();
        one["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(version(&hub), "1.0.0");

    hub.run(&["connector", "add", &new, "--yes"]).ends_with(0);
    assert_eq!(version(&hub), "1.1.0");
    hub.run(&["run"]).ends_with(0);
    // Back asks for less, but may bring back what the newer one mended: it needs a yes, and forward again needs one again.
    let back = hub.run(&["connector", "add", &old]).ends_with(3);
    assert!(
        back.stderr
            .contains("the older version 1.0.0 in the place of 1.1.0"),
        "{}",
        back.stderr
    );
    hub.run(&["connector", "add", &old, "--yes"]).ends_with(0);
    assert_eq!(lock(&hub), before);
    hub.run(&["connector", "add", &new]).ends_with(3);
}

#[test]
fn whatever_is_new_is_named_and_waits() {
    let author = Author::new();
    let hook = r#""hook":{"title":"Hook","required":false,"inject":"signing"}"#;
    let cases = [
        (
            next(
                hook,
                &format!(r#"{hook},"key":{{"title":"K","required":false,"inject":"bearer"}}"#),
            ),
            "credential `key` (bearer)",
        ),
        (
            next(r#""inject":"signing""#, r#""inject":"bearer" "#),
            "credential `hook` as bearer, not as signing",
        ),
        (
            next(
                r#""email":"pii.email""#,
                r#""email":"pii.email","name":"pii.name""#,
            ),
            "personal data in stream `people` (pii.name)",
        ),
        (
            next(r#""data_classes":{   "#, r#""data_classes":{"id":"pii.id""#),
            "personal data in stream `calls` (pii.id)",
        ),
        (
            next(r#"["api.example.com""#, r#"["*.example.com"  "#),
            "host `*.example.com`",
        ),
        (
            rewritten(&golden(), "Golden", "Gilded"),
            "the same version 1.0.0 with other bytes",
        ),
    ];
    for (component, expected) in cases {
        let hub = hub(&author);
        let before = lock(&hub);
        let file = author.write("next.wasm", &component);
        let asked = hub.run(&["connector", "add", &file]).ends_with(3);
        assert!(asked.stderr.contains(expected), "{expected}: {asked:?}");
        assert_eq!(lock(&hub), before);
        hub.run(&["connector", "add", &file, "--yes"]).ends_with(0);
        hub.run(&["check"]).ends_with(0);
    }
}

#[test]
fn a_version_that_asks_for_the_same_or_less_goes_through() {
    let author = Author::new();
    let cases = [
        next("Golden", "Gilded"),
        next(r#"["api.example.com""#, r#"[                 "#),
        next(r#""email":"pii.email""#, r#""email":"crm.email""#),
    ];
    for component in cases {
        let hub = hub(&author);
        let file = author.write("next.wasm", &component);
        hub.run(&["connector", "add", &file]).ends_with(0);
        assert!(lock(&hub).contains("version = \"1.1.0\""));
        hub.run(&["check"]).ends_with(0);
    }
}

#[test]
fn what_an_operator_takes_out_of_the_lock_is_not_granted() {
    let author = Author::new();
    let hub = hub(&author);
    let narrowed = lock(&hub).replace("\"api.example.com\"", "");
    hub.write("connectors.lock", &narrowed);
    let refused = hub.run(&["check"]).ends_with(2);
    assert!(refused.stderr.contains("error[OF0354]: "), "{refused:?}");
    assert!(
        refused.stderr.contains("host `api.example.com`"),
        "{refused:?}"
    );
}

#[test]
fn a_file_that_nobody_locked_is_not_replaced_without_a_yes() {
    let author = Author::new();
    let hub = clean_hub(MANIFEST);
    std::fs::create_dir(hub.path().join("connectors")).unwrap();
    let own = rewritten(&golden(), "Golden", "Gilded");
    std::fs::write(hub.path().join("connectors/golden.wasm"), &own).unwrap();
    let file = author.write("golden.wasm", &golden());
    let asked = hub.run(&["connector", "add", &file]).ends_with(3);
    assert!(asked.stderr.contains("which is not locked"), "{asked:?}");
    let there = std::fs::read(hub.path().join("connectors/golden.wasm")).unwrap();
    assert_eq!(there, own);
    // The file itself can be locked where it is.
    let itself = hub
        .path()
        .join("connectors/golden.wasm")
        .display()
        .to_string();
    hub.run(&["connector", "add", &itself]).ends_with(0);
    hub.run(&["check"]).ends_with(0);
}
