//! People who entered and left audiences in a transaction, and the log of it.

use crate::model::Timestamp;
use crate::store::{LogRow, MemberRow, Result, Tx};
use std::collections::BTreeSet;

/// People who entered and left audiences.
#[derive(Default)]
pub struct Moves {
    entered: Vec<MemberRow>,
    left: Vec<(String, i64)>,
    log: Vec<LogRow>,
}

impl Moves {
    pub fn enter(
        &mut self,
        audience: &str,
        person_id: i64,
        uuid: [u8; 16],
        now: Timestamp,
        cause: &str,
    ) {
        self.entered.push(MemberRow {
            audience: audience.to_owned(),
            person_id,
            since: now.0,
        });
        self.write(audience, uuid, true, cause);
    }

    pub fn leave(&mut self, audience: &str, person_id: i64, uuid: [u8; 16], cause: &str) {
        self.left.push((audience.to_owned(), person_id));
        self.write(audience, uuid, false, cause);
    }

    fn write(&mut self, audience: &str, uuid: [u8; 16], entered: bool, cause: &str) {
        self.log.push(LogRow {
            id: 0,
            audience: audience.to_owned(),
            person: uuid,
            at: 0,
            entered,
            cause: cause.to_owned(),
        });
    }

    /// Everybody who moved, once for each move.
    pub fn people(&self) -> impl Iterator<Item = i64> {
        let entered = self.entered.iter().map(|row| row.person_id);
        entered.chain(self.left.iter().map(|(_, id)| *id))
    }

    /// People who entered or left one of these audiences.
    pub fn of(&self, audiences: &BTreeSet<String>) -> Vec<i64> {
        let entered = self
            .entered
            .iter()
            .map(|row| (&row.audience, row.person_id));
        let left = self.left.iter().map(|(audience, id)| (audience, *id));
        let of = entered
            .chain(left)
            .filter(|(audience, _)| audiences.contains(*audience));
        of.map(|(_, id)| id).collect()
    }

    pub async fn save(mut self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        if self.log.is_empty() {
            return Ok(());
        }
        let first = tx.reserve("membership_log", self.log.len() as i64).await?;
        for (index, row) in self.log.iter_mut().enumerate() {
            row.id = first + index as i64;
            row.at = now.0;
        }
        self.entered
            .sort_unstable_by(|a, b| (&a.audience, a.person_id).cmp(&(&b.audience, b.person_id)));
        tx.remove_members(&self.left).await?;
        tx.add_members(&self.entered).await?;
        tx.add_log(&self.log).await
    }
}
