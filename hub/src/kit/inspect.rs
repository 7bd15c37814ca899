//! What can be said of a component without running it: its two documents, which are in custom sections, and its types.
//! Decides which files are not connectors at all, and says how; knows no engine.

use crate::host::parse_description;
use crate::kit::mappings;
use crate::model::Description;
use crate::problem::{Problem, codes};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use wasmparser::{Encoding, Parser, Payload};

/// Custom sections of the outermost component.
pub const MANIFEST_SECTION: &str = "onefold:manifest";
pub const SCHEMA_SECTION: &str = "onefold:config-schema";

const PACKAGE: &str = "onefold:connector/";
/// The contract that this hub speaks: major and minor version.
const SPOKEN: (u64, u64) = (0, 1);

/// A connector as its file shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// The documents as they are in the file, when it carries them.
    pub manifest: Option<String>,
    pub config_schema: Option<String>,
    /// What the documents say.
    pub description: Option<Description>,
    /// The version of the contract.
    pub contract: String,
    /// Interfaces of the contract, without `meta`.
    pub exports: Vec<String>,
    /// Everything that the component asks for.
    pub imports: Vec<String>,
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

/// Names at the outside of a component.
#[derive(Default)]
struct Outside {
    imports: Vec<String>,
    exports: Vec<String>,
    sections: Vec<(String, Vec<u8>)>,
}

