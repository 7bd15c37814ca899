//! Connectors that try what they must not (I12). Each attack is stopped, the message names the missing grant or
//! the limit, and the server next to the hub sees that nothing arrived that should not.

#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

mod bounds;
mod expressions;
mod peak;
mod properties;
mod told;

use onefold::clock::Clock;
use onefold::flow::connect::{ConnectSettings, Connectors};
use onefold::host::{
    Batch, Cancel, Chunk, Connector, Failure, FailureKind, Host, HostSettings, LogLine, Outcome,
    ReadRequest, WriteMode, WriteRequest,
};
use onefold::manifest::{Grants, Limits, SecretRef, Source};
use onefold::model::{Description, Timestamp};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SECRET: &str = "s3cret-token-value";

/// Guests are built by `cargo xtask build`, which puts them next to the programs.
fn guests_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program
        .ancestors()
        .map(|folder| folder.join("guests"))
        .find(|folder| folder.join("adversary.wasm").is_file())
        .expect("no guests; run `cargo xtask build` first")
}

/// 100,000 zeros, gzipped.
const BOMB: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 237, 193, 49, 1, 0, 0, 0, 194, 160, 245, 79, 109, 13, 15, 160,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    128, 87, 3, 125, 149, 17, 212, 160, 134, 1, 0,
];

/// A vendor on loopback that remembers what it was asked.
struct Vendor {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Vendor {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = heads.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = seen.clone();
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self { port, heads }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn seen(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The first line of each request.
    fn paths(&self) -> Vec<String> {
        let paths = self.seen();
        paths
            .iter()
            .map(|head| head.split(' ').nth(1).unwrap_or("").to_owned())
            .collect()
    }
}

/// The head of the next request; none when no more comes.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let length = reader.read_line(&mut head).ok()?;
        (length > 0).then_some(())?;
    }
    Some(head)
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let Some(head) = head(&mut reader) else {
            return;
        };
        let path = head.split(' ').nth(1).unwrap_or("").to_owned();
        let count = {
            let mut seen = seen.lock().unwrap();
            seen.push(head);
            let again = format!(" {path} ");
            seen.iter().filter(|head| head.contains(&again)).count()
        };
        let (status, extra, body) = match (path.as_str(), count) {
            ("/redirect-out", _) => ("302 Found", "Location: https://evil.example/take\r\n", ""),
            ("/redirect-in", _) => ("302 Found", "Location: https://10.1.2.3:8443/take\r\n", ""),
            ("/redirect-here", _) => ("302 Found", "Location: /ok\r\n", ""),
            ("/redirect-round", _) => ("302 Found", "Location: /redirect-round\r\n", ""),
            ("/flaky", 1 | 2) => ("503 Service Unavailable", "", ""),
            ("/limited", 1) => ("429 Too Many Requests", "Retry-After: 1\r\n", ""),
            ("/for-ever", _) => ("429 Too Many Requests", "Retry-After: 1e19\r\n", ""),
            ("/never", _) => {
                let _ = reader.read_line(&mut String::new());
                return;
            }
            ("/bomb", _) => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                    BOMB.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), BOMB].concat());
                continue;
            }
            ("/many-headers", _) => {
                let headers = "x-one: 1\r\n".repeat(32_000);
                let answer = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 2\r\n\r\nok");
                // Who stops reading in the middle is right to.
                let _ = stream.write_all(answer.as_bytes());
                return;
            }
            ("/half", _) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
                return;
            }
            _ => ("200 OK", "", "hello"),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A hub's way to its connectors, with a log that can be looked at.
