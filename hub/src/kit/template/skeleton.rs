//! A skeleton: the example's files without the example's API. Texts that take the place of the example's; what is not here is the
//! same in both.

use crate::kit::project::Language;

type Text = (&'static str, &'static str);

/// What a file of the example says in a skeleton; none where it stays as it is.
pub fn text(language: Language, path: &str) -> Option<&'static str> {
    let own = match language {
        Language::Rust => RUST,
        Language::TypeScript => TYPESCRIPT,
        Language::JavaScript => JAVASCRIPT,
        Language::Python => PYTHON,
        Language::C => C,
        Language::Go => GO,
    };
    let mut texts = own.iter().chain(COMMON);
    texts.find(|(one, _)| *one == path).map(|(_, text)| *text)
}

const COMMON: &[Text] = &[
    (
        "manifest.json",
        include_str!("../../../../connectors/examples/skeleton/common/manifest.json"),
    ),
    (
        "config.schema.json",
        include_str!("../../../../connectors/examples/skeleton/common/config.schema.json"),
    ),
    (
        "conformance.toml",
        include_str!("../../../../connectors/examples/skeleton/common/conformance.toml"),
    ),
];

const RUST: &[Text] = &[
    (
        "src/lib.rs",
        include_str!("../../../../connectors/examples/skeleton/rust/src/lib.rs"),
    ),
    (
        "src/read.rs",
        include_str!("../../../../connectors/examples/skeleton/rust/src/read.rs"),
    ),
    (
        "src/read/tests.rs",
        include_str!("../../../../connectors/examples/skeleton/rust/src/read/tests.rs"),
    ),
    (
        "src/write.rs",
        include_str!("../../../../connectors/examples/skeleton/rust/src/write.rs"),
    ),
    (
        "src/write/tests.rs",
        include_str!("../../../../connectors/examples/skeleton/rust/src/write/tests.rs"),
    ),
    (
        "src/audience.rs",
        include_str!("../../../../connectors/examples/skeleton/rust/src/audience.rs"),
    ),
    (
        "src/audience/tests.rs",
        include_str!("../../../../connectors/examples/skeleton/rust/src/audience/tests.rs"),
    ),
];

const TYPESCRIPT: &[Text] = &[
    (
        "src/connector.ts",
        include_str!("../../../../connectors/examples/skeleton/typescript/src/connector.ts"),
    ),
    (
        "src/vendor.ts",
        include_str!("../../../../connectors/examples/skeleton/typescript/src/vendor.ts"),
    ),
    (
        "src/read.ts",
        include_str!("../../../../connectors/examples/skeleton/typescript/src/read.ts"),
    ),
    (
        "src/write.ts",
        include_str!("../../../../connectors/examples/skeleton/typescript/src/write.ts"),
    ),
    (
        "src/audience.ts",
        include_str!("../../../../connectors/examples/skeleton/typescript/src/audience.ts"),
    ),
    (
        "test/read.test.ts",
        include_str!("../../../../connectors/examples/skeleton/typescript/test/read.test.ts"),
    ),
    (
        "test/write.test.ts",
        include_str!("../../../../connectors/examples/skeleton/typescript/test/write.test.ts"),
    ),
    (
        "test/audience.test.ts",
        include_str!("../../../../connectors/examples/skeleton/typescript/test/audience.test.ts"),
    ),
];

const JAVASCRIPT: &[Text] = &[
    (
        "src/connector.js",
        include_str!("../../../../connectors/examples/skeleton/javascript/src/connector.js"),
    ),
    (
        "src/vendor.js",
        include_str!("../../../../connectors/examples/skeleton/javascript/src/vendor.js"),
    ),
    (
        "src/read.js",
        include_str!("../../../../connectors/examples/skeleton/javascript/src/read.js"),
    ),
    (
        "src/write.js",
        include_str!("../../../../connectors/examples/skeleton/javascript/src/write.js"),
    ),
    (
        "src/audience.js",
        include_str!("../../../../connectors/examples/skeleton/javascript/src/audience.js"),
    ),
    (
        "test/read.test.js",
        include_str!("../../../../connectors/examples/skeleton/javascript/test/read.test.js"),
    ),
    (
        "test/write.test.js",
        include_str!("../../../../connectors/examples/skeleton/javascript/test/write.test.js"),
    ),
    (
        "test/audience.test.js",
        include_str!("../../../../connectors/examples/skeleton/javascript/test/audience.test.js"),
    ),
];

