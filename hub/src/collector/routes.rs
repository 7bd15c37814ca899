//! Routes, keys, origins and answers of the collector.

use super::hook::NotReceived;
use super::message::{self, About};
use super::metrics::OPEN_METRICS;
use super::{Collected, Collector, Door};
use crate::flow::NotTaken;
use crate::host::Delivery;
use crate::ingress::BodyError;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::map_response_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;

/// A body may be this long, unpacked.
const BODY_BYTES: usize = 512 << 10;
/// Seconds until a client should try again: soon, since clients end.
const SOON: u64 = crate::flow::SOON.as_secs();

/// Short names, as browsers send them, and the calls that they stand for.
const CALLS: [(&str, &str); 6] = [
    ("t", "track"),
    ("i", "identify"),
    ("p", "page"),
    ("s", "screen"),
    ("g", "group"),
    ("a", "alias"),
];

pub fn routes(door: Door) -> Router {
    let mut router = Router::new();
    for prefix in ["", "/v1"] {
        for name in ["batch", "b", "m", "import"] {
            let path = format!("{prefix}/{name}");
            let route = post(|State(door), request| take(door, None, request));
            router = router.route(&path, route.options(preflight));
        }
        for (short, call) in CALLS {
            for name in [short, call] {
                let path = format!("{prefix}/{name}");
                let route = post(move |State(door), request| take(door, Some(call), request));
                router = router.route(&path, route.options(preflight));
            }
        }
    }
    router
        .route("/v1/projects/{key}/settings", get(settings))
        .route("/v1/pixel/{call}", get(pixel))
        .route("/hooks/{source}", post(hook))
        .layer(map_response_with_state(door.clone(), count))
        .route("/healthz", get(async || "running\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(door)
}

/// Whether messages are taken now.
async fn ready(State(door): State<Door>) -> Response {
    match door.collector() {
        Some(_) => "ready\n".into_response(),
        None => closed(),
    }
}

/// Counts a request that was not taken.
async fn count(State(door): State<Door>, response: Response) -> Response {
    door.metrics.answered(response.status().as_u16());
    response
}

/// For a monitoring system on this machine: names and volumes are nobody else's concern.
async fn metrics(
    State(door): State<Door>,
    Extension(from): Extension<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let is_passed_on = ["forwarded", "x-forwarded-for", "via"]
        .iter()
        .any(|name| headers.contains_key(*name));
    let collector = door.collector();
    // A proxy on this machine need not say for whom it asks.
    let serve = collector
        .as_ref()
        .and_then(|one| one.context.plan.serve.as_ref());
    let has_proxy = serve.is_some_and(|serve| serve.behind_proxy);
    if !from.ip().to_canonical().is_loopback() || is_passed_on || has_proxy {
        return refused(
            StatusCode::FORBIDDEN,
            "metrics are shown on this machine only: scrape `/metrics` from here, and not through a proxy",
        );
    }
    let text = door.metrics.text(collector.as_deref()).await;
    ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

/// An answer with what went wrong, for people who look at their client's log.
fn refused(status: StatusCode, message: &str) -> Response {
    let body = json!({ "success": false, "message": message }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn try_again(status: StatusCode, message: &str) -> Response {
    let mut response = refused(status, message);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from(SOON));
    response
}

fn closed() -> Response {
    try_again(
        StatusCode::SERVICE_UNAVAILABLE,
        "the hub does not take messages now",
    )
}

/// The write key that the head of a request names.
fn key_in(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (kind, value) = text.split_once(' ')?;
    if kind.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    let decoded = STANDARD.decode(value.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (key, _) = decoded.split_once(':').unwrap_or((&decoded, ""));
    (!key.is_empty()).then(|| key.to_owned())
}

/// Lets the pages of an origin read the answer.
fn shared(mut response: Response, origin: Option<HeaderValue>) -> Response {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("origin"));
    }
    response
}

/// A browser asks before it sends; which source is meant is not said yet.
async fn preflight(headers: HeaderMap) -> Response {
    let allowed = [
        (ACCESS_CONTROL_ALLOW_METHODS, "POST, GET"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    let response = (StatusCode::NO_CONTENT, allowed).into_response();
    shared(response, headers.get(ORIGIN).cloned())
}

async fn take(door: Door, call: Option<&'static str>, request: Request<Body>) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    shared(taken(&door, call, request).await, origin)
}

// S16: the key comes before the body wherever the head has one.
async fn taken(door: &Door, call: Option<&str>, request: Request<Body>) -> Response {
    let Some(collector) = door.collector() else {
        return closed();
    };
    let (head, body) = request.into_parts();
    let mut source = None;
    if let Some(key) = key_in(&head.headers) {
        source = collector.source(&key);
        if source.is_none() {
            return unknown_key();
        }
    }
    let body = match door.bodies.read(body, BODY_BYTES).await {
        Ok(body) => body,
        Err(error) => return unread(error),
    };
    let Some(parsed) = message::parse(&body, call.is_none()) else {
        let expected = match call {
            None => "the body must be a JSON object with the list `batch`",
            Some(_) => "the body must be a JSON object",
        };
        return refused(StatusCode::BAD_REQUEST, expected);
    };
    drop(body);
    if let Some(why) = parsed.excess() {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, why);
    }
    let of_body = |key: &String| collector.source(key);
    let Some(source) = source.or_else(|| parsed.write_key.as_ref().and_then(of_body)) else {
        return unknown_key();
    };
    let origin = head.headers.get(ORIGIN).map(|origin| origin.to_str());
    if origin.is_some_and(|origin| !origin.is_ok_and(|origin| source.allows(origin))) {
        return refused(
            StatusCode::FORBIDDEN,
            "pages of this origin may not send to this source",
        );
    }
    store(&collector, &source, parsed, call, &head.headers).await
}

async fn store(
    collector: &Arc<Collector>,
    source: &Collected,
    parsed: message::Body,
    call: Option<&str>,
    headers: &HeaderMap,
) -> Response {
    let about = About {
        call,
        received_at: collector.context.clock.now(),
        has_privacy_signal: headers.get("sec-gpc").is_some_and(|value| value == "1"),
        addresses: source.addresses,
    };
    let records = message::records(parsed, &about);
    match collector.take(source, records).await {
        Ok(_) => {
            let body = json!({ "success": true }).to_string();
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(why) => not_taken(why),
    }
}

fn not_taken(why: NotTaken) -> Response {
    match why {
        NotTaken::Full => try_again(
            StatusCode::TOO_MANY_REQUESTS,
            "too much waits to be stored; try again in a moment",
        ),
        NotTaken::Stopping => closed(),
        NotTaken::Failed(problem) => {
            tracing::error!(code = problem.code.id, "{}", problem.message);
            try_again(
                StatusCode::SERVICE_UNAVAILABLE,
                "nothing of this request could be stored",
            )
        }
    }
}

fn unknown_key() -> Response {
    refused(
        StatusCode::UNAUTHORIZED,
        "no source has this write key: send it as the user of Basic authentication, or as `writeKey` in the body",
    )
}

fn unread(error: BodyError) -> Response {
    match error {
        BodyError::TooLarge => refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than 512 KiB, unpacked; send smaller batches",
        ),
        BodyError::TooSlow => refused(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
        BodyError::Full => try_again(
            StatusCode::TOO_MANY_REQUESTS,
            "too much is being sent at the same time; try again in a moment",
        ),
        BodyError::Broken => refused(
            StatusCode::BAD_REQUEST,
            "the body ended early, or is not the gzip that it begins as",
        ),
    }
}

fn uncalled() -> Response {
    refused(
        StatusCode::NOT_FOUND,
        "no source of this name has a connector that can be called",
    )
}

/// A vendor calls. The connector judges the signature, so that nothing is said about a body that somebody else made.
async fn hook(
    State(door): State<Door>,
    Path(source): Path<String>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Response {
    let Some(collector) = door.collector() else {
        return closed();
    };
    if !collector.can_receive(&source) {
        return uncalled();
    }
    let (head, body) = request.into_parts();
    let body = match door.bodies.read(body, BODY_BYTES).await {
        Ok(body) => body,
        Err(error) => return unread(error),
    };
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    let delivery = Delivery {
        headers: headers.collect(),
        query: query.unwrap_or_default(),
        body: body.to_vec(),
    };
    match collector.receive(&source, delivery).await {
        Ok((status, body)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, body).into_response()
        }
        Err(NotReceived::Nobody) => uncalled(),
        Err(NotReceived::Full) => try_again(
            StatusCode::TOO_MANY_REQUESTS,
            "too many deliveries at once; try again in a moment",
        ),
        Err(NotReceived::Failed(problem)) => {
            tracing::error!(code = problem.code.id, %source, "{}", problem.message);
            try_again(
                StatusCode::SERVICE_UNAVAILABLE,
                "the connector could not read this delivery",
            )
        }
        Err(NotReceived::NotTaken(why)) => not_taken(why),
    }
}

/// What Segment's library for browsers asks first: only that everything goes to the hub.
async fn settings(
    State(door): State<Door>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(collector) = door.collector() else {
        return closed();
    };
    let origin = headers.get(ORIGIN).cloned();
    let Some(_) = collector.source(&key) else {
        return shared(
            refused(StatusCode::NOT_FOUND, "no source has this write key"),
            origin,
        );
    };
    let settings = json!({
        "integrations": { "Segment.io": { "apiKey": key, "unbundledIntegrations": [], "addBundledMetadata": true } },
        "plan": { "track": { "__default": { "enabled": true, "integrations": {} } }, "identify": { "__default": { "enabled": true } }, "group": { "__default": { "enabled": true } } },
        "edgeFunction": {},
        "analyticsNextEnabled": true,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": { "sampleRate": 0 },
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
    });
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    shared((headers, settings.to_string()).into_response(), origin)
}

/// One transparent point, as a GIF.
const POINT: [u8; 35] = [
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0,
    1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b,
];

/// A call in an image's address, for mails and pages without scripts: `?data=` and the JSON of the call in base64.
async fn pixel(
    State(door): State<Door>,
    Path(call): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let image = || {
        let headers = [(CONTENT_TYPE, "image/gif"), (CACHE_CONTROL, "no-store")];
        (headers, POINT.to_vec()).into_response()
    };
    let known = CALLS
        .iter()
        .find(|(short, name)| [*short, *name].contains(&&*call));
    let Some((_, call)) = known else {
        return refused(StatusCode::NOT_FOUND, "this is not a call");
    };
    let Some(collector) = door.collector() else {
        return closed();
    };
    let query = query.unwrap_or_default();
    let mut data = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("data="));
    let decoded = data.next().and_then(|data| {
        let data = data
            .replace("%3D", "")
            .replace("%2B", "-")
            .replace("%2F", "_");
        let data = data.replace('+', "-").replace('/', "_");
        URL_SAFE_NO_PAD.decode(data.trim_end_matches('=')).ok()
    });
    let parsed = decoded.and_then(|decoded| message::parse(&decoded, false));
    let Some(parsed) = parsed else {
        return refused(
            StatusCode::BAD_REQUEST,
            "`data` must be a JSON object in base64",
        );
    };
    let source = parsed.write_key.as_ref();
    let Some(source) = source.and_then(|key| collector.source(key)) else {
        return unknown_key();
    };
    match store(&collector, &source, parsed, Some(call), &headers).await {
        response if response.status().is_success() => image(),
        response => response,
    }
}
