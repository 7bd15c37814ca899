//! What the writer has not committed yet, so that landing does not compare a record with a state that is about to change.

use crate::flow::intake::land::Landed;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// Records that the writer has not committed yet.
#[derive(Default)]
pub(super) struct InFlight {
    /// Batches in the order in which they are written, from number `first` on.
    batches: VecDeque<oneshot::Receiver<()>>,
    first: u64,
    /// The last batch that writes each record.
    writing: FxHashMap<i64, u64>,
}

impl InFlight {
    pub fn add(&mut self, landed: &Landed) -> oneshot::Sender<()> {
        let (committed, receiver) = oneshot::channel();
        let number = self.first + self.batches.len() as u64;
        self.batches.push_back(receiver);
        // A record that another one displaced is looked up at its preferred slot, too.
        let slots = landed.changes.iter().map(|change| change.slot);
        let slots = slots.chain(landed.displaced.iter().copied());
        self.writing.extend(slots.map(|slot| (slot, number)));
        committed
    }

    /// Forgets what is committed.
    pub fn is_busy(&mut self) -> bool {
        let before = self.first;
        while let Some(receiver) = self.batches.front_mut()
            && !matches!(
                receiver.try_recv(),
                Err(oneshot::error::TryRecvError::Empty)
            )
        {
            self.batches.pop_front();
            self.first += 1;
        }
        if self.first > before {
            self.writing.retain(|_, number| *number >= self.first);
        }
        !self.batches.is_empty()
    }

    pub fn touches(&self, mut slots: impl Iterator<Item = i64>) -> bool {
        slots.any(|slot| self.writing.contains_key(&slot))
    }

    pub async fn wait(&mut self) {
        for receiver in self.batches.drain(..) {
            let _ = receiver.await;
            self.first += 1;
        }
        self.writing.clear();
    }
}
