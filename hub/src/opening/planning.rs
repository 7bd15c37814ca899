//! What other manifests would do, found by doing it to a copy of the store, and doing it by the plan's hash.

use super::{Environment, Opened, Stopped, unknown, versions};
use crate::flow::leftover::{self, Leftover};
use crate::flow::rules::{self, Difference as Resolved};
use crate::flow::{
    self, Approval, AudienceReport, Context, DeliveryReport, Events, Leave, Pause, RunReport,
};
use crate::manifest::version::{Change, former_stream};
use crate::manifest::{Difference, Plan, version};
use crate::model::Shown;
use crate::problem::Problem;
use crate::problem::codes::{PLAN_STALE, RULES_NOT_APPLIED, USAGE};
use crate::store::{Result, Trial, Tx};
use serde::Serialize;
use std::path::Path;

/// What a run would read, change and send now, and what applying the manifests would do.
#[derive(Debug, Default, Serialize)]
pub struct Planned {
    /// Names this plan to `onefold apply`; none where nothing is to be applied, or it cannot be.
    pub hash: Option<String>,
    /// The version in force, when it was applied, and the one that would be.
    pub applied: Option<Applied>,
    pub version: String,
    pub differences: Vec<Difference>,
    /// What the identity rules would do, where they are not those in force.
    pub identity: Option<Resolved>,
    pub streams: Vec<PlannedStream>,
    /// New or edited definitions.
    pub audiences_to_fill: Vec<String>,
    /// Whom edits of the manifests bring into audiences and take out.
    pub audiences: Vec<AudienceReport>,
    pub destinations: Vec<DeliveryReport>,
    pub left_over: Vec<Leftover>,
    pub paused: Vec<Pause>,
    /// Why an edit cannot take effect.
    #[serde(skip)]
    pub problems: Vec<Problem>,
}

/// The version in force.
#[derive(Debug, Serialize)]
pub struct Applied {
    pub version: String,
    pub at: Shown,
}

#[derive(Debug, Serialize)]
pub struct PlannedStream {
    pub source: String,
    pub stream: String,
    /// Its stored records are mapped again first.
    pub remap: bool,
    /// How many those are.
    pub records: i64,
    /// What changed since then is read; everything, if there is no time.
    pub since: Option<Shown>,
}

impl Planned {
    pub fn is_guarded(&self) -> bool {
        self.destinations.iter().any(|one| one.guarded) || !self.problems.is_empty()
    }
}

/// Which plan is to be applied.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    pub hash: &'a str,
    /// An earlier version instead of the folder's manifests.
    pub from: Option<&'a str>,
    /// `SOURCE=FATE` for sources that are taken out.
    pub removed: &'a [String],
}

/// What becomes of the records of a source that is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// They stay, and what they say counts.
    Keep,
    /// As if the vendor had deleted them.
    Retire,
    /// The same, and nothing of them is kept.
    Erase,
}

impl Wish<'_> {
    /// What was said of each source that these differences take out.
    fn fates(&self, differences: &[Difference]) -> Result<Vec<(String, Fate)>> {
        let gone = differences
            .iter()
            .filter(|one| one.what == "source" && one.change == Change::Removed);
        let gone: Vec<&str> = gone.map(|one| &*one.name).collect();
        let mut fates = Vec::new();
        for said in self.removed {
            let (source, fate) = said.split_once('=').unwrap_or((said, ""));
            if !gone.contains(&source) {
                return Err(unknown(
                    "source that is taken out",
                    source,
                    gone.into_iter(),
                ));
            }
            let fate = match fate {
                "keep" => Fate::Keep,
                "retire" => Fate::Retire,
                "erase" => Fate::Erase,
                _ => {
                    let message = format!("`{said}` does not say what becomes of `{source}`");
                    return Err(Problem::new(&USAGE, message).hint(format!(
                        "write `{source}=keep`, `{source}=retire` or `{source}=erase`"
                    )));
                }
            };
            fates.push((source.to_owned(), fate));
        }
        Ok(fates)
    }
}