struct World {
    connectors: Connectors,
    log: Arc<Mutex<Vec<LogLine>>>,
    cancel: Cancel,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let host = Host::new(HostSettings {
            cache_folder: None,
            compiler: None,
            runtime: runtime.handle().clone(),
        });
        let log: Arc<Mutex<Vec<LogLine>>> = Arc::default();
        let sink = log.clone();
        let cancel = Cancel::default();
        let dice = AtomicU64::new(1);
        let connectors = Connectors::new(ConnectSettings {
            host: Arc::new(host.unwrap()),
            connector_folders: vec![guests_folder()],
            hub_folder: PathBuf::from("."),
            read_env: Arc::new(|name| (name == "TOKEN").then(|| SECRET.to_owned())),
            runtime: runtime.handle().clone(),
            clock: Clock::new(|| Timestamp(1_700_000_000_000)),
            random: Arc::new(move || dice.fetch_add(7, Ordering::Relaxed)),
            cancel: cancel.clone(),
            log: Arc::new(move |line| sink.lock().unwrap().push(line.clone())),
        });
        Self {
            connectors,
            log,
            cancel,
            runtime,
        }
    }

    fn source(&self, connector: &str) -> Source {
        Source {
            name: "crm".into(),
            connector: connector.to_owned(),
            rates: self.connectors.describe(connector).unwrap().rates.clone(),
            description: self.connectors.describe(connector).unwrap(),
            config: serde_json::json!({"region": "eu"}),
            credentials: match connector {
                "adversary" => {
                    BTreeMap::from([("token".to_owned(), SecretRef::Env("TOKEN".to_owned()))])
                }
                _ => BTreeMap::new(),
            },
            grants: Grants::default(),
            limits: Limits {
                wall_ms: 20_000,
                log_lines: 20,
                ..Limits::default()
            },
            schedule: None,
            streams: Vec::new(),
            empty_source_stops: true,
            max_dead_letters: None,
        }
    }

    fn open(&self, source: &Source) -> Box<dyn Connector> {
        match self.connectors.open_source(source) {
            Ok(opened) => opened.connector(),
            Err(problems) => panic!("{problems:?}"),
        }
    }

    /// The adversary, with a grant for the vendor.
    fn adversary(&self, vendor: &Vendor) -> Box<dyn Connector> {
        let mut source = self.source("adversary");
        source.grants.addresses = vec![format!("127.0.0.1:{}", vendor.port)];
        self.open(&source)
    }
}

fn read(connector: &mut dyn Connector, stream: &str, part: &str) -> Result<Batch, Failure> {
    connector.read(&ReadRequest {
        stream: stream.to_owned(),
        part: part.to_owned(),
        cursor: None,
        since: None,
        until: None,
        max_records: 2,
        max_bytes: 1 << 20,
    })
}

fn failure(connector: &mut dyn Connector, stream: &str, part: &str) -> (FailureKind, String) {
    let failure = read(connector, stream, part).expect_err("the attack must fail");
    (failure.kind, failure.problem.to_string())
}

#[test]
fn a_host_that_is_not_granted_is_denied_with_the_line_to_add() {
    let world = World::new();
    let mut connector = world.open(&world.source("adversary"));
    let (kind, text) = failure(&mut *connector, "fetch", "https://evil.example/x?q=1");
    assert_eq!(kind, FailureKind::Config);
    assert!(
        text.starts_with("[OF0401] source `crm` may not call `evil.example`"),
        "{text}"
    );
    assert!(
        text.contains("hint: add `grant.hosts = [\"evil.example\"]` to source `crm`; a credential"),
        "{text}"
    );
}

#[test]
fn private_addresses_are_denied_in_every_spelling() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.open(&world.source("adversary"));
    let port = vendor.port;
    let spellings = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[64:ff9b::7f00:1]:{port}/"),
        format!("http://[2002:7f00:1::]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.5/".to_owned(),
        "https://100.64.1.1/".to_owned(),
        "https://[fd00::1]/".to_owned(),
        "https://[fe80::1]/".to_owned(),
    ];
    for url in spellings {
        let (_, text) = failure(&mut *connector, "fetch", &url);
        assert!(
            text.contains("OF0402") && text.contains("grant.addresses"),
            "{url}: {text}"
        );
    }
    assert_eq!(vendor.seen(), Vec::<String>::new());
}

#[test]
fn a_granted_name_that_leads_to_a_private_address_is_denied_when_it_is_dialled() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut source = world.source("adversary");
    source.grants.hosts = vec![format!("localhost:{}", vendor.port)];
    let mut connector = world.open(&source);
    let url = format!("https://localhost:{}/", vendor.port);
    let (_, text) = failure(&mut *connector, "fetch", &url);
    assert!(text.contains("[OF0402] `localhost` leads to"), "{text}");
    assert!(
        text.contains(&format!(":{}\"]` to source `crm`", vendor.port)),
        "{text}"
    );
    assert_eq!(vendor.seen(), Vec::<String>::new());
}

