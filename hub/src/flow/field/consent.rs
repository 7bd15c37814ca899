//! Consent: a CRM with a checkbox, a list that states when somebody joined, and a newsletter tool that needs the consent.

use crate::flow::commit::view::read_consents;
use crate::flow::harness::World;
use crate::flow::properties::sink::{Members, Sink};
use crate::flow::{self, AddressConsent, StatingConsent};
use crate::model::{ConsentStatus, Identifier, IdentifierKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

const CONTACTS: (&str, &str) = ("crm", "contacts");
const MEMBERS: (&str, &str) = ("list", "members");
const CAMPAIGNS: (&str, &str) = ("list", "unsubscribes");
const DAY: i64 = 86_400_000;
const START: i64 = 1_750_000_000_000;

const MANIFEST: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"
default_region = "PL"

[[purpose]]
name = "marketing_email"
channel = "email"
description = "News about our products"
legal_basis = "consent"

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
map.first_name = "name"
map.job_title = "job"
consent.marketing_email = "'granted' if newsletter == 'true' else none"

[[source]]
name = "list"
connector = "any"
[[source.stream]]
name = "members"
to = "person"
key = "id"
updated_at = "updated"
map.email = "email | email"
map.user_id = "user"
map.first_name = "name"
map.city = "city"
consent.marketing_email = { status = "'granted' if status == 'subscribed' else 'withdrawn'", at = "opted" }
[[source.stream]]
name = "unsubscribes"
to = "consent"
key = "id"
updated_at = "at"
map.email = "email | email"
consent.marketing_email = { status = "'withdrawn'", at = "at" }

[[audience]]
name = "everybody"
who = { trait = "email", exists = true }

[[destination]]
name = "news"
connector = "tool"
consent = ["marketing_email"]
audiences = ["everybody"]
guard = { max_removed = "100%" }
"#;

pub(super) struct Hub {
    pub world: World,
    pub sink: Sink,
}

fn days(count: i64) -> i64 {
    START + count * DAY
}

impl Hub {
    async fn new() -> Self {
        Self::with(MANIFEST).await
    }

    pub async fn with(manifest: &str) -> Self {
        let streams = [CONTACTS, ("crm", "events"), MEMBERS, CAMPAIGNS];
        let world = World::new(manifest, &streams, START).await;
        let sink = Sink::default();
        Self { world, sink }
    }

    fn at(&self, day: i64) {
        self.world.hand.store(days(day), Ordering::SeqCst);
    }

    /// So many minutes after the start; returns the time.
    pub fn go_on(&self, minutes: i64) -> i64 {
        let now = START + minutes * 60_000;
        self.world.hand.store(now, Ordering::SeqCst);
        now
    }

    pub async fn put_all(&self, of: (&str, &str), rows: &[Value]) {
        self.world.apply(of, rows, &[]).await;
    }

    pub async fn put(&self, of: (&str, &str), row: Value) {
        self.world.apply(of, &[row], &[]).await;
    }

    pub async fn delete(&self, of: (&str, &str), id: &str) {
        self.world.apply(of, &[], &[json!({ "id": id })]).await;
    }

    /// To every destination of the tool, each of which must end well.
    pub async fn deliver_all(&self) {
        for destination in &self.world.context.plan.destinations {
            let sink = Box::new(self.sink.clone());
            let options = flow::DeliveryOptions::default();
            let report = flow::deliver(&self.world.context, destination, sink, options);
            let report = report.await.unwrap();
            assert!(report.problems.is_empty(), "{report:?}");
        }
    }

    pub async fn delivered(&self) -> flow::DeliveryReport {
        let destination = &self.world.context.plan.destinations[0];
        let sink = Box::new(self.sink.clone());
        let options = flow::DeliveryOptions::default();
        flow::deliver(&self.world.context, destination, sink, options)
            .await
            .unwrap()
    }

    /// The addresses that the newsletter tool holds.
    pub async fn sent(&self) -> Vec<String> {
        let report = self.delivered().await;
        assert!(report.problems.is_empty(), "{report:?}");
        let members: Members = self.sink.members.lock().unwrap().clone();
        members.into_iter().map(|(_, address)| address).collect()
    }

    /// What every person agreed to, by address.
    async fn addresses(&self) -> BTreeMap<String, AddressConsent> {
        let mut tx = self.world.context.store.read().await.unwrap();
        let rows = tx.persons_after(0, 100).await.unwrap();
        let consents = rows.iter().flat_map(|row| {
            let consents = read_consents(row.id, &row.consents).unwrap();
            consents.into_iter().flat_map(|(_, one)| one.addresses)
        });
        consents.collect()
    }

    pub async fn state(&self, email: &str, status: ConsentStatus) -> usize {
        self.says(IdentifierKind::Email, email, status).await
    }

    /// An operator states it; returns about how many people.
    async fn says(&self, kind: IdentifierKind, value: &str, status: ConsentStatus) -> usize {
        let identifier = Identifier::parse(kind, value, Some("PL")).unwrap();
        let stating = StatingConsent {
            identifier: &identifier,
            purpose: "marketing_email",
            status,
            reason: "asked by phone",
            author: "ada",
        };
        let stated = flow::state_consent(&self.world.context, &stating);
        stated.await.unwrap()
    }
}

fn contact(id: &str, email: &str, newsletter: &str, updated: i64) -> Value {
    json!({ "id": id, "email": email, "newsletter": newsletter, "name": "Leo", "updated": days(updated) })
}

/// `opted` is the time that the list states: of joining, or of leaving where it knows it.
fn member(id: &str, email: &str, status: &str, opted: Option<i64>, updated: i64) -> Value {
    json!({ "id": id, "email": email, "status": status, "opted": opted.map(days), "updated": days(updated) })
}

// F1
#[tokio::test]
async fn an_edit_of_a_job_title_renews_no_consent() {
    let hub = Hub::new().await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -365))
        .await;
    let left = member("m", "leo@kot.example", "unsubscribed", Some(-10), -10);
    hub.put(MEMBERS, left).await;
    assert_eq!(hub.sent().await, [""; 0]);
    let mut edited = contact("1", "leo@kot.example", "true", 0);
    edited["job"] = json!("CTO");
    hub.put(CONTACTS, edited).await;
    assert_eq!(hub.sent().await, [""; 0]);
    let consent = hub.addresses().await.remove("leo@kot.example").unwrap();
    assert_eq!(consent.status, ConsentStatus::Withdrawn);
    assert_eq!(consent.time, days(-10));
}

