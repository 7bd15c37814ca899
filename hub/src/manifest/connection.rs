//! What sources and destinations share: configuration, credentials, grants and limits, checked against the connector.

use crate::manifest::tree::{Hinted, Item, Report, Table, suggest};
use crate::manifest::{Grants, Limits, Loader, SecretRef, address, schema};
use crate::model::{Description, RateSpec, Value};
use crate::problem::codes;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// The place, never the secret.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

/// How an entry reaches its vendor.
pub(super) struct Connection {
    pub config: Value,
    pub credentials: BTreeMap<String, SecretRef>,
    pub grants: Grants,
    pub limits: Limits,
    pub rates: BTreeMap<String, RateSpec>,
}

impl Loader<'_> {
    /// Reads `config`, `credential`, `grant`, `limits` and `rates`; `description` is `None` when the connector is unknown.
    pub(super) fn connection(
        &mut self,
        table: &Table<'_>,
        description: Option<&Description>,
    ) -> Connection {
        let report = &mut self.report;
        let mut grants = table
            .get("grant")
            .map(|item| grants(&item, report))
            .unwrap_or_default();
        grants.credential_hosts = credential_hosts(table, description, &grants, report);
        let config_table = table.get("config").and_then(|item| item.as_table());
        if let (Some(config), Some(description)) = (config_table, description) {
            address::check(&config, description, &grants, report);
        }
        Connection {
            config: config(table, description, report),
            credentials: credentials(table, description, report),
            grants,
            limits: table
                .get("limits")
                .map(|item| limits(&item, report))
                .unwrap_or_default(),
            rates: rates(table, description, report),
        }
    }
}

fn config(table: &Table<'_>, description: Option<&Description>, report: &mut Report) -> Value {
    let item = table.get("config");
    let given = item.and_then(|item| item.free_table(report));
    if let Some(description) = description {
        let spot = table
            .get("connector")
            .map_or_else(|| table.spot(), |item| item.spot());
        schema::check_config(
            &description.config_schema,
            item.as_ref(),
            given.as_ref(),
            &spot,
            report,
        );
    }
    match item {
        Some(item) if given.is_some() => schema::to_json(&item),
        _ => Value::Object(serde_json::Map::new()),
    }
}

fn credentials(
    table: &Table<'_>,
    description: Option<&Description>,
    report: &mut Report,
) -> BTreeMap<String, SecretRef> {
    let mut credentials = BTreeMap::new();
    let given = table
        .get("credential")
        .and_then(|item| item.free_table(report));
    let items = given.map(|table| table.items()).unwrap_or_default();
    for item in &items {
        if let Some(description) = description
            && !description.credentials.contains_key(item.key)
        {
            let message = format!("`{}` takes no credential `{}`", description.name, item.key);
            report
                .error(&codes::UNKNOWN_CREDENTIAL, &item.key_spot(), message)
                .with_hint(suggest(
                    item.key,
                    description.credentials.keys().map(String::as_str),
                ));
        }
        if let Some(secret) = secret(item, report) {
            credentials.insert(item.key.to_owned(), secret);
        }
    }
    let Some(description) = description else {
        return credentials;
    };
    for (name, spec) in &description.credentials {
        if spec.required && !items.iter().any(|item| item.key == name) {
            let spot = table
                .get("connector")
                .map_or_else(|| table.spot(), |item| item.spot());
            let message = format!(
                "`{}` needs the credential `{name}`: {}",
                description.name, spec.title
            );
            let variable = format!("{}_{name}", description.name)
                .to_ascii_uppercase()
                .replace('-', "_");
            report
                .error(&codes::MISSING_CREDENTIAL, &spot, message)
                .with_hint(Some(format!(
                    "add `credential.{name} = \"env:{variable}\"`"
                )));
        }
    }
    credentials
}

/// `env:NAME` or `file:PATH`, alone or as `from` next to `hosts`. Anything else may be a secret and is not repeated.
fn secret(item: &Item<'_>, report: &mut Report) -> Option<SecretRef> {
    let text = match item.raw().as_table() {
        Some(_) => {
            let table = item.table("a credential", "source.credential", report)?;
            let from = table.need("from", "a credential", report)?;
            from.raw().as_str()
        }
        None => item.raw().as_str(),
    };
    let reference = text.and_then(SecretRef::parse);
    if reference.is_none() {
        let message = format!(
            "the secret of `credential.{}` must not be written in a manifest",
            item.key
        );
        report
            .error(&codes::INLINE_SECRET, &item.spot(), message)
            .with_hint(Some("name its place: `env:NAME` or `file:PATH`".to_owned()));
    }
    reference
}

/// What the operator says about to whom each credential is sent. A host that the connector cannot call is a slip.
fn credential_hosts(
    table: &Table<'_>,
    description: Option<&Description>,
    grants: &Grants,
    report: &mut Report,
) -> BTreeMap<String, Vec<String>> {
    let given = table.get("credential");
    let given = given.filter(|item| item.raw().as_table().is_some());
    let given = given.and_then(|item| item.free_table(report));
    let mut found = BTreeMap::new();
    for item in given.map(|table| table.items()).unwrap_or_default() {
        if item.raw().as_table().is_none() {
            continue;
        }
        let hosts = item.free_table(report).and_then(|one| one.get("hosts"));
        let Some(hosts) = hosts else { continue };
        let mut named = Vec::new();
        for (item, text) in hosts.texts(report) {
            let text = text.to_ascii_lowercase();
            let is_called = description.is_none_or(|one| {
                let called = one.hosts.iter().chain(&grants.hosts);
                let mut called = called.chain(&grants.addresses);
                called.any(|host| reaches(&host.to_ascii_lowercase(), &text))
            });
            if !is_called {
                let message = format!("`{text}` is not a host that this connector may call");
                report
                    .error(&codes::BAD_GRANT, &item.spot(), message)
                    .with_hint(Some(
                        "name a host that it declares, or grant it with `grant.hosts` or `grant.addresses` first"
                            .to_owned(),
                    ));
            }
            named.push(text);
        }
        found.insert(item.key.to_owned(), named);
    }
    found
}