impl Opened {
    /// Where definitions were edited, what that does is found by doing it to a copy of the store. Up to `show` rows of each kind
    /// are named.
    pub async fn planned(&self, environment: &Environment, show: usize) -> Result<Planned> {
        let context = &self.context;
        let paused = self.pauses().await?;
        let standing = self.standing(&mut context.store.read().await?).await?;
        let mut streams = self.planned_streams(&standing.differences).await?;
        streams.retain(|one| {
            !paused
                .iter()
                .any(|pause| is_of(pause, "source", &one.source))
        });
        let mut tx = context.store.read().await?;
        let known = tx.audiences().await?;
        let audiences = context.plan.audiences.iter().filter(|one| {
            let mut known = known.iter();
            !known.any(|(name, digest)| *name == *one.name && *digest == one.digest)
        });
        let mut planned = Planned {
            version: context.plan.version.short().to_owned(),
            audiences_to_fill: audiences.map(|one| one.name.to_string()).collect(),
            left_over: leftover::leftovers(&mut tx, &context.plan).await?,
            streams,
            paused,
            ..Planned::default()
        };
        planned
            .left_over
            .retain(|left| !standing.renames(&context.plan, left));
        let is_edited = flow::manifests_digest(&mut tx).await? != context.plan.digest
            || standing.has_other_rules
            || planned.streams.iter().any(|stream| stream.remap)
            || !planned.audiences_to_fill.is_empty();
        let has_records = tx.status_counts().await?.records > 0;
        drop(tx);
        if standing.has_other_rules {
            let quiet = |_: usize, _: usize| {};
            let resolved = rules::simulate(context, &context.plan.identity, &quiet).await?;
            planned.identity = Some(resolved);
        }
        planned.hash = standing.hash();
        planned.differences = standing.differences;
        planned.applied = standing.applied;
        let trial = match is_edited && has_records {
            true => Trial::of(&context.plan.hub.store).await?,
            false => None,
        };
        let Some(trial) = trial else {
            planned.destinations = deliveries(context, &planned.paused, show).await?;
            return Ok(planned);
        };
        let store = super::open_store(&trial.url(), environment).await?;
        let (copy, _) = super::context(context.plan.clone(), store, environment).await?;
        let tried = try_out(&copy, &planned.paused, show).await;
        copy.store.close().await;
        let (report, destinations) = tried?;
        planned.audiences = report.audiences;
        planned.audiences.retain(|one| one.entered + one.left > 0);
        planned.problems = report.problems;
        planned.destinations = destinations;
        if !planned.problems.is_empty() {
            planned.hash = None;
        }
        Ok(planned)
    }

    async fn planned_streams(&self, differences: &[Difference]) -> Result<Vec<PlannedStream>> {
        let mut tx = self.context.store.read().await?;
        let known = tx.streams().await?;
        let mut streams = Vec::new();
        for source in &self.context.plan.sources {
            for stream in &source.streams {
                let was = former_stream(differences, &source.name, &stream.name);
                let row = known.iter().find(|row| (&*row.source, &*row.name) == was);
                let since = match row {
                    Some(row) => tx.cursor_moved_at(row.id).await?,
                    None => None,
                };
                let changed = row.filter(|row| row.digest != stream.digest);
                let records = match changed {
                    Some(row) => tx.record_count(row.id).await?,
                    None => 0,
                };
                streams.push(PlannedStream {
                    source: source.name.to_string(),
                    stream: stream.name.to_string(),
                    remap: changed.is_some(),
                    records,
                    since: since.map(Shown::of),
                });
            }
        }
        Ok(streams)
    }