pub fn inspect(bytes: &[u8]) -> Result<Inspection, Problem> {
    let outside = outside(bytes)?;
    let contract = contract(&outside)?;
    let mut exports: Vec<String> = outside
        .exports
        .iter()
        .filter_map(|name| name.strip_prefix(PACKAGE)?.split('@').next())
        .filter(|name| *name != "meta")
        .map(str::to_owned)
        .collect();
    exports.sort_unstable();
    let manifest = document(&outside, MANIFEST_SECTION)?;
    let config_schema = document(&outside, SCHEMA_SECTION)?;
    let description = match (&manifest, &config_schema) {
        (Some(manifest), Some(schema)) => {
            Some(parse_description(manifest, schema, exports.clone())?)
        }
        _ => None,
    };
    if let Some(description) = &description {
        mappings::check(description)?;
    }
    Ok(Inspection {
        manifest,
        config_schema,
        description,
        contract,
        exports,
        imports: outside.imports,
        bytes: bytes.len() as u64,
        digest: hex(&Sha256::digest(bytes)),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads the outermost component only; what is nested in it is skipped.
fn outside(bytes: &[u8]) -> Result<Outside, Problem> {
    if !bytes.starts_with(b"\0asm") {
        return Err(no_component("the file is not WebAssembly"));
    }
    let damaged = |error: wasmparser::BinaryReaderError| {
        no_component(format!("the file is damaged: {error}"))
    };
    let mut outside = Outside::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                let problem =
                    no_component("the file is a core WebAssembly module, not a component");
                return Err(problem.hint(
                    "`onefold connector build` makes a component; `wasm-tools component new` encodes a module as one",
                ));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    outside
                        .imports
                        .push(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    outside
                        .exports
                        .push(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if depth == 0 => {
                let section = (section.name().to_owned(), section.data().to_vec());
                outside.sections.push(section);
            }
            _ => {}
        }
    }
    Ok(outside)
}

fn no_component(message: impl Into<String>) -> Problem {
    Problem::new(&codes::NOT_A_COMPONENT, message)
}

/// The version of the contract; a component of another world or of another contract is refused.
fn contract(outside: &Outside) -> Result<String, Problem> {
    let names = outside.exports.iter().chain(&outside.imports);
    let versions: Vec<&str> = names
        .filter(|name| name.starts_with(PACKAGE))
        .filter_map(|name| Some(name.rsplit_once('@')?.1))
        .collect();
    for version in &versions {
        let mut numbers = version
            .split('.')
            .map_while(|part| part.parse::<u64>().ok());
        let has = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let hint = match has.cmp(&SPOKEN) {
            std::cmp::Ordering::Equal => continue,
            std::cmp::Ordering::Less => {
                "build the connector again with this hub's contract, or ask its author for a newer one"
            }
            std::cmp::Ordering::Greater => {
                "update the hub, or take an older version of the connector"
            }
        };
        let age = if has < SPOKEN { "an older" } else { "a newer" };
        let message = format!(
            "the connector was built for {age} contract, version {version}; this hub speaks {}.{}",
            SPOKEN.0, SPOKEN.1
        );
        return Err(Problem::new(&codes::WRONG_CONTRACT, message).hint(hint));
    }
    let meta = format!("{PACKAGE}meta@");
    if !outside.exports.iter().any(|name| name.starts_with(&meta)) {
        let mut shown: Vec<String> = outside
            .exports
            .iter()
            .take(5)
            .map(|name| format!("`{name}`"))
            .collect();
        if shown.is_empty() {
            shown.push("nothing".to_owned());
        }
        let message = format!(
            "the component is of another world: it exports {} and not `{meta}{}.{}.x`",
            shown.join(", "),
            SPOKEN.0,
            SPOKEN.1
        );
        return Err(Problem::new(&codes::WRONG_CONTRACT, message)
            .hint("a connector exports `meta` and any of `source`, `destination`, `audience`, `privacy`, `webhook`"));
    }
    Ok(versions
        .first()
        .map_or_else(String::new, |version| (*version).to_owned()))
}

fn document(outside: &Outside, section: &str) -> Result<Option<String>, Problem> {
    let mut found = outside.sections.iter().filter(|(name, _)| name == section);
    let Some((_, data)) = found.next() else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        Problem::new(
            &codes::WRONG_DESCRIPTION,
            format!("the component's custom section `{section}` {what}"),
        )
    };
    if found.next().is_some() {
        return Err(wrong("is there twice"));
    }
    match String::from_utf8(data.clone()) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(wrong("is not text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).expect("short sections only");
        [&[id, length], body].concat()
    }

    fn custom(name: &str, data: &str) -> Vec<u8> {
        let length = u8::try_from(name.len()).unwrap();
        section(0, &[&[length], name.as_bytes(), data.as_bytes()].concat())
    }

    /// A component that exports an empty instance under `name`.
    fn component(name: &str, more: &[Vec<u8>]) -> Vec<u8> {
        let instance = section(5, &[1, 1, 0]);
        let length = u8::try_from(name.len()).unwrap();
        let export = section(11, &[&[1, 0, length], name.as_bytes(), &[5, 0, 0]].concat());
        let head = b"\0asm\x0d\0\x01\0".to_vec();
        [head, instance, export]
            .into_iter()
            .chain(more.iter().cloned())
            .flatten()
            .collect()
    }

    const META: &str = "onefold:connector/meta@0.1.0";

    #[test]
    fn a_connector_without_documents_is_described_by_its_types() {
        let inspection = inspect(&component(META, &[])).unwrap();
        assert_eq!(inspection.contract, "0.1.0");
        assert_eq!((inspection.description, inspection.manifest), (None, None));
        assert_eq!(inspection.digest.len(), 64);
    }

    #[test]
    fn the_documents_are_read_from_the_outermost_component() {
        let manifest = r#"{"name":"a","version":"1.2.3","hosts":["x.example"]}"#;
        let sections = [
            custom(MANIFEST_SECTION, manifest),
            custom(SCHEMA_SECTION, "{}"),
        ];
        let inspection = inspect(&component(META, &sections)).unwrap();
        assert_eq!(inspection.manifest.as_deref(), Some(manifest));
        let description = inspection.description.unwrap();
        assert_eq!(
            (description.name.as_str(), description.version.as_str()),
            ("a", "1.2.3")
        );
        let twice = [sections[0].clone(), sections[0].clone()];
        let problem = inspect(&component(META, &twice)).unwrap_err();
        assert!(problem.message.contains("is there twice"), "{problem}");
    }

    #[test]
    fn what_is_no_connector_says_what_it_is() {
        let older = component("onefold:connector/meta@0.0.9", &[]);
        let newer = component("onefold:connector/meta@0.2.0", &[]);
        let other = component("wasi:cli/run@0.2.0", &[]);
        let mut cut = component(META, &[]);
        cut.truncate(cut.len() - 3);
        let cases: [(&[u8], &str, &str); 7] = [
            (b"#!/bin/sh", "OF0301", "not WebAssembly"),
            (b"", "OF0301", "not WebAssembly"),
            (b"\0asm\x01\0\0\0", "OF0301", "core WebAssembly module"),
            (&cut, "OF0301", "damaged"),
            (&other, "OF0302", "another world"),
            (&older, "OF0302", "an older contract"),
            (&newer, "OF0302", "a newer contract"),
        ];
        for (bytes, code, words) in cases {
            let problem = inspect(bytes).unwrap_err();
            assert_eq!(problem.code.id, code, "{problem}");
            assert!(problem.message.contains(words), "{problem}");
        }
    }
}
