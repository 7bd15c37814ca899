//! Before anybody is evaluated by new definitions, the old ones are marked as no longer applied to everyone.

use crate::flow::context::Context;
use crate::flow::upkeep::{fill, models, rebuild};
use crate::store::Result;

/// Says in the store which definitions are not those by which people were judged before, ahead of judging somebody by them.
pub async fn announce(context: &Context) -> Result<()> {
    rebuild::announce(context).await?;
    models::announce(context).await?;
    fill::announce(context).await
}
