//! What a surface asks a hub to do in one step that is not a run: suppressing a person, retrying dead letters.

use super::named::unknown;
use super::{Opened, parse_identifier};
use crate::flow::{self, Suppressed};
use crate::model::{ConsentStatus, Identifier, IdentifierKind};
use crate::problem::{Problem, codes};
use crate::store::{Decision, Result};
use serde::Serialize;

/// What is attempted again.
#[derive(Debug, Serialize)]
pub struct Retried {
    /// Records that were mapped again.
    pub records: i64,
    /// Rejected rows, which the next run sends again.
    pub rows: u64,
}

/// What an operator states of a purpose, as it was typed.
pub struct ConsentStatement<'a> {
    pub identifier: &'a str,
    pub purpose: &'a str,
    pub status: ConsentStatus,
    pub reason: &'a str,
    pub author: &'a str,
}

impl Opened {
    /// Sends nothing about the person with an identifier such as `email:ada@example.com` from now on. Returns the
    /// identifier's kind, and whom it concerns.
    pub async fn suppress(&self, text: &str, reason: &str) -> Result<(IdentifierKind, Suppressed)> {
        let identifier = self.identifier(text)?;
        let mut tx = self.context.begin().await?;
        let done = flow::suppress(&mut tx, &self.context, &identifier, reason).await?;
        tx.commit().await?;
        Ok((identifier.kind, done))
    }

    /// States that somebody grants or refuses a purpose. Returns the identifier's kind, and how many people have it.
    pub async fn state_consent(
        &self,
        stating: &ConsentStatement<'_>,
    ) -> Result<(IdentifierKind, usize)> {
        let identifier = self.identifier(stating.identifier)?;
        let purposes = &self.context.plan.purposes;
        if !purposes.contains_key(stating.purpose) {
            let known = purposes.keys().map(String::as_str);
            return Err(unknown("purpose", stating.purpose, known));
        }
        let stating = flow::StatingConsent {
            identifier: &identifier,
            purpose: stating.purpose,
            status: stating.status,
            reason: stating.reason,
            author: stating.author,
        };
        let people = flow::state_consent(&self.context, &stating).await?;
        Ok((identifier.kind, people))
    }

    /// An identifier to state something about.
    fn identifier(&self, text: &str) -> Result<Identifier> {
        if text.starts_with("id:") {
            return Err(Problem::new(
                &codes::USAGE,
                "a person's id can pass to another person when people are merged or separated",
            )
            .hint("name one of its identifiers: `onefold profile show` lists them"));
        }
        let region = self.context.plan.hub.default_region.as_deref();
        parse_identifier(&self.context.plan.namespaces.kind(text), region)
    }

    /// What an operator decides about a dead letter, now.
    pub fn decision(&self, by: &str, reason: &str) -> Result<Decision> {
        if reason.trim().is_empty() {
            let message = "a reason is needed: it is kept with the dead letter";
            return Err(Problem::new(&codes::USAGE, message));
        }
        Ok(Decision {
            at: self.context.clock.now().0,
            by: by.to_owned(),
            reason: reason.trim().to_owned(),
        })
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
