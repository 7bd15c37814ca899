//! `onefold connector dev`: builds whenever a file changes, then checks, discovers, reads one page and shows records as the
//! vendor wrote them and as the default mapping understands them, side by side.

use crate::canonical;
use crate::cli::Ending;
use crate::cli::arguments::SubjectArguments;
use crate::cli::connector::steps::Steps;
use crate::cli::connector::subject::{Ready, blocking, ready};
use crate::cli::output::{Out, Outcome, fitted, plural, table};
use crate::cli::running::wait_for_signal;
use crate::kit::session::{Extent, StreamRead, read};
use crate::manifest::{self, Stream};
use crate::model::{Canonical, Value};
use crate::opening::{Environment, Stopped};
use crate::problem::{Problem, codes};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(400);
/// Folders that a build fills.
const BUILT: &[&str] = &["target", "node_modules", "dist", "build", "__pycache__"];
const COLUMN: usize = 70;

pub struct Options {
    pub subject: SubjectArguments,
    pub records: usize,
    pub once: bool,
    pub builds: bool,
}

pub async fn dev(hub: &Path, environment: &Environment, out: &Out, options: &Options) -> Outcome {
    loop {
        let before = newest(&options.subject.path);
        let done = round(hub, environment, out, options).await;
        if options.once {
            return done;
        }
        if let Err(stopped) = &done {
            out.problems(&stopped.problems, &stopped.files);
        }
        out.note("waiting for a change; stop with Ctrl-C");
        tokio::select! {
            () = wait_for_signal() => return Ok(Ending::Done),
            () = changed(&options.subject.path, before) => {}
        }
    }
}

async fn changed(folder: &Path, before: Option<SystemTime>) {
    let mut ticks = tokio::time::interval(LOOK);
    while newest(folder) == before {
        ticks.tick().await;
    }
}

/// When the youngest source file was written.
fn newest(folder: &Path) -> Option<SystemTime> {
    let mut newest = None;
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                if !name.starts_with('.') && !BUILT.contains(&name.as_str()) {
                    folders.push(entry.path());
                }
            } else if !name.ends_with(".wasm") {
                newest = newest.max(meta.modified().ok());
            }
        }
    }
    newest
}

async fn round(hub: &Path, environment: &Environment, out: &Out, options: &Options) -> Outcome {
    if options.builds {
        build(&options.subject.path).await?;
    }
    let steps = Steps::new(out);
    let ready = ready(hub, environment, &steps, &options.subject, |_| ())?;
    steps.end();
    let mut connector = ready.component.connect(ready.connection.clone());
    let description = ready.description.clone();
    let done = blocking(move || {
        let report = connector.check()?;
        if !description.exports.iter().any(|one| one == "source") {
            return Ok((report, Vec::new()));
        }
        connector.discover()?;
        let extent = Extent {
            stream: None,
            batches: 1,
            records: 20,
            reads_on: false,
        };
        let read = read(&mut *connector, &description, &extent, &|_| ())?;
        Ok((report, read))
    });
    let (report, read) = done
        .await
        .map_err(|failure: crate::host::Failure| Stopped::from(failure.problem))?;
    let mapping = mapping(&ready)?;
    if out.json {
        let streams: Vec<Value> = read
            .iter()
            .map(|one| wire(one, &mapping, options.records))
            .collect();
        out.value(
            &json!({ "account": report.account, "warnings": report.warnings, "streams": streams }),
        );
        return Ok(Ending::Done);
    }
    let account = report
        .account
        .map(|name| format!(" (account {name})"))
        .unwrap_or_default();
    out.line(format!(
        "{} {} works{account}",
        ready.description.name, ready.description.version
    ));
    for one in &read {
        show(one, &mapping, options.records, out);
    }
    Ok(Ending::Done)
}

