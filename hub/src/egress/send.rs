//! Sending: waits for the rate budget, sends, follows redirects within the same host, retries what may be repeated, and limits
//! how much of the answer is read. Every wait ends at the deadline or when the run is cancelled.

use crate::clock::Clock;
use crate::egress::Random;
use crate::egress::dial::{self, Refused, Unresolved};
use crate::egress::policy::{Origin, Policy, local_address};
use crate::egress::rate::{LONGEST_PAUSE, Rates};
use crate::egress::request::{self, Credential, Request};
use crate::model::RateSpec;
use crate::problem::{Problem, codes};
use http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use http::{Method, StatusCode};
use reqwest::Client;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

const REDIRECTS: u32 = 5;
const ORIGINS: usize = 64;
/// The longest wait before the second attempt; it doubles with every further one.
const BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);
/// How long a wait may go on after the run was cancelled.
const CANCEL_SLICE: Duration = Duration::from_millis(100);

pub struct EgressSettings {
    pub policy: Policy,
    pub credentials: BTreeMap<String, Credential>,
    pub rates: BTreeMap<String, RateSpec>,
    /// Longest body, after decompression.
    pub response_bytes: u64,
    pub room: Room,
    /// How often a request that may be repeated is sent at most.
    pub attempts: u32,
    pub random: Random,
    pub clock: Clock,
    /// Takes secrets out of a text.
    pub scrub: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

/// Memory that others want, too: takes so many bytes for an answer while it is read, or gives them back if the number is negative. False when
/// there are not so many.
pub type Room = Arc<dyn Fn(i64) -> bool + Send + Sync>;

/// What one answer has taken.
struct Taken<'a> {
    room: &'a Room,
    bytes: i64,
}

impl Taken<'_> {
    fn add(&mut self, bytes: usize) -> Result<(), SendError> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if !(self.room)(bytes) {
            let why = "the hub has no memory for the answer: all connectors together use it (`[limits] memory`)";
            return Err(SendError::Other(why.to_owned()));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        (self.room)(-self.bytes);
    }
}

pub struct Egress {
    settings: EgressSettings,
    policy: Arc<Policy>,
    rates: Rates,
    clients: Mutex<HashMap<Origin, Client>>,
}

pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    Denied(Problem),
    Dns(String),
    Connect(String),
    Tls(String),
    Timeout,
    /// How many bytes would have been allowed.
    ResponseTooLarge(u64),
    Cancelled,
    Other(String),
}

impl SendError {
    /// The request may not have reached the vendor, or the answer was lost.
    fn is_transient(&self) -> bool {
        matches!(self, Self::Dns(_) | Self::Connect(_) | Self::Other(_))
    }
}

impl From<Problem> for SendError {
    fn from(problem: Problem) -> Self {
        Self::Denied(problem)
    }
}

/// What bounds every wait of one request.
#[derive(Clone, Copy)]
struct Patience<'a> {
    deadline: Instant,
    is_cancelled: &'a (dyn Fn() -> bool + Send + Sync),
}

/// A request that passed every check.
struct Ready {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<bytes::Bytes>,
    bucket: Option<String>,
    idempotent: bool,
}

impl Egress {
    pub fn new(settings: EgressSettings) -> Self {
        Self {
            policy: Arc::new(settings.policy.clone()),
            rates: Rates::new(settings.rates.clone()),
            settings,
            clients: Mutex::default(),
        }
    }

