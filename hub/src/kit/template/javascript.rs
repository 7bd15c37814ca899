//! Projects in TypeScript and JavaScript: an npm package with the SDK next to it.

use super::{File, Template, always, patch, reading, rows, writing};

pub const TYPESCRIPT: Template = Template {
    files: TYPESCRIPT_FILES,
    sdk: SDK,
    vendored: &[patch(
        "package.json",
        "file:../../../connector-sdk/typescript",
        "file:./sdk",
    )],
    reading: &[
        patch(
            "src/component.ts",
            "meta, source, destination, audience, privacy",
            "meta, source",
        ),
        patch(
            "src/connector.ts",
            "import { audience, privacy } from \"./audience.js\";\n",
            "",
        ),
        patch(
            "src/connector.ts",
            "import { destination } from \"./write.js\";\n",
            "",
        ),
        patch(
            "src/connector.ts",
            "  destination,\n  audience,\n  privacy,\n",
            "",
        ),
        patch(
            "README.md",
            "| `src/write.ts` | writing rows |\n| `src/audience.ts` | audiences, erasure |\n",
            "",
        ),
    ],
    writing: &[
        patch(
            "src/component.ts",
            "meta, source, destination",
            "meta, destination",
        ),
        patch(
            "src/connector.ts",
            "import { source } from \"./read.js\";\n",
            "",
        ),
        patch("src/connector.ts", "  source,\n", ""),
        patch(
            "README.md",
            "| `src/read.ts` | reading: pages into records, where the next page is |\n",
            "",
        ),
    ],
    audience: &[
        patch(
            "src/connector.ts",
            "import { destination } from \"./write.js\";\n",
            "",
        ),
        patch("src/connector.ts", "  destination,\n", ""),
        patch("README.md", "| `src/write.ts` | writing rows |\n", ""),
    ],
    contract: "wit",
    tests: "      - run: npm install\n      - run: npm run check\n      - run: npm test",
};

pub const JAVASCRIPT: Template = Template {
    files: JAVASCRIPT_FILES,
    sdk: SDK,
    vendored: &[patch(
        "package.json",
        "file:../../../connector-sdk/typescript",
        "file:./sdk",
    )],
    reading: &[
        patch(
            "src/component.js",
            "meta, source, destination, audience, privacy",
            "meta, source",
        ),
        patch(
            "src/connector.js",
            "import { audience, privacy } from \"./audience.js\";\n",
            "",
        ),
        patch(
            "src/connector.js",
            "import { destination } from \"./write.js\";\n",
            "",
        ),
        patch(
            "src/connector.js",
            "  destination,\n  audience,\n  privacy,\n",
            "",
        ),
        patch(
            "README.md",
            "| `src/write.js` | writing rows |\n| `src/audience.js` | audiences, erasure |\n",
            "",
        ),
    ],
    writing: &[
        patch(
            "src/component.js",
            "meta, source, destination",
            "meta, destination",
        ),
        patch(
            "src/connector.js",
            "import { source } from \"./read.js\";\n",
            "",
        ),
        patch("src/connector.js", "  source,\n", ""),
        patch(
            "README.md",
            "| `src/read.js` | reading: pages into records, where the next page is |\n",
            "",
        ),
    ],
    audience: &[
        patch(
            "src/connector.js",
            "import { destination } from \"./write.js\";\n",
            "",
        ),
        patch("src/connector.js", "  destination,\n", ""),
        patch("README.md", "| `src/write.js` | writing rows |\n", ""),
    ],
    contract: "wit",
    tests: "      - run: npm install\n      - run: npm test",
};

