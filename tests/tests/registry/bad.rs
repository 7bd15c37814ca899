//! What arrives and is not a connector, or not the one that was asked for: each with its own problem, and nothing is kept.

use super::world::{Author, MANIFEST, clean_hub, files, golden, reference, rewritten};
use onefold_tests::registry::{Gate, Registry};
use onefold_tests::vendors::http::{Reply, Request};
use onefold_tests::vendors::{Vendor, start};
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn what_is_no_connector_is_refused_with_its_problem_however_it_comes() {
    let newer = rewritten(&golden(), "@0.1.0", "@0.2.0");
    let older = rewritten(&golden(), "@0.1.0", "@0.0.9");
    let elsewhere = rewritten(&golden(), "onefold:connector/", "another:connector/");
    let cases: [(Vec<u8>, &str, &str); 8] = [
        (b"#!/bin/sh\n".to_vec(), "OF0301", "not WebAssembly"),
        (
            b"\0asm\x01\0\0\0".to_vec(),
            "OF0301",
            "a core WebAssembly module",
        ),
        (
            golden()[..20_000].to_vec(),
            "OF0301",
            "not a valid component",
        ),
        (
            b"\0asm\x0d\0\x01\0".to_vec(),
            "OF0302",
            "the component is not a connector",
        ),
        (elsewhere, "OF0303", "another:connector/"),
        (newer, "OF0302", "that version is newer"),
        (older, "OF0302", "that version is older"),
        (
            rewritten(&golden(), r#""name":"golden""#, r#""name":"../evil""#),
            "OF0304",
            "../evil",
        ),
    ];
    let author = Author::new();
    let shelf = start(Shelf::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("{}/connector.wasm", shelf.base_url());
    for (bytes, code, expected) in cases {
        let file = author.write("connector.wasm", &bytes);
        shelf.with(|shelf| shelf.put("/connector.wasm", &bytes));
        let hub = clean_hub(MANIFEST);
        for source in [&file, &url] {
            let refused = hub.run(&["connector", "add", source]).ends_with(2);
            assert!(
                refused.stderr.contains(&format!("error[{code}]: ")),
                "{refused:?}"
            );
            assert!(refused.stderr.contains(expected), "{expected}: {refused:?}");
        }
        assert_eq!(files(&hub), [""; 0]);
        assert!(!hub.path().join("connectors.lock").exists());
        let publish = ["connector", "publish", &file, "oci://localhost:1/acme/x:1"];
        let refused = author.hub.run(&publish).ends_with(2);
        // A name that no hub takes is still one that a registry may hold.
        let expected = if code == "OF0304" { "error[OF03" } else { code };
        assert!(refused.stderr.contains(expected), "{refused:?}");
    }
}

#[test]
fn what_a_registry_has_that_is_no_connector_is_refused() {
    let registry = Registry::serve(Gate::Open).unwrap();
    let author = Author::new();
    let target = reference(&registry, "1.0.0");
    let hub = clean_hub(MANIFEST);
    let add = |source: &str| hub.run(&["connector", "add", source]).ends_with(2).stderr;
    author.publish(&golden(), &target).ends_with(0);
    let index = "application/vnd.oci.image.index.v1+json";
    registry.with(|it| it.rewrite("acme/golden", "1.0.0", Some(index), |_| ()));
    assert!(add(&target).contains(&format!(
        "error[OF0345]: `{target}` is `{index}`, not one artifact"
    )));

    author.publish(&golden(), &target).ends_with(0);
    registry.with(|it| {
        it.rewrite("acme/golden", "1.0.0", None, |manifest| {
            manifest["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar");
        });
    });
    assert!(add(&target).contains("does not have one layer of `application/wasm`"));

    author.publish(&golden(), &target).ends_with(0);
    registry.with(|it| {
        it.rewrite("acme/golden", "1.0.0", None, |manifest| {
            manifest["layers"][0]["size"] = json!(1_u64 << 40);
        });
    });
    assert!(add(&target).contains("error[OF0345]: "));

    author.publish(&golden(), &target).ends_with(0);
    registry.with(|it| {
        it.rewrite("acme/golden", "1.0.0", None, |manifest| {
            manifest["layers"][0]["size"] = json!(100);
        });
    });
    assert!(add(&target).contains("sends more than the 100 bytes"));

    let missing = reference(&registry, "9.9.9");
    let text = add(&missing);
    assert!(
        text.contains(&format!("error[OF0344]: `{missing}` is not there")),
        "{text}"
    );
    assert!(text.contains("HTTP 404 (MANIFEST_UNKNOWN)"), "{text}");
    assert_eq!(files(&hub), [""; 0]);
}

#[test]
fn a_digest_that_was_asked_for_must_be_the_one_that_comes() {
    let author = Author::new();
    let file = author.write("golden.wasm", &golden());
    let hub = clean_hub(MANIFEST);
    let right = onefold_tests::registry::digest(&golden());
    let wrong = onefold_tests::registry::digest(b"other");
    let refused = hub
        .run(&["connector", "add", &file, "--digest", &wrong])
        .ends_with(2);
    assert!(refused.stderr.contains("error[OF0346]: "), "{refused:?}");
    let refused = hub
        .run(&["connector", "add", &file, "--digest", "abc"])
        .ends_with(2);
    assert!(refused.stderr.contains("error[OF0001]: "), "{refused:?}");
    assert_eq!(files(&hub), [""; 0]);
    hub.run(&["connector", "add", &file, "--digest", &right])
        .ends_with(0);
}

#[test]
fn a_place_that_cannot_be_or_may_not_be_called_is_refused_without_a_call() {
    let hub = clean_hub(MANIFEST);
    let cases = [
        ("oci://registry.example.com/acme/golden", "OF0341"),
        ("ftp://example.com/golden.wasm", "OF0341"),
        ("http://example.com/golden.wasm", "OF0341"),
        ("http://10.0.0.1/golden.wasm", "OF0341"),
        ("https://10.0.0.1/golden.wasm", "OF0402"),
        ("https://169.254.169.254/golden.wasm", "OF0402"),
        ("gone.wasm", "OF0344"),
    ];
    for (source, code) in cases {
        let refused = hub.run(&["connector", "add", source]).ends_with(2);
        assert!(
            refused.stderr.contains(&format!("error[{code}]: ")),
            "{source}: {refused:?}"
        );
    }
    let private = hub.run(&["connector", "add", "https://10.0.0.1/golden.wasm"]);
    assert!(
        private.stderr.contains("--address ADDRESS:PORT"),
        "{private:?}"
    );
}

/// A web server with a few files.
#[derive(Default)]
struct Shelf {
    files: BTreeMap<String, Vec<u8>>,
    /// Where `/moved` leads.
    moved: String,
    /// What was sent as `Authorization`, by path.
    credentials: Vec<(String, String)>,
}

impl Shelf {
    fn put(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), bytes.to_vec());
    }
}

