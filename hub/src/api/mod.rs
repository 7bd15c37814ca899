//! The HTTP API under `/api/v1`: tokens and roles, reads, the audit log, and its own description. Each operation says in its
//! description which scope it needs, and that is what is checked. Knows no SQL.

mod answer;
pub mod audit;
mod description;
mod guard;
mod log;
mod mask;
mod once;
mod pace;
mod routes;
mod take;
pub mod token;

pub use description::{description, routes};

use crate::ingress::Bodies;
use crate::opening::Opened;
use log::Log;
use pace::Paces;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Requests that are worked on at the same time: fewer than the store has connections, since the hub's own work needs some.
const AT_ONCE: usize = 2;
/// Requests that may wait for that, those under way included.
const WAITING: usize = 64;
/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(20);
/// How long what is under way may take when the hub stops or goes on by other manifests.
const ENDS: Duration = Duration::from_secs(5);

/// What the routes ask: the hub that is served now, if one is.
#[derive(Clone, Default)]
pub struct Door(Arc<RwLock<Option<Arc<Api>>>>);

impl Door {
    pub fn open(&self, api: Arc<Api>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(api);
    }

    /// Nothing is answered until it is opened again.
    pub fn close(&self) -> Option<Arc<Api>> {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn api(&self) -> Option<Arc<Api>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A hub as the API shows it.
pub struct Api {
    hub: Arc<Opened>,
    log: Log,
    at_once: Semaphore,
    waiting: Semaphore,
    bodies: Bodies,
    paces: Paces,
    /// The minute in which each token was last used.
    used: Mutex<HashMap<i64, i64>>,
}

impl Api {
    pub fn of(hub: Arc<Opened>) -> Arc<Self> {
        Arc::new(Self {
            log: Log::start(hub.context.store.clone()),
            hub,
            at_once: Semaphore::new(AT_ONCE),
            waiting: Semaphore::new(WAITING),
            bodies: Bodies::default(),
            paces: Paces::default(),
            used: Mutex::default(),
        })
    }

    /// Writes what is still to be logged; called before the store is closed.
    pub async fn end(&self) {
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        let ended = async {
            // What is being answered is noted before the log is written for the last time; nothing more begins.
            let under_way = self.at_once.acquire_many(all).await;
            self.at_once.close();
            drop(under_way);
            self.log.written().await
        };
        if !matches!(tokio::time::timeout(ENDS, ended).await, Ok(Ok(()))) {
            tracing::error!("the audit log could not be written to its end");
        }
    }
}
