//! `onefold help`: commands, the topics of the reference and problem codes; and `onefold schema`.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome};
use crate::cli::reference::{Section, Topic, key, neighbours, program, topics};
use crate::manifest::keys::json_schema;
use crate::opening::unknown;
use crate::problem::{self, CODES};
use serde_json::json;

/// Several words are one topic: `keys source.stream`, `connector build`.
pub fn help(words: &[String], out: &Out) -> Outcome {
    let Some((first, rest)) = words.split_first() else {
        say(out, "onefold", &program().render_long_help().to_string());
        return Ok(Ending::Done);
    };
    if let [id] | [_, id] = words
        && (rest.is_empty() || first == "problems")
        && let Some(page) = problem::explain(id)
    {
        say(out, id, page.trim_end());
        return Ok(Ending::Done);
    }
    let topics = topics();
    let found = topics.iter().find(|topic| topic.name == *first);
    match (found, rest) {
        (Some(topic), []) => overview(topic, out),
        (Some(topic), rest) => one_of(topic, rest, out)?,
        (None, _) => one_of_all(&topics, words, out)?,
    }
    Ok(Ending::Done)
}

pub fn schema(out: &Out) -> Outcome {
    out.value(&json_schema());
    Ok(Ending::Done)
}

fn say(out: &Out, topic: &str, text: &str) {
    match out.json {
        true => out.value(&json!({ "topic": topic, "text": text })),
        false => out.lines(text),
    }
}

fn overview(topic: &Topic, out: &Out) {
    if out.json {
        let sections = topic.sections.iter();
        let sections =
            sections.map(|one| json!({ "name": one.name, "about": one.about, "text": one.text }));
        let sections: Vec<_> = sections.collect();
        out.value(&json!({ "topic": topic.name, "sections": sections }));
        return;
    }
    out.lines(&topic.overview());
    out.line("");
    out.line(format!(
        "`onefold help {} NAME` explains one of them.",
        topic.name
    ));
}

/// A section of a topic. Brackets around a table's name are not part of it.
fn one_of(topic: &Topic, words: &[String], out: &Out) -> Result<(), problem::Problem> {
    let name = words.join(" ");
    let name = name.trim_matches(['[', ']']);
    if let Some(section) = find(topic, name) {
        show(section, out);
        return Ok(());
    }
    let is_key = topic.name == "keys";
    if let Some(section) = key(name).filter(|_| is_key) {
        show(&section, out);
        return Ok(());
    }
    let what = format!("section of `help {}` named", topic.name);
    let known = topic.sections.iter().map(|one| one.name.as_str());
    let keys = neighbours(name);
    let keys = keys.iter().map(String::as_str).filter(|_| is_key);
    Err(unknown(&what, name, known.chain(keys)))
}

/// A command, or nothing that there is.
fn one_of_all(topics: &[Topic], words: &[String], out: &Out) -> Result<(), problem::Problem> {
    let name = words.join(" ");
    let commands = topics.iter().filter(|topic| topic.name == "commands");
    if let Some(section) = commands.clone().find_map(|topic| find(topic, &name)) {
        show(section, out);
        return Ok(());
    }
    let names = topics.iter().map(|topic| topic.name);
    let commands = commands.flat_map(|topic| &topic.sections);
    // Longer ones only where longer ones are asked for: the whole list may follow.
    let depth = |text: &str| text.split(' ').count();
    let commands = commands.map(|one| one.name.as_str());
    let commands = commands.filter(|one| depth(one) == depth(&name));
    let codes = CODES.iter().map(|code| code.id);
    let codes = codes.filter(|_| name.to_ascii_uppercase().starts_with("OF"));
    Err(unknown("topic", &name, names.chain(commands).chain(codes)))
}

fn find<'t>(topic: &'t Topic, name: &str) -> Option<&'t Section> {
    let mut sections = topic.sections.iter();
    sections.find(|one| one.name.eq_ignore_ascii_case(name))
}

/// Without the marks of a block around the whole.
fn show(section: &Section, out: &Out) {
    let text = section.text.trim_end();
    let inside = text.strip_prefix("```text\n");
    let inside = inside.and_then(|text| text.strip_suffix("\n```"));
    let inside = inside.filter(|text| !text.contains("```"));
    say(out, &section.name, inside.unwrap_or(text));
}
