//! What operators state of consent: stored with a reason, and carried out in the same transaction (I13).

use crate::flow::commit::agreed::{concerned, keeps};
use crate::flow::commit::neighbourhood::Neighbourhood;
use crate::flow::commit::settle::{self, Settling};
use crate::flow::commit::touched::{Ripple, Touched};
use crate::flow::context::Context;
use crate::flow::upkeep::announce::announce;
use crate::landing::slot_of_identifier;
use crate::model::{Author, ConsentStatement, ConsentStatus, Force, Identifier};
use crate::problem::Problem;
use crate::problem::codes::USAGE;
use crate::store::Result;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

/// What is to be stated.
#[derive(Debug, Clone)]
pub struct Stating<'a> {
    pub identifier: &'a Identifier,
    pub purpose: &'a str,
    pub status: ConsentStatus,
    pub reason: &'a str,
    pub author: &'a str,
}

/// Stores a statement and carries it out. Returns how many people it is about now; it counts for anybody who gets the identifier
/// later, too.
pub async fn state_consent(context: &Context, stating: &Stating<'_>) -> Result<usize> {
    check(context, stating)?;
    announce(context).await?;
    let now = context.clock.now();
    let identifier = stating.identifier.clone();
    let preferred = slot_of_identifier(&identifier.kind.text(), &identifier.value);
    let mut tx = context.begin().await?;
    let mut neighbourhood = Neighbourhood::new(0, context.rules.clone());
    let sets = vec![(vec![identifier], vec![preferred])];
    let slots = neighbourhood.assign_slots(&mut tx, sets).await?.concat();
    neighbourhood.load_around(&mut tx, &slots).await?;
    for slot in about(context, &neighbourhood, stating, slots[0]) {
        neighbourhood.said_mut(slot).push(ConsentStatement {
            purpose: stating.purpose.into(),
            status: stating.status,
            time: now,
            force: Force::Operator,
            record: None,
            evidence: None,
            gone_at: None,
            learned_at: None,
            said_in: "".into(),
            by: Some(Box::new(Author {
                name: stating.author.to_owned(),
                reason: stating.reason.to_owned(),
            })),
        });
    }
    let retold = neighbourhood.keep_said();
    let concerned = concerned(&mut tx, &mut neighbourhood, &retold).await?;
    let mut people: Vec<i64> = concerned
        .iter()
        .filter_map(|id| neighbourhood.person_of(*id))
        .collect();
    people.sort_unstable();
    people.dedup();
    let touched = Touched {
        evidence: concerned.iter().copied().collect(),
        claimed: concerned.into_iter().collect(),
    };
    let reshaped = neighbourhood.resolve();
    let mut ripple = Ripple::default();
    let settling = Settling::new(neighbourhood, reshaped, touched);
    settle::settle(&mut tx, context, settling, &mut ripple).await?;
    ripple.carry(&mut tx, context).await?;
    tx.commit().await?;
    Ok(people.len())
}

/// The identifier itself, and for a refusal of people as such whatever else keeps it: their addresses, also when somebody else has them
/// later, and what names the people.
fn about(
    context: &Context,
    neighbourhood: &Neighbourhood,
    stating: &Stating<'_>,
    slot: i64,
) -> BTreeSet<i64> {
    let mut about = BTreeSet::from([slot]);
    let channel = context.plan.channel_of(stating.purpose);
    let is_address = channel.is_some_and(|channel| channel.kind() == stating.identifier.kind);
    if stating.status.is_granted() || is_address {
        return about;
    }
    let people = neighbourhood.evidence_with(&FxHashSet::from_iter([slot]));
    let people = people
        .into_iter()
        .filter_map(|id| neighbourhood.person_of(id));
    let evidence = neighbourhood.evidence_of_persons(&people.collect());
    for evidence in evidence.values() {
        let held = neighbourhood.held_by(evidence);
        let held = held
            .iter()
            .filter(|one| one.is_live && keeps(neighbourhood, channel, &one.identifier.kind));
        about.extend(held.map(|one| one.slot));
    }
    about
}

/// A grant has to be about an address where the purpose has a channel.
fn check(context: &Context, stating: &Stating<'_>) -> Result<()> {
    let channel = context.plan.channel_of(stating.purpose);
    let is_address = channel.is_none_or(|channel| channel.kind() == stating.identifier.kind);
    match (channel, stating.status.is_granted() && !is_address) {
        (Some(channel), true) => {
            let (purpose, kind) = (stating.purpose, channel.kind());
            let message = format!("`{purpose}` is agreed to for an address, and that is not one");
            Err(Problem::new(&USAGE, message).hint(format!("name the address: `{kind}:…`")))
        }
        _ => Ok(()),
    }
}
