//! Leases: work that must not be done twice at the same time is done by the process that holds its lease. A holder renews it
//! every few seconds; one that ended, or did not renew for too long, loses the work to the next process that asks. Every
//! transaction of a holder is fenced by the lease's token (`fence`), so that one that was paused and goes on later writes
//! nothing.

use crate::clock::Clock;
use crate::flow::context::{Context, Process, Token};
use crate::problem::Problem;
use crate::problem::codes::CANCELLED;
use crate::store::{JobRow, Result, Store};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A holder that has not renewed its lease for this long has lost the work.
const LEASE_MS: i64 = 30_000;
/// How often a holder renews its lease.
const BEAT: Duration = Duration::from_secs(8);
/// How often a process that waits for a lease checks it.
const LOOK: Duration = Duration::from_millis(200);

/// The right to do a piece of work. Released with `end`; one that is dropped stays held until it expires or its process has
/// ended.
pub struct Lease {
    token: Token,
    store: Store,
    beating: JoinHandle<()>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

/// Takes the lease with that name, unless another process holds it.
pub async fn take(context: &Context, name: &str) -> Result<Option<Lease>> {
    let (store, clock) = (&context.store, &context.clock);
    // Checked with a read first: a process that waits for the lease does not queue for the write turn.
    if is_held(context, name).await? {
        return Ok(None);
    }
    let mut tx = store.begin().await?;
    let known = tx.job(name).await?.unwrap_or_default();
    if !is_free(&known, &context.process, clock) {
        return Ok(None);
    }
    let row = JobRow {
        name: name.to_owned(),
        holder: Some(context.process.id.to_string()),
        token: known.token + 1,
        leased_until: clock.now().0 + LEASE_MS,
        again_at: None,
        ..known
    };
    tx.save_job(&row).await?;
    tx.commit().await?;
    let token = Token {
        name: name.into(),
        number: row.token,
    };
    let beating = tokio::spawn(beat(store.clone(), clock.clone(), token.clone()));
    Ok(Some(Lease {
        token,
        store: store.clone(),
        beating,
    }))
}

/// Takes it as soon as it is free; none when the run is cancelled first. `waiting` is called once when it has to wait.
pub async fn wait(context: &Context, name: &str, waiting: impl FnOnce()) -> Result<Option<Lease>> {
    let mut waiting = Some(waiting);
    loop {
        if let Some(lease) = take(context, name).await? {
            return Ok(Some(lease));
        }
        if let Some(waiting) = waiting.take() {
            waiting();
        }
        if context.cancel.wait(LOOK).await {
            return Ok(None);
        }
    }
}

/// Whether some process holds the lease of that name.
pub async fn is_held(context: &Context, name: &str) -> Result<bool> {
    let known = context.store.read().await?.job(name).await?;
    Ok(known.is_some_and(|known| !is_free(&known, &context.process, &context.clock)))
}

/// Takes the lease of reading a source, for work on its stored records; none when the run is cancelled first.
pub async fn wait_to_read(context: &Context, source: &str) -> Result<Option<Lease>> {
    let waiting = || tracing::warn!(source, "another process reads it; waiting for it");
    wait(context, &format!("read {source}"), waiting).await
}

/// The problem of a run that was cancelled while it waited for a lease.
pub fn cancelled() -> Problem {
    Problem::new(
        &CANCELLED,
        "the run was stopped while it waited for another process",
    )
}

/// Whether a process is doing work that may still bring back people who seem to be gone: reading, or changing definitions or
/// rules.
pub async fn may_bring_people_back(context: &Context) -> Result<bool> {
    let jobs = context.store.read().await?.jobs().await?;
    let may = |name: &str| !name.starts_with("deliver ");
    let mut held = jobs
        .iter()
        .filter(|job| !is_free(job, &context.process, &context.clock));
    Ok(held.any(|job| may(&job.name)))
}

fn is_free(row: &JobRow, process: &Process, clock: &Clock) -> bool {
    let Some(holder) = &row.holder else {
        return true;
    };
    let left = row.leased_until - clock.now().0;
    // No lease ends later than its length from now, unless the clock was set back.
    !(0..=LEASE_MS).contains(&left) || (process.has_ended)(holder)
}

/// Renews the lease until it is dropped or lost.
async fn beat(store: Store, clock: Clock, token: Token) {
    loop {
        tokio::time::sleep(BEAT).await;
        match renew(&store, &clock, &token).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(problem) => {
                tracing::warn!(code = problem.code.id, lease = %token.name, "{}", problem.message);
            }
        }
    }
}

async fn renew(store: &Store, clock: &Clock, token: &Token) -> Result<bool> {
    let mut tx = store.begin().await?;
    let Some(mut row) = tx.job(&token.name).await? else {
        return Ok(false);
    };
    if row.token != token.number || row.holder.is_none() {
        return Ok(false);
    }
    row.leased_until = clock.now().0 + LEASE_MS;
    tx.save_job(&row).await?;
    tx.commit().await?;
    Ok(true)
}

impl Lease {
    /// The same context, all of whose transactions are fenced by this lease.
    pub fn fencing(&self, context: &Context) -> Context {
        Context {
            lease: Some(self.token.clone()),
            ..context.clone()
        }
    }

    /// Releases the lease, whether the work succeeded or failed, and returns the work's result.
    pub async fn over<T>(self, done: Result<T>) -> Result<T> {
        let ended = self.end().await;
        let done = done?;
        ended?;
        Ok(done)
    }

    /// Releases the lease after the work succeeded.
    pub async fn end(self) -> Result<()> {
        self.release(|row| {
            row.attempts = 0;
            row.problem = None;
        })
        .await
    }

    /// Releases the lease after a failure, which is stored with it.
    pub async fn fail(self, problem: &Problem) -> Result<()> {
        self.release(|row| {
            row.attempts += 1;
            row.problem = Some(format!("{}: {}", problem.code.id, problem.message));
        })
        .await
    }

    async fn release(self, record: impl FnOnce(&mut JobRow)) -> Result<()> {
        let mut tx = self.store.begin().await?;
        // A process that lost the lease changes nothing.
        if let Some(mut row) = tx.job(&self.token.name).await?
            && row.token == self.token.number
        {
            row.holder = None;
            record(&mut row);
            tx.save_job(&row).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
