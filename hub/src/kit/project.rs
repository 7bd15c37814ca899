//! A connector's project on disk: `connector.toml`, the two documents, and where SDK and contract are.

use crate::problem::{Problem, codes};
use clap::ValueEnum;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Language {
    Rust,
    TypeScript,
    JavaScript,
    Python,
    C,
    Go,
}

impl Language {
    pub const ALL: [Self; 6] = [
        Self::Rust,
        Self::TypeScript,
        Self::JavaScript,
        Self::Python,
        Self::C,
        Self::Go,
    ];

    /// As it is written in `connector.toml` and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::TypeScript => "typescript",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::C => "c",
            Self::Go => "go",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Kind {
    Source,
    Destination,
    /// Audiences and no rows.
    Audience,
    Both,
}

impl Kind {
    /// The contract's world.
    pub fn world(self) -> &'static str {
        match self {
            Self::Source => "source-connector",
            Self::Destination | Self::Audience => "destination-connector",
            Self::Both => "full-connector",
        }
    }

    pub fn reads(self) -> bool {
        matches!(self, Self::Source | Self::Both)
    }

    pub fn writes(self) -> bool {
        self != Self::Source
    }

    pub fn writes_rows(self) -> bool {
        matches!(self, Self::Destination | Self::Both)
    }

    /// As it is written in `connector.toml` and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Audience => "audience",
            Self::Both => "both",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    connector: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    language: Language,
    kind: Kind,
    #[serde(default = "sdk")]
    sdk: PathBuf,
    #[serde(default = "wit")]
    wit: PathBuf,
}

fn sdk() -> PathBuf {
    "sdk".into()
}

fn wit() -> PathBuf {
    "wit".into()
}

#[derive(Debug)]
pub struct Project {
    /// Absolute.
    pub folder: PathBuf,
    pub name: String,
    pub language: Language,
    pub kind: Kind,
    /// The SDK's folder.
    pub sdk: PathBuf,
    /// The folder of the contract.
    pub wit: PathBuf,
    /// The text of `manifest.json`.
    pub manifest: String,
    /// The text of `config.schema.json`.
    pub config_schema: String,
}

impl Project {
    pub fn read(folder: &Path) -> Result<Self, Problem> {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let file = folder.join("connector.toml");
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let message = format!("`{}` cannot be read: {error}", file.display());
            let hint = "`onefold connector new NAME` makes a project; `build FOLDER` names another";
            Problem::new(&codes::BAD_PROJECT, message).hint(hint)
        })?;
        let wrong = |message: String| Problem::new(&codes::BAD_PROJECT, message);
        let File { connector } = toml::from_str(&text).map_err(|error| {
            let line = error.to_string();
            wrong(format!("`{}`: {}", file.display(), line.trim_end()))
        })?;
        if !is_name(&connector.name) {
            return Err(wrong(format!(
                "`{}` is not a valid name for a connector",
                connector.name
            ))
            .hint(NAME));
        }
        let document = |name: &str| {
            let path = folder.join(name);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| wrong(format!("`{}` cannot be read: {error}", path.display())))?;
            match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
                Ok(_) => Ok(text),
                Err(error) => Err(wrong(format!("`{}` is not JSON: {error}", path.display()))),
            }
        };
        Ok(Self {
            manifest: document("manifest.json")?,
            config_schema: document("config.schema.json")?,
            sdk: folder.join(connector.sdk),
            wit: folder.join(connector.wit),
            name: connector.name,
            language: connector.language,
            kind: connector.kind,
            folder,
        })
    }

    /// What a build leaves behind.
    pub fn build_folder(&self) -> PathBuf {
        self.folder.join("build")
    }

    /// The finished component.
    pub fn component(&self) -> PathBuf {
        self.build_folder().join(format!("{}.wasm", self.name))
    }
}

/// What a connector's name has to look like.
pub const NAME: &str =
    "a name begins with a small letter and has small letters, digits and `-`, at most 40";

pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 40
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(toml: &str, manifest: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("connector.toml"), toml).expect("written");
        std::fs::write(folder.path().join("manifest.json"), manifest).expect("written");
        std::fs::write(folder.path().join("config.schema.json"), "{}").expect("written");
        let problem = Project::read(folder.path()).expect_err("is refused");
        assert_eq!(problem.code.id, "OF0323");
        problem.message
    }

    #[test]
    fn a_project_that_is_none_says_what_is_wrong_with_it() {
        let good = "[connector]\nname = \"acme\"\nlanguage = \"c\"\nkind = \"both\"\n";
        assert!(
            problem(&good.replace("\"c\"", "\"cobol\""), "{}").contains("unknown variant `cobol`")
        );
        assert!(problem(&good.replace("acme", "../acme"), "{}").contains("is not a valid name"));
        assert!(problem(&format!("{good}colour = 1"), "{}").contains("unknown field `colour`"));
        assert!(problem(good, "{").contains("is not JSON"));
        let empty = tempfile::tempdir().expect("a folder");
        let missing = Project::read(empty.path()).expect_err("is refused");
        assert!(
            missing
                .hint
                .is_some_and(|hint| hint.contains("connector new"))
        );
    }

    #[test]
    fn names_are_safe_as_files_and_as_parts_of_identifiers() {
        for good in ["a", "acme", "acme-2", "x9"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "9a",
            "Acme",
            "a_b",
            "a/b",
            "..",
            "a-",
            "-a",
            "é",
            &"a".repeat(41),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
