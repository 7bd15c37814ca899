//! The streams: what HubSpot calls their records, and which properties and associations of them are read.

use crate::Config;
use onefold_sdk::connector::unknown;
use onefold_sdk::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is read of one type of records.
#[derive(Clone)]
struct Kind {
    name: &'static str,
    /// The property that holds the time of the last change.
    modified: &'static str,
    properties: &'static [&'static str],
    associations: &'static [&'static str],
    /// Its records can be merged.
    merges: bool,
}

const CHANGED: &str = "hs_lastmodifieddate";
/// The ids that were merged into a record, joined by semicolons.
pub(crate) const MERGED: &str = "hs_merged_object_ids";

const KINDS: [Kind; 8] = [
    Kind {
        name: CONTACTS,
        modified: CONTACT_CHANGED,
        properties: &[
            "email",
            "hs_additional_emails",
            "firstname",
            "lastname",
            "phone",
            "mobilephone",
            "company",
            "associatedcompanyid",
            "jobtitle",
            "website",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "hs_language",
            "hs_timezone",
            "lifecyclestage",
            "hubspot_owner_id",
            "createdate",
            CONTACT_CHANGED,
            "hs_object_id",
            MERGED,
        ],
        associations: &["companies"],
        merges: true,
    },
    Kind {
        name: "companies",
        modified: CHANGED,
        properties: &[
            "name",
            "domain",
            "website",
            "industry",
            "phone",
            "description",
            "city",
            "country",
            "numberofemployees",
            "annualrevenue",
            "hubspot_owner_id",
            CHANGED,
            "hs_object_id",
            MERGED,
        ],
        associations: &[],
        merges: true,
    },
    Kind {
        name: "deals",
        modified: CHANGED,
        properties: &[
            "dealname",
            "dealstage",
            "pipeline",
            "dealtype",
            "amount",
            "deal_currency_code",
            "closedate",
            "hs_is_closed",
            "hs_is_closed_won",
            "hubspot_owner_id",
            "createdate",
            CHANGED,
            "hs_object_id",
            MERGED,
        ],
        associations: &[CONTACTS, "companies"],
        merges: true,
    },
    activity(
        "calls",
        &[
            "hs_timestamp",
            "hs_call_title",
            "hs_call_direction",
            "hs_call_status",
            "hs_call_duration",
            "hs_call_disposition",
            "hubspot_owner_id",
            CHANGED,
            "hs_object_id",
        ],
    ),
    activity(
        "emails",
        &[
            "hs_timestamp",
            "hs_email_direction",
            "hs_email_status",
            "hs_email_subject",
            "hubspot_owner_id",
            CHANGED,
            "hs_object_id",
        ],
    ),
    activity(
        "meetings",
        &[
            "hs_timestamp",
            "hs_meeting_title",
            "hs_meeting_outcome",
            "hs_meeting_start_time",
            "hs_meeting_end_time",
            "hubspot_owner_id",
            CHANGED,
            "hs_object_id",
        ],
    ),
    activity(
        "notes",
        &["hs_timestamp", "hubspot_owner_id", CHANGED, "hs_object_id"],
    ),
    activity(
        "tasks",
        &[
            "hs_timestamp",
            "hs_task_subject",
            "hs_task_status",
            "hs_task_type",
            "hs_task_priority",
            "hs_task_completion_date",
            "hubspot_owner_id",
            CHANGED,
            "hs_object_id",
        ],
    ),
];

/// Activities cannot be merged. What somebody wrote or said in them is read only where the configuration names the property.
const fn activity(name: &'static str, properties: &'static [&'static str]) -> Kind {
    Kind {
        name,
        modified: CHANGED,
        properties,
        associations: &[CONTACTS, "companies"],
        merges: false,
    }
}

pub(crate) const CONTACTS: &str = "contacts";
/// The property that holds when a contact was changed last.
pub(crate) const CONTACT_CHANGED: &str = "lastmodifieddate";
pub(crate) const CUSTOM: &str = "custom_objects";

/// A type of the account's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomObject {
    /// Its number or its name in addresses: `2-3456789`, `p1234_pets`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub properties: Vec<String>,
    #[serde(default)]
    pub associations: Vec<String>,
}

/// A stream as it is read with one configuration.
pub(crate) struct Stream<'c> {
    /// In addresses.
    pub object: &'c str,
    pub modified: &'static str,
    pub properties: Vec<&'c str>,
    pub associations: Vec<&'c str>,
    pub merges: bool,
    /// Records of several types are told apart by it.
    is_custom: bool,
}

impl<'c> Stream<'c> {
    /// `part` is the type of a custom object.
    pub fn of(config: &'c Config, name: &str, part: &str) -> Result<Self> {
        if name == CUSTOM {
            return Self::custom(config, part);
        }
        let kind = KINDS.iter().find(|kind| kind.name == name);
        let kind = kind.ok_or_else(|| unknown("stream", name))?;
        let shared = match kind.name {
            CONTACTS | "companies" => config.properties.as_slice(),
            _ => &[],
        };
        let own = config.stream_properties.get(name).map(Vec::as_slice);
        let more = shared.iter().chain(own.unwrap_or_default());
        Ok(Self {
            object: kind.name,
            modified: kind.modified,
            properties: together(kind.properties, more),
            associations: kind.associations.to_vec(),
            merges: kind.merges,
            is_custom: false,
        })
    }

    fn custom(config: &'c Config, part: &str) -> Result<Self> {
        let found = config.custom_objects.iter().find(|one| one.kind == part);
        let found = found.ok_or_else(|| {
            let message = format!("`config.custom_objects` names no type `{part}`");
            Error::config("hubspot.custom_object", message)
        })?;
        Ok(Self {
            object: &found.kind,
            modified: CHANGED,
            properties: together(&[CHANGED, "hs_object_id", MERGED], found.properties.iter()),
            associations: found.associations.iter().map(String::as_str).collect(),
            merges: true,
            is_custom: true,
        })
    }

    pub fn path(&self) -> String {
        format!("/crm/v3/objects/{}", onefold_sdk::http::encode(self.object))
    }

    /// The type, where records of several are in one stream.
    pub fn label(&self) -> Option<&str> {
        self.is_custom.then_some(self.object)
    }

    pub fn key(&self, id: &str) -> Value {
        match self.label() {
            Some(kind) => json!({ "objectType": kind, "id": id }),
            None => json!({ "id": id }),
        }
    }

    /// Whether its records belong to contacts.
    pub fn is_of_contacts(&self) -> bool {
        self.object != CONTACTS && self.associations.contains(&CONTACTS)
    }

    /// Whether amounts are in the account's currency where a record names none.
    pub fn has_amounts(&self) -> bool {
        self.object == "deals"
    }
}

fn together<'c>(
    own: &'static [&'static str],
    more: impl Iterator<Item = &'c String>,
) -> Vec<&'c str> {
    let mut all: Vec<&str> = own.to_vec();
    for name in more.map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}
