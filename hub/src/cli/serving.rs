//! `onefold serve`: runs until it is stopped, watches its folder, and works by the version of the manifests that is in force.

use crate::api::{self, Api};
use crate::cli::Ending;
use crate::cli::check::unscheduled;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome};
use crate::cli::running::{Choice, options, wait_for_signal};
use crate::cli::supervisor::Supervisor;
use crate::clock::Clock;
use crate::collector::{Collector, Door, routes};
use crate::flow::{self, Carried, Meter, Opens, Served, Trace, What, leftover};
use crate::host::Cancel;
use crate::ingress::{self, Tls};
use crate::manifest::{Certified, Serve};
use crate::opening::{
    self, CapturingConnectors, Environment, Look, Opened, Seen, Stopped, Watched, Watching,
};
use crate::problem::Problem;
use crate::problem::codes::{CANNOT_LISTEN, MANIFESTS_CHANGED, NOT_APPLIED, STORE_FAILED};
use indicatif::ProgressBar;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Everything that has a schedule, and everything that it is delivered to.
pub const SERVED: Choice = Choice {
    source: None,
    stream: None,
    what: What::Vendor,
    full: false,
    deliver: true,
    capture: false,
    show: 0,
};

/// How often a folder that cannot be served is looked at.
const LOOK_AT_FOLDER: Duration = Duration::from_secs(1);
/// How often it is opened although it did not change: what kept it from being served may have ended.
const OPEN_AGAIN: Duration = Duration::from_secs(10);

pub async fn serve(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let stop = Cancel::default();
    let supervisor = Supervisor::of(environment);
    let watched = tokio::spawn(supervisor.clone().watched());
    tokio::spawn(stop_by_signal(stop.clone(), supervisor.clone()));
    let mut known: Option<Watched> = None;
    let mut carried = Carried::default();
    let mut listening = Listening::new(environment.meter.clone());
    while !stop.is_cancelled() {
        let cancel = Cancel::default();
        // Aborted when it is dropped.
        let mut following = JoinSet::new();
        following.spawn(follow(stop.clone(), cancel.clone()));
        let environment = Environment {
            cancel,
            ..environment.clone()
        };
        let opened = match &mut known {
            None => begin(folder, &environment, out, &mut known).await,
            Some(known) => Ok(reopen(folder, &environment, out, known).await),
        };
        let hub = match opened {
            Ok(Some(hub)) => hub,
            Ok(None) => continue,
            Err(_) if stop.is_cancelled() => break,
            Err(stopped) => return Err(stopped),
        };
        let is_first = listening.open.is_none() && carried == Carried::default();
        if let Err(problem) = listening.at(folder, &hub, &environment.clock, out).await {
            if is_first {
                hub.context.store.close().await;
                return Err(problem.into());
            }
            // What is served already goes on where it is.
            let code = problem.code.id;
            tracing::error!(code, "{}; the address stays", problem.message);
        }
        supervisor.ready();
        let now = known.get_or_insert_with(Watched::default);
        now.at(&hub);
        let mut watching = Watching::new(
            folder,
            &environment,
            &hub.context.plan.version,
            now.judged.clone(),
        );
        let mut edited = None;
        let watched = async {
            edited = Some(watch(&mut watching, out, &environment).await);
        };
        let served = serve_hub(hub, folder, out, carried, &listening.doors, watched).await;
        match served {
            Served::Stopped => break,
            Served::Overtaken(left) => carried = left,
        }
        now.judged = watching.judged().clone();
        match &edited {
            Some(_) => out.note("the manifests were edited; going on by them"),
            None => tracing::info!("another process applied other manifests; going on by them"),
        }
        now.edited = edited;
    }
    listening.end().await;
    watched.abort();
    out.note("stopped");
    Ok(Ending::Done)
}

async fn stop_by_signal(stop: Cancel, supervisor: Supervisor) {
    wait_for_signal().await;
    supervisor.stopping();
    tracing::info!("stopping after the batch under way");
    stop.cancel();
}

