//! What records say that are not about a person: a guest's name, what somebody has; and when a record changed that does not
//! always say so.

use crate::flow::ask::profile::{Found, ProfileView, Wanted, profile};
use crate::flow::harness::World;
use crate::flow::{self, history, remap};
use crate::model::{Fields, Identifier, IdentifierKind, Shown, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const CONTACTS: (&str, &str) = ("crm", "contacts");
const CUSTOMERS: (&str, &str) = ("shop", "customers");
const SALES: (&str, &str) = ("shop", "sales");
const PLANS: (&str, &str) = ("shop", "plans");
const STREAMS: [(&str, &str); 4] = [CONTACTS, CUSTOMERS, SALES, PLANS];

const MANIFEST: &str = r#"
[hub]
name = "test"
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
map.name = "name"
map.phone = "phone"
map.country = "country"

[[source]]
name = "shop"
connector = "another"
[[source.stream]]
name = "customers"
to = "person"
key = "id"
updated_at = "changed"
created_at = "created"
map.email = "email | email"
map.country = "country"
[[source.stream]]
name = "sales"
to = "event"
key = "id"
created_at = "at"
map.event = "name or 'Order Completed'"
map.email = "email | email"
map.total = "total"
map.person.email = "email"
map.person.name = "buyer"
map.person.phone = "phone"
map.person.country = "land"
map.person.shoe_size = "shoe"
[[source.stream]]
name = "plans"
to = "subscription"
key = "id"
updated_at = "changed"
created_at = "created"
map.email = "email | email"
map.plan = "plan"
map.status = "status"
map.mrr = "mrr"
map.started_at = "started"

[[audience]]
name = "subscribers"
who = { has = "subscription", where = { status = "active", mrr = { at_least = 100 } } }

[[audience]]
name = "two_plans"
who = { has = "subscription", count = { at_least = 2 } }

[[audience]]
name = "events_called_so"
who = { event = "subscription" }
"#;

const T: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;

async fn world() -> World {
    World::new(MANIFEST, &STREAMS, T).await
}

fn by(email: &str) -> Wanted {
    Wanted::Identifier(Identifier {
        kind: IdentifierKind::Email,
        value: email.to_owned(),
    })
}

async fn shown(world: &World, email: &str) -> Option<ProfileView> {
    match profile(&world.context, &by(email)).await.unwrap() {
        Found::Person(view) => Some(*view),
        Found::Nobody | Found::Shared => None,
    }
}

async fn traits(world: &World, email: &str) -> Fields {
    shown(world, email)
        .await
        .map(|view| view.traits)
        .unwrap_or_default()
}

async fn letters(world: &World) -> Vec<String> {
    let mut tx = world.context.store.read().await.unwrap();
    let letters = tx.dead_letters(false, 100).await.unwrap().into_iter();
    let mut letters: Vec<String> = letters
        .map(|one| format!("{} {} {}", one.kind, one.code, one.field))
        .collect();
    letters.sort();
    letters
}

fn customer(country: &str, changed: Option<i64>) -> Value {
    json!({ "id": "c1", "email": "ada@x.example", "country": country, "changed": changed, "created": T - 900 * DAY })
}

fn contact(country: &str, updated: i64) -> Value {
    json!({ "id": "1", "email": "ada@x.example", "name": "Ada", "country": country, "updated": updated })
}

// F16
#[tokio::test]
async fn a_version_without_a_time_of_change_keeps_the_time_that_is_known() {
    let mut world = world().await;
    let country = async |world: &World| traits(world, "ada@x.example").await["country"].clone();
    world.apply(CUSTOMERS, &[customer("FR", None)], &[]).await;
    world
        .apply(CONTACTS, &[contact("PL", T - 700 * DAY)], &[])
        .await;
    assert_eq!(country(&world).await, "PL");
    world
        .apply(CUSTOMERS, &[customer("DE", Some(T - DAY))], &[])
        .await;
    assert_eq!(country(&world).await, "DE");
    // Late, early and repeated; by the list again, where nothing of a time stands.
    for (line, expected) in [
        (customer("IT", Some(T - 5 * DAY)), "DE"),
        (customer("DE", None), "DE"),
        (customer("DE", Some(T - DAY)), "DE"),
        (customer("ES", None), "ES"),
        (customer("IT", Some(T - 4 * DAY)), "ES"),
    ] {
        world.hand.fetch_add(1_000, Ordering::SeqCst);
        world.apply(CUSTOMERS, &[&line], &[]).await;
        assert_eq!(country(&world).await, expected, "{line}");
    }
    // The same after the mapping, and the key, are others.
    for (from, to) in [
        ("map.name = \"name\"", "map.name = \"name | upper\""),
        (
            "key = \"id\"\nupdated_at = \"changed\"\ncreated_at = \"created\"\nmap.email = \"email | email\"\nmap.country",
            "key = \"'c' ~ id\"\nupdated_at = \"changed\"\ncreated_at = \"created\"\nmap.email = \"email | email\"\nmap.country",
        ),
        (
            "map.country = \"country\"\n[[source.stream]]\nname = \"sales\"",
            "map.country = \"country | upper\"\n[[source.stream]]\nname = \"sales\"",
        ),
    ] {
        let manifest = MANIFEST.replacen(from, to, 1);
        assert_ne!(manifest, MANIFEST);
        world.reread(&manifest, &STREAMS).await;
        for source in &world.context.plan.sources {
            remap(&world.context, source).await.unwrap();
        }
        assert_eq!(country(&world).await, "ES", "{to}");
    }
    // The past knows it, too.
    let wanted = by("ada@x.example");
    let now = Timestamp(world.hand.load(Ordering::SeqCst));
    let Found::Person(then) = flow::ask::past::profile_at(&world.context, &wanted, now, &|_, _| {})
        .await
        .unwrap()
    else {
        panic!("nobody");
    };
    assert_eq!(then.traits["country"], "ES");
    let moments = history(&world.context, &wanted).await.unwrap().unwrap();
    let last = moments.iter().rfind(|one| one.name == "country").unwrap();
    assert_eq!(last.value, Some(json!("ES")));
    // What was deleted and is made again is another record.
    world.apply(CUSTOMERS, &[], &[json!({ "id": "c1" })]).await;
    world.apply(CUSTOMERS, &[customer("DE", None)], &[]).await;
    assert_eq!(country(&world).await, "PL");
}

fn sale(id: &str, fields: &Value) -> Value {
    let mut sale = json!({ "id": id, "at": T - DAY, "total": 900, "email": "Gosia@X.example" });
    for (name, value) in fields.as_object().unwrap() {
        sale[name] = value.clone();
    }
    sale
}

// F6
#[tokio::test]
async fn a_guest_is_what_the_orders_say_and_less_than_a_record_about_the_person() {
    let world = world().await;
    let guest = "gosia@x.example";
    let first = sale(
        "1",
        &json!({ "buyer": "Gosia Lis", "phone": "601 100 200", "shoe": 38 }),
    );
    let second = sale(
        "2",
        &json!({ "buyer": "Małgorzata Lis", "at": T, "land": "Poland", "phone": "" }),
    );
    // In any order, and twice.
    for line in [&second, &first, &second, &first] {
        world.apply(SALES, &[line], &[]).await;
    }
    let view = shown(&world, guest).await.unwrap();
    let known = json!({ "email": guest, "name": "Małgorzata Lis", "phone": "+48601100200", "country": "PL", "shoe_size": 38 });
    assert_eq!(json!(view.traits), known);
    assert_eq!((view.sources, view.records, view.events), (1, 2, 2));
    let why = view.why.iter().find(|one| one.name == "name").unwrap();
    assert_eq!(
        (why.record.as_str(), why.rule.as_str()),
        (
            "sales/2",
            "most recent of 2 claims; the record is about something else"
        )
    );
    // Found by the text of its name, as everybody is.
    let found = flow::ask::profile::search(&world.context, "małgorzata", 9).await;
    assert_eq!(found.unwrap().len(), 1);
    // A contact of long ago is stronger in what it says, and what it leaves empty the orders still say.
    let contact = |fields: Value| {
        let mut contact = json!({ "id": "9", "email": guest, "updated": 1_000_000_000_000_i64 });
        for (name, value) in fields.as_object().unwrap() {
            contact[name] = value.clone();
        }
        contact
    };
    world
        .apply(
            CONTACTS,
            &[contact(json!({ "name": "M. Lis", "phone": null }))],
            &[],
        )
        .await;
    let now = traits(&world, guest).await;
    assert_eq!(
        (&now["name"], &now["phone"]),
        (&json!("M. Lis"), &json!("+48601100200"))
    );
    world.apply(CONTACTS, &[], &[json!({ "id": "9" })]).await;
    assert_eq!(json!(traits(&world, guest).await), known);
    // An order that is taken back takes its words with it.
    world.apply(SALES, &[], &[json!({ "id": "2" })]).await;
    let left =
        json!({ "email": guest, "name": "Gosia Lis", "phone": "+48601100200", "shoe_size": 38 });
    assert_eq!(json!(traits(&world, guest).await), left);
    world.apply(SALES, &[], &[json!({ "id": "1" })]).await;
    assert!(shown(&world, guest).await.is_none());
    assert_eq!(letters(&world).await, [""; 0]);
}

#[tokio::test]
async fn what_an_order_says_of_its_buyer_and_cannot_be_used_costs_that_field() {
    let world = world().await;
    let odd = [
        sale(
            "1",
            &json!({ "buyer": ["Gosia"], "phone": "12", "land": "Atlantis", "shoe": null }),
        ),
        sale(
            "2",
            &json!({ "buyer": { "first": "G" }, "phone": {}, "land": 7 }),
        ),
        sale(
            "3",
            &json!({ "buyer": "Go\u{fffd}", "phone": "noreply", "email": "not an address" }),
        ),
        sale(
            "4",
            &json!({ "email": null, "buyer": "Nobody to be known by" }),
        ),
        json!({ "id": "5", "at": T, "email": "gosia@x.example" }),
    ];
    world.apply(SALES, &odd, &[]).await;
    let view = shown(&world, "gosia@x.example").await.unwrap();
    assert_eq!(json!(view.traits), json!({ "email": "gosia@x.example" }));
    assert_eq!(view.events, 3);
    let letters = letters(&world).await;
    let expected = [
        "field OF0506 person.country",
        "field OF0506 person.name",
        "field OF0506 person.name",
    ];
    for one in expected {
        assert!(letters.contains(&one.to_owned()), "{letters:?}");
    }
    let of = |field: &str| letters.iter().filter(|one| one.ends_with(field)).count();
    assert_eq!(
        (of(" person.phone"), of(" person.email"), of(" email")),
        (3, 1, 1),
        "{letters:?}"
    );
    assert!(
        letters.iter().all(|one| one.starts_with("field")),
        "{letters:?}"
    );
}

#[test]
fn only_what_is_about_something_else_says_something_of_a_person_and_never_an_identifier() {
    for (from, to, message) in [
        (
            "map.name = \"name\"",
            "map.person.name = \"name\"",
            "here it is `name`",
        ),
        (
            "map.person.name",
            "map.person.user_id",
            "identifiers are mapped as they are, `user_id`",
        ),
        (
            "map.person.name",
            "map.person.external_id",
            "identifiers are mapped as they are",
        ),
        ("map.person.name", "map.\"person.email\"", "mapped twice"),
        (
            "map.person.name = \"buyer\"",
            "map.person.name = 7",
            "must be a text",
        ),
        (
            "has = \"subscription\", count",
            "has = \"order\", count",
            "no stream is about what is asked for: `order`",
        ),
        (
            "has = \"subscription\", count",
            "has = \"account\", count",
            "known: `order`, `subscription`, `product`",
        ),
        (
            "has = \"subscription\", count",
            "has = \"subscription\", event = \"x\", count",
            "not both",
        ),
    ] {
        let manifest = MANIFEST.replacen(from, to, 1);
        assert_ne!(manifest, MANIFEST, "{from}");
        let failed = std::panic::catch_unwind(|| flow::harness::plan(&manifest, &STREAMS));
        let text = failed
            .err()
            .and_then(|text| text.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_default();
        assert!(text.contains(message), "{to}: {text}");
    }
}

// F18
#[tokio::test]
async fn what_people_have_is_shown_and_asked_for_and_is_no_event() {
    let world = world().await;
    let plan = |id: &str, email: &str, fields: Value| {
        let mut plan = json!({ "id": id, "email": email, "plan": "Pro", "status": "active", "mrr": 500, "created": T - DAY, "started": T - 30 * DAY });
        for (name, value) in fields.as_object().unwrap() {
            plan[name] = value.clone();
        }
        plan
    };
    let ada = "ada@x.example";
    world.apply(CONTACTS, &[contact("PL", T)], &[]).await;
    let plans = [
        plan("1", ada, json!({})),
        plan("2", "eve@x.example", json!({ "mrr": 99, "started": null })),
        // Nobody's.
        plan("3", "", json!({})),
        plan("4", ada, json!({ "mrr": "much" })),
    ];
    world.apply(PLANS, &plans, &[]).await;
    let audiences = async |email: &str| {
        let view = shown(&world, email).await.unwrap();
        let audiences = view.audiences.unwrap().into_iter().map(|one| one.name);
        audiences.collect::<Vec<String>>()
    };
    let view = shown(&world, ada).await.unwrap();
    assert_eq!(
        (view.events, view.last_event_at.is_none(), view.things.len()),
        (0, true, 1)
    );
    let thing = &view.things[0];
    let fields =
        json!({ "plan": "Pro", "status": "active", "mrr": 500, "started_at": T - 30 * DAY });
    assert_eq!(json!(thing.fields), fields);
    assert_eq!(
        (thing.kind.as_str(), &*thing.source, &*thing.record),
        ("subscription", "shop", "plans/1")
    );
    assert_eq!(thing.since, Some(Shown::of(T - 30 * DAY)));
    assert_eq!(audiences(ada).await, ["subscribers"]);
    assert_eq!(audiences("eve@x.example").await, [""; 0]);
    // Of no time of its own: since the record was made.
    assert_eq!(
        shown(&world, "eve@x.example").await.unwrap().things[0].since,
        Some(Shown::of(T - DAY))
    );
    assert_eq!(letters(&world).await, ["record OF0507 mrr"]);
    let mut tx = world.context.store.read().await.unwrap();
    assert_eq!(tx.status_counts().await.unwrap().events, 0);
    drop(tx);
    world
        .apply(
            PLANS,
            &[plan("4", ada, json!({ "mrr": 1, "changed": T }))],
            &[],
        )
        .await;
    assert_eq!(audiences(ada).await, ["subscribers", "two_plans"]);
    // An older state that comes late changes nothing; a later one does.
    world
        .apply(
            PLANS,
            &[plan(
                "4",
                ada,
                json!({ "status": "canceled", "changed": T - 1 }),
            )],
            &[],
        )
        .await;
    world
        .apply(
            PLANS,
            &[plan(
                "1",
                ada,
                json!({ "status": "canceled", "changed": T + 1 }),
            )],
            &[],
        )
        .await;
    assert_eq!(audiences(ada).await, ["two_plans"]);
    let at = Timestamp(T);
    let Found::Person(then) = flow::ask::past::profile_at(&world.context, &by(ada), at, &|_, _| {})
        .await
        .unwrap()
    else {
        panic!("nobody");
    };
    assert_eq!((then.events, then.things.len()), (0, 2));
    world.apply(PLANS, &[], &[json!({ "id": "4" })]).await;
    assert_eq!(audiences(ada).await, [""; 0]);
}