const PYTHON: &[Text] = &[
    (
        "src/connector/__init__.py",
        include_str!("../../../../connectors/examples/skeleton/python/src/connector/__init__.py"),
    ),
    (
        "src/connector/connector.py",
        include_str!("../../../../connectors/examples/skeleton/python/src/connector/connector.py"),
    ),
    (
        "src/connector/vendor.py",
        include_str!("../../../../connectors/examples/skeleton/python/src/connector/vendor.py"),
    ),
    (
        "src/connector/read.py",
        include_str!("../../../../connectors/examples/skeleton/python/src/connector/read.py"),
    ),
    (
        "src/connector/write.py",
        include_str!("../../../../connectors/examples/skeleton/python/src/connector/write.py"),
    ),
    (
        "src/connector/audience.py",
        include_str!("../../../../connectors/examples/skeleton/python/src/connector/audience.py"),
    ),
    (
        "tests/test_read.py",
        include_str!("../../../../connectors/examples/skeleton/python/tests/test_read.py"),
    ),
    (
        "tests/test_write.py",
        include_str!("../../../../connectors/examples/skeleton/python/tests/test_write.py"),
    ),
    (
        "tests/test_audience.py",
        include_str!("../../../../connectors/examples/skeleton/python/tests/test_audience.py"),
    ),
];

const C: &[Text] = &[
    (
        "src/vendor.h",
        include_str!("../../../../connectors/examples/skeleton/c/src/vendor.h"),
    ),
    (
        "src/connector.c",
        include_str!("../../../../connectors/examples/skeleton/c/src/connector.c"),
    ),
    (
        "src/read.c",
        include_str!("../../../../connectors/examples/skeleton/c/src/read.c"),
    ),
    (
        "src/write.c",
        include_str!("../../../../connectors/examples/skeleton/c/src/write.c"),
    ),
    (
        "src/audience.c",
        include_str!("../../../../connectors/examples/skeleton/c/src/audience.c"),
    ),
    (
        "test/read_test.c",
        include_str!("../../../../connectors/examples/skeleton/c/test/read_test.c"),
    ),
    (
        "test/write_test.c",
        include_str!("../../../../connectors/examples/skeleton/c/test/write_test.c"),
    ),
    (
        "test/audience_test.c",
        include_str!("../../../../connectors/examples/skeleton/c/test/audience_test.c"),
    ),
];

const GO: &[Text] = &[
    (
        "connector.go",
        include_str!("../../../../connectors/examples/skeleton/go/connector.go"),
    ),
    (
        "vendor.go",
        include_str!("../../../../connectors/examples/skeleton/go/vendor.go"),
    ),
    (
        "read.go",
        include_str!("../../../../connectors/examples/skeleton/go/read.go"),
    ),
    (
        "write.go",
        include_str!("../../../../connectors/examples/skeleton/go/write.go"),
    ),
    (
        "audience.go",
        include_str!("../../../../connectors/examples/skeleton/go/audience.go"),
    ),
    (
        "connector_test.go",
        include_str!("../../../../connectors/examples/skeleton/go/connector_test.go"),
    ),
    (
        "read_test.go",
        include_str!("../../../../connectors/examples/skeleton/go/read_test.go"),
    ),
    (
        "write_test.go",
        include_str!("../../../../connectors/examples/skeleton/go/write_test.go"),
    ),
    (
        "audience_test.go",
        include_str!("../../../../connectors/examples/skeleton/go/audience_test.go"),
    ),
];
