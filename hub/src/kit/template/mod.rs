//! A new project: the example connector of its language with another name, the SDK and the contract next to it. The files
//! are the ones of this repository, embedded in the program, so that a project can be made anywhere.

mod c;
mod files;
mod go;
mod javascript;
mod python;
mod rust;

use crate::kit::project::{Kind, Language, NAME, is_name};
use crate::problem::{Problem, codes};
use std::path::{Path, PathBuf};

/// A file of a project.
struct File {
    path: &'static str,
    text: &'static str,
    part: Part,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Always,
    Reading,
    Writing,
}

/// A change of a file.
struct Patch {
    path: &'static str,
    from: &'static str,
    to: &'static str,
}

/// Everything about one language's project.
struct Template {
    files: &'static [File],
    /// The SDK's files; they keep their words.
    sdk: &'static [File],
    /// In every project.
    vendored: &'static [Patch],
    /// In a project that only reads.
    reading: &'static [Patch],
    /// In a project that only writes.
    writing: &'static [Patch],
    /// Where the contract goes.
    contract: &'static str,
    /// The commands of its continuous integration before the component is built.
    tests: &'static str,
}

const fn always(path: &'static str, text: &'static str) -> File {
    File {
        path,
        text,
        part: Part::Always,
    }
}

const fn reading(path: &'static str, text: &'static str) -> File {
    File {
        path,
        text,
        part: Part::Reading,
    }
}

const fn writing(path: &'static str, text: &'static str) -> File {
    File {
        path,
        text,
        part: Part::Writing,
    }
}

const fn patch(path: &'static str, from: &'static str, to: &'static str) -> Patch {
    Patch { path, from, to }
}

fn template(language: Language) -> &'static Template {
    match language {
        Language::Rust => &rust::TEMPLATE,
        Language::TypeScript => &javascript::TYPESCRIPT,
        Language::JavaScript => &javascript::JAVASCRIPT,
        Language::Python => &python::TEMPLATE,
        Language::C => &c::TEMPLATE,
        Language::Go => &go::TEMPLATE,
    }
}

/// Makes the folder `parent/name` and returns the files in it.
pub fn make(
    parent: &Path,
    name: &str,
    language: Language,
    kind: Kind,
) -> Result<Vec<PathBuf>, Problem> {
    let refuse = |message: String| Problem::new(&codes::CANNOT_MAKE_PROJECT, message);
    if !is_name(name) {
        return Err(refuse(format!("`{name}` is not a valid name for a connector")).hint(NAME));
    }
    let template = template(language);
    let folder = parent.join(name);
    let is_empty = std::fs::read_dir(&folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty || folder.is_file() {
        let hint = "choose another name, or move what is there";
        return Err(refuse(format!("`{}` exists and is not empty", folder.display())).hint(hint));
    }
    let mut made = Vec::new();
    for (path, text) in files(template, name, kind)? {
        let file = folder.join(path);
        let parent = file.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&file, text))
            .map_err(|error| refuse(format!("`{}` cannot be written: {error}", file.display())))?;
        made.push(file);
    }
    Ok(made)
}

/// Paths and texts of a project.
fn files(template: &Template, name: &str, kind: Kind) -> Result<Vec<(String, String)>, Problem> {
    let mut files = Vec::new();
    let patches: Vec<&Patch> = match kind {
        Kind::Source => template.vendored.iter().chain(template.reading).collect(),
        Kind::Destination => template.vendored.iter().chain(template.writing).collect(),
        Kind::Both => template.vendored.iter().collect(),
    };
    for file in template.files.iter().chain(files::COMMON) {
        let wanted = match file.part {
            Part::Always => true,
            Part::Reading => kind.reads(),
            Part::Writing => kind.writes(),
        };
        if !wanted {
            continue;
        }
        let mut text = file.text.to_owned();
        for patch in patches.iter().filter(|patch| patch.path == file.path) {
            if !text.contains(patch.from) {
                let message = format!("the template's `{}` has no `{}`", patch.path, patch.from);
                return Err(Problem::new(&codes::INTERNAL, message));
            }
            text = text.replace(patch.from, patch.to);
        }
        text = match file.path {
            "manifest.json" => parts_of_manifest(&text, kind),
            "connector.toml" => connector_toml(&text, template, kind),
            ".github/workflows/ci.yml" => text.replace("TESTS", template.tests),
            _ => text,
        };
        let text = judged_by(file.path, renamed(&text, name));
        files.push((file.path.to_owned(), text));
    }
    for file in template.sdk {
        files.push((format!("sdk/{}", file.path), file.text.to_owned()));
    }
    let contract = format!("{}/connector.wit", template.contract);
    files.push((contract, files::CONTRACT.to_owned()));
    Ok(files)
}

