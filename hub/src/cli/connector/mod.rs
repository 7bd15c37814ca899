//! `onefold connector`: what there is, and whether it works.

pub mod add;
pub mod arguments;
mod bench;
mod build;
mod dev;
mod inspect;
mod judging;
mod new;
mod publish;
mod record;
mod run_one;
mod show;
mod steps;
mod subject;
mod test;
mod vendor;

use crate::cli::Ending;
use crate::cli::arguments::ConnectorCommand;
use crate::cli::output::{Out, Outcome, table};
use crate::flow::Opens;
use crate::host::{CheckReport, Connector};
use crate::kit::lock::{Entry, Lock};
use crate::opening::{Environment, Loaded, Stopped, connectors, load, signers, unknown};
use serde_json::json;
use std::path::Path;

pub async fn connector(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: ConnectorCommand,
) -> Outcome {
    match command {
        ConnectorCommand::List => list(folder, environment, out),
        ConnectorCommand::New(arguments) => new::new(&arguments, out),
        ConnectorCommand::Build(arguments) => build::build(environment, out, &arguments).await,
        ConnectorCommand::Add(arguments) => add::add(folder, environment, out, &arguments).await,
        ConnectorCommand::Remove { name } => add::remove(folder, out, &name),
        ConnectorCommand::Bundle { file } => publish::bundle(folder, out, &file),
        ConnectorCommand::Publish(arguments) => {
            publish::publish(environment, out, &arguments).await
        }
        ConnectorCommand::Sign { file, key } => publish::sign(environment, out, &file, &key),
        ConnectorCommand::Key { command } => publish::key(environment, out, &command),
        ConnectorCommand::Show { name, stream } => {
            show::show(folder, environment, out, &name, stream.as_deref())
        }
        ConnectorCommand::Inspect { what } => inspect::inspect(folder, environment, out, &what),
        ConnectorCommand::Test(options) => test::test(folder, environment, out, &options).await,
        ConnectorCommand::Record(options) => {
            record::record(folder, environment, out, &options).await
        }
        ConnectorCommand::Replay(options) => {
            record::replay(folder, environment, out, options).await
        }
        ConnectorCommand::RunOne { file, live } => {
            run_one::run_one(folder, environment, out, file.as_deref(), live).await
        }
        ConnectorCommand::Dev {
            subject,
            records,
            once,
            no_build,
        } => {
            let options = dev::Options {
                subject,
                records,
                once,
                builds: !no_build,
            };
            dev::dev(folder, environment, out, &options).await
        }
        ConnectorCommand::Bench { subject, contacts } => {
            bench::bench(folder, environment, out, &subject, contacts).await
        }
        ConnectorCommand::Vendor(options) => vendor::vendor(&options, out).await,
        ConnectorCommand::Check { name } => check(folder, environment, out, &name).await,
        ConnectorCommand::Discover { name } => discover(folder, environment, out, &name).await,
    }
}

/// Calls a source or destination once.
pub async fn call(loaded: &Loaded, name: &str) -> Result<CheckReport, Stopped> {
    let mut connector = open(loaded, name)?;
    let done = tokio::task::spawn_blocking(move || connector.check()).await;
    flatten(done)
}

async fn check(folder: &Path, environment: &Environment, out: &Out, name: &str) -> Outcome {
    let report = call(&load(folder, environment)?, name).await?;
    if out.json {
        out.value(&json!({ "account": report.account, "warnings": report.warnings }));
        return Ok(Ending::Done);
    }
    let account = report
        .account
        .map(|account| format!(" (account {account})"))
        .unwrap_or_default();
    out.line(format!("{name} works{account}"));
    for warning in report.warnings {
        out.line(format!("warning: {warning}"));
    }
    Ok(Ending::Done)
}

async fn discover(folder: &Path, environment: &Environment, out: &Out, name: &str) -> Outcome {
    let mut connector = open(&load(folder, environment)?, name)?;
    let done = tokio::task::spawn_blocking(move || connector.discover()).await;
    let streams = flatten(done)?;
    if out.json {
        let streams: Vec<_> = streams
            .into_iter()
            .map(|one| {
                json!({ "name": one.name, "title": one.title, "primary_key": one.primary_key,
                    "cursor_fields": one.cursor_fields, "supports_deletes": one.supports_deletes, "schema": one.schema })
            })
            .collect();
        out.value(&streams);
        return Ok(Ending::Done);
    }
    let mut rows = table(&["stream", "title", "key", "incremental by", "deletions"]);
    for one in streams {
        let deletions = if one.supports_deletes { "yes" } else { "no" };
        let texts = [
            one.name,
            one.title,
            one.primary_key.join(", "),
            one.cursor_fields.join(", "),
        ];
        rows.add_row(texts.into_iter().chain([deletions.to_owned()]));
    }
    out.table(&rows);
    Ok(Ending::Done)
}

fn flatten<T>(
    done: Result<Result<T, crate::host::Failure>, tokio::task::JoinError>,
) -> Result<T, Stopped> {
    match done {
        Ok(done) => done.map_err(|failure| failure.problem.into()),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn open(loaded: &Loaded, name: &str) -> Result<Box<dyn Connector>, Stopped> {
    let plan = &loaded.plan;
    if let Some(source) = plan.sources.iter().find(|source| *source.name == *name) {
        return Ok(loaded.connectors.source(source)?);
    }
    if let Some(destination) = plan.destinations.iter().find(|one| *one.name == *name) {
        return Ok(loaded.connectors.destination(destination)?);
    }
    let names = plan
        .sources
        .iter()
        .map(|one| &*one.name)
        .chain(plan.destinations.iter().map(|one| &*one.name));
    Err(unknown("source or destination", name, names).into())
}

/// How a connector is locked: the start of its digest, and who signed it.
fn shown(entry: &Entry) -> String {
    let digest = entry.digest.get(..19).unwrap_or(&entry.digest);
    match &entry.signer {
        Some(signer) => format!("{digest}, signed by {signer}"),
        None => digest.to_owned(),
    }
}

fn list(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let signers = signers(folder, environment)?;
    let connectors = connectors(folder, environment, signers)?;
    let lock = Lock::read(folder)?;
    let mut names = connectors.names();
    names.extend(lock.entries.iter().map(|entry| entry.name.clone()));
    let mut rows = table(&[
        "connector",
        "version",
        "title",
        "streams",
        "writes",
        "locked",
    ]);
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match connectors.describe(&name) {
            Ok(one) => {
                let streams: Vec<&str> = one
                    .streams
                    .iter()
                    .map(|stream| stream.name.as_str())
                    .collect();
                let targets: Vec<&str> = one
                    .targets
                    .iter()
                    .map(|target| target.name.as_str())
                    .collect();
                let locked = lock.entry(&name);
                rows.add_row([
                    name.clone(),
                    one.version.clone(),
                    one.title.clone(),
                    streams.join(", "),
                    targets.join(", "),
                    locked.map_or_else(|| "no".to_owned(), shown),
                ]);
                values.push(json!({ "name": name, "version": one.version, "title": one.title, "streams": streams,
                    "targets": targets, "hosts": one.hosts, "exports": one.exports, "locked": locked }));
            }
            Err(problem) => problems.push(problem),
        }
    }
    match out.json {
        true => out.value(&values),
        false if values.is_empty() => {
            out.line("no connectors found; put `NAME.wasm` into the hub's folder `connectors`");
        }
        false => out.table(&rows),
    }
    if problems.is_empty() {
        return Ok(Ending::Done);
    }
    Err(problems.into())
}
