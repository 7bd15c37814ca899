//! `onefold model` and `onefold trait`: versions of fitted models, and computed traits with the reasons why some could not be computed.

use crate::cli::Ending;
use crate::cli::arguments::ModelCommand;
use crate::cli::open::{open, open_to_write};
use crate::cli::output::{Out, Outcome, number, plural, table};
use crate::cli::running::{bar_of, progress_on};
use crate::compute::models::Fitted;
use crate::flow::models::{self, FitReport};
use crate::model::Timestamp;
use crate::opening::{Environment, Opened, unknown};
use crate::problem::{Problem, codes};
use crate::store::ModelRow;
use serde_json::json;
use std::path::Path;

pub async fn model(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: ModelCommand,
) -> Outcome {
    let mut hub = match command {
        ModelCommand::List => open(folder, environment, out).await?,
        _ => open_to_write(folder, environment, out).await?,
    };
    match command {
        ModelCommand::List => list(&hub, out).await,
        ModelCommand::Fit { name } => fit(&mut hub, out, name).await,
        ModelCommand::Drop { version } => drop_version(&mut hub, environment, out, version).await,
    }
}

async fn list(hub: &Opened, out: &Out) -> Outcome {
    let mut tx = hub.context.store.read().await?;
    let rows = tx.models().await?;
    let mut refused = models::refused(&mut tx).await?;
    drop(tx);
    // Models that are no longer defined need no explanation.
    refused.retain(|name, _| {
        let mut models = hub.context.plan.models.iter();
        models.any(|model| *model.name == **name)
    });
    if out.json {
        let mut versions = Vec::with_capacity(rows.len());
        for row in &rows {
            versions.push(json!({
                "version": row.id, "kind": row.kind, "name": row.name,
                "fitted_at": Timestamp(row.fitted_at).to_rfc3339(),
                "dropped_at": row.dropped_at.map(|at| Timestamp(at).to_rfc3339()), "model": models::body_of(row)?,
            }));
        }
        let refused: Vec<_> = refused
            .iter()
            .map(|(name, refused)| {
                json!({
                    "name": name, "tried_at": Timestamp(refused.tried_at).to_rfc3339(), "reason": refused.reason,
                })
            })
            .collect();
        out.value(&json!({ "versions": versions, "refused": refused }));
        return Ok(Ending::Done);
    }
    let mut shown = table(&[
        "version",
        "model",
        "fitted",
        "from",
        "log-likelihood",
        "parameters",
        "",
    ]);
    for row in &rows {
        let (from, likelihood, parameters) = described(row);
        shown.add_row([
            row.id.to_string(),
            row.name.clone(),
            Timestamp(row.fitted_at).to_minutes(),
            from,
            likelihood,
            parameters,
            if row.dropped_at.is_some() {
                "dropped".to_owned()
            } else {
                String::new()
            },
        ]);
    }
    match rows.is_empty() {
        true => out.line("no model was fitted"),
        false => out.table(&shown),
    }
    for (name, refused) in &refused {
        let when = Timestamp(refused.tried_at).to_minutes();
        out.line(format!("{name}: not fitted {when}: {}", refused.reason));
    }
    Ok(Ending::Done)
}

fn described(row: &ModelRow) -> (String, String, String) {
    if let Ok(fitted) = crate::flow::fitted_of(row) {
        return (
            plural(fitted.customers as i64, "customer", "customers"),
            format!("{:.1}", fitted.buying.log_likelihood),
            parameters(&fitted),
        );
    }
    match crate::flow::likeness_of(row) {
        Ok(model) => (
            plural(model.people as i64, "person", "people"),
            String::new(),
            format!(
                "one pair in {} is one person, {} compared",
                number((1.0 / model.prior).round() as i64),
                plural(model.values() as i64, "value", "values")
            ),
        ),
        Err(_) => (String::new(), String::new(), String::new()),
    }
}

