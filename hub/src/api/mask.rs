//! Answers for masked roles: of a value that may be personal, only its kind is left. What is shown is listed here; everything else
//! is taken for personal.

use crate::model::Value;

/// Texts under these names are the hub's own: names from manifests, ids, times, kinds.
const SHOWN: [&str; 28] = [
    "action",
    "at",
    "audience",
    "audiences",
    "code",
    "condition",
    "confirmed_at",
    "connector",
    "created_at",
    "destination",
    "field",
    "id",
    "is",
    "kind",
    "last_event_at",
    "name",
    "next",
    "object",
    "person",
    "purpose",
    "role",
    "rule",
    "since",
    "source",
    "state",
    "status",
    "stream",
    "time_is",
];
/// Each value of an object under these names is somebody's.
const FIELDS: [&str; 3] = ["traits", "fields", "properties"];
/// Everything under these names is somebody's, whatever its form.
const VALUES: [&str; 9] = [
    "before",
    "confirmed",
    "now",
    "payload",
    "received",
    "value",
    "wanted",
    "key",
    "record",
];
/// The names in an object under this name are addresses.
const NAMED_BY_ADDRESS: &str = "addresses";

pub fn mask(value: &mut Value) {
    within("", value);
}

fn within(name: &str, value: &mut Value) {
    match value {
        Value::Null => {}
        _ if VALUES.contains(&name) => *value = kind(value),
        Value::Object(fields) if FIELDS.contains(&name) => {
            for field in fields.values_mut().filter(|field| !field.is_null()) {
                *field = kind(field);
            }
        }
        Value::Object(fields) => {
            if name == NAMED_BY_ADDRESS {
                let taken = std::mem::take(fields).into_iter().enumerate();
                fields.extend(taken.map(|(at, (_, one))| (format!("[address {}]", at + 1), one)));
            }
            for (name, one) in fields.iter_mut() {
                within(name, one);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| within(name, one)),
        Value::String(_) if !SHOWN.contains(&name) => *value = kind(value),
        // Counts, times and answers to yes-or-no questions.
        Value::String(_) | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn kind(value: &Value) -> Value {
    let kind = match value {
        Value::Null => return Value::Null,
        Value::Bool(_) => "[yes or no]",
        Value::Number(_) => "[number]",
        Value::String(_) => "[text]",
        Value::Array(_) => "[list]",
        Value::Object(_) => "[object]",
    };
    Value::from(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_kinds_are_left_of_values_and_what_nobody_listed_is_a_value() {
        let mut answer = json!({
            "id": "8a3e", "traits": { "email": "ada@example.com", "age": 36, "vip": true, "gone": null },
            "identifiers": [{ "kind": "email", "value": "ada@example.com" }],
            "consents": { "news": { "status": "granted", "addresses": { "ada@example.com": { "status": "granted" } } } },
            "why": [{ "name": "city", "value": "Oslo", "record": "contacts/ada@example.com", "time": 7 }],
            "accounts": ["ada-and-sons"], "unheard_of": { "deep": ["Ada"] }, "events": 3,
        });
        mask(&mut answer);
        let expected = json!({
            "id": "8a3e", "traits": { "email": "[text]", "age": "[number]", "vip": "[yes or no]", "gone": null },
            "identifiers": [{ "kind": "email", "value": "[text]" }],
            "consents": { "news": { "status": "granted", "addresses": { "[address 1]": { "status": "granted" } } } },
            "why": [{ "name": "city", "value": "[text]", "record": "[text]", "time": 7 }],
            "accounts": ["[text]"], "unheard_of": { "deep": ["[text]"] }, "events": 3,
        });
        assert_eq!(answer, expected);
    }
}
