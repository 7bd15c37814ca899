//! What a batch of one stream changes, between landing and applying: records with the state that was known of them.

use crate::flow::commit::meaning::Meaning;
use crate::flow::commit::spoken::Spoken;
use crate::flow::commit::stream::StreamRef;
use crate::model::{Identifier, Timestamp};
use crate::problem::Problem;
use crate::store::{Effect, RecordRow, RecordState};
use bytes::Bytes;
use std::sync::Arc;

/// One record with a new state.
#[derive(Debug)]
pub struct Change {
    pub slot: i64,
    pub key: String,
    pub prior: Option<RecordRow>,
    /// What versions that came in the same batch said, in order: their refusals count as if they had come before. Of `To::Stale` it is
    /// what that version says itself.
    pub passed: Vec<Passed>,
    pub to: To,
}

impl Change {
    pub fn meaning(&mut self) -> Option<&mut Meaning> {
        match &mut self.to {
            To::Put(put) => put.meaning.as_mut(),
            To::Stale { .. } | To::Deleted | To::Moved(_) => None,
        }
    }

    pub fn problems(&self) -> &[Problem] {
        match &self.to {
            To::Put(put) => &put.problems,
            To::Stale { .. } | To::Deleted | To::Moved(_) => &[],
        }
    }
}

/// What is left of a version, or of a deletion, that another version of the same batch has replaced.
#[derive(Debug, Default)]
pub struct Passed {
    pub identifiers: Vec<Identifier>,
    /// The preferred slot of each.
    pub slots: Vec<i64>,
    pub consents: Vec<Spoken>,
    /// Purposes of which it says something that cannot be read.
    pub unread: Vec<Arc<str>>,
    pub updated_at: Option<Timestamp>,
    /// It could not be used.
    pub is_unreadable: bool,
}

impl Passed {
    /// The default is what is left of a deletion; no other version that can be used is without identifiers and speaks.
    pub fn is_deletion(&self) -> bool {
        !self.is_unreadable && self.slots.is_empty()
    }

    /// What is said by a version that counts from now on; takes it out of the meaning.
    pub fn last(meaning: Option<&mut Meaning>, slots: &[i64]) -> Self {
        let Some(meaning) = meaning else {
            return Self::of(None);
        };
        Self {
            identifiers: Vec::new(),
            slots: slots.to_vec(),
            consents: std::mem::take(&mut meaning.consents),
            unread: std::mem::take(&mut meaning.canonical.unread),
            updated_at: meaning.canonical.updated_at,
            is_unreadable: false,
        }
    }

    pub fn of(meaning: Option<Meaning>) -> Self {
        let Some(meaning) = meaning else {
            return Self {
                is_unreadable: true,
                ..Self::default()
            };
        };
        Self {
            is_unreadable: false,
            updated_at: meaning.canonical.updated_at,
            identifiers: meaning.canonical.identifiers,
            unread: meaning.canonical.unread,
            slots: meaning.slots,
            consents: meaning.consents,
        }
    }
}

#[derive(Debug)]
pub enum To {
    /// A new current version, mapped.
    Put(Box<Put>),
    /// A version older than the known one: stored, without effect.
    Stale {
        body: Bytes,
    },
    Deleted,
    /// Deleted because it is under another key now, at this slot.
    Moved(i64),
}

#[derive(Debug)]
pub struct Put {
    pub hash: i64,
    /// None when the version is stored already and only its mapping changed.
    pub body: Option<Bytes>,
    /// `Current`, or `Corrected` where the body is an operator's: the hash is still that of the vendor's line then, so that the same
    /// line does not undo it.
    pub effect: Effect,
    /// None when the record cannot be used; the problems say why.
    pub meaning: Option<Meaning>,
    pub problems: Vec<Problem>,
}

/// What landed, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Counts {
    pub read: i64,
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    pub deleted: i64,
    pub set_aside: i64,
}

impl Counts {
    /// Counts a record with its previous row and its new version, if it has one.
    pub fn count(&mut self, prior: Option<&RecordRow>, put: Option<&Put>) {
        let existed = prior.is_some_and(|prior| prior.state != RecordState::Deleted);
        match put {
            None => self.deleted += 1,
            Some(put) if put.meaning.is_none() => self.set_aside += 1,
            Some(_) if existed => self.changed += 1,
            Some(_) => self.added += 1,
        }
    }

    /// What became of the records, by name.
    pub fn results(self) -> [(&'static str, i64); 5] {
        [
            ("added", self.added),
            ("changed", self.changed),
            ("unchanged", self.unchanged),
            ("deleted", self.deleted),
            ("set_aside", self.set_aside),
        ]
    }

    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.added += other.added;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.set_aside += other.set_aside;
    }
}

/// A record before its meaning is added.
pub fn unmapped(
    slot: i64,
    key: String,
    version_id: i64,
    prior: Option<&RecordRow>,
    stream: &StreamRef,
    deleted: bool,
) -> RecordRow {
    RecordRow {
        slot,
        stream_id: stream.id,
        key,
        hash: prior.map_or(0, |prior| prior.hash),
        version_id,
        state: match deleted {
            true => RecordState::Deleted,
            false => RecordState::SetAside,
        },
        updated_at: None,
        first_seen: Timestamp::MAX.0,
        evidence_id: None,
        fact_id: None,
    }
}
