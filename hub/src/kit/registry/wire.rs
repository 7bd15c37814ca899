//! One request to a registry or web server, through `egress`: no proxy of the environment, nothing without TLS but to
//! this machine, bodies of bounded size, several attempts. Follows redirects of reads, as registries use them for large
//! files, and sends no credential to another host.

use crate::clock::Clock;
use crate::egress::{
    Credential, Egress, EgressSettings, Policy, Random, Request, Response, SendError,
};
use crate::model::Inject;
use crate::problem::{Problem, codes};
use crate::vault::{Known, Scrubber, Secret};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::{Host, Url};

/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;
const REDIRECTS: u32 = 5;
/// For one request with all its attempts; a component can be large and a line slow.
const PATIENCE: Duration = Duration::from_secs(600);
/// The name of the login among an egress's credentials.
const LOGIN: &str = "credential";

/// What an operator names in addition to the place.
#[derive(Clone, Default)]
pub struct Access {
    pub username: Option<String>,
    /// A password when there is a user name, a token otherwise.
    pub secret: Option<Secret>,
    /// Addresses that are not public and may be dialled anyway.
    pub addresses: Vec<SocketAddr>,
}

#[derive(Clone)]
pub struct Wire {
    pub access: Access,
    pub random: Random,
    pub clock: Clock,
}

/// How a request says who asks.
#[derive(Clone, Default)]
pub enum Login {
    #[default]
    Nobody,
    Bearer(Secret),
    Basic {
        username: String,
        password: Secret,
    },
}

/// A request that may be repeated, whatever its method.
pub struct Ask {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Option<Vec<u8>>,
    /// The longest answer that is read.
    pub most_bytes: u64,
}

impl Ask {
    pub fn get(url: Url, most_bytes: u64) -> Self {
        Self {
            method: "GET",
            url,
            headers: Vec::new(),
            body: None,
            most_bytes,
        }
    }

    fn reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

impl Wire {
    /// What is sent when there is no question to answer: the operator's own secret.
    pub fn own_login(&self) -> Login {
        match (&self.access.username, &self.access.secret) {
            (Some(username), Some(password)) => Login::Basic {
                username: username.clone(),
                password: password.clone(),
            },
            (None, Some(token)) => Login::Bearer(token.clone()),
            (_, None) => Login::Nobody,
        }
    }

    /// Sends, and follows where a read is sent to. The answer can have any status but one that says to come again.
    pub async fn send(&self, ask: &Ask, login: &Login) -> Result<Response, Problem> {
        let deadline = Instant::now() + PATIENCE;
        let mut url = ask.url.clone();
        let nobody = Login::Nobody;
        let mut login = login;
        for _ in 0..=REDIRECTS {
            let response = self.once(ask, &url, login, deadline).await?;
            if response.status == 401 && url.origin() != ask.url.origin() {
                // What it asks for would be answered with the login of the place that led here.
                return Err(bad_source(format!(
                    "`{}` leads to `{}`, which wants to know who asks",
                    authority(&ask.url),
                    authority(&url)
                )));
            }
            let Some(next) = next(ask, &url, &response) else {
                return Ok(response);
            };
            // A server elsewhere must not be able to make the hub look into its own machine.
            let stays = is_loopback(&url) || !is_loopback(&next);
            if !stays {
                return Err(bad_source(format!(
                    "`{}` redirects to `{}`, which is this machine",
                    authority(&url),
                    authority(&next)
                )));
            }
            if next.origin() != url.origin() {
                login = &nobody;
            }
            url = next;
        }
        Err(bad_source(format!(
            "`{}` redirects more than {REDIRECTS} times",
            authority(&ask.url)
        )))
    }

    async fn once(
        &self,
        ask: &Ask,
        url: &Url,
        login: &Login,
        deadline: Instant,
    ) -> Result<Response, Problem> {
        let egress = self.egress(url, login, ask.most_bytes)?;
        let request = Request {
            method: ask.method.to_owned(),
            url: url.to_string(),
            headers: ask
                .headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: ask.body.clone(),
            auth: (!matches!(login, Login::Nobody)).then(|| LOGIN.to_owned()),
            bucket: None,
            idempotent: true,
        };
        match egress.send_here(request, deadline).await {
            Ok(response) if matches!(response.status, 429 | 500 | 502 | 503 | 504) => {
                Err(down(url, &format!("HTTP {}", response.status)))
            }
            Ok(response) => Ok(response),
            Err(error) => Err(failed(url, error)),
        }
    }

