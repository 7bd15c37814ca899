//! Delivery against a vendor in memory that can be made to fail, and during whose calls other things can happen.
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use super::*;
use crate::flow::harness::World;
use crate::flow::{self, Suppression};
use crate::host::{
    AudiencePage, AudienceRef, Batch, Cancel, CheckReport, Erasure, Failure, FailureKind, Member,
    MemberChange, MemberId, Outcome, ReadRequest, Reply, RowFailure, StreamInfo, TargetInfo,
    WriteRequest,
};
use crate::model::{Fields, Identifier, IdentifierKind, Value};
use crate::problem::Problem;
use crate::problem::codes::{VENDOR_PERMANENT, VENDOR_TRANSIENT};
use serde_json::json;
use std::collections::BTreeSet;
use std::result::Result;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::runtime::Handle;
use uuid::Uuid;

const CONTACTS: (&str, &str) = ("crm", "contacts");

const MANIFEST: &str = r#"
[hub]
name = "sending"
store = "sqlite:unused.db"
default_region = "PL"

[[source]]
name = "crm"
connector = "any"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
updated_at = "updated"
map.email = "email | email"
map.phone = "phone"
map.user_id = "user"
map.first_name = "name"
consent.marketing_email = "consent"

[[audience]]
name = "named"
who = { trait = "first_name", exists = true }
[[audience]]
name = "everybody"
who = { trait = "email", exists = true }

[[destination]]
name = "tool"
connector = "tool"
consent = ["marketing_email"]
person = { match = "email", map = { FNAME = "first_name" } }
audiences = ["named", "everybody"]
guard = { max_removed = "100%" }
"#;

