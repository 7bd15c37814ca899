//! A hub for tests: a store of its own, a clock that is moved by hand, and records given as JSON.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use crate::clock::Clock;
use crate::flow::{self, Arrived, Context, StreamRef, Suppression};
use crate::manifest::{self, Plan};
use crate::model::{Description, StreamSpec};
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use uuid::Uuid;

pub struct World {
    pub context: Context,
    pub hand: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl World {
    /// `streams` are those of the one connector `any`, each with the source that has it.
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

    /// The same hub by other manifests.
    pub fn reread(&mut self, manifest: &str, streams: &[(&str, &str)]) {
        let old = &self.context;
        let suppression = old.suppression.clone();
        let mut context = Context::new(
            Arc::new(plan(manifest, streams)),
            old.store.clone(),
            old.clock.clone(),
            Suppression::default(),
        );
        context.suppression = suppression;
        self.context = context;
    }

    /// One transaction of one stream.
    pub async fn apply(&self, (source, name): (&str, &str), upserts: &[Value], deletes: &[Value]) {
        let sources = &self.context.plan.sources;
        let of_source = sources.iter().find(|one| &*one.name == source).unwrap();
        let plan = of_source
            .streams
            .iter()
            .find(|one| &*one.name == name)
            .unwrap();
        let mut tx = self.context.store.begin().await.unwrap();
        let id = tx.stream(source, name, &plan.digest).await.unwrap().id;
        tx.commit().await.unwrap();
        let stream = StreamRef {
            id,
            source: source.into(),
            name: name.into(),
        };
        let lines = |rows: &[Value]| {
            let lines = rows
                .iter()
                .map(|row| format!("{row}\n").into_bytes().into());
            lines.collect()
        };
        let arrived = Arrived {
            upserts: lines(upserts),
            deletes: lines(deletes),
        };
        let lines = flow::key_lines(&stream, plan, &arrived).unwrap();
        let landed = flow::land(&self.context, &stream, plan, lines)
            .await
            .unwrap();
        let mut tx = self.context.store.begin().await.unwrap();
        flow::apply(&mut tx, &self.context, &stream, landed.changes)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

/// The manifest, checked.
fn plan(manifest: &str, streams: &[(&str, &str)]) -> Plan {
    let spec = |name: &str| StreamSpec {
        name: name.to_owned(),
        schema: json!({ "type": "object" }),
        ..StreamSpec::default()
    };
    let description = Description {
        name: "any".to_owned(),
        streams: streams.iter().map(|(_, name)| spec(name)).collect(),
        config_schema: json!({ "type": "object" }),
        ..Description::default()
    };
    let connectors = manifest::Connectors {
        available: vec!["any".to_owned()],
        described: BTreeMap::from([("any".to_owned(), Arc::new(description))]),
    };
    let files = [("hub.toml".to_owned(), manifest.to_owned())];
    manifest::load(&files, &connectors).unwrap()
}
