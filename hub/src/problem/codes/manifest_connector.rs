//! Manifests against their connectors: OF02.

use super::Code;
use crate::problem::Class;

pub static UNKNOWN_CONNECTOR: Code = Code {
    id: "OF0201",
    title: "unknown connector",
    class: Class::AskUser,
    page: include_str!("../pages/OF0201.md"),
};

pub static UNKNOWN_STREAM: Code = Code {
    id: "OF0202",
    title: "unknown stream",
    class: Class::AskUser,
    page: include_str!("../pages/OF0202.md"),
};

pub static UNKNOWN_FIELD: Code = Code {
    id: "OF0203",
    title: "a mapping reads a field that the stream does not have",
    class: Class::AskUser,
    page: include_str!("../pages/OF0203.md"),
};

pub static UNKNOWN_CREDENTIAL: Code = Code {
    id: "OF0204",
    title: "unknown credential",
    class: Class::AskUser,
    page: include_str!("../pages/OF0204.md"),
};

pub static MISSING_CREDENTIAL: Code = Code {
    id: "OF0205",
    title: "a credential is missing",
    class: Class::AskUser,
    page: include_str!("../pages/OF0205.md"),
};

pub static BAD_CONFIG: Code = Code {
    id: "OF0206",
    title: "the configuration does not fit the connector",
    class: Class::AskUser,
    page: include_str!("../pages/OF0206.md"),
};

pub static UNKNOWN_TARGET: Code = Code {
    id: "OF0207",
    title: "unknown target",
    class: Class::AskUser,
    page: include_str!("../pages/OF0207.md"),
};

pub static MODE_NOT_SUPPORTED: Code = Code {
    id: "OF0208",
    title: "the target does not have that mode",
    class: Class::AskUser,
    page: include_str!("../pages/OF0208.md"),
};

pub static UNKNOWN_TARGET_FIELD: Code = Code {
    id: "OF0209",
    title: "the target does not have that field",
    class: Class::AskUser,
    page: include_str!("../pages/OF0209.md"),
};

pub static CANNOT: Code = Code {
    id: "OF0210",
    title: "the connector cannot do that",
    class: Class::AskUser,
    page: include_str!("../pages/OF0210.md"),
};

pub static NO_MAPPING: Code = Code {
    id: "OF0211",
    title: "a stream without a mapping",
    class: Class::AskUser,
    page: include_str!("../pages/OF0211.md"),
};

pub static BAD_DEFAULT_MAPPING: Code = Code {
    id: "OF0212",
    title: "the connector's own mapping is broken",
    class: Class::AskUser,
    page: include_str!("../pages/OF0212.md"),
};

pub static NOT_GRANTED: Code = Code {
    id: "OF0213",
    title: "a place that the connector may not call",
    class: Class::AskUser,
    page: include_str!("../pages/OF0213.md"),
};
