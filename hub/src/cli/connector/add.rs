//! `onefold connector add` and `remove`: shows what a connector asks for, waits for a yes where a version asks for more
//! than the one before, and locks it.

use crate::cli::Ending;
use crate::cli::connector::arguments::{AccessArguments, AddArguments};
use crate::cli::connector::steps::Steps;
use crate::cli::output::{Out, Outcome, plural};
use crate::kit::lock::Lock;
use crate::kit::registry::{self, Access, Change, Source, Wire, examine, take};
use crate::kit::signature::{Verdict, is_digest};
use crate::manifest::SecretRef;
use crate::opening::{self, Environment, unknown};
use crate::problem::{Problem, codes};
use crate::vault::{Secret, Vault};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::Path;

pub async fn add(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    arguments: &AddArguments,
) -> Outcome {
    let wanted = arguments.digest.as_deref();
    if wanted.is_some_and(|wanted| !is_digest(wanted)) {
        let message = "`--digest` is not a digest: write `sha256:` and 64 digits";
        return Err(Problem::new(&codes::USAGE, message).into());
    }
    let signers = opening::signers(folder, environment)?;
    let lock = Lock::read(folder)?;
    let source = Source::parse(&arguments.source)?;
    let steps = Steps::new(out);
    steps.begin(&format!("fetching {}", arguments.source));
    let packages = source.fetch(&wire(environment, &arguments.access)?).await?;
    let host = opening::host(environment)?;
    let mut changes = Vec::new();
    let mut problems = Vec::new();
    for package in packages {
        if !host.is_compiled(&package.component) {
            steps.compiling(&package.component);
        }
        match examine(&host, package, &signers, wanted) {
            Ok(candidate) => changes.push(Change::of(folder, &lock, candidate)),
            Err(problem) => problems.push(problem),
        }
    }
    steps.end();
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if !out.json {
        changes.iter().for_each(|change| show(out, change));
    }
    let asks: Vec<Problem> = changes.iter().filter_map(asks_for_more).collect();
    if !asks.is_empty() && !arguments.yes && !agrees(out, asks.len()) {
        // With `--json` there is one document, and the problems are in it.
        match out.json {
            true => report(out, &changes, false),
            false => out.problems(&asks, &[]),
        }
        return Ok(Ending::Guarded);
    }
    let taken = take(folder, &changes)?;
    if out.json {
        report(out, &changes, true);
        return Ok(Ending::Done);
    }
    for one in &taken {
        out.line(format!("wrote {}", one.component.display()));
    }
    if let Some(one) = taken.first() {
        out.line(format!("wrote {}", one.lock.display()));
    }
    Ok(Ending::Done)
}

pub fn remove(folder: &Path, out: &Out, name: &str) -> Outcome {
    let Some(entry) = registry::release(folder, name)? else {
        let lock = Lock::read(folder)?;
        let names = lock.entries.iter().map(|entry| entry.name.as_str());
        return Err(unknown("locked connector", name, names).into());
    };
    match out.json {
        true => out.value(&json!({ "removed": entry.name, "version": entry.version })),
        false => out.line(format!("removed {} {}", entry.name, entry.version)),
    }
    Ok(Ending::Done)
}

/// The way to registries and web servers, with the secret that the operator named.
pub fn wire(environment: &Environment, access: &AccessArguments) -> Result<Wire, Vec<Problem>> {
    let secret = match &access.credential {
        None => None,
        Some(text) => Some(secret(environment, "credential", text)?),
    };
    Ok(Wire {
        access: Access {
            username: access.username.clone(),
            secret,
            addresses: access.addresses.clone(),
        },
        random: environment.random.clone(),
        clock: environment.clock.clone(),
    })
}

/// The secret behind `--NAME env:…` or `file:…`; a path starts where the command was typed.
pub fn secret(environment: &Environment, name: &str, text: &str) -> Result<Secret, Vec<Problem>> {
    let Some(reference) = SecretRef::parse(text) else {
        // It may be the secret itself and is not repeated.
        let message = format!("`--{name}` does not say where the secret is");
        let problem = Problem::new(&codes::USAGE, message);
        return Err(vec![
            problem.hint("name its place: `env:NAME` or `file:PATH`"),
        ]);
    };
    let vault = Vault {
        read_env: &*environment.read_env,
        folder: Path::new(""),
    };
    let wanted = BTreeMap::from([(name.to_owned(), reference)]);
    let mut found = vault.open("onefold connector", &wanted)?;
    found.remove(name).ok_or_else(Vec::new)
}

