//! Loading: the slots of identifiers, whole components, and which records still support evidence that lost one.

use super::naming::names_of;
use super::said::Kept;
use super::{Known, Neighbourhood, Seen, Stated, source_of};
use crate::flow::commit::identifiers::{kind_of, statement_kind};
use crate::flow::context::{LONG, both};
use crate::identity::Rules;
use crate::landing::next_slot;
use crate::model::{Identifier, IdentifierKind};
use crate::store::{EvidenceRow, IdentifierRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

impl Neighbourhood {
    /// Finds or makes the rows of identifiers, which come with their preferred slots; returns their slots.
    pub async fn assign_slots(
        &mut self,
        tx: &mut Tx,
        sets: Vec<(Vec<Identifier>, Vec<i64>)>,
    ) -> Result<Vec<Vec<i64>>> {
        self.load_identifiers(tx, sets.iter().flat_map(|set| set.1.iter().copied()))
            .await?;
        let mut assigned = Vec::with_capacity(sets.len());
        for (identifiers, mut slots) in sets {
            for (identifier, slot) in identifiers.into_iter().zip(&mut slots) {
                let mut place = self.place(identifier, *slot);
                *slot = loop {
                    match place {
                        Ok(slot) => break slot,
                        Err((identifier, next)) => {
                            self.load_identifiers(tx, [next]).await?;
                            place = self.place(identifier, next);
                        }
                    }
                };
            }
            assigned.push(slots);
        }
        Ok(assigned)
    }

    /// The identifier's slot, if it has this one or the slot is free. Otherwise the next one is to be tried, once it is loaded.
    fn place(
        &mut self,
        identifier: Identifier,
        slot: i64,
    ) -> std::result::Result<i64, (Identifier, i64)> {
        match self.identifiers.get(&slot) {
            Some(known) if *known.identifier == identifier => Ok(slot),
            Some(_) => Err((identifier, next_slot(slot))),
            None => {
                self.free.remove(&slot);
                self.identifiers.insert(
                    slot,
                    Known {
                        blocked: self.rules.blocks(&identifier),
                        identifier: identifier.into(),
                        component: None,
                        shared: false,
                        is_new: true,
                        dirty: true,
                        said: None,
                    },
                );
                Ok(slot)
            }
        }
    }

    async fn load_identifiers(
        &mut self,
        tx: &mut Tx,
        slots: impl IntoIterator<Item = i64>,
    ) -> Result<()> {
        let mut missing: Vec<i64> = slots
            .into_iter()
            .filter(|slot| !self.identifiers.contains_key(slot) && !self.free.contains(slot))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let rows = tx.identifiers_at(&missing).await?;
        self.identifiers.reserve(missing.len());
        self.free.extend(missing);
        let (mut rows, rules) = (rows, &self.rules);
        let others = rows.split_off(rows.len() / 2);
        let (these, those) = both(
            others.len() >= LONG,
            || read_rows(rows, rules),
            || read_rows(others, rules),
        );
        for (slot, known) in these?.into_iter().chain(those?) {
            self.free.remove(&slot);
            if let Some(kept) = &known.said {
                self.notice(slot, kept);
            }
            self.has_shared |= known.shared;
            self.identifiers.insert(slot, known);
        }
        Ok(())
    }

    /// Loads the components of stored identifiers.
    pub async fn load_around(&mut self, tx: &mut Tx, slots: &[i64]) -> Result<()> {
        self.load_identifiers(tx, slots.iter().copied()).await?;
        self.load(tx, &[slots.to_vec()], &[]).await
    }

    /// Loads whole components: those of the identifiers, and those of the evidence given by id.
    pub async fn load(&mut self, tx: &mut Tx, sets: &[Vec<i64>], evidence: &[i64]) -> Result<()> {
        let missing: Vec<i64> = evidence
            .iter()
            .copied()
            .filter(|id| !self.evidence.contains_key(id))
            .collect();
        let mut components: Vec<i64> = Vec::with_capacity(sets.len());
        if !missing.is_empty() {
            components.extend(
                tx.evidence_by_id(missing)
                    .await?
                    .iter()
                    .map(|row| row.component),
            );
        }
        let mut all_shared: Vec<i64> = Vec::new();
        for set in sets {
            let mut live = 0;
            for slot in set {
                let Some(known) = self.identifiers.get(slot) else {
                    continue;
                };
                components.extend(known.component);
                live += usize::from(!known.shared && !known.blocked);
            }
            if live == 0 {
                all_shared.extend(set.first());
            }
        }
        if !all_shared.is_empty() {
            // A set of shared identifiers only is a component of its own; it is found through one of them.
            let pairs = tx.evidence_of_shared(all_shared).await?;
            let rows = tx
                .evidence_by_id(pairs.into_iter().map(|pair| pair.1))
                .await?;
            components.extend(
                rows.iter()
                    .filter(|row| row.person_id.is_none())
                    .map(|row| row.component),
            );
        }
        let sets: Vec<i64> = sets.iter().flatten().copied().collect();
        components.extend(self.load_statements(tx, &sets).await?);
        self.load_components(tx, components).await
    }

    /// Loads components, and the components that statements tie to them.
    pub async fn load_components(
        &mut self,
        tx: &mut Tx,
        components: impl IntoIterator<Item = i64>,
    ) -> Result<()> {
        let mut next: Vec<i64> = components.into_iter().collect();
        loop {
            next.retain(|id| self.components.insert(*id));
            if next.is_empty() {
                return Ok(());
            }
            let rows = tx.evidence_of_components(next).await?;
            let slots = rows.iter().flat_map(|row| row.nodes.iter().copied());
            let slots: Vec<i64> = slots.collect();
            self.load_identifiers(tx, slots.iter().copied()).await?;
            self.keep(rows);
            next = self.load_statements(tx, &slots).await?;
        }
    }

    /// Loads the statements on identifiers; returns the components at their other ends.
    async fn load_statements(&mut self, tx: &mut Tx, slots: &[i64]) -> Result<Vec<i64>> {
        let any = match self.has_statements {
            Some(any) => any,
            None => *self.has_statements.insert(tx.has_statements().await?),
        };
        if !any || slots.is_empty() {
            return Ok(Vec::new());
        }
        let mut ends = Vec::new();
        for row in tx.statements_on(slots).await? {
            ends.extend([row.left, row.right]);
            self.statements.insert(
                row.id,
                Stated {
                    kind: statement_kind(&row)?,
                    left: row.left,
                    right: row.right,
                },
            );
        }
        self.load_identifiers(tx, ends.iter().copied()).await?;
        Ok(ends
            .iter()
            .filter_map(|slot| self.identifiers.get(slot)?.component)
            .collect())
    }

    /// Makes room for so many more pieces of evidence.
    pub fn reserve(&mut self, count: usize) {
        self.by_set.reserve(count);
        self.evidence.reserve(count);
    }

    fn keep(&mut self, rows: Vec<EvidenceRow>) {
        self.reserve(rows.len());
        for row in rows {
            let key = self.set_key(&row.nodes, source_of(&row.message));
            self.by_set.insert(key, row.id);
            self.evidence.insert(
                row.id,
                Seen {
                    row,
                    is_new: false,
                    renamed: false,
                    dirty: false,
                    given: false,
                    removed: false,
                },
            );
        }
    }

    /// Marks everything that is loaded as stale, so that all of it is resolved again.
    pub fn mark_all_stale(&mut self) {
        self.stale_evidence.extend(self.evidence.keys());
    }

    /// Lets the caller decide which of the loaded identifiers are shared; all evidence of each of them must be loaded.
    pub fn decide_shared(
        &mut self,
        decide: impl FnOnce(&mut dyn Iterator<Item = i64>) -> FxHashMap<i64, bool>,
    ) {
        self.decided = Some(decide(&mut self.identifiers.keys().copied()));
    }

    /// The identifiers of each loaded piece of evidence.
    pub fn nodes(&self) -> Vec<(i64, &[i64])> {
        let seen = self.evidence.values();
        seen.map(|seen| (seen.row.id, &*seen.row.nodes)).collect()
    }

    /// The person of each loaded piece of evidence, by evidence.
    pub fn persons(&self) -> BTreeMap<i64, Option<i64>> {
        let seen = self.evidence.values();
        seen.map(|seen| (seen.row.id, seen.row.person_id)).collect()
    }

    /// Looks up what still supports evidence that lost a supporter, after the records' own rows were written.
    pub async fn recheck_supporters(&mut self, tx: &mut Tx, losers: &BTreeSet<i64>) -> Result<()> {
        let ids: Vec<i64> = losers
            .iter()
            .copied()
            .filter(|id| self.evidence.contains_key(id))
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut earliest: FxHashMap<i64, (i64, String)> = FxHashMap::default();
        for (id, first_seen, message) in tx.supporters(ids.iter().copied()).await? {
            let found = (first_seen, message);
            match earliest.get_mut(&id) {
                Some(best) if *best <= found => {}
                Some(best) => *best = found,
                None => {
                    earliest.insert(id, found);
                }
            }
        }
        let supported = ids.iter().copied().filter(|id| earliest.contains_key(id));
        let supported: BTreeSet<i64> = supported.collect();
        let mut names = match supported.is_empty() {
            true => FxHashMap::default(),
            false => names_of(tx, &supported, |_, _| true).await?,
        };
        for id in supported {
            self.name(id, names.remove(&id));
        }
        for id in ids {
            let seen = self.evidence.get_mut(&id).expect("filtered above");
            match earliest.remove(&id) {
                Some((first_seen, message))
                    if (first_seen, &*message) == (seen.row.first_seen, &*seen.row.message) => {}
                Some((first_seen, message)) => {
                    seen.row.first_seen = first_seen;
                    seen.row.message = message.into();
                    seen.renamed = true;
                    seen.dirty = true;
                    self.stale_evidence.insert(id);
                }
                None => {
                    seen.removed = true;
                    self.stale_evidence.insert(id);
                }
            }
        }
        self.recount_shared(tx).await
    }

    /// A shared identifier that lost evidence, or whose evidence gives another name now, may be live again: then all its evidence joins
    /// the neighbourhood.
    async fn recount_shared(&mut self, tx: &mut Tx) -> Result<()> {
        let mut slots: FxHashSet<i64> = FxHashSet::default();
        let stale = self.stale_evidence.iter().map(|id| &self.evidence[id]);
        let removed = stale.filter(|seen| seen.removed);
        let named = self.recounted.iter().map(|id| &self.evidence[id]);
        for seen in removed.chain(named) {
            let nodes = seen.row.nodes.iter().copied();
            slots.extend(nodes.filter(|slot| self.identifiers[slot].shared));
        }
        if slots.is_empty() {
            return Ok(());
        }
        let pairs = tx.evidence_of_shared(slots.iter().copied()).await?;
        let rows = tx
            .evidence_by_id(pairs.into_iter().map(|pair| pair.1))
            .await?;
        let components: Vec<i64> = rows.iter().map(|row| row.component).collect();
        self.load_components(tx, components).await?;
        self.stale_evidence.extend(
            rows.iter()
                .map(|row| row.id)
                .filter(|id| self.evidence.contains_key(id)),
        );
        self.recount = slots;
        Ok(())
    }
}

/// Identifiers by slot as they are stored.
fn read_rows(rows: Vec<IdentifierRow<'_>>, rules: &Rules) -> Result<Vec<(i64, Known)>> {
    // Each source's kind is made once, however many of its ids there are.
    let mut kinds: Vec<(String, IdentifierKind)> = Vec::new();
    let mut read = Vec::with_capacity(rows.len());
    for mut row in rows {
        let said = match row.consents.take() {
            Some(text) => Some(Box::new(Kept::read(row.slot, text.into_owned())?)),
            None => None,
        };
        let kind = match kinds.iter().find(|(text, _)| *text == row.kind) {
            Some((_, kind)) => kind.clone(),
            None => {
                let kind = kind_of(&row)?;
                kinds.push((row.kind.into_owned(), kind.clone()));
                kind
            }
        };
        let identifier = Identifier {
            kind,
            value: row.value.into_owned(),
        };
        read.push((
            row.slot,
            Known {
                blocked: rules.blocks(&identifier),
                identifier: identifier.into(),
                component: row.component,
                shared: row.shared,
                is_new: false,
                dirty: false,
                said,
            },
        ));
    }
    Ok(read)
}
