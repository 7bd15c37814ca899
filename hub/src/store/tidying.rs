//! Checkpoints the WAL in the background, in parallel to writers: a writer that had to checkpoint by itself would pause for
//! it. Only the last few pages are written while nobody else writes; the WAL then starts from its beginning.

use super::dialect::{self, Pool};
use super::turn::Turn;
use tokio::sync::mpsc;

/// From this many pages on, the WAL is checkpointed.
const MANY: i64 = 48_000;
/// With this few left, writers wait for the rest.
const FEW: i64 = 1_500;
/// Passes over pages that were written meanwhile, before writers wait in any case.
const PASSES: usize = 3;

/// Signals that something was committed. The task ends when all senders are dropped.
pub type Committed = mpsc::Sender<()>;

/// Starts the task; `turn` is the writer's.
pub fn start(readers: Pool, turn: Turn) -> Committed {
    let (committed, mut signals) = mpsc::channel(1);
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            // What fails here is done when the store is closed or opened next.
            let _ = tidy(&readers, &turn).await;
        }
    });
    committed
}

async fn tidy(readers: &Pool, turn: &Turn) -> Result<(), sqlx::Error> {
    let mut connection = readers.acquire().await?;
    if dialect::pages_in_wal(&mut connection).await? < MANY {
        return Ok(());
    }
    for _ in 0..PASSES {
        dialect::checkpoint(&mut connection).await?;
        if dialect::pages_in_wal(&mut connection).await? < FEW {
            break;
        }
    }
    // If another process keeps the turn, the WAL grows; nothing else happens.
    let Ok(_turn) = turn.take().await else {
        return Ok(());
    };
    dialect::checkpoint(&mut connection).await
}