/// Waits for manifests to go on by. Says of others, once, why they are not used.
async fn watch(watching: &mut Watching, out: &Out, environment: &Environment) -> Look {
    let mut shown = Vec::new();
    loop {
        if environment.cancel.wait(LOOK_AT_FOLDER).await {
            // The service is ending anyway.
            std::future::pending::<()>().await;
        }
        match watching.look().await {
            Seen::Nothing => {}
            Seen::Edited(look) => return look,
            Seen::Held(problem, changes) => {
                tracing::warn!(
                    code = problem.code.id,
                    "a plan is pending, and the hub goes on by the applied version: {changes}; `onefold plan` says what that would do"
                );
            }
            Seen::Broken(stopped) => {
                let problems = stopped.problems.iter();
                let messages: Vec<String> = problems.map(|one| one.message.clone()).collect();
                if messages != shown {
                    out.problems(&stopped.problems, &stopped.files);
                    tracing::error!(
                        "the edited manifests are not used until that is corrected; the hub goes on by the applied version"
                    );
                    shown = messages;
                }
            }
        }
    }
}

/// The listener of a service, which outlives edits of its manifests.
struct Listening {
    doors: Doors,
    open: Option<Open>,
}

/// What the routes ask for the hub that is served now.
#[derive(Clone)]
struct Doors {
    collector: Door,
    api: api::Door,
}

struct Open {
    at: Serve,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Listening {
    fn new(meter: Meter) -> Self {
        Self {
            doors: Doors {
                collector: Door::new(meter),
                api: api::Door::default(),
            },
            open: None,
        }
    }

    /// Listens where the manifests say, or nowhere.
    async fn at(
        &mut self,
        folder: &Path,
        hub: &Opened,
        clock: &Clock,
        out: &Out,
    ) -> Result<(), Problem> {
        let wanted = &hub.context.plan.serve;
        if self.open.as_ref().map(|open| &open.at) == wanted.as_ref() {
            return Ok(());
        }
        let Some(at) = wanted.clone() else {
            self.end().await;
            return Ok(());
        };
        let tls = match &at.tls {
            Some(Certified { certificate, key }) => {
                let [certificate, key] = [certificate, key].map(|file| folder.join(file));
                let (tls, warning) = Tls::open(certificate, key, clock.clone())?;
                out.warnings(warning.as_slice(), &[]);
                Some(tls)
            }
            None => None,
        };
        // The same address cannot be listened on twice.
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.at.listen == at.listen)
        {
            self.end().await;
        }
        let listener = TcpListener::bind(at.listen).await.map_err(|error| {
            let message = format!("nothing can listen on {}: {error}", at.listen);
            Problem::new(&CANNOT_LISTEN, message)
                .hint("end what uses the port, or give `listen` of `[serve]` another one")
        })?;
        self.end().await;
        let (stop, stopped) = watch::channel(false);
        let Doors { collector, api } = self.doors.clone();
        let router = routes(collector).merge(api::routes(api));
        let limits = ingress::Limits::of_process();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let serving = tokio::spawn(ingress::serve(listener, tls, router, limits, stopped));
        out.note(format!("listening on {scheme}://{}", at.listen));
        self.open = Some(Open { at, stop, serving });
        Ok(())
    }

    /// Answers what is under way, and takes nothing more.
    async fn end(&mut self) {
        if let Some(Open { stop, serving, .. }) = self.open.take() {
            let _ = stop.send(true);
            let _ = serving.await;
        }
    }
}

/// Stops a hub when the program is stopped.
async fn follow(stop: Cancel, cancel: Cancel) {
    stop.cancelled().await;
    cancel.cancel();
}

/// How often the first opening is tried again when the store failed: a service that is started while the disk is busy begins a
/// moment later.
const TRIES: usize = 5;

async fn begin(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    known: &mut Option<Watched>,
) -> Result<Option<Opened>, Stopped> {
    for _ in 1..TRIES {
        let stopped = match first(folder, environment, out, known).await {
            Err(stopped) => stopped,
            opened => return opened,
        };
        let is_passing = |one: &Problem| one.code == &STORE_FAILED;
        if !stopped.problems.iter().all(is_passing) || environment.cancel.wait(LOOK_AT_FOLDER).await
        {
            return Err(stopped);
        }
        for problem in &stopped.problems {
            tracing::warn!(code = problem.code.id, "{}; trying again", problem.message);
        }
    }
    first(folder, environment, out, known).await
}

