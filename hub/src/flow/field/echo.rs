//! What the hub wrote to a tool comes back from it.

mod own;
mod properties;

use super::consent::Hub;
use crate::flow;
use crate::flow::commit::view::read_consents;
use crate::flow::commit::views::traits_of;
use crate::model::Fields;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const CONTACTS: (&str, &str) = ("crm", "contacts");
const MEMBERS: (&str, &str) = ("list", "members");

const MANIFEST: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"

[[source]]
name = "crm"
connector = "another"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
updated_at = "updated"
map.email = "email"
map.first_name = "first"
map.last_name = "last"

[[source]]
name = "list"
connector = "any"
config = { account = "the same tool" }
[[source.stream]]
name = "members"
to = "person"
key = "email"
updated_at = "updated"
map.email = "email"
map.first_name = "FNAME"
map.last_name = "LNAME"
map.city = "CITY"

[[destination]]
name = "news"
connector = "any"
config = { account = "the same tool" }
consent = []
person = { match = "email", map = { FNAME = "first_name", LNAME = "last_name" } }
guard = { max_removed = "100%" }
"#;

impl Hub {
    /// The values of everybody who is known.
    pub async fn people(&self) -> Vec<Fields> {
        let mut tx = self.world.context.store.read().await.unwrap();
        let rows = tx.persons_after(0, 100).await.unwrap();
        rows.iter().map(|row| traits_of(row).unwrap()).collect()
    }

    async fn values(&self) -> Value {
        json!(self.people().await)
    }

    /// What the tool holds, as it would return it.
    async fn comes_back(&self, updated: i64, more: Value) {
        self.sent().await;
        let rows = self.sink.rows.lock().unwrap().clone();
        for mut row in rows.into_values() {
            row.insert("updated".to_owned(), json!(updated));
            row.extend(serde_json::from_value::<Fields>(more.clone()).unwrap());
            self.put(MEMBERS, json!(row)).await;
        }
    }
}

fn contact(first: &str, updated: i64) -> Value {
    json!({ "id": "1", "email": "leo@kot.example", "first": first, "last": "Kot", "updated": updated })
}

// E1
#[tokio::test]
async fn what_was_written_makes_no_claim_when_it_comes_back() {
    let hub = Hub::with(MANIFEST).await;
    hub.put(CONTACTS, contact("Leon", 100)).await;
    hub.comes_back(900, json!({})).await;
    let leon = json!([{ "email": "leo@kot.example", "first_name": "Leon", "last_name": "Kot" }]);
    assert_eq!(hub.values().await, leon);
    // Corrected at the CRM, with a time before the one of the list.
    hub.put(CONTACTS, contact("Leo", 200)).await;
    let leo = json!([{ "email": "leo@kot.example", "first_name": "Leo", "last_name": "Kot" }]);
    assert_eq!(hub.values().await, leo);
    hub.comes_back(901, json!({})).await;
    assert_eq!(hub.values().await, leo);
    hub.delete(CONTACTS, "1").await;
    assert_eq!(hub.values().await, json!([{}]));
}

#[tokio::test]
async fn what_somebody_wrote_at_the_tool_is_what_somebody_said() {
    let hub = Hub::with(MANIFEST).await;
    hub.put(CONTACTS, contact("Leo", 100)).await;
    // A field of its own, and one that somebody corrected there.
    hub.comes_back(900, json!({ "CITY": "Graz", "FNAME": "Leonard" }))
        .await;
    let expected = json!([{ "email": "leo@kot.example", "first_name": "Leonard", "last_name": "Kot", "city": "Graz" }]);
    assert_eq!(hub.values().await, expected);
    // It was sent, and it is still the list's word.
    hub.comes_back(901, json!({ "CITY": "Wien" })).await;
    hub.put(CONTACTS, contact("Leo", 300)).await;
    let values = hub.values().await;
    assert_eq!(values[0]["first_name"], "Leonard");
    assert_eq!(values[0]["city"], "Wien");
}

#[tokio::test]
async fn what_the_tool_said_before_it_was_written_stays_its_word() {
    let hub = Hub::with(MANIFEST).await;
    let member = json!({ "email": "leo@kot.example", "FNAME": "Leo", "LNAME": "Kot", "CITY": "Graz", "updated": 50 });
    hub.put(MEMBERS, member.clone()).await;
    hub.put(CONTACTS, contact("Leo", 100)).await;
    hub.comes_back(900, json!({ "CITY": "Graz" })).await;
    hub.delete(CONTACTS, "1").await;
    let expected = json!([{ "email": "leo@kot.example", "first_name": "Leo", "last_name": "Kot", "city": "Graz" }]);
    assert_eq!(hub.values().await, expected);
}

