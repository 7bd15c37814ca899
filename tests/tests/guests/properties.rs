//! Hostile components at random, through everything that looks at a component: the hub lives, no call takes more than its limits, and memory
//! stays under its bound (I12). `ONEFOLD_COMPONENTS` says how many; every fiftieth goes through the program, too, or one in `ONEFOLD_EVERY`.

use super::World;
use super::bounds::{measured, put_bytes};
use super::peak::{COMPILER_MIB, of_process};
use crate::hub::{Hub, beside_program};
use crate::registry::world::golden;
use onefold::clock::Clock;
use onefold::flow::connect::{ConnectSettings, Connectors};
use onefold::host::{Cancel, Host, HostSettings};
use onefold::kit::inspect::inspect;
use onefold::kit::registry::{Package, examine};
use onefold::manifest::{Limits, Signers};
use onefold::model::Timestamp;
use onefold_tests::need::asked;
use proptest::prelude::*;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, CustomSection, DataSection, Encode, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, MemorySection, MemoryType,
    Module, RefType, Section, StartSection, TableSection, TableType, TypeSection, ValType,
};

/// Most memory of a hub that has looked at any number of components, one after another.
const HUB_MIB: u64 = 500;
/// A guest's limits here.
const LIMITS: (u64, u64) = (200, 1_000);

#[derive(Debug, Clone)]
struct Hostile {
    /// A connector that keeps the contract comes first; else nothing does.
    keeps_contract: bool,
    parts: Vec<Part>,
    /// At these places, modulo the length, are these bytes.
    flips: Vec<(u32, u8)>,
    cut: Option<u32>,
}

#[derive(Debug, Clone)]
enum Part {
    Custom(String, u16),
    /// A section of any kind with anything in it.
    Raw(u8, Vec<u8>),
    /// A list of so many of nothing in particular, in a section of this kind.
    Many(u8, u32, u8),
    Module(Core, bool),
    /// Components inside one another.
    Nested(u8),
}

#[derive(Debug, Clone)]
struct Core {
    functions: u16,
    locals: u32,
    body: Vec<Code>,
    memory: Option<(u32, u32)>,
    table: Option<u32>,
    globals: u16,
    data: Option<u32>,
    export: Option<String>,
    starts: bool,
}

#[derive(Debug, Clone)]
enum Code {
    Nested(u16),
    Repeated(u16),
    Table(u16),
    Loop,
    Grow(u32),
    Fill(u32),
    Recursion,
    Constants(u16),
    Trap,
    Raw(Vec<u8>),
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,6}",
        "\\PC{0,20}",
        "[\u{1b}\u{9b}\u{202e}\n\r\t]{1,6}",
        "x{900,1200}"
    ]
}

fn code() -> impl Strategy<Value = Code> {
    prop_oneof![
        prop_oneof![0..50_u16, 4_990..5_010_u16, any::<u16>()].prop_map(Code::Nested),
        prop_oneof![0..50_u16, any::<u16>()].prop_map(Code::Repeated),
        any::<u16>().prop_map(Code::Table),
        Just(Code::Loop),
        any::<u32>().prop_map(Code::Grow),
        any::<u32>().prop_map(Code::Fill),
        Just(Code::Recursion),
        any::<u16>().prop_map(Code::Constants),
        Just(Code::Trap),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Code::Raw),
    ]
}