/// The hub as the program finds it; a problem ends the program, except where edits wait until they are applied and the hub can work
/// by the applied version. None when the folder was edited meanwhile, which is said in `known`.
async fn first(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    known: &mut Option<Watched>,
) -> Result<Option<Opened>, Stopped> {
    let mut now = Watched {
        judged: Look::at(folder, environment),
        ..Watched::default()
    };
    let stopped: Stopped = match open(folder, environment, out).await {
        Err(stopped) => stopped,
        Ok(mut hub) => {
            hub.refuse_without_secrets(None, true)?;
            let problem = match hub.ready().await {
                Ok(()) => return Ok(Some(hub)),
                Err(problem) => problem,
            };
            hub.context.store.close().await;
            if problem.code == &MANIFESTS_CHANGED {
                now.at(&hub);
                *known = Some(now);
                return Ok(None);
            }
            if problem.code != &NOT_APPLIED {
                return Err(problem.into());
            }
            tracing::warn!("a plan is pending");
            problem.into()
        }
    };
    let Some(hub) = opening::open_in_force(folder, environment).await? else {
        return Err(stopped);
    };
    out.problems(&stopped.problems, &stopped.files);
    tracing::warn!("the hub goes on by the applied version");
    *known = Some(now);
    Ok(Some(hub))
}

/// Serves with the manifests that were read.
async fn serve_hub(
    mut hub: Opened,
    folder: &Path,
    out: &Out,
    carried: Carried,
    doors: &Doors,
    edited: impl Future<Output = ()>,
) -> Served {
    for next in hub.next_runs() {
        let source = next.source;
        match next.at {
            Some(time) => out.note(format!("source `{source}` runs next at {time}")),
            None if next.is_scheduled => {}
            None => out.note(format!(
                "source `{source}` has no schedule and is not run by `serve`"
            )),
        }
    }
    warn_of_unscheduled(&hub);
    if let Err(problem) = warn_of_leftovers(&hub).await {
        tracing::warn!(code = problem.code.id, "{}", problem.message);
    }
    hub.context.trace = Trace::of(&hub.context.plan);
    let options = options(SERVED, true, &ProgressBar::hidden());
    let connectors: Arc<dyn Opens> = Arc::new(CapturingConnectors {
        connectors: hub.connectors.clone(),
        folder: folder.to_owned(),
        keeps_exchanges: false,
    });
    doors
        .collector
        .open(Collector::of(&hub.context, &connectors));
    let hub = Arc::new(hub);
    doors.api.open(Api::of(hub.clone()));
    let served = flow::serve(&hub.context, &connectors, &options, carried, edited).await;
    doors.collector.close();
    if let Some(api) = doors.api.close() {
        api.end().await;
    }
    hub.context.trace.end().await;
    hub.context.store.close().await;
    served
}

fn warn_of_unscheduled(hub: &Opened) {
    if let Some(names) = unscheduled(&hub.context.plan) {
        tracing::warn!("{names} without a `schedule`: only `onefold run` reads them");
    }
}

async fn warn_of_leftovers(hub: &Opened) -> crate::store::Result<()> {
    let mut tx = hub.context.store.read().await?;
    let left = leftover::leftovers(&mut tx, &hub.context.plan).await?;
    for warning in leftover::warnings(&left) {
        tracing::warn!(code = warning.code.id, "{}", warning.message);
    }
    Ok(())
}

/// The hub by the version to go on by, as soon as it can be served; none when the hub is stopped first.
async fn reopen(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    known: &mut Watched,
) -> Option<Opened> {
    let mut shown = Vec::new();
    loop {
        let (tried, at) = (Look::at(folder, environment), Instant::now());
        let was_edited = known.edited.is_some();
        let stopped = match opening::reopen(folder, environment, known).await {
            Ok(hub) => {
                out.warnings(&hub.warnings, &hub.files);
                return Some(hub);
            }
            Err(stopped) => stopped,
        };
        // Shown once, and again when it is something else.
        let problems = stopped.problems.iter();
        let messages: Vec<String> = problems.map(|one| one.message.clone()).collect();
        if messages != shown && !environment.cancel.is_cancelled() {
            out.problems(&stopped.problems, &stopped.files);
            shown = messages;
            match was_edited {
                true => tracing::error!("the hub goes on by the applied version"),
                false => tracing::error!("nothing is served until that is corrected"),
            }
        }
        while !was_edited && Look::at(folder, environment) == tried && at.elapsed() < OPEN_AGAIN {
            if environment.cancel.wait(LOOK_AT_FOLDER).await {
                return None;
            }
        }
        if environment.cancel.is_cancelled() {
            return None;
        }
    }
}
