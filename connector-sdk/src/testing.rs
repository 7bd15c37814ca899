//! A hub for tests: answers requests by a function or a script, remembers what was asked, keeps a fixed clock.
//! Native builds only.

use crate::hub::{HttpError, Hub, Level, MacAlgorithm, Request, Response};
use crate::types::{Batch, ReadRequest, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

type Answer = dyn FnMut(&Request) -> Result<Response, HttpError>;
type Script = Rc<RefCell<VecDeque<(String, Response)>>>;

/// A hub that never leaves the process.
pub struct TestHub {
    answer: RefCell<Box<Answer>>,
    sent: RefCell<Vec<Request>>,
    logged: RefCell<Vec<String>>,
    keys: BTreeMap<String, Vec<u8>>,
    now_ms: Cell<u64>,
    cancelled: bool,
    unused: Option<Script>,
}

impl TestHub {
    /// Answers every request by a function, which may be a small vendor with a state of its own.
    pub fn new(answer: impl FnMut(&Request) -> Result<Response, HttpError> + 'static) -> Self {
        Self {
            answer: RefCell::new(Box::new(answer)),
            sent: RefCell::default(),
            logged: RefCell::default(),
            keys: BTreeMap::new(),
            now_ms: Cell::new(1_700_000_000_000),
            cancelled: false,
            unused: None,
        }
    }

    /// Answers by a script: each request has to begin as the next line says (`GET https://…`), in that order.
    pub fn script<'a>(lines: impl IntoIterator<Item = (&'a str, Response)>) -> Self {
        let lines = lines
            .into_iter()
            .map(|(start, response)| (start.to_owned(), response));
        let script = Rc::new(RefCell::new(lines.collect::<VecDeque<_>>()));
        let unused = script.clone();
        let mut hub = Self::new(move |request| {
            let asked = format!("{} {}", request.method, request.url);
            match script.borrow_mut().pop_front() {
                Some((start, response)) if asked.starts_with(&start) => Ok(response),
                Some((start, _)) => panic!("expected `{start}`, got `{asked}`"),
                None => panic!("the script is over, but `{asked}` came"),
            }
        });
        hub.unused = Some(unused);
        hub
    }

    /// A key for `mac`.
    pub fn key(mut self, credential: &str, key: &[u8]) -> Self {
        self.keys.insert(credential.to_owned(), key.to_vec());
        self
    }

    pub fn cancel(mut self) -> Self {
        self.cancelled = true;
        self
    }

    pub fn set_now_ms(&self, now_ms: u64) {
        self.now_ms.set(now_ms);
    }

    pub fn sent(&self) -> Vec<Request> {
        self.sent.borrow().clone()
    }

    /// The JSON bodies of the requests that had one.
    pub fn bodies(&self) -> Vec<Value> {
        let sent = self.sent.borrow();
        sent.iter()
            .filter_map(|request| serde_json::from_slice(request.body.as_deref()?).ok())
            .collect()
    }

    pub fn logged(&self) -> Vec<String> {
        self.logged.borrow().clone()
    }

    /// Fails the test when a line of the script was never asked for.
    pub fn finish(&self) {
        let unused = self
            .unused
            .as_ref()
            .map_or(0, |script| script.borrow().len());
        assert_eq!(unused, 0, "lines of the script that were never asked for");
    }
}

impl Hub for TestHub {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let response = (self.answer.borrow_mut())(&request);
        self.sent.borrow_mut().push(request);
        response
    }

    fn log(&self, _: Level, message: &str, _: Option<&str>) {
        self.logged.borrow_mut().push(message.to_owned());
    }

    fn cancelled(&self) -> bool {
        self.cancelled
    }

    fn remaining_ms(&self) -> u64 {
        60_000
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn progress(&self, _: u64, _: Option<u64>, _: Option<&str>) {}

    fn count(&self, _: &str, _: u64) {}

    fn mac(
        &self,
        credential: &str,
        algorithm: MacAlgorithm,
        data: &[u8],
    ) -> Result<Vec<u8>, String> {
        let key = self.keys.get(credential);
        let key = key.ok_or_else(|| format!("no credential `{credential}`"))?;
        match algorithm {
            MacAlgorithm::HmacSha256 => Ok(hmac_sha256(key, data)),
            other => Err(format!("{other:?} is not known to the test hub")),
        }
    }

    fn sha256(&self, data: &[u8]) -> Vec<u8> {
        Sha256::digest(data).to_vec()
    }
}

/// RFC 2104 over SHA-256.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(data)
        .finalize();
    Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

/// An answer with a JSON body.
#[allow(clippy::needless_pass_by_value)] // `json!` values are made in place
pub fn json(status: u16, body: Value) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

/// Calls `read` until it is done and gives the rows, the deletes and the last cursor.
pub fn read_all(
    mut request: ReadRequest,
    mut read: impl FnMut(&ReadRequest) -> Result<Batch>,
) -> Result<(Vec<Value>, Vec<Value>, Vec<u8>)> {
    let (mut upserts, mut deletes) = (Vec::new(), Vec::new());
    for _ in 0..10_000 {
        let batch = read(&request)?;
        assert_eq!(batch.upserts.lines().count(), batch.upserts.count as usize);
        let parse = |line: &[u8]| serde_json::from_slice::<Value>(line).expect("a row is JSON");
        upserts.extend(batch.upserts.lines().map(parse));
        deletes.extend(
            batch
                .deletes
                .iter()
                .flat_map(|chunk| chunk.lines().map(parse)),
        );
        if batch.done {
            return Ok((upserts, deletes, batch.cursor));
        }
        request.cursor = Some(batch.cursor);
    }
    panic!("the stream never ends");
}

/// A request for the whole of a stream.
pub fn whole(stream: &str) -> ReadRequest {
    ReadRequest {
        stream: stream.to_owned(),
        max_records: 1_000,
        max_bytes: 1 << 24,
        ..ReadRequest::default()
    }
}

/// A request that goes on from a cursor.
pub fn from_cursor(stream: &str, cursor: &[u8]) -> ReadRequest {
    ReadRequest {
        cursor: Some(cursor.to_vec()),
        ..whole(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_the_published_one() {
        // RFC 4231, test case 2.
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        let text: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
