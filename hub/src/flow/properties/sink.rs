//! A destination in memory that keeps exactly what it is sent, and refuses what makes no sense. It can lose its answers.

use super::Going;
use crate::flow;
use crate::flow::commit::view::read_consents;
use crate::host::{
    AudiencePage, AudienceRef, Batch, CheckReport, Connector, Delivery, Erasure, Failure, Member,
    MemberChange, MemberId, Outcome, ReadRequest, Reply, StreamInfo, TargetInfo, WriteRequest,
};
use crate::model::{ConsentStatus, Fields};
use crate::problem::codes::TRAPPED;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Audience and address.
pub type Members = BTreeSet<(String, String)>;

#[derive(Clone, Default)]
pub struct Sink {
    pub members: Arc<Mutex<Members>>,
    /// The fields that are set, by key.
    pub rows: Arc<Mutex<BTreeMap<String, Fields>>>,
    /// Whether what is asked is done and the answer lost.
    pub loses: bool,
    /// How long a call takes at most.
    pub takes: Duration,
}

impl Sink {
    /// What another process does while the request is on its way comes in between.
    fn wait(&self) {
        if !self.takes.is_zero() {
            std::thread::park_timeout(self.takes);
        }
    }

    fn answer(&self) -> Result<Outcome, Failure> {
        match self.loses {
            false => Ok(Outcome::default()),
            true => Err(Failure::guest(&TRAPPED, "the answer is lost".to_owned())),
        }
    }
}

fn value(member: &Member) -> String {
    member.ids[0].value.clone()
}

impl Connector for Sink {
    fn check(&mut self) -> Result<CheckReport, Failure> {
        Ok(CheckReport::default())
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
    fn write(&mut self, request: &WriteRequest) -> Result<Outcome, Failure> {
        self.wait();
        let mut rows = self.rows.lock().unwrap();
        for line in String::from_utf8(request.rows.data.clone())
            .unwrap()
            .lines()
        {
            let sent: Fields = serde_json::from_str(line).unwrap();
            let row = rows
                .entry(sent["email"].as_str().unwrap().to_owned())
                .or_default();
            row.extend(sent);
            row.retain(|_, value| !value.is_null());
        }
        drop(rows);
        self.answer()
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
        self.wait();
        for member in &change.members {
            let is_new = self
                .members
                .lock()
                .unwrap()
                .insert((change.audience.clone(), value(member)));
            assert!(is_new || change.verify, "a member is added once");
        }
        self.answer()
    }
    fn remove_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        self.wait();
        for member in &change.members {
            let was = self
                .members
                .lock()
                .unwrap()
                .remove(&(change.audience.clone(), value(member)));
            assert!(was || change.verify, "only a member is removed");
        }
        self.answer()
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
        let sink = Box::new(self.sink.clone());
        let report = flow::deliver(
            &self.world.context,
            destination,
            sink,
            flow::DeliveryOptions::default(),
        )
        .await
        .unwrap();
        assert!(!report.guarded && report.problems.is_empty(), "{report:?}");
    }

    /// What this world's part of the sink holds.
    pub fn sent(&self) -> Members {
        let all = self.sink.members.lock().unwrap();
        let part = format!("w{}x", self.name);
        all.iter()
            .filter(|(_, email)| email.starts_with(&part))
            .cloned()
            .collect()
    }

    /// The members by name and address who agreed.
    pub async fn wanted(&self) -> Members {
        let mut tx = self.world.context.store.read().await.unwrap();
        let rows = tx.find_persons(&self.name, 10_000).await.unwrap();
        let is_in = format!("\"world\":\"{}\"", self.name);
        let rows = rows.into_iter().filter(|row| row.traits.contains(&is_in));
        let mut wanted = Members::new();
        for row in rows {
            let traits: Fields = serde_json::from_str(&row.traits).unwrap();
            let consents = read_consents(row.id, &row.consents).unwrap();
            let agreed = |email: &&str| {
                let entry = consents.get("marketing_email");
                let at = entry.and_then(|entry| entry.addresses.get(email));
                at.is_some_and(|one| one.status == ConsentStatus::Granted)
            };
            let email = traits.get("email").and_then(|value| value.as_str());
            let Some(email) = email.filter(agreed) else {
                continue;
            };
            for member in tx.memberships_of([row.id]).await.unwrap() {
                wanted.insert((member.audience, email.to_owned()));
            }
        }
        wanted
    }
}
