//! Where compilers are kept, how they get there and how they are started. Each set of packages has a folder of its own,
//! named by what is in it, and counts as installed only when all of it is.

use crate::files::{self, Exposed};
use crate::kit::toolchain::{unwritable, write};
use crate::problem::{Problem, codes};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compilers of ours.
pub struct Toolchains<'a> {
    folder: PathBuf,
    /// Receives progress messages, one line each.
    say: &'a (dyn Fn(&str) + Sync),
}

/// Where programs come from PyPI.
pub(super) const NEEDS_PYTHON: &str =
    "install Python 3.11 or newer with venv, such as `apt install python3-venv`";

/// How many lines of a compiler's complaint are shown.
const LINES: usize = 60;

impl<'a> Toolchains<'a> {
    pub fn new(folder: PathBuf, say: &'a (dyn Fn(&str) + Sync)) -> Self {
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Self { folder, say }
    }

    /// One line about what is being done.
    pub(super) fn say(&self, line: &str) {
        (self.say)(line);
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A folder in which these packages of npm are installed.
    pub(super) fn npm(&self, packages: &[(&str, &str)]) -> Result<PathBuf, Problem> {
        let names: Vec<String> = packages
            .iter()
            .map(|(name, version)| format!("{name}@{version}"))
            .collect();
        self.once("npm", &names, |folder| {
            let lines: Vec<String> = packages
                .iter()
                .map(|(name, version)| format!("\"{name}\": \"{version}\""))
                .collect();
            let package = format!(
                "{{ \"private\": true, \"dependencies\": {{ {} }} }}\n",
                lines.join(", ")
            );
            write(&folder.join("package.json"), package)?;
            let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
            npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
                .current_dir(folder);
            self.run(
                &mut npm,
                "install Node.js 20 or newer, such as `apt install nodejs npm`",
            )
        })
    }

    /// The programs' folder of a Python environment with these packages.
    pub(super) fn pip(&self, packages: &[(&str, &str)]) -> Result<PathBuf, Problem> {
        let names: Vec<String> = packages
            .iter()
            .map(|(name, version)| format!("{name}=={version}"))
            .collect();
        let programs = if cfg!(windows) { "Scripts" } else { "bin" };
        let folder = self.once("pip", &names, |folder| {
            let mut venv = Command::new(if cfg!(windows) { "python" } else { "python3" });
            venv.args(["-m", "venv", "--clear"]).arg(folder);
            self.run(&mut venv, NEEDS_PYTHON)?;
            let mut pip = Command::new(folder.join(programs).join("python"));
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(&names);
            self.run(&mut pip, NEEDS_PYTHON)
        })?;
        Ok(folder.join(programs))
    }

    /// Installs into a folder unless that was done before. Of several builds at once one installs and the others wait.
    fn once(
        &self,
        kind: &str,
        names: &[String],
        install: impl FnOnce(&Path) -> Result<String, Problem>,
    ) -> Result<PathBuf, Problem> {
        let wanted = names.join("\n");
        let key = blake3::hash(wanted.as_bytes()).to_hex()[..12].to_owned();
        let folder = self.folder.join(format!("{kind}-{key}"));
        if let Some(Exposed::ToEverybody(why)) = files::exposed(&self.folder) {
            let shown = self.folder.display();
            let message = format!("the folder of compilers `{shown}` {why}");
            let hint =
                format!("what is in it is run; take the right from them: `chmod go-w {shown}`");
            return Err(Problem::new(&codes::FOLDER_OPEN, message).hint(hint));
        }
        let complete = folder.join("complete");
        let is_complete = || std::fs::read_to_string(&complete).is_ok_and(|made| made == wanted);
        if is_complete() {
            return Ok(folder);
        }
        files::make_folder(&folder).map_err(|error| unwritable(&folder, &error))?;
        let lock = self.folder.join(format!("{kind}-{key}.lock"));
        let held = files::keep(&lock).map_err(|error| unwritable(&lock, &error))?;
        held.lock().map_err(|error| unwritable(&lock, &error))?;
        if is_complete() {
            return Ok(folder);
        }
        let list = names.join(", ");
        (self.say)(&format!("installing {list} into {}", folder.display()));
        install(&folder)?;
        write(&complete, &wanted)?;
        Ok(folder)
    }

    /// Runs a program and returns what it printed. `hint` says how to get it when it is not there.
    pub(super) fn run(&self, command: &mut Command, hint: &str) -> Result<String, Problem> {
        let name = Path::new(command.get_program())
            .file_name()
            .map(OsStr::to_string_lossy)
            .unwrap_or_default()
            .into_owned();
        let output = command.output().map_err(|error| {
            let message = format!("`{name}` cannot be started: {error}");
            Problem::new(&codes::TOOLCHAIN_MISSING, message).hint(hint)
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        for line in lines.iter().take(LINES) {
            (self.say)(line);
        }
        let first = lines
            .iter()
            .find(|line| line.to_lowercase().contains("error"))
            .or(lines.first())
            .map_or("it said nothing", |line| line.trim());
        Err(Problem::new(
            &codes::BUILD_FAILED,
            format!("`{name}` failed: {first}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn what_is_installed_once_is_found_again_and_what_failed_is_tried_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = Mutex::new(Vec::new());
        let say = |line: &str| said.lock().expect("alone").push(line.to_owned());
        let tools = Toolchains::new(folder.path().to_owned(), &say);
        let names = ["a==1".to_owned()];
        let failed = tools.once("pip", &names, |_| {
            Err(Problem::new(&codes::BUILD_FAILED, "no network"))
        });
        assert!(failed.is_err());
        let made = tools
            .once("pip", &names, |_| Ok(String::new()))
            .expect("installed");
        let found = tools
            .once("pip", &names, |_| panic!("it is there"))
            .expect("found");
        assert_eq!(made, found);
        let other = tools
            .once("pip", &["a==2".to_owned()], |_| Ok(String::new()))
            .expect("installed");
        assert_ne!(made, other, "another version has a folder of its own");
        assert_eq!(said.lock().expect("alone").len(), 3);
    }

    #[test]
    fn a_program_that_is_not_there_says_which_command_brings_it() {
        let tools = Toolchains::new("x".into(), &|_| {});
        let mut command = Command::new("no-such-program-here");
        let problem = tools
            .run(&mut command, "`apt install it`")
            .expect_err("fails");
        assert_eq!(problem.code.id, "OF0321");
        assert_eq!(problem.hint.as_deref(), Some("`apt install it`"));
    }
}