#[tokio::test]
async fn a_record_is_no_newer_for_what_was_written_to_it() {
    let hub = Hub::with(MANIFEST).await;
    let member = json!({ "email": "leo@kot.example", "CITY": "Graz", "updated": 50 });
    hub.put(MEMBERS, member).await;
    hub.put(CONTACTS, contact("Leo", 100)).await;
    let manifest_city = json!({ "id": "1", "email": "leo@kot.example", "first": "Leo", "last": "Kot", "updated": 200 });
    hub.put(CONTACTS, manifest_city).await;
    hub.comes_back(900, json!({ "CITY": "Graz" })).await;
    let mut tx = hub.world.context.store.read().await.unwrap();
    let people = tx.persons_after(0, 10).await.unwrap();
    let evidence = tx.evidence_of_persons(&[people[0].id]).await.unwrap();
    let claims = tx
        .claims_of(evidence.into_iter().map(|(_, id)| id))
        .await
        .unwrap();
    let of_list = claims.iter().find(|row| &*row.source == "list").unwrap();
    assert_eq!(of_list.time, 50_000);
}

#[tokio::test]
async fn a_field_that_was_empty_before_it_was_written_makes_no_record_newer() {
    let hub = Hub::with(MANIFEST).await;
    let member = json!({ "email": "leo@kot.example", "FNAME": null, "LNAME": null, "CITY": "Graz", "updated": 50 });
    hub.put(MEMBERS, member).await;
    hub.put(CONTACTS, contact("Leo", 100)).await;
    hub.comes_back(900, json!({ "CITY": "Graz" })).await;
    let mut tx = hub.world.context.store.read().await.unwrap();
    let people = tx.persons_after(0, 10).await.unwrap();
    let evidence = tx.evidence_of_persons(&[people[0].id]).await.unwrap();
    let evidence = evidence.into_iter().map(|(_, id)| id);
    let claims = tx.claims_of(evidence).await.unwrap();
    let of_list = claims.iter().find(|row| &*row.source == "list").unwrap();
    assert_eq!(of_list.time, 50_000, "{}", of_list.body);
    assert!(people[0].traits.contains("\"first_name\":\"Leo\""));
}

// Tools give back numbers as texts, and lists in one text.
#[tokio::test]
async fn what_comes_back_in_another_form_is_still_what_was_written() {
    let mapped = MANIFEST
        .replace(
            "map.last_name = \"last\"",
            "map.last_name = \"last\"\nmap.visits = \"visits\"\nmap.tags = \"tags\"",
        )
        .replace(
            "map.city = \"CITY\"",
            "map.visits = \"VISITS\"\nmap.tags = \"TAGS\"",
        )
        .replace(
            "LNAME = \"last_name\"",
            "VISITS = \"visits\", TAGS = \"tags\"",
        );
    let hub = Hub::with(&mapped).await;
    let mut row = contact("Leo", 100);
    row["visits"] = json!(5);
    row["tags"] = json!(["a", "b"]);
    hub.put(CONTACTS, row).await;
    hub.comes_back(900, json!({ "VISITS": "5", "TAGS": "a; b" }))
        .await;
    hub.delete(CONTACTS, "1").await;
    assert_eq!(hub.values().await, json!([{}]));
}

// A trait that is made of what the tool says, and written over it.
const FULL: &str = "\n[[trait]]\nname = \"full\"\nderive = \"first_name ~ ' ' ~ last_name\"\n";

impl Hub {
    /// A minute later than the last time.
    fn later(&self) -> i64 {
        let now = self.world.context.clock.now().0 + 60_000;
        self.world.hand.store(now, Ordering::SeqCst);
        now
    }

    /// What comes back after what was written has come; so many minutes pass in between.
    async fn goes_round(&self, updated: i64, more: Value) {
        self.later();
        self.sent().await;
        self.later();
        self.comes_back(updated, more).await;
    }

    async fn value(&self, name: &str) -> Value {
        self.values().await[0][name].clone()
    }
}

fn full() -> String {
    MANIFEST.replace("FNAME = \"first_name\"", "FNAME = \"full\"") + FULL
}

