//! The fake HubSpot's rules, over real HTTP.

mod lists;

use serde_json::{Value, json};

use super::*;
use crate::client::Client;
use crate::vendors::{Running, start};

const CONTACTS: &str = "/crm/v3/objects/contacts";

fn serve(hub: HubSpot) -> (Running<HubSpot>, Client) {
    let running = start(hub, ([127, 0, 0, 1], 0).into()).unwrap();
    let client = Client::new(running.address).header("authorization", &format!("Bearer {TOKEN}"));
    (running, client)
}

fn get(client: &Client, target: &str) -> (u16, Value) {
    let answer = client.get(target).unwrap();
    (answer.status, answer.json())
}

fn post(client: &Client, target: &str, body: &Value) -> (u16, Value) {
    let answer = client.json("POST", target, body).unwrap();
    (answer.status, answer.json())
}

#[test]
fn a_wrong_or_missing_token_is_401_with_hubspots_category() {
    let (running, _) = serve(HubSpot::default());
    let stranger = Client::new(running.address);
    let (status, body) = get(&stranger, CONTACTS);
    assert_eq!(
        (status, body["category"].as_str()),
        (401, Some("INVALID_AUTHENTICATION"))
    );
    let wrong = Client::new(running.address).header("authorization", "Bearer nope");
    assert_eq!(get(&wrong, CONTACTS).0, 401);
}

#[test]
fn the_list_is_paged_to_its_end_and_every_contact_comes_once() {
    let (_running, client) = serve(seed_bulk(250));
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let (status, body) = get(
            &client,
            &format!("{CONTACTS}?limit=100&after={after}&properties=email,phone"),
        );
        assert_eq!(status, 200);
        for row in body["results"].as_array().unwrap() {
            assert!(
                row["properties"]["email"].is_string() && row["properties"].get("city").is_none()
            );
            seen.push(row["id"].as_str().unwrap().parse::<u64>().unwrap());
        }
        match body["paging"]["next"]["after"].as_str() {
            Some(next) => after = next.to_string(),
            None => break,
        }
    }
    assert_eq!(seen, (1..=250).collect::<Vec<_>>());
}

#[test]
fn pages_beyond_the_limits_are_400() {
    let (_running, client) = serve(seed_bulk(3));
    assert_eq!(get(&client, &format!("{CONTACTS}?limit=101")).0, 400);
    assert_eq!(get(&client, &format!("{CONTACTS}?limit=0")).0, 400);
    assert_eq!(get(&client, &format!("{CONTACTS}?after=x")).0, 400);
    let search = format!("{CONTACTS}/search");
    assert_eq!(post(&client, &search, &json!({"limit": 201})).0, 400);
    assert_eq!(
        post(&client, &search, &json!({"limit": 200, "after": "9900"})).0,
        400
    );
    assert_eq!(
        post(&client, &search, &json!({"limit": 200, "after": "9800"})).0,
        200
    );
}

#[test]
fn search_finds_by_time_of_change_ascending_and_not_what_is_younger_than_its_index() {
    let mut hub = seed_bulk(5);
    let all: Vec<i64> = hub
        .contacts
        .ids()
        .map(|id| hub.contacts.get(id).unwrap().updated_ms)
        .collect();
    hub.clock = Clock::Fixed(all[4] + 10);
    let (running, client) = serve(hub);
    let body = json!({
        "filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": all[2].to_string()}]}],
        "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}], "limit": 200,
    });
    let ids = |body: &Value| -> Vec<String> {
        body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_string())
            .collect()
    };
    let (_, found) = post(&client, &format!("{CONTACTS}/search"), &body);
    assert_eq!(
        (ids(&found), found["total"].as_u64()),
        (vec!["3".into(), "4".into(), "5".into()], Some(3))
    );
    running.with(|hub| hub.search_lag_ms = 500);
    let (_, found) = post(&client, &format!("{CONTACTS}/search"), &body);
    assert_eq!(ids(&found), ["3", "4"]);
}

#[test]
fn an_email_belongs_to_one_contact_whatever_its_case() {
    let (_running, client) = serve(seed_bulk(1));
    let (status, body) = post(
        &client,
        CONTACTS,
        &json!({"properties": {"email": "PERSON1@bulk.example"}}),
    );
    assert_eq!(status, 409);
    assert_eq!(body["message"], "Contact already exists. Existing ID: 1");
}