#[tokio::test]
async fn what_a_record_says_again_is_as_old_as_when_it_said_so_first() {
    let hub = Hub::new().await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -365))
        .await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -1))
        .await;
    assert_eq!(hub.addresses().await["leo@kot.example"].time, days(-365));
    hub.at(1);
    // It says something else in between.
    hub.put(CONTACTS, contact("1", "leo@kot.example", "", 0))
        .await;
    assert_eq!(hub.addresses().await.len(), 0);
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", 1))
        .await;
    assert_eq!(hub.addresses().await["leo@kot.example"].time, days(1));
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
}

// F1b
#[tokio::test]
async fn each_address_of_a_person_has_a_consent_of_its_own() {
    let hub = Hub::new().await;
    let with = |id: &str, email: &str, status: &str, opted, updated| {
        let mut row = member(id, email, status, Some(opted), updated);
        row["user"] = json!("kim");
        row
    };
    let work = with("w", "kim@work.example", "unsubscribed", -2, -2);
    hub.put(MEMBERS, work).await;
    let home = with("h", "kim@home.example", "subscribed", -400, -400);
    hub.put(MEMBERS, home.clone()).await;
    // A merge field of the second is edited, so that it is the most recent record.
    let mut edited = home;
    edited["updated"] = json!(days(0));
    edited["name"] = json!("Kim");
    hub.put(MEMBERS, edited).await;
    let addresses = hub.addresses().await;
    let status = |address: &str| addresses[address].status;
    assert_eq!(status("kim@work.example"), ConsentStatus::Withdrawn);
    assert_eq!(status("kim@home.example"), ConsentStatus::Granted);
    // The address of the profile is the latest.
    assert_eq!(hub.sent().await, ["kim@home.example"]);
    hub.put(
        MEMBERS,
        with("w", "kim@work.example", "unsubscribed", -2, 1),
    )
    .await;
    assert_eq!(hub.sent().await, [""; 0]);
}

