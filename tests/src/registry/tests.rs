//! The registry refuses what a registry must: an upload without a session, bytes that are not their digest's, a
//! manifest of another kind or with blobs that are not there.

use super::*;
use hyper::HeaderMap;

fn request(method: &str, target: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        path: path.to_owned(),
        query: form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: map,
        body: body.to_vec().into(),
    }
}

const BYTES: [(&str, &str); 1] = [("content-type", "application/octet-stream")];

fn upload(registry: &mut Registry, named: &str, body: &[u8]) -> Reply {
    let opened = registry.answer(&request("POST", "/v2/a/crm/blobs/uploads/", &[], b""));
    assert_eq!(opened.status, 202);
    let (_, location) = opened
        .headers
        .iter()
        .find(|(name, _)| *name == "location")
        .unwrap();
    let target = format!("{location}&digest={named}");
    registry.answer(&request("PUT", &target, &BYTES, body))
}

fn manifest(digest: &str, size: usize) -> serde_json::Value {
    let blob = json!({"mediaType": "application/wasm", "digest": digest, "size": size});
    json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": blob, "layers": [blob]})
}

fn put(registry: &mut Registry, tag: &str, kind: &str, value: &serde_json::Value) -> u16 {
    let target = format!("/v2/a/crm/manifests/{tag}");
    let body = value.to_string();
    let headers = [("content-type", kind)];
    let request = request("PUT", &target, &headers, body.as_bytes());
    registry.answer(&request).status
}

#[test]
fn a_blob_needs_a_session_and_its_own_digest() {
    let mut registry = Registry::default();
    let named = digest(b"bytes");
    let nowhere = format!("/v2/a/crm/blobs/uploads/session-9?_state=opaque%2Fstate&digest={named}");
    let without = registry.answer(&request("PUT", &nowhere, &BYTES, b"bytes"));
    assert_eq!(without.status, 404);
    assert_eq!(upload(&mut registry, &named, b"other").status, 400);
    assert_eq!(upload(&mut registry, &named, b"bytes").status, 201);
    let there = format!("/v2/a/crm/blobs/{named}");
    let got = registry.answer(&request("GET", &there, &[], b""));
    assert_eq!((got.status, &got.body[..]), (200, &b"bytes"[..]));
    let elsewhere = format!("/v2/b/crm/blobs/{named}");
    assert_eq!(
        registry
            .answer(&request("HEAD", &elsewhere, &[], b""))
            .status,
        404
    );
    assert_eq!(registry.tamper(4), 1);
    assert_ne!(
        registry.answer(&request("GET", &there, &[], b"")).body,
        got.body
    );
}

#[test]
fn a_manifest_needs_its_media_type_and_its_blobs() {
    let mut registry = Registry::default();
    let named = digest(b"bytes");
    let good = manifest(&named, 5);
    assert_eq!(
        put(&mut registry, "1.0", MANIFEST, &good),
        404,
        "no blob yet"
    );
    upload(&mut registry, &named, b"bytes");
    assert_eq!(put(&mut registry, "1.0", "application/json", &good), 400);
    assert_eq!(
        put(&mut registry, "1.0", MANIFEST, &manifest(&named, 6)),
        400
    );
    assert_eq!(put(&mut registry, ".x", MANIFEST, &good), 400);
    assert_eq!(put(&mut registry, &digest(b"x"), MANIFEST, &good), 400);
    assert_eq!(put(&mut registry, "1.0", MANIFEST, &good), 201);
    let target = "/v2/a/crm/manifests/1.0";
    assert_eq!(
        registry.answer(&request("GET", target, &[], b"")).status,
        406
    );
    let accept = [("accept", MANIFEST)];
    let got = registry.answer(&request("GET", target, &accept, b""));
    assert_eq!((got.status, got.body), (200, good.to_string().into()));
    assert_eq!(registry.tagged("a/crm")["1.0"], good);
}

#[test]
fn a_gate_lets_nobody_through_who_does_not_know_the_way() {
    let target = "/v2/a/crm/manifests/1.0";
    for (gate, challenge) in [(Gate::Password, "Basic"), (Gate::Token, "Bearer")] {
        let mut registry = Registry {
            gate,
            ..Registry::default()
        };
        let headers = [("host", "127.0.0.1:1"), ("authorization", "Bearer guess")];
        let refused = registry.answer(&request("GET", target, &headers, b""));
        assert_eq!(refused.status, 401);
        let (_, value) = &refused.headers[refused.headers.len() - 1];
        assert!(value.starts_with(challenge), "{value}");
    }
    let mut registry = Registry {
        gate: Gate::Token,
        ..Registry::default()
    };
    let push = "/token?service=registry.test&scope=repository:a/crm:pull,push";
    assert_eq!(registry.answer(&request("GET", push, &[], b"")).status, 403);
}
