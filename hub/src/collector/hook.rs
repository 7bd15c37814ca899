//! What vendors send to the hub: their connector proves that they did, and says which records follow.

use super::Collector;
use crate::flow::{Incoming, NotTaken, Opens};
use crate::host::{Chunk, Delivery, Failure, Reply};
use crate::landing;
use crate::manifest::Source;
use crate::problem::Problem;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connectors are asked at the same time.
const AT_ONCE: usize = 4;

/// Opens the connectors that receive.
pub(super) struct Hooks {
    connectors: Arc<dyn Opens>,
    room: Arc<Semaphore>,
}

/// Why a delivery was not taken.
pub(super) enum NotReceived {
    /// No source of that name can be called.
    Nobody,
    Full,
    Failed(Problem),
    NotTaken(NotTaken),
}

impl Hooks {
    pub fn new(connectors: Arc<dyn Opens>) -> Self {
        Self {
            connectors,
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Collector {
    /// The status and body of the answer; what follows from the delivery is stored by then.
    pub(super) async fn receive(
        &self,
        name: &str,
        delivery: Delivery,
    ) -> Result<(u16, Vec<u8>), NotReceived> {
        let sources = &self.context.plan.sources;
        let Some(index) = self.called(name) else {
            return Err(NotReceived::Nobody);
        };
        let Ok(room) = self.hooks.room.clone().try_acquire_owned() else {
            return Err(NotReceived::Full);
        };
        let reply = self.ask(index, delivery, room).await?;
        let source = &sources[index];
        let messages = self.messages(source, &reply);
        if !messages.is_empty() {
            let taken = self.store(&source.name, messages).await;
            taken.map_err(NotReceived::NotTaken)?;
        }
        Ok((reply.status, reply.body))
    }

    /// Whether a source of this name can be called.
    pub(super) fn can_receive(&self, name: &str) -> bool {
        self.called(name).is_some()
    }

    fn called(&self, name: &str) -> Option<usize> {
        let sources = &self.context.plan.sources;
        let source = sources.iter().position(|one| *one.name == *name);
        source.filter(|index| sources[*index].has_webhook())
    }

    async fn ask(
        &self,
        index: usize,
        delivery: Delivery,
        room: OwnedSemaphorePermit,
    ) -> Result<Reply, NotReceived> {
        let (plan, connectors) = (self.context.plan.clone(), self.hooks.connectors.clone());
        let asked = tokio::task::spawn_blocking(move || {
            // The call goes on when its caller has gone.
            let _room = room;
            let opened = connectors.source(&plan.sources[index]);
            let mut connector = opened.map_err(|mut problems| problems.remove(0))?;
            let reply = connector.receive(&delivery);
            reply.map_err(|Failure { problem, .. }| problem)
        });
        match asked.await {
            Ok(reply) => reply.map_err(NotReceived::Failed),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// The rows of a reply as messages. Each delivery is one of its own, since a record may come back to what it was: how new it is says the
    /// record itself.
    fn messages(&self, source: &Source, reply: &Reply) -> Vec<Incoming> {
        let now = self.context.clock.now().0;
        let mut messages = Vec::new();
        let mut add = |stream: &Arc<str>, chunk: &Chunk, removes: bool| {
            for line in landing::lines(&chunk.data) {
                messages.push(Incoming {
                    stream: stream.clone(),
                    id: format!("{now}-{}-{:016x}", messages.len(), line.hash),
                    hash: line.hash,
                    removes,
                    body: line.body.to_vec(),
                });
            }
        };
        for rows in &reply.rows {
            let mut streams = source.streams.iter();
            // Streams that the manifest does not read are nothing to this hub.
            let Some(stream) = streams.find(|one| *one.name == *rows.stream) else {
                continue;
            };
            add(&stream.name, &rows.upserts, false);
            if let Some(deletes) = &rows.deletes {
                add(&stream.name, deletes, true);
            }
        }
        messages
    }
}
