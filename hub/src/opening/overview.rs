//! What every surface shows of a hub as a whole, as values: its state, its plan, its audiences, statements and traits.

use super::{Opened, Pending};
use crate::flow::leftover::{self, Leftover};
use crate::flow::{self, Pause, traits_of};
use crate::manifest::{Audience, Subject};
use crate::model::Shown;
use crate::store::{Result, RunRow, SentRow, StatusCounts, Tx};
use serde::Serialize;
use uuid::Uuid;

/// The hub at a glance.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Status {
    #[serde(flatten)]
    pub counts: StatusCounts,
    pub hub: String,
    /// Components above `component_cap`.
    pub components_capped: usize,
    /// The newest run of each stream.
    pub streams: Vec<RunRow>,
    /// What was sent to each source that clients or its vendor send to.
    pub sent: Vec<SentRow>,
    pub left_over: Vec<Leftover>,
    pub audiences: Vec<AudienceSize>,
    pub next_runs: Vec<NextRun>,
    pub paused: Vec<Pause>,
    /// Edits that wait until they are applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AudienceSize {
    pub name: String,
    pub size: i64,
}

/// When a source is due; never, if it has no schedule.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NextRun {
    pub source: String,
    pub at: Option<Shown>,
    #[serde(skip)]
    pub is_scheduled: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AudienceHead {
    pub name: String,
    /// `people` or `accounts`
    pub of: &'static str,
    pub size: i64,
    pub description: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DestinationHead {
    pub name: String,
    pub connector: String,
    /// The purposes that it needs.
    pub consent: Vec<String>,
    /// Profiles and members that the destination has confirmed.
    pub holds: i64,
    /// Changes that the next delivery looks at.
    pub waits: i64,
    /// Rows that the vendor refused.
    pub refused: i64,
    /// People who are not sent though they would be there.
    pub withheld: i64,
}

/// The first members of an audience.
#[derive(Debug, Serialize)]
pub struct Members {
    pub audience: String,
    #[serde(skip)]
    pub of: Subject,
    /// Of the whole audience.
    pub size: usize,
    pub members: Vec<Member>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Member {
    pub id: String,
    /// Empty where a person has none; accounts have no such field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Shown>,
}

/// A statement about who is who, with its identifiers as `KIND:VALUE`.
#[derive(Debug, Serialize)]
pub struct Stated {
    pub id: i64,
    pub kind: String,
    pub left: String,
    pub right: String,
    pub reason: String,
    pub author: String,
    pub stated_at: Shown,
    pub revoked: Option<Taken>,
}

/// How a statement was taken back.
#[derive(Debug, Serialize)]
pub struct Taken {
    pub at: Shown,
    pub by: String,
    pub reason: String,
}

/// A computed trait.
#[derive(Debug, Serialize)]
pub struct TraitHead {
    pub name: String,
    pub description: String,
    /// For how many people it could not be computed, by reason.
    pub faults: Vec<(String, i64)>,
}

impl Opened {
    pub async fn status(&self) -> Result<Status> {
        let plan = &self.context.plan;
        let mut tx = self.context.store.read().await?;
        let mut audiences = Vec::new();
        for audience in plan.audiences.iter().filter(|one| !one.is_step) {
            audiences.push(AudienceSize {
                name: audience.name.to_string(),
                size: tx.member_count(audience.of, &audience.name).await?,
            });
        }
        Ok(Status {
            counts: tx.status_counts().await?,
            hub: plan.hub.name.clone(),
            components_capped: tx.capped().await?.len(),
            streams: self.last_runs(&mut tx).await?,
            sent: tx.sent().await?,
            left_over: leftover::leftovers(&mut tx, plan).await?,
            audiences,
            next_runs: self.next_runs(),
            paused: self.pauses().await?,
            pending: self.pending().await?,
        })
    }

    /// The newest run of each stream.
    async fn last_runs(&self, tx: &mut Tx) -> Result<Vec<RunRow>> {
        let mut runs = tx.last_runs().await?;
        self.mark_lost(&mut runs).await?;
        Ok(runs)
    }

    pub fn next_runs(&self) -> Vec<NextRun> {
        let now = self.context.clock.now();
        let sources = self.context.plan.sources.iter();
        let next = sources.map(|source| NextRun {
            source: source.name.to_string(),
            at: flow::Timing::new(&self.context.plan.hub.name, source)
                .and_then(|timing| timing.upcoming(now, None))
                .map(|due| Shown(due.at)),
            is_scheduled: source.schedule.is_some() || source.is_collected(),
        });
        next.collect()
    }

    /// The manifests' audiences with the sizes that they have now.
    pub async fn audiences(&self) -> Result<Vec<AudienceHead>> {
        let mut tx = self.context.store.read().await?;
        let mut heads = Vec::new();
        let audiences = self.context.plan.audiences.iter();
        for audience in audiences.filter(|one| !one.is_step) {
            heads.push(AudienceHead {
                name: audience.name.to_string(),
                of: match audience.of {
                    Subject::Person => "people",
                    Subject::Account => "accounts",
                },
                size: tx.member_count(audience.of, &audience.name).await?,
                description: audience.description.clone(),
            });
        }
        Ok(heads)
    }

    /// The manifests' destinations with what each holds.
    pub async fn destinations(&self) -> Result<Vec<DestinationHead>> {
        let mut tx = self.context.store.read().await?;
        let mut heads = Vec::new();
        for destination in &self.context.plan.destinations {
            let counts = tx.destination_counts(&destination.name).await?;
            let withheld = tx.withheld(&destination.name).await?;
            heads.push(DestinationHead {
                name: destination.name.to_string(),
                connector: destination.connector.clone(),
                consent: destination.consent.clone(),
                holds: counts.holds,
                waits: counts.waits,
                refused: counts.refused,
                withheld: withheld.iter().map(|(_, count)| count).sum(),
            });
        }
        Ok(heads)
    }

    /// Up to `limit` members of an audience, by id.
    pub async fn members(&self, audience: &Audience, limit: usize) -> Result<Members> {
        let (size, members) = match audience.of {
            Subject::Person => self.people_in(&audience.name, limit).await?,
            Subject::Account => self.accounts_in(&audience.name, limit).await?,
        };
        Ok(Members {
            audience: audience.name.to_string(),
            of: audience.of,
            size,
            members,
        })
    }

    async fn accounts_in(&self, audience: &str, limit: usize) -> Result<(usize, Vec<Member>)> {
        let mut tx = self.context.store.read().await?;
        let rows = tx.account_members(audience).await?;
        let size = rows.len();
        let members = rows.into_iter().take(limit).map(|row| Member {
            id: row.account,
            email: None,
            since: Some(Shown::of(row.since)),
        });
        Ok((size, members.collect()))
    }

    async fn people_in(&self, audience: &str, limit: usize) -> Result<(usize, Vec<Member>)> {
        let mut tx = self.context.store.read().await?;
        let rows = tx.members(audience).await?;
        let shown = &rows[..rows.len().min(limit)];
        let mut persons = tx.persons(shown.iter().map(|row| row.person_id)).await?;
        persons.sort_unstable_by_key(|person| person.id);
        let mut members = Vec::with_capacity(persons.len());
        for person in persons {
            let since = shown.iter().find(|row| row.person_id == person.id);
            let traits = traits_of(&person)?;
            let email = traits.get("email").and_then(|value| value.as_str());
            members.push(Member {
                id: Uuid::from_bytes(person.uuid).to_string(),
                email: Some(email.unwrap_or_default().to_owned()),
                since: since.map(|row| Shown::of(row.since)),
            });
        }
        Ok((rows.len(), members))
    }

    /// Every statement ever made about who is who, by number.
    pub async fn statements(&self) -> Result<Vec<Stated>> {
        let mut tx = self.context.store.read().await?;
        let rows = tx.statements().await?;
        let slots: Vec<i64> = rows.iter().flat_map(|row| [row.left, row.right]).collect();
        let known = tx.identifiers_at(&slots).await?;
        let name = |slot: i64| {
            let row = known.iter().find(|row| row.slot == slot);
            row.map_or_else(String::new, |row| format!("{}:{}", row.kind, row.value))
        };
        let stated = rows.into_iter().map(|row| Stated {
            id: row.id,
            kind: row.kind,
            left: name(row.left),
            right: name(row.right),
            reason: row.reason,
            author: row.author,
            stated_at: Shown::of(row.stated_at),
            revoked: row.revoked.map(|revoked| Taken {
                at: Shown::of(revoked.at),
                by: revoked.by,
                reason: revoked.reason,
            }),
        });
        Ok(stated.collect())
    }

    /// The computed traits of the manifests.
    pub async fn traits(&self) -> Result<Vec<TraitHead>> {
        let faults = self.context.store.read().await?.fault_counts().await?;
        let of = |name: &str| {
            let faults = faults.iter().filter(|(of, ..)| of == name);
            let faults = faults.map(|(_, kind, count)| (kind.clone(), *count));
            faults.collect()
        };
        let traits = self.context.plan.traits.iter();
        let heads = traits.map(|one| TraitHead {
            name: one.name.to_string(),
            description: one.description.clone(),
            faults: of(&one.name),
        });
        Ok(heads.collect())
    }
}