#[tokio::test]
async fn a_trait_that_is_written_where_it_was_read_comes_to_rest() {
    let member = json!({ "email": "zofia@kot.example", "FNAME": "Zofia", "LNAME": "Kot", "POINTS": 4, "updated": 50 });
    for more in ["", "\nmap.points = \"POINTS / 2\""] {
        let mapped = full().replace("map.city = \"CITY\"", &format!("map.city = \"CITY\"{more}"));
        let hub = Hub::with(&mapped).await;
        hub.put(MEMBERS, member.clone()).await;
        for round in 0..3 {
            hub.goes_round(900 + round, json!({ "POINTS": 4 + round }))
                .await;
            assert_eq!(hub.value("first_name").await, "Zofia", "{round}");
        }
        assert_eq!(hub.sent().await.len(), 0);
        hub.goes_round(910, json!({ "LNAME": "Nowak", "POINTS": 4 }))
            .await;
        hub.goes_round(911, json!({ "LNAME": "Nowak", "POINTS": 4 }))
            .await;
        let held = hub.sink.rows.lock().unwrap().values().next().cloned();
        assert_eq!(held.unwrap()["FNAME"], "Zofia Nowak");
        assert_eq!(hub.sent().await.len(), 0);
    }
}

// The whole name, from two fields of which the hub writes one.
#[tokio::test]
async fn a_trait_of_two_fields_that_is_written_to_one_of_them_comes_to_rest() {
    let mapped = MANIFEST
        .replace(
            "map.first_name = \"FNAME\"\nmap.last_name = \"LNAME\"",
            "map.name = \"FNAME ~ ' ' ~ LNAME\"",
        )
        .replace(
            "FNAME = \"first_name\", LNAME = \"last_name\"",
            "FNAME = \"name\"",
        );
    let hub = Hub::with(&mapped).await;
    let member =
        json!({ "email": "zofia@kot.example", "FNAME": "Zofia", "LNAME": "Kot", "updated": 50 });
    hub.put(MEMBERS, member).await;
    for round in 0..3 {
        hub.goes_round(900 + round, json!({ "LNAME": "Kot" })).await;
        assert_eq!(hub.value("name").await, "Zofia Kot", "{round}");
    }
    assert_eq!(hub.sent().await.len(), 0);
}

fn member(first: &str, city: &str, updated: i64) -> Value {
    json!({ "email": "leo@kot.example", "FNAME": first, "LNAME": "Kot", "CITY": city, "updated": updated })
}

// It is as old as it was, whatever else changes there; what is typed there is new, even if it is the same.
#[tokio::test]
async fn what_was_written_over_is_as_old_as_it_was_until_it_is_typed_again() {
    let hub = Hub::with(&full()).await;
    hub.put(MEMBERS, member("Leonhard", "Graz", 50)).await;
    hub.goes_round(900, json!({ "CITY": "Wien" })).await;
    assert_eq!(hub.value("first_name").await, "Leonhard");
    hub.put(CONTACTS, contact("Leo", 100)).await;
    assert_eq!(hub.value("first_name").await, "Leo");
    hub.goes_round(910, json!({ "CITY": "Linz" })).await;
    assert_eq!(hub.value("first_name").await, "Leo");
    hub.later();
    hub.put(MEMBERS, member("Leonhard", "Linz", 950)).await;
    assert_eq!(hub.value("first_name").await, "Leonhard");
}

// A mapping that is edited, or another trait of the same field, takes nothing from the tool.
#[tokio::test]
async fn what_the_tool_alone_says_stays_when_its_mapping_is_edited() {
    for (edit, name, value) in [
        ("map.first_name = \"FNAME | upper\"", "first_name", "LEO"),
        (
            "map.first_name = \"FNAME\"\nmap.salutation = \"FNAME\"",
            "salutation",
            "Leo",
        ),
    ] {
        let mut hub = Hub::with(MANIFEST).await;
        hub.put(MEMBERS, member("Leo", "Graz", 50)).await;
        hub.later();
        hub.sent().await;
        hub.edit(&MANIFEST.replace("map.first_name = \"FNAME\"", edit))
            .await;
        assert_eq!(hub.value(name).await, value, "{edit}");
    }
}

