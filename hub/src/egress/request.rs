//! A request before it is sent: its headers, its credential and its method are checked and assembled here.
//! Nothing that a guest wrote gets past this file unless it is well formed.

use crate::egress::policy::{HostRule, Origin, Policy};
use crate::model::Inject;
use crate::problem::{Problem, codes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use std::collections::BTreeMap;
use std::sync::Arc;

const URL_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 << 10;

/// Headers that only the hub writes.
const OURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a connector asks for.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
    /// A credential by name.
    pub auth: Option<String>,
    /// The rate bucket; the default one when none.
    pub bucket: Option<String>,
    /// May be repeated after a network error, a 429 or a 5xx.
    pub idempotent: bool,
}

/// A secret, where in a request it goes, and to whom. It has no `Debug`.
#[derive(Clone)]
pub struct Credential {
    inject: Inject,
    value: Arc<str>,
    hosts: Vec<HostRule>,
}

impl Credential {
    /// For these hosts and no other: `HOST`, `HOST:PORT`, or `*.HOST` for every name below; an address as it is written in a
    /// URL, with its port.
    pub fn new<'h>(
        inject: Inject,
        value: Arc<str>,
        hosts: impl IntoIterator<Item = &'h str>,
    ) -> Self {
        Self {
            inject,
            value,
            hosts: hosts.into_iter().map(HostRule::parse).collect(),
        }
    }

    // I12
    fn is_for(&self, origin: &Origin) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|rule| rule.allows(&origin.host, origin.port))
    }
}

/// The method, if it is one that a connector may use.
pub fn method(text: &str, policy: &Policy) -> Result<Method, Problem> {
    let method = Method::from_bytes(text.as_bytes())
        .map_err(|_| policy.bad_request("the method is not a word"))?;
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(policy.bad_request(&format!("the method `{method}` is not sent")));
    }
    Ok(method)
}

pub fn url(text: &str, policy: &Policy) -> Result<url::Url, Problem> {
    if text.len() > URL_BYTES {
        return Err(policy.bad_request(&format!("the URL is longer than {URL_BYTES} bytes")));
    }
    let mut url = url::Url::parse(text)
        .map_err(|error| policy.bad_request(&format!("the URL cannot be read: {error}")))?;
    url.set_fragment(None);
    Ok(url)
}

/// The guest's headers and the credential's.
pub fn headers(
    request: &Request,
    origin: &Origin,
    credentials: &BTreeMap<String, Credential>,
    policy: &Policy,
) -> Result<HeaderMap, Problem> {
    if request.headers.len() > HEADERS {
        return Err(policy.bad_request(&format!("there are more than {HEADERS} headers")));
    }
    let injected = match &request.auth {
        Some(name) => Some(injected(name, origin, credentials, policy)?),
        None => None,
    };
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 2);
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| policy.bad_request("a header's name has forbidden characters"))?;
        if value.len() > HEADER_BYTES {
            return Err(policy.bad_request(&format!("the header `{name}` is too long")));
        }
        let is_ours = OURS.contains(&name.as_str()) || name.as_str().starts_with("proxy-");
        let is_injected = injected.as_ref().is_some_and(|(ours, _)| *ours == name);
        if is_ours || is_injected {
            return Err(policy.bad_request(&format!("the header `{name}` is written by the hub")));
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| {
            policy.bad_request(&format!("the header `{name}` has forbidden characters"))
        })?;
        headers.append(name, value);
    }
    if let Some((name, value)) = injected {
        headers.insert(name, value);
    }
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(concat!(
            "onefold/",
            env!("CARGO_PKG_VERSION")
        )));
    Ok(headers)
}

