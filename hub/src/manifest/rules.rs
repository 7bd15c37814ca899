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
        let table = first.table(
            "`[hub]`",
            &["name", "store", "default_region"],
            &mut self.report,
        )?;
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
