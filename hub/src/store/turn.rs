//! Whose turn it is to write. SQLite takes one writer at a time and lets the others poll, so that a process that writes
//! transaction after transaction could keep another one waiting forever. Here writers queue: within the process by a fair
//! mutex, between processes by two locked files next to the database. The operating system unlocks them when a process ends.

use super::Result;
use crate::files;
use crate::problem::Problem;
use crate::problem::codes::{STORE_BUSY, STORE_UNREADABLE};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How long one process waits for the others. A transaction takes about a second at most.
const PATIENCE: Duration = Duration::from_secs(60);
/// After this time the wait is logged.
const QUIET: Duration = Duration::from_secs(2);
/// The first pause between two attempts at a lock; it doubles up to the longest.
const PAUSE: Duration = Duration::from_micros(250);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// The queue of writers to one database. Cheap to clone.
#[derive(Clone)]
pub(super) struct Turn {
    queue: Arc<Mutex<Option<Files>>>,
}

/// The lock on `now` is held by the writer, the lock on `next` by the next one.
struct Files {
    next: File,
    now: File,
}

/// The right to write; ends when it is dropped.
pub(super) struct Held {
    files: OwnedMutexGuard<Option<Files>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(files) = &*self.files {
            unlock(&files.now);
        }
    }
}

/// Unlocks when it is dropped, also when the wait was cancelled.
struct Next<'f>(&'f File);

impl Drop for Next<'_> {
    fn drop(&mut self) {
        unlock(self.0);
    }
}

/// A lock that cannot be released is released when the file is closed.
fn unlock(file: &File) {
    let _ = file.unlock();
}

impl Turn {
    /// For the database at `path`; a database in memory has one process.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let files = match path {
            Some(path) => Some(Files {
                next: open(path, "-next")?,
                now: open(path, "-turn")?,
            }),
            None => None,
        };
        Ok(Self {
            queue: Arc::new(Mutex::new(files)),
        })
    }

    pub async fn take(&self) -> Result<Held> {
        let files = self.queue.clone().lock_owned().await;
        if let Some(files) = &*files {
            let began = Instant::now();
            lock(&files.next, began).await?;
            let _next = Next(&files.next);
            lock(&files.now, began).await?;
        }
        Ok(Held { files })
    }
}

async fn lock(file: &File, began: Instant) -> Result<()> {
    let mut pause = PAUSE;
    let mut is_quiet = began.elapsed() < QUIET;
    loop {
        if is_quiet && began.elapsed() >= QUIET {
            tracing::warn!("another process is writing to the store; waiting for it");
            is_quiet = false;
        }
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            Err(TryLockError::WouldBlock) => return Err(busy()),
            // Where files cannot be locked, SQLite's own lock is all there is.
            Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
}

/// Another process has been writing for too long.
pub(super) fn busy() -> Problem {
    let message = format!(
        "another process has held the store for {} seconds",
        PATIENCE.as_secs()
    );
    Problem::new(&STORE_BUSY, message)
        .hint("look for an `onefold` that was stopped, or for another program that has the file open; nothing of this step was stored, so run it again")
}

fn open(path: &Path, ending: &str) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    let path = PathBuf::from(name);
    files::keep(&path).map_err(|error| {
        let message = format!("`{}` cannot be opened: {error}", path.display());
        Problem::new(&STORE_UNREADABLE, message).hint(
            "the folder of the store must be writable: writers queue by two small files in it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Two processes are two `Turn`s over the same files.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_process_that_writes_without_a_pause_lets_another_one_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let busy = Turn::open(Some(&path)).unwrap();
        let other = Turn::open(Some(&path)).unwrap();
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = turns.clone();
        let writing = tokio::spawn(async move {
            loop {
                let held = busy.take().await.unwrap();
                tokio::time::sleep(Duration::from_millis(3)).await;
                counted.fetch_add(1, Ordering::SeqCst);
                drop(held);
            }
        });
        while turns.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            let before = turns.load(Ordering::SeqCst);
            let held = other.take().await.unwrap();
            let during = turns.load(Ordering::SeqCst);
            // What was under way, and the one before whose turn it already was.
            assert!(during - before <= 2, "waited for {} turns", during - before);
            tokio::time::sleep(Duration::from_millis(3)).await;
            assert_eq!(turns.load(Ordering::SeqCst), during, "two wrote at once");
            drop(held);
        }
        writing.abort();
    }

    #[tokio::test]
    async fn waiting_that_is_given_up_leaves_the_queue() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let [first, second, third] = [(); 3].map(|()| Turn::open(Some(&path)).unwrap());
        let held = first.take().await.unwrap();
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, second.take()).await.is_err());
        drop(held);
        drop(third.take().await.unwrap());
    }
}
