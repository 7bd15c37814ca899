//! When a connection last did something: from its first moment, or from the end of the last answer, a client has so long to send the head of a
//! request, whatever the protocol is.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// The requests of one connection.
#[derive(Clone)]
pub struct Activity(Arc<Mutex<State>>);

struct State {
    /// Requests whose head has come and whose answer has not ended.
    requests: usize,
    since: Instant,
}

/// One request, from its head to the end of its answer.
pub struct UnderWay(Activity);

impl Activity {
    pub fn begin() -> Self {
        Self(Arc::new(Mutex::new(State {
            requests: 0,
            since: Instant::now(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn request(&self) -> UnderWay {
        self.state().requests += 1;
        UnderWay(self.clone())
    }

    /// Returns when for so long there was no request.
    pub async fn idle(&self, limit: Duration) {
        loop {
            let deadline = {
                let state = self.state();
                match state.requests {
                    0 => state.since + limit,
                    _ => Instant::now() + limit,
                }
            };
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        state.since = Instant::now();
    }
}

/// A body that keeps its request under way until it has been sent.
pub struct Answering {
    body: Body,
    _request: UnderWay,
}

impl Answering {
    pub fn of(body: Body, request: UnderWay) -> Self {
        Self {
            body,
            _request: request,
        }
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
