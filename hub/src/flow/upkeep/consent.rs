//! What operators state of consent: stored with a reason, and carried out in the same transaction (I13).

use crate::flow::commit::consent::{NOBODY, Written, concerned};
use crate::flow::commit::neighbourhood::Neighbourhood;
use crate::flow::commit::settle::{self, Settling};
use crate::flow::commit::touched::{Ripple, Touched};
use crate::flow::context::Context;
use crate::flow::upkeep::announce::announce;
use crate::landing::slot_of_identifier;
use crate::model::{ConsentStatus, Identifier};
use crate::problem::Problem;
use crate::problem::codes::USAGE;
use crate::profile::consent::Force;
use crate::store::{ConsentRow, Result};

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
    let row = ConsentRow {
        slot: slots[0],
        purpose: stating.purpose.to_owned(),
        record: 0,
        evidence: NOBODY,
        gone_at: now.0,
        status: stating.status.as_str().to_owned(),
        time: now.0,
        force: Force::Operator.code(),
        source: String::new(),
        said_in: String::new(),
        author: Some(stating.author.to_owned()),
        reason: Some(stating.reason.to_owned()),
    };
    let written = Written {
        remove: Vec::new(),
        save: vec![row],
    };
    written.save(&mut tx).await?;
    neighbourhood.load_around(&mut tx, &slots).await?;
    let concerned = concerned(&mut tx, &mut neighbourhood, &written).await?;
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
