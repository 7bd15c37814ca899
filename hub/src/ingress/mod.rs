//! The only way in: connections, their number and their deadlines, their encryption, and the size of what they send. Knows no route.

mod activity;
mod body;
mod tls;

pub use body::{Bodies, BodyError};
pub use tls::Tls;

use activity::{Activity, Answering};
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
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
/// Requests of one connection at a time, where the protocol allows more than one.
const STREAMS: u32 = 100;
/// How long nothing is accepted when the system has no more files to give.
const NO_MORE: Duration = Duration::from_millis(100);

/// Serves until `stop` says so; then requests under way are answered and no new ones are taken. Without `tls`, connections are plain.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
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
                let connection = Connection {
                    from,
                    router: router.clone(),
                    limits,
                    activity: Activity::begin(),
                    stop: stop.clone(),
                    _permit: permit,
                };
                let acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
                connections.spawn(connection.serve(stream, acceptor));
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

struct Connection {
    from: SocketAddr,
    router: Router,
    limits: Limits,
    activity: Activity,
    stop: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    // S15: the deadlines of the library begin with the first byte, and each protocol has its own.
    async fn serve(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let activity = self.activity.clone();
        let head = self.limits.head;
        tokio::select! {
            () = self.speak(stream, acceptor) => {}
            () = activity.idle(head) => {}
        }
    }

    async fn speak(mut self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let Some(acceptor) = acceptor else {
            return self.http1(TokioIo::new(stream)).await;
        };
        let accepted = tokio::select! {
            accepted = acceptor.accept(stream) => accepted,
            _ = self.stop.wait_for(|is_stopped| *is_stopped) => return,
        };
        // What a client did wrong is its own affair.
        let Ok(stream) = accepted else { return };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        match is_http2 {
            true => self.http2(TokioIo::new(stream)).await,
            false => self.http1(TokioIo::new(stream)).await,
        }
    }

    async fn http1(self, stream: impl Read + Write + Unpin + Send + 'static) {
        let service = service_fn(|request| self.answer(request));
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(stream, service);
        tokio::pin!(served);
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = served.as_mut() => return,
            _ = stop.wait_for(|is_stopped| *is_stopped) => {}
        }
        served.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(self.limits.stop, served).await;
    }

    async fn http2(self, stream: impl Read + Write + Unpin + Send + 'static) {
        let connection = Arc::new(self);
        let same = connection.clone();
        let service = service_fn(move |request| {
            let connection = same.clone();
            async move { connection.answer(request).await }
        });
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD_BYTES as u32)
            .serve_connection(stream, service);
        tokio::pin!(served);
        let mut stop = connection.stop.clone();
        tokio::select! {
            _ = served.as_mut() => return,
            _ = stop.wait_for(|is_stopped| *is_stopped) => {}
        }
        served.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(connection.limits.stop, served).await;
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Answering>, Infallible> {
        let under_way = self.activity.request();
        request.extensions_mut().insert(self.from);
        let answer = self.router.clone().oneshot(request.map(Body::new)).await?;
        Ok(answer.map(|body| Answering::of(body, under_way)))
    }
}
