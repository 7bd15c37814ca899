//! Show 1: libraries that nobody here wrote send through a network that fails; each message arrives once.

use super::{KEY, Online};
use crate::hub::{beside_program, in_repository};
use onefold_tests::need::need;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

const NODE: [&str; 2] = [
    "@segment/analytics-node@3.1.0",
    "@rudderstack/rudder-sdk-node@3.0.13",
];
const BROWSER: [&str; 2] = ["@segment/analytics-next@1.84.3", "playwright-core@1.65.1"];
const PYTHON: [&str; 3] = [
    "segment-analytics-python==2.4.0",
    "rudder-sdk-python==2.1.9",
    "prometheus_client==0.23.1",
];

/// Events of each client.
const COUNT: i64 = 200;

/// Of the one in the browser, which sends each by itself and waits long after a failure.
const IN_BROWSER: i64 = 40;

/// What happens to every other request, one after another.
#[derive(Clone, Copy)]
enum Fault {
    Reset,
    Error,
    TooMany,
    /// The hub takes it, and the client never hears of it.
    LostAnswer,
}

const FAULTS: [Fault; 4] = [
    Fault::Reset,
    Fault::Error,
    Fault::LostAnswer,
    Fault::TooMany,
];

/// A network between a client and the hub; returns its port.
fn failing_network(hub: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let fault = (number % 2 == 0).then(|| FAULTS[number / 2 % FAULTS.len()]);
            if let Ok(stream) = stream {
                std::thread::spawn(move || pass_on(stream, hub, fault));
            }
        }
    });
    port
}

/// One request, and then the connection ends.
fn pass_on(mut client: TcpStream, hub: u16, fault: Option<Fault>) -> Option<()> {
    let request = whole(&mut client)?;
    let answer = match fault {
        Some(Fault::Reset) => return None,
        Some(Fault::Error) => b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\naccess-control-allow-origin: *\r\nconnection: close\r\n\r\n".to_vec(),
        Some(Fault::TooMany) => {
            b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\naccess-control-allow-origin: *\r\nconnection: close\r\n\r\n".to_vec()
        }
        Some(Fault::LostAnswer) | None => {
            let mut to = TcpStream::connect(("127.0.0.1", hub)).ok()?;
            to.write_all(&request).ok()?;
            let mut answer = Vec::new();
            to.read_to_end(&mut answer).ok()?;
            answer
        }
    };
    if !matches!(fault, Some(Fault::LostAnswer)) {
        client.write_all(&answer).ok()?;
    }
    Some(())
}

/// A request with its body, which asks the hub to end the connection.
fn whole(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |length| length.trim().parse::<usize>().unwrap());
        if read.len() < end + 4 + length {
            continue;
        }
        let lines = String::from_utf8_lossy(&read[..end]).into_owned();
        let mut lines: Vec<&str> = lines.split("\r\n").collect();
        lines.retain(|line| !line.to_lowercase().starts_with("connection:"));
        lines.push("connection: close");
        let head = lines.join("\r\n") + "\r\n\r\n";
        return Some([head.as_bytes(), &read[end + 4..]].concat());
    }
}

