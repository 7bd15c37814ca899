//! A destination is checked before it is first written to, and again when its connection was edited: what is wrong with all of it,
//! such as a list that does not exist, is one problem then, and its rows wait instead of being refused one by one.

use crate::flow::connect::calling::retrying;
use crate::flow::context::{Context, in_parallel};
use crate::host::{Connector, FailureKind};
use crate::manifest::Destination;
use crate::problem::{Place, Problem};
use crate::store::Result;

/// The connector of a destination that may be written to, or why it may not.
pub async fn checked(
    context: &Context,
    destination: &Destination,
    mut connector: Box<dyn Connector>,
) -> Result<std::result::Result<Box<dyn Connector>, Problem>> {
    let (name, digest) = (format!("checked {}", destination.name), digest(destination));
    let mut tx = context.store.read().await?;
    let is_known = tx.hub_value(&name).await?.as_ref() == Some(&digest);
    if is_known || !tx.is_anything_pending(&destination.name).await? {
        return Ok(Ok(connector));
    }
    drop(tx);
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
            let mut tx = context.begin_held().await?;
            tx.set_hub_value(&name, &digest).await?;
            tx.commit().await?;
            Ok(Ok(connector))
        }
        Err(failure) if stops(failure.kind) => {
            let problem = failure.problem.at(Place::Record {
                source: destination.name.to_string(),
                stream: None,
                key: None,
                field: None,
            });
            Ok(Err(match problem.hint {
                Some(_) => problem,
                None => problem.hint(format!(
                    "nothing was sent and its changes wait; correct it, and try it with `onefold connector check {}`",
                    destination.name
                )),
            }))
        }
        // A check that is not possible now says nothing of the rows.
        Err(_) => Ok(Ok(connector)),
    }
}

/// What no row is to blame for.
fn stops(kind: FailureKind) -> bool {
    use FailureKind::{Auth, Config, Permanent, Permission};
    matches!(kind, Config | Auth | Permission | Permanent)
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
