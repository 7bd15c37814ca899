//! Merging two records of the fake HubSpot. Since 2025 the merged record is a new one with a new id, and both ids lead to it;
//! before, the primary record kept its id. Neither is listed or archived any more.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::http::Reply;
use super::associations::Associations;
use super::lists::{self, List};
use super::objects::{Objects, not_found};
use super::{Answer, Refusal};

/// A record takes part in at most so many merges.
const MOST: usize = 250;

pub(super) struct Around<'a> {
    pub lists: &'a mut [List],
    pub associations: &'a mut Associations,
    pub keeps_the_primary: bool,
    pub now_ms: i64,
}

pub(super) fn merge(objects: &mut Objects, around: Around<'_>, body: &Value) -> Answer {
    let Around {
        lists,
        associations,
        keeps_the_primary,
        now_ms,
    } = around;
    let id = |name: &str| {
        let text = body[name].as_str().ok_or_else(|| {
            Refusal::invalid(format!(
                "Invalid input JSON: some required fields were not set: [{name}]"
            ))
        })?;
        objects.find(text, None).ok_or_else(|| not_found(text))
    };
    let (primary, other) = (id("primaryObjectId")?, id("objectIdToMerge")?);
    if primary == other {
        return Err(Refusal::invalid("a record cannot be merged with itself"));
    }
    let merged = objects.merged_ids(primary).len() + objects.merged_ids(other).len();
    if merged + 2 > MOST {
        return Err(Refusal::invalid(format!(
            "records can take part in {MOST} merges at most"
        )));
    }
    let winner = objects.merge(primary, other, keeps_the_primary, now_ms);
    for gone in [primary, other].into_iter().filter(|gone| *gone != winner) {
        associations.move_to(objects.kind, gone, winner);
        lists::lead(lists, (objects.type_names[2], gone), winner, now_ms);
    }
    let shape = objects.shape(&[]);
    Ok(Reply::text(200, objects.rendered(winner, shape)))
}

impl Objects {
    /// The id that this one leads to.
    pub(super) fn current(&self, id: u64) -> u64 {
        self.aliases.get(&id).copied().unwrap_or(id)
    }

    fn several(&self, id: u64, name: &str) -> Vec<String> {
        let record = self.get(id);
        let value = record.and_then(|record| self.value(record, name));
        let all = value.unwrap_or_default().split(';');
        all.filter(|one| !one.is_empty())
            .map(str::to_string)
            .collect()
    }

    fn merged_ids(&self, id: u64) -> Vec<String> {
        self.several(id, "hs_merged_object_ids")
    }

    /// Returns the id of the merged record, which has all ids that were ever merged into it.
    pub fn merge(&mut self, primary: u64, other: u64, keeps_primary: bool, now_ms: i64) -> u64 {
        let winner = match keeps_primary {
            true => primary,
            false => self.next_id(),
        };
        let mut ids = self.merged_ids(primary);
        ids.extend(self.merged_ids(other));
        let gone = [primary, other].into_iter().filter(|id| *id != winner);
        ids.extend(gone.clone().map(|id| id.to_string()));
        let mut emails = self.several(primary, "hs_additional_emails");
        emails.extend(self.several(other, "email"));
        emails.extend(self.several(other, "hs_additional_emails"));
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for id in [other, primary] {
            values.extend(self.values(id));
        }
        values.insert("hs_merged_object_ids".to_string(), ids.join(";"));
        let by_email = self.names.contains(&"hs_additional_emails");
        if by_email {
            values.insert("hs_additional_emails".to_string(), emails.join(";"));
        }
        let made = [primary, other].map(|id| self.get(id).map_or(now_ms, |one| one.created_ms));
        for id in [primary, other] {
            self.erase(id);
        }
        let values: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.seed(winner, made[0].min(made[1]), now_ms, &values);
        for email in emails.iter().filter(|_| by_email) {
            self.by_unique.insert(email.to_lowercase(), winner);
        }
        self.lead(gone.collect(), winner);
        winner
    }
}
