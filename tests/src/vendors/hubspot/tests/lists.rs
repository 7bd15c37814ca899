//! Lists and their members.

use super::{CONTACTS, get, merge, post, serve};
use crate::client::Client;
use crate::vendors::Running;
use crate::vendors::hubspot::{HubSpot, seed_bulk};
use crate::vendors::time::Clock;
use serde_json::{Value, json};

const LISTS: &str = "/crm/v3/lists";
const NOW_MS: i64 = 1_790_000_000_000;

/// Contacts 1 to 600, of whom all but the last are in a list, and lists of other kinds.
fn lists() -> (Running<HubSpot>, Client) {
    let mut hub = seed_bulk(600);
    hub.clock = Clock::Fixed(NOW_MS);
    hub.companies.seed(7, 0, 0, &[("name", "Engines")]);
    for (name, kind, processing) in [
        ("everybody", "0-1", "DYNAMIC"),
        ("vip", "0-1", "MANUAL"),
        ("companies", "0-2", "SNAPSHOT"),
        ("for one mail", "0-1", "ADHOC"),
    ] {
        hub.make_list(name, kind, processing);
    }
    for id in 1..600 {
        // The later ones joined first.
        hub.list(1).add(id, NOW_MS - id as i64);
    }
    hub.list(3).add(7, NOW_MS);
    serve(hub)
}

fn ids(body: &Value) -> Vec<u64> {
    let rows = body["results"].as_array().unwrap().iter();
    let ids = rows.map(|row| row["recordId"].as_str().unwrap().parse().unwrap());
    ids.collect()
}

/// All pages in one direction.
fn walk(client: &Client, path: &str, parameter: &str, from: Option<String>) -> Vec<u64> {
    let (mut all, mut place) = (Vec::new(), from);
    loop {
        let place_now = place.map(|place| format!("&{parameter}={place}"));
        let target = format!("{path}?limit=250{}", place_now.unwrap_or_default());
        let (status, body) = get(client, &target);
        assert_eq!((status, body["total"].as_u64()), (200, Some(599)));
        all.extend(ids(&body));
        let next = body["paging"]
            .as_object()
            .and_then(|all| all.values().next());
        match next {
            Some(next) => place = Some(next[parameter].as_str().unwrap().to_owned()),
            None => return all,
        }
    }
}

#[test]
fn members_are_paged_by_id_or_by_the_time_of_joining_forwards_and_backwards() {
    let (_running, client) = lists();
    let path = format!("{LISTS}/1/memberships");
    assert_eq!(
        walk(&client, &path, "after", None),
        (1..600).collect::<Vec<_>>()
    );
    let by_time = format!("{path}/join-order");
    let expected: Vec<u64> = (1..600).rev().collect();
    assert_eq!(walk(&client, &by_time, "after", None), expected);
    // From the second page on backwards, without the member there.
    let (_, first) = get(&client, &format!("{path}?limit=250"));
    let token = first["paging"]["next"]["after"]
        .as_str()
        .unwrap()
        .to_owned();
    let back = walk(&client, &path, "before", Some(token.clone()));
    assert_eq!(back, (1..250).rev().collect::<Vec<_>>());
    // Of both, `after` counts.
    let (_, both) = get(
        &client,
        &format!("{path}?limit=1&after={token}&before={token}"),
    );
    assert_eq!(ids(&both), [251]);
    // A hundred by default, and nothing in a list without members.
    assert_eq!(ids(&get(&client, &path).1).len(), 100);
    let (_, empty) = get(&client, &format!("{LISTS}/2/memberships"));
    assert_eq!(empty, json!({"total": 0, "results": []}));
}

