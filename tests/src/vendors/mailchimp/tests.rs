//! The fake Mailchimp's rules, over real HTTP.

use base64::Engine;
use serde_json::{Value, json};

use super::*;
use crate::client::Client;
use crate::vendors::{Running, start};

const LIST: &str = "/3.0/lists/a1b2c3d4e5";

fn serve(mailchimp: Mailchimp) -> (Running<Mailchimp>, Client) {
    let running = start(mailchimp, ([127, 0, 0, 1], 0).into()).unwrap();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("onefold:{KEY}"));
    let client = Client::new(running.address).header("authorization", &format!("Basic {basic}"));
    (running, client)
}

fn member(email: &str, status: Status, last_changed_ms: i64) -> Member {
    Member {
        email: email.to_string(),
        status,
        merge_fields: BTreeMap::new(),
        language: "pl".to_string(),
        vip: false,
        signed_up_ms: last_changed_ms,
        last_changed_ms,
        unsubscribe_reason: None,
    }
}

fn list_of(members: &[(&str, Status, i64)]) -> Mailchimp {
    let mut mailchimp = Mailchimp::default();
    for (email, status, at) in members {
        mailchimp.seed_member(member(email, *status, *at));
    }
    mailchimp
}

fn get(client: &Client, target: &str) -> (u16, Value) {
    let answer = client.get(target).unwrap();
    (answer.status, answer.json())
}

fn send(client: &Client, method: &str, target: &str, body: &Value) -> (u16, Value) {
    let answer = client.json(method, target, body).unwrap();
    (answer.status, answer.json())
}

#[test]
fn a_wrong_key_is_401_as_a_problem_document() {
    let (running, _) = serve(Mailchimp::default());
    let wrong = Client::new(running.address).header("authorization", "Basic b25lZm9sZDp3cm9uZw==");
    let answer = wrong.get(LIST).unwrap();
    assert_eq!(
        (
            answer.status,
            answer.json()["title"].as_str().map(str::to_string)
        ),
        (401, Some("API Key Invalid".into()))
    );
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/problem+json")
    );
}

