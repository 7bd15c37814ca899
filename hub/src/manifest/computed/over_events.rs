//! Traits over events: the tables of these kinds, and whether any stream produces such an event and fills its properties.

use super::MOST;
use super::wants::{Holds, holds};
use crate::manifest::tree::{Hinted, Item, Spot, Table, suggest};
use crate::manifest::{Aggregate, Loader, Source, StreamTarget, TraitKind, trait_said};
use crate::model::{event_property, snake_case};
use crate::problem::codes;
use std::collections::{BTreeMap, BTreeSet};

/// What `unique_list` keeps by default.
const USUAL_LIST: usize = 100;

/// With less, smoothing would look back over thousands of events.
const SMALLEST_ALPHA: f64 = 0.01;

/// What streams fill.
pub(super) struct Catalog<'s> {
    /// False when a source has a problem that may hide something.
    is_whole: bool,
    /// Traits with their source.
    pub traits: BTreeMap<&'s str, &'s str>,
    /// Properties by event.
    events: BTreeMap<&'s str, BTreeSet<&'s str>>,
    /// Properties of streams that compute the event's name.
    any: Option<BTreeSet<&'s str>>,
}

impl Loader<'_> {
    pub(super) fn over_events(
        &mut self,
        item: &Item<'_>,
        catalog: &Catalog<'_>,
    ) -> Option<TraitKind> {
        let name = match item.key {
            "count" => "trait.count",
            "first" | "last" => "trait.first",
            "unique_list" => "trait.unique_list",
            "moving_average" => "trait.moving_average",
            "exponential" => "trait.exponential",
            _ => "trait.sum",
        };
        let what = format!("`{}`", item.key);
        let table = item.table(&what, name, &mut self.report)?;
        let event = table.need("event", &what, &mut self.report);
        let event = event.and_then(|item| Some((item, item.text(&mut self.report)?)));
        let filter = match table.get("where") {
            Some(item) => self.event_filter(&item),
            None => Some(Vec::new()),
        };
        let window = self.window(&table);
        let aggregate = self.aggregate(item.key, &table);
        if let Some((item, event)) = event {
            self.check_event(&item, event, &table, catalog);
        }
        Some(TraitKind::Events {
            event: event?.1.to_owned(),
            filter: filter?,
            window: window?,
            aggregate: aggregate?,
        })
    }

    fn aggregate(&mut self, key: &str, table: &Table<'_>) -> Option<Aggregate> {
        let what = format!("`{key}`");
        let report = &mut self.report;
        let is_optional = matches!(key, "count" | "first" | "last");
        let item = if is_optional {
            table.get("of")
        } else {
            table.need("of", &what, report)
        };
        let of = match &item {
            Some(item) => Some(snake_case(item.text(report)?).into_owned()),
            None => None,
        };
        let aggregate = match key {
            "count" => return Some(Aggregate::Count),
            "first" => Aggregate::First { of },
            "last" => Aggregate::Last { of },
            "sum" => Aggregate::Sum { of: of? },
            "avg" => Aggregate::Avg { of: of? },
            "min" => Aggregate::Min { of: of? },
            "max" => Aggregate::Max { of: of? },
            "most_frequent" => Aggregate::MostFrequent { of: of? },
            "unique_count" => Aggregate::UniqueCount { of: of? },
            "unique_list" => {
                let at_most = match table.get("at_most") {
                    Some(item) => usize::try_from(item.integer(1..=MOST, report)?).ok()?,
                    None => USUAL_LIST,
                };
                Aggregate::UniqueList { of: of?, at_most }
            }
            "moving_average" => {
                let item = table.need("last", &what, report)?;
                let last = usize::try_from(item.integer(1..=MOST, report)?).ok()?;
                Aggregate::MovingAverage { of: of?, last }
            }
            _ => {
                let item = table.need("alpha", &what, report)?;
                let alpha = item.number(report)?;
                if !(SMALLEST_ALPHA..=1.0).contains(&alpha) {
                    let message = format!("`alpha` must be between {SMALLEST_ALPHA} and 1");
                    report.error(&codes::BAD_NUMBER, &item.spot(), message);
                    return None;
                }
                Aggregate::Exponential { of: of?, alpha }
            }
        };
        let shape = aggregate.of().and_then(event_property);
        if let (Some(item), Some(shape)) = (item, shape)
            && aggregate.is_numeric()
            && holds(shape) != Some(Holds::Number)
        {
            let message = format!(
                "`{key}` needs numbers, and `{}` holds none",
                item.raw().as_str().unwrap_or_default()
            );
            report.error(&codes::BAD_TRAIT, &item.spot(), message);
            return None;
        }
        Some(aggregate)
    }

    /// The event, `of` and the names in `where` must be filled by some stream.
    fn check_event(
        &mut self,
        item: &Item<'_>,
        event: &str,
        table: &Table<'_>,
        catalog: &Catalog<'_>,
    ) {
        if !catalog.is_whole {
            return;
        }
        let report = &mut self.report;
        let Some(known) = catalog.properties(event) else {
            report
                .error(
                    &codes::UNKNOWN_PROPERTY,
                    &item.spot(),
                    format!("no stream makes an event `{event}`"),
                )
                .with_hint(suggest(event, catalog.events.keys().copied()));
            return;
        };
        let mut mentioned: Vec<(&str, Spot)> = Vec::new();
        let of = table.get("of");
        mentioned.extend(of.and_then(|item| Some((item.raw().as_str()?, item.spot()))));
        let tests = table.get("where");
        let tests = tests.and_then(|item| item.free_table(report));
        for item in tests.map(|table| table.items()).unwrap_or_default() {
            mentioned.push((item.key, item.key_spot()));
        }
        for (name, spot) in mentioned {
            let name = snake_case(name);
            if !known.contains(&*name) {
                report
                    .error(
                        &codes::UNKNOWN_PROPERTY,
                        &spot,
                        format!("no stream fills `{name}` of the event `{event}`"),
                    )
                    .with_hint(suggest(&name, known.iter().copied()));
            }
        }
    }
}

