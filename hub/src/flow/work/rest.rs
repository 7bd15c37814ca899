//! A hub that waits for its next run gives back what it needed for the last one: connectors are mapped from their cache
//! again when they are called, pages read from the file.

use crate::flow::connect::Opens;
use crate::flow::context::Context;
use crate::store::Result;
use std::time::Duration;
use tokio::runtime::Handle;

/// A thread that gives back is busy for so long at least, so that the next task is for another one.
const BUSY: Duration = Duration::from_millis(2);

/// To be called when nothing is being done.
pub async fn rest(context: &Context, connectors: &dyn Opens) -> Result<()> {
    connectors.rest();
    context.store.rest().await?;
    // The allocator keeps what is free by threads, and only each thread can give back its own.
    let threads = Handle::current().metrics().num_workers();
    let giving = (0..2 * threads).map(|_| {
        tokio::spawn(async {
            give_back();
            std::thread::park_timeout(BUSY);
        })
    });
    for one in giving.collect::<Vec<_>>() {
        // A task that failed gave nothing back, which is no harm.
        let _ = one.await;
    }
    // While one thread gives back, no other can: the last call is for what they left.
    give_back();
    Ok(())
}

fn give_back() {
    #[allow(unsafe_code, reason = "the allocator's own call has no safe wrapper")]
    // SAFETY: it takes no pointer, may be called from any thread at any time, and only gives free memory back.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::harness::{Nobody, World};

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn a_hub_that_rested_reads_and_writes_as_before() {
        let manifest = "[hub]\nname = \"rest\"\nstore = \"sqlite:rest.db\"\n";
        let world = World::new(manifest, &[], 0).await;
        let store = &world.context.store;
        let connectors = Nobody::default();
        // One connection is in use and is let alone.
        let mut reading = store.read().await.unwrap();
        assert_eq!(reading.hub_value("x").await.unwrap(), None);
        for round in ["1", "2"] {
            rest(&world.context, &connectors).await.unwrap();
            let mut tx = store.begin().await.unwrap();
            tx.set_hub_value("x", round).await.unwrap();
            tx.commit().await.unwrap();
            let mut tx = store.read().await.unwrap();
            assert_eq!(tx.hub_value("x").await.unwrap().as_deref(), Some(round));
        }
        assert_eq!(reading.hub_value("x").await.unwrap(), None);
        assert_eq!(connectors.rests(), 2);
    }
}