#[tokio::test]
async fn another_address_takes_the_place_of_the_profiles_where_the_manifest_allows_it() {
    let consent = "consent = [\"marketing_email\"]\n";
    let manifest = MANIFEST.replace(consent, &format!("{consent}other_addresses = true\n"));
    let hub = Hub::with(&manifest).await;
    let with = |id: &str, email: &str, status: &str, opted, updated| {
        let mut row = member(id, email, status, Some(opted), updated);
        row["user"] = json!("kim");
        row
    };
    hub.put(
        MEMBERS,
        with("h", "kim@home.example", "subscribed", -400, -400),
    )
    .await;
    hub.put(
        MEMBERS,
        with("w", "kim@work.example", "unsubscribed", -2, -2),
    )
    .await;
    assert_eq!(hub.sent().await, ["kim@home.example"]);
    hub.put(MEMBERS, with("h", "kim@home.example", "unsubscribed", 0, 0))
        .await;
    assert_eq!(hub.sent().await, [""; 0]);
}

// F3, I14
#[tokio::test]
async fn a_refusal_outlives_its_record() {
    for way in ["archived", "address changed", "no word", "full read"] {
        let hub = Hub::new().await;
        hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
            .await;
        let left = member("m", "leo@kot.example", "unsubscribed", None, -10);
        hub.put(MEMBERS, left).await;
        assert_eq!(hub.sent().await, [""; 0], "{way}");
        hub.at(1);
        match way {
            "address changed" => {
                let other = member("m", "leo@other.example", "unsubscribed", None, 1);
                hub.put(MEMBERS, other).await;
            }
            "no word" => {
                let bad = json!({ "id": "m", "email": "leo@kot.example", "status": 7.5, "opted": "never", "updated": [] });
                hub.put(MEMBERS, bad).await;
            }
            // What a full read does not find is deleted in the same way.
            _ => hub.delete(MEMBERS, "m").await,
        }
        assert_eq!(hub.sent().await, [""; 0], "{way}");
        hub.put(CONTACTS, contact("1", "leo@kot.example", "true", 2))
            .await;
        assert_eq!(hub.sent().await, [""; 0], "{way}");
        hub.at(4);
        // Joined again, with a time of its own that is later.
        let joined = member("m2", "leo@kot.example", "subscribed", Some(3), 3);
        hub.put(MEMBERS, joined).await;
        let expected: &[&str] = match way {
            // That record goes on refusing, for whatever reason.
            "no word" => &[],
            _ => &["leo@kot.example"],
        };
        assert_eq!(hub.sent().await, expected, "{way}");
    }
}

#[tokio::test]
async fn a_refusal_that_was_replaced_within_one_read_stands_all_the_same() {
    let hub = Hub::new().await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
        .await;
    let left = member("m", "leo@kot.example", "unsubscribed", None, -10);
    let moved = member("m", "leo@other.example", "subscribed", Some(-9), -9);
    hub.world.apply(MEMBERS, &[left, moved], &[]).await;
    assert_eq!(hub.sent().await, ["leo@other.example"]);
    // Created and deleted in one batch.
    let left = member("n", "ida@kot.example", "unsubscribed", None, -10);
    let gone = json!({ "id": "n" });
    hub.world.apply(MEMBERS, &[left], &[gone]).await;
    hub.put(CONTACTS, contact("2", "ida@kot.example", "true", 1))
        .await;
    assert_eq!(hub.sent().await, ["leo@other.example"]);
}

#[tokio::test]
async fn a_refusal_of_a_campaign_outlives_the_campaign() {
    let hub = Hub::new().await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
        .await;
    let left = json!({ "id": "c1/leo", "email": "leo@kot.example", "at": days(-20) });
    hub.put(CAMPAIGNS, left).await;
    hub.delete(CAMPAIGNS, "c1/leo").await;
    assert_eq!(hub.sent().await, [""; 0]);
    hub.put(
        MEMBERS,
        member("m", "leo@kot.example", "subscribed", Some(-19), -19),
    )
    .await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
}

#[tokio::test]
async fn who_has_nobodys_record_any_more_and_comes_back_is_still_refused() {
    let hub = Hub::new().await;
    hub.put(
        MEMBERS,
        member("m", "leo@kot.example", "unsubscribed", None, -10),
    )
    .await;
    hub.delete(MEMBERS, "m").await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", 0))
        .await;
    assert_eq!(hub.sent().await, [""; 0]);
    assert_eq!(
        hub.state("leo@kot.example", ConsentStatus::Granted).await,
        1
    );
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
    hub.at(2);
    assert_eq!(
        hub.state("leo@kot.example", ConsentStatus::Withdrawn).await,
        1
    );
    assert_eq!(hub.sent().await, [""; 0]);
}

#[tokio::test]
async fn an_operators_refusal_waits_for_whoever_gets_the_address() {
    let hub = Hub::new().await;
    assert_eq!(hub.state("leo@kot.example", ConsentStatus::Denied).await, 0);
    hub.at(1);
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", 1))
        .await;
    assert_eq!(hub.sent().await, [""; 0]);
}

