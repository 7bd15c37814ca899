//! `onefold connector record` and `replay`: one session with a connector, onto a cassette or from one.

use crate::cli::Ending;
use crate::cli::arguments::RecordArguments;
use crate::cli::connector::steps::Steps;
use crate::cli::connector::subject::{blocking, ready};
use crate::cli::output::{Out, Outcome, table};
use crate::files;
use crate::host::{Connector, Failure};
use crate::kit::cassette::{Cassette, Recorder};
use crate::kit::conformance::VendorSettings;
use crate::kit::session::{Extent, StreamRead, read};
use crate::model::Description;
use crate::opening::{Environment, Stopped};
use crate::problem::{Problem, codes};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// As many records a batch as the conformance suite asks for, so that a cassette serves it.
const RECORDS: u32 = 50;

pub async fn record(
    hub: &Path,
    environment: &Environment,
    out: &Out,
    options: &RecordArguments,
) -> Outcome {
    let steps = Steps::new(out);
    let ready = ready(hub, environment, &steps, &options.subject, |_| ())?;
    steps.begin("reading from the vendor");
    let mut connection = ready.connection.clone();
    let recorder = Recorder::new(
        connection.http.clone(),
        &ready.address,
        connection.scrub.clone(),
    );
    connection.http = recorder.clone();
    let connector = ready.component.connect(connection);
    let done = walk(connector, ready.description.clone(), extent(options)).await;
    steps.end();
    let cassette = Cassette::new(&ready.description.name, recorder.take());
    let exchanges = cassette.exchanges.len();
    let read = done.map_err(|failure| Stopped::from(failure.problem))?;
    if let Some(folder) = options.cassette.parent() {
        // Writing the file says what is wrong with the folder.
        let _ = files::make_folder(folder);
    }
    files::write(&options.cassette, cassette.text().as_bytes()).map_err(|error| {
        let message = format!(
            "the cassette `{}` cannot be written: {error}",
            options.cassette.display()
        );
        Problem::new(&codes::BAD_CASSETTE, message)
    })?;
    show(&read, options, out);
    out.note(format!(
        "{exchanges} requests are on `{}`",
        options.cassette.display()
    ));
    Ok(Ending::Done)
}

pub async fn replay(
    hub: &Path,
    environment: &Environment,
    out: &Out,
    options: RecordArguments,
) -> Outcome {
    // The cassette's path is relative to the current folder, not to the connector's.
    let cassette =
        std::path::absolute(&options.cassette).unwrap_or_else(|_| options.cassette.clone());
    let steps = Steps::new(out);
    let ready = ready(hub, environment, &steps, &options.subject, |settings| {
        settings.vendor = VendorSettings {
            cassette: Some(cassette.display().to_string()),
            ..VendorSettings::default()
        };
    })?;
    steps.begin("reading from the cassette");
    let connector = ready.component.connect(ready.connection.clone());
    let read = walk(connector, ready.description.clone(), extent(&options)).await;
    steps.end();
    let read = read.map_err(|failure| Stopped::from(failure.problem))?;
    show(&read, &options, out);
    Ok(Ending::Done)
}

fn extent(options: &RecordArguments) -> Extent {
    Extent {
        stream: options.stream.clone(),
        batches: options.batches,
        records: RECORDS,
        reads_on: true,
    }
}

/// Check, discover, and read what there is to read.
async fn walk(
    mut connector: Box<dyn Connector>,
    description: Arc<Description>,
    extent: Extent,
) -> Result<Vec<StreamRead>, Failure> {
    blocking(move || {
        connector.check()?;
        if !description.exports.iter().any(|one| one == "source") {
            return Ok(Vec::new());
        }
        connector.discover()?;
        read(&mut *connector, &description, &extent, &|_| ())
    })
    .await
}

fn show(read: &[StreamRead], options: &RecordArguments, out: &Out) {
    if out.json {
        let values: Vec<_> = read
            .iter()
            .map(|stream| {
                let mut value = json!({ "stream": stream.name, "records": stream.records(),
                    "deletions": stream.deletions(), "batches": stream.batches.len() });
                if options.records {
                    value["lines"] = stream.lines().collect();
                }
                value
            })
            .collect();
        out.value(&values);
        return;
    }
    let mut rows = table(&["stream", "records", "deletions", "batches"]);
    for stream in read {
        rows.add_row([
            stream.name.clone(),
            stream.records().to_string(),
            stream.deletions().to_string(),
            stream.batches.len().to_string(),
        ]);
    }
    out.table(&rows);
    if options.records {
        for stream in read {
            stream.lines().for_each(|line| out.line(line));
        }
    }
}
