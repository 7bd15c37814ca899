//! Python: componentize-py runs the project's imports once and keeps the interpreter as it is then. Most of its time goes into
//! compiling the interpreter for that one run, so a component that would be the same is not made again.

use crate::kit::project::Project;
use crate::kit::toolchain::install::NEEDS_PYTHON;
use crate::kit::toolchain::kept::{self, Ingredients};
use crate::kit::toolchain::{Toolchains, make_folder, read, write};
use crate::problem::Problem;
use std::process::Command;

const COMPONENTIZE: (&str, &str) = ("componentize-py", "0.25.1");

pub fn compile(project: &Project, tools: &Toolchains<'_>) -> Result<Vec<u8>, Problem> {
    let folder = project.build_folder();
    let output = folder.join("component.wasm");
    // Only folders of code are visible while the interpreter starts, so the documents get one.
    let documents = folder.join("documents");
    make_folder(&documents)?;
    write(&documents.join("manifest.json"), &project.manifest)?;
    write(
        &documents.join("config.schema.json"),
        &project.config_schema,
    )?;
    // An environment without packages: without one componentize-py searches all that this machine's Python has, which takes
    // its time and makes the component depend on the machine.
    let environment = folder.join("environment");
    make_folder(&environment.join("lib").join("site-packages"))?;
    let programs = tools.pip(&[COMPONENTIZE])?;
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
        .env("VIRTUAL_ENV", &environment)
        .current_dir(&project.folder);
    let ingredients = |compiler: &Command| {
        Ingredients::new(compiler)
            .folder(&project.folder.join("src"))?
            .folder(&project.sdk)?
            .folder(&project.wit)?
            .folder(&documents)
    };
    let made_of = ingredients(&componentize)?;
    if let Some(component) = kept::find(&output, &made_of) {
        tools.say("nothing that it is made of has changed: the last build's component is kept");
        return Ok(component);
    }
    kept::forget(&output)?;
    tools.say("starting a Python interpreter in WebAssembly and importing `component` into it");
    tools.run(&mut componentize, NEEDS_PYTHON)?;
    let component = read(&output)?;
    // Somebody may have saved a file meanwhile.
    if ingredients(&componentize)?.hash() == made_of.hash() {
        kept::note(&output, &component, &made_of)?;
    }
    Ok(component)
}
