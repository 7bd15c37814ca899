//! Accounts seen from people: which accounts a person belongs to, and what conditions on people read from them.

use crate::model::{Fields, Value};
use std::collections::BTreeMap;

/// The field by which people and events name accounts: one id or a list of them.
pub const ACCOUNT_FIELD: &str = "account_id";
/// What a person's conditions put before the name of an account's trait.
pub const ACCOUNT_PREFIX: &str = "account.";

/// The ids that a value names, in its order: a text, a number, or a list of them. Nothing else names an account.
pub fn account_ids(value: &Value) -> Vec<String> {
    let one = |value: &Value| {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        (!text.is_empty()).then_some(text)
    };
    match value {
        Value::Array(items) => items.iter().filter_map(one).collect(),
        other => one(other).into_iter().collect(),
    }
}

/// The accounts of a person, the main one first: the ones named by its own trait, in that order, then the ones named by its events, by id.
/// `events` are the ids that its events name, in any order and with repeats.
pub fn accounts_of(traits: &Fields, events: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut events: Vec<String> = events.into_iter().collect();
    events.sort_unstable();
    let named = traits.get(ACCOUNT_FIELD).map(account_ids);
    let mut all: Vec<String> = Vec::new();
    for id in named.unwrap_or_default().into_iter().chain(events) {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    all
}

/// What conditions on a person read of its main account: `account.plan` and so on; nothing when nothing is known of it.
pub fn account_traits(accounts: &[String], known: &BTreeMap<String, Fields>) -> Fields {
    let main = accounts.first().and_then(|id| known.get(id));
    let fields = main.into_iter().flatten();
    fields
        .map(|(name, value)| (format!("{ACCOUNT_PREFIX}{name}"), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_person_names_accounts_by_a_text_a_number_or_a_list() {
        let ids = |value| account_ids(&value);
        assert_eq!(ids(json!(" acme ")), ["acme"]);
        assert_eq!(ids(json!(7)), ["7"]);
        assert_eq!(ids(json!(["b", 1, null, "", "b"])), ["b", "1", "b"]);
        assert!(ids(json!({"id": "acme"})).is_empty());
        assert!(ids(json!(true)).is_empty());
    }

    #[test]
    fn the_main_account_is_the_first_that_the_person_names_then_that_of_its_events() {
        let traits = |value: Value| Fields::from([(ACCOUNT_FIELD.to_owned(), value)]);
        let events = || ["z", "b", "z"].map(str::to_owned);
        assert_eq!(
            accounts_of(&traits(json!(["m", "b"])), events()),
            ["m", "b", "z"]
        );
        assert_eq!(accounts_of(&Fields::new(), events()), ["b", "z"]);
        let known = BTreeMap::from([
            (
                "b".to_owned(),
                Fields::from([("plan".to_owned(), json!("pro"))]),
            ),
            (
                "m".to_owned(),
                Fields::from([("name".to_owned(), json!("M"))]),
            ),
        ]);
        let read = |value: Value| account_traits(&accounts_of(&traits(value), events()), &known);
        assert_eq!(
            read(json!("m")),
            Fields::from([("account.name".to_owned(), json!("M"))])
        );
        assert_eq!(
            read(json!(null)),
            Fields::from([("account.plan".to_owned(), json!("pro"))])
        );
        assert_eq!(read(json!("unknown")), Fields::new());
    }
}
