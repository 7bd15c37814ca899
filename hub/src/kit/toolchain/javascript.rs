//! TypeScript and JavaScript: esbuild makes one module of the project, componentize-qjs puts it into a QuickJS.

use crate::kit::project::{Language, Project};
use crate::kit::toolchain::{Toolchains, lines, read};
use crate::problem::Problem;
use std::path::Path;
use std::process::Command;

const ESBUILD: (&str, &str) = ("esbuild", "0.28.2");
const COMPONENTIZE: (&str, &str) = ("componentize-qjs", "0.4.5");
const NODE: &str = "install Node.js 20 or newer, such as `apt install nodejs npm`";

pub fn compile(project: &Project, tools: &Toolchains<'_>) -> Result<Vec<u8>, Problem> {
    let installed = tools.npm(&[ESBUILD, COMPONENTIZE])?;
    let folder = project.build_folder();
    let bundle = folder.join("component.js");
    let entry = match project.language {
        Language::TypeScript => "src/component.ts",
        _ => "src/component.js",
    };
    let sdk = |file: &str| project.sdk.join("src").join(file).display().to_string();
    let mut esbuild = program(&installed, "esbuild");
    esbuild
        .arg(entry)
        .args([
            "--bundle",
            "--format=esm",
            "--target=es2022",
            "--external:onefold:*",
        ])
        // The SDK is found without `npm install`.
        .arg(format!(
            "--alias:@onefold/sdk/component={}",
            sdk("component.js")
        ))
        .arg(format!("--alias:@onefold/sdk={}", sdk("index.js")))
        .args([
            "--sourcemap=external",
            "--log-level=warning",
            "--color=false",
        ])
        .arg(format!("--outfile={}", bundle.display()))
        .current_dir(&project.folder);
    tools.run(&mut esbuild, NODE)?;
    name_lines(project, &folder, &bundle);

    let output = folder.join("component.wasm");
    let mut componentize = program(&installed, "componentize-qjs");
    componentize
        .arg("--wit")
        .arg(&project.wit)
        .args(["--world", project.kind.world(), "--sync", "--js"])
        .arg(&bundle)
        .arg("--output")
        .arg(&output)
        .current_dir(&project.folder);
    tools.run(&mut componentize, NODE)?;
    read(&output)
}

/// Puts into the bundle where its lines come from.
fn name_lines(project: &Project, folder: &Path, bundle: &Path) {
    let map = std::fs::read_to_string(folder.join("component.js.map"));
    let statement = map
        .ok()
        .and_then(|map| lines::statement(&map, folder, &project.folder, &project.sdk));
    let text = std::fs::read_to_string(bundle);
    if let (Some(statement), Ok(text)) = (statement, text) {
        // A bundle without it works all the same.
        let _ = std::fs::write(bundle, text + &statement);
    }
}

fn program(installed: &Path, name: &str) -> Command {
    let file = if cfg!(windows) {
        format!("{name}.cmd")
    } else {
        name.to_owned()
    };
    Command::new(installed.join("node_modules/.bin").join(file))
}