/// The same program builds, so that what a person sees is what `onefold connector build` prints.
async fn build(folder: &Path) -> Result<(), Problem> {
    let failed = |why: String| Problem::new(&codes::NO_COMPONENT_FILE, why);
    let program = std::env::current_exe()
        .map_err(|error| failed(format!("the program does not find itself: {error}")))?;
    let status = tokio::process::Command::new(program)
        .args(["connector", "build"])
        .arg(folder)
        .stdin(std::process::Stdio::null())
        .status()
        .await
        .map_err(|error| failed(format!("the build cannot start: {error}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(format!("`{}` is not built", folder.display()))
            .hint("the build's output is above; `--no-build` tests the component that is there")),
    }
}

/// The streams with the connector's own mapping, as a hub would check them.
fn mapping(ready: &Ready) -> Result<BTreeMap<String, Stream>, Stopped> {
    let description = &ready.description;
    let mut text = format!(
        "[hub]\nname = \"dev\"\nstore = \"sqlite:unused.db\"\n[[source]]\nname = \"dev\"\nconnector = \"{}\"\n",
        description.name
    );
    let config = inline(&ready.settings.config(&ready.address));
    text.push_str(&format!("config = {config}\n"));
    for name in ready.settings.connection.credential.keys() {
        text.push_str(&format!("credential.{name} = \"env:DEV\"\n"));
    }
    let mapped = description
        .streams
        .iter()
        .filter(|one| one.mapping.is_some());
    for stream in mapped {
        text.push_str(&format!("[[source.stream]]\nname = \"{}\"\n", stream.name));
    }
    let known = manifest::Connectors {
        available: vec![description.name.clone()],
        described: BTreeMap::from([(description.name.clone(), description.clone())]),
    };
    let files = [("the connector's default mapping".to_owned(), text)];
    let mut plan = manifest::load(&files, &known).map_err(|problems| Stopped {
        problems,
        files: files.to_vec(),
        ..Stopped::default()
    })?;
    let streams = plan
        .sources
        .pop()
        .map(|source| source.streams)
        .unwrap_or_default();
    Ok(streams
        .into_iter()
        .map(|one| (one.name.to_string(), one))
        .collect())
}

/// JSON as TOML on one line; what is null is left out.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let texts = members.map(|(name, value)| format!("{} = {}", json!(name), inline(value)));
            format!("{{ {} }}", texts.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            let texts = items.iter().map(inline);
            format!("[{}]", texts.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// What becomes of a record, in a few lines, and what is wrong with it.
fn understood(stream: Option<&Stream>, line: &str) -> Vec<String> {
    let Some(stream) = stream else {
        return vec!["(the manifest has no mapping for this stream)".to_owned()];
    };
    let read = canonical::read(stream, "dev", None, line.as_bytes());
    let keyed = read.and_then(|record| Ok((canonical::key_of(stream, "dev", &record)?, record)));
    let (key, record) = match keyed {
        Ok(keyed) => keyed,
        Err(problem) => return vec![format!("! {}", problem.message)],
    };
    let mapped = canonical::map(stream, "dev", &key, &record);
    let mut lines = vec![format!("key: {key}")];
    if let Some(canonical) = &mapped.canonical {
        lines.extend(described(canonical));
    }
    lines.extend(
        mapped
            .problems
            .iter()
            .map(|problem| format!("! {}", problem.message)),
    );
    lines
}

fn described(canonical: &Canonical) -> Vec<String> {
    let identifiers = canonical
        .identifiers
        .iter()
        .map(|one| format!("{}:{}", one.kind, one.value));
    let traits = canonical
        .traits
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    let consents = canonical
        .consents
        .iter()
        .map(|(purpose, consent)| format!("consent {purpose}: {}", consent.status.as_str()));
    let fact = canonical.fact.iter().map(|fact| format!("{fact:?}"));
    identifiers
        .chain(traits)
        .chain(consents)
        .chain(fact)
        .collect()
}

fn written(line: &str) -> Vec<String> {
    let record: BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(line).unwrap_or_default();
    record
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.get()))
        .collect()
}

fn show(read: &StreamRead, mapping: &BTreeMap<String, Stream>, most: usize, out: &Out) {
    out.line("");
    out.line(format!(
        "{}: {} and {} on the first page",
        read.name,
        plural(read.records() as i64, "record", "records"),
        plural(read.deletions() as i64, "deletion", "deletions")
    ));
    let mut rows = table(&["as the vendor wrote it", "as the hub understands it"]);
    for line in read.lines().take(most) {
        let (left, right) = (written(&line), understood(mapping.get(&read.name), &line));
        for index in 0..left.len().max(right.len()) {
            let cell = |side: &[String]| fitted(side.get(index).map_or("", String::as_str), COLUMN);
            rows.add_row([cell(&left), cell(&right)]);
        }
        rows.add_row(["", ""]);
    }
    out.table(&rows);
}

fn wire(read: &StreamRead, mapping: &BTreeMap<String, Stream>, most: usize) -> Value {
    let shown: Vec<Value> = read
        .lines()
        .take(most)
        .map(|line| json!({ "record": line, "mapped": understood(mapping.get(&read.name), &line) }))
        .collect();
    json!({ "stream": read.name, "records": read.records(), "deletions": read.deletions(), "shown": shown })
}
