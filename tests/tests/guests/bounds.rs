//! Components and answers that are made to exhaust the machine, and code that is not what was locked (X1, X2, X8, X10, X11, X13, X14).

use super::peak::{Peak, of_process};
use super::{World, failure, guests_folder};
use crate::hub::{Hub, Ran, in_repository};
use crate::registry::world::{MANIFEST, golden, next};
use onefold::host::FailureKind;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wasm_encoder::{
    BlockType, CodeSection, Encode, Function, FunctionSection, InstructionSink, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};

const HUB: &str = "[hub]\nname = \"acme\"\nstore = \"sqlite:acme.db\"\n";

/// What a command took.
pub struct Taken {
    pub ran: Ran,
    /// Most memory of the program itself, and of a process that it started, in MiB.
    pub own_mib: u64,
    pub child_mib: u64,
    pub time: Duration,
}

/// Runs a command and looks at its memory meanwhile.
pub fn measured(hub: &Hub, arguments: &[&str]) -> Taken {
    let began = Instant::now();
    let peak = Peak::of("");
    let ran = hub.run(arguments);
    let seen = peak.seen();
    let taken = Taken {
        ran,
        own_mib: seen.programs,
        child_mib: seen.compilers,
        time: began.elapsed(),
    };
    #[allow(
        clippy::print_stdout,
        reason = "the table that one reads with `--nocapture`"
    )]
    {
        println!(
            "{}: hub {} MiB, its compiler {} MiB, {:.1} s: {}",
            arguments.join(" ").chars().take(60).collect::<String>(),
            taken.own_mib,
            taken.child_mib,
            taken.time.as_secs_f64(),
            taken.ran.stderr.lines().next().unwrap_or_default(),
        );
    }
    taken
}

