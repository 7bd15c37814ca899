//! The empty world for guests that bring their language's runtime: no files, no environment, no arguments, no
//! sockets; a clock, randomness, output that goes to the log, and `wasi:http` through the connection's own egress.

use crate::clock::Clock;
use crate::host::cancel::Cancel;
use crate::host::requests::Requests;
use crate::host::room::{Full as NoRoom, Held, Room};
use crate::host::state::State;
use crate::host::types::{Http, HttpError, HttpRequest, LogLevel};
use http_body_util::{BodyExt, Full};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpFailure, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

/// Most output of one call that is kept for the log.
const OUTPUT_BYTES: usize = 64 << 10;
/// Most bytes of a request that is sent through `wasi:http`.
const REQUEST_BYTES: usize = 64 << 20;

pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

/// A guest's share of WASI.
pub struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    egress: Egress,
    output: Output,
}

impl Wasi {
    pub fn new(state: &State) -> Self {
        let connection = &state.connection;
        let output = Output::default();
        let context = WasiCtxBuilder::new()
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .stdout(output.clone())
            .stderr(output.clone())
            .wall_clock(HubClock(connection.clock.clone()))
            .build();
        Self {
            context,
            table: ResourceTable::new(),
            http: WasiHttpCtx::new(),
            egress: Egress {
                http: connection.http.clone(),
                deadline: state.deadline(),
                cancel: connection.cancel.clone(),
                requests: state.requests.clone(),
                room: state.room.clone(),
                response_bytes: connection.limits.response_bytes,
            },
            output,
        }
    }

    pub fn begin(&mut self, deadline: Instant, cancel: Cancel) {
        self.egress.deadline = deadline;
        self.egress.cancel = cancel;
    }

    /// What the guest printed.
    pub fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut *lock(&self.output.0))
    }
}

/// Logs what the guest printed during a call.
pub fn log_output(state: &mut State) {
    let Some(wasi) = &mut state.wasi else { return };
    let printed = wasi.end();
    for line in String::from_utf8_lossy(&printed).lines() {
        state.log(LogLevel::Info, line, None);
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self
            .wasi
            .as_mut()
            .expect("linked with WASI only when the state has it");
        WasiCtxView {
            ctx: &mut wasi.context,
            table: &mut wasi.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let wasi = self
            .wasi
            .as_mut()
            .expect("linked with WASI only when the state has it");
        WasiHttpCtxView {
            ctx: &mut wasi.http,
            table: &mut wasi.table,
            hooks: &mut wasi.egress,
        }
    }
}

/// `wasi:http` through the connection's own way out, where the same policy holds.
struct Egress {
    http: Arc<dyn Http>,
    deadline: Instant,
    cancel: Cancel,
    requests: Requests,
    room: Room,
    response_bytes: u64,
}

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), HttpFailure>> + Send>,
    ),
    HttpFailure,
>;

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _body_read: Box<dyn Future<Output = Result<(), HttpFailure>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let egress = self.http.clone();
        let requests = self.requests.clone();
        let (room, response_bytes) = (self.room.clone(), self.response_bytes);
        let cancel = self.cancel.clone();
        let patience = options.and_then(|options| options.first_byte_timeout);
        let deadline = match patience {
            Some(patience) => self.deadline.min(Instant::now() + patience),
            None => self.deadline,
        };
        Box::new(async move {
            let under_way = room.request(response_bytes).await.map_err(no_room)?;
            let mut sent = room.holding();
            let request = whole(request, &mut sent).await?;
            let method = request.method.clone();
            requests.sending(&method);
            // What is on its way keeps its place and its bytes, also when the guest has given it up.
            let sending = tokio::task::spawn_blocking(move || {
                let answer = egress.send(request, deadline, &cancel);
                drop(sent);
                (answer, under_way)
            });
            let (answer, under_way) = sending
                .await
                .map_err(|_| HttpFailure::InternalError(None))?;
            requests.ended(&method, &answer);
            let response = answer.map_err(refused)?;
            let mut builder = http::Response::builder().status(response.status);
            for (name, value) in response.headers {
                builder = builder.header(name, value);
            }
            let length = response.body.len() as u64;
            if length > under_way.most() {
                return Err(HttpFailure::HttpResponseBodySize(Some(under_way.most())));
            }
            let body = Body {
                bytes: response.body,
                _held: under_way.answered(length).map_err(no_room)?,
            };
            let body = Full::new(bytes::Bytes::from_owner(body))
                .map_err(|never| match never {})
                .boxed_unsync();
            let response = builder
                .body(body)
                .map_err(|_| HttpFailure::HttpProtocolError)?;
            let finished: Box<dyn Future<Output = _> + Send> = Box::new(async { Ok(()) });
            Ok((response, finished))
        })
    }
}

/// An answer's body, which counts as the guest's memory until the guest has taken it.
struct Body {
    bytes: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn no_room(full: NoRoom) -> HttpFailure {
    let why = match full {
        NoRoom::Guest => {
            "the connector's own memory leaves no room for an answer (`limits.memory_bytes`)"
        }
        NoRoom::Hub => "all connectors together use what the hub has for them (`[limits] memory`)",
        NoRoom::Waiting => "too many requests are waiting already",
    };
    HttpFailure::InternalError(Some(why.to_owned()))
}

/// A request with its body, which `held` counts.
async fn whole(
    request: http::Request<WasiBody>,
    held: &mut Held,
) -> Result<HttpRequest, HttpFailure> {
    let (parts, mut body) = request.into_parts();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        if whole.len() + data.len() > REQUEST_BYTES {
            return Err(HttpFailure::HttpRequestBodySize(Some(REQUEST_BYTES as u64)));
        }
        held.add(data.len() as u64).map_err(no_room)?;
        whole.extend_from_slice(&data);
    }
    Ok(HttpRequest {
        method: parts.method.to_string(),
        url: parts.uri.to_string(),
        headers: parts
            .headers
            .iter()
            // The hub writes this one itself, from the URL.
            .filter(|(name, _)| *name != http::header::HOST)
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
        body: (!whole.is_empty()).then_some(whole),
        auth: None,
        bucket: None,
        idempotent: false,
    })
}

fn refused(error: HttpError) -> HttpFailure {
    match error {
        HttpError::Denied(_) => HttpFailure::HttpRequestDenied,
        HttpError::Dns(_) => HttpFailure::DestinationNotFound,
        HttpError::Connect(_) => HttpFailure::ConnectionRefused,
        HttpError::Tls(_) => HttpFailure::TlsProtocolError,
        HttpError::Timeout => HttpFailure::ConnectionTimeout,
        HttpError::ResponseTooLarge(most) => HttpFailure::HttpResponseBodySize(Some(most)),
        HttpError::Cancelled => HttpFailure::ConnectionTerminated,
        HttpError::Other(text) => HttpFailure::InternalError(Some(text)),
    }
}

struct HubClock(Clock);

impl HostWallClock for HubClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().millis()).unwrap_or(0))
    }
}

/// Standard output and standard error, kept until the call is over.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    /// What does not fit is dropped: a guest must not stop because it talks too much.
    fn keep(&self, bytes: &[u8]) {
        let mut kept = lock(&self.0);
        let room = OUTPUT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(OUTPUT_BYTES)
    }
}

impl Pollable for Output {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}

impl tokio::io::AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
