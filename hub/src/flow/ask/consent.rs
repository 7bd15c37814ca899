//! What was said of consent about somebody, which statement decides, and what it beats.

use crate::flow::ask::profile::{Lookup, Wanted, locate};
use crate::flow::commit::consent::{rows_by_slot, said, statement};
use crate::flow::commit::identifiers::find;
use crate::flow::commit::neighbourhood::Held;
use crate::flow::context::Context;
use crate::model::{Channel, ConsentStatus, Timestamp};
use crate::profile::consent::{Force, Statement, deciding};
use crate::store::{ConsentRow, Result, Tx};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What was said of one purpose about one address, or about the person as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentView {
    pub purpose: String,
    /// None for the person as such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    pub status: ConsentStatus,
    /// The one that decides first, then the ones that it beats, the latest first.
    pub statements: Vec<StatementView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementView {
    pub status: ConsentStatus,
    /// Milliseconds since 1970.
    pub time: i64,
    /// How that time is known: `stated` by the record, `seen` when a record first said it, or an `operator`'s.
    pub time_is: &'static str,
    /// Empty for an operator's.
    pub source: String,
    /// `stream/key`
    pub record: String,
    /// Since when the record does not say it any more: deleted, or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was said about a person, or about an identifier that no single person has; by purpose and address.
pub async fn consents(context: &Context, wanted: &Wanted) -> Result<Vec<ConsentView>> {
    let mut tx = context.store.read().await?;
    let (held, evidence) = match locate(context, &mut tx, wanted).await? {
        Lookup::Person(located) => (located.held(&context.rules), located.evidence()),
        Lookup::Shared | Lookup::Nobody => match wanted {
            Wanted::Identifier(identifier) => {
                let row = find(&mut tx, identifier).await?;
                let held = row.map(|row| Held {
                    slot: row.slot,
                    identifier: identifier.clone().into(),
                    is_live: true,
                });
                (held.into_iter().collect(), Vec::new())
            }
            Wanted::Id(_) => (Vec::new(), Vec::new()),
        },
    };
    consents_of(&mut tx, context, &held, &evidence).await
}

pub(super) async fn consents_of(
    tx: &mut Tx,
    context: &Context,
    held: &[Held],
    evidence: &[i64],
) -> Result<Vec<ConsentView>> {
    let rows = tx.consents_at(held.iter().map(|one| one.slot)).await?;
    let said = said(&context.plan, held, evidence, &rows_by_slot(&rows))?;
    let subjects: BTreeSet<(&str, Option<&str>)> =
        said.iter().map(|one| (one.purpose, one.address)).collect();
    let with_address: BTreeSet<&str> = subjects
        .iter()
        .filter_map(|(purpose, address)| address.map(|_| *purpose))
        .collect();
    let mut views = Vec::new();
    for (purpose, address) in &subjects {
        // A refusal by the person as such is shown with each address.
        if address.is_none() && with_address.contains(purpose) {
            continue;
        }
        let about = said.iter().filter(|one| one.purpose == *purpose);
        let about = about.filter(|one| one.address.is_none() || one.address == *address);
        let mut statements: Vec<Statement<'_>> = about.map(|one| one.statement).collect();
        statements.sort_by_key(|one| std::cmp::Reverse(one.time));
        // One record says the same about each of its identifiers.
        statements.dedup();
        let Some(by) = deciding(&statements) else {
            continue;
        };
        statements.retain(|one| *one != by);
        statements.insert(0, by);
        let shown = statements.iter().map(|one| shown(one, &rows));
        views.push(ConsentView {
            purpose: (*purpose).to_owned(),
            address: address.map(str::to_owned),
            status: by.status,
            statements: shown.collect::<Result<_>>()?,
        });
    }
    Ok(views)
}

fn shown(one: &Statement<'_>, rows: &[ConsentRow]) -> Result<StatementView> {
    let mut from = None;
    for row in rows {
        if statement(row)? == *one {
            from = Some(row);
        }
    }
    Ok(StatementView {
        status: one.status,
        time: one.time.0,
        time_is: match one.force {
            Force::Observed => "seen",
            Force::Stated => "stated",
            Force::Operator => "operator",
            Force::Echo => "echo",
        },
        source: one.source.to_owned(),
        record: one.record.to_owned(),
        gone_at: (one.force != Force::Operator)
            .then_some(one.gone_at)
            .flatten()
            .map(Timestamp::millis),
        author: from.and_then(|row| row.author.clone()),
        reason: from.and_then(|row| row.reason.clone()),
    })
}

/// The purposes of the plan, with the kind of address that each is about.
pub fn purposes(context: &Context) -> BTreeMap<&str, Option<Channel>> {
    let purposes = context.plan.purposes.values();
    purposes
        .map(|one| (one.name.as_str(), one.channel))
        .collect()
}
