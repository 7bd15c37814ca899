//! One batch into the store, in one transaction: records, claims and facts, then identity, then profiles, audiences
//! and wanted rows for the people touched. The caller commits, together with the cursor (I3).

use crate::flow::commit::change::{Change, Counts, Passed, Put, To, unmapped};
use crate::flow::commit::claim::{FreshClaim, MappedClaim, first_seen};
use crate::flow::commit::consent::{Pending, Version, telling};
use crate::flow::commit::echo::{self, Before};
use crate::flow::commit::meaning::Meaning;
use crate::flow::commit::neighbourhood::{Naming, Neighbourhood, message_id};
use crate::flow::commit::ripple::look;
use crate::flow::commit::settle::Settling;
use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::touched::{Ripple, Touched};
use crate::flow::commit::{accounts, agreed, settle};
use crate::flow::context::{Context, at_once};
use crate::flow::stored_json::to_json;
use crate::model::{Canonical, EntityKind, Fact, Timestamp};
use crate::problem::{Problem, Severity};
use crate::store::{
    ClaimRow, DeadLetterRow, Effect, EventRow, LetterState, RecordRow, RecordState, Result, Tx,
    VersionRow,
};
use bytes::Bytes;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// Rows that are written once the evidence ids are known.
#[derive(Default)]
struct Written {
    versions: Vec<VersionRow>,
    /// Records that are new.
    records: Vec<RecordRow>,
    /// Changed records, each with its previous row.
    known_records: Vec<(RecordRow, RecordRow)>,
    claims: Vec<FreshClaim>,
    events: Vec<EventRow>,
    letters: Vec<DeadLetterRow>,
    accounts: accounts::AccountChanges,
    lost_claims: Vec<(i64, i64)>,
    lost_facts: Vec<i64>,
    judged: Vec<i64>,
    pending: Pending,
    /// Evidence that may have lost a supporter.
    losers: BTreeSet<i64>,
    naming: Naming,
    /// Evidence whose claims or facts changed.
    touched: FxHashSet<i64>,
    /// Evidence whose claims changed.
    claimed: FxHashSet<i64>,
}

/// First of the ids reserved for this batch.
struct Ids {
    version: i64,
    fact: i64,
    letter: i64,
}

/// Applies the changes of one stream. Returns the counts of what changed; the caller counts records read and unchanged.
pub async fn apply(
    tx: &mut Tx,
    context: &Context,
    stream: &StreamRef,
    mut changes: Vec<Change>,
) -> Result<Counts> {
    if changes.is_empty() {
        return Ok(Counts::default());
    }
    let now = context.clock.now();
    let mut counts = Counts::default();
    let count = changes.len() as i64;
    let letters = changes.iter().map(|change| change.problems().len() as i64);
    let mut ids = Ids {
        version: tx.reserve("version", count).await?,
        fact: tx.reserve("fact", count).await?,
        letter: tx.reserve("dead_letter", letters.sum()).await?,
    };
    let mut neighbourhood =
        Neighbourhood::new(tx.reserve("evidence", count).await?, context.rules.clone());
    let sent = echo::sent(tx, context, stream, &changes).await?;
    let slots = load(tx, &mut neighbourhood, &mut changes).await?;
    let mut written = Written::default();
    written.move_statements(&mut neighbourhood, &changes, &slots);
    let before = Before {
        neighbourhood: &neighbourhood,
        pending: &written.pending,
        slots: &slots,
    };
    echo::silence(tx, context, &mut changes, sent, before, stream).await?;
    neighbourhood.reserve(changes.len());
    for (change, slots) in changes.into_iter().zip(slots) {
        written.record(
            change,
            slots,
            stream,
            &mut neighbourhood,
            &mut ids,
            now,
            &mut counts,
        );
    }
    let accounts = std::mem::take(&mut written.accounts);
    let settling = save_and_resolve(tx, context, written, neighbourhood).await?;
    // Accounts before people, who read them.
    let changed = accounts::update(tx, context, accounts).await?;
    let mut ripple = Ripple::default();
    settle::settle(tx, context, settling, &mut ripple).await?;
    look(tx, context, changed, &mut ripple).await?;
    ripple.carry(tx, context).await?;
    Ok(counts)
}

