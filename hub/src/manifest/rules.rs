//! `[hub]` and `[identity]`: what holds for the whole hub.

use crate::expression::{country_code, is_region};
use crate::manifest::tree::suggest;
use crate::manifest::tree::{File, Hinted, Item, Report, Table};
use crate::manifest::{Hub, IdentityRules, Loader};
use crate::model::IdentifierKind;
use crate::problem::codes;

const KINDS: [&str; 7] = [
    "user_id",
    "email",
    "phone",
    "anonymous_id",
    "device_id",
    "ad_id",
    "external:SOURCE",
];

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
                format!("`{text}` is no region"),
            )
            .with_hint(Some(hint));
        None
    }

    pub(super) fn identity(&mut self, items: &[Item<'_>]) -> IdentityRules {
        let mut rules = IdentityRules::default();
        for item in items {
            let known = ["shared_above", "limits", "blocked"];
            let Some(table) = item.table("`[identity]`", &known, &mut self.report) else {
                continue;
            };
            let report = &mut self.report;
            if let Some(above) = table
                .get("shared_above")
                .and_then(|item| item.integer(1..=1_000_000, report))
            {
                rules.shared_above = u32::try_from(above).unwrap_or(u32::MAX);
            }
            if let Some(limits) = table.get("limits").and_then(|item| item.free_table(report)) {
                read_limits(&limits, &mut rules, report);
            }
            for (item, text) in table
                .get("blocked")
                .map(|item| item.texts(report))
                .unwrap_or_default()
            {
                match blocked(text) {
                    Some(()) => rules.blocked.push(text.to_owned()),
                    None => {
                        report
                            .error(
                                &codes::UNKNOWN_KIND,
                                &item.spot(),
                                "a blocked value is not of the form `KIND:VALUE`",
                            )
                            .with_hint(Some(format!("kinds are {}", KINDS.join(", "))));
                    }
                }
            }
        }
        rules
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

fn read_limits(table: &Table<'_>, rules: &mut IdentityRules, report: &mut Report) {
    for item in table.items() {
        if IdentifierKind::parse(item.key).is_none() {
            report
                .error(
                    &codes::UNKNOWN_KIND,
                    &item.key_spot(),
                    format!("`{}` is no kind of identifier", item.key),
                )
                .with_hint(suggest(item.key, KINDS));
            continue;
        }
        let Some(limit) = item.integer(1..=1_000_000, report) else {
            continue;
        };
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        match rules.limits.iter_mut().find(|(kind, _)| kind == item.key) {
            Some(entry) => entry.1 = limit,
            None => rules.limits.push((item.key.to_owned(), limit)),
        }
    }
}

/// `KIND:VALUE`; the kind `external:SOURCE` has a colon of its own.
fn blocked(text: &str) -> Option<()> {
    let (kind, value) = match text.strip_prefix("external:") {
        Some(rest) => {
            let (source, value) = rest.split_once(':')?;
            (format!("external:{source}"), value)
        }
        None => {
            let (kind, value) = text.split_once(':')?;
            (kind.to_owned(), value)
        }
    };
    (IdentifierKind::parse(&kind).is_some() && !value.is_empty()).then_some(())
}