#[test]
fn a_granted_address_may_be_called_in_plain_http() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.adversary(&vendor);
    let batch = read(&mut *connector, "fetch-with-credential", &vendor.url("/ok")).unwrap();
    assert_eq!(batch.upserts.data, b"{\"status\":200,\"bytes\":5}\n");
    let head = vendor.seen().remove(0).to_ascii_lowercase();
    assert!(
        head.contains(&format!("authorization: bearer {SECRET}")),
        "{head}"
    );
}

#[test]
fn a_redirect_to_another_host_is_not_followed_and_one_on_the_same_host_is() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.adversary(&vendor);
    let (_, text) = failure(&mut *connector, "fetch", &vendor.url("/redirect-out"));
    assert!(
        text.contains("OF0404") && text.contains("evil.example"),
        "{text}"
    );
    let hint = "add `grant.hosts = [\"evil.example\"]`";
    assert!(text.contains(hint), "{text}");
    let (_, text) = failure(&mut *connector, "fetch", &vendor.url("/redirect-in"));
    let hint = "add `grant.addresses = [\"10.1.2.3:8443\"]`";
    assert!(text.contains(hint), "{text}");
    assert!(read(&mut *connector, "fetch", &vendor.url("/redirect-here")).is_ok());
    let seen = ["/redirect-out", "/redirect-in", "/redirect-here", "/ok"];
    assert_eq!(vendor.paths(), seen);
    let (_, text) = failure(&mut *connector, "fetch", &vendor.url("/redirect-round"));
    assert!(text.contains("more than 5 redirects"), "{text}");
}

#[test]
fn a_request_that_is_not_well_formed_never_leaves() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.adversary(&vendor);
    for attack in ["smuggle-header", "forge-host", "forge-authorization"] {
        let (_, text) = failure(&mut *connector, attack, &vendor.url("/ok"));
        assert!(text.contains("OF0405"), "{attack}: {text}");
    }
    let with_user = format!("http://user:pass@127.0.0.1:{}/", vendor.port);
    let (_, text) = failure(&mut *connector, "fetch", &with_user);
    assert!(text.contains("OF0405"), "{text}");
    let other_schemes = [
        format!("ftp://127.0.0.1:{}/x", vendor.port),
        format!("gopher://127.0.0.1:{}/x", vendor.port),
        "file:///etc/passwd".to_owned(),
        "data:text/plain,x".to_owned(),
    ];
    for url in other_schemes {
        let (_, text) = failure(&mut *connector, "fetch", &url);
        assert!(text.contains("OF0403"), "{url}: {text}");
    }
    assert_eq!(vendor.seen(), Vec::<String>::new());
}

#[test]
fn a_secret_is_neither_given_to_the_guest_nor_shown() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.adversary(&vendor);
    let (_, text) = failure(
        &mut *connector,
        "fetch-with-unknown-credential",
        &vendor.url("/ok"),
    );
    assert!(
        text.contains("OF0406") && text.contains("credential.password"),
        "{text}"
    );
    let (_, text) = failure(
        &mut *connector,
        "fetch-with-signing-key",
        &vendor.url("/ok"),
    );
    assert!(
        text.contains("OF0406") && text.contains("credential.hook"),
        "{text}"
    );
    let (_, text) = failure(&mut *connector, "sign-with-token", "");
    assert!(text.contains("no signing credential `token`"), "{text}");
    let batch = read(&mut *connector, "tell-config", "").unwrap();
    assert_eq!(batch.upserts.data, b"{\"region\":\"eu\"}\n");
    // A guest that learnt the value from a vendor's echo cannot write it into a log or an error.
    let (_, text) = failure(&mut *connector, "fail", &format!("token was {SECRET}"));
    assert!(text.contains("token was [secret token]"), "{text}");
    read(
        &mut *connector,
        "log-secret",
        &format!("token was {SECRET}"),
    )
    .unwrap();
    let log = world.log.lock().unwrap();
    let line = log.last().unwrap();
    assert_eq!(line.message, "token was [secret token]");
    assert_eq!(line.fields.as_deref(), Some("token was [secret token]"));
    assert_eq!(
        (&*line.connection, line.stream.as_deref()),
        ("crm", Some("log-secret"))
    );
}