    /// Whose it is, for messages.
    pub fn owner(&self) -> &str {
        self.policy.owner()
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(
        &self,
        request: Request,
        deadline: Instant,
        is_cancelled: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Response, SendError> {
        let patience = Patience {
            deadline,
            is_cancelled,
        };
        let (mut ready, mut origin) = self.prepare(request)?;
        for _ in 0..=REDIRECTS {
            let client = self.client(&origin)?;
            let response = self.persist(&client, &ready, patience).await?;
            let Some(next) = self.redirect(&ready, &origin, &response)? else {
                return Ok(response);
            };
            origin = self.policy.admit(&next)?;
            ready.url = next;
        }
        Err(SendError::Other(format!("more than {REDIRECTS} redirects")))
    }

    /// The same, but a redirect is an answer like any other: the caller decides whether to follow it, and with
    /// which policy.
    pub async fn send_here(
        &self,
        request: Request,
        deadline: Instant,
    ) -> Result<Response, SendError> {
        let patience = Patience {
            deadline,
            is_cancelled: &|| false,
        };
        let (ready, origin) = self.prepare(request)?;
        let client = self.client(&origin)?;
        self.persist(&client, &ready, patience).await
    }

    /// Checks a request and where it goes.
    fn prepare(&self, request: Request) -> Result<(Ready, Origin), Problem> {
        let url = request::url(&request.url, &self.policy)?;
        let method = request::method(&request.method, &self.policy)?;
        let origin = self.policy.admit(&url)?;
        let ready = Ready {
            url,
            method,
            headers: request::headers(&request, &origin, &self.settings.credentials, &self.policy)?,
            body: request.body.map(Into::into),
            bucket: request.bucket,
            idempotent: request.idempotent,
        };
        Ok((ready, origin))
    }

    fn client(&self, origin: &Origin) -> Result<Client, SendError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(origin) {
            return Ok(client.clone());
        }
        if clients.len() >= ORIGINS {
            clients.clear();
        }
        let client = dial::client(origin, &self.policy)?;
        clients.insert(origin.clone(), client.clone());
        Ok(client)
    }

    /// Retries until there is an answer that is worth returning.
    async fn persist(
        &self,
        client: &Client,
        ready: &Ready,
        patience: Patience<'_>,
    ) -> Result<Response, SendError> {
        let bucket = ready.bucket.as_deref();
        for attempt in 1_u32.. {
            self.wait_for_rate(bucket, patience).await?;
            let answer = self.once(client, ready, patience).await;
            let asked = match &answer {
                Ok(response) => self.asked_to_wait(response),
                Err(_) => None,
            };
            if answer.as_ref().is_ok_and(|response| response.status == 429) {
                self.rates.refused(bucket, Instant::now());
            }
            if let Some(wait) = asked {
                self.rates.pause(bucket, Instant::now(), wait);
            }
            let may_repeat = ready.idempotent && attempt < self.settings.attempts.max(1);
            let is_worth_it = match &answer {
                Ok(response) => matches!(response.status, 429 | 500 | 502 | 503 | 504),
                Err(error) => error.is_transient(),
            };
            let wait = self.backoff(attempt) + asked.unwrap_or_default();
            if !(may_repeat && is_worth_it) || Instant::now() + wait >= patience.deadline {
                return answer;
            }
            sleep_until(Instant::now() + wait, patience).await?;
        }
        Err(SendError::Timeout)
    }

    /// Full jitter: anything between nothing and the longest wait of this attempt.
    fn backoff(&self, attempt: u32) -> Duration {
        let most = BACKOFF
            .saturating_mul(1 << (attempt - 1).min(10))
            .min(LONGEST_BACKOFF);
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis((self.settings.random)() % (most_ms + 1))
    }

    async fn wait_for_rate(
        &self,
        bucket: Option<&str>,
        patience: Patience<'_>,
    ) -> Result<(), SendError> {
        let now = Instant::now();
        let Some(mut due) = self.rates.reserve(bucket, now, patience.deadline) else {
            return Err(SendError::Other(format!(
                "the rate budget `{}` has no place before the call's time is over",
                bucket.unwrap_or("default")
            )));
        };
        // The vendor may ask to wait while we wait.
        while due > Instant::now() {
            sleep_until(due, patience).await?;
            due = self
                .rates
                .paused_until(bucket, Instant::now())
                .unwrap_or(due);
        }
        Ok(())
    }

    async fn once(
        &self,
        client: &Client,
        ready: &Ready,
        patience: Patience<'_>,
    ) -> Result<Response, SendError> {
        let mut builder = client
            .request(ready.method.clone(), ready.url.clone())
            .headers(ready.headers.clone());
        if let Some(body) = &ready.body {
            builder = builder.body(body.clone());
        }
        let exchange = async {
            let response = builder
                .send()
                .await
                .map_err(|error| self.sort(&error, &ready.url))?;
            self.read(response).await
        };
        bounded(exchange, patience).await?
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Response, SendError> {
        let most = self.settings.response_bytes;
        let announced = response.content_length().unwrap_or(0);
        if announced > most {
            return Err(SendError::ResponseTooLarge(most));
        }
        if response.headers().len() > dial::RESPONSE_HEADERS {
            return Err(SendError::Other(
                "the answer has too many headers".to_owned(),
            ));
        }
        // Announcing a length costs the vendor nothing, so it is not trusted blindly.
        let mut taken = Taken {
            room: &self.settings.room,
            bytes: 0,
        };
        let url = response.url().clone();
        let mut body = Vec::with_capacity(usize::try_from(announced.min(1 << 20)).unwrap_or(0));
        while let Some(part) = response
            .chunk()
            .await
            .map_err(|error| self.sort(&error, &url))?
        {
            if (body.len() + part.len()) as u64 > most {
                return Err(SendError::ResponseTooLarge(most));
            }
            taken.add(part.len())?;
            body.extend_from_slice(&part);
        }
        let headers = response.headers().iter();
        Ok(Response {
            status: response.status().as_u16(),
            headers: headers
                .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body,
        })
    }

    /// Where the answer sends us, if we go: to the same host only, and without repeating what may not be repeated.
    fn redirect(
        &self,
        ready: &Ready,
        origin: &Origin,
        response: &Response,
    ) -> Result<Option<Url>, SendError> {
        let status = StatusCode::from_u16(response.status).unwrap_or_default();
        if !status.is_redirection() {
            return Ok(None);
        }
        let Some(next) =
            header(response, LOCATION.as_str()).and_then(|text| ready.url.join(text).ok())
        else {
            return Ok(None);
        };
        let is_same = next.scheme() == origin.scheme
            && next.host_str() == Some(origin.host.as_str())
            && next.port_or_known_default() == Some(origin.port);
        if !is_same {
            return Err(self.elsewhere(&ready.url, origin, response).into());
        }
        let reads = ready.method == Method::GET || ready.method == Method::HEAD;
        let keeps_method = matches!(response.status, 307 | 308);
        match reads || (keeps_method && ready.idempotent) {
            true => Ok(Some(next)),
            false => Ok(None),
        }
    }

    /// The vendor chose where: secrets are taken out before the host is, which would be spelled in another way.
    fn elsewhere(&self, here: &Url, origin: &Origin, response: &Response) -> Problem {
        let location = header(response, LOCATION.as_str()).unwrap_or_default();
        let next = here.join(&(self.settings.scrub)(location)).ok();
        let target = match next
            .as_ref()
            .map(|next| (next.host_str(), next.port(), next))
        {
            Some((Some(host), Some(port), _)) => format!("{host}:{port}"),
            Some((Some(host), None, _)) => host.to_owned(),
            Some((None, _, next)) => next.scheme().to_owned(),
            None => "a host that is not shown".to_owned(),
        };
        let target: String = target.chars().take(120).collect();
        let owner = self.policy.owner();
        let problem = Problem::new(
            &codes::REDIRECT_DENIED,
            format!(
                "`{}` redirects {owner} to `{target}`, and redirects to another host are not followed",
                origin.host
            ),
        );
        if next.is_none() {
            return problem;
        }
        let grant = match next.as_ref().and_then(local_address) {
            Some(address) => format!("grant.addresses = [\"{address}\"]"),
            None => format!("grant.hosts = [\"{target}\"]"),
        };
        problem.hint(format!(
            "if the vendor moved, change `base_url` and add `{grant}` to {owner}"
        ))
    }

    /// `Retry-After`, in seconds or as a date.
    fn asked_to_wait(&self, response: &Response) -> Option<Duration> {
        if !matches!(response.status, 429 | 503) {
            return None;
        }
        let text = header(response, RETRY_AFTER.as_str())?.trim();
        if let Ok(seconds) = text.parse::<f64>() {
            let wait = Duration::try_from_secs_f64(seconds).ok()?;
            return Some(wait.min(LONGEST_PAUSE));
        }
        let until = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        let wait = until.timestamp_millis() - self.settings.clock.now().millis();
        let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
        Some(wait.min(LONGEST_PAUSE))
    }

    /// What the client's error means. Its text can hold the URL, and a URL can hold what nobody should read.
    fn sort(&self, error: &reqwest::Error, url: &Url) -> SendError {
        let mut texts = Vec::new();
        let mut cause: Option<&(dyn std::error::Error + 'static)> =
            std::error::Error::source(error);
        while let Some(inner) = cause {
            if let Some(refused) = inner.downcast_ref::<Refused>() {
                return SendError::Denied(refused.0.clone());
            }
            if let Some(unresolved) = inner.downcast_ref::<Unresolved>() {
                return SendError::Dns((self.settings.scrub)(&unresolved.0));
            }
            if is_tls(inner) {
                return SendError::Tls((self.settings.scrub)(&inner.to_string()));
            }
            texts.push(inner.to_string());
            cause = inner.source();
        }
        if error.is_timeout() {
            return SendError::Timeout;
        }
        let text = texts
            .pop()
            .unwrap_or_else(|| "the exchange failed".to_owned());
        let text = (self.settings.scrub)(&text);
        match error.is_connect() {
            true => {
                let (host, port) = (url.host_str(), url.port_or_known_default());
                let host = (self.settings.scrub)(host.unwrap_or_default());
                SendError::Connect(format!("{host}:{}: {text}", port.unwrap_or_default()))
            }
            false => SendError::Other(text),
        }
    }
}

/// TLS errors travel inside I/O errors, which show only what is below them.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let inner = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}

fn header<'a>(response: &'a Response, wanted: &str) -> Option<&'a str> {
    let (_, value) = response.headers.iter().find(|(name, _)| name == wanted)?;
    std::str::from_utf8(value).ok()
}

/// The future's output, unless the deadline or a cancellation comes first.
async fn bounded<T>(
    future: impl Future<Output = T>,
    patience: Patience<'_>,
) -> Result<T, SendError> {
    let mut future = std::pin::pin!(future);
    loop {
        if (patience.is_cancelled)() {
            return Err(SendError::Cancelled);
        }
        let now = Instant::now();
        if now >= patience.deadline {
            return Err(SendError::Timeout);
        }
        let slice = patience.deadline.min(now + CANCEL_SLICE);
        let waited = tokio::time::timeout_at(slice.into(), future.as_mut()).await;
        if let Ok(output) = waited {
            return Ok(output);
        }
    }
}

async fn sleep_until(due: Instant, patience: Patience<'_>) -> Result<(), SendError> {
    bounded(tokio::time::sleep_until(due.into()), patience).await
}