/// A client by its name, and how it is started.
fn check(online: &Online, name: &str, count: i64, command: &mut Command) {
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{name}: {said}");
    let tracked = format!("select count(*) from event where name = 'Tried {name}'");
    online.wait_for(&tracked, count);
    let pages = format!("select count(*) from event where properties like '%Page of {name} %'");
    online.wait_for(&pages, count / 10);
    online.wait_for("select count(*) from inbox where body is not null", 0);
    let found = online
        .hub
        .json(&["profile", "show", &format!("anonymous_id:before-{name}")]);
    let text = found.to_string();
    for expected in [
        "Nora",
        &format!("{name}@mail.example"),
        "visitors",
        &format!("g-{name}"),
    ] {
        assert!(text.contains(expected), "{name}, {expected}: {text}");
    }
    let records = format!(
        "select count(*) from record r where r.key in (select message from inbox) and r.slot in (select slot from event where name = 'Tried {name}')"
    );
    assert_eq!(online.hub.number("hub.db", &records), count);
    let line = format!("{name}: {count} tracked, {} pages, each once\n", count / 10);
    // Past the capture of the test runner.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

pub fn made(folder: &Path, wanted: &[&str], make: impl FnOnce() -> std::io::Result<bool>) -> bool {
    let complete = folder.join("complete");
    let wanted = wanted.join(" ");
    if std::fs::read_to_string(&complete).is_ok_and(|made| made == wanted) {
        return true;
    }
    let _ = std::fs::create_dir_all(folder);
    make().is_ok_and(|is_made| is_made && std::fs::write(complete, wanted).is_ok())
}

fn scripts(file: &str) -> PathBuf {
    in_repository("tests/tests/online/clients").join(file)
}

fn installed(folder: &Path, packages: &[&str]) -> bool {
    made(folder, packages, || {
        let mut npm = Command::new("npm");
        let install = [
            "install",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            "--prefix",
        ];
        npm.args(install).arg(folder).args(packages);
        Ok(npm.output()?.status.success())
    })
}

#[test]
fn shows_1_clients_for_node_lose_and_double_nothing() {
    let folder = beside_program("node-clients");
    let is_made = installed(&folder, &NODE);
    if !need(
        "clients for Node",
        (!is_made).then_some("npm and its registry"),
    ) {
        return;
    }
    let mut online = Online::new();
    let address = format!("http://127.0.0.1:{}", failing_network(online.port));
    for (file, name) in [
        ("segment.mjs", "segment-node"),
        ("rudder.mjs", "rudder-node"),
    ] {
        std::fs::copy(scripts(file), folder.join(file)).unwrap();
        let mut node = Command::new("node");
        node.arg(folder.join(file))
            .args([&address, KEY, &COUNT.to_string()]);
        check(&online, name, COUNT, &mut node);
    }
    online.stop();
}

/// Made once: two tests want it.
static ENVIRONMENT: Mutex<()> = Mutex::new(());

/// The Python that has the packages above; none where it cannot be made.
pub fn python() -> Option<PathBuf> {
    let folder = beside_program("python-clients");
    let python = folder.join("bin/python");
    let _made = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    let is_made = made(&folder, &PYTHON, || {
        let venv = Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder)
            .output()?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet"]).args(PYTHON);
        Ok(venv.status.success() && pip.output()?.status.success())
    });
    is_made.then_some(python)
}

#[test]
fn shows_1_clients_for_python_lose_and_double_nothing() {
    let python = python();
    let missing = python
        .is_none()
        .then_some("python3 with venv, and its registry");
    if !need("clients for Python", missing) {
        return;
    }
    let python = python.unwrap();
    let mut online = Online::new();
    let address = format!("http://127.0.0.1:{}", failing_network(online.port));
    for (name, gzip) in [("segment-python", "plain"), ("rudder-python", "gzip")] {
        let mut command = Command::new(&python);
        command.arg(scripts("python_clients.py")).args([
            name,
            &address,
            KEY,
            &COUNT.to_string(),
            gzip,
        ]);
        check(&online, name, COUNT, &mut command);
    }
    online.stop();
}

/// A browser, where there is one.
fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let places = names.map(|name| Path::new("/usr/bin").join(name));
    places.into_iter().find(|place| place.exists())
}

#[test]
fn shows_1_the_client_for_browsers_loses_and_doubles_nothing() {
    let folder = beside_program("browser-clients");
    let browser = chromium();
    let is_made = browser.is_some() && installed(&folder, &BROWSER);
    let missing = "Chromium, npm and its registry";
    if !need("the client for browsers", (!is_made).then_some(missing)) {
        return;
    }
    let mut online = Online::new();
    let address = format!("http://127.0.0.1:{}", failing_network(online.port));
    let file = "browser.mjs";
    std::fs::copy(scripts(file), folder.join(file)).unwrap();
    let mut node = Command::new("node");
    node.arg(folder.join(file))
        .args([&address, KEY, &IN_BROWSER.to_string()])
        .arg(format!("http://127.0.0.1:{}", online.port))
        .arg(browser.unwrap());
    check(&online, "segment-browser", IN_BROWSER, &mut node);
    online.stop();
}

// S8: a client that is told to come back later, and then ends, sends what it has within its own time.
#[test]
fn s8_a_client_that_ends_right_after_a_429_has_sent_everything() {
    let folder = beside_program("node-clients");
    if !need(
        "clients for Node",
        (!installed(&folder, &NODE)).then_some("npm and its registry"),
    ) {
        return;
    }
    let mut online = Online::new();
    let address = format!("http://127.0.0.1:{}", full_at_first(online.port));
    let file = "ends_early.mjs";
    std::fs::copy(scripts(file), folder.join(file)).unwrap();
    let mut node = Command::new("node");
    node.arg(folder.join(file)).args([&address, KEY]);
    let ran = node.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    online.wait_for("select count(*) from event", 20);
    online.stop();
}

/// A hub that is full when the first two requests come, and says so as the hub does.
fn full_at_first(hub: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let fault = (number < 2).then_some(Fault::TooMany);
            if let Ok(stream) = stream {
                std::thread::spawn(move || pass_on(stream, hub, fault));
            }
        }
    });
    port
}
