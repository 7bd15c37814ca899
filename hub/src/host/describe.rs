//! The connector's `manifest` document: its JSON shape, and the conversion to `model::Description`. Unknown keys
//! are allowed, because a newer connector may declare more than this hub understands.

use crate::model::{
    ConsentText, CredentialSpec, Description, Inject, RateSpec, StreamMapping, StreamSpec,
    TargetSpec, Value,
};
use crate::problem::{Problem, codes, is_plain_line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The document names streams, not records: more than this is a mistake or an attack.
const DOCUMENT_BYTES: usize = 4 << 20;

#[derive(Deserialize)]
struct ManifestWire {
    name: String,
    #[serde(default)]
    title: String,
    version: String,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    credentials: BTreeMap<String, CredentialWire>,
    #[serde(default)]
    rates: BTreeMap<String, RateWire>,
    #[serde(default)]
    streams: Vec<StreamWire>,
    #[serde(default)]
    targets: Vec<TargetWire>,
    #[serde(default)]
    audience_keys: Vec<String>,
    #[serde(default)]
    audience_name_max: Option<u32>,
}

#[derive(Deserialize)]
struct CredentialWire {
    #[serde(default)]
    title: String,
    #[serde(default = "yes")]
    required: bool,
    inject: InjectWire,
    /// To whom it is sent; to every declared host where this is not said.
    #[serde(default)]
    hosts: Option<Vec<String>>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum InjectWire {
    Bearer,
    Basic { username: String },
    Header { name: String },
    Signing,
}

#[derive(Deserialize)]
struct RateWire {
    requests: u32,
    per_ms: u64,
}

#[derive(Deserialize)]
struct StreamWire {
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    schema: Value,
    #[serde(default)]
    primary_key: Vec<String>,
    #[serde(default)]
    cursor_fields: Vec<String>,
    #[serde(default)]
    supports_deletes: bool,
    #[serde(default)]
    data_classes: BTreeMap<String, String>,
    #[serde(default)]
    mapping: Option<MappingWire>,
}

#[derive(Deserialize)]
struct MappingWire {
    to: MeaningWire,
    key: String,
    #[serde(default)]
    updated_at: Option<String>,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    map: BTreeMap<String, String>,
    #[serde(default)]
    consent: BTreeMap<String, ConsentWire>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MeaningWire {
    One(String),
    Several(Vec<String>),
}

/// The status alone, or with its time.
#[derive(Deserialize)]
#[serde(untagged)]
enum ConsentWire {
    Status(String),
    Timed {
        status: String,
        #[serde(default)]
        at: Option<String>,
    },
}

#[derive(Deserialize)]
struct TargetWire {
    name: String,
    #[serde(default)]
    schema: Value,
    #[serde(default)]
    modes: Vec<String>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    max_batch: u32,
}

/// Reads both documents. `exports` is what the hub found by looking.
pub fn parse(manifest: &str, schema: &str, exports: Vec<String>) -> Result<Description, Problem> {
    if manifest.len() + schema.len() > DOCUMENT_BYTES {
        return Err(wrong(format!(
            "the connector's description is {} bytes long; {DOCUMENT_BYTES} are allowed",
            manifest.len() + schema.len()
        )));
    }
    let wire: ManifestWire = serde_json::from_str(manifest)
        .map_err(|error| wrong(format!("the connector's manifest cannot be read: {error}")))?;
    let config_schema: Value = serde_json::from_str(schema).map_err(|error| {
        wrong(format!(
            "the connector's configuration schema cannot be read: {error}"
        ))
    })?;
    check(&wire)?;
    Ok(Description {
        name: wire.name,
        title: wire.title,
        version: wire.version,
        hosts: wire.hosts,
        credentials: wire.credentials.into_iter().map(credential).collect(),
        rates: wire
            .rates
            .into_iter()
            .map(|(bucket, rate)| {
                let rate = RateSpec {
                    requests: rate.requests,
                    per_ms: rate.per_ms,
                };
                (bucket, rate)
            })
            .collect(),
        config_schema,
        streams: wire.streams.into_iter().map(stream).collect(),
        targets: wire.targets.into_iter().map(target).collect(),
        audience_keys: wire.audience_keys,
        audience_name_max: wire.audience_name_max,
        exports,
    })
}

fn check(wire: &ManifestWire) -> Result<(), Problem> {
    let plain = |name: &str| {
        !name.is_empty()
            && name.len() <= 64
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let names = std::iter::once(&wire.name)
        .chain(wire.credentials.keys())
        .chain(wire.rates.keys())
        .chain(wire.streams.iter().map(|stream| &stream.name))
        .chain(wire.targets.iter().map(|target| &target.name));
    for name in names {
        if !plain(name) {
            return Err(wrong(format!(
                "the connector's manifest uses the name `{}`; names have letters, digits, `-`, `_` and `.`",
                name.escape_debug()
                    .to_string()
                    .chars()
                    .take(80)
                    .collect::<String>()
            )));
        }
    }
    if let Some(text) = shown(wire).find(|text| !is_plain_line(text)) {
        let text: String = text.escape_debug().take(80).collect();
        return Err(wrong(format!(
            "the connector's manifest has control characters in `{text}`"
        )));
    }
    for (name, credential) in &wire.credentials {
        if credential.hosts.as_ref().is_some_and(Vec::is_empty) {
            return Err(wrong(format!(
                "the connector's credential `{name}` is for no host; leave `hosts` out where it is for all"
            )));
        }
    }
    for (bucket, rate) in &wire.rates {
        if rate.requests == 0 || rate.per_ms == 0 {
            return Err(wrong(format!(
                "the connector's rate `{bucket}` allows no request at all"
            )));
        }
    }
    let mut seen = std::collections::HashSet::new();
    for stream in &wire.streams {
        if !seen.insert(&stream.name) {
            return Err(wrong(format!(
                "the connector's manifest names the stream `{}` twice",
                stream.name
            )));
        }
    }
    Ok(())
}

/// What an operator reads before saying yes.
fn shown(wire: &ManifestWire) -> impl Iterator<Item = &String> {
    let credentials = wire.credentials.values().flat_map(|credential| {
        let location = match &credential.inject {
            InjectWire::Basic { username: text } | InjectWire::Header { name: text } => Some(text),
            InjectWire::Bearer | InjectWire::Signing => None,
        };
        let hosts = credential.hosts.iter().flatten();
        location.into_iter().chain([&credential.title]).chain(hosts)
    });
    let streams = wire.streams.iter().flat_map(|stream| {
        let classes = stream.data_classes.iter();
        classes
            .flat_map(|(field, class)| [field, class])
            .chain(&stream.primary_key)
            .chain([&stream.title])
    });
    let targets = wire.targets.iter();
    [&wire.title, &wire.version]
        .into_iter()
        .chain(&wire.hosts)
        .chain(&wire.audience_keys)
        .chain(credentials)
        .chain(streams)
        .chain(targets.flat_map(|target| &target.modes))
}

fn wrong(message: String) -> Problem {
    Problem::new(&codes::WRONG_DESCRIPTION, message)
}

fn credential((name, wire): (String, CredentialWire)) -> (String, CredentialSpec) {
    let inject = match wire.inject {
        InjectWire::Bearer => Inject::Bearer,
        InjectWire::Basic { username } => Inject::Basic { username },
        InjectWire::Header { name } => Inject::Header { name },
        InjectWire::Signing => Inject::Signing,
    };
    let spec = CredentialSpec {
        title: wire.title,
        required: wire.required,
        inject,
        hosts: wire.hosts.unwrap_or_default(),
    };
    (name, spec)
}

fn stream(wire: StreamWire) -> StreamSpec {
    StreamSpec {
        name: wire.name,
        title: wire.title,
        schema: wire.schema,
        primary_key: wire.primary_key,
        cursor_fields: wire.cursor_fields,
        supports_deletes: wire.supports_deletes,
        data_classes: wire.data_classes,
        mapping: wire.mapping.map(|mapping| StreamMapping {
            to: match mapping.to {
                MeaningWire::One(word) => vec![word],
                MeaningWire::Several(words) => words,
            },
            key: mapping.key,
            updated_at: mapping.updated_at,
            created_at: mapping.created_at,
            event: mapping.event,
            map: mapping.map,
            consent: mapping.consent.into_iter().map(consent).collect(),
        }),
    }
}

fn consent((purpose, wire): (String, ConsentWire)) -> (String, ConsentText) {
    let text = match wire {
        ConsentWire::Status(status) => ConsentText { status, at: None },
        ConsentWire::Timed { status, at } => ConsentText { status, at },
    };
    (purpose, text)
}

fn target(wire: TargetWire) -> TargetSpec {
    TargetSpec {
        name: wire.name,
        schema: wire.schema,
        modes: wire.modes,
        keys: wire.keys,
        max_batch: wire.max_batch,
    }
}

/// The two documents as the cache keeps them.
#[derive(Serialize, Deserialize)]
struct Kept {
    manifest: String,
    config_schema: String,
}

pub fn join_kept(manifest: &str, config_schema: &str) -> String {
    let kept = Kept {
        manifest: manifest.to_owned(),
        config_schema: config_schema.to_owned(),
    };
    serde_json::to_string(&kept).expect("two texts can always be written")
}

pub fn split_kept(text: &str) -> Option<(String, String)> {
    let kept: Kept = serde_json::from_str(text).ok()?;
    Some((kept.manifest, kept.config_schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_reads_can_hide_nothing() {
        let said = |location: &str, text: &str| {
            let mut manifest = serde_json::json!({
                "name": "crm", "title": "CRM", "version": "1.0.0", "hosts": ["api.example.com"],
                "credentials": { "token": { "title": "Token", "inject": { "header": { "name": "x-key" } }, "hosts": ["api.example.com"] } },
                "streams": [{ "name": "people", "title": "People", "primary_key": ["id"],
                    "data_classes": { "email": "pii.email" } }],
                "targets": [{ "name": "people", "modes": ["upsert"] }], "audience_keys": ["email"],
            });
            *manifest.pointer_mut(location).unwrap() = text.into();
            parse(&manifest.to_string(), "{}", Vec::new())
        };
        let locations = [
            "/title",
            "/version",
            "/hosts/0",
            "/credentials/token/title",
            "/credentials/token/inject/header/name",
            "/credentials/token/hosts/0",
            "/streams/0/title",
            "/streams/0/primary_key/0",
            "/streams/0/data_classes/email",
            "/targets/0/modes/0",
            "/audience_keys/0",
        ];
        for location in locations {
            said(location, "Zażółć — 顧客 🙂").expect("plain text");
            for hidden in [
                "a\nb",
                "a\rb",
                "\u{1b}[2K",
                "a\u{202e}b",
                "\u{9b}1A",
                "a\u{61c}b",
                "a\u{200b}b",
            ] {
                let problem = said(location, hidden).expect_err("control characters");
                assert_eq!(problem.code.id, codes::WRONG_DESCRIPTION.id);
                assert!(is_plain_line(&problem.message), "{location} {hidden:?}");
            }
        }
    }
}
