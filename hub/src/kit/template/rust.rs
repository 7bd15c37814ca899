//! A project in Rust: a workspace of the connector and the SDK's crate.

use super::{File, Template, always, patch, reading, rows, writing};

pub const TEMPLATE: Template = Template {
    files: FILES,
    sdk: SDK,
    vendored: &[
        patch("Cargo.toml", PACKAGE, WORKSPACE),
        patch("Cargo.toml", "../../../connector-sdk", "sdk"),
    ],
    reading: &[
        patch("src/lib.rs", "mod audience;\n", ""),
        patch("src/lib.rs", "mod write;\n", ""),
        patch(
            "src/lib.rs",
            "source, destination, audience, privacy",
            "source",
        ),
        patch(
            "README.md",
            "| `src/write.rs` | writing rows |\n| `src/audience.rs` | audiences, erasure |\n",
            "",
        ),
    ],
    writing: &[
        patch("src/lib.rs", "mod read;\n", ""),
        patch(
            "src/lib.rs",
            "source, destination, audience, privacy",
            "destination, audience, privacy",
        ),
        patch(
            "README.md",
            "| `src/read.rs` | reading: pages into records, where the next page is |\n",
            "",
        ),
    ],
    audience: &[
        patch("src/lib.rs", "mod write;\n", ""),
        patch(
            "src/lib.rs",
            "{CheckReport, Connector, Hub",
            "{CheckReport, Connector, Destination, Hub",
        ),
        patch(
            "src/lib.rs",
            "impl Connector for Helpdesk {",
            "/// Rows are refused.\nimpl Destination for Helpdesk {}\n\nimpl Connector for Helpdesk {",
        ),
        patch("README.md", "| `src/write.rs` | writing rows |\n", ""),
    ],
    // The SDK's crate makes its bindings from it.
    contract: "sdk/wit/v0.1",
    tests: "      - run: rustup target add wasm32-unknown-unknown\n      - run: cargo test --workspace",
};

const PACKAGE: &str = "[package]\n";

/// What the SDK's and the connector's `Cargo.toml` inherit.
const WORKSPACE: &str = r#"[workspace]
resolver = "3"
members = [".", "sdk"]

[workspace.package]
version = "0.1.0"
edition = "2024"
rust-version = "1.95"
license = "Apache-2.0"
publish = false

[workspace.dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = { version = "1", features = ["float_roundtrip", "raw_value"] }
sha2 = { version = "0.10", default-features = false }

[workspace.lints.clippy]
all = { level = "warn", priority = -1 }

# Small, and fast where every record passes.
[profile.connector]
inherits = "release"
opt-level = 3
lto = true
codegen-units = 1
panic = "abort"
strip = true

[package]
"#;

const FILES: &[File] = &[
    always(
        "connector.toml",
        include_str!("../../../../connectors/examples/helpdesk-rust/connector.toml"),
    ),
    always(
        "README.md",
        include_str!("../../../../connectors/examples/helpdesk-rust/README.md"),
    ),
    always(
        ".gitignore",
        include_str!("../../../../connectors/examples/helpdesk-rust/.gitignore"),
    ),
    always(
        "Cargo.toml",
        include_str!("../../../../connectors/examples/helpdesk-rust/Cargo.toml"),
    ),
    always(
        "src/lib.rs",
        include_str!("../../../../connectors/examples/helpdesk-rust/src/lib.rs"),
    ),
    reading(
        "src/read.rs",
        include_str!("../../../../connectors/examples/helpdesk-rust/src/read.rs"),
    ),
    reading(
        "src/read/tests.rs",
        include_str!("../../../../connectors/examples/helpdesk-rust/src/read/tests.rs"),
    ),
    rows(
        "src/write.rs",
        include_str!("../../../../connectors/examples/helpdesk-rust/src/write.rs"),
    ),
    writing(
        "src/audience.rs",
        include_str!("../../../../connectors/examples/helpdesk-rust/src/audience.rs"),
    ),
    rows(
        "src/write/tests.rs",
        include_str!("../../../../connectors/examples/helpdesk-rust/src/write/tests.rs"),
    ),
    writing(
        "src/audience/tests.rs",
        include_str!("../../../../connectors/examples/helpdesk-rust/src/audience/tests.rs"),
    ),
];

const SDK: &[File] = &[
    always(
        "Cargo.toml",
        include_str!("../../../../connector-sdk/Cargo.toml"),
    ),
    always(
        "src/config.rs",
        include_str!("../../../../connector-sdk/src/config.rs"),
    ),
    always(
        "src/connector.rs",
        include_str!("../../../../connector-sdk/src/connector.rs"),
    ),
    always(
        "src/found.rs",
        include_str!("../../../../connector-sdk/src/found.rs"),
    ),
    always(
        "src/guest.rs",
        include_str!("../../../../connector-sdk/src/guest.rs"),
    ),
    always(
        "src/guest/convert.rs",
        include_str!("../../../../connector-sdk/src/guest/convert.rs"),
    ),
    always(
        "src/http.rs",
        include_str!("../../../../connector-sdk/src/http.rs"),
    ),
    always(
        "src/hub.rs",
        include_str!("../../../../connector-sdk/src/hub.rs"),
    ),
    always(
        "src/lenient.rs",
        include_str!("../../../../connector-sdk/src/lenient.rs"),
    ),
    always(
        "src/lib.rs",
        include_str!("../../../../connector-sdk/src/lib.rs"),
    ),
    always(
        "src/manifest.rs",
        include_str!("../../../../connector-sdk/src/manifest.rs"),
    ),
    always(
        "src/paging.rs",
        include_str!("../../../../connector-sdk/src/paging.rs"),
    ),
    always(
        "src/records.rs",
        include_str!("../../../../connector-sdk/src/records.rs"),
    ),
    always(
        "src/rows.rs",
        include_str!("../../../../connector-sdk/src/rows.rs"),
    ),
    always(
        "src/testing.rs",
        include_str!("../../../../connector-sdk/src/testing.rs"),
    ),
    always(
        "src/time.rs",
        include_str!("../../../../connector-sdk/src/time.rs"),
    ),
    always(
        "src/types.rs",
        include_str!("../../../../connector-sdk/src/types.rs"),
    ),
];
