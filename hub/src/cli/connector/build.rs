//! `onefold connector build`: a project becomes a component.

use crate::cli::Ending;
use crate::cli::connector::judging::judged;
use crate::cli::output::{Out, Outcome, number};
use crate::kit::judge::Document;
use crate::kit::project::Project;
use crate::kit::toolchain::{self, Toolchains};
use crate::opening::Environment;
use serde_json::json;
use std::path::{Path, PathBuf};

pub async fn build(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let document = |name: &str| folder.join(name);
    judged(&[
        (Document::Connector, &document("connector.toml")),
        (Document::Manifest, &document("manifest.json")),
        (Document::Conformance, &document("conformance.toml")),
    ])?;
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
    let titles = ["imports"].into_iter().chain(std::iter::repeat(""));
    for (title, import) in titles.zip(&built.imports) {
        out.line(format!("  {title:<8} {import}"));
    }
    out.line(format!("  took     {:.1} s", built.took.as_secs_f64()));
    Ok(Ending::Done)
}

/// Where compilers are kept: `ONEFOLD_TOOLCHAINS`, or next to the cache of compiled connectors.
fn toolchains_folder(environment: &Environment) -> PathBuf {
    (environment.read_env)("ONEFOLD_TOOLCHAINS")
        .map(PathBuf::from)
        .or_else(|| Some(environment.cache_folder.as_ref()?.join("toolchains")))
        .unwrap_or_else(|| PathBuf::from(".onefold-toolchains"))
}
