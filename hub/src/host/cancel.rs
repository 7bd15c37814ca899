//! A request of the hub that a run stop at its next safe point; it ends every wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Cheap to clone; all clones share one flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Wish>);

#[derive(Debug, Default)]
struct Wish {
    said: AtomicBool,
    /// For threads that block.
    lock: Mutex<()>,
    cancelled: Condvar,
    /// For tasks.
    notify: Notify,
}

impl Cancel {
    pub fn cancel(&self) {
        let lock = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.said.store(true, Ordering::SeqCst);
        drop(lock);
        self.0.cancelled.notify_all();
        self.0.notify.notify_waiters();
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.said.load(Ordering::SeqCst)
    }

    /// Blocks the thread for as long as that, or until the run is cancelled; true when it is.
    pub fn block(&self, time: Duration) -> bool {
        let lock = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .0
            .cancelled
            .wait_timeout_while(lock, time, |()| !self.is_cancelled());
        drop(waited);
        self.is_cancelled()
    }

    /// The same for a task.
    pub async fn wait(&self, time: Duration) -> bool {
        let _ = tokio::time::timeout(time, self.cancelled()).await;
        self.is_cancelled()
    }

    /// Returns when the run is cancelled.
    pub async fn cancelled(&self) {
        let notified = self.0.notify.notified();
        tokio::pin!(notified);
        // Registered first, so that a cancellation from here on is not missed.
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread")]
    async fn every_wait_ends_when_the_run_is_cancelled() {
        let cancel = Cancel::default();
        assert!(!cancel.block(Duration::from_millis(1)));
        assert!(!cancel.wait(Duration::from_millis(1)).await);
        let began = Instant::now();
        let (blocking, waiting) = (cancel.clone(), cancel.clone());
        let blocking = tokio::task::spawn_blocking(move || blocking.block(LONG));
        let waiting = tokio::spawn(async move { waiting.wait(LONG).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        cancel.cancel();
        assert!(blocking.await.unwrap() && waiting.await.unwrap());
        assert!(cancel.block(LONG) && cancel.wait(LONG).await);
        assert!(began.elapsed() < LONG / 2);
    }
}
