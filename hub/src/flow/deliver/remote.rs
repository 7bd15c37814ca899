//! A destination's own audiences: created on first use, and created again when the vendor says that one is gone. The state of
//! its members is unknown then, and all of them are sent again with `verify`.

use super::call::{Answer, Call};
use super::group::{Group, Row};
use super::send::Sender;
use crate::delivery::Operation;
use crate::flow::commit::fence;
use crate::flow::commit::want::mark;
use crate::flow::connect::calling::retrying;
use crate::flow::context::{Context, in_parallel};
use crate::host::{Cancel, Connector, Failure, FailureKind};
use crate::problem::codes::{LEASE_LOST, MANIFESTS_CHANGED};
use crate::store::Result;
use std::time::Duration;

/// How often it is asked whether a batch that is being sent may still be sent.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Members whose state is marked as unknown in one transaction.
const MEMBERS: i64 = 5_000;

/// The result of sending a batch.
pub(super) enum Sent {
    Answer(Answer),
    /// The audience could not be created.
    NoAudience(Failure),
}

/// The result of creating again an audience that the vendor said is gone.
pub(super) enum Renewed {
    /// A new one was created in its place.
    Replaced,
    /// It has the same id: either it was created again under it, or it was never gone.
    Same,
    Failed(Box<Failure>),
    /// Not done: it was done before in this delivery, or the failure does not say that the audience is gone.
    Not,
}

/// Whether the vendor does not have what the request was about.
fn is_gone(failure: &Failure) -> bool {
    failure.kind == FailureKind::Permanent && matches!(failure.http_status, Some(404 | 410))
}

/// Returns when these rows must not be sent any more: somebody among them was suppressed, withdrew or is wanted there no more, another
/// process took over or uses other manifests, or the hub is stopped (I13, I15). Changed values do not count: the new ones are sent after
/// these.
fn forbidden(context: Context, group: &Group, rows: &[Row]) -> impl Future<Output = ()> + use<> {
    let changes: Vec<i64> = match group.operation {
        // Removing is never forbidden.
        Operation::Remove => Vec::new(),
        _ => rows.iter().map(Row::change).collect(),
    };
    async move {
        while !context.cancel.wait(ASK_AGAIN).await {
            match is_forbidden(&context, &changes).await {
                Ok(false) => {}
                Ok(true) => return,
                Err(problem) if [&LEASE_LOST, &MANIFESTS_CHANGED].contains(&problem.code) => return,
                // A store that cannot be read now is asked again.
                Err(_) => {}
            }
        }
    }
}

async fn is_forbidden(context: &Context, changes: &[i64]) -> Result<bool> {
    let mut tx = context.store.read().await?;
    fence::check(&mut tx, context).await?;
    tx.are_forbidden(changes.iter().copied()).await
}