// F10a
#[tokio::test]
async fn half_an_emoji_in_a_name_loses_no_refusal() {
    let hub = Hub::new().await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
        .await;
    let line = r#"{"id":"m","email":"leo@kot.example","status":"unsubscribed","name":"Leo \ud83d","updated":1749000000000}"#;
    hub.world.apply(MEMBERS, &[line], &[]).await;
    assert_eq!(hub.sent().await, [""; 0]);
}

// F10, I17
#[tokio::test]
async fn a_value_that_cannot_be_read_costs_its_field_and_nobody() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for bad in [r#""\ud83d""#, "1e400", "NaN", "-Infinity", &deep] {
        let hub = Hub::new().await;
        hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
            .await;
        let member = |id: &str, name: &str| {
            format!(
                r#"{{"id":"{id}","name":{name},"email":"{id}@kot.example","status":"unsubscribed","city":"Graz","updated":1749000000000}}"#
            )
        };
        let lines = [
            member("ada", "\"Ada\""),
            member("leo", bad),
            member("mia", "\"Mia\""),
        ];
        for page in [&lines[..1], &lines[1..2], &lines[1..], &lines[..2], &lines] {
            hub.world.apply(MEMBERS, page, &[]).await;
        }
        assert_eq!(hub.sent().await, [""; 0], "{bad}");
        let people = hub.people().await;
        assert_eq!(people.len(), 3, "{bad}: {people:?}");
        let leo = people.iter().find(|one| one["email"] == "leo@kot.example");
        let leo = leo.unwrap();
        assert_eq!(
            (&leo["first_name"], &leo["city"]),
            (&json!("Leo"), &json!("Graz")),
            "{bad}"
        );
    }
}

// F22: an address that joins nobody is an address all the same.
#[tokio::test]
async fn an_address_that_many_share_is_refused_for_all_of_them() {
    let blocked = "\n[identity]\nblocked = [\"email:info@*\"]\n";
    let hub = Hub::with(&format!("{MANIFEST}{blocked}")).await;
    for (id, day) in [("1", -30), ("2", -29)] {
        hub.put(CONTACTS, contact(id, "info@firma.example", "true", day))
            .await;
    }
    assert_eq!(hub.sent().await, ["info@firma.example"]);
    hub.put(
        MEMBERS,
        member("m", "info@firma.example", "unsubscribed", None, -1),
    )
    .await;
    assert_eq!(hub.sent().await, [""; 0]);
    hub.at(1);
    assert_eq!(
        hub.state("info@firma.example", ConsentStatus::Granted)
            .await,
        3
    );
    assert_eq!(hub.sent().await, ["info@firma.example"]);
}

#[tokio::test]
async fn a_source_that_is_taken_out_leaves_its_refusals() {
    let mut hub = Hub::new().await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
        .await;
    hub.put(
        MEMBERS,
        member("m", "leo@kot.example", "unsubscribed", None, -10),
    )
    .await;
    let begin = MANIFEST.find("[[source]]\nname = \"list\"").unwrap();
    let end = MANIFEST.find("[[audience]]").unwrap();
    let without = format!("{}{}", &MANIFEST[..begin], &MANIFEST[end..]);
    hub.world.reread(&without, &[CONTACTS]).await;
    let mut tx = hub.world.context.store.read().await.unwrap();
    let left = flow::leftover::leftovers(&mut tx, &hub.world.context.plan)
        .await
        .unwrap();
    drop(tx);
    for one in left {
        flow::leftover::remove(&hub.world.context, &one, &|_| true)
            .await
            .unwrap();
    }
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", 0))
        .await;
    assert_eq!(hub.sent().await, [""; 0]);
}

#[tokio::test]
async fn an_edited_mapping_says_what_it_says_from_the_beginning() {
    let mut hub = Hub::new().await;
    hub.put(
        MEMBERS,
        member("m", "leo@kot.example", "cleaned", None, -10),
    )
    .await;
    assert_eq!(
        hub.addresses().await["leo@kot.example"].status,
        ConsentStatus::Withdrawn
    );
    let status = "'granted' if status == 'subscribed' else 'withdrawn'";
    let edited = MANIFEST.replace(status, "'withdrawn' if status == 'unsubscribed' else none");
    assert_ne!(edited, MANIFEST);
    hub.world
        .reread(&edited, &[CONTACTS, MEMBERS, CAMPAIGNS])
        .await;
    for source in &hub.world.context.plan.sources {
        flow::remap(&hub.world.context, source).await.unwrap();
    }
    assert_eq!(hub.addresses().await.len(), 0);
}

