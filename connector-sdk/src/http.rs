//! Requests and what their answers mean: building a request, classing a status, reading a vendor's error body.
//! Retrying is the hub's.

use crate::hub::{HttpError, Hub, Request, Response};
use crate::lenient;
use crate::types::{Detail, Error, RateLimit, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How a vendor writes its errors: where the code and the message stand, as JSON pointers, best first.
#[derive(Debug, Clone, Copy)]
pub struct Vendor {
    /// Put before each code: `hubspot.VALIDATION_ERROR`.
    pub name: &'static str,
    pub code: &'static [&'static str],
    pub message: &'static [&'static str],
}

/// A vendor's text may be a whole page.
const LONGEST_MESSAGE: usize = 500;

impl Request {
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            ..Self::default()
        }
    }

    /// Repeatable, as a GET is.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url).repeatable()
    }

    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// The hub may send it again after a network error, a 429 or a 5xx.
    pub fn repeatable(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The credential that the hub adds, by name.
    pub fn auth(mut self, credential: &str) -> Self {
        self.auth = Some(credential.to_owned());
        self
    }

    /// The rate bucket to wait for.
    pub fn bucket(mut self, name: &str) -> Self {
        self.bucket = Some(name.to_owned());
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a query parameter, encoded.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url
            .push(if self.url.contains('?') { '&' } else { '?' });
        self.url.push_str(&encode(name));
        self.url.push('=');
        self.url.push_str(&encode(value));
        self
    }

    pub fn json<T: Serialize>(mut self, body: &T) -> Result<Self> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Error::permanent("sdk.request", error.to_string()))?;
        self.body = Some(body);
        Ok(self.header("Content-Type", "application/json"))
    }
}

impl Vendor {
    /// Sends, and turns everything but a 2xx into an error.
    pub fn send(&self, hub: &dyn Hub, request: Request) -> Result<Response> {
        let bucket = request.bucket.clone();
        let response = hub.send(request).map_err(|error| self.unanswered(&error))?;
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        Err(self.refused(&response, bucket))
    }

    /// Sends, and reads the answer as JSON.
    pub fn fetch<T: DeserializeOwned>(&self, hub: &dyn Hub, request: Request) -> Result<T> {
        let response = self.send(hub, request)?;
        lenient::read(&response.body).map_err(|error| {
            let message = format!("the answer is not the JSON that was expected: {error}");
            Error::transient(&self.own("malformed_answer"), message)
        })
    }

    /// The class of a status that is no success.
    pub fn refused(&self, response: &Response, bucket: Option<String>) -> Error {
        let body: Value = lenient::read(&response.body).unwrap_or(Value::Null);
        let text = |pointers: &[&str]| {
            let found = pointers.iter().find_map(|pointer| body.pointer(pointer));
            found.map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
        };
        let status = response.status;
        let message = text(self.message).unwrap_or_else(|| "no reason was given".to_owned());
        let detail = Detail {
            code: self.own(&text(self.code).unwrap_or_else(|| status.to_string())),
            message: format!("{} answered {status}: {}", self.name, capped(&message)),
            http_status: Some(status),
            data: None,
        };
        match status {
            401 => Error::Auth(detail),
            403 => Error::Permission(detail),
            429 => Error::RateLimited(Box::new(RateLimit {
                detail,
                retry_after_ms: retry_after_ms(response),
                bucket,
            })),
            408 | 425 | 500.. => Error::Transient(detail),
            400..500 => Error::Permanent(detail),
            _ => Error::Other(detail),
        }
    }

    fn unanswered(&self, error: &HttpError) -> Error {
        match error {
            HttpError::Cancelled => Error::Cancelled,
            HttpError::Denied(text) => Error::config("http.denied", text.clone()),
            HttpError::TooLarge(_) => Error::permanent("http.too_large", error.to_string()),
            _ => {
                let message = format!("{} did not answer: {error}", self.name);
                Error::transient("http.no_answer", message)
            }
        }
    }

    fn own(&self, code: &str) -> String {
        format!("{}.{}", self.name, capped(code))
    }
}

