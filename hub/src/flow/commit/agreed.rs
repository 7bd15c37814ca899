//! What holds of consent for people, by the statements that are kept with what they are known by.

use crate::flow::commit::neighbourhood::{Held, Neighbourhood, Resolved};
use crate::flow::commit::view::{AddressConsent, ConsentEntry, Consents};
use crate::manifest::Plan;
use crate::model::{Channel, ConsentStatement, Force, IdentifierKind};
use crate::profile::consent::{Said, answers};
use crate::store::{Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};

/// What holds for a person with this evidence, which is loaded.
pub fn consents_of(neighbourhood: &Neighbourhood, plan: &Plan, evidence: &[i64]) -> Consents {
    if !neighbourhood.speaks() {
        return Consents::default();
    }
    let held = neighbourhood.spoken_by(evidence);
    if held.is_empty() {
        return Consents::default();
    }
    let held = held.iter().map(|one| (one, neighbourhood.said(one.slot)));
    entries(&said(plan, held, evidence))
}

/// What was said about a person: each identifier with what is kept with it; `evidence` is the person's.
///
/// Of a purpose with a channel, statements at other identifiers are about the person as such, and refuse. A record's statement of that
/// kind is about the person who has the record; one that stands on its own is about everybody who has the identifier. An address that
/// joins nobody is a person's where a record of that person speaks of it; then everything counts that anybody said about it. Otherwise
/// an operator's word about it counts, and with that whatever was refused there.
pub fn said<'a>(
    plan: &Plan,
    held: impl Iterator<Item = (&'a Held, &'a [ConsentStatement])>,
    evidence: &[i64],
) -> Vec<Said<'a>> {
    let mut said = Vec::new();
    for (one, kept) in held {
        let kept = kept.iter().filter(|kept| kept.force != Force::Echo);
        let is_own =
            |kept: &ConsentStatement| kept.evidence.is_some_and(|id| evidence.contains(&id));
        let by_operator = |kept: &ConsentStatement| one.joins_nobody && kept.by.is_some();
        for of in kept.clone() {
            let channel = plan.channel_of(&of.purpose);
            let is_address = channel.is_some_and(|channel| channel.kind() == one.identifier.kind);
            let mut about = kept.clone().filter(|kept| kept.purpose == of.purpose);
            let counts = match is_address {
                true => {
                    one.is_live
                        || about.clone().any(is_own)
                        || by_operator(of)
                        || of.is_refusal() && about.any(by_operator)
                }
                false => {
                    let stands = of.stands() && (one.is_live || of.record.is_none());
                    (stands || is_own(of)) && (channel.is_none() || of.is_refusal())
                }
            };
            if counts {
                let address = is_address.then_some(one.identifier.value.as_str());
                said.push(Said {
                    address,
                    statement: of,
                });
            }
        }
    }
    said
}

/// Whether a refusal of a person as such is kept with an identifier of this kind too: with addresses, which are what is written to, and with
/// what names the person whatever else is edited.
pub fn keeps(
    neighbourhood: &Neighbourhood,
    channel: Option<Channel>,
    kind: &IdentifierKind,
) -> bool {
    channel.is_some_and(|channel| channel.kind() == *kind) || neighbourhood.rules().is_strong(kind)
}

/// I14: what an operator refused for people as such, by their number for instance, is kept with everything that is theirs alone, so that it
/// holds when the number is edited.
pub fn spread(neighbourhood: &mut Neighbourhood, plan: &Plan, people: &[Resolved]) {
    let refused = neighbourhood.refused_by_operators(plan);
    if refused.is_empty() {
        return;
    }
    let mut refusals: FxHashMap<i64, Vec<ConsentStatement>> = FxHashMap::default();
    for (slot, refusal) in refused {
        refusals.entry(slot).or_default().push(refusal);
    }
    for person in people {
        let held = neighbourhood.held_by(&person.evidence);
        let refused = held.iter().filter_map(|one| refusals.get(&one.slot));
        for refusal in refused.flatten() {
            let channel = plan.channel_of(&refusal.purpose);
            for one in held.iter().filter(|one| one.is_live) {
                if keeps(neighbourhood, channel, &one.identifier.kind)
                    && !neighbourhood.said(one.slot).contains(refusal)
                    && neighbourhood.is_alone(one.slot, person.id)
                {
                    neighbourhood.said_mut(one.slot).push(refusal.clone());
                }
            }
        }
    }
    neighbourhood.keep_said();
}

/// As a profile keeps them.
pub fn entries(said: &[Said<'_>]) -> Consents {
    if let [only] = said {
        return Consents::from_iter([entry_of(only)]);
    }
    let entries = answers(said).into_iter().map(|(purpose, answer)| {
        let addresses = answer.addresses.into_iter().map(|(address, by)| {
            let consent = AddressConsent {
                status: by.status,
                time: by.time.0,
            };
            (address.to_owned(), consent)
        });
        let entry = ConsentEntry {
            status: answer.by.status,
            time: answer.by.time.0,
            source: answer.by.origin().0.to_owned(),
            addresses: addresses.collect(),
        };
        (purpose.to_owned(), entry)
    });
    entries.collect()
}

/// Of a person about whom nothing else was said.
fn entry_of(only: &Said<'_>) -> (String, ConsentEntry) {
    let (status, time) = (only.statement.status, only.statement.time.0);
    let consent = AddressConsent { status, time };
    let addresses = only.address.map(|address| (address.to_owned(), consent));
    let entry = ConsentEntry {
        status,
        time,
        source: only.statement.origin().0.to_owned(),
        addresses: addresses.into_iter().collect(),
    };
    (only.statement.purpose.to_string(), entry)
}

/// The evidence of people for whom other statements count now, since something else is said about these identifiers: everybody who is
/// known by them, and those whose records speak of them. Loads the latter.
pub async fn concerned(
    tx: &mut Tx,
    neighbourhood: &mut Neighbourhood,
    changed: &FxHashSet<i64>,
) -> Result<Vec<i64>> {
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let mut speaking = Vec::new();
    let mut is_operators = false;
    for one in changed.iter().flat_map(|slot| neighbourhood.said(*slot)) {
        speaking.extend(one.evidence.filter(|_| !one.stands()));
        is_operators |= one.record.is_none();
    }
    // An operator may speak of an identifier that several people have.
    if is_operators {
        let pairs = tx.evidence_of_shared(changed.iter().copied()).await?;
        speaking.extend(pairs.into_iter().map(|(_, evidence)| evidence));
    }
    let all: Vec<i64> = changed.iter().copied().collect();
    neighbourhood.load(tx, &[all], &speaking).await?;
    let mut concerned = neighbourhood.evidence_with(changed);
    concerned.append(&mut speaking);
    Ok(concerned)
}
