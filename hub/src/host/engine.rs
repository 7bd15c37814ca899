//! The engine: one for the whole hub, its ticker, and the cache of compiled code. Knows nothing about the contract.

use crate::files;
use crate::host::compiler;
use crate::host::judge::judge;
use crate::problem::{Problem, codes};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::component::Component;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often a running guest is looked at.
const TICK: Duration = Duration::from_millis(5);
/// Deepest stack of a guest, in bytes.
pub const STACK_BYTES: usize = 1 << 20;
/// The version of wasmtime is part of its own compatibility hash; this one counts our own layout.
const CACHE_LAYOUT: &str = "2";

/// An engine with the pooling allocator, or without it where the machine grants no address space.
pub fn engine() -> Result<Engine, Problem> {
    let engine = Engine::new(&config(true))
        .or_else(|_| Engine::new(&config(false)))
        .map_err(|error| {
            Problem::new(
                &codes::ENGINE_UNAVAILABLE,
                format!("the WebAssembly engine cannot start: {error:#}"),
            )
        })?;
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("guest-ticker".to_owned())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::park_timeout(TICK);
            }
        })
        .map_err(|error| {
            Problem::new(
                &codes::ENGINE_UNAVAILABLE,
                format!("the thread that watches guests cannot start: {error}"),
            )
        })?;
    Ok(engine)
}

/// An engine that only compiles. It makes the same code as the other, and reserves no address space for instances.
pub fn compiling() -> wasmtime::Result<Engine> {
    Engine::new(&config(false))
}

fn config(pooling: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(2 * STACK_BYTES);
    if pooling {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(256)
            .total_core_instances(1024)
            .total_memories(256)
            .total_tables(1024)
            .total_stacks(64)
            .max_memories_per_component(8)
            .max_unused_warm_slots(8)
            .table_elements(100_000)
            .max_memory_size(4 << 30)
            .linear_memory_keep_resident(1 << 20);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// Compiled code by the content it was compiled from. Files are written under a temporary name and then renamed,
/// so that a reader sees a whole file or none.
///
/// The code of a connector runs inside the hub, so the folder is used only while nobody else can write to it: a file is used if it is the
/// user's own, and carries the seal of its name and its content, so that the code of one connector is never taken for another's.
pub struct Cache {
    folder: Option<PathBuf>,
    /// The program that compiles; this process does without one.
    compiler: Option<PathBuf>,
}

impl Cache {
    pub fn new(folder: Option<PathBuf>, compiler: Option<PathBuf>) -> Self {
        Self { folder, compiler }
    }

    /// The name under which everything about these bytes is kept.
    pub fn key(engine: &Engine, bytes: &[u8]) -> String {
        let mut content = Blake(blake3::Hasher::new());
        content.0.update(CACHE_LAYOUT.as_bytes());
        engine.precompile_compatibility_hash().hash(&mut content);
        content.0.update(bytes);
        content.0.finalize().to_hex()[..40].to_owned()
    }

    /// Compiles, or uses the cached code. A damaged or foreign file is compiled again.
    pub fn compile(&self, engine: &Engine, key: &str, bytes: &[u8]) -> Result<Component, Problem> {
        let name = code_name(key);
        if let Some(component) = self.revive(engine, &name) {
            return Ok(component);
        }
        judge(bytes)?;
        let code = compiler::compile(self.compiler.as_deref(), engine, bytes)?;
        self.put(&name, &code);
        if let Some(component) = self.revive(engine, &name) {
            return Ok(component);
        }
        #[allow(
            unsafe_code,
            reason = "wasmtime cannot prove that serialized code is its own"
        )]
        // SAFETY: the code is what this program's own compiler has just made of the bytes.
        let component = unsafe { Component::deserialize(engine, code) };
        component.map_err(|error| {
            let message = format!("the compiled connector cannot be loaded: {error:#}");
            Problem::new(&codes::ENGINE_UNAVAILABLE, message)
        })
    }

    /// Whether `compile` would find something under this key.
    pub fn has_code(&self, key: &str) -> bool {
        let folder = self.own_folder();
        folder.is_some_and(|folder| folder.join(code_name(key)).is_file())
    }

    /// Copies what was compiled under this key from another cache, unless it is there.
    pub fn copy(&self, from: &Self, key: &str) {
        let name = code_name(key);
        if !self.has_code(key)
            && let Some(code) = from.get(&name)
        {
            self.put(&name, &code);
        }
    }

    /// What was compiled before, mapped from its file: no code of an idle connector is in memory.
    fn revive(&self, engine: &Engine, name: &str) -> Option<Component> {
        let path = self.own_folder()?.join(name);
        if !is_whole(&path, name).ok()? {
            return None;
        }
        #[allow(
            unsafe_code,
            reason = "wasmtime cannot prove that serialized code is its own"
        )]
        // SAFETY: the file was written by `put`, with what the compiler made for an engine with the same compatibility hash (it is part of
        // the name). It is the user's own in a folder that nobody else can write to, and its seal is of this name and this content.
        unsafe { Component::deserialize_file(engine, path) }.ok()
    }

    /// What was put under the name, if it is whole.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        let mut file = own_file(&self.own_folder()?.join(name)).ok()??;
        file.read_to_end(&mut content).ok()?;
        let body = content.len().checked_sub(blake3::OUT_LEN)?;
        let seal = content.split_off(body);
        let mut hasher = sealing(name);
        hasher.update(&content);
        (hasher.finalize().as_bytes()[..] == seal[..]).then_some(content)
    }

    /// Stores the content. Failing to write the cache is not an error.
    pub fn put(&self, name: &str, content: &[u8]) {
        let Some(folder) = &self.folder else { return };
        let made = files::make_folder(folder);
        if let Err(error) = made.and_then(|()| match self.own_folder() {
            Some(folder) => write_whole(folder, name, content),
            None => Ok(()),
        }) {
            tracing::debug!(%error, "the compile cache cannot be written");
        }
    }

    /// The folder, while nobody else can write to it: the caller has looked when it gave the folder, and it may have changed.
    fn own_folder(&self) -> Option<&Path> {
        let folder = self.folder.as_deref()?;
        files::exposed(folder).is_none().then_some(folder)
    }
}

