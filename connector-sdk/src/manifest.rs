//! What a connector says about itself: the typed form of `meta.manifest`, and checks that an author runs in a test.
//! The hub has its own reader of the same JSON.

use crate::types::{Error, Mode, Result, StreamInfo, TargetInfo};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Where its JSON Schema is, for editors.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub name: String,
    pub title: String,
    pub version: String,
    /// `HOST` or `HOST:PORT` that the connector calls.
    pub hosts: Vec<String>,
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    #[serde(default)]
    pub rates: BTreeMap<String, Rate>,
    #[serde(default)]
    pub streams: Vec<Stream>,
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Kinds by which an audience's members are named, best first.
    #[serde(default)]
    pub audience_keys: Vec<String>,
    /// How many characters the name of an audience may have at the vendor, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience_name_max: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    pub title: String,
    pub required: bool,
    pub inject: Inject,
    /// To whom it is sent, of the hosts above; to all of them where this is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

/// Where the hub puts a credential: `"bearer"`, `{"basic":{"username":…}}`, `{"header":{"name":…}}`, `"signing"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Inject {
    Bearer,
    Basic { username: String },
    Header { name: String },
    Signing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub requests: u32,
    pub per_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    pub name: String,
    pub title: String,
    pub schema: Value,
    pub primary_key: Vec<String>,
    #[serde(default)]
    pub cursor_fields: Vec<String>,
    #[serde(default)]
    pub supports_deletes: bool,
    #[serde(default)]
    pub data_classes: BTreeMap<String, String>,
    pub mapping: Option<Mapping>,
}

/// The default mapping onto the canonical schema; texts are mapping expressions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub to: Meaning,
    pub key: String,
    pub updated_at: Option<String>,
    pub created_at: Option<String>,
    /// A constant name; `map.event` works one out.
    pub event: Option<String>,
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    #[serde(default)]
    pub consent: BTreeMap<String, Consent>,
}

/// `person`, `event`, `account`, `order`, `subscription`, `product` or `consent`; several are `person` and one of `event`, `order`
/// and `subscription`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Meaning {
    One(String),
    Several(Vec<String>),
}

/// What records say about a purpose: `granted`, `denied`, `withdrawn` or none, and since when where a record states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Consent {
    Status(String),
    Timed { status: String, at: String },
}

impl Consent {
    fn expressions(&self) -> impl Iterator<Item = &String> {
        let (status, at) = match self {
            Self::Status(status) => (status, None),
            Self::Timed { status, at } => (status, Some(at)),
        };
        [status].into_iter().chain(at)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub name: String,
    pub title: String,
    pub schema: Value,
    pub modes: Vec<Mode>,
    pub keys: Vec<String>,
    pub max_batch: u32,
}

impl Manifest {
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::permanent("sdk.manifest", format!("in the manifest: {error}")))
    }

    pub fn stream_infos(&self) -> Vec<StreamInfo> {
        self.streams
            .iter()
            .map(|stream| StreamInfo {
                name: stream.name.clone(),
                title: stream.title.clone(),
                schema: stream.schema.to_string(),
                primary_key: stream.primary_key.clone(),
                cursor_fields: stream.cursor_fields.clone(),
                data_classes: serde_json::to_string(&stream.data_classes).unwrap_or_default(),
                supports_deletes: stream.supports_deletes,
            })
            .collect()
    }

    pub fn target_infos(&self) -> Vec<TargetInfo> {
        self.targets
            .iter()
            .map(|target| TargetInfo {
                name: target.name.clone(),
                title: target.title.clone(),
                schema: target.schema.to_string(),
                modes: target.modes.clone(),
                keys: target.keys.clone(),
                max_batch: target.max_batch,
            })
            .collect()
    }

    /// What is wrong with the manifest, as sentences; empty when nothing is. For an author's test.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.hosts.iter().any(|host| host.contains('/')) {
            problems.push("a host is a name without scheme and path".to_owned());
        }
        for stream in &self.streams {
            let known = |field: &str| stream.schema.pointer(&format!("/properties/{field}"));
            for field in stream.primary_key.iter().chain(&stream.cursor_fields) {
                if known(field).is_none() {
                    problems.push(format!("`{}` has no field `{field}`", stream.name));
                }
            }
            for path in stream.data_classes.keys() {
                let top = path.split('.').next().unwrap_or_default();
                if known(top).is_none() {
                    problems.push(format!("`{}` classes unknown data `{path}`", stream.name));
                }
            }
            let Some(mapping) = &stream.mapping else {
                continue;
            };
            for text in mapping.expressions() {
                for (first, second) in paths(text) {
                    let deeper = known(&first).map(|schema| schema.get("properties"));
                    let fits = match (deeper, second) {
                        (None, _) => false,
                        (Some(Some(properties)), Some(name)) => properties.get(&name).is_some(),
                        _ => true,
                    };
                    if !fits {
                        problems.push(format!("`{}` maps `{text}`, an unknown field", stream.name));
                    }
                }
            }
        }
        problems
    }
}

impl Mapping {
    fn expressions(&self) -> impl Iterator<Item = &str> {
        let single = [&self.updated_at, &self.created_at].into_iter().flatten();
        single
            .chain(self.map.values())
            .chain(self.consent.values().flat_map(Consent::expressions))
            .chain([&self.key])
            .map(String::as_str)
    }
}

/// The fields that an expression reads, two levels deep: a word that is no keyword, no filter and not quoted.
fn paths(text: &str) -> Vec<(String, Option<String>)> {
    const WORDS: [&str; 13] = [
        "and", "or", "not", "in", "is", "if", "else", "none", "true", "false", "defined", "null",
        "string",
    ];
    let mut found = Vec::new();
    for (n, part) in text.split('\'').enumerate() {
        if n % 2 == 1 {
            continue;
        }
        let mut filter = false;
        let mut rest = part;
        while let Some(start) =
            rest.find(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '|')
        {
            rest = &rest[start..];
            if let Some(after) = rest.strip_prefix('|') {
                filter = true;
                rest = after;
                continue;
            }
            let word =
                |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '[' || c == ']';
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            let mut parts = rest[..end].split(['.', '[', ']']);
            let first = parts.next().unwrap_or_default().to_owned();
            if !filter
                && !first.starts_with(|c: char| c.is_ascii_digit())
                && !WORDS.contains(&first.as_str())
            {
                found.push((first, parts.next().map(str::to_owned)));
            }
            filter = false;
            rest = &rest[end..];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mapping_that_reads_an_unknown_field_is_a_problem() {
        let manifest = Manifest::parse(
            &json!({
                "name": "acme", "title": "Acme", "version": "1", "hosts": ["api.acme.test"],
                "credentials": {"key": {"title": "Key", "required": true, "inject": {"basic": {"username": "x"}}}},
                "streams": [{
                    "name": "people", "title": "People", "primary_key": ["id"],
                    "schema": {"type": "object", "properties": {
                        "id": {}, "status": {}, "p": {"properties": {"mail": {}}}}},
                    "mapping": {"to": "person", "key": "id",
                        "map": {"email": "p.mail | email", "phone": "p.fone | phone", "x": "'status x' if stat == 'a' else none"}}
                }]
            })
            .to_string(),
        )
        .expect("parses");
        assert_eq!(
            manifest.problems(),
            [
                "`people` maps `p.fone | phone`, an unknown field",
                "`people` maps `'status x' if stat == 'a' else none`, an unknown field"
            ]
        );
    }
}
