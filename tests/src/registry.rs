//! A strict OCI registry on loopback: the calls of the distribution protocol that a client of one artifact needs, with
//! the checks that the public registries make. Accepts no wrong digest, no wrong media type, and no upload without a
//! session; can want a password or a token. A test can reach into its store.

mod gate;
mod manifest;

pub use gate::{Gate, PASSWORD, USER};

use crate::vendors::http::{Reply, Request};
use crate::vendors::server::{Running, Vendor, start};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[derive(Default)]
pub struct Registry {
    gate: Gate,
    repositories: BTreeMap<String, Repository>,
    sessions: BTreeSet<(String, String)>,
    opened: u32,
}

#[derive(Default)]
struct Repository {
    /// By digest. Bytes that a test changed keep their old name.
    blobs: BTreeMap<String, Vec<u8>>,
    /// Media type and bytes, by digest.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    tags: BTreeMap<String, String>,
}

impl Registry {
    /// Serves on a free port until it is dropped.
    pub fn serve(gate: Gate) -> std::io::Result<Running<Registry>> {
        let registry = Registry {
            gate,
            ..Registry::default()
        };
        start(registry, ([127, 0, 0, 1], 0).into())
    }

    /// Every manifest of a repository by tag.
    pub fn tagged(&self, repository: &str) -> BTreeMap<String, serde_json::Value> {
        let Some(repository) = self.repositories.get(repository) else {
            return BTreeMap::new();
        };
        let tags = repository.tags.iter();
        tags.filter_map(|(tag, digest)| {
            let (_, bytes) = repository.manifests.get(digest)?;
            Some((tag.clone(), serde_json::from_slice(bytes).ok()?))
        })
        .collect()
    }

    /// Changes one bit in the middle of every stored blob that is longer than `longer_than`; how many there were.
    pub fn tamper(&mut self, longer_than: usize) -> usize {
        let mut count = 0;
        for repository in self.repositories.values_mut() {
            let blobs = repository.blobs.values_mut();
            for blob in blobs.filter(|blob| blob.len() > longer_than) {
                let middle = blob.len() / 2;
                blob[middle] ^= 1;
                count += 1;
            }
        }
        count
    }

    /// Changes the bytes of a tag's manifest, and says another media type of them when one is given. The tag then leads
    /// to them under their true digest, as somebody who controls the registry could arrange it.
    pub fn rewrite(
        &mut self,
        repository: &str,
        tag: &str,
        media_type: Option<&str>,
        change: impl FnOnce(&mut serde_json::Value),
    ) {
        let Some(repository) = self.repositories.get_mut(repository) else {
            return;
        };
        let Some((kind, bytes)) = repository
            .tags
            .get(tag)
            .and_then(|digest| repository.manifests.get(digest))
        else {
            return;
        };
        let mut value = serde_json::from_slice(bytes).unwrap_or_default();
        change(&mut value);
        let bytes = value.to_string().into_bytes();
        let kind = media_type.unwrap_or(kind).to_owned();
        let name = digest(&bytes);
        repository.tags.insert(tag.to_owned(), name.clone());
        repository.manifests.insert(name, (kind, bytes));
    }

    fn blob(&self, request: &Request, name: &str, wanted: &str) -> Reply {
        let repository = self.repositories.get(name);
        let Some(bytes) = repository.and_then(|one| one.blobs.get(wanted)) else {
            return error(404, "BLOB_UNKNOWN");
        };
        answer(request, "application/octet-stream", wanted, bytes)
    }

    fn manifest(&self, request: &Request, name: &str, reference: &str) -> Reply {
        let Some(repository) = self.repositories.get(name) else {
            return error(404, "NAME_UNKNOWN");
        };
        let digest = repository.tags.get(reference).map_or(reference, |it| it);
        let Some((kind, bytes)) = repository.manifests.get(digest) else {
            return error(404, "MANIFEST_UNKNOWN");
        };
        // Registries may convert when the client states no format; this one requires it.
        if request.header("accept").is_none() {
            return error(406, "UNSUPPORTED");
        }
        answer(request, kind, digest, bytes)
    }

    fn open_session(&mut self, request: &Request, name: &str) -> Reply {
        if !request.body.is_empty() {
            return error(400, "BLOB_UPLOAD_INVALID");
        }
        self.opened += 1;
        let session = format!("session-{}", self.opened);
        let location = format!("/v2/{name}/blobs/uploads/{session}?_state=opaque%2Fstate");
        self.sessions.insert((name.to_owned(), session));
        Reply::empty(202).with("location", location)
    }