#[test]
fn a_batch_upsert_answers_207_with_one_error_per_wrong_row() {
    let (running, client) = serve(seed_bulk(1));
    let row = |email: &str, name: &str, value: &str| json!({"id": email, "idProperty": "email", "objectWriteTraceId": email, "properties": {name: value}});
    let inputs = [
        row("person1@bulk.example", "city", "Gdańsk"),
        row("new@bulk.example", "firstname", "Nowa"),
        row("not an address", "firstname", "X"),
        row("third@bulk.example", "favourite_colour", "red"),
    ];
    let (status, body) = post(
        &client,
        &format!("{CONTACTS}/batch/upsert"),
        &json!({"inputs": inputs}),
    );
    assert_eq!((status, body["numErrors"].as_u64()), (207, Some(2)));
    assert_eq!(body["results"][0]["new"], false);
    assert_eq!(body["results"][1]["new"], true);
    assert_eq!(
        body["errors"][0]["context"]["objectWriteTraceId"][0],
        "not an address"
    );
    assert!(
        body["errors"][1]["message"]
            .as_str()
            .unwrap()
            .contains("PROPERTY_DOESNT_EXIST")
    );
    assert_eq!(running.with(|hub| hub.contacts.len()), 2);
}

#[test]
fn without_trace_ids_a_batch_with_one_wrong_row_is_refused_whole() {
    let (running, client) = serve(HubSpot::default());
    let inputs = json!([
        {"id": "a@bulk.example", "idProperty": "email", "properties": {"city": "A"}},
        {"id": "b@bulk.example", "idProperty": "email", "properties": {"nonsense": "B"}},
    ]);
    let (status, _) = post(
        &client,
        &format!("{CONTACTS}/batch/upsert"),
        &json!({"inputs": inputs}),
    );
    assert_eq!((status, running.with(|hub| hub.contacts.len())), (400, 0));
}

#[test]
fn a_write_that_changes_nothing_does_not_move_the_time_of_change() {
    let (running, client) = serve(seed_bulk(1));
    let before = running.with(|hub| hub.contacts.get(1).unwrap().updated_ms);
    let same = json!({"properties": {"city": "Kraków"}});
    client
        .json("PATCH", &format!("{CONTACTS}/1"), &same)
        .unwrap();
    assert_eq!(
        running.with(|hub| hub.contacts.get(1).unwrap().updated_ms),
        before
    );
}

#[test]
fn an_archived_contact_leaves_list_search_and_lists_and_shows_with_archived_true() {
    let (_running, client) = serve(seed_bulk(2));
    let list = json!({"name": "vip", "objectTypeId": "0-1", "processingType": "MANUAL"});
    let (_, made) = post(&client, "/crm/v3/lists", &list);
    let list_id = made["list"]["listId"].as_str().unwrap().to_string();
    let added = client
        .json(
            "PUT",
            &format!("/crm/v3/lists/{list_id}/memberships/add"),
            &json!([1, 2, 99]),
        )
        .unwrap();
    assert_eq!(added.json()["recordIdsMissing"], json!(["99"]));
    assert_eq!(
        client
            .send("DELETE", &format!("{CONTACTS}/1"), "", b"")
            .unwrap()
            .status,
        204
    );
    let (_, live) = get(&client, CONTACTS);
    assert_eq!(live["results"].as_array().unwrap().len(), 1);
    let (_, archived) = get(&client, &format!("{CONTACTS}?archived=true"));
    assert_eq!(archived["results"][0]["id"], "1");
    assert!(archived["results"][0]["archivedAt"].is_string());
    let (_, members) = get(&client, &format!("/crm/v3/lists/{list_id}/memberships"));
    assert_eq!(members["results"].as_array().unwrap().len(), 1);
}

#[test]
fn a_gdpr_delete_by_email_leaves_no_record() {
    let (running, client) = serve(seed_bulk(2));
    let body = json!({"objectId": "person2@bulk.example", "idProperty": "email"});
    assert_eq!(
        post(&client, &format!("{CONTACTS}/gdpr-delete"), &body).0,
        204
    );
    assert_eq!(
        running.with(|hub| hub.contacts.ids().collect::<Vec<_>>()),
        [1]
    );
}

#[test]
fn a_batch_read_names_the_ids_that_do_not_exist() {
    let (_running, client) = serve(seed_bulk(1));
    let body = json!({"idProperty": "email", "properties": ["email"],
                      "inputs": [{"id": "Person1@bulk.example"}, {"id": "nobody@bulk.example"}]});
    let (status, body) = post(&client, &format!("{CONTACTS}/batch/read"), &body);
    assert_eq!(
        (status, body["results"][0]["id"].as_str()),
        (207, Some("1"))
    );
    assert_eq!(
        body["errors"][0]["context"]["ids"],
        json!(["nobody@bulk.example"])
    );
}

