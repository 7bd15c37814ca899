//! `onefold connector build`: a project becomes a component.

use crate::cli::Ending;
use crate::cli::connector::arguments::BuildArguments;
use crate::cli::connector::judging::judged;
use crate::cli::output::{Out, Outcome, number};
use crate::kit::judge::Document;
use crate::kit::project::Project;
use crate::kit::toolchain::{self, Toolchains};
use crate::opening::Environment;
use serde_json::json;
use std::path::PathBuf;

const CONTRACT: &str = "onefold:connector/";

pub async fn build(environment: &Environment, out: &Out, arguments: &BuildArguments) -> Outcome {
    let folder = &arguments.folder;
    let documents = Document::ALL.map(|document| (document, folder.join(document.file())));
    judged(
        &documents
            .each_ref()
            .map(|(document, path)| (*document, &**path)),
    )?;
    let project = Project::read(folder)?;
    let tools_folder = toolchains_folder(environment);
    let work = move || {
        let say = |line: &str| Out::new(false).note(line);
        let tools = Toolchains::new(tools_folder, &say);
        toolchain::build(&project, &tools).map(|built| (project, built))
    };
    let (project, built) = match tokio::task::spawn_blocking(work).await {
        Ok(done) => done?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    if out.json {
        out.value(&json!({
            "name": project.name,
            "language": project.language.word(),
            "file": built.file,
            "bytes": built.bytes,
            "imports": built.imports,
            "ms": u64::try_from(built.took.as_millis()).unwrap_or(u64::MAX),
        }));
        return Ok(Ending::Done);
    }
    out.line(format!("built {}", built.file.display()));
    out.line(format!(
        "  size     {} bytes",
        number(i64::try_from(built.bytes).unwrap_or(i64::MAX))
    ));
    let imports = match arguments.verbose {
        true => built.imports,
        false => vec![summary(&built.imports)],
    };
    let titles = ["imports"].into_iter().chain(std::iter::repeat(""));
    for (title, import) in titles.zip(imports) {
        out.line(format!("  {title:<8} {import}"));
    }
    out.line(format!("  took     {:.1} s", built.took.as_secs_f64()));
    Ok(Ending::Done)
}

/// The interfaces of the contract by their names, and how many there are of WASI.
fn summary(imports: &[String]) -> String {
    let mut names = Vec::new();
    let mut of_wasi = 0;
    for import in imports {
        let interface = import.strip_prefix(CONTRACT);
        match interface.map(|name| name.split('@').next().unwrap_or(name)) {
            // It holds what the others are about, and nothing to call.
            Some("types") => {}
            Some(name) => names.push(name.to_owned()),
            None if import.starts_with("wasi:") => of_wasi += 1,
            None => names.push(import.clone()),
        }
    }
    let named = match names.is_empty() {
        true => "nothing of the contract".to_owned(),
        false => names.join(", "),
    };
    match of_wasi {
        0 => named,
        count => format!("{named} and {count} of WASI (`--verbose` names them)"),
    }
}

/// Where compilers are kept: `ONEFOLD_TOOLCHAINS`, or next to the cache of compiled connectors.
fn toolchains_folder(environment: &Environment) -> PathBuf {
    (environment.read_env)("ONEFOLD_TOOLCHAINS")
        .map(PathBuf::from)
        .or_else(|| Some(environment.cache_folder.as_ref()?.join("toolchains")))
        .unwrap_or_else(|| PathBuf::from(".onefold-toolchains"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_summed_up_in_a_line() {
        let of = |names: &[&str]| {
            summary(
                &names
                    .iter()
                    .map(|&name| name.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let contract = [
            "onefold:connector/http@0.1.0",
            "onefold:connector/log@0.1.0",
            "onefold:connector/types@0.1.0",
        ];
        assert_eq!(of(&contract), "http, log");
        let wasi = [
            "onefold:connector/log@0.1.0",
            "vendor:own/thing",
            "wasi:cli/exit@0.2.9",
            "wasi:io/poll@0.2.9",
        ];
        assert_eq!(
            of(&wasi),
            "log, vendor:own/thing and 2 of WASI (`--verbose` names them)"
        );
        assert_eq!(of(&[]), "nothing of the contract");
    }
}
