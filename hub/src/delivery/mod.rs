//! What a destination should contain about a person, and what to do about the difference. Pure; knows no connector.

mod search;

pub use search::{End, Search};

use crate::manifest::Destination;
use crate::model::{Fields, Value};
use std::collections::BTreeSet;

/// One thing that a destination should hold of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// `person:TARGET` or `audience:NAME`
    pub object: String,
    pub remote_key: String,
    /// JSON object; `{}` for a member.
    pub payload: String,
}

/// What to do at one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Wanted and acknowledged agree.
    Nothing,
    Upsert,
    Add,
    Remove,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Upsert => "upsert",
            Self::Add => "add",
            Self::Remove => "remove",
        }
    }
}

/// The rows and memberships of one person at one destination. A person without the key is not wanted there.
pub fn wanted(
    destination: &Destination,
    traits: &Fields,
    audiences: &BTreeSet<String>,
) -> Vec<Wanted> {
    let mut rows = Vec::new();
    if let Some(push) = &destination.person
        && (push.only.is_empty() || push.only.iter().any(|name| audiences.contains(name)))
        && let Some(remote_key) = key_text(traits.get(&push.match_field))
    {
        let mut row = serde_json::Map::new();
        row.insert(push.match_field.clone(), Value::String(remote_key.clone()));
        for (field, source) in &push.map {
            if let Some(value) = traits.get(source).filter(|value| !value.is_null()) {
                row.insert(field.clone(), value.clone());
            }
        }
        let payload = Value::Object(row).to_string();
        rows.push(Wanted {
            object: format!("person:{}", push.target),
            remote_key,
            payload,
        });
    }
    for name in destination
        .audiences
        .iter()
        .filter(|name| audiences.contains(*name))
    {
        if let Some(remote_key) = key_text(traits.get(&destination.member_key)) {
            rows.push(Wanted {
                object: format!("audience:{name}"),
                remote_key,
                payload: "{}".to_owned(),
            });
        }
    }
    rows
}

/// A trait as the key by which somebody is found at a destination.
pub fn key_text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Wanted minus acknowledged at one key. `wanted` is what may be sent; profiles are never taken away, members are.
pub fn operation(object: &str, wanted: Option<&str>, acknowledged: Option<&str>) -> Operation {
    let is_member = object.starts_with("audience:");
    match (wanted, acknowledged) {
        (Some(wanted), Some(known)) if wanted == known => Operation::Nothing,
        (Some(_), _) if is_member => Operation::Add,
        (Some(_), _) => Operation::Upsert,
        (None, Some(_)) if is_member => Operation::Remove,
        (None, _) => Operation::Nothing,
    }
}

/// What is sent for a row: a field that the destination was given, or may have been given by an attempt without an answer, and
/// should hold no more is null, which clears it. What others wrote there is left alone. None when the row is sent as it is.
pub fn to_send(
    wanted: &Fields,
    acknowledged: Option<&Fields>,
    tried: &BTreeSet<String>,
) -> Option<String> {
    let before = acknowledged.into_iter().flat_map(Fields::keys).chain(tried);
    let mut cleared = before.filter(|name| !wanted.contains_key(*name)).peekable();
    cleared.peek()?;
    let mut row = wanted.clone();
    for name in cleared {
        row.insert(name.clone(), Value::Null);
    }
    Some(Value::Object(row.into_iter().collect()).to_string())
}

/// True when a run may take `removals` of `acknowledged` rows away.
pub fn may_remove(removals: i64, acknowledged: i64, max_removed: f64) -> bool {
    removals == 0 || (removals as f64) <= (acknowledged as f64) * max_removed
}

/// Both halves of a batch; the row itself, if any, where there are no two.
pub fn bisect<T>(mut rows: Vec<T>) -> Result<(Vec<T>, Vec<T>), Option<T>> {
    if rows.len() < 2 {
        return Err(rows.pop());
    }
    let second = rows.split_off(rows.len() / 2);
    Ok((rows, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_destination_is_sent_exactly_what_is_wanted() {
        assert_eq!(
            operation("person:members", Some("{\"a\":1}"), None),
            Operation::Upsert
        );
        assert_eq!(operation("audience:vip", Some("{}"), None), Operation::Add);
        assert_eq!(operation("audience:vip", None, None), Operation::Nothing);
    }

    fn row(text: &str) -> Fields {
        serde_json::from_str(text).unwrap()
    }

    fn sent(wanted: &str, known: Option<&str>, tried: &BTreeSet<String>) -> String {
        let known = known.map(row);
        let sent = to_send(&row(wanted), known.as_ref(), tried);
        sent.unwrap_or_else(|| wanted.to_owned())
    }

    #[test]
    fn a_field_that_was_given_and_is_wanted_no_more_is_cleared() {
        let nothing = BTreeSet::new();
        let sent = |wanted, known| sent(wanted, known, &nothing);
        assert_eq!(
            sent(r#"{"a":1}"#, Some(r#"{"a":0,"b":2}"#)),
            r#"{"a":1,"b":null}"#
        );
        assert_eq!(sent(r#"{"a":1}"#, Some(r#"{"a":0}"#)), r#"{"a":1}"#);
        assert_eq!(sent(r#"{"a":1}"#, None), r#"{"a":1}"#);
    }

    #[test]
    fn a_field_that_a_try_without_an_answer_may_have_given_is_cleared_too() {
        let tried = row(r#"{"a":1,"b":2}"#).into_keys().collect();
        assert_eq!(sent(r#"{"a":1}"#, None, &tried), r#"{"a":1,"b":null}"#);
        assert_eq!(
            sent(r#"{"a":1}"#, Some(r#"{"a":1,"c":3}"#), &tried),
            r#"{"a":1,"b":null,"c":null}"#
        );
    }

    #[test]
    fn what_is_acknowledged_is_not_sent_again() {
        assert_eq!(
            operation("person:members", Some("{}"), Some("{}")),
            Operation::Nothing
        );
        assert_eq!(
            operation("audience:vip", Some("{}"), Some("{}")),
            Operation::Nothing
        );
    }

    #[test]
    fn members_are_taken_away_and_profiles_are_not() {
        assert_eq!(
            operation("audience:vip", None, Some("{}")),
            Operation::Remove
        );
        assert_eq!(
            operation("person:members", None, Some("{}")),
            Operation::Nothing
        );
    }

    #[test]
    fn a_fifth_may_go_and_one_more_may_not() {
        assert!(may_remove(20, 100, 0.2));
        assert!(!may_remove(21, 100, 0.2));
        assert!(may_remove(0, 0, 0.2));
    }
}
