//! Usage and the hub itself: OF00.

use super::Code;
use crate::problem::Class;

pub static USAGE: Code = Code {
    id: "OF0001",
    title: "wrong use of the command line",
    class: Class::AskUser,
    page: include_str!("../pages/OF0001.md"),
};

pub static NO_MANIFESTS: Code = Code {
    id: "OF0002",
    title: "no manifest in the folder",
    class: Class::AskUser,
    page: include_str!("../pages/OF0002.md"),
};

pub static UNREADABLE: Code = Code {
    id: "OF0003",
    title: "a file cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0003.md"),
};

pub static NOT_FOUND: Code = Code {
    id: "OF0004",
    title: "there is nothing of that name",
    class: Class::AskUser,
    page: include_str!("../pages/OF0004.md"),
};

pub static FOLDER_OPEN: Code = Code {
    id: "OF0005",
    title: "others can write a folder of the hub",
    class: Class::AskUser,
    page: include_str!("../pages/OF0005.md"),
};

pub static INTERNAL: Code = Code {
    id: "OF0009",
    title: "a fault of the hub itself",
    class: Class::Bug,
    page: include_str!("../pages/OF0009.md"),
};

pub static LEFT_OPEN: Code = Code {
    id: "OF0006",
    title: "something is left open that need not be",
    class: Class::AskUser,
    page: include_str!("../pages/OF0006.md"),
};

pub static CANNOT_LISTEN: Code = Code {
    id: "OF0007",
    title: "nothing can listen on an address",
    class: Class::AskUser,
    page: include_str!("../pages/OF0007.md"),
};