// A key that is edited moves records; what they said moves with them.
#[tokio::test]
async fn a_record_under_another_key_says_what_it_said() {
    let mut hub = Hub::new().await;
    hub.put(
        MEMBERS,
        member("m", "leo@kot.example", "unsubscribed", None, -10),
    )
    .await;
    let edited = MANIFEST.replace(
        "key = \"id\"\nupdated_at = \"updated\"\nmap.email = \"email | email\"\nmap.user_id",
        "key = \"'k' ~ id\"\nupdated_at = \"updated\"\nmap.email = \"email | email\"\nmap.user_id",
    );
    assert_ne!(edited, MANIFEST);
    hub.world
        .reread(&edited, &[CONTACTS, MEMBERS, CAMPAIGNS])
        .await;
    for source in &hub.world.context.plan.sources {
        flow::remap(&hub.world.context, source).await.unwrap();
    }
    assert_eq!(hub.addresses().await["leo@kot.example"].time, days(-10));
    // It is the same record, so it may change its mind.
    hub.world
        .apply(
            MEMBERS,
            &[member("m", "leo@kot.example", "subscribed", None, 1)],
            &[],
        )
        .await;
    assert_eq!(
        hub.addresses().await["leo@kot.example"].status,
        ConsentStatus::Granted
    );
}

// What a stranger found in the first version of this.

#[tokio::test]
async fn an_edited_key_that_gives_the_same_keys_loses_nothing() {
    let mut hub = Hub::new().await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
        .await;
    let left = member("m", "leo@kot.example", "unsubscribed", None, -10);
    hub.put(MEMBERS, left).await;
    let edited = MANIFEST.replace("key = \"id\"", "key = \"id | trim\"");
    hub.world
        .reread(&edited, &[CONTACTS, MEMBERS, CAMPAIGNS])
        .await;
    for source in &hub.world.context.plan.sources {
        flow::remap(&hub.world.context, source).await.unwrap();
    }
    let consent = hub.addresses().await.remove("leo@kot.example").unwrap();
    assert_eq!(
        (consent.status, consent.time),
        (ConsentStatus::Withdrawn, days(-10))
    );
    assert_eq!(hub.sent().await, [""; 0]);
}

#[tokio::test]
async fn the_last_word_of_a_record_is_the_one_with_the_later_time() {
    let hub = Hub::new().await;
    let left = member("m", "leo@kot.example", "unsubscribed", Some(-5), -5);
    hub.put(MEMBERS, left).await;
    // A stale page says how it was before.
    let stale = member("m", "leo@kot.example", "subscribed", Some(-9), -4);
    hub.put(MEMBERS, stale).await;
    assert_eq!(hub.sent().await, [""; 0]);
    let joined = member("m", "leo@kot.example", "subscribed", Some(-3), -3);
    hub.put(MEMBERS, joined).await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
}

#[tokio::test]
async fn a_refusal_in_a_version_that_comes_late_counts_all_the_same() {
    let hub = Hub::new().await;
    let moved = member("m", "leo@other.example", "subscribed", Some(-1), -1);
    hub.put(MEMBERS, moved).await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
        .await;
    let late = member("m", "leo@kot.example", "unsubscribed", Some(-10), -10);
    hub.put(MEMBERS, late).await;
    assert_eq!(hub.sent().await, ["leo@other.example"]);
}

#[tokio::test]
async fn an_operators_grant_holds_when_the_record_goes() {
    let hub = Hub::new().await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
        .await;
    let left = member("m", "leo@kot.example", "unsubscribed", None, -10);
    hub.put(MEMBERS, left).await;
    hub.state("leo@kot.example", ConsentStatus::Granted).await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
    hub.at(1);
    hub.delete(MEMBERS, "m").await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
}

#[tokio::test]
async fn a_consent_of_the_future_has_no_time() {
    let hub = Hub::new().await;
    let typed = member("m", "leo@kot.example", "subscribed", Some(70_000), -10);
    hub.put(MEMBERS, typed).await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
    let left = json!({ "id": "c1/leo", "email": "leo@kot.example", "at": days(-1) });
    hub.put(CAMPAIGNS, left).await;
    assert_eq!(hub.sent().await, [""; 0]);
}

