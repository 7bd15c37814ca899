//! `[[trait]]`: computed traits, their names and their kinds. Only `compute` looks at values.

mod over_events;
mod wants;

use crate::expression::Expression;
use crate::manifest::cross::names;
use crate::manifest::tree::{Hinted, Item, Spot, Table};
use crate::manifest::{ComputedTrait, Loader, Names, Sections, Source, Stage, TraitKind};
use crate::model::{IDENTIFIER_FIELDS, Value, snake_case};
use crate::problem::{Severity, codes};
use over_events::Catalog;
use std::collections::BTreeSet;
use std::sync::Arc;
use wants::{Holds, Want, in_order};

const KINDS: [&str; 17] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "first",
    "last",
    "most_frequent",
    "unique_list",
    "unique_count",
    "moving_average",
    "exponential",
    "derive",
    "bin",
    "prefix",
    "age",
    "stages",
];

/// The most characters of a prefix, values of a list and events of a moving average.
const MOST: i64 = 1_000;

/// A trait that has been read, with what it asks of others.
struct Draft {
    one: ComputedTrait,
    /// The traits that it reads, and where.
    needs: Vec<(String, Spot)>,
    wants: Vec<Want>,
}

impl Loader<'_> {
    /// In an order in which they can be computed.
    pub(super) fn traits(
        &mut self,
        sections: &Sections<'_>,
        sources: &[Source],
    ) -> Vec<ComputedTrait> {
        let problems = &self.report.problems;
        let is_whole = problems
            .iter()
            .all(|problem| problem.severity == Severity::Warning);
        let catalog = Catalog::of(sources, is_whole);
        let mut taken = Names::default();
        let mut drafts = Vec::new();
        for item in &sections.traits {
            let before = self.mentions.traits.len();
            let mut wants = Vec::new();
            let read = self.computed(item, &mut taken, &catalog, &mut wants);
            let mentioned = self.mentions.traits.get(before..).unwrap_or_default();
            let needs = mentioned.to_vec();
            drafts.extend(read.map(|one| Draft { one, needs, wants }));
        }
        let known = names(&sections.traits);
        self.filled
            .extend(known.iter().map(|name| (*name).to_owned()));
        self.check_wants(&drafts);
        self.check_trait_circles(&drafts);
        in_order(drafts)
    }

    fn computed(
        &mut self,
        item: &Item<'_>,
        taken: &mut Names,
        catalog: &Catalog<'_>,
        wants: &mut Vec<Want>,
    ) -> Option<ComputedTrait> {
        let table = item.free_table(&mut self.report)?;
        let good = table.check_keys("a trait", "trait", &mut self.report);
        let name = self.trait_name(&table, taken, catalog);
        let description = table
            .get("description")
            .and_then(|item| item.text(&mut self.report))
            .unwrap_or_default();
        let items = table.items();
        let kinds: Vec<&Item<'_>> = items
            .iter()
            .filter(|item| KINDS.contains(&item.key))
            .collect();
        let kind = match kinds.as_slice() {
            [one] => self.kind(one, catalog, wants),
            [] => {
                if good {
                    let words = KINDS.map(|kind| format!("`{kind}`")).join(", ");
                    let message = "the trait does not say how it is worked out";
                    self.report
                        .error(&codes::BAD_TRAIT, &table.spot(), message)
                        .with_hint(Some(format!("add one of {words}")));
                }
                None
            }
            [first, second, ..] => {
                let message = format!(
                    "a trait is of one kind, not both `{}` and `{}`",
                    first.key, second.key
                );
                self.report
                    .error(&codes::BAD_TRAIT, &second.key_spot(), message)
                    .with_hint(Some("write a `[[trait]]` for each".to_owned()));
                None
            }
        };
        let (name, kind) = (name?, kind?);
        let digest = blake3::hash(written(&kind).as_bytes()).to_hex()[..32].to_owned();
        Some(ComputedTrait {
            name,
            description: description.to_owned(),
            kind,
            digest,
        })
    }

    /// A name that an expression can spell, and that nobody else fills.
    fn trait_name(
        &mut self,
        table: &Table<'_>,
        taken: &mut Names,
        catalog: &Catalog<'_>,
    ) -> Option<Arc<str>> {
        let name = self.name("a trait", table, taken)?;
        let item = table.get("name")?;
        let (code, message, hint) = if name.contains('-') {
            let hint = format!("did you mean `{}`?", name.replace('-', "_"));
            let message = format!("`{name}` is not a valid name for a trait: `-` means minus");
            (&codes::BAD_NAME, message, hint)
        } else if IDENTIFIER_FIELDS.contains(&&*name) {
            let message = format!("`{name}` identifies people, and only sources can provide it");
            (&codes::DUPLICATE, message, "take another name".to_owned())
        } else if let Some(source) = catalog.traits.get(&*name) {
            let message = format!("source `{source}` fills the trait `{name}` already");
            (&codes::DUPLICATE, message, "take another name".to_owned())
        } else if self.predicted.contains(&*name) {
            let message = format!("a model fills the trait `{name}` already");
            (&codes::DUPLICATE, message, "take another name".to_owned())
        } else {
            return Some(name);
        };
        self.report
            .error(code, &item.spot(), message)
            .with_hint(Some(hint));
        None
    }

    fn kind(
        &mut self,
        item: &Item<'_>,
        catalog: &Catalog<'_>,
        wants: &mut Vec<Want>,
    ) -> Option<TraitKind> {
        match item.key {
            "derive" => self.derive(item, wants),
            "bin" => self.bin(item, wants),
            "prefix" => {
                let table = item.table("`prefix`", "trait.prefix", &mut self.report)?;
                let of = self.other(&table, "prefix", Holds::Text, wants);
                let length = table
                    .need("length", "`prefix`", &mut self.report)
                    .and_then(|item| item.integer(1..=MOST, &mut self.report));
                Some(TraitKind::Prefix {
                    of: of?,
                    length: usize::try_from(length?).ok()?,
                })
            }
            "age" => {
                let table = item.table("`age`", "trait.age", &mut self.report)?;
                let of = self.other(&table, "age", Holds::Date, wants)?;
                Some(TraitKind::Age { of })
            }
            "stages" => self.stages(item),
            _ => self.over_events(item, catalog),
        }
    }

    /// `of`: the trait that another is made from.
    fn other(
        &mut self,
        table: &Table<'_>,
        by: &str,
        what: Holds,
        wants: &mut Vec<Want>,
    ) -> Option<String> {
        let item = table.need("of", &format!("`{by}`"), &mut self.report)?;
        let text = item.text(&mut self.report)?;
        let name = snake_case(text).into_owned();
        let spot = item.part(0..text.len());
        self.mentions.traits.push((name.clone(), spot.clone()));
        wants.push(Want {
            name: name.clone(),
            what,
            by: by.to_owned(),
            spot,
        });
        Some(name)
    }

    fn derive(&mut self, item: &Item<'_>, wants: &mut Vec<Want>) -> Option<TraitKind> {
        let text = item.text(&mut self.report)?;
        let expression = match Expression::parse(text) {
            Ok(expression) => expression,
            Err(error) => {
                let spot = item.part(error.span);
                self.report
                    .error(&codes::BAD_EXPRESSION, &spot, error.message)
                    .with_hint(error.hint);
                return None;
            }
        };
        if let Some(span) = expression.divides_by_zero() {
            let message = "the expression divides by zero";
            self.report
                .error(&codes::BAD_TRAIT, &item.part(span), message);
            return None;
        }
        let nothing = Value::Object(serde_json::Map::new());
        if expression.reads().is_empty() && expression.eval(&nothing, None).is_err() {
            let message = "the expression fails for everybody";
            self.report.error(&codes::BAD_TRAIT, &item.spot(), message);
            return None;
        }
        let multiplied = expression.multiplied();
        let tops = expression.reads().iter();
        let tops: BTreeSet<&str> = tops
            .map(|path| path.split('.').next().unwrap_or(path))
            .collect();
        for name in tops {
            let at = word(text, name).map_or(0..text.len(), |start| start..start + name.len());
            let spot = item.part(at);
            self.mentions.traits.push((name.to_owned(), spot.clone()));
            if multiplied.iter().any(|other| other == name) {
                wants.push(Want {
                    name: name.to_owned(),
                    what: Holds::Number,
                    by: "*".to_owned(),
                    spot,
                });
            }
        }
        Some(TraitKind::Derive {
            expression,
            multiplied,
        })
    }

    fn bin(&mut self, item: &Item<'_>, wants: &mut Vec<Want>) -> Option<TraitKind> {
        let table = item.table("`bin`", "trait.bin", &mut self.report)?;
        let of = self.other(&table, "bin", Holds::Number, wants);
        let report = &mut self.report;
        let edges_item = table.need("edges", "`bin`", report)?;
        let items = edges_item.list(report);
        let edges: Vec<Option<f64>> = items.iter().map(|item| item.number(report)).collect();
        let edges = edges.into_iter().collect::<Option<Vec<f64>>>()?;
        if let Some(at) = (1..edges.len()).find(|at| edges[at - 1] >= edges[*at]) {
            report.error(
                &codes::BAD_TRAIT,
                &items[at].spot(),
                "each edge must be larger than the one before it",
            );
            return None;
        }
        if edges.is_empty() {
            let is_list = edges_item.raw().as_array().is_some();
            if is_list {
                let message = "`bin` needs an edge at least";
                report.error(&codes::BAD_TRAIT, &edges_item.spot(), message);
            }
            return None;
        }
        let labels = match table.get("labels") {
            None => usual_labels(&edges),
            Some(item) => {
                let given = item.list(report).len();
                let labels: Vec<String> = item
                    .texts(report)
                    .into_iter()
                    .map(|(_, text)| text.to_owned())
                    .collect();
                let needed = edges.len() + 1;
                if item.raw().as_array().is_some() && given != needed {
                    let message = format!(
                        "{} edges make {needed} ranges, and there are {given} labels",
                        edges.len()
                    );
                    report.error(&codes::BAD_TRAIT, &item.spot(), message);
                }
                Some(labels).filter(|labels| labels.len() == needed)?
            }
        };
        Some(TraitKind::Bin {
            of: of?,
            edges,
            labels,
        })
    }

    fn stages(&mut self, item: &Item<'_>) -> Option<TraitKind> {
        let items = item.list(&mut self.report);
        if items.is_empty() {
            if item.raw().as_array().is_some() {
                self.report
                    .error(&codes::BAD_TRAIT, &item.spot(), "there are no stages");
            }
            return None;
        }
        let mut stages: Vec<Stage> = Vec::new();
        let mut good = true;
        for (at, item) in items.iter().enumerate() {
            let Some(stage) = self.stage(item, at + 1 == items.len()) else {
                good = false;
                continue;
            };
            if stages.iter().any(|other| other.name == stage.name) {
                let message = format!("there are two stages of the name `{}`", stage.name);
                self.report.error(&codes::DUPLICATE, &item.spot(), message);
                good = false;
            }
            stages.push(stage);
        }
        good.then_some(TraitKind::Stages(stages))
    }

    fn stage(&mut self, item: &Item<'_>, is_last: bool) -> Option<Stage> {
        let table = item.table("a stage", "trait.stages", &mut self.report)?;
        let name = table
            .need("name", "a stage", &mut self.report)
            .and_then(|item| item.text(&mut self.report));
        let who = match table.get("who") {
            Some(item) => {
                let before = self.mentions.audiences.len();
                let who = self.who(&item, None);
                let audiences = self.mentions.audiences.split_off(before);
                let none = audiences.is_empty();
                for (audience, _, spot) in audiences {
                    let message = format!("a stage cannot ask for the audience `{audience}`");
                    self.report
                        .error(&codes::BAD_CONDITION, &spot, message)
                        .with_hint(Some(
                            "traits are worked out before audiences: write its condition here"
                                .to_owned(),
                        ));
                }
                who.filter(|_| none).map(Some)
            }
            None if is_last => Some(None),
            None => {
                let message = "only the last stage may be without `who`";
                self.report
                    .error(&codes::BAD_TRAIT, &table.spot(), message)
                    .with_hint(Some("nobody would reach the stages after it".to_owned()));
                None
            }
        };
        Some(Stage {
            name: name?.to_owned(),
            who: who?,
        })
    }
}

/// `under 18`, `18 to under 25`, `25 and over`: no number belongs to two of them.
fn usual_labels(edges: &[f64]) -> Vec<String> {
    let between = edges
        .windows(2)
        .map(|pair| format!("{} to under {}", pair[0], pair[1]));
    let first = edges.first().map(|edge| format!("under {edge}"));
    let last = edges.last().map(|edge| format!("{edge} and over"));
    first.into_iter().chain(between).chain(last).collect()
}

/// Where a name occurs in an expression, but not as part of a longer name.
fn word(text: &str, name: &str) -> Option<usize> {
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    text.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(joins) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The kind as text, for its digest.
fn written(kind: &TraitKind) -> String {
    match kind {
        TraitKind::Derive { expression, .. } => format!("derive {}", expression.text()),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests;
