//! A small connector that uses everything of contract 0.1: each import is called, each export answers. Built once as
//! `tests/fixtures/golden/v0_1.wasm`, which has to keep working when this hub has moved on; the file counts, not this
//! source. The spaces in its manifest are room for what tests write into copies of it.

wit_bindgen::generate!({
    path: "../../../connector-sdk/wit/v0.1",
    inline: "
        package onefold:golden;
        world golden {
            include onefold:connector/guest-base@0.1.0;
            export onefold:connector/source@0.1.0;
            export onefold:connector/webhook@0.1.0;
            export onefold:connector/destination@0.1.0;
            export onefold:connector/audience@0.1.0;
            export onefold:connector/privacy@0.1.0;
        }
    ",
    world: "onefold:golden/golden",
    generate_all,
});

use exports::onefold::connector::{audience, destination, meta, privacy, source, webhook};
use onefold::connector::http::{Header, HttpError, Request, send};
use onefold::connector::types::{Chunk, Detail, Error, Identifier};
use onefold::connector::{crypto, log, run};

struct Golden;

export!(Golden);

impl meta::Guest for Golden {
    fn manifest() -> String {
        include_str!("manifest.json").to_owned()
    }

    fn config_schema() -> String {
        r#"{"type":"object","properties":{"base_url":{"type":"string"}}}"#.to_owned()
    }

    fn check(config: String) -> Result<meta::CheckReport, Error> {
        let warnings = match base_url(&config) {
            Some(_) => Vec::new(),
            None => vec!["nobody was called: there is no `base_url`".to_owned()],
        };
        Ok(meta::CheckReport {
            account: Some("golden".to_owned()),
            warnings,
        })
    }
}

impl source::Guest for Golden {
    fn discover(_config: String) -> Result<Vec<source::StreamInfo>, Error> {
        Ok(vec![source::StreamInfo {
            name: "people".to_owned(),
            title: "People".to_owned(),
            schema: r#"{"type":"object"}"#.to_owned(),
            primary_key: vec!["id".to_owned()],
            cursor_fields: vec!["id".to_owned()],
            data_classes: r#"{ "email": "pii.email" }"#.to_owned(),
            supports_deletes: true,
        }])
    }

    fn split(_config: String, stream: String, since: Option<String>) -> Result<Vec<String>, Error> {
        Ok(match (stream.as_str(), since) {
            ("parts", Some(since)) => vec![format!("after {since}"), "b".to_owned()],
            _ => vec![String::new()],
        })
    }

    fn read(request: source::ReadRequest) -> Result<source::Batch, Error> {
        match request.stream.as_str() {
            "people" => Ok(people(request.cursor.as_deref())),
            "calls" => calls(&request.config),
            _ => Err(named("golden.stream", &request.stream)),
        }
    }
}

/// One person a batch, two in all; then one is gone.
fn people(cursor: Option<&[u8]>) -> source::Batch {
    let (line, deletes, cursor, done) = match cursor {
        None => (
            "{\"id\":1,\"email\":\"ada@example.com\",\"name\":\"Ada\"}\n",
            None,
            "1",
            false,
        ),
        Some(b"1") => (
            "{\"id\":2,\"email\":\"alan@example.com\",\"name\":\"Alan\"}\n",
            None,
            "2",
            true,
        ),
        Some(b"2") => ("", Some("{\"id\":1}\n"), "3", true),
        Some(_) => ("", None, "3", true),
    };
    source::Batch {
        upserts: chunk(line),
        deletes: deletes.map(chunk),
        cursor: cursor.as_bytes().to_vec(),
        done,
    }
}

