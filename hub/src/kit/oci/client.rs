//! The calls of the distribution protocol that fetching and publishing one artifact need. What comes back is
//! believed only as far as its digest goes.

use crate::egress::Response;
use crate::kit::oci::login::{Challenge, log_in, refused};
use crate::kit::oci::{
    Artifact, COMPONENT, Descriptor, ImageManifest, MANIFEST, Reference, SIGNATURE, Version,
};
use crate::kit::registry::{Ask, COMPONENT_BYTES, Login, Wire, authority, bad_source, header};
use crate::kit::signature::{self, MOST_BYTES as SIGNATURE_BYTES};
use crate::problem::{Problem, codes};
use serde::Deserialize;
use url::Url;

const MANIFEST_BYTES: u64 = 4 << 20;
/// Answers in which nothing is looked for but the registry's word for an error.
const SMALL: u64 = 1 << 20;
const BYTES: &str = "application/octet-stream";

pub struct Pulled {
    pub component: Vec<u8>,
    pub signature: Option<String>,
}

/// Fetches a connector with its signature, if it has one there.
pub async fn pull(wire: &Wire, reference: &Reference) -> Result<Pulled, Problem> {
    let mut client = Client::new(wire, reference);
    let manifest = client.manifest().await?;
    let of_kind = |kind: &str| -> Vec<&Descriptor> {
        let layers = manifest.layers.iter();
        layers.filter(|layer| layer.media_type == kind).collect()
    };
    let [component] = of_kind(COMPONENT)[..] else {
        return Err(client.no_connector("does not have one layer of `application/wasm`"));
    };
    let signature = match of_kind(SIGNATURE)[..] {
        [] => None,
        [one] => Some(one),
        _ => return Err(client.no_connector("has several signatures")),
    };
    let bytes = client.blob(component, COMPONENT_BYTES).await?;
    let signature = match signature {
        None => None,
        Some(layer) => {
            let bytes = client.blob(layer, SIGNATURE_BYTES).await?;
            let text = String::from_utf8(bytes);
            Some(text.map_err(|_| client.no_connector("has a signature that is not text"))?)
        }
    };
    Ok(Pulled {
        component: bytes,
        signature,
    })
}

/// Publishes a connector and returns the manifest's digest.
pub async fn push(
    wire: &Wire,
    reference: &Reference,
    artifact: &Artifact<'_>,
) -> Result<String, Problem> {
    let (blobs, manifest) = artifact.documents();
    let digest = signature::digest(&manifest);
    if let Version::Digest(wanted) = &reference.version
        && *wanted != digest
    {
        return Err(Problem::new(
            &codes::DIGEST_MISMATCH,
            format!("`{reference}` is the name of other bytes: these have `{digest}`"),
        )
        .hint("publish under a tag; its digest is printed"));
    }
    let mut client = Client::new(wire, reference);
    for (descriptor, bytes) in blobs {
        client.upload(&descriptor, bytes).await?;
    }
    client.put_manifest(manifest).await?;
    Ok(digest)
}

struct Client<'a> {
    wire: &'a Wire,
    reference: &'a Reference,
    /// The login that the registry accepted last.
    login: Login,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorWord>,
}

#[derive(Deserialize)]
struct ErrorWord {
    code: String,
}

impl<'a> Client<'a> {
    fn new(wire: &'a Wire, reference: &'a Reference) -> Self {
        Self {
            wire,
            reference,
            login: Login::Nobody,
        }
    }

    /// Sends, and once more with what the registry asks for when it wants to know who asks.
    async fn call(&mut self, ask: Ask) -> Result<Response, Problem> {
        let response = self.wire.send(&ask, &self.login).await?;
        if response.status != 401 {
            return Ok(response);
        }
        let challenge = header(&response, "www-authenticate").and_then(Challenge::parse);
        let Some(challenge) = challenge else {
            return Err(self.error(&ask.url, &response));
        };
        match log_in(self.wire, &ask.url, &challenge).await? {
            Some(login) => self.login = login,
            None => return Err(self.error(&ask.url, &response)),
        }
        self.wire.send(&ask, &self.login).await
    }

    async fn manifest(&mut self) -> Result<ImageManifest, Problem> {
        let reference = self.reference.version.text();
        let url = self.reference.url(&format!("manifests/{reference}"));
        let mut ask = Ask::get(url, MANIFEST_BYTES);
        ask.headers.push(("accept", MANIFEST));
        let url = ask.url.clone();
        let response = self.call(ask).await?;
        if response.status != 200 {
            return Err(self.error(&url, &response));
        }
        let kind = header(&response, "content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind != MANIFEST {
            let shown: String = kind.escape_debug().to_string().chars().take(80).collect();
            return Err(self.no_connector(&format!("is `{shown}`, not one artifact")));
        }
        let named = match &self.reference.version {
            Version::Digest(digest) => Some(digest.as_str()),
            // The registry's own claim: it notices only accidents.
            Version::Tag(_) => header(&response, "docker-content-digest"),
        };
        let actual = signature::digest(&response.body);
        if let Some(named) = named.filter(|named| named.starts_with("sha256:"))
            && named != actual
        {
            return Err(self.other_bytes(named, &actual));
        }
        let manifest: ImageManifest = serde_json::from_slice(&response.body).map_err(|error| {
            self.no_connector(&format!("has a manifest that cannot be read: {error}"))
        })?;
        if manifest.schema_version != 2 {
            return Err(self.no_connector("has a manifest of an unknown version"));
        }
        Ok(manifest)
    }

