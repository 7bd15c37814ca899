//! Python: componentize-py runs the project's imports once and keeps the interpreter as it is then.

use crate::kit::project::Project;
use crate::kit::toolchain::install::NEEDS_PYTHON;
use crate::kit::toolchain::{Toolchains, read, unwritable, write};
use crate::problem::Problem;
use std::process::Command;

const COMPONENTIZE: (&str, &str) = ("componentize-py", "0.25.1");

pub fn compile(project: &Project, tools: &Toolchains<'_>) -> Result<Vec<u8>, Problem> {
    let programs = tools.pip(&[COMPONENTIZE])?;
    // Only folders of code are visible while the interpreter starts, so the documents get one.
    let documents = project.build_folder().join("documents");
    std::fs::create_dir_all(&documents).map_err(|error| unwritable(&documents, &error))?;
    write(&documents.join("manifest.json"), &project.manifest)?;
    write(
        &documents.join("config.schema.json"),
        &project.config_schema,
    )?;
    let output = project.build_folder().join("component.wasm");
    let mut componentize = Command::new(programs.join("componentize-py"));
    componentize
        .arg("--wit-path")
        .arg(&project.wit)
        .args(["--world", project.kind.world(), "componentize"])
        .args(["--python-path", "src", "--python-path"])
        .arg(&project.sdk)
        .arg("--python-path")
        .arg(&documents)
        .args(["component", "--output"])
        .arg(&output)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(&project.folder);
    tools.run(&mut componentize, NEEDS_PYTHON)?;
    read(&output)
}