fn injected(
    name: &str,
    origin: &Origin,
    credentials: &BTreeMap<String, Credential>,
    policy: &Policy,
) -> Result<(HeaderName, HeaderValue), Problem> {
    let shown: String = name.escape_debug().to_string().chars().take(80).collect();
    let denied = |why: String| Problem::new(&codes::CREDENTIAL_DENIED, why);
    let Some(credential) = credentials.get(name) else {
        let owner = policy.owner();
        return Err(
            denied(format!("{owner} has no credential `{shown}`")).hint(format!(
                "add `credential.{shown} = \"env:NAME\"` to {owner}"
            )),
        );
    };
    if credential.inject != Inject::Signing && !credential.is_for(origin) {
        return Err(wrong_host(&shown, origin, policy));
    }
    let secret = &credential.value;
    let (header, value) = match &credential.inject {
        Inject::Bearer => (AUTHORIZATION, format!("Bearer {secret}")),
        Inject::Basic { username } => {
            let pair = BASE64.encode(format!("{username}:{secret}"));
            (AUTHORIZATION, format!("Basic {pair}"))
        }
        Inject::Header { name: header } => {
            let header = HeaderName::from_bytes(header.as_bytes()).map_err(|_| {
                denied(format!(
                    "the connector declares no usable header for `{shown}`"
                ))
            })?;
            (header, secret.to_string())
        }
        Inject::Signing => {
            return Err(denied(format!(
                "the credential `{shown}` signs and is never sent"
            )));
        }
    };
    let mut value = HeaderValue::from_str(&value).map_err(|_| {
        denied(format!(
            "the credential `{shown}` has characters that no header can carry"
        ))
    })?;
    value.set_sensitive(true);
    Ok((header, value))
}

/// A credential is for the hosts that the connector names for it, or else the operator.
fn wrong_host(credential: &str, origin: &Origin, policy: &Policy) -> Problem {
    let owner = policy.owner();
    let place = match (origin.scheme.as_str(), origin.port) {
        ("https", 443) => origin.host.clone(),
        (_, port) => format!("{}:{port}", origin.host),
    };
    let place: String = place.chars().take(120).collect();
    let message = format!("the credential `{credential}` of {owner} is not for `{place}`");
    Problem::new(&codes::CREDENTIAL_DENIED, message).hint(format!(
        "if it is to be sent there, write `credential.{credential} = {{ from = \"…\", hosts = [\"{place}\"] }}` in {owner}, \
         with every host that it is for"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        let hosts = ["api.example.com", "other.example", "a.mail.example"];
        let addresses = ["127.0.0.1:8420", "[::1]:8420"].map(str::to_owned);
        let policy = Policy::new("source `crm`", hosts, &addresses);
        policy.admit(&url::Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn a_credential_is_for_its_hosts_and_their_ports() {
        let hosts = ["api.example.com", "*.mail.example", "[::1]:8420"];
        let credential = Credential::new(Inject::Bearer, "secret".into(), hosts);
        let is_for = |url: &str| credential.is_for(&origin(url));
        for url in [
            "https://api.example.com/x",
            "https://API.example.com/",
            "https://a.mail.example/",
            "http://[::1]:8420/",
        ] {
            assert!(is_for(url), "{url}");
        }
        for url in ["https://other.example/", "http://127.0.0.1:8420/"] {
            assert!(!is_for(url), "{url}");
        }
    }

    #[test]
    fn a_credential_for_another_host_is_denied_with_the_line_to_write() {
        let policy = Policy::new("source `crm`", ["other.example"], &[]);
        let credential = Credential::new(Inject::Bearer, "s3cret".into(), ["api.example.com"]);
        let request = Request {
            method: "GET".to_owned(),
            url: "https://other.example/".to_owned(),
            headers: Vec::new(),
            body: None,
            auth: Some("token".to_owned()),
            bucket: None,
            idempotent: true,
        };
        let credentials = BTreeMap::from([("token".to_owned(), credential)]);
        let origin = origin(&request.url);
        let problem = headers(&request, &origin, &credentials, &policy).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "[OF0406] the credential `token` of source `crm` is not for `other.example`; hint: if it is to be sent there, write \
             `credential.token = { from = \"…\", hosts = [\"other.example\"] }` in source `crm`, with every host that it is for"
        );
    }
}
