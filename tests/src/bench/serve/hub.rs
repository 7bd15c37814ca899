//! A hub that serves, in a process and a folder of its own, and what is seen of it from outside: its memory and its store.

use anyhow::{Context, Result, bail};
use onefold_tests::demo::World;
use rusqlite::{Connection, OpenFlags};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const KEY: &str = "key-of-the-bench";
const PATIENCE: Duration = Duration::from_secs(60);

const COLLECTOR: &str = r#"
[hub]
name = "bench"
store = "sqlite:hub.db"

[serve]
listen = "ADDRESS"

[[source]]
name = "web"
connector = "collector"
config.write_keys = ["key-of-the-bench"]
"#;

/// Ends with this value.
pub struct Served {
    process: Child,
    pub address: SocketAddr,
    store: PathBuf,
}

impl Served {
    /// A hub with a collector and nothing else.
    pub fn collector(here: &Path, folder: &Path) -> Result<Self> {
        Self::start(here, folder, "")
    }

    pub fn start(here: &Path, folder: &Path, more: &str) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let manifest = COLLECTOR.replace("ADDRESS", &address.to_string()) + more;
        std::fs::write(folder.join("hub.toml"), manifest)?;
        let log = std::fs::File::create(folder.join("serve.log"))?;
        let target = here.parent().unwrap_or(here);
        let process = Command::new(here.join("onefold"))
            .arg("--hub")
            .arg(folder)
            .arg("serve")
            .envs(World::secrets())
            .env("ONEFOLD_CACHE", target.join("bench-cache"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let served = Self {
            process,
            address,
            store: folder.join("hub.db"),
        };
        let begun = Instant::now();
        while !served.is_ready() {
            if begun.elapsed() > PATIENCE {
                bail!(
                    "the hub is not ready: see serve.log in {}",
                    folder.display()
                );
            }
            pause(Duration::from_millis(50));
        }
        Ok(served)
    }

    fn is_ready(&self) -> bool {
        let asked = || -> Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        asked().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// A second pair of eyes on the store.
    pub fn store(&self) -> Result<Connection> {
        let store = Connection::open_with_flags(&self.store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        store.busy_timeout(Duration::from_secs(5))?;
        Ok(store)
    }

    pub fn number(&self, query: &str) -> Result<i64> {
        Ok(self.store()?.query_row(query, [], |row| row.get(0))?)
    }

    /// The most memory that was resident so far.
    pub fn peak_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        let kilobytes: f64 = number.context("no VmHWM")?.parse()?;
        Ok(kilobytes * 1024.0 / 1e6)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a load is paced by the machine's clock"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
