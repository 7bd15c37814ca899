//! Delivering to one destination, unless it is paused or something is wrong with all of it.

use crate::flow::connect::Opens;
use crate::flow::context::Context;
use crate::flow::deliver::{DeliveryOptions, DeliveryReport, deliver};
use crate::flow::lease;
use crate::flow::work::bounded::bounded;
use crate::flow::work::checked::checked;
use crate::flow::work::pauses::{Pause, pause_of, paused};
use crate::flow::work::run::{Events, RunEvent};
use crate::manifest::Destination;
use crate::store::{Paused, Result};

/// Delivers to one destination, once no other process does.
pub async fn deliver_to(
    context: &Context,
    destination: &Destination,
    connectors: &dyn Opens,
    how: DeliveryOptions,
    events: &Events,
) -> Result<DeliveryReport> {
    let name = format!("deliver {}", destination.name);
    let waiting = || events(RunEvent::Waiting { what: &name });
    let Some(lease) = lease::wait(context, &name, waiting).await? else {
        return Ok(nothing(destination));
    };
    events(RunEvent::Delivering {
        destination: &destination.name,
    });
    let fenced = lease.fencing(context);
    let delivered = deliver_held(&fenced, destination, connectors, how).await;
    let report = lease.over(delivered).await?;
    events(RunEvent::Delivered(&report));
    Ok(report)
}

/// The same, for the holder of its lease.
pub async fn deliver_held(
    context: &Context,
    destination: &Destination,
    connectors: &dyn Opens,
    how: DeliveryOptions,
) -> Result<DeliveryReport> {
    let connector = match connectors.destination(destination) {
        Ok(connector) => connector,
        Err(problems) => {
            return Ok(DeliveryReport {
                problems,
                ..nothing(destination)
            });
        }
    };
    let name = &destination.name;
    if pause_of(context, Paused::Destination, name)
        .await?
        .is_some()
    {
        let how = DeliveryOptions {
            suppressed_only: true,
            ..how
        };
        let mut report = deliver(context, destination, connector, how).await?;
        report.paused = true;
        return Ok(report);
    }
    let (connector, wrong) = checked(context, destination, connector).await?;
    let how = DeliveryOptions {
        suppressed_only: wrong.is_some(),
        ..how
    };
    let ending = paused(context, Paused::Destination, name);
    let delivering = async |context: Context| deliver(&context, destination, connector, how).await;
    let (delivered, _) = bounded(context, ending, delivering).await;
    let mut report = delivered?;
    report.problems.splice(0..0, wrong);
    Ok(report)
}

pub async fn paused_destinations(context: &Context) -> Result<Vec<Pause>> {
    let mut paused = context.store.read().await?.pauses().await?;
    let mut known = context.plan.destinations.iter().map(|one| &*one.name);
    paused.retain(|row| row.kind == Paused::Destination && known.any(|name| name == row.name));
    Ok(paused.into_iter().map(Pause::from).collect())
}

fn nothing(destination: &Destination) -> DeliveryReport {
    DeliveryReport {
        destination: destination.name.to_string(),
        ..DeliveryReport::default()
    }
}
