//! A connector's configuration: JSON text into a type, with errors that name the key and what was expected.
//! What the keys mean is the connector's; their JSON Schema is checked by the hub.

use crate::types::{Error, Result};
use serde::de::DeserializeOwned;

/// Reads a configuration. Fails with class `config`.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let reason = without_position(&error.into_inner().to_string());
        let message = match path.as_str() {
            "." | "" | "?" => format!("in the configuration: {reason}"),
            _ => format!("`config.{path}`: {reason}"),
        };
        Error::config("config.invalid", message)
    })
}

/// Line and column of generated JSON help nobody.
fn without_position(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[allow(dead_code)]
        list_id: String,
        #[serde(default)]
        #[allow(dead_code)]
        page_size: u32,
    }

    fn message(text: &str) -> String {
        match parse::<Settings>(text) {
            Err(Error::Config(detail)) => detail.message,
            other => panic!("expected a configuration error, got {other:?}"),
        }
    }

    #[test]
    fn a_wrong_type_is_reported_with_its_key() {
        assert_eq!(
            message(r#"{"list_id": "a", "page_size": "many"}"#),
            "`config.page_size`: invalid type: string \"many\", expected u32"
        );
    }

    #[test]
    fn missing_and_unknown_keys_are_named() {
        assert_eq!(message(""), "in the configuration: missing field `list_id`");
        assert!(message(r#"{"list": 1}"#).contains("unknown field `list`"));
    }
}
