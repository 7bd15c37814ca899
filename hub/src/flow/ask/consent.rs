//! What was said of consent about somebody, which statement decides, and what it beats.

use crate::flow::ask::profile::{Lookup, Wanted, locate};
use crate::flow::ask::shown::named;
use crate::flow::commit::agreed::said;
use crate::flow::commit::identifiers::find;
use crate::flow::commit::neighbourhood::{Held, said_in};
use crate::flow::context::Context;
use crate::model::{ConsentStatement, ConsentStatus, Force, Timestamp};
use crate::profile::consent::deciding;
use crate::store::{Result, Tx};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::collections::BTreeSet;

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
                    joins_nobody: false,
                });
                (held.into_iter().collect(), Vec::new())
            }
            Wanted::Id(_) => (Vec::new(), Vec::new()),
        },
    };
    let views = consents_of(&mut tx, context, &held, &evidence).await?;
    Ok(named(views, &context.plan.namespaces))
}

pub(super) async fn consents_of(
    tx: &mut Tx,
    context: &Context,
    held: &[Held],
    evidence: &[i64],
) -> Result<Vec<ConsentView>> {
    let slots: Vec<i64> = held.iter().map(|one| one.slot).collect();
    let mut kept: FxHashMap<i64, Vec<ConsentStatement>> = FxHashMap::default();
    for row in tx.identifiers_at(&slots).await? {
        kept.insert(row.slot, said_in(row.slot, row.consents.as_deref())?);
    }
    let kept = |one: &Held| kept.get(&one.slot).map_or(&[][..], |kept| kept);
    let said = said(
        &context.plan,
        held.iter().map(|one| (one, kept(one))),
        evidence,
    );
    let subjects = said
        .iter()
        .map(|one| (&*one.statement.purpose, one.address));
    let subjects: BTreeSet<(&str, Option<&str>)> = subjects.collect();
    let with_address = subjects.iter().filter(|(_, address)| address.is_some());
    let with_address: BTreeSet<&str> = with_address.map(|(purpose, _)| *purpose).collect();
    let mut views = Vec::new();
    for (purpose, address) in &subjects {
        // A refusal by the person as such is shown with each address.
        if address.is_none() && with_address.contains(purpose) {
            continue;
        }
        let about = said
            .iter()
            .filter(|one| *one.statement.purpose == **purpose);
        let about = about.filter(|one| one.address.is_none() || one.address == *address);
        let mut statements: Vec<&ConsentStatement> = about.map(|one| one.statement).collect();
        statements.sort_by_key(|one| std::cmp::Reverse(one.time));
        // One record says the same about each of its identifiers.
        statements.dedup();
        let Some(by) = deciding(&statements) else {
            continue;
        };
        statements.retain(|one| *one != by);
        statements.insert(0, by);
        views.push(ConsentView {
            purpose: (*purpose).to_owned(),
            address: address.map(str::to_owned),
            status: by.status,
            statements: statements.into_iter().map(shown).collect(),
        });
    }
    Ok(views)
}

fn shown(one: &ConsentStatement) -> StatementView {
    StatementView {
        status: one.status,
        time: one.time.0,
        time_is: match one.force {
            Force::Observed => "seen",
            Force::Stated => "stated",
            Force::Operator => "operator",
            Force::Echo => "echo",
        },
        source: one.origin().0.to_owned(),
        record: one.origin().1.to_owned(),
        gone_at: one.gone_at.map(Timestamp::millis),
        author: one.by.as_ref().map(|by| by.name.clone()),
        reason: one.by.as_ref().map(|by| by.reason.clone()),
    }
}