/// A connector that keeps the contract, and has a module with this one function, which nobody calls.
fn component(locals: u32, write: impl Fn(&mut InstructionSink<'_>)) -> Vec<u8> {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut function = Function::new([(locals, ValType::I32)]);
    write(&mut function.instructions());
    function.instructions().local_get(0).end();
    let mut code = CodeSection::new();
    code.function(&function);
    module.section(&types).section(&functions).section(&code);
    with_module(&module)
}

/// A connector that keeps the contract, and has this module, too.
fn with_module(module: &Module) -> Vec<u8> {
    let mut connector = golden();
    let module = module.clone().finish();
    // The section of a core module.
    connector.push(1);
    module.len().encode(&mut connector);
    connector.extend(module);
    connector
}

fn nested(depth: u32) -> Vec<u8> {
    component(0, |code| {
        for _ in 0..depth {
            code.local_get(0).if_(BlockType::Empty);
        }
        for _ in 0..depth {
            code.end();
        }
    })
}

fn repeated(count: u32) -> Vec<u8> {
    component(0, |code| {
        for number in 0..count {
            code.local_get(0).if_(BlockType::Empty);
            code.local_get(0)
                .i32_const(number as i32)
                .i32_xor()
                .local_set(0)
                .end();
        }
    })
}

/// Each condition sets another variable, so that the compiler has to ask for each what it is after each.
fn entangled(count: u32, locals: u32) -> Vec<u8> {
    component(locals, |code| {
        code.loop_(BlockType::Empty);
        for number in 0..count {
            let local = number % locals;
            code.local_get((number * 7) % locals).if_(BlockType::Empty);
            code.local_get(local)
                .i32_const(1)
                .i32_add()
                .local_set(local)
                .end();
        }
        code.local_get(0).br_if(0).end();
    })
}

#[test]
fn x1_a_component_that_is_made_to_exhaust_the_compiler_is_an_answer() {
    let _peak = Peak::of("x1");
    let hub = Hub::new();
    hub.write("hub.toml", HUB);
    let cases = [
        ("a little nested", nested(4_000), None),
        ("nested", nested(20_000), Some("5000 are allowed")),
        (
            "deeply nested",
            nested(600_000),
            Some("bytes in the function at byte"),
        ),
        ("repeated", repeated(10_000), None),
        ("entangled", entangled(49_000, 2_000), None),
        (
            "often repeated",
            repeated(60_000),
            Some("50000 are allowed"),
        ),
    ];
    for (name, bytes, refused) in cases {
        let file = hub.path().join("connector.wasm");
        std::fs::write(&file, &bytes).unwrap();
        for command in ["inspect", "add"] {
            let taken = measured(&hub, &["connector", command, file.to_str().unwrap()]);
            let stderr = &taken.ran.stderr;
            // A component that is only looked at is not compiled.
            if let Some(text) = refused.filter(|_| command == "add") {
                assert_eq!(taken.ran.code, Some(2), "{name}: {stderr}");
                assert!(
                    stderr.contains("OF0308") && stderr.contains(text),
                    "{name}: {stderr}"
                );
            }
            assert!(taken.own_mib < 200, "{name}: {} MiB", taken.own_mib);
            assert!(taken.child_mib < 2_100, "{name}: {} MiB", taken.child_mib);
            assert!(
                taken.time < Duration::from_secs(60),
                "{name}: {:?}",
                taken.time
            );
        }
    }
}

/// A vendor whose every answer is of 60 MB; remembers how many were under way at most.
struct Large {
    port: u16,
    hangs: bool,
    most: Arc<AtomicUsize>,
}

impl Large {
    /// Answers nobody when it hangs.
    fn start(hangs: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let most = Arc::new(AtomicUsize::new(0));
        let (now, seen) = (Arc::new(AtomicUsize::new(0)), most.clone());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (now, seen) = (now.clone(), seen.clone());
                std::thread::spawn(move || {
                    seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let mut request = [0; 1024];
                    let _ = stream.read(&mut request);
                    if hangs {
                        let _ = stream.read(&mut request);
                    } else {
                        let head =
                            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 60 << 20);
                        let part = vec![b'x'; 1 << 20];
                        let mut sent = stream.write_all(head.as_bytes());
                        for _ in 0..60 {
                            sent = sent.and_then(|()| stream.write_all(&part));
                        }
                    }
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, hangs, most }
    }
}

/// A hub with the probe as its source, which makes so many requests at a time.
fn probing(vendor: &Large, stream: &str, count: u32, more: &str) -> Hub {
    let hub = Hub::new();
    let port = vendor.port;
    // One that hangs is not waited for.
    let wall_ms = if vendor.hangs { 5_000 } else { 60_000 };
    hub.write(
        "hub.toml",
        &format!(
            "{HUB}{more}\n[[source]]\nname = \"probe\"\nconnector = \"wasi-probe\"\nconfig = {{ port = {port}, count = {count} }}\n\
             grant.addresses = [\"127.0.0.1:{port}\"]\nlimits.wall_ms = {wall_ms}\n\
             [[source.stream]]\nname = \"{stream}\"\nto = \"person\"\nkey = \"found\"\n"
        ),
    );
    put(&hub, "wasi-probe");
    hub
}

fn put(hub: &Hub, guest: &str) {
    let bytes = std::fs::read(guests_folder().join(format!("{guest}.wasm")));
    put_bytes(hub, guest, &bytes.unwrap());
}

/// A component in the hub's folder of connectors.
pub fn put_bytes(hub: &Hub, name: &str, bytes: &[u8]) {
    let folder = hub.path().join("connectors");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.wasm")), bytes).unwrap();
}

#[test]
fn x2_answers_and_requests_of_a_wasi_guest_count_against_its_limits() {
    let _peak = Peak::of("x2");
    let vendor = Large::start(false);
    let taken = measured(&probing(&vendor, "fetch-many", 60, ""), &["run"]);
    // Its limit of 256 MiB has room for four answers, which it keeps; the others are refused, and nothing hangs.
    assert!(taken.own_mib < 100 + 3 * 256, "{} MiB", taken.own_mib);
    assert_eq!(taken.ran.code, Some(0), "{}", taken.ran.stderr);
    assert!(vendor.most.load(Ordering::SeqCst) <= 6);
    let hanging = Large::start(true);
    let taken = measured(&probing(&hanging, "fetch-many", 3_000, ""), &["run"]);
    assert!(taken.own_mib < 300, "{} MiB", taken.own_mib);
    assert!(hanging.most.load(Ordering::SeqCst) <= 16);
    // What it gives up keeps its place until it is over.
    let dropping = Large::start(true);
    let taken = measured(&probing(&dropping, "send-and-drop", 200, ""), &["run"]);
    assert!(taken.own_mib < 100 + 256, "{} MiB", taken.own_mib);
    assert!(dropping.most.load(Ordering::SeqCst) <= 16);
    // All guests of the hub together.
    let small = probing(&vendor, "fetch-many", 1, "[limits]\nmemory = \"64 MiB\"\n");
    let taken = measured(&small, &["run"]);
    assert!(taken.own_mib < 100 + 3 * 64, "{} MiB", taken.own_mib);
    let said = &taken.ran.stderr;
    assert!(!said.contains("nothing was run"), "{said}");
    let world = World::new();
    world.connectors.share(32 << 20);
    let mut connector = world.open(&world.source("adversary"));
    let (kind, text) = failure(&mut *connector, "memory", "");
    assert_eq!(kind, FailureKind::Transient);
    assert!(text.contains("OF0309") && text.contains("32 MiB"), "{text}");
    // What the others do not use any more is there again.
    assert!(super::read(&mut *connector, "good", "").is_ok());
}

#[test]
fn x8_code_that_was_not_compiled_from_the_component_never_runs() {
    let _peak = Peak::of("x8");
    let hub = Hub::new();
    hub.write("hub.toml", HUB);
    let mut other = golden();
    // A section of one's own changes nothing but the name under which the code is kept.
    other.extend([0, 4, 3, b'a', b'b', b'c']);
    let cache = hub.path().join("cache");
    let describe = |bytes: &[u8]| {
        let file = hub.path().join("connector.wasm");
        std::fs::write(&file, bytes).unwrap();
        let mut command = hub.command(&["connector", "add", file.to_str().unwrap(), "--yes"]);
        command.env("ONEFOLD_CACHE", &cache);
        let output = hub
            .runtime
            .block_on(async { command.output().await.unwrap() });
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        // What it is doing meanwhile is no problem.
        let steps = ["fetching ", "compiling the component, "];
        let lines = text
            .lines()
            .filter(|line| !steps.iter().any(|step| line.starts_with(step)));
        lines.collect::<Vec<_>>().join("\n")
    };
    let codes = || -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(&cache).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut codes: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "cwasm"))
            .collect();
        codes.sort();
        codes
    };
    assert_eq!(describe(&golden()), "");
    let [first] = &codes()[..] else {
        panic!("{:?}", codes())
    };
    assert_eq!(mode(&cache), 0o700);
    assert_eq!(mode(first), 0o600);
    let compiled = std::fs::read(first).unwrap();
    describe(&other);
    let both = codes();
    let [second] = &both
        .iter()
        .filter(|path| *path != first)
        .collect::<Vec<_>>()[..]
    else {
        panic!("{both:?}")
    };
    // The code of one under the name of the other, with its own seal.
    let own = std::fs::read(second).unwrap();
    std::fs::write(second, &compiled).unwrap();
    describe(&other);
    assert_eq!(std::fs::read(second).unwrap(), own, "compiled again");
    // A folder that others can write to is not used, and it is said.
    std::fs::set_permissions(&cache, PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::write(first, b"not code").unwrap();
    let said = describe(&golden());
    assert!(said.contains("and is not used"), "{said}");
    assert_eq!(std::fs::read(first).unwrap(), b"not code");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn x10_a_granted_address_is_granted_in_one_form() {
    let _peak = Peak::of("x10");
    let world = World::new();
    let vendor = super::Vendor::start();
    let port = vendor.port;
    let mut connector = world.adversary(&vendor);
    for host in [
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[64:ff9b::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
    ] {
        let url = format!("http://{host}:{port}/x");
        let (kind, text) = failure(&mut *connector, "fetch-with-credential", &url);
        assert_eq!(kind, FailureKind::Config);
        assert!(text.contains("OF0402"), "{host}: {text}");
    }
    assert_eq!(vendor.seen(), [""; 0]);
    super::read(&mut *connector, "fetch", &vendor.url("/x")).unwrap();
}

#[test]
fn x11_everything_that_comes_back_is_bounded_and_a_read_that_does_not_move_ends() {
    let _peak = Peak::of("x11");
    let world = World::new();
    let mut source = world.source("adversary");
    source.config = serde_json::json!({ "region": "many" });
    let problem = world.open(&source).discover().unwrap_err().problem;
    let text = problem.to_string();
    assert!(
        text.contains("OF0317") && text.contains("the name of a stream has 4096 bytes"),
        "{text}"
    );
    assert!(text.len() < 500, "{}", text.len());
    let hub = Hub::new();
    hub.write(
        "hub.toml",
        &format!(
            "{HUB}[[source]]\nname = \"crm\"\nconnector = \"adversary\"\ncredential.token = \"env:TOKEN\"\n\
             [[source.stream]]\nname = \"stuck\"\nto = \"person\"\nkey = \"id\"\n"
        ),
    );
    put(&hub, "adversary");
    let mut hub = hub;
    hub.set_secret("TOKEN", "t0ken-t0ken");
    let taken = measured(&hub, &["run"]);
    assert!(taken.ran.stderr.contains("OF0307"), "{}", taken.ran.stderr);
    assert!(taken.time < Duration::from_secs(10), "{:?}", taken.time);
    assert!(taken.own_mib < 200, "{} MiB", taken.own_mib);
}

#[test]
fn x13_what_the_hub_computes_for_a_guest_is_the_guests_processor_time() {
    let _peak = Peak::of("x13");
    let world = World::new();
    let mut source = world.source("adversary");
    source.limits.cpu_ms = 2_000;
    source.limits.wall_ms = 20_000;
    let mut connector = world.open(&source);
    let began = Instant::now();
    let (_, text) = failure(&mut *connector, "loop-of-hashes", "");
    let took = began.elapsed();
    assert!(
        text.contains("OF0312") && text.contains("`limits.cpu_ms` = 2000"),
        "{text}"
    );
    // Most of it is the hub's work.
    println!("ended after {took:?}");
    assert!(took < Duration::from_millis(3_000), "{took:?}");
}

#[test]
fn x14_a_connector_that_was_locked_once_is_not_loaded_without_its_entry() {
    let _peak = Peak::of("x14");
    let hub = Hub::new();
    hub.write("hub.toml", MANIFEST);
    let file = hub.path().join("golden.wasm");
    std::fs::write(&file, golden()).unwrap();
    hub.run(&["connector", "add", file.to_str().unwrap(), "--yes"])
        .ends_with(0);
    hub.run(&["check"]).ends_with(0);
    let installed = hub.path().join("connectors/golden.wasm");
    let lock = hub.path().join("connectors.lock");
    let kept = std::fs::read(&lock).unwrap();
    std::fs::remove_file(&lock).unwrap();
    std::fs::write(&installed, next("api.example.com", "api.example.net")).unwrap();
    let refused = hub.run(&["check"]).ends_with(2);
    assert!(
        refused
            .stderr
            .contains("`connectors.lock` does not name it any more"),
        "{}",
        refused.stderr
    );
    // Put back, it says that the bytes are others; with the bytes put back, too, all is well.
    std::fs::write(&lock, kept).unwrap();
    assert!(
        hub.run(&["check"])
            .ends_with(2)
            .stderr
            .contains("is not what `connectors.lock` names")
    );
    std::fs::write(&installed, golden()).unwrap();
    hub.run(&["check"]).ends_with(0);
    // What is taken out leaves no trace, and may come back as a file of one's own.
    hub.run(&["connector", "remove", "golden"]).ends_with(0);
    std::fs::write(&installed, golden()).unwrap();
    hub.run(&["check"]).ends_with(0);
}

#[test]
fn a_component_with_threads_is_not_valid() {
    let hub = Hub::new();
    hub.write("hub.toml", HUB);
    let mut module = Module::new();
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: Some(2),
        memory64: false,
        shared: true,
        page_size_log2: None,
    });
    module.section(&memories);
    let file = hub.path().join("connector.wasm");
    std::fs::write(&file, with_module(&module)).unwrap();
    let ran = hub
        .run(&["connector", "add", file.to_str().unwrap(), "--yes"])
        .ends_with(2);
    assert!(
        ran.stderr.contains("OF0301") && ran.stderr.contains("threads"),
        "{}",
        ran.stderr
    );
}