#[test]
fn each_limit_stops_its_attack_names_itself_and_leaves_the_connector_usable() {
    let world = World::new();
    let patient = world.source("adversary");
    let mut strict = world.source("adversary");
    strict.limits.cpu_ms = 300;
    let (mut patient, mut strict) = (world.open(&patient), world.open(&strict));
    let attacks = [
        ("memory", "OF0311", "`limits.memory_bytes` = 268435456"),
        ("loop", "OF0312", "`limits.cpu_ms` = 300"),
        ("loop-of-calls", "OF0312", "`limits.cpu_ms` = 300"),
        ("trap", "OF0310", "unreachable"),
        ("recursion", "OF0316", "stack of 1024 KiB"),
        ("recursion-with-data", "OF0310", "out of bounds memory"),
        (
            "million-rows",
            "OF0314",
            "1000000 rows; `limits.batch_rows` is 50000",
        ),
        ("huge-count", "OF0314", "`limits.batch_rows` is 50000"),
        ("many-bytes", "OF0315", "`limits.batch_bytes` is 67108864"),
        ("wrong-count", "OF0317", "said to be 3 rows and are 2 lines"),
        ("no-newline", "OF0317", "does not end in a newline"),
        ("encoding", "OF0317", "unknown encoding `csv`"),
        ("giant-cursor", "OF0318", "16777216 bytes"),
    ];
    for (attack, code, message) in attacks {
        let connector = match attack.starts_with("loop") {
            true => &mut strict,
            false => &mut patient,
        };
        let (kind, text) = failure(&mut **connector, attack, "");
        assert_eq!(kind, FailureKind::Guest, "{attack}");
        assert!(
            text.contains(code) && text.contains(message),
            "{attack}: {text}"
        );
        let good = read(&mut **connector, "good", "").unwrap();
        assert_eq!((good.upserts.count, good.done), (2, true), "after {attack}");
    }
}

/// Interpreters and the glue of some languages lose a little with each call. Over a million records that is more than any
/// limit, and no fault of the connector's author.
#[test]
fn a_connector_that_loses_memory_with_each_call_is_renewed_before_the_limit_stops_it() {
    let world = World::new();
    let mut source = world.source("adversary");
    assert_eq!(source.limits.memory_bytes, 256 << 20);
    // Little at first, and much at first.
    for (limit, megabytes) in [(256, ["20", "20"]), (32, ["18", "2"])] {
        source.limits.memory_bytes = limit << 20;
        let mut connector = world.open(&source);
        for call in 0..40 {
            let part = megabytes[usize::from(call > 0)];
            let batch = read(&mut *connector, "leak", part);
            let batch = batch.unwrap_or_else(|it| panic!("{limit} {call}: {it:?}"));
            assert_eq!(batch.upserts.count, 1);
        }
    }
    // What one call alone needs is still held to the limit.
    source.limits.memory_bytes = 16 << 20;
    let mut connector = world.open(&source);
    let (_, text) = failure(&mut *connector, "leak", "20");
    assert!(text.contains("OF0311"), "{text}");
}

#[test]
fn a_connector_that_spins_is_stopped_in_every_export() {
    let world = World::new();
    let mut source = world.source("adversary");
    source.config = serde_json::json!({"region": "spin"});
    source.limits.cpu_ms = 200;
    let mut connector = world.open(&source);
    let rows = WriteRequest {
        target: "any".to_owned(),
        mode: WriteMode::Upsert,
        rows: Chunk {
            count: 1,
            data: b"{}\n".to_vec(),
        },
        idempotency_key: "k".to_owned(),
        verify: false,
    };
    let failures = [
        ("check", connector.check().err()),
        ("discover", connector.discover().err()),
        ("split", connector.split("good", None).err()),
        ("read", read(&mut *connector, "good", "").err()),
        ("targets", connector.targets().err()),
        ("write", connector.write(&rows).err()),
        ("poll", connector.poll_write("job", 1).err()),
    ];
    for (call, failure) in failures {
        let failure = failure.unwrap_or_else(|| panic!("`{call}` came back"));
        assert_eq!(failure.problem.code.id, "OF0312", "{call}: {failure}");
    }
}

