//! What others send to the hub: taken into the inbox before they get an answer, and read from there like what a vendor returns.

use crate::flow::context::Context;
use crate::host::{
    AudiencePage, AudienceRef, Batch, CheckReport, Chunk, Connector, Delivery, Erasure, Failure,
    FailureKind, MemberChange, MemberId, Outcome, ReadRequest, Reply, StreamInfo, TargetInfo,
    WriteRequest,
};
use crate::manifest::Source;
use crate::model::Timestamp;
use crate::problem::Problem;
use crate::problem::codes::NOT_EXPORTED;
use crate::store::{INBOX, InboxRow, Result, SentRow, Store, Tx, Waiting};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// How many bytes of messages may wait to be stored. More are refused for a moment.
const WAITING_BYTES: usize = 32 << 20;
/// How many messages may wait to be landed: a source that is paused for days must not fill the disk.
const MOST_WAITING: i64 = 2_000_000;
/// How often they are counted.
const LOOK_AT_ROOM: Duration = Duration::from_secs(1);
/// Requests that are stored in one transaction.
const TOGETHER: usize = 256;
/// For how long a message that is sent again is known by its id alone.
const KNOWN_MS: i64 = 30 * 86_400_000;
/// Messages that are emptied or forgotten in one transaction.
const SOME: i64 = 10_000;

/// One call, as a record of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    pub stream: Arc<str>,
    /// Its id at the sender: what comes again with the same one is not taken again.
    pub id: String,
    /// Of what was sent, without what the hub adds.
    pub hash: i64,
    /// The record is deleted, and the body has its key alone.
    pub removes: bool,
    /// One line of JSON.
    pub body: Vec<u8>,
}

/// What became of the messages of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    pub stored: usize,
    /// They had come before.
    pub known: usize,
    /// The same of messages that say something else than the one that came before under their id.
    pub conflicts: usize,
}

/// Why nothing of a request was taken.
#[derive(Debug, Clone)]
pub enum NotTaken {
    /// Too much waits.
    Full,
    Failed(Problem),
    /// The hub stops.
    Stopping,
}

struct Request {
    source: Arc<str>,
    messages: Vec<Incoming>,
    answer: oneshot::Sender<std::result::Result<Taken, NotTaken>>,
    _room: OwnedSemaphorePermit,
}

/// Takes messages into the inbox, those of many requests in one transaction. Cheap to clone; its task ends with the last clone.
#[derive(Clone)]
pub struct Receiver {
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
}

impl Receiver {
    pub fn start(context: &Context) -> Self {
        Self::with_room(context, MOST_WAITING)
    }

    fn with_room(context: &Context, most: i64) -> Self {
        let (requests, arriving) = mpsc::channel(TOGETHER);
        let room = Room::of(context, most);
        tokio::spawn(store_all(context.clone(), arriving, room));
        Self {
            requests,
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
        }
    }

    /// Stores messages; whatever is counted in the answer survives the end of the process.
    pub async fn take(
        &self,
        source: &Arc<str>,
        messages: Vec<Incoming>,
    ) -> std::result::Result<Taken, NotTaken> {
        let bytes: usize = messages.iter().map(|one| one.body.len()).sum();
        let bytes = u32::try_from(bytes.min(WAITING_BYTES)).unwrap_or(u32::MAX);
        let Ok(room) = self.room.clone().try_acquire_many_owned(bytes) else {
            return Err(NotTaken::Full);
        };
        let (answer, answered) = oneshot::channel();
        let request = Request {
            source: source.clone(),
            messages,
            answer,
            _room: room,
        };
        if self.requests.send(request).await.is_err() {
            return Err(NotTaken::Stopping);
        }
        match answered.await {
            Ok(taken) => taken,
            Err(_) => Err(NotTaken::Stopping),
        }
    }
}

/// What may wait in the inbox, of all sources together.
struct Room {
    store: Store,
    most: i64,
    is_full: bool,
    looked: Option<Instant>,
}

