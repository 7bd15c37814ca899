//! What a destination is handed: rows by their match key, and members by their email.
//! Those that cannot be sent become failures at once. How a vendor spells a row is the connector's.

use crate::http::Vendor;
use crate::types::{AudienceChange, Failure, IdKind, WriteRequest, plain};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A row of a `write`, without its key among the fields.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyedRow {
    /// Its place in the request.
    pub index: usize,
    /// As it was given; `folded` compares.
    pub key: String,
    pub fields: Map<String, Value>,
}

/// Keys are compared without case and white space around them.
pub fn folded(key: &str) -> String {
    key.trim().to_lowercase()
}

/// The rows with a key of their own, and failures for those without a key or with another row's.
pub fn keyed(
    vendor: &Vendor,
    request: &WriteRequest,
    field: &str,
) -> (Vec<KeyedRow>, Vec<Failure>) {
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (index, line) in request.rows.lines().enumerate() {
        let mut fields: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
        let key = match fields.remove(field) {
            Some(Value::String(key)) if !key.trim().is_empty() => key,
            _ => {
                let code = format!("{}.no_{field}", vendor.name);
                let message = format!("the row has no `{field}`, by which rows are matched");
                failures.push(Failure::rejected(index, &code, message));
                continue;
            }
        };
        if !seen.insert(folded(&key)) {
            let code = format!("{}.duplicate", vendor.name);
            let message = format!("another row of the batch has the same `{field}`");
            failures.push(Failure::rejected(index, &code, message));
            continue;
        }
        rows.push(KeyedRow { index, key, fields });
    }
    (rows, failures)
}

/// The members' places and emails, and failures for those without.
pub fn emails<'a>(
    vendor: &Vendor,
    change: &'a AudienceChange,
) -> (Vec<(usize, &'a str)>, Vec<Failure>) {
    let (mut emails, mut failures) = (Vec::new(), Vec::new());
    for (index, member) in change.members.iter().enumerate() {
        match plain(&member.ids, IdKind::Email) {
            Some(email) => emails.push((index, email)),
            None => {
                let code = format!("{}.no_email", vendor.name);
                let message = "the member has no plain email, by which members are named";
                failures.push(Failure::rejected(index, &code, message));
            }
        }
    }
    (emails, failures)
}