#[test]
fn thousands_of_headers_are_neither_sent_nor_taken() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.adversary(&vendor);
    let (_, text) = failure(&mut *connector, "many-headers", &vendor.url("/ok"));
    assert!(
        text.contains("OF0405") && text.contains("headers"),
        "{text}"
    );
    assert_eq!(vendor.seen(), Vec::<String>::new());
    let (_, text) = failure(&mut *connector, "fetch", &vendor.url("/many-headers"));
    assert!(text.contains("adversary.refused"), "{text}");
    assert!(read(&mut *connector, "fetch", &vendor.url("/ok")).is_ok());
}

#[test]
fn giant_texts_are_cut_before_they_are_kept() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.adversary(&vendor);
    let (_, text) = failure(&mut *connector, "giant-url", &vendor.url("/"));
    assert!(
        text.len() < 1_000 && text.contains("the URL is longer"),
        "{text}"
    );
    let (_, text) = failure(&mut *connector, "giant-error", "");
    assert!(
        text.len() < 1_000 && text.contains("giant"),
        "{}",
        text.len()
    );
    // Whether the line is cut or the call is stopped, no giant is kept.
    let _ = read(&mut *connector, "giant-log", "");
    for line in world.log.lock().unwrap().iter() {
        let fields = line.fields.as_deref().unwrap_or_default();
        assert!(line.message.len() <= 4_096 && fields.len() <= 4_096);
    }
    assert_eq!(vendor.seen(), Vec::<String>::new());
    assert!(read(&mut *connector, "good", "").is_ok());
}

#[test]
fn a_vendor_that_never_answers_costs_the_wall_clock_limit_and_no_more() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut source = world.source("adversary");
    source.grants.addresses = vec![format!("127.0.0.1:{}", vendor.port)];
    source.limits.wall_ms = 400;
    let mut connector = world.open(&source);
    let started = Instant::now();
    let (_, text) = failure(&mut *connector, "fetch", &vendor.url("/never"));
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(
        text.contains("OF0313") || text.contains("Timeout"),
        "{text}"
    );
}

