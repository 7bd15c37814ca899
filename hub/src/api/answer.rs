//! What operations return, and problems as RFC 9457 has them.

use crate::model::Value;
use crate::problem::codes::{
    API_BUSY, BAD_REQUEST, INTERNAL, NO_OPERATION, NO_TOKEN, NOT_ALLOWED, NOT_FOUND, TOKEN_REFUSED,
    UNKNOWN_PURPOSE, USAGE,
};
use crate::problem::{Class, Problem};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Seconds until a client should try again.
const SOON: u32 = 2;

/// A result before it is masked and written. Personal unless it says otherwise.
#[derive(Debug, Clone)]
pub struct Answer {
    pub body: Value,
    /// Whom or what it is about, for the audit log; none where nobody is read.
    pub about: Option<String>,
    pub is_personal: bool,
}

impl Answer {
    pub fn of(value: &impl Serialize) -> Result<Self, Refusal> {
        let body = serde_json::to_value(value).map_err(|error| {
            Problem::new(&INTERNAL, format!("an answer cannot be written: {error}"))
        })?;
        Ok(Self {
            body,
            about: None,
            is_personal: true,
        })
    }

    /// It holds no personal data.
    pub fn impersonal(mut self) -> Self {
        self.is_personal = false;
        self
    }

    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.about = Some(subject.into());
        self
    }

    /// It is about these people.
    pub fn about_people<'a>(self, ids: impl IntoIterator<Item = &'a str>) -> Self {
        let ids: Vec<&str> = ids.into_iter().collect();
        match ids.is_empty() {
            true => self,
            false => self.about(ids.join(" ")),
        }
    }
}

impl IntoResponse for Answer {
    /// The guard writes the body.
    fn into_response(self) -> Response {
        let mut response = StatusCode::OK.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// An answer that says why there is no other.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub problem: Problem,
}

/// A problem of a request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// `urn:onefold:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What the code means.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: &'a str,
    /// `onefold help CODE` explains it.
    code: &'a str,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Refusal {
    pub fn new(status: StatusCode, problem: Problem) -> Self {
        Self { status, problem }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Problem::new(&BAD_REQUEST, message).into()
    }

    pub fn nobody() -> Self {
        Problem::new(&NOT_FOUND, "no person has that identifier").into()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let code = problem.code;
        let is = |one| code == one;
        let status = if is(&USAGE) || is(&BAD_REQUEST) || is(&UNKNOWN_PURPOSE) {
            // The code of wrong use says "command line".
            let problem = Problem {
                code: &BAD_REQUEST,
                ..problem
            };
            return Self::new(StatusCode::BAD_REQUEST, problem);
        } else if is(&NOT_FOUND) || is(&NO_OPERATION) {
            StatusCode::NOT_FOUND
        } else if is(&NO_TOKEN) || is(&TOKEN_REFUSED) {
            StatusCode::UNAUTHORIZED
        } else if is(&NOT_ALLOWED) {
            StatusCode::FORBIDDEN
        } else if is(&API_BUSY) || code.class == Class::Retry {
            StatusCode::SERVICE_UNAVAILABLE
        } else if code.class == Class::AskUser {
            StatusCode::CONFLICT
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        Self::new(status, problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, problem } = self;
        if status.is_server_error() {
            tracing::error!(code = problem.code.id, "{}", problem.message);
        }
        let body = ProblemBody {
            kind: format!("urn:onefold:problem:{}", problem.code.id),
            title: problem.code.title,
            status: status.as_u16(),
            detail: &problem.message,
            code: problem.code.id,
            hint: problem.hint.as_deref(),
        };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let head = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, head, text).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"onefold\"");
            headers.insert(WWW_AUTHENTICATE, scheme);
        }
        if matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        ) {
            headers.insert(RETRY_AFTER, HeaderValue::from(SOON));
        }
        response
    }
}

pub type Answered = Result<Answer, Refusal>;
