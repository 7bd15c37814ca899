//! N4: a destination that knows lists only is made, tested and used without a row.

use crate::languages::{TOKEN, built, typed};
use crate::small::Small;
use onefold::kit::practice::{Practice, Settings};
use onefold::kit::project::Language;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::runtime::Runtime;

/// Checks of rows; those of reading belong to a source.
const OF_ROWS: [&str; 6] = [
    "upsert-twice",
    "partial-failure",
    "unknown-outcome",
    "write-faults",
    "modes",
    "max-batch",
];

const AUDIENCE: [&str; 2] = ["--kind", "audience"];

#[test]
fn n4_a_new_connector_for_audiences_keeps_the_rules_in_every_language_without_a_row() {
    for language in Language::ALL {
        let place = tempfile::tempdir().unwrap();
        let Some(project) = built(place.path(), language, &AUDIENCE) else {
            continue;
        };
        let (code, text) = typed(&project, &["--json", "connector", "test"]);
        assert_eq!(code, Some(0), "{language}: {text}");
        let report: Value = serde_json::from_str(&text).unwrap();
        for check in report["checks"].as_array().unwrap() {
            let name = check["name"].as_str().unwrap();
            let why = check["why"].as_str().unwrap_or_default();
            let expected = if OF_ROWS.contains(&name) {
                "the connector takes audiences only: its manifest has no targets"
            } else if ["wrong-credentials", "targets", "secrets", "erase-twice"].contains(&name)
                || ["manifest", "documents", "check"].contains(&name)
                || name.starts_with("audience-")
            {
                ""
            } else {
                "the connector does not export `source`"
            };
            assert_eq!(why, expected, "{language} {name}: {check}");
        }
    }
}

/// The addresses in a tag of the help desk.
fn tagged(practice: &Practice, tag: &str) -> BTreeSet<String> {
    let state: Value = serde_json::from_str(&practice.shelf().state()).unwrap();
    let tags = state["tags"].as_array().unwrap();
    let Some(tag) = tags.iter().find(|one| one["name"] == tag) else {
        return BTreeSet::new();
    };
    let contacts = state["contacts"].as_array().unwrap().iter();
    let members = tag["members"].as_array().unwrap();
    contacts
        .filter(|contact| members.contains(&contact["id"]))
        .map(|contact| contact["email"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn n4_a_hub_sends_audiences_to_a_connector_that_writes_no_rows() {
    let place = tempfile::tempdir().unwrap();
    let Some(project) = built(place.path(), Language::C, &AUDIENCE) else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let settings = Settings {
        contacts: 0,
        new_members: true,
        ..Settings::default()
    };
    let practice = Practice::start(runtime.handle(), settings, 0).unwrap();
    let mut small = Small::new();
    let hub = &mut small.hub;
    hub.set_secret("LISTS_TOKEN", TOKEN);
    let folder = hub.path().join("connectors");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(project.join("build/acme.wasm"), folder.join("acme.wasm")).unwrap();
    let address = practice.address;
    let manifest = std::fs::read_to_string(hub.path().join("hub.toml")).unwrap();
    let entry = format!(
        "\n[[destination]]\nname = \"lists\"\nconnector = \"acme\"\ncredential.token = \"env:LISTS_TOKEN\"\n\
         config.base_url = \"http://{address}\"\ngrant.addresses = [\"{address}\"]\n\
         consent = [\"marketing_email\"]\n"
    );
    // A row is not what it takes, and `check` says what is.
    let wrong = "person = { match = \"email\" }\n";
    hub.write("hub.toml", &format!("{manifest}{entry}{wrong}"));
    let refused = hub.run(&["check"]).ends_with(2);
    assert!(
        refused.stderr.contains("`acme` takes no rows"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("audiences = ["), "{refused:?}");

    let right = "audiences = [\"buyers\"]\nguard.max_removed = \"100%\"\n";
    hub.write("hub.toml", &format!("{manifest}{entry}{right}"));
    hub.run(&["check", "--live"]).ends_with(0);
    hub.run(&["run"]).ends_with(0);
    let members = tagged(&practice, "buyers");
    assert_eq!(members, small.tagged());
    assert!(!members.is_empty());
    let before = practice.shelf().state();
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(practice.shelf().state(), before);

    small.edit("at_least = 2", "at_least = 1000");
    small.hub.run(&["run"]).ends_with(0);
    assert_eq!(tagged(&practice, "buyers"), BTreeSet::new());
    // Nobody is deleted there for that: leaving a list is not an erasure.
    assert!(practice.shelf().state().contains(members.first().unwrap()));
}
