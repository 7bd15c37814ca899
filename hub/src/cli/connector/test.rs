//! `onefold connector test`: starts the vendor, runs the conformance suite, and shows what it found.

use crate::cli::Ending;
use crate::cli::arguments::SubjectArguments;
use crate::cli::connector::steps::Steps;
use crate::cli::connector::subject::{Opening, Ready, blocking, find, ready};
use crate::cli::output::{Out, Outcome, plural, table};
use crate::host::Cancel;
use crate::kit::conformance::{self, Check, ConnectionSettings, Subject, Verdict};
use crate::kit::inspect::inspect;
use crate::kit::vendor::Vendor;
use crate::opening::{Environment, Stopped};
use crate::vault::replacement;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Stands for a credential that `[wrong]` does not name.
const WRONG: &str = "onefold-wrong-credential";

pub async fn test(
    hub: &Path,
    environment: &Environment,
    out: &Out,
    options: &SubjectArguments,
) -> Outcome {
    let found = find(
        hub,
        environment,
        &options.path,
        options.component.as_deref(),
    )?;
    let steps = Steps::new(out);
    let ready = ready(hub, environment, &steps, options, |_| ())?;
    let (name, version) = (
        ready.description.name.clone(),
        ready.description.version.clone(),
    );
    let (subject, vendor) = subject(environment, found.files, ready)?;
    let rules = plural(conformance::CHECKS.len() as i64, "rule", "rules");
    steps.begin(&format!("testing {name} {version} by {rules}"));
    let shown = steps.clone();
    let begin = move |rule: &str| shown.at(format!("testing {rule}"));
    let checks = blocking(move || conformance::run(subject, &begin)).await;
    steps.end();
    drop(vendor);
    let count =
        |wanted: fn(&Verdict) -> bool| checks.iter().filter(|one| wanted(&one.verdict)).count();
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    if out.json {
        out.value(
            &json!({ "connector": name, "version": version, "passed": failed == 0,
            "checks": checks.iter().map(wire).collect::<Vec<_>>() }),
        );
    } else {
        show(&checks, out);
        let passed = count(|verdict| matches!(verdict, Verdict::Passed));
        let rules =
            |count: usize| plural(i64::try_from(count).unwrap_or(i64::MAX), "rule", "rules");
        out.line(format!(
            "{name} {version}: {} kept, {failed} broken, {} not applicable",
            rules(passed),
            checks.len() - passed - failed
        ));
    }
    Ok(match failed {
        0 => Ending::Done,
        _ => Ending::Partial,
    })
}

type State = Box<dyn Fn() -> Option<String> + Send>;

/// Everything that the suite needs, with the connection open in the right and in the wrong way; and the vendor.
fn subject(
    environment: &Environment,
    files: Option<(String, String)>,
    ready: Ready,
) -> Result<(Subject, Option<Vendor>), Stopped> {
    let opening = Opening {
        environment,
        host: ready.host.clone(),
        component: ready.component.clone(),
        description: ready.description.clone(),
        settings: &ready.settings,
        vendor: &ready.address,
        log: ready.log.clone(),
        cancel: Cancel::default(),
    };
    let secrets = opening.secrets(&ready.settings.connection);
    let wrong = match secrets.is_empty() {
        true => None,
        false => Some(opening.connection(wrong(&opening, &ready.settings, &secrets))?),
    };
    let state: Option<State> = match (&ready.vendor, &ready.settings.vendor.state) {
        (Some(Vendor::Practice(practice)), _) => {
            let shelf = practice.shelf();
            Some(Box::new(move || Some(shelf.state())))
        }
        (_, Some(path)) => {
            let http = ready.connection.http.clone();
            let url = format!("{}{path}", ready.address);
            Some(Box::new(move || {
                conformance::ask_state(&*http, url.clone())
            }))
        }
        (_, None) => None,
    };
    let subject = Subject {
        inspection: inspect(&ready.bytes)?,
        component: ready.component,
        description: ready.description,
        files,
        vendor: ready.address,
        right: ready.connection,
        wrong,
        log: ready.log,
        secrets: secrets
            .into_iter()
            .flat_map(|(name, value)| [value, replacement(&name)])
            .collect(),
        is_live: ready.settings.vendor.cassette.is_none(),
        state,
        settings: ready.settings,
    };
    Ok((subject, ready.vendor))
}

fn wrong(
    opening: &Opening<'_>,
    settings: &conformance::Settings,
    right: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let unsaid = ConnectionSettings::default();
    let said = opening.secrets(settings.wrong.as_ref().unwrap_or(&unsaid));
    right
        .keys()
        .map(|name| {
            let value = said.get(name).map_or(WRONG, String::as_str);
            (name.clone(), value.to_owned())
        })
        .collect()
}

fn words(verdict: &Verdict) -> (&'static str, Option<&str>) {
    match verdict {
        Verdict::Passed => ("passed", None),
        Verdict::Failed(why) => ("failed", Some(why)),
        Verdict::NotApplicable(why) => ("not applicable", Some(why)),
    }
}

fn wire(check: &Check) -> Value {
    let (result, why) = words(&check.verdict);
    json!({ "name": check.name, "rule": check.rule, "result": result, "why": why })
}

fn show(checks: &[Check], out: &Out) {
    let mut rows = table(&["result", "check", "rule"]);
    // One cause breaks many rules, and is shown once.
    let mut told: BTreeMap<&str, &str> = BTreeMap::new();
    for check in checks {
        let (result, why) = words(&check.verdict);
        rows.add_row([result, check.name, check.rule]);
        let Some(why) = why else { continue };
        let is_failure = matches!(check.verdict, Verdict::Failed(_));
        let first = *told.entry(why).or_insert(check.name);
        match is_failure && first != check.name {
            true => rows.add_row(["", "", &format!("  as for `{first}`")]),
            false => rows.add_row(["", "", &format!("  {why}")]),
        }
    }
    out.table(&rows);
}
