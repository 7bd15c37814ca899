//! `conformance.toml`: which vendor a connector is tested against, with which configuration, credentials and rows.
//! Knows what may be written; starting the vendor is `vendor`'s.

use crate::kit::practice;
use crate::problem::{Problem, codes};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Stands for the vendor's address in configuration and rows.
pub const VENDOR_VARIABLE: &str = "{vendor}";
/// Stands for a number that is new each time.
pub const NUMBER_VARIABLE: &str = "{n}";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub vendor: VendorSettings,
    #[serde(default)]
    pub connection: ConnectionSettings,
    /// What is different with credentials that are wrong; made up when it is not said.
    #[serde(default)]
    pub wrong: Option<ConnectionSettings>,
    /// By target: what the checks write.
    #[serde(default)]
    pub rows: BTreeMap<String, RowSettings>,
    /// Who is added to audiences, when no row says so.
    #[serde(default)]
    pub members: MemberSettings,
    /// Who is erased by a check, when no row says so.
    #[serde(default)]
    pub erase: Option<EraseSettings>,
    /// Checks that do not apply, with the reason for each.
    #[serde(default)]
    pub not_applicable: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorSettings {
    #[serde(default)]
    pub practice: Option<PracticeSettings>,
    /// A program that prints its address as the first line and serves until it is stopped.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    #[serde(default)]
    pub cassette: Option<String>,
    /// The real vendor, at the address that the configuration names: for recording.
    #[serde(default)]
    pub live: bool,
    /// A path of the vendor that shows what it holds, as JSON, so that the effects of writes can be compared.
    #[serde(default)]
    pub state: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PracticeSettings {
    #[serde(default)]
    pub seed: Option<u64>,
    #[serde(default)]
    pub contacts: Option<u32>,
    /// Whether it makes a contact of an address that is added to a tag, for connectors that write no rows.
    #[serde(default)]
    pub new_members: bool,
}

impl PracticeSettings {
    pub fn settings(&self) -> practice::Settings {
        let usual = practice::Settings::default();
        practice::Settings {
            seed: self.seed.unwrap_or(usual.seed),
            contacts: self.contacts.unwrap_or(300),
            new_members: self.new_members,
        }
    }
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionSettings {
    #[serde(default)]
    pub config: Option<toml::Table>,
    #[serde(default)]
    pub credential: BTreeMap<String, String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSettings {
    /// A row that the vendor takes, with `{n}` where it must be new each time.
    #[serde(default)]
    pub good: Option<toml::Table>,
    /// A row that the vendor refuses.
    #[serde(default)]
    pub bad: Option<toml::Table>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSettings {
    /// People whom the vendor has, by the first of the manifest's `audience_keys`, where it takes nobody else.
    #[serde(default)]
    pub known: Vec<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseSettings {
    pub email: String,
}

fn wrong(message: impl Into<String>) -> Problem {
    Problem::new(&codes::WRONG_CONFORMANCE, message)
}

impl Settings {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let settings: Self = toml::from_str(text).map_err(|error| {
            wrong(format!(
                "`conformance.toml` cannot be used: {}",
                error.to_string().trim_end()
            ))
        })?;
        let vendor = &settings.vendor;
        let ways = usize::from(vendor.practice.is_some())
            + usize::from(vendor.command.is_some())
            + usize::from(vendor.cassette.is_some())
            + usize::from(vendor.live);
        if ways != 1 {
            let message = format!("`conformance.toml` names {ways} vendors in `[vendor]`, not one");
            return Err(wrong(message).hint(
                "say `practice = {}`, `command = [\"PROGRAM\", …]` or `cassette = \"FILE\"`",
            ));
        }
        for name in settings.not_applicable.keys() {
            if !super::CHECKS.iter().any(|(check, _)| check == name) {
                return Err(wrong(format!("there is no check `{name}`")));
            }
        }
        Ok(settings)
    }

    /// The configuration as JSON text, with the vendor's address in it.
    pub fn config(&self, vendor: &str) -> serde_json::Value {
        let config = self.connection.config.clone().unwrap_or_default();
        substituted(&toml::Value::Table(config), &[(VENDOR_VARIABLE, vendor)])
    }
}

/// TOML as JSON, with variables in its texts substituted.
pub fn substituted(value: &toml::Value, variables: &[(&str, &str)]) -> serde_json::Value {
    match value {
        toml::Value::String(text) => {
            let text = variables.iter().fold(text.clone(), |text, (variable, by)| {
                text.replace(variable, by)
            });
            serde_json::Value::from(text)
        }
        toml::Value::Integer(number) => serde_json::Value::from(*number),
        toml::Value::Float(number) => serde_json::Value::from(*number),
        toml::Value::Boolean(truth) => serde_json::Value::from(*truth),
        toml::Value::Datetime(time) => serde_json::Value::from(time.to_string()),
        toml::Value::Array(items) => items
            .iter()
            .map(|item| substituted(item, variables))
            .collect(),
        toml::Value::Table(table) => {
            let members = table.iter();
            serde_json::Value::Object(
                members
                    .map(|(name, value)| (name.clone(), substituted(value, variables)))
                    .collect(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_named_once_and_variables_are_substituted() {
        let text = "[vendor]\npractice = { contacts = 7 }\n[connection]\nconfig = { base_url = \"{vendor}/x\", n = 1 }\n\
            credential.token = \"t\"\n[wrong]\ncredential.token = \"w\"\n";
        let settings = Settings::parse(text).unwrap();
        assert_eq!(
            settings.config("http://127.0.0.1:1"),
            serde_json::json!({"base_url": "http://127.0.0.1:1/x", "n": 1})
        );
        assert_eq!(settings.vendor.practice.unwrap().settings().contacts, 7);
        for wrong in [
            "[vendor]\n",
            "[vendor]\npractice = {}\ncassette = \"a\"\n",
            "[vendor]\npractice = {}\nother = 1\n",
            "[vendor]\npractice = {}\n[not_applicable]\nnonsense = \"x\"\n",
        ] {
            assert_eq!(
                Settings::parse(wrong).unwrap_err().code.id,
                "OF0331",
                "{wrong}"
            );
        }
    }
}
