//! How much memory guests may still have: one guest by its own limit, and all of them together by the hub's. What counts are a guest's own
//! memories, and the answers to its requests until it has taken them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Most requests of one guest that are under way at the same time; more wait.
const REQUESTS: u32 = 16;
/// Most that wait.
const WAITING: u32 = 256;
/// A request is not made for less room than this, if its answer could need it.
const LEAST_ANSWER: u64 = 1 << 20;
/// What all guests share where the hub's manifest does not say and the machine does not tell.
const USUAL_BYTES: u64 = 4 << 30;

/// Memory that all guests of a hub share.
#[derive(Debug)]
pub struct Budget {
    most: AtomicU64,
    used: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            most: AtomicU64::new(half_of_the_machine().unwrap_or(USUAL_BYTES)),
            used: AtomicU64::new(0),
        }
    }
}

impl Budget {
    /// From now on; what is in use stays.
    pub fn set(&self, bytes: u64) {
        self.most.store(bytes, Ordering::Relaxed);
    }

    pub fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// False, and nothing is taken, when there is not so much left.
    pub fn take(&self, bytes: u64) -> bool {
        let most = self.most();
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|used| *used <= most)
            });
        taken.is_ok()
    }

    pub fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Of what this process may have of it: a container's limit counts.
#[cfg(target_os = "linux")]
fn half_of_the_machine() -> Option<u64> {
    let found = rustix::system::sysinfo();
    let machine = u64::from(found.mem_unit) * found.totalram;
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limits = limits.iter().filter_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        text.trim().parse::<u64>().ok()
    });
    let bytes = limits.fold(machine, u64::min);
    (bytes > 0).then_some(bytes / 2)
}

#[cfg(not(target_os = "linux"))]
fn half_of_the_machine() -> Option<u64> {
    None
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// By the guest's own limit.
    Guest,
    /// By the hub's.
    Hub,
    /// Too many requests wait.
    Waiting,
}

/// One instance's share. Cheap to clone; all clones are one. What it has is free again with the last of them.
#[derive(Debug, Clone)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: u64,
    budget: Arc<Budget>,
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    /// What the guest has, and what the hub holds for it; this much of the hub's, too.
    bytes: u64,
    /// Kept free for the answers of requests under way.
    reserved: u64,
    under_way: u32,
    waiting: u32,
}

impl Room {
    pub fn new(most: u64, budget: Arc<Budget>) -> Self {
        Self(Arc::new(Inner {
            most,
            budget,
            used: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    pub fn take(&self, bytes: u64) -> Result<(), Full> {
        let mut used = self.used();
        if used
            .bytes
            .saturating_add(used.reserved)
            .saturating_add(bytes)
            > self.0.most
        {
            return Err(Full::Guest);
        }
        if !self.0.budget.take(bytes) {
            return Err(Full::Hub);
        }
        used.bytes += bytes;
        Ok(())
    }

    /// Nothing yet.
    pub fn holding(&self) -> Held {
        Held {
            room: self.clone(),
            bytes: 0,
        }
    }

    /// Waits until a request may be made. Its answer can have so many bytes, or a quarter of the guest's limit if that is less, or what is
    /// left of it when nothing else is under way. The hub's memory is taken as the answer comes.
    pub async fn request(&self, answer_bytes: u64) -> Result<UnderWay, Full> {
        {
            let mut used = self.used();
            if used.waiting >= WAITING {
                return Err(Full::Waiting);
            }
            used.waiting += 1;
        }
        let _waiting = Waiting(self.clone());
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            // From here on nothing that is freed goes unnoticed.
            freed.as_mut().enable();
            if let Some(begun) = self.try_request(answer_bytes) {
                return begun;
            }
            freed.await;
        }
    }

    /// None when it has to wait.
    fn try_request(&self, answer_bytes: u64) -> Option<Result<UnderWay, Full>> {
        let mut used = self.used();
        if used.under_way >= REQUESTS {
            return None;
        }
        let left = self.0.most.saturating_sub(used.bytes + used.reserved);
        let mut bytes = answer_bytes.min(self.0.most / 4);
        if bytes > left {
            // Where nothing is under way, nothing of this guest will be freed by waiting.
            if used.under_way > 0 {
                return None;
            }
            if left < answer_bytes.min(LEAST_ANSWER) {
                return Some(Err(Full::Guest));
            }
            bytes = left;
        }
        used.reserved += bytes;
        used.under_way += 1;
        let room = self.clone();
        Some(Ok(UnderWay { room, bytes }))
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let used = self.used.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.give(used.bytes);
    }
}

struct Waiting(Room);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.used().waiting -= 1;
    }
}

/// A request that is under way, with room for its answer.
#[derive(Debug)]
pub struct UnderWay {
    room: Room,
    bytes: u64,
}

impl UnderWay {
    /// Most bytes that the answer may have.
    pub fn most(&self) -> u64 {
        self.bytes
    }