impl Vendor for Shelf {
    fn answer(&mut self, request: &Request) -> Reply {
        let sent = request.header("authorization").unwrap_or("nothing");
        self.credentials
            .push((request.path.clone(), sent.to_owned()));
        if request.path == "/moved" {
            return Reply::empty(302).with("location", self.moved.clone());
        }
        match self.files.get(&request.path) {
            Some(bytes) => Reply {
                body: bytes.clone().into(),
                ..Reply::empty(200)
            },
            None => Reply::empty(404),
        }
    }

    fn too_many_requests(&self) -> Reply {
        Reply::empty(429)
    }

    fn server_error(&self) -> Reply {
        Reply::empty(500)
    }
}

#[test]
fn a_web_server_s_redirect_is_followed_without_the_credential() {
    let here = start(Shelf::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    let there = start(Shelf::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    there.with(|shelf| shelf.put("/golden.wasm", &golden()));
    here.with(|shelf| shelf.moved = format!("{}/golden.wasm", there.base_url()));
    let mut hub = clean_hub(MANIFEST);
    hub.set_secret("TOKEN", "web-token");
    let url = format!("{}/moved", here.base_url());
    hub.run(&["connector", "add", &url, "--credential", "env:TOKEN"])
        .ends_with(0);
    let sent = |credentials: &[(String, String)]| -> Vec<String> {
        let pairs = credentials.iter();
        pairs.map(|(path, sent)| format!("{path} {sent}")).collect()
    };
    assert_eq!(
        here.with(|shelf| sent(&shelf.credentials)),
        ["/moved Bearer web-token", "/moved.sig Bearer web-token"]
    );
    assert_eq!(
        there.with(|shelf| sent(&shelf.credentials)),
        ["/golden.wasm nothing"]
    );
    here.with(|shelf| shelf.moved = url.clone());
    let round = hub.run(&["connector", "add", &url]).ends_with(2);
    assert!(
        round.stderr.contains("redirects more than 5 times"),
        "{round:?}"
    );
}
