//! C: Zig's compiler, which brings a C library for WebAssembly, and bindings generated here from the contract.

use crate::kit::component;
use crate::kit::project::Project;
use crate::kit::toolchain::install::NEEDS_PYTHON;
use crate::kit::toolchain::{Toolchains, read, write};
use crate::problem::{Problem, codes};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const ZIG: (&str, &str) = ("ziglang", "0.17.1");
/// What the bindings are called, whatever the world.
const BINDINGS: &str = "connector";

pub fn compile(project: &Project, tools: &Toolchains<'_>) -> Result<Vec<u8>, Problem> {
    let programs = tools.pip(&[ZIG])?;
    let folder = project.build_folder();
    bindings(project, &folder)?;
    let documents = folder.join("documents.c");
    write(&documents, documents_in_c(project))?;
    let output = folder.join("core.wasm");
    let mut zig = Command::new(programs.join("python"));
    zig.args([
        "-m",
        "ziglang",
        "cc",
        "--target=wasm32-wasi",
        "-mexec-model=reactor",
    ])
    .args([
        "-std=c11",
        "-O2",
        "-g0",
        "-Wl,--gc-sections",
        "-Wl,--strip-debug",
        // As much as Rust has; what the compiler sets aside by itself is sixteen times that.
        "-Wl,-z,stack-size=1048576",
    ])
    .args(project.kind.reads().then_some("-DOF_SOURCE"))
    .args(project.kind.writes().then_some("-DOF_DESTINATION"))
    .arg(format!("-I{}", project.sdk.display()))
    .arg(format!("-I{}", folder.display()))
    .args(c_files(&project.folder.join("src"))?)
    .args(["onefold.c", "component.c"].map(|file| project.sdk.join(file)))
    .arg(folder.join(format!("{BINDINGS}.c")))
    .arg(folder.join(format!("{BINDINGS}_component_type.o")))
    .arg(documents)
    .arg("-o")
    .arg(&output)
    .env("ZIG_GLOBAL_CACHE_DIR", tools.folder().join("zig-cache"))
    .env("ZIG_LOCAL_CACHE_DIR", folder.join("zig-cache"))
    .current_dir(&project.folder);
    tools.run(&mut zig, NEEDS_PYTHON)?;
    component::encode(&read(&output)?)
}

/// `connector.h`, `connector.c` and the object file that describes the world.
fn bindings(project: &Project, folder: &Path) -> Result<(), Problem> {
    let options = wit_bindgen_c::Opts {
        rename_world: Some(BINDINGS.to_owned()),
        ..Default::default()
    };
    for (name, content) in component::bindings(project, options.build())?.iter() {
        write(&folder.join(name), content)?;
    }
    Ok(())
}

/// The two documents as texts that end with a zero.
fn documents_in_c(project: &Project) -> String {
    let mut text = String::new();
    let documents = [
        ("onefold_manifest", &project.manifest),
        ("onefold_config_schema", &project.config_schema),
    ];
    for (name, document) in documents {
        let _ = write!(text, "const char {name}[] = {{");
        for byte in document.bytes() {
            let _ = write!(text, "{},", byte as i8);
        }
        text.push_str("0};\n");
    }
    text
}

fn c_files(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        let message = format!("`{}` cannot be listed: {error}", folder.display());
        Problem::new(&codes::BAD_PROJECT, message)
    })?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    files.sort();
    Ok(files)
}