    /// The request is over; what the answer does not need is free again.
    pub fn answered(self, bytes: u64) -> Result<Held, Full> {
        let mut held = self.room.holding();
        drop(self);
        held.add(bytes)?;
        Ok(held)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut used = self.room.used();
        used.reserved -= self.bytes;
        used.under_way -= 1;
        drop(used);
        self.room.0.freed.notify_waiters();
    }
}

/// Bytes that the hub holds for a guest: of a request until it is sent, or of an answer until the guest has taken it.
#[derive(Debug)]
pub struct Held {
    room: Room,
    bytes: u64,
}

impl Held {
    pub fn add(&mut self, bytes: u64) -> Result<(), Full> {
        self.room.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.used().bytes -= self.bytes;
        self.room.0.budget.give(self.bytes);
        self.room.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;

    fn hub(most: u64) -> Arc<Budget> {
        let budget = Budget::default();
        budget.set(most);
        Arc::new(budget)
    }

    #[test]
    fn guests_share_what_the_hub_has_and_give_it_back() {
        let budget = hub(100);
        let (one, other) = (Room::new(80, budget.clone()), Room::new(80, budget.clone()));
        assert_eq!(one.take(81), Err(Full::Guest));
        one.take(70).unwrap();
        assert_eq!(other.take(31), Err(Full::Hub));
        other.take(30).unwrap();
        drop(one);
        assert_eq!(budget.used(), 30);
        other.take(50).unwrap();
        drop(other);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn requests_wait_for_what_is_under_way_and_an_answer_keeps_its_own_bytes() {
        let (mib, budget) = (1 << 20, hub(1 << 30));
        let room = Room::new(8 * mib, budget.clone());
        let first = room.request(64 * mib).await.unwrap();
        let second = room.request(mib).await.unwrap();
        assert_eq!((first.most(), second.most()), (2 * mib, mib));
        room.take(5 * mib - 1).unwrap();
        assert_eq!(budget.used(), 5 * mib - 1);
        let waits = room.clone();
        let third = tokio::spawn(async move { waits.request(2 * mib).await });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        let answer = first.answered(mib).unwrap();
        // There is room for one byte more than a MiB now, and another request is under way.
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        drop(second);
        let third = third.await.unwrap().unwrap();
        assert_eq!(third.most(), 2 * mib);
        assert_eq!(room.take(2), Err(Full::Guest));
        drop((third, answer));
        room.take(3 * mib).unwrap();
        // Nothing is under way that could free anything.
        assert_eq!(room.request(mib).await.unwrap_err(), Full::Guest);
        assert_eq!(room.request(1).await.unwrap().most(), 1);
        drop(room);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn only_so_many_requests_are_under_way_and_only_so_many_wait() {
        let room = Room::new(1 << 30, hub(1 << 31));
        let mut under_way = Vec::new();
        for _ in 0..REQUESTS {
            under_way.push(room.request(10).await.unwrap());
        }
        let wait = |room: Room| tokio::spawn(async move { room.request(10).await.map(drop) });
        let waiting: Vec<_> = (0..WAITING).map(|_| wait(room.clone())).collect();
        while room.used().waiting < WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(room.request(10).await.unwrap_err(), Full::Waiting);
        drop(under_way);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        assert_eq!(room.used().bytes, 0);
    }
}
