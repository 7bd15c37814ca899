//! `[hub]`: settings for the whole hub.

use crate::expression::{country_code, is_region};
use crate::manifest::tree::{File, Hinted, Item, Report};
use crate::manifest::{Hub, Loader};
use crate::problem::codes;

impl Loader<'_> {
    pub(super) fn hub(&mut self, items: &[Item<'_>], files: &[File<'_>]) -> Option<Hub> {
        let Some((first, others)) = items.split_first() else {
            if let Some(file) = files.first() {
                self.report
                    .error(&codes::NO_HUB, &file.start(), "no file has a `[hub]` table")
                    .with_hint(Some(
                        "add `[hub]` with `name = \"…\"` and `store = \"sqlite:hub.db\"`"
                            .to_owned(),
                    ));
            } else {
                self.report.problems.push(crate::problem::Problem::new(
                    &codes::NO_MANIFESTS,
                    "there is no manifest",
                ));
            }
            return None;
        };
        for other in others {
            self.report
                .error(
                    &codes::DUPLICATE,
                    &other.key_spot(),
                    "there is already a `[hub]` table",
                )
                .with_hint(Some(format!(
                    "the first one is at {}",
                    super::position(first.file, first.key_spot().span.start)
                )));
        }
        let table = first.table("`[hub]`", "hub", &mut self.report)?;
        if let Some(item) = table.get("default_region") {
            self.region = self.region(&item);
        }
        let name = self.name("`[hub]`", &table, &mut super::Names::default());
        let store = table
            .need("store", "`[hub]`", &mut self.report)
            .and_then(|item| store(&item, &mut self.report));
        Some(Hub {
            name: name?.to_string(),
            store: store?,
            default_region: self.region.clone(),
        })
    }

    /// `memory` of the `[limits]` table: what all connectors together may use, in bytes.
    pub(super) fn memory(&mut self, items: &[Item<'_>]) -> Option<u64> {
        let report = &mut self.report;
        let mut memory = None;
        for item in items {
            let Some(table) = item.table("`[limits]`", "limits", report) else {
                continue;
            };
            let Some(item) = table.get("memory") else {
                continue;
            };
            if memory.is_some() {
                let message = "there is already a `memory` in a `[limits]` table";
                report.error(&codes::DUPLICATE, &item.spot(), message);
            }
            memory = bytes(&item, report);
            if memory.is_some_and(|memory| memory < LEAST_MEMORY) {
                report
                    .error(
                        &codes::BAD_NUMBER,
                        &item.spot(),
                        "this is less memory than a connector needs",
                    )
                    .with_hint(Some(format!(
                        "write at least `{} MiB`; without a number it is half of the machine's",
                        LEAST_MEMORY >> 20
                    )));
            }
        }
        memory
    }

    /// An ISO 3166 alpha-2 code in capitals.
    pub(super) fn region(&mut self, item: &Item<'_>) -> Option<String> {
        let text = item.text(&mut self.report)?;
        if is_region(text) {
            return Some(text.to_owned());
        }
        let hint = match country_code(text) {
            Some(code) => format!("did you mean `{code}`?"),
            None => "a region is a country's two letters in ISO 3166, such as `PL`".to_owned(),
        };
        self.report
            .error(
                &codes::BAD_REGION,
                &item.spot(),
                format!("`{text}` is not a valid region"),
            )
            .with_hint(Some(hint));
        None
    }
}

/// Of all connectors together: below that not even one in an interpreted language starts.
const LEAST_MEMORY: u64 = 64 << 20;

fn store(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text(report)?;
    let good = text
        .strip_prefix("sqlite:")
        .is_some_and(|path| !path.is_empty())
        || text.starts_with("postgres://")
        || text.starts_with("postgresql://");
    if good {
        return Some(text.to_owned());
    }
    report
        .error(&codes::BAD_NAME, &item.spot(), "this names no store")
        .with_hint(Some("write `sqlite:PATH` or `postgres://…`".to_owned()));
    None
}

/// Such as `512 MiB` or `4 GiB`.
fn bytes(item: &Item<'_>, report: &mut Report) -> Option<u64> {
    let text = item.text(report)?;
    let read = || {
        let (number, unit) = text.split_once(' ')?;
        let shift = match unit {
            "MiB" => 20,
            "GiB" => 30,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        (1..=1 << 20).contains(&number).then_some(number << shift)
    };
    let bytes = read();
    if bytes.is_none() {
        let message = format!("`{text}` is not an amount of memory");
        let hint = "write a number of `MiB` or `GiB`, such as `4 GiB`";
        report
            .error(&codes::BAD_NUMBER, &item.spot(), message)
            .with_hint(Some(hint.to_owned()));
    }
    bytes
}