#[tokio::test]
async fn an_operator_may_refuse_for_everybody_at_one_number() {
    let hub = Hub::with(&format!("{MANIFEST}\n[identity]\nshared_above = 1\n")).await;
    for (id, name, email) in [
        ("1", "Anna", "anna@dom.example"),
        ("2", "Marek", "marek@dom.example"),
    ] {
        let mut row = contact(id, email, "true", -30);
        row["name"] = json!(name);
        row["phone"] = json!("600 100 200");
        hub.put(CONTACTS, row).await;
    }
    assert_eq!(hub.sent().await, ["anna@dom.example", "marek@dom.example"]);
    let people = hub.says(IdentifierKind::Phone, "600 100 200", ConsentStatus::Denied);
    assert_eq!(people.await, 2);
    assert_eq!(hub.sent().await, [""; 0]);
    let mut corrected = contact("1", "anna@dom.example", "true", -1);
    (corrected["name"], corrected["phone"]) = (json!("Anna"), json!("600 100 201"));
    hub.put(CONTACTS, corrected).await;
    assert_eq!(hub.sent().await, [""; 0], "it was meant for her");
}

// What was refused on the telephone holds when the number is corrected afterwards, and when the address came only after it.
#[tokio::test]
async fn a_refusal_by_a_number_outlives_the_number() {
    for knows_address in [true, false] {
        let hub = Hub::new().await;
        let row = |email: Value, phone: &str, updated: i64| {
            let mut row = contact("1", "leo@kot.example", "true", updated);
            (row["email"], row["phone"]) = (email, json!(phone));
            row
        };
        let email = json!("leo@kot.example");
        let before = if knows_address {
            email.clone()
        } else {
            Value::Null
        };
        hub.put(CONTACTS, row(before, "600 100 200", -30)).await;
        let people = hub.says(IdentifierKind::Phone, "600 100 200", ConsentStatus::Denied);
        assert_eq!(people.await, 1);
        hub.put(CONTACTS, row(email, "600 300 400", -3)).await;
        assert_eq!(hub.sent().await, [""; 0], "{knows_address}");
        // An address that the person has by another record is refused with the rest.
        let mut other = member("m", "leon@kot.example", "subscribed", Some(-40), -2);
        other["user"] = json!("u1");
        let mut same = row(json!("leo@kot.example"), "600 300 400", -1);
        same["user"] = json!("u1");
        hub.put(MEMBERS, other).await;
        hub.put(MEMBERS, json!({ "id": "k", "email": "leo@kot.example", "user": "u1", "status": "subscribed", "opted": days(-40), "updated": days(-2) })).await;
        hub.put(CONTACTS, same).await;
        assert_eq!(hub.sent().await, [""; 0]);
        hub.delete(CONTACTS, "1").await;
        hub.delete(MEMBERS, "k").await;
        assert_eq!(hub.sent().await, [""; 0], "{knows_address}");
    }
}

// Several people have an address that joins nobody; an operator wrote down who agreed that it be written to.
#[tokio::test]
async fn an_operator_speaks_of_an_address_that_several_people_have() {
    let hub = Hub::new().await;
    for id in ["1", "2", "3"] {
        hub.put(CONTACTS, contact(id, "info@kot.example", "", -30))
            .await;
    }
    let says = |status| hub.says(IdentifierKind::Email, "info@kot.example", status);
    assert_eq!(hub.sent().await, [""; 0]);
    assert_eq!(says(ConsentStatus::Granted).await, 3);
    assert_eq!(hub.sent().await, ["info@kot.example"]);
    hub.put(CONTACTS, contact("4", "info@kot.example", "", -29))
        .await;
    assert_eq!(hub.sent().await, ["info@kot.example"]);
    hub.at(1);
    assert_eq!(says(ConsentStatus::Denied).await, 4);
    assert_eq!(hub.sent().await, [""; 0]);
}

// Two people of one address, of whom one record is untrusted: its grant is no longer anybody's when it goes.
#[tokio::test]
async fn a_grant_of_a_source_that_is_not_trusted_goes_with_its_record() {
    let trust = "\n[identity]\ntrust = { list = \"none\" }\n";
    let hub = Hub::with(&format!("{MANIFEST}{trust}")).await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "", -30))
        .await;
    hub.put(
        MEMBERS,
        member("m", "leo@kot.example", "subscribed", Some(-3), -3),
    )
    .await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
    hub.delete(MEMBERS, "m").await;
    assert_eq!(hub.sent().await, [""; 0]);
}

