//! The table of problem codes. A code keeps its meaning for ever and is never used again for another.
//!
//! OF00 usage and the hub itself, OF01 manifests, OF02 manifests against connectors, OF03 the connector host,
//! OF04 egress and vendors, OF05 records, OF06 identity, OF07 delivery and guards, OF08 the store.

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
    &NOT_A_COMPONENT,
    &WRONG_CONTRACT,
    &UNKNOWN_IMPORT,
    &WRONG_DESCRIPTION,
    &CONNECTOR_NOT_FOUND,
    &ENGINE_UNAVAILABLE,
    &TRAPPED,
    &MEMORY_LIMIT,
    &CPU_LIMIT,
    &WALL_LIMIT,
    &BATCH_ROWS_LIMIT,
    &BATCH_BYTES_LIMIT,
    &STACK_LIMIT,
    &MALFORMED_ANSWER,
    &CURSOR_TOO_LARGE,
    &NOT_EXPORTED,
    &TABLE_LIMIT,
    &HOST_DENIED,
    &ADDRESS_DENIED,
    &SCHEME_DENIED,
    &REDIRECT_DENIED,
    &REQUEST_DENIED,
    &CREDENTIAL_DENIED,
    &CLIENT_UNAVAILABLE,
    &VENDOR_CONFIG,
    &VENDOR_AUTH,
    &VENDOR_PERMISSION,
    &VENDOR_RATE_LIMITED,
    &VENDOR_TRANSIENT,
    &VENDOR_PERMANENT,
    &VENDOR_CURSOR_EXPIRED,
    &CANCELLED,
    &VENDOR_OTHER,
    &SECRET_MISSING,
];

pub static NOT_A_COMPONENT: Code = Code {
    id: "OF0301",
    title: "not a WebAssembly component",
    class: Class::AskUser,
    page: include_str!("pages/OF0301.md"),
};

pub static WRONG_CONTRACT: Code = Code {
    id: "OF0302",
    title: "the connector was built for another contract",
    class: Class::AskUser,
    page: include_str!("pages/OF0302.md"),
};

pub static UNKNOWN_IMPORT: Code = Code {
    id: "OF0303",
    title: "the connector asks for something that the hub does not have",
    class: Class::AskUser,
    page: include_str!("pages/OF0303.md"),
};

pub static WRONG_DESCRIPTION: Code = Code {
    id: "OF0304",
    title: "the connector's description cannot be read",
    class: Class::AskUser,
    page: include_str!("pages/OF0304.md"),
};

pub static CONNECTOR_NOT_FOUND: Code = Code {
    id: "OF0305",
    title: "no such connector",
    class: Class::AskUser,
    page: include_str!("pages/OF0305.md"),
};

pub static ENGINE_UNAVAILABLE: Code = Code {
    id: "OF0306",
    title: "the WebAssembly engine cannot start",
    class: Class::AskUser,
    page: include_str!("pages/OF0306.md"),
};

pub static TRAPPED: Code = Code {
    id: "OF0310",
    title: "the connector crashed",
    class: Class::Stop,
    page: include_str!("pages/OF0310.md"),
};

pub static MEMORY_LIMIT: Code = Code {
    id: "OF0311",
    title: "the connector needs too much memory",
    class: Class::Stop,
    page: include_str!("pages/OF0311.md"),
};

pub static CPU_LIMIT: Code = Code {
    id: "OF0312",
    title: "the connector computes for too long",
    class: Class::Stop,
    page: include_str!("pages/OF0312.md"),
};

pub static WALL_LIMIT: Code = Code {
    id: "OF0313",
    title: "the connector takes too long",
    class: Class::Stop,
    page: include_str!("pages/OF0313.md"),
};

pub static BATCH_ROWS_LIMIT: Code = Code {
    id: "OF0314",
    title: "the connector returned too many rows",
    class: Class::Stop,
    page: include_str!("pages/OF0314.md"),
};

pub static BATCH_BYTES_LIMIT: Code = Code {
    id: "OF0315",
    title: "the connector returned too many bytes",
    class: Class::Stop,
    page: include_str!("pages/OF0315.md"),
};

pub static STACK_LIMIT: Code = Code {
    id: "OF0316",
    title: "the connector nests calls too deeply",
    class: Class::Stop,
    page: include_str!("pages/OF0316.md"),
};

