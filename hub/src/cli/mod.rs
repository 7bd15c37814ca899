//! The command line: what can be asked, and which file answers. Reads no environment of its own; `app` passes it in.

mod accounts;
mod arguments;
mod audiences;
mod backup;
mod check;
mod connector;
mod consents;
mod destinations;
mod doctor;
mod identity;
mod identity_graph;
mod identity_suggestions;
mod init;
mod letters;
mod models;
mod open;
mod output;
mod pausing;
mod planning;
mod profiles;
mod reference;
mod running;
mod runs;
mod schedule;
mod serving;
mod sources;
mod status;
mod usage;

pub use arguments::Arguments;

use crate::opening::Environment;
use arguments::{Command, TraitCommand};
use output::Out;

/// How a command ended; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Done = 0,
    /// Some rows or streams failed.
    Partial = 1,
    /// The manifest or the call is wrong.
    Refused = 2,
    /// A guard stopped it.
    Guarded = 3,
}

/// Runs a command. What it prints on standard output is for people, or JSON with `--json`.
pub async fn run(arguments: Arguments, environment: &Environment) -> Ending {
    let out = Out::new(arguments.json);
    let folder = arguments.hub.clone();
    let done = match arguments.command {
        Command::Init {
            folder: inside,
            name,
        } => {
            let folder = inside.map_or_else(|| folder.clone(), |inside| folder.join(inside));
            init::init(&folder, name.as_deref(), &out)
        }
        Command::Help { topic } => usage::help(&topic, &out),
        Command::Schema => usage::schema(&out),
        Command::Check { live } => check::check(&folder, environment, &out, live).await,
        Command::Backup { file } => backup::backup(&folder, environment, &out, &file).await,
        Command::Doctor => doctor::doctor(&folder, environment, &out).await,
        Command::Plan(typed) => planning::plan(&folder, environment, &out, typed).await,
        Command::Apply(typed) => planning::apply(&folder, environment, &out, typed).await,
        Command::Versions => planning::versions(&folder, &out).await,
        Command::Run(typed) => running::run(&folder, environment, &out, typed).await,
        Command::Serve => serving::serve(&folder, environment, &out).await,
        Command::Schedule => schedule::schedule(&folder, environment, &out).await,
        Command::Runs(typed) => runs::runs(&folder, environment, &out, typed).await,
        Command::Pause(typed) => pausing::pause(&folder, environment, &out, typed).await,
        Command::Resume(typed) => pausing::resume(&folder, environment, &out, typed).await,
        Command::Status => status::status(&folder, environment, &out).await,
        Command::Profile { command } => {
            profiles::profile(&folder, environment, &out, command).await
        }
        Command::Identity { command } => {
            identity::identity(&folder, environment, &out, command).await
        }
        Command::Model { command } => models::model(&folder, environment, &out, command).await,
        Command::Trait {
            command: TraitCommand::List,
        } => models::traits(&folder, environment, &out).await,
        Command::Audience { command } => {
            audiences::audience(&folder, environment, &out, command).await
        }
        Command::Account { command } => {
            accounts::account(&folder, environment, &out, command).await
        }
        Command::DeadLetters { command } => {
            letters::dead_letters(&folder, environment, &out, command).await
        }
        Command::Connector { command } => {
            connector::connector(&folder, environment, &out, command).await
        }
        Command::Source { command } => sources::source(&folder, environment, &out, command).await,
        Command::Destination { command } => {
            destinations::destination(&folder, environment, &out, command).await
        }
        Command::Consent { command } => {
            consents::consent(&folder, environment, &out, command).await
        }
        Command::Suppress { identifier, reason } => {
            letters::suppress(&folder, environment, &out, &identifier, &reason).await
        }
    };
    done.unwrap_or_else(|stopped| out.stopped(&stopped))
}
