//! Tokens: made, listed, revoked, and found by their secret. Of a secret the hub stores only the SHA-256: secrets are random and
//! long, so nothing slower is needed, and a look-up by the hash says nothing about the secret by the time it takes.

use crate::api::audit::{self, By};
use crate::manifest::read_duration;
use crate::model::Shown;
use crate::opening::{Opened, unknown};
use crate::problem::codes::{INTERNAL, NOT_FOUND, USAGE};
use crate::problem::{Problem, plain_line};
use crate::store::{Result, TokenRow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// What a secret begins with, so that it is recognised where it does not belong.
const PREFIX: &str = "onefold_";
const SECRET_BYTES: usize = 32;
/// The longest life of a token.
const LONGEST_MS: i64 = 10 * 366 * 86_400_000;
const LONGEST_NAME: usize = 100;

/// A token as `onefold token list` shows it.
#[derive(Debug, Serialize)]
pub struct Token {
    pub id: i64,
    pub name: String,
    pub role: String,
    /// `valid`, `expired` or `revoked`, or `without_role`: the manifests do not have its role any more.
    pub state: &'static str,
    pub created_at: Shown,
    pub expires_at: Shown,
    /// To the minute.
    pub last_used_at: Option<Shown>,
}

#[derive(Debug, Serialize)]
pub struct Created {
    #[serde(flatten)]
    pub token: Token,
    /// Shown now, and never again.
    pub secret: String,
}

/// What an operator asks for.
pub struct Wanted<'a> {
    pub role: &'a str,
    pub name: Option<&'a str>,
    /// Such as `90d`.
    pub expires: &'a str,
    pub by: &'a str,
}

pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

pub async fn create(hub: &Opened, wanted: &Wanted<'_>) -> Result<Created> {
    let plan = &hub.context.plan;
    if plan.role(wanted.role).is_none() {
        return Err(unknown("role", wanted.role, plan.role_names()));
    }
    let life = read_duration(wanted.expires).filter(|life| *life <= LONGEST_MS);
    let Some(life) = life else {
        let message = format!("`{}` is not a valid life of a token", wanted.expires);
        return Err(Problem::new(&USAGE, message).hint(
            "write a whole number and `m`, `h`, `d` or `w`, such as `90d`; ten years are the most",
        ));
    };
    let name = wanted.name.unwrap_or(wanted.role).trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        let message = format!("a token's name has 1 to {LONGEST_NAME} characters");
        return Err(Problem::new(&USAGE, message));
    }
    let secret = secret()?;
    let now = hub.context.clock.now();
    let mut tx = hub.context.store.begin().await?;
    let row = TokenRow {
        id: tx.reserve("token", 1).await?,
        name: plain_line(name),
        role: wanted.role.to_owned(),
        created_at: now.0,
        expires_at: now.0.saturating_add(life),
        used_at: None,
        revoked_at: None,
    };
    tx.add_token(&row, &hash(&secret)).await?;
    let subject = format!("token {} of role {}", row.id, row.role);
    let by = By::operator(wanted.by);
    audit::append(&mut tx, &[by.entry(now, "token.create", &subject, 200)]).await?;
    tx.commit().await?;
    Ok(Created {
        token: shown(hub, row),
        secret,
    })
}

pub async fn list(hub: &Opened) -> Result<Vec<Token>> {
    let rows = hub.context.store.read().await?.tokens().await?;
    Ok(rows.into_iter().map(|row| shown(hub, row)).collect())
}

/// Ends a token, which is named by its number or, where only one valid token has it, by its name. It is refused from the next
/// request on, by processes that run already too.
pub async fn revoke(hub: &Opened, text: &str, by: &str) -> Result<Token> {
    let now = hub.context.clock.now();
    let mut tx = hub.context.store.begin().await?;
    let rows = tx.tokens().await?;
    let number = text.parse::<i64>().ok();
    let numbered = rows.iter().find(|row| Some(row.id) == number);
    let named = || {
        let named = rows.iter().filter(|row| row.name == text);
        named.filter(|row| row.revoked_at.is_none()).collect()
    };
    let found: Vec<&TokenRow> = numbered.map_or_else(named, |row| vec![row]);
    let row = match found[..] {
        [row] => row,
        [] => {
            let message = format!("there is no token `{text}` that could be revoked");
            return Err(Problem::new(&NOT_FOUND, message)
                .hint("`onefold token list` shows them with their numbers"));
        }
        _ => {
            let message = format!("several tokens have the name `{text}`");
            let ids: Vec<String> = found.iter().map(|row| row.id.to_string()).collect();
            return Err(Problem::new(&USAGE, message)
                .hint(format!("name one by its number: {}", ids.join(", "))));
        }
    };
    let mut row = row.clone();
    if row.revoked_at.is_none() {
        tx.revoke_token(row.id, now.0).await?;
        let subject = format!("token {} of role {}", row.id, row.role);
        let entry = By::operator(by).entry(now, "token.revoke", &subject, 200);
        audit::append(&mut tx, &[entry]).await?;
        tx.commit().await?;
        row.revoked_at = Some(now.0);
    }
    Ok(shown(hub, row))
}

fn shown(hub: &Opened, row: TokenRow) -> Token {
    let state = match row {
        TokenRow {
            revoked_at: Some(_),
            ..
        } => "revoked",
        _ if row.expires_at <= hub.context.clock.now().0 => "expired",
        _ if hub.context.plan.role(&row.role).is_none() => "without_role",
        _ => "valid",
    };
    Token {
        id: row.id,
        name: row.name,
        role: row.role,
        state,
        created_at: Shown::of(row.created_at),
        expires_at: Shown::of(row.expires_at),
        last_used_at: row.used_at.map(Shown::of),
    }
}

fn secret() -> Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Problem::new(
            &INTERNAL,
            "the system gives no random bytes, so no secret can be made",
        )
    })?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}
