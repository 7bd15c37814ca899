//! The help-desk connector in every language: each is compiled as its author would, runs in the hub's host against the
//! practice help desk, and says the same, byte for byte. Projects of `connector new` compile from an empty folder.

use crate::compiled::{self, toolchains};
use crate::hub::beside_program;
use onefold::app;
use onefold::flow::connect::{ConnectSettings, Connectors};
use onefold::host::{
    Cancel, Chunk, Connector, Host, HostSettings, Member, MemberChange, MemberId, MemberIdForm,
    MemberIdKind, ReadRequest, WriteMode, WriteRequest,
};
pub use onefold::kit::practice::TOKEN;
use onefold::kit::practice::{Practice, Settings};
use onefold::kit::project::{Kind, Language, Project};
use onefold::kit::template::{self, New, Start};
use onefold::kit::toolchain::{self, Built, Toolchains};
use onefold::manifest::{Grants, Limits, SecretRef, Source};
use onefold::problem::Problem;
use onefold_tests::need::need;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const LANGUAGES: [Language; 6] = [
    Language::Rust,
    Language::TypeScript,
    Language::JavaScript,
    Language::Python,
    Language::C,
    Language::Go,
];

fn examples() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("../connectors/examples")
}

struct World {
    connectors: Connectors,
    folder: tempfile::TempDir,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("connectors")).unwrap();
        let host = Host::new(HostSettings {
            cache_folder: Some(folder.path().join("cache")),
            compiler: None,
            runtime: runtime.handle().clone(),
        });
        let connectors = Connectors::new(ConnectSettings {
            host: Arc::new(host.unwrap()),
            connector_folders: vec![folder.path().join("connectors")],
            hub_folder: folder.path().to_owned(),
            read_env: Arc::new(|_| Some(TOKEN.to_owned())),
            runtime: runtime.handle().clone(),
            clock: app::system_clock(),
            random: Arc::new(app::random),
            cancel: Cancel::default(),
            log: Arc::new(|line| eprintln!("{}", line.message)),
        });
        Self {
            connectors,
            folder,
            runtime,
        }
    }

    /// Puts a component where the hub looks.
    fn add(&self, name: &str, built: &Built) {
        let file = self.folder.path().join(format!("connectors/{name}.wasm"));
        std::fs::copy(&built.file, file).unwrap();
    }

    /// The help desk in each language that can be compiled here, with its name where the hub looks, and its size.
    fn examples(&self) -> impl Iterator<Item = (Language, String, usize)> {
        LANGUAGES.into_iter().filter_map(|language| {
            let name = format!("helpdesk-{language}");
            let built = compiled::example(&examples().join(&name))?;
            self.add(&name, &built);
            Some((language, name, built.bytes))
        })
    }

    fn open(&self, name: &str, practice: &Practice) -> Box<dyn Connector> {
        let source = Source {
            name: "desk".into(),
            connector: name.to_owned(),
            rates: self.connectors.describe(name).unwrap().rates.clone(),
            description: self.connectors.describe(name).unwrap(),
            config: serde_json::json!({ "base_url": practice.base_url(), "page_size": 70 }),
            credentials: BTreeMap::from([("token".to_owned(), SecretRef::Env("T".to_owned()))]),
            grants: Grants {
                hosts: Vec::new(),
                addresses: vec![practice.address.to_string()],
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

    fn practice(&self, contacts: u32) -> Practice {
        let settings = Settings {
            seed: 3,
            contacts,
            ..Settings::default()
        };
        Practice::start(self.runtime.handle(), settings, 0).unwrap()
    }
}

fn read_all(connector: &mut dyn Connector, stream: &str, told: &mut String) {
    let mut request = ReadRequest {
        stream: stream.to_owned(),
        part: connector.split(stream, None).unwrap().remove(0),
        cursor: None,
        since: None,
        until: None,
        max_records: 150,
        max_bytes: 1 << 20,
    };
    loop {
        let batch = connector.read(&request).unwrap();
        let deletes = batch.deletes.unwrap_or_default();
        let text = String::from_utf8_lossy(&batch.upserts.data);
        writeln!(told, "{stream} {}\n{text}", batch.upserts.count).unwrap();
        writeln!(told, "gone {}", String::from_utf8_lossy(&deletes.data)).unwrap();
        if batch.done {
            return;
        }
        request.cursor = Some(batch.cursor);
    }
}

fn email(value: &str) -> MemberId {
    MemberId {
        kind: MemberIdKind::Email,
        form: MemberIdForm::Plain,
        value: value.to_owned(),
    }
}

fn members(audience: &str, emails: &[&str]) -> MemberChange {
    let member = |address: &&str| Member {
        ids: vec![email(address)],
        traits: None,
    };
    MemberChange {
        audience: audience.to_owned(),
        members: emails.iter().map(member).collect(),
        idempotency_key: "k".to_owned(),
        verify: false,
    }
}

/// Everything that a connector can do, told as text.
fn told(connector: &mut dyn Connector) -> String {
    let mut told = format!("{:?}\n", connector.check().unwrap());
    for stream in connector.discover().unwrap() {
        writeln!(told, "{stream:?}").unwrap();
    }
    for target in connector.targets().unwrap() {
        writeln!(told, "{target:?}").unwrap();
    }
    read_all(connector, "contacts", &mut told);
    read_all(connector, "tickets", &mut told);
    let rows = "{\"email\":\"new@x.example\",\"name\":\"Zoë \\\"Z\\\" 😀\",\"plan\":\"pro\"}\n\
         {\"email\":\"no-address\"}\n{\"name\":\"nobody\"}\n{\"email\":\" NEW@x.example\"}\n";
    let mut write = WriteRequest {
        target: "contacts".to_owned(),
        mode: WriteMode::Upsert,
        rows: Chunk {
            count: 4,
            data: rows.as_bytes().to_vec(),
        },
        idempotency_key: "w1".to_owned(),
        verify: false,
    };
    writeln!(told, "{:?}", connector.write(&write).unwrap()).unwrap();
    write.verify = true;
    writeln!(told, "{:?}", connector.write(&write).unwrap()).unwrap();
    let tag = connector.create_audience("VIP ☆", None).unwrap();
    writeln!(
        told,
        "{tag:?} {:?}",
        connector.list_audiences(None).unwrap()
    )
    .unwrap();
    let change = members(&tag.id, &["new@x.example", "who@x.example"]);
    writeln!(told, "{:?}", connector.add_members(&change).unwrap()).unwrap();
    writeln!(told, "{:?}", connector.remove_members(&change).unwrap()).unwrap();
    writeln!(
        told,
        "{:?}",
        connector.add_members(&members("t999", &["a@b.c"]))
    )
    .unwrap();
    for _ in 0..2 {
        let erased = connector.erase(&[email("new@x.example")], "r1").unwrap();
        writeln!(told, "{erased:?}").unwrap();
    }
    writeln!(told, "{:?}", connector.erase(&[], "r2").unwrap()).unwrap();
    let lost = ReadRequest {
        stream: "contacts".to_owned(),
        part: String::new(),
        cursor: Some(b"{\"after\":\"unknown\"}".to_vec()),
        since: None,
        until: None,
        max_records: 10,
        max_bytes: 1_000,
    };
    writeln!(told, "{:?}", connector.read(&lost)).unwrap();
    let unknown = ReadRequest {
        stream: "nothing".to_owned(),
        ..lost
    };
    writeln!(told, "{:?}", connector.read(&unknown)).unwrap();
    told
}

#[test]
fn the_same_connector_in_every_language_says_the_same() {
    let world = World::new();
    let mut all = Vec::new();
    for (language, name, bytes) in world.examples() {
        let practice = world.practice(400);
        let begun = Instant::now();
        let mut connector = world.open(&name, &practice);
        let compiled = begun.elapsed();
        let begun = Instant::now();
        connector.check().unwrap();
        eprintln!(
            "{language}: {bytes} bytes, compiled in {compiled:?}, first call in {:?}",
            begun.elapsed()
        );
        all.push((language, told(&mut *connector)));
    }
    let (first, expected) = &all[0];
    assert!(expected.contains("gone {\"id\":"), "{expected}");
    for (language, told) in &all[1..] {
        let lines = expected.lines().zip(told.lines());
        for (wanted, found) in lines {
            assert_eq!(wanted, found, "{first} and {language}");
        }
        assert_eq!(expected.len(), told.len(), "{first} and {language}");
    }
}

/// Many pages through one instance: what a language does with memory that it no longer needs is seen only here.
#[test]
fn a_long_read_says_the_same_in_every_language() {
    let world = World::new();
    let mut first: Option<String> = None;
    for (language, name, _) in world.examples() {
        let practice = world.practice(12_000);
        let mut connector = world.open(&name, &practice);
        let mut told = String::new();
        read_all(&mut *connector, "contacts", &mut told);
        assert!(told.lines().count() > 10_000, "{language}");
        match &first {
            None => first = Some(told),
            Some(first) => assert!(*first == told, "{language} differs from Rust"),
        }
    }
}

/// What an integrator types, in a folder; returns the exit code and everything printed.
pub fn typed(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(beside_program("onefold"));
    program
        .args(arguments)
        .current_dir(folder)
        .env("ONEFOLD_TOOLCHAINS", toolchains())
        .env("ONEFOLD_CACHE", beside_program("test-cache"))
        .env("DESK_TOKEN", TOKEN);
    let done = program.output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    (
        done.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// `connector new` with these further arguments, then `connector build`. Returns the project's folder; none without compilers.
pub fn built(place: &Path, language: Language, arguments: &[&str]) -> Option<PathBuf> {
    let word = language.word();
    let new = ["connector", "new", "acme", "--lang", word];
    let (code, text) = typed(place, &[&new, arguments].concat());
    assert_eq!(code, Some(0), "{word}: {text}");
    let project = place.join("acme");
    let (code, text) = typed(&project, &["connector", "build"]);
    if text.contains("error[OF0321]") {
        let check = format!("a new connector in {word}");
        assert!(!need(&check, Some(&text)), "{text}");
        return None;
    }
    assert_eq!(code, Some(0), "{word}: {text}");
    Some(project)
}

/// A run of a hub in this folder with the component of the project `acme` and the practice help desk.
pub fn run_in_hub(
    place: &Path,
    project: &Path,
    practice: &Practice,
    streams: &[&str],
) -> (Option<i32>, String) {
    let address = practice.address;
    let manifest = format!(
        "[hub]\nname = \"acme\"\nstore = \"sqlite:acme.db\"\n[[source]]\nname = \"desk\"\nconnector = \"acme\"\n\
         config.base_url = \"http://{address}\"\ncredential.token = \"env:DESK_TOKEN\"\n\
         grant.addresses = [\"{address}\"]\nstreams = {streams:?}\n"
    );
    std::fs::write(place.join("hub.toml"), manifest).unwrap();
    std::fs::create_dir(place.join("connectors")).unwrap();
    let component = place.join("connectors/acme.wasm");
    std::fs::copy(project.join("build/acme.wasm"), component).unwrap();
    typed(place, &["run"])
}

/// `new`, `build`, `test`, then a run against the practice help desk. Returns how long each took; none without compilers.
fn from_nothing(language: Language, practice: &Practice) -> Option<[Duration; 3]> {
    let place = tempfile::tempdir().unwrap();
    let mut began = Instant::now();
    let mut lap = || std::mem::replace(&mut began, Instant::now()).elapsed();
    let word = language.word();
    let project = built(place.path(), language, &["--kind", "both"])?;
    let built = lap();
    let (code, text) = typed(&project, &["connector", "test"]);
    assert_eq!(code, Some(0), "{word}: {text}");
    let tested = lap();
    let streams = ["contacts", "tickets"];
    let (code, text) = run_in_hub(place.path(), &project, practice, &streams);
    assert_eq!(code, Some(0), "{word}: {text}");
    assert!(text.contains("people"), "{word}: {text}");
    Some([built, tested, lap()])
}

#[test]
fn from_an_empty_folder_to_people_in_a_hub_in_every_language() {
    let runtime = Runtime::new().unwrap();
    let settings = Settings {
        seed: 3,
        contacts: 400,
        ..Settings::default()
    };
    let practice = Practice::start(runtime.handle(), settings, 0).unwrap();
    for language in LANGUAGES {
        if let Some([built, tested, ran]) = from_nothing(language, &practice) {
            eprintln!("{language}: new and build {built:.1?}, test {tested:.1?}, run {ran:.1?}");
        }
    }
}

#[test]
fn what_does_not_compile_is_said_with_the_compilers_own_words() {
    let parent = tempfile::tempdir().unwrap();
    let new = New {
        name: "acme",
        language: Language::C,
        kind: Kind::Source,
        start: Start::Example,
    };
    template::make(parent.path(), &new).unwrap();
    let folder = parent.path().join("acme");
    std::fs::write(
        folder.join("src/read.c"),
        "int broken(void) { return nothing; }\n",
    )
    .unwrap();
    let project = Project::read(&folder).unwrap();
    let failed: Result<Built, Problem> =
        toolchain::build(&project, &Toolchains::new(toolchains(), &|_| {}));
    let problem = failed.unwrap_err();
    let missing = (problem.code.id == "OF0321").then(|| problem.to_string());
    if need("a project in C that is wrong", missing.as_deref()) {
        assert_eq!(problem.code.id, "OF0322");
        assert!(problem.message.contains("nothing"), "{problem}");
    }
}
