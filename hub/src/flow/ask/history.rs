//! How a person's winning values came to be: the stored versions of its present records, in the order in which they were
//! received, and what each changed. Today's mappings and rules are used throughout.

use crate::flow::ask::past::{Mapping, claim};
use crate::flow::ask::profile::{Lookup, Wanted, locate};
use crate::flow::ask::shown::named;
use crate::flow::context::Context;
use crate::manifest::Survivorship;
use crate::model::{Shown, Timestamp, Value};
use crate::profile::{self, Claim};
use crate::store::Result;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One change of one trait.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// When the hub received what caused it, RFC 3339.
    pub at: Shown,
    #[serde(rename = "trait")]
    pub name: String,
    pub before: Option<Value>,
    /// None when the trait lost its value.
    pub value: Option<Value>,
    /// The record that the value comes from, or no longer comes from.
    pub source: String,
    pub record: String,
}

/// Every change of every trait of the person asked for, the newest last. None when there is no such person.
pub async fn history(context: &Context, wanted: &Wanted) -> Result<Option<Vec<Moment>>> {
    let mut tx = context.store.read().await?;
    let Lookup::Person(located) = locate(context, &mut tx, wanted).await? else {
        return Ok(None);
    };
    let claims = tx.claims_of(located.evidence()).await?;
    let slots: BTreeSet<i64> = claims.iter().map(|claim| claim.slot).collect();
    let mapping = Mapping::load(&mut tx, context.plan.clone()).await?;
    let versions: Vec<Received> = tx
        .versions_of(slots)
        .await?
        .iter()
        .map(|version| Received {
            at: version.received_at,
            slot: version.slot,
            claim: mapping.map(version).as_ref().and_then(claim),
        })
        .collect();
    let moments = moments(versions, &context.plan.survivorship);
    Ok(Some(named(moments, &context.plan.namespaces)))
}

/// What a record said from some time on; no claim when it was deleted or set aside.
struct Received {
    at: Timestamp,
    slot: i64,
    claim: Option<Claim>,
}

/// What won a trait, and from which record.
#[derive(Clone, PartialEq)]
struct Standing {
    value: Value,
    source: String,
    record: String,
}

/// `versions` in the order in which they came. Versions with the same time came together.
fn moments(versions: Vec<Received>, rules: &Survivorship) -> Vec<Moment> {
    let mut current: BTreeMap<i64, Claim> = BTreeMap::new();
    let mut before: BTreeMap<String, Standing> = BTreeMap::new();
    let mut moments = Vec::new();
    let mut versions = versions.into_iter().peekable();
    while let Some(version) = versions.next() {
        match version.claim {
            Some(claim) => current.insert(version.slot, claim),
            None => current.remove(&version.slot),
        };
        if versions.peek().is_some_and(|next| next.at == version.at) {
            continue;
        }
        let claims: Vec<&Claim> = current.values().collect();
        let after: BTreeMap<String, Standing> = profile::build(&claims, rules)
            .traits
            .into_iter()
            .map(|(name, won)| {
                let claim = claims[won.claim as usize];
                let standing = Standing {
                    value: won.value,
                    source: claim.source.to_string(),
                    record: claim.record.clone(),
                };
                (name, standing)
            })
            .collect();
        compare(&before, &after, version.at, &mut moments);
        before = after;
    }
    moments
}

fn compare(
    before: &BTreeMap<String, Standing>,
    after: &BTreeMap<String, Standing>,
    at: Timestamp,
    moments: &mut Vec<Moment>,
) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let value = |standing: Option<&Standing>| standing.map(|one| one.value.clone());
        let Some(cause) = new.or(old).filter(|_| value(old) != value(new)) else {
            continue;
        };
        moments.push(Moment {
            at: Shown(at),
            name: name.clone(),
            before: value(old),
            value: value(new),
            source: cause.source.clone(),
            record: cause.record.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn received(at: i64, slot: i64, time: i64, traits: Option<Value>) -> Received {
        Received {
            at: Timestamp(at),
            slot,
            claim: traits.map(|traits| Claim {
                source: "crm".into(),
                record: format!("contacts/{slot}"),
                time: Timestamp(time),
                traits: serde_json::from_value(traits).unwrap(),
                since: BTreeMap::new(),
                is_aside: false,
            }),
        }
    }

    #[test]
    fn each_change_of_a_winning_value_is_listed_once_with_its_record() {
        let versions = vec![
            received(1, 7, 10, Some(json!({"city": "Oslo", "name": "Ada"}))),
            // Older than what is known: it wins nothing, and nothing is listed.
            received(2, 8, 5, Some(json!({"city": "Bergen"}))),
            received(3, 7, 20, Some(json!({"city": null, "name": "Ada"}))),
            // Both at once: the two claims are looked at together.
            received(4, 8, 30, Some(json!({"city": "Gdynia"}))),
            received(4, 7, 40, Some(json!({"city": "Sopot", "name": "Ada"}))),
            received(5, 7, 40, None),
        ];
        let listed: Vec<String> = moments(versions, &Survivorship::default())
            .into_iter()
            .map(|one| {
                let text = |value: Option<Value>| value.map_or("-".to_owned(), |it| it.to_string());
                let (before, value) = (text(one.before), text(one.value));
                format!(
                    "{:03} {} {before} {value} {}",
                    one.at.0.0, one.name, one.record
                )
            })
            .collect();
        assert_eq!(
            listed,
            [
                r#"001 city - "Oslo" contacts/7"#,
                r#"001 name - "Ada" contacts/7"#,
                r#"003 city "Oslo" - contacts/7"#,
                r#"004 city - "Sopot" contacts/7"#,
                r#"005 city "Sopot" "Gdynia" contacts/8"#,
                r#"005 name "Ada" - contacts/7"#,
            ]
        );
    }
}
