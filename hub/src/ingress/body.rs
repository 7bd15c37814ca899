//! Bodies: read within a time and a size, unpacked within a size, whatever they are labelled, and all of them together within a
//! bound.

use axum::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// How long a body may take.
const BODY: Duration = Duration::from_secs(30);
/// How long a body waits for room that another one has to leave.
const LEAVES: Duration = Duration::from_secs(1);
/// What all bodies that are being read may have in memory.
const TOGETHER_BYTES: usize = 32 << 20;
/// What a piece of a body takes up besides its bytes.
const PIECE_BYTES: usize = 48;

/// Why a body cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    TooLarge,
    TooSlow,
    /// It ended early, or is not the gzip that it begins as.
    Broken,
    /// There was no room for it among all bodies, or others needed the room that it had held for long.
    Full,
}

/// The bodies that are being read. Where there is no room for more, the one that takes up most for the longest has to leave, so
/// that clients which send and stop keep nobody out.
pub struct Bodies {
    room: Semaphore,
    next: AtomicU64,
    under_way: Mutex<BTreeMap<u64, UnderWay>>,
}

struct UnderWay {
    begun: Instant,
    held: usize,
    leave: Arc<Notify>,
}

/// The place of one body; what it holds is room again when it ends.
struct Place<'a> {
    bodies: &'a Bodies,
    number: u64,
    leave: Arc<Notify>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::of(TOGETHER_BYTES)
    }
}

impl Bodies {
    /// With room for so many bytes.
    fn of(bytes: usize) -> Self {
        Self {
            room: Semaphore::new(bytes),
            next: AtomicU64::new(0),
            under_way: Mutex::default(),
        }
    }

    /// The body of at most `limit` bytes, unpacked where it is gzip, whether labelled or not. The caller uses it before anything
    /// else is waited for: it takes up no room from here on.
    pub async fn read(&self, body: Body, limit: usize) -> Result<Bytes, BodyError> {
        let place = self.place();
        let read = tokio::time::timeout(BODY, place.collect(body, limit));
        let collected = tokio::select! {
            read = read => read.unwrap_or(Err(BodyError::TooSlow))?,
            () = place.leave.notified() => return Err(BodyError::Full),
        };
        match collected.starts_with(&[0x1f, 0x8b]) {
            true => unpacked(&collected, limit),
            false => Ok(collected.into()),
        }
    }

    fn place(&self) -> Place<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let leave = Arc::new(Notify::new());
        let body = UnderWay {
            begun: Instant::now(),
            held: 0,
            leave: leave.clone(),
        };
        self.under_way().insert(number, body);
        Place {
            bodies: self,
            number,
            leave,
        }
    }

    /// Asks bodies to leave that hold the given number of bytes together.
    fn make_room(&self, bytes: usize) {
        let under_way = self.under_way();
        let mut bodies: Vec<&UnderWay> = under_way.values().filter(|one| one.held > 0).collect();
        bodies.sort_by_cached_key(|one| {
            std::cmp::Reverse(one.held as u128 * one.begun.elapsed().as_micros())
        });
        let mut left = bytes;
        for body in bodies {
            if left == 0 {
                return;
            }
            body.leave.notify_one();
            left = left.saturating_sub(body.held);
        }
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<u64, UnderWay>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    async fn collect(&self, mut body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
        // Pieces as they come: one that grows would leave its smaller versions to the allocator.
        let (mut pieces, mut length) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| BodyError::Broken)?;
            // What is no data are trailers.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            length += data.len();
            if length > limit {
                return Err(BodyError::TooLarge);
            }
            self.hold(data.len() + PIECE_BYTES).await?;
            // A copy, since what came keeps the whole buffer of its connection.
            pieces.push(data.to_vec());
        }
        Ok(pieces.concat())
    }

    /// Takes room for further bytes.
    async fn hold(&self, bytes: usize) -> Result<(), BodyError> {
        let wanted = u32::try_from(bytes).map_err(|_| BodyError::TooLarge)?;
        let room = &self.bodies.room;
        let permit = match room.try_acquire_many(wanted) {
            Ok(permit) => permit,
            Err(_) => {
                self.bodies.make_room(bytes);
                let waited = tokio::time::timeout(LEAVES, room.acquire_many(wanted)).await;
                waited.ok().and_then(Result::ok).ok_or(BodyError::Full)?
            }
        };
        // The place releases it when it ends.
        permit.forget();
        if let Some(body) = self.bodies.under_way().get_mut(&self.number) {
            body.held += bytes;
        }
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let left = self.bodies.under_way().remove(&self.number);
        self.bodies
            .room
            .add_permits(left.map_or(0, |body| body.held));
    }
}

/// No more than the limit is ever unpacked.
fn unpacked(packed: &[u8], limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(limit as u64 + 1);
    decoder
        .read_to_end(&mut whole)
        .map_err(|_| BodyError::Broken)?;
    match whole.len() > limit {
        true => Err(BodyError::TooLarge),
        false => Ok(whole.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    // S16
    #[tokio::test]
    async fn a_body_is_unpacked_up_to_its_limit_and_no_further() {
        let bomb = gzip(&vec![b' '; 128 << 20]);
        assert!(bomb.len() < 200 << 10);
        let limit = 512 << 10;
        let bodies = Bodies::default();
        let read = |bytes: Vec<u8>| bodies.read(Body::from(bytes), limit);
        assert_eq!(read(bomb).await, Err(BodyError::TooLarge));
        assert_eq!(read(gzip(b"{}")).await.unwrap(), "{}");
        assert_eq!(read(b"{}".to_vec()).await.unwrap(), "{}");
        let mut cut = gzip(&[7; 1_000]);
        cut.truncate(12);
        assert_eq!(read(cut).await, Err(BodyError::Broken));
        assert_eq!(read(vec![b'x'; limit + 1]).await, Err(BodyError::TooLarge));
    }

    /// A body that sends what it is given, and then nothing.
    fn stalled(bytes: usize) -> Body {
        let sent = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![b' '; bytes])]);
        Body::from_stream(futures_util::StreamExt::chain(
            sent,
            futures_util::stream::pending(),
        ))
    }

    // S16
    #[tokio::test]
    async fn bodies_that_stop_leave_when_others_need_their_room() {
        let bodies = Arc::new(Bodies::of(1_000 + 3 * PIECE_BYTES));
        let read = |body: Body| {
            let bodies = bodies.clone();
            tokio::spawn(async move { bodies.read(body, 900).await })
        };
        let long = read(stalled(600));
        while bodies.room.available_permits() > 400 + 2 * PIECE_BYTES {
            tokio::task::yield_now().await;
        }
        let short = read(stalled(300));
        while bodies.room.available_permits() > 100 + PIECE_BYTES {
            tokio::task::yield_now().await;
        }
        // What fits goes on, and what does not takes the place of what holds most.
        assert_eq!(
            bodies
                .read(Body::from(vec![b'x'; 90]), 900)
                .await
                .unwrap()
                .len(),
            90
        );
        assert!(!long.is_finished());
        assert_eq!(
            bodies
                .read(Body::from(vec![b'x'; 500]), 900)
                .await
                .unwrap()
                .len(),
            500
        );
        assert_eq!(long.await.unwrap(), Err(BodyError::Full));
        assert!(!short.is_finished());
        short.abort();
        let _ = short.await;
        assert_eq!(bodies.room.available_permits(), 1_000 + 3 * PIECE_BYTES);
        assert!(bodies.under_way().is_empty());
    }
}
