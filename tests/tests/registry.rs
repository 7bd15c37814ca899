//! Connectors from their author to a hub, through the program: published, added, locked, upgraded, bundled; and every
//! way in which what arrives is not what it should be.

mod bad;
mod bundle;
mod signed;
mod upgrade;
pub mod world;

use onefold_tests::registry::{Gate, Registry};
use onefold_tests::vendors::Fault;
use serde_json::json;
use world::{Author, MANIFEST, clean_hub, files, golden, reference, rewritten};

mod snapshots {
    use super::*;

    #[test]
    fn what_is_published_is_added_on_a_clean_hub_locked_and_runs() {
        let registry = Registry::serve(Gate::Open).unwrap();
        let author = Author::new();
        let target = reference(&registry, "1.0.0");
        let published = author.publish(&golden(), &target).ends_with(0);
        assert!(
            published.stdout.starts_with("published golden 1.0.0 to "),
            "{published:?}"
        );
        let manifest = registry.with(|registry| registry.tagged("acme/golden"))["1.0.0"].clone();
        assert_eq!(
            manifest["config"]["mediaType"],
            "application/vnd.wasm.config.v0+json"
        );
        assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
        assert_eq!(
            manifest["annotations"],
            json!({"org.opencontainers.image.title": "Golden", "org.opencontainers.image.version": "1.0.0",
            "dev.onefold.connector.name": "golden", "dev.onefold.connector.version": "1.0.0",
            "dev.onefold.connector.contract": "0.1.0"})
        );

        let hub = clean_hub(MANIFEST);
        let unknown = hub.run(&["check"]).ends_with(2);
        assert!(unknown.stderr.contains("OF0201"), "{unknown:?}");
        let added = hub.run(&["connector", "add", &target]).ends_with(0);
        let place = registry.address.to_string();
        let shown = |text: &str| {
            let text = text.replace(&place, "[REGISTRY]");
            let text = text.replace(&hub.path().display().to_string(), "[HUB]");
            text.replace(
                &onefold_tests::registry::digest(&golden()),
                "sha256:[DIGEST]",
            )
        };
        insta::assert_snapshot!("added", shown(&added.stdout));
        let lock = std::fs::read_to_string(hub.path().join("connectors.lock")).unwrap();
        insta::assert_snapshot!("lock", shown(&lock));
        assert_eq!(files(&hub), ["golden.wasm", "golden.wasm.locked"]);
        let list = hub.json(&["connector", "list"]);
        let list = list.as_array().unwrap();
        let locked = list.iter().find(|one| one["name"] == "golden").unwrap();
        assert_eq!(locked["locked"]["source"], target.as_str());
        hub.run(&["check"]).ends_with(0);
        hub.run(&["run"]).ends_with(0);
        assert_eq!(hub.number("acme.db", "select count(*) from person"), 2);

        // The same again changes nothing, and asks nothing.
        hub.run(&["connector", "add", &target]).ends_with(0);
        assert_eq!(
            std::fs::read_to_string(hub.path().join("connectors.lock")).unwrap(),
            lock
        );
        let removed = hub.run(&["connector", "remove", "golden"]).ends_with(0);
        assert_eq!(removed.stdout, "removed golden 1.0.0\n");
        assert_eq!(files(&hub), [""; 0]);
        hub.run(&["connector", "remove", "golden"]).ends_with(2);
    }
}

#[test]
fn publishing_the_same_again_uploads_nothing_and_gives_the_same_digest() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let author = Author::new();
    let target = reference(&registry, "1.0.0");
    let first = author.publish(&golden(), &target).ends_with(0);
    registry.forget_requests();
    let again = author.publish(&golden(), &target).ends_with(0);
    assert_eq!(again.stdout, first.stdout);
    let asked = registry.requests();
    assert!(asked.iter().all(|one| one.method != "POST"), "{asked:?}");
    // By its manifest's digest it is pinned at the registry, too.
    let digest = first.stdout.split("sha256:").nth(1).unwrap();
    let digest = digest.split_whitespace().next().unwrap();
    let pinned = format!("oci://{}/acme/golden@sha256:{digest}", registry.address);
    clean_hub(MANIFEST)
        .run(&["connector", "add", &pinned])
        .ends_with(0);
}

#[test]
fn an_answer_that_was_lost_does_not_lose_the_upload() {
    let registry = Registry::serve(Gate::Open).unwrap();
    registry.fail_next(1, "PUT /v2/acme/golden/blobs", Fault::AnswerLost);
    let author = Author::new();
    let target = reference(&registry, "1.0.0");
    author.publish(&golden(), &target).ends_with(0);
    clean_hub(MANIFEST)
        .run(&["connector", "add", &target])
        .ends_with(0);
}

#[test]
fn a_registry_that_stumbles_is_asked_again() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let target = reference(&registry, "1.0.0");
    Author::new().publish(&golden(), &target).ends_with(0);
    registry.fail_next(1, "manifests", Fault::ServerError);
    registry.fail_next(1, "manifests", Fault::Reset);
    registry.fail_next(1, "blobs", Fault::HalfBody);
    clean_hub(MANIFEST)
        .run(&["connector", "add", &target])
        .ends_with(0);
}