#[test]
fn members_page_by_time_of_change_and_since_means_after_that_second() {
    let (_running, client) = serve(list_of(&[
        ("a@mail.example", Status::Subscribed, 1_700_000_000_000),
        ("b@mail.example", Status::Unsubscribed, 1_700_000_002_900),
        ("c@mail.example", Status::Subscribed, 1_700_000_001_000),
        ("d@mail.example", Status::Archived, 1_700_000_003_000),
    ]));
    let emails = |query: &str| -> Vec<String> {
        let (status, body) = get(
            &client,
            &format!("{LIST}/members?sort_field=last_changed&sort_dir=ASC&{query}"),
        );
        assert_eq!(status, 200);
        body["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["email_address"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(emails("count=2"), ["a@mail.example", "c@mail.example"]);
    assert_eq!(emails("count=2&offset=2"), ["b@mail.example"]);
    assert_eq!(
        emails("since_last_changed=2023-11-14T22:13:21%2B00:00"),
        ["b@mail.example"]
    );
    assert_eq!(emails("status=archived"), ["d@mail.example"]);
    assert_eq!(get(&client, &format!("{LIST}/members?count=1001")).0, 400);
    let (_, only) = get(
        &client,
        &format!("{LIST}/members?fields=members.id,total_items"),
    );
    assert_eq!(only["members"][0].as_object().unwrap().len(), 1);
}

#[test]
fn a_batch_gives_each_row_its_own_outcome() {
    let (running, client) = serve(list_of(&[
        ("known@mail.example", Status::Subscribed, 1),
        ("left@mail.example", Status::Unsubscribed, 1),
    ]));
    running.with(|mailchimp| {
        mailchimp
            .forgotten
            .insert(subscriber_hash("gone@mail.example"))
    });
    let row = |email: &str| json!({"email_address": email, "status": "subscribed", "merge_fields": {"FNAME": "Ada"}});
    let emails = [
        "known@mail.example",
        "New@mail.example",
        "left@mail.example",
        "gone@mail.example",
        "x@example.com",
        "not an address",
    ];
    let members: Vec<Value> = emails.iter().map(|email| row(email)).collect();
    let (status, body) = send(
        &client,
        "POST",
        LIST,
        &json!({"members": members, "update_existing": true}),
    );
    assert_eq!(status, 200);
    assert_eq!(
        (
            body["total_created"].as_u64(),
            body["total_updated"].as_u64(),
            body["error_count"].as_u64()
        ),
        (Some(1), Some(1), Some(4))
    );
    let errors: Vec<&str> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["error"].as_str().unwrap())
        .collect();
    assert!(errors[0].contains("compliance state") && errors[1].contains("permanently deleted"));
    assert!(errors[2].contains("looks fake") && errors[3].contains("valid email address"));
    let too_many = vec![row("a@mail.example"); 501];
    assert_eq!(
        send(&client, "POST", LIST, &json!({"members": too_many})).0,
        400
    );
}

#[test]
fn without_update_existing_a_known_address_is_a_row_error() {
    let (_running, client) = serve(list_of(&[("known@mail.example", Status::Subscribed, 1)]));
    let rows =
        json!({"members": [{"email_address": "KNOWN@mail.example", "status": "subscribed"}]});
    let (_, body) = send(&client, "POST", LIST, &rows);
    assert_eq!(body["errors"][0]["error_code"], "ERROR_CONTACT_EXISTS");
}

#[test]
fn a_new_member_needs_a_status_and_a_known_one_keeps_its_own() {
    let (running, client) = serve(list_of(&[("left@mail.example", Status::Unsubscribed, 1)]));
    let put = |email: &str, body: Value| {
        send(
            &client,
            "PUT",
            &format!("{LIST}/members/{}", subscriber_hash(email)),
            &body,
        )
    };
    assert_eq!(
        put(
            "new@mail.example",
            json!({"email_address": "new@mail.example"})
        )
        .0,
        400
    );
    assert_eq!(
        put(
            "new@mail.example",
            json!({"email_address": "new@mail.example", "status_if_new": "subscribed"})
        )
        .0,
        200
    );
    let (status, kept) = put(
        "left@mail.example",
        json!({"status_if_new": "subscribed", "merge_fields": {"FNAME": "L"}}),
    );
    assert_eq!(
        (status, kept["status"].as_str()),
        (200, Some("unsubscribed"))
    );
    let patched = send(
        &client,
        "PATCH",
        &format!("{LIST}/members/left@mail.example"),
        &json!({"status": "subscribed"}),
    );
    assert_eq!(
        (patched.0, patched.1["title"].as_str()),
        (400, Some("Member In Compliance State"))
    );
    assert_eq!(
        running.with(|mailchimp| mailchimp.snapshot().members.len()),
        2
    );
}

#[test]
fn the_log_of_writes_tells_what_changed_and_what_was_so_already() {
    let (running, client) = serve(Mailchimp::default());
    let row = json!({"email_address": "a@mail.example", "status": "subscribed", "merge_fields": {"FNAME": "Ada"}});
    let body = json!({"members": [row], "update_existing": true});
    send(&client, "POST", LIST, &body);
    send(&client, "POST", LIST, &body);
    let writes = running.with(|mailchimp| mailchimp.writes.clone());
    let seen: Vec<(&str, &str, bool)> = writes
        .iter()
        .map(|write| (write.object.as_str(), write.action, write.changed))
        .collect();
    assert_eq!(
        seen,
        [
            ("member:a@mail.example", "created", true),
            ("member:a@mail.example", "updated", false)
        ]
    );
}

#[test]
fn a_segment_takes_subscribed_members_only_and_says_who_was_refused() {
    let (running, client) = serve(list_of(&[
        ("a@mail.example", Status::Subscribed, 1),
        ("left@mail.example", Status::Unsubscribed, 1),
    ]));
    let (_, made) = send(
        &client,
        "POST",
        &format!("{LIST}/segments"),
        &json!({"name": "vip", "static_segment": []}),
    );
    let target = format!("{LIST}/segments/{}", made["id"]);
    let add =
        json!({"members_to_add": ["A@mail.example", "left@mail.example", "nobody@mail.example"]});
    let (_, body) = send(&client, "POST", &target, &add);
    assert_eq!(
        (body["total_added"].as_u64(), body["error_count"].as_u64()),
        (Some(1), Some(2))
    );
    assert_eq!(
        body["errors"][1]["email_addresses"],
        json!(["nobody@mail.example"])
    );
    assert_eq!(
        running.with(|mailchimp| mailchimp.segment_members("vip")),
        ["a@mail.example".to_string()].into()
    );
    let (_, body) = send(
        &client,
        "POST",
        &target,
        &json!({"members_to_remove": ["a@mail.example"]}),
    );
    assert_eq!(body["total_removed"], 1);
    let twice = send(
        &client,
        "POST",
        &format!("{LIST}/segments"),
        &json!({"name": "VIP", "static_segment": []}),
    );
    assert_eq!(twice.0, 400);
}

#[test]
fn an_address_deleted_for_good_never_comes_back() {
    let (_running, client) = serve(list_of(&[("a@mail.example", Status::Subscribed, 1)]));
    let hash = subscriber_hash("a@mail.example");
    assert_eq!(
        client
            .send(
                "POST",
                &format!("{LIST}/members/{hash}/actions/delete-permanent"),
                "",
                b""
            )
            .unwrap()
            .status,
        204
    );
    assert_eq!(get(&client, &format!("{LIST}/members/{hash}")).0, 404);
    let again = json!({"email_address": "a@mail.example", "status": "subscribed"});
    let (status, body) = send(&client, "POST", &format!("{LIST}/members"), &again);
    assert_eq!(
        (status, body["title"].as_str()),
        (400, Some("Forgotten Email Not Subscribed"))
    );
}

#[test]
fn wrong_merge_fields_are_named() {
    let (_running, client) = serve(Mailchimp::default());
    let body = json!({"email_address": "a@mail.example", "status": "subscribed", "merge_fields": {"ORDERS": "many", "UNKNOWN": 1}});
    let (status, body) = send(&client, "POST", &format!("{LIST}/members"), &body);
    assert_eq!(
        (status, body["errors"][0]["field"].as_str()),
        (400, Some("ORDERS"))
    );
}

#[test]
fn email_activity_shows_what_came_after_since() {
    let mut mailchimp = Mailchimp::default();
    let action = |email: &str, at| Activity {
        email: email.into(),
        actions: vec![(at, Action::Open)],
    };
    mailchimp.campaigns.push(Campaign {
        id: "c1".into(),
        title: "News".into(),
        sent_ms: 1_700_000_000_000,
        activity: vec![
            action("a@mail.example", 1_700_000_001_000),
            action("b@mail.example", 1_700_000_009_000),
        ],
        unsubscribed: vec![Unsubscribed {
            email: "a@mail.example".into(),
            at_ms: 1_700_000_002_000,
            reason: "N/A".into(),
        }],
    });
    let (_running, client) = serve(mailchimp);
    let (_, all) = get(&client, "/3.0/reports/c1/email-activity");
    assert_eq!(all["total_items"], 2);
    let (_, late) = get(
        &client,
        "/3.0/reports/c1/email-activity?since=2023-11-14T22:13:25Z",
    );
    assert_eq!(
        (
            late["total_items"].as_u64(),
            late["emails"][0]["activity"][0]["action"].as_str()
        ),
        (Some(1), Some("open"))
    );
    assert_eq!(
        get(&client, "/3.0/reports/c1/unsubscribed").1["unsubscribes"][0]["email_address"],
        "a@mail.example"
    );
}

#[test]
fn a_contact_keeps_its_id_and_its_tags_when_its_address_changes() {
    let (running, client) = serve(list_of(&[
        ("a@mail.example", Status::Unsubscribed, 1),
        ("other@mail.example", Status::Archived, 1),
    ]));
    let at = |who: &str| format!("{LIST}/members/{who}");
    let (_, before) = get(&client, &at("a@mail.example"));
    let contact = before["contact_id"].as_str().unwrap().to_string();
    assert_ne!(before["id"], contact.as_str());
    assert_eq!(get(&client, &at(&contact)).1, before);
    let new = json!({"email_address": "b@mail.example"});
    let (status, after) = send(&client, "PATCH", &at("a@mail.example"), &new);
    assert_eq!((status, &after["contact_id"]), (200, &before["contact_id"]));
    assert_eq!(after["id"], subscriber_hash("b@mail.example").as_str());
    assert_eq!(after["status"], "unsubscribed");
    assert_eq!(get(&client, &at("a@mail.example")).0, 404);
    let again = json!({"email_address": "c@mail.example", "merge_fields": {"FNAME": "Ada"}});
    let (status, after) = send(&client, "PUT", &at(&contact), &again);
    assert_eq!((status, &after["contact_id"]), (200, &before["contact_id"]));
    assert_eq!(after["merge_fields"]["FNAME"], "Ada");
    let taken = json!({"email_address": "other@mail.example"});
    let (status, refused) = send(&client, "PATCH", &at(&contact), &taken);
    assert_eq!(status, 400);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("is already in this list")
    );
    // The same address later is another contact.
    running.with(|mailchimp| {
        mailchimp.delete_for_good("c@mail.example");
        mailchimp.sign_up("a@mail.example", "Ada");
        mailchimp.sign_up("c@mail.example", "Cleo");
    });
    for address in ["a@mail.example", "c@mail.example"] {
        assert_ne!(get(&client, &at(address)).1["contact_id"], contact.as_str());
    }
    assert_eq!(get(&client, &at(&contact)).0, 404);
}

#[test]
fn pages_are_as_long_as_the_test_says() {
    let members = ["a", "b", "c", "d", "e"].map(|name| format!("{name}@mail.example"));
    let members: Vec<(&str, Status, i64)> = members
        .iter()
        .map(|email| (email.as_str(), Status::Subscribed, 1))
        .collect();
    let (running, client) = serve(list_of(&members));
    for (pages, rows) in [
        (Pages::AsAsked, 3),
        (Pages::AtMost(2), 2),
        (Pages::Longer(1), 4),
        (Pages::Longer(9), 5),
    ] {
        running.with(|mailchimp| mailchimp.pages = pages);
        let (_, page) = get(&client, &format!("{LIST}/members?count=3"));
        assert_eq!(page["members"].as_array().unwrap().len(), rows, "{pages:?}");
        assert_eq!(page["total_items"], 5);
    }
}