    /// A way out to this one place.
    fn egress(&self, url: &Url, login: &Login, most_bytes: u64) -> Result<Egress, Problem> {
        let port = url.port_or_known_default().unwrap_or_default();
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(Problem::new(
                &codes::BAD_REFERENCE,
                format!("`{}` would be called without TLS", authority(url)),
            )
            .hint("use https; only this very machine is called without"));
        }
        let mut addresses: Vec<SocketAddr> = self.access.addresses.clone();
        if is_loopback(url) {
            let here = [
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ];
            addresses.extend(here.map(|address| SocketAddr::new(address, port)));
            addresses.extend(literal(url).map(|address| SocketAddr::new(address, port)));
        }
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let host = format!("{}:{port}", url.host_str().unwrap_or_default());
        let (credential, scrubber) = carried(login, &host);
        Ok(Egress::new(EgressSettings {
            policy: Policy::new("`onefold connector`", [host.as_str()], &addresses),
            credentials: credential
                .map(|credential| (LOGIN.to_owned(), credential))
                .into_iter()
                .collect(),
            rates: BTreeMap::new(),
            response_bytes: most_bytes,
            room: Arc::new(|_| true),
            attempts: ATTEMPTS,
            random: self.random.clone(),
            clock: self.clock.clone(),
            scrub: Arc::new(move |text: &str| scrubber.words(text)),
        }))
    }
}

/// What a login adds to requests to this one host, and what takes it out of texts.
fn carried(login: &Login, host: &str) -> (Option<Credential>, Scrubber) {
    let (inject, secret) = match login {
        Login::Nobody => return (None, Scrubber::default()),
        Login::Bearer(token) => (Inject::Bearer, token),
        Login::Basic { username, password } => (
            Inject::Basic {
                username: username.clone(),
            },
            password,
        ),
    };
    let scrubber = Scrubber::new([Known {
        name: LOGIN,
        secret,
        username: match &inject {
            Inject::Basic { username } => Some(username),
            _ => None,
        },
    }]);
    let credential = Credential::new(inject, secret.expose().into(), [host]);
    (Some(credential), scrubber)
}

/// Where a read goes on.
fn next(ask: &Ask, url: &Url, response: &Response) -> Option<Url> {
    let moves = matches!(response.status, 301 | 302 | 303 | 307 | 308) && ask.reads();
    let location = header(response, "location").filter(|_| moves)?;
    url.join(location).ok()
}

pub fn header<'a>(response: &'a Response, wanted: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|(name, _)| name == wanted);
    std::str::from_utf8(&found?.1).ok()
}

/// Whether the URL names this very machine. A name that leads here without saying so is refused when it is dialled.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
    }
}

/// `HOST` or `HOST:PORT`, without a path, which could hold what nobody should read.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn failed(url: &Url, error: SendError) -> Problem {
    match error {
        SendError::Denied(problem) if problem.code == &codes::ADDRESS_DENIED => {
            problem.hint("if this is a server of your own, allow it with `--address ADDRESS:PORT`")
        }
        SendError::Denied(problem) => problem,
        SendError::Dns(text) | SendError::Connect(text) | SendError::Other(text) => {
            down(url, &text)
        }
        SendError::Tls(text) => down(url, &format!("TLS: {text}")),
        SendError::Timeout | SendError::Cancelled => down(url, "it took too long"),
        SendError::ResponseTooLarge(most) => bad_source(format!(
            "`{}` sends more than the {most} bytes that are read",
            authority(url)
        )),
    }
}

fn down(url: &Url, why: &str) -> Problem {
    Problem::new(
        &codes::SOURCE_DOWN,
        format!(
            "`{}` does not answer after {ATTEMPTS} attempts: {why}",
            authority(url)
        ),
    )
    .hint("try again later; connectors that were added before keep working")
}

pub fn bad_source(message: String) -> Problem {
    Problem::new(&codes::BAD_SOURCE, message)
}
