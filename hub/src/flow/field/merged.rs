//! Contacts that were merged at their vendor: one person with all the addresses, each with a consent of its own.

use super::consent::Hub;
use crate::flow;
use crate::flow::ask::profile::{Found, Wanted, profile};
use crate::model::{Identifier, IdentifierKind};
use crate::problem::codes;
use serde_json::{Value, json};
use uuid::Uuid;

const CONTACTS: (&str, &str) = ("crm", "contacts");
const MEMBERS: (&str, &str) = ("list", "members");
const ANNA: &str = "anna@work.example";
const HOME: &str = "anna@home.example";

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
map.email = "email | email"
map.other_emails = "others"
map.first_name = "first"
consent.marketing_email = { status = "newsletter or none", at = "said" }

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
other_addresses = true
audiences = ["everybody"]
guard = { max_removed = "100%" }
"#;

fn contact(id: &str, email: &str, others: &Value, newsletter: &str) -> Value {
    json!({ "id": id, "email": email, "others": others, "first": "Anna", "newsletter": newsletter, "updated": 1_749_000_000_000_i64 })
}

fn member(id: &str, email: &str, status: &str) -> Value {
    json!({ "id": id, "email": email, "status": status, "updated": 1_749_000_000_000_i64 })
}

async fn hub() -> Hub {
    Hub::with(MANIFEST).await
}

impl Hub {
    /// All addresses of the person who has this one.
    async fn addresses_of(&self, email: &str) -> Vec<String> {
        let identifier = Identifier::parse(IdentifierKind::Email, email, None).unwrap();
        let graph = flow::graph(&self.world.context, &identifier).await.unwrap();
        let emails = graph.identifiers.into_iter();
        let emails = emails.filter(|one| one.kind == IdentifierKind::Email);
        let mut emails: Vec<String> = emails.map(|one| one.value).collect();
        emails.sort();
        emails
    }

    /// Two contacts are read, then merged: the vendor has a third one in their place.
    async fn merge(&self, others: Value, newsletter: &str) {
        let nobody = Value::Null;
        let rows = [
            contact("11", ANNA, &nobody, "granted"),
            contact("22", HOME, &nobody, "granted"),
        ];
        self.put_all(CONTACTS, &rows).await;
        assert_eq!(self.people().await.len(), 2);
        let winner = [contact("33", ANNA, &others, newsletter)];
        let losers = ["11", "22"].map(|id| json!({ "id": id }));
        self.world.apply(CONTACTS, &winner, &losers).await;
    }
}

// F7
#[tokio::test]
async fn merged_contacts_are_one_person_with_both_addresses() {
    let hub = hub().await;
    hub.merge(json!(HOME), "granted").await;
    assert_eq!(hub.people().await.len(), 1);
    assert_eq!(hub.addresses_of(HOME).await, [HOME, ANNA]);
    // Whom another system knows by the old address is the same person.
    hub.put(MEMBERS, member("m", HOME, "granted")).await;
    let people = hub.people().await;
    assert_eq!(people.len(), 1);
    assert_eq!(people[0]["email"], ANNA);
    assert_eq!(people[0].get("other_emails"), None);
}

// I6: what takes the place of a record may come in the transaction in which the record goes.
#[tokio::test]
async fn the_ids_of_people_whose_contacts_were_merged_lead_to_whom_they_became() {
    let nobody = Value::Null;
    let both = json!(HOME);
    let cases = [
        (
            vec![contact("33", ANNA, &both, "granted")],
            vec!["11", "22"],
        ),
        (vec![contact("11", ANNA, &both, "granted")], vec!["22"]),
        (vec![contact("33", ANNA, &nobody, "granted")], vec!["11"]),
    ];
    for (winners, losers) in cases {
        let hub = hub().await;
        let rows = [
            contact("11", ANNA, &nobody, "granted"),
            contact("22", HOME, &nobody, "granted"),
        ];
        hub.put_all(CONTACTS, &rows).await;
        let person_of = async |email: &str| {
            let identifier = Identifier::parse(IdentifierKind::Email, email, None).unwrap();
            flow::graph(&hub.world.context, &identifier)
                .await
                .unwrap()
                .person
        };
        let before = [person_of(ANNA).await, person_of(HOME).await];
        let losers: Vec<Value> = losers.iter().map(|id| json!({ "id": id })).collect();
        hub.world.apply(CONTACTS, &winners, &losers).await;
        let now = [person_of(ANNA).await, person_of(HOME).await];
        for (id, expected) in before.iter().zip(&now) {
            let id = Uuid::parse_str(id).unwrap();
            let found = profile(&hub.world.context, &Wanted::Id(id)).await.unwrap();
            let Found::Person(found) = found else {
                panic!("{id} leads nowhere: {winners:?}");
            };
            assert_eq!(found.id, *expected, "{winners:?}");
        }
    }
}

