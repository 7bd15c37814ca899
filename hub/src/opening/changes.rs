//! What a surface asks a hub to do in one step that is not a run: suppressing a person, retrying dead letters.

use super::{Opened, parse_identifier};
use crate::flow::{self, Suppressed};
use crate::model::IdentifierKind;
use crate::problem::{Problem, codes};
use crate::store::Result;
use serde::Serialize;

/// What is attempted again.
#[derive(Debug, Serialize)]
pub struct Retried {
    /// Records that were mapped again.
    pub records: i64,
    /// Rejected rows, which the next run sends again.
    pub rows: u64,
}

impl Opened {
    /// Sends nothing about the person with an identifier such as `email:ada@example.com` from now on. Returns the
    /// identifier's kind, and whom it concerns.
    pub async fn suppress(&self, text: &str, reason: &str) -> Result<(IdentifierKind, Suppressed)> {
        if text.starts_with("id:") {
            return Err(Problem::new(
                &codes::USAGE,
                "a person's id can pass to another person when people are merged or separated",
            )
            .hint("suppress one of its identifiers: `onefold profile show` lists them"));
        }
        let region = self.context.plan.hub.default_region.as_deref();
        let identifier = parse_identifier(text, region)?;
        let mut tx = self.context.begin().await?;
        let done = flow::suppress(&mut tx, &self.context, &identifier, reason).await?;
        tx.commit().await?;
        Ok((identifier.kind, done))
    }

    /// Maps set-aside records again, and marks rejected rows to be sent again.
    pub async fn retry(&self) -> Result<Retried> {
        let records = flow::retry_set_aside(&self.context).await?;
        let mut tx = self.context.store.begin().await?;
        let rows = tx.retry_rejected().await?;
        tx.commit().await?;
        Ok(Retried { records, rows })
    }
}
