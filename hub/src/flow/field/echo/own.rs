//! Whose word it is that a tool holds where the hub and somebody said the same.

use super::{CONTACTS, MANIFEST, MEMBERS, member};
use crate::flow::field::consent::Hub;
use serde_json::{Value, json};

const ANSWERS: (&str, &str) = ("list", "unsubscribes");

fn named(first: &str, last: &str, updated: i64) -> Value {
    json!({ "id": "1", "email": "leo@kot.example", "first": first, "last": last, "updated": updated })
}

impl Hub {
    /// What the tool holds comes back in a stream.
    async fn returns(&self, of: (&str, &str), updated: i64, more: &Value) {
        let rows = self.sink.rows.lock().unwrap().clone();
        for row in rows.into_values() {
            let mut row = json!(row);
            for field in ["FNAME", "LNAME"] {
                if row.get(field).is_none() {
                    row[field] = Value::Null;
                }
            }
            row["updated"] = json!(updated);
            for (name, value) in more.as_object().unwrap() {
                row[name] = value.clone();
            }
            self.put(of, row).await;
        }
    }
}

// A trait of several fields, whatever else of its stream is edited, put back, or given another name.
#[tokio::test]
async fn a_trait_of_several_fields_is_kept_like_any_other() {
    let either = MANIFEST.replace(
        "map.first_name = \"FNAME\"",
        "map.first_name = \"FNAME or NICK\"",
    );
    let edited = either.replace("map.city = \"CITY\"", "map.town = \"CITY\"");
    let renamed = either.replace("first_name", "given_name");
    for (edit, name) in [
        (Some(&edited), "first_name"),
        (Some(&renamed), "given_name"),
        (None, "first_name"),
    ] {
        let mut hub = Hub::with(&either).await;
        hub.put(MEMBERS, member("Leo", "Graz", 50)).await;
        hub.later();
        hub.sent().await;
        hub.later();
        match edit {
            Some(edit) => hub.edit(edit).await,
            None => {
                hub.put(MEMBERS, member("Leon", "Graz", 60)).await;
                hub.put(MEMBERS, member("Leo", "Graz", 70)).await;
            }
        }
        assert_eq!(hub.value(name).await, "Leo", "{edit:?}");
        hub.later();
        hub.sent().await;
        let held = hub.sink.rows.lock().unwrap()["leo@kot.example"].clone();
        assert_eq!(held["FNAME"], "Leo");
    }
}

// An event of the tool that repeats what the hub wrote makes nothing of that the tool's word.
#[tokio::test]
async fn what_an_event_repeats_is_not_what_its_person_said() {
    let events = MANIFEST.replace(
        "\n[[destination]]",
        "\n[[source.stream]]\nname = \"unsubscribes\"\nto = \"event\"\nevent = \"Answered\"\nkey = \"id\"\nupdated_at = \"updated\"\nmap.time = \"updated\"\nmap.email = \"email\"\nmap.person.first_name = \"FNAME\"\n\n[[destination]]",
    );
    let hub = Hub::with(&events).await;
    hub.put(CONTACTS, named("Leon", "Kot", 100)).await;
    hub.later();
    hub.sent().await;
    hub.later();
    hub.returns(ANSWERS, 800, &json!({ "id": "e1" })).await;
    hub.put(CONTACTS, named("Leon", "Kott", 110)).await;
    hub.sent().await;
    hub.later();
    hub.returns(MEMBERS, 900, &json!({})).await;
    hub.put(CONTACTS, named("Leo", "Kott", 200)).await;
    assert_eq!(hub.value("first_name").await, "Leo");
}

// Two records of one address: what one says is not the other's word.
#[tokio::test]
async fn what_one_record_says_is_not_the_word_of_another_of_the_same_address() {
    for deleted in [false, true] {
        let hub = Hub::with(&MANIFEST.replace("key = \"email\"", "key = \"mid\"")).await;
        let of = |mid: &str, first: Value, updated: i64| json!({ "mid": mid, "email": "leo@kot.example", "FNAME": first, "LNAME": null, "CITY": "Graz", "updated": updated });
        hub.put(MEMBERS, of("1", json!("Leonhard"), 50)).await;
        hub.put(MEMBERS, of("2", json!(null), 40)).await;
        hub.later();
        hub.sent().await;
        hub.later();
        hub.put(MEMBERS, of("2", json!("Leonhard"), 900)).await;
        if deleted {
            hub.world
                .apply(MEMBERS, &[], &[json!({ "mid": "1" })])
                .await;
            assert_eq!(hub.value("first_name").await, Value::Null);
        } else {
            hub.put(MEMBERS, of("1", json!("Leo"), 800)).await;
            assert_eq!(hub.value("first_name").await, "Leo");
        }
    }
}

