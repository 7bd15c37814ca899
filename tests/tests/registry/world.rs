//! The golden component and copies of it that differ in one thing, their author, and hubs that have nothing yet.

use crate::hub::{Hub, Ran, in_repository};
use onefold_tests::registry::Registry;
use onefold_tests::vendors::Running;

pub const MANIFEST: &str = r#"
[hub]
name = "acme"
store = "sqlite:acme.db"

[[source]]
name = "crm"
connector = "golden"
"#;

/// An author's folder.
pub struct Author {
    pub hub: Hub,
}

impl Author {
    pub fn new() -> Self {
        Self { hub: Hub::new() }
    }

    /// The path of a file with these bytes.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.hub.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    pub fn publish(&self, component: &[u8], target: &str) -> Ran {
        self.publish_with(component, target, &[])
    }

    pub fn publish_with(&self, component: &[u8], target: &str, more: &[&str]) -> Ran {
        let file = self.write("connector.wasm", component);
        let publish = ["connector", "publish", &file, target];
        self.hub.run(&[&publish[..], more].concat())
    }
}

pub fn clean_hub(manifest: &str) -> Hub {
    let hub = Hub::new();
    hub.write("hub.toml", manifest);
    hub
}

/// What is in the hub's folder of connectors.
pub fn files(hub: &Hub) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(hub.path().join("connectors")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub fn reference(registry: &Running<Registry>, tag: &str) -> String {
    format!("oci://{}/acme/golden:{tag}", registry.address)
}

pub fn golden() -> Vec<u8> {
    std::fs::read(in_repository("tests/fixtures/golden/v0_1.wasm")).unwrap()
}

/// A copy that says `to` wherever it said `from`. A longer text takes the place of the spaces that follow.
pub fn rewritten(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut bytes = component.to_vec();
    let mut count = 0;
    let mut at = 0;
    while let Some(found) = find(&bytes[at..], from.as_bytes()) {
        at += found;
        let room = from.len().max(to.len());
        assert!(
            bytes[at + from.len()..at + room].iter().all(|b| *b == b' '),
            "no room for `{to}`"
        );
        bytes[at..at + room].fill(b' ');
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        at += room;
        count += 1;
    }
    assert!(count > 0, "the component does not say `{from}`");
    bytes
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// The golden component as version 1.1.0, which differs in `from`.
pub fn next(from: &str, to: &str) -> Vec<u8> {
    let next = rewritten(&golden(), r#""version":"1.0.0""#, r#""version":"1.1.0""#);
    rewritten(&next, from, to)
}
