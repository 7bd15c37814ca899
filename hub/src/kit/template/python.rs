//! A project in Python: code under `src`, the SDK's package next to it.

use super::{File, Template, always, patch, reading, rows, writing};

pub const TEMPLATE: Template = Template {
    files: FILES,
    sdk: SDK,
    vendored: &[],
    reading: &[
        patch(
            "src/component.py",
            "Meta, Source, Destination, Audience, Privacy = exports(\n    Helpdesk(), \"meta\", \"source\", \"destination\", \"audience\", \"privacy\"\n)",
            "Meta, Source = exports(Helpdesk(), \"meta\", \"source\")",
        ),
        patch(
            "src/connector/connector.py",
            "from .write import Writing\n",
            "",
        ),
        patch(
            "src/connector/connector.py",
            "from .audience import Audiences\n",
            "",
        ),
        patch(
            "src/connector/connector.py",
            "(Reading, Writing, Audiences)",
            "(Reading)",
        ),
        patch(
            "README.md",
            "| `src/connector/write.py` | writing rows |\n| `src/connector/audience.py` | audiences, erasure |\n",
            "",
        ),
    ],
    writing: &[
        patch(
            "src/component.py",
            "Meta, Source, Destination",
            "Meta, Destination",
        ),
        patch("src/component.py", "\"meta\", \"source\"", "\"meta\""),
        patch(
            "src/connector/connector.py",
            "from .read import Reading\n",
            "",
        ),
        patch(
            "src/connector/connector.py",
            "(Reading, Writing, Audiences)",
            "(Writing, Audiences)",
        ),
        patch(
            "README.md",
            "| `src/connector/read.py` | reading: pages into records, where the next page is |\n",
            "",
        ),
    ],
    audience: &[
        patch(
            "src/connector/connector.py",
            "CheckReport, Hub",
            "CheckReport, Destination, Hub",
        ),
        patch(
            "src/connector/connector.py",
            "from .write import Writing\n",
            "",
        ),
        patch(
            "src/connector/connector.py",
            "(Writing, Audiences)",
            "(Destination[Config], Audiences)",
        ),
        patch(
            "README.md",
            "| `src/connector/write.py` | writing rows |\n",
            "",
        ),
    ],
    contract: "wit",
    tests: "      - run: python3 -m unittest",
};

const FILES: &[File] = &[
    always(
        "connector.toml",
        include_str!("../../../../connectors/examples/helpdesk-python/connector.toml"),
    ),
    always(
        "README.md",
        include_str!("../../../../connectors/examples/helpdesk-python/README.md"),
    ),
    always(
        ".gitignore",
        include_str!("../../../../connectors/examples/helpdesk-python/.gitignore"),
    ),
    always(
        "pyproject.toml",
        include_str!("../../../../connectors/examples/helpdesk-python/pyproject.toml"),
    ),
    always(
        "src/component.py",
        include_str!("../../../../connectors/examples/helpdesk-python/src/component.py"),
    ),
    always(
        "src/connector/__init__.py",
        include_str!("../../../../connectors/examples/helpdesk-python/src/connector/__init__.py"),
    ),
    always(
        "src/connector/connector.py",
        include_str!("../../../../connectors/examples/helpdesk-python/src/connector/connector.py"),
    ),
    always(
        "src/connector/vendor.py",
        include_str!("../../../../connectors/examples/helpdesk-python/src/connector/vendor.py"),
    ),
    reading(
        "src/connector/read.py",
        include_str!("../../../../connectors/examples/helpdesk-python/src/connector/read.py"),
    ),
    rows(
        "src/connector/write.py",
        include_str!("../../../../connectors/examples/helpdesk-python/src/connector/write.py"),
    ),
    writing(
        "src/connector/audience.py",
        include_str!("../../../../connectors/examples/helpdesk-python/src/connector/audience.py"),
    ),
    always(
        "tests/__init__.py",
        include_str!("../../../../connectors/examples/helpdesk-python/tests/__init__.py"),
    ),
    reading(
        "tests/test_read.py",
        include_str!("../../../../connectors/examples/helpdesk-python/tests/test_read.py"),
    ),
    rows(
        "tests/test_write.py",
        include_str!("../../../../connectors/examples/helpdesk-python/tests/test_write.py"),
    ),
    writing(
        "tests/test_audience.py",
        include_str!("../../../../connectors/examples/helpdesk-python/tests/test_audience.py"),
    ),
];

const SDK: &[File] = &[
    always(
        "pyproject.toml",
        include_str!("../../../../connector-sdk/python/pyproject.toml"),
    ),
    always(
        "onefold_sdk/__init__.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/__init__.py"),
    ),
    always(
        "onefold_sdk/component.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/component.py"),
    ),
    always(
        "onefold_sdk/config.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/config.py"),
    ),
    always(
        "onefold_sdk/connector.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/connector.py"),
    ),
    always(
        "onefold_sdk/faults.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/faults.py"),
    ),
    always(
        "onefold_sdk/found.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/found.py"),
    ),
    always(
        "onefold_sdk/http.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/http.py"),
    ),
    always(
        "onefold_sdk/hub.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/hub.py"),
    ),
    always(
        "onefold_sdk/paging.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/paging.py"),
    ),
    always(
        "onefold_sdk/py.typed",
        include_str!("../../../../connector-sdk/python/onefold_sdk/py.typed"),
    ),
    always(
        "onefold_sdk/records.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/records.py"),
    ),
    always(
        "onefold_sdk/rows.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/rows.py"),
    ),
    always(
        "onefold_sdk/testing.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/testing.py"),
    ),
    always(
        "onefold_sdk/types.py",
        include_str!("../../../../connector-sdk/python/onefold_sdk/types.py"),
    ),
];
