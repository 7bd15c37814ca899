//! What operators paused. A paused source is not read, and a paused destination is sent nothing but the removal of people who
//! asked not to be sent anywhere: a pause is about the tool, and their objection does not wait for it (I13).

use crate::flow::context::Context;
use crate::model::Shown;
use crate::store::{PauseRow, Paused, Result};
use serde::Serialize;
use std::time::Duration;

/// How often work under way looks whether it was paused.
const LOOK: Duration = Duration::from_secs(1);

/// A pause that is in force, as surfaces show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Pause {
    /// `source` or `destination`
    pub kind: &'static str,
    pub name: String,
    pub reason: String,
    pub by: String,
    pub since: Shown,
}

impl From<PauseRow> for Pause {
    fn from(row: PauseRow) -> Self {
        Self {
            kind: row.kind.as_str(),
            name: row.name,
            reason: row.reason,
            by: row.author,
            since: Shown::of(row.since),
        }
    }
}

impl Pause {
    /// `paused since 2026-03-02 09:14 UTC by ada: the vendor migrates`
    pub fn sentence(&self) -> String {
        format!(
            "paused since {} by {}: {}",
            self.since, self.by, self.reason
        )
    }
}

/// The pause of a source or destination that is in force.
pub async fn pause_of(context: &Context, kind: Paused, name: &str) -> Result<Option<Pause>> {
    let row = context.store.read().await?.pause_of(kind, name).await?;
    Ok(row.map(Pause::from))
}

/// Returns why the work under way should end, once it is paused.
pub async fn paused(context: &Context, kind: Paused, name: &str) -> String {
    loop {
        tokio::time::sleep(LOOK).await;
        // A store that fails ends the work itself.
        if let Ok(Some(pause)) = pause_of(context, kind, name).await {
            return pause.sentence();
        }
    }
}