fn core() -> impl Strategy<Value = Core> {
    let sizes = (
        prop_oneof![1..4_u16, 1..2_000_u16],
        prop_oneof![0..10_u32, 49_990..50_010_u32, any::<u32>()],
        prop::collection::vec(code(), 0..4),
        prop::option::of((any::<u32>(), any::<u32>())),
        prop::option::of(any::<u32>()),
    );
    let more = (
        prop_oneof![0..3_u16, any::<u16>()],
        prop::option::of(0..3_000_000_u32),
        prop::option::of(text()),
        any::<bool>(),
    );
    (sizes, more).prop_map(|((functions, locals, body, memory, table), more)| {
        let (globals, data, export, starts) = more;
        Core {
            functions,
            locals,
            body,
            memory,
            table,
            globals,
            data,
            export,
            starts,
        }
    })
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        1 => (text(), any::<u16>()).prop_map(|(name, length)| Part::Custom(name, length)),
        2 => (0..13_u8, prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(id, bytes)| Part::Raw(id, bytes)),
        2 => (0..13_u8, prop_oneof![0..20_u32, any::<u32>()], any::<u8>()).prop_map(|(id, count, byte)| Part::Many(id, count, byte)),
        6 => (core(), any::<bool>()).prop_map(|(core, is_made)| Part::Module(core, is_made)),
        1 => any::<u8>().prop_map(Part::Nested),
    ]
}

fn hostile() -> impl Strategy<Value = Hostile> {
    (
        prop::bool::weighted(0.25),
        prop::collection::vec(part(), 0..4),
        prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(any::<(u32, u8)>(), 1..8)],
        prop_oneof![9 => Just(None), 1 => any::<u32>().prop_map(Some)],
    )
        .prop_map(|(keeps_contract, parts, flips, cut)| Hostile {
            keeps_contract,
            parts,
            flips,
            cut,
        })
}

impl Hostile {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = match self.keeps_contract {
            true => golden(),
            false => b"\0asm\x0d\0\x01\0".to_vec(),
        };
        let mut modules = match self.keeps_contract {
            true => sections(&bytes).filter(|id| *id == 1).count() as u32,
            false => 0,
        };
        for part in &self.parts {
            part.write(&mut bytes, &mut modules);
        }
        let length = bytes.len();
        for (at, byte) in &self.flips {
            bytes[*at as usize % length] = *byte;
        }
        if let Some(cut) = self.cut {
            bytes.truncate(cut as usize % length);
        }
        bytes
    }
}

/// The kinds of a component's own sections.
fn sections(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut at = 8;
    std::iter::from_fn(move || {
        let id = *bytes.get(at)?;
        at += 1;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = bytes[at];
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        at += length;
        Some(id)
    })
}

impl Part {
    fn write(&self, bytes: &mut Vec<u8>, modules: &mut u32) {
        match self {
            Self::Custom(name, length) => CustomSection {
                name: name.into(),
                data: vec![7; usize::from(*length)].into(),
            }
            .append_to(bytes),
            Self::Raw(id, content) => section(bytes, *id, content),
            Self::Many(id, count, byte) => {
                let mut content = Vec::new();
                count.encode(&mut content);
                content.extend(std::iter::repeat_n(*byte, (*count).min(20_000) as usize));
                section(bytes, *id, &content);
            }
            Self::Module(core, is_made) => {
                section(bytes, 1, &core.module());
                if *is_made {
                    // One instance, of the module, with no arguments.
                    let mut content = vec![1, 0];
                    modules.encode(&mut content);
                    content.push(0);
                    section(bytes, 2, &content);
                }
                *modules += 1;
            }
            Self::Nested(depth) => {
                let mut inner = b"\0asm\x0d\0\x01\0".to_vec();
                for _ in 0..*depth {
                    let mut outer = b"\0asm\x0d\0\x01\0".to_vec();
                    section(&mut outer, 4, &inner);
                    inner = outer;
                }
                section(bytes, 4, &inner);
            }
        }
    }
}

fn section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
    bytes.push(id);
    content.len().encode(bytes);
    bytes.extend_from_slice(content);
}

