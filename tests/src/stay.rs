//! The end of a demo that stays: the hub served, with a collector and events that come in, until it is stopped. Prints nothing.

use anyhow::{Context, Result, bail};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const KEY: &str = "key-of-the-demo";
/// Where it listens, if nobody else does.
const USUAL: &str = "127.0.0.1:7117";
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two events that come in.
const PAUSE: Duration = Duration::from_secs(1);

const MANIFEST: &str = r#"# What `--stay` adds: the hub listens, and takes events.

[serve]
listen = "ADDRESS"

[[source]]
name = "web"
connector = "collector"
config.write_keys = ["key-of-the-demo"]
"#;

/// A hub that is served, and a website that sends to it.
pub struct Staying {
    pub address: SocketAddr,
    hub: Child,
    /// Events that were accepted.
    sent: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    website: Option<JoinHandle<()>>,
}

impl Staying {
    /// Serves a hub's folder; `visitors` are the addresses of the people whose events come in.
    pub fn start(mut onefold: Command, folder: &Path, visitors: Vec<String>) -> Result<Self> {
        let free = TcpListener::bind(USUAL).or_else(|_| TcpListener::bind("127.0.0.1:0"))?;
        let address = free.local_addr()?;
        let manifest = MANIFEST.replace("ADDRESS", &address.to_string());
        std::fs::write(folder.join("stay.toml"), manifest)?;
        drop(free);
        let hub = onefold
            .arg("--hub")
            .arg(folder)
            .arg("serve")
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start `onefold serve`")?;
        let (sent, is_over) = (Arc::default(), Arc::default());
        let mut staying = Self {
            address,
            hub,
            sent,
            is_over,
            website: None,
        };
        let begun = Instant::now();
        while !answers(address, "GET /readyz HTTP/1.1\r\n", "") {
            if let Some(status) = staying.hub.try_wait()? {
                bail!("`onefold serve` ended with {status}");
            }
            if begun.elapsed() > PATIENCE {
                bail!("`onefold serve` is not ready");
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let (sent, is_over) = (staying.sent.clone(), staying.is_over.clone());
        staying.website = Some(std::thread::spawn(move || {
            send(address, &visitors, &sent, &is_over);
        }));
        Ok(staying)
    }

    /// How many events were accepted.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns when the program is asked to end, or when the hub ends by itself.
    pub fn wait(&mut self) -> Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            loop {
                tokio::select! {
                    asked = tokio::signal::ctrl_c() => return Ok(asked?),
                    _ = terminate.recv() => return Ok(()),
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
                if let Some(status) = self.hub.try_wait()? {
                    bail!("`onefold serve` ended with {status}");
                }
            }
        })
    }

    /// Stops the website, and then the hub in good order.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.end_website();
        if let Some(status) = self.hub.try_wait()? {
            return Ok(status);
        }
        let id = self.hub.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        Ok(self.hub.wait()?)
    }

    fn end_website(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(website) = self.website.take() {
            website.thread().unpark();
            let _ = website.join();
        }
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        self.end_website();
        // Ended already, but for an error.
        let _ = self.hub.kill();
        let _ = self.hub.wait();
    }
}

fn send(address: SocketAddr, visitors: &[String], sent: &AtomicUsize, is_over: &AtomicBool) {
    for (number, email) in visitors.iter().cycle().enumerate() {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let message = json!({
            "writeKey": KEY, "anonymousId": format!("browser of {email}"), "name": "Home",
            "context": { "traits": { "email": email } },
            "properties": { "url": format!("https://shop.example/{}", number % 10) },
        });
        let is_taken = answers(address, "POST /v1/page HTTP/1.1\r\n", &message.to_string());
        sent.fetch_add(usize::from(is_taken), Ordering::Relaxed);
        std::thread::park_timeout(PAUSE);
    }
}

/// Whether a request is answered with 200.
fn answers(address: SocketAddr, line: &str, body: &str) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let length = body.len();
        let head =
            format!("{line}host: hub\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + body).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