/// What a call is about: the target's or the audience's name, and the keys.
type Asked<'a> = (&'a str, &'a [String]);
type Hook = Box<dyn FnMut(Asked<'_>) + Send>;
type Answer = Box<dyn FnMut(Asked<'_>) -> Result<Vec<RowFailure>, Failure> + Send>;

#[derive(Default)]
struct Held {
    /// The fields that are set, by address.
    rows: BTreeMap<String, Fields>,
    /// Addresses, by the audience's id.
    members: BTreeMap<String, BTreeSet<String>>,
    /// By name.
    ids: BTreeMap<String, String>,
    made: usize,
    /// An audience's id is its name, so that one that is created again has the same id.
    is_by_name: bool,
    /// Calls that add members become jobs, and the first poll of a job gets no answer.
    takes_long: bool,
    polls: usize,
    /// The keys of each call that changes something.
    calls: Vec<Vec<String>>,
}

/// The vendor. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
struct Tool {
    held: Arc<Mutex<Held>>,
    /// What happens during the first call.
    meanwhile: Arc<Mutex<Option<Hook>>>,
    /// What it answers instead of doing it.
    refuses: Arc<Mutex<Option<Answer>>>,
    /// What ends its calls.
    cancel: Arc<Mutex<Cancel>>,
    /// What it answers when an audience is to be made.
    makes: Arc<Mutex<Option<Failure>>>,
}

impl Tool {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    fn name_of(&self, address: &str) -> Option<String> {
        let held = self.held();
        let row = held.rows.get(address)?;
        Some(row.get("FNAME")?.as_str()?.to_owned())
    }

    fn members(&self, audience: &str) -> BTreeSet<String> {
        let held = self.held();
        let id = held.ids.get(audience);
        id.and_then(|id| held.members.get(id))
            .cloned()
            .unwrap_or_default()
    }

    /// Whether it holds anything about this address.
    fn knows(&self, address: &str) -> bool {
        let held = self.held();
        held.rows.contains_key(address) || held.members.values().any(|of| of.contains(address))
    }

    fn meanwhile(&self, hook: impl FnMut(Asked<'_>) + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(hook));
    }

    fn refuses(
        &self,
        answer: impl FnMut(Asked<'_>) -> Result<Vec<RowFailure>, Failure> + Send + 'static,
    ) {
        *self.refuses.lock().unwrap() = Some(Box::new(answer));
    }

    fn obeys(&self) {
        *self.refuses.lock().unwrap() = None;
        *self.makes.lock().unwrap() = None;
    }

    fn calls(&self) -> usize {
        self.held().calls.len()
    }

    /// Records a call; returns the rows that are refused.
    fn asked(&self, about: &str, keys: &[String]) -> Result<Vec<RowFailure>, Failure> {
        self.held().calls.push(keys.to_vec());
        let hook = self.meanwhile.lock().unwrap().take();
        if let Some(mut hook) = hook {
            hook((about, keys));
        }
        match &mut *self.refuses.lock().unwrap() {
            Some(answer) => answer((about, keys)),
            None => Ok(Vec::new()),
        }
    }

    fn change(&self, change: &MemberChange, add: bool) -> Result<Outcome, Failure> {
        let keys: Vec<String> = change.members.iter().map(address).collect();
        let name = {
            let held = self.held();
            let found = held.ids.iter().find(|(_, id)| **id == change.audience);
            found.map(|(name, _)| name.clone())
        };
        let mut failures = self.asked(&name.unwrap_or_default(), &keys)?;
        let mut held = self.held();
        if add {
            let strangers = keys.iter().enumerate();
            let strangers = strangers.filter(|(_, key)| !held.rows.contains_key(*key));
            failures.extend(strangers.map(|(index, _)| refusal(index, false, "nobody like that")));
        }
        let Some(members) = held.members.get_mut(&change.audience) else {
            return Err(gone());
        };
        for (index, key) in keys.into_iter().enumerate() {
            if failures.iter().any(|one| one.index as usize == index) {
                continue;
            }
            match add {
                true => members.insert(key),
                false => members.remove(&key),
            };
        }
        let job = held.takes_long.then(|| "job-1".to_owned());
        Ok(Outcome { failures, job })
    }
}

fn address(member: &Member) -> String {
    member.ids[0].value.clone()
}

fn outcome(failures: Vec<RowFailure>) -> Outcome {
    Outcome {
        failures,
        job: None,
    }
}

fn failed(kind: FailureKind, message: &str) -> Failure {
    let code = match kind {
        FailureKind::Permanent => &VENDOR_PERMANENT,
        _ => &VENDOR_TRANSIENT,
    };
    Failure::new(kind, Problem::new(code, message))
}

fn gone() -> Failure {
    Failure {
        http_status: Some(404),
        ..failed(FailureKind::Permanent, "there is no such list")
    }
}

fn refusal(index: usize, retryable: bool, message: &str) -> RowFailure {
    RowFailure {
        index: index as u32,
        retryable,
        code: "tool.bad".to_owned(),
        message: message.to_owned(),
    }
}

impl Connector for Tool {
    fn cancel_by(&mut self, cancel: &Cancel) {
        *self.cancel.lock().unwrap() = cancel.clone();
    }
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
        let text = String::from_utf8(request.rows.data.clone()).unwrap();
        let rows: Vec<Fields> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let keys = rows.iter().map(|row| row["email"].as_str().unwrap());
        let keys: Vec<String> = keys.map(str::to_owned).collect();
        let failures = self.asked(&request.target, &keys)?;
        let mut held = self.held();
        for (index, (key, sent)) in keys.into_iter().zip(rows).enumerate() {
            if failures.iter().any(|one| one.index as usize == index) {
                continue;
            }
            let row = held.rows.entry(key).or_default();
            row.extend(sent);
            row.retain(|_, value| !value.is_null());
        }
        Ok(outcome(failures))
    }
    fn poll_write(&mut self, _: &str, _: u32) -> Result<Option<Outcome>, Failure> {
        unreachable!("nothing takes long")
    }
    fn list_audiences(&mut self, _: Option<&str>) -> Result<AudiencePage, Failure> {
        Ok(AudiencePage::default())
    }
    fn create_audience(&mut self, name: &str, _: Option<&str>) -> Result<AudienceRef, Failure> {
        let mut held = self.held();
        held.calls.push(Vec::new());
        if let Some(failure) = &*self.makes.lock().unwrap()
            && name == "named"
        {
            return Err(failure.clone());
        }
        let id = match held
            .ids
            .get(name)
            .filter(|id| held.members.contains_key(*id))
        {
            Some(id) => id.clone(),
            None => {
                held.made += 1;
                let id = match held.is_by_name {
                    true => name.to_owned(),
                    false => format!("list-{}", held.made),
                };
                held.ids.insert(name.to_owned(), id.clone());
                held.members.insert(id.clone(), BTreeSet::new());
                id
            }
        };
        Ok(AudienceRef {
            id,
            name: name.to_owned(),
            size: None,
        })
    }
    fn add_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        self.change(change, true)
    }
    fn remove_members(&mut self, change: &MemberChange) -> Result<Outcome, Failure> {
        self.change(change, false)
    }
    fn poll_audience(&mut self, _: &str, _: u32) -> Result<Option<Outcome>, Failure> {
        let mut held = self.held();
        held.polls += 1;
        match held.polls {
            1 => Err(failed(FailureKind::Transient, "nobody is there")),
            _ => Ok(Some(outcome(Vec::new()))),
        }
    }
    fn erase(&mut self, _: &[MemberId], _: &str) -> Result<Erasure, Failure> {
        unreachable!("not asked")
    }
    fn poll_erasure(&mut self, _: &str) -> Result<Erasure, Failure> {
        unreachable!("not asked")
    }
    fn receive(&mut self, _: &crate::host::Delivery) -> Result<Reply, Failure> {
        unreachable!("not asked")
    }
}

/// A hub, and a vendor that it delivers to.
struct Desk {
    world: Arc<World>,
    tool: Tool,
}

impl Desk {
    async fn new() -> Self {
        Self::of(MANIFEST).await
    }

    async fn of(manifest: &str) -> Self {
        Self {
            world: Arc::new(World::new(manifest, &[CONTACTS], 1_000).await),
            tool: Tool::default(),
        }
    }

    async fn deliver(&self) -> DeliveryReport {
        deliver_with(&self.world.context, &self.tool).await
    }

    async fn plan(&self) -> DeliveryReport {
        let context = &self.world.context;
        plan(context, &context.plan.destinations[0], 0)
            .await
            .unwrap()
    }

    async fn put(&self, rows: &[Value]) {
        self.world.apply(CONTACTS, rows, &[]).await;
    }

    /// Adds this many people, `p0@x.example` and so on.
    async fn people(&self, count: usize) {
        let rows: Vec<Value> = (0..count).map(|n| person(n, 1, &format!("n{n}"))).collect();
        self.put(&rows).await;
    }

    /// Suppresses as another process would, which loaded the list at a different time.
    async fn suppress(&self, text: &str) {
        suppress_in(&self.world.context, text).await;
    }

    async fn letters(&self) -> Vec<crate::store::DeadLetterRow> {
        let mut tx = self.world.context.store.read().await.unwrap();
        tx.dead_letters(false, 1_000).await.unwrap()
    }

    /// Changes that wait at the destination.
    async fn pending(&self) -> usize {
        let mut tx = self.world.context.store.read().await.unwrap();
        let rows = tx.pending_changes("tool", "", 0, 1_000).await.unwrap();
        rows.chunk_by(|a, b| a.id == b.id).count()
    }
}

async fn deliver_with(context: &Context, tool: &Tool) -> DeliveryReport {
    let destination = &context.plan.destinations[0];
    let tool = Box::new(tool.clone());
    deliver(context, destination, tool, DeliveryOptions::default())
        .await
        .unwrap()
}

async fn suppress_in(context: &Context, text: &str) {
    let identifier = identifier(text);
    let store = context.store.clone();
    let other = Context::new(
        context.plan.clone(),
        store.clone(),
        context.clock.clone(),
        Suppression::load(&store, Uuid::nil).await.unwrap(),
    );
    let mut tx = store.begin().await.unwrap();
    flow::suppress(&mut tx, &other, &identifier, "asked by phone")
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn identifier(text: &str) -> Identifier {
    let (kind, value) = text.rsplit_once(':').unwrap();
    let kind = IdentifierKind::parse(kind).unwrap();
    Identifier::parse(kind, value, Some("PL")).unwrap()
}

fn person(n: usize, updated: i64, name: &str) -> Value {
    json!({"id": format!("c{n}"), "updated": updated, "email": format!("p{n}@x.example"),
           "name": name, "consent": "granted"})
}

fn set<const N: usize>(of: [&str; N]) -> BTreeSet<String> {
    of.map(str::to_owned).into()
}

// A vendor takes only members that it knows.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_comes_while_members_are_added_is_added_once_the_vendor_knows_them() {
    let desk = Desk::new().await;
    desk.people(1).await;
    let world = desk.world.clone();
    let mut comes = Some(());
    desk.tool.refuses(move |(about, _)| {
        if about == "everybody" && comes.take().is_some() {
            let new = [person(1, 1, "new")];
            Handle::current().block_on(world.apply(CONTACTS, &new, &[]));
        }
        Ok(Vec::new())
    });
    let report = desk.deliver().await;
    assert_eq!(report.rejected, 0);
    assert_eq!(desk.pending().await, 0);
    let both = set(["p0@x.example", "p1@x.example"]);
    assert_eq!(desk.tool.members("named"), both);
    assert_eq!(desk.tool.members("everybody"), both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_person_the_vendor_refuses_is_added_once_it_takes_the_person() {
    let desk = Desk::new().await;
    desk.people(2).await;
    desk.tool.refuses(|(about, keys)| {
        let is_bad = |(_, key): &(usize, &String)| about == "people" && *key == "p1@x.example";
        let bad = keys.iter().enumerate().filter(is_bad);
        Ok(bad
            .map(|(at, _)| refusal(at, false, "a bad name"))
            .collect())
    });
    desk.deliver().await;
    assert_eq!(desk.tool.members("everybody"), set(["p0@x.example"]));
    desk.tool.obeys();
    desk.put(&[person(1, 2, "corrected")]).await;
    desk.deliver().await;
    let both = set(["p0@x.example", "p1@x.example"]);
    assert_eq!(desk.tool.members("named"), both);
    assert_eq!(desk.tool.members("everybody"), both);
    assert_eq!(desk.letters().await, []);
}

/// Refuses the row of `p1@x.example`.
fn refusing((about, keys): Asked<'_>) -> Vec<RowFailure> {
    let is_it = |(_, key): &(usize, &String)| about == "people" && *key == "p1@x.example";
    let bad = keys.iter().enumerate().filter(is_it);
    bad.map(|(at, _)| refusal(at, false, "a bad name"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_added_once_the_vendor_has_the_person_also_where_it_refuses_the_next_value() {
    let desk = Desk::new().await;
    desk.people(2).await;
    desk.tool.refuses(|asked| Ok(refusing(asked)));
    desk.deliver().await;
    desk.put(&[person(1, 2, "good")]).await;
    let world = desk.world.clone();
    let mut taken = Some(());
    desk.tool.refuses(move |asked| {
        if asked.0 == "people" && taken.take().is_some() {
            let bad = [person(1, 3, "bad")];
            Handle::current().block_on(world.apply(CONTACTS, &bad, &[]));
            return Ok(Vec::new());
        }
        Ok(refusing(asked))
    });
    desk.deliver().await;
    let both = set(["p0@x.example", "p1@x.example"]);
    assert_eq!(desk.tool.members("everybody"), both);
    assert_eq!(desk.letters().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_added_once_no_row_of_the_person_is_wanted() {
    let map = "map = { FNAME = \"first_name\" }";
    let manifest = MANIFEST.replace(map, &format!("{map}, only = [\"named\"]"));
    assert_ne!(manifest, MANIFEST);
    let desk = Desk::of(&manifest).await;
    desk.people(2).await;
    let mut lost = Some(Failure {
        may_have_written: true,
        ..failed(FailureKind::Transient, "no answer")
    });
    desk.tool.refuses(move |asked| match lost.take() {
        Some(lost) => Err(lost),
        None => Ok(refusing(asked)),
    });
    desk.deliver().await;
    desk.deliver().await;
    assert_eq!(desk.tool.members("everybody"), set(["p0@x.example"]));
    desk.tool.obeys();
    let known = Fields::new();
    desk.tool
        .held()
        .rows
        .insert("p1@x.example".to_owned(), known);
    let mut unnamed = person(1, 2, "");
    unnamed["name"] = Value::Null;
    desk.put(&[unnamed]).await;
    desk.deliver().await;
    let both = set(["p0@x.example", "p1@x.example"]);
    assert_eq!(desk.tool.members("everybody"), both);
    assert_eq!(desk.letters().await, []);
}

// N10: a plan counts who waited for a profile that is sent now, or wanted no more, and nobody who goes on waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_counts_who_waited_for_a_profile() {
    let person_line = "person = { match = \"email\", map = { FNAME = \"first_name\" } }\n";
    assert!(MANIFEST.contains(person_line));
    for without in [false, true] {
        let mut desk = Desk::new().await;
        desk.people(2).await;
        desk.tool.refuses(|asked| Ok(refusing(asked)));
        let planned = desk.plan().await;
        desk.deliver().await;
        assert_eq!(planned.added["everybody"], 2);
        assert_eq!(desk.tool.members("everybody"), set(["p0@x.example"]));
        let nobody = desk.plan().await;
        assert_eq!((nobody.upserted, nobody.added.len()), (0, 0));
        desk.tool.obeys();
        if without {
            let address = "p1@x.example".to_owned();
            desk.tool.held().rows.insert(address, Fields::new());
            let world = Arc::get_mut(&mut desk.world).unwrap();
            world
                .reread(&MANIFEST.replace(person_line, ""), &[CONTACTS])
                .await;
            flow::take_effect(&world.context).await.unwrap();
        } else {
            desk.put(&[person(1, 2, "corrected")]).await;
        }
        let planned = desk.plan().await;
        let done = desk.deliver().await;
        let sums = |report: &DeliveryReport| (report.upserted, report.added.clone());
        assert_eq!(sums(&planned), sums(&done), "without: {without}");
        assert_eq!(done.added["everybody"], 1);
    }
}

// I8: what the guard did not count is not removed.
#[tokio::test(flavor = "multi_thread")]
async fn removals_that_were_refused_do_not_come_back_after_the_guard_has_counted() {
    let manifest = MANIFEST
        .replace("100%", "50%")
        .replace(
            "map = { FNAME = \"first_name\" }",
            "map = { U = \"user_id\" }",
        )
        .replace(
            "map.user_id = \"user\"",
            "map.user_id = \"user\"\nmap.tag = \"tag\"",
        )
        .replace("U = \"user_id\"", "U = \"tag\"");
    let desk = Desk::of(&manifest).await;
    desk.people(10).await;
    desk.deliver().await;
    let unnamed = |n: usize, at: i64| json!({"id": format!("c{n}"), "updated": at, "email": format!("p{n}@x.example"), "name": null, "tag": at, "consent": "granted"});
    desk.tool.refuses(|(about, keys)| {
        let bad = keys.iter().enumerate().filter(|_| about == "named");
        Ok(bad.map(|(at, _)| refusal(at, false, "not now")).collect())
    });
    let four: Vec<Value> = (0..4).map(|n| unnamed(n, 2)).collect();
    desk.put(&four).await;
    assert_eq!(desk.deliver().await.rejected, 4);
    desk.tool.obeys();
    let eight: Vec<Value> = (0..8).map(|n| unnamed(n, 3)).collect();
    desk.put(&eight).await;
    assert!(!desk.deliver().await.guarded);
    assert_eq!(desk.tool.members("named").len(), 6);
}

// B6, I16
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_changes_while_the_vendor_is_called_is_sent_as_well() {
    let desk = Desk::new().await;
    desk.put(&[person(0, 1, "old")]).await;
    let world = desk.world.clone();
    desk.tool.meanwhile(move |_| {
        let new = [person(0, 2, "new")];
        Handle::current().block_on(world.apply(CONTACTS, &new, &[]));
    });
    desk.deliver().await;
    desk.deliver().await;
    assert_eq!(desk.tool.name_of("p0@x.example").as_deref(), Some("new"));
    assert_eq!(desk.pending().await, 0);
}

// B6, I13, I16
#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_consent_is_withdrawn_while_it_is_added_is_removed() {
    let desk = Desk::new().await;
    desk.put(&[person(0, 1, "n")]).await;
    let world = desk.world.clone();
    let tool = desk.tool.clone();
    desk.tool.meanwhile(move |_| {
        let world = world.clone();
        // The first call is about the profile, the second about a member.
        tool.meanwhile(move |(about, _)| {
            assert_eq!(about, "everybody");
            let mut row = person(0, 2, "n");
            row["consent"] = json!("withdrawn");
            Handle::current().block_on(world.apply(CONTACTS, &[row], &[]));
        });
    });
    desk.deliver().await;
    desk.deliver().await;
    assert_eq!(desk.tool.members("everybody"), set([]));
    assert_eq!(desk.tool.members("named"), set([]));
}

// B6, I16
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_refused_after_it_changed_is_no_reason_to_hold_its_new_value_back() {
    let desk = Desk::new().await;
    desk.put(&[person(0, 1, "bad")]).await;
    let world = desk.world.clone();
    desk.tool.meanwhile(move |_| {
        let new = [person(0, 2, "good")];
        Handle::current().block_on(world.apply(CONTACTS, &new, &[]));
    });
    let mut first = true;
    desk.tool.refuses(move |(about, _)| {
        let is_bad = about == "people" && std::mem::take(&mut first);
        Ok(is_bad
            .then(|| refusal(0, false, "no"))
            .into_iter()
            .collect())
    });
    desk.deliver().await;
    desk.deliver().await;
    assert_eq!(desk.tool.name_of("p0@x.example").as_deref(), Some("good"));
    assert_eq!(desk.letters().await, []);
}

// B6, I15, I16: the request of one process arrives after the other one's, which was sent later.
#[tokio::test(flavor = "multi_thread")]
async fn two_deliveries_of_one_destination_end_with_the_newest_value() {
    let desk = Desk::new().await;
    desk.put(&[person(0, 1, "old")]).await;
    let (world, tool) = (desk.world.clone(), desk.tool.clone());
    desk.tool.meanwhile(move |_| {
        let new = [person(0, 2, "new")];
        let other = async {
            world.apply(CONTACTS, &new, &[]).await;
            deliver_with(&world.context, &tool).await
        };
        Handle::current().block_on(other);
    });
    desk.deliver().await;
    desk.deliver().await;
    assert_eq!(desk.tool.name_of("p0@x.example").as_deref(), Some("new"));
    assert_eq!(desk.pending().await, 0);
}

// B7, I13
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_runs_obeys_a_suppression_by_another_one() {
    let desk = Desk::new().await;
    desk.put(&[person(0, 1, "n"), person(1, 1, "n")]).await;
    desk.suppress("email:p0@x.example").await;
    desk.deliver().await;
    assert!(!desk.tool.knows("p0@x.example"));
    assert!(desk.tool.knows("p1@x.example"));
    // And it knows about the list when records arrive later.
    desk.suppress("email:p2@x.example").await;
    desk.put(&[person(2, 1, "n")]).await;
    desk.deliver().await;
    assert!(!desk.tool.knows("p2@x.example"));
}

// B7, I13
#[tokio::test(flavor = "multi_thread")]
async fn a_suppression_holds_for_the_next_batch_of_a_delivery_under_way() {
    let desk = Desk::new().await;
    desk.people(150).await;
    let world = desk.world.clone();
    desk.tool.meanwhile(move |(_, keys)| {
        let last = "p99@x.example".to_owned();
        assert!(!keys.contains(&last));
        Handle::current().block_on(suppress_in(&world.context, "email:p99@x.example"));
    });
    desk.deliver().await;
    assert!(!desk.tool.knows("p99@x.example"));
    assert_eq!(desk.tool.held().rows.len(), 149);
}

// B8, I13
#[tokio::test(flavor = "multi_thread")]
async fn any_identifier_of_a_person_suppresses_it() {
    let texts = [
        "external:crm:c0",
        "user_id:u1",
        "phone:600100001",
        "email:second@x.example",
    ];
    for text in texts {
        let desk = Desk::new().await;
        let first = json!({"id": "c0", "updated": 2, "email": "p0@x.example", "user": "u1",
                           "phone": "600100001", "name": "n", "consent": "granted"});
        let second = json!({"id": "c9", "updated": 1, "email": "second@x.example", "user": "u1",
                            "consent": "granted"});
        desk.put(&[first, second, person(1, 1, "n")]).await;
        let people = desk.world.context.store.read().await.unwrap();
        assert_eq!({ people }.status_counts().await.unwrap().people, 2);
        desk.suppress(text).await;
        desk.deliver().await;
        assert!(!desk.tool.knows("p0@x.example"), "{text}");
        assert!(desk.tool.knows("p1@x.example"), "{text}");
    }
}

// B8
#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_that_nobody_has_yet_suppresses_who_gets_it() {
    let desk = Desk::new().await;
    desk.put(&[person(0, 1, "n")]).await;
    desk.suppress("external:crm:c1").await;
    desk.suppress("user_id:u5").await;
    desk.deliver().await;
    assert!(desk.tool.knows("p0@x.example"));
    // One is new; the other becomes known by the id and was a member before.
    let mut known = person(0, 2, "n");
    known["user"] = json!("u5");
    desk.put(&[person(1, 1, "n"), known]).await;
    desk.deliver().await;
    assert!(!desk.tool.knows("p1@x.example"));
    assert_eq!(desk.tool.members("everybody"), set([]));
}

// What was suppressed by one identifier stays so when that one is edited, and what the person gets later is suppressed as well.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_suppressed_stays_so_whatever_is_edited() {
    let row = |updated: i64, email: &str, phone: &str| json!({"id": "c0", "updated": updated, "email": email, "phone": phone, "name": "n", "consent": "granted"});
    for text in ["phone:600100001", "email:p0@x.example", "external:crm:c0"] {
        for is_known in [true, false] {
            let desk = Desk::new().await;
            let first = row(1, "p0@x.example", "600100001");
            if is_known {
                desk.put(std::slice::from_ref(&first)).await;
                desk.suppress(text).await;
            } else {
                desk.suppress(text).await;
                desk.put(&[first]).await;
            }
            desk.put(&[row(2, "p0@x.example", "600100002")]).await;
            desk.put(&[row(3, "p1@x.example", "600100002")]).await;
            desk.deliver().await;
            assert_eq!(desk.tool.members("everybody"), set([]), "{text} {is_known}");
        }
    }
}

// What two people have says nothing of the second one.
#[tokio::test(flavor = "multi_thread")]
async fn a_suppression_does_not_pass_to_whoever_has_something_in_common() {
    let manifest = format!("{MANIFEST}\n[identity]\nlimits = {{ email = 1 }}\n");
    let desk = Desk::of(&manifest).await;
    let row = |n: usize| json!({"id": format!("c{n}"), "updated": 1, "email": format!("p{n}@x.example"), "phone": "600100001", "name": "n", "consent": "granted"});
    desk.put(&[row(0), row(1)]).await;
    desk.deliver().await;
    let everybody = set(["p0@x.example", "p1@x.example"]);
    assert_eq!(desk.tool.members("everybody"), everybody);
    desk.suppress("email:p0@x.example").await;
    desk.put(&[person(2, 1, "n")]).await;
    desk.deliver().await;
    let others = set(["p1@x.example", "p2@x.example"]);
    assert_eq!(desk.tool.members("everybody"), others);
    // The other way round: the second one comes when the first was alone with the number.
    let desk = Desk::of(&manifest).await;
    desk.put(&[row(0)]).await;
    desk.suppress("email:p0@x.example").await;
    desk.put(&[row(1)]).await;
    desk.deliver().await;
    assert_eq!(desk.tool.members("everybody"), set(["p1@x.example"]));
}

// B8: an identifier that became shared suppresses the address, and not the people who were seen with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_address_that_is_suppressed_is_not_sent_to_and_other_addresses_are() {
    let manifest = format!("{MANIFEST}\n[identity]\nblocked = [\"email:info@x.example\"]\n");
    let desk = Desk::of(&manifest).await;
    let office = |id: &str, user: &str| json!({"id": id, "updated": 2, "email": "info@x.example", "user": user, "name": "n", "consent": "granted"});
    let own = json!({"id": "own", "updated": 3, "email": "ola@x.example", "user": "u2", "consent": "granted"});
    desk.put(&[office("a", "u1"), office("b", "u2"), own]).await;
    desk.deliver().await;
    assert_eq!(
        desk.tool.members("everybody"),
        set(["info@x.example", "ola@x.example"])
    );
    desk.suppress("email:info@x.example").await;
    desk.deliver().await;
    assert_eq!(desk.tool.members("everybody"), set(["ola@x.example"]));
}

// An entry for a number that several people have is for all of them, also for people with another number in the profile, or later.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_number_that_is_suppressed_suppresses_everybody_who_has_it() {
    let manifest = format!("{MANIFEST}\n[identity]\nshared_above = 1\n");
    let row = |id: &str, user: &str, phone: Option<&str>| json!({"id": id, "updated": 1, "email": format!("{user}@x.example"), "user": user, "phone": phone, "name": user, "consent": "granted"});
    for is_known in [true, false] {
        let desk = Desk::of(&manifest).await;
        let landline = Some("221234567");
        let mobile = json!({"id": "c", "updated": 2, "email": "ola@x.example", "user": "ola", "phone": "600100001", "consent": "granted"});
        let people = [
            row("a", "ola", landline),
            row("b", "jan", landline),
            mobile,
            row("d", "eva", None),
        ];
        if is_known {
            desk.put(&people).await;
            desk.suppress("phone:221234567").await;
        } else {
            desk.suppress("phone:221234567").await;
            desk.put(&people).await;
        }
        desk.deliver().await;
        let others = set(["eva@x.example"]);
        assert_eq!(desk.tool.members("everybody"), others, "{is_known}");
        let mut moved = row("b", "jan", None);
        moved["updated"] = json!(2);
        desk.put(&[moved]).await;
        desk.deliver().await;
        assert_eq!(desk.tool.members("everybody"), others, "{is_known}");
    }
}

// B9
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_suppressed_leaves_the_audiences_and_is_no_longer_updated() {
    let desk = Desk::new().await;
    desk.put(&[person(0, 1, "before"), person(1, 1, "n")]).await;
    desk.deliver().await;
    assert_eq!(desk.tool.members("named").len(), 2);
    desk.suppress("email:p0@x.example").await;
    desk.deliver().await;
    assert_eq!(desk.tool.members("named"), set(["p1@x.example"]));
    assert_eq!(desk.tool.members("everybody"), set(["p1@x.example"]));
    desk.put(&[person(0, 2, "after")]).await;
    desk.deliver().await;
    assert_eq!(desk.tool.name_of("p0@x.example").as_deref(), Some("before"));
}

// B19
#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_is_down_costs_a_row_none_of_its_attempts() {
    let desk = Desk::new().await;
    desk.put(&[person(0, 1, "n")]).await;
    // A failure that is not retried within the run, so that the test need not wait.
    desk.tool.refuses(|_| {
        let problem = Problem::new(&VENDOR_TRANSIENT, "down");
        Err(Failure::new(FailureKind::Auth, problem))
    });
    for _ in 0..4 {
        desk.deliver().await;
    }
    let mut left = 1;
    desk.tool.refuses(move |_| {
        left -= 1;
        let busy = (left >= 0).then(|| refusal(0, true, "busy"));
        Ok(busy.into_iter().collect())
    });
    let report = desk.deliver().await;
    // She, and her two memberships, which follow her.
    assert_eq!((report.rejected, report.postponed), (0, 3));
    desk.deliver().await;
    assert_eq!(desk.tool.name_of("p0@x.example").as_deref(), Some("n"));
    assert_eq!(desk.letters().await, []);
}

// B19
#[tokio::test(flavor = "multi_thread")]
async fn looking_for_the_row_that_spoils_a_batch_costs_the_others_none_of_their_attempts() {
    let desk = Desk::new().await;
    desk.people(16).await;
    let bad = "p5@x.example".to_owned();
    let mut busy = 2;
    desk.tool.refuses(move |(about, keys)| {
        if about == "people" && keys.contains(&bad) {
            return Err(failed(FailureKind::Permanent, "one of them is bad"));
        }
        // For a row sent alone the vendor asks twice to send it again, as a busy vendor does.
        let is_it = about == "people" && keys[0] == "p4@x.example" && busy > 0;
        busy -= i32::from(is_it);
        Ok(is_it
            .then(|| refusal(0, true, "busy"))
            .into_iter()
            .collect())
    });
    let report = desk.deliver().await;
    // One, and two memberships of that one.
    assert_eq!((report.rejected, report.postponed), (1, 3));
    let report = desk.deliver().await;
    assert_eq!((report.rejected, report.postponed), (0, 3));
    desk.deliver().await;
    assert_eq!(desk.tool.held().rows.len(), 15);
    let letters = desk.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].key, "p5@x.example");
}

