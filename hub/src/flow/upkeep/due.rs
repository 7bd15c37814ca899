//! What changes as time passes: timers that are due. Also evaluates everybody, some thousands at a time.

use crate::flow::commit::settle;
use crate::flow::commit::touched::Ripple;
use crate::flow::commit::view::Happened;
use crate::flow::commit::views::{events_of, views};
use crate::flow::context::{Context, Watch};
use crate::store::Result;
use rustc_hash::FxHashMap;

/// People that one transaction takes.
const PEOPLE: i64 = 5_000;

/// Evaluates the people and accounts whose timers are due (I7). Returns how many.
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

/// Computes everybody's traits and audiences.
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

/// The last of the next people after `after`, and the events of these people that anything reads, by person.
pub async fn events_by_person(
    context: &Context,
    after: i64,
) -> Result<Option<(i64, FxHashMap<i64, Vec<Happened>>)>> {
    let mut tx = context.store.read().await?;
    let rows = tx.persons_after(after, PEOPLE).await?;
    let Some(last) = rows.last().map(|row| row.id) else {
        return Ok(None);
    };
    let views = views(&mut tx, context, rows).await?;
    let events = events_of(&mut tx, context, &views).await?;
    Ok(Some((last, events)))
}