fn two_contacts() -> HubSpot {
    let mut hub = seed_bulk(3);
    hub.clock = Clock::Fixed(1_790_000_000_000);
    hub.companies.seed(7, 0, 0, &[("name", "Engines")]);
    hub.of("deals").seed(5, 0, 0, &[("dealname", "Looms")]);
    hub.associate(("deals", 5), ("contacts", 2), 0);
    hub.associate(("contacts", 2), ("companies", 7), 0);
    hub
}

fn merge(client: &Client, primary: &str, other: &str) -> (u16, Value) {
    let body = json!({"primaryObjectId": primary, "objectIdToMerge": other});
    post(client, &format!("{CONTACTS}/merge"), &body)
}

#[test]
fn a_merge_makes_a_new_record_to_which_both_ids_lead() {
    let (running, client) = serve(two_contacts());
    let (status, made) = merge(&client, "1", "2");
    assert_eq!((status, made["id"].as_str()), (200, Some("4")));
    let asked = "properties=email,hs_merged_object_ids,hs_additional_emails,associatedcompanyid";
    for id in ["1", "2", "4"] {
        let (status, found) = get(&client, &format!("{CONTACTS}/{id}?{asked}"));
        assert_eq!((status, found["id"].as_str()), (200, Some("4")), "{id}");
        let properties = &found["properties"];
        assert_eq!(properties["email"], "person1@bulk.example");
        assert_eq!(properties["hs_merged_object_ids"], "1;2");
        assert_eq!(properties["hs_additional_emails"], "person2@bulk.example");
        assert_eq!(properties["associatedcompanyid"], "7");
    }
    for archived in ["true", "false"] {
        let (_, list) = get(
            &client,
            &format!("{CONTACTS}?archived={archived}&limit=100"),
        );
        let rows = list["results"].as_array().unwrap().iter();
        let ids: Vec<&str> = rows.map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(
            ids,
            if archived == "true" {
                vec![]
            } else {
                vec!["3", "4"]
            }
        );
    }
    // The address of the other one leads there, too, and cannot be taken.
    let body = json!({"idProperty": "email", "properties": ["email"], "inputs": [{"id": "Person2@bulk.example"}]});
    let (_, read) = post(&client, &format!("{CONTACTS}/batch/read"), &body);
    assert_eq!(read["results"][0]["id"], "4");
    let taken = json!({"properties": {"email": "person2@bulk.example"}});
    assert_eq!(post(&client, CONTACTS, &taken).0, 409);
    // A merge of a merge has all ids, and what belonged to the first belongs to it.
    let (_, made) = merge(&client, "3", "2");
    assert_eq!(made["id"], "5");
    let (_, found) = get(&client, &format!("{CONTACTS}/1?{asked}"));
    assert_eq!(
        (
            found["id"].as_str(),
            &found["properties"]["hs_merged_object_ids"]
        ),
        (Some("5"), &json!("1;2;3;4"))
    );
    let body = json!({"inputs": [{"id": "5"}]});
    let (_, deals) = post(
        &client,
        "/crm/v4/associations/deals/contacts/batch/read",
        &body,
    );
    assert_eq!(deals["results"][0]["to"][0]["toObjectId"], 5);
    assert_eq!(merge(&client, "5", "1").0, 400, "with itself");
    assert_eq!(merge(&client, "5", "99").0, 404);
    assert_eq!(running.with(|hub| hub.contacts.len()), 1);
}

#[test]
fn a_merge_before_2025_kept_the_primary_record() {
    let (running, client) = serve(two_contacts());
    running.with(|hub| hub.merges_keep_the_primary = true);
    assert_eq!(merge(&client, "1", "2").1["id"], "1");
    let (_, found) = get(
        &client,
        &format!("{CONTACTS}/2?properties=hs_merged_object_ids"),
    );
    assert_eq!(
        (
            found["id"].as_str(),
            &found["properties"]["hs_merged_object_ids"]
        ),
        (Some("1"), &json!("2"))
    );
}

#[test]
fn what_hubspot_works_out_itself_cannot_be_written() {
    let (_running, client) = serve(two_contacts());
    for name in [
        "hs_merged_object_ids",
        "hs_additional_emails",
        "associatedcompanyid",
    ] {
        let answer = client.json(
            "PATCH",
            &format!("{CONTACTS}/1"),
            &json!({"properties": {name: "2"}}),
        );
        assert_eq!(answer.unwrap().status, 400, "{name}");
    }
}

