//! The stream that a batch belongs to.

use crate::flow::context::Context;
use crate::manifest::Stream;
use std::sync::Arc;

/// The stream that a batch belongs to.
#[derive(Debug, Clone)]
pub struct StreamRef {
    pub id: i64,
    pub source: Arc<str>,
    pub name: Arc<str>,
}

impl Context {
    /// The plan of a stream that it has.
    pub fn stream(&self, stream: &StreamRef) -> Option<&Stream> {
        let mut sources = self.plan.sources.iter();
        let source = sources.find(|source| source.name == stream.source)?;
        source.streams.iter().find(|one| one.name == stream.name)
    }
}