// A form that is not believed names an address: what an operator stated of that address is about the people who are known by it.
#[tokio::test]
async fn an_operators_grant_is_not_lent_to_a_source_that_is_not_trusted() {
    let trust = "\n[identity]\ntrust = { list = \"none\" }\n";
    let hub = Hub::with(&format!("{MANIFEST}{trust}")).await;
    hub.state("leo@kot.example", ConsentStatus::Granted).await;
    let silent =
        json!({ "id": "m", "email": "leo@kot.example", "status": null, "updated": days(-1) });
    hub.put(
        CAMPAIGNS,
        json!({ "id": "c", "email": "ola@kot.example", "at": days(-9) }),
    )
    .await;
    hub.put(CONTACTS, contact("1", "leo@kot.example", "", -30))
        .await;
    hub.put(MEMBERS, silent).await;
    hub.at(1);
    hub.state("leo@kot.example", ConsentStatus::Denied).await;
    assert_eq!(hub.sent().await, [""; 0]);
}

// What a record does not say any more it has not taken back.
#[tokio::test]
async fn a_refusal_holds_until_its_record_says_something_else() {
    let silent = MANIFEST.replace(
        "{ status = \"'granted' if status == 'subscribed' else 'withdrawn'\", at = \"opted\" }",
        "{ status = \"status\", at = \"opted\" }",
    );
    let hub = Hub::with(&silent).await;
    let says = |status: Value, updated: i64| {
        let mut row = member("m", "leo@kot.example", "", None, updated);
        row["status"] = status;
        row
    };
    hub.put(CONTACTS, contact("1", "leo@kot.example", "true", -30))
        .await;
    hub.put(MEMBERS, says(json!("withdrawn"), -10)).await;
    hub.put(MEMBERS, says(json!("perhaps"), -9)).await;
    assert_eq!(hub.sent().await, [""; 0], "nobody can read it");
    hub.put(MEMBERS, says(Value::Null, -8)).await;
    assert_eq!(hub.sent().await, [""; 0], "it is silent");
    // It was said before the record fell silent.
    for (agreed, expected) in [(-9, 0), (-7, 1)] {
        let joined = member("n", "leo@kot.example", "granted", Some(agreed), agreed);
        hub.put(MEMBERS, joined).await;
        assert_eq!(hub.sent().await.len(), expected, "{agreed}");
    }
    hub.put(MEMBERS, says(json!("withdrawn"), -5)).await;
    assert_eq!(hub.sent().await, [""; 0], "it says so again");
    hub.put(MEMBERS, says(json!("granted"), -4)).await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
}

// A list gives the day of a refusal, and a CRM the hour at which somebody agreed on that day: nobody knows which came last.
#[tokio::test]
async fn a_refusal_with_a_date_lasts_to_the_end_of_its_day() {
    let midnight = START - START % DAY - 5 * DAY;
    for (agreed, expected) in [(midnight + DAY / 2, false), (midnight + DAY, true)] {
        let hub = Hub::new().await;
        let mut left = member("m", "leo@kot.example", "unsubscribed", None, -5);
        left["opted"] = json!(midnight);
        hub.put(MEMBERS, left).await;
        let mut joined = member("n", "leo@kot.example", "subscribed", None, -1);
        joined["opted"] = json!(agreed);
        hub.put(MEMBERS, joined).await;
        assert_eq!(hub.sent().await.len(), usize::from(expected), "{agreed}");
    }
}

#[tokio::test]
async fn an_empty_date_is_no_time_of_a_grant() {
    let hub = Hub::new().await;
    let mut left = member("m", "leo@kot.example", "unsubscribed", None, -5);
    left["opted"] = json!(0);
    hub.put(MEMBERS, left).await;
    let joined = member("n", "leo@kot.example", "subscribed", Some(-7), -1);
    hub.put(MEMBERS, joined).await;
    // Were it the first day of 1970, the grant would be the later one.
    assert_eq!(hub.sent().await, [""; 0]);
}

// Refused by telephone: the number may go, the address is what is written to.
#[tokio::test]
async fn an_operators_refusal_by_a_number_holds_for_the_addresses_of_whom_it_meant() {
    let hub = Hub::new().await;
    let mut row = contact("1", "anna@dom.example", "true", -30);
    row["phone"] = json!("600 100 200");
    hub.put(CONTACTS, row).await;
    let people = hub.says(IdentifierKind::Phone, "600 100 200", ConsentStatus::Denied);
    assert_eq!(people.await, 1);
    let without = contact("1", "anna@dom.example", "true", -20);
    hub.put(CONTACTS, without).await;
    assert_eq!(hub.sent().await, [""; 0]);
}

