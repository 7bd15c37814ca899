//! The hub as it is, on one HubSpot: the manifest, the plan, and a run of `flow`. Only the vendor's rate limits are
//! lifted, since waiting for them is not what is measured.

use crate::measure::{Measured, Row, Watch};
use crate::native::Native;
use anyhow::{Context as _, Result, anyhow, ensure};
use onefold::app;
use onefold::flow::connect::{ConnectSettings, Connectors};
use onefold::flow::{Context, Opens, ReadOptions, RunOptions, RunReport, Suppression, run as flow};
use onefold::host::{Cancel, Host, HostSettings};
use onefold::manifest::{self, Plan};
use onefold::problem::Problem;
use onefold::store::Store;
use onefold_tests::vendors::hubspot::TOKEN;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;
use uuid::Uuid;

pub async fn run(row: Row, records: u64, address: SocketAddr, folder: &Path) -> Result<Measured> {
    let connectors = connectors(folder)?;
    let plan = plan(&connectors, address)?;
    let native;
    let opens: &dyn Opens = if row == Row::Native {
        native = Native(connectors);
        &native
    } else {
        &connectors
    };
    let path = folder.join(if row == Row::Native {
        "native.db"
    } else {
        "hub.db"
    });
    let watch = Watch::start();
    let store = Store::open(&format!("sqlite:{}", path.display())).await?;
    let random = || Uuid::from_u64_pair(app::random(), app::random());
    let suppression = Suppression::load(&store, random).await?;
    let context = Context::new(Arc::new(plan), store, app::system_clock(), suppression);
    let options = RunOptions {
        source: None,
        stream: None,
        read: ReadOptions {
            what: onefold::flow::What::Vendor,
            full: row == Row::Full,
            progress: Arc::new(|_| {}),
        },
        deliver: false,
        show: 0,
        events: Arc::new(|_| {}),
    };
    let report = flow(&context, opens, &options).await?;
    context.store.close().await;
    let measured = watch.stop(report.totals().read, &path);
    check(row, i64::try_from(records)?, &report)?;
    Ok(measured)
}

/// A fast wrong answer is no answer.
fn check(row: Row, records: i64, report: &RunReport) -> Result<()> {
    for stream in &report.streams {
        if let Some(problem) = &stream.problem {
            return Err(anyhow!("{problem}"));
        }
    }
    if let Some(problem) = report.problems.first() {
        return Err(anyhow!("{problem}"));
    }
    let totals = report.totals();
    let added = if matches!(row, Row::Full | Row::Again) {
        0
    } else {
        records
    };
    ensure!(
        (report.records, report.people) == (records, records)
            && (totals.added, totals.changed, totals.deleted) == (added, 0, 0),
        "the hub holds {} records of {} people after {totals:?}",
        report.records,
        report.people,
    );
    Ok(())
}

fn connectors(folder: &Path) -> Result<Connectors> {
    let program = std::env::current_exe()?;
    let bundled = program
        .parent()
        .context("the program has no folder")?
        .join("connectors");
    let host = Host::new(HostSettings {
        cache_folder: Some(folder.join("cache")),
        compiler: None,
        runtime: Handle::current(),
    })?;
    Ok(Connectors::new(ConnectSettings {
        host: Arc::new(host),
        connector_folders: vec![bundled],
        hub_folder: folder.to_owned(),
        read_env: Arc::new(|_| Some(TOKEN.to_owned())),
        runtime: Handle::current(),
        clock: app::system_clock(),
        random: Arc::new(app::random),
        cancel: Cancel::default(),
        log: Arc::new(|_| {}),
    }))
}

fn plan(connectors: &Connectors, address: SocketAddr) -> Result<Plan> {
    let text = format!(
        "[hub]\nname = \"bench\"\nstore = \"sqlite:hub.db\"\ndefault_region = \"PL\"\n\n\
         [[source]]\nname = \"crm\"\nconnector = \"hubspot\"\ncredential.token = \"env:TOKEN\"\n\
         config.base_url = \"http://{address}\"\ngrant.addresses = [\"{address}\"]\n\n\
         [[source.stream]]\nname = \"contacts\"\n"
    );
    let mut description = (*connectors.describe("hubspot")?).clone();
    description.rates = BTreeMap::new();
    let known = manifest::Connectors {
        available: vec!["hubspot".to_owned()],
        described: BTreeMap::from([("hubspot".to_owned(), Arc::new(description))]),
    };
    manifest::load(&[("bench.toml".to_owned(), text)], &known).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        anyhow!("{}", lines.join("\n"))
    })
}
