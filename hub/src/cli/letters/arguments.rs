//! What can be typed about dead letters.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// Newest first.
    List {
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// With the ones that somebody corrected or gave up.
        #[arg(long)]
        all: bool,
    },
    /// The record or row, its field, the reason and what to do: shows personal data.
    Show {
        #[arg(value_name = "ID")]
        id: i64,
    },
    /// Correct a record here. The original stays stored; the correction counts until the vendor sends another version.
    Edit(EditArguments),
    /// Map set-aside records again and send rejected rows again: all of them, or one.
    Retry {
        #[arg(value_name = "ID")]
        id: Option<i64>,
    },
    /// Leave a record or row as it is: it is not counted or retried any more, until there is another version of it.
    GiveUp {
        #[arg(value_name = "ID")]
        id: i64,
        #[command(flatten)]
        deciding: Deciding,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onefold dead-letters edit 12 --set properties.birthday=1988-02-08 --reason \"typed in by hand\"\n  onefold dead-letters edit 12 --body record.json --reason \"the export was cut off\""
)]
#[group(id = "edits", required = true, multiple = true)]
pub struct EditArguments {
    #[arg(value_name = "ID")]
    pub id: i64,
    /// A field's new value: JSON, or a text, as which it is always taken where the field is a text now. Names with dots in them:
    /// `/properties/a.b=VALUE`.
    #[arg(long, value_name = "PATH=VALUE", group = "edits")]
    pub set: Vec<String>,
    /// A field to take out.
    #[arg(long, value_name = "PATH", group = "edits")]
    pub unset: Vec<String>,
    /// The whole record as JSON; `-` reads it from the standard input.
    #[arg(long, value_name = "FILE", group = "edits", conflicts_with_all = ["set", "unset"])]
    pub body: Option<PathBuf>,
    #[command(flatten)]
    pub deciding: Deciding,
}

/// Who decides, and why.
#[derive(Debug, Args)]
pub struct Deciding {
    #[arg(long)]
    pub reason: String,
    /// Who says so; the user of this machine by default.
    #[arg(long)]
    pub by: Option<String>,
}
