//! A compiled connector: checked against the contract once, then connected any number of times. Also the only
//! place that says which interfaces and functions the hub looks for.

use crate::clock::Clock;
use crate::host::cancel::Cancel;
use crate::host::engine::{self, Cache};
use crate::host::guest::{self, Guest};
use crate::host::room::Budget;
use crate::host::state::State;
use crate::host::types::{Advice, Connection, Connector, Http, HttpError, HttpRequest};
use crate::host::types::{HttpResponse, LogLine, Scrub};
use crate::host::wire::{self, crypto, http, log, run};
use crate::host::{describe, wasi};
use crate::manifest::Limits;
use crate::model::Description;
use crate::problem::{Problem, codes};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;
use tokio::runtime::Handle;
use wasmtime::Engine;
use wasmtime::component::{ComponentExportIndex, HasSelf, InstancePre, Linker};

const PACKAGE: &str = "onefold:connector/";
/// The contract that this hub speaks.
const VERSION: &str = "0.1.0";

/// Interfaces and their functions.
const CONTRACT: &[(&str, &[&str])] = &[
    ("meta", &["manifest", "config-schema", "check"]),
    ("source", &["discover", "split", "read"]),
    ("webhook", &["receive"]),
    ("destination", &["targets", "write", "poll"]),
    (
        "audience",
        &["list-audiences", "create", "add", "remove", "poll"],
    ),
    ("privacy", &["erase-subject", "poll-erasure"]),
];

pub struct HostSettings {
    /// Where compiled code is kept; nowhere when none.
    pub cache_folder: Option<PathBuf>,
    /// This program, which compiles in a process of its own; in this one when none.
    pub compiler: Option<PathBuf>,
    /// For guests that wait in WASI.
    pub runtime: Handle,
}

/// Compiles and links connectors. One for the whole hub.
pub struct Host {
    engine: Engine,
    cache: Arc<Cache>,
    budget: Arc<Budget>,
    runtime: Handle,
    plain: Linker<State>,
    with_wasi: Linker<State>,
    loaded: Mutex<HashMap<String, Component>>,
}

impl Host {
    pub fn new(settings: HostSettings) -> Result<Self, Problem> {
        let engine = engine::engine()?;
        let unavailable = |error: wasmtime::Error| {
            Problem::new(
                &codes::ENGINE_UNAVAILABLE,
                format!("the hub's own imports cannot be linked: {error:#}"),
            )
        };
        let plain = linker(&engine).map_err(unavailable)?;
        let mut with_wasi = linker(&engine).map_err(unavailable)?;
        wasi::link(&mut with_wasi).map_err(unavailable)?;
        Ok(Self {
            cache: Arc::new(Cache::new(settings.cache_folder, settings.compiler)),
            budget: Arc::default(),
            runtime: settings.runtime,
            plain,
            with_wasi,
            engine,
            loaded: Mutex::default(),
        })
    }

    /// Compiles a connector, or takes it from the cache, and checks that it keeps the contract.
    pub fn load(&self, bytes: &[u8]) -> Result<Component, Problem> {
        is_component(bytes)?;
        let key = Cache::key(&self.engine, bytes);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = loaded.get(&key) {
            return Ok(component.clone());
        }
        let code = self.cache.compile(&self.engine, &key, bytes)?;
        let is_wasi = keeps_contract(&code, &self.engine)?;
        let linker = if is_wasi {
            &self.with_wasi
        } else {
            &self.plain
        };
        let pre = linker.instantiate_pre(&code).map_err(|error| {
            Problem::new(
                &codes::UNKNOWN_IMPORT,
                format!("the connector asks for something that the hub does not have: {error:#}"),
            )
        })?;
        let component = Component(Arc::new(Loaded {
            functions: functions(&code),
            exports: exports(&code),
            contract: version(&code, &self.engine),
            interfaces: Interfaces::of(&code, &self.engine),
            key: key.clone(),
            pre,
            is_wasi,
            cache: self.cache.clone(),
            budget: self.budget.clone(),
            runtime: self.runtime.clone(),
            description: OnceLock::new(),
        }));
        loaded.insert(key, component.clone());
        Ok(component)
    }

    /// Whether `load` would find it compiled.
    pub fn is_compiled(&self, bytes: &[u8]) -> bool {
        self.cache.has_code(&Cache::key(&self.engine, bytes))
    }

    /// Keeps in its cache what another host has compiled of these bytes.
    pub fn adopt(&self, other: &Self, bytes: &[u8]) {
        self.cache
            .copy(&other.cache, &Cache::key(&self.engine, bytes));
    }

    /// The memory that all guests share.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Releases connectors that nobody holds and that are in the cache of compiled code: loading them again costs little.
    pub fn rest(&self) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|key, component| {
            Arc::strong_count(&component.0) > 1 || !self.cache.has_code(key)
        });
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wire::types::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    run::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    http::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    crypto::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

