//! What the writer has not committed yet, so that landing does not compare a record with a state that is about to change.

use crate::flow::change::Change;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// Records that the writer has not committed yet.
#[derive(Default)]
pub(super) struct InFlight {
    batches: VecDeque<(FxHashSet<i64>, oneshot::Receiver<()>)>,
}

impl InFlight {
    pub fn add(&mut self, changes: &[Change]) -> oneshot::Sender<()> {
        let (committed, receiver) = oneshot::channel();
        self.batches
            .push_back((changes.iter().map(|change| change.slot).collect(), receiver));
        committed
    }

    /// Forgets what is committed.
    pub fn is_busy(&mut self) -> bool {
        while let Some((_, receiver)) = self.batches.front_mut() {
            if matches!(
                receiver.try_recv(),
                Err(oneshot::error::TryRecvError::Empty)
            ) {
                return true;
            }
            self.batches.pop_front();
        }
        false
    }

    pub fn touches(&self, mut slots: impl Iterator<Item = i64>) -> bool {
        slots.any(|slot| {
            self.batches
                .iter()
                .any(|(writing, _)| writing.contains(&slot))
        })
    }

    pub async fn wait(&mut self) {
        for (_, receiver) in self.batches.drain(..) {
            let _ = receiver.await;
        }
    }
}