// F7
#[tokio::test]
async fn the_second_address_of_merged_contacts_keeps_a_consent_of_its_own() {
    let hub = hub().await;
    hub.put(MEMBERS, member("m", HOME, "withdrawn")).await;
    hub.merge(json!(HOME), "granted").await;
    assert_eq!(hub.sent().await, [ANNA]);
    // A grant of the contact's is for its own address only, whatever its time.
    let mut later = contact("33", ANNA, &json!(HOME), "granted");
    later["said"] = json!(1_749_900_000_000_i64);
    hub.put(CONTACTS, later).await;
    assert_eq!(hub.sent().await, [ANNA]);
    // Without that address there is nothing that it agrees for.
    hub.put(CONTACTS, contact("33", "", &json!(HOME), "granted"))
        .await;
    assert_eq!(hub.sent().await, [""; 0]);
}

// F7
#[tokio::test]
async fn what_a_merged_contact_refuses_is_refused_for_each_of_its_addresses() {
    let hub = hub().await;
    hub.put(MEMBERS, member("m", HOME, "granted")).await;
    hub.merge(json!(HOME), "denied").await;
    assert_eq!(hub.sent().await, [""; 0]);
}

#[tokio::test]
async fn a_refusal_of_the_contact_that_is_gone_stays_with_its_address() {
    let hub = hub().await;
    hub.put(CONTACTS, contact("22", HOME, &Value::Null, "denied"))
        .await;
    let winner = [contact("33", ANNA, &json!(HOME), "granted")];
    hub.world
        .apply(CONTACTS, &winner, &[json!({ "id": "22" })])
        .await;
    assert_eq!(hub.people().await.len(), 1);
    assert_eq!(hub.sent().await, [ANNA]);
}

#[tokio::test]
async fn further_addresses_may_be_missing_empty_repeated_and_unusable() {
    let third = "anna@club.example";
    let spaced = format!(" ; {HOME} ;; {third};{ANNA} ;{HOME}");
    for (others, expected) in [
        (Value::Null, vec![ANNA]),
        (json!(""), vec![ANNA]),
        (json!(" ; "), vec![ANNA]),
        (json!(HOME.to_uppercase()), vec![HOME, ANNA]),
        (json!(spaced), vec![third, HOME, ANNA]),
        (json!("nothing;at all"), vec![ANNA]),
        (json!([HOME, null, [third], ""]), vec![third, HOME, ANNA]),
        (json!({ "address": HOME }), vec![ANNA]),
        (json!(true), vec![ANNA]),
        (json!(7), vec![ANNA]),
    ] {
        let hub = hub().await;
        hub.put(CONTACTS, contact("33", ANNA, &others, "granted"))
            .await;
        assert_eq!(hub.addresses_of(ANNA).await, expected, "{others}");
        assert_eq!(hub.sent().await, [ANNA], "{others}");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_a_dead_letter_of_its_field() {
    let hub = hub().await;
    let row = contact("33", ANNA, &json!(format!("no address;{HOME}")), "granted");
    hub.put(CONTACTS, row).await;
    assert_eq!(hub.addresses_of(ANNA).await, [HOME, ANNA]);
    let mut tx = hub.world.context.store.read().await.unwrap();
    let letters = tx.dead_letters(false, 10).await.unwrap();
    let letters: Vec<_> = letters
        .iter()
        .map(|one| (&*one.code, &*one.field))
        .collect();
    assert_eq!(letters, [(codes::UNUSABLE.id, "other_emails")]);
}

// I14
#[tokio::test]
async fn what_a_contact_refused_for_a_further_address_is_not_ended_by_agreeing_for_its_own() {
    let hub = hub().await;
    hub.put(MEMBERS, member("m", HOME, "granted")).await;
    hub.put(CONTACTS, contact("33", ANNA, &json!(HOME), "denied"))
        .await;
    assert_eq!(hub.sent().await, [""; 0]);
    hub.put(CONTACTS, contact("33", ANNA, &json!(HOME), "granted"))
        .await;
    assert_eq!(hub.sent().await, [ANNA]);
    // The primary address is exchanged.
    let hub = self::hub().await;
    let said = |email: &str, other: &str, status: &str, at: i64| {
        let mut contact = contact("33", email, &json!(other), status);
        contact["said"] = json!(at);
        contact
    };
    let refused = said(ANNA, HOME, "denied", 1_748_000_000_000);
    hub.put(CONTACTS, refused).await;
    let agreed = said(HOME, ANNA, "granted", 1_748_900_000_000);
    hub.put(CONTACTS, agreed).await;
    assert_eq!(hub.sent().await, [HOME]);
}

// I14
#[tokio::test]
async fn a_refusal_without_an_own_address_is_about_every_address_of_the_person() {
    let hub = hub().await;
    hub.put(CONTACTS, contact("33", ANNA, &json!(HOME), "granted"))
        .await;
    assert_eq!(hub.sent().await, [ANNA]);
    hub.put(CONTACTS, contact("44", "", &json!(HOME), "denied"))
        .await;
    assert_eq!(hub.people().await.len(), 1);
    assert_eq!(hub.sent().await, [""; 0]);
}
