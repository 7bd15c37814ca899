//! Dialling: resolves names itself and lets through only addresses that the policy admits, on every dial. A name cannot
//! resolve to something else after the check, because the checked address is the one that is dialled.

use crate::egress::policy::{Origin, Policy};
use crate::problem::{Problem, codes};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::Duration;

const CONNECT_PATIENCE: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(60);
pub const RESPONSE_HEADERS: usize = 200;

/// A client, with a pool of its own, that can reach one origin and nothing else.
pub fn client(origin: &Origin, policy: &Arc<Policy>) -> Result<Client, Problem> {
    install_crypto();
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .dns_resolver(Arc::new(Checked {
            origin: origin.clone(),
            policy: policy.clone(),
        }))
        .connect_timeout(CONNECT_PATIENCE)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        // HTTP/2 would gain nothing, since requests follow one another, and a vendor could do more with it.
        .http1_only()
        .http1_max_headers(RESPONSE_HEADERS);
    if origin.scheme == "http" {
        // No certificate is ever looked at, so none are loaded from the system.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| {
        Problem::new(
            &codes::CLIENT_UNAVAILABLE,
            format!("the HTTP client cannot start: {error}"),
        )
    })
}

pub(super) fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is there already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The resolver of one origin: it knows the port, which resolvers do not get otherwise.
struct Checked {
    origin: Origin,
    policy: Arc<Policy>,
}

/// Carries a refusal through the HTTP client's errors.
#[derive(Debug)]
pub struct Refused(pub Problem);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

/// Marks an error of the name's resolution.
#[derive(Debug)]
pub struct Unresolved(pub String);

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unresolved {}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let origin = self.origin.clone();
        let policy = self.policy.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::net::lookup_host((host.as_str(), origin.port))
                .await
                .map_err(|error| Unresolved(format!("`{host}` cannot be resolved: {error}")))?;
            let mut admitted = Vec::new();
            let mut refused = None;
            for address in found {
                match policy.admit_dial(&origin, address) {
                    Ok(()) => admitted.push(address),
                    Err(problem) => refused = refused.or(Some(problem)),
                }
            }
            match (admitted.is_empty(), refused) {
                (true, Some(problem)) => Err(Refused(problem).into()),
                (true, None) => Err(Unresolved(format!("`{host}` has no address")).into()),
                (false, _) => Ok(addresses(admitted)),
            }
        })
    }
}

fn addresses(admitted: Vec<SocketAddr>) -> Addrs {
    Box::new(admitted.into_iter())
}
