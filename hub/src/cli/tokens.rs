//! `onefold token`: who may ask the API.

use crate::api::token::{self, Created, Token, Wanted};
use crate::cli::Ending;
use crate::cli::letters::author;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, fitted, table};
use crate::opening::Environment;
use clap::Subcommand;
use std::path::Path;

#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  onefold token create --role analyst --name dashboard\n  onefold token create --role viewer --expires 12h\n  onefold token revoke dashboard"
)]
pub enum TokenCommand {
    /// Make a token and print its secret, once.
    Create {
        /// `viewer`, `analyst`, `operator`, `privacy_officer`, `admin`, or a `[[role]]` of the manifests.
        #[arg(long)]
        role: String,
        /// What it is for; the role by default.
        #[arg(long)]
        name: Option<String>,
        /// After how long it ends.
        #[arg(long, value_name = "DURATION", default_value = "90d")]
        expires: String,
        /// Who makes it; the user of this machine by default.
        #[arg(long)]
        by: Option<String>,
    },
    /// Every token with its role, and when it was made, ends and was last used.
    List,
    /// End a token at once.
    Revoke {
        /// Its name, or its number as `token list` shows it.
        token: String,
        /// Who ends it; the user of this machine by default.
        #[arg(long)]
        by: Option<String>,
    },
}

pub async fn token(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: TokenCommand,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    match command {
        TokenCommand::Create {
            role,
            name,
            expires,
            by,
        } => {
            let wanted = Wanted {
                role: &role,
                name: name.as_deref(),
                expires: &expires,
                by: &author(by, environment),
            };
            show_created(&token::create(&hub, &wanted).await?, out);
        }
        TokenCommand::List => show_all(&token::list(&hub).await?, out),
        TokenCommand::Revoke { token: text, by } => {
            let by = author(by, environment);
            let token = token::revoke(&hub, &text, &by).await?;
            match out.json {
                true => out.value(&token),
                false => out.line(format!(
                    "token {} `{}` is revoked; no process accepts it any more",
                    token.id, token.name
                )),
            }
        }
    }
    Ok(Ending::Done)
}

fn show_created(created: &Created, out: &Out) {
    if out.json {
        return out.value(created);
    }
    let token = &created.token;
    out.line(&created.secret);
    out.note(format!(
        "token {} `{}` of role `{}`, until {}; its secret is shown only this once",
        token.id, token.name, token.role, token.expires_at
    ));
}

fn show_all(tokens: &[Token], out: &Out) {
    if out.json {
        return out.value(&tokens);
    }
    if tokens.is_empty() {
        return out.line("no tokens; `onefold token create --role viewer` makes one");
    }
    let mut rows = table(&[
        "id",
        "name",
        "role",
        "state",
        "created",
        "ends",
        "last used",
    ]);
    for one in tokens {
        let used = one.last_used_at;
        rows.add_row([
            one.id.to_string(),
            fitted(&one.name, 30),
            one.role.clone(),
            one.state.replace('_', " "),
            one.created_at.to_string(),
            one.expires_at.to_string(),
            used.map_or_else(|| "never".to_owned(), |at| at.to_string()),
        ]);
    }
    out.table(&rows);
}
