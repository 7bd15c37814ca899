//! The only way in: connections, their number and their deadlines, and the size of what they send. Knows no route.

mod body;

pub use body::{Bodies, BodyError};

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the first moment of a connection, or from the end of the last answer, to the end of a request's head.
    pub head: Duration,
    /// How long requests under way may take once the server stops.
    pub stop: Duration,
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            stop: Duration::from_secs(10),
            connections: 16_384,
        }
    }
}

/// Open files that are not connections of clients: the store, what connectors ask, and some more.
const OTHER_FILES: u64 = 256;

impl Limits {
    /// The usual ones, with no more connections than this process may have open files, which is raised as far as the system lets it.
    pub fn of_process() -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let usual = Self::default();
        let allowed = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: allowed.maximum,
            ..allowed
        };
        // Where it cannot be raised, it stays.
        let _ = setrlimit(Resource::Nofile, raised);
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let connections = files.saturating_sub(OTHER_FILES).max(files / 2);
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        if connections < usual.connections {
            tracing::warn!(
                files,
                connections,
                "the limit of open files bounds the number of connections"
            );
        }
        Self {
            connections: connections.clamp(1, usual.connections),
            ..usual
        }
    }
}

/// A request's head may be this long.
const HEAD_BYTES: usize = 16 << 10;
/// How long nothing is accepted when the system has no more files to give.
const NO_MORE: Duration = Duration::from_millis(100);

/// Serves until `stop` says so; then requests under way are answered and no new ones are taken.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit,
            _ = stop.wait_for(|is_stopped| *is_stopped) => break,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|is_stopped| *is_stopped) => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(connection(stream, from, router, limits, stop, permit));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(NO_MORE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    // A client that goes on sending does not keep the server from stopping.
    let _ = tokio::time::timeout(limits.stop, ended).await;
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    // The library's own deadline begins with the first byte.
    tokio::select! {
        begun = tokio::time::timeout(limits.head, stream.readable()) => {
            if !matches!(begun, Ok(Ok(()))) {
                return;
            }
        }
        _ = stop.wait_for(|is_stopped| *is_stopped) => return,
    }
    let service = router.into_service::<Incoming>();
    let service = service.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(from);
        request
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(served);
    tokio::select! {
        // What a client did wrong is its own affair.
        _ = served.as_mut() => return,
        _ = stop.wait_for(|is_stopped| *is_stopped) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.stop, served).await;
}
