//! Compiling a project: the compiler of its language is found or installed, pinned, in a folder of ours; what it makes
//! becomes a component with its documents. One file a language. Nothing outside that folder and the project is changed.

mod c;
mod go;
mod install;
mod javascript;
mod kept;
mod lines;
mod python;
mod rust;

pub use install::Toolchains;

use crate::files;
use crate::kit::component::{self, CONFIG_SCHEMA_SECTION, MANIFEST_SECTION};
use crate::kit::project::{Language, Project};
use crate::problem::{Problem, codes};
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A finished component.
#[derive(Debug, Clone)]
pub struct Built {
    pub file: PathBuf,
    pub bytes: usize,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    pub took: Duration,
}

/// Compiles the project, adds the documents and writes `build/NAME.wasm`. Of several builds of a project at once the others
/// wait: compilers leave files in its `build`.
pub fn build(project: &Project, tools: &Toolchains<'_>) -> Result<Built, Problem> {
    let begun = Instant::now();
    let folder = project.build_folder();
    make_folder(&folder)?;
    let lock = folder.join("lock");
    let alone = files::keep(&lock).map_err(|error| unwritable(&lock, &error))?;
    if let Err(TryLockError::WouldBlock) = alone.try_lock() {
        tools.say("another build of this project is running; waiting for it");
        alone.lock().map_err(|error| unwritable(&lock, &error))?;
    }
    tools.say(&format!(
        "compiling `{}` ({})",
        project.name, project.language
    ));
    let mut component = match project.language {
        Language::Rust => rust::compile(project, tools)?,
        Language::TypeScript | Language::JavaScript => javascript::compile(project, tools)?,
        Language::Python => python::compile(project, tools)?,
        Language::C => c::compile(project, tools)?,
        Language::Go => go::compile(project, tools)?,
    };
    let imports = component::imports(&component)?;
    component::add_section(
        &mut component,
        MANIFEST_SECTION,
        project.manifest.as_bytes(),
    );
    component::add_section(
        &mut component,
        CONFIG_SCHEMA_SECTION,
        project.config_schema.as_bytes(),
    );
    let file = project.component();
    replace(&file, &component)?;
    Ok(Built {
        bytes: component.len(),
        file,
        imports,
        took: begun.elapsed(),
    })
}

/// Writes a temporary file next to it and renames, so that a hub that is running reads the old or the new one, never half.
fn replace(file: &Path, content: &[u8]) -> Result<(), Problem> {
    let temporary = file.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&temporary, content)
        .and_then(|()| std::fs::rename(&temporary, file))
        .map_err(|error| unwritable(file, &error))
}

fn make_folder(folder: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))
}

fn write(file: &Path, content: impl AsRef<[u8]>) -> Result<(), Problem> {
    std::fs::write(file, content).map_err(|error| unwritable(file, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    let message = format!("`{}` cannot be written: {error}", path.display());
    Problem::new(&codes::BUILD_FAILED, message)
}

fn read(file: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(file).map_err(|error| {
        let message = format!("`{}` cannot be read: {error}", file.display());
        Problem::new(&codes::BUILD_FAILED, message)
    })
}
