//! What can be typed.

use crate::cli::accounts::AccountCommand;
use crate::cli::audiences::AudienceCommand;
use crate::cli::audits::AuditCommand;
use crate::cli::backfill::{BackfillArguments, ReplayArguments};
use crate::cli::connector::arguments::{
    AddArguments, BuildArguments, KeyCommand, NewArguments, PublishArguments,
};
use crate::cli::consents::ConsentCommand;
use crate::cli::destinations::DestinationCommand;
use crate::cli::installing::UnitArguments;
use crate::cli::letters::arguments::DeadLetterCommand;
use crate::cli::pausing::PauseArguments;
use crate::cli::planning::{ApplyArguments, PlanArguments};
use crate::cli::profiles::ProfileCommand;
use crate::cli::running::RunArguments;
use crate::cli::runs::RunsArguments;
use crate::cli::sources::SourceCommand;
use crate::cli::tokens::TokenCommand;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// One profile per person, from every system that knows them, and audiences out to every tool that may.
///
/// A hub is a folder of TOML manifests. `onefold init` makes one; `onefold check` reads it; `onefold run` pulls from its
/// sources, works out who is who, and delivers to its destinations.
#[derive(Debug, Parser)]
#[command(
    name = "onefold",
    version,
    disable_help_subcommand = true,
    max_term_width = 80
)]
#[command(
    after_help = "Exit codes: 0 done, 1 some rows or streams failed, 2 wrong manifest or usage, 3 a guard or a pause stopped it.\n\nMore help: `onefold help keys`, `help filters`, `help commands`, `help problems`; or of one of them, such as `help keys source.stream`, `help filters date`, `help connector build`, `help OF0107`."
)]
pub struct Arguments {
    /// The hub's folder of manifests.
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    pub hub: PathBuf,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// How standard error is written: as text, or as one JSON object a line. Without it, as `ONEFOLD_LOG_FORMAT` says.
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new hub in a folder, which is made if it does not exist.
    Init {
        /// The folder; the hub's own by default.
        folder: Option<PathBuf>,
        /// The hub's name; the folder's by default.
        #[arg(long)]
        name: Option<String>,
    },
    /// Read the manifests and report every problem at once; nothing is run.
    Check {
        /// Call each source and destination once, too, to see that configuration and credential work.
        #[arg(long)]
        live: bool,
    },
    /// Copy the store as it is now into a new file, while others work with it.
    Backup {
        /// Must not be there yet.
        file: PathBuf,
    },
    /// Look for what is left open: files that others can read or change, unlocked connectors, grants that are too wide.
    Doctor,
    /// Say what edited manifests would do, and what a run would read, change and send; and do nothing.
    Plan(PlanArguments),
    /// Put the manifests in force whose plan has this hash, and do what follows from them; nothing is read or sent.
    Apply(ApplyArguments),
    /// The versions of the manifests that were applied, the newest first.
    Versions,
    /// Pull from the sources, resolve, build, and deliver.
    Run(RunArguments),
    /// Read again what a vendor has, all of it or a part, while the runs go on.
    Backfill(BackfillArguments),
    /// Map again what is stored, by the mapping of the manifests.
    Replay(ReplayArguments),
    /// Run every source at its schedule until stopped by a signal.
    Serve,
    /// Print a script that completes commands and options in a shell.
    Completions { shell: Shell },
    /// Print a systemd unit that runs this hub as a service.
    Systemd(UnitArguments),
    /// When everything is due next: sources, retries, timers, models; and what is paused or overdue.
    Schedule,
    /// What ran and what did not, the newest first: when, for how long, what it did, why it failed.
    Runs(RunsArguments),
    /// Read a source no more, or send nothing to a destination, until it is resumed.
    Pause(PauseArguments),
    /// End a pause.
    Resume(PauseArguments),
    /// Show the hub: people, streams, audiences, destinations, what waits.
    Status,
    /// Look at people.
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// Who is who: explain it, state it, change its rules.
    Identity {
        #[command(subcommand)]
        command: IdentityCommand,
    },
    /// Look at accounts: the companies and groups that people belong to.
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Fitted models: what customers will do, and who looks like whom.
    Model {
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Computed traits.
    Trait {
        #[command(subcommand)]
        command: TraitCommand,
    },
    /// Look at audiences.
    Audience {
        #[command(subcommand)]
        command: AudienceCommand,
    },
    /// What could not be used, with the reason for each.
    DeadLetters {
        #[command(subcommand)]
        command: DeadLetterCommand,
    },
    /// Look at connectors.
    Connector {
        #[command(subcommand)]
        command: ConnectorCommand,
    },
    /// Sources that were taken out of the manifests.
    Source {
        #[command(subcommand)]
        command: SourceCommand,
    },
    /// Send nothing about the person with this identifier, anywhere, from now on.
    Suppress {
        /// Such as `email:ada@example.com`.
        #[arg(value_name = "KIND:VALUE")]
        identifier: String,
        #[arg(long)]
        reason: String,
    },
    /// Destinations: what each holds, and why somebody is sent there or not.
    Destination {
        #[command(subcommand)]
        command: DestinationCommand,
    },
    /// What somebody agreed to, for each address, and why; refuse or grant it yourself.
    Consent {
        #[command(subcommand)]
        command: ConsentCommand,
    },
    /// Who may ask the API of `serve`.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// What was read and changed through the API.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Print a JSON Schema of all of a hub's TOML, by which editors complete and check it.
    Schema,
    /// Explain the keys of manifests, the filters of expressions, a command or a problem code.
    Help {
        /// Such as `keys`, `keys source.stream`, `filters date`, `commands`, `run`, `problems`, `OF0107`.
        topic: Vec<String>,
    },
}

/// An identifier is such as `email:ada@example.com`, or `id:PROFILE-ID` for the strongest one of a person.
#[derive(Debug, Subcommand)]
pub enum IdentityCommand {
    /// State that two identifiers are one person's, whatever the records say.
    Link {
        #[arg(value_name = "KIND:VALUE")]
        left: String,
        #[arg(value_name = "KIND:VALUE")]
        right: String,
        /// Why; it is kept with the statement.
        #[arg(long)]
        reason: String,
        /// Who says so; the user of this machine by default.
        #[arg(long)]
        by: Option<String>,
    },
    /// State that two identifiers are two people's: what was merged is taken apart, exactly.
    Separate {
        #[arg(value_name = "KIND:VALUE")]
        left: String,
        #[arg(value_name = "KIND:VALUE")]
        right: String,
        /// Why; it is kept with the statement.
        #[arg(long)]
        reason: String,
        /// Who says so; the user of this machine by default.
        #[arg(long)]
        by: Option<String>,
    },
    /// Take a statement back, as if it had never been made.
    Revoke {
        /// Its number, as `identity statements` lists it.
        number: i64,
        #[arg(long)]
        reason: String,
        /// Who says so; the user of this machine by default.
        #[arg(long)]
        by: Option<String>,
    },
    /// Every statement that was made, with its author and reason.
    Statements,
    /// Why two identifiers are one person's, or what keeps them apart.
    Explain {
        #[arg(value_name = "KIND:VALUE")]
        left: String,
        #[arg(value_name = "KIND:VALUE")]
        right: String,
    },
    /// The identifiers of a person, the records that hold them, and what joins them.
    Graph {
        #[arg(value_name = "KIND:VALUE")]
        identifier: String,
        /// A picture instead of text, as SVG.
        #[arg(long)]
        svg: bool,
    },
    /// What other rules would do to the whole history; nothing is touched.
    Simulate {
        /// A file with an `[identity]` table; the manifest's own by default.
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
    },
    /// Put the manifest's rules, or a file's, into force for the whole history.
    Apply {
        /// A file with an `[identity]` table; the manifest's own by default.
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
    },
    /// Look for people who are one although no identifier says so; needs `[suggest]` in the manifests.
    Suggest,
    /// The pairs that wait for a decision, the likeliest first, with what speaks for each.
    Suggestions {
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Link a suggested pair.
    Accept {
        /// Its number, as `identity suggestions` lists it.
        number: i64,
        #[arg(long, default_value = "accepted suggestion")]
        reason: String,
    },
    /// Keep a suggested pair apart for good.
    Decline {
        /// Its number, as `identity suggestions` lists it.
        number: i64,
        #[arg(long, default_value = "declined suggestion")]
        reason: String,
    },
    /// What looks suspicious: shared values, refused ties, large components, people with two names.
    Review {
        #[arg(long, default_value_t = 10)]
        limit: u32,
    },
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Every version, with its parameters and what it was fitted on.
    List,
    /// Fit the models of the manifests now, whatever their age.
    Fit {
        /// Only this model.
        name: Option<String>,
    },
    /// Take a version back: its links are revoked, its traits are those of the version before.
    Drop { version: i64 },
}

#[derive(Debug, Subcommand)]
pub enum TraitCommand {
    /// Computed traits, and for how many people each could not be worked out, and why.
    List,
}

#[derive(Debug, Subcommand)]
pub enum ConnectorCommand {
    /// The connectors that can be named in a manifest, and whether they are locked.
    List,
    /// Take a connector into the hub: from a registry, a web server, a file, or every connector of a bundle.
    Add(AddArguments),
    /// Take a connector that was added out again.
    Remove { name: String },
    /// Write all locked connectors with their signatures into one file, for a hub without a network.
    Bundle {
        #[arg(value_name = "FILE.tar")]
        file: PathBuf,
    },
    /// Put a connector, and its signature if there is one next to it, into a registry.
    Publish(PublishArguments),
    /// Sign a connector: writes `FILE.wasm.sig` next to it.
    Sign {
        #[arg(value_name = "FILE.wasm")]
        file: PathBuf,
        /// Where the private key is: `env:NAME` or `file:PATH`.
        // A key that was given by mistake must not be shown by a complaint about its hyphens.
        #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
        key: String,
    },
    /// Keys to sign with.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Call the vendor once to prove that configuration and credential work.
    Check {
        /// A source's or destination's name.
        name: String,
    },
    /// The streams that a source has, as the vendor lists them now.
    Discover {
        /// A source's name.
        name: String,
    },
    /// Make a connector's project in a new folder: an example that works, the SDK, the contract, tests.
    New(NewArguments),
    /// Compile a connector's project into `build/NAME.wasm`; installs the compilers that it needs.
    Build(BuildArguments),
    /// What a connector reads and writes, field by field, how it maps that by default, and what a manifest can set.
    Show {
        /// As in a manifest.
        name: String,
        /// Only this stream.
        #[arg(long)]
        stream: Option<String>,
    },
    /// What a component says of itself and asks for, without running it.
    Inspect {
        /// A file, or the name of a connector.
        #[arg(value_name = "FILE.wasm|NAME")]
        what: String,
    },
    /// Test whether a connector keeps the rules, against the vendor that its `conformance.toml` names.
    Test(SubjectArguments),
    /// Let a connector check, discover and read, and keep what it asked and was answered on a cassette, without secrets.
    Record(RecordArguments),
    /// The same from a cassette; nobody is called.
    Replay(RecordArguments),
    /// Repeat a read that failed in a run.
    RunOne {
        /// A captured call; without it the captured calls are listed.
        #[arg(value_name = "FILE.json")]
        file: Option<PathBuf>,
        /// Ask the vendor, although what it said was captured.
        #[arg(long)]
        live: bool,
    },
    /// Build a connector whenever its files change, and show what it reads and what becomes of it.
    Dev {
        #[command(flatten)]
        subject: SubjectArguments,
        /// Records of each stream that are shown.
        #[arg(long, default_value_t = 3)]
        records: usize,
        /// Once, without watching.
        #[arg(long)]
        once: bool,
        /// Do not build: test the component that is there.
        #[arg(long)]
        no_build: bool,
    },
    /// Measure a connector: size, cold start, records a second, memory, calls.
    Bench {
        #[command(flatten)]
        subject: SubjectArguments,
        /// How many contacts the practice help desk has.
        #[arg(long, default_value_t = 20_000)]
        contacts: u32,
    },
    /// Serve the practice help desk, a made-up vendor to try connectors on, until stopped by a signal.
    Vendor(VendorArguments),
}

#[derive(Debug, Args)]
pub struct VendorArguments {
    /// On this port of 127.0.0.1; a free one by default.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// How many contacts there are.
    #[arg(long, default_value_t = 500)]
    pub contacts: u32,
    /// The same number gives the same data.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Args)]
pub struct SubjectArguments {
    /// The connector's folder, or its component with `conformance.toml` next to it.
    #[arg(value_name = "FOLDER|FILE.wasm", default_value = ".")]
    pub path: PathBuf,
    /// The component, when it is not in the folder.
    #[arg(long, value_name = "FILE.wasm")]
    pub component: Option<PathBuf>,
    /// Another file than the `conformance.toml` next to it.
    #[arg(long, value_name = "FILE")]
    pub conformance: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RecordArguments {
    #[command(flatten)]
    pub subject: SubjectArguments,
    /// The cassette.
    #[arg(long, value_name = "FILE.json")]
    pub cassette: PathBuf,
    /// Only this stream.
    #[arg(long)]
    pub stream: Option<String>,
    /// Batches of each part at most.
    #[arg(long, default_value_t = 1_000)]
    pub batches: usize,
    /// Show the records too.
    #[arg(long)]
    pub records: bool,
}