#[test]
fn members_of_wrong_pages_and_lists_are_refused() {
    let (_running, client) = lists();
    for (target, status, category) in [
        ("1/memberships?limit=251", 400, "VALIDATION_ERROR"),
        ("1/memberships?limit=0", 400, "VALIDATION_ERROR"),
        ("1/memberships?limit=x", 400, "VALIDATION_ERROR"),
        ("1/memberships?after=17", 400, "VALIDATION_ERROR"),
        (
            "1/memberships/join-order?limit=251",
            400,
            "VALIDATION_ERROR",
        ),
        ("4/memberships", 400, "VALIDATION_ERROR"),
        ("99/memberships", 404, "OBJECT_NOT_FOUND"),
        ("99/memberships/join-order", 404, "OBJECT_NOT_FOUND"),
        ("99", 404, "OBJECT_NOT_FOUND"),
        ("1/memberships/other", 404, "RESOURCE_NOT_FOUND"),
    ] {
        let (found, body) = get(&client, &format!("{LISTS}/{target}"));
        assert_eq!(
            (found, body["category"].as_str()),
            (status, Some(category)),
            "{target}"
        );
    }
    let add = |list: u64| {
        let target = format!("{LISTS}/{list}/memberships/add");
        client.json("PUT", &target, &json!(["600"])).unwrap().status
    };
    assert_eq!((add(1), add(2), add(99)), (400, 200, 404));
}

