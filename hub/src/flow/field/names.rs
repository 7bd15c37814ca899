//! Who is who by the names that records give: a landline of two people, a buyer with many customer ids.

use super::consent::Hub;
use crate::flow::upkeep::alarm::alarm;
use serde_json::{Value, json};

const CONTACTS: (&str, &str) = ("crm", "contacts");
const EVENTS: (&str, &str) = ("crm", "events");
const MEMBERS: (&str, &str) = ("list", "members");

const MANIFEST: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"
default_region = "PL"

[[source]]
name = "crm"
connector = "another"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
updated_at = "updated"
created_at = "created"
map.email = "email | email"
map.phone = "phone"
map.first_name = "first"
map.last_name = "last"
consent.marketing_email = "'granted' if newsletter == 'true' else none"

[[source.stream]]
name = "events"
to = "event"
event = "Page Viewed"
key = "key"
updated_at = "updated"
map.external_id = "id"
map.email = "email | email"

[[source]]
name = "list"
connector = "any"
[[source.stream]]
name = "members"
to = "person"
key = "id"
updated_at = "updated"
map.email = "email | email"
consent.marketing_email = { status = "status", at = "said" }

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

impl Hub {
    async fn warnings(&self) -> Vec<String> {
        let warnings = alarm(&self.world.context).await.unwrap();
        warnings
            .into_iter()
            .map(|warning| warning.message)
            .collect()
    }

    /// E-mail and first name of everybody, in order.
    async fn names(&self) -> Vec<String> {
        let people = self.people().await.into_iter().map(|traits| {
            let text = |name: &str| {
                traits
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or("-")
                    .to_owned()
            };
            format!("{} {}", text("email"), text("first_name"))
        });
        let mut people: Vec<String> = people.collect();
        people.sort();
        people
    }
}

fn contact(id: &str, first: &str, email: Option<&str>, phone: &str, updated: i64) -> Value {
    json!({ "id": id, "first": first, "last": "Dom", "email": email, "phone": phone, "updated": updated, "created": updated })
}

// F2
#[tokio::test]
async fn two_people_at_one_landline_are_two_and_each_has_a_consent_of_their_own() {
    let hub = Hub::with(MANIFEST).await;
    let now = hub.go_on(0);
    let mut anna = contact(
        "1",
        "Anna",
        Some("anna@dom.example"),
        "22 600 10 20",
        now - 9_000,
    );
    anna["newsletter"] = json!("true");
    let marek = contact(
        "2",
        "Marek",
        Some("marek@dom.example"),
        "22 600 10 20",
        now - 5_000,
    );
    hub.put_all(CONTACTS, &[anna.clone(), marek.clone()]).await;
    let left = json!({ "id": "m", "email": "marek@dom.example", "status": "withdrawn", "said": now - 1_000, "updated": now - 1_000 });
    hub.put(MEMBERS, left).await;
    assert_eq!(
        hub.names().await,
        ["anna@dom.example Anna", "marek@dom.example Marek"]
    );
    assert_eq!(hub.sent().await, ["anna@dom.example"]);
    // In the other order, one after another, and twice.
    let hub = Hub::with(MANIFEST).await;
    for row in [&marek, &anna, &marek] {
        hub.put(CONTACTS, row.clone()).await;
    }
    assert_eq!(
        hub.names().await,
        ["anna@dom.example Anna", "marek@dom.example Marek"]
    );
}

// F2b, with what may be missing, and what may be one name.
#[tokio::test]
async fn a_phone_joins_whom_the_names_do_not_part() {
    let one = Some("a@dom.example");
    for (first, second, email, count) in [
        ("Anna", "Marek", Some("b@dom.example"), 2),
        ("Anna", "Marek", None, 2),
        ("Anna", "Marek", one, 1),
        ("Anna", "", Some("b@dom.example"), 1),
        ("Anna", "Ann", Some("b@dom.example"), 1),
        ("Robert", "Bob", Some("b@dom.example"), 1),
        ("Anna Maria", "A.", Some("b@dom.example"), 1),
        ("Anna", "Анна", Some("b@dom.example"), 1),
        ("Zoë", "ZOE", Some("b@dom.example"), 1),
    ] {
        let hub = Hub::with(MANIFEST).await;
        hub.put(CONTACTS, contact("1", first, one, "22 600 10 20", 100))
            .await;
        hub.put(CONTACTS, contact("2", second, email, "22 600 10 20", 200))
            .await;
        let people = hub.people().await.len();
        assert_eq!(people, count, "{first} {second} {email:?}");
    }
}

// A name is corrected, and the record of the other is taken away: everything follows, whatever was before.
#[tokio::test]
async fn people_part_and_join_as_names_are_edited() {
    let hub = Hub::with(MANIFEST).await;
    let second =
        |first: &str, updated| contact("2", first, Some("m@dom.example"), "22 600 10 20", updated);
    hub.put(
        CONTACTS,
        contact("1", "Anna", Some("a@dom.example"), "22 600 10 20", 100),
    )
    .await;
    hub.put(CONTACTS, second("Anna", 200)).await;
    assert_eq!(hub.people().await.len(), 1);
    hub.put(CONTACTS, second("Marek", 300)).await;
    assert_eq!(
        hub.names().await,
        ["a@dom.example Anna", "m@dom.example Marek"]
    );
    hub.put(CONTACTS, second("Ann", 400)).await;
    assert_eq!(hub.people().await.len(), 1, "corrected");
    hub.put(CONTACTS, second("Marek", 500)).await;
    hub.put(CONTACTS, contact("3", "Anna", None, "22 600 10 20", 600))
        .await;
    assert_eq!(hub.people().await.len(), 3, "it joins nobody");
    hub.delete(CONTACTS, "2").await;
    assert_eq!(hub.people().await.len(), 1);
}