// B20: 64 rows cost 1 + 2 * 6 calls at most.
#[tokio::test(flavor = "multi_thread")]
async fn an_audience_that_the_vendor_refuses_as_a_whole_is_one_problem_and_no_dead_letters() {
    let desk = Desk::new().await;
    desk.people(64).await;
    desk.tool.refuses(|(about, _)| match about {
        "named" => Err(failed(FailureKind::Permanent, "this list takes nobody")),
        _ => Ok(Vec::new()),
    });
    let report = desk.deliver().await;
    assert_eq!(desk.letters().await, []);
    assert_eq!((report.rejected, report.postponed), (0, 64));
    assert_eq!(desk.tool.members("everybody").len(), 64);
    // Two audiences created, then a call for the profiles and one for the other audience.
    let calls = desk.tool.calls() - 4;
    assert!(calls <= 13, "{calls}");
    assert_eq!(desk.pending().await, 64);
    desk.tool.obeys();
    desk.deliver().await;
    assert_eq!(desk.tool.members("named").len(), 64);
}

// B20
#[tokio::test(flavor = "multi_thread")]
async fn an_audience_that_cannot_be_made_is_one_problem_and_the_others_are_delivered() {
    let desk = Desk::new().await;
    desk.people(8).await;
    *desk.tool.makes.lock().unwrap() = Some(failed(FailureKind::Permanent, "name too long"));
    let report = desk.deliver().await;
    assert_eq!(desk.letters().await, []);
    assert_eq!((report.rejected, report.postponed), (0, 8));
    assert_eq!(desk.tool.members("everybody").len(), 8);
    // One call for the profiles, one that fails, two for the other audience.
    assert_eq!(desk.tool.calls(), 4);
    desk.tool.obeys();
    desk.deliver().await;
    assert_eq!(desk.tool.members("named").len(), 8);
}

