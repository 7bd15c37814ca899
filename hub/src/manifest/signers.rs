//! The `[connectors]` table: whose signatures are trusted, and whether one is required. Knows no cryptography; a key is its
//! 32 bytes.

use crate::manifest::tree::{Hinted, Item, Report};
use crate::manifest::{Loader, Signers, TrustedKey, is_name};
use crate::problem::codes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

impl Loader<'_> {
    pub(super) fn signers(&mut self, items: &[Item<'_>]) -> Signers {
        let report = &mut self.report;
        let mut signers = Signers::default();
        let mut required = None;
        let before = report.problems.len();
        for item in items {
            let Some(table) = item.table("`connectors`", "connectors", report) else {
                continue;
            };
            for (item, text) in table
                .get("trusted_keys")
                .map(|item| item.texts(report))
                .unwrap_or_default()
            {
                signers.trust(&item, text, report);
            }
            if let Some(item) = table.get("require_signature") {
                signers.required |= item.boolean(report).unwrap_or(true);
                required = Some(item);
            }
        }
        if let Some(item) = required
            && signers.required
            && signers.trusted.is_empty()
            && report.problems.len() == before
        {
            let message = "a signature is required, and there is no key whose signature counts";
            report
                .error(&codes::BAD_TRUSTED_KEY, &item.spot(), message)
                .with_hint(Some(
                    "add `trusted_keys = [\"NAME:BASE64\"]`; `onefold connector key new` prints such a line"
                        .to_owned(),
                ));
        }
        signers
    }
}

impl Signers {
    fn trust(&mut self, item: &Item<'_>, text: &str, report: &mut Report) {
        let Some(found) = parse(text) else {
            report
                .error(
                    &codes::BAD_TRUSTED_KEY,
                    &item.spot(),
                    "this is not a valid trusted key",
                )
                .with_hint(Some(
                    "write `NAME:BASE64` with the 32 bytes of an Ed25519 public key, as `onefold connector key new` \
                     prints it"
                        .to_owned(),
                ));
            return;
        };
        let taken = |one: &&TrustedKey| one.name == found.name || one.key == found.key;
        if let Some(first) = self.trusted.iter().find(taken) {
            let message = if first.name == found.name {
                format!(
                    "there is already a trusted key of the name `{}`",
                    found.name
                )
            } else {
                format!("this key is trusted already, as `{}`", first.name)
            };
            report.error(&codes::DUPLICATE, &item.spot(), message);
            return;
        }
        self.trusted.push(found);
    }
}

fn parse(text: &str) -> Option<TrustedKey> {
    let (name, key) = text.split_once(':')?;
    let key = BASE64.decode(key.trim()).ok()?.try_into().ok()?;
    is_name(name).then(|| TrustedKey {
        name: name.to_owned(),
        key,
    })
}