pub static MALFORMED_ANSWER: Code = Code {
    id: "OF0317",
    title: "the connector broke the contract",
    class: Class::Stop,
    page: include_str!("pages/OF0317.md"),
};

pub static CURSOR_TOO_LARGE: Code = Code {
    id: "OF0318",
    title: "the connector's cursor is too large",
    class: Class::Stop,
    page: include_str!("pages/OF0318.md"),
};

pub static NOT_EXPORTED: Code = Code {
    id: "OF0319",
    title: "the connector does not have this call",
    class: Class::Stop,
    page: include_str!("pages/OF0319.md"),
};

pub static TABLE_LIMIT: Code = Code {
    id: "OF0320",
    title: "the connector asked for too large a table",
    class: Class::Stop,
    page: include_str!("pages/OF0320.md"),
};

pub static HOST_DENIED: Code = Code {
    id: "OF0401",
    title: "a connector may not call this host",
    class: Class::AskUser,
    page: include_str!("pages/OF0401.md"),
};

pub static ADDRESS_DENIED: Code = Code {
    id: "OF0402",
    title: "a host leads to an address that is not granted",
    class: Class::AskUser,
    page: include_str!("pages/OF0402.md"),
};

pub static SCHEME_DENIED: Code = Code {
    id: "OF0403",
    title: "only HTTPS leaves the hub",
    class: Class::AskUser,
    page: include_str!("pages/OF0403.md"),
};

pub static REDIRECT_DENIED: Code = Code {
    id: "OF0404",
    title: "a vendor redirected to another host",
    class: Class::AskUser,
    page: include_str!("pages/OF0404.md"),
};

pub static REQUEST_DENIED: Code = Code {
    id: "OF0405",
    title: "a request is not well formed",
    class: Class::Stop,
    page: include_str!("pages/OF0405.md"),
};

pub static CREDENTIAL_DENIED: Code = Code {
    id: "OF0406",
    title: "a credential is not granted",
    class: Class::AskUser,
    page: include_str!("pages/OF0406.md"),
};

pub static CLIENT_UNAVAILABLE: Code = Code {
    id: "OF0420",
    title: "the HTTP client cannot start",
    class: Class::AskUser,
    page: include_str!("pages/OF0420.md"),
};

pub static VENDOR_CONFIG: Code = Code {
    id: "OF0440",
    title: "the configuration is wrong for the vendor",
    class: Class::AskUser,
    page: include_str!("pages/OF0440.md"),
};

pub static VENDOR_AUTH: Code = Code {
    id: "OF0441",
    title: "the vendor refused the credential",
    class: Class::AskUser,
    page: include_str!("pages/OF0441.md"),
};

pub static VENDOR_PERMISSION: Code = Code {
    id: "OF0442",
    title: "the credential lacks a right",
    class: Class::AskUser,
    page: include_str!("pages/OF0442.md"),
};

pub static VENDOR_RATE_LIMITED: Code = Code {
    id: "OF0443",
    title: "the vendor asks to wait",
    class: Class::Retry,
    page: include_str!("pages/OF0443.md"),
};

pub static VENDOR_TRANSIENT: Code = Code {
    id: "OF0444",
    title: "the vendor could not answer just now",
    class: Class::Retry,
    page: include_str!("pages/OF0444.md"),
};

pub static VENDOR_PERMANENT: Code = Code {
    id: "OF0445",
    title: "the vendor refused the request for good",
    class: Class::Stop,
    page: include_str!("pages/OF0445.md"),
};

pub static VENDOR_CURSOR_EXPIRED: Code = Code {
    id: "OF0446",
    title: "the vendor no longer knows where reading stopped",
    class: Class::Stop,
    page: include_str!("pages/OF0446.md"),
};

pub static CANCELLED: Code = Code {
    id: "OF0447",
    title: "the run was stopped",
    class: Class::Stop,
    page: include_str!("pages/OF0447.md"),
};

pub static VENDOR_OTHER: Code = Code {
    id: "OF0448",
    title: "the connector failed",
    class: Class::Stop,
    page: include_str!("pages/OF0448.md"),
};

pub static SECRET_MISSING: Code = Code {
    id: "OF0490",
    title: "a secret is missing",
    class: Class::AskUser,
    page: include_str!("pages/OF0490.md"),
};
