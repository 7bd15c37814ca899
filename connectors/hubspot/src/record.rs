//! What the connector itself reads of a record, and what it adds to one. The rest stays as it is written, whatever is in it:
//! half a character in a name must stop no stream.

use onefold_sdk::time::parse_rfc3339;
use onefold_sdk::{Error, Result, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(crate) struct Head<'r> {
    #[serde(borrow)]
    id: &'r RawValue,
    #[serde(borrow, rename = "updatedAt")]
    updated_at: Option<&'r RawValue>,
    #[serde(borrow)]
    archived: Option<&'r RawValue>,
    #[serde(borrow, rename = "archivedAt")]
    archived_at: Option<&'r RawValue>,
    #[serde(borrow)]
    properties: Option<Properties<'r>>,
}

#[derive(Deserialize)]
struct Properties<'r> {
    #[serde(borrow)]
    lastmodifieddate: Option<&'r RawValue>,
    #[serde(borrow)]
    hs_lastmodifieddate: Option<&'r RawValue>,
    #[serde(borrow)]
    hs_merged_object_ids: Option<&'r RawValue>,
    #[serde(borrow)]
    associatedcompanyid: Option<&'r RawValue>,
    #[serde(borrow)]
    deal_currency_code: Option<&'r RawValue>,
}

impl<'r> Head<'r> {
    pub fn of(row: &Row<'r>) -> Result<Self> {
        row.read_borrowed()
    }

    pub fn id(&self) -> Result<String> {
        let id = text(Some(self.id)).filter(|id| !id.trim().is_empty());
        id.ok_or_else(|| malformed("has no readable `id`"))
    }

    /// When the record was changed last.
    pub fn modified(&self) -> Result<i64> {
        let properties = self.properties.as_ref();
        let own = properties.and_then(|own| own.lastmodifieddate.or(own.hs_lastmodifieddate));
        let time = text(own).or_else(|| text(self.updated_at));
        time.and_then(|text| parse_rfc3339(&text))
            .ok_or_else(|| malformed("says nowhere when it was changed"))
    }

    pub fn is_archived(&self) -> bool {
        self.archived.is_some_and(|raw| raw.get() == "true")
    }

    pub fn archived_at(&self) -> Option<i64> {
        text(self.archived_at).and_then(|text| parse_rfc3339(&text))
    }

    /// The ids of the records that were merged into this one, each once.
    pub fn merged(&self, id: &str) -> Vec<String> {
        let raw = self.properties.as_ref();
        let raw = raw.and_then(|own| own.hs_merged_object_ids);
        let value = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let mut all = Vec::new();
        add_ids(&value.unwrap_or(Value::Null), &mut all);
        let mut once: Vec<String> = Vec::with_capacity(all.len());
        for one in all {
            if one != id && !once.contains(&one) {
                once.push(one);
            }
        }
        once
    }

    /// A contact's primary company.
    pub fn company(&self) -> Option<String> {
        let properties = self.properties.as_ref()?;
        let company = text(properties.associatedcompanyid)?.trim().to_owned();
        (!company.is_empty()).then_some(company)
    }

    /// The currency that a deal names.
    pub fn currency(&self) -> Option<String> {
        let properties = self.properties.as_ref()?;
        let currency = text(properties.deal_currency_code)?.trim().to_owned();
        (!currency.is_empty()).then_some(currency)
    }
}

fn add_ids(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let ids = text.split(';').map(str::trim);
            all.extend(ids.filter(|id| !id.is_empty()).map(str::to_owned));
        }
        Value::Number(number) => all.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| add_ids(item, all)),
        _ => {}
    }
}

/// A text, or a number as its text.
pub(crate) fn text(raw: Option<&RawValue>) -> Option<String> {
    match serde_json::from_str(raw?.get()).ok()? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn malformed(what: &str) -> Error {
    Error::transient("hubspot.malformed_record", format!("a record {what}"))
}

/// The record with these members, at least one, in front of its own. None when it cannot be one line of JSON.
pub(crate) fn with_members(row: &Row<'_>, members: &impl Serialize) -> Option<Box<RawValue>> {
    let written = std::str::from_utf8(row.bytes).ok()?;
    let own = written.trim().strip_prefix('{')?;
    let mut line = serde_json::to_string(members).ok()?;
    line.pop();
    if own.trim_start() != "}" {
        line.push(',');
    }
    // JSON has line breaks only between its values.
    line.extend(own.chars().filter(|c| !matches!(c, '\n' | '\r')));
    RawValue::from_string(line).ok()
}
