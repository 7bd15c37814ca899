//! A destination in memory that keeps exactly what it is sent, and refuses what makes no sense.

use super::Going;
use crate::flow;
use crate::host::{
    AudiencePage, AudienceRef, Batch, Cancel, CheckReport, Connector, Delivery, Erasure, Failure,
    Member, MemberChange, MemberId, Outcome, ReadRequest, Reply, StreamInfo, TargetInfo,
    WriteRequest,
};
use crate::model::{ConsentStatus, Fields};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Audience and address.
pub type Members = BTreeSet<(String, String)>;

#[derive(Clone, Default)]
pub struct Sink(pub Arc<Mutex<Members>>);

fn value(member: &Member) -> String {
    member.ids[0].value.clone()
}

impl Connector for Sink {
    fn check(&mut self) -> Result<CheckReport, Failure> {
        unreachable!("not asked")
    }
    fn discover(&mut self) -> Result<Vec<StreamInfo>, Failure> {
        unreachable!("not asked")
    }
    fn split(&mut self, _: &str, _: Option<&str>) -> Result<Vec<String>, Failure> {
        unreachable!("not asked")
    }
    fn read(&mut self, _: &ReadRequest) -> Result<Batch, Failure> {
        unreachable!("not asked")
    }
    fn targets(&mut self) -> Result<Vec<TargetInfo>, Failure> {
        Ok(Vec::new())
    }
    fn write(&mut self, _: &WriteRequest) -> Result<Outcome, Failure> {
        unreachable!("nothing is pushed but members")
    }
    fn poll_write(&mut self, _: &str, _: u32) -> Result<Option<Outcome>, Failure> {
        unreachable!("nothing is pushed but members")
    }
    fn list_audiences(&mut self, _: Option<&str>) -> Result<AudiencePage, Failure> {
        Ok(AudiencePage::default())
    }
    fn create_audience(&mut self, name: &str, _: Option<&str>) -> Result<AudienceRef, Failure> {
        Ok(AudienceRef {
            id: name.to_owned(),
            name: name.to_owned(),
            size: None,
        })
    }
    fn add_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        for member in &change.members {
            let is_new = self
                .0
                .lock()
                .unwrap()
                .insert((change.audience.clone(), value(member)));
            assert!(is_new, "a member is added once");
        }
        Ok(Outcome::default())
    }
    fn remove_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        for member in &change.members {
            let was = self
                .0
                .lock()
                .unwrap()
                .remove(&(change.audience.clone(), value(member)));
            assert!(was, "only a member is removed");
        }
        Ok(Outcome::default())
    }
    fn poll_audience(&mut self, _: &str, _: u32) -> Result<Option<Outcome>, Failure> {
        unreachable!("nothing takes long")
    }
    fn erase(&mut self, _: &[MemberId], _: &str) -> Result<Erasure, Failure> {
        unreachable!("not asked")
    }
    fn poll_erasure(&mut self, _: &str) -> Result<Erasure, Failure> {
        unreachable!("not asked")
    }
    fn receive(&mut self, _: &Delivery) -> Result<Reply, Failure> {
        unreachable!("not asked")
    }
}

impl Going {
    pub async fn deliver(&self) {
        let destination = &self.world.context.plan.destinations[0];
        let sink = Box::new(self.world.sink.clone());
        let report = flow::deliver(&self.world.context, destination, sink, &Cancel::default())
            .await
            .unwrap();
        assert!(!report.guarded && report.problem.is_none(), "{report:?}");
    }

    /// What this world's part of the sink holds.
    pub fn sent(&self) -> Members {
        let all = self.world.sink.0.lock().unwrap();
        let part = format!("w{}x", self.name);
        all.iter()
            .filter(|(_, email)| email.starts_with(&part))
            .cloned()
            .collect()
    }

    /// The members by name and address who agreed.
    pub async fn wanted(&self) -> Members {
        let mut tx = self.world.context.store.read().await.unwrap();
        let rows = tx
            .find_persons(&format!("\"world\":\"{}\"", self.name), 10_000)
            .await
            .unwrap();
        let mut wanted = Members::new();
        for row in rows {
            let traits: Fields = serde_json::from_str(&row.traits).unwrap();
            let consents: BTreeMap<String, flow::ConsentEntry> =
                serde_json::from_str(&row.consents).unwrap();
            let agreed = consents
                .get("marketing_email")
                .is_some_and(|entry| entry.status == ConsentStatus::Granted);
            let Some(email) = traits
                .get("email")
                .and_then(|value| value.as_str())
                .filter(|_| agreed)
            else {
                continue;
            };
            for member in tx.memberships_of([row.id]).await.unwrap() {
                wanted.insert((member.audience, email.to_owned()));
            }
        }
        wanted
    }
}
