//! The table of problem codes. A code keeps its meaning forever and is never reused.
//! One file per range: OF00 usage, OF01 manifests, OF02 manifests against connectors, OF03 the connector host,
//! OF04 egress and vendors, OF05 records, OF06 identity, OF07 delivery and guards, OF08 the store, OF09 what a hub that serves is asked.

mod delivery;
mod egress;
mod host;
mod identity;
mod kit;
mod manifest;
mod manifest_audience;
mod manifest_connector;
mod plan;
mod record;
mod registry;
mod store;
mod usage;

pub use delivery::*;
pub use egress::*;
pub use host::*;
pub use identity::*;
pub use kit::*;
pub use manifest::*;
pub use manifest_audience::*;
pub use manifest_connector::*;
pub use plan::*;
pub use record::*;
pub use registry::*;
pub use store::*;
pub use usage::*;

use crate::problem::Class;

#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    pub id: &'static str,
    pub title: &'static str,
    pub class: Class,
    /// Markdown: what it means, an example, how to fix it.
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
    &FOLDER_OPEN,
    &LEFT_OPEN,
    &CANNOT_LISTEN,
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
    &UNKNOWN_PURPOSE,
    &TRAIT_CYCLE,
    &UNKNOWN_PROPERTY,
    &BAD_TRAIT,
    &UNKNOWN_EVENT,
    &NEVER_HOLDS,
    &BAD_PATTERN,
    &CONTRADICTION,
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
    &NOT_GRANTED,
    &NOT_A_COMPONENT,
    &WRONG_CONTRACT,
    &UNKNOWN_IMPORT,
    &WRONG_DESCRIPTION,
    &CONNECTOR_NOT_FOUND,
    &ENGINE_UNAVAILABLE,
    &CURSOR_REPEATED,
    &COMPONENT_TOO_LARGE,
    &HUB_MEMORY,
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
    &TOOLCHAIN_MISSING,
    &BUILD_FAILED,
    &BAD_PROJECT,
    &CANNOT_MAKE_PROJECT,
    &WRONG_CONFORMANCE,
    &NO_VENDOR,
    &NO_COMPONENT_FILE,
    &NOT_ON_CASSETTE,
    &BAD_CASSETTE,
    &BAD_CAPTURE,
    &BAD_REFERENCE,
    &SOURCE_DOWN,
    &SOURCE_REFUSED,
    &NOT_AT_SOURCE,
    &BAD_SOURCE,
    &DIGEST_MISMATCH,
    &LOCK_BROKEN,
    &LOCK_UNREADABLE,
    &UNSIGNED,
    &WRONG_SIGNER,
    &BAD_SIGNATURE,
    &BAD_KEY,
    &BAD_TRUSTED_KEY,
    &ASKS_FOR_MORE,
    &BAD_BUNDLE,
    &LOCK_CHANGED,
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
    &NO_KEY,
    &EXPRESSION_FAILED,
    &NO_EVENT_NAME,
    &NO_EVENT_TIME,
    &UNUSABLE,
    &WRONG_SHAPE,
    &NOT_MONEY,
    &UNKNOWN_CONSENT,
    &NOT_AN_OBJECT,
    &DAMAGED_TEXT,
    &KEY_TAKEN,
    &SOURCE_GONE,
    &CONSENT_WITHOUT_ADDRESS,
    &NOT_CORRECTED,
    &LETTER_ENDED,
    &TOO_MANY_UNFIT,
    &MESSAGE_REFUSED,
    &RECORD_NOT_JSON,
    &RULES_NOT_APPLIED,
    &RULES_CHANGED,
    &NOT_A_PERSON,
    &COMPONENT_CAPPED,
    &IDENTIFIER_PARTED,
    &EMPTY_SOURCE,
    &GUARD_REMOVED,
    &ROW_REJECTED,
    &JOB_UNFINISHED,
    &WHOLE_REFUSED,
    &STORE_FAILED,
    &STORE_UNREADABLE,
    &STORE_BUSY,
    &RECORDS_CHANGED,
    &LEASE_LOST,
    &MANIFESTS_CHANGED,
    &NOT_APPLIED,
    &PLAN_STALE,
    &EDITS_WOULD_BE_LOST,
    &BAD_RENAME,
];