#[test]
fn only_http_1_is_spoken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hello = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = vec![0; 4096];
        let length = stream.read(&mut hello).unwrap();
        hello.truncate(length);
        hello
    });
    let world = World::new();
    let mut source = world.source("adversary");
    source.grants.addresses = vec![format!("127.0.0.1:{port}")];
    let url = format!("https://127.0.0.1:{port}/");
    failure(&mut *world.open(&source), "fetch", &url);
    let hello = hello.join().unwrap();
    // The protocols that a client offers are named in the clear, each after its length.
    let offers = |name: &[u8]| hello.windows(name.len()).any(|part| part == name);
    assert_eq!(hello[0], 22, "a handshake");
    assert!(!offers(b"\x02h2"), "HTTP/2 is offered");
}

#[test]
fn each_threat_names_a_test_that_exists() {
    let page = std::fs::read_to_string(in_repository("hub/THREATS.md")).unwrap();
    let (_, lines) = page.split_once("\n## A connector's bytes\n").unwrap();
    let (lines, _) = lines.split_once("\n## Where a secret").unwrap();
    let mut sources = String::new();
    for folder in ["hub/src", "tests/tests"] {
        read_all(&in_repository(folder), &mut sources);
    }
    let mut count = 0;
    for line in lines.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [_, _, tests] = cells[..] else { continue };
        for test in tests.split('`').skip(1).step_by(2) {
            assert!(sources.contains(&format!("fn {test}(")), "no test `{test}`");
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_doctor_says_what_is_left_open_and_what_closes_it() {
    let hub = Hub::new();
    hub.write("hub.toml", MANIFEST);
    put_bytes(&hub, "golden", &golden());
    let file = hub.path().join("hub.toml");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
    let manifest = MANIFEST.to_owned() + "grant.hosts = [\"api.example.com\"]\n";
    hub.write("hub.toml", &manifest);
    let ran = hub.run(&["doctor"]).ends_with(1);
    for text in [
        "hub.toml` can be changed by others",
        "connector `golden` is not locked",
        "source `crm` is granted `api.example.com`, which its connector declares itself",
    ] {
        assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
    }
    let installed = hub.path().join("connectors/golden.wasm");
    hub.run(&["connector", "add", installed.to_str().unwrap(), "--yes"])
        .ends_with(0);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    hub.write("hub.toml", MANIFEST);
    let ran = hub.run(&["doctor"]).ends_with(0);
    assert_eq!(
        ran.stdout, "nothing is left open that need not be\n",
        "{}",
        ran.stderr
    );
}

#[test]
fn x1_a_compiler_ends_with_the_program_that_started_it() {
    let hub = Hub::new();
    hub.write("hub.toml", HUB);
    let file = hub.path().join("connector.wasm");
    std::fs::write(&file, entangled(49_000, 2_000)).unwrap();
    let mut adding = hub.spawn(&["connector", "add", file.to_str().unwrap(), "--yes"]);
    let compilers = |parent: u32| -> Vec<u32> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|one| one.file_name().to_str()?.parse().ok());
        let is_its_compiler = |pid: &u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
            let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
            status
                .unwrap_or_default()
                .contains(&format!("PPid:\t{parent}\n"))
                && command.unwrap_or_default().contains("compile-component")
        };
        pids.filter(is_its_compiler).collect()
    };
    let began = Instant::now();
    let pid = adding.id().unwrap();
    let mut seen = Vec::new();
    while seen.is_empty() && began.elapsed() < Duration::from_secs(20) {
        seen = compilers(pid);
        std::thread::yield_now();
    }
    let [compiler] = seen[..] else {
        panic!("{seen:?}");
    };
    // It has read everything, and is in the middle of its work.
    while of_process(compiler) < 100 && began.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    hub.runtime.block_on(async { adding.kill().await }).unwrap();
    // The process is gone, or waits to be buried.
    let is_at_work = || {
        let command = std::fs::read(format!("/proc/{compiler}/cmdline"));
        command.is_ok_and(|command| !command.is_empty())
    };
    let killed = Instant::now();
    while is_at_work() && killed.elapsed() < Duration::from_secs(5) {
        std::thread::yield_now();
    }
    assert!(!is_at_work(), "it goes on alone");
}
