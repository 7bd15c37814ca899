//! A connector's description of itself. `host` parses it from `meta.manifest`; manifests are checked against it.

use crate::model::Value;
use std::collections::BTreeMap;

/// The connector whose records are sent to the hub instead of being asked for; it is part of the program.
pub const COLLECTOR: &str = "collector";

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Description {
    pub name: String,
    pub title: String,
    pub version: String,
    /// `HOST` or `HOST:PORT` that the connector calls; the manifest's entry grants them.
    pub hosts: Vec<String>,
    pub credentials: BTreeMap<String, CredentialSpec>,
    /// By bucket name; `default` counts for requests that name none.
    pub rates: BTreeMap<String, RateSpec>,
    /// JSON Schema of the configuration.
    pub config_schema: Value,
    pub streams: Vec<StreamSpec>,
    pub targets: Vec<TargetSpec>,
    /// Kinds by which an audience's members are named, best first; empty when it exports no audience.
    pub audience_keys: Vec<String>,
    /// How many characters the name of an audience may have there, where the vendor says so.
    pub audience_name_max: Option<u32>,
    pub exports: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CredentialSpec {
    pub title: String,
    pub required: bool,
    pub inject: Inject,
    /// `HOST`, `HOST:PORT` or `*.HOST` that it is sent to; empty for all that the connector declares.
    pub hosts: Vec<String>,
}

/// Where the hub puts a credential.
#[derive(Debug, Clone, PartialEq)]
pub enum Inject {
    /// `Authorization: Bearer VALUE`
    Bearer,
    /// `Authorization: Basic base64(USERNAME:VALUE)`
    Basic { username: String },
    /// `NAME: VALUE`
    Header { name: String },
    /// Never sent: a key for `crypto`.
    Signing,
}

/// At most `requests` in any `per_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSpec {
    pub requests: u32,
    pub per_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamSpec {
    pub name: String,
    pub title: String,
    /// JSON Schema of one record.
    pub schema: Value,
    pub primary_key: Vec<String>,
    pub cursor_fields: Vec<String>,
    pub supports_deletes: bool,
    /// Path in the record to class of data, such as `pii.email`.
    pub data_classes: BTreeMap<String, String>,
    /// The default mapping onto the canonical schema.
    pub mapping: Option<StreamMapping>,
}

/// The texts of a mapping, spelled as in a manifest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamMapping {
    /// `person`, `event`, `account`, `order`, `subscription`, `product`, `consent`; or `person` and one of what a person has.
    pub to: Vec<String>,
    pub key: String,
    pub updated_at: Option<String>,
    pub created_at: Option<String>,
    /// The event's name: a plain text for a constant; `map.event` when it is computed.
    pub event: Option<String>,
    pub map: BTreeMap<String, String>,
    /// By purpose.
    pub consent: BTreeMap<String, ConsentText>,
}

impl StreamMapping {
    /// Every expression, with what it is for: `key`, `updated_at`, the name of a field, `consent.PURPOSE`.
    pub fn expressions(&self) -> Vec<(String, &str)> {
        let mut all = vec![("key".to_owned(), self.key.as_str())];
        for (what, text) in [
            ("updated_at", &self.updated_at),
            ("created_at", &self.created_at),
        ] {
            all.extend(text.as_deref().map(|text| (what.to_owned(), text)));
        }
        let fields = self.map.iter();
        all.extend(fields.map(|(name, text)| (name.clone(), text.as_str())));
        for (purpose, said) in &self.consent {
            all.push((format!("consent.{purpose}"), &said.status));
            let at = said.at.as_deref();
            all.extend(at.map(|text| (format!("consent.{purpose}.at"), text)));
        }
        all
    }
}

/// The expressions of a statement of consent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsentText {
    pub status: String,
    pub at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TargetSpec {
    pub name: String,
    pub schema: Value,
    pub modes: Vec<String>,
    pub keys: Vec<String>,
    pub max_batch: u32,
}
