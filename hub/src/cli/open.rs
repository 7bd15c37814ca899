//! The hub for a command, with its warnings printed.

use crate::cli::output::Out;
use crate::opening::{self, Environment, Opened, Stopped};
use std::path::Path;

pub async fn open(folder: &Path, environment: &Environment, out: &Out) -> Result<Opened, Stopped> {
    let hub = opening::open(folder, environment).await?;
    out.warnings(&hub.warnings, &hub.files);
    Ok(hub)
}

/// The same for a command that writes.
pub async fn open_to_write(
    folder: &Path,
    environment: &Environment,
    out: &Out,
) -> Result<Opened, Stopped> {
    let mut hub = open(folder, environment, out).await?;
    hub.ready().await?;
    Ok(hub)
}