/// Writes the rows of the records and resolves the people around them, in parallel where no evidence lost a supporter.
async fn save_and_resolve(
    tx: &mut Tx,
    context: &Context,
    mut written: Written,
    mut neighbourhood: Neighbourhood,
) -> Result<Settling> {
    let mut losers = std::mem::take(&mut written.losers);
    let naming = std::mem::take(&mut written.naming);
    losers.extend(naming.end(tx, &mut neighbourhood).await?);
    let pending = std::mem::take(&mut written.pending);
    pending.end(&mut neighbourhood, context.clock.now());
    let retold = neighbourhood.keep_said();
    let concerned = agreed::concerned(tx, &mut neighbourhood, &retold).await?;
    written.touched.extend(&concerned);
    written.claimed.extend(concerned);
    let touched = Touched {
        evidence: std::mem::take(&mut written.touched),
        claimed: std::mem::take(&mut written.claimed),
    };
    if !losers.is_empty() {
        tx.leave_before();
        let fresh = written.save(tx).await?;
        neighbourhood.recheck_supporters(tx, &losers).await?;
        let reshaped = neighbourhood.resolve();
        return Ok(Settling {
            fresh,
            ..Settling::new(neighbourhood, reshaped, touched)
        });
    }
    // Identity does not depend on the rows being written, and it is known whose claims will be needed.
    let members = neighbourhood.stale_members();
    let stored = neighbourhood.stored_among(&members, &touched.claimed);
    let resolving = at_once(move || {
        let reshaped = neighbourhood.resolve_members(&members);
        (neighbourhood, reshaped)
    });
    let mut stored = tx.claims_of(stored).await?;
    tx.leave_before();
    written.lost_claims.sort_unstable();
    stored.retain(|row| {
        let lost = &written.lost_claims;
        lost.binary_search(&(row.evidence_id, row.slot)).is_err()
    });
    let fresh = written.save(tx).await?;
    let (neighbourhood, reshaped) = resolving.await;
    Ok(Settling {
        fresh,
        stored: Some(stored),
        ..Settling::new(neighbourhood, reshaped, touched)
    })
}

/// Finds the identifiers of all records and loads the components around them and around their previous evidence.
async fn load(
    tx: &mut Tx,
    neighbourhood: &mut Neighbourhood,
    changes: &mut [Change],
) -> Result<Vec<Vec<i64>>> {
    let passed = changes.iter_mut().flat_map(|change| &mut change.passed);
    let mut passed: Vec<&mut Passed> = passed.collect();
    if !passed.is_empty() {
        let sets = passed.iter_mut().map(|one| {
            let identifiers = std::mem::take(&mut one.identifiers);
            (identifiers, std::mem::take(&mut one.slots))
        });
        let slots = neighbourhood.assign_slots(tx, sets.collect()).await?;
        neighbourhood.load(tx, &slots, &[]).await?;
        for (one, slots) in passed.into_iter().zip(slots) {
            one.slots = slots;
        }
    }
    let sets: Vec<_> = changes
        .iter_mut()
        .map(|change| match change.meaning() {
            Some(meaning) => (
                std::mem::take(&mut meaning.canonical.identifiers),
                std::mem::take(&mut meaning.slots),
            ),
            None => Default::default(),
        })
        .collect();
    let slots = neighbourhood.assign_slots(tx, sets).await?;
    let former: Vec<i64> = changes
        .iter()
        .filter_map(|change| change.prior.as_ref()?.evidence_id)
        .collect();
    neighbourhood.load(tx, &slots, &former).await?;
    Ok(slots)
}

