//! Connectors in registries: how one is named there, and the documents around it. The layout is the one that other
//! tools use for WebAssembly in OCI registries: a configuration, one layer of `application/wasm`, and a second one for
//! the signature. `client` speaks the protocol.

mod client;
mod login;

pub use client::{Pulled, pull, push};
pub use login::refused;

use crate::kit::signature;
use crate::problem::{Problem, codes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use url::Url;

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const COMPONENT: &str = "application/wasm";
const SIGNATURE: &str = "application/vnd.onefold.connector.signature.v1+json";
const SCHEME: &str = "oci://";

/// `oci://HOST/REPOSITORY:TAG` or `oci://HOST/REPOSITORY@sha256:DIGEST`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// With the scheme that is used to call it.
    base: Url,
    authority: String,
    repository: String,
    pub version: Version,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    Tag(String),
    Digest(String),
}

impl Reference {
    /// None when it is not `oci://` at all.
    pub fn parse(text: &str) -> Option<Result<Self, Problem>> {
        let rest = text.strip_prefix(SCHEME)?;
        Some(Self::read(rest).map_err(|why| {
            let shown: String = text.escape_debug().to_string().chars().take(200).collect();
            Problem::new(&codes::BAD_REFERENCE, format!("`{shown}` {why}"))
                .hint("write `oci://HOST/REPOSITORY:TAG` or `oci://HOST/REPOSITORY@sha256:DIGEST`")
        }))
    }

    fn read(rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').ok_or("names no repository")?;
        let base = Url::parse(&format!("https://{authority}/"))
            .ok()
            .filter(|url| {
                let bare = url.username().is_empty() && url.password().is_none();
                bare && url.path() == "/" && url.query().is_none() && url.fragment().is_none()
            })
            .ok_or("names no host")?;
        let (repository, version) = match path.split_once('@') {
            Some((repository, digest)) if signature::is_digest(digest) => {
                (repository, Version::Digest(digest.to_owned()))
            }
            Some(_) => return Err("has no digest after `@`"),
            None => match path.split_once(':') {
                Some((repository, tag)) if is_tag(tag) => {
                    (repository, Version::Tag(tag.to_owned()))
                }
                Some(_) => return Err("has no tag after `:`"),
                None => return Err("names no version"),
            },
        };
        if !repository.split('/').all(is_component) || repository.len() > 255 {
            return Err("names no repository");
        }
        Ok(Self {
            base: reachable(base),
            authority: authority.to_ascii_lowercase(),
            repository: repository.to_owned(),
            version,
        })
    }

    /// A URL of the protocol below the repository.
    fn url(&self, below: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/{below}", self.repository));
        url
    }
}

/// Registries on this machine are called without TLS.
fn reachable(mut base: Url) -> Url {
    if crate::kit::registry::is_loopback(&base) {
        let port = base.port();
        let plain = base.to_string().replacen("https", "http", 1);
        base = Url::parse(&plain).unwrap_or(base);
        // 443 is nobody's default without TLS.
        let _ = base.set_port(port.or(Some(443)));
    }
    base
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authority, repository) = (&self.authority, &self.repository);
        match &self.version {
            Version::Tag(tag) => write!(f, "{SCHEME}{authority}/{repository}:{tag}"),
            Version::Digest(digest) => write!(f, "{SCHEME}{authority}/{repository}@{digest}"),
        }
    }
}

