//! The store: OF08.

use super::Code;
use crate::problem::Class;

pub static STORE_FAILED: Code = Code {
    id: "OF0801",
    title: "the store failed",
    class: Class::Stop,
    page: include_str!("../pages/OF0801.md"),
};

pub static STORE_UNREADABLE: Code = Code {
    id: "OF0802",
    title: "the store cannot be opened or read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0802.md"),
};