// B20: rows that are bad in themselves are found, however many.
#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_in_a_batch_are_dead_letters_and_the_good_ones_arrive() {
    let desk = Desk::new().await;
    desk.people(64).await;
    let is_bad = |key: &String| key[1..].starts_with(['1', '2']);
    desk.tool.refuses(move |(about, keys)| match about {
        "people" if keys.iter().any(is_bad) => {
            Err(failed(FailureKind::Permanent, "some row is bad"))
        }
        _ => Ok(Vec::new()),
    });
    desk.deliver().await;
    let letters = desk.letters().await;
    assert!(letters.iter().all(|letter| is_bad(&letter.key)));
    assert_eq!(letters.len(), 22);
    assert_eq!(desk.tool.held().rows.len(), 42);
}

// B24
#[tokio::test(flavor = "multi_thread")]
async fn what_a_vendor_says_of_a_row_is_kept_without_whom_it_says_it_of() {
    let desk = Desk::new().await;
    let mut row = person(0, 1, "Zofia");
    row["phone"] = json!("600100001");
    desk.put(&[row]).await;
    desk.tool.refuses(|(about, _)| {
        let text =
            "P0@x.example (zofia, +48 600 100 001) was permanently deleted, see other@y.example";
        let is_row = about == "people";
        Ok(is_row
            .then(|| refusal(0, false, text))
            .into_iter()
            .collect())
    });
    desk.deliver().await;
    let letters = desk.letters().await;
    assert_eq!(
        letters[0].message,
        "rejected by the vendor (tool.bad): [e-mail] ([value], [phone]) was permanently deleted, see [e-mail]"
    );
}

