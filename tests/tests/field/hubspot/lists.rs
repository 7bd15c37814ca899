//! Lists, with the mapping that `FACTS.md` shows.

use super::DAY_MS;
use crate::hub::in_repository;
use crate::small::{JANUARY_MS, Small};
use onefold_tests::vendors::hubspot::HubSpot;
use serde_json::{Value, json};

const AGREED: &str = r#"
[[purpose]]
name = "marketing_email"
channel = "email"

[[audience]]
name = "agreed"
who.all = [{ event = "Added to List" }, { consent = "marketing_email" }]
"#;

/// The example of `FACTS.md`.
fn example() -> String {
    let path = in_repository("connectors/hubspot/FACTS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, example) = text.split_once("```toml\n").expect("an example");
    example.split_once("```").expect("its end").0.to_owned()
}

/// Contacts, and who is in which list.
fn listed(seed: fn(&mut HubSpot)) -> Small {
    let small = Small::new();
    small.hubspot.with(seed);
    let streams = format!("[[source.stream]]\nname = \"contacts\"\n{}", example());
    small.edit("streams = [\"contacts\"]\n", &streams);
    let audience = |name: &str, list: u64| {
        let who = format!("{{ event = \"Added to List\", where = {{ list_id = \"{list}\" }} }}");
        format!("[[audience]]\nname = \"{name}\"\nwho = {who}\n")
    };
    small.hub.write(
        "lists.toml",
        &(audience("vips", 1) + &audience("partners", 2)),
    );
    small
}

fn two_lists(hubspot: &mut HubSpot) {
    hubspot
        .companies
        .seed(501, JANUARY_MS, JANUARY_MS, &[("name", "Engines")]);
    hubspot.associate(("contacts", 13), ("companies", 501), JANUARY_MS);
    hubspot.make_list("VIP \"é\" 🦊", "0-1", "DYNAMIC");
    hubspot.make_list("Partners", "0-2", "MANUAL");
    for id in [11, 12] {
        hubspot.list(1).add(id, JANUARY_MS);
    }
    hubspot.list(2).add(501, JANUARY_MS);
}

fn size(small: &Small, audience: &str) -> Value {
    small.hub.json(&["audience", "show", audience])["size"].clone()
}

/// How many requests were for the members of a list.
fn asked(small: &Small) -> usize {
    let all = small.hubspot.requests().into_iter();
    let asked = all.filter(|request| request.target.contains("/memberships"));
    asked.count()
}

#[test]
fn who_is_in_a_list_has_an_event_until_they_leave_it() {
    let small = listed(two_lists);
    assert_eq!(small.read(&["run"], "list_memberships")["added"], 3);
    assert_eq!(small.hub.json(&["dead-letters", "list"]), json!([]));
    assert_eq!((size(&small, "vips"), asked(&small)), (json!(2), 2));
    // Nothing changed: no list is read.
    small.hubspot.forget_requests();
    assert_eq!(small.read(&["run"], "list_memberships")["read"], 0);
    assert_eq!(asked(&small), 0);
    // Jan leaves, Mia joins.
    small.hubspot.with(|hubspot| {
        hubspot.list(1).remove(12, JANUARY_MS + DAY_MS);
        hubspot.list(1).add(13, JANUARY_MS + DAY_MS);
    });
    let memberships = small.read(&["run"], "list_memberships");
    assert_eq!(
        (&memberships["added"], &memberships["deleted"]),
        (&json!(1), &json!(1))
    );
    assert_eq!((size(&small, "vips"), asked(&small)), (json!(2), 1));
    // The list is deleted, and restored.
    small
        .hubspot
        .with(|hubspot| hubspot.list(1).deleted_ms = Some(JANUARY_MS));
    assert_eq!(small.read(&["run"], "list_memberships")["deleted"], 2);
    assert_eq!(size(&small, "vips"), 0);
    small
        .hubspot
        .with(|hubspot| hubspot.list(1).deleted_ms = None);
    assert_eq!(small.read(&["run"], "list_memberships")["added"], 2);
    let full = small.read(&["run", "--full"], "list_memberships");
    assert_eq!(
        (&full["unchanged"], &full["deleted"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(size(&small, "vips"), 2);
}

#[test]
fn contacts_that_are_merged_or_deleted_leave_lists_and_whom_they_became_is_in_them() {
    let small = listed(two_lists);
    small.hub.run(&["run"]).ends_with(0);
    small.hubspot.with(|hubspot| {
        let winner = hubspot.merge("contacts", 12, 13, JANUARY_MS + DAY_MS);
        assert!(hubspot.list(1).members.contains_key(&winner));
    });
    let memberships = small.read(&["run"], "list_memberships");
    assert_eq!(
        (&memberships["added"], &memberships["deleted"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(size(&small, "vips"), 2);
    let gone = onefold_tests::client::Client::new(small.hubspot.address).header(
        "authorization",
        &format!("Bearer {}", onefold_tests::vendors::hubspot::TOKEN),
    );
    let deleted = gone.send("DELETE", "/crm/v3/objects/contacts/11", "", b"");
    assert_eq!(deleted.unwrap().status, 204);
    assert_eq!(small.read(&["run"], "list_memberships")["deleted"], 1);
    assert_eq!(size(&small, "vips"), 1);
}

#[test]
fn being_in_a_list_is_no_consent() {
    let small = listed(|hubspot| {
        two_lists(hubspot);
        hubspot.list(1).name = "Newsletter: opted in".to_owned();
        hubspot.list(1).add(13, JANUARY_MS);
    });
    small.hub.write("agreed.toml", AGREED);
    small.hub.run(&["run"]).ends_with(0);
    // Only Ada agreed, at the newsletter tool.
    assert_eq!(
        (size(&small, "vips"), size(&small, "agreed")),
        (json!(3), json!(1))
    );
    let consent = small
        .hub
        .run(&["consent", "show", "email:mia@mail.example"]);
    assert!(!consent.stdout.contains("granted"), "{consent:#?}");
}

#[test]
fn lists_are_read_where_a_manifest_names_them_and_need_a_right() {
    let small = Small::new();
    small.hubspot.with(two_lists);
    small.edit("streams = [\"contacts\"]\n", "");
    small
        .hubspot
        .with(|hubspot| hubspot.missing_scopes.push("crm.lists.read"));
    small.hub.run(&["run"]).ends_with(0);
    let asked = small.hubspot.requests();
    assert!(asked.iter().all(|one| !one.target.contains("/lists")));
    // Where they are named, the other streams are read without them.
    let small = listed(two_lists);
    small
        .hubspot
        .with(|hubspot| hubspot.missing_scopes.push("crm.lists.read"));
    let ran = small.hub.run(&["run"]).ends_with(1);
    assert!(ran.stderr.contains("scopes"), "{ran:#?}");
    assert_eq!(small.people(), 5);
    small.hubspot.with(|hubspot| hubspot.missing_scopes.clear());
    assert_eq!(small.read(&["run"], "list_memberships")["added"], 3);
}

#[test]
fn the_lists_themselves_come_with_their_sizes() {
    let small = Small::new();
    small.hubspot.with(two_lists);
    let stream = "[[source.stream]]\nname = \"contacts\"\n[[source.stream]]\nname = \"lists\"\nto = \"account\"\n\
                  key = \"'list ' ~ listId\"\nmap.name = \"name\"\nmap.size = \"additionalProperties.hs_list_size\"\n";
    small.edit("streams = [\"contacts\"]\n", stream);
    assert_eq!(small.read(&["run"], "lists")["added"], 2);
    let list = small.hub.json(&["account", "show", "list 1"]);
    assert_eq!(list["traits"]["name"], "VIP \"é\" 🦊");
    assert_eq!(list["traits"]["size"], "2");
    small
        .hubspot
        .with(|hubspot| hubspot.list(2).deleted_ms = Some(JANUARY_MS));
    assert_eq!(small.read(&["run"], "lists")["deleted"], 1);
}
