//! A folder that a service watches: what is in it now, and whether that is a version to work by. A look costs little; only what
//! stays the same over two of them, and is whole, is read as manifests.

use super::reading::load_texts;
use super::{Environment, Stopped};
use crate::flow;
use crate::manifest::Version;
use crate::manifest::version::in_a_line;
use crate::problem::Problem;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A folder at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Its manifests, by name.
    pub files: Vec<(String, String)>,
    /// When each manifest and each connector was last written, and how long it is.
    stamps: Vec<(PathBuf, u64, Option<SystemTime>)>,
    /// Whether something could not be read.
    is_broken: bool,
}

impl Look {
    pub fn at(folder: &Path, environment: &Environment) -> Self {
        let mut look = Self::default();
        for path in files_in(folder, "toml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match std::fs::read_to_string(&path) {
                Ok(text) => look.files.push((name.into_owned(), text)),
                Err(_) => look.is_broken = true,
            }
            look.stamp(path);
        }
        look.files.sort();
        let bundled = environment.connector_folders.iter();
        for folder in bundled.chain([&folder.join("connectors")]) {
            files_in(folder, "wasm").for_each(|path| look.stamp(path));
        }
        look.stamps.sort();
        look
    }

    fn stamp(&mut self, path: PathBuf) {
        let data = path.metadata().ok();
        let length = data.as_ref().map_or(0, std::fs::Metadata::len);
        let written = data.and_then(|data| data.modified().ok());
        self.stamps.push((path, length, written));
    }

    /// Whether it may be a moment within a save: a file is empty that was not, or there is none at all.
    fn is_half(&self, before: &Version) -> bool {
        let is_empty = |text: &str| text.trim().is_empty();
        let emptied = |(name, text): &(String, String)| {
            let mut known = before.files.iter().filter(|(one, _)| one == name);
            is_empty(text) && known.all(|(_, before)| !is_empty(before))
        };
        self.is_broken || self.files.is_empty() || self.files.iter().any(emptied)
    }
}

fn files_in(folder: &Path, ending: &'static str) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(move |path| path.extension().is_some_and(|one| one == ending))
}

/// What there is to say of a folder that changed.
pub enum Seen {
    /// Nothing yet, or nothing that matters.
    Nothing,
    /// It cannot be worked by.
    Broken(Stopped),
    /// It waits until it is applied, with the changes in a line.
    Held(Problem, String),
    /// It is to be worked by from now on.
    Edited(Look),
}

/// Looks at a folder from time to time, for a service that works by `served`.
pub struct Watching {
    folder: PathBuf,
    environment: Environment,
    served: Version,
    /// What was judged last.
    judged: Look,
    last: Look,
    /// When what could not be worked by is judged again: the reason may be elsewhere than in the folder.
    again: Option<Instant>,
}

const AGAIN: Duration = Duration::from_secs(10);

impl Watching {
    /// `judged` is what the folder was when the service began to work by `served`.
    pub fn new(folder: &Path, environment: &Environment, served: &Version, judged: Look) -> Self {
        Self {
            folder: folder.to_owned(),
            environment: environment.clone(),
            served: served.clone(),
            last: judged.clone(),
            judged,
            again: None,
        }
    }

    /// What was judged last.
    pub fn judged(&self) -> &Look {
        &self.judged
    }

    /// One look.
    pub async fn look(&mut self) -> Seen {
        let look = Look::at(&self.folder, &self.environment);
        let is_stable = look == self.last;
        self.last = look.clone();
        let is_known = look == self.judged && self.again.is_none_or(|again| Instant::now() < again);
        if !is_stable || is_known || look.is_half(&self.served) {
            return Seen::Nothing;
        }
        self.judged = look.clone();
        self.again = None;
        let (folder, environment) = (self.folder.clone(), self.environment.clone());
        let files = look.files.clone();
        // Connectors may have to be compiled.
        let read = move || {
            let loaded = load_texts(&folder, &environment, files)?;
            let plan = &loaded.plan;
            let connectors = &loaded.connectors;
            let missing = connectors.missing_secrets(&plan.sources, &plan.destinations);
            match missing.is_empty() {
                true => Ok(loaded.plan.version),
                false => Err(Stopped::in_files(missing, loaded.files)),
            }
        };
        let version = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(version)) => version,
            Ok(Err(stopped)) => {
                self.again = Some(Instant::now() + AGAIN);
                return Seen::Broken(stopped);
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let differences = self.served.differences(&version);
        match flow::held_back(&self.served, &differences) {
            _ if version.hash == self.served.hash => Seen::Nothing,
            Some(problem) => Seen::Held(problem, in_a_line(&differences)),
            None => Seen::Edited(look),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn s13_an_emptied_file_is_never_a_version() {
        let before = [("a.toml", "[hub]"), ("b.toml", "")];
        let own = |files: &[(&str, &str)]| -> Vec<(String, String)> {
            let files = files.iter();
            files
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect()
        };
        let before = Version::new(&own(&before), &BTreeMap::new());
        let is_half = |files: &[(&str, &str)]| {
            let files = own(files);
            Look {
                files,
                ..Look::default()
            }
            .is_half(&before)
        };
        assert!(is_half(&[]));
        assert!(is_half(&[("a.toml", "\n"), ("b.toml", "")]));
        assert!(is_half(&[("a.toml", "[hub]"), ("c.toml", "")]));
        assert!(!is_half(&[("a.toml", "[hub] "), ("b.toml", "")]));
        assert!(!is_half(&[("b.toml", "[hub]")]));
    }
}
