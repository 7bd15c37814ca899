//! The hub as a whole: how it is, what ran, what is due, what it is connected to, and what is paused.

use crate::api::answer::{Answer, Answered};
use crate::api::routes::people::reason;
use crate::api::take::{Asked, Given, Limit, Named, Sent};
use crate::flow::Pause;
use crate::opening::{Agenda, Opened, Pausing, Ran, RanOne, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// The hub at a glance.
#[utoipa::path(get, path = "/status", tag = "hub", security(("token" = ["hub:read"])),
    responses((status = 200, description = "Counts, streams, audiences, pauses.", body = Status)))]
pub async fn status(asked: Asked) -> Answered {
    Ok(Answer::of(&asked.hub().status().await?)?.impersonal())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    /// Only of this source.
    source: Option<String>,
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// What ran and what did not, the newest first.
#[utoipa::path(get, path = "/runs", tag = "hub", security(("token" = ["hub:read"])), params(Runs),
    responses((status = 200, description = "Runs of streams, and times that were missed.", body = Vec<Ran>)))]
pub async fn runs(asked: Asked, Given(runs): Given<Runs>) -> Answered {
    let hub = asked.hub();
    hub.refuse_unknown(runs.source.as_deref(), None)?;
    let found = hub.runs(runs.source.as_deref(), runs.limit.count()).await?;
    Ok(Answer::of(&found)?.impersonal())
}

/// One run, and where its stream goes on from.
#[utoipa::path(get, path = "/runs/{id}", tag = "hub", security(("token" = ["hub:read"])),
    params(("id" = i64, Path, description = "Its number.")),
    responses((status = 200, description = "The run.", body = RanOne)))]
pub async fn run(asked: Asked, Named(id): Named<i64>) -> Answered {
    Ok(Answer::of(&asked.hub().run_of(id).await?)?.impersonal())
}

/// When everything is due next, and what keeps it from being done.
#[utoipa::path(get, path = "/schedules", tag = "hub", security(("token" = ["hub:read"])),
    responses((status = 200, description = "Sources, destinations, timers, models.", body = Agenda)))]
pub async fn schedules(asked: Asked) -> Answered {
    Ok(Answer::of(&asked.hub().agenda().await?)?.impersonal())
}

/// A connector that the manifests use.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectorHead {
    name: String,
    version: String,
    title: String,
    /// The sources that it reads.
    sources: Vec<String>,
    /// The destinations that it writes to.
    destinations: Vec<String>,
}

/// The connectors that the manifests use.
#[utoipa::path(get, path = "/connectors", tag = "hub", security(("token" = ["hub:read"])),
    responses((status = 200, description = "Connectors by name.", body = Vec<ConnectorHead>)))]
pub async fn connectors(asked: Asked) -> Answered {
    Ok(Answer::of(&used(asked.hub()))?.impersonal())
}

fn used(hub: &Opened) -> Vec<ConnectorHead> {
    let plan = &hub.context.plan;
    let mut heads: BTreeMap<&str, ConnectorHead> = BTreeMap::new();
    let described = plan.sources.iter().map(|one| &one.description);
    let described = described.chain(plan.destinations.iter().map(|one| &one.description));
    for one in described {
        let head = || ConnectorHead {
            name: one.name.clone(),
            version: one.version.clone(),
            title: one.title.clone(),
            sources: Vec::new(),
            destinations: Vec::new(),
        };
        heads.entry(&one.name).or_insert_with(head);
    }
    for source in &plan.sources {
        if let Some(head) = heads.get_mut(&*source.description.name) {
            head.sources.push(source.name.to_string());
        }
    }
    for destination in &plan.destinations {
        if let Some(head) = heads.get_mut(&*destination.description.name) {
            head.destinations.push(destination.name.to_string());
        }
    }
    heads.into_values().collect()
}

/// What is paused or resumed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pausable {
    /// A source or destination; `source:NAME` or `destination:NAME` where both have the name.
    name: String,
    /// Why; it is kept and shown.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// A pause, and the one that it replaces.
#[derive(Debug, Serialize, ToSchema)]
pub struct PausedNow {
    paused: Pause,
    before: Option<Pause>,
}

/// The pause that ended; none where nothing was paused.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResumedNow {
    resumed: Option<Pause>,
}

/// Read a source no more, or send nothing to a destination, until it is resumed.
#[utoipa::path(post, path = "/pause", tag = "hub", security(("token" = ["hub:operate"])), request_body = Pausable,
    responses((status = 200, description = "Every process obeys within a second.", body = PausedNow)))]
pub async fn pause(asked: Asked, Sent(wanted): Sent<Pausable>) -> Answered {
    let pausing = Pausing {
        name: &wanted.name,
        reason: reason(&wanted.reason)?,
        by: &asked.by.name,
    };
    let (paused, before) = asked.hub().pause(&pausing).await?;
    let about = format!("{} {}", paused.kind, paused.name);
    let answer = Answer::of(&PausedNow { paused, before })?;
    Ok(answer.impersonal().about(about))
}

/// End a pause.
#[utoipa::path(post, path = "/resume", tag = "hub", security(("token" = ["hub:operate"])), request_body = Pausable,
    responses((status = 200, description = "It goes on.", body = ResumedNow)))]
pub async fn resume(asked: Asked, Sent(wanted): Sent<Pausable>) -> Answered {
    let pausing = Pausing {
        name: &wanted.name,
        reason: reason(&wanted.reason)?,
        by: &asked.by.name,
    };
    let (kind, name, resumed) = asked.hub().resume(&pausing).await?;
    let answer = Answer::of(&ResumedNow { resumed })?;
    Ok(answer.impersonal().about(format!("{kind} {name}")))
}
