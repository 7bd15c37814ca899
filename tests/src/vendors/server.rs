//! Gives a fake vendor a socket on loopback, in a thread of its own, until it is dropped.
//! Owns connections, the request log, and making the ordered faults happen on the wire; knows no vendor.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

use super::faults::{Fault, Faults, RateLimit};
use super::http::{Reply, Request};
use super::time::Clock;

/// What a fake must be able to do.
pub trait Vendor: Send + 'static {
    fn answer(&mut self, request: &Request) -> Reply;
    /// The vendor's own words for 429 and 500.
    fn too_many_requests(&self) -> Reply;
    fn server_error(&self) -> Reply;
}

/// One request as the vendor saw it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Milliseconds since 1970 UTC.
    pub at_ms: i64,
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// 0 when no answer was given.
    pub status: u16,
    /// SHA-256 of the body in hexadecimal; empty when there was none.
    pub body_digest: String,
    pub fault: Option<Fault>,
}

struct Shared<V> {
    vendor: Mutex<V>,
    faults: Mutex<Faults>,
    log: Mutex<Vec<Logged>>,
    listener: Mutex<Option<mpsc::Sender<String>>>,
}

/// A vendor that serves until this value is dropped.
pub struct Running<V> {
    pub address: SocketAddr,
    shared: Arc<Shared<V>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A panic in one test's closure must not hide what another asks for.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves `vendor` on `address`; port 0 picks a free one.
pub fn start<V: Vendor>(vendor: V, address: SocketAddr) -> io::Result<Running<V>> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let shared = Arc::new(Shared {
        vendor: Mutex::new(vendor),
        faults: Mutex::default(),
        log: Mutex::default(),
        listener: Mutex::default(),
    });
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let for_thread = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("fake vendor".to_string())
        .spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    () = accept(listener, for_thread) => {}
                    _ = stopped => {}
                }
            });
        })?;
    Ok(Running {
        address,
        shared,
        stop: Some(stop),
        thread: Some(thread),
    })
}

impl<V: Vendor> Running<V> {
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks into the vendor, or changes it, between two requests.
    pub fn with<R>(&self, look: impl FnOnce(&mut V) -> R) -> R {
        look(&mut lock(&self.shared.vendor))
    }

    /// The next `count` requests whose `METHOD /path?query` contains `matching` (any, when empty) go wrong like this.
    pub fn fail_next(&self, count: u32, matching: &str, fault: Fault) {
        self.fail_after(0, count, matching, fault);
    }