/// Whether a grant for `granted`, which may be `*.HOST`, is one for `host`.
pub(super) fn reaches(granted: &str, host: &str) -> bool {
    let below = granted.strip_prefix('*');
    granted == host || below.is_some_and(|below| host.len() > below.len() && host.ends_with(below))
}

fn grants(item: &Item<'_>, report: &mut Report) -> Grants {
    let mut grants = Grants::default();
    let Some(table) = item.table("`grant`", "source.grant", report) else {
        return grants;
    };
    for (item, text) in table
        .get("hosts")
        .map(|item| item.texts(report))
        .unwrap_or_default()
    {
        if is_host(text) {
            grants.hosts.push(text.to_ascii_lowercase());
        } else {
            report
                .error(
                    &codes::BAD_GRANT,
                    &item.spot(),
                    format!("`{text}` is not a valid host"),
                )
                .with_hint(Some(
                    "write `HOST` or `HOST:PORT`, without a scheme or a path".to_owned(),
                ));
        }
    }
    for (item, text) in table
        .get("addresses")
        .map(|item| item.texts(report))
        .unwrap_or_default()
    {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => grants.addresses.push(address.to_string()),
            _ => {
                report
                    .error(
                        &codes::BAD_GRANT,
                        &item.spot(),
                        format!("`{text}` is not a valid address with a port"),
                    )
                    .with_hint(Some(
                        "write `ADDRESS:PORT` such as `127.0.0.1:8420` or `[::1]:8420`".to_owned(),
                    ));
            }
        }
    }
    grants
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let good_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(good_label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn limits(item: &Item<'_>, report: &mut Report) -> Limits {
    let mut limits = Limits::default();
    let Some(table) = item.table("`limits`", "source.limits", report) else {
        return limits;
    };
    let mut read = |key: &str, most: i64| {
        let item = table.get(key)?;
        item.integer(1..=most, report).map(i64::unsigned_abs)
    };
    let (any, rows) = (i64::MAX, i64::from(u32::MAX));
    limits.memory_bytes = read("memory_bytes", any).unwrap_or(limits.memory_bytes);
    limits.cpu_ms = read("cpu_ms", any).unwrap_or(limits.cpu_ms);
    limits.wall_ms = read("wall_ms", any).unwrap_or(limits.wall_ms);
    limits.response_bytes = read("response_bytes", any).unwrap_or(limits.response_bytes);
    limits.batch_bytes = read("batch_bytes", any).unwrap_or(limits.batch_bytes);
    let mut narrow = |key: &str, default: u32| {
        read(key, rows)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(default)
    };
    limits.batch_rows = narrow("batch_rows", limits.batch_rows);
    limits.log_lines = narrow("log_lines", limits.log_lines);
    limits
}

/// `1s`, `10s`, `5m` or `1h`, in milliseconds.
fn period(item: &Item<'_>, report: &mut Report) -> Option<u64> {
    let text = item.text(report)?;
    let read = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        (1..=1_000).contains(&number).then(|| number * unit)
    };
    let found = read();
    if found.is_none() {
        let message = format!("`{text}` is not a period in which requests are counted");
        report
            .error(&codes::BAD_DURATION, &item.spot(), message)
            .with_hint(Some(
                "write a whole number and `s`, `m` or `h`, such as `10s`".to_owned(),
            ));
    }
    found
}

/// The connector's rates, and what the vendor's plan allows instead.
fn rates(
    table: &Table<'_>,
    description: Option<&Description>,
    report: &mut Report,
) -> BTreeMap<String, RateSpec> {
    let mut rates = description.map_or_else(BTreeMap::new, |one| one.rates.clone());
    let given = table.get("rates");
    let given = given.and_then(|item| item.free_table(report));
    for item in given.map(|table| table.items()).unwrap_or_default() {
        let is_known = description.is_none_or(|one| one.rates.contains_key(item.key));
        if let Some(description) = description.filter(|_| !is_known) {
            let message = format!("`{}` has no rate `{}`", description.name, item.key);
            let known = description.rates.keys().map(String::as_str);
            report
                .error(&codes::UNKNOWN_KEY, &item.key_spot(), message)
                .with_hint(suggest(item.key, known));
        }
        let Some(entry) = item.table("a rate", "source.rates", report) else {
            continue;
        };
        let requests = entry.need("requests", "a rate", report);
        let requests = requests.and_then(|item| item.integer(1..=1_000_000, report));
        let per = entry.need("per", "a rate", report);
        let per = per.and_then(|item| period(&item, report));
        if let (Some(requests), Some(per)) = (requests, per) {
            let rate = RateSpec {
                requests: u32::try_from(requests).unwrap_or(u32::MAX),
                per_ms: per,
            };
            rates.insert(item.key.to_owned(), rate);
        }
    }
    rates
}
