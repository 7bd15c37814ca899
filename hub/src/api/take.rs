//! What operations take of a request: parts of the path, the query and the body, each with a problem that says what is wrong.

use crate::api::Api;
use crate::api::answer::Refusal;
use crate::api::audit::By;
use crate::ingress::{Bodies, BodyError};
use crate::opening::Opened;
use crate::problem::Problem;
use crate::problem::codes::{API_BUSY, BAD_REQUEST, INTERNAL};
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A body may be this long, unpacked.
const BODY_BYTES: usize = 64 << 10;
/// Results on a page, unless the request says how many.
const PAGE: u32 = 50;
/// The most results on a page.
pub const LARGEST_PAGE: u32 = 200;

/// The hub that is asked, and who asks; the guard puts it in.
#[derive(Clone)]
pub struct Asked {
    pub api: Arc<Api>,
    pub by: Arc<By>,
}

impl Asked {
    pub fn hub(&self) -> &Opened {
        &self.api.hub
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let asked = parts.extensions.get::<Self>().cloned();
        asked.ok_or_else(|| Problem::new(&INTERNAL, "an operation has no guard").into())
    }
}

/// Parts of the path.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(Refusal::bad(
                "a part of the path cannot be used: a number is not one, or the text is not valid UTF-8",
            )),
        }
    }
}

/// The query.
pub struct Given<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Given<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(Refusal::bad(error.body_text())),
        }
    }
}

/// The body, as JSON.
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let asked = request.extensions().get::<Asked>().cloned();
        let asked = asked.ok_or_else(|| Problem::new(&INTERNAL, "an operation has no guard"))?;
        let body = whole(&asked.api.bodies, request.into_body()).await?;
        let parsed = serde_json::from_slice(&body);
        // The error names a field and a place, and no value but one that is too short to be anybody's.
        parsed.map(Self).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Data => "is not what this operation takes",
                _ => "is not valid JSON",
            };
            Refusal::bad(format!("the body {what}, at line {line}, column {column}"))
        })
    }
}

/// A body in memory, unpacked.
pub async fn whole(bodies: &Bodies, body: Body) -> Result<Bytes, Refusal> {
    let read = bodies.read(body, BODY_BYTES).await;
    read.map_err(|error| match error {
        BodyError::TooLarge => {
            let message = "the body is longer than 64 KiB, unpacked";
            let problem = Problem::new(&BAD_REQUEST, message);
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, problem)
        }
        BodyError::TooSlow => Refusal::bad("the body took too long"),
        BodyError::Full => {
            let message = "there is no room for more bodies at the moment";
            let problem = Problem::new(&API_BUSY, message);
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem)
        }
        BodyError::Broken => {
            Refusal::bad("the body ended early, or is not the gzip that it begins as")
        }
    })
}

/// How many results are wanted.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
pub struct Limit(u32);

impl TryFrom<u32> for Limit {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        match (1..=LARGEST_PAGE).contains(&count) {
            true => Ok(Self(count)),
            false => Err(format!("`limit` must be from 1 to {LARGEST_PAGE}")),
        }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE)
    }
}

impl Limit {
    pub fn count(self) -> u32 {
        self.0
    }
}

/// The number of a row; the first one comes after zero.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "i64")]
pub struct Number(i64);

impl TryFrom<i64> for Number {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match number >= 0 {
            true => Ok(Self(number)),
            false => Err("`after` must not be negative"),
        }
    }
}

impl From<Number> for i64 {
    fn from(number: Number) -> Self {
        number.0
    }
}

impl From<Limit> for i64 {
    fn from(limit: Limit) -> Self {
        Self::from(limit.0)
    }
}