#[test]
fn a_registry_that_is_down_is_named_after_several_tries_and_nothing_is_changed() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let target = reference(&registry, "1.0.0");
    Author::new().publish(&golden(), &target).ends_with(0);
    let hub = clean_hub(MANIFEST);
    hub.run(&["connector", "add", &target]).ends_with(0);
    registry.forget_requests();
    registry.fail_next(100, "", Fault::Reset);
    let refused = hub.run(&["connector", "add", &target]).ends_with(2);
    assert!(refused.stderr.contains("error[OF0342]: "), "{refused:?}");
    assert!(
        refused.stderr.contains("does not answer after 5 attempts"),
        "{refused:?}"
    );
    assert_eq!(registry.requests().len(), 5);
    let place = registry.address;
    drop(registry);
    let refused = hub.run(&["connector", "add", &target]).ends_with(2);
    let expected = format!("`{place}` does not answer after 5 attempts");
    assert!(refused.stderr.contains(&expected), "{refused:?}");
    // What was added goes on without it.
    hub.run(&["run"]).ends_with(0);
}

#[test]
fn one_byte_that_was_changed_in_the_registry_is_refused() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let target = reference(&registry, "1.0.0");
    Author::new().publish(&golden(), &target).ends_with(0);
    assert_eq!(registry.with(|registry| registry.tamper(10_000)), 1);
    let hub = clean_hub(MANIFEST);
    let refused = hub.run(&["connector", "add", &target]).ends_with(2);
    assert!(refused.stderr.contains("error[OF0346]: "), "{refused:?}");
    assert_eq!(files(&hub), [""; 0]);
    assert!(!hub.path().join("connectors.lock").exists());
}

#[test]
fn one_byte_that_was_changed_on_the_hub_is_refused_by_every_command() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let target = reference(&registry, "1.0.0");
    Author::new().publish(&golden(), &target).ends_with(0);
    let hub = clean_hub(MANIFEST);
    hub.run(&["connector", "add", &target]).ends_with(0);
    let path = hub.path().join("connectors/golden.wasm");
    // Another component that would run as well.
    std::fs::write(&path, rewritten(&golden(), "Golden", "Gilded")).unwrap();
    for command in ["check", "plan", "run", "serve"] {
        let refused = hub.run(&[command]).ends_with(2);
        assert_eq!(refused.stderr.matches("error[").count(), 1, "{refused:?}");
        assert!(refused.stderr.contains("error[OF0347]: "), "{refused:?}");
        assert!(
            refused.stderr.contains(&format!("connector add {target}")),
            "{refused:?}"
        );
    }
    let listed = hub.run(&["connector", "list"]).ends_with(2);
    assert!(listed.stderr.contains("OF0347"), "{listed:?}");
    std::fs::remove_file(&path).unwrap();
    let gone = hub.run(&["check"]).ends_with(2);
    assert!(gone.stderr.contains("its file is gone"), "{gone:?}");
    // Adding it again mends it.
    hub.run(&["connector", "add", &target]).ends_with(0);
    hub.run(&["check"]).ends_with(0);
}

#[test]
fn a_lock_that_cannot_be_read_lets_nothing_be_loaded() {
    let author = Author::new();
    let file = author.write("golden.wasm", &golden());
    let hub = clean_hub(MANIFEST);
    hub.run(&["connector", "add", &file]).ends_with(0);
    hub.write("connectors.lock", "version = 1\n[[connector]]\nname");
    for arguments in [
        &["check"][..],
        &["connector", "add", &file],
        &["connector", "list"],
    ] {
        let refused = hub.run(arguments).ends_with(2);
        assert!(refused.stderr.contains("error[OF0348]: "), "{refused:?}");
    }
}

#[test]
fn a_registry_that_wants_a_password_or_a_token_gets_it_and_nobody_else_sees_it() {
    use onefold_tests::registry::{PASSWORD, USER};
    for gate in [Gate::Password, Gate::Token] {
        let registry = Registry::serve(gate).unwrap();
        let target = reference(&registry, "1.0.0");
        let mut author = Author::new();
        let refused = author.publish(&golden(), &target).ends_with(2);
        assert!(refused.stderr.contains("error[OF0343]: "), "{refused:?}");
        assert!(refused.stderr.contains("--credential"), "{refused:?}");
        let access = ["--credential", "env:REGISTRY", "--username", USER];
        author.hub.set_secret("REGISTRY", "wrong");
        let wrong = author
            .publish_with(&golden(), &target, &access)
            .ends_with(2);
        assert!(wrong.stderr.contains("error[OF0343]: "), "{wrong:?}");
        author.hub.set_secret("REGISTRY", PASSWORD);
        let done = author
            .publish_with(&golden(), &target, &access)
            .ends_with(0);
        for ran in [&refused, &wrong, &done] {
            assert!(!format!("{ran:?}").contains(PASSWORD), "{ran:?}");
        }
        let mut hub = clean_hub(MANIFEST);
        let without = hub.run(&["connector", "add", &target]);
        // Tokens for reading are handed to everybody, as the public registries do.
        let expected = if gate == Gate::Token { 0 } else { 2 };
        without.ends_with(expected);
        hub.write("password", PASSWORD);
        hub.set_secret("REGISTRY", PASSWORD);
        let add = [&["connector", "add", &target][..], &access].concat();
        hub.run(&add).ends_with(0);
        let lock = std::fs::read_to_string(hub.path().join("connectors.lock")).unwrap();
        assert!(!lock.contains(PASSWORD), "{lock}");
    }
    // A secret in the place of its place is not repeated.
    let hub = clean_hub(MANIFEST);
    let typed = [
        "connector",
        "add",
        "oci://localhost/a:1",
        "--credential",
        "hunter2",
    ];
    let refused = hub.run(&typed).ends_with(2);
    assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
}
