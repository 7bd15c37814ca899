//! A project in C: a Makefile for its tests, the SDK's files next to it.

use super::{File, Template, always, patch, reading, rows, writing};

pub const TEMPLATE: Template = Template {
    files: FILES,
    sdk: SDK,
    vendored: &[patch("Makefile", "../../../connector-sdk/c", "sdk")],
    reading: &[
        patch("src/connector.c", WRITING, ""),
        patch(
            "README.md",
            "| `src/write.c` | writing rows |\n| `src/audience.c` | audiences, erasure |\n",
            "",
        ),
    ],
    writing: &[
        patch("src/connector.c", "    .read = read_stream,\n", ""),
        patch(
            "README.md",
            "| `src/read.c` | reading: pages into records, where the next page is |\n",
            "",
        ),
    ],
    audience: &[
        patch("src/connector.c", "    .write = write_rows,\n", ""),
        patch("README.md", "| `src/write.c` | writing rows |\n", ""),
    ],
    contract: "wit",
    tests: "      - run: make test",
};

const WRITING: &str = "    .write = write_rows,
    .list_audiences = list_audiences,
    .create = create_audience,
    .add = add_members,
    .remove = remove_members,
    .erase_subject = erase_person,
";

const FILES: &[File] = &[
    always(
        "connector.toml",
        include_str!("../../../../connectors/examples/helpdesk-c/connector.toml"),
    ),
    always(
        "README.md",
        include_str!("../../../../connectors/examples/helpdesk-c/README.md"),
    ),
    always(
        ".gitignore",
        include_str!("../../../../connectors/examples/helpdesk-c/.gitignore"),
    ),
    always(
        "Makefile",
        include_str!("../../../../connectors/examples/helpdesk-c/Makefile"),
    ),
    always(
        "src/connector.c",
        include_str!("../../../../connectors/examples/helpdesk-c/src/connector.c"),
    ),
    always(
        "src/vendor.h",
        include_str!("../../../../connectors/examples/helpdesk-c/src/vendor.h"),
    ),
    reading(
        "src/read.c",
        include_str!("../../../../connectors/examples/helpdesk-c/src/read.c"),
    ),
    rows(
        "src/write.c",
        include_str!("../../../../connectors/examples/helpdesk-c/src/write.c"),
    ),
    writing(
        "src/audience.c",
        include_str!("../../../../connectors/examples/helpdesk-c/src/audience.c"),
    ),
    reading(
        "test/read_test.c",
        include_str!("../../../../connectors/examples/helpdesk-c/test/read_test.c"),
    ),
    rows(
        "test/write_test.c",
        include_str!("../../../../connectors/examples/helpdesk-c/test/write_test.c"),
    ),
    writing(
        "test/audience_test.c",
        include_str!("../../../../connectors/examples/helpdesk-c/test/audience_test.c"),
    ),
];

const SDK: &[File] = &[
    always(
        "component.c",
        include_str!("../../../../connector-sdk/c/component.c"),
    ),
    always(
        "onefold.c",
        include_str!("../../../../connector-sdk/c/onefold.c"),
    ),
    always(
        "onefold.h",
        include_str!("../../../../connector-sdk/c/onefold.h"),
    ),
    always(
        "onefold_test.c",
        include_str!("../../../../connector-sdk/c/onefold_test.c"),
    ),
    always(
        "onefold_test.h",
        include_str!("../../../../connector-sdk/c/onefold_test.h"),
    ),
];