fn code_name(key: &str) -> String {
    format!("{key}.cwasm")
}

/// A file of the cache, unless it is somebody else's.
fn own_file(path: &Path) -> std::io::Result<Option<std::fs::File>> {
    let is_file = std::fs::symlink_metadata(path)?.is_file();
    let file = std::fs::File::open(path)?;
    Ok((is_file && files::is_own(&file.metadata()?)).then_some(file))
}

/// Begins the seal of what is kept under a name.
fn sealing(name: &str) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes());
    hasher.update(&[0]);
    hasher
}

/// Whether a file ends with the seal of its name and what is before it. It may be large: it is never in memory as a whole.
fn is_whole(path: &Path, name: &str) -> std::io::Result<bool> {
    let Some(mut file) = own_file(path)? else {
        return Ok(false);
    };
    let Some(body) = file.metadata()?.len().checked_sub(blake3::OUT_LEN as u64) else {
        return Ok(false);
    };
    let mut hasher = sealing(name);
    hasher.update_reader(Read::by_ref(&mut file).take(body))?;
    let mut seal = [0; blake3::OUT_LEN];
    file.read_exact(&mut seal)?;
    Ok(hasher.finalize().as_bytes() == &seal)
}

fn write_whole(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!("{name}.{}.{count}.new", std::process::id()));
    let mut hasher = sealing(name);
    hasher.update(content);
    let written = files::create_new(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.write_all(hasher.finalize().as_bytes())
    });
    let renamed = written.and_then(|()| std::fs::rename(&temporary, folder.join(name)));
    renamed.inspect_err(|_| {
        // What could not be renamed is useless; a second failure changes nothing.
        let _ = std::fs::remove_file(&temporary);
    })
}

/// Lets wasmtime's `Hash` feed a hash that does not change between runs.
struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"))
    }
}