impl Core {
    fn module(&self) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for _ in 0..self.functions {
            functions.function(0);
            let mut function = Function::new([(self.locals, ValType::I64)]);
            for one in &self.body {
                one.write(&mut function, self.memory.is_some(), self.locals);
            }
            function.instructions().end();
            code.function(&function);
            // What this makes must not be what needs the memory.
            if code.byte_len() > 4 << 20 {
                break;
            }
        }
        let mut module = Module::new();
        module.section(&types).section(&functions);
        if let Some(most) = self.table {
            module.section(TableSection::new().table(TableType {
                element_type: RefType::FUNCREF,
                table64: false,
                minimum: most.into(),
                maximum: None,
                shared: false,
            }));
        }
        if let Some((least, most)) = self.memory {
            module.section(MemorySection::new().memory(MemoryType {
                minimum: (least % 70_000).into(),
                maximum: Some(most.into()),
                memory64: false,
                shared: false,
                page_size_log2: None,
            }));
        }
        let mut globals = GlobalSection::new();
        for _ in 0..self.globals {
            let kind = GlobalType {
                val_type: ValType::I64,
                mutable: true,
                shared: false,
            };
            globals.global(kind, &ConstExpr::i64_const(1));
        }
        module.section(&globals);
        if let Some(name) = &self.export {
            module.section(ExportSection::new().export(name, ExportKind::Func, 0));
        }
        if self.starts {
            module.section(&StartSection { function_index: 0 });
        }
        module.section(&code);
        if let Some(length) = self.data.filter(|_| self.memory.is_some()) {
            let mut data = DataSection::new();
            let zeros = std::iter::repeat_n(0, length as usize);
            data.active(0, &ConstExpr::i32_const(0), zeros);
            module.section(&data);
        }
        module.finish()
    }
}

impl Code {
    fn write(&self, function: &mut Function, has_memory: bool, locals: u32) {
        if let Self::Raw(bytes) = self {
            function.raw(bytes.iter().copied());
            return;
        }
        let mut code = function.instructions();
        match self {
            Self::Nested(depth) => {
                for _ in 0..*depth {
                    code.i32_const(1).if_(BlockType::Empty);
                }
                for _ in 0..*depth {
                    code.end();
                }
            }
            Self::Repeated(count) => {
                for number in 0..u32::from(*count) {
                    code.i32_const(1).if_(BlockType::Empty);
                    if locals > 0 {
                        let local = number % locals;
                        code.local_get(local)
                            .i64_const(1)
                            .i64_add()
                            .local_set(local);
                    }
                    code.end();
                }
            }
            Self::Table(count) => {
                let labels = vec![0; usize::from(*count)];
                code.block(BlockType::Empty)
                    .i32_const(3)
                    .br_table(labels, 0)
                    .end();
            }
            Self::Loop => {
                code.loop_(BlockType::Empty).br(0).end();
            }
            Self::Grow(pages) if has_memory => {
                code.i32_const(*pages as i32).memory_grow(0).drop();
            }
            Self::Fill(length) if has_memory => {
                code.i32_const(0)
                    .i32_const(1)
                    .i32_const(*length as i32)
                    .memory_fill(0);
            }
            Self::Recursion => {
                code.call(0);
            }
            Self::Constants(count) => {
                for number in 0..*count {
                    code.i32_const(i32::from(number)).drop();
                }
            }
            Self::Trap => {
                code.unreachable();
            }
            Self::Grow(_) | Self::Fill(_) | Self::Raw(_) => {}
        }
    }
}

/// What looks at a component, as the program does.
struct Looking {
    world: World,
    host: Arc<Host>,
    connectors: Connectors,
    hub: Hub,
    count: Cell<u32>,
}

impl Looking {
    fn new() -> Self {
        let world = World::new();
        let host = Host::new(HostSettings {
            cache_folder: None,
            compiler: Some(beside_program("onefold")),
            runtime: world.runtime.handle().clone(),
        });
        let host = Arc::new(host.unwrap());
        let connectors = Connectors::new(ConnectSettings {
            host: host.clone(),
            connector_folders: Vec::new(),
            hub_folder: PathBuf::from("."),
            read_env: Arc::new(|_| None),
            runtime: world.runtime.handle().clone(),
            clock: Clock::new(|| Timestamp(1_700_000_000_000)),
            random: Arc::new(|| 4),
            cancel: Cancel::default(),
            log: Arc::new(|_| {}),
        });
        let hub = Hub::new();
        hub.write("hub.toml", crate::registry::world::MANIFEST);
        Self {
            world,
            host,
            connectors,
            hub,
            count: Cell::new(0),
        }
    }

