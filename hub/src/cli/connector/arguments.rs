//! What can be typed after `onefold connector new`, `build`, `add`, `publish` and `key`.

use crate::kit::project::{Kind, Language};
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct BuildArguments {
    /// The project, with its `connector.toml`.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// Name every import of the component.
    #[arg(long)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub struct NewArguments {
    /// The connector's name, and the folder's.
    pub name: String,
    #[arg(
        long = "lang",
        visible_alias = "language",
        value_name = "LANGUAGE",
        value_enum
    )]
    pub language: Language,
    /// Whether it reads, writes rows and audiences, audiences only, or reads and writes.
    #[arg(long, value_enum, default_value = "both")]
    pub kind: Kind,
    /// The files of the example without its API, to fill in for another one.
    #[arg(long)]
    pub skeleton: bool,
}

#[derive(Debug, Args)]
pub struct AddArguments {
    /// `oci://HOST/REPOSITORY:TAG`, `https://…`, a component's file, or a bundle's.
    pub source: String,
    /// Agree to what is new in it, without being asked.
    #[arg(long)]
    pub yes: bool,
    /// The digest that the component must have.
    #[arg(long, value_name = "sha256:DIGITS")]
    pub digest: Option<String>,
    #[command(flatten)]
    pub access: AccessArguments,
}

#[derive(Debug, Args)]
pub struct PublishArguments {
    #[arg(value_name = "FILE.wasm")]
    pub file: PathBuf,
    /// `oci://HOST/REPOSITORY:TAG`
    pub target: String,
    #[command(flatten)]
    pub access: AccessArguments,
}

/// How to get at a registry or web server.
#[derive(Debug, Args)]
pub struct AccessArguments {
    /// Where its password or token is: `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    pub credential: Option<String>,
    /// The name that goes with the password.
    #[arg(long, value_name = "NAME", requires = "credential")]
    pub username: Option<String>,
    /// An address that is not public and may be called anyway, for a server of your own; can be repeated.
    #[arg(long = "address", value_name = "ADDRESS:PORT")]
    pub addresses: Vec<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a pair of keys: the private one into a new file, the public one on standard output.
    New {
        file: PathBuf,
        /// The signer's name in manifests; the file's name by default.
        #[arg(long)]
        name: Option<String>,
    },
    /// Print the public key that belongs to a private one.
    Show {
        /// Where the private key is: `env:NAME` or `file:PATH`.
        #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
        key: String,
        /// The signer's name in manifests.
        #[arg(long, default_value = "signer")]
        name: String,
    },
}
