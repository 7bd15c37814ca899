//! Statements about who is who: made, revoked, and carried out in the transaction that stores them. What a statement
//! merged, its revocation splits exactly, because people are resolved again from evidence and statements.

use crate::flow::commit::identifiers::find;
use crate::flow::commit::neighbourhood::Neighbourhood;
use crate::flow::commit::settle::{self, Settling};
use crate::flow::commit::touched::{Ripple, Touched};
use crate::flow::context::Context;
use crate::flow::upkeep::announce::announce;
use crate::identity::StatementKind;
use crate::model::{Identifier, PersonId};
use crate::problem::Problem;
use crate::problem::codes::{NOT_A_PERSON, NOT_FOUND};
use crate::store::{IdentifierRow, Result, Revoked, StatementRow, Tx};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Statements that one transaction carries out.
const BATCH: usize = 500;

/// What is to be stated.
#[derive(Debug, Clone)]
pub struct Stating {
    pub kind: StatementKind,
    pub left: Identifier,
    pub right: Identifier,
    pub reason: String,
    pub author: String,
}

/// Stores statements and carries them out; returns their numbers. One that is in force already is not made again.
pub async fn state(context: &Context, statements: &[Stating]) -> Result<Vec<i64>> {
    announce(context).await?;
    let mut ids = Vec::with_capacity(statements.len());
    for batch in statements.chunks(BATCH) {
        let mut tx = context.begin().await?;
        let mut rows: Vec<StatementRow> = Vec::new();
        for stating in batch {
            ids.push(add(&mut tx, context, stating, &mut rows).await?);
        }
        carry_out(tx, context, &rows).await?;
    }
    Ok(ids)
}

/// The same in one transaction, without statements that would be refused because their people no longer exist or because they
/// contradict one in force. Returns how many were made.
pub async fn state_what_fits(context: &Context, statements: &[Stating]) -> Result<usize> {
    announce(context).await?;
    let mut tx = context.begin().await?;
    let mut rows: Vec<StatementRow> = Vec::new();
    for stating in statements {
        match add(&mut tx, context, stating, &mut rows).await {
            Err(problem) if problem.code != &NOT_A_PERSON => return Err(problem),
            Err(_) | Ok(_) => {}
        }
    }
    carry_out(tx, context, &rows).await?;
    Ok(rows.len())
}

/// Adds a statement to `rows`, which are about to be stored, unless it is in force already. Returns its number.
async fn add(
    tx: &mut Tx,
    context: &Context,
    stating: &Stating,
    rows: &mut Vec<StatementRow>,
) -> Result<i64> {
    let left = one_person(tx, context, &stating.left).await?;
    let right = one_person(tx, context, &stating.right).await?;
    let kind = name_of(stating.kind);
    let standing = tx.statements_on(&[left.slot]).await?;
    let known = standing.iter().chain(&*rows);
    if let Some(id) = already(known, kind, left.slot, right.slot)? {
        return Ok(id);
    }
    let id = tx.reserve("statement", 1).await?;
    rows.push(StatementRow {
        id,
        kind: kind.to_owned(),
        left: left.slot,
        right: right.slot,
        reason: stating.reason.clone(),
        author: stating.author.clone(),
        stated_at: context.clock.now().0,
        revoked: None,
    });
    Ok(id)
}

async fn carry_out(mut tx: Tx, context: &Context, rows: &[StatementRow]) -> Result<()> {
    tx.add_statements(rows).await?;
    let slots = rows.iter().flat_map(|row| [row.left, row.right]).collect();
    rework(&mut tx, context, &slots).await?;
    tx.commit().await
}

