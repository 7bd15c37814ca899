//! Components with more identifiers than the cap: noticed when they are resolved, and kept until they are small again.

use super::Neighbourhood;
use crate::identity;
use crate::model::Timestamp;
use crate::store::{CappedRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};

impl Neighbourhood {
    /// Counts the identifiers of the components that were just named; `components` has the component's name for each evidence.
    pub(super) fn measure(
        &mut self,
        graph: &identity::Neighbourhood,
        labels: &[u32],
        slots: &[i64],
        components: &[i64],
    ) {
        let cap = self.rules.component_cap.max(1);
        if !is_any_larger(labels, cap) {
            return;
        }
        let mut sizes: FxHashMap<i64, i64> = FxHashMap::default();
        for (node, slot) in graph.nodes.iter().zip(slots) {
            if let Some(component) = self.identifiers[slot].component.filter(|_| node.is_live()) {
                *sizes.entry(component).or_default() += 1;
            }
        }
        sizes.retain(|_, size| *size > cap as i64);
        if sizes.is_empty() {
            return;
        }
        // Of a component that is not loaded, only some identifiers are known here.
        let here: FxHashSet<i64> = components.iter().copied().collect();
        let sizes = sizes.into_iter().filter(|(name, _)| here.contains(name));
        self.capped = sizes.collect();
        self.capped.sort_unstable();
    }

    /// Stores what an operator has to know: which identifiers turned out to be of several people, and which components are above the cap.
    pub async fn save_alarms(&self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        tx.remove_parted(&self.flipped_live).await?;
        tx.add_parted(&self.parted, now).await?;
        self.save_capped(tx, now).await
    }

    /// Stores which of the resolved components are above the cap. One that was before stays reported, even if its name changed.
    async fn save_capped(&self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        if self.stale_components.is_empty() {
            return Ok(());
        }
        let known = tx.capped().await?;
        let stale = |row: &CappedRow| self.stale_components.contains(&row.component);
        let before: Vec<CappedRow> = known.into_iter().filter(stale).collect();
        if before.is_empty() && self.capped.is_empty() {
            return Ok(());
        }
        // A component is called after a piece of evidence in it.
        let name_now = |row: &CappedRow| {
            let seen = self
                .evidence
                .get(&row.component)
                .filter(|seen| !seen.removed);
            seen.map(|seen| seen.row.component)
        };
        let rows = self.capped.iter().map(|(component, identifiers)| {
            let same = before
                .iter()
                .filter(|row| name_now(row) == Some(*component));
            let lost = before.iter().filter(|row| name_now(row).is_none());
            let was = same.chain(lost).next();
            CappedRow {
                component: *component,
                identifiers: *identifiers,
                since: was.map_or(now.0, |row| row.since),
                is_reported: was.is_some_and(|row| row.is_reported),
            }
        });
        let rows: Vec<CappedRow> = rows.collect();
        let gone: Vec<i64> = before.iter().map(|row| row.component).collect();
        tx.set_capped(&gone, &rows).await
    }
}

/// Whether more nodes than that have one label.
fn is_any_larger(labels: &[u32], cap: usize) -> bool {
    if labels.len() <= cap {
        return false;
    }
    let mut sizes = vec![0usize; labels.len()];
    labels.iter().any(|label| {
        let size = &mut sizes[*label as usize];
        *size += 1;
        *size > cap
    })
}
