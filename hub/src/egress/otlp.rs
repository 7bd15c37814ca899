//! Sends what the hub says about its own work to the collector that the operator named. It is not a vendor: there is no credential and no grant,
//! and an address on this machine is the usual one.

use super::dial::install_crypto;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use reqwest::{Client, redirect};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long one export may take. What is not sent by then is lost.
pub const EXPORT: Duration = Duration::from_secs(5);

/// A client that the exporter's own thread can use: its requests run on the runtime in which it was made.
#[derive(Debug)]
pub struct OtlpClient {
    client: Client,
    runtime: Handle,
    /// The last export was lost, which was said.
    is_lost: Arc<AtomicBool>,
}

impl OtlpClient {
    /// In a runtime only. The error says why no client can be made.
    pub fn new() -> Result<Self, String> {
        install_crypto();
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(EXPORT)
            .build();
        Ok(Self {
            client: client.map_err(|error| error.to_string())?,
            runtime: Handle::current(),
            is_lost: Arc::default(),
        })
    }
}

impl HttpClient for OtlpClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let is_lost = self.is_lost.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await;
            let answer = answer.and_then(reqwest::Response::error_for_status);
            let was_lost = is_lost.swap(answer.is_err(), Ordering::Relaxed);
            if let Err(error) = &answer
                && !was_lost
            {
                tracing::warn!(%error, "traces cannot be delivered and are lost");
            }
            let answer = answer?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.extend(answer.headers().clone());
            }
            // What a collector says about a batch is not used.
            Ok::<_, HttpError>(response.body(Bytes::new())?)
        });
        Box::pin(async move { sent.await? })
    }
}