fn parameters(fitted: &Fitted) -> String {
    let buying = &fitted.buying.parameters;
    let mut text = format!(
        "r {:.3}, α {:.3}, a {:.3}, b {:.3}",
        buying.r, buying.alpha, buying.a, buying.b
    );
    if let Some(values) = &fitted.values {
        let values = &values.parameters;
        text.push_str(&format!(
            "; p {:.2}, q {:.2}, v {:.2}",
            values.p, values.q, values.v
        ));
    }
    text
}

async fn fit(hub: &mut Opened, out: &Out, name: Option<String>) -> Outcome {
    let plan = hub.context.plan.clone();
    let indexes: Vec<usize> = match &name {
        None => (0..plan.models.len()).collect(),
        Some(name) => {
            let index = plan.models.iter().position(|model| *model.name == **name);
            let known = plan.models.iter().map(|model| &*model.name);
            vec![index.ok_or_else(|| unknown("model", name, known))?]
        }
    };
    let bar = bar_of(out, "people");
    let watch = progress_on(&bar);
    let reports = models::fit(&mut hub.context, &indexes, &watch).await?;
    models::work_out_everybody(&mut hub.context, &watch).await?;
    bar.finish_and_clear();
    if out.json {
        out.value(&reports);
    } else if reports.is_empty() {
        out.line("the manifests have no `[[model]]`");
    } else {
        reports.iter().for_each(|report| out.line(said(report)));
    }
    let refused = reports.iter().any(|report| report.refused.is_some());
    Ok(if refused {
        Ending::Partial
    } else {
        Ending::Done
    })
}

/// One line about a fit.
pub fn said(report: &FitReport) -> String {
    match (&report.fitted, &report.refused) {
        (Some(fitted), _) => format!(
            "{}: fitted on {}, {}, log-likelihood {:.1}{}",
            report.model,
            plural(fitted.customers as i64, "customer", "customers"),
            parameters(fitted),
            fitted.buying.log_likelihood,
            match &fitted.no_values {
                Some(reason) => format!("; no model of values: {reason}"),
                None => String::new(),
            }
        ),
        (None, reason) => {
            let reason = reason.as_deref().unwrap_or_default();
            format!("{}: not fitted: {reason}", report.model)
        }
    }
}

async fn drop_version(
    hub: &mut Opened,
    environment: &Environment,
    out: &Out,
    version: i64,
) -> Outcome {
    let rows = hub.context.store.read().await?.models().await?;
    let row = rows
        .into_iter()
        .find(|row| row.id == version && row.dropped_at.is_none())
        .ok_or_else(|| {
            Problem::new(
                &codes::NOT_FOUND,
                format!("there is no model version {version}"),
            )
            .hint("`onefold model list` shows the versions")
        })?;
    let by = (environment.read_env)("USER").unwrap_or_else(|| "operator".to_owned());
    let bar = bar_of(out, "people");
    let links = crate::flow::drop_version(&mut hub.context, &row, &by, &progress_on(&bar)).await;
    bar.finish_and_clear();
    let links = links?;
    match out.json {
        true => out.value(&json!({ "dropped": version, "links_taken_back": links })),
        false => out.line(format!(
            "version {version} of {} is dropped; {} taken back",
            row.name,
            plural(links as i64, "link", "links")
        )),
    }
    Ok(Ending::Done)
}

/// `onefold trait list`
pub async fn traits(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let traits = hub.traits().await?;
    if out.json {
        out.value(&traits);
        return Ok(Ending::Done);
    }
    let mut shown = table(&["trait", "description", "could not be worked out for"]);
    for one in &traits {
        let faults = one.faults.iter();
        let faults: Vec<String> = faults
            .map(|(kind, count)| format!("{}: {kind}", plural(*count, "person", "people")))
            .collect();
        shown.add_row([one.name.clone(), one.description.clone(), faults.join("; ")]);
    }
    match traits.is_empty() {
        true => out.line("no computed traits"),
        false => out.table(&shown),
    }
    Ok(Ending::Done)
}