#[test]
fn a_cancelled_run_does_not_wait_for_the_vendor() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut source = world.source("adversary");
    source.grants.addresses = vec![format!("127.0.0.1:{}", vendor.port)];
    source.limits.wall_ms = 60_000;
    let mut connector = world.open(&source);
    let cancel = world.cancel.clone();
    let heads = vendor.heads.clone();
    let stopper = std::thread::spawn(move || {
        while heads.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
        cancel.cancel();
    });
    let started = Instant::now();
    let (_, text) = failure(&mut *connector, "fetch", &vendor.url("/never"));
    stopper.join().unwrap();
    assert!(text.contains("Cancelled"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_flood_of_log_lines_ends_in_one_line_that_names_the_limit() {
    let world = World::new();
    let mut connector = world.open(&world.source("adversary"));
    assert!(read(&mut *connector, "log-flood", "").is_ok());
    let log = world.log.lock().unwrap();
    assert_eq!(log.len(), 21);
    assert!(
        log[20].message.contains("`limits.log_lines`"),
        "{}",
        log[20].message
    );
}

#[test]
fn answers_about_rows_that_are_not_there_are_refused() {
    let world = World::new();
    let mut connector = world.open(&world.source("adversary"));
    let mut write = |target: &str| -> Result<Outcome, Failure> {
        connector.write(&WriteRequest {
            target: target.to_owned(),
            mode: WriteMode::Upsert,
            rows: Chunk {
                count: 2,
                data: b"{}\n{}\n".to_vec(),
            },
            idempotency_key: "k".to_owned(),
            verify: false,
        })
    };
    let text = write("duplicate").unwrap_err().problem.to_string();
    assert!(
        text.contains("OF0317") && text.contains("row 1 twice"),
        "{text}"
    );
    let text = write("out-of-range").unwrap_err().problem.to_string();
    assert!(
        text.contains("OF0317") && text.contains("row 2 of 2"),
        "{text}"
    );
    let outcome = write("good").unwrap();
    let indices: Vec<_> = outcome
        .failures
        .iter()
        .map(|failure| failure.index)
        .collect();
    assert_eq!(indices, [0, 1]);
    assert!(outcome.failures[0].message.len() <= 1_000);
}

#[test]
fn malformed_documents_and_repeated_parts_are_refused() {
    let world = World::new();
    let mut connector = world.open(&world.source("adversary"));
    let text = connector.discover().unwrap_err().problem.to_string();
    assert!(
        text.contains("OF0317") && text.contains("not JSON"),
        "{text}"
    );
    let text = connector
        .split("twice", None)
        .unwrap_err()
        .problem
        .to_string();
    assert!(text.contains("same part twice"), "{text}");
}

#[test]
fn a_call_that_the_connector_does_not_have_is_said_so() {
    let world = World::new();
    let mut connector = world.open(&world.source("adversary"));
    let text = connector
        .list_audiences(None)
        .unwrap_err()
        .problem
        .to_string();
    assert!(
        text.contains("OF0319") && text.contains("audience.list-audiences"),
        "{text}"
    );
}

#[test]
fn what_may_be_repeated_is_tried_again_and_retry_after_is_honoured() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.adversary(&vendor);
    let batch = read(&mut *connector, "fetch", &vendor.url("/flaky")).unwrap();
    assert!(batch.upserts.data.starts_with(b"{\"status\":200"));
    let started = Instant::now();
    let batch = read(&mut *connector, "fetch", &vendor.url("/limited")).unwrap();
    assert!(batch.upserts.data.starts_with(b"{\"status\":200"));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        vendor.paths(),
        ["/flaky", "/flaky", "/flaky", "/limited", "/limited"]
    );
}

#[test]
fn a_vendor_that_asks_for_ages_is_not_waited_for_and_stops_nobody() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut source = world.source("adversary");
    source.grants.addresses = vec![format!("127.0.0.1:{}", vendor.port)];
    let mut connector = world.open(&source);
    let batch = read(&mut *connector, "fetch", &vendor.url("/for-ever")).unwrap();
    assert!(batch.upserts.data.starts_with(b"{\"status\":429"));
    let batch = read(&mut *world.open(&source), "fetch", &vendor.url("/ok")).unwrap();
    assert!(batch.upserts.data.starts_with(b"{\"status\":200"));
}

#[test]
fn a_body_is_cut_off_at_its_decompressed_size() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut source = world.source("adversary");
    source.grants.addresses = vec![format!("127.0.0.1:{}", vendor.port)];
    let mut connector = world.open(&source);
    let batch = read(&mut *connector, "fetch", &vendor.url("/bomb")).unwrap();
    assert_eq!(batch.upserts.data, b"{\"status\":200,\"bytes\":100000}\n");
    source.limits.response_bytes = 50_000;
    let mut connector = world.open(&source);
    let (_, text) = failure(&mut *connector, "fetch", &vendor.url("/bomb"));
    assert!(text.contains("ResponseTooLarge(50000)"), "{text}");
}

#[test]
fn half_a_body_is_no_answer() {
    let vendor = Vendor::start();
    let world = World::new();
    let mut connector = world.adversary(&vendor);
    let (_, text) = failure(&mut *connector, "fetch", &vendor.url("/half"));
    assert!(text.contains("Other"), "{text}");
    assert!(vendor.paths().len() > 1, "it is tried again");
}

#[test]
fn a_missing_credential_is_named_before_anything_is_called() {
    let world = World::new();
    let mut source = world.source("adversary");
    source.credentials =
        BTreeMap::from([("token".to_owned(), SecretRef::Env("NOT_SET".to_owned()))]);
    let problems = world
        .connectors
        .open_source(&source)
        .err()
        .unwrap_or_default();
    assert_eq!(
        problems[0].message,
        "`credential.token` of `crm` points to `env:NOT_SET`, which is not set"
    );
}

