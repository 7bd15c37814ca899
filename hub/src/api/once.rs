//! `Idempotency-Key`: a change that is asked for again with the same key is not made again, and has the same answer for a day.

use crate::api::Api;
use crate::api::answer::Refusal;
use crate::model::Timestamp;
use crate::problem::Problem;
use crate::problem::codes::KEY_USED;
use crate::store::AnsweredRow;
use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use sha2::{Digest, Sha256};

pub const HEADER: &str = "idempotency-key";
/// Whether the answer is one that was given before.
const REPLAYED: &str = "idempotent-replayed";
const LONGEST_KEY: usize = 255;
const KEPT_MS: i64 = 86_400_000;
/// Answers to changes are short.
const ANSWER_BYTES: usize = 64 << 10;

/// A change that was asked for with a key.
pub struct Once {
    row: AnsweredRow,
}

/// What to do about a change.
pub enum Begun {
    /// It is made, and its answer is kept where it has a key.
    New(Option<Once>),
    Known(Box<Response>),
}

impl Api {
    pub(super) async fn begin_once(
        &self,
        token: i64,
        headers: &HeaderMap,
        asked: (&Uri, &[u8]),
        now: Timestamp,
    ) -> Result<Begun, Refusal> {
        let Some(given) = headers.get(HEADER) else {
            return Ok(Begun::New(None));
        };
        let key = given.to_str().ok();
        let key = key.filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
        let key = key.ok_or_else(|| {
            Refusal::bad("`Idempotency-Key` must have 1 to 255 characters of ASCII")
        })?;
        let mut request = Sha256::new();
        request.update(asked.0.to_string());
        request.update([0]);
        request.update(asked.1);
        let row = AnsweredRow {
            token,
            key: key.to_owned(),
            at: now.0,
            request: request.finalize().to_vec(),
            status: 0,
            body: String::new(),
        };
        let mut tx = self.hub.context.store.begin().await?;
        tx.forget_answered(now.0.saturating_sub(KEPT_MS)).await?;
        let known = tx.answered(token, key).await?;
        if let Some(known) = known {
            return replayed(&row, known).map(|one| Begun::Known(Box::new(one)));
        }
        tx.save_answered(&row).await?;
        tx.commit().await?;
        Ok(Begun::New(Some(Once { row })))
    }

    /// Nothing was done: the key is free again.
    pub(super) async fn forget_once(&self, once: Option<Once>) -> Result<(), Refusal> {
        if let Some(Once { row }) = once {
            let mut tx = self.hub.context.store.begin().await?;
            tx.remove_answered(row.token, &row.key).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Keeps the answer of a change that was made; one that was refused can be asked for again.
    pub(super) async fn end_once(
        &self,
        once: Option<Once>,
        response: Response,
    ) -> Result<Response, Refusal> {
        let Some(Once { mut row }) = once else {
            return Ok(response);
        };
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, ANSWER_BYTES).await.unwrap_or_default();
        let mut tx = self.hub.context.store.begin().await?;
        if head.status.is_success() {
            row.status = i64::from(head.status.as_u16());
            row.body = String::from_utf8_lossy(&bytes).into_owned();
            tx.save_answered(&row).await?;
        } else {
            tx.remove_answered(row.token, &row.key).await?;
        }
        tx.commit().await?;
        Ok(Response::from_parts(head, Body::from(bytes)))
    }
}

fn replayed(row: &AnsweredRow, known: AnsweredRow) -> Result<Response, Refusal> {
    if known.request != row.request {
        let message = "this `Idempotency-Key` was used for another change";
        return Err(Problem::new(&KEY_USED, message)
            .hint("use a new key for each change")
            .into());
    }
    if known.status == 0 {
        let message =
            "the change with this `Idempotency-Key` is under way, or its outcome is not known";
        return Err(Problem::new(&KEY_USED, message)
            .hint("look whether it was made; the audit log has a row of its beginning")
            .into());
    }
    let mut response = Response::new(Body::from(known.body));
    let status = u16::try_from(known.status).unwrap_or_default();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
