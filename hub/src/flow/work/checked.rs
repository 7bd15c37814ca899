//! A destination is checked before it is first written to, and again when its connection was edited: what is wrong with all of it,
//! such as a list that does not exist, is one problem then, and its rows wait instead of being refused one by one.

use crate::flow::connect::calling::retrying;
use crate::flow::context::{Context, in_parallel};
use crate::host::{Connector, FailureKind};
use crate::manifest::Destination;
use crate::problem::{Place, Problem};
use crate::store::Result;

/// The connector back, and why the destination may not be written to, if it may not.
pub async fn checked(
    context: &Context,
    destination: &Destination,
    mut connector: Box<dyn Connector>,
) -> Result<(Box<dyn Connector>, Option<Problem>)> {
    let (name, digest) = (format!("checked {}", destination.name), digest(destination));
    let mut tx = context.store.read().await?;
    let known = tx.hub_value(&name).await?;
    if known.as_ref() == Some(&digest) || !tx.is_anything_pending(&destination.name).await? {
        return Ok((connector, None));
    }
    // An earlier version of the hub wrote to it, which says more than a check.
    let has_worked = known.is_none() && tx.destination_counts(&destination.name).await?.holds > 0;
    drop(tx);
    if has_worked {
        keep(context, &name, &digest).await?;
        return Ok((connector, None));
    }
    let cancel = context.cancel.clone();
    let (connector, done) = in_parallel(move || {
        let done = retrying(&cancel, || connector.check());
        (connector, done)
    })
    .await;
    match done {
        Ok(report) => {
            for warning in report.warnings {
                tracing::warn!("destination `{}`: {warning}", destination.name);
            }
            keep(context, &name, &digest).await?;
            Ok((connector, None))
        }
        Err(failure) if stops(failure.kind) => {
            let problem = failure.problem.at(Place::entry(&destination.name));
            let problem = match problem.hint {
                Some(_) => problem,
                None => problem.hint(format!(
                    "nothing was sent and its changes wait; correct it, and try it with `onefold connector check {}`",
                    destination.name
                )),
            };
            Ok((connector, Some(problem)))
        }
        // A check that is not possible now says nothing of the rows.
        Err(_) => Ok((connector, None)),
    }
}

async fn keep(context: &Context, name: &str, digest: &str) -> Result<()> {
    let mut tx = context.begin_held().await?;
    tx.set_hub_value(name, digest).await?;
    tx.commit().await
}

/// What no row is to blame for. A right that the check needs, writing may not need.
fn stops(kind: FailureKind) -> bool {
    use FailureKind::{Auth, Config, Permanent};
    matches!(kind, Config | Auth | Permanent)
}

fn digest(destination: &Destination) -> String {
    let Destination {
        connector,
        description,
        config,
        credentials,
        ..
    } = destination;
    let text = format!(
        "{connector} {} {config} {credentials:?}",
        description.version
    );
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}
