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

pub static STORE_BUSY: Code = Code {
    id: "OF0803",
    title: "another process holds the store",
    class: Class::Retry,
    page: include_str!("../pages/OF0803.md"),
};

pub static RECORDS_CHANGED: Code = Code {
    id: "OF0804",
    title: "records changed while they were being compared",
    class: Class::Retry,
    page: include_str!("../pages/OF0804.md"),
};

pub static LEASE_LOST: Code = Code {
    id: "OF0805",
    title: "another process took this work over",
    class: Class::Retry,
    page: include_str!("../pages/OF0805.md"),
};

pub static MANIFESTS_CHANGED: Code = Code {
    id: "OF0806",
    title: "another process uses other manifests",
    class: Class::Retry,
    page: include_str!("../pages/OF0806.md"),
};
