//! A connector that answers by a script: page after page, each with the number of the next one as its cursor.

use crate::host::{
    AudiencePage, AudienceRef, Batch, CheckReport, Chunk, Connector, Delivery, Erasure, Failure,
    FailureKind, MemberChange, MemberId, Outcome, ReadRequest, Reply, StreamInfo, TargetInfo,
    WriteRequest,
};
use crate::problem::Problem;
use crate::problem::codes::{VENDOR_CURSOR_EXPIRED, VENDOR_PERMANENT, VENDOR_RATE_LIMITED};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
pub struct Page {
    upserts: Vec<String>,
    deletes: Vec<String>,
}

impl Page {
    pub fn lines(&self) -> &[String] {
        &self.upserts
    }

    pub fn len(&self) -> usize {
        self.upserts.len()
    }
}

/// Lines, and the keys that are deleted.
pub fn page(upserts: &[String], deletes: &[&str]) -> Page {
    Page {
        upserts: upserts.to_vec(),
        deletes: deletes
            .iter()
            .map(|id| format!(r#"{{"id":"{id}"}}"#))
            .collect(),
    }
}

#[derive(Clone, Default)]
pub struct Script {
    pages: Vec<Page>,
    /// This cursor is no longer honoured.
    expired: Option<String>,
    /// Reading from this cursor on fails.
    broken: Option<String>,
    /// The cursors that follow each other, and what comes with each.
    round: Option<(Vec<String>, Page)>,
    retry_after_ms: Option<u64>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub fn of(pages: impl IntoIterator<Item = Page>) -> Self {
        Self {
            pages: pages.into_iter().collect(),
            ..Self::default()
        }
    }

    pub fn with_expired(self, cursor: &str) -> Self {
        Self {
            expired: Some(cursor.to_owned()),
            ..self
        }
    }

    pub fn failing_at(self, cursor: &str) -> Self {
        Self {
            broken: Some(cursor.to_owned()),
            ..self
        }
    }

    pub fn going_round(self, cursors: &[&str], page: Page) -> Self {
        let cursors = cursors.iter().map(|cursor| (*cursor).to_owned()).collect();
        Self {
            round: Some((cursors, page)),
            ..self
        }
    }

    pub fn asking_to_wait(self, ms: u64) -> Self {
        Self {
            retry_after_ms: Some(ms),
            ..self
        }
    }

    /// The cursors that it was asked with.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn next_in_the_round(&self, cursor: &str) -> Option<Batch> {
        let (cursors, page) = self.round.as_ref()?;
        let at = cursors.iter().position(|one| one == cursor);
        let next = at.map_or(0, |at| at + 1) % (cursors.len() - 1);
        Some(batch(page, &cursors[next], false))
    }
}

fn batch(page: &Page, cursor: &str, done: bool) -> Batch {
    let chunk = |lines: &[String]| Chunk {
        count: lines.len() as u32,
        data: lines
            .iter()
            .flat_map(|line| format!("{line}\n").into_bytes())
            .collect(),
    };
    Batch {
        upserts: chunk(&page.upserts),
        deletes: Some(chunk(&page.deletes)),
        cursor: cursor.as_bytes().to_vec(),
        done,
    }
}

fn failure(kind: FailureKind) -> Failure {
    let code = match kind {
        FailureKind::CursorExpired => &VENDOR_CURSOR_EXPIRED,
        FailureKind::RateLimited => &VENDOR_RATE_LIMITED,
        _ => &VENDOR_PERMANENT,
    };
    Failure::new(kind, Problem::new(code, "by the script"))
}

fn only_read<T>() -> Result<T, Failure> {
    Err(failure(FailureKind::Permanent))
}

impl Connector for Script {
    fn split(&mut self, _: &str, _: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(vec![String::new()])
    }

    fn read(&mut self, request: &ReadRequest) -> Result<Batch, Failure> {
        let cursor = request.cursor.clone().unwrap_or_default();
        let cursor = String::from_utf8(cursor).unwrap();
        self.asked.lock().unwrap().push(cursor.clone());
        if self.retry_after_ms.is_some() {
            return Err(Failure {
                retry_after_ms: self.retry_after_ms,
                ..failure(FailureKind::RateLimited)
            });
        }
        if let Some(batch) = self.next_in_the_round(&cursor) {
            return Ok(batch);
        }
        match Some(&cursor) {
            at if at == self.expired.as_ref() => return Err(failure(FailureKind::CursorExpired)),
            at if at == self.broken.as_ref() => return Err(failure(FailureKind::Permanent)),
            _ => {}
        }
        let at: usize = cursor.parse().unwrap_or(0);
        // A cursor from an earlier script, which had another number of pages.
        let at = at.min(self.pages.len());
        let Some(page) = self.pages.get(at) else {
            return Ok(batch(&Page::default(), &at.to_string(), true));
        };
        let next = at + 1;
        Ok(batch(page, &next.to_string(), next == self.pages.len()))
    }

    fn check(&mut self) -> Result<CheckReport, Failure> {
        only_read()
    }
    fn discover(&mut self) -> Result<Vec<StreamInfo>, Failure> {
        only_read()
    }
    fn targets(&mut self) -> Result<Vec<TargetInfo>, Failure> {
        only_read()
    }
    fn write(&mut self, _: &WriteRequest) -> Result<Outcome, Failure> {
        only_read()
    }
    fn poll_write(&mut self, _: &str, _: u32) -> Result<Option<Outcome>, Failure> {
        only_read()
    }
    fn list_audiences(&mut self, _: Option<&str>) -> Result<AudiencePage, Failure> {
        only_read()
    }
    fn create_audience(&mut self, _: &str, _: Option<&str>) -> Result<AudienceRef, Failure> {
        only_read()
    }
    fn add_members(&mut self, _: &MemberChange) -> Result<Outcome, Failure> {
        only_read()
    }
    fn remove_members(&mut self, _: &MemberChange) -> Result<Outcome, Failure> {
        only_read()
    }
    fn poll_audience(&mut self, _: &str, _: u32) -> Result<Option<Outcome>, Failure> {
        only_read()
    }
    fn erase(&mut self, _: &[MemberId], _: &str) -> Result<Erasure, Failure> {
        only_read()
    }
    fn poll_erasure(&mut self, _: &str) -> Result<Erasure, Failure> {
        only_read()
    }
    fn receive(&mut self, _: &Delivery) -> Result<Reply, Failure> {
        only_read()
    }
}
