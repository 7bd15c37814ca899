//! Which folders the hub relies upon, and what it does when others of the machine can write them: it does not start where they
//! could replace its manifests, data or code at once, warns where that is less plain, and leaves a cache unused.

use crate::files::{Exposed, exposed};
use crate::opening::{Environment, Stopped};
use crate::problem::{Problem, codes};
use std::path::{Path, PathBuf};

/// The hub's own folder, and the folders that connectors are loaded from.
pub fn folders(
    hub: &Path,
    bundled: &[PathBuf],
    environment: &Environment,
) -> Result<Vec<Problem>, Stopped> {
    let mut relied = vec![
        ("the hub's folder", hub.to_owned()),
        ("the folder of connectors", hub.join("connectors")),
    ];
    relied.extend(
        bundled
            .iter()
            .map(|folder| ("the folder of connectors", folder.clone())),
    );
    guarded(&relied, is_allowed(environment))
}

/// The folder of the store, unless it is the hub's.
pub fn store(hub: &Path, url: &str, environment: &Environment) -> Result<Vec<Problem>, Stopped> {
    let path = url.strip_prefix("sqlite:").unwrap_or_default();
    let path = Path::new(path.split('?').next().unwrap_or_default());
    match path.parent() {
        Some(folder) if folder != hub && !folder.as_os_str().is_empty() => {
            let relied = [("the folder of the store", folder.to_owned())];
            guarded(&relied, is_allowed(environment))
        }
        _ => Ok(Vec::new()),
    }
}

/// A cache that others can write is not used: what is in it would run inside the hub.
pub fn cache(folder: Option<PathBuf>) -> Option<PathBuf> {
    let folder = folder?;
    match exposed(&folder) {
        Some(Exposed::ToEverybody(why) | Exposed::ToSome(why)) => {
            let shown = folder.display();
            tracing::warn!(
                "the cache `{shown}` {why} and is not used; `chmod go-w` it, or name another one with ONEFOLD_CACHE"
            );
            None
        }
        None => Some(folder),
    }
}

/// On some drives and volumes every folder is open, and nobody else is on the machine: the operator can say so.
fn is_allowed(environment: &Environment) -> bool {
    let said = (environment.read_env)("ONEFOLD_OPEN_FOLDERS");
    said.as_deref() == Some("allow")
}

fn guarded(relied: &[(&str, PathBuf)], is_allowed: bool) -> Result<Vec<Problem>, Stopped> {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for (what, folder) in relied {
        let Some(exposed) = exposed(folder) else {
            continue;
        };
        let shown = folder.display();
        let (Exposed::ToEverybody(why) | Exposed::ToSome(why)) = &exposed;
        let problem = Problem::new(&codes::FOLDER_OPEN, format!("{what} `{shown}` {why}"));
        match exposed {
            Exposed::ToEverybody(_) if !is_allowed => problems.push(problem.hint(format!(
                "they could replace what the hub reads and runs; take the right from them: `chmod go-w {shown}`; where that cannot be \
                 done and nobody else is on the machine, set `ONEFOLD_OPEN_FOLDERS=allow`"
            ))),
            Exposed::ToEverybody(_) | Exposed::ToSome(_) => warnings.push(
                problem
                    .warning()
                    .hint("who can write there can replace what the hub reads and runs"),
            ),
        }
    }
    match problems.is_empty() {
        true => Ok(warnings),
        false => Err(Stopped::in_files(problems, Vec::new())),
    }
}