/// Calls everything that the hub offers, and tells what came of it.
fn calls(config: &str) -> Result<source::Batch, Error> {
    log::write(log::Level::Info, "golden calls", Some(r#"{"part":1}"#));
    run::progress(1, Some(2), Some("half"));
    run::count("calls", 1);
    let base = base_url(config).unwrap_or_default();
    let response = send(&Request {
        method: "POST".to_owned(),
        url: format!("{base}/golden"),
        headers: vec![Header {
            name: "content-type".to_owned(),
            value: b"text/plain".to_vec(),
        }],
        body: Some(b"hello".to_vec()),
        auth: Some("token".to_owned()),
        bucket: Some("default".to_owned()),
        timeout_ms: Some(5_000),
        idempotent: true,
    });
    let response = response.map_err(|error| match error {
        HttpError::Denied(text) => named("golden.denied", &text),
        error => named("golden.http", &format!("{error:?}")),
    })?;
    let mac = crypto::mac("hook", crypto::MacAlg::HmacSha256, b"x")
        .map_err(|text| named("golden.mac", &text))?;
    let hash = crypto::sha256(b"abc");
    let line = format!(
        "{{\"id\":1,\"status\":{},\"headers\":{},\"body\":{},\"mac\":{},\"sha256\":{},\"now\":{},\"left\":{},\"stop\":{}}}\n",
        response.status,
        !response.headers.is_empty(),
        response.body.len(),
        mac.len(),
        hash[0],
        run::now_ms(),
        run::remaining_ms() > 0,
        run::cancelled()
    );
    Ok(source::Batch {
        upserts: chunk(&line),
        deletes: None,
        cursor: Vec::new(),
        done: true,
    })
}

impl webhook::Guest for Golden {
    fn receive(_config: String, delivery: webhook::Delivery) -> Result<webhook::Reply, Error> {
        let body = String::from_utf8_lossy(&delivery.body).into_owned();
        Ok(webhook::Reply {
            status: 202,
            body: delivery.query.into_bytes(),
            rows: vec![webhook::Rows {
                stream: "people".to_owned(),
                upserts: chunk(&format!("{body}\n")),
                deletes: None,
            }],
        })
    }
}

impl destination::Guest for Golden {
    fn targets(_config: String) -> Result<Vec<destination::Target>, Error> {
        Ok(vec![destination::Target {
            name: "contact".to_owned(),
            title: "Contact".to_owned(),
            schema: r#"{"type":"object"}"#.to_owned(),
            modes: vec![destination::Mode::Upsert, destination::Mode::Delete],
            keys: vec!["email".to_owned()],
            max_batch: 100,
        }])
    }

    fn write(request: destination::WriteRequest) -> Result<destination::Outcome, Error> {
        let failures = (request.rows.count > 1).then(|| destination::Failure {
            index: 1,
            retryable: request.verify,
            code: "golden.second".to_owned(),
            message: request.idempotency_key,
        });
        Ok(destination::Outcome {
            failures: failures.into_iter().collect(),
            job: Some("job".to_owned()),
        })
    }

    fn poll(_config: String, job: String) -> Result<Option<destination::Outcome>, Error> {
        Ok((job == "job").then(|| destination::Outcome {
            failures: Vec::new(),
            job: None,
        }))
    }
}

impl audience::Guest for Golden {
    fn list_audiences(
        _config: String,
        page: Option<String>,
    ) -> Result<(Vec<audience::AudienceRef>, Option<String>), Error> {
        let one = audience::AudienceRef {
            id: "a1".to_owned(),
            name: "First".to_owned(),
            size: Some(2),
        };
        Ok(match page {
            None => (vec![one], Some("next".to_owned())),
            Some(_) => (Vec::new(), None),
        })
    }

    fn create(
        _config: String,
        name: String,
        _options: Option<String>,
    ) -> Result<audience::AudienceRef, Error> {
        Ok(audience::AudienceRef {
            id: "a2".to_owned(),
            name,
            size: None,
        })
    }

    fn add(change: audience::Change) -> Result<audience::Outcome, Error> {
        Ok(outcome(&change))
    }

    fn remove(change: audience::Change) -> Result<audience::Outcome, Error> {
        Ok(outcome(&change))
    }

    fn poll(_config: String, _job: String) -> Result<Option<audience::Outcome>, Error> {
        Ok(None)
    }
}

/// Members without an identifier are refused.
fn outcome(change: &audience::Change) -> audience::Outcome {
    let failures = change.members.iter().enumerate();
    audience::Outcome {
        failures: failures
            .filter(|(_, member)| member.ids.is_empty())
            .map(|(index, _)| audience::Failure {
                index: index as u32,
                retryable: false,
                code: "golden.nobody".to_owned(),
                message: change.audience.clone(),
            })
            .collect(),
        job: None,
    }
}

impl privacy::Guest for Golden {
    fn erase_subject(
        _config: String,
        ids: Vec<Identifier>,
        request_id: String,
    ) -> Result<(privacy::Status, Option<String>), Error> {
        let status = match ids.len() {
            0 => privacy::Status::NotFound,
            count => privacy::Status::Done(count as u64),
        };
        Ok((status, Some(format!("{{\"request\":\"{request_id}\"}}"))))
    }

    fn poll_erasure(
        _config: String,
        job: String,
    ) -> Result<(privacy::Status, Option<String>), Error> {
        Ok((privacy::Status::Pending(job), None))
    }
}

/// The configuration is small and flat: no parser is needed.
fn base_url(config: &str) -> Option<&str> {
    let (_, rest) = config.split_once("\"base_url\":\"")?;
    Some(rest.split_once('"')?.0)
}

fn named(code: &str, message: &str) -> Error {
    Error::Permanent(Detail {
        code: code.to_owned(),
        message: message.to_owned(),
        http_status: None,
        data: None,
    })
}

fn chunk(lines: &str) -> Chunk {
    Chunk {
        encoding: "json-lines".to_owned(),
        count: lines.lines().count() as u32,
        data: lines.as_bytes().to_vec(),
    }
}