#[test]
fn a_search_shows_lists_with_their_sizes_and_times_and_pages_by_offset() {
    let (running, client) = lists();
    let search = |body: Value| post(&client, &format!("{LISTS}/search"), &body);
    let (_, all) = search(json!({}));
    assert_eq!(
        (all["total"].as_u64(), &all["hasMore"]),
        (Some(4), &json!(false))
    );
    let list = |id: &str| {
        let mut lists = all["lists"].as_array().unwrap().iter();
        lists.find(|list| list["listId"] == id).unwrap().clone()
    };
    assert_eq!(
        list("1")["additionalProperties"],
        json!({"hs_list_size": "599", "hs_list_reference_count": "0", "hs_last_record_added_at": (NOW_MS - 599).to_string()})
    );
    assert!(
        list("1").get("size").is_none(),
        "only a list read by its id has it"
    );
    let none = json!({"hs_list_size": "0", "hs_list_reference_count": "0"});
    assert_eq!(list("2")["additionalProperties"], none);
    let (_, more) = search(
        json!({"listIds": ["2"], "additionalProperties": ["hs_list_size_week_delta", "nonsense"]}),
    );
    let names = more["lists"][0]["additionalProperties"]
        .as_object()
        .unwrap();
    assert_eq!(names.len(), 3);
    let (mut seen, mut offset) = (Vec::new(), json!(0));
    loop {
        let (_, page) = search(json!({"count": 3, "offset": offset}));
        let lists = page["lists"].as_array().unwrap().iter();
        seen.extend(lists.map(|list| list["listId"].as_str().unwrap().to_owned()));
        offset = page["offset"].clone();
        if page["hasMore"] == false {
            break;
        }
    }
    seen.sort();
    assert_eq!(
        (seen, offset),
        (["1", "2", "3", "4"].map(str::to_owned).to_vec(), json!(4))
    );
    let names = |body: Value| {
        let (_, found) = search(body);
        let lists = found["lists"].as_array().unwrap().iter();
        lists
            .map(|list| list["listId"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(json!({"query": "VIP"})), ["2"]);
    assert_eq!(
        names(json!({"processingTypes": ["DYNAMIC", "SNAPSHOT"]})),
        ["1", "3"]
    );
    for wrong in [
        json!({"count": 0}),
        json!({"count": 501}),
        json!({"offset": -1}),
        json!({"offset": "0"}),
        json!({"processingTypes": ["ADHOC"]}),
        json!({"additionalProperties": "hs_list_size"}),
    ] {
        assert_eq!(search(wrong.clone()).0, 400, "{wrong}");
    }
    running.with(|hub| hub.list(2).deleted_ms = Some(NOW_MS));
    assert_eq!(names(json!({})), ["1", "3", "4"]);
}

#[test]
fn a_deleted_list_is_unknown_until_it_is_restored_and_keeps_its_id() {
    let (_running, client) = lists();
    let send = |method: &str, target: &str| {
        let answer = client.send(method, &format!("{LISTS}/{target}"), "", b"");
        answer.unwrap().status
    };
    assert_eq!((send("DELETE", "1"), send("DELETE", "1")), (204, 404));
    assert_eq!((send("GET", "1"), send("GET", "1/memberships")), (404, 404));
    let (_, found) = get(&client, &format!("{LISTS}?listIds=1&listIds=2"));
    assert_eq!(found["lists"].as_array().unwrap().len(), 1);
    // Its name is free, and the new list is another one.
    let body = json!({"name": "everybody", "objectTypeId": "0-1", "processingType": "MANUAL"});
    let (_, made) = post(&client, LISTS, &body);
    assert_eq!(made["list"]["listId"], "5");
    assert_eq!(
        (send("PUT", "1/restore"), send("PUT", "77/restore")),
        (204, 404)
    );
    let (_, members) = get(&client, &format!("{LISTS}/1/memberships"));
    assert_eq!(members["total"], 599);
}

#[test]
fn records_that_are_archived_erased_or_merged_leave_the_lists_of_their_type() {
    let (running, client) = lists();
    running.with(|hub| {
        hub.contacts.seed(700, 0, 0, &[]);
        hub.list(1).add(700, NOW_MS - 5_000);
    });
    let members = |list: u64| get(&client, &format!("{LISTS}/{list}/memberships?limit=250")).1;
    client
        .send("DELETE", &format!("{CONTACTS}/7"), "", b"")
        .unwrap();
    post(
        &client,
        &format!("{CONTACTS}/batch/archive"),
        &json!({"inputs": [{"id": "8"}]}),
    );
    post(
        &client,
        &format!("{CONTACTS}/gdpr-delete"),
        &json!({"objectId": "9"}),
    );
    assert_eq!(members(1)["total"], 597);
    assert!(ids(&members(1)).iter().all(|id| ![7, 8, 9].contains(id)));
    // The company with the number of a contact stays.
    assert_eq!(ids(&members(3)), [7]);
    let (_, made) = merge(&client, "1", "600");
    let winner: u64 = made["id"].as_str().unwrap().parse().unwrap();
    running.with(|hub| {
        let list = hub.list(1);
        assert_eq!(list.members.get(&winner), Some(&(NOW_MS - 1)));
        assert!(!list.members.contains_key(&1));
        assert_eq!(list.last_removed_ms, Some(NOW_MS));
    });
    assert_eq!(members(1)["total"], 597);
}

#[test]
fn lists_need_a_right_of_their_own() {
    let (running, client) = lists();
    running.with(|hub| hub.missing_scopes = vec!["crm.objects.companies.read"]);
    let (status, body) = get(&client, &format!("{LISTS}/3/memberships"));
    assert_eq!(
        (status, body["category"].as_str()),
        (403, Some("MISSING_SCOPES"))
    );
    assert_eq!(get(&client, &format!("{LISTS}/1/memberships")).0, 200);
    running.with(|hub| hub.missing_scopes = vec!["crm.lists.read"]);
    for target in ["1", "1/memberships", "1/memberships/join-order", "99"] {
        assert_eq!(
            get(&client, &format!("{LISTS}/{target}")).0,
            403,
            "{target}"
        );
    }
    assert_eq!(post(&client, &format!("{LISTS}/search"), &json!({})).0, 403);
    assert_eq!(get(&client, CONTACTS).0, 200);
    let body = json!({"name": "new", "objectTypeId": "0-1", "processingType": "MANUAL"});
    assert_eq!(post(&client, LISTS, &body).0, 200);
    running.with(|hub| hub.missing_scopes = vec!["crm.lists.write"]);
    assert_eq!(post(&client, LISTS, &body).0, 403);
}
