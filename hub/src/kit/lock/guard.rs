//! Holds connectors to the lock and to the keys that the hub trusts, each time one is loaded. Reads the lock each time,
//! so that what an operator adds while a hub serves takes effect at once.

use crate::kit::lock::{FILE, Granted, Lock, write_whole};
use crate::kit::signature::{self, Verdict};
use crate::manifest::Signers;
use crate::model::Description;
use crate::problem::{Problem, codes};
use std::path::{Path, PathBuf};

pub struct Guard {
    hub_folder: PathBuf,
    signers: Signers,
}

impl Guard {
    pub fn new(hub_folder: &Path, signers: Signers) -> Self {
        Self {
            hub_folder: hub_folder.to_owned(),
            signers,
        }
    }

    /// Whether the file that was found under a connector's name may be loaded; `None` when no file was found.
    pub fn admit(&self, name: &str, found: Option<(&Path, &[u8])>) -> Result<(), Problem> {
        let lock = Lock::read(&self.hub_folder)?;
        let entry = lock.entry(name);
        let (path, bytes) = match (entry, found) {
            (_, Some(found)) => found,
            (None, None) => return Ok(()),
            (Some(entry), None) => {
                return Err(broken(
                    format!("connector `{name}` is in `{FILE}`, and its file is gone"),
                    &entry.source,
                ));
            }
        };
        if let Some(entry) = entry {
            let digest = signature::digest(bytes);
            if digest != entry.digest {
                return Err(broken(
                    format!(
                        "connector `{name}`: `{}` is not what `{FILE}` names: wanted `{}`, found `{digest}`",
                        path.display(),
                        entry.digest
                    ),
                    &entry.source,
                ));
            }
            let locked = locked_path(path);
            if !locked.is_file() {
                // Locked by an earlier version. Where it cannot be written, the lock itself is all there is.
                let _ = write_whole(&locked, digest.as_bytes());
            }
        }
        if entry.is_none() && locked_path(path).is_file() {
            return Err(broken(
                format!(
                    "connector `{name}`: `{}` was locked once, and `{FILE}` does not name it any more",
                    path.display()
                ),
                &path.display().to_string(),
            )
            .hint(format!(
                "put `{FILE}` back from version control or a backup; `onefold connector add {}` shows what the file asks for and locks it again",
                path.display()
            )));
        }
        if self.signers.required {
            let signature = signature::read(&signature_path(path))?;
            let verdict = signature::judge(bytes, signature.as_deref(), &self.signers.trusted);
            let verdict = verdict.map_err(|problem| about(name, problem))?;
            admit_signer(name, &verdict, &self.signers)?;
        }
        Ok(())
    }

    /// Whether a connector that may be loaded declares no more than was locked. Its answer may differ each time it is
    /// asked.
    pub fn admit_description(&self, name: &str, description: &Description) -> Result<(), Problem> {
        let lock = Lock::read(&self.hub_folder)?;
        let Some(entry) = lock.entry(name) else {
            return Ok(());
        };
        let more = entry.granted.surpassed_by(&Granted::of(description));
        if more.is_empty() {
            return Ok(());
        }
        Err(Problem::new(
            &codes::ASKS_FOR_MORE,
            format!(
                "connector `{name}` asks for more than `{FILE}` grants: {}",
                more.join("; ")
            ),
        )
        .hint("`onefold connector add` shows what it asks for and locks it again"))
    }
}

/// Refuses what a hub that requires signatures does not load.
pub fn admit_signer(name: &str, verdict: &Verdict, signers: &Signers) -> Result<(), Problem> {
    match verdict {
        Verdict::Trusted(_) => Ok(()),
        _ if !signers.required => Ok(()),
        Verdict::Unsigned => Err(Problem::new(
            &codes::UNSIGNED,
            format!("connector `{name}` is not signed, and the manifest requires a signature"),
        )
        .hint("ask its author for a signed version, or sign it with `onefold connector sign`")),
        Verdict::Stranger(key) => Err(Problem::new(
            &codes::WRONG_SIGNER,
            format!("connector `{name}` is signed with the key `{key}`, which is not trusted"),
        )
        .hint("if you know whose key it is, add it to `[connectors] trusted_keys`")),
    }
}

/// The file in which a component's signature is kept.
pub fn signature_path(component: &Path) -> PathBuf {
    let mut path = component.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

/// The file that says that a component was locked: without an entry in the lock it is not loaded any more.
pub fn locked_path(component: &Path) -> PathBuf {
    let mut path = component.as_os_str().to_owned();
    path.push(".locked");
    path.into()
}

fn about(name: &str, mut problem: Problem) -> Problem {
    problem.message = format!("connector `{name}`: {}", problem.message);
    problem
}

fn broken(message: String, source: &str) -> Problem {
    Problem::new(&codes::LOCK_BROKEN, message)
        .hint(format!("`onefold connector add {source}` fetches it again"))
}
