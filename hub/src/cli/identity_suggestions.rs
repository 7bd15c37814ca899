//! `onefold identity suggest`: pairs of people who look alike, and what is decided about them.

use crate::cli::Ending;
use crate::cli::identity::print_stated;
use crate::cli::output::{Out, Outcome, number, plural};
use crate::cli::running::{bar_of, progress_on};
use crate::flow::{self, Decided};
use crate::opening::Opened;
use crate::problem::{Problem, codes};
use crate::store::SuggestionRow;
use serde_json::json;
use uuid::Uuid;

pub async fn suggest(hub: &Opened, out: &Out) -> Outcome {
    if hub.context.plan.suggest.is_none() {
        let hint = "add a `[suggest]` table to the manifests; `automatic = 0.999` links the surest pairs without asking";
        return Err(Problem::new(&codes::USAGE, "suggestions are off")
            .hint(hint)
            .into());
    }
    let bar = bar_of(out, "people");
    let report = flow::suggest(&hub.context, &progress_on(&bar)).await;
    bar.finish_and_clear();
    let report = report?;
    if out.json {
        out.value(&report);
    } else {
        match (&report.version, &report.refused) {
            (Some(version), refused) => {
                if let Some(refused) = refused {
                    out.note(format!("version {version} stays in use: {refused}"));
                }
                out.line(format!(
                "version {version} over {}: {} linked, {} waiting for a decision, {} too common to compare",
                plural(report.people as i64, "person", "people"),
                number(report.linked as i64),
                plural(report.waiting as i64, "pair", "pairs"),
                plural(report.skipped_blocks as i64, "value", "values"),
            ));
            }
            (None, reason) => {
                out.line(format!(
                    "nothing suggested: {}",
                    reason.as_deref().unwrap_or_default()
                ));
            }
        }
    }
    Ok(match report.version {
        Some(_) => Ending::Done,
        None => Ending::Partial,
    })
}

pub async fn list(hub: &Opened, out: &Out, limit: usize) -> Outcome {
    let mut rows = hub.context.store.read().await?.suggestions(true).await?;
    let waiting = rows.len();
    rows.truncate(limit);
    if out.json {
        let rows: Vec<_> = rows.iter().map(wire).collect();
        out.value(&rows);
        return Ok(Ending::Done);
    }
    for row in &rows {
        let (doubt, steps) = flow::reasons_of(row)?;
        out.line(format!(
            "{}  {:.2} %  id:{}  id:{}  {doubt}",
            row.id,
            row.probability * 100.0,
            Uuid::from_bytes(row.left),
            Uuid::from_bytes(row.right)
        ));
        for (what, level, bits) in steps {
            // What rounds to nothing has no sign.
            let bits = (bits * 10.0).round() / 10.0 + 0.0;
            out.line(format!("     {bits:+6.1} bits  {what}: {level}"));
        }
    }
    match waiting {
        0 => out.line("no pair waits"),
        _ if waiting > rows.len() => out.note(format!("{} more wait", waiting - rows.len())),
        _ => {}
    }
    Ok(Ending::Done)
}

fn wire(row: &SuggestionRow) -> serde_json::Value {
    let (doubt, steps) = flow::reasons_of(row).unwrap_or_default();
    json!({
        "id": row.id, "model": row.model, "left": Uuid::from_bytes(row.left).to_string(),
        "right": Uuid::from_bytes(row.right).to_string(), "probability": row.probability, "doubt": doubt,
        "reasons": steps.iter().map(|(what, level, bits)| json!({ "comparison": what, "level": level, "bits": bits })).collect::<Vec<_>>(),
    })
}

/// The two of a suggestion are one person.
pub async fn accept(hub: &Opened, out: &Out, number: i64, by: &str, reason: &str) -> Outcome {
    let decided = flow::decide(&hub.context, number, true, by, reason).await?;
    show_decided(hub, out, number, &decided).await
}

/// The two of a suggestion are two people.
pub async fn decline(hub: &Opened, out: &Out, number: i64, by: &str, reason: &str) -> Outcome {
    let decided = flow::decide(&hub.context, number, false, by, reason).await?;
    show_decided(hub, out, number, &decided).await
}

async fn show_decided(hub: &Opened, out: &Out, number: i64, decided: &Decided) -> Outcome {
    let explained = flow::explain(&hub.context, &decided.left, &decided.right).await?;
    if out.json {
        out.value(
            &json!({ "suggestion": number, "statement": decided.statement, "now": explained }),
        );
    } else {
        print_stated(decided.statement, decided.kind, &explained, out);
    }
    Ok(Ending::Done)
}
