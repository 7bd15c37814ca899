//! Dead letters: what could not be used, with the reason for each.

use crate::api::answer::{Answer, Answered};
use crate::api::take::{Asked, Given, Limit, Named};
use crate::flow::{self, About};
use crate::model::Value;
use crate::opening::Retried;
use crate::store::DeadLetterRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Letters {
    /// Also the closed ones, and what was decided.
    all: Option<bool>,
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Dead letters, the newest first.
#[utoipa::path(get, path = "/dead-letters", tag = "dead letters", security(("token" = ["dead-letters:read"])), params(Letters),
    responses((status = 200, description = "Dead letters without what they are about.", body = Vec<DeadLetterRow>)))]
pub async fn letters(asked: Asked, Given(wanted): Given<Letters>) -> Answered {
    let all = wanted.all.unwrap_or(false);
    let mut tx = asked.hub().context.store.read().await?;
    Answer::of(&tx.dead_letters(all, wanted.limit.into()).await?)
}

/// A dead letter with what it is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterView {
    #[serde(flatten)]
    letter: DeadLetterRow,
    /// The version of the record that did not fit.
    received: Option<Value>,
    /// The version that counts now, where it is another one.
    now: Option<Value>,
    /// What fills the field.
    condition: Option<String>,
    /// What the destination should have, where a row was refused.
    wanted: Option<Value>,
}

/// One dead letter.
#[utoipa::path(get, path = "/dead-letters/{id}", tag = "dead letters", security(("token" = ["dead-letters:read"])),
    params(("id" = i64, Path, description = "Its number.")),
    responses((status = 200, description = "The dead letter.", body = LetterView)))]
pub async fn letter(asked: Asked, Named(id): Named<i64>) -> Answered {
    let letter = flow::letter(&asked.hub().context, id).await?;
    let mut view = LetterView {
        letter: letter.row,
        received: None,
        now: None,
        condition: None,
        wanted: None,
    };
    match letter.about {
        About::Record {
            received,
            now,
            expression,
        } => {
            view.received = received.as_deref().map(parsed);
            view.now = now.as_deref().map(parsed);
            view.condition = expression.map(|(text, _)| text);
        }
        About::Row { wanted } => view.wanted = wanted.map(|text| parsed(text.as_bytes())),
    }
    Ok(Answer::of(&view)?.about(format!("dead letter {id}")))
}

fn parsed(body: &[u8]) -> Value {
    match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) => String::from_utf8_lossy(body).into_owned().into(),
    }
}

/// Map records that were set aside again, and send refused rows again with the next delivery.
#[utoipa::path(post, path = "/dead-letters/retry", tag = "dead letters", security(("token" = ["dead-letters:retry"])),
    responses((status = 200, description = "How many are attempted again.", body = Retried)))]
pub async fn retry(asked: Asked) -> Answered {
    let retried = asked.hub().retry().await?;
    Ok(Answer::of(&retried)?.impersonal().about("all dead letters"))
}