#[test]
fn a_guest_with_wasi_finds_an_empty_world() {
    let world = World::new();
    let mut connector = world.open(&world.source("wasi-probe"));
    for place in ["environment", "arguments", "files"] {
        let batch = read(&mut *connector, place, "").unwrap();
        assert_eq!(batch.upserts.data, b"{\"found\":0}\n", "{place}");
    }
    read(&mut *connector, "print", "printed by the guest").unwrap();
    let log = world.log.lock().unwrap();
    assert_eq!(log.len(), 10);
    assert_eq!(log[0].message, "printed by the guest");
}

#[test]
fn a_guest_with_wasi_is_under_the_same_limits() {
    let world = World::new();
    let mut source = world.source("wasi-probe");
    source.limits.wall_ms = 1_000;
    source.limits.cpu_ms = 300;
    let mut connector = world.open(&source);
    let started = Instant::now();
    let (_, text) = failure(&mut *connector, "sleep", "");
    assert!(
        text.contains("OF0313") && text.contains("`limits.wall_ms` = 1000"),
        "{text}"
    );
    let (_, text) = failure(&mut *connector, "loop", "");
    assert!(
        text.contains("OF0312") && text.contains("`limits.cpu_ms` = 300"),
        "{text}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_guest_with_wasi_reaches_only_what_is_granted() {
    let vendor = Vendor::start();
    let world = World::new();
    let place = format!("http 127.0.0.1:{}", vendor.port);
    let mut without = world.open(&world.source("wasi-probe"));
    let (_, text) = failure(&mut *without, "fetch", &place);
    assert!(
        text.contains("OF0402") && text.contains("grant.addresses"),
        "{text}"
    );
    assert_eq!(vendor.seen(), Vec::<String>::new());
    let mut source = world.source("wasi-probe");
    source.grants.addresses = vec![format!("127.0.0.1:{}", vendor.port)];
    let mut with = world.open(&source);
    let batch = read(&mut *with, "fetch", &place).unwrap();
    assert_eq!(batch.upserts.data, b"{\"found\":200}\n");
    assert_eq!(vendor.paths(), ["/probe"]);
}

#[test]
fn a_connector_describes_itself_and_the_answer_is_kept_with_the_code() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(guests_folder().join("adversary.wasm")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let describe = || -> Arc<Description> {
        let host = Host::new(HostSettings {
            cache_folder: Some(folder.path().join("cache")),
            compiler: None,
            runtime: runtime.handle().clone(),
        });
        host.unwrap().load(&bytes).unwrap().describe().unwrap()
    };
    let first = describe();
    assert_eq!(first.name, "adversary");
    assert_eq!(first.exports, ["source", "destination"]);
    assert_eq!(
        first.streams[0].mapping.as_ref().unwrap().map["email"],
        "email"
    );
    let mut kept: Vec<_> = std::fs::read_dir(folder.path().join("cache"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    kept.sort();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(describe(), first);
    // Damage is noticed, and what was damaged is made again.
    for file in &kept {
        let mut content = std::fs::read(file).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        std::fs::write(file, content).unwrap();
    }
    assert_eq!(describe(), first);
}

#[test]
fn what_is_no_connector_is_refused_with_the_reason() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = Host::new(HostSettings {
        cache_folder: None,
        compiler: None,
        runtime: runtime.handle().clone(),
    })
    .unwrap();
    let component = b"\0asm\x0d\0\x01\0".as_slice();
    let cases: [(&[u8], &str); 4] = [
        (b"#!/bin/sh", "not WebAssembly"),
        (b"\0asm\x01\0\0\0", "a core WebAssembly module"),
        (component, "does not export `onefold:connector/meta@0.1.0`"),
        (b"\0asm\x0d\0\x01\0\xff", "not a valid component"),
    ];
    for (bytes, reason) in cases {
        let text = host.load(bytes).err().unwrap().to_string();
        assert!(text.contains(reason), "{text}");
    }
}
