//! What is kept of consent with the loaded identifiers.

use super::Neighbourhood;
use crate::flow::stored_json::{read, to_json};
use crate::manifest::Plan;
use crate::model::{ConsentStatement, Force};
use crate::profile::consent::{deciding, latest_grants};
use crate::store::Result;
use rustc_hash::FxHashSet;
use std::borrow::Cow;

/// The statements about one identifier.
#[derive(Debug, Default)]
pub(super) struct Kept {
    said: Vec<ConsentStatement>,
    /// Their stored form, unless they have changed since.
    text: Option<String>,
    /// What they were before the changes.
    before: Option<Vec<ConsentStatement>>,
}

impl Kept {
    pub fn read(slot: i64, text: String) -> Result<Self> {
        Ok(Self {
            said: said_in(slot, Some(&text))?,
            text: Some(text),
            before: None,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    fn is_operators(&self) -> bool {
        self.said.iter().any(|one| one.by.is_some())
    }

    pub fn stored(&self) -> Option<Cow<'_, str>> {
        let text = self.text.as_deref().map(Cow::Borrowed);
        text.or_else(|| (!self.said.is_empty()).then(|| to_json(&self.said).into()))
    }

    fn change(&mut self) -> &mut Vec<ConsentStatement> {
        self.before.get_or_insert_with(|| self.said.clone());
        &mut self.said
    }

    /// Ends the changes. If they are any, returns whether other statements count now for everybody who has the identifier.
    fn keep(&mut self) -> Option<bool> {
        let before = self.before.take()?;
        self.said.sort_by(|a, b| {
            let key = |one: &ConsentStatement| (one.record, one.gone_at, one.time);
            a.purpose.cmp(&b.purpose).then_with(|| key(a).cmp(&key(b)))
        });
        if self.said == before {
            return None;
        }
        self.text = None;
        Some(counting(&self.said) != counting(&before))
    }
}

impl Neighbourhood {
    /// Whether anything was said about any identifier that is loaded.
    pub fn speaks(&self) -> bool {
        !self.spoken.is_empty()
    }

    /// Whether any of it only repeats what the hub wrote.
    pub fn has_echoes(&self) -> bool {
        self.has_echoes
    }

    /// What is loaded of an identifier.
    pub(super) fn notice(&mut self, slot: i64, kept: &Kept) {
        self.spoken.push(slot);
        self.has_operators |= kept.is_operators();
        self.has_echoes |= kept.said.iter().any(|one| one.force == Force::Echo);
    }

    /// What operators refused by identifiers that are no addresses of the purpose, and so for people as such; with those identifiers.
    pub fn refused_by_operators(&self, plan: &Plan) -> Vec<(i64, ConsentStatement)> {
        let mut found = Vec::new();
        let spoken = self.spoken.iter().filter(|_| self.has_operators);
        for slot in spoken {
            let kind = &self.identifiers[slot].identifier.kind;
            for one in self.said(*slot).iter().filter(|one| one.by.is_some()) {
                let channel = plan.channel_of(&one.purpose);
                if one.is_refusal() && channel.is_none_or(|channel| channel.kind() != *kind) {
                    found.push((*slot, one.clone()));
                }
            }
        }
        found
    }

    /// Whether both are addresses of the same kind, or ids of the same system.
    pub fn are_alike(&self, slot: i64, other: i64) -> bool {
        let kind = |slot: i64| Some(&self.identifiers.get(&slot)?.identifier.kind);
        kind(slot).is_some() && kind(slot) == kind(other)
    }

    /// Everything that was said about an identifier.
    pub fn said(&self, slot: i64) -> &[ConsentStatement] {
        let known = self.identifiers.get(&slot);
        let kept = known.and_then(|known| known.said.as_deref());
        kept.map_or(&[], |kept| &kept.said)
    }

    /// The same, to be changed.
    pub fn said_mut(&mut self, slot: i64) -> &mut Vec<ConsentStatement> {
        let known = self.identifiers.get_mut(&slot).expect("loaded or made");
        let kept = known.said.get_or_insert_with(|| {
            self.spoken.push(slot);
            Box::new(Kept {
                said: Vec::with_capacity(1),
                ..Kept::default()
            })
        });
        kept.change()
    }

    /// Takes statements out of what is kept: with the identifiers of this evidence, or without any with `slots`.
    pub fn take_said(
        &mut self,
        evidence: Option<i64>,
        slots: &[i64],
        is_taken: impl Fn(&ConsentStatement) -> bool,
    ) -> Vec<(i64, ConsentStatement)> {
        let mut taken = Vec::new();
        if self.spoken.is_empty() {
            return taken;
        }
        let seen = evidence.map(|id| self.evidence.get(&id));
        let nodes = seen.map_or(slots, |seen| seen.map_or(&[], |seen| &seen.row.nodes));
        for slot in nodes {
            let known = self.identifiers.get_mut(slot);
            if let Some(kept) = known.and_then(|known| known.said.as_deref_mut())
                && kept.said.iter().any(&is_taken)
            {
                let said = kept.change().extract_if(.., |one| is_taken(one));
                taken.extend(said.map(|one| (*slot, one)));
            }
        }
        taken
    }

    /// Ends the changes; returns the identifiers about which other statements count now for everybody who has them.
    pub fn keep_said(&mut self) -> FxHashSet<i64> {
        let mut changed = FxHashSet::default();
        for slot in &self.spoken {
            let known = self.identifiers.get_mut(slot).expect("loaded or made");
            let Some(is_other) = known.said.as_deref_mut().and_then(Kept::keep) else {
                continue;
            };
            known.dirty = true;
            let kept = known.said.as_deref();
            self.has_operators |= kept.is_some_and(Kept::is_operators);
            // A new identifier is only theirs whose records this transaction looks at.
            if is_other && !known.is_new {
                changed.insert(*slot);
            }
        }
        changed
    }

    /// Makes the stored form of what has changed: it would be made while it is stored otherwise.
    pub(super) fn write_said(&mut self) {
        for slot in &self.spoken {
            let known = self.identifiers.get_mut(slot).expect("loaded or made");
            if let Some(kept) = known.said.as_deref_mut().filter(|kept| kept.text.is_none()) {
                kept.text = kept.stored().map(Cow::into_owned);
            }
        }
    }

    /// The loaded evidence with an identifier about which anything was said.
    pub fn spoken_of(&self) -> Vec<i64> {
        let seen = self.evidence.values();
        let is_spoken_of = |slot: &i64| !self.said(*slot).is_empty();
        let seen = seen.filter(|seen| seen.row.nodes.iter().any(is_spoken_of));
        seen.map(|seen| seen.row.id).collect()
    }
}

/// What counts for others than the person whose record says it: what decides for the address, what may end another refusal of theirs,
/// and what stands. The statements of a purpose follow one another.
fn counting(said: &[ConsentStatement]) -> Vec<Option<&ConsentStatement>> {
    let mut counting = Vec::with_capacity(said.len());
    for of in said.chunk_by(|a, b| a.purpose == b.purpose) {
        if let [one] = of {
            counting.push(Some(one));
            continue;
        }
        let all: Vec<&ConsentStatement> = of.iter().collect();
        counting.push(deciding(&all));
        counting.extend(latest_grants(&all));
        let standing = all.into_iter().filter(|one| one.stands());
        counting.extend(standing.map(Some));
    }
    counting
}

/// The stored form, read.
pub fn said_in(slot: i64, text: Option<&str>) -> Result<Vec<ConsentStatement>> {
    match text {
        Some(text) => read("identifier.consents", slot, text),
        None => Ok(Vec::new()),
    }
}
