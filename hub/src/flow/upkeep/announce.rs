//! Before anybody is evaluated by new definitions, the old ones are marked as no longer applied to everyone.

use crate::flow::context::Context;
use crate::flow::upkeep::{fill, models, rebuild};
use crate::store::Result;

/// Marks changed definitions as unfinished before anyone is evaluated by them, so that reverting an edit half-way still triggers
/// a refill.
pub async fn announce(context: &Context) -> Result<()> {
    rebuild::announce(context).await?;
    models::announce(context).await?;
    fill::announce(context).await
}
