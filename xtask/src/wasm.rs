//! Builds the connectors, and the tests' guests, as WebAssembly components beside the `onefold` program.
//! The components are the same for every profile of the hub: guests have a profile of their own.

use crate::cargo::{Profile, Workspace, must};
use crate::names::{Guest, guests_under};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

/// What a component carries, so that it can be inspected without being run: section and file.
const DOCUMENTS: [(&str, &str); 2] = [
    ("onefold:manifest", "manifest.json"),
    ("onefold:config-schema", "config.schema.json"),
];

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guests {
    /// What a hub lists.
    Connectors,
    /// The tests' own, too.
    All,
}

pub fn build(workspace: &Workspace, profile: Profile, which: Guests) -> Result<()> {
    let connectors = guests_under(&workspace.root.join("connectors"))?;
    install_target(workspace)?;
    let products = workspace.products(profile);
    let sources = workspace.root.join("connectors");
    let folder = products.join("connectors");
    if which == Guests::Connectors {
        compile(workspace, connectors.iter())?;
        return encode_all(workspace, &sources, &connectors, &folder);
    }
    let mut guests = guests_under(&workspace.root.join("tests/guests"))?;
    // The examples are for the tests too: a hub should not list them. Those in other languages hold no package.
    guests.extend(guests_under(&workspace.root.join("connectors/examples"))?);
    compile(workspace, connectors.iter().chain(&guests))?;
    encode_all(workspace, &sources, &connectors, &folder)?;
    let sources = workspace.root.join("tests/guests");
    encode_all(workspace, &sources, &guests, &products.join("guests"))
}

/// Adds the compilation target when the compiler does not have it.
fn install_target(workspace: &Workspace) -> Result<()> {
    if has_target(workspace)? {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup
        .args(["target", "add", TARGET])
        .current_dir(&workspace.root);
    match must(&mut rustup) {
        Ok(()) if has_target(workspace)? => Ok(()),
        Ok(()) => bail!("`rustup target add {TARGET}` worked, but `rustc` still lacks it: is another `rustc` before rustup's in PATH?"),
        Err(error) => Err(error.context(format!(
            "connectors need the compilation target `{TARGET}`: with rustup and a network run `rustup target add {TARGET}`; \
             without rustup install your system's Rust package for WebAssembly"
        ))),
    }
}

fn has_target(workspace: &Workspace) -> Result<bool> {
    let output = workspace
        .rustc(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("cannot start `rustc`")?;
    let folder = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(folder.trim()).is_dir())
}

fn compile<'a>(workspace: &Workspace, guests: impl Iterator<Item = &'a Guest>) -> Result<()> {
    let mut cargo = workspace.cargo([
        "build",
        "--lib",
        "--profile",
        "connector",
        "--target",
        TARGET,
    ]);
    for guest in guests {
        cargo.args(["--package", &guest.package]);
    }
    must(&mut cargo)
}

/// Fills `folder` with one component a guest and nothing else.
fn encode_all(
    workspace: &Workspace,
    sources: &Path,
    guests: &[Guest],
    folder: &Path,
) -> Result<()> {
    if guests.is_empty() && !folder.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))?;
    remove_strangers(guests, folder)?;
    let modules = workspace.target.join(TARGET).join("connector");
    for guest in guests {
        let module = modules.join(format!("{}.wasm", guest.library));
        let mut component = encode(&module)
            .with_context(|| format!("`{}` does not become a component", guest.name))?;
        for (section, document) in DOCUMENTS {
            if let Ok(text) = std::fs::read(sources.join(&guest.name).join(document)) {
                component.extend(custom_section(section, &text));
            }
        }
        if write_if_changed(&component, &folder.join(format!("{}.wasm", guest.name)))? {
            println!(
                "    {:<24} {:>6} KiB",
                guest.name,
                component.len().div_ceil(1024)
            );
        }
    }
    Ok(())
}

/// Sections may stand anywhere in a component, and so at its end.
fn custom_section(name: &str, data: &[u8]) -> Vec<u8> {
    let body = [&leb128(name.len())[..], name.as_bytes(), data].concat();
    [&[0][..], &leb128(body.len()), &body].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Components of guests that are no longer there would still be found by the hub.
fn remove_strangers(guests: &[Guest], folder: &Path) -> Result<()> {
    let entries = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    for path in entries.into_iter().map(|entry| entry.path()) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let stranger = !guests.iter().any(|guest| guest.name == name);
        if stranger
            && path
                .extension()
                .is_some_and(|extension| extension == "wasm")
        {
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    Ok(())
}

fn encode(module: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(module).with_context(|| {
        format!(
            "cannot read `{}`: is the library's crate type `cdylib`?",
            module.display()
        )
    })?;
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)?
        .encode()
}

/// Writes to a temporary file and renames it, so that a hub that is running reads the old or the new one, never half.
fn write_if_changed(bytes: &[u8], path: &Path) -> Result<bool> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let temporary: PathBuf = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&temporary, bytes)
        .and_then(|()| std::fs::rename(&temporary, path))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(true)
}
