//! What every request passes: a valid token, the scope that the operation's description names, a place among the requests that are
//! worked on, a time limit; and every answer: the mask, the audit log, the headers.

use crate::api::answer::{Answer, Refusal};
use crate::api::audit::By;
use crate::api::once::Begun;
use crate::api::take::{Asked, whole};
use crate::api::token::hash;
use crate::api::{Api, Door, LONGEST, mask};
use crate::model::{Role, Scope, Timestamp};
use crate::problem::Problem;
use crate::problem::codes::{API_BUSY, NO_OPERATION, NO_TOKEN, NOT_ALLOWED, TOKEN_REFUSED};
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use tokio::time::Instant;

const MINUTE_MS: i64 = 60_000;

/// The scope of each operation, by method and path; nobody may call one without a scope.
pub type Scopes = BTreeMap<(String, String), Option<Scope>>;

#[derive(Clone)]
pub struct Guard {
    pub door: Door,
    pub scopes: Arc<Scopes>,
}

/// Who asks.
struct Caller {
    by: By,
    role: Role,
}

pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.answered(request, next).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Guard {
    async fn answered(&self, request: Request, next: Next) -> Result<Response, Refusal> {
        let Some(api) = self.door.api() else {
            return Err(busy("the hub reads its manifests, or is being stopped"));
        };
        let Ok(_place) = api.waiting.try_acquire() else {
            return Err(too_many("too many requests at once"));
        };
        let secret = secret(request.headers())?.to_owned();
        let address = request.extensions().get::<SocketAddr>().copied();
        let operation = self.operation(&request);
        let worked = async {
            let now = api.hub.context.clock.now();
            let caller = api.caller(&secret, address, now).await?;
            if let Some((name, scope)) = &operation {
                caller.must_have(*scope, name)?;
            }
            let scope = operation.as_ref().and_then(|(_, scope)| *scope);
            let noted = Noted {
                caller: &caller,
                at: now,
                action: operation.as_ref().map_or("", |(name, _)| name),
                is_change: scope.is_some_and(Scope::changes),
            };
            // Before it takes the place of others: a client may send slowly.
            let (head, body) = request.into_parts();
            let body = whole(&api.bodies, body).await?;
            let Ok(_turn) = api.at_once.acquire().await else {
                return Err(busy("the hub is being stopped"));
            };
            let mut once = None;
            if noted.is_change {
                let asked = (&head.uri, &*body);
                let token = caller.by.token;
                match api.begin_once(token, &head.headers, asked, now).await? {
                    Begun::Known(response) => return Ok(*response),
                    Begun::New(one) => once = one,
                }
                let begun = caller.by.entry(now, noted.action, "", 0);
                if let Err(problem) = api.log.store(begun).await {
                    api.forget_once(once).await?;
                    return Err(problem.into());
                }
            }
            let mut request = Request::from_parts(head, Body::from(body));
            request.extensions_mut().insert(Asked {
                api: api.clone(),
                by: Arc::new(caller.by.clone()),
            });
            let (method, headers) = (request.method().clone(), request.headers().clone());
            let response = next.run(request).await;
            let response = api.finished(response, &method, &headers, &noted).await?;
            api.end_once(once, response).await
        };
        match tokio::time::timeout(LONGEST, worked).await {
            Ok(response) => response,
            Err(_) => Err(busy("the request took longer than 20 seconds")),
        }
    }

    /// The operation that a request asks for; none where there is no such one.
    fn operation(&self, request: &Request) -> Option<(String, Option<Scope>)> {
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        let method = match request.method() {
            &Method::HEAD => "get".to_owned(),
            method => method.as_str().to_lowercase(),
        };
        let scope = self.scopes.get(&(method.clone(), path.to_owned()))?;
        Some((format!("{} {path}", method.to_uppercase()), *scope))
    }
}

impl Caller {
    fn must_have(&self, scope: Option<Scope>, operation: &str) -> Result<(), Refusal> {
        if scope.is_some_and(|scope| self.role.scopes.contains(&scope)) {
            return Ok(());
        }
        let (role, scope) = (&self.role.name, scope.map_or("none", Scope::as_str));
        let message = format!(
            "the role `{role}` does not have the scope `{scope}`, which `{operation}` needs"
        );
        Err(Problem::new(&NOT_ALLOWED, message)
            .hint("use a token whose role has it; the description at `/openapi.json` names it for each operation")
            .into())
    }
}

/// What the audit log says of a request.
struct Noted<'a> {
    caller: &'a Caller,
    at: Timestamp,
    action: &'a str,
    is_change: bool,
}

