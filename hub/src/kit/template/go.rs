//! A project in Go: one package, the SDK's module next to it.

use super::{File, Template, always, patch, reading, rows, writing};

pub const TEMPLATE: Template = Template {
    files: FILES,
    sdk: SDK,
    vendored: &[patch("go.mod", "../../../connector-sdk/go", "./sdk")],
    reading: &[
        patch("connector.go", WRITING, ""),
        patch(
            "README.md",
            "| `write.go` | writing rows |\n| `audience.go` | audiences, erasure |\n",
            "",
        ),
    ],
    writing: &[
        patch("connector.go", "\tRead: read,\n\n", ""),
        patch(
            "README.md",
            "| `read.go` | reading: pages into records, where the next page is |\n",
            "",
        ),
    ],
    audience: &[
        patch("connector.go", "\tWrite:         write,\n", ""),
        patch("README.md", "| `write.go` | writing rows |\n", ""),
    ],
    contract: "wit",
    tests: "      - run: go test ./...",
};

const WRITING: &str = "
	Write:         write,
	ListAudiences: listAudiences,
	Create:        create,
	Add:           add,
	Remove:        remove,
	EraseSubject:  eraseSubject,
";

const FILES: &[File] = &[
    always(
        "connector.toml",
        include_str!("../../../../connectors/examples/helpdesk-go/connector.toml"),
    ),
    always(
        "README.md",
        include_str!("../../../../connectors/examples/helpdesk-go/README.md"),
    ),
    always(
        ".gitignore",
        include_str!("../../../../connectors/examples/helpdesk-go/.gitignore"),
    ),
    always(
        "go.mod",
        include_str!("../../../../connectors/examples/helpdesk-go/go.mod"),
    ),
    always(
        "connector.go",
        include_str!("../../../../connectors/examples/helpdesk-go/connector.go"),
    ),
    always(
        "connector_test.go",
        include_str!("../../../../connectors/examples/helpdesk-go/connector_test.go"),
    ),
    always(
        "vendor.go",
        include_str!("../../../../connectors/examples/helpdesk-go/vendor.go"),
    ),
    reading(
        "read.go",
        include_str!("../../../../connectors/examples/helpdesk-go/read.go"),
    ),
    rows(
        "write.go",
        include_str!("../../../../connectors/examples/helpdesk-go/write.go"),
    ),
    writing(
        "audience.go",
        include_str!("../../../../connectors/examples/helpdesk-go/audience.go"),
    ),
    reading(
        "read_test.go",
        include_str!("../../../../connectors/examples/helpdesk-go/read_test.go"),
    ),
    rows(
        "write_test.go",
        include_str!("../../../../connectors/examples/helpdesk-go/write_test.go"),
    ),
    writing(
        "audience_test.go",
        include_str!("../../../../connectors/examples/helpdesk-go/audience_test.go"),
    ),
];

const SDK: &[File] = &[
    always(
        "_component/audience.go",
        include_str!("../../../../connector-sdk/go/_component/audience.go"),
    ),
    always(
        "_component/destination.go",
        include_str!("../../../../connector-sdk/go/_component/destination.go"),
    ),
    always(
        "_component/hub.go",
        include_str!("../../../../connector-sdk/go/_component/hub.go"),
    ),
    always(
        "_component/meta.go",
        include_str!("../../../../connector-sdk/go/_component/meta.go"),
    ),
    always(
        "_component/privacy.go",
        include_str!("../../../../connector-sdk/go/_component/privacy.go"),
    ),
    always(
        "_component/source.go",
        include_str!("../../../../connector-sdk/go/_component/source.go"),
    ),
    always(
        "_component/wire.go",
        include_str!("../../../../connector-sdk/go/_component/wire.go"),
    ),
    always(
        "calls.go",
        include_str!("../../../../connector-sdk/go/calls.go"),
    ),
    always(
        "config.go",
        include_str!("../../../../connector-sdk/go/config.go"),
    ),
    always(
        "connector.go",
        include_str!("../../../../connector-sdk/go/connector.go"),
    ),
    always(
        "doc.go",
        include_str!("../../../../connector-sdk/go/doc.go"),
    ),
    always(
        "errors.go",
        include_str!("../../../../connector-sdk/go/errors.go"),
    ),
    always(
        "found.go",
        include_str!("../../../../connector-sdk/go/found.go"),
    ),
    always(
        "go.mod",
        include_str!("../../../../connector-sdk/go/go.mod"),
    ),
    always(
        "http.go",
        include_str!("../../../../connector-sdk/go/http.go"),
    ),
    always(
        "hub.go",
        include_str!("../../../../connector-sdk/go/hub.go"),
    ),
    always(
        "json.go",
        include_str!("../../../../connector-sdk/go/json.go"),
    ),
    always(
        "onefoldtest/onefoldtest.go",
        include_str!("../../../../connector-sdk/go/onefoldtest/onefoldtest.go"),
    ),
    always(
        "paging.go",
        include_str!("../../../../connector-sdk/go/paging.go"),
    ),
    always(
        "records.go",
        include_str!("../../../../connector-sdk/go/records.go"),
    ),
    always(
        "rows.go",
        include_str!("../../../../connector-sdk/go/rows.go"),
    ),
    always(
        "scan.go",
        include_str!("../../../../connector-sdk/go/scan.go"),
    ),
    always(
        "types.go",
        include_str!("../../../../connector-sdk/go/types.go"),
    ),
    always(
        "wit/runtime/realloc.go",
        include_str!("../../../../connector-sdk/go/wit/runtime/realloc.go"),
    ),
    always(
        "wit/runtime/runtime.go",
        include_str!("../../../../connector-sdk/go/wit/runtime/runtime.go"),
    ),
    always(
        "wit/types/types.go",
        include_str!("../../../../connector-sdk/go/wit/types/types.go"),
    ),
];