impl Version {
    fn text(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// Lower-case words with `.`, `_`, `__` or any number of `-` between them.
fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = |b: Option<u8>| b.is_some_and(word);
    let apart = text.split(|c: char| c.is_ascii() && word(c as u8));
    ends(text.bytes().next())
        && ends(text.bytes().last())
        && apart.filter(|between| !between.is_empty()).all(|between| {
            matches!(between, "." | "_" | "__") || between.bytes().all(|b| b == b'-')
        })
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

impl Descriptor {
    fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: signature::digest(bytes),
            size: bytes.len() as u64,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageManifest {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// What a registry stores about a component in addition to its bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig<'a> {
    created: &'static str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: Vec<String>,
    component: WasmWorld<'a>,
}

#[derive(Serialize)]
struct WasmWorld<'a> {
    exports: &'a [String],
    imports: &'a [String],
}

/// What is published.
pub struct Artifact<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub version: &'a str,
    pub contract: &'a str,
    pub exports: &'a [String],
    pub imports: &'a [String],
    pub component: &'a [u8],
    pub signature: Option<&'a str>,
}

impl Artifact<'_> {
    /// The blobs, and the manifest that holds them together. Publishing the same bytes twice gives the same manifest.
    fn documents(&self) -> (Vec<(Descriptor, Vec<u8>)>, Vec<u8>) {
        let component = Descriptor::of(COMPONENT, self.component);
        let mut layers = vec![(component, self.component.to_vec())];
        if let Some(text) = self.signature {
            let bytes = text.as_bytes().to_vec();
            layers.push((Descriptor::of(SIGNATURE, &bytes), bytes));
        }
        let config = WasmConfig {
            // The layout wants a time, and a real one would give the same connector another digest each time.
            created: "1970-01-01T00:00:00Z",
            architecture: "wasm",
            os: "wasip2",
            layer_digests: layers
                .iter()
                .map(|(layer, _)| layer.digest.clone())
                .collect(),
            component: WasmWorld {
                exports: self.exports,
                imports: self.imports,
            },
        };
        let config = json(&config);
        let described = Descriptor::of(CONFIG, &config);
        let manifest = json(&ImageManifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config: described.clone(),
            layers: layers.iter().map(|(layer, _)| layer.clone()).collect(),
            annotations: self.annotations(),
        });
        let mut blobs = vec![(described, config)];
        blobs.append(&mut layers);
        (blobs, manifest)
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        let pairs = [
            ("org.opencontainers.image.title", self.title),
            ("org.opencontainers.image.version", self.version),
            ("dev.onefold.connector.name", self.name),
            ("dev.onefold.connector.version", self.version),
            ("dev.onefold.connector.contract", self.contract),
        ];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        BTreeMap::from(pairs)
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers can always be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match Reference::parse(text) {
            None => "no reference".to_owned(),
            Some(Ok(reference)) => {
                let url = reference.url(&format!("manifests/{}", reference.version.text()));
                format!("{reference} at {url}")
            }
            Some(Err(problem)) => format!("{} {}", problem.code.id, problem.message),
        }
    }

    #[test]
    fn a_reference_names_a_host_a_repository_and_a_version() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let cases = [
            (
                "oci://Registry.example.com/acme/crm:1.2.0".to_owned(),
                "oci://registry.example.com/acme/crm:1.2.0 at https://registry.example.com/v2/acme/crm/manifests/1.2.0".to_owned(),
            ),
            (
                "oci://127.0.0.1:5000/crm:x".to_owned(),
                "oci://127.0.0.1:5000/crm:x at http://127.0.0.1:5000/v2/crm/manifests/x".to_owned(),
            ),
            (
                "oci://localhost/crm:x".to_owned(),
                "oci://localhost/crm:x at http://localhost:443/v2/crm/manifests/x".to_owned(),
            ),
            (
                format!("oci://[::1]:5000/a/b-c__d.e@{digest}"),
                format!("oci://[::1]:5000/a/b-c__d.e@{digest} at http://[::1]:5000/v2/a/b-c__d.e/manifests/{digest}"),
            ),
            ("https://example.com/crm.wasm".to_owned(), "no reference".to_owned()),
            ("crm.wasm".to_owned(), "no reference".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(read(&text), expected);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let wrong = [
            "oci://",
            "oci://registry.example.com",
            "oci://registry.example.com/acme/crm",
            "oci://registry.example.com/acme/crm:",
            "oci://registry.example.com/acme/crm:-x",
            "oci://registry.example.com/acme/crm@sha256:12",
            "oci://registry.example.com/Acme/crm:1",
            "oci://registry.example.com//crm:1",
            "oci://registry.example.com/../crm:1",
            "oci://registry.example.com/a___b:1",
            "oci://registry.example.com/a?b:1",
            "oci://user:password@registry.example.com/acme/crm:1",
            "oci:///acme/crm:1",
        ];
        for text in wrong {
            assert!(read(text).starts_with("OF0341 "), "{text}: {}", read(text));
        }
    }

    #[test]
    fn the_same_connector_gives_the_same_manifest() {
        let artifact = |signature| Artifact {
            name: "crm",
            title: "CRM",
            version: "1.2.0",
            contract: "0.1.0",
            exports: &[],
            imports: &[],
            component: b"bytes",
            signature,
        };
        let (blobs, manifest) = artifact(None).documents();
        assert_eq!((blobs.len(), &manifest), (2, &artifact(None).documents().1));
        let (blobs, signed) = artifact(Some("{}")).documents();
        assert_eq!(blobs.len(), 3);
        assert_ne!(signed, manifest);
    }
}
