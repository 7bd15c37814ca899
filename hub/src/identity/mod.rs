//! Who is who: canonical constrained clustering of identifiers by the evidence that contains them together.
//!
//! A pure function of evidence, statements and rules. Nothing in its answer depends on how nodes or evidence are numbered
//! or on the order of their arrival (I1). It loads nothing: a caller passes whole components, or unions of them.

mod component;
mod constraint;
mod explain;
mod name;
mod resolve;
mod rules;
mod shared;

pub use component::components;
pub use explain::{Step, in_common, way};
pub use name::{better, name_of};
pub use resolve::{anchor, resolve, resolve_among};
pub use rules::Rules;
pub use shared::{Piece, shared, shared_of};

use crate::model::{Identifier, IdentifierKind, PersonId, Timestamp};
use std::sync::Arc;

/// What is known about some identifiers: at least one whole connected component, or any number of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Neighbourhood {
    /// No identifier twice.
    pub nodes: Vec<Node>,
    pub evidence: Vec<Evidence>,
    pub statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its loader keeps it too, so that looking at it copies no text.
    pub identifier: Arc<Identifier>,
    /// Its holders contradict each other (see `shared`): joins nobody.
    pub shared: bool,
    /// Blocked by the hub's own list (see `Rules::blocks`): joins nobody.
    pub blocked: bool,
}

impl Node {
    pub fn is_live(&self) -> bool {
        !self.shared && !self.blocked
    }
}

/// A set of identifiers that some records showed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Indices into `nodes`; repeats and order mean nothing.
    pub nodes: Vec<u32>,
    /// Of the earliest record that supports it; `Timestamp::MAX` when unknown.
    pub first_seen: Timestamp,
    /// `source/stream/key` of that record. A record supports one set at a time, so no two pieces of evidence share a message.
    /// All records that support a piece are of one source.
    pub message: Arc<str>,
    /// The name that its records give (`name_of`).
    pub name: Option<Arc<str>>,
}

/// What an operator stated about two nodes. A must-not-link beats a must-link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    pub kind: StatementKind,
    pub left: u32,
    pub right: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    MustLink,
    MustNotLink,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolution {
    /// In the order of their ids.
    pub people: Vec<Person>,
    /// Index into `people` for each node. A node that is not live is nobody's, and so is one whose every edge was rejected
    /// and that anchors no evidence: nothing is known about such a person, not even an id.
    pub person_of_node: Vec<Option<u32>>,
    /// Index into `people` for each piece of evidence: the person of its anchor, the highest-priority live identifier.
    pub person_of_evidence: Vec<Option<u32>>,
    /// In the order in which they were visited, content decides across components.
    pub rejected: Vec<Rejection>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    /// By priority and value.
    pub nodes: Vec<u32>,
    /// From the earliest; never empty.
    pub evidence: Vec<u32>,
    /// The edges that joined the nodes: a tree, in the order in which they were visited.
    pub joined: Vec<Edge>,
}

/// Two nodes and what says that they are one person; `high` is before `low` in priority and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub high: u32,
    pub low: u32,
    /// The earliest evidence; nothing for an operator's must-link.
    pub evidence: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub edge: Edge,
    pub reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// One person would have had more than `limit` values of `kind`.
    Limit { kind: IdentifierKind, limit: u32 },
    /// An index into `statements`.
    MustNotLink { statement: u32 },
    /// Its component had this many live identifiers, more than the rules allow, and the edge was among its weakest.
    ComponentCap { size: u32 },
}

#[cfg(test)]
mod tests;
