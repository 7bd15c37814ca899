//! From a page to records: what the page could not hold (too many properties for an address or for a search) is read by id, and
//! what HubSpot keeps apart (associations, the account's currency) is added.

use crate::record::{Head, with_members};
use crate::streams::Stream;
use crate::{Config, Paging, VENDOR, get, post};
use onefold_sdk::http::encode;
use onefold_sdk::paging::next_cursor;
use onefold_sdk::{Error, Found, Hub, Level, Page, Result, Row, cut};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// Batches of ids take at most this many.
const BATCH: usize = 100;
/// HubSpot's numbers for the association with the primary company: of a contact, and of a deal.
const PRIMARY: [u64; 2] = [1, 5];

pub(crate) struct Gather<'a> {
    pub hub: &'a dyn Hub,
    pub config: &'a Config,
    pub stream: &'a Stream<'a>,
    /// The account's; asked for when the first deal needs it.
    pub currency: OnceCell<Option<String>>,
}

/// Ids of associated records by the id of theirs.
pub(crate) type Associated = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<RowError>,
}

#[derive(Deserialize)]
struct RowError {
    #[serde(default)]
    category: String,
    #[serde(default)]
    message: String,
}

impl Errors {
    /// What does not exist is no failure: it was deleted or merged meanwhile, or has no associations.
    fn check(self) -> Result<()> {
        let mut errors = self.errors.into_iter();
        match errors.find(|error| error.category != "OBJECT_NOT_FOUND") {
            Some(error) => {
                let code = format!("hubspot.{}", error.category);
                Err(Error::transient(&code, error.message))
            }
            None => Ok(()),
        }
    }
}

