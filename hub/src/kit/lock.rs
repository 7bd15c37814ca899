//! `connectors.lock`: which bytes each connector of a hub has, where they came from, who signed them, and what they
//! were granted. Owns the file's form; `guard` holds connectors to it.

mod granted;
pub mod guard;

pub use granted::Granted;
pub use guard::{Guard, locked_path, signature_path};

use crate::files;
use crate::problem::{Problem, codes};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file's name in the hub's folder.
pub const FILE: &str = "connectors.lock";
/// Where locked connectors are, in the hub's folder.
pub const FOLDER: &str = "connectors";
const LAYOUT: u32 = 1;
const HEAD: &str = "\
# Written by `onefold connector add`. A connector whose bytes differ from its entry is not loaded.
# Keep this file with the manifests.

";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Of the file's form.
    version: u32,
    /// By name, each once.
    #[serde(default, rename = "connector")]
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub version: String,
    /// Where it came from, as the operator named it.
    pub source: String,
    /// `sha256:` and 64 digits, of the component's bytes.
    pub digest: String,
    /// The manifest's name for the signer; none when no trusted key signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The version of the contract that it was built for.
    pub contract: String,
    pub granted: Granted,
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            version: LAYOUT,
            entries: Vec::new(),
        }
    }
}

impl Lock {
    /// The lock of a hub; an empty one when it has none yet.
    pub fn read(hub_folder: &Path) -> Result<Self, Problem> {
        match std::fs::read_to_string(hub_folder.join(FILE)) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(unreadable(&format!("cannot be read: {error}"))),
        }
    }

    pub fn parse(text: &str) -> Result<Self, Problem> {
        let lock: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let (line, _) = crate::problem::line_and_column(text, at);
            let message = error.message().replace('\n', ", ");
            unreadable(&format!("cannot be read: {message} at line {line}"))
        })?;
        if lock.version != LAYOUT {
            return Err(unreadable(&format!(
                "has the form {}, and this hub knows the form {LAYOUT}",
                lock.version
            )));
        }
        let mut names: Vec<&str> = lock.entries.iter().map(|entry| &*entry.name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(unreadable(&format!("names `{}` twice", twice[0])));
        }
        if let Some(bad) = names.iter().find(|name| !is_file_name(name)) {
            return Err(unreadable(&format!("names `{}`", bad.escape_debug())));
        }
        Ok(lock)
    }

    pub fn text(&self) -> Result<String, Problem> {
        let body = toml::to_string(self)
            .map_err(|error| unreadable(&format!("cannot be written: {error}")))?;
        Ok(format!("{HEAD}{body}"))
    }

    /// Writes a temporary file next to it and renames, so that a reader sees the old lock or the new one.
    pub fn write(&self, hub_folder: &Path) -> Result<(), Problem> {
        write_whole(&hub_folder.join(FILE), self.text()?.as_bytes())
    }

    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Replaces the entry of the same name.
    pub fn put(&mut self, entry: Entry) {
        self.entries.retain(|other| other.name != entry.name);
        self.entries.push(entry);
        self.entries.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Removes an entry.
    pub fn take(&mut self, name: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        Some(self.entries.remove(at))
    }
}

impl Entry {
    /// What a version that would replace this one asks for beyond it, as sentences; empty when nothing.
    pub fn surpassed_by(&self, next: &Self) -> Vec<String> {
        let mut more = self.granted.surpassed_by(&next.granted);
        if next.version == self.version && next.digest != self.digest {
            more.push(format!(
                "the same version {} with other bytes",
                self.version
            ));
        }
        if next.version != self.version {
            more.extend(self.older(&next.version));
        }
        if let Some(before) = &self.signer
            && next.signer.as_ref() != Some(before)
        {
            let now = next.signer.as_deref().map_or_else(
                || "by nobody who is trusted".to_owned(),
                |now| format!("by `{now}`"),
            );
            more.push(format!("signed {now}, and no longer by `{before}`"));
        }
        more
    }

    /// What to ask when another version may be an older one, which may have what the newer one mended.
    fn older(&self, next: &str) -> Option<String> {
        let locked = &self.version;
        match (Version::parse(locked), Version::parse(next)) {
            (Ok(before), Ok(after)) => (after < before)
                .then(|| format!("the older version {next} in the place of {locked}")),
            _ => Some(format!(
                "version {next} in the place of {locked}, and which is newer cannot be told"
            )),
        }
    }
}

/// Nobody else changes the lock of this hub while this value lives.
pub fn hold(hub_folder: &Path) -> Result<std::fs::File, Problem> {
    // The folder itself, where that can be done: it needs no file of its own.
    let opened = match cfg!(unix) {
        true => std::fs::File::open(hub_folder),
        false => std::fs::File::create(hub_folder.join(".lock")),
    };
    let held = opened.and_then(|file| file.lock().map(|()| file));
    held.map_err(|error| {
        let shown = hub_folder.display();
        let message = format!("the hub's folder `{shown}` cannot be kept from others: {error}");
        Problem::new(&codes::UNREADABLE, message)
    })
}

/// Whether a connector may have this name: it becomes a file's.
pub fn is_file_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty() && name.len() <= 64 && name.chars().all(plain)
}

/// Where a locked connector's component is.
pub fn component_path(hub_folder: &Path, name: &str) -> PathBuf {
    hub_folder.join(FOLDER).join(format!("{name}.wasm"))
}

/// Writes to a temporary file next to it, waits until it is on disk, and renames.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        Problem::new(
            &codes::UNREADABLE,
            format!("`{}` cannot be written: {error}", path.display()),
        )
    };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = files::create(&temporary)
        .and_then(|mut file| {
            std::io::Write::write_all(&mut file, content)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        // What could not be renamed is useless; a second failure changes nothing.
        let _ = std::fs::remove_file(&temporary);
        failed(error)
    })
}

fn unreadable(why: &str) -> Problem {
    Problem::new(&codes::LOCK_UNREADABLE, format!("`{FILE}` {why}"))
        .hint("restore it from a backup or from version control")
}

#[cfg(test)]
mod tests;
