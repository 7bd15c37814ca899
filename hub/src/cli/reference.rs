//! The reference, made from the code: what `onefold help TOPIC` prints is what the pages in `hub/docs/reference` are made of.
//! Markdown that fits 80 columns.

use crate::cli::arguments::Arguments;
use crate::expression::{Call, calls};
use crate::kit::judge::{Document, Line, outline};
use crate::manifest::keys::{self, Key, Table, Type};
use crate::problem::{CODES, Class, Code};
use clap::{Command, CommandFactory};

const WIDTH: usize = 80;

/// A part of the reference with a name of its own.
pub struct Section {
    pub name: String,
    pub about: String,
    /// All of it, without a heading.
    pub text: String,
}

/// What `onefold help` can be asked for, and a page of `hub/docs/reference`.
pub struct Topic {
    pub name: &'static str,
    pub title: &'static str,
    /// What comes before the sections.
    pub about: String,
    pub sections: Vec<Section>,
}

pub fn topics() -> [Topic; 5] {
    [keys(), filters(), commands(), connectors(), problems()]
}

fn keys() -> Topic {
    let mut about = wrapped(
        "",
        "Every table of a hub's TOML with its keys. Keys with a dot in their table's name are written inside that table. \
         `onefold schema` prints all of this as a JSON Schema, by which editors complete and check.",
    );
    about.push_str("\nTypes:\n\n");
    for Type {
        name, about: what, ..
    } in keys::types()
    {
        about.push_str(&wrapped("- ", &format!("{name}: {what}")));
    }
    let sections = keys::tables().iter().map(|table| Section {
        name: table.name.clone(),
        about: table.about.clone(),
        text: table_text(table),
    });
    Topic {
        name: "keys",
        title: "The keys of manifests",
        about,
        sections: sections.collect(),
    }
}

fn table_text(table: &Table) -> String {
    let mut text = wrapped("", &format!("`{}`: {}", table.written, table.about));
    text.push('\n');
    for key in table.keys() {
        text.push_str(&key_text(key));
    }
    if let Some(others) = &table.others {
        text.push_str(&wrapped("- ", &format!("any other key: {others}.")));
    }
    text.push_str(&format!("\n```toml\n{}```\n", table.example));
    text
}

/// One key, such as `source.stream.to`.
pub fn key(name: &str) -> Option<Section> {
    let (table, key) = name.rsplit_once('.')?;
    let keys = keys::find(table)?.keys();
    let key = keys.into_iter().find(|one| one.key == key)?;
    Some(Section {
        name: name.to_owned(),
        about: key.about.clone(),
        text: key_text(key),
    })
}

/// The keys of the table in which a key is looked for.
pub fn neighbours(name: &str) -> Vec<String> {
    let Some((table, _)) = name.rsplit_once('.') else {
        return Vec::new();
    };
    let keys = keys::find(table).map(Table::keys).unwrap_or_default();
    let keys = keys.iter().map(|one| format!("{table}.{}", one.key));
    keys.collect()
}

fn key_text(key: &Key) -> String {
    let default = match (&key.default, key.needed) {
        (Some(default), _) => format!(", default `{default}`"),
        (None, true) => ", needed".to_owned(),
        (None, false) => String::new(),
    };
    let text = format!("`{}`: {}{default}. {}", key.key, key.takes(), key.about);
    wrapped("- ", &text)
}

fn filters() -> Topic {
    let about = "What an expression can call: filters, as in `mail | email`, and tests, as in `mail is defined`. Otherwise it is made of \
        fields (`properties.email`), texts, numbers, `~` (joins texts), `+`, `-`, `*`, `/`, comparisons, `and`, `or`, `not`, \
        `A if TEST else B` and `none`. A field that is not there states nothing; null clears the value. A value that a filter cannot use leaves its field out, and is a dead letter.";
    let filters = calls().filters.iter().map(|call| (call, "|"));
    let tests = calls().tests.iter().map(|call| (call, "is"));
    let sections = filters.chain(tests).map(|(call, sign)| Section {
        name: call.name.clone(),
        about: format!("`{sign} {}`: {}", call.name, call.gives),
        text: call_text(call, sign),
    });
    Topic {
        name: "filters",
        title: "Filters and tests of expressions",
        about: wrapped("", about),
        sections: sections.collect(),
    }
}

fn call_text(call: &Call, sign: &str) -> String {
    let kind = if sign == "|" { "filter" } else { "test" };
    let mut text = wrapped("", &format!("A {kind}, written `{sign} {}`.", call.name));
    text.push('\n');
    text.push_str(&wrapped("- ", &format!("Takes: {}", call.takes)));
    if let Some(argument) = &call.argument {
        text.push_str(&wrapped("- ", &format!("In brackets: {argument}.")));
    }
    text.push_str(&wrapped("- ", &format!("Gives: {}", call.gives)));
    let lines = [
        ("expression", &call.example),
        ("record", &call.record),
        ("result", &call.result),
    ];
    text.push_str("\n```text\n");
    for (what, line) in lines {
        text.push_str(&format!("{what:10}  {line}\n"));
    }
    text.push_str("```\n");
    text
}

fn commands() -> Topic {
    let mut sections = Vec::new();
    let mut program = program();
    for command in program.get_subcommands_mut() {
        collect(command, "", &mut sections);
    }
    let about = "Every command. `--hub DIR` names the hub's folder, `--json` prints JSON instead of text. Exit codes: 0 done, 1 some \
        rows or streams failed, 2 wrong manifest or usage, 3 a guard stopped it.";
    Topic {
        name: "commands",
        title: "Commands",
        about: wrapped("", about),
        sections,
    }
}

