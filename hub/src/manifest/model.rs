//! `[[model]]`: which events are purchases, and which traits are predicted by a model that is fitted to them.

use crate::manifest::tree::{Hinted, Item};
use crate::manifest::{Loader, Model, Names, schedule};
use crate::model::snake_case;
use crate::problem::codes;

const DAY_MS: i64 = 86_400_000;

/// What a model says of a person; the last of them only where purchases have a value.
pub const PREDICTED: [&str; 9] = [
    "probability_alive",
    "expected_orders_30d",
    "expected_orders_90d",
    "expected_orders_365d",
    "churn_risk",
    "rfm_recency",
    "rfm_frequency",
    "rfm_monetary",
    "predicted_value_365d",
];

impl Loader<'_> {
    pub(super) fn models(&mut self, items: &[Item<'_>]) -> Vec<Model> {
        let mut names = Names::default();
        let items = items.iter();
        items
            .filter_map(|item| self.model(item, &mut names))
            .collect()
    }

    pub(super) fn model(&mut self, item: &Item<'_>, names: &mut Names) -> Option<Model> {
        let table = item.table("a model", "model", &mut self.report)?;
        let name = self.name("a model", &table, names);
        let event = table
            .need("event", "a model", &mut self.report)
            .and_then(|item| item.text(&mut self.report));
        let filter = match table.get("where") {
            Some(item) => self.event_filter(&item),
            None => Some(Vec::new()),
        };
        let value = match table.get("value") {
            Some(item) => Some(snake_case(item.text(&mut self.report)?).into_owned()),
            None => None,
        };
        let prefix = match table.get("prefix") {
            Some(item) => item.text(&mut self.report)?.to_owned(),
            None => String::new(),
        };
        let refit_ms = match table.get("refit") {
            Some(item) => schedule::duration(&item, &mut self.report)?,
            None => DAY_MS,
        };
        for predicted in PREDICTED {
            let filled = format!("{prefix}{predicted}");
            self.filled.insert(filled.clone());
            if !self.predicted.insert(filled.clone()) {
                let message = format!("something else fills the trait `{filled}` already");
                self.report
                    .error(&codes::DUPLICATE, &item.spot(), message)
                    .with_hint(Some(
                        "`prefix = \"…\"` gives this model's traits names of their own".to_owned(),
                    ));
                return None;
            }
        }
        let (name, event, filter) = (name?, event?.to_owned(), filter?);
        let written = format!("{event} {filter:?} {value:?} {prefix}");
        Some(Model {
            name,
            event,
            filter,
            value,
            prefix,
            refit_ms,
            digest: blake3::hash(written.as_bytes()).to_hex()[..32].to_owned(),
        })
    }
}
