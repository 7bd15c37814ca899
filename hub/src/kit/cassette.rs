//! HTTP cassettes: what a connector asked and what it was answered, as a file. Secrets never get on one: the hub adds
//! credentials behind the recorder, and what a vendor echoes is scrubbed. Owns the file's format, recording and replaying.

use crate::host::{Cancel, Http, HttpError, HttpRequest, HttpResponse, Scrub};
use crate::kit::conformance::VENDOR_VARIABLE;
use crate::problem::{Problem, codes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const FORMAT: u32 = 1;
/// Headers of answers that identify a session rather than say something.
const DROPPED: &[&str] = &[
    "set-cookie",
    "authorization",
    "proxy-authorization",
    "www-authenticate",
];
/// How a text that would be too long for a message is cut.
const SHOWN: usize = 120;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cassette {
    /// The version of this format.
    onefold_cassette: u32,
    pub connector: String,
    pub exchanges: Vec<Exchange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    pub request: Asked,
    pub answer: Answered,
}

/// A request as the connector made it, with `{vendor}` for the vendor's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub method: String,
    pub url: String,
    /// The credential that it named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    Text(String),
    Base64(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    Response {
        status: u16,
        headers: Vec<(String, String)>,
        body: Body,
    },
    /// There was no answer.
    Error(String),
}

fn body(bytes: &[u8], replace: &dyn Fn(&str) -> String) -> Body {
    match std::str::from_utf8(bytes) {
        Ok(text) => Body::Text(replace(text)),
        Err(_) => Body::Base64(STANDARD.encode(bytes)),
    }
}

impl Body {
    fn bytes(&self, replace: &dyn Fn(&str) -> String) -> Vec<u8> {
        match self {
            Self::Text(text) => replace(text).into_bytes(),
            Self::Base64(text) => STANDARD.decode(text).unwrap_or_default(),
        }
    }
}

fn asked(request: &HttpRequest, replace: &dyn Fn(&str) -> String) -> Asked {
    Asked {
        method: request.method.to_ascii_uppercase(),
        url: replace(&request.url),
        auth: request.auth.clone(),
        body: request.body.as_deref().map(|bytes| body(bytes, replace)),
    }
}

impl Cassette {
    pub fn new(connector: &str, exchanges: Vec<Exchange>) -> Self {
        Self {
            onefold_cassette: FORMAT,
            connector: connector.to_owned(),
            exchanges,
        }
    }

    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let wrong = |why: String| {
            Problem::new(
                &codes::BAD_CASSETTE,
                format!("the cassette `{name}` cannot be used: {why}"),
            )
        };
        let cassette: Self =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match cassette.onefold_cassette {
            FORMAT => Ok(cassette),
            other => Err(wrong(format!(
                "it has format {other}; this hub reads format {FORMAT}"
            ))),
        }
    }

    pub fn read(path: &Path) -> Result<Self, Problem> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("the cassette `{name}` cannot be read: {error}");
            Problem::new(&codes::BAD_CASSETTE, message)
        })?;
        Self::parse(&name, &text)
    }

    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }
}

/// Passes requests on and keeps what was said.
pub struct Recorder {
    inner: Arc<dyn Http>,
    /// The vendor's address, which is another one next time; empty when it is the real vendor's.
    vendor: String,
    scrub: Scrub,
    exchanges: Mutex<Vec<Exchange>>,
}

