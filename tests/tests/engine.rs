//! What the hub works out by itself, through the whole program and against fake vendors: computed traits, models,
//! suggestions, audiences and journeys, and what becomes of writes that nobody answered, that the vendor refuses, or that
//! must not happen any more.

mod accounts;
mod audiences;
mod journey;
mod models;
mod refused;
mod suggestions;
mod suppressed;
mod traits;
mod unanswered;

use crate::hub::Hub;
use crate::snapshots::transcript;

/// Commands one after another, as one text; the hub's folder is shown as `HUB`.
fn transcripts(hub: &Hub, commands: &[&[&str]]) -> String {
    let folder = hub.path().display().to_string();
    let texts = commands.iter().map(|arguments| transcript(hub, arguments));
    let text: Vec<String> = texts.collect();
    text.join("\n").replace(&folder, "HUB")
}