    fn look(&self, hostile: &Hostile) -> Result<(), TestCaseError> {
        let bytes = hostile.bytes();
        // From here on the most memory is counted again.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let began = Instant::now();
        let _ = inspect(&bytes);
        prop_assert!(
            began.elapsed() < Duration::from_secs(5),
            "inspect: {:?}",
            began.elapsed()
        );
        let package = Package {
            source: "hostile.wasm".to_owned(),
            component: bytes.clone(),
            signature: None,
            locked: None,
        };
        let began = Instant::now();
        let examined = examine(&self.host, package, &Signers::default(), None);
        prop_assert!(
            began.elapsed() < compiling(&bytes),
            "add: {:?}",
            began.elapsed()
        );
        if examined.is_ok() {
            self.run(&bytes)?;
        }
        self.host.rest();
        prop_assert_eq!(self.host.budget().used(), 0);
        let peak = of_process(std::process::id());
        prop_assert!(peak < HUB_MIB, "{peak} MiB");
        self.count.set(self.count.get() + 1);
        if (self.count.get() - 1).is_multiple_of(asked("ONEFOLD_EVERY", 50)) {
            self.through_the_program(&bytes)?;
        }
        Ok(())
    }

    fn run(&self, bytes: &[u8]) -> Result<(), TestCaseError> {
        let component = self.host.load(bytes).expect("was examined");
        let mut source = self.world.source("golden");
        source.limits = Limits {
            cpu_ms: LIMITS.0,
            wall_ms: LIMITS.1,
            ..Limits::default()
        };
        let opened = self.connectors.open_component(component, &source);
        let mut connector = opened.expect("needs no credential").connector();
        let began = Instant::now();
        let _ = connector.check();
        let _ = super::read(&mut *connector, "people", "");
        let most = Duration::from_millis(2 * LIMITS.1 + 2_000);
        prop_assert!(began.elapsed() < most, "run: {:?}", began.elapsed());
        Ok(())
    }

    /// `inspect`, `add`, and with the file in place `check` and `run`.
    fn through_the_program(&self, bytes: &[u8]) -> Result<(), TestCaseError> {
        let file = self.hub.path().join("hostile.wasm");
        std::fs::write(&file, bytes).unwrap();
        let file = file.to_str().unwrap();
        let _ = std::fs::remove_file(self.hub.path().join("connectors.lock"));
        let _ = std::fs::remove_dir_all(self.hub.path().join("connectors"));
        for command in [
            &["connector", "inspect", file][..],
            &["connector", "add", file, "--yes"],
            &["check"],
            &["run"],
        ] {
            if command == ["check"] && !self.hub.path().join("connectors.lock").exists() {
                put_bytes(&self.hub, "golden", bytes);
            }
            let taken = measured(&self.hub, command);
            let code = taken.ran.code;
            prop_assert!(matches!(code, Some(0..=4)), "{command:?}: {:?}", taken.ran);
            prop_assert!(!taken.ran.stderr.contains("panicked"), "{:?}", taken.ran);
            prop_assert!(taken.own_mib < HUB_MIB && taken.child_mib < COMPILER_MIB);
            prop_assert!(taken.time < compiling(bytes), "{command:?}");
        }
        Ok(())
    }
}

/// What compiling may take, and a little for the rest: twice 15 s of processor time, and 6 s for each MiB.
fn compiling(bytes: &[u8]) -> Duration {
    let mebibytes = (bytes.len() >> 20) as u64;
    Duration::from_secs(2 * (15 + 6 * mebibytes) + 5)
}

thread_local! {
    static LOOKING: Looking = Looking::new();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: asked("ONEFOLD_COMPONENTS", 100), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_component_is_an_answer_and_the_hub_lives(hostile in hostile()) {
        LOOKING.with(|looking| looking.look(&hostile))?;
    }
}