// What a second stranger found.

const STATED: &str =
    "{ status = \"'granted' if status == 'subscribed' else 'withdrawn'\", at = \"opted\" }";

impl Hub {
    /// Goes on with an edited manifest.
    pub async fn edit(&mut self, manifest: &str) {
        self.world
            .reread(manifest, &[CONTACTS, MEMBERS, CAMPAIGNS])
            .await;
        for source in &self.world.context.plan.sources {
            flow::remap(&self.world.context, source).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_time_that_a_mapping_read_by_mistake_goes_with_the_mistake() {
    let mut hub = Hub::new().await;
    let left = member("m", "leo@kot.example", "unsubscribed", Some(-10), -10);
    hub.put(MEMBERS, left).await;
    let joined = member("n", "leo@kot.example", "subscribed", Some(-2), -2);
    hub.put(MEMBERS, joined).await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
    hub.edit(&MANIFEST.replace(
        STATED,
        "{ status = \"'granted' if status == 'subscribed' else 'withdrawn'\" }",
    ))
    .await;
    assert_eq!(hub.sent().await, [""; 0]);
}

#[tokio::test]
async fn a_refusal_that_only_a_mapping_made_goes_with_the_mapping() {
    let mut hub = Hub::new().await;
    let joined = member("n", "leo@kot.example", "member", Some(-9), -2);
    hub.put(MEMBERS, joined).await;
    assert_eq!(hub.sent().await, [""; 0]);
    hub.edit(&MANIFEST.replace("status == 'subscribed'", "status == 'member'"))
        .await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
}

#[tokio::test]
async fn a_refusal_without_an_address_ends_when_its_record_agrees_with_one() {
    let hub = Hub::new().await;
    let mut row = member("m", "leo@kot.example", "unsubscribed", None, -9);
    row["user"] = json!("u1");
    row["email"] = Value::Null;
    hub.put(MEMBERS, row.clone()).await;
    row["status"] = json!("subscribed");
    row["updated"] = json!(days(-8));
    row["email"] = json!("leo@kot.example");
    hub.put(MEMBERS, row).await;
    assert_eq!(hub.sent().await, ["leo@kot.example"]);
}

// A grant that decides nothing at a shared address may still end a refusal of somebody there.
#[tokio::test]
async fn a_grant_that_goes_takes_with_it_what_it_ended_elsewhere() {
    let hub = Hub::new().await;
    for id in ["1", "2"] {
        hub.put(CONTACTS, contact(id, "info@firma.example", "true", -1))
            .await;
    }
    let mut refused = member("r", "info@firma.example", "unsubscribed", Some(-20), -20);
    refused["email"] = Value::Null;
    refused["user"] = json!("u1");
    hub.put(MEMBERS, refused).await;
    let mut same = member("s", "info@firma.example", "", None, -19);
    same["user"] = json!("u1");
    same["status"] = json!("subscribed");
    same["opted"] = json!(days(-30));
    hub.put(MEMBERS, same).await;
    let joined = member("m", "info@firma.example", "subscribed", Some(-10), -10);
    hub.put(MEMBERS, joined).await;
    let of_user = async || {
        let mut tx = hub.world.context.store.read().await.unwrap();
        let people = tx.persons_after(0, 100).await.unwrap();
        let consents = people.into_iter().map(|row| row.consents);
        consents.filter(|text| text.contains("withdrawn")).count()
    };
    assert_eq!(of_user().await, 0, "m's grant is later than the refusal");
    hub.delete(MEMBERS, "m").await;
    assert_eq!(of_user().await, 1);
}

#[tokio::test]
async fn a_refusal_of_a_record_that_cannot_be_read_ends_by_a_later_grant() {
    let hub = Hub::new().await;
    let left = member("m", "leo@kot.example", "unsubscribed", None, -10);
    hub.put(MEMBERS, left).await;
    hub.put(MEMBERS, json!({ "id": "m", "updated": "not a time" }))
        .await;
    hub.delete(MEMBERS, "m").await;
    for (agreed, expected) in [(-11, 0), (1, 1)] {
        hub.at(2);
        let joined = member("n", "leo@kot.example", "subscribed", Some(agreed), agreed);
        hub.put(MEMBERS, joined).await;
        assert_eq!(hub.sent().await.len(), expected, "{agreed}");
    }
}
