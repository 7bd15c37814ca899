//! Connectors' projects as components, by the compilers that an author would have, which are fetched once.

use onefold::kit::project::Project;
use onefold::kit::toolchain::{self, Built, Toolchains};
use onefold_tests::need::need;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where compilers are kept: as the environment says, or in the target folder.
pub fn toolchains() -> PathBuf {
    #[allow(
        clippy::disallowed_methods,
        reason = "where compilers are kept is the machine's"
    )]
    let named = std::env::var("ONEFOLD_TOOLCHAINS").ok().map(PathBuf::from);
    named.unwrap_or_else(|| {
        let program = std::env::current_exe().unwrap();
        program.ancestors().nth(3).unwrap().join("toolchains")
    })
}

/// Compiles a project; none when a compiler is missing, which is said.
pub fn build(folder: &Path) -> Option<Built> {
    let project = Project::read(folder).unwrap();
    let say = |line: &str| eprintln!("{line}");
    match toolchain::build(&project, &Toolchains::new(toolchains(), &say)) {
        Ok(built) => Some(built),
        Err(problem) if problem.code.id == "OF0321" => {
            let check = format!("connectors in {}", project.language);
            let missing = problem.to_string();
            need(&check, Some(&missing)).then(|| unreachable!())
        }
        Err(problem) => panic!("{}: {problem}", folder.display()),
    }
}

/// The component of one of the repository's own examples, compiled once for all tests.
pub fn example(folder: &Path) -> Option<Built> {
    static KEPT: Mutex<BTreeMap<PathBuf, Option<Built>>> = Mutex::new(BTreeMap::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kept.entry(folder.to_owned());
    known.or_insert_with(|| build(folder)).clone()
}