impl Recorder {
    pub fn new(inner: Arc<dyn Http>, vendor: &str, scrub: Scrub) -> Arc<Self> {
        Arc::new(Self {
            inner,
            vendor: vendor.to_owned(),
            scrub,
            exchanges: Mutex::default(),
        })
    }

    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(
            &mut self
                .exchanges
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn cleaned(&self, text: &str) -> String {
        let text = self.scrub.words(text);
        match self.vendor.is_empty() {
            true => text,
            false => text.replace(&self.vendor, VENDOR_VARIABLE),
        }
    }

    /// A body, which need not be text.
    fn body(&self, bytes: &[u8]) -> Body {
        let clean = self.scrub.data(bytes);
        body(clean.as_deref().unwrap_or(bytes), &|text| {
            self.cleaned(text)
        })
    }
}

impl Http for Recorder {
    fn send(
        &self,
        request: HttpRequest,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<HttpResponse, HttpError> {
        let clean = |text: &str| self.cleaned(text);
        let mut request_kept = asked(&request, &clean);
        request_kept.body = request.body.as_deref().map(|bytes| self.body(bytes));
        let answer = self.inner.send(request, deadline, cancel);
        let kept = match &answer {
            Ok(answer) => Answered::Response {
                status: answer.status,
                headers: answer
                    .headers
                    .iter()
                    .filter(|(name, _)| !DROPPED.iter().any(|one| name.eq_ignore_ascii_case(one)))
                    .map(|(name, value)| (name.clone(), clean(&String::from_utf8_lossy(value))))
                    .collect(),
                body: self.body(&answer.body),
            },
            Err(error) => Answered::Error(clean(&format!("{error:?}"))),
        };
        let mut exchanges = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        exchanges.push(Exchange {
            request: request_kept,
            answer: kept,
        });
        answer
    }
}

/// Answers from a cassette and calls no vendor. Equal requests are answered in the order of the recording; the last answer
/// is repeated.
pub struct Player {
    cassette: Cassette,
    vendor: String,
    played: Mutex<HashMap<usize, u32>>,
}

impl Player {
    pub fn new(cassette: Cassette, vendor: &str) -> Arc<Self> {
        Arc::new(Self {
            cassette,
            vendor: vendor.to_owned(),
            played: Mutex::default(),
        })
    }

    fn find(&self, wanted: &Asked) -> Result<&Answered, Problem> {
        let same: Vec<usize> = self
            .cassette
            .exchanges
            .iter()
            .enumerate()
            .filter(|(_, exchange)| exchange.request == *wanted)
            .map(|(index, _)| index)
            .collect();
        let Some(first) = same.first() else {
            return Err(self.missing(wanted));
        };
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        let times = played.entry(*first).or_default();
        let index = same[usize::try_from(*times)
            .unwrap_or(usize::MAX)
            .min(same.len() - 1)];
        *times += 1;
        Ok(&self.cassette.exchanges[index].answer)
    }

