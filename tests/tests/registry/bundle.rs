//! All locked connectors in one file, for a hub that reaches no registry.

use super::world::{Author, MANIFEST, clean_hub, files, golden, next, reference, rewritten};
use onefold_tests::registry::{Gate, Registry};
use std::path::Path;

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_bundle_brings_locked_connectors_and_their_signatures_to_an_offline_hub() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let author = Author::new();
    let key = text(&author.hub.path().join("acme.pem"));
    let made = author.hub.json(&["connector", "key", "new", &key]);
    let trusted = format!(
        "trusted_keys = [\"acme:{}\"]",
        made["public_key"].as_str().unwrap()
    );
    let manifest = format!("{MANIFEST}\n[connectors]\n{trusted}\nrequire_signature = true\n");
    let signed = author.write("connector.wasm", &golden());
    let from = format!("file:{key}");
    author
        .hub
        .run(&["connector", "sign", &signed, "--key", &from])
        .ends_with(0);
    let target = reference(&registry, "1.0.0");
    author.publish(&golden(), &target).ends_with(0);
    let online = clean_hub(&manifest);
    online.run(&["connector", "add", &target]).ends_with(0);
    drop(registry);

    let bundle = text(&author.hub.path().join("all.tar"));
    let packed = online.run(&["connector", "bundle", &bundle]).ends_with(0);
    assert_eq!(
        packed.stdout,
        format!("wrote {bundle} with 1 connector: golden\n")
    );
    let offline = clean_hub(&manifest);
    offline.run(&["connector", "add", &bundle]).ends_with(0);
    let put = ["golden.wasm", "golden.wasm.locked", "golden.wasm.sig"];
    assert_eq!(files(&offline), put);
    let lock = |hub: &crate::hub::Hub| std::fs::read(hub.path().join("connectors.lock")).unwrap();
    assert_eq!(
        lock(&offline),
        lock(&online),
        "the same places, digests and grants"
    );
    offline.run(&["run"]).ends_with(0);
    assert_eq!(offline.number("acme.db", "select count(*) from person"), 2);
}

#[test]
fn a_bundle_is_believed_no_more_than_a_registry() {
    let author = Author::new();
    let hub = clean_hub(MANIFEST);
    let file = author.write("golden.wasm", &golden());
    hub.run(&["connector", "add", &file]).ends_with(0);
    let bundle = text(&author.hub.path().join("all.tar"));
    hub.run(&["connector", "bundle", &bundle]).ends_with(0);
    let bytes = std::fs::read(&bundle).unwrap();
    let changed = author.write("changed.tar", &rewritten(&bytes, "Golden", "Gilded"));
    let refused = clean_hub(MANIFEST)
        .run(&["connector", "add", &changed])
        .ends_with(2);
    assert!(refused.stderr.contains("error[OF0346]: "), "{refused:?}");
    let cut = author.write("cut.tar", &bytes[..bytes.len() / 2]);
    let refused = clean_hub(MANIFEST)
        .run(&["connector", "add", &cut])
        .ends_with(2);
    assert!(refused.stderr.contains("error[OF0355]: "), "{refused:?}");
    // An older version is on the other hub: what the bundle asks for beyond it waits there, too.
    let newer = next(
        r#"["api.example.com""#,
        r#"["api.example.com","eu.example.com""#,
    );
    let file = author.write("newer.wasm", &newer);
    hub.run(&["connector", "add", &file, "--yes"]).ends_with(0);
    hub.run(&["connector", "bundle", &bundle]).ends_with(0);
    let other = clean_hub(MANIFEST);
    let file = author.write("golden.wasm", &golden());
    other.run(&["connector", "add", &file]).ends_with(0);
    other.run(&["connector", "add", &bundle]).ends_with(3);
    other
        .run(&["connector", "add", &bundle, "--yes"])
        .ends_with(0);
    // Nothing to pack.
    let empty = clean_hub(MANIFEST)
        .run(&["connector", "bundle", &bundle])
        .ends_with(2);
    assert!(empty.stderr.contains("no locked connectors"), "{empty:?}");
}