impl Written {
    /// What records said that are under other keys from now on.
    fn move_statements(
        &mut self,
        neighbourhood: &mut Neighbourhood,
        changes: &[Change],
        slots: &[Vec<i64>],
    ) {
        let moved = changes.iter().filter_map(|change| match change.to {
            To::Moved(to) => Some((change.prior.as_ref()?, to)),
            _ => None,
        });
        let mut moved = moved.peekable();
        if moved.peek().is_none() {
            return;
        }
        let there = changes.iter().zip(slots);
        let there = there.filter(|(change, _)| matches!(change.to, To::Put(_)));
        let there: FxHashMap<i64, &Vec<i64>> =
            there.map(|(change, slots)| (change.slot, slots)).collect();
        for (prior, to) in moved {
            let slots = there.get(&to).map_or(&[][..], |slots| slots);
            self.pending.move_to(neighbourhood, prior, to, slots);
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "adds one record to everything the batch collects"
    )]
    fn record(
        &mut self,
        change: Change,
        slots: Vec<i64>,
        stream: &StreamRef,
        neighbourhood: &mut Neighbourhood,
        ids: &mut Ids,
        now: Timestamp,
        counts: &mut Counts,
    ) {
        let Change {
            slot,
            key,
            prior,
            passed,
            to,
        } = change;
        let mut put = match to {
            To::Stale { body } => {
                let row = unmapped(slot, key, 0, None, stream, false);
                for version in passed {
                    self.pending.late(Version::new(stream, &row, version, now));
                }
                _ = self.version(ids, slot, now, Effect::Stale, body);
                return;
            }
            To::Put(put) => Some(*put),
            To::Deleted | To::Moved(_) => None,
        };
        self.forget(prior.as_ref());
        counts.count(prior.as_ref(), put.as_ref());
        let is_remapped = put.as_ref().is_some_and(|put| put.body.is_none());
        let version_id = match is_remapped {
            true => prior.as_ref().map_or(0, |prior| prior.version_id),
            false => ids.version,
        };
        let mut row = unmapped(slot, key, version_id, prior.as_ref(), stream, put.is_none());
        let had_said = prior.is_some() && neighbourhood.speaks() || self.pending.has_moved(slot);
        let told = telling(passed, put.as_mut(), had_said, &row, &slots, stream, now);
        match put {
            None => _ = self.version(ids, slot, now, Effect::Deleted, Bytes::new()),
            Some(put) => {
                let had = prior.as_ref().and_then(|prior| prior.evidence_id);
                if put.effect == Effect::Corrected {
                    // Later versions are compared with what the vendor said, not with what an operator wrote.
                    row.updated_at = prior.as_ref().and_then(|prior| prior.updated_at);
                }
                self.put(put, &mut row, slots, had, stream, neighbourhood, ids, now);
            }
        }
        let pending = &mut self.pending;
        if pending.follow(neighbourhood, prior.as_ref(), &row, told, is_remapped) {
            self.claimed.extend(row.evidence_id);
        }
        match prior {
            None => self.records.push(row),
            Some(prior) => {
                self.lose(&prior, &row);
                if let (Some(left), Some(now)) = (prior.evidence_id, row.evidence_id) {
                    neighbourhood.follow(left, now);
                }
                self.known_records.push((row, prior));
            }
        }
    }

    /// What the record said before no longer counts (I5).
    fn forget(&mut self, prior: Option<&RecordRow>) {
        let Some(prior) = prior else { return };
        self.judged.push(prior.slot);
        self.accounts.judged.push(prior.slot);
        if let Some(evidence) = prior.evidence_id {
            self.lost_claims.push((evidence, prior.slot));
            self.touched.insert(evidence);
            self.claimed.insert(evidence);
        }
        self.lost_facts.extend(prior.fact_id);
    }

    /// The old evidence loses a supporter when the record left it or has another creation time now.
    fn lose(&mut self, prior: &RecordRow, row: &RecordRow) {
        if let Some(evidence) = prior.evidence_id
            && (row.evidence_id != Some(evidence) || row.first_seen != prior.first_seen)
        {
            self.losers.insert(evidence);
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "adds one record to everything the batch collects"
    )]
    fn put(
        &mut self,
        put: Put,
        row: &mut RecordRow,
        slots: Vec<i64>,
        had: Option<i64>,
        stream: &StreamRef,
        neighbourhood: &mut Neighbourhood,
        ids: &mut Ids,
        now: Timestamp,
    ) {
        row.hash = put.hash;
        if let Some(body) = put.body {
            let version = self.version(ids, row.slot, now, put.effect, body);
            version.changed_at = put.meaning.as_ref().and_then(Meaning::known_time);
        }
        for problem in put.problems {
            self.letter(problem, row, stream, put.meaning.is_none(), ids, now);
        }
        let Some(meaning) = put.meaning else {
            return;
        };
        let stated_at = meaning.stated_at();
        let Meaning {
            canonical,
            mut claim,
            changed_at,
            ..
        } = meaning;
        row.state = RecordState::Live;
        if put.effect != Effect::Corrected {
            row.updated_at = changed_at.map(Timestamp::millis);
        }
        row.first_seen = first_seen(&canonical).0;
        if !slots.is_empty() {
            let name = claim.as_mut().and_then(|claim| claim.name.take());
            let message = || message_id(stream, &row.key);
            let (source, seen) = (stream.namespace(), row.first_seen);
            let evidence = neighbourhood.gain(slots, source, seen, name.as_deref(), message);
            self.naming
                .add(neighbourhood, evidence, had, row.slot, name);
            row.evidence_id = Some(evidence);
            self.touched.insert(evidence);
        }
        if let (Some(claim), Some(evidence)) = (claim, row.evidence_id) {
            self.claim(claim, evidence, row, stream);
        }
        self.fact(canonical, stated_at, row, stream, ids);
    }

