//! Plans and applied versions: OF09.

use super::Code;
use crate::problem::Class;

pub static NOT_APPLIED: Code = Code {
    id: "OF0920",
    title: "the manifests were not applied",
    class: Class::AskUser,
    page: include_str!("../pages/OF0920.md"),
};

pub static PLAN_STALE: Code = Code {
    id: "OF0921",
    title: "the plan is not that of what there is now",
    class: Class::AskUser,
    page: include_str!("../pages/OF0921.md"),
};

pub static EDITS_WOULD_BE_LOST: Code = Code {
    id: "OF0922",
    title: "edits of the folder would be lost",
    class: Class::AskUser,
    page: include_str!("../pages/OF0922.md"),
};

pub static BAD_RENAME: Code = Code {
    id: "OF0923",
    title: "that cannot have been its name",
    class: Class::AskUser,
    page: include_str!("../pages/OF0923.md"),
};
