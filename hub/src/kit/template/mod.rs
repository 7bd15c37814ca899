//! A new project: the example connector of its language with another name, or a skeleton of it, the SDK and the contract next to it. The files
//! are the ones of this repository, embedded in the program, so that a project can be made anywhere.

mod c;
mod files;
mod go;
mod javascript;
mod python;
mod rust;
mod skeleton;

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
    /// Audiences and erasure.
    Writing,
    Rows,
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
    /// In a project that takes audiences only, after those of `writing`.
    audience: &'static [Patch],
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

const fn rows(path: &'static str, text: &'static str) -> File {
    File {
        path,
        text,
        part: Part::Rows,
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

/// What a project begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A connector that works, for the practice help desk.
    Example,
    /// The same files, to fill in for another API.
    Skeleton,
}

/// A project that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// The connector's, and the folder's.
    pub name: &'a str,
    pub language: Language,
    pub kind: Kind,
    pub start: Start,
}

/// Makes the folder `parent/name` and returns the files in it.
pub fn make(parent: &Path, new: &New<'_>) -> Result<Vec<PathBuf>, Problem> {
    let name = new.name;
    let refuse = |message: String| Problem::new(&codes::CANNOT_MAKE_PROJECT, message);
    if !is_name(name) {
        return Err(refuse(format!("`{name}` is not a valid name for a connector")).hint(NAME));
    }
    let folder = parent.join(name);
    let is_empty = std::fs::read_dir(&folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty || folder.is_file() {
        let hint = "choose another name, or move what is there";
        return Err(refuse(format!("`{}` exists and is not empty", folder.display())).hint(hint));
    }
    let mut made = Vec::new();
    for (path, text) in files(new)? {
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
fn files(new: &New<'_>) -> Result<Vec<(String, String)>, Problem> {
    let (template, kind) = (template(new.language), new.kind);
    let mut files = Vec::new();
    let (first, second): (&[Patch], &[Patch]) = match kind {
        Kind::Source => (template.reading, &[]),
        Kind::Destination => (template.writing, &[]),
        Kind::Audience => (template.writing, template.audience),
        Kind::Both => (&[], &[]),
    };
    let patches: Vec<&Patch> = template
        .vendored
        .iter()
        .chain(first)
        .chain(second)
        .collect();
    for file in template.files.iter().chain(files::COMMON) {
        let wanted = match file.part {
            Part::Always => true,
            Part::Reading => kind.reads(),
            Part::Writing => kind.writes(),
            Part::Rows => kind.writes_rows(),
        };
        if !wanted {
            continue;
        }
        let mut text = match new.start {
            Start::Example => file.text.to_owned(),
            Start::Skeleton => match skeleton::text(new.language, file.path) {
                Some(text) => text.to_owned(),
                None => without_example(file.text),
            },
        };
        for patch in patches.iter().filter(|patch| patch.path == file.path) {
            if !text.contains(patch.from) {
                let message = format!("the template's `{}` has no `{}`", patch.path, patch.from);
                return Err(Problem::new(&codes::INTERNAL, message));
            }
            text = text.replace(patch.from, patch.to);
        }
        text = match file.path {
            "manifest.json" => parts_of_manifest(&text, kind),
            "conformance.toml" if kind == Kind::Audience => members_of_nobody(&text),
            "README.md" => entry(&text, kind),
            "connector.toml" => connector_toml(&text, template, kind),
            ".github/workflows/ci.yml" => text.replace("TESTS", template.tests),
            _ => text,
        };
        let text = judged_by(file.path, renamed(&text, new.name));
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
        match key {
            "sdk" => "sdk = \"sdk\"".to_owned(),
            "wit" => format!("wit = \"{}\"", template.contract),
            "kind" => format!("kind = \"{}\"", kind.word()),
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

/// The README of a project that has no example in it; other files do not name it.
fn without_example(text: &str) -> String {
    let about = "It works against the practice help desk that the `onefold` program serves;\nchange it step by step until it talks to your vendor.";
    let next = "Fill it in for your vendor's API: every file says what goes where,\nand `conformance.toml` what the suite needs.";
    text.replace(
        "A Onefold connector for a help desk, in",
        "A Onefold connector to fill in, in",
    )
    .replace(about, next)
    .replace("name = \"desk\"", "name = \"helpdesk\"")
    .replace("https://desk.example.com", "https://api.example.com")
}

/// The entry of a hub's manifest in the README.
fn entry(text: &str, kind: Kind) -> String {
    let (table, wants) = match kind {
        Kind::Source | Kind::Both => return text.to_owned(),
        Kind::Destination => ("[[destination]]", "person = { match = \"email\" }\n"),
        Kind::Audience => ("[[destination]]", "audiences = [\"vip\"]\n"),
    };
    let before = "config.base_url = ";
    let consent = "consent = [\"marketing_email\"]\n";
    text.replace("[[source]]", table)
        .replace(before, &format!("{consent}{wants}{before}"))
}

/// Without rows nobody is at the practice help desk who could be added, unless it takes new people into its lists.
fn members_of_nobody(text: &str) -> String {
    text.replace("practice = {}", "practice = { new_members = true }")
}

/// Without the streams or without the targets. As text, so that the order and the layout stay.
fn parts_of_manifest(text: &str, kind: Kind) -> String {
    let streams = text.find("  \"streams\"").unwrap_or(text.len());
    let targets = text.find("  \"targets\"").unwrap_or(text.len());
    match kind {
        Kind::Both => text.to_owned(),
        Kind::Source => format!("{}\n}}\n", text[..targets].trim_end().trim_end_matches(',')),
        Kind::Destination => format!("{}{}", &text[..streams], &text[targets..]),
        Kind::Audience => {
            let keys = text.find("  \"audience_keys\"").unwrap_or(text.len());
            format!("{}{}", &text[..streams], &text[keys..])
        }
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

    const KINDS: [Kind; 4] = [Kind::Source, Kind::Destination, Kind::Audience, Kind::Both];

    fn made(language: Language, kind: Kind, start: Start) -> Vec<(String, String)> {
        let new = New {
            name: "acme-2",
            language,
            kind,
            start,
        };
        files(&new).expect("every patch fits")
    }

    #[test]
    fn every_project_is_whole_and_names_nothing_of_the_example_or_of_this_repository() {
        for language in Language::ALL {
            for (kind, start) in KINDS
                .into_iter()
                .flat_map(|kind| [Start::Example, Start::Skeleton].map(|start| (kind, start)))
            {
                let files = made(language, kind, start);
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
                    let ours = !path.starts_with("sdk/") && !path.starts_with("schemas/");
                    assert!(
                        !(ours && text.to_lowercase().contains("helpdesk")),
                        "{language} {path}"
                    );
                    let words = ["contacts", "tickets", "tags", "desk", "practice"];
                    let example = words.iter().find(|word| text.contains(**word));
                    assert!(
                        !(ours && start == Start::Skeleton && example.is_some()),
                        "{language} {path}: {example:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_skeleton_has_the_files_of_the_example() {
        for language in Language::ALL {
            for kind in KINDS {
                let paths = |start| {
                    let files = made(language, kind, start).into_iter();
                    files.map(|(path, _)| path).collect::<Vec<_>>()
                };
                assert_eq!(paths(Start::Skeleton), paths(Start::Example), "{language}");
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
            let files = made(Language::C, kind, Start::Example);
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
        let audience = manifest(Kind::Audience);
        assert!(audience.get("streams").is_none() && audience.get("targets").is_none());
        assert_eq!(audience["audience_keys"][0], "email");
        assert!(manifest(Kind::Both)["targets"].is_array());
    }

    #[test]
    fn a_folder_that_has_something_in_it_and_a_bad_name_are_refused() {
        let parent = tempfile::tempdir().expect("a folder");
        let try_one = |name| {
            let new = New {
                name,
                language: Language::Python,
                kind: Kind::Both,
                start: Start::Example,
            };
            make(parent.path(), &new)
        };
        let files = try_one("acme").expect("is made");
        assert!(files.iter().all(|file| file.is_file()));
        let again = try_one("acme").expect_err("is refused");
        assert_eq!(again.code.id, "OF0324");
        assert!(try_one("../x").is_err());
        std::fs::create_dir(parent.path().join("empty")).expect("made");
        assert!(try_one("empty").is_ok());
    }
}