    fn close_session(&mut self, request: &Request, name: &str, session: &str) -> Reply {
        let key = (name.to_owned(), session.to_owned());
        if request.query("_state") != Some("opaque/state") || !self.sessions.contains(&key) {
            return error(404, "BLOB_UPLOAD_UNKNOWN");
        }
        if request.header("content-type") != Some("application/octet-stream") {
            return error(400, "BLOB_UPLOAD_INVALID");
        }
        let said = request.query("digest").unwrap_or_default();
        if said != digest(&request.body) {
            return error(400, "DIGEST_INVALID");
        }
        self.sessions.remove(&key);
        let repository = self.repositories.entry(name.to_owned()).or_default();
        repository
            .blobs
            .insert(said.to_owned(), request.body.to_vec());
        created(&format!("/v2/{name}/blobs/{said}"), said)
    }

    fn put_manifest(&mut self, request: &Request, name: &str, reference: &str) -> Reply {
        let repository = self.repositories.entry(name.to_owned()).or_default();
        let kind = request.header("content-type").unwrap_or_default();
        if let Err(code) = manifest::check(kind, &request.body, &repository.blobs) {
            return error(
                if code == "MANIFEST_BLOB_UNKNOWN" {
                    404
                } else {
                    400
                },
                code,
            );
        }
        let name_of = digest(&request.body);
        if reference.starts_with("sha256:") {
            if reference != name_of {
                return error(400, "DIGEST_INVALID");
            }
        } else if manifest::is_tag(reference) {
            repository
                .tags
                .insert(reference.to_owned(), name_of.clone());
        } else {
            return error(400, "TAG_INVALID");
        }
        let stored = (kind.to_owned(), request.body.to_vec());
        repository.manifests.insert(name_of.clone(), stored);
        created(&format!("/v2/{name}/manifests/{name_of}"), &name_of)
    }

    fn route(&mut self, request: &Request) -> Reply {
        let segments = request.segments();
        let ["v2", rest @ ..] = &segments[..] else {
            return error(404, "UNSUPPORTED");
        };
        let Some(at) = rest
            .iter()
            .rposition(|part| matches!(*part, "blobs" | "manifests"))
        else {
            return error(404, "NAME_INVALID");
        };
        let name = rest[..at].join("/");
        if !manifest::is_name(&name) {
            return error(400, "NAME_INVALID");
        }
        match (request.method.as_str(), &rest[at..]) {
            ("POST", ["blobs", "uploads"]) => self.open_session(request, &name),
            ("PUT", ["blobs", "uploads", session]) => self.close_session(request, &name, session),
            ("GET" | "HEAD", ["blobs", wanted]) => self.blob(request, &name, wanted),
            ("GET" | "HEAD", ["manifests", reference]) => self.manifest(request, &name, reference),
            ("PUT", ["manifests", reference]) => self.put_manifest(request, &name, reference),
            _ => error(405, "UNSUPPORTED"),
        }
    }
}

impl Vendor for Registry {
    fn answer(&mut self, request: &Request) -> Reply {
        if let Some(reply) = self.gate.answer(request) {
            return reply;
        }
        self.route(request)
    }

    fn too_many_requests(&self) -> Reply {
        error(429, "TOOMANYREQUESTS")
    }

    fn server_error(&self) -> Reply {
        error(500, "UNKNOWN")
    }
}

fn answer(request: &Request, kind: &str, name: &str, bytes: &[u8]) -> Reply {
    let mut reply = Reply::empty(200)
        .with("content-type", kind)
        .with("docker-content-digest", name);
    if request.method == "GET" {
        reply.body = bytes.to_vec().into();
    }
    reply
}

fn created(location: &str, digest: &str) -> Reply {
    Reply::empty(201)
        .with("location", location)
        .with("docker-content-digest", digest)
}

fn error(status: u16, code: &str) -> Reply {
    let body = json!({"errors": [{"code": code, "message": "refused by the test's registry", "detail": null}]});
    Reply::json(status, &body)
}

pub fn digest(bytes: &[u8]) -> String {
    let digits: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{digits}")
}

#[cfg(test)]
mod tests;
