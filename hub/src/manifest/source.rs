//! `[[source]]`: where records come from. Its streams are handled in `stream`.

use crate::manifest::tree::{Hinted, Item, Table, suggest};
use crate::manifest::{Loader, Names, Source, Stream};
use crate::model::{COLLECTOR, Description};
use crate::problem::codes;
use std::collections::BTreeMap;
use std::sync::Arc;

impl StreamScope<'_> {
    /// Whether clients send the stream's records to the hub.
    pub fn is_sent_to(&self) -> bool {
        self.description.is_some_and(|one| one.name == COLLECTOR)
    }
}

impl Source {
    /// Whether its records are sent to the hub.
    pub fn is_collected(&self) -> bool {
        self.connector == COLLECTOR
    }

    /// Whether its vendor can call the hub.
    pub fn has_webhook(&self) -> bool {
        self.description
            .exports
            .iter()
            .any(|name| name == "webhook")
    }
}

/// What a stream is read with.
#[derive(Clone, Copy)]
pub(super) struct StreamScope<'a> {
    pub source: &'a str,
    /// `None` when the connector is unknown, which has been reported.
    pub description: Option<&'a Description>,
    pub region: Option<&'a str>,
}

impl Loader<'_> {
    pub(super) fn source(&mut self, item: &Item<'_>, names: &mut Names) -> Option<Source> {
        let table = item.table("a source", "source", &mut self.report)?;
        let name = self.name("a source", &table, names);
        let connector = self.connector("a source", &table);
        let description = connector
            .as_ref()
            .map(|(_, description)| description.clone());
        let connection = self.connection(&table, description.as_deref());
        let named = name.as_deref().unwrap_or_default().to_owned();
        let schedule = table.get("schedule");
        let schedule = schedule.and_then(|item| self.schedule(&item, &named));
        let region = match table.get("region") {
            Some(item) => self.region(&item),
            None => self.region.clone(),
        };
        let guard = table.get("guard");
        let guard = guard.map_or((true, None), |item| self.source_guard(&item));
        let (empty_source_stops, max_dead_letters) = guard;
        let scope = StreamScope {
            source: name.as_deref().unwrap_or("?"),
            description: description.as_deref(),
            region: region.as_deref(),
        };
        let mut streams = self.streams(&table, scope);
        for stream in &mut streams {
            stream.is_sent_to = scope.is_sent_to();
        }
        let (connector, description) = connector?;
        Some(Source {
            name: name?,
            connector,
            description,
            config: connection.config,
            credentials: connection.credentials,
            grants: connection.grants,
            limits: connection.limits,
            rates: connection.rates,
            schedule,
            streams,
            empty_source_stops,
            max_dead_letters,
        })
    }

    /// Whether an empty source stops, and the greatest share of records that may not fit.
    fn source_guard(&mut self, item: &Item<'_>) -> (bool, Option<f64>) {
        let Some(table) = item.table("a source's `guard`", "source.guard", &mut self.report) else {
            return (true, None);
        };
        let stops = self.empty_source(&table);
        (stops, self.share(&table, "max_dead_letters"))
    }

    /// A share: `"20%"` or `0.2`.
    pub(super) fn share(&mut self, table: &Table<'_>, key: &str) -> Option<f64> {
        let item = table.get(key)?;
        let share = match item.raw().as_str() {
            Some(text) => text
                .strip_suffix('%')
                .and_then(|number| number.trim().parse::<f64>().ok())
                .map(|number| number / 100.0),
            None => item.as_number(),
        };
        let share = share.filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            let message = format!("`{key}` must be a share from 0% to 100%");
            let hint = "write it as text, such as `\"20%\"`".to_owned();
            self.report
                .error(&codes::BAD_NUMBER, &item.spot(), message)
                .with_hint(Some(hint));
        }
        share
    }

    /// `stop` unless it says `allow`.
    pub(super) fn empty_source(&mut self, table: &Table<'_>) -> bool {
        let choices = [("stop", true), ("allow", false)];
        table
            .get("empty_source")
            .and_then(|item| item.choice(&choices, &mut self.report))
            .unwrap_or(true)
    }

    /// Streams in the manifest's order, then the ones in `streams`; with neither, all that have a default mapping.
    fn streams(&mut self, table: &Table<'_>, scope: StreamScope<'_>) -> Vec<Stream> {
        if let Some(description) = scope.description
            && description.streams.is_empty()
        {
            let spot = table
                .get("connector")
                .map_or_else(|| table.spot(), |item| item.spot());
            let message = format!(
                "`{}` has no streams, so it cannot be a source",
                description.name
            );
            self.report.error(&codes::CANNOT, &spot, message);
            return Vec::new();
        }
        let mut streams: BTreeMap<Arc<str>, ()> = BTreeMap::new();
        let mut read = Vec::new();
        let given = table
            .get("stream")
            .map(|item| item.tables(&mut self.report));
        let selected = table
            .get("streams")
            .map(|item| item.texts(&mut self.report));
        for item in given.iter().flatten() {
            let Some(stream) = self.stream(item, scope) else {
                continue;
            };
            if streams.insert(stream.name.clone(), ()).is_some() {
                let message = format!(
                    "source `{}` has the stream `{}` twice",
                    scope.source, stream.name
                );
                self.report.error(&codes::DUPLICATE, &item.spot(), message);
            }
            read.push(stream);
        }
        for (item, name) in selected.iter().flatten() {
            if streams.insert((*name).into(), ()).is_none() {
                read.extend(self.default_stream(name, Some(item), scope, table));
            }
        }
        if given.is_none() && selected.is_none() {
            let description = scope.description;
            for spec in description
                .iter()
                .flat_map(|description| &description.streams)
            {
                if spec.mapping.is_some() {
                    read.extend(self.default_stream(&spec.name, None, scope, table));
                }
            }
            if description.is_some() && read.is_empty() {
                let message = format!("source `{}` reads no stream", scope.source);
                let names = description
                    .iter()
                    .flat_map(|description| &description.streams);
                let names: Vec<&str> = names.map(|spec| spec.name.as_str()).collect();
                self.report
                    .error(&codes::NO_MAPPING, &table.spot(), message)
                    .with_hint(suggest("", names));
            }
        }
        read
    }
}