fn is_component(bytes: &[u8]) -> Result<(), Problem> {
    let what = match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => return Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {
            let problem = Problem::new(
                &codes::NOT_A_COMPONENT,
                "the file is a core WebAssembly module, not a component",
            );
            return Err(problem.hint(
                "encode it as a component: `cargo xtask build` does so for connectors in this repository, \
                 `wasm-tools component new` for others",
            ));
        }
        Some([0, b'a', b's', b'm', ..]) => "the file is WebAssembly of an unknown version",
        _ => "the file is not WebAssembly",
    };
    Err(Problem::new(&codes::NOT_A_COMPONENT, what))
}

/// True when the component also wants WASI.
fn keeps_contract(code: &wasmtime::component::Component, engine: &Engine) -> Result<bool, Problem> {
    let kind = code.component_type();
    let mut is_wasi = false;
    for (name, _) in kind.imports(engine) {
        if name.starts_with("wasi:") {
            is_wasi = true;
        } else if name.starts_with(PACKAGE) {
            is_this_version(name)?;
        } else {
            return Err(Problem::new(
                &codes::UNKNOWN_IMPORT,
                format!("the connector imports `{name}`, which the hub does not have"),
            ));
        }
    }
    let mut has_meta = false;
    for (name, _) in kind.exports(engine) {
        if let Some(interface) = name.strip_prefix(PACKAGE) {
            is_this_version(name)?;
            has_meta |= interface.starts_with("meta@");
        }
    }
    if !has_meta {
        return Err(Problem::new(
            &codes::WRONG_CONTRACT,
            format!(
                "the component is not a connector: it does not export `{PACKAGE}meta@{VERSION}`"
            ),
        ));
    }
    Ok(is_wasi)
}

fn is_this_version(name: &str) -> Result<(), Problem> {
    let version = name.rsplit_once('@').map_or("", |(_, version)| version);
    if version.starts_with("0.1.") {
        return Ok(());
    }
    let hint = match (numbers(version), numbers(VERSION)) {
        (Some(theirs), Some(ours)) if theirs > ours => {
            "that version is newer: use a newer hub, or an older version of the connector"
        }
        (Some(_), Some(_)) => {
            "that version is older than any that was released: build the connector again with this version's contract"
        }
        _ => {
            "use a connector built for this version of the contract, or another version of the hub"
        }
    };
    Err(Problem::new(
        &codes::WRONG_CONTRACT,
        format!("the connector was built for `{name}`; this hub speaks version {VERSION}"),
    )
    .hint(hint))
}

/// A version's three numbers, in an order that can be compared.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let found = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(found)
}

/// The version of the contract in the name of the export that every connector has.
fn version(code: &wasmtime::component::Component, engine: &Engine) -> String {
    let kind = code.component_type();
    let meta = kind
        .exports(engine)
        .find_map(|(name, _)| name.strip_prefix(PACKAGE)?.strip_prefix("meta@"));
    meta.unwrap_or_default().to_owned()
}

fn interface(
    code: &wasmtime::component::Component,
    interface: &str,
) -> Option<ComponentExportIndex> {
    code.get_export_index(None, format!("{PACKAGE}{interface}@{VERSION}"))
}

fn functions(code: &wasmtime::component::Component) -> BTreeMap<String, ComponentExportIndex> {
    let mut functions = BTreeMap::new();
    for (name, members) in CONTRACT {
        let Some(index) = interface(code, name) else {
            continue;
        };
        for member in *members {
            if let Some(function) = code.get_export_index(Some(&index), *member) {
                functions.insert(format!("{name}.{member}"), function);
            }
        }
    }
    functions
}

