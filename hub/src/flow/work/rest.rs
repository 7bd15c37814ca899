//! A hub that waits for its next run releases memory: connectors are mapped from their cache again when they are next called,
//! pages are read from the file again.

use crate::flow::connect::Opens;
use crate::flow::context::{self, Context};
use crate::store::Result;
use std::time::Duration;
use tokio::runtime::Handle;

/// A thread that releases memory is kept busy for this long, so that the next task goes to another thread.
const BUSY: Duration = Duration::from_millis(2);

/// To be called when nothing is being done.
pub async fn rest(context: &Context, connectors: &dyn Opens) -> Result<()> {
    connectors.rest();
    context.store.rest().await?;
    // The allocator keeps free memory per thread, and each thread can release only its own.
    let threads = Handle::current().metrics().num_workers();
    let releasing = (0..2 * threads).map(|_| {
        tokio::spawn(async {
            release_memory();
            std::thread::park_timeout(BUSY);
        })
    });
    for one in releasing.collect::<Vec<_>>() {
        // A task that failed released nothing, which does no harm.
        let _ = one.await;
    }
    context::on_each_thread(release_memory);
    // Only one thread can release at a time: the last call is for what the others left.
    release_memory();
    Ok(())
}

fn release_memory() {
    #[allow(unsafe_code, reason = "the allocator's own call has no safe wrapper")]
    // SAFETY: it takes no pointer, may be called from any thread at any time, and only releases free memory.
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
