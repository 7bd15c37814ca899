//! `onefold connector vendor`: the practice help desk in the foreground.

use crate::cli::Ending;
use crate::cli::arguments::VendorArguments;
use crate::cli::output::{Out, Outcome};
use crate::cli::running::wait_for_signal;
use crate::kit::practice::{Practice, READ_ONLY_TOKEN, Settings, TOKEN};
use crate::problem::{Problem, codes};
use serde_json::json;
use tokio::runtime::Handle;

pub async fn vendor(options: &VendorArguments, out: &Out) -> Outcome {
    let settings = Settings {
        seed: options.seed,
        contacts: options.contacts,
        ..Settings::default()
    };
    let practice =
        Practice::start(&Handle::current(), settings, options.port).map_err(|error| {
            let message = format!("port {} of 127.0.0.1 cannot be used: {error}", options.port);
            Problem::new(&codes::USAGE, message).hint("leave `--port` out to take a free one")
        })?;
    let address = practice.base_url();
    if out.json {
        let tokens = json!({ "write": TOKEN, "read": READ_ONLY_TOKEN });
        out.line(json!({ "address": address, "tokens": tokens }).to_string());
    } else {
        out.line(&address);
        out.note(format!(
            "the practice help desk serves {} contacts; its token is `{TOKEN}`, and `{READ_ONLY_TOKEN}` may only read",
            options.contacts
        ));
    }
    wait_for_signal().await;
    Ok(Ending::Done)
}