impl Room {
    fn of(context: &Context, most: i64) -> Self {
        Self {
            store: context.store.clone(),
            most,
            is_full: false,
            looked: None,
        }
    }

    /// Looked at now and then: what came meanwhile is little.
    async fn is_full(&mut self) -> Result<bool> {
        let lately = |looked: Instant| looked.elapsed() < LOOK_AT_ROOM;
        if !self.looked.is_some_and(lately) {
            let is_full = self.store.read().await?.is_inbox_full(self.most).await?;
            if is_full && !self.is_full {
                tracing::warn!(
                    most = self.most,
                    "so many messages wait to be landed that no more are taken; a source may be paused, or its landing fail"
                );
            }
            (self.is_full, self.looked) = (is_full, Some(Instant::now()));
        }
        Ok(self.is_full)
    }
}

async fn store_all(context: Context, mut arriving: mpsc::Receiver<Request>, mut room: Room) {
    while let Some(first) = arriving.recv().await {
        let mut requests = vec![first];
        while requests.len() < TOGETHER
            && let Ok(next) = arriving.try_recv()
        {
            requests.push(next);
        }
        let stored = match room.is_full().await {
            Ok(true) => Err(NotTaken::Full),
            Ok(false) => store(&context, &requests).await.map_err(NotTaken::Failed),
            Err(problem) => Err(NotTaken::Failed(problem)),
        };
        context.arrivals.send_modify(|count| *count += 1);
        let taken = match stored {
            Ok(taken) => taken.into_iter().map(Ok).collect(),
            Err(why) => vec![Err(why); requests.len()],
        };
        for (request, taken) in requests.into_iter().zip(taken) {
            // The sender may have gone; what was stored stays.
            let _ = request.answer.send(taken);
        }
    }
}

/// Stores the messages of requests that are not known yet, in one transaction: one look-up and one insert decide (I9).
async fn store(context: &Context, requests: &[Request]) -> Result<Vec<Taken>> {
    let mut tx = context.store.begin().await?;
    let mut by_source: FxHashMap<&str, Vec<&str>> = FxHashMap::default();
    for request in requests {
        let of = by_source.entry(&request.source).or_default();
        of.extend(request.messages.iter().map(|one| one.id.as_str()));
    }
    let mut stored = Vec::new();
    for (source, ids) in by_source {
        let found = tx.known_messages(source, &ids).await?.into_iter();
        stored.extend(found.map(|(stream, id, hash)| (source, stream, id, hash)));
    }
    let stored = stored.iter();
    let known = stored.map(|(source, stream, id, hash)| ((*source, &**stream, &**id), *hash));
    let mut known: FxHashMap<(&str, &str, &str), i64> = known.collect();
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for request in requests {
        let mut taken = Taken::default();
        for one in &request.messages {
            let key = (&*request.source, &*one.stream, one.id.as_str());
            match known.get(&key) {
                Some(hash) => {
                    taken.known += 1;
                    taken.conflicts += usize::from(*hash != one.hash);
                }
                None => {
                    taken.stored += 1;
                    known.insert(key, one.hash);
                    rows.push(InboxRow {
                        id: 0,
                        source: &request.source,
                        stream: &one.stream,
                        message: &one.id,
                        hash: one.hash,
                        removes: one.removes,
                        body: &one.body,
                    });
                }
            }
        }
        all.push(taken);
    }
    let first = tx.reserve("inbox", rows.len() as i64).await?;
    for (id, row) in (first..).zip(&mut rows) {
        row.id = id;
    }
    tx.add_messages(&rows, context.clock.now()).await?;
    tx.count_sent(&sent_rows(requests, &all)).await?;
    tx.commit().await?;
    Ok(all)
}

/// What came to each source.
fn sent_rows(requests: &[Request], taken: &[Taken]) -> Vec<SentRow> {
    let mut rows: FxHashMap<&str, SentRow> = FxHashMap::default();
    for (request, taken) in requests.iter().zip(taken) {
        let row = rows.entry(&request.source).or_insert_with(|| SentRow {
            source: request.source.to_string(),
            ..SentRow::default()
        });
        row.taken += taken.stored as i64;
        row.known += taken.known as i64;
        row.conflicts += taken.conflicts as i64;
    }
    rows.into_values().collect()
}

