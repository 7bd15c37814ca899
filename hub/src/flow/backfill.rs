//! What changes without new records: mappings that changed, timers that are due. Definitions that are new or edited stand
//! in `fill`.

use crate::flow::change::{Change, Put, StreamRef, To};
use crate::flow::ripple::Ripple;
use crate::flow::settle::{self, View};
use crate::flow::{Context, UNFINISHED, Watch, accounts, announce, apply, land};
use crate::manifest::{Source, Stream};
use crate::model::Value;
use crate::problem::Problem;
use crate::problem::codes::RECORD_NOT_JSON;
use crate::store::{PersonRow, Result, Tx};
use rustc_hash::FxHashMap;

/// People that one transaction takes.
const PEOPLE: i64 = 5_000;
/// Records that one transaction maps anew.
const RECORDS: i64 = 5_000;

/// Works out everybody's traits and audiences.
pub async fn evaluate_everybody(context: &Context, watch: Watch<'_>) -> Result<()> {
    let (mut after, mut people) = (0, 0);
    loop {
        let mut tx = context.begin().await?;
        let rows = tx.persons_after(after, PEOPLE).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.id;
        people += rows.len();
        watch("working out traits", people);
        let mut views = views(&mut tx, context, rows).await?;
        let mut ripple = Ripple::default();
        settle::evaluate(&mut tx, context, &mut views, &mut ripple).await?;
        ripple.carry(&mut tx, context).await?;
        tx.commit().await?;
    }
}

/// The events that are read of the next people after one, by person, and the last of them.
pub async fn events_by_person(
    context: &Context,
    after: i64,
) -> Result<Option<(i64, FxHashMap<i64, Vec<settle::Happened>>)>> {
    let mut tx = context.store.read().await?;
    let rows = tx.persons_after(after, PEOPLE).await?;
    let Some(last) = rows.last().map(|row| row.id) else {
        return Ok(None);
    };
    let views = views(&mut tx, context, rows).await?;
    let events = settle::events_of(&mut tx, context, &views).await?;
    Ok(Some((last, events)))
}

/// People with their evidence.
pub(super) async fn views(
    tx: &mut Tx,
    context: &Context,
    rows: Vec<PersonRow>,
) -> Result<Vec<View>> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut evidence: FxHashMap<i64, Vec<i64>> = FxHashMap::default();
    for (person, id) in tx.evidence_of_persons(&ids).await? {
        evidence.entry(person).or_default().push(id);
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

/// Evaluates the people and accounts whose timers are due (I7). Gives how many.
pub async fn due(context: &Context) -> Result<usize> {
    let mut total = 0;
    loop {
        let mut tx = context.begin().await?;
        let now = context.clock.now();
        let ids = tx.due_persons(now, PEOPLE).await?;
        let accounts = tx.take_due_accounts(now, PEOPLE).await?;
        if ids.is_empty() && accounts.is_empty() {
            return Ok(total);
        }
        total += ids.len() + accounts.len();
        let mut ripple = Ripple::default();
        ripple.accounts(accounts);
        let rows = tx.persons(ids.iter().copied()).await?;
        tx.set_timers(&ids, &[]).await?;
        let mut views = views(&mut tx, context, rows).await?;
        settle::evaluate(&mut tx, context, &mut views, &mut ripple).await?;
        ripple.carry(&mut tx, context).await?;
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
        // I9: stopped half-way, neither the old mapping nor this one is what all records follow.
        let mut tx = context.begin().await?;
        tx.set_stream_digest(stream.id, UNFINISHED).await?;
        tx.commit().await?;
        total += map_stored(context, &stream, plan, Which::All).await?;
        let mut tx = context.begin().await?;
        tx.set_stream_digest(stream.id, &plan.digest).await?;
        tx.commit().await?;
    }
    Ok(total)
}

/// Maps records with open dead letters again. Gives how many.
pub async fn retry_set_aside(context: &Context) -> Result<i64> {
    announce(context).await?;
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
        let mut tx = context.begin().await?;
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