/// In seconds; whoever asks for more means something else.
const LONGEST_WAIT: f64 = 1e9;

/// `Retry-After` in seconds; the form with a date is the hub's to read, which has seen it too.
fn retry_after_ms(response: &Response) -> Option<u64> {
    let text = response.header("retry-after")?.trim();
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = text.parse().ok().filter(|_| is_plain)?;
    (seconds <= LONGEST_WAIT).then_some((seconds * 1_000.0) as u64)
}

fn capped(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Percent-encoding for one part of a path or a query: everything but letters, digits and `-._~`.
pub fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// A base address without the slash at its end.
pub fn base(url: &str) -> &str {
    url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestHub;

    const VENDOR: Vendor = Vendor {
        name: "acme",
        code: &["/error/code"],
        message: &["/error/message", "/message"],
    };

    fn class(status: u16, headers: &[(&str, &str)], body: &str) -> Error {
        let response = Response {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: body.into(),
        };
        let hub = TestHub::new(move |_| Ok(response.clone()));
        VENDOR
            .send(&hub, Request::get("https://acme.test/"))
            .expect_err("fails")
    }

    #[test]
    fn the_status_decides_the_class() {
        assert!(matches!(class(401, &[], ""), Error::Auth(_)));
        assert!(matches!(class(403, &[], ""), Error::Permission(_)));
        assert!(matches!(class(404, &[], ""), Error::Permanent(_)));
        assert!(matches!(class(422, &[], ""), Error::Permanent(_)));
        assert!(matches!(class(408, &[], ""), Error::Transient(_)));
        assert!(matches!(class(500, &[], ""), Error::Transient(_)));
        assert!(matches!(class(503, &[], "<html>"), Error::Transient(_)));
        assert!(matches!(class(302, &[], ""), Error::Other(_)));
    }

    #[test]
    fn the_vendors_words_are_kept() {
        let error = class(
            400,
            &[],
            r#"{"error":{"code":"bad","message":"no such field"}}"#,
        );
        assert_eq!(
            error.to_string(),
            "acme.bad: acme answered 400: no such field"
        );
        assert_eq!(error.status(), Some(400));
    }

    #[test]
    fn a_wait_is_told_in_milliseconds() {
        let wait = |value: &str| match class(429, &[("Retry-After", value)], "{}") {
            Error::RateLimited(limit) => limit.retry_after_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("3"), Some(3_000));
        assert_eq!(wait("0.25"), Some(250));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(wait("-1"), None);
        assert_eq!(wait("1e308"), None);
        assert_eq!(wait("99999999999999999999"), None);
    }

    #[test]
    fn no_answer_is_transient_and_a_denial_is_configuration() {
        let fails = |error: HttpError| {
            let hub = TestHub::new(move |_| Err(error.clone()));
            VENDOR
                .send(&hub, Request::get("https://acme.test/"))
                .expect_err("fails")
        };
        assert!(matches!(fails(HttpError::Timeout), Error::Transient(_)));
        assert_eq!(fails(HttpError::Cancelled), Error::Cancelled);
        let denied = fails(HttpError::Denied("add `grant.hosts`".to_owned()));
        assert_eq!(denied, Error::config("http.denied", "add `grant.hosts`"));
    }

    #[test]
    fn garbage_behind_a_success_is_transient() {
        let hub = TestHub::new(|_| {
            Ok(Response {
                status: 200,
                body: b"<p>".to_vec(),
                ..Response::default()
            })
        });
        let error = VENDOR
            .fetch::<Value>(&hub, Request::get("https://acme.test/"))
            .expect_err("fails");
        assert!(matches!(error, Error::Transient(_)));
    }

    #[test]
    fn query_values_are_encoded() {
        let request = Request::get("https://acme.test/a")
            .query("since", "2024-01-01T00:00:00+00:00")
            .query("types[]", "é");
        assert_eq!(
            request.url,
            "https://acme.test/a?since=2024-01-01T00%3A00%3A00%2B00%3A00&types%5B%5D=%C3%A9"
        );
    }
}