// An attempt of which nothing came is the hub's word for some time only.
#[tokio::test]
async fn who_is_made_at_the_tool_long_after_a_lost_attempt_is_somebodys_word() {
    for (days, is_kept) in [(1, false), (60, true)] {
        let mut hub = Hub::with(MANIFEST).await;
        hub.put(CONTACTS, named("Leo", "Kot", 100)).await;
        hub.sink.loses = true;
        hub.delivered().await;
        hub.sink.loses = false;
        hub.sink.rows.lock().unwrap().clear();
        hub.delete(CONTACTS, "1").await;
        hub.sent().await;
        hub.go_on(days * 24 * 60);
        hub.put(MEMBERS, member("Leo", "Graz", 60)).await;
        assert_eq!(
            hub.value("email").await == "leo@kot.example",
            is_kept,
            "{days}"
        );
    }
}

// Whatever is tried again and again with other values, what is kept of it has an end.
#[tokio::test]
async fn attempts_without_an_answer_are_kept_up_to_a_number() {
    let mut hub = Hub::with(MANIFEST).await;
    hub.sink.loses = true;
    for at in 0..30 {
        hub.put(CONTACTS, named(&format!("Leo{at}"), "Kot", 100 + at))
            .await;
        hub.delivered().await;
    }
    let mut tx = hub.world.context.store.read().await.unwrap();
    let changes = tx.pending_changes("news", "", 0, 10).await.unwrap();
    assert_eq!(
        changes[0].tried.matches("\"row\"").count(),
        8,
        "{}",
        changes[0].tried
    );
    assert!(changes[0].tried.contains("Leo29"));
}

// Lists of several records are put together; each goes on saying its part.
#[tokio::test]
async fn a_list_that_the_hub_put_together_takes_nothing_from_the_tool() {
    let lists = MANIFEST
        .replace("map.last_name = \"last\"", "map.tags = \"tags\"")
        .replace("map.city = \"CITY\"", "map.tags = \"TAGS\"")
        .replace("LNAME = \"last_name\"", "TAGS = \"tags\"")
        + "\n[profile.trait.tags]\nrule = \"union\"\n";
    let hub = Hub::with(&lists).await;
    let tagged = |tags: Value, updated: i64| json!({ "email": "leo@kot.example", "FNAME": "Leo", "LNAME": "Kot", "TAGS": tags, "updated": updated });
    hub.put(MEMBERS, tagged(json!(["a"]), 50)).await;
    let contact = json!({ "id": "1", "email": "leo@kot.example", "first": "Leo", "tags": ["b"], "updated": 100 });
    hub.put(CONTACTS, contact).await;
    hub.later();
    hub.sent().await;
    let held = hub.sink.rows.lock().unwrap()["leo@kot.example"]["TAGS"].clone();
    hub.later();
    hub.put(MEMBERS, tagged(held, 900)).await;
    let tags = hub.value("tags").await;
    let tags: Vec<&str> = tags
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(tags.contains(&"a") && tags.contains(&"b"), "{tags:?}");
}

// What another destination wrote before is not what the tool holds.
#[tokio::test]
async fn a_row_that_another_destination_wrote_over_silences_nobody() {
    let two = MANIFEST.to_owned()
        + r#"
[[audience]]
name = "graz"
who = { trait = "city", is = "Graz" }

[[destination]]
name = "news-of-graz"
connector = "any"
config = { account = "the same tool" }
consent = []
person = { match = "email", map = { FNAME = "first_name" }, only = ["graz"] }
guard = { max_removed = "100%" }
"#;
    let hub = Hub::with(&two).await;
    hub.put(MEMBERS, json!({ "email": "leo@kot.example", "CITY": "Graz", "FNAME": null, "LNAME": null, "updated": 50 }))
        .await;
    hub.put(CONTACTS, named("Leo", "Kot", 100)).await;
    hub.later();
    hub.deliver_all().await;
    hub.later();
    hub.returns(MEMBERS, 200, &json!({ "CITY": "Wien" })).await;
    hub.put(CONTACTS, named("Leon", "Kot", 300)).await;
    hub.later();
    hub.deliver_all().await;
    hub.later();
    hub.returns(MEMBERS, 350, &json!({ "CITY": "Wien" })).await;
    hub.put(MEMBERS, json!({ "email": "leo@kot.example", "CITY": "Wien", "FNAME": "Leo", "LNAME": "Kot", "updated": 400 }))
        .await;
    assert_eq!(hub.value("first_name").await, "Leo", "typed at the tool");
}
