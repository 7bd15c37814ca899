//! The connector author's kit: OF032.

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
    title: "the folder is no connector's project",
    class: Class::AskUser,
    page: include_str!("../pages/OF0323.md"),
};

pub static CANNOT_MAKE_PROJECT: Code = Code {
    id: "OF0324",
    title: "the project cannot be made",
    class: Class::AskUser,
    page: include_str!("../pages/OF0324.md"),
};
