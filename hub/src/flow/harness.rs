//! A hub for tests: a store of its own, a clock that is moved by hand, and records given as JSON.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use crate::clock::Clock;
use crate::flow::{self, Arrived, Context, Opens, StreamRef, Suppression};
use crate::host::Connector;
use crate::manifest::{self, Destination, Plan, Source, Stream};
use crate::model::{Description, StreamSpec, TargetSpec};
use crate::problem::Problem;
use crate::problem::codes::RECORDS_CHANGED;
use crate::store::Store;
use serde_json::json;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use tokio::sync::Notify;
use uuid::Uuid;

/// Opens nothing, and counts how often it was asked to rest.
#[derive(Default)]
pub struct Nobody {
    rests: AtomicUsize,
    /// Notified each time.
    pub rested: Notify,
}

impl Nobody {
    pub fn rests(&self) -> usize {
        self.rests.load(Ordering::Relaxed)
    }
}

impl Opens for Nobody {
    fn source(&self, _: &Source) -> Result<Box<dyn Connector>, Vec<Problem>> {
        Err(Vec::new())
    }

    fn destination(&self, _: &Destination) -> Result<Box<dyn Connector>, Vec<Problem>> {
        Err(Vec::new())
    }

    fn rest(&self) {
        self.rests.fetch_add(1, Ordering::Relaxed);
        self.rested.notify_one();
    }
}

pub struct World {
    pub context: Context,
    pub hand: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl World {
    /// `streams` are the streams of the connector `any`, each with its source.
    pub async fn new(manifest: &str, streams: &[(&str, &str)], now: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let store = Store::open(&format!("sqlite:{}", path.display()))
            .await
            .unwrap();
        let suppression = Suppression::load(&store, Uuid::nil).await.unwrap();
        let hand = Arc::new(AtomicI64::new(now));
        Self {
            context: Context::new(
                Arc::new(plan(manifest, streams)),
                store,
                Clock::standing(hand.clone()),
                suppression,
            ),
            hand,
            _folder: folder,
        }
    }

    /// The same hub with other manifests.
    pub async fn reread(&mut self, manifest: &str, streams: &[(&str, &str)]) {
        let old = &self.context;
        let suppression = old.suppression.clone();
        let mut plan = plan(manifest, streams);
        let mut tx = old.store.read().await.unwrap();
        plan.name_by(flow::namespaces(&mut tx, &plan).await.unwrap());
        drop(tx);
        let mut context = Context::new(
            Arc::new(plan),
            old.store.clone(),
            old.clock.clone(),
            Suppression::default(),
        );
        context.suppression = suppression;
        flow::enter(&mut context, &|| true, &flow::Leave::Automatic)
            .await
            .unwrap();
        self.context = context;
    }

    pub fn stream(&self, (source, name): (&str, &str)) -> &Stream {
        let sources = &self.context.plan.sources;
        let of_source = sources.iter().find(|one| &*one.name == source).unwrap();
        let mut streams = of_source.streams.iter();
        streams.find(|one| &*one.name == name).unwrap()
    }

    /// One transaction of one stream. Rows are shown as JSON.
    pub async fn apply<R: Display>(&self, of: (&str, &str), upserts: &[R], deletes: &[R]) {
        self.try_apply(of, upserts, deletes).await.unwrap();
    }

    /// The same, where it may fail.
    pub async fn try_apply<R: Display>(
        &self,
        of: (&str, &str),
        upserts: &[R],
        deletes: &[R],
    ) -> Result<(), Problem> {
        let (source, name) = of;
        let plan = self.stream(of);
        let mut tx = self.context.store.begin().await.unwrap();
        let row = tx.stream(source, name, &plan.digest).await.unwrap();
        tx.commit().await.unwrap();
        let stream = StreamRef::from(&row);
        let lines = |rows: &[R]| -> String { rows.iter().map(|row| format!("{row}\n")).collect() };
        let mut arrived = Arrived::default();
        arrived.add(lines(upserts).into(), Some(lines(deletes).into()));
        let since = flow::Since {
            version: i64::MAX,
            is_full: false,
        };
        // Repeated when another process changed the same records meanwhile.
        for _ in 0..100 {
            let lines = flow::key_lines(&stream, plan, &arrived);
            let landed = flow::land(&self.context, &stream, plan, lines, since);
            let changes = landed.await?.changes;
            let mut tx = self.context.begin_for(changes.len()).await?;
            match flow::apply(&mut tx, &self.context, &stream, changes).await {
                Ok(_) => return tx.commit().await,
                Err(problem) if problem.code == &RECORDS_CHANGED => {}
                Err(problem) => return Err(problem),
            }
        }
        panic!("overtaken a hundred times");
    }
}

/// The manifest, checked.
pub fn plan(manifest: &str, streams: &[(&str, &str)]) -> Plan {
    let spec = |name: &str| StreamSpec {
        name: name.to_owned(),
        schema: json!({ "type": "object" }),
        primary_key: vec!["id".to_owned()],
        supports_deletes: true,
        ..StreamSpec::default()
    };
    let description = Description {
        name: "any".to_owned(),
        streams: streams.iter().map(|(_, name)| spec(name)).collect(),
        targets: vec![TargetSpec {
            name: "people".to_owned(),
            schema: json!({ "type": "object" }),
            modes: vec!["upsert".to_owned()],
            keys: vec!["email".to_owned()],
            max_batch: 100,
        }],
        audience_keys: vec!["email".to_owned()],
        exports: ["source", "destination", "audience"]
            .map(str::to_owned)
            .into(),
        config_schema: json!({ "type": "object" }),
        ..Description::default()
    };
    // A source and a destination of one connector are taken for the same tool.
    let names = ["any", "another", "tool"];
    let description = Arc::new(description);
    let described = names.map(|name| (name.to_owned(), description.clone()));
    let connectors = manifest::Connectors {
        available: names.map(str::to_owned).into(),
        described: described.into(),
    };
    let files = [("hub.toml".to_owned(), manifest.to_owned())];
    match manifest::load(&files, &connectors) {
        Ok(plan) => plan,
        Err(problems) => panic!("{problems:#?} in {manifest}"),
    }
}
