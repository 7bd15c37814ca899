//! A connector that looks for the world outside through WASI. The stream names what it looks at, the part is the
//! argument; what it finds is the one record that it returns.

wit_bindgen::generate!({
    path: ["../../../connector-sdk/wit/v0.1", "wit"],
    world: "onefold:probe/probe",
    generate_all,
});

use exports::onefold::connector::meta::{CheckReport, Guest as Meta};
use exports::onefold::connector::source::{Batch, Guest as Source, ReadRequest, StreamInfo};
use onefold::connector::types::{Chunk, Detail, Error};
use wasi::cli::{environment, stdout};
use wasi::clocks::monotonic_clock;
use wasi::filesystem::preopens;
use wasi::http::outgoing_handler::handle;
use wasi::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};

struct Probe;

export!(Probe);

impl Meta for Probe {
    fn manifest() -> String {
        r#"{"name":"wasi-probe","version":"1.0.0",
            "streams":[{"name":"fetch-many","schema":{"type":"object"},"primary_key":["found"]},
                       {"name":"send-and-drop","schema":{"type":"object"},"primary_key":["found"]}]}"#
            .to_owned()
    }

    fn config_schema() -> String {
        "{}".to_owned()
    }

    fn check(_config: String) -> Result<CheckReport, Error> {
        Ok(CheckReport {
            account: None,
            warnings: Vec::new(),
        })
    }
}

impl Source for Probe {
    fn discover(_config: String) -> Result<Vec<StreamInfo>, Error> {
        Ok(Vec::new())
    }

    fn split(
        _config: String,
        _stream: String,
        _since: Option<String>,
    ) -> Result<Vec<String>, Error> {
        Ok(vec![String::new()])
    }

    fn read(request: ReadRequest) -> Result<Batch, Error> {
        match request.stream.as_str() {
            "environment" => Ok(found(environment::get_environment().len())),
            "arguments" => Ok(found(environment::get_arguments().len())),
            "files" => Ok(found(preopens::get_directories().len())),
            "sleep" => {
                monotonic_clock::subscribe_duration(3_600_000_000_000).block();
                Ok(found(0))
            }
            "loop" => loop {
                std::hint::black_box(());
            },
            "print" => {
                let line = format!("{}\n", request.part);
                for _ in 0..10 {
                    let _ = stdout::get_stdout().blocking_write_and_flush(line.as_bytes());
                }
                Ok(found(0))
            }
            "fetch" => fetch(&request.part),
            "fetch-many" => fetch_many(&request.config),
            "send-and-drop" => send_and_drop(&request.config),
            _ => Err(failed("unknown probe")),
        }
    }
}

/// Fetches `SCHEME AUTHORITY`.
fn fetch(place: &str) -> Result<Batch, Error> {
    let (scheme, authority) = place.split_once(' ').unwrap_or(("https", place));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = match scheme {
        "http" => Scheme::Http,
        _ => Scheme::Https,
    };
    let set = [
        request.set_scheme(Some(&scheme)),
        request.set_authority(Some(authority)),
        request.set_path_with_query(Some("/probe")),
    ];
    if set.contains(&Err(())) {
        return Err(failed("the request cannot be built"));
    }
    let coming = handle(request, None).map_err(|code| failed(&format!("{code:?}")))?;
    coming.subscribe().block();
    match coming.get() {
        Some(Ok(Ok(response))) => Ok(found(response.status() as usize)),
        Some(Ok(Err(code))) => Err(failed(&format!("{code:?}"))),
        _ => Err(failed("no answer")),
    }
}

/// Begins as many requests as the configuration's `count` says before it waits for any, and keeps every answer. Finds how many came.
fn fetch_many(config: &str) -> Result<Batch, Error> {
    let port = number(config, "port");
    let mut coming = Vec::new();
    for _ in 0..number(config, "count") {
        let request = OutgoingRequest::new(Fields::new());
        let set = [
            request.set_scheme(Some(&Scheme::Http)),
            request.set_authority(Some(&format!("127.0.0.1:{port}"))),
            request.set_path_with_query(Some("/large")),
        ];
        if set.contains(&Err(())) {
            return Err(failed("the request cannot be built"));
        }
        coming.push(handle(request, None).map_err(|code| failed(&format!("{code:?}")))?);
    }
    let mut kept = Vec::new();
    for one in &coming {
        one.subscribe().block();
        if let Some(Ok(Ok(response))) = one.get() {
            kept.push(response);
        }
    }
    Ok(found(kept.len()))
}

/// Sends bodies of 8 MB, and waits for no answer. Finds how many were sent.
fn send_and_drop(config: &str) -> Result<Batch, Error> {
    let (port, count) = (number(config, "port"), number(config, "count"));
    for _ in 0..count {
        let request = OutgoingRequest::new(Fields::new());
        let set = [
            request.set_method(&Method::Post),
            request.set_scheme(Some(&Scheme::Http)),
            request.set_authority(Some(&format!("127.0.0.1:{port}"))),
            request.set_path_with_query(Some("/large")),
        ];
        let body = request.body();
        let (false, Ok(body)) = (set.contains(&Err(())), body) else {
            return Err(failed("the request cannot be built"));
        };
        let coming = handle(request, None).map_err(|code| failed(&format!("{code:?}")))?;
        if let Ok(stream) = body.write() {
            for _ in 0..2_048 {
                if stream.blocking_write_and_flush(&[b'x'; 4_096]).is_err() {
                    break;
                }
            }
        }
        let _ = OutgoingBody::finish(body, None);
        // The task that reads the body gets a turn, and then nobody waits for it.
        monotonic_clock::subscribe_duration(5_000_000).block();
        drop(coming);
    }
    Ok(found(count))
}

/// A number of a flat JSON object.
fn number(config: &str, name: &str) -> usize {
    let after = config.split(&format!("\"{name}\":")).nth(1);
    let digits = after.unwrap_or_default().trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().unwrap_or(0)
}

fn failed(message: &str) -> Error {
    Error::Permanent(Detail {
        code: "probe.failed".to_owned(),
        message: message.to_owned(),
        http_status: None,
        data: None,
    })
}

fn found(number: usize) -> Batch {
    Batch {
        upserts: Chunk {
            encoding: "json-lines".to_owned(),
            count: 1,
            data: format!("{{\"found\":{number}}}\n").into_bytes(),
        },
        deletes: None,
        cursor: Vec::new(),
        done: true,
    }
}