/// The command line, as wide as the reference whatever the terminal.
pub fn program() -> Command {
    let mut program = Arguments::command().term_width(WIDTH);
    program.build();
    program
}

fn collect(command: &mut Command, above: &str, sections: &mut Vec<Section>) {
    let name = format!("{above}{}", command.get_name());
    let help = command.render_long_help().to_string();
    sections.push(Section {
        about: command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default(),
        text: format!("```text\n{}\n```\n", trimmed(&help)),
        name: name.clone(),
    });
    for below in command.get_subcommands_mut() {
        collect(below, &format!("{name} "), sections);
    }
}

/// Without the blanks at the ends of lines, and with lines for the usage, which clap does not wrap.
fn trimmed(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| match line {
        usage if usage.starts_with("Usage:") => wrapped_by("", "         ", usage),
        line => format!("{}\n", line.trim_end()),
    });
    lines.collect::<String>().trim_end().to_owned()
}

fn connectors() -> Topic {
    let about = "The documents in the folder of a connector's project. `onefold connector new` puts a JSON Schema of each into \
         `schemas`, by which editors complete and `build` and `test` judge.";
    let sections = Document::ALL.map(|document| Section {
        name: document.file().to_owned(),
        about: about_of(document).to_owned(),
        text: outline(document).iter().map(line_text).collect(),
    });
    Topic {
        name: "connectors",
        title: "The documents of a connector",
        about: wrapped("", about),
        sections: sections.into(),
    }
}

fn about_of(document: Document) -> &'static str {
    match document {
        Document::Manifest => {
            "What the connector is, which hosts and credentials it needs, and what it reads and writes."
        }
        Document::Connector => "The project: its language, and where SDK and contract are.",
        Document::Conformance => "How `onefold connector test` tries the connector.",
    }
}

fn line_text(line: &Line) -> String {
    let needed = if line.is_needed { " (needed)" } else { "" };
    wrapped("- ", &format!("`{}`{needed}: {}", line.path, line.about))
}

fn problems() -> Topic {
    let about = "Every problem code: what it means, and what to do. A code keeps its meaning; `onefold help CODE` prints its page.";
    let sections = CODES.iter().map(|code| Section {
        name: code.id.to_owned(),
        about: code.title.to_owned(),
        text: problem_text(code),
    });
    Topic {
        name: "problems",
        title: "Problem codes",
        about: wrapped("", about),
        sections: sections.collect(),
    }
}

/// The page of a code below its heading, after what the hub does about it.
fn problem_text(code: &Code) -> String {
    let does = match code.class {
        Class::Retry => "The hub tries again by itself.",
        Class::Stop => "The stream or destination stops; others go on.",
        Class::SkipRecord => "The record or value is set aside; others go on.",
        Class::AskUser => "Nothing changes until somebody acts.",
        Class::Bug => "A fault of the hub itself: please report it.",
    };
    let page = code.page.split_once('\n').map_or("", |(_, below)| below);
    format!("{does}\n\n{}\n", page.trim())
}

impl Topic {
    /// The sections by name, as a terminal shows them.
    pub fn overview(&self) -> String {
        let longest = self.sections.iter().map(|one| one.name.len()).max();
        let width = longest.unwrap_or_default() + 2;
        let mut text = format!("{}\n\n{}\n", self.title, self.about);
        for one in &self.sections {
            let indent = " ".repeat(width);
            let line = wrapped_by(&format!("{:width$}", one.name), &indent, &one.about);
            text.push_str(&line);
        }
        text
    }

    /// The file of the page, which is made by a test.
    #[cfg(test)]
    fn page(&self) -> String {
        let mut text = format!(
            "# {}\n\n<!-- Made from the code: `UPDATE_GOLDEN=1 cargo test reference` writes it again. -->\n\n{}",
            self.title, self.about
        );
        for one in &self.sections {
            let heading = match self.name {
                "problems" => format!("{}: {}", one.name, one.about),
                "commands" => format!("onefold {}", one.name),
                _ => one.name.clone(),
            };
            text.push_str(&format!("\n## {heading}\n\n{}", one.text));
        }
        text
    }
}

/// A paragraph or an item of a list, in lines that fit.
fn wrapped(first: &str, text: &str) -> String {
    wrapped_by(first, &" ".repeat(first.len()), text)
}

fn wrapped_by(first: &str, others: &str, text: &str) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let length = line.chars().count() + 1 + word.chars().count();
        if !is_empty && length > WIDTH {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = others.to_owned();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    format!("{lines}{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "`UPDATE_GOLDEN` rewrites the pages"
    )]
    fn the_reference_is_up_to_date() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
        for topic in topics() {
            let file = folder.join(format!("{}.md", topic.name));
            let page = topic.page();
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::create_dir_all(&folder).expect("a writable folder");
                std::fs::write(&file, &page).expect("a writable file");
            }
            let written = std::fs::read_to_string(&file).unwrap_or_default();
            let name = file.display();
            assert!(
                page == written,
                "{name} is out of date: run the test with `UPDATE_GOLDEN=1`"
            );
        }
    }

    #[test]
    fn what_help_prints_fits_80_columns() {
        for topic in topics() {
            let texts = topic.sections.iter().map(|one| one.text.as_str());
            let overview = topic.overview();
            // The pages of problems are written for readers elsewhere, too.
            let texts = texts.filter(|_| topic.name != "problems");
            for line in texts.chain([overview.as_str()]).flat_map(str::lines) {
                assert!(line.chars().count() <= WIDTH, "{}: {line}", topic.name);
            }
        }
    }

    #[test]
    fn words_are_wrapped_where_they_fit() {
        let long = "word ".repeat(20);
        let text = wrapped("- ", &long);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("- word") && lines[0].len() <= WIDTH);
        assert!(lines[1].starts_with("  word"));
    }
}
