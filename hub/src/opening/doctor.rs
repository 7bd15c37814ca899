//! What a hub leaves open that it need not: files and folders that others can read or change, connectors that nothing holds to their bytes,
//! grants that are wider than what a connector asks for. Looks at the machine and at the manifests; calls nobody and changes nothing.

use crate::files::{self, Exposed};
use crate::kit::{capture, lock};
use crate::manifest::{Grants, Plan, SecretRef};
use crate::opening::{Environment, Loaded};
use crate::problem::{Problem, codes};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each finding, with what to do about it. `loaded` is none where the manifests cannot be read.
pub fn examine(folder: &Path, environment: &Environment, loaded: Option<&Loaded>) -> Vec<Problem> {
    let mut found = Found::default();
    found.folders(folder, environment);
    found.files(folder, loaded.map(|loaded| &loaded.plan));
    if let Some(loaded) = loaded {
        found.connectors(folder, &loaded.plan);
        let plan = &loaded.plan;
        let sources = plan.sources.iter().map(|one| {
            let hosts = &one.description.hosts;
            (
                format!("source `{}`", one.name),
                &one.grants,
                hosts,
                &one.credentials,
            )
        });
        let destinations = plan.destinations.iter().map(|one| {
            let hosts = &one.description.hosts;
            (
                format!("destination `{}`", one.name),
                &one.grants,
                hosts,
                &one.credentials,
            )
        });
        for (owner, grants, declared, credentials) in sources.chain(destinations) {
            found.grants(&owner, grants, declared);
            found.secrets(folder, &owner, credentials);
        }
    }
    found.problems
}

#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
}

impl Found {
    fn add(&mut self, message: String, hint: impl Into<String>) {
        let problem = Problem::new(&codes::LEFT_OPEN, message);
        self.problems.push(problem.warning().hint(hint));
    }

    fn folders(&mut self, folder: &Path, environment: &Environment) {
        let mut folders = vec![
            ("the hub's folder", folder.to_owned()),
            ("the folder of connectors", folder.join(lock::FOLDER)),
        ];
        let bundled = environment.connector_folders.iter().cloned();
        folders.extend(bundled.map(|folder| ("the folder of connectors", folder)));
        folders.extend(
            environment
                .cache_folder
                .clone()
                .map(|folder| ("the cache of compiled code", folder)),
        );
        for (what, folder) in folders {
            if let Some(Exposed::ToEverybody(why) | Exposed::ToSome(why)) = files::exposed(&folder)
            {
                let shown = folder.display();
                let hint = "who can write there can replace what the hub reads and runs: `chmod go-w` it, or move it";
                self.add(format!("{what} `{shown}` {why}"), hint);
            }
        }
    }

    /// Files that only their user may change, and files that only their user may read.
    fn files(&mut self, folder: &Path, plan: Option<&Plan>) {
        let here = |folder: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries
                .map(|entry| entry.path())
                .filter(|path| path.is_file())
                .collect()
        };
        let relied = here(folder).into_iter().filter(|path| {
            let is_manifest = path.extension().is_some_and(|ending| ending == "toml");
            is_manifest || path.file_name().is_some_and(|name| name == lock::FILE)
        });
        for path in relied.chain(here(&folder.join(lock::FOLDER))) {
            if files::may_be_changed_by_others(&path) {
                let shown = path.display();
                self.add(
                    format!("`{shown}` can be changed by others of this machine"),
                    format!("`chmod go-w {shown}`"),
                );
            }
        }
        let store = plan.and_then(|plan| plan.hub.store.strip_prefix("sqlite:"));
        let store = store.map(|path| path.split('?').next().unwrap_or_default());
        let store = store.into_iter().flat_map(|path| {
            ["", "-wal", "-shm"].map(|ending| PathBuf::from(format!("{path}{ending}")))
        });
        for path in store.chain(here(&folder.join(capture::FOLDER))) {
            self.readable(&path, "personal data");
        }
        let serve = plan.and_then(|plan| plan.serve.as_ref());
        if let Some(tls) = serve.and_then(|serve| serve.tls.as_ref()) {
            self.readable(&folder.join(&tls.key), "the key of the hub's certificate");
        }
    }

    fn readable(&mut self, path: &Path, what: &str) {
        if files::may_be_read_by_others(path) {
            let shown = path.display();
            self.add(
                format!("`{shown}` holds {what} and can be read by others of this machine"),
                format!("`chmod go= {shown}`"),
            );
        }
    }

    /// Connectors in the hub's own folder that the lock does not name.
    fn connectors(&mut self, folder: &Path, plan: &Plan) {
        let Ok(locked) = lock::Lock::read(folder) else {
            return;
        };
        let sources = plan.sources.iter().map(|one| &one.connector);
        let destinations = plan.destinations.iter().map(|one| &one.connector);
        let names: BTreeSet<&String> = sources.chain(destinations).collect();
        for name in names {
            let path = lock::component_path(folder, name);
            if locked.entry(name).is_none() && path.is_file() {
                let shown = path.display();
                self.add(
                    format!("connector `{name}` is not locked: whatever is in `{shown}` is run"),
                    format!("`onefold connector add {shown}` shows what it asks for and holds it to its bytes"),
                );
            }
        }
    }

    /// Hosts that a connector declares itself.
    fn grants(&mut self, owner: &str, grants: &Grants, declared: &[String]) {
        for host in grants.hosts.iter().filter(|host| declared.contains(host)) {
            let message =
                format!("{owner} is granted `{host}`, which its connector declares itself");
            let hint = "the line can go: what a later version declares beyond it is asked about";
            self.add(message, hint);
        }
    }

    /// Secrets in files that others can read.
    fn secrets(&mut self, folder: &Path, owner: &str, given: &BTreeMap<String, SecretRef>) {
        for (name, reference) in given {
            if let SecretRef::File(path) = reference {
                self.readable(
                    &folder.join(path),
                    &format!("`credential.{name}` of {owner}"),
                );
            }
        }
    }
}
