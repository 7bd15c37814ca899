//! A record that is deleted at the vendor and created again with the same key is there in the end, with its new content.

use crate::hub::{Hub, beside_program};
use crate::small::JANUARY_MS;
use onefold::kit::practice::{Practice, Settings, TOKEN};
use onefold_tests::client::Client;
use onefold_tests::vendors::mailchimp::{KEY, LIST_ID, Mailchimp, Member, Status, subscriber_hash};
use onefold_tests::vendors::{Running, start};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const EMAIL: &str = "oliver@mail.example";

/// A hub that reads the members of a Mailchimp list.
struct Newsletter {
    hub: Hub,
    mailchimp: Running<Mailchimp>,
}

impl Newsletter {
    /// With two members, which have been read.
    fn new() -> Self {
        let mut mailchimp = Mailchimp::default();
        for (email, first) in [("ada@poczta.example", "Ada"), (EMAIL, "Oliver")] {
            mailchimp.seed_member(Member {
                email: email.to_owned(),
                status: Status::Subscribed,
                merge_fields: BTreeMap::from([("FNAME".to_owned(), json!(first))]),
                language: String::new(),
                vip: false,
                signed_up_ms: JANUARY_MS,
                last_changed_ms: JANUARY_MS,
                unsubscribe_reason: None,
            });
        }
        let mailchimp = start(mailchimp, ([127, 0, 0, 1], 0).into()).unwrap();
        let hub = Hub::new();
        let address = mailchimp.address;
        hub.write(
            "hub.toml",
            &format!(
                "[hub]\nname = \"newsletter\"\nstore = \"sqlite:newsletter.db\"\n[[source]]\nname = \"newsletter\"\n\
                 connector = \"mailchimp\"\ncredential.key = \"env:MAILCHIMP_KEY\"\nconfig.base_url = \"http://{address}\"\n\
                 config.list_id = \"{LIST_ID}\"\ngrant.addresses = [\"{address}\"]\nstreams = [\"members\"]\n"
            ),
        );
        let newsletter = Self { hub, mailchimp };
        newsletter.hub.run(&["run"]).ends_with(0);
        assert_eq!(newsletter.first_name(), Some(json!("Oliver")));
        newsletter
    }

    /// As somebody does who works with the list.
    fn ask(&self, method: &str, path: &str, body: &Value) {
        let client =
            Client::new(self.mailchimp.address).header("authorization", &format!("Bearer {KEY}"));
        let target = format!(
            "/3.0/lists/{LIST_ID}/members/{}{path}",
            subscriber_hash(EMAIL)
        );
        let answer = client.json(method, &target, body).unwrap();
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }

    fn archive(&self) {
        self.ask("DELETE", "", &json!({}));
    }

    fn subscribe(&self, first_name: &str) {
        let body = json!({
            "email_address": EMAIL, "status": "subscribed", "status_if_new": "subscribed", "merge_fields": {"FNAME": first_name}
        });
        self.ask("PUT", "", &body);
    }

    /// None when the person is not known.
    fn first_name(&self) -> Option<Value> {
        let shown = self
            .hub
            .run(&["--json", "profile", "show", &format!("email:{EMAIL}")]);
        (shown.code == Some(0)).then(|| shown.json()["traits"]["first_name"].clone())
    }
}

#[test]
fn a_member_that_is_archived_and_subscribed_again_after_the_hub_saw_it_gone_comes_back() {
    let newsletter = Newsletter::new();
    newsletter.archive();
    newsletter.hub.run(&["run"]).ends_with(0);
    assert_eq!(newsletter.first_name(), None);
    newsletter.subscribe("Olivia");
    newsletter.hub.run(&["run"]).ends_with(0);
    assert_eq!(newsletter.first_name(), Some(json!("Olivia")));
}

#[test]
fn a_member_that_is_archived_and_subscribed_again_between_two_runs_is_there() {
    let newsletter = Newsletter::new();
    newsletter.archive();
    newsletter.subscribe("Olivia");
    newsletter.hub.run(&["run"]).ends_with(0);
    assert_eq!(newsletter.first_name(), Some(json!("Olivia")));
}

#[test]
fn a_member_that_is_deleted_for_good_and_signs_up_again_is_there() {
    let newsletter = Newsletter::new();
    newsletter.ask("POST", "/actions/delete-permanent", &json!({}));
    newsletter
        .mailchimp
        .with(|mailchimp| mailchimp.sign_up(EMAIL, "Olivia"));
    newsletter.hub.run(&["run"]).ends_with(0);
    assert_eq!(newsletter.first_name(), Some(json!("Olivia")));
}

/// The help desk lists the tombstone and the new contact in one page.
#[test]
fn a_contact_whose_deletion_and_new_record_come_in_one_page_is_there() {
    let mut hub = Hub::new();
    hub.set_secret("DESK_TOKEN", TOKEN);
    let settings = Settings {
        seed: 1,
        contacts: 60,
        ..Settings::default()
    };
    let practice = Practice::start(hub.runtime.handle(), settings, 0).unwrap();
    let folder = hub.path().join("connectors");
    std::fs::create_dir_all(&folder).unwrap();
    let guest = beside_program("guests").join("careless.wasm");
    std::fs::copy(guest, folder.join("careless.wasm")).unwrap();
    let address = practice.address;
    hub.write(
        "hub.toml",
        &format!(
            "[hub]\nname = \"desk\"\nstore = \"sqlite:desk.db\"\n[[source]]\nname = \"desk\"\nconnector = \"careless\"\n\
             config.base_url = \"http://{address}\"\ncredential.token = \"env:DESK_TOKEN\"\n\
             grant.addresses = [\"{address}\"]\nstreams = [\"contacts\"]\n"
        ),
    );
    let known = |email: &str| {
        let shown = hub.run(&["--json", "profile", "show", &format!("email:{email}")]);
        (shown.code == Some(0)).then(|| shown.json()["traits"]["name"].clone())
    };
    hub.run(&["run"]).ends_with(0);
    assert!(known("person.0@example.com").is_some());
    let again = practice
        .shelf()
        .create_again("person.0@example.com", "Second");
    assert!(again.is_some());
    hub.run(&["run"]).ends_with(0);
    assert_eq!(known("person.0@example.com"), Some(json!("Second")));
}
