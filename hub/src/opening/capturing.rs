//! Between a run and its connectors: a read that fails is captured in the hub's folder, so that it can be repeated.

use crate::flow::Opens;
use crate::flow::connect::Connectors;
use crate::host::Connector;
use crate::kit::capture::{Capture, Capturing};
use crate::kit::cassette::Recorder;
use crate::manifest::{Destination, Source};
use crate::problem::Problem;
use std::path::PathBuf;
use std::sync::Arc;

pub struct CapturingConnectors {
    pub connectors: Arc<Connectors>,
    /// The hub's folder.
    pub folder: PathBuf,
    /// Keeps what vendors say, personal data included: only when the operator asks for it.
    pub keeps_exchanges: bool,
}

impl Opens for CapturingConnectors {
    fn source(&self, source: &Source) -> Result<Box<dyn Connector>, Vec<Problem>> {
        if source.is_collected() {
            return self.connectors.source(source);
        }
        let opened = self.connectors.open_source(source)?;
        let mut capture = Capture {
            folder: self.folder.clone(),
            source: source.name.to_string(),
            connector: source.connector.clone(),
            recorder: None,
        };
        if !self.keeps_exchanges {
            return Ok(Box::new(Capturing::new(opened.connector(), capture)));
        }
        let mut connection = opened.connection().clone();
        let recorder = Recorder::new(connection.http.clone(), "", connection.scrub.clone());
        connection.http = recorder.clone();
        capture.recorder = Some(recorder);
        Ok(Box::new(Capturing::new(
            opened.connect(connection),
            capture,
        )))
    }

    fn destination(&self, destination: &Destination) -> Result<Box<dyn Connector>, Vec<Problem>> {
        self.connectors.destination(destination)
    }

    fn rest(&self) {
        self.connectors.rest();
    }
}
