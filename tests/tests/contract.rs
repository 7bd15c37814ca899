//! The contract with connectors stays what it was: a released version's folder never changes, and a component that was
//! built for it, kept as a file, goes on working in every call that the version has.

use crate::hub::in_repository;
use onefold::clock::Clock;
use onefold::flow::connect::{ConnectSettings, Connectors};
use onefold::host::{
    Cancel, Chunk, Connector, Delivery, ErasureStatus, Host, HostSettings, LogLine, Member,
    MemberChange, MemberId, MemberIdForm, MemberIdKind, ReadRequest, WriteMode, WriteRequest,
};
use onefold::manifest::{Grants, Limits, SecretRef, Source};
use onefold::model::Timestamp;
use onefold_tests::vendors::http::{Reply, Request};
use onefold_tests::vendors::{Vendor, start};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The folders of the contract's versions.
fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(in_repository("connector-sdk/wit")).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// Over the names and the bytes of all files, so that none can be changed, added, renamed or taken away.
fn digest(folder: &Path) -> String {
    let mut found = Vec::new();
    files(folder, &mut found);
    found.sort();
    let mut all = Sha256::new();
    for path in found {
        let name = path.strip_prefix(folder).unwrap().to_string_lossy();
        let bytes = std::fs::read(&path).unwrap();
        all.update(format!("{}\n{}\n", name.replace('\\', "/"), bytes.len()));
        all.update(bytes);
    }
    all.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_released_version_of_the_contract_is_never_edited() {
    let versions = versions();
    assert!(!versions.is_empty());
    for folder in &versions {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let beside = folder.with_file_name(format!("{name}.sha256"));
        let kept = std::fs::read_to_string(&beside).unwrap_or_else(|error| {
            let digest = digest(folder);
            panic!(
                "`{}`: {error}; a new version's digest is {digest}",
                beside.display()
            )
        });
        assert_eq!(
            kept.trim(),
            digest(folder),
            "`{name}` is released: put the change into a new folder next to it"
        );
    }
    let digests = std::fs::read_dir(in_repository("connector-sdk/wit")).unwrap();
    let digests = digests.filter(|entry| entry.as_ref().unwrap().path().is_file());
    assert_eq!(digests.count(), versions.len(), "a version was taken away");
}

#[test]
fn a_changed_added_or_renamed_file_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.wit", "one");
    let first = digest(folder.path());
    write("a.wit", "two");
    assert_ne!(digest(folder.path()), first);
    write("a.wit", "one");
    assert_eq!(digest(folder.path()), first);
    write("b.wit", "");
    assert_ne!(digest(folder.path()), first);
    std::fs::remove_file(folder.path().join("b.wit")).unwrap();
    std::fs::rename(folder.path().join("a.wit"), folder.path().join("c.wit")).unwrap();
    assert_ne!(digest(folder.path()), first);
}

#[test]
fn every_version_has_a_golden_component() {
    for folder in versions() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        // A connector's name has no point in it.
        let file = format!("{}.wasm", name.replace('.', "_"));
        let golden = in_repository("tests/fixtures/golden").join(file);
        assert!(golden.is_file(), "`{}` is missing", golden.display());
    }
}

/// A vendor that takes what the golden component of 0.1 sends, and nothing else.
#[derive(Default)]
struct Strict {
    seen: u32,
}

impl Vendor for Strict {
    fn answer(&mut self, request: &Request) -> Reply {
        let good = request.method == "POST"
            && request.path == "/golden"
            && request.header("content-type") == Some("text/plain")
            && request.bearer() == Some("token-value")
            && request.body == "hello";
        match good {
            true => {
                self.seen += 1;
                Reply::text(201, "welcome".to_owned())
            }
            false => Reply::empty(400),
        }
    }

    fn too_many_requests(&self) -> Reply {
        Reply::empty(429)
    }

    fn server_error(&self) -> Reply {
        Reply::empty(500)
    }
}

struct World {
    connectors: Connectors,
    log: Arc<Mutex<Vec<LogLine>>>,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let host = Host::new(HostSettings {
            cache_folder: None,
            runtime: runtime.handle().clone(),
        });
        let log: Arc<Mutex<Vec<LogLine>>> = Arc::default();
        let sink = log.clone();
        let connectors = Connectors::new(ConnectSettings {
            host: Arc::new(host.unwrap()),
            connector_folders: vec![in_repository("tests/fixtures/golden")],
            hub_folder: PathBuf::from("."),
            read_env: Arc::new(|name| Some(format!("{name}-value"))),
            runtime: runtime.handle().clone(),
            clock: Clock::new(|| Timestamp(1_700_000_000_000)),
            random: Arc::new(|| 0),
            cancel: Cancel::default(),
            log: Arc::new(move |line| sink.lock().unwrap().push(line.clone())),
        });
        Self {
            connectors,
            log,
            _runtime: runtime,
        }
    }

    /// The bytes under `name`, opened with a grant for `address`.
    fn open(&self, name: &str, address: std::net::SocketAddr) -> Box<dyn Connector> {
        let secret = |name: &str| SecretRef::Env(name.to_owned());
        let source = Source {
            name: "golden".into(),
            connector: name.to_owned(),
            rates: self.connectors.describe(name).unwrap().rates.clone(),
            description: self.connectors.describe(name).unwrap(),
            config: json!({"base_url": format!("http://{address}")}),
            credentials: ["token", "hook"]
                .map(|key| (key.to_owned(), secret(key)))
                .into(),
            grants: Grants {
                addresses: vec![address.to_string()],
                ..Grants::default()
            },
            limits: Limits::default(),
            schedule: None,
            streams: Vec::new(),
            empty_source_stops: true,
            max_dead_letters: None,
        };
        match self.connectors.open_source(&source) {
            Ok(opened) => opened.connector(),
            Err(problems) => panic!("{problems:?}"),
        }
    }
}