// Records without a name come before those with one, or after them, and a name that nobody has is none.
#[tokio::test]
async fn an_id_that_has_a_name_anywhere_is_known_by_it() {
    let row = |id: usize, first: &str, at: i64| {
        contact(
            &format!("c{id}"),
            first,
            Some("ola@sklep.example"),
            "600 100 200",
            at,
        )
    };
    for order in [[0, 1], [1, 0]] {
        let hub = Hub::with(MANIFEST).await;
        for turn in order {
            for id in 0..4 {
                // The same ids in another stream of the source, without names.
                let named = row(id, "Ola", 100 + id as i64);
                let unnamed = json!({ "key": format!("e{id}"), "id": format!("c{id}"), "email": "ola@sklep.example", "updated": 50 });
                match turn {
                    0 => hub.put(CONTACTS, named).await,
                    _ => hub.put(EVENTS, unnamed).await,
                }
            }
        }
        assert_eq!(hub.names().await, ["ola@sklep.example Ola"], "{order:?}");
        for id in 0..3 {
            hub.put(CONTACTS, row(id, "Guest", 300)).await;
        }
        assert_eq!(hub.people().await.len(), 4, "{order:?}");
    }
}

// Two records of one source know somebody by the same identifiers. Whichever of them is edited, read first, or goes: the name is the same
// as if everything had been read at once.
#[tokio::test]
async fn evidence_of_several_records_has_the_name_that_they_give_now() {
    let twin = |id: &str, first: &str, at: i64| json!({ "id": id, "ref": "1", "first": first, "phone": "22 600 10 20", "email": "a@dom.example", "updated": at });
    let manifest = MANIFEST.replace(
        "map.email = \"email | email\"\nmap.phone = \"phone\"",
        "map.external_id = \"ref\"\nmap.email = \"email | email\"\nmap.phone = \"phone\"",
    );
    assert_ne!(manifest, MANIFEST);
    let other = |at: i64| json!({ "id": "9", "ref": "9", "first": "Marek", "phone": "22 600 10 20", "email": "m@dom.example", "updated": at });
    for (edits, people) in [
        (vec![vec![("x", "Anna")], vec![("y", "Marek")]], 2),
        (
            vec![vec![("x", "Anna"), ("y", "Marek")], vec![("x", "Zofia")]],
            1,
        ),
        (
            vec![
                vec![("x", "Anna"), ("y", "Marek")],
                vec![("x", "Zofia"), ("y", "Anna")],
            ],
            2,
        ),
        (
            vec![
                vec![("x", "Anna"), ("y", "Zofia")],
                vec![("x", "Marek"), ("y", "Marek")],
            ],
            1,
        ),
        (
            vec![
                vec![("x", "Zofia")],
                vec![("x", "Zoe"), ("y", "Marek")],
                vec![("y", "")],
            ],
            2,
        ),
    ] {
        let hub = Hub::with(&manifest).await;
        hub.put(CONTACTS, other(1)).await;
        for (at, batch) in edits.iter().enumerate() {
            let rows: Vec<Value> = batch
                .iter()
                .map(|(id, first)| twin(id, first, 10 + at as i64))
                .collect();
            hub.put_all(CONTACTS, &rows).await;
        }
        assert_eq!(hub.people().await.len(), people, "{edits:?}");
    }
}

// F4
#[tokio::test]
async fn a_buyer_with_many_customer_ids_is_one_person() {
    let hub = Hub::with(MANIFEST).await;
    let buyer = |id: usize, first: &str| {
        let mut row = contact(
            &format!("c{id}"),
            first,
            Some("ola@sklep.example"),
            "600 100 200",
            100 + id as i64,
        );
        row["newsletter"] = json!("true");
        row
    };
    for id in 0..5 {
        hub.put(CONTACTS, buyer(id, "Ola")).await;
        assert_eq!(hub.names().await, ["ola@sklep.example Ola"], "{id}");
        assert_eq!(hub.sent().await, ["ola@sklep.example"]);
    }
    // The same name written otherwise, or not at all, is no other person.
    for (id, first, last) in [
        (0, "O.", "Dom"),
        (1, "Dom", "Ola"),
        (2, "Aleksandra Ola", "Dom"),
        (3, "", ""),
    ] {
        let mut again = buyer(id, first);
        (again["last"], again["updated"]) = (json!(last), json!(200));
        hub.put(CONTACTS, again).await;
    }
    assert_eq!(hub.people().await.len(), 1);
    // An address that people of several names have is nobody's.
    for (id, name) in [(5, "Marek"), (6, "Zofia")] {
        hub.put(CONTACTS, buyer(id, name)).await;
    }
    assert_eq!(hub.people().await.len(), 7);
    let told = "2 identifiers (1 email, 1 phone) are of several people and join nobody any more: who was one person for that reason is several now";
    assert_eq!(hub.warnings().await, [told]);
    assert_eq!(hub.warnings().await, [""; 0]);
    for id in [5, 6] {
        hub.delete(CONTACTS, &format!("c{id}")).await;
    }
    assert_eq!(hub.people().await.len(), 1);
}
