//! `onefold help`: commands and problem codes.

use crate::cli::Ending;
use crate::cli::arguments::Arguments;
use crate::cli::output::{Out, Outcome};
use crate::opening::unknown;
use crate::problem;
use clap::CommandFactory;

pub fn help(topic: Option<&str>, out: &Out) -> Outcome {
    let mut command = Arguments::command();
    let Some(topic) = topic else {
        out.lines(&command.render_long_help().to_string());
        return Ok(Ending::Done);
    };
    if let Some(page) = problem::explain(topic) {
        out.lines(page.trim_end());
        return Ok(Ending::Done);
    }
    if let Some(found) = command.find_subcommand_mut(topic) {
        out.lines(&found.render_long_help().to_string());
        return Ok(Ending::Done);
    }
    let names: Vec<String> = command
        .get_subcommands()
        .map(|one| one.get_name().to_owned())
        .chain(problem::CODES.iter().map(|code| code.id.to_owned()))
        .collect();
    Err(unknown(
        "command or problem code",
        topic,
        names.iter().map(String::as_str),
    )
    .into())
}
