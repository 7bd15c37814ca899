//! The connector host: OF03.

use super::Code;
use crate::problem::Class;

pub static NOT_A_COMPONENT: Code = Code {
    id: "OF0301",
    title: "not a WebAssembly component",
    class: Class::AskUser,
    page: include_str!("../pages/OF0301.md"),
};

pub static WRONG_CONTRACT: Code = Code {
    id: "OF0302",
    title: "the connector was built for another contract",
    class: Class::AskUser,
    page: include_str!("../pages/OF0302.md"),
};

pub static UNKNOWN_IMPORT: Code = Code {
    id: "OF0303",
    title: "the connector asks for something that the hub does not have",
    class: Class::AskUser,
    page: include_str!("../pages/OF0303.md"),
};

pub static WRONG_DESCRIPTION: Code = Code {
    id: "OF0304",
    title: "the connector's description cannot be read",
    class: Class::AskUser,
    page: include_str!("../pages/OF0304.md"),
};

pub static CONNECTOR_NOT_FOUND: Code = Code {
    id: "OF0305",
    title: "no such connector",
    class: Class::AskUser,
    page: include_str!("../pages/OF0305.md"),
};

pub static ENGINE_UNAVAILABLE: Code = Code {
    id: "OF0306",
    title: "the WebAssembly engine cannot start",
    class: Class::AskUser,
    page: include_str!("../pages/OF0306.md"),
};

pub static TRAPPED: Code = Code {
    id: "OF0310",
    title: "the connector crashed",
    class: Class::Stop,
    page: include_str!("../pages/OF0310.md"),
};

pub static MEMORY_LIMIT: Code = Code {
    id: "OF0311",
    title: "the connector needs too much memory",
    class: Class::Stop,
    page: include_str!("../pages/OF0311.md"),
};

pub static CPU_LIMIT: Code = Code {
    id: "OF0312",
    title: "the connector computes for too long",
    class: Class::Stop,
    page: include_str!("../pages/OF0312.md"),
};

pub static WALL_LIMIT: Code = Code {
    id: "OF0313",
    title: "the connector takes too long",
    class: Class::Stop,
    page: include_str!("../pages/OF0313.md"),
};

pub static BATCH_ROWS_LIMIT: Code = Code {
    id: "OF0314",
    title: "the connector returned too many rows",
    class: Class::Stop,
    page: include_str!("../pages/OF0314.md"),
};

pub static BATCH_BYTES_LIMIT: Code = Code {
    id: "OF0315",
    title: "the connector returned too many bytes",
    class: Class::Stop,
    page: include_str!("../pages/OF0315.md"),
};

pub static STACK_LIMIT: Code = Code {
    id: "OF0316",
    title: "the connector nests calls too deeply",
    class: Class::Stop,
    page: include_str!("../pages/OF0316.md"),
};

pub static MALFORMED_ANSWER: Code = Code {
    id: "OF0317",
    title: "the connector broke the contract",
    class: Class::Stop,
    page: include_str!("../pages/OF0317.md"),
};

pub static CURSOR_TOO_LARGE: Code = Code {
    id: "OF0318",
    title: "the connector's cursor is too large",
    class: Class::Stop,
    page: include_str!("../pages/OF0318.md"),
};

pub static NOT_EXPORTED: Code = Code {
    id: "OF0319",
    title: "the connector does not have this call",
    class: Class::Stop,
    page: include_str!("../pages/OF0319.md"),
};

pub static TABLE_LIMIT: Code = Code {
    id: "OF0320",
    title: "the connector asked for too large a table",
    class: Class::Stop,
    page: include_str!("../pages/OF0320.md"),
};

pub static CURSOR_REPEATED: Code = Code {
    id: "OF0307",
    title: "a read that goes round in a circle",
    class: Class::Stop,
    page: include_str!("../pages/OF0307.md"),
};

pub static COMPONENT_TOO_LARGE: Code = Code {
    id: "OF0308",
    title: "a component that is too costly to compile",
    class: Class::AskUser,
    page: include_str!("../pages/OF0308.md"),
};

pub static HUB_MEMORY: Code = Code {
    id: "OF0309",
    title: "the connectors together need too much memory",
    class: Class::Retry,
    page: include_str!("../pages/OF0309.md"),
};
