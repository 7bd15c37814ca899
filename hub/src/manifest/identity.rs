//! `[identity]`: the rules that decide which records are one person, and where they contradict each other.

use crate::manifest::tree::{Hinted, Item, Report, Spot, Table, suggest};
use crate::manifest::{IdentityRules, Loader, Suggest, Trust};
use crate::model::IdentifierKind;
use crate::problem::codes;

const KINDS: [&str; 8] = [
    "user_id",
    "external",
    "external:SOURCE",
    "email",
    "phone",
    "anonymous_id",
    "device_id",
    "ad_id",
];

const TRUST: [(&str, Trust); 3] = [
    ("full", Trust::Full),
    ("late", Trust::Late),
    ("none", Trust::None),
];

impl Loader<'_> {
    pub(super) fn identity(&mut self, items: &[Item<'_>]) -> IdentityRules {
        let mut rules = IdentityRules::default();
        for item in items {
            let Some(table) = item.table("`[identity]`", "identity", &mut self.report) else {
                continue;
            };
            let report = &mut self.report;
            if let Some(above) = table
                .get("shared_above")
                .and_then(|item| item.integer(1..=1_000_000, report))
            {
                rules.shared_above = narrow(above);
            }
            if let Some(cap) = table
                .get("component_cap")
                .and_then(|item| item.integer(2..=1_000_000, report))
            {
                rules.component_cap = narrow(cap);
            }
            numbers(&table, "limits", &mut rules.limits, report);
            numbers(&table, "shared", &mut rules.shared, report);
            if let Some(kinds) = kinds(&table, "priority", report) {
                rules.priority = kinds;
            }
            if let Some(kinds) = kinds(&table, "strong", report) {
                rules.strong = kinds;
            }
            blocked(&table, &mut rules, report);
            if let Some(item) = table.get("role_mailboxes") {
                let choices = [("join", true), ("ignore", false)];
                rules.role_mailboxes = item.choice(&choices, report).unwrap_or_default();
            }
            self.trust(&table, &mut rules);
            contradictions(&table, &rules, &mut self.report);
        }
        rules
    }

    /// `[suggest]`, by which people who look alike are suggested as one.
    pub(super) fn suggest(&mut self, items: &[Item<'_>]) -> Option<Suggest> {
        let mut suggest = None;
        for item in items {
            let table = item.table("`[suggest]`", "suggest", &mut self.report)?;
            let mut read = |name: &str, range: std::ops::RangeInclusive<f64>| {
                let item = table.get(name)?;
                let number = item.number(&mut self.report)?;
                if range.contains(&number) {
                    return Some(number);
                }
                let (least, most) = (range.start(), range.end());
                let message = format!("`{name}` is a probability from {least} to {most}");
                self.report.error(&codes::BAD_NUMBER, &item.spot(), message);
                None
            };
            // Less would link strangers without asking anybody.
            let automatic = read("automatic", 0.999..=1.0);
            let review = read("review", 0.0..=1.0).unwrap_or(Suggest::default().review);
            suggest = Some(Suggest { automatic, review });
        }
        suggest
    }

    fn trust(&mut self, table: &Table<'_>, rules: &mut IdentityRules) {
        let Some(trust) = table
            .get("trust")
            .and_then(|item| item.free_table(&mut self.report))
        else {
            return;
        };
        for item in trust.items() {
            let source = item.key.to_owned();
            self.mentions
                .sources
                .push((source.clone(), item.key_spot()));
            if let Some(trust) = item.choice(&TRUST, &mut self.report) {
                rules.trust.retain(|(known, _)| *known != source);
                rules.trust.push((source, trust));
            }
        }
    }
}

fn narrow(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A number for each kind.
fn numbers(table: &Table<'_>, key: &str, to: &mut Vec<(String, u32)>, report: &mut Report) {
    let Some(numbers) = table.get(key).and_then(|item| item.free_table(report)) else {
        return;
    };
    for item in numbers.items() {
        if !is_kind(item.key, &item.key_spot(), report) {
            continue;
        }
        let Some(number) = item.integer(1..=1_000_000, report).map(narrow) else {
            continue;
        };
        match to.iter_mut().find(|(kind, _)| kind == item.key) {
            Some(entry) => entry.1 = number,
            None => to.push((item.key.to_owned(), number)),
        }
    }
}

/// A list of kinds, none twice.
fn kinds(table: &Table<'_>, key: &str, report: &mut Report) -> Option<Vec<String>> {
    let item = table.get(key)?;
    let mut kinds: Vec<String> = Vec::new();
    for (item, name) in item.texts(report) {
        if !is_kind(name, &item.spot(), report) {
            continue;
        }
        if kinds.iter().any(|known| known == name) {
            let message = format!("`{name}` is listed twice in `{key}`");
            report.error(&codes::CONTRADICTION, &item.spot(), message);
            continue;
        }
        kinds.push(name.to_owned());
    }
    Some(kinds)
}

fn is_kind(name: &str, spot: &Spot, report: &mut Report) -> bool {
    let good = name == "external" || IdentifierKind::parse(name).is_some();
    if !good {
        report
            .error(
                &codes::UNKNOWN_KIND,
                spot,
                format!("`{name}` is not a kind of identifier"),
            )
            .with_hint(suggest(name, KINDS));
    }
    good
}

fn blocked(table: &Table<'_>, rules: &mut IdentityRules, report: &mut Report) {
    let items = table
        .get("blocked")
        .map(|item| item.texts(report))
        .unwrap_or_default();
    for (item, text) in items {
        match is_blockable(text) {
            true => rules.blocked.push(text.to_owned()),
            false => {
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

/// `KIND:VALUE`; the kind `external:SOURCE` has a colon of its own.
fn is_blockable(text: &str) -> bool {
    let (kind, value) = match text.strip_prefix("external:") {
        Some(rest) => match rest.split_once(':') {
            Some((source, value)) => (format!("external:{source}"), value),
            None => return false,
        },
        None => match text.split_once(':') {
            Some((kind, value)) => (kind.to_owned(), value),
            None => return false,
        },
    };
    IdentifierKind::parse(&kind).is_some() && !value.trim_matches('*').is_empty()
}

/// Contradictions: each rule is valid by itself, but not together with another one.
fn contradictions(table: &Table<'_>, rules: &IdentityRules, report: &mut Report) {
    let is_strong = |kind: &str| {
        let general = kind.split(':').next().unwrap_or_default();
        rules
            .strong
            .iter()
            .any(|strong| strong == kind || strong == general)
    };
    if let Some(item) = table.get("strong").filter(|_| rules.strong.is_empty()) {
        let message =
            "without a strong kind nothing can be shared, and one common address joins everybody";
        report.error(&codes::CONTRADICTION, &item.spot(), message);
    }
    let shared = table.get("shared").and_then(|item| item.free_table(report));
    for item in shared.map(|table| table.items()).unwrap_or_default() {
        if is_strong(item.key) {
            let message = format!(
                "`{}` is strong, and strong values are never shared",
                item.key
            );
            report
                .error(&codes::CONTRADICTION, &item.key_spot(), message)
                .with_hint(Some(
                    "take it out of `shared` or out of `strong`".to_owned(),
                ));
        }
    }
    let Some(item) = table.get("priority") else {
        return;
    };
    let mut weak: Option<&str> = None;
    for (item, kind) in item.texts(report) {
        match weak {
            Some(weak) if is_strong(kind) => {
                let message = format!("`{kind}` is strong but comes after `{weak}`, which is weak");
                report
                    .error(&codes::CONTRADICTION, &item.spot(), message)
                    .with_hint(Some(format!(
                        "put `{kind}` first, or name `{weak}` in `strong`"
                    )));
            }
            _ if is_strong(kind) => {}
            _ => weak = weak.or(Some(kind)),
        }
    }
}
