//! What every language's project has: the documents, the contract, the workflow.

use super::{File, always};
use crate::kit::judge::Document;

pub const CONTRACT: &str = include_str!("../../../../connector-sdk/wit/v0.1/connector.wit");

/// The documents are the same in every language.
pub const COMMON: &[File] = &[
    always(
        "manifest.json",
        include_str!("../../../../connectors/examples/helpdesk-rust/manifest.json"),
    ),
    always(
        "config.schema.json",
        include_str!("../../../../connectors/examples/helpdesk-rust/config.schema.json"),
    ),
    always(
        "conformance.toml",
        include_str!("../../../../connectors/examples/helpdesk-rust/conformance.toml"),
    ),
    always(".github/workflows/ci.yml", include_str!("ci.yml")),
    // For editors; `build` judges by the same.
    always("schemas/manifest.schema.json", Document::Manifest.schema()),
    always(
        "schemas/connector.schema.json",
        Document::Connector.schema(),
    ),
    always(
        "schemas/conformance.schema.json",
        Document::Conformance.schema(),
    ),
];