fn exports(code: &wasmtime::component::Component) -> Vec<String> {
    CONTRACT
        .iter()
        .filter(|(name, _)| *name != "meta" && interface(code, name).is_some())
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

/// The names of a component's interfaces, with their versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

impl Interfaces {
    fn of(code: &wasmtime::component::Component, engine: &Engine) -> Self {
        let kind = code.component_type();
        Self {
            imports: kind
                .imports(engine)
                .map(|(name, _)| name.to_owned())
                .collect(),
            exports: kind
                .exports(engine)
                .map(|(name, _)| name.to_owned())
                .collect(),
        }
    }
}

/// A connector that is ready to be connected. Cheap to clone.
#[derive(Clone)]
pub struct Component(Arc<Loaded>);

struct Loaded {
    key: String,
    pre: InstancePre<State>,
    is_wasi: bool,
    functions: BTreeMap<String, ComponentExportIndex>,
    exports: Vec<String>,
    contract: String,
    interfaces: Interfaces,
    cache: Arc<Cache>,
    budget: Arc<Budget>,
    runtime: Handle,
    description: OnceLock<Arc<Description>>,
}

impl Component {
    /// Asks the connector for its description. It has no grants during the call, and the answer is cached with the code.
    pub fn describe(&self) -> Result<Arc<Description>, Problem> {
        if let Some(description) = self.0.description.get() {
            return Ok(description.clone());
        }
        let file = format!("{}.json", self.0.key);
        let kept = self
            .0
            .cache
            .get(&file)
            .and_then(|text| String::from_utf8(text).ok())
            .and_then(|text| describe::split_kept(&text));
        let (manifest, schema) = match kept {
            Some(texts) => texts,
            None => {
                let texts = self.documents()?;
                let kept = describe::join_kept(&texts.0, &texts.1);
                self.0.cache.put(&file, kept.as_bytes());
                texts
            }
        };
        let description = Arc::new(describe::parse(&manifest, &schema, self.0.exports.clone())?);
        Ok(self.0.description.get_or_init(|| description).clone())
    }

    /// The manifest and the configuration's schema as the connector returns them now.
    pub fn documents(&self) -> Result<(String, String), Problem> {
        let mut guest = Guest::new(self.clone(), without_grants());
        let (manifest,) = guest
            .call::<(), (String,)>("meta.manifest", None, ())
            .map_err(|failure| failure.problem)?;
        let (schema,) = guest
            .call::<(), (String,)>("meta.config-schema", None, ())
            .map_err(|failure| failure.problem)?;
        Ok((manifest, schema))
    }

    /// The version of the contract that it was built for, such as `0.1.0`.
    pub fn contract(&self) -> &str {
        &self.0.contract
    }

    pub fn interfaces(&self) -> &Interfaces {
        &self.0.interfaces
    }

    /// Gives the connector its configuration and its grants. Nothing runs yet.
    pub fn connect(&self, connection: Connection) -> Box<dyn Connector> {
        Box::new(Guest::new(self.clone(), connection))
    }

    /// The same, and `most_memory` learns how many bytes of memory an instance had at most.
    pub fn connect_metered(
        &self,
        connection: Connection,
        most_memory: Arc<AtomicU64>,
    ) -> Box<dyn Connector> {
        Box::new(Guest::new(self.clone(), connection).metered(most_memory))
    }

    pub(super) fn function(&self, call: &str) -> Option<&ComponentExportIndex> {
        self.0.functions.get(call)
    }

    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }

    pub(super) fn is_wasi(&self) -> bool {
        self.0.is_wasi
    }

    pub(super) fn engine(&self) -> &Engine {
        self.0.pre.engine()
    }

    pub(super) fn pre(&self) -> &InstancePre<State> {
        &self.0.pre
    }

    /// Waits for a guest that may itself wait in WASI; none when the deadline passes first.
    pub(super) fn wait<F: Future>(
        &self,
        deadline: Instant,
        waited_ns: &AtomicU64,
        future: F,
    ) -> Option<F::Output> {
        let _timers_and_tasks = self.0.runtime.enter();
        guest::drive(deadline, waited_ns, future)
    }
}

fn without_grants() -> Connection {
    Connection {
        name: "description".into(),
        config: "{}".to_owned(),
        limits: Limits {
            cpu_ms: 2_000,
            wall_ms: 5_000,
            batch_bytes: 8 << 20,
            ..Limits::default()
        },
        http: Arc::new(NoHttp),
        keys: None,
        clock: Clock::new(|| crate::model::Timestamp(0)),
        cancel: Cancel::default(),
        log: Arc::new(|line: &LogLine| tracing::debug!(message = %line.message, "connector")),
        scrub: Scrub::nothing(),
        advice: Advice::default(),
    }
}

/// The HTTP of a connector that is only asked to describe itself.
struct NoHttp;

impl Http for NoHttp {
    fn send(&self, _: HttpRequest, _: Instant, _: &Cancel) -> Result<HttpResponse, HttpError> {
        Err(HttpError::Denied(Problem::new(
            &codes::HOST_DENIED,
            "a connector may call nobody while it describes itself",
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &[u8] = include_bytes!("../../../tests/fixtures/golden/v0_1.wasm");

    fn host(cache_folder: Option<PathBuf>) -> Host {
        let runtime = Handle::current();
        Host::new(HostSettings {
            cache_folder,
            compiler: None,
            runtime,
        })
        .unwrap()
    }

    /// How many connectors it keeps.
    fn kept(host: &Host) -> usize {
        host.loaded.lock().unwrap().len()
    }

    #[tokio::test]
    async fn a_host_that_rests_keeps_what_is_held_and_what_it_would_have_to_compile_again() {
        let folder = tempfile::tempdir().unwrap();
        let cached = host(Some(folder.path().to_owned()));
        let held = cached.load(GOLDEN).unwrap();
        cached.rest();
        assert_eq!(kept(&cached), 1, "somebody holds it");
        drop(held);
        cached.rest();
        assert_eq!(kept(&cached), 0);
        cached.load(GOLDEN).unwrap();
        assert_eq!(kept(&cached), 1, "it is loaded again");

        let uncached = host(None);
        uncached.load(GOLDEN).unwrap();
        uncached.rest();
        assert_eq!(kept(&uncached), 1, "there is nothing to load it from");
    }
}