impl<'s> Catalog<'s> {
    pub fn of(sources: &'s [Source], is_whole: bool) -> Self {
        let mut catalog = Self {
            is_whole,
            traits: BTreeMap::new(),
            events: BTreeMap::new(),
            any: None,
        };
        for source in sources {
            for stream in &source.streams {
                let names = stream.map.iter().map(|(name, _)| name.as_str());
                match &stream.to {
                    StreamTarget::Person => {
                        let traits = names.map(|name| (name, &*source.name));
                        catalog.traits.extend(traits);
                    }
                    StreamTarget::Event(event) => {
                        let said = names.clone().filter(|_| stream.is_of_person);
                        let said = said.filter_map(|name| trait_said(&stream.to, name));
                        catalog
                            .traits
                            .extend(said.map(|name| (name, &*source.name)));
                        let fixed = event.as_deref();
                        let is_worked_out = stream.map.iter().any(|(name, _)| name == "event");
                        match fixed.filter(|_| !is_worked_out) {
                            Some(event) => catalog.events.entry(event).or_default().extend(names),
                            None => catalog.any.get_or_insert_default().extend(names),
                        }
                    }
                    StreamTarget::Entity(_) | StreamTarget::Consent => {}
                }
            }
        }
        catalog
    }

    /// Of an event that some stream makes or may make.
    fn properties(&self, event: &str) -> Option<BTreeSet<&'s str>> {
        match (self.events.get(event), &self.any) {
            (None, None) => None,
            (some, any) => Some(
                some.into_iter()
                    .chain(any)
                    .flat_map(|names| names.iter().copied())
                    .collect(),
            ),
        }
    }
}
