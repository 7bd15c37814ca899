//! A connector that tries what it must not. The stream (or the target) names the attack, the part is its argument.
//! Where an attack is refused by the hub, it answers with the refusal's text.

wit_bindgen::generate!({
    path: "../../../connector-sdk/wit/v0.1",
    inline: "
        package onefold:adversary;
        world adversary {
            include onefold:connector/guest-base@0.1.0;
            export onefold:connector/source@0.1.0;
            export onefold:connector/destination@0.1.0;
        }
    ",
    world: "onefold:adversary/adversary",
    generate_all,
});

use exports::onefold::connector::destination::{
    Failure, Guest as Destination, Outcome, Target, WriteRequest,
};
use exports::onefold::connector::meta::{CheckReport, Guest as Meta};
use exports::onefold::connector::source::{Batch, Guest as Source, ReadRequest, StreamInfo};
use onefold::connector::http::{Header, HttpError, Request, send};
use onefold::connector::types::{Chunk, Detail, Error};
use onefold::connector::{crypto, log, run};

mod told;

struct Adversary;

export!(Adversary);

impl Meta for Adversary {
    fn manifest() -> String {
        r#"{"name":"adversary","version":"1.0.0","hosts":["api.example.com","localhost"],
            "credentials":{"token":{"title":"Token","inject":"bearer"},
                           "login":{"title":"Password","required":false,"inject":{"basic":{"username":"ada"}}},
                           "key":{"title":"Key","required":false,"inject":{"header":{"name":"x-key"}}},
                           "hook":{"title":"Hook","required":false,"inject":"signing"}},
            "rates":{"default":{"requests":1000,"per_ms":1000}},
            "streams":[{"name":"fetch","schema":{"type":"object"},"primary_key":["id"],
                        "mapping":{"to":"person","key":"id","map":{"email":"email"}}},
                       {"name":"stuck","schema":{"type":"object"},"primary_key":["id"]}TOLD],
            "targets":[{"name":"people","schema":{"type":"object"},"modes":["upsert"],"keys":["email"],"max_batch":10}],
            "something_newer":true}"#
            .replace("TOLD", &told::streams())
    }

    fn config_schema() -> String {
        r#"{"type":"object"}"#.to_owned()
    }

    fn check(config: String) -> Result<CheckReport, Error> {
        spin_if_told(&config);
        told::check(&config)
    }
}

impl Source for Adversary {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        spin_if_told(&config);
        if config.contains("\"many\"") {
            return Ok((0..10_000).map(long_stream).collect());
        }
        if let Some(stream) = told::discover(&config) {
            return Ok(vec![stream]);
        }
        Ok(vec![StreamInfo {
            name: "broken".to_owned(),
            title: String::new(),
            schema: "{ not json".to_owned(),
            primary_key: Vec::new(),
            cursor_fields: Vec::new(),
            data_classes: "{}".to_owned(),
            supports_deletes: false,
        }])
    }

    fn split(config: String, stream: String, _since: Option<String>) -> Result<Vec<String>, Error> {
        spin_if_told(&config);
        Ok(match stream.as_str() {
            "twice" => vec!["a".to_owned(), "a".to_owned()],
            _ => vec![String::new()],
        })
    }

    fn read(request: ReadRequest) -> Result<Batch, Error> {
        spin_if_told(&request.config);
        if let Some(answer) = told::read(&request) {
            return answer;
        }
        match request.stream.as_str() {
            "good" => Ok(rows(request.max_records)),
            "fetch" => fetch(&request.part, None, &[]),
            "fetch-with-credential" => fetch(&request.part, Some("token"), &[]),
            "fetch-with-unknown-credential" => fetch(&request.part, Some("password"), &[]),
            "fetch-with-signing-key" => fetch(&request.part, Some("hook"), &[]),
            "smuggle-header" => fetch(&request.part, None, &[("x-a", "b\r\nx-evil: 1")]),
            "forge-host" => fetch(&request.part, None, &[("host", "evil.example")]),
            "forge-authorization" => fetch(&request.part, Some("token"), &[("Authorization", "x")]),
            "sign-with-token" => match crypto::mac("token", crypto::MacAlg::HmacSha256, b"x") {
                Ok(_) => Ok(rows(1)),
                Err(text) => Err(refused(text)),
            },
            "sign" => match crypto::mac("hook", crypto::MacAlg::HmacSha256, b"x") {
                Ok(mac) => Ok(text(&format!("{{\"mac\":{}}}", mac.len()))),
                Err(text) => Err(refused(text)),
            },
            "leak" => {
                let megabytes: usize = request.part.parse().unwrap_or_default();
                std::mem::forget(vec![1_u8; megabytes << 20]);
                Ok(rows(1))
            }
            "tell-config" => Ok(text(&request.config)),
            "many-headers" => {
                let headers = vec![("x-one", "1"); 32_000];
                fetch(&request.part, None, &headers)
            }
            "giant-url" => fetch(&(request.part + &"a".repeat(GIANT)), None, &[]),
            "fail" => Err(refused(request.part)),
            other => misbehave(other, &request.part),
        }
    }
}

