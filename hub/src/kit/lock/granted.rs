//! What a connector asks for, as an operator sees it, and how two versions of it differ. Knows neither files nor
//! components.

use crate::model::{CredentialSpec, Description, Inject};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Classes of data with this in front are about a person.
const PERSONAL: &str = "pii";

/// What an operator has agreed to, or is asked to agree to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// What it can do: `source`, `webhook`, `destination`, `audience`, `privacy`.
    #[serde(default)]
    pub exports: BTreeSet<String>,
    /// `HOST`, `HOST:PORT`, or `*.HOST` for every name below.
    #[serde(default)]
    pub hosts: BTreeSet<String>,
    /// Name, where the hub puts it (`bearer`, `basic`, `header NAME`, `signing`), and ` for HOST, …` where it is not for every
    /// host above.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// Streams with personal data, and the classes of it.
    #[serde(default)]
    pub personal: BTreeMap<String, BTreeSet<String>>,
}

impl Granted {
    pub fn of(description: &Description) -> Self {
        let hosts = description.hosts.iter();
        let credentials = description.credentials.iter();
        let streams = description.streams.iter();
        Self {
            exports: description.exports.iter().cloned().collect(),
            hosts: hosts.map(|host| host.to_ascii_lowercase()).collect(),
            credentials: credentials
                .map(|(name, spec)| (name.clone(), injection(spec)))
                .collect(),
            personal: streams
                .map(|stream| (stream.name.clone(), personal(stream.data_classes.values())))
                .filter(|(_, classes)| !classes.is_empty())
                .collect(),
        }
    }

    /// What `next` asks for beyond this, as sentences.
    pub fn surpassed_by(&self, next: &Self) -> Vec<String> {
        let mut more = Vec::new();
        for host in &next.hosts {
            if !self.hosts.iter().any(|granted| covers(granted, host)) {
                more.push(format!("host `{host}`"));
            }
        }
        for (name, injection) in &next.credentials {
            match self.credentials.get(name) {
                None => more.push(format!("credential `{name}` ({injection})")),
                Some(before) if before != injection => {
                    more.push(format!(
                        "credential `{name}` as {injection}, not as {before}"
                    ));
                }
                Some(_) => {}
            }
        }
        for (stream, classes) in &next.personal {
            let before = self.personal.get(stream);
            let new: Vec<&str> = classes
                .iter()
                .filter(|class| before.is_none_or(|before| !before.contains(*class)))
                .map(String::as_str)
                .collect();
            if !new.is_empty() {
                more.push(format!(
                    "personal data in stream `{stream}` ({})",
                    new.join(", ")
                ));
            }
        }
        for export in next.exports.difference(&self.exports) {
            more.push(format!("to be a {export}"));
        }
        more
    }
}

/// Whether a grant for `granted` covers `host`.
fn covers(granted: &str, host: &str) -> bool {
    if granted == host {
        return true;
    }
    let below = granted.strip_prefix('*');
    let Some(below) = below.filter(|below| below.starts_with('.')) else {
        return false;
    };
    // `below` begins with a dot and may end with a port, which then has to be the same.
    let host = host.strip_prefix('*').unwrap_or(host);
    host.len() > below.len() && host.ends_with(below)
}

fn injection(spec: &CredentialSpec) -> String {
    let place = match &spec.inject {
        Inject::Bearer => "bearer".to_owned(),
        Inject::Basic { .. } => "basic".to_owned(),
        Inject::Header { name } => format!("header {}", name.to_ascii_lowercase()),
        Inject::Signing => "signing".to_owned(),
    };
    let hosts = spec.hosts.iter().map(|host| host.to_ascii_lowercase());
    let hosts: Vec<String> = hosts.collect::<BTreeSet<_>>().into_iter().collect();
    match hosts.is_empty() {
        true => place,
        false => format!("{place} for {}", hosts.join(", ")),
    }
}

fn personal<'a>(classes: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let is_personal = |class: &&String| {
        let family = class.split('.').next().unwrap_or_default();
        family.eq_ignore_ascii_case(PERSONAL)
    };
    classes.filter(is_personal).cloned().collect()
}
