//! The collector: what websites, apps and servers send, by Segment's HTTP API. A message is answered once it is stored.

mod hook;
mod message;
mod metrics;
mod routes;

pub use message::Addresses;
pub use routes::routes;

use crate::flow::{Context, Incoming, Meter, NotTaken, Opens, Receiver, Taken};
use crate::ingress::Bodies;
use crate::manifest::Source;
use crate::model::Value;
use hook::Hooks;
use metrics::Metrics;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What the routes ask: the hub that is served now, if one is.
#[derive(Clone)]
pub struct Door {
    served: Arc<RwLock<Option<Arc<Collector>>>>,
    bodies: Arc<Bodies>,
    metrics: Arc<Metrics>,
}

impl Door {
    pub fn new(meter: Meter) -> Self {
        Self {
            served: Arc::default(),
            bodies: Arc::default(),
            metrics: Arc::new(Metrics::new(meter)),
        }
    }

    pub fn open(&self, collector: Collector) {
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(collector));
    }

    /// Nothing is taken until it is opened again.
    pub fn close(&self) {
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub fn collector(&self) -> Option<Arc<Collector>> {
        self.served
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The sources of a hub to which messages can be sent.
pub struct Collector {
    pub context: Context,
    receiver: Receiver,
    /// By write key.
    sources: BTreeMap<String, Arc<Collected>>,
    hooks: Hooks,
}

/// A source to which messages are sent.
pub struct Collected {
    name: Arc<str>,
    streams: Vec<Arc<str>>,
    /// Any where there are none.
    origins: Vec<String>,
    addresses: Addresses,
}

impl Collector {
    pub fn of(context: &Context, connectors: &Arc<dyn Opens>) -> Self {
        let sources = context.plan.sources.iter();
        let sources = sources.filter(|source| source.is_collected());
        let sources = sources.flat_map(|source| {
            let collected = Arc::new(Collected::of(source));
            let keys = texts(&source.config, "write_keys").into_iter();
            keys.map(move |key| (key, collected.clone()))
        });
        Self {
            context: context.clone(),
            receiver: Receiver::start(context),
            sources: sources.collect(),
            hooks: Hooks::new(connectors.clone()),
        }
    }

    pub fn source(&self, write_key: &str) -> Option<Arc<Collected>> {
        self.sources.get(write_key).cloned()
    }

    /// Stores the messages of the streams that the manifest has of a source; the others are nothing to this hub.
    pub async fn take(
        &self,
        source: &Collected,
        mut messages: Vec<Incoming>,
    ) -> Result<Taken, NotTaken> {
        for one in messages.iter_mut().filter(|one| one.stream.is_empty()) {
            let events = source.streams.iter().find(|name| &***name == "events");
            let any = events.or(source.streams.first());
            one.stream = any.cloned().unwrap_or_default();
        }
        messages.retain(|one| source.streams.iter().any(|name| **name == *one.stream));
        self.store(&source.name, messages).await
    }

    /// Stores messages, and counts them.
    async fn store(&self, source: &Arc<str>, messages: Vec<Incoming>) -> Result<Taken, NotTaken> {
        let taken = self.receiver.take(source, messages).await?;
        let meter = &self.context.meter;
        meter.collected(source, taken.stored, taken.known);
        Ok(taken)
    }
}

impl Collected {
    fn of(source: &Source) -> Self {
        let addresses = source.config.get("addresses").and_then(Value::as_str);
        Self {
            name: source.name.clone(),
            streams: source.streams.iter().map(|one| one.name.clone()).collect(),
            origins: texts(&source.config, "origins"),
            addresses: match addresses {
                Some("keep") => Addresses::Keep,
                Some("drop") => Addresses::Drop,
                _ => Addresses::Cut,
            },
        }
    }

    /// Whether pages of an origin may send.
    fn allows(&self, origin: &str) -> bool {
        self.origins.is_empty() || self.origins.iter().any(|one| one == origin)
    }
}

fn texts(config: &Value, name: &str) -> Vec<String> {
    let all = config.get(name).and_then(Value::as_array);
    let texts = all.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