#[test]
fn an_address_that_is_too_long_is_414_and_a_body_is_not() {
    let (_running, client) = serve(seed_bulk(1));
    let names: Vec<String> = (0..600).map(|n| format!("our_own_property_{n}")).collect();
    let list = format!("{CONTACTS}?properties={}", names.join(","));
    assert_eq!(client.get(&list).unwrap().status, 414);
    let body = json!({"properties": names, "inputs": [{"id": "1"}]});
    assert_eq!(
        post(&client, &format!("{CONTACTS}/batch/read"), &body).0,
        200
    );
    let search = json!({"properties": names});
    assert_eq!(post(&client, &format!("{CONTACTS}/search"), &search).0, 400);
}

#[test]
fn associations_are_read_in_batches_and_none_is_an_error_of_its_row() {
    let mut hub = two_contacts();
    hub.companies.seed(8, 0, 0, &[("name", "Looms")]);
    hub.associate(("contacts", 2), ("companies", 8), 0);
    let (_running, client) = serve(hub);
    let target = "/crm/v4/associations/contacts/companies/batch/read";
    let (status, body) = post(
        &client,
        target,
        &json!({"inputs": [{"id": "2"}, {"id": "1"}, {"id": "99"}]}),
    );
    assert_eq!((status, body["numErrors"].as_u64()), (207, Some(2)));
    let to = body["results"][0]["to"].as_array().unwrap();
    let ids: Vec<&Value> = to.iter().map(|one| &one["toObjectId"]).collect();
    assert_eq!(ids, [&json!(7), &json!(8)]);
    assert_eq!(to[0]["associationTypes"][0]["label"], "Primary");
    assert_eq!(
        to[1]["associationTypes"],
        json!([{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": null}])
    );
    assert_eq!(
        body["errors"][0]["subCategory"],
        "crm.associations.NO_ASSOCIATIONS_FOUND"
    );
    let many: Vec<Value> = (0..1_001).map(|id| json!({"id": id.to_string()})).collect();
    assert_eq!(post(&client, target, &json!({"inputs": many})).0, 400);
    assert_eq!(
        post(
            &client,
            "/crm/v4/associations/contacts/pets/batch/read",
            &json!({"inputs": [{"id": "1"}]})
        )
        .0,
        400
    );
}

#[test]
fn deals_know_whether_they_are_closed_and_activities_when_they_were_made() {
    let mut hub = HubSpot::default();
    for (id, stage) in [(1, "closedwon"), (2, "closedlost"), (3, "contractsent")] {
        hub.of("deals").seed(id, 0, 0, &[("dealstage", stage)]);
    }
    hub.of("notes")
        .seed(1, 1_000, 1_000, &[("hs_note_body", "x")]);
    let (_running, client) = serve(hub);
    let (_, list) = get(
        &client,
        "/crm/v3/objects/deals?properties=hs_is_closed,hs_is_closed_won",
    );
    let rows = list["results"].as_array().unwrap().iter();
    let closed: Vec<[&Value; 2]> = rows
        .map(|row| ["hs_is_closed", "hs_is_closed_won"].map(|name| &row["properties"][name]))
        .collect();
    assert_eq!(
        json!(closed),
        json!([["true", "true"], ["true", "false"], ["false", "false"]])
    );
    let (_, notes) = get(&client, "/crm/v3/objects/notes");
    assert_eq!(
        notes["results"][0]["properties"]["hs_createdate"],
        "1970-01-01T00:00:01.000Z"
    );
    assert!(
        notes["results"][0]["properties"]
            .get("hs_note_body")
            .is_none()
    );
}

#[test]
fn owners_are_paged_and_those_whose_user_is_gone_are_listed_apart() {
    let mut hub = HubSpot::default();
    for id in 1..=4 {
        hub.owners.push(Owner {
            id,
            email: "ola@acme.example",
            first_name: "Ola",
            last_name: "Nowak",
            created_ms: 0,
            updated_ms: 0,
            archived: id == 4,
        });
    }
    let (_running, client) = serve(hub);
    let (_, first) = get(&client, "/crm/v3/owners?limit=2");
    let next = first["paging"]["next"]["after"].as_str().unwrap();
    let (_, rest) = get(&client, &format!("/crm/v3/owners?limit=2&after={next}"));
    assert_eq!(
        (rest["results"][0]["id"].as_str(), rest.get("paging")),
        (Some("3"), None)
    );
    let (_, gone) = get(&client, "/crm/v3/owners?archived=true");
    assert_eq!(
        (
            gone["results"].as_array().unwrap().len(),
            &gone["results"][0]["userId"]
        ),
        (1, &Value::Null)
    );
    assert_eq!(get(&client, "/crm/v3/owners?limit=501").0, 400);
}
