//! `[telemetry]`: where traces of the hub's own work are sent.

use crate::manifest::Loader;
use crate::manifest::tree::{Hinted, Item};
use crate::problem::codes;
use url::Url;

/// Where traces are sent, if anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// A collector that speaks OTLP over HTTP: scheme, host and port.
    pub otlp: Option<String>,
}

impl Loader<'_> {
    pub(super) fn telemetry(&mut self, items: &[Item<'_>]) -> Telemetry {
        let mut telemetry = Telemetry::default();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                let message = "there is already a `[telemetry]` table";
                self.report.error(&codes::DUPLICATE, &item.spot(), message);
            }
            let table = item.table("`[telemetry]`", "telemetry", &mut self.report);
            let Some(otlp) = table.as_ref().and_then(|table| table.get("otlp")) else {
                continue;
            };
            let Some(text) = otlp.text(&mut self.report) else {
                continue;
            };
            match origin(text) {
                Some(origin) => telemetry.otlp = Some(origin),
                None => self
                    .report
                    .error(&codes::WRONG_VALUE, &otlp.spot(), "`otlp` must be the address of a collector: `http` or `https`, a host and a port, without a path")
                    .with_hint(Some("write it like `http://127.0.0.1:4318`".to_owned())),
            }
        }
        telemetry
    }
}

fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_http = matches!(url.scheme(), "http" | "https");
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_open = url.username().is_empty() && url.password().is_none();
    let is_usable = is_http && is_bare && is_open && url.has_host();
    is_usable.then(|| text.trim_end_matches('/').to_owned())
}