impl Destination for Adversary {
    fn targets(config: String) -> Result<Vec<Target>, Error> {
        spin_if_told(&config);
        Ok(Vec::new())
    }

    fn write(request: WriteRequest) -> Result<Outcome, Error> {
        spin_if_told(&request.config);
        if let Some(answer) = told::write(&request) {
            return answer;
        }
        let indices: &[u32] = match request.target.as_str() {
            "duplicate" => &[1, 0, 1],
            "out-of-range" => &[2],
            _ => &[1, 0],
        };
        let failures = indices.iter().map(|index| Failure {
            index: *index,
            retryable: false,
            code: "refused".to_owned(),
            message: "no".repeat(10_000),
        });
        Ok(Outcome {
            failures: failures.collect(),
            job: None,
        })
    }

    fn poll(config: String, _job: String) -> Result<Option<Outcome>, Error> {
        spin_if_told(&config);
        Ok(None)
    }
}

/// A stream with a name of 4 KB.
fn long_stream(number: u32) -> StreamInfo {
    StreamInfo {
        name: format!("{number:04096}"),
        title: String::new(),
        schema: "{}".to_owned(),
        primary_key: Vec::new(),
        cursor_fields: Vec::new(),
        data_classes: "{}".to_owned(),
        supports_deletes: false,
    }
}

/// In whichever export it is called.
fn spin_if_told(config: &str) {
    if config.contains("\"spin\"") {
        let _ = endless();
    }
}

/// Longer than anything that the hub would pass on.
const GIANT: usize = 40 << 20;

/// Attacks on the hub itself.
fn misbehave(attack: &str, argument: &str) -> Result<Batch, Error> {
    match attack {
        "memory" => ten_gigabytes(),
        "loop" => endless(),
        "loop-of-calls" => loop {
            run::now_ms();
        },
        "loop-of-hashes" => {
            // Large enough that the hub hashes most of the time, and does not copy.
            let data = vec![0; 64 << 10];
            loop {
                crypto::sha256(&data);
            }
        }
        "stuck" => Ok(stuck()),
        "trap" => panic!("on purpose"),
        "recursion" => Ok(text(&format!("{{\"depth\":{}}}", deeper(1)))),
        "recursion-with-data" => Ok(text(&format!("{{\"depth\":{}}}", deeper_with_data(1)))),
        "wrong-count" => Ok(Batch {
            upserts: chunk(3, b"{\"id\":1}\n{\"id\":2}\n".to_vec()),
            ..rows(0)
        }),
        "huge-count" => Ok(Batch {
            upserts: chunk(u32::MAX, b"{}\n".to_vec()),
            ..rows(0)
        }),
        "no-newline" => Ok(Batch {
            upserts: chunk(1, b"{\"id\":1}".to_vec()),
            ..rows(0)
        }),
        "million-rows" => Ok(rows(1_000_000)),
        "many-bytes" => Ok(Batch {
            upserts: chunk(1, vec![b' '; 80 << 20]),
            ..rows(0)
        }),
        "encoding" => Ok(Batch {
            upserts: Chunk {
                encoding: "csv".to_owned(),
                count: 0,
                data: Vec::new(),
            },
            ..rows(0)
        }),
        "giant-cursor" => Ok(Batch {
            cursor: vec![7; 16 << 20],
            ..rows(1)
        }),
        "log-flood" => {
            for line in 0..100_000 {
                log::write(log::Level::Info, &format!("line {line}"), None);
            }
            Ok(rows(1))
        }
        "giant-log" => {
            let line = "giant ".repeat(GIANT / 6);
            log::write(log::Level::Info, &line, Some(&line));
            Ok(rows(1))
        }
        "giant-error" => Err(refused("giant ".repeat(GIANT / 6))),
        "log-secret" => {
            log::write(log::Level::Info, argument, Some(argument));
            Ok(rows(1))
        }
        "bad-json" => Ok(Batch {
            upserts: chunk(2, b"{\"id\":\nnot json\n".to_vec()),
            ..rows(0)
        }),
        other => Err(refused(format!("unknown attack {other}"))),
    }
}

