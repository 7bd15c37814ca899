//! The floor: fetches the pages and writes as many rows as the hub does, of the same width, in transactions of the same
//! size, through the same statements, while the next pages are on their way. It compares, maps and resolves nothing.

use crate::measure::{Measured, Watch};
use crate::pages::Pages;
use anyhow::{Result, ensure};
use onefold::model::Timestamp;
use onefold::store::{
    ClaimRow, Effect, EvidenceRow, IdentifierRow, PersonRow, RecordRow, RecordState, Store, Tx,
    VersionRow,
};
use std::net::SocketAddr;
use std::path::Path;
use tokio::sync::mpsc;

/// As many records as the hub writes together, and as many as it puts into one transaction while there are more.
const BATCH_RECORDS: usize = 20_000;
const TRANSACTION_RECORDS: usize = 100_000;

pub async fn run(records: u64, address: SocketAddr, folder: &Path) -> Result<Measured> {
    let path = folder.join("floor.db");
    let watch = Watch::start();
    let store = Store::open(&format!("sqlite:{}", path.display())).await?;
    let (pages, mut arriving) = mpsc::channel(4);
    let reader = tokio::task::spawn_blocking(move || -> Result<()> {
        let mut source = Pages::connect(address)?;
        while let Some(page) = source.next_page()? {
            if pages.blocking_send(page).is_err() {
                break;
            }
        }
        Ok(())
    });
    let (batches, mut queue) = mpsc::channel::<Batch>(1);
    let gathering = tokio::spawn(async move {
        let mut batch = Batch::default();
        let mut next = 1;
        while let Some(page) = arriving.recv().await {
            for body in page {
                batch.push(next, body);
                next += 1;
            }
            if batch.versions.len() >= BATCH_RECORDS {
                batch.sort();
                if batches.send(std::mem::take(&mut batch)).await.is_err() {
                    return;
                }
            }
        }
        batch.sort();
        let _ = batches.send(batch).await;
    });
    while let Some(batch) = queue.recv().await {
        let mut tx = store.begin().await?;
        let mut written = 0;
        let mut next = Some(batch);
        while let Some(batch) = next {
            written += batch.versions.len();
            batch.save(&mut tx).await?;
            next = match written < TRANSACTION_RECORDS {
                true => queue.try_recv().ok(),
                false => None,
            };
        }
        tx.commit().await?;
    }
    gathering.await?;
    reader.await??;
    let mut tx = store.read().await?;
    let counts = tx.status_counts().await?;
    drop(tx);
    store.close().await;
    let expected = i64::try_from(records)?;
    ensure!(
        (counts.records, counts.people) == (expected, expected),
        "the floor wrote {} records and {} people",
        counts.records,
        counts.people
    );
    Ok(watch.stop(expected, &path))
}

/// The rows of one transaction.
#[derive(Default)]
struct Batch {
    versions: Vec<VersionRow>,
    records: Vec<RecordRow>,
    identifiers: Vec<IdentifierRow<'static>>,
    evidence: Vec<EvidenceRow>,
    claims: Vec<ClaimRow>,
    persons: Vec<PersonRow>,
    aliases: Vec<([u8; 16], i64)>,
}

fn uuid_of(id: i64) -> [u8; 16] {
    let mut uuid = [0; 16];
    uuid[..8].copy_from_slice(&scatter(id, 5).to_be_bytes());
    uuid[8..].copy_from_slice(&scatter(id, 6).to_be_bytes());
    uuid
}

impl Batch {
    fn push(&mut self, id: i64, body: Vec<u8>) {
        let slot = scatter(id, 0);
        let nodes = vec![scatter(id, 1), scatter(id, 2), scatter(id, 3)];
        self.versions.push(VersionRow {
            changed_at: None,
            id,
            slot,
            received_at: NOW,
            effect: Effect::Current,
            body: body.into(),
        });
        self.records.push(RecordRow {
            slot,
            stream_id: 1,
            key: id.to_string(),
            hash: scatter(id, 4),
            version_id: id,
            state: RecordState::Live,
            updated_at: Some(NOW.0),
            first_seen: NOW.0,
            evidence_id: Some(id),
            fact_id: None,
        });
        let values = [
            ("external:crm", id.to_string()),
            ("email", format!("person{id}@bulk.example")),
            ("phone", format!("+486{id:08}")),
        ];
        for ((kind, value), slot) in values.into_iter().zip(&nodes) {
            self.identifiers.push(IdentifierRow {
                slot: *slot,
                kind: kind.into(),
                value: value.into(),
                component: Some(id),
                shared: false,
                consents: None,
            });
        }
        self.evidence.push(EvidenceRow {
            id,
            component: id,
            person_id: Some(id),
            nodes,
            first_seen: NOW.0,
            message: format!("crm/contacts/{id}").into(),
            name: Some("zofia|lovelace".into()),
        });
        let traits = format!(
            r#"{{"company":"Company 123","country":"PL","email":"person{id}@bulk.example","first_name":"Zofia","last_name":"Lovelace","lifecycle_stage":"customer","phone":"+486{id:08}"}}"#
        );
        self.claims.push(ClaimRow {
            evidence_id: id,
            slot,
            source: "crm".into(),
            record: format!("contacts/{id}"),
            time: NOW.0,
            body: format!(r#"{{"traits":{traits}}}"#),
        });
        let uuid = uuid_of(id);
        self.persons.push(PersonRow {
            id,
            uuid,
            component: id,
            traits,
            consents: "{}".to_owned(),
            updated_at: NOW.0,
        });
        self.aliases.push((uuid, id));
    }

    fn sort(&mut self) {
        self.records.sort_unstable_by_key(|row| row.slot);
        self.identifiers.sort_unstable_by_key(|row| row.slot);
        self.aliases.sort_unstable();
    }

    async fn save(&self, tx: &mut Tx) -> Result<()> {
        tx.add_versions(&self.versions).await?;
        tx.add_records(&self.records).await?;
        tx.add_claims(&self.claims.iter().collect::<Vec<_>>())
            .await?;
        tx.add_identifiers(&self.identifiers).await?;
        tx.add_evidence(&self.evidence.iter().collect::<Vec<_>>())
            .await?;
        tx.add_persons(&self.persons).await?;
        tx.save_aliases(&self.aliases).await?;
        Ok(())
    }
}

const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// A place as far from its neighbours as a hash would put it: the finaliser of SplitMix64 (Steele and others, 2014).
fn scatter(id: i64, column: u64) -> i64 {
    let mut bits = (id.unsigned_abs() * 8 + column).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 1) as i64
}