    fn claim(&mut self, claim: MappedClaim, evidence_id: i64, row: &RecordRow, stream: &StreamRef) {
        self.claimed.insert(evidence_id);
        let row = ClaimRow {
            evidence_id,
            slot: row.slot,
            source: stream.namespace().into(),
            record: stream.record(&row.key),
            time: claim.time.0,
            body: claim.body,
        };
        self.claims.push((row, claim.alone));
    }

    fn fact(
        &mut self,
        canonical: Canonical,
        stated_at: Timestamp,
        row: &mut RecordRow,
        stream: &StreamRef,
        ids: &mut Ids,
    ) {
        let is_somebodys = row.evidence_id.is_some();
        let happened = canonical.happened();
        let happened =
            happened.filter(|(name, ..)| is_somebodys || EntityKind::of_thing(name).is_none());
        if let Some((name, time, properties)) = happened {
            row.fact_id = Some(ids.fact);
            self.events.push(EventRow {
                id: ids.fact,
                evidence_id: row.evidence_id.unwrap_or(0),
                slot: row.slot,
                name,
                time: time.0,
                properties: to_json(properties),
            });
            ids.fact += 1;
        }
        if let Some(Fact::Entity {
            kind: EntityKind::Account,
            fields,
        }) = canonical.fact
        {
            self.accounts.add(&fields, row, stated_at, stream);
        }
    }

    fn version(
        &mut self,
        ids: &mut Ids,
        slot: i64,
        now: Timestamp,
        effect: Effect,
        body: Bytes,
    ) -> &mut VersionRow {
        let id = ids.version;
        ids.version += 1;
        self.versions.push_mut(VersionRow {
            id,
            slot,
            received_at: now,
            effect,
            body,
            changed_at: None,
        })
    }

    fn letter(
        &mut self,
        problem: Problem,
        row: &RecordRow,
        stream: &StreamRef,
        fatal: bool,
        ids: &mut Ids,
        now: Timestamp,
    ) {
        let field = problem.field().to_owned();
        let whole = fatal && problem.severity == Severity::Error;
        self.letters.push(DeadLetterRow {
            id: ids.letter,
            kind: if whole { "record" } else { "field" }.to_owned(),
            source: stream.source.to_string(),
            stream: stream.name.to_string(),
            slot: row.slot,
            version: row.version_id,
            key: row.key.clone(),
            field,
            code: problem.code.id.to_owned(),
            message: problem.message,
            hint: problem.hint,
            created_at: now.0,
            state: LetterState::Open,
            decided: None,
        });
        ids.letter += 1;
    }

    /// Writes everything, sorted by key; returns the claims, for the profiles of new people.
    async fn save(mut self, tx: &mut Tx) -> Result<Vec<FreshClaim>> {
        if !self.judged.is_empty() {
            tx.close_dead_letters(self.judged).await?;
            tx.remove_claims(&self.lost_claims).await?;
            tx.remove_facts(&self.lost_facts).await?;
        }
        tx.add_versions(&self.versions).await?;
        self.records.sort_unstable_by_key(|row| row.slot);
        tx.add_records(&self.records).await?;
        self.known_records.sort_unstable_by_key(|(row, _)| row.slot);
        tx.update_records(&self.known_records).await?;
        self.claims
            .sort_unstable_by_key(|(row, _)| (row.evidence_id, row.slot));
        let claims: Vec<&ClaimRow> = self.claims.iter().map(|(row, _)| row).collect();
        tx.add_claims(&claims).await?;
        tx.save_events(&self.events).await?;
        tx.add_dead_letters(&self.letters).await?;
        Ok(self.claims)
    }
}