    /// Names the recorded request that is nearest, and what differs.
    fn missing(&self, wanted: &Asked) -> Problem {
        let nearest = self
            .cassette
            .exchanges
            .iter()
            .map(|exchange| (differences(&exchange.request, wanted), &exchange.request))
            .min_by_key(|(differences, _)| differences.len());
        let asked = shown(&format!("{} {}", wanted.method, wanted.url));
        let message = match nearest {
            None => format!("`{asked}` is not on the cassette, which is empty"),
            Some((differences, nearest)) => format!(
                "`{asked}` is not on the cassette; the nearest is `{}`: {}",
                shown(&format!("{} {}", nearest.method, nearest.url)),
                differences.join(", ")
            ),
        };
        Problem::new(&codes::NOT_ON_CASSETTE, message)
            .hint("record the cassette again, if the connector is meant to ask this")
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn differences(one: &Asked, other: &Asked) -> Vec<String> {
    let (path, query) = one.url.split_once('?').unwrap_or((&one.url, ""));
    let (other_path, other_query) = other.url.split_once('?').unwrap_or((&other.url, ""));
    let mut found = Vec::new();
    // A path that differs outweighs all the rest.
    if path != other_path {
        found.extend(["the path differs".to_owned(), "another call".to_owned()]);
    }
    if one.method != other.method {
        found.push("the method differs".to_owned());
    }
    if query != other_query {
        found.push(format!("the query was `{}`", shown(query)));
    }
    if one.auth != other.auth {
        found.push("the credential differs".to_owned());
    }
    if one.body != other.body {
        found.push("the body differs".to_owned());
    }
    found
}

impl Http for Player {
    fn send(
        &self,
        request: HttpRequest,
        _: Instant,
        _: &Cancel,
    ) -> Result<HttpResponse, HttpError> {
        let vendor = &self.vendor;
        let wanted = asked(&request, &|text| match vendor.is_empty() {
            true => text.to_owned(),
            false => text.replace(vendor, VENDOR_VARIABLE),
        });
        let there = |text: &str| text.replace(VENDOR_VARIABLE, vendor);
        match self.find(&wanted).map_err(HttpError::Denied)? {
            Answered::Response {
                status,
                headers,
                body,
            } => Ok(HttpResponse {
                status: *status,
                headers: headers
                    .iter()
                    .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
                    .map(|(name, value)| (name.clone(), there(value).into_bytes()))
                    .collect(),
                body: body.bytes(&there),
            }),
            Answered::Error(text) => Err(HttpError::Other(text.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vendor that echoes what it should not.
    struct Echo;

    impl Http for Echo {
        fn send(
            &self,
            request: HttpRequest,
            _: Instant,
            _: &Cancel,
        ) -> Result<HttpResponse, HttpError> {
            if request.url.ends_with("/down") {
                return Err(HttpError::Timeout);
            }
            Ok(HttpResponse {
                status: 200,
                headers: vec![
                    ("Set-Cookie".to_owned(), b"session=1".to_vec()),
                    ("x-key".to_owned(), b"s3cret".to_vec()),
                ],
                body: match request.url.ends_with("/file") {
                    true => b"\xff s3cret".to_vec(),
                    false => b"{\"key\":\"s3cret\",\"next\":\"http://127.0.0.1:7/b\"}".to_vec(),
                },
            })
        }
    }

    fn request(url: &str) -> HttpRequest {
        HttpRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: None,
            auth: Some("token".to_owned()),
            bucket: None,
            idempotent: true,
        }
    }

    fn scrub() -> Scrub {
        Scrub {
            words: Arc::new(|text| text.replace("s3cret", "[credential]")),
            data: Arc::new(|content| {
                let at = content.windows(6).position(|part| part == b"s3cret")?;
                Some([&content[..at], b"[credential]", &content[at + 6..]].concat())
            }),
        }
    }

    fn recorded() -> Cassette {
        let recorder = Recorder::new(Arc::new(Echo), "http://127.0.0.1:7", scrub());
        let soon = Instant::now();
        assert!(
            recorder
                .send(
                    request("http://127.0.0.1:7/a?x=1"),
                    soon,
                    &Cancel::default()
                )
                .is_ok()
        );
        assert!(
            recorder
                .send(request("http://127.0.0.1:7/down"), soon, &Cancel::default())
                .is_err()
        );
        Cassette::new("acme", recorder.take())
    }

    #[test]
    fn a_cassette_holds_no_secret_no_cookie_and_no_address() {
        let text = recorded().text();
        for absent in ["s3cret", "session=1", "127.0.0.1"] {
            assert!(!text.contains(absent), "`{absent}` in {text}");
        }
        assert_eq!(Cassette::parse("x", &text).unwrap(), recorded());
    }

    #[test]
    fn a_body_that_is_not_text_holds_no_secret_either() {
        let recorder = Recorder::new(Arc::new(Echo), "", scrub());
        let sent = recorder.send(
            HttpRequest {
                body: Some(b"\xfes3cret".to_vec()),
                ..request("http://127.0.0.1:7/file")
            },
            Instant::now(),
            &Cancel::default(),
        );
        assert!(sent.is_ok());
        let exchange = recorder.take().remove(0);
        let kept = |bytes: &[u8]| Body::Base64(STANDARD.encode(bytes));
        assert_eq!(exchange.request.body, Some(kept(b"\xfe[credential]")));
        let Answered::Response { body, .. } = exchange.answer else {
            panic!("it was answered");
        };
        assert_eq!(body, kept(b"\xff [credential]"));
    }

    #[test]
    fn what_was_recorded_is_played_at_another_address_and_nothing_else_is() {
        let player = Player::new(recorded(), "http://127.0.0.1:9");
        let soon = Instant::now();
        for _ in 0..2 {
            let answer = player
                .send(
                    request("http://127.0.0.1:9/a?x=1"),
                    soon,
                    &Cancel::default(),
                )
                .ok()
                .unwrap();
            assert_eq!(
                String::from_utf8(answer.body).unwrap(),
                "{\"key\":\"[credential]\",\"next\":\"http://127.0.0.1:9/b\"}"
            );
        }
        assert!(matches!(
            player.send(request("http://127.0.0.1:9/down"), soon, &Cancel::default()),
            Err(HttpError::Other(_))
        ));
        let Err(HttpError::Denied(problem)) = player.send(
            request("http://127.0.0.1:9/a?x=2"),
            soon,
            &Cancel::default(),
        ) else {
            panic!("it is not on the cassette");
        };
        assert_eq!(
            problem.message,
            "`GET {vendor}/a?x=2` is not on the cassette; the nearest is `GET {vendor}/a?x=1`: the query was `x=1`"
        );
    }

    #[test]
    fn another_format_is_refused() {
        let text = recorded()
            .text()
            .replace("\"onefold_cassette\": 1", "\"onefold_cassette\": 2");
        let problem = Cassette::parse("x", &text).unwrap_err();
        assert!(problem.message.contains("format 2"), "{problem}");
    }
}
