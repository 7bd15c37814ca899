//! Taking connectors into a hub: what would change is computed first and written afterwards, all of it or nothing
//! that a hub would load.

use crate::files;
use crate::kit::lock::{self, FOLDER, Lock, locked_path, signature_path};
use crate::kit::registry::Candidate;
use crate::kit::signature;
use crate::problem::{Problem, codes};
use std::path::{Path, PathBuf};

/// What taking one candidate would change.
pub struct Change {
    pub candidate: Candidate,
    /// The version that is locked now.
    pub before: Option<lock::Entry>,
    /// What an operator has to agree to, as sentences; empty when there is nothing new.
    pub more: Vec<String>,
}

/// What was written.
pub struct Taken {
    pub component: PathBuf,
    pub lock: PathBuf,
}

impl Change {
    pub fn of(hub_folder: &Path, lock: &Lock, candidate: Candidate) -> Self {
        let entry = &candidate.entry;
        let before = lock.entry(&entry.name).cloned();
        let more = match &before {
            Some(before) => before.surpassed_by(entry),
            None => stranger(hub_folder, &candidate).into_iter().collect(),
        };
        Self {
            candidate,
            before,
            more,
        }
    }
}

/// A file that nobody locked would be replaced.
fn stranger(hub_folder: &Path, candidate: &Candidate) -> Option<String> {
    let path = lock::component_path(hub_folder, &candidate.entry.name);
    let there = std::fs::read(&path).ok()?;
    (signature::digest(&there) != candidate.entry.digest).then(|| {
        format!(
            "to replace `{}`, which is not locked and has other bytes",
            path.display()
        )
    })
}

/// Writes the lock, then components and signatures: until they are there, the new lock refuses the old files, and nothing is
/// ever loaded that is not locked.
pub fn take(hub_folder: &Path, changes: &[Change]) -> Result<Vec<Taken>, Problem> {
    let _held = lock::hold(hub_folder)?;
    // Read again: another command may have changed something while this one waited for an answer.
    let mut lock = Lock::read(hub_folder)?;
    for Change {
        candidate, before, ..
    } in changes
    {
        let name = &candidate.entry.name;
        if lock.entry(name) != before.as_ref() {
            let message = format!("`{name}` was changed by another command meanwhile");
            let problem = Problem::new(&codes::LOCK_CHANGED, message);
            return Err(
                problem.hint("nothing was changed; see what is locked now, and run it again")
            );
        }
        lock.put(candidate.entry.clone());
    }
    let folder = hub_folder.join(FOLDER);
    files::make_folder(&folder).map_err(|error| {
        let shown = folder.display();
        Problem::new(
            &codes::UNREADABLE,
            format!("`{shown}` cannot be made: {error}"),
        )
    })?;
    lock.write(hub_folder)?;
    let mut taken = Vec::new();
    for Change { candidate, .. } in changes {
        let path = lock::component_path(hub_folder, &candidate.entry.name);
        lock::write_whole(&path, &candidate.package.component)?;
        lock::write_whole(&locked_path(&path), candidate.entry.digest.as_bytes())?;
        let signature = signature_path(&path);
        match &candidate.package.signature {
            Some(text) => lock::write_whole(&signature, text.as_bytes())?,
            None => remove(&signature)?,
        }
        taken.push(Taken {
            component: path,
            lock: hub_folder.join(lock::FILE),
        });
    }
    Ok(taken)
}

/// Takes a connector out of the lock, and its files away. None when it was not locked.
pub fn release(hub_folder: &Path, name: &str) -> Result<Option<lock::Entry>, Problem> {
    let _held = lock::hold(hub_folder)?;
    let mut lock = Lock::read(hub_folder)?;
    let Some(entry) = lock.take(name) else {
        return Ok(None);
    };
    let path = lock::component_path(hub_folder, name);
    // The files first: a file without an entry would be loaded unseen.
    remove(&path)?;
    remove(&signature_path(&path))?;
    remove(&locked_path(&path))?;
    lock.write(hub_folder)?;
    Ok(Some(entry))
}

fn remove(path: &Path) -> Result<(), Problem> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Problem::new(
            &codes::UNREADABLE,
            format!("`{}` cannot be removed: {error}", path.display()),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::lock::{Entry, Granted};
    use crate::kit::registry::Package;
    use crate::kit::signature::Verdict;

    fn candidate(version: &str) -> Candidate {
        let component = version.as_bytes().to_vec();
        Candidate {
            entry: Entry {
                name: "crm".to_owned(),
                version: version.to_owned(),
                source: "crm.wasm".to_owned(),
                digest: signature::digest(&component),
                signer: None,
                contract: "0.1.0".to_owned(),
                granted: Granted::default(),
            },
            title: "CRM".to_owned(),
            verdict: Verdict::Unsigned,
            package: Package {
                source: "crm.wasm".to_owned(),
                component,
                signature: None,
                locked: None,
            },
        }
    }

    #[test]
    fn what_was_compared_with_another_lock_is_not_taken() {
        let hub = tempfile::tempdir().unwrap();
        let change = |version: &str| {
            Change::of(
                hub.path(),
                &Lock::read(hub.path()).unwrap(),
                candidate(version),
            )
        };
        let (slow, fast) = (change("1.1.0"), change("1.2.0"));
        take(hub.path(), &[fast]).unwrap();
        let problem = take(hub.path(), &[slow]).err().unwrap();
        assert_eq!(problem.code.id, codes::LOCK_CHANGED.id);
        let locked = Lock::read(hub.path()).unwrap();
        assert_eq!(locked.entry("crm").unwrap().version, "1.2.0");
        let file = std::fs::read(lock::component_path(hub.path(), "crm")).unwrap();
        assert_eq!(file, b"1.2.0");
        let older = change("1.1.0");
        assert_eq!(
            older.more,
            ["the older version 1.1.0 in the place of 1.2.0"]
        );
        take(hub.path(), &[older]).unwrap();
        assert!(release(hub.path(), "crm").unwrap().is_some());
        assert!(release(hub.path(), "crm").unwrap().is_none());
    }

    #[test]
    fn removing_what_is_not_there_makes_nothing() {
        let hub = tempfile::tempdir().unwrap();
        assert!(release(hub.path(), "crm").unwrap().is_none());
        assert_eq!(std::fs::read_dir(hub.path()).unwrap().count(), 0);
    }
}
