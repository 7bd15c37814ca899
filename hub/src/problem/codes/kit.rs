//! Problems for authors of connectors: projects, OF032; testing, OF033.

use super::Code;
use crate::problem::Class;

pub static TOOLCHAIN_MISSING: Code = Code {
    id: "OF0321",
    title: "a compiler is missing and cannot be installed",
    class: Class::AskUser,
    page: include_str!("../pages/OF0321.md"),
};

pub static BUILD_FAILED: Code = Code {
    id: "OF0322",
    title: "the connector cannot be compiled",
    class: Class::AskUser,
    page: include_str!("../pages/OF0322.md"),
};

pub static BAD_PROJECT: Code = Code {
    id: "OF0323",
    title: "the folder is not a connector's project",
    class: Class::AskUser,
    page: include_str!("../pages/OF0323.md"),
};

pub static CANNOT_MAKE_PROJECT: Code = Code {
    id: "OF0324",
    title: "the project cannot be made",
    class: Class::AskUser,
    page: include_str!("../pages/OF0324.md"),
};

pub static WRONG_CONFORMANCE: Code = Code {
    id: "OF0331",
    title: "`conformance.toml` cannot be used",
    class: Class::AskUser,
    page: include_str!("../pages/OF0331.md"),
};

pub static NO_VENDOR: Code = Code {
    id: "OF0332",
    title: "the vendor to test the connector against cannot be started",
    class: Class::AskUser,
    page: include_str!("../pages/OF0332.md"),
};

pub static NO_COMPONENT_FILE: Code = Code {
    id: "OF0333",
    title: "there is no component to try",
    class: Class::AskUser,
    page: include_str!("../pages/OF0333.md"),
};

pub static NOT_ON_CASSETTE: Code = Code {
    id: "OF0334",
    title: "the request is not on the cassette",
    class: Class::AskUser,
    page: include_str!("../pages/OF0334.md"),
};

pub static BAD_CASSETTE: Code = Code {
    id: "OF0335",
    title: "the cassette cannot be used",
    class: Class::AskUser,
    page: include_str!("../pages/OF0335.md"),
};

pub static BAD_CAPTURE: Code = Code {
    id: "OF0336",
    title: "the captured call cannot be used",
    class: Class::AskUser,
    page: include_str!("../pages/OF0336.md"),
};
