//! A hub in a folder of its own, worked with as a user does: through the program `onefold`, its output and its exit
//! code. Looks into the store only to compare what two hubs hold.

use onefold::store::Store;
use onefold_tests::demo::World;
use serde_json::Value;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;

/// A program that hangs fails its test instead of holding up all of them.
const PATIENCE: Duration = Duration::from_secs(240);

pub struct Hub {
    /// The moment at which its commands run; the machine's time when nothing.
    at_ms: Cell<Option<i64>>,
    folder: TempDir,
    secrets: BTreeMap<String, String>,
    pub runtime: Runtime,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {self:#?}"),
        }
    }
}

impl Hub {
    /// An empty folder, and the secrets of the fake vendors in the environment.
    pub fn new() -> Hub {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Hub {
            at_ms: Cell::new(None),
            folder: tempfile::tempdir().unwrap(),
            secrets: World::secrets()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            runtime: runtime.unwrap(),
        }
    }

    /// The demo's manifests, for the vendors of `world`.
    pub fn demo(world: &World) -> Hub {
        let hub = Hub::new();
        world
            .write_manifests(&in_repository("manifests/demo"), hub.path())
            .unwrap();
        hub
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).unwrap();
    }

    /// Moves the clock by which commands run from now on.
    pub fn stand_at(&self, ms: i64) {
        self.at_ms.set(Some(ms));
    }

    pub fn forget_secret(&mut self, name: &str) {
        self.secrets.remove(name);
    }

    pub fn set_secret(&mut self, name: &str, value: &str) {
        self.secrets.insert(name.to_owned(), value.to_owned());
    }

    /// The program with `--hub` and the environment that a test needs, and nothing else of the machine's.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.program(
            match self.at_ms.get() {
                Some(_) => "onefold-at",
                None => "onefold",
            },
            arguments,
        )
    }

    /// The same, with a store of which one step in so many fails.
    pub fn failing(&self, arguments: &[&str], one_in: u32) -> Command {
        let mut command = self.program("onefold-at", arguments);
        command.env("ONEFOLD_STORE_FAULTS", one_in.to_string());
        command
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(beside_program(name));
        let at_ms = self.at_ms.get().map(|ms| ("ONEFOLD_AT", ms.to_string()));
        command
            .arg("--hub")
            .arg(self.path())
            .args(arguments)
            .env_clear()
            .envs(&self.secrets)
            .envs(at_ms)
            .env("ONEFOLD_CACHE", beside_program("test-cache"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let done = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, command.output()).await });
        let Ok(done) = done else {
            panic!("`onefold {}` did not end", arguments.join(" "));
        };
        let output: Output = done.expect("`onefold` must be built; run `cargo xtask build` first");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The JSON that a command prints with `--json`; it must end with 0.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[&["--json"], arguments].concat())
            .ends_with(0)
            .json()
    }

    /// Starts a command and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let _inside = self.runtime.enter();
        command
            .spawn()
            .expect("`onefold` must be built; run `cargo xtask build` first")
    }

    /// The number that a query over the store gives.
    pub fn number(&self, store: &str, query: &str) -> i64 {
        let address = format!("sqlite:{}", self.path().join(store).display());
        self.runtime.block_on(async {
            let store = Store::open(&address).await.unwrap();
            let mut tx = store.read().await.unwrap();
            let numbers = tx.select_persons(query, &[]).await;
            numbers.unwrap()[0]
        })
    }

    /// Everything that is known of people and cannot differ between two hubs with the same records.
    pub fn state(&self, store: &str, audiences: &[&str]) -> State {
        let address = format!("sqlite:{}", self.path().join(store).display());
        self.runtime.block_on(async {
            let store = Store::open(&address).await.unwrap();
            let mut tx = store.read().await.unwrap();
            let people = tx.find_persons("", 1_000_000).await.unwrap();
            let mut state = State::default();
            let mut ids = BTreeMap::new();
            for person in people {
                let id = uuid(&person.uuid);
                let consents: BTreeMap<String, Value> =
                    serde_json::from_str(&person.consents).unwrap();
                // When a vendor changed a member last is part of a consent, and differs between two runs.
                let consents = consents
                    .into_iter()
                    .map(|(purpose, entry)| (purpose, entry["status"].clone()))
                    .collect();
                let traits = serde_json::from_str(&person.traits).unwrap();
                let known = Person { traits, consents };
                assert!(
                    state.people.insert(id.clone(), known).is_none(),
                    "{id} twice"
                );
                ids.insert(person.id, id);
            }
            for audience in audiences {
                let members = tx.members(audience).await.unwrap();
                let members = members.iter().map(|row| ids[&row.person_id].clone());
                state
                    .members
                    .insert((*audience).to_owned(), members.collect());
            }
            for letter in tx.dead_letters(false, 1_000_000).await.unwrap() {
                let row = [letter.source, letter.stream, letter.key, letter.code];
                state.dead_letters.push(row.join(" "));
            }
            state.dead_letters.sort();
            drop(tx);
            store.close().await;
            state
        })
    }
}

#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// By id.
    pub people: BTreeMap<String, Person>,
    /// Ids by audience.
    pub members: BTreeMap<String, BTreeSet<String>>,
    /// Those that are open.
    pub dead_letters: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub struct Person {
    pub traits: BTreeMap<String, Value>,
    pub consents: BTreeMap<String, Value>,
}

fn uuid(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

pub fn beside_program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    folder.join(name)
}
