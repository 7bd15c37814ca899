//! Manifests' audiences: OF014.

use super::Code;
use crate::problem::Class;

pub static UNKNOWN_EVENT: Code = Code {
    id: "OF0140",
    title: "unknown event",
    class: Class::AskUser,
    page: include_str!("../pages/OF0140.md"),
};

pub static NEVER_HOLDS: Code = Code {
    id: "OF0141",
    title: "a condition that can never hold",
    class: Class::AskUser,
    page: include_str!("../pages/OF0141.md"),
};

pub static BAD_PATTERN: Code = Code {
    id: "OF0142",
    title: "a regular expression that cannot be compiled",
    class: Class::AskUser,
    page: include_str!("../pages/OF0142.md"),
};
