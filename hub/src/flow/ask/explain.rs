//! Why two identifiers belong to one person or not, and the graph that makes a person; for surfaces. Writes nothing.

use crate::flow::ask::shown::named;
use crate::flow::commit::identifiers::find;
use crate::flow::commit::neighbourhood::{Around, Neighbourhood};
use crate::flow::context::Context;
use crate::identity::{self, Edge, Reason, StatementKind};
use crate::model::Identifier;
use crate::problem::Problem;
use crate::problem::codes::NOT_FOUND;
use crate::store::{Result, StatementRow, Tx};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Two identifiers that a record or a statement says belong to one person.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    pub from: Identifier,
    pub to: Identifier,
    /// `source/stream/key` of the earliest record, or `statement N`.
    pub by: String,
    /// Why it was refused; none for one that joined.
    pub refused: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Explained {
    pub left: Identifier,
    pub right: Identifier,
    /// The person of each; none when it belongs to no person.
    pub left_person: Option<String>,
    pub right_person: Option<String>,
    pub one_person: bool,
    /// From left to right; empty when nothing connects them.
    pub steps: Vec<Step>,
    /// Identifiers that both were seen with and that join nobody, with the reason.
    pub in_common: Vec<(Identifier, &'static str)>,
}

/// A person's identifiers and what joins them, and what was refused at its borders.
#[derive(Debug, Serialize)]
pub struct Graph {
    pub person: String,
    pub identifiers: Vec<Identifier>,
    pub steps: Vec<Step>,
    pub refused: Vec<Step>,
    /// Identifiers that the person was seen with and that join nobody, with the reason.
    pub dead: Vec<(Identifier, &'static str)>,
    /// Other people of the same component.
    pub neighbours: Vec<String>,
    /// Every record that is evidence of the person, with its identifiers.
    pub records: Vec<(String, Vec<Identifier>)>,
}

pub async fn explain(
    context: &Context,
    left: &Identifier,
    right: &Identifier,
) -> Result<Explained> {
    let mut tx = context.store.read().await?;
    let slots = [
        slot_of(&mut tx, left).await?,
        slot_of(&mut tx, right).await?,
    ];
    let (around, statements) = around(&mut tx, context, &slots).await?;
    let node = |slot: i64| {
        let position = around.slots.iter().position(|known| *known == slot);
        position.map(|position| position as u32).ok_or_else(nobody)
    };
    let (from, to) = (node(slots[0])?, node(slots[1])?);
    let person = |node: u32| {
        let index = around.resolution.person_of_node[node as usize]?;
        Some(around.resolution.people[index as usize].id.to_string())
    };
    let steps = identity::way(&around.resolution, from, to).unwrap_or_default();
    let mut at = from;
    let mut shown = Vec::with_capacity(steps.len());
    for step in steps {
        let is_forward = step.edge.high == at;
        at = if is_forward {
            step.edge.low
        } else {
            step.edge.high
        };
        let mut step = around.step(&step.edge, step.refused.as_ref(), &statements);
        if !is_forward {
            std::mem::swap(&mut step.from, &mut step.to);
        }
        shown.push(step);
    }
    let in_common = identity::in_common(&around.graph, &around.resolution, from, to);
    let (left_person, right_person) = (person(from), person(to));
    let explained = Explained {
        left: left.clone(),
        right: right.clone(),
        one_person: left_person.is_some() && left_person == right_person,
        left_person,
        right_person,
        steps: shown,
        in_common: in_common
            .into_iter()
            .map(|node| around.dead(node))
            .collect(),
    };
    Ok(named(explained, &context.plan.namespaces))
}

/// The graph of the person behind an identifier.
pub async fn graph(context: &Context, identifier: &Identifier) -> Result<Graph> {
    let mut tx = context.store.read().await?;
    let slot = slot_of(&mut tx, identifier).await?;
    let (around, statements) = around(&mut tx, context, &[slot]).await?;
    let resolution = &around.resolution;
    let position = around.slots.iter().position(|known| *known == slot);
    let index = position
        .and_then(|position| resolution.person_of_node[position])
        .ok_or_else(nobody)?;
    let person = &resolution.people[index as usize];
    let is_mine = |node: u32| resolution.person_of_node[node as usize] == Some(index);
    let mine = |piece: usize| resolution.person_of_evidence[piece] == Some(index);
    let pieces = || (0..around.rows.len()).filter(|piece| mine(*piece));
    let dead: BTreeSet<u32> = pieces()
        .flat_map(|piece| around.graph.evidence[piece].nodes.iter().copied())
        .filter(|node| !around.graph.nodes[*node as usize].is_live())
        .collect();
    let graph = Graph {
        person: person.id.to_string(),
        identifiers: person
            .nodes
            .iter()
            .map(|node| around.identifier(*node))
            .collect(),
        steps: person
            .joined
            .iter()
            .map(|edge| around.step(edge, None, &statements))
            .collect(),
        refused: resolution
            .rejected
            .iter()
            .filter(|rejection| is_mine(rejection.edge.high) || is_mine(rejection.edge.low))
            .map(|rejection| around.step(&rejection.edge, Some(&rejection.reason), &statements))
            .collect(),
        dead: dead.into_iter().map(|node| around.dead(node)).collect(),
        neighbours: resolution
            .people
            .iter()
            .filter(|other| other.id != person.id)
            .map(|other| other.id.to_string())
            .collect(),
        records: pieces()
            .map(|piece| {
                let nodes = &around.graph.evidence[piece].nodes;
                let identifiers = nodes.iter().map(|node| around.identifier(*node));
                (
                    around.rows[piece].message.to_string(),
                    identifiers.collect(),
                )
            })
            .collect(),
    };
    Ok(named(graph, &context.plan.namespaces))
}

/// The refused ties of a part of the graph.
pub async fn named_rejections(tx: &mut Tx, around: &Around, limit: usize) -> Result<Vec<Step>> {
    let statements = tx.statements_on(&around.slots).await?;
    let statements = statements.into_iter().map(|row| (row.id, row)).collect();
    let rejected = around.resolution.rejected.iter().take(limit);
    Ok(rejected
        .map(|rejection| around.step(&rejection.edge, Some(&rejection.reason), &statements))
        .collect())
}

async fn slot_of(tx: &mut Tx, identifier: &Identifier) -> Result<i64> {
    match find(tx, identifier).await? {
        Some(row) => Ok(row.slot),
        None => Err(nobody()),
    }
}

fn nobody() -> Problem {
    Problem::new(&NOT_FOUND, "no person has that identifier")
        .hint("`onefold profile find TEXT` looks through all traits")
}

/// The components of identifiers; for shared and blocked ones, the evidence that holds them.
async fn around(
    tx: &mut Tx,
    context: &Context,
    slots: &[i64],
) -> Result<(Around, BTreeMap<i64, StatementRow>)> {
    let mut neighbourhood = Neighbourhood::new(0, context.rules.clone());
    neighbourhood.load_around(tx, slots).await?;
    let around = neighbourhood.around();
    let statements = tx.statements_on(&around.slots).await?;
    let statements = statements.into_iter().map(|row| (row.id, row)).collect();
    Ok((around, statements))
}

impl Around {
    fn identifier(&self, node: u32) -> Identifier {
        (*self.graph.nodes[node as usize].identifier).clone()
    }

    fn dead(&self, node: u32) -> (Identifier, &'static str) {
        let why = match self.graph.nodes[node as usize].blocked {
            true => "blocked",
            false => "shared by several people",
        };
        (self.identifier(node), why)
    }

    fn step(
        &self,
        edge: &Edge,
        refused: Option<&Reason>,
        statements: &BTreeMap<i64, StatementRow>,
    ) -> Step {
        let by = match edge.evidence {
            Some(piece) => self.rows[piece as usize].message.to_string(),
            None => self.link(edge, statements),
        };
        Step {
            from: self.identifier(edge.high),
            to: self.identifier(edge.low),
            by,
            refused: refused.map(|reason| self.reason(reason, statements)),
        }
    }

    /// The statement that links two nodes.
    fn link(&self, edge: &Edge, statements: &BTreeMap<i64, StatementRow>) -> String {
        let both = self.graph.statements.iter().zip(&self.statements);
        let found = both.into_iter().find(|(statement, _)| {
            let ends = (statement.left, statement.right);
            statement.kind == StatementKind::MustLink
                && [(edge.high, edge.low), (edge.low, edge.high)].contains(&ends)
        });
        found.map_or_else(String::new, |(_, id)| in_words(*id, statements))
    }

    fn reason(&self, reason: &Reason, statements: &BTreeMap<i64, StatementRow>) -> String {
        match reason {
            Reason::Limit { kind, limit } => {
                format!("one person may have no more than {limit} {kind}")
            }
            Reason::MustNotLink { statement } => {
                in_words(self.statements[*statement as usize], statements)
            }
            Reason::ComponentCap { size } => format!(
                "{size} identifiers hang together, more than `component_cap` allows; this was one of the weakest ties"
            ),
        }
    }
}

fn in_words(id: i64, statements: &BTreeMap<i64, StatementRow>) -> String {
    match statements.get(&id) {
        Some(row) => format!("statement {id} by {}: {}", row.author, row.reason),
        None => format!("statement {id}"),
    }
}
