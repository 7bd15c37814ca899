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
pub static CODES: &[&Code] = &[];
