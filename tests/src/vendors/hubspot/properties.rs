//! The properties of the fake HubSpot's account: which there are, what they look like in the properties API, and what a
//! write may put into them.

use serde_json::{Value, json};

use super::Refusal;
use super::objects::Objects;

const LIFECYCLE: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];
/// HubSpot works these out itself.
const READ_ONLY: [&str; 9] = [
    "associatedcompanyid",
    "createdate",
    "hs_additional_emails",
    "hs_is_closed",
    "hs_is_closed_won",
    "hs_lastmodifieddate",
    "hs_merged_object_ids",
    "hs_object_id",
    "lastmodifieddate",
];

/// The properties to write: an empty text clears.
pub(super) type Written = Vec<(u16, String)>;

impl Objects {
    /// Checks the `properties` of a write against the account's properties.
    pub(super) fn check(&self, properties: &Value) -> Result<Written, Refusal> {
        let Some(object) = properties.as_object() else {
            return Err(Refusal::invalid(
                "Invalid input JSON on line 1, column 1: properties must be an object",
            ));
        };
        let mut written = Written::new();
        let mut wrong: Vec<Value> = Vec::new();
        for (name, value) in object {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Refusal::invalid(format!(
                        "Invalid input JSON on line 1, column 1: Cannot deserialize value of type `java.lang.String` \
                         (through reference chain: properties[\"{name}\"])"
                    )));
                }
            };
            match self.check_value(name, &text) {
                Ok(number) => written.push((number, text)),
                Err(problem) => wrong.push(problem),
            }
        }
        if wrong.is_empty() {
            return Ok(written);
        }
        Err(Refusal::invalid(format!(
            "Property values were not valid: {}",
            Value::Array(wrong)
        )))
    }

    fn check_value(&self, name: &str, text: &str) -> Result<u16, Value> {
        let problem = |code: &str, message: String| {
            json!({"isValid": false, "message": message, "error": code, "name": name,
                   "localizedErrorMessage": message})
        };
        if READ_ONLY.contains(&name) {
            return Err(problem(
                "READ_ONLY_VALUE",
                format!("\"{name}\" is a read only property; its value cannot be set"),
            ));
        }
        let Some(number) = self.number(name) else {
            return Err(problem(
                "PROPERTY_DOESNT_EXIST",
                format!("Property \"{name}\" does not exist"),
            ));
        };
        if name == "email" && !text.is_empty() && !plausible_email(text) {
            return Err(problem(
                "INVALID_EMAIL",
                format!("Email address {text} is invalid"),
            ));
        }
        if name == "lifecyclestage" && !text.is_empty() && !LIFECYCLE.contains(&text) {
            return Err(problem(
                "INVALID_OPTION",
                format!("{text} was not one of the allowed options: {LIFECYCLE:?}"),
            ));
        }
        Ok(number)
    }

    pub(super) fn describe_properties(&self) -> Value {
        let own = self.names.iter();
        let own = own.map(|name| (*name, "string", READ_ONLY.contains(name)));
        let fixed = [
            (self.created(), "datetime", true),
            ("hs_object_id", "number", true),
            (self.modified, "datetime", true),
        ];
        let results: Vec<Value> = own
            .chain(fixed)
            .map(|(name, kind, read_only)| {
                let options: Vec<Value> = LIFECYCLE
                    .iter()
                    .filter(|_| name == "lifecyclestage")
                    .map(|value| json!({"label": value, "value": value, "hidden": false}))
                    .collect();
                json!({
                    "name": name, "label": name, "groupName": format!("{}information", self.kind),
                    "type": if options.is_empty() { kind } else { "enumeration" },
                    "fieldType": "text", "description": "", "options": options,
                    "hasUniqueValue": name == self.unique,
                    "modificationMetadata": {"archivable": false, "readOnlyDefinition": true, "readOnlyValue": read_only},
                })
            })
            .collect();
        json!({"results": results})
    }
}

fn plausible_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "()<>[]:;,\\\"@".contains(c);
    !local.is_empty()
        && !local.contains(forbidden)
        && !domain.contains(forbidden)
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
}