/// Revokes statements; returns how many were in force.
pub async fn revoke(
    context: &Context,
    which: impl Fn(&StatementRow) -> bool,
    by: &str,
    reason: &str,
) -> Result<usize> {
    announce(context).await?;
    let rows = context.store.read().await?.statements().await?;
    let rows: Vec<StatementRow> = rows
        .into_iter()
        .filter(|row| row.revoked.is_none() && which(row))
        .collect();
    for batch in rows.chunks(BATCH) {
        let mut tx = context.begin().await?;
        let revoked = Revoked {
            at: context.clock.now().0,
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
        let mut slots = BTreeSet::new();
        for row in batch {
            tx.revoke_statement(row.id, &revoked).await?;
            slots.extend([row.left, row.right]);
        }
        rework(&mut tx, context, &slots).await?;
        tx.commit().await?;
    }
    Ok(rows.len())
}

/// Resolves the people around identifiers again, and everything that follows from it.
async fn rework(tx: &mut Tx, context: &Context, slots: &BTreeSet<i64>) -> Result<()> {
    if slots.is_empty() {
        return Ok(());
    }
    let slots: Vec<i64> = slots.iter().copied().collect();
    let mut neighbourhood = Neighbourhood::new(0, context.rules.clone());
    neighbourhood.load_around(tx, &slots).await?;
    neighbourhood.mark_all_stale();
    let reshaped = neighbourhood.resolve();
    let mut ripple = Ripple::default();
    let settling = Settling::new(neighbourhood, reshaped, Touched::default());
    settle::settle(tx, context, settling, &mut ripple).await?;
    ripple.carry(tx, context).await
}

pub fn name_of(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::MustLink => "link",
        StatementKind::MustNotLink => "separate",
    }
}

/// The number of the statement in force that says the same. One that says the opposite has to be revoked first.
fn already<'r>(
    standing: impl Iterator<Item = &'r StatementRow>,
    kind: &str,
    left: i64,
    right: i64,
) -> Result<Option<i64>> {
    if left == right {
        return Err(Problem::new(
            &NOT_A_PERSON,
            "a statement needs two different identifiers",
        ));
    }
    for row in standing {
        let same_ends = [(left, right), (right, left)].contains(&(row.left, row.right));
        if same_ends && row.kind == kind {
            return Ok(Some(row.id));
        }
        if same_ends {
            let (id, kind) = (row.id, &row.kind);
            let message = format!("statement {id} says the opposite (`{kind}`) of the same two");
            let hint = format!("`onefold identity revoke {id} --reason …` takes it back");
            return Err(Problem::new(&NOT_A_PERSON, message).hint(hint));
        }
    }
    Ok(None)
}

/// The row of an identifier that names exactly one person.
async fn one_person(
    tx: &mut Tx,
    context: &Context,
    identifier: &Identifier,
) -> Result<IdentifierRow<'static>> {
    let kind = &identifier.kind;
    let message = match find(tx, identifier).await? {
        None => format!("no person has that {kind}"),
        Some(row) if row.shared => {
            format!("that {kind} is shared by several people and joins nobody")
        }
        Some(_) if context.rules.blocks(identifier) => {
            format!("that {kind} is blocked and joins nobody")
        }
        Some(row) if row.component.is_none() => format!("no person has that {kind} any more"),
        Some(row) => return Ok(row),
    };
    Err(Problem::new(&NOT_A_PERSON, message).hint(
        "name an identifier that only this person has; `onefold profile show … --why` lists them",
    ))
}

/// The strongest identifier of the person that an id resolves to, old ids included.
pub async fn named(context: &Context, id: Uuid) -> Result<Identifier> {
    let unknown = || {
        Problem::new(&NOT_FOUND, "that id was never given to anybody")
            .hint("`onefold profile find TEXT` looks through all traits")
    };
    let mut tx = context.store.read().await?;
    let person = tx.alias(id.as_bytes()).await?.ok_or_else(unknown)?;
    let row = tx.persons([person]).await?.pop().ok_or_else(unknown)?;
    let mut neighbourhood = Neighbourhood::new(0, context.rules.clone());
    neighbourhood
        .load_components(&mut tx, [row.component])
        .await?;
    let around = neighbourhood.around();
    let id = PersonId(Uuid::from_bytes(row.uuid));
    let mut people = around.resolution.people.iter();
    let person = people.find(|person| person.id == id).ok_or_else(unknown)?;
    let node = &around.graph.nodes[person.nodes[0] as usize];
    Ok((*node.identifier).clone())
}
