//! Every connector of the repository keeps the rules, and the suite that says so sees each rule broken: a guest that
//! breaks one rule on purpose fails exactly that check.

use crate::compiled;
use crate::hub::{Hub, beside_program, in_repository};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A hub whose programs are found where `onefold` is.
fn hub() -> Hub {
    let mut hub = Hub::new();
    let programs = beside_program("onefold");
    let folder = programs.parent().unwrap().to_str().unwrap();
    hub.set_secret("PATH", folder);
    hub
}

/// Folders of connectors: whatever has a `manifest.json`.
fn connectors() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for parent in ["connectors", "connectors/examples"] {
        let Ok(entries) = std::fs::read_dir(in_repository(parent)) else {
            continue;
        };
        let folders = entries.map(|entry| entry.unwrap().path());
        found.extend(folders.filter(|folder| folder.join("manifest.json").is_file()));
    }
    found.sort();
    found
}

/// Check to result and reason.
fn results(report: &Value) -> BTreeMap<String, (String, String)> {
    let checks = report["checks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    checks
        .iter()
        .map(|check| {
            (
                text(&check["name"]),
                (text(&check["result"]), text(&check["why"])),
            )
        })
        .collect()
}

fn with_result<'a>(report: &'a BTreeMap<String, (String, String)>, wanted: &str) -> Vec<&'a str> {
    let found = report.iter().filter(|(_, (result, _))| result == wanted);
    found.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn every_connector_of_the_repository_keeps_the_rules() {
    let hub = hub();
    let folders = connectors();
    assert!(folders.len() >= 3, "{folders:?}");
    let mut broken = Vec::new();
    for folder in folders {
        let mut arguments = vec!["--json", "connector", "test", folder.to_str().unwrap()];
        let built;
        if folder.join("connector.toml").is_file() {
            let Some(component) = compiled::example(&folder) else {
                continue;
            };
            built = component.file.display().to_string();
            arguments.extend(["--component", &built]);
        }
        let ran = hub.run(&arguments);
        if ran.code != Some(0) {
            broken.push(format!(
                "{}: {}{}",
                folder.display(),
                ran.stdout,
                ran.stderr
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What does not apply to a connector is a decision, so that no check is passed over unseen.
#[test]
fn what_does_not_apply_is_what_is_known_not_to_apply() {
    let hub = hub();
    let expected: [(&str, &[&str]); 3] = [
        // HubSpot and Mailchimp list what a record is now, and Stripe never uses an id again.
        ("hubspot", &["created-again", "erase-twice"]),
        ("mailchimp", &["created-again"]),
        (
            "stripe",
            &[
                "audience-batch",
                "audience-create",
                "audience-faults",
                "audience-members",
                "created-again",
                // Stripe tells of them by events, and only of those after the first read began.
                "deletions",
                "max-batch",
                "modes",
                "partial-failure",
                "targets",
                "unknown-outcome",
                "upsert-twice",
                "write-faults",
            ],
        ),
    ];
    for (name, skipped) in expected {
        let folder = in_repository("connectors").join(name);
        let ran = hub.run(&["--json", "connector", "test", folder.to_str().unwrap()]);
        let report = results(&ran.json());
        assert_eq!(
            with_result(&report, "not applicable"),
            skipped,
            "{name}: {report:?}"
        );
    }
}

fn careless(hub: &Hub, fault: &str) -> BTreeMap<String, (String, String)> {
    let file = hub.path().join(format!("{fault}.toml.conformance"));
    let text = format!(
        "[vendor]\npractice = {{ contacts = 260 }}\n[connection]\n\
         config = {{ base_url = \"{{vendor}}\", fault = \"{fault}\", note = \"practice-token\" }}\n\
         credential.token = \"practice-token\"\n"
    );
    std::fs::write(&file, text).unwrap();
    let component = beside_program("guests").join("careless.wasm");
    let folder = in_repository("tests/guests/careless");
    let ran = hub.run(&[
        "--json",
        "connector",
        "test",
        folder.to_str().unwrap(),
        "--component",
        component.to_str().unwrap(),
        "--conformance",
        file.to_str().unwrap(),
    ]);
    let report = results(&ran.json());
    let failed = with_result(&report, "failed");
    assert_eq!(
        ran.code,
        Some(i32::from(!failed.is_empty())),
        "{fault}: {ran:?}"
    );
    report
}

#[test]
fn the_guest_without_a_fault_keeps_every_rule() {
    let hub = hub();
    let report = careless(&hub, "none");
    assert_eq!(
        with_result(&report, "failed"),
        Vec::<&str>::new(),
        "{report:?}"
    );
    assert_eq!(
        with_result(&report, "not applicable"),
        Vec::<&str>::new(),
        "{report:?}"
    );
}

#[test]
fn a_rule_of_reading_that_is_broken_fails_exactly_its_check() {
    each_fails(&[
        ("a-fault-whose-name-is-much-too-long", "manifest"),
        ("check-fails", "check"),
        ("auth-is-transient", "wrong-credentials"),
        ("discovers-another-key", "discover"),
        ("writes-another-type", "record-schema"),
        ("same-key-twice", "primary-key"),
        ("forgets-when-asked-again", "same-page"),
        ("parts-change-places", "order"),
        ("remembers-the-place", "resume"),
        ("loses-equal-times", "boundaries"),
        ("deletes-with-more", "deletions"),
        ("forgets-deletions", "deletions"),
        ("loses-what-comes-again", "created-again"),
        ("429-is-transient", "read-rate-limited"),
        ("429-without-the-wait", "read-rate-limited"),
        ("500-is-permanent", "read-server-error"),
        ("reset-is-permanent", "read-reset"),
        ("takes-half-for-all", "read-half-body"),
        ("parses-and-writes", "unknown-fields"),
        ("stops-at-what-it-cannot-read", "unreadable-values"),
        ("never-ends", "nothing-new"),
        ("takes-more-than-asked", "batch-size"),
        ("leaks", "secrets"),
    ]);
}

#[test]
fn a_rule_of_writing_that_is_broken_fails_exactly_its_check() {
    each_fails(&[
        ("tells-another-limit", "targets"),
        ("writes-something-new", "upsert-twice"),
        ("names-another-row", "partial-failure"),
        ("gives-lost-answers-up", "unknown-outcome"),
        ("429-ends-the-write", "write-faults"),
        ("updates-make-rows", "modes"),
        ("drops-the-tail", "max-batch"),
        ("makes-another-audience", "audience-create"),
        ("removes-nobody", "audience-members"),
        ("429-ends-the-change", "audience-faults"),
        ("leaves-the-tail-out", "audience-batch"),
        ("erases-again", "erase-twice"),
    ]);
}

fn each_fails(faults: &[(&str, &str)]) {
    let hub = hub();
    let mut wrong = Vec::new();
    for (fault, check) in faults {
        let report = careless(&hub, fault);
        let failed = with_result(&report, "failed");
        if failed != [*check] {
            let why: Vec<_> = failed.iter().map(|name| (name, &report[*name].1)).collect();
            wrong.push(format!("{fault}: expected {check}, failed {why:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn documents_that_are_not_those_of_the_connector_are_seen() {
    let hub = hub();
    let mut bytes = std::fs::read(beside_program("guests").join("careless.wasm")).unwrap();
    // Checks of files next to the code come at the end.
    let said = b"\"version\": \"1.0.0\"";
    let mut places = bytes.windows(said.len());
    let place = places.rposition(|window| window == said).unwrap();
    bytes[place..place + said.len()].copy_from_slice(b"\"version\": \"1.0.1\"");
    let file = hub.path().join("other.wasm");
    std::fs::write(&file, bytes).unwrap();
    let settings = "[vendor]\npractice = { contacts = 30 }\n[connection]\nconfig = { base_url = \"{vendor}\" }\n\
        credential.token = \"practice-token\"\n";
    std::fs::write(hub.path().join("settings"), settings).unwrap();
    let settings = hub.path().join("settings");
    let ran = hub.run(&[
        "--json",
        "connector",
        "test",
        file.to_str().unwrap(),
        "--conformance",
        settings.to_str().unwrap(),
    ]);
    assert_eq!(with_result(&results(&ran.json()), "failed"), ["documents"]);
    let seen = hub
        .run(&["--json", "connector", "inspect", file.to_str().unwrap()])
        .ends_with(0);
    assert_eq!(seen.json()["version"], "1.0.1");
}

#[test]
fn inspect_says_what_a_connector_is_without_running_it() {
    let hub = hub();
    let file = beside_program("connectors").join("stripe.wasm");
    let seen = hub
        .run(&["--json", "connector", "inspect", file.to_str().unwrap()])
        .ends_with(0)
        .json();
    assert_eq!(seen["name"], "stripe");
    assert_eq!(seen["contract"], "0.1.0");
    assert_eq!(
        seen["exports"],
        serde_json::json!(["privacy", "source", "webhook"])
    );
    let by_name = hub.run(&["connector", "inspect", "stripe"]).ends_with(0);
    assert!(by_name.stdout.contains("api.stripe.com"), "{by_name:?}");
    let types = beside_program("guests").join("adversary.wasm");
    let seen = hub
        .run(&["connector", "inspect", types.to_str().unwrap()])
        .ends_with(0);
    assert!(seen.stdout.contains("carries no documents"), "{seen:?}");
    let missing = hub.run(&["connector", "inspect", "nobody"]).ends_with(2);
    assert!(missing.stderr.contains("OF0305"), "{missing:?}");
    let script = hub.path().join("script.wasm");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    let wrong = hub
        .run(&["connector", "inspect", script.to_str().unwrap()])
        .ends_with(2);
    assert!(wrong.stderr.contains("OF0301"), "{wrong:?}");
}

#[test]
fn a_conformance_file_that_cannot_be_used_and_a_vendor_that_does_not_start_are_refused() {
    let hub = hub();
    let component = beside_program("guests").join("careless.wasm");
    for (text, code) in [
        ("[vendor]\n", "OF0331"),
        ("[vendor]\ncommand = [\"no-such-program\"]\n", "OF0332"),
        (
            "[vendor]\ncommand = [\"onefold-fake-vendor\", \"nobody\"]\n",
            "OF0332",
        ),
    ] {
        let file = hub.path().join("wrong");
        std::fs::write(&file, text).unwrap();
        let (component, file) = (component.to_str().unwrap(), file.to_str().unwrap());
        let ran = hub.run(&["connector", "test", component, "--conformance", file]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(code), "{text}: {ran:?}");
    }
    let nothing = Path::new("/nowhere").to_str().unwrap();
    assert!(
        hub.run(&["connector", "test", nothing])
            .ends_with(2)
            .stderr
            .contains("OF0333")
    );
}
