//! Starts the vendor that `conformance.toml` names: the practice help desk, a command, or a cassette. Owns the process.

use crate::kit::conformance::VendorSettings;
use crate::kit::practice::Practice;
use crate::problem::{Problem, codes};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::runtime::Handle;

/// A vendor that answers until it is dropped.
pub enum Vendor {
    Practice(Practice),
    Command(Running),
}

/// A program and the address that it printed.
pub struct Running {
    child: Child,
    address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cannot(what: impl Into<String>) -> Problem {
    Problem::new(&codes::NO_VENDOR, what)
}

impl Vendor {
    /// None when the vendor is a cassette. A command is run in `folder`.
    pub fn start(
        settings: &VendorSettings,
        folder: &Path,
        runtime: &Handle,
    ) -> Result<Option<Self>, Problem> {
        if let Some(practice) = &settings.practice {
            let practice = Practice::start(runtime, practice.settings(), 0)
                .map_err(|error| cannot(format!("the practice help desk cannot open: {error}")))?;
            return Ok(Some(Self::Practice(practice)));
        }
        match &settings.command {
            Some(command) => Ok(Some(Self::Command(run(command, folder)?))),
            None => Ok(None),
        }
    }

    /// Such as `http://127.0.0.1:8080`.
    pub fn address(&self) -> String {
        match self {
            Self::Practice(practice) => practice.base_url(),
            Self::Command(running) => running.address.clone(),
        }
    }
}

fn run(command: &[String], folder: &Path) -> Result<Running, Problem> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(cannot("`command` in `[vendor]` is empty"));
    };
    // A program in the folder is named from there; any other is looked for in PATH.
    let inside = folder.join(program);
    let found = match program.contains('/') && inside.exists() {
        true => inside.as_path(),
        false => Path::new(program),
    };
    let mut child = Command::new(found)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| cannot(format!("the vendor `{program}` cannot start: {error}")))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let _ = reader.read_line(&mut line);
        // What else it prints is read away, so that it never waits for us.
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    }
    let address = line.trim().trim_end_matches('/').to_owned();
    let running = Running { child, address };
    match url::Url::parse(&running.address) {
        Ok(url) if url.host_str() == Some("127.0.0.1") && url.port().is_some() => Ok(running),
        _ => Err(cannot(format!(
            "the vendor `{program}` did not print its address as its first line, but `{}`",
            running.address.chars().take(80).collect::<String>()
        ))
        .hint("it prints `http://127.0.0.1:PORT` once it answers")),
    }
}
