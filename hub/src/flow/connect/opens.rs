//! How connectors are opened, for callers that need not know whether they are WebAssembly.

use crate::host::Connector;
use crate::manifest::{Destination, Source};
use crate::problem::Problem;

/// Opens connectors: `connect` as WebAssembly components, the benchmark natively compiled.
pub trait Opens: Send + Sync {
    fn source(&self, source: &Source) -> Result<Box<dyn Connector>, Vec<Problem>>;
    fn destination(&self, destination: &Destination) -> Result<Box<dyn Connector>, Vec<Problem>>;
    /// Nothing will be opened for a while.
    fn rest(&self);
}
