//! When a paused destination is looked at: its changes wait, and going through all of them each second would be for nothing.

use crate::manifest::Destination;
use crate::model::Timestamp;
use crate::store::{Paused, Result, Tx};

/// Who is to be removed can follow from records, too, without an entry in the list.
const LOOK_MS: i64 = 60_000;

/// The last look at a destination that is paused.
#[derive(Debug, Default)]
pub(super) struct Held(Option<Look>);

#[derive(Debug)]
struct Look {
    at: Timestamp,
    /// The version of the list of suppressions.
    suppressions: i64,
}

impl Held {
    /// Whether to look for what may be sent now: always, unless it is paused and nobody was suppressed since the last look.
    pub async fn is_due(
        &mut self,
        tx: &mut Tx,
        destination: &Destination,
        now: Timestamp,
    ) -> Result<bool> {
        let pause = tx.pause_of(Paused::Destination, &destination.name).await?;
        if pause.is_none() {
            self.0 = None;
            return Ok(true);
        }
        let suppressions = tx.suppression_version().await?;
        let is_known = |look: &Look| {
            look.suppressions == suppressions && (0..LOOK_MS).contains(&(now.0 - look.at.0))
        };
        if self.0.as_ref().is_some_and(is_known) {
            return Ok(false);
        }
        self.0 = Some(Look {
            at: now,
            suppressions,
        });
        Ok(true)
    }
}