fn request(stream: &str, cursor: Option<&[u8]>) -> ReadRequest {
    ReadRequest {
        stream: stream.to_owned(),
        part: String::new(),
        cursor: cursor.map(<[u8]>::to_vec),
        since: None,
        until: None,
        max_records: 10,
        max_bytes: 1 << 20,
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_golden_component_of_0_1_still_reads_with_every_import() {
    let world = World::new();
    let vendor = start(Strict::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    let description = world.connectors.describe("v0_1").unwrap();
    assert_eq!(
        description.exports,
        ["source", "webhook", "destination", "audience", "privacy"]
    );
    assert_eq!(description.streams[0].data_classes["email"], "pii.email");
    let mut golden = world.open("v0_1", vendor.address);
    assert_eq!(golden.check().unwrap().account.as_deref(), Some("golden"));
    let streams = golden.discover().unwrap();
    assert_eq!(streams[0].primary_key, ["id"]);
    assert_eq!(
        golden.split("parts", Some("2025-01-01T00:00:00Z")).unwrap(),
        ["after 2025-01-01T00:00:00Z", "b"]
    );
    let first = golden.read(&request("people", None)).unwrap();
    assert_eq!((first.upserts.count, first.done), (1, false));
    let second = golden
        .read(&request("people", Some(&first.cursor)))
        .unwrap();
    assert!(text(&second.upserts.data).contains("alan@example.com"));
    let third = golden
        .read(&request("people", Some(&second.cursor)))
        .unwrap();
    assert_eq!(third.deletes.unwrap().data, b"{\"id\":1}\n");
    let calls = golden.read(&request("calls", None)).unwrap();
    let told: Value = serde_json::from_slice(&calls.upserts.data).unwrap();
    let expected = json!({"id": 1, "status": 201, "headers": true, "body": 7, "mac": 32, "sha256": 0xba,
        "now": 1_700_000_000_000_u64, "left": true, "stop": false});
    assert_eq!(told, expected);
    assert_eq!(vendor.with(|vendor| vendor.seen), 1);
    assert_eq!(world.log.lock().unwrap()[0].message, "golden calls");
    let refused = golden.read(&request("nothing", None)).unwrap_err();
    assert!(
        refused.problem.message.contains("golden.stream"),
        "{refused}"
    );
}

#[test]
fn the_golden_component_of_0_1_still_writes_and_erases() {
    let world = World::new();
    let vendor = start(Strict::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    let mut golden = world.open("v0_1", vendor.address);
    assert_eq!(
        golden.targets().unwrap()[0].modes,
        [WriteMode::Upsert, WriteMode::Delete]
    );
    let write = WriteRequest {
        target: "contact".to_owned(),
        mode: WriteMode::Upsert,
        rows: Chunk {
            count: 2,
            data: b"{\"email\":\"a\"}\n{\"email\":\"b\"}\n".to_vec(),
        },
        idempotency_key: "k1".to_owned(),
        verify: true,
    };
    let written = golden.write(&write).unwrap();
    assert_eq!(written.job.as_deref(), Some("job"));
    let failure = &written.failures[0];
    assert_eq!(
        (failure.index, failure.retryable, &*failure.message),
        (1, true, "k1")
    );
    assert_eq!(golden.poll_write("job", 2).unwrap().unwrap().failures, []);
    let page = golden.list_audiences(None).unwrap();
    assert_eq!(
        (page.audiences[0].size, page.next.as_deref()),
        (Some(2), Some("next"))
    );
    assert_eq!(
        golden.create_audience("spring", None).unwrap().name,
        "spring"
    );
    let email = MemberId {
        kind: MemberIdKind::Email,
        form: MemberIdForm::Plain,
        value: "ada@example.com".to_owned(),
    };
    let member = |ids: &[MemberId]| Member {
        ids: ids.to_vec(),
        traits: None,
    };
    let change = MemberChange {
        audience: "a1".to_owned(),
        members: vec![member(std::slice::from_ref(&email)), member(&[])],
        idempotency_key: "k2".to_owned(),
        verify: false,
    };
    for outcome in [golden.add_members(&change), golden.remove_members(&change)] {
        assert_eq!(outcome.unwrap().failures[0].index, 1);
    }
    let erased = golden.erase(&[email], "r1").unwrap();
    assert_eq!(erased.status, ErasureStatus::Done(1));
    assert_eq!(erased.evidence.as_deref(), Some("{\"request\":\"r1\"}"));
    let pending = golden.poll_erasure("later").unwrap();
    assert_eq!(pending.status, ErasureStatus::Pending("later".to_owned()));
    let reply = golden
        .receive(&Delivery {
            headers: Vec::new(),
            query: "a=b".to_owned(),
            body: b"{\"id\":9}".to_vec(),
        })
        .unwrap();
    assert_eq!((reply.status, text(&reply.body)), (202, "a=b"));
    assert_eq!(reply.rows[0].upserts.data, b"{\"id\":9}\n");
}