/// Empties the messages of a source that have been landed, and forgets ids that are old. A transaction takes some of them.
pub async fn empty_landed(context: &Context, source: &Source) -> Result<()> {
    let mut tx = context.store.read().await?;
    let mut landed = Vec::new();
    for row in tx.streams().await? {
        if row.source == *source.name {
            let cursor = tx.cursor(row.id, INBOX).await?;
            landed.extend(cursor.as_deref().and_then(number).map(|id| (row, id)));
        }
    }
    drop(tx);
    for (row, id) in landed {
        while in_tx(context, async |tx| {
            tx.empty_messages(&row.source, &row.name, id, SOME).await
        })
        .await?
        {}
    }
    let before = Timestamp(context.clock.now().0 - KNOWN_MS);
    while in_tx(context, async |tx| tx.forget_messages(before, SOME).await).await? {}
    Ok(())
}

/// Whether there may be more to do.
async fn in_tx(context: &Context, work: impl AsyncFnOnce(&mut Tx) -> Result<u64>) -> Result<bool> {
    let mut tx = context.begin_held().await?;
    let done = work(&mut tx).await?;
    tx.commit().await?;
    Ok(done == SOME.unsigned_abs())
}

fn number(cursor: &[u8]) -> Option<i64> {
    std::str::from_utf8(cursor).ok()?.parse().ok()
}

/// The inbox of a source, as a connector that returns what waits there.
pub struct Inbox {
    store: Store,
    source: Arc<str>,
    /// Where the store's calls run; the connector's own block.
    runtime: Handle,
}

fn not_offered<T>(what: &str) -> std::result::Result<T, Failure> {
    let message = format!("what is sent to the hub has no `{what}`");
    let problem = Problem::new(&NOT_EXPORTED, message);
    Err(Failure::new(FailureKind::Config, problem))
}

/// As much of what was found as one batch holds. Deletions come after all else in a batch, so one ends with them.
fn page(found: &[Waiting], after: i64, most: i64, max_bytes: usize) -> Batch {
    let (mut upserts, mut deletes, mut last) = (Chunk::default(), Chunk::default(), after);
    let mut taken = 0;
    for (id, removes, body) in found {
        let is_full = upserts.data.len() + deletes.data.len() >= max_bytes;
        if taken > 0 && (is_full || (deletes.count > 0 && !removes)) {
            break;
        }
        let chunk = if *removes { &mut deletes } else { &mut upserts };
        chunk.data.extend_from_slice(body);
        chunk.data.push(b'\n');
        chunk.count += 1;
        (last, taken) = (*id, taken + 1);
    }
    Batch {
        upserts,
        deletes: (deletes.count > 0).then_some(deletes),
        cursor: last.to_string().into_bytes(),
        done: taken == found.len() && (taken as i64) < most,
    }
}

impl Inbox {
    pub fn of(context: &Context, source: &Source) -> Box<dyn Connector> {
        Box::new(Self {
            store: context.store.clone(),
            source: source.name.clone(),
            runtime: Handle::current(),
        })
    }
}

impl Connector for Inbox {
    fn check(&mut self) -> std::result::Result<CheckReport, Failure> {
        Ok(CheckReport::default())
    }

    fn discover(&mut self) -> std::result::Result<Vec<StreamInfo>, Failure> {
        Ok(Vec::new())
    }

    fn split(&mut self, _: &str, _: Option<&str>) -> std::result::Result<Vec<String>, Failure> {
        Ok(vec![INBOX.to_owned()])
    }

    fn read(&mut self, request: &ReadRequest) -> std::result::Result<Batch, Failure> {
        let after = request.cursor.as_deref().and_then(number).unwrap_or(0);
        let most = i64::from(request.max_records.max(1));
        let found = self.runtime.block_on(async {
            let mut tx = self.store.read().await?;
            tx.waiting_messages(&self.source, &request.stream, after, most)
                .await
        });
        let found = found.map_err(|problem| Failure::new(FailureKind::Transient, problem))?;
        Ok(page(&found, after, most, request.max_bytes as usize))
    }