    /// How these manifests differ from the ones in force.
    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let context = &self.context;
        let plan = &context.plan;
        let before = flow::in_force(tx).await?;
        let written = format!(
            "{:?} {} {} {}",
            before.as_ref().map(|(row, _)| (row.id, &row.hash)),
            plan.version.hash,
            plan.digest,
            flow::rules_version(tx).await?
        );
        let has_other_rules = before.is_some() && context.identity != plan.identity;
        let is_same = before
            .as_ref()
            .is_some_and(|(row, _)| row.hash == plan.version.hash);
        let differences = before
            .as_ref()
            .map(|(_, before)| before.differences(&plan.version));
        let waits = before
            .as_ref()
            .is_some_and(|(_, before)| before.automatic().is_some());
        Ok(Standing {
            waits,
            over: before.as_ref().map_or(0, |(row, _)| row.id),
            applied: before.map(|(row, _)| Applied {
                version: version::short(&row.hash).to_owned(),
                at: Shown::of(row.applied_at),
            }),
            differences: differences.unwrap_or_default(),
            has_other_rules,
            is_same,
            written,
        })
    }

    /// Applies these manifests if the hash is that of their plan. What follows from them is done by `follow`.
    async fn apply(
        &mut self,
        wish: &Wish<'_>,
    ) -> std::result::Result<(Vec<Difference>, Vec<(String, Fate)>), Stopped> {
        let mut tx = self.context.store.read().await?;
        let standing = self.standing(&mut tx).await?;
        drop(tx);
        let hash = standing.hash();
        if hash.as_deref() != Some(wish.hash) {
            let message = match hash {
                Some(_) => format!(
                    "`{}` is not the hash of the plan as things are now: the manifests, the applied version or the identity rules changed",
                    wish.hash
                ),
                None => "these manifests are applied already, and nothing is to be done".to_owned(),
            };
            return Err(Problem::new(&PLAN_STALE, message)
                .hint("`onefold plan` makes a plan of what there is now; nothing was changed")
                .into());
        }
        let fates = wish.fates(&standing.differences)?;
        self.refuse_unsaid(&standing, &fates).await?;
        self.refuse_without_secrets(None, true)?;
        let leave = Leave::Planned(Approval {
            over: Some(standing.over),
        });
        match wish.from {
            // The folder follows.
            Some(_) => flow::enter(&mut self.context, &|| true, &leave).await?,
            None => self.ready_by(&leave).await?,
        }
        Ok((standing.differences, fates))
    }

    /// Where edits wait until they are applied, what becomes of records is said, too.
    async fn refuse_unsaid(&self, standing: &Standing, fates: &[(String, Fate)]) -> Result<()> {
        let mut tx = self.context.store.read().await?;
        if !standing.waits {
            return Ok(());
        }
        for left in leftover::leftovers(&mut tx, &self.context.plan).await? {
            let source = &left.source;
            let mut gone = standing.differences.iter();
            let is_new = gone.any(|one| {
                one.what == "source" && one.change == Change::Removed && one.name == *source
            });
            if is_new && fates.iter().all(|(said, _)| said != source) {
                let message = format!(
                    "source `{source}` is taken out, and it is not said what becomes of its records ({} of `{}`)",
                    left.records, left.stream
                );
                return Err(Problem::new(&USAGE, message).hint(format!(
                    "add `--removed {source}=keep` (they stay and count), `=retire` (as if the vendor had deleted them) or `=erase` (nothing of them is kept)"
                )));
            }
        }
        Ok(())
    }

    /// Removes what is left of sources that were taken out, as an operator said.
    async fn dispose(&self, fates: &[(String, Fate)]) -> Result<()> {
        for (source, fate) in fates.iter().filter(|(_, fate)| *fate != Fate::Keep) {
            let mut tx = self.context.store.read().await?;
            let mut left = leftover::leftovers(&mut tx, &self.context.plan).await?;
            drop(tx);
            left.retain(|one| one.source == *source);
            for one in &left {
                let go_on = |_: i64| !self.context.cancel.is_cancelled();
                leftover::remove(&self.context, one, &go_on).await?;
                // What is left of it counts still, and is removed by the next call.
                if self.context.cancel.is_cancelled() {
                    return Err(flow::cancelled());
                }
                if *fate == Fate::Erase {
                    leftover::erase(&self.context, one).await?;
                }
            }
        }
        Ok(())
    }

    /// Does what follows from manifests that were just applied.
    pub async fn follow(&self, events: &Events) -> Result<RunReport> {
        flow::replay(&self.context, events).await
    }
}

/// Applies a plan; returns the hub by the manifests that are in force now.
pub async fn apply(
    folder: &Path,
    environment: &Environment,
    wish: &Wish<'_>,
) -> std::result::Result<(Opened, Vec<Difference>), Stopped> {
    let mut hub = versions::open_at(folder, environment, wish.from).await?;
    // The plan puts them in force.
    hub.warnings.retain(|one| one.code != &RULES_NOT_APPLIED);
    if wish.from.is_some() {
        versions::refuse_to_lose(folder, &hub.context).await?;
    }
    let (differences, fates) = hub.apply(wish).await?;
    if wish.from.is_some() {
        versions::put_back(folder, &hub.files)?;
    }
    hub.dispose(&fates).await?;
    Ok((hub, differences))
}

struct Standing {
    over: i64,
    applied: Option<Applied>,
    differences: Vec<Difference>,
    has_other_rules: bool,
    is_same: bool,
    /// Whether edits wait until they are applied.
    waits: bool,
    /// What the plan depends on.
    written: String,
}

impl Standing {
    /// Whether what is left over is a stream of the manifests under its name before.
    fn renames(&self, plan: &Plan, left: &Leftover) -> bool {
        plan.sources.iter().any(|source| {
            let mut streams = source.streams.iter();
            streams.any(|stream| {
                let was = former_stream(&self.differences, &source.name, &stream.name);
                was == (&*left.source, &*left.stream)
            })
        })
    }

    fn hash(&self) -> Option<String> {
        let is_open = !self.is_same || self.has_other_rules;
        is_open.then(|| blake3::hash(self.written.as_bytes()).to_hex()[..16].to_owned())
    }
}

fn is_of(pause: &Pause, kind: &str, name: &str) -> bool {
    pause.kind == kind && pause.name == name
}

async fn deliveries(
    context: &Context,
    paused: &[Pause],
    show: usize,
) -> Result<Vec<DeliveryReport>> {
    let mut destinations = Vec::new();
    for destination in &context.plan.destinations {
        let is_paused = paused
            .iter()
            .any(|one| is_of(one, "destination", &destination.name));
        destinations.push(match is_paused {
            true => DeliveryReport {
                paused: true,
                ..DeliveryReport::of(destination)
            },
            false => flow::delivery_plan(context, destination, show).await?,
        });
    }
    Ok(destinations)
}

async fn try_out(
    copy: &Context,
    paused: &[Pause],
    show: usize,
) -> Result<(RunReport, Vec<DeliveryReport>)> {
    let report = flow::take_effect(copy).await?;
    Ok((report, deliveries(copy, paused, show).await?))
}
