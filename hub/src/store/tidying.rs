//! What was committed goes to its place in the file beside the work that goes on: a writer that had to do it itself would
//! stand still for it. Only the last of it, which is little, is done while nobody writes; the log then begins anew.

use super::dialect::{self, Pool};
use super::turn::Turn;
use tokio::sync::mpsc;

/// From so many pages on, the log is worked off.
const MANY: i64 = 48_000;
/// With so few left, the writer waits for the rest.
const FEW: i64 = 1_500;
/// Passes over what was written meanwhile, before the writer waits in any case.
const PASSES: usize = 3;

/// Tells that something was committed. The work ends when all who could tell are gone.
pub type Told = mpsc::Sender<()>;

/// Starts the work; `turn` is the writer's.
pub fn start(readers: Pool, turn: Turn) -> Told {
    let (told, mut heard) = mpsc::channel(1);
    tokio::spawn(async move {
        while heard.recv().await.is_some() {
            // What fails here is done by whoever closes the store, or opens it next.
            let _ = tidy(&readers, &turn).await;
        }
    });
    told
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
    // Another process that does not let go leaves a longer log, and nothing else.
    let Ok(_turn) = turn.take().await else {
        return Ok(());
    };
    dialect::checkpoint(&mut connection).await
}
