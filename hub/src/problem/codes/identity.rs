//! OF06xx: who is who.

use super::{Class, Code};

pub static RULES_NOT_APPLIED: Code = Code {
    id: "OF0601",
    title: "edited identity rules that were not applied",
    class: Class::AskUser,
    page: include_str!("../pages/OF0601.md"),
};

pub static RULES_CHANGED: Code = Code {
    id: "OF0602",
    title: "identity rules changed while this was running",
    class: Class::Retry,
    page: include_str!("../pages/OF0602.md"),
};

pub static COMPONENT_CAPPED: Code = Code {
    id: "OF0604",
    title: "more identifiers hang together than `component_cap` allows",
    class: Class::AskUser,
    page: include_str!("../pages/OF0604.md"),
};

pub static IDENTIFIER_PARTED: Code = Code {
    id: "OF0605",
    title: "an identifier turned out to be of several people",
    class: Class::AskUser,
    page: include_str!("../pages/OF0605.md"),
};

pub static NOT_A_PERSON: Code = Code {
    id: "OF0603",
    title: "a statement about something that names nobody",
    class: Class::AskUser,
    page: include_str!("../pages/OF0603.md"),
};