fn fetch(url: &str, auth: Option<&str>, headers: &[(&str, &str)]) -> Result<Batch, Error> {
    let request = Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| Header {
                name: (*name).to_owned(),
                value: value.as_bytes().to_vec(),
            })
            .collect(),
        body: None,
        auth: auth.map(str::to_owned),
        bucket: None,
        timeout_ms: None,
        idempotent: true,
    };
    match send(&request) {
        Ok(response) => Ok(text(&format!(
            "{{\"status\":{},\"bytes\":{}}}",
            response.status,
            response.body.len()
        ))),
        Err(HttpError::Denied(text)) => Err(refused(text)),
        Err(error) => Err(refused(format!("{error:?}"))),
    }
}

fn refused(message: String) -> Error {
    Error::Permanent(Detail {
        code: "adversary.refused".to_owned(),
        message,
        http_status: Some(418),
        data: None,
    })
}

fn rows(count: u32) -> Batch {
    let mut data = Vec::with_capacity(count as usize * 32);
    for id in 0..count {
        data.extend_from_slice(
            format!("{{\"id\":{id},\"email\":\"p{id}@example.com\"}}\n").as_bytes(),
        );
    }
    Batch {
        upserts: chunk(count, data),
        deletes: None,
        cursor: b"1".to_vec(),
        done: true,
    }
}

fn text(line: &str) -> Batch {
    Batch {
        upserts: chunk(1, format!("{line}\n").into_bytes()),
        ..rows(0)
    }
}

fn chunk(count: u32, data: Vec<u8>) -> Chunk {
    Chunk {
        encoding: "json-lines".to_owned(),
        count,
        data,
    }
}

/// One more row of a read that never moves.
fn stuck() -> Batch {
    Batch {
        done: false,
        ..rows(1)
    }
}

fn ten_gigabytes() -> Result<Batch, Error> {
    let mut kept = Vec::new();
    for _ in 0..10 * 16 {
        let mut part = vec![0_u8; 64 << 20];
        for page in part.iter_mut().step_by(4096) {
            *page = 1;
        }
        kept.push(std::hint::black_box(part));
    }
    Ok(rows(kept.len() as u32))
}

fn endless() -> Result<Batch, Error> {
    let mut count = 0_u64;
    while std::hint::black_box(count) < u64::MAX {
        count += 1;
    }
    Ok(rows(1))
}

/// Uses no memory of the guest, so that it is the engine's stack that runs out.
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    match depth {
        u64::MAX => 0,
        _ => deeper(depth + 1).wrapping_mul(3) ^ depth,
    }
}

/// Uses the guest's own stack, which is in its memory.
#[inline(never)]
fn deeper_with_data(depth: u64) -> u64 {
    let here = [depth; 16];
    let below = match std::hint::black_box(depth) {
        u64::MAX => 0,
        _ => deeper_with_data(depth + 1),
    };
    std::hint::black_box(here)[(below % 16) as usize] + below
}