/// The examples say where SDK and contract are in this repository; a project has its own.
fn connector_toml(text: &str, template: &Template, kind: Kind) -> String {
    let lines = text.lines().map(|line| {
        let key = line.split(' ').next().unwrap_or_default();
        match (key, kind) {
            ("sdk", _) => "sdk = \"sdk\"".to_owned(),
            ("wit", _) => format!("wit = \"{}\"", template.contract),
            ("kind", Kind::Source) => "kind = \"source\"".to_owned(),
            ("kind", Kind::Destination) => "kind = \"destination\"".to_owned(),
            _ => line.to_owned(),
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// Says where the schema of a document is, so that an editor completes by it.
fn judged_by(path: &str, text: String) -> String {
    match path {
        "manifest.json" => {
            let schema = "{\n  \"$schema\": \"./schemas/manifest.schema.json\",\n";
            text.replacen("{\n", schema, 1)
        }
        "connector.toml" | "conformance.toml" => {
            let name = path.trim_end_matches(".toml");
            format!("#:schema ./schemas/{name}.schema.json\n{text}")
        }
        _ => text,
    }
}

/// Without the streams or without the targets. As text, so that the order and the layout stay.
fn parts_of_manifest(text: &str, kind: Kind) -> String {
    let streams = text.find("  \"streams\"").unwrap_or(text.len());
    let targets = text.find("  \"targets\"").unwrap_or(text.len());
    match kind {
        Kind::Both => text.to_owned(),
        Kind::Source => format!("{}\n}}\n", text[..targets].trim_end().trim_end_matches(',')),
        Kind::Destination => format!("{}{}", &text[..streams], &text[targets..]),
    }
}

/// The example's names give way to the project's, in the spellings that the languages want.
fn renamed(text: &str, name: &str) -> String {
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    let capital = |word: &&str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
    let title: Vec<String> = words.iter().map(capital).collect();
    let spellings = [
        (
            "helpdesk_connector",
            format!("{}_connector", name.replace('-', "_")),
        ),
        (
            "HELPDESK_TOKEN",
            format!("{}_TOKEN", name.replace('-', "_").to_uppercase()),
        ),
        ("\"Help desk\"", format!("\"{}\"", title.join(" "))),
        // A word behind it, because a name may be a word of the language or of the SDK.
        ("Helpdesk", format!("{}Connector", title.concat())),
        ("helpdesk", name.to_owned()),
    ];
    // In one pass: the project's name may have the example's in it.
    let mut renamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, from, to)) = spellings
        .iter()
        .filter_map(|(from, to)| Some((rest.find(from)?, *from, to)))
        .min_by_key(|(at, ..)| *at)
    {
        renamed.push_str(&rest[..at]);
        renamed.push_str(to);
        rest = &rest[at + from.len()..];
    }
    renamed + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::judge::{Document, judge};

    const KINDS: [Kind; 3] = [Kind::Source, Kind::Destination, Kind::Both];

    fn made(language: Language, kind: Kind) -> Vec<(String, String)> {
        files(template(language), "acme-2", kind).expect("every patch fits")
    }

    #[test]
    fn every_project_is_whole_and_names_nothing_of_the_example_or_of_this_repository() {
        for language in Language::ALL {
            for kind in KINDS {
                let files = made(language, kind);
                for wanted in [
                    "connector.toml",
                    "manifest.json",
                    "config.schema.json",
                    "conformance.toml",
                    "README.md",
                    ".gitignore",
                    ".github/workflows/ci.yml",
                ] {
                    assert!(
                        files.iter().any(|(path, _)| path == wanted),
                        "{language} {wanted}"
                    );
                }
                for (path, text) in files {
                    let document = match path.as_str() {
                        "manifest.json" => Some(Document::Manifest),
                        "connector.toml" => Some(Document::Connector),
                        "conformance.toml" => Some(Document::Conformance),
                        _ => None,
                    };
                    if let Some(document) = document {
                        assert_eq!(judge(document, &path, &text), [], "{language} {path}");
                        assert!(text.contains(".schema.json"), "{language} {path}");
                    }
                    assert!(!text.contains("connector-sdk/"), "{language} {path}");
                    let ours = !path.starts_with("sdk/");
                    assert!(
                        !(ours && text.to_lowercase().contains("helpdesk")),
                        "{language} {path}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_name_that_has_the_examples_in_it_is_spelled_as_any_other() {
        let text = "helpdesk helpdesk_connector HELPDESK_TOKEN Helpdesk \"Help desk\"";
        let wanted = "my-helpdesk my_helpdesk_connector MY_HELPDESK_TOKEN MyHelpdeskConnector \"My Helpdesk\"";
        assert_eq!(renamed(text, "my-helpdesk"), wanted);
    }

    #[test]
    fn a_project_that_only_reads_has_no_targets_and_one_that_only_writes_no_streams() {
        let manifest = |kind| {
            let files = made(Language::C, kind);
            let (_, text) = files
                .into_iter()
                .find(|(path, _)| path == "manifest.json")
                .expect("there");
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
        };
        let source = manifest(Kind::Source);
        assert_eq!(source["name"], "acme-2");
        assert!(source.get("targets").is_none() && source["streams"].is_array());
        let destination = manifest(Kind::Destination);
        assert!(destination.get("streams").is_none() && destination["targets"].is_array());
        assert!(manifest(Kind::Both)["targets"].is_array());
    }

    #[test]
    fn a_folder_that_has_something_in_it_and_a_bad_name_are_refused() {
        let parent = tempfile::tempdir().expect("a folder");
        let files = make(parent.path(), "acme", Language::Python, Kind::Both).expect("is made");
        assert!(files.iter().all(|file| file.is_file()));
        let again = make(parent.path(), "acme", Language::C, Kind::Both).expect_err("is refused");
        assert_eq!(again.code.id, "OF0324");
        assert!(make(parent.path(), "../x", Language::C, Kind::Both).is_err());
        std::fs::create_dir(parent.path().join("empty")).expect("made");
        assert!(make(parent.path(), "empty", Language::C, Kind::Source).is_ok());
    }
}