impl Api {
    async fn caller(
        &self,
        secret: &str,
        address: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<Caller, Refusal> {
        let mut tx = self.hub.context.store.read().await?;
        let row = tx.token_of(&hash(secret)).await?;
        drop(tx);
        let is_valid =
            |row: &crate::store::TokenRow| row.revoked_at.is_none() && now.0 < row.expires_at;
        let Some(row) = row.filter(is_valid) else {
            let message = "the token is unknown, expired or revoked";
            return Err(Problem::new(&TOKEN_REFUSED, message)
                .hint("`onefold token list` shows the valid ones, `onefold token create` makes one")
                .into());
        };
        self.note_use(row.id, now);
        if !self.paces.allows(row.id, Instant::now()) {
            return Err(too_many(
                "this token asks too fast: 200 requests a second are the most",
            ));
        }
        let Some(role) = self.hub.context.plan.role(&row.role) else {
            let message = format!("the manifests do not have the token's role `{}`", row.role);
            return Err(Problem::new(&NOT_ALLOWED, message)
                .hint("add the role again, or make a token with another one")
                .into());
        };
        let by = By {
            token: row.id,
            name: row.name,
            role: row.role,
            address: address.map_or_else(String::new, |address| address.ip().to_string()),
        };
        Ok(Caller { by, role })
    }

    /// At most once a minute for each token.
    fn note_use(&self, token: i64, now: Timestamp) {
        let minute = now.0.div_euclid(MINUTE_MS);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.insert(token, minute) != Some(minute) {
            self.log.used(token, minute * MINUTE_MS);
        }
    }

    async fn finished(
        &self,
        mut response: Response,
        method: &Method,
        headers: &HeaderMap,
        noted: &Noted<'_>,
    ) -> Result<Response, Refusal> {
        let answer = response.extensions_mut().remove::<Answer>();
        let about = answer.as_ref().and_then(|answer| answer.about.as_deref());
        let is_personal = answer.as_ref().is_some_and(|answer| answer.is_personal);
        if about.is_some() || is_personal || noted.is_change {
            let (about, status) = (about.unwrap_or_default(), response.status().as_u16());
            let by = &noted.caller.by;
            self.log
                .add(by.entry(noted.at, noted.action, about, status))?;
        }
        if noted.is_change {
            self.log.written().await?;
        }
        match answer {
            Some(answer) => Ok(written(answer, noted.caller.role.masked, method, headers)),
            // Of the router: another method, with `Allow`.
            None if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
                let problem = Problem::new(&NO_OPERATION, "this path does not take this method");
                let mut refused = Refusal::new(response.status(), problem).into_response();
                refused
                    .headers_mut()
                    .extend(std::mem::take(response.headers_mut()));
                refused.headers_mut().insert(
                    CONTENT_TYPE,
                    HeaderValue::from_static("application/problem+json"),
                );
                Ok(refused)
            }
            None => Ok(response),
        }
    }
}

/// The one place where a body with data is written.
fn written(answer: Answer, masked: bool, method: &Method, headers: &HeaderMap) -> Response {
    let Answer {
        mut body,
        is_personal,
        ..
    } = answer;
    if masked && is_personal {
        mask::mask(&mut body);
    }
    let text = body.to_string();
    let mut response = Response::new(Body::empty());
    let out = response.headers_mut();
    if !is_personal {
        out.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if matches!(method, &Method::GET | &Method::HEAD) {
        let tag = format!(
            "\"{}\"",
            URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..16])
        );
        let known = headers.get_all(IF_NONE_MATCH).iter();
        let mut known = known.filter_map(|value| value.to_str().ok());
        let is_known = known.any(|list| {
            let mut tags = list.split(',').map(str::trim);
            tags.any(|one| one == "*" || one.trim_start_matches("W/") == tag)
        });
        if let Ok(value) = HeaderValue::from_str(&tag) {
            out.insert(ETAG, value);
        }
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
    }
    out.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(text);
    response
}

fn secret(headers: &HeaderMap) -> Result<&str, Refusal> {
    let missing = || {
        Problem::new(&NO_TOKEN, "the request has no token")
            .hint("send it as `Authorization: Bearer SECRET`; `onefold token create` makes one")
    };
    let given = headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let given = given.to_str().map_err(|_| missing())?;
    let (scheme, secret) = given.split_once(' ').ok_or_else(missing)?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(secret.trim()),
        false => Err(missing().into()),
    }
}

fn too_many(message: &str) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, busy(message).problem)
}

fn busy(message: &str) -> Refusal {
    Problem::new(&API_BUSY, message)
        .hint("try again in a moment")
        .into()
}

/// What no operation answers.
pub async fn absent() -> Refusal {
    Problem::new(&NO_OPERATION, "the API does not have this path")
        .hint("the description at `/openapi.json` lists every operation")
        .into()
}
