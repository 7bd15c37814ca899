//! What `host` needs, implemented with `egress` and `vault`: requests, and signatures with keys that stay here.

use super::Side;
use crate::egress::{Egress, Request, Response, SendError};
use crate::host::{Cancel, Http, HttpError, HttpRequest, HttpResponse, Keys, MacAlgorithm, Scrub};
use crate::model::Inject;
use crate::vault::{MacKind, Secret};
use std::collections::BTreeMap;
use std::sync::Once;
use std::time::Instant;
use tokio::runtime::Handle;

/// `egress` in the form that `host` needs. What a vendor answers is cleaned of this connection's secrets on the way in.
pub(super) struct WayOut {
    pub egress: Egress,
    pub scrub: Scrub,
    pub runtime: Handle,
    /// Says once that an answer held a secret.
    pub said: Once,
}

impl Http for WayOut {
    fn send(
        &self,
        request: HttpRequest,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<HttpResponse, HttpError> {
        let request = Request {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            auth: request.auth,
            bucket: request.bucket,
            idempotent: request.idempotent,
        };
        let is_cancelled = || cancel.is_cancelled();
        let sent = self
            .runtime
            .block_on(self.egress.send(request, deadline, &is_cancelled));
        match sent {
            Ok(response) => Ok(cleaned(response, &self.scrub, || self.say())),
            Err(error) => Err(match error {
                SendError::Denied(problem) => HttpError::Denied(problem),
                SendError::Dns(text) => HttpError::Dns(text),
                SendError::Connect(text) => HttpError::Connect(text),
                SendError::Tls(text) => HttpError::Tls(text),
                SendError::Timeout => HttpError::Timeout,
                SendError::ResponseTooLarge(most) => HttpError::ResponseTooLarge(most),
                SendError::Cancelled => HttpError::Cancelled,
                SendError::Other(text) => HttpError::Other(text),
            }),
        }
    }
}

impl WayOut {
    fn say(&self) {
        self.said.call_once(|| {
            tracing::warn!(
                "an answer of the vendor held a secret of {}, which was taken out; if it is an ordinary word of your records, use \
                 another secret",
                self.egress.owner()
            );
        });
    }
}

/// The answer without secrets (I12). Its length changes with it, and so a header that says it would be wrong; a header whose name
/// is a secret is dropped.
fn cleaned(response: Response, scrub: &Scrub, say: impl Fn()) -> HttpResponse {
    let Response {
        status,
        mut headers,
        mut body,
    } = response;
    headers.retain(|(name, _)| scrub.data(name.as_bytes()).is_none());
    for (_, value) in &mut headers {
        if let Some(clean) = scrub.data(value) {
            *value = clean;
        }
    }
    if let Some(clean) = scrub.data(&body) {
        say();
        body = clean;
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    }
    HttpResponse {
        status,
        headers,
        body,
    }
}

/// `vault` in the form that `host` needs: only credentials that the connector declares for signing.
pub(super) struct SigningKeys {
    owner: String,
    keys: BTreeMap<String, Secret>,
}

impl SigningKeys {
    pub fn new(side: &Side<'_>, secrets: BTreeMap<String, Secret>) -> Self {
        let signs = |name: &String| {
            let spec = side.description.credentials.get(name);
            spec.is_some_and(|spec| spec.inject == Inject::Signing)
        };
        Self {
            owner: format!("{} `{}`", side.kind, side.name),
            keys: secrets
                .into_iter()
                .filter(|(name, _)| signs(name))
                .collect(),
        }
    }
}

impl Keys for SigningKeys {
    fn mac(
        &self,
        credential: &str,
        algorithm: MacAlgorithm,
        data: &[u8],
    ) -> Result<Vec<u8>, String> {
        let kind = match algorithm {
            MacAlgorithm::HmacSha1 => MacKind::Sha1,
            MacAlgorithm::HmacSha256 => MacKind::Sha256,
            MacAlgorithm::HmacSha512 => MacKind::Sha512,
        };
        match self.keys.get(credential) {
            Some(secret) => Ok(secret.mac(kind, data)),
            None => Err(format!(
                "{} has no signing credential `{}`; add `credential.NAME = \"env:NAME\"`",
                self.owner,
                credential
                    .escape_debug()
                    .to_string()
                    .chars()
                    .take(80)
                    .collect::<String>()
            )),
        }
    }
}