    fn targets(&mut self) -> std::result::Result<Vec<TargetInfo>, Failure> {
        Ok(Vec::new())
    }

    fn write(&mut self, _: &WriteRequest) -> std::result::Result<Outcome, Failure> {
        not_offered("write")
    }

    fn poll_write(&mut self, _: &str, _: u32) -> std::result::Result<Option<Outcome>, Failure> {
        not_offered("write")
    }

    fn list_audiences(&mut self, _: Option<&str>) -> std::result::Result<AudiencePage, Failure> {
        not_offered("list-audiences")
    }

    fn create_audience(
        &mut self,
        _: &str,
        _: Option<&str>,
    ) -> std::result::Result<AudienceRef, Failure> {
        not_offered("create-audience")
    }

    fn add_members(&mut self, _: &MemberChange) -> std::result::Result<Outcome, Failure> {
        not_offered("add-members")
    }

    fn remove_members(&mut self, _: &MemberChange) -> std::result::Result<Outcome, Failure> {
        not_offered("remove-members")
    }

    fn poll_audience(&mut self, _: &str, _: u32) -> std::result::Result<Option<Outcome>, Failure> {
        not_offered("add-members")
    }

    fn erase(&mut self, _: &[MemberId], _: &str) -> std::result::Result<Erasure, Failure> {
        not_offered("erase")
    }

    fn poll_erasure(&mut self, _: &str) -> std::result::Result<Erasure, Failure> {
        not_offered("erase")
    }

    fn receive(&mut self, _: &Delivery) -> std::result::Result<Reply, Failure> {
        not_offered("receive")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::flow::harness::World;

    fn message(id: &str, hash: i64) -> Incoming {
        Incoming {
            stream: "tracks".into(),
            id: id.to_owned(),
            hash,
            removes: false,
            body: b"{}".to_vec(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn when_too_much_waits_more_is_refused_until_something_was_landed() {
        let manifest = "[hub]\nname = \"full\"\nstore = \"sqlite:unused.db\"\n";
        let world = World::new(manifest, &[], 0).await;
        let receiver = Receiver::with_room(&world.context, 3);
        let send = async |ids: &[&str]| {
            let messages = ids.iter().map(|id| message(id, 0)).collect();
            // Longer than a look at what waits is believed.
            tokio::time::sleep(LOOK_AT_ROOM + Duration::from_millis(20)).await;
            receiver.take(&"web".into(), messages).await
        };
        assert_eq!(send(&["1", "2", "3"]).await.unwrap().stored, 3);
        assert!(matches!(send(&["4"]).await, Err(NotTaken::Full)));
        let mut tx = world.context.store.begin().await.unwrap();
        assert_eq!(tx.empty_messages("web", "tracks", 1, 10).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(send(&["4"]).await.unwrap().stored, 1);
    }

    // S3
    #[tokio::test(flavor = "multi_thread")]
    async fn what_came_is_counted_by_source_with_what_came_again_and_said_something_else() {
        let manifest = "[hub]\nname = \"count\"\nstore = \"sqlite:unused.db\"\n";
        let world = World::new(manifest, &[], 0).await;
        let receiver = Receiver::start(&world.context);
        for (source, messages) in [
            ("web", vec![message("a", 1), message("b", 1)]),
            (
                "web",
                vec![message("a", 1), message("b", 2), message("c", 1)],
            ),
            ("app", vec![message("a", 7)]),
        ] {
            receiver.take(&source.into(), messages).await.unwrap();
        }
        let mut tx = world.context.store.read().await.unwrap();
        let row = |source: &str, taken, known, conflicts| SentRow {
            source: source.to_owned(),
            taken,
            known,
            conflicts,
        };
        let expected = [row("app", 1, 0, 0), row("web", 3, 2, 1)];
        assert_eq!(tx.sent().await.unwrap(), expected);
    }
}
