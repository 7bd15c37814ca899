//! `[serve]`: where a hub that runs takes what others send.

use crate::manifest::tree::{Hinted, Item, Table};
use crate::manifest::{Loader, Sections, Source};
use crate::problem::codes;
use std::collections::BTreeMap;
use std::net::SocketAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    pub listen: SocketAddr,
    /// Without it, connections are plain.
    pub tls: Option<Certified>,
    /// A proxy speaks for clients, and may not say so.
    pub behind_proxy: bool,
}

/// Two files in PEM, named from the hub's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    pub certificate: String,
    pub key: String,
}

impl Loader<'_> {
    /// What is sent to a source has to arrive somewhere.
    pub(super) fn check_reachable(&mut self, sources: &[Source], sections: &Sections<'_>) {
        self.check_keys_and_origins(sources, sections);
        let mut items = sections.sources.iter();
        let collected = sources.iter().find(|source| source.is_collected());
        let (Some(source), true) = (collected, sections.serve.is_empty()) else {
            return;
        };
        let Some(item) = items.find(|item| item.name() == Some(&source.name)) else {
            return;
        };
        let message = format!("nobody can send anything to source `{}`", source.name);
        self.report
            .error(&codes::MISSING_KEY, &item.spot(), message)
            .with_hint(Some(
                "say where the hub listens: `[serve]` with `listen = \"127.0.0.1:7117\"`"
                    .to_owned(),
            ));
    }

    /// A write key names one source, and an origin has a scheme.
    fn check_keys_and_origins(&mut self, sources: &[Source], sections: &Sections<'_>) {
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        for source in sources.iter().filter(|source| source.is_collected()) {
            let mut items = sections.sources.iter();
            let item = items.find(|item| item.name() == Some(&source.name));
            let Some(spot) = item.map(Item::spot) else {
                continue;
            };
            let texts = |name: &str| -> Vec<String> {
                let all = source.config.get(name).and_then(|all| all.as_array());
                let texts = all.into_iter().flatten().filter_map(|one| one.as_str());
                texts.map(str::to_owned).collect()
            };
            let keys = texts("write_keys");
            if keys.is_empty() || keys.iter().any(|key| key.len() < 8) {
                let message =
                    "`write_keys` must have at least one key, and each at least 8 characters";
                self.report.error(&codes::WRONG_VALUE, &spot, message);
            }
            for key in keys {
                if let Some(owner) = owners.insert(key, source.name.to_string()) {
                    let message = format!("source `{owner}` has one of these write keys, too");
                    self.report
                        .error(&codes::DUPLICATE, &spot, message)
                        .with_hint(Some(
                            "a message would not say which source it is for".to_owned(),
                        ));
                }
            }
            if texts("origins")
                .iter()
                .any(|origin| !origin.contains("://"))
            {
                let message = "an origin has a scheme and a host";
                self.report
                    .error(&codes::WRONG_VALUE, &spot, message)
                    .with_hint(Some("write it like `https://shop.example`".to_owned()));
            }
        }
    }

    /// None where the hub listens nowhere.
    pub(super) fn serve(&mut self, items: &[Item<'_>]) -> Option<Serve> {
        let mut serve = None;
        for item in items {
            let table = item.table("`[serve]`", "serve", &mut self.report)?;
            let listen = table.need("listen", "`[serve]`", &mut self.report)?;
            let text = listen.text(&mut self.report)?;
            let Ok(address) = text.parse::<SocketAddr>() else {
                let message = "`listen` must be an IP address and a port";
                self.report
                    .error(&codes::WRONG_VALUE, &listen.spot(), message)
                    .with_hint(Some("write it like `127.0.0.1:7117`".to_owned()));
                return None;
            };
            let proxy = table.get("behind_proxy");
            let is_behind = proxy.is_some_and(|item| item.boolean(&mut self.report) == Some(true));
            let tls = self.certified(&table);
            let is_encrypted = is_behind || tls.is_some();
            if !address.ip().to_canonical().is_loopback() && !is_encrypted {
                let message = "other machines would reach this address, and what they send would not be encrypted";
                self.report
                    .error(&codes::CONTRADICTION, &listen.spot(), message)
                    .with_hint(Some(
                        "name `certificate` and `key`, two files in PEM; or say `behind_proxy = true` where a proxy with TLS is in front of it; or listen on `127.0.0.1`".to_owned(),
                    ));
                return None;
            }
            if serve.is_some() {
                let message = "there is already a `[serve]` table";
                self.report.error(&codes::DUPLICATE, &item.spot(), message);
            }
            serve = Some(Serve {
                listen: address,
                tls,
                behind_proxy: is_behind,
            });
        }
        serve
    }

    fn certified(&mut self, table: &Table<'_>) -> Option<Certified> {
        let [certificate, key] = ["certificate", "key"].map(|name| table.get(name));
        let (certificate, key) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => return None,
            (Some(one), None) | (None, Some(one)) => {
                let message = "`certificate` and `key` need each other";
                self.report
                    .error(&codes::MISSING_KEY, &one.spot(), message)
                    .with_hint(Some("name both files".to_owned()));
                return None;
            }
        };
        Some(Certified {
            certificate: certificate.text(&mut self.report)?.to_owned(),
            key: key.text(&mut self.report)?.to_owned(),
        })
    }
}
