//! Claims: what one record says of its person, its stored form, and the profile that claims make.

use crate::canonical::Record;
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::stored_json::{read, to_json};
use crate::identity;
use crate::manifest::Survivorship;
use crate::model::{Canonical, Fact, Fields, Timestamp};
use crate::profile::{self, Claim};
use crate::store::{ClaimRow, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A claim's stored form.
#[derive(Serialize, Deserialize)]
struct ClaimBody {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    traits: Fields,
    #[serde(default)]
    is_aside: bool,
    #[serde(default)]
    kept: Keeping,
}

/// By trait: since when its value was said, where the hub wrote over that at the tool.
pub type Keeping = BTreeMap<String, Kept>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// In milliseconds.
    at: i64,
    /// The mapping that read it.
    pub by: String,
}

impl Kept {
    pub fn new(at: Timestamp, by: String) -> Self {
        Self { at: at.0, by }
    }
}

#[derive(Serialize)]
struct ClaimBodyRef<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    traits: &'a Fields,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_aside: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kept: &'a Keeping,
}

/// A stored claim in the form that `profile` takes.
pub fn claim_of(row: ClaimRow) -> Result<Claim> {
    Ok(claim_kept(row)?.0)
}

/// The same, with what of it was written over.
pub fn claim_kept(row: ClaimRow) -> Result<(Claim, Keeping)> {
    let body: ClaimBody = read("claim.body", row.slot, &row.body)?;
    let claim = Claim {
        source: row.source,
        record: row.record,
        time: Timestamp(row.time),
        since: since(&body.kept),
        traits: body.traits,
        is_aside: body.is_aside,
    };
    Ok((claim, body.kept))
}

fn since(kept: &Keeping) -> BTreeMap<String, Timestamp> {
    let kept = kept.iter();
    kept.map(|(name, kept)| (name.clone(), Timestamp(kept.at)))
        .collect()
}

/// A claim that was just written, and the profile that it makes if it is the person's only one.
pub type FreshClaim = (ClaimRow, Alone);

/// A claim as it is stored, and the profile that it makes if it is the person's only one; both made when the record is mapped.
#[derive(Debug)]
pub struct MappedClaim {
    pub time: Timestamp,
    pub body: String,
    /// See `identity::name_of`.
    pub name: Option<String>,
    pub alone: Alone,
    /// What it says, where it may repeat what the hub wrote.
    pub echo: Option<Echoed>,
}

/// What may repeat what the hub wrote.
#[derive(Debug, Default)]
pub struct Echoed {
    pub traits: Fields,
    /// By path, the values of the record's fields that the hub writes.
    pub fields: Fields,
}

impl MappedClaim {
    /// What a record says of its person; takes the traits out of it.
    pub fn of(
        canonical: &mut Canonical,
        record: &Record,
        stream: &StreamRef,
        context: &Context,
    ) -> Option<Self> {
        if !canonical.claims() {
            return None;
        }
        let is_aside = canonical.is_aside();
        let traits = std::mem::take(&mut canonical.traits);
        let is_written = !context.writers_to(&stream.source).is_empty();
        // What is about something else is nobody's copy.
        let echo = (is_written && !is_aside).then(|| Echoed {
            traits: traits.clone(),
            fields: context.fields_written(stream, record),
        });
        let time = canonical.stated_at();
        let claim = Self::from(traits, &Keeping::new(), is_aside, time, stream, context);
        Some(Self { echo, ..claim })
    }

    pub fn from(
        traits: Fields,
        kept: &Keeping,
        is_aside: bool,
        time: Timestamp,
        stream: &StreamRef,
        context: &Context,
    ) -> Self {
        let body = to_json(&ClaimBodyRef {
            traits: &traits,
            is_aside,
            kept,
        });
        let name = identity::name_of(&traits);
        let claim = Claim {
            source: stream.namespace().into(),
            record: String::new(),
            time,
            since: since(kept),
            traits,
            is_aside,
        };
        Self {
            time,
            body,
            name,
            alone: Alone(Built::from(vec![claim], context)),
            echo: None,
        }
    }
}

/// The name that the records of one piece of evidence give. Only records with a claim give one, see `MappedClaim::of`.
pub fn name_given<'c>(records: impl Iterator<Item = &'c Canonical>) -> Option<Arc<str>> {
    let claiming = records.filter(|one| one.claims());
    let names = claiming.filter_map(|one| identity::name_of(&one.traits));
    names.min().map(Into::into)
}

/// The profile of a person with a single claim.
#[derive(Debug, Default)]
pub struct Alone(pub Built);

/// The values of a profile as they are stored, and as audiences and destinations read it where there are any.
#[derive(Debug, Default)]
pub struct Built {
    pub traits: String,
    pub read: Option<Fields>,
}

impl Built {
    pub fn from(claims: Vec<Claim>, context: &Context) -> Self {
        let traits = traits_of(claims, &context.plan.survivorship);
        Self {
            traits: to_json(&traits),
            read: context.watches_people().then_some(traits),
        }
    }
}

/// Winning traits of a person's claims.
pub fn traits_of(mut claims: Vec<Claim>, rules: &Survivorship) -> Fields {
    if claims.len() == 1
        && let Some(claim) = claims.pop()
    {
        return profile::build_one(claim, rules);
    }
    let traits = profile::build(&claims, rules).traits.into_iter();
    traits.map(|(name, won)| (name, won.value)).collect()
}

/// When the record's evidence was made. Events have a time of their own; a record without any sorts last.
pub fn first_seen(canonical: &Canonical) -> Timestamp {
    match (&canonical.created_at, &canonical.fact) {
        (Some(time), _) => *time,
        (None, Some(Fact::Event { time, .. })) => *time,
        (None, _) => Timestamp::MAX,
    }
}
