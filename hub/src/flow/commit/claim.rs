//! Claims: what one record says of its person, its stored form, and the profile that claims make.

use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::view::ConsentEntry;
use crate::flow::context::Context;
use crate::flow::stored_json::{read, to_json};
use crate::manifest::Survivorship;
use crate::model::{Canonical, ConsentStatus, Fact, Fields, Timestamp};
use crate::profile::{self, Claim};
use crate::store::{ClaimRow, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A claim's stored form.
#[derive(Serialize, Deserialize)]
struct ClaimBody {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    traits: Fields,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    consents: BTreeMap<String, ConsentStatus>,
}

#[derive(Serialize)]
struct ClaimBodyRef<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    traits: &'a Fields,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    consents: &'a BTreeMap<String, ConsentStatus>,
}

/// A stored claim in the form that `profile` takes.
pub fn claim_of(row: ClaimRow) -> Result<Claim> {
    let body: ClaimBody = read("claim.body", row.slot, &row.body)?;
    Ok(Claim {
        source: row.source,
        record: row.record,
        time: Timestamp(row.time),
        traits: body.traits,
        consents: body.consents,
    })
}

/// A claim that was just written, and the profile that it makes if it is the person's only one.
pub type FreshClaim = (ClaimRow, Alone);

/// A claim as it is stored, and the profile that it makes if it is the person's only one; both made when the record is mapped.
#[derive(Debug)]
pub struct MappedClaim {
    pub body: String,
    pub alone: Alone,
}

impl MappedClaim {
    /// What a record says of its person; takes the traits and consents out of it. Every record without a fact has a claim, even
    /// an empty one, so that its evidence is known to be supported.
    pub fn of(canonical: &mut Canonical, stream: &StreamRef, context: &Context) -> Option<Self> {
        if canonical.fact.is_some() && canonical.consents.is_empty() {
            return None;
        }
        let traits = std::mem::take(&mut canonical.traits);
        let body = to_json(&ClaimBodyRef {
            traits: &traits,
            consents: &canonical.consents,
        });
        let claim = Claim {
            source: stream.source.clone(),
            record: String::new(),
            time: canonical.stated_at(),
            traits,
            consents: std::mem::take(&mut canonical.consents),
        };
        Some(Self {
            body,
            alone: Alone(Built::from(vec![claim], context)),
        })
    }
}

/// The profile of a person with a single claim.
#[derive(Debug, Default)]
pub struct Alone(pub Built);

/// A profile as it is stored, and as audiences and destinations read it where there are any.
#[derive(Debug, Default)]
pub struct Built {
    pub traits: String,
    pub consents: String,
    pub read: Option<(Fields, BTreeMap<String, ConsentEntry>)>,
}

impl Built {
    pub fn from(claims: Vec<Claim>, context: &Context) -> Self {
        let (traits, consents) = profile_of(claims, &context.plan.survivorship);
        Self {
            traits: to_json(&traits),
            consents: to_json(&consents),
            read: context.watches_people().then_some((traits, consents)),
        }
    }
}

/// Winning traits and consents of a person's claims.
pub fn profile_of(
    mut claims: Vec<Claim>,
    rules: &Survivorship,
) -> (Fields, BTreeMap<String, ConsentEntry>) {
    if claims.len() == 1
        && let Some(claim) = claims.pop()
    {
        let source = claim.source.clone();
        let (traits, consents) = profile::build_one(claim, rules);
        let consents = consents
            .into_iter()
            .map(|(purpose, won)| (purpose, entry(won, &source)))
            .collect();
        return (traits, consents);
    }
    let profile = profile::build(&claims, rules);
    let traits = profile
        .traits
        .into_iter()
        .map(|(name, won)| (name, won.value))
        .collect();
    let consents = profile
        .consents
        .into_iter()
        .map(|(purpose, won)| {
            let source = &claims[won.claim as usize].source;
            (purpose, entry(won, source))
        })
        .collect();
    (traits, consents)
}

fn entry(won: profile::WonConsent, source: &str) -> ConsentEntry {
    ConsentEntry {
        status: won.status,
        time: won.time.0,
        source: source.to_owned(),
    }
}

/// When the record's evidence was made. Events have a time of their own; a record without any sorts last.
pub fn first_seen(canonical: &Canonical) -> Timestamp {
    match (&canonical.created_at, &canonical.fact) {
        (Some(time), _) => *time,
        (None, Some(Fact::Event { time, .. })) => *time,
        (None, _) => Timestamp::MAX,
    }
}
