//! Where the workspace and its target folder are, and how cargo is started in it.
//! Reads the environment for the whole of xtask.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
}

impl Profile {
    /// The folder under the target folder.
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

pub struct Workspace {
    pub root: PathBuf,
    /// Absolute, wherever the environment or cargo's configuration put it.
    pub target: PathBuf,
}

impl Workspace {
    /// Cargo names the package's folder when it runs a program, and this program lies at `TARGET/debug/xtask`.
    pub fn find() -> Result<Self> {
        let package = environment("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .parent()
            .context("the xtask package has no parent folder")?;
        let program = std::env::current_exe().context("cannot find this program's own path")?;
        let target = program
            .ancestors()
            .nth(2)
            .filter(|folder| folder.is_dir())
            .with_context(|| format!("`{}` does not lie in a target folder", program.display()))?;
        Ok(Self {
            root: root.to_owned(),
            target: target.to_owned(),
        })
    }

    /// Where a profile's programs are, and beside them `connectors/` and `guests/`.
    pub fn products(&self, profile: Profile) -> PathBuf {
        self.target.join(profile.folder())
    }

    pub fn program(&self, profile: Profile, name: &str) -> PathBuf {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        self.products(profile).join(file)
    }

    /// Cargo in the workspace's root and with its target folder, whatever folder the user stands in.
    pub fn cargo<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(tool("CARGO", "cargo"));
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        forget_package(&mut command);
        command
    }

    /// The compiler that cargo in the workspace's root would use.
    pub fn rustc<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(tool("RUSTC", "rustc"));
        command.args(arguments).current_dir(&self.root);
        command
    }
}

/// What `cargo run` says about the package `xtask` is no business of what xtask starts.
fn forget_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// Shows the command, runs it, and fails when it does.
pub fn must(command: &mut Command) -> Result<()> {
    if succeeds(command)? {
        Ok(())
    } else {
        bail!("`{}` failed", shown(command))
    }
}

/// Shows the command, runs it, and tells how it ended.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    println!("==> {}", shown(command));
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    Ok(status.success())
}

/// As a person would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a skipped check is a failure.
pub fn on_ci() -> bool {
    environment("CI").as_deref() == Some("true")
}

fn tool(variable: &str, otherwise: &str) -> String {
    environment(variable).unwrap_or_else(|| otherwise.to_owned())
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one place where xtask reads its environment"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
