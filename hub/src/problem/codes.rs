//! The table of problem codes. A code keeps its meaning for ever and is never used again for another.
//!
//! OF00 usage and the hub itself, OF01 manifests, OF02 manifests against connectors, OF03 the connector host,
//! OF04 egress and vendors, OF05 records, OF06 identity, OF07 delivery and guards, OF08 the store.

mod manifests;

pub use manifests::*;

use crate::problem::Class;

#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    pub id: &'static str,
    pub title: &'static str,
    pub class: Class,
    /// Markdown: what it means, an example, how to mend it.
    pub page: &'static str,
}

pub fn find(id: &str) -> Option<&'static Code> {
    CODES
        .iter()
        .copied()
        .find(|code| code.id.eq_ignore_ascii_case(id))
}

/// Every code, in order.
pub static CODES: &[&Code] = &[
    &USAGE,
    &NO_MANIFESTS,
    &UNREADABLE,
    &NOT_FOUND,
    &INTERNAL,
    &SYNTAX,
    &UNKNOWN_KEY,
    &WRONG_VALUE,
    &MISSING_KEY,
    &INLINE_SECRET,
    &DUPLICATE,
    &UNKNOWN_TRAIT,
    &UNKNOWN_AUDIENCE,
    &AUDIENCE_CYCLE,
    &BAD_CONDITION,
    &BAD_DURATION,
    &BAD_SCHEDULE,
    &BAD_EXPRESSION,
    &BAD_REGION,
    &UNKNOWN_CHOICE,
    &UNKNOWN_SOURCE,
    &BAD_NAME,
    &NO_CONSENT,
    &BAD_NUMBER,
    &UNKNOWN_KIND,
    &BAD_GRANT,
    &NOTHING_TO_SEND,
    &NO_HUB,
    &UNKNOWN_CONNECTOR,
    &UNKNOWN_STREAM,
    &UNKNOWN_FIELD,
    &UNKNOWN_CREDENTIAL,
    &MISSING_CREDENTIAL,
    &BAD_CONFIG,
    &UNKNOWN_TARGET,
    &MODE_NOT_SUPPORTED,
    &UNKNOWN_TARGET_FIELD,
    &CANNOT,
    &NO_MAPPING,
    &BAD_DEFAULT_MAPPING,
    &NO_KEY,
    &EXPRESSION_FAILED,
    &NO_EVENT_NAME,
    &NO_EVENT_TIME,
    &UNUSABLE,
    &WRONG_SHAPE,
    &NOT_MONEY,
    &UNKNOWN_CONSENT,
    &NOT_AN_OBJECT,
];

pub static USAGE: Code = Code {
    id: "OF0001",
    title: "wrong use of the command line",
    class: Class::AskUser,
    page: include_str!("pages/OF0001.md"),
};

pub static NO_MANIFESTS: Code = Code {
    id: "OF0002",
    title: "no manifest in the folder",
    class: Class::AskUser,
    page: include_str!("pages/OF0002.md"),
};

pub static UNREADABLE: Code = Code {
    id: "OF0003",
    title: "a file cannot be read",
    class: Class::AskUser,
    page: include_str!("pages/OF0003.md"),
};

pub static NOT_FOUND: Code = Code {
    id: "OF0004",
    title: "there is nothing of that name",
    class: Class::AskUser,
    page: include_str!("pages/OF0004.md"),
};

pub static INTERNAL: Code = Code {
    id: "OF0009",
    title: "a fault of the hub itself",
    class: Class::Bug,
    page: include_str!("pages/OF0009.md"),
};

pub static NO_KEY: Code = Code {
    id: "OF0501",
    title: "a record without a key",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0501.md"),
};

pub static EXPRESSION_FAILED: Code = Code {
    id: "OF0502",
    title: "an expression failed",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0502.md"),
};

pub static NO_EVENT_NAME: Code = Code {
    id: "OF0503",
    title: "an event without a name",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0503.md"),
};

pub static NO_EVENT_TIME: Code = Code {
    id: "OF0504",
    title: "an event without a time",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0504.md"),
};

pub static UNUSABLE: Code = Code {
    id: "OF0505",
    title: "a field without a usable value",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0505.md"),
};

pub static WRONG_SHAPE: Code = Code {
    id: "OF0506",
    title: "a reserved field of the wrong kind",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0506.md"),
};

pub static NOT_MONEY: Code = Code {
    id: "OF0507",
    title: "an amount that is no whole number of minor units",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0507.md"),
};

pub static UNKNOWN_CONSENT: Code = Code {
    id: "OF0508",
    title: "a consent that cannot be read",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0508.md"),
};

pub static NOT_AN_OBJECT: Code = Code {
    id: "OF0509",
    title: "a record that is no object",
    class: Class::SkipRecord,
    page: include_str!("pages/OF0509.md"),
};