// What somebody changed there and put back, or cleared, before anything was sent.
#[tokio::test]
async fn what_is_taken_back_at_the_tool_is_taken_back() {
    let cities = MANIFEST.replace(
        "LNAME = \"last_name\"",
        "LNAME = \"last_name\", CITY = \"city\"",
    );
    let hub = Hub::with(&cities).await;
    hub.put(CONTACTS, contact("Leo", 100)).await;
    hub.goes_round(900, json!({})).await;
    hub.later();
    hub.put(MEMBERS, member("Leon", "Graz", 950)).await;
    assert_eq!(hub.value("first_name").await, "Leon");
    hub.later();
    let mut back = member("Leo", "", 960);
    back["CITY"] = json!(null);
    hub.put(MEMBERS, back).await;
    let leo = json!([{ "email": "leo@kot.example", "first_name": "Leo", "last_name": "Kot" }]);
    assert_eq!(hub.values().await, leo);
}

#[tokio::test]
async fn a_corrected_mapping_is_read_anew() {
    let mistaken = MANIFEST.replace("map.first_name = \"FNAME\"", "map.first_name = \"NICK\"");
    let mut hub = Hub::with(&mistaken).await;
    let mut row = member("Leonhard", "Graz", 50);
    row["NICK"] = json!("lele");
    hub.put(MEMBERS, row).await;
    hub.put(CONTACTS, contact("Leo", 100)).await;
    hub.goes_round(900, json!({ "CITY": "Graz", "NICK": "lele" }))
        .await;
    hub.later();
    hub.edit(MANIFEST).await;
    hub.delete(CONTACTS, "1").await;
    assert_eq!(hub.value("first_name").await, Value::Null);
    // An edit of something else leaves what was kept.
    let mut hub = Hub::with(&full()).await;
    let zofia =
        json!({ "email": "zofia@kot.example", "FNAME": "Zofia", "LNAME": "Kot", "updated": 50 });
    hub.put(MEMBERS, zofia).await;
    hub.goes_round(900, json!({ "CITY": "Graz" })).await;
    hub.later();
    hub.edit(&full().replace("map.city = \"CITY\"", "map.town = \"CITY\""))
        .await;
    assert_eq!(hub.value("first_name").await, "Zofia");
    assert_eq!(hub.sent().await.len(), 0);
}

#[tokio::test]
async fn a_field_of_the_same_name_elsewhere_is_nobodys_echo() {
    let mapped = MANIFEST
        .replace(
            "map.city = \"CITY\"",
            "map.city = \"CITY\"\nmap.billing_city = \"billing.CITY\"",
        )
        .replace(
            "LNAME = \"last_name\"",
            "LNAME = \"last_name\", CITY = \"city\"",
        );
    let hub = Hub::with(&mapped).await;
    hub.put(MEMBERS, member("Leo", "Graz", 50)).await;
    hub.goes_round(900, json!({ "billing": { "CITY": "Wien" } }))
        .await;
    assert_eq!(hub.value("billing_city").await, "Wien");
    hub.goes_round(901, json!({ "billing": { "CITY": "Graz" } }))
        .await;
    assert_eq!(hub.value("billing_city").await, "Graz");
}

// A page that was read before the last delivery, or an index that lags behind it.
#[tokio::test]
async fn what_was_written_before_makes_no_claim_when_it_is_read_late() {
    // When the record changed, and when it comes, in minutes after the last delivery.
    for (changed, comes, of_list) in [
        (-10, 1, "Zofia"),
        (1, 2, "Zofia Kot"),
        (-10, 60, "Zofia Kot"),
    ] {
        let hub = Hub::with(&full()).await;
        let zofia = |last: &str, updated: i64| json!({ "email": "zofia@kot.example", "FNAME": "Zofia", "LNAME": last, "updated": updated });
        hub.put(MEMBERS, zofia("Kot", 50)).await;
        hub.goes_round(900, json!({})).await;
        let old = hub.sink.rows.lock().unwrap().values().next().cloned();
        let written = hub.go_on(20);
        hub.put(
            CONTACTS,
            json!({ "id": "1", "email": "zofia@kot.example", "last": "Nowak", "updated": 2_000 }),
        )
        .await;
        hub.sent().await;
        hub.go_on(20 + comes);
        let mut row = old.unwrap();
        row.insert("updated".to_owned(), json!(written + changed * 60_000));
        hub.put(MEMBERS, json!(row)).await;
        assert_eq!(hub.value("first_name").await, of_list, "{changed} {comes}");
    }
}

