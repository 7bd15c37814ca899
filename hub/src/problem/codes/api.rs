//! The HTTP API: OF09.

use super::Code;
use crate::problem::Class;

pub static NO_TOKEN: Code = Code {
    id: "OF0901",
    title: "a request to the API has no token",
    class: Class::AskUser,
    page: include_str!("../pages/OF0901.md"),
};

pub static TOKEN_REFUSED: Code = Code {
    id: "OF0902",
    title: "a token is unknown, expired or revoked",
    class: Class::AskUser,
    page: include_str!("../pages/OF0902.md"),
};

pub static NOT_ALLOWED: Code = Code {
    id: "OF0903",
    title: "a token's role does not allow this",
    class: Class::AskUser,
    page: include_str!("../pages/OF0903.md"),
};

pub static BAD_REQUEST: Code = Code {
    id: "OF0904",
    title: "a request to the API cannot be used",
    class: Class::AskUser,
    page: include_str!("../pages/OF0904.md"),
};

pub static NO_OPERATION: Code = Code {
    id: "OF0905",
    title: "the API does not have this operation",
    class: Class::AskUser,
    page: include_str!("../pages/OF0905.md"),
};

pub static API_BUSY: Code = Code {
    id: "OF0906",
    title: "the API cannot answer now",
    class: Class::Retry,
    page: include_str!("../pages/OF0906.md"),
};

pub static AUDIT_BROKEN: Code = Code {
    id: "OF0907",
    title: "the audit log was altered",
    class: Class::AskUser,
    page: include_str!("../pages/OF0907.md"),
};

pub static KEY_USED: Code = Code {
    id: "OF0908",
    title: "an idempotency key was used before",
    class: Class::AskUser,
    page: include_str!("../pages/OF0908.md"),
};
