//! Pausing a source or a destination, and resuming it: written to the store at once, and obeyed by every process that works with it.

use super::Opened;
use super::named::unknown;
use crate::flow::Pause;
use crate::problem::{Problem, codes};
use crate::store::{PauseRow, Paused, Result};

/// What an operator says who pauses or resumes something.
pub struct Pausing<'a> {
    /// A source or destination; where both have that name, it begins with `source:` or `destination:`.
    pub name: &'a str,
    pub reason: &'a str,
    pub by: &'a str,
}

impl Opened {
    /// Returns the new pause, and the one that it replaces.
    pub async fn pause(&self, pausing: &Pausing<'_>) -> Result<(Pause, Option<Pause>)> {
        let reason = said(pausing.reason)?;
        let (kind, name) = self.pausable(pausing.name, &[])?;
        let now = self.context.clock.now().0;
        let mut tx = self.context.store.begin().await?;
        let before = tx.pause_of(kind, name).await?;
        if let Some(before) = &before {
            tx.end_pause(before.id, now, pausing.by, reason).await?;
        }
        let row = PauseRow {
            id: tx.reserve("pause", 1).await?,
            kind,
            name: name.to_owned(),
            reason: reason.to_owned(),
            author: pausing.by.to_owned(),
            since: now,
        };
        tx.add_pause(&row).await?;
        tx.commit().await?;
        Ok((row.into(), before.map(Pause::from)))
    }

    /// Returns the kind and name that were resumed, and the pause that ended, if there was one.
    pub async fn resume(&self, pausing: &Pausing<'_>) -> Result<(Paused, String, Option<Pause>)> {
        let reason = said(pausing.reason)?;
        let mut tx = self.context.store.begin().await?;
        let pauses = tx.pauses().await?;
        let (kind, name) = self.pausable(pausing.name, &pauses)?;
        let before = tx.pause_of(kind, name).await?;
        if let Some(before) = &before {
            let now = self.context.clock.now().0;
            tx.end_pause(before.id, now, pausing.by, reason).await?;
            tx.commit().await?;
        }
        Ok((kind, name.to_owned(), before.map(Pause::from)))
    }

    /// What is paused of what the manifests have.
    pub async fn pauses(&self) -> Result<Vec<Pause>> {
        let plan = &self.context.plan;
        let mut rows = self.context.store.read().await?.pauses().await?;
        rows.retain(|row| match row.kind {
            Paused::Source => plan.sources.iter().any(|one| *one.name == row.name),
            Paused::Destination => plan.destinations.iter().any(|one| *one.name == row.name),
        });
        Ok(rows.into_iter().map(Pause::from).collect())
    }

    /// The source or destination of that name, in the manifests or `also`: what is not in them any more can be resumed.
    fn pausable<'n>(&self, text: &'n str, also: &[PauseRow]) -> Result<(Paused, &'n str)> {
        let plan = &self.context.plan;
        let sources = plan.sources.iter().map(|one| (Paused::Source, &*one.name));
        let destinations = plan.destinations.iter();
        let destinations = destinations.map(|one| (Paused::Destination, &*one.name));
        let also = also.iter().map(|row| (row.kind, row.name.as_str()));
        let all: Vec<(Paused, &str)> = sources.chain(destinations).chain(also).collect();
        let (kind, name) = match text.split_once(':') {
            Some(("source", name)) => (Some(Paused::Source), name),
            Some(("destination", name)) => (Some(Paused::Destination), name),
            _ => (None, text),
        };
        let mut found: Vec<Paused> = all
            .iter()
            .filter(|(of, known)| *known == name && kind.is_none_or(|kind| kind == *of))
            .map(|(of, _)| *of)
            .collect();
        found.sort_unstable();
        found.dedup();
        match found[..] {
            [kind] => Ok((kind, name)),
            [] => {
                let what = kind.map_or("source or destination", Paused::as_str);
                let of = |one: &&(Paused, &str)| kind.is_none_or(|kind| kind == one.0);
                Err(unknown(what, name, all.iter().filter(of).map(|one| one.1)))
            }
            _ => {
                let message = format!("`{name}` is the name of a source and of a destination");
                let hint = format!("write `source:{name}` or `destination:{name}`");
                Err(Problem::new(&codes::USAGE, message).hint(hint))
            }
        }
    }
}

fn said(reason: &str) -> Result<&str> {
    match reason.trim() {
        "" => {
            let message = "a reason is needed: it is kept, and shown to everybody who looks";
            Err(Problem::new(&codes::USAGE, message)
                .hint("such as `--reason \"the vendor migrates until Monday\"`"))
        }
        reason => Ok(reason),
    }
}