/// What the connector is and what it asks for.
fn show(out: &Out, change: &Change) {
    let candidate = &change.candidate;
    let entry = &candidate.entry;
    let version = match &change.before {
        Some(before) if before.version != entry.version => {
            format!("{} (locked: {})", entry.version, before.version)
        }
        _ => entry.version.clone(),
    };
    out.line(format!("{} {version}, {}", entry.name, candidate.title));
    let signer = match &candidate.verdict {
        Verdict::Trusted(name) => name.clone(),
        Verdict::Unsigned => "nobody".to_owned(),
        Verdict::Stranger(key) => format!("the key {key}, which is not trusted"),
    };
    let granted = &entry.granted;
    let credentials = granted.credentials.iter();
    let personal = granted.personal.iter();
    let rows = [
        ("from", entry.source.clone()),
        ("digest", entry.digest.clone()),
        ("signed by", signer),
        ("contract", entry.contract.clone()),
        ("is a", joined(granted.exports.iter().cloned())),
        ("calls", joined(granted.hosts.iter().cloned())),
        (
            "credentials",
            joined(credentials.map(|(name, place)| format!("{name} ({place})"))),
        ),
        (
            "personal data",
            joined(personal.map(|(stream, classes)| {
                let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
                format!("{stream} ({})", classes.join(", "))
            })),
        ),
    ];
    for (name, value) in rows {
        out.line(format!("  {name:<14} {value}"));
    }
    for one in &change.more {
        out.line(format!("  {:<14} {one}", "new:"));
    }
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.collect();
    match texts.is_empty() {
        true => "-".to_owned(),
        false => texts.join(", "),
    }
}

fn asks_for_more(change: &Change) -> Option<Problem> {
    if change.more.is_empty() {
        return None;
    }
    let entry = &change.candidate.entry;
    let than = match &change.before {
        Some(before) => format!("than {} was granted", before.version),
        None => "than was granted".to_owned(),
    };
    let message = format!(
        "`{}` {} asks for more {than}: {}",
        entry.name,
        entry.version,
        change.more.join("; ")
    );
    let hint = "nothing was changed; if you agree, run it again with `--yes`";
    Some(Problem::new(&codes::ASKS_FOR_MORE, message).hint(hint))
}

/// Asks, when somebody is there to answer. Silence is not a yes.
fn agrees(out: &Out, count: usize) -> bool {
    let is_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if out.json || !is_there {
        return false;
    }
    let what = plural(
        i64::try_from(count).unwrap_or(i64::MAX),
        "connector asks for more than it was granted",
        "connectors ask for more than they were granted",
    );
    out.note(format!("{what}. Agree? Type `yes`:"));
    is_yes(&mut std::io::stdin().lock())
}

/// Whether the next line agrees.
pub fn is_yes(answer: &mut impl BufRead) -> bool {
    let mut line = String::new();
    let read = answer.read_line(&mut line);
    read.is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

fn report(out: &Out, changes: &[Change], added: bool) {
    let one = |change: &Change| -> Value {
        let candidate = &change.candidate;
        let stranger = match &candidate.verdict {
            Verdict::Stranger(key) => Some(key),
            Verdict::Unsigned | Verdict::Trusted(_) => None,
        };
        json!({ "connector": candidate.entry, "title": candidate.title, "untrusted_key": stranger,
            "before": change.before, "asks_for_more": change.more })
    };
    let connectors: Vec<Value> = changes.iter().map(one).collect();
    out.value(&json!({ "added": added, "connectors": connectors }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        let answer = |text: &str| is_yes(&mut text.as_bytes());
        assert_eq!(
            [
                "yes\n",
                "Y\n",
                " YES ",
                "",
                "\n",
                "no\n",
                "yes please\n",
                "n\nyes\n"
            ]
            .map(answer),
            [true, true, true, false, false, false, false, false]
        );
    }
}
