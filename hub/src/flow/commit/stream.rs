//! The stream that a batch belongs to.

use crate::canonical::Record;
use crate::flow::context::Context;
use crate::manifest::Stream;
use crate::model::Fields;
use crate::store::StreamRow;
use std::sync::Arc;

/// The stream that a batch belongs to.
#[derive(Debug, Clone)]
pub struct StreamRef {
    pub id: i64,
    pub source: Arc<str>,
    pub name: Arc<str>,
    /// `SOURCE/NAME` as its records are known inside the hub, whatever the two are called now.
    pub origin: Arc<str>,
}

impl From<&StreamRow> for StreamRef {
    fn from(row: &StreamRow) -> Self {
        Self {
            id: row.id,
            source: row.source.as_str().into(),
            name: row.name.as_str().into(),
            origin: row.origin.as_str().into(),
        }
    }
}

impl StreamRef {
    /// Whose ids its records have.
    pub fn namespace(&self) -> &str {
        self.origin.split('/').next().unwrap_or_default()
    }

    /// `stream/key` of a record, as claims have it.
    pub fn record(&self, key: &str) -> String {
        let name = self.origin.split_once('/').map_or("", |(_, name)| name);
        [name, "/", key].concat()
    }
}

impl Context {
    /// The plan of a stream that it has.
    pub fn stream(&self, stream: &StreamRef) -> Option<&Stream> {
        let mut sources = self.plan.sources.iter();
        let source = sources.find(|source| source.name == stream.source)?;
        source.streams.iter().find(|one| one.name == stream.name)
    }

    /// By path, the values of a record's fields that destinations write.
    pub fn fields_written(&self, stream: &StreamRef, record: &Record) -> Fields {
        let backs = self.backs(&stream.source, &stream.name).iter();
        let paths = backs.flat_map(|back| back.reads.values().flatten());
        let values = paths.filter_map(|(path, _)| Some((path.clone(), record.at(path)?.clone())));
        values.collect()
    }
}