    async fn blob(&mut self, wanted: &Descriptor, most: u64) -> Result<Vec<u8>, Problem> {
        if !signature::is_digest(&wanted.digest) {
            return Err(self.no_connector("names a layer by a digest that is not SHA-256"));
        }
        if wanted.size > most {
            return Err(self.no_connector(&format!(
                "has a layer of {} bytes; {most} are allowed",
                wanted.size
            )));
        }
        let url = self.reference.url(&format!("blobs/{}", wanted.digest));
        // Redirects and refusals have texts of their own.
        let most = wanted.size.max(MANIFEST_BYTES);
        let response = self.call(Ask::get(url.clone(), most)).await?;
        if response.status != 200 {
            return Err(self.error(&url, &response));
        }
        if response.body.len() as u64 > wanted.size {
            let why = format!("sends more than the {} bytes of a layer", wanted.size);
            return Err(self.no_connector(&why));
        }
        let actual = signature::digest(&response.body);
        if actual != wanted.digest {
            return Err(self.other_bytes(&wanted.digest, &actual));
        }
        Ok(response.body)
    }

    async fn upload(&mut self, blob: &Descriptor, bytes: Vec<u8>) -> Result<(), Problem> {
        if self.has(blob).await? {
            return Ok(());
        }
        let url = self.reference.url("blobs/uploads/");
        let start = Ask {
            method: "POST",
            headers: Vec::new(),
            body: Some(Vec::new()),
            most_bytes: SMALL,
            url: url.clone(),
        };
        let response = self.call(start).await?;
        if response.status != 202 {
            return Err(self.error(&url, &response));
        }
        let session = header(&response, "location").and_then(|text| url.join(text).ok());
        let Some(mut session) = session.filter(|session| session.origin() == url.origin()) else {
            return Err(self.no_session());
        };
        session
            .query_pairs_mut()
            .append_pair("digest", &blob.digest);
        let put = Ask {
            method: "PUT",
            headers: vec![("content-type", BYTES)],
            body: Some(bytes),
            most_bytes: SMALL,
            url: session.clone(),
        };
        let response = self.call(put).await?;
        // When the answer to the first attempt was lost, the session is gone and the blob is there.
        if response.status == 201 || (response.status == 404 && self.has(blob).await?) {
            return Ok(());
        }
        Err(self.error(&session, &response))
    }

    async fn has(&mut self, blob: &Descriptor) -> Result<bool, Problem> {
        let url = self.reference.url(&format!("blobs/{}", blob.digest));
        let mut ask = Ask::get(url.clone(), COMPONENT_BYTES);
        ask.method = "HEAD";
        let response = self.call(ask).await?;
        match response.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(self.error(&url, &response)),
        }
    }

    async fn put_manifest(&mut self, manifest: Vec<u8>) -> Result<(), Problem> {
        let reference = self.reference.version.text();
        let url = self.reference.url(&format!("manifests/{reference}"));
        let put = Ask {
            method: "PUT",
            headers: vec![("content-type", MANIFEST)],
            body: Some(manifest),
            most_bytes: SMALL,
            url: url.clone(),
        };
        let response = self.call(put).await?;
        match response.status {
            201 => Ok(()),
            _ => Err(self.error(&url, &response)),
        }
    }

    /// What an answer without success means.
    fn error(&self, url: &Url, response: &Response) -> Problem {
        let word = word(response);
        let with_word = match word.as_str() {
            "" => format!("HTTP {}", response.status),
            word => format!("HTTP {} ({word})", response.status),
        };
        match response.status {
            401 | 403 => refused(url, response.status, &word, &self.wire.access),
            404 => Problem::new(
                &codes::NOT_AT_SOURCE,
                format!("`{}` is not there: {with_word}", self.reference),
            )
            .hint(
                "look at the spelling; a registry may also say so to somebody who may not see it",
            ),
            _ => bad_source(format!(
                "`{}` answers {with_word} to `{}`",
                authority(url),
                self.reference
            )),
        }
    }

    fn no_connector(&self, why: &str) -> Problem {
        bad_source(format!("`{}` {why}", self.reference))
            .hint("`onefold connector publish` makes what is wanted here")
    }

    fn no_session(&self) -> Problem {
        bad_source(format!(
            "the registry of `{}` opens an upload elsewhere, which is not followed",
            self.reference
        ))
    }

    fn other_bytes(&self, wanted: &str, got: &str) -> Problem {
        let wanted: String = wanted.chars().take(80).collect();
        Problem::new(
            &codes::DIGEST_MISMATCH,
            format!(
                "`{}` has other bytes than its digest says: wanted `{wanted}`, got `{got}`",
                self.reference
            ),
        )
        .hint("do not use it; nothing was kept")
    }
}

/// The registry's own word for an error, if it is one.
fn word(response: &Response) -> String {
    let errors: Option<Errors> = serde_json::from_slice(&response.body).ok();
    let first = errors.and_then(|errors| errors.errors.into_iter().next());
    let word = first.map(|error| error.code).unwrap_or_default();
    let plain = word.len() <= 40
        && word
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if plain { word } else { String::new() }
}
