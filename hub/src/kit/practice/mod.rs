//! The practice help desk: a made-up vendor on loopback that connectors are tested against. Strict and stateful; the same
//! seed gives the same data. Owns the socket; `api` knows the rules, `desk` the state, `data` what there is at first.

mod api;
mod data;
mod desk;
#[cfg(test)]
mod tests;

use api::{Answer, Call};
use bytes::Bytes;
use desk::Desk;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

/// The token that may read and write.
pub const TOKEN: &str = "practice-token";
/// A token that may only read: what writes answers 403.
pub const READ_ONLY_TOKEN: &str = "practice-read-token";
/// Longest body that is read, in bytes.
const BODY_BYTES: usize = 1 << 20;

/// What the help desk holds when it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub seed: u64,
    /// Contacts, deleted ones among them; there are half as many tickets.
    pub contacts: u32,
    /// Whether an address that is added to a tag becomes a contact when there is none, as at vendors that know lists only.
    pub new_members: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            contacts: 500,
            new_members: false,
        }
    }
}

/// A help desk that serves until it is dropped.
#[derive(Debug)]
pub struct Practice {
    pub address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

/// Looks at what a help desk holds, and changes it as its own users would. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shelf(Arc<Mutex<Desk>>);

impl Shelf {
    /// Every living contact and every tag with its members, as JSON.
    pub fn state(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .state()
    }

    /// Deletes a contact and creates it again with the same id and another name; none when there is no such contact.
    pub fn create_again(&self, email: &str, name: &str) -> Option<u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .create_again(email, name)
    }
}

impl Practice {
    /// Opens on loopback; port 0 takes a free one.
    pub fn start(runtime: &Handle, settings: Settings, port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        drop(entered);
        let desk = Arc::new(Mutex::new(data::open(settings)));
        let task = runtime.spawn(accept(listener, desk.clone()));
        Ok(Self {
            address,
            desk,
            task,
        })
    }

    pub fn shelf(&self) -> Shelf {
        Shelf(self.desk.clone())
    }

    /// Such as `http://127.0.0.1:8080`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connections end with the task, because their set is dropped with it.
async fn accept(listener: TcpListener, desk: Arc<Mutex<Desk>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, desk.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, desk: Arc<Mutex<Desk>>) {
    // An answer goes out at once, or waits a little: nothing depends on it.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(handle(request, &desk).await) }
    });
    // A client that goes away in the middle is its own affair.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(
    request: hyper::Request<Incoming>,
    desk: &Mutex<Desk>,
) -> hyper::Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES).collect().await else {
        return response(Answer::error(
            413,
            "body_too_large",
            "a body has at most 1 MiB",
        ));
    };
    let header = |name: &str| {
        let value = head.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let call = Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        content_type: header("content-type"),
        idempotency_key: header("idempotency-key"),
        body: body.to_bytes(),
    };
    let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
    response(api::answer(&mut desk, &call))
}

fn response(answer: Answer) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::OK);
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}