const TYPESCRIPT_FILES: &[File] = &[
    always(
        "connector.toml",
        include_str!("../../../../connectors/examples/helpdesk-typescript/connector.toml"),
    ),
    always(
        "README.md",
        include_str!("../../../../connectors/examples/helpdesk-typescript/README.md"),
    ),
    always(
        ".gitignore",
        include_str!("../../../../connectors/examples/helpdesk-typescript/.gitignore"),
    ),
    always(
        "tsconfig.json",
        include_str!("../../../../connectors/examples/helpdesk-typescript/tsconfig.json"),
    ),
    always(
        "package.json",
        include_str!("../../../../connectors/examples/helpdesk-typescript/package.json"),
    ),
    always(
        "src/component.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/src/component.ts"),
    ),
    always(
        "src/connector.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/src/connector.ts"),
    ),
    always(
        "src/vendor.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/src/vendor.ts"),
    ),
    reading(
        "src/read.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/src/read.ts"),
    ),
    reading(
        "test/read.test.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/test/read.test.ts"),
    ),
    rows(
        "src/write.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/src/write.ts"),
    ),
    writing(
        "src/audience.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/src/audience.ts"),
    ),
    rows(
        "test/write.test.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/test/write.test.ts"),
    ),
    writing(
        "test/audience.test.ts",
        include_str!("../../../../connectors/examples/helpdesk-typescript/test/audience.test.ts"),
    ),
];

const JAVASCRIPT_FILES: &[File] = &[
    always(
        "connector.toml",
        include_str!("../../../../connectors/examples/helpdesk-javascript/connector.toml"),
    ),
    always(
        "README.md",
        include_str!("../../../../connectors/examples/helpdesk-javascript/README.md"),
    ),
    always(
        ".gitignore",
        include_str!("../../../../connectors/examples/helpdesk-javascript/.gitignore"),
    ),
    always(
        "package.json",
        include_str!("../../../../connectors/examples/helpdesk-javascript/package.json"),
    ),
    always(
        "src/component.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/src/component.js"),
    ),
    always(
        "src/connector.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/src/connector.js"),
    ),
    always(
        "src/vendor.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/src/vendor.js"),
    ),
    reading(
        "src/read.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/src/read.js"),
    ),
    reading(
        "test/read.test.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/test/read.test.js"),
    ),
    rows(
        "src/write.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/src/write.js"),
    ),
    writing(
        "src/audience.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/src/audience.js"),
    ),
    rows(
        "test/write.test.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/test/write.test.js"),
    ),
    writing(
        "test/audience.test.js",
        include_str!("../../../../connectors/examples/helpdesk-javascript/test/audience.test.js"),
    ),
];

const SDK: &[File] = &[
    always(
        "package.json",
        include_str!("../../../../connector-sdk/typescript/package.json"),
    ),
    always(
        "src/call.js",
        include_str!("../../../../connector-sdk/typescript/src/call.js"),
    ),
    always(
        "src/component.js",
        include_str!("../../../../connector-sdk/typescript/src/component.js"),
    ),
    always(
        "src/config.js",
        include_str!("../../../../connector-sdk/typescript/src/config.js"),
    ),
    always(
        "src/contract.ts",
        include_str!("../../../../connector-sdk/typescript/src/contract.ts"),
    ),
    always(
        "src/errors.js",
        include_str!("../../../../connector-sdk/typescript/src/errors.js"),
    ),
    always(
        "src/faults.js",
        include_str!("../../../../connector-sdk/typescript/src/faults.js"),
    ),
    always(
        "src/found.js",
        include_str!("../../../../connector-sdk/typescript/src/found.js"),
    ),
    always(
        "src/http.js",
        include_str!("../../../../connector-sdk/typescript/src/http.js"),
    ),
    always(
        "src/index.js",
        include_str!("../../../../connector-sdk/typescript/src/index.js"),
    ),
    always(
        "src/paging.js",
        include_str!("../../../../connector-sdk/typescript/src/paging.js"),
    ),
    always(
        "src/records.js",
        include_str!("../../../../connector-sdk/typescript/src/records.js"),
    ),
    always(
        "src/rows.js",
        include_str!("../../../../connector-sdk/typescript/src/rows.js"),
    ),
    always(
        "src/testing.js",
        include_str!("../../../../connector-sdk/typescript/src/testing.js"),
    ),
    always(
        "src/text.js",
        include_str!("../../../../connector-sdk/typescript/src/text.js"),
    ),
];