// B20, I8
#[tokio::test(flavor = "multi_thread")]
async fn an_audience_that_is_gone_at_the_vendor_is_made_again_with_everybody_in_it() {
    for is_by_name in [false, true] {
        let desk = Desk::new().await;
        desk.tool.held().is_by_name = is_by_name;
        desk.people(3).await;
        desk.deliver().await;
        let id = desk.tool.held().ids["named"].clone();
        desk.tool.held().members.remove(&id);
        let mut gone = person(1, 2, "n1");
        gone["consent"] = json!("withdrawn");
        desk.put(&[person(3, 1, "n3"), gone]).await;
        let report = desk.deliver().await;
        assert!(report.problems.is_empty(), "{report:?}");
        let all = set(["p0@x.example", "p2@x.example", "p3@x.example"]);
        assert_eq!(desk.tool.members("named"), all, "{is_by_name}");
        assert_eq!(desk.tool.members("everybody"), all);
        assert_eq!(desk.letters().await, []);
        assert_eq!(desk.pending().await, 0);
    }
}

// B20: a connector that reports a row as not found says nothing about the audience.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_found_does_not_make_its_audience_unknown() {
    let desk = Desk::new().await;
    desk.people(8).await;
    desk.deliver().await;
    desk.put(&[person(8, 1, "n8"), person(9, 1, "n9")]).await;
    let bad = "p8@x.example".to_owned();
    desk.tool.refuses(move |(about, keys)| match about {
        "named" if keys.contains(&bad) => Err(gone()),
        _ => Ok(Vec::new()),
    });
    desk.deliver().await;
    let letters = desk.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].key, "p8@x.example");
    assert_eq!(desk.tool.members("named").len(), 9);
    let calls = desk.tool.calls();
    desk.deliver().await;
    assert_eq!(desk.tool.calls(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_asked_for_again_when_one_answer_does_not_come() {
    let desk = Desk::new().await;
    desk.tool.held().takes_long = true;
    desk.people(3).await;
    let report = desk.deliver().await;
    assert_eq!((&report.problems[..], report.postponed), (&[][..], 0));
    let held = desk.tool.held();
    // Two audiences, with one more poll for the first.
    assert_eq!(held.polls, 3);
    let mut members: Vec<_> = held.calls.iter().filter(|keys| !keys.is_empty()).collect();
    members.sort();
    assert_eq!(members.len(), 3, "rows are sent once: {members:?}");
}

/// Somebody with an address of their own and a user id that may be shared or blocked.
fn user(id: usize, user: &str) -> Value {
    json!({ "id": id.to_string(), "updated": 1, "email": format!("u{id}@x.example"), "user": user,
            "name": format!("n{id}"), "consent": "granted" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suppressed_identifier_that_begins_to_say_who_somebody_is_suppresses_them() {
    let manifest = format!("{MANIFEST}\n[identity]\nshared_above = 2\n");
    let desk = Desk::of(&manifest).await;
    // Three with an address of their own, and an older one that they share.
    let office = |id: &str, user: &str| json!({ "id": id, "updated": 0, "email": "family@x.example", "user": user, "consent": "granted" });
    let rows = [office("a", "1"), office("b", "2"), office("c", "3")];
    desk.put(&rows).await;
    desk.put(&[user(1, "1"), user(2, "2"), user(3, "3")]).await;
    desk.suppress("email:family@x.example").await;
    desk.deliver().await;
    assert_eq!(desk.tool.members("named").len(), 3, "it is shared");
    // It is no longer shared, and belongs to one of them.
    let gone = [json!({ "id": "b" }), json!({ "id": "c" })];
    desk.world.apply(CONTACTS, &[], &gone).await;
    desk.deliver().await;
    assert_eq!(
        desk.tool.members("named"),
        set(["u2@x.example", "u3@x.example"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suppressed_identifier_that_is_no_longer_blocked_suppresses_who_has_it() {
    let manifest = format!("{MANIFEST}\n[identity]\nblocked = [\"user_id:7\"]\n");
    let desk = Desk::of(&manifest).await;
    desk.put(&[user(1, "7"), user(4, "8")]).await;
    desk.suppress("user_id:7").await;
    desk.deliver().await;
    assert!(
        desk.tool.knows("u1@x.example"),
        "a blocked one suppresses nobody"
    );
    let mut context = desk.world.context.clone();
    let rules = crate::manifest::IdentityRules::default();
    flow::rules::apply(&mut context, &rules, &|_, _| {})
        .await
        .unwrap();
    deliver_with(&context, &desk.tool).await;
    assert_eq!(desk.tool.members("named"), set(["u4@x.example"]));
}

// I13, I16
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_with_replaced_manifests_ends_no_change_that_the_new_ones_want_sent() {
    let old = MANIFEST.replace(
        "consent = [\"marketing_email\"]",
        "consent = [\"marketing_sms\"]",
    ) + "\n[[purpose]]\nname = \"marketing_sms\"\n";
    let mut world = World::new(&old, &[CONTACTS], 1_000).await;
    flow::enter(&mut world.context, &|| true, &flow::Leave::Automatic)
        .await
        .unwrap();
    world
        .apply(CONTACTS, &[person(0, 1, "n"), person(1, 1, "n")], &[])
        .await;
    let replaced = world.context.clone();
    world.reread(MANIFEST, &[CONTACTS]).await;
    flow::backfill(&world.context).await.unwrap();
    let tool = Tool::default();
    let destination = &replaced.plan.destinations[0];
    let vendor = Box::new(tool.clone());
    let delivered = deliver(&replaced, destination, vendor, DeliveryOptions::default()).await;
    assert_eq!(
        delivered.unwrap_err().code,
        &crate::problem::codes::MANIFESTS_CHANGED
    );
    assert_eq!(tool.calls(), 0);
    deliver_with(&world.context, &tool).await;
    assert_eq!(tool.members("named"), set(["p0@x.example", "p1@x.example"]));
}

// I13
#[tokio::test(flavor = "multi_thread")]
async fn nothing_more_is_asked_of_a_vendor_once_somebody_in_a_batch_is_suppressed() {
    let desk = Desk::new().await;
    desk.people(2).await;
    let world = desk.world.clone();
    desk.tool.meanwhile(move |_| {
        Handle::current().block_on(suppress_in(&world.context, "email:p0@x.example"));
    });
    // The first call goes on for as long as it is let.
    let cancel = desk.tool.cancel.clone();
    let mut is_first = true;
    desk.tool.refuses(move |_| {
        let cancel = cancel.lock().unwrap().clone();
        match std::mem::take(&mut is_first) && cancel.block(Duration::from_secs(10)) {
            true => Err(failed(FailureKind::Transient, "cancelled")),
            false => Ok(Vec::new()),
        }
    });
    let began = std::time::Instant::now();
    let report = desk.deliver().await;
    assert!(began.elapsed() < Duration::from_secs(9), "{report:?}");
    assert_eq!((&report.problems[..], report.postponed), (&[][..], 0));
    let calls = desk.tool.held().calls.clone();
    let her = "p0@x.example".to_owned();
    let with_her = calls.iter().filter(|keys| keys.contains(&her));
    assert_eq!(with_her.count(), 1, "{calls:?}");
    assert!(!desk.tool.knows("p0@x.example"));
    assert!(desk.tool.knows("p1@x.example"));
}

// I8, I13
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_suppressed_is_removed_while_a_guard_stops_everything_else() {
    let manifest = MANIFEST.replace("max_removed = \"100%\"", "max_removed = \"10%\"");
    let desk = Desk::of(&manifest).await;
    desk.people(20).await;
    desk.deliver().await;
    assert_eq!(desk.tool.members("everybody").len(), 20);
    // Half of them withdraw, which the guard takes for a mistake; one more is suppressed.
    let withdrawn = |n: usize| {
        let mut row = person(n, 2, "n");
        row["consent"] = json!("denied");
        row
    };
    let rows: Vec<Value> = (0..10).map(withdrawn).collect();
    desk.put(&rows).await;
    desk.suppress("email:p15@x.example").await;
    let report = desk.deliver().await;
    assert!(report.guarded);
    let members = desk.tool.members("everybody");
    assert!(!members.contains("p15@x.example"), "{members:?}");
    assert_eq!(members.len(), 19);
    // The other guard.
    desk.suppress("email:p16@x.example").await;
    let context = &desk.world.context;
    let tool = Box::new(desk.tool.clone());
    let emptied = DeliveryOptions {
        emptied: true,
        ..DeliveryOptions::default()
    };
    let report = deliver(context, &context.plan.destinations[0], tool, emptied);
    assert!(report.await.unwrap().guarded);
    let members = desk.tool.members("everybody");
    assert!(!members.contains("p16@x.example"), "{members:?}");
    assert_eq!(members.len(), 18);
}