    /// The same after `skip` of those requests have gone well.
    pub fn fail_after(&self, skip: u32, count: u32, matching: &str, fault: Fault) {
        lock(&self.shared.faults).order(skip, count, matching, fault);
    }

    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    pub fn rate_limit(&self, limit: Option<RateLimit>) {
        lock(&self.shared.faults).limit(limit);
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<Logged> {
        lock(&self.shared.log).clone()
    }

    /// Tells `METHOD /path?query` of each request from now on, after it was carried out and before it is answered.
    pub fn tell(&self, listener: mpsc::Sender<String>) {
        *lock(&self.shared.listener) = Some(listener);
    }

    pub fn forget_requests(&self) {
        lock(&self.shared.log).clear();
    }
}

impl<V> Drop for Running<V> {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept<V: Vendor>(listener: TcpListener, shared: Arc<Shared<V>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Ends one connection with a reset, where a fault asks for it.
#[derive(Debug)]
struct ResetWanted;

impl std::fmt::Display for ResetWanted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("reset wanted")
    }
}

impl std::error::Error for ResetWanted {}

async fn serve<V: Vendor>(stream: TcpStream, shared: Arc<Shared<V>>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { handle(request, &shared).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = std::future::poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if ended.is_err() {
        // Closing with unsent data and no lingering makes the peer see a reset, not an orderly end.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn handle<V: Vendor>(
    request: hyper::Request<Incoming>,
    shared: &Shared<V>,
) -> Result<hyper::Response<Paced>, ResetWanted> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| ResetWanted)?.to_bytes();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_string();
    let query = head.uri.query().unwrap_or_default();
    let path = percent_encoding::percent_decode_str(head.uri.path()).decode_utf8_lossy();
    let request = Request {
        method: head.method.to_string(),
        target: target.clone(),
        path: path.into_owned(),
        query: form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: head.headers,
        body,
    };
    let fault = lock(&shared.faults).take(&format!("{} {target}", request.method));
    let reply = decide(&request, fault.as_ref(), shared);
    let answered = !matches!(fault, Some(Fault::Reset | Fault::AnswerLost));
    if let Some(listener) = lock(&shared.listener).as_ref() {
        // Who has stopped listening, or cannot keep up, is not waited for.
        let _ = listener.try_send(format!("{} {target}", request.method));
    }
    lock(&shared.log).push(Logged {
        at_ms: Clock::System.now_ms(),
        method: request.method,
        target,
        status: if answered { reply.status } else { 0 },
        body_digest: digest(&request.body),
        fault: fault.clone(),
    });
    respond(reply, fault.as_ref())
}

fn decide<V: Vendor>(request: &Request, fault: Option<&Fault>, shared: &Shared<V>) -> Reply {
    let over = lock(&shared.faults).over_limit(Instant::now());
    let mut vendor = lock(&shared.vendor);
    match fault {
        Some(Fault::ServerError) => vendor.server_error(),
        Some(Fault::Refused { status }) => refused(*status),
        Some(Fault::TooManyRequests { retry_after_s }) => vendor
            .too_many_requests()
            .with("retry-after", retry_after_s.to_string()),
        Some(fault) if !fault.carries_out() => Reply::empty(500),
        _ => match over {
            Some(wait_s) => vendor
                .too_many_requests()
                .with("retry-after", wait_s.to_string()),
            None => vendor.answer(request),
        },
    }
}

/// A body in which each vendor's clients find their error.
fn refused(status: u16) -> Reply {
    let message = format!("refused with {status} by order of the test");
    let body = json!({"status": "error", "title": "Refused", "detail": message, "message": message,
                      "category": "REFUSED", "error": {"type": "refused", "message": message}});
    Reply::json(status, &body)
}

fn respond(reply: Reply, fault: Option<&Fault>) -> Result<hyper::Response<Paced>, ResetWanted> {
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = match fault {
        Some(Fault::Reset | Fault::AnswerLost) => return Err(ResetWanted),
        Some(Fault::HalfBody) => {
            response = response.header("content-length", reply.body.len().max(2).to_string());
            Paced::broken(reply.body.slice(..reply.body.len() / 2))
        }
        Some(Fault::Garbage) => Paced::whole(Bytes::from_static(
            b"\x00\xff<html>{]\xc3\x28 not what you asked for",
        )),
        Some(Fault::Dribble { pause }) => Paced::slow(&reply.body, *pause),
        _ => Paced::whole(reply.body),
    };
    let status_of_garbage = matches!(fault, Some(Fault::Garbage));
    let mut response = response.body(body).map_err(|_| ResetWanted)?;
    if status_of_garbage {
        *response.status_mut() = hyper::StatusCode::OK;
    }
    Ok(response)
}

fn digest(body: &[u8]) -> String {
    if body.is_empty() {
        return String::new();
    }
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A response body that can pause between its pieces and break off at the end.
struct Paced {
    pieces: VecDeque<Bytes>,
    pause: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
    breaks: bool,
}

impl Paced {
    fn whole(body: Bytes) -> Paced {
        let pieces = if body.is_empty() {
            VecDeque::new()
        } else {
            VecDeque::from([body])
        };
        Paced {
            pieces,
            pause: None,
            sleep: None,
            breaks: false,
        }
    }

    fn broken(half: Bytes) -> Paced {
        // The pause lets the half reach the wire before the connection breaks.
        let pause = Some(Duration::from_millis(20));
        Paced {
            pieces: VecDeque::from([half]),
            pause,
            sleep: None,
            breaks: true,
        }
    }

    fn slow(body: &Bytes, pause: Duration) -> Paced {
        let size = body.len().div_ceil(16).max(1);
        let pieces = body.chunks(size).map(Bytes::copy_from_slice).collect();
        Paced {
            pieces,
            pause: Some(pause),
            sleep: None,
            breaks: false,
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = ResetWanted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResetWanted>>> {
        if let Some(pause) = self.pause {
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            if Future::poll(sleep.as_mut(), context).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
        }
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.breaks => Poll::Ready(Some(Err(ResetWanted))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        if self.breaks {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }
}
