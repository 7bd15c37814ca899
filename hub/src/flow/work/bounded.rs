//! Work that ends at its next safe point for a reason of its own, while the hub goes on.

use crate::flow::context::Context;
use crate::host::Cancel;
use std::pin::pin;

/// Does the work with a context that is cancelled when the hub stops, or when `ending` returns why the work should end. Returns
/// that reason, if it did.
pub async fn bounded<T, W: Future<Output = T>>(
    context: &Context,
    ending: impl Future<Output = String>,
    work: impl FnOnce(Context) -> W,
) -> (T, Option<String>) {
    let cancel = Cancel::default();
    if context.cancel.is_cancelled() {
        cancel.cancel();
    }
    let mut working = pin!(work(Context {
        cancel: cancel.clone(),
        ..context.clone()
    }));
    let why = tokio::select! {
        done = &mut working => return (done, None),
        () = context.cancel.cancelled() => None,
        why = ending => Some(why),
    };
    cancel.cancel();
    (working.await, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::harness::World;

    #[tokio::test]
    async fn work_ends_for_its_own_reason_or_with_the_hub_and_the_hub_never_with_it() {
        let manifest = "[hub]\nname = \"bounded\"\nstore = \"sqlite:bounded.db\"\n";
        let world = World::new(manifest, &[], 0).await;
        let until_cancelled = async |context: Context| context.cancel.cancelled().await;
        let reason = async { "too long".to_owned() };
        let ((), why) = bounded(&world.context, reason, until_cancelled).await;
        assert_eq!(why.as_deref(), Some("too long"));
        assert!(!world.context.cancel.is_cancelled());
        let done = bounded(&world.context, std::future::pending(), async |_| 7).await;
        assert_eq!(done, (7, None));
        world.context.cancel.cancel();
        let ((), why) = bounded(&world.context, std::future::pending(), until_cancelled).await;
        assert_eq!(why, None);
    }
}
