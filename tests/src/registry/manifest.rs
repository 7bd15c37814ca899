//! What a registry accepts as names and as a manifest.

use super::MANIFEST;
use serde_json::Value;
use std::collections::BTreeMap;

/// The error's code when the manifest is not good, or names a blob that is not there with that size.
pub fn check(
    kind: &str,
    body: &[u8],
    blobs: &BTreeMap<String, Vec<u8>>,
) -> Result<(), &'static str> {
    let invalid = "MANIFEST_INVALID";
    let value: Value = serde_json::from_slice(body).map_err(|_| invalid)?;
    if kind != MANIFEST || value["mediaType"] != MANIFEST || value["schemaVersion"] != 2 {
        return Err(invalid);
    }
    let layers = value["layers"].as_array().ok_or(invalid)?;
    if layers.is_empty() {
        return Err(invalid);
    }
    for descriptor in layers.iter().chain([&value["config"]]) {
        let (Some(kind), Some(digest), Some(size)) = (
            descriptor["mediaType"].as_str(),
            descriptor["digest"].as_str(),
            descriptor["size"].as_u64(),
        ) else {
            return Err(invalid);
        };
        if !kind.contains('/') {
            return Err(invalid);
        }
        let blob = blobs.get(digest).ok_or("MANIFEST_BLOB_UNKNOWN")?;
        if blob.len() as u64 != size {
            return Err("SIZE_INVALID");
        }
    }
    let annotations = value["annotations"].as_object();
    match annotations.is_none_or(|all| all.values().all(Value::is_string)) {
        true => Ok(()),
        false => Err(invalid),
    }
}

pub fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(plain)
            && part.ends_with(plain)
            && part
                .chars()
                .all(|c| plain(c) || matches!(c, '.' | '_' | '-'))
    };
    !text.is_empty() && text.split('/').all(part)
}