impl Sender<'_> {
    pub(super) async fn call(&mut self, group: &Group, rows: &[Row]) -> Result<Sent> {
        let audience = match group.audience() {
            "" => None,
            name => match self.remote_audience(name).await? {
                Ok(id) => Some(id),
                Err(failure) => return Ok(Sent::NoAudience(failure)),
            },
        };
        let trace = &self.context.trace;
        let cause = rows.iter().map(Row::change).max();
        let cause = cause.map(|change| trace.cause(change)).unwrap_or_default();
        let span = trace.span("deliver", &cause);
        let mut span = span
            .text("destination", &self.destination.name)
            .text("object", &group.object)
            .text("operation", group.operation.name());
        span.number("rows", rows.len() as i64);
        let call = Call::of(self.destination, group, rows, audience);
        let count = rows.len() as u32;
        let cancel = Cancel::default();
        let same = cancel.clone();
        let forbidden = forbidden(self.context.clone(), group, rows);
        let call = self.with_connector(cancel, move |connector, cancel| {
            call.send(connector, cancel, count)
        });
        let stopping = async {
            forbidden.await;
            same.cancel();
            std::future::pending::<()>().await;
        };
        let answer = tokio::select! {
            answer = call => answer?,
            () = stopping => unreachable!("it waits for the call"),
        };
        match &answer.outcome {
            Ok(outcome) => span.number("failed", outcome.failures.len() as i64),
            Err(failure) => span.failed(failure.problem.code.id),
        }
        let is_forbidden = same.is_cancelled() && !self.context.cancel.is_cancelled();
        Ok(Sent::Answer(Answer {
            is_forbidden,
            ..answer
        }))
    }

    /// The destination's id of an audience, which is created there on first use.
    async fn remote_audience(
        &mut self,
        name: &str,
    ) -> Result<std::result::Result<String, Failure>> {
        let mut tx = self.context.store.read().await?;
        if let Some(id) = tx.remote_audience(&self.destination.name, name).await? {
            return Ok(Ok(id));
        }
        drop(tx);
        let made = self.make(name).await?;
        if let Ok(id) = &made {
            self.keep(name, id).await?;
        }
        Ok(made)
    }

    async fn make(&mut self, name: &str) -> Result<std::result::Result<String, Failure>> {
        let wanted = name.to_owned();
        let cancel = self.context.cancel.clone();
        self.with_connector(cancel, move |connector, cancel| {
            let made = retrying(cancel, || connector.create_audience(&wanted, None));
            made.map(|audience| audience.id)
        })
        .await
    }

    async fn keep(&mut self, name: &str, id: &str) -> Result<()> {
        let mut tx = self.context.begin_held().await?;
        tx.set_remote_audience(&self.destination.name, name, id)
            .await?;
        tx.commit().await
    }

    /// After a failure that says that an audience is gone: creates it again, once in a delivery.
    pub(super) async fn renew(&mut self, group: &Group, failure: &Failure) -> Result<Renewed> {
        let name = group.audience().to_owned();
        if name.is_empty() || !is_gone(failure) || !self.renewed.insert(name.clone()) {
            return Ok(Renewed::Not);
        }
        let mut tx = self.context.store.read().await?;
        let before = tx.remote_audience(&self.destination.name, &name).await?;
        drop(tx);
        let id = match self.make(&name).await? {
            Ok(id) => id,
            Err(failure) => return Ok(Renewed::Failed(Box::new(failure))),
        };
        if before.as_deref() == Some(&*id) {
            return Ok(Renewed::Same);
        }
        // I9: the new id is stored last. If the process is killed before, this is done again.
        self.mark_unknown(&group.object).await?;
        self.keep(&name, &id).await?;
        Ok(Renewed::Replaced)
    }

    // I8: nothing that was acknowledged can be relied upon. Wanted members are added, the others removed, and the connector
    // checks the vendor's state before either.
    pub(super) async fn mark_unknown(&mut self, object: &str) -> Result<()> {
        let destination = &self.destination.name;
        loop {
            let mut tx = self.context.store.begin().await?;
            let keys = tx.acknowledged_keys(destination, object, MEMBERS).await?;
            if keys.is_empty() {
                return Ok(());
            }
            let whole = |key: &String| (destination.to_string(), object.to_owned(), key.clone());
            mark(&mut tx, keys.iter().map(whole).collect()).await?;
            tx.mark_unsure(destination, object, &keys).await?;
            let gone: Vec<_> = keys
                .into_iter()
                .map(|key| (object.to_owned(), key))
                .collect();
            tx.forget_acknowledged(destination, &gone).await?;
            tx.commit().await?;
            self.again = true;
        }
    }

    async fn with_connector<T: Send + 'static>(
        &mut self,
        cancel: Cancel,
        call: impl FnOnce(&mut dyn Connector, &Cancel) -> T + Send + 'static,
    ) -> Result<T> {
        let mut connector = self
            .connector
            .take()
            .expect("calls are made one after another");
        let (connector, done) = in_parallel(move || {
            connector.cancel_by(&cancel);
            let done = call(connector.as_mut(), &cancel);
            (connector, done)
        })
        .await;
        self.connector = Some(connector);
        Ok(done)
    }
}
