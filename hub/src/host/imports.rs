//! What a guest may call in the hub: `log`, `run`, `http`, `crypto`. Each answer is bounded by the call's
//! limits; policy and secrets are elsewhere.

use crate::host::state::State;
use crate::host::types::{HttpError, HttpRequest, LogLevel, MacAlgorithm};
use crate::host::wire::{self, crypto, http, log, run};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

impl wire::types::Host for State {}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String, fields: Option<String>) {
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.log(level, &message, fields.as_deref());
    }
}

impl run::Host for State {
    fn cancelled(&mut self) -> bool {
        self.cancel().is_cancelled()
    }

    fn remaining_ms(&mut self) -> u64 {
        let left = self.deadline().saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    fn now_ms(&mut self) -> u64 {
        u64::try_from(self.connection.clock.now().millis()).unwrap_or(0)
    }

    fn progress(&mut self, done: u64, total: Option<u64>, note: Option<String>) {
        let total = total.map_or_else(String::new, |total| format!(" of {total}"));
        let note = note.map_or_else(String::new, |note| format!(": {note}"));
        let line = format!("{done}{total} done{note}");
        self.log(LogLevel::Debug, &line, None);
    }

    fn count(&mut self, metric: String, by: u64) {
        self.log(LogLevel::Trace, &format!("{metric} +{by}"), None);
    }
}

impl http::Host for State {
    fn send(&mut self, request: http::Request) -> Result<http::Response, http::HttpError> {
        if self.cancel().is_cancelled() {
            return Err(http::HttpError::Cancelled);
        }
        let deadline = match request.timeout_ms {
            Some(ms) => self
                .deadline()
                .min(Instant::now() + Duration::from_millis(u64::from(ms))),
            None => self.deadline(),
        };
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: request
                .headers
                .into_iter()
                .map(|header| (header.name, header.value))
                .collect(),
            body: request.body,
            auth: request.auth,
            bucket: request.bucket,
            idempotent: request.idempotent,
        };
        let method = request.method.clone();
        self.requests.sending(&method);
        let answer = self.waiting(|state| {
            let connection = &state.connection;
            connection.http.send(request, deadline, &connection.cancel)
        });
        self.requests.ended(&method, &answer);
        match answer {
            Ok(response) => Ok(http::Response {
                status: response.status,
                headers: response
                    .headers
                    .into_iter()
                    .map(|(name, value)| http::Header { name, value })
                    .collect(),
                body: response.body,
            }),
            Err(error) => Err(to_wire(error)),
        }
    }
}

fn to_wire(error: HttpError) -> http::HttpError {
    match error {
        HttpError::Denied(problem) => http::HttpError::Denied(match &problem.hint {
            Some(hint) => format!("{}; {hint}", problem.message),
            None => problem.message,
        }),
        HttpError::Dns(text) => http::HttpError::Dns(text),
        HttpError::Connect(text) => http::HttpError::Connect(text),
        HttpError::Tls(text) => http::HttpError::Tls(text),
        HttpError::Timeout => http::HttpError::Timeout,
        HttpError::ResponseTooLarge(most) => http::HttpError::ResponseTooLarge(most),
        HttpError::Cancelled => http::HttpError::Cancelled,
        HttpError::Other(text) => http::HttpError::Other(text),
    }
}

impl crypto::Host for State {
    fn mac(
        &mut self,
        credential: String,
        algorithm: crypto::MacAlg,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        let algorithm = match algorithm {
            crypto::MacAlg::HmacSha1 => MacAlgorithm::HmacSha1,
            crypto::MacAlg::HmacSha256 => MacAlgorithm::HmacSha256,
            crypto::MacAlg::HmacSha512 => MacAlgorithm::HmacSha512,
        };
        let Some(keys) = self.connection.keys.clone() else {
            return Err(format!(
                "no signing credential is granted; add `credential.{credential}` to `{}`",
                self.connection.name
            ));
        };
        keys.mac(&credential, algorithm, &data)
    }

    fn sha256(&mut self, data: Vec<u8>) -> Vec<u8> {
        Sha256::digest(&data).to_vec()
    }
}
