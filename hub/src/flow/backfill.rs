//! What changes without new records: definitions that are new or edited, mappings that changed, timers that are due.

use crate::flow::change::{Change, Put, StreamRef, To};
use crate::flow::settle::{self, View};
use crate::flow::{Context, accounts, apply, land};
use crate::manifest::{Source, Stream};
use crate::model::Value;
use crate::problem::Problem;
use crate::problem::codes::RECORD_NOT_JSON;
use crate::store::{PersonRow, Result, Tx};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// People that one transaction takes.
const PEOPLE: i64 = 5_000;
/// Records that one transaction maps anew.
const RECORDS: i64 = 5_000;

/// Evaluates everybody when an audience or a destination is new, edited or gone. Gives how many definitions changed.
pub async fn backfill(context: &Context) -> Result<usize> {
    let mut tx = context.store.read().await?;
    let audiences: Vec<(String, String)> = context
        .plan
        .audiences
        .iter()
        .map(|audience| (audience.name.to_string(), audience.digest.clone()))
        .collect();
    let destinations: Vec<(String, String)> = context
        .plan
        .destinations
        .iter()
        .map(|one| (one.name.to_string(), digest(one)))
        .collect();
    let known_audiences = tx.audiences().await?;
    let known_destinations = tx.destinations().await?;
    drop(tx);
    let stale = |known: &[(String, String)], now: &[(String, String)]| {
        known
            .iter()
            .filter(|one| !now.contains(one))
            .count()
            .max(now.iter().filter(|one| !known.contains(one)).count())
    };
    let changed = stale(&known_audiences, &audiences) + stale(&known_destinations, &destinations);
    if changed == 0 {
        return Ok(0);
    }
    let mut tx = context.store.begin().await?;
    for (name, _) in &known_audiences {
        if !audiences.iter().any(|(kept, _)| kept == name) {
            tx.remove_audience(name).await?;
        }
    }
    tx.commit().await?;
    evaluate_everybody(context).await?;
    let mut tx = context.store.begin().await?;
    for (name, digest) in &audiences {
        tx.set_audience(name, digest).await?;
    }
    for (name, digest) in &destinations {
        tx.set_destination(name, digest).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

fn digest(destination: &crate::manifest::Destination) -> String {
    let text = format!(
        "{:?} {:?} {:?} {:?} {}",
        destination.consent,
        destination.person,
        destination.audiences,
        destination.connector,
        destination.member_key
    );
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

async fn evaluate_everybody(context: &Context) -> Result<()> {
    let mut after = 0;
    loop {
        let mut tx = context.store.begin().await?;
        let rows = tx.persons_after(after, PEOPLE).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.id;
        let views = views(&mut tx, context, rows).await?;
        settle::evaluate(&mut tx, context, &views).await?;
        tx.commit().await?;
    }
}

/// People with their evidence.
pub(super) async fn views(
    tx: &mut Tx,
    context: &Context,
    rows: Vec<PersonRow>,
) -> Result<Vec<View>> {
    let components: BTreeSet<i64> = rows.iter().map(|row| row.component).collect();
    let mut evidence: FxHashMap<i64, Vec<i64>> = FxHashMap::default();
    for row in tx.evidence_of_components(components).await? {
        if let Some(person) = row.person_id {
            evidence.entry(person).or_default().push(row.id);
        }
    }
    let mut views: Vec<View> = rows
        .into_iter()
        .map(|row| View {
            evidence: evidence.remove(&row.id).unwrap_or_default(),
            ..settle::view_of(&row)
        })
        .collect();
    accounts::fill(tx, context, &mut views).await?;
    Ok(views)
}

/// Evaluates the people whose timers are due (I7). Gives how many.
pub async fn due(context: &Context) -> Result<usize> {
    let mut total = 0;
    loop {
        let mut tx = context.store.begin().await?;
        let ids = tx.due_persons(context.clock.now(), PEOPLE).await?;
        if ids.is_empty() {
            return Ok(total);
        }
        total += ids.len();
        let rows = tx.persons(ids.iter().copied()).await?;
        tx.set_timers(&ids, &[]).await?;
        let views = views(&mut tx, context, rows).await?;
        settle::evaluate(&mut tx, context, &views).await?;
        tx.commit().await?;
    }
}

/// Which stored records are mapped anew.
#[derive(Clone, Copy, PartialEq)]
enum Which {
    All,
    WithLetters,
}

/// Maps a source's stored records anew where the mapping changed since. Gives how many records.
pub async fn remap(context: &Context, source: &Source) -> Result<i64> {
    let known = context.store.read().await?.streams().await?;
    let mut total = 0;
    for plan in &source.streams {
        let row = known
            .iter()
            .find(|row| *row.source == *source.name && *row.name == *plan.name);
        let Some(row) = row.filter(|row| row.digest != plan.digest) else {
            continue;
        };
        let stream = StreamRef {
            id: row.id,
            source: source.name.clone(),
            name: plan.name.clone(),
        };
        total += map_stored(context, &stream, plan, Which::All).await?;
        let mut tx = context.store.begin().await?;
        tx.set_stream_digest(stream.id, &plan.digest).await?;
        tx.commit().await?;
    }
    Ok(total)
}

/// Maps records with open dead letters again. Gives how many.
pub async fn retry_set_aside(context: &Context) -> Result<i64> {
    let known = context.store.read().await?.streams().await?;
    let mut total = 0;
    for source in &context.plan.sources {
        for plan in &source.streams {
            let row = known
                .iter()
                .find(|row| *row.source == *source.name && *row.name == *plan.name);
            let Some(row) = row else { continue };
            let stream = StreamRef {
                id: row.id,
                source: source.name.clone(),
                name: plan.name.clone(),
            };
            total += map_stored(context, &stream, plan, Which::WithLetters).await?;
        }
    }
    Ok(total)
}

async fn map_stored(
    context: &Context,
    stream: &StreamRef,
    plan: &Stream,
    which: Which,
) -> Result<i64> {
    let mut after = -1;
    let mut total = 0;
    loop {
        let mut tx = context.store.begin().await?;
        let rows = match which {
            Which::All => tx.records_of_stream(stream.id, after, RECORDS).await?,
            Which::WithLetters => tx.records_with_letters(stream.id, after, RECORDS).await?,
        };
        let Some((last, _)) = rows.last() else {
            return Ok(total);
        };
        after = last.slot;
        total += rows.len() as i64;
        let mut changes = Vec::with_capacity(rows.len());
        for (record, body) in rows {
            let value: Value = serde_json::from_slice(&body).map_err(|_| {
                Problem::new(
                    &RECORD_NOT_JSON,
                    format!("the stored version {} is not JSON", record.version_id),
                )
            })?;
            let (meaning, problems) = land::mapped(stream, plan, context, &record.key, &value);
            let put = Put {
                hash: record.hash,
                body: None,
                meaning,
                problems,
            };
            changes.push(Change {
                slot: record.slot,
                key: record.key.clone(),
                prior: Some(record),
                to: To::Put(Box::new(put)),
            });
        }
        apply(&mut tx, context, stream, changes).await?;
        tx.commit().await?;
    }
}
