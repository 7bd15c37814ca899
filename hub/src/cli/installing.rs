//! `onefold completions` and `onefold systemd`: texts by which the program is installed. Nothing is written but standard output.

use crate::cli::Ending;
use crate::cli::arguments::Arguments;
use crate::cli::output::{Out, Outcome};
use crate::opening::Environment;
use crate::problem::{Problem, codes};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

const UNIT: &str = include_str!("onefold.service");

#[derive(Debug, Args)]
pub struct UnitArguments {
    /// The user that runs the hub, and owns its folder.
    #[arg(long, default_value = "onefold")]
    user: String,
    /// The program; this one by default.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

pub fn completions(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "onefold", &mut script);
    // A reader that went away is not a failure.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), &script);
    Ok(Ending::Done)
}

pub fn unit(folder: &Path, environment: &Environment, out: &Out, typed: UnitArguments) -> Outcome {
    let folder = folder.canonicalize().map_err(|error| {
        let message = format!("the folder `{}` cannot be found: {error}", folder.display());
        Problem::new(&codes::USAGE, message).hint("name the hub's folder with `--hub`")
    })?;
    let program = typed.program.or_else(|| {
        let running = environment.compiler.as_ref()?;
        running.canonicalize().ok()
    });
    let program = program.unwrap_or_else(|| "/usr/local/bin/onefold".into());
    let [folder, program] = [folder, program].map(|path| path.display().to_string());
    for text in [&folder, &program, &typed.user] {
        if !text.chars().all(is_plain) || text.is_empty() {
            let message = format!("`{text}` has characters that a unit would have to quote");
            let problem = Problem::new(&codes::USAGE, message);
            return Err(problem
                .hint("use names of letters, digits and `/`, `.`, `-`, `_`")
                .into());
        }
    }
    let name = Path::new(&folder).file_name();
    let name = name.map_or("hub".into(), |name| name.to_string_lossy());
    let home = match ["/home/", "/root/"]
        .iter()
        .any(|home| folder.starts_with(home))
    {
        // The hub's folder is in there.
        true => "false",
        false => "true",
    };
    let unit = UNIT
        .replace("FOLDER", &folder)
        .replace("PROGRAM", &program)
        .replace("=USER", &format!("={}", typed.user))
        .replace("/NAME.env", &format!("/{name}.env"))
        .replace("=HOME", &format!("={home}"));
    out.lines(&unit);
    Ok(Ending::Done)
}

fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || "/._-".contains(character)
}
