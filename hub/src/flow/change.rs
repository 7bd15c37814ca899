//! What a batch of one stream changes, between landing and applying: records with the state that was known of them.

use crate::flow::context::Context;
use crate::flow::settle::Told;
use crate::manifest::Stream;
use crate::model::Canonical;
use crate::problem::Problem;
use crate::store::RecordRow;
use bytes::Bytes;
use std::sync::Arc;

/// The stream that a batch belongs to.
#[derive(Debug, Clone)]
pub struct StreamRef {
    pub id: i64,
    pub source: Arc<str>,
    pub name: Arc<str>,
}

impl Context {
    /// The plan of a stream that it has.
    pub(super) fn stream(&self, stream: &StreamRef) -> Option<&Stream> {
        let mut sources = self.plan.sources.iter();
        let source = sources.find(|source| source.name == stream.source)?;
        source.streams.iter().find(|one| one.name == stream.name)
    }
}

/// One record with a new state.
#[derive(Debug)]
pub struct Change {
    pub slot: i64,
    pub key: String,
    pub prior: Option<RecordRow>,
    pub to: To,
}

#[derive(Debug)]
pub enum To {
    /// A new current version, mapped.
    Put(Box<Put>),
    /// An older version than the one known: kept, without effect.
    Stale {
        body: Bytes,
    },
    Deleted,
}

#[derive(Debug)]
pub struct Put {
    pub hash: i64,
    /// None when the version is stored already and only its mapping changed.
    pub body: Option<Bytes>,
    /// None when the record cannot be used; the problems say why.
    pub meaning: Option<Meaning>,
    pub problems: Vec<Problem>,
}

/// A record in canonical words, its traits in the forms in which they are stored.
#[derive(Debug)]
pub struct Meaning {
    /// Without its traits and consents.
    pub canonical: Canonical,
    /// Where each of its identifiers would like to be.
    pub slots: Vec<i64>,
    /// What it says of its person.
    pub told: Option<Told>,
}

/// What landed, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub read: i64,
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    pub deleted: i64,
    pub set_aside: i64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.added += other.added;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.set_aside += other.set_aside;
    }
}