// An answer that the tool made of what was written there.
#[tokio::test]
async fn an_event_that_is_about_its_person_repeats_what_was_written_like_a_record() {
    let events = MANIFEST.replace(
        "\n[[destination]]",
        "\n[[source.stream]]\nname = \"unsubscribes\"\nto = [\"person\", \"event\"]\nevent = \"Answered\"\nkey = \"id\"\nupdated_at = \"updated\"\nmap.time = \"updated\"\nmap.email = \"email\"\nmap.person.first_name = \"FNAME\"\n\n[[destination]]",
    );
    let hub = Hub::with(&events).await;
    hub.put(CONTACTS, contact("Leon", 100)).await;
    hub.sent().await;
    hub.later();
    let mut event = member("Leon", "Graz", 900);
    event["id"] = json!("e1");
    hub.put(("list", "unsubscribes"), event).await;
    hub.put(CONTACTS, contact("Leo", 200)).await;
    assert_eq!(hub.value("first_name").await, "Leo");
}

#[test]
fn a_source_and_a_destination_are_one_tool_unless_their_configuration_says_otherwise() {
    let writers = |here: &str, there: &str| {
        let text = MANIFEST.replacen("account = \"the same tool\"", here, 1);
        let text = text.replacen("account = \"the same tool\"", there, 1);
        let plan = flow::harness::plan(&text, &[CONTACTS, MEMBERS]);
        flow::facts::writers(&plan).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(writers("account = \"a\"", "account = \"a\""), ["list"]);
    assert_eq!(
        writers("url = \"http://a\"", "url = \"http://a/\""),
        ["list"]
    );
    assert_eq!(writers("account = \"a\"", "account = \"b\""), [""; 0]);
    assert_eq!(writers("account = \"a\"", "list = \"b\""), ["list"]);
    assert_eq!(writers("days = 1", "days = 2"), ["list"]);
}

const CONSENT: &str = "\nconsent.marketing_email = { status = \"status\", at = \"opted\" }";

impl Hub {
    /// Whose word it is that somebody agreed.
    async fn sources_of_grants(&self) -> Vec<String> {
        let mut tx = self.world.context.store.read().await.unwrap();
        let people = tx.persons_after(0, 100).await.unwrap();
        let consents = people.iter().flat_map(|row| {
            let consents = read_consents(row.id, &row.consents).unwrap();
            consents.into_iter().map(|(_, one)| one)
        });
        let granted = consents.filter(|one| one.status.is_granted());
        granted.map(|one| one.source).collect()
    }

    /// How many grants anybody's profile has.
    async fn grants(&self) -> usize {
        let mut tx = self.world.context.store.read().await.unwrap();
        let people = tx.persons_after(0, 100).await.unwrap();
        let people = people.iter().filter(|row| row.consents.contains("granted"));
        people.count()
    }
}

// The hub's own members, when a mapping is written later, and when the destination goes.
#[tokio::test]
async fn a_grant_of_the_hubs_own_making_is_known_as_such_later_too() {
    let mut hub = Hub::with(MANIFEST).await;
    hub.put(CONTACTS, contact("Leo", 100)).await;
    let subscribed = json!({ "status": "granted", "opted": 1_700_000_800_000_i64 });
    hub.comes_back(900, subscribed.clone()).await;
    let mapped = MANIFEST.replace(
        "map.city = \"CITY\"",
        &format!("map.city = \"CITY\"{CONSENT}"),
    );
    hub.edit(&mapped).await;
    assert_eq!(hub.grants().await, 0, "read by another mapping");
    let elsewhere = mapped.replace(
        "name = \"news\"\nconnector = \"any\"\nconfig = { account = \"the same tool\" }",
        "name = \"news\"\nconnector = \"any\"\nconfig = { account = \"another\" }",
    );
    assert_ne!(elsewhere, mapped);
    hub.edit(&elsewhere).await;
    let row = json!({ "email": "leo@kot.example", "FNAME": "Leo", "LNAME": "Kot", "CITY": "Graz", "updated": 950,
        "status": "granted", "opted": 1_700_000_800_000_i64 });
    hub.put(MEMBERS, row.clone()).await;
    assert_eq!(hub.grants().await, 0, "nobody writes there any more");
    let mut again = row;
    again["updated"] = json!(960);
    again["opted"] = json!(1_700_000_955_000_i64);
    hub.put(MEMBERS, again).await;
    assert_eq!(hub.grants().await, 1, "agreed at the tool");
}

// A member that the hub made, or made again after it was archived, and who then agreed at the tool.
#[tokio::test]
async fn who_agrees_at_the_tool_is_sent_for_that_word() {
    let mapped = MANIFEST
        .replace(
            "map.city = \"CITY\"",
            &format!("map.city = \"CITY\"{CONSENT}"),
        )
        .replace("consent = []", "consent = [\"marketing_email\"]")
        .replace(
            "map.last_name = \"last\"",
            "map.last_name = \"last\"\nconsent.marketing_email = { status = \"status\", at = \"said\" }",
        );
    for archived in [false, true] {
        let hub = Hub::with(&mapped).await;
        let made = hub.go_on(0);
        let mut row = contact("Leo", 100);
        (row["status"], row["said"]) = (json!("granted"), json!(made - 1));
        hub.put(CONTACTS, row).await;
        hub.sent().await;
        let member = |opted: i64, updated: i64| json!({ "email": "leo@kot.example", "FNAME": "Leo", "LNAME": "Kot", "status": "granted", "opted": opted, "updated": updated });
        hub.put(MEMBERS, member(made + 120_000, made)).await;
        assert_eq!(hub.sources_of_grants().await, ["crm"]);
        let typed = member(made + 20 * 365 * 86_400_000, made + 1);
        hub.put(MEMBERS, typed).await;
        assert_eq!(
            hub.sources_of_grants().await,
            ["crm"],
            "a time that cannot be"
        );
        let agreed = hub.go_on(25 * 60);
        if archived {
            let key = json!({ "email": "leo@kot.example" });
            hub.world.apply(MEMBERS, &[], &[key]).await;
            assert_eq!(hub.sources_of_grants().await, ["crm"]);
        }
        hub.put(MEMBERS, member(agreed, agreed)).await;
        hub.delete(CONTACTS, "1").await;
        assert_eq!(hub.sources_of_grants().await, ["list"], "{archived}");
        assert_eq!(hub.values().await[0]["email"], "leo@kot.example");
        let held = hub.sink.rows.lock().unwrap().len();
        assert_eq!((hub.sent().await.len(), held), (0, 1), "{archived}");
    }
}

// The tool alone says it, and the hub has confirmed it there.
#[tokio::test]
async fn what_the_tool_said_before_it_was_written_is_never_taken_from_it() {
    let leo = json!([{ "email": "leo@kot.example", "first_name": "Leo", "last_name": "Kot", "city": "Graz" }]);
    let renamed = MANIFEST.replace("first_name", "given_name");
    // Its trait gets another name.
    let mut hub = Hub::with(MANIFEST).await;
    hub.put(MEMBERS, member("Leo", "Graz", 50)).await;
    hub.later();
    hub.sent().await;
    hub.edit(&renamed).await;
    assert_eq!(hub.value("given_name").await, "Leo");
    // Changed and put back between two deliveries.
    let hub = Hub::with(MANIFEST).await;
    hub.put(MEMBERS, member("Leo", "Graz", 50)).await;
    hub.later();
    hub.sent().await;
    hub.put(MEMBERS, member("Leon", "Graz", 60)).await;
    hub.put(MEMBERS, member("Leo", "Graz", 70)).await;
    assert_eq!(hub.values().await, leo);
    // Deleted and made again.
    let key = json!({ "email": "leo@kot.example" });
    hub.world.apply(MEMBERS, &[], &[key]).await;
    hub.put(MEMBERS, member("Leo", "Graz", 80)).await;
    assert_eq!(hub.values().await, leo);
    // A version without the field, and one that does not fit.
    for row in [json!(null), json!({ "nick": "Leo" })] {
        let mut other = member("Leo", "Graz", 90);
        other["FNAME"] = row;
        hub.put(MEMBERS, other).await;
        hub.put(MEMBERS, member("Leo", "Graz", 91)).await;
        assert_eq!(hub.values().await, leo);
    }
}

// The tool took the first row, its answer was lost, and something else is wanted by the time it comes back.
#[tokio::test]
async fn what_may_have_been_written_is_known_by_what_was_sent() {
    let mut hub = Hub::with(MANIFEST).await;
    let row = json!({ "email": "leo@kot.example", "CITY": "Graz", "updated": 50 });
    hub.put(MEMBERS, row).await;
    hub.put(CONTACTS, contact("Leon", 100)).await;
    hub.sink.loses = true;
    hub.delivered().await;
    hub.later();
    hub.put(CONTACTS, contact("Leo", 200)).await;
    hub.put(MEMBERS, member("Leon", "Graz", 900)).await;
    assert_eq!(hub.value("first_name").await, "Leo");
    hub.delete(CONTACTS, "1").await;
    let left = json!([{ "email": "leo@kot.example", "city": "Graz" }]);
    assert_eq!(hub.values().await, left);
}