impl Gather<'_> {
    /// Adds the records of a page. `is_whole`: it has all properties already.
    pub fn add(&self, page: &Page<'_>, is_whole: bool, found: &mut Found) -> Result<()> {
        if is_whole {
            return self.joined(&page.rows, found);
        }
        let mut ids = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            ids.push(Head::of(row)?.id()?);
        }
        self.by_id(&ids, found)
    }

    /// Adds the records with these ids that exist. An id of a record that was merged leads to the record that it is now.
    pub fn by_id(&self, ids: &[String], found: &mut Found) -> Result<()> {
        let mut seen = BTreeSet::new();
        for batch in ids.chunks(BATCH) {
            let inputs: Vec<Value> = batch.iter().map(|id| json!({ "id": id })).collect();
            let body = json!({ "properties": self.stream.properties, "inputs": inputs });
            let path = format!("{}/batch/read", self.stream.path());
            let request = post(self.config, &path).json(&body)?.repeatable();
            let answer = VENDOR.send(self.hub, request)?;
            let page = cut(&answer.body, &["results"])?;
            page.envelope::<Errors>()?.check()?;
            let mut rows = Vec::with_capacity(page.rows.len());
            for row in &page.rows {
                if seen.insert(Head::of(row)?.id()?) {
                    rows.push(*row);
                }
            }
            self.joined(&rows, found)?;
        }
        Ok(())
    }

    /// Adds records with their associations, and with what tells them apart or gives their amounts a currency.
    fn joined(&self, rows: &[Row<'_>], found: &mut Found) -> Result<()> {
        // A record whose head cannot be read is the hub's to set aside.
        let heads: Vec<Option<Head<'_>>> = rows.iter().map(|row| Head::of(row).ok()).collect();
        let mut members = vec![Map::new(); rows.len()];
        for to in &self.stream.associations {
            self.associate(&heads, to, &mut members)?;
        }
        for ((row, head), mut members) in rows.iter().zip(&heads).zip(members) {
            if let Some(head) = head {
                self.describe(head, &mut members)?;
            }
            let more = (!members.is_empty()).then_some(members);
            match more.and_then(|members| with_members(row, &members)) {
                Some(line) => found.upserts.push(&line)?,
                None => found.upserts.push_raw(row),
            }
        }
        Ok(())
    }

    fn describe(&self, head: &Head<'_>, members: &mut Map<String, Value>) -> Result<()> {
        if let Some(label) = self.stream.label() {
            members.insert("objectType".to_owned(), label.into());
        }
        if self.stream.has_amounts() {
            let currency = match head.currency() {
                Some(currency) => Some(currency),
                None => self.account_currency()?,
            };
            members.insert("currency".to_owned(), json!(currency));
        }
        Ok(())
    }

    fn account_currency(&self) -> Result<Option<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Account {
            company_currency: Option<String>,
        }
        if let Some(known) = self.currency.get() {
            return Ok(known.clone());
        }
        let account: Account =
            VENDOR.fetch(self.hub, get(self.config, "/account-info/v3/details"))?;
        Ok(self
            .currency
            .get_or_init(|| account.company_currency)
            .clone())
    }

    /// Adds `associations.TO` to the members of each record that has some.
    fn associate(
        &self,
        heads: &[Option<Head<'_>>],
        to: &str,
        members: &mut [Map<String, Value>],
    ) -> Result<()> {
        // A contact that has a company has a primary one, so most contacts need not be asked for.
        let is_contact = self.stream.object == "contacts" && to == "companies";
        let asked = |head: &Head<'_>| !is_contact || head.company().is_some();
        let ids = heads.iter().flatten().filter(|head| asked(head));
        let ids: Vec<String> = ids.filter_map(|head| head.id().ok()).collect();
        let known = match self.associated(self.stream.object, &ids, to) {
            // The right to read contacts may come without that to read companies.
            Err(Error::Permission(detail)) if is_contact => {
                let message = "contacts have their primary company only: the token may not read associations with companies";
                self.hub.log(Level::Warn, message, detail.data.as_deref());
                Associated::new()
            }
            other => other?,
        };
        for (head, members) in heads.iter().zip(members) {
            let Some(head) = head.as_ref().filter(|head| asked(head)) else {
                continue;
            };
            let mut all = known.get(&head.id()?).cloned().unwrap_or_default();
            if let Some(company) = head.company().filter(|_| is_contact) {
                all.retain(|id| *id != company);
                all.insert(0, company);
            }
            let associations = members.entry("associations").or_insert_with(|| json!({}));
            associations[to] = json!(all);
        }
        Ok(())
    }

    /// The records of type `to` that belong to these of type `from`, the primary ones first.
    pub fn associated(&self, from: &str, ids: &[String], to: &str) -> Result<Associated> {
        let mut all: BTreeMap<String, Vec<(bool, u64, String)>> = BTreeMap::new();
        let (from, path) = (encode(from), encode(to));
        let path = format!("/crm/v4/associations/{from}/{path}/batch/read");
        let mut open: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        while !open.is_empty() {
            let rest = open.split_off(open.len().min(BATCH));
            let body = json!({ "inputs": open });
            let request = post(self.config, &path).json(&body)?.repeatable();
            let answer: Associations = VENDOR.fetch(self.hub, request)?;
            Errors {
                errors: answer.errors,
            }
            .check()?;
            open = rest;
            for one in answer.results {
                let to = one.to.iter().filter_map(Associate::ranked);
                let known = all.entry(one.from.id.clone()).or_default();
                let before = known.len();
                known.extend(to);
                let next = one.paging.and_then(|paging| paging.next);
                let after = next_cursor(next.and_then(|next| next.after).as_deref());
                // A page that brings nothing is the last.
                if let Some(after) = after.filter(|_| known.len() > before) {
                    open.push(json!({ "id": one.from.id, "after": after }));
                }
            }
        }
        let all = all.into_iter().map(|(id, mut ranked)| {
            ranked.sort();
            ranked.dedup();
            (id, ranked.into_iter().map(|(_, _, id)| id).collect())
        });
        Ok(all.collect())
    }
}

#[derive(Deserialize)]
struct Associations {
    results: Vec<AssociationsOf>,
    #[serde(default)]
    errors: Vec<RowError>,
}

#[derive(Deserialize)]
struct AssociationsOf {
    from: From,
    #[serde(default)]
    to: Vec<Associate>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct From {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Associate {
    to_object_id: Value,
    #[serde(default)]
    association_types: Vec<AssociationType>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssociationType {
    #[serde(default)]
    category: String,
    type_id: u64,
}

impl Associate {
    /// Its id, in the order in which ids are given: the primary one, then by number.
    fn ranked(&self) -> Option<(bool, u64, String)> {
        let id = match &self.to_object_id {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let mut types = self.association_types.iter();
        let is_primary =
            types.any(|one| one.category == "HUBSPOT_DEFINED" && PRIMARY.contains(&one.type_id));
        let number = id.parse().unwrap_or(u64::MAX);
        (!id.is_empty()).then_some((!is_primary, number, id))
    }
}
