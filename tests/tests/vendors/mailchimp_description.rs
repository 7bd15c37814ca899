//! The fake Mailchimp's requests and answers against Mailchimp's own description, when that is there.
//! Two errors of the description are mended first: merge fields are not objects, and `status_if_new` is not always
//! needed. Mailchimp writes a time that it does not know as empty text.

use std::path::Path;

use base64::Engine;
use onefold_tests::client::Client;
use onefold_tests::need::need;
use onefold_tests::vendors::mailchimp::{
    Action, Activity, Campaign, KEY, Mailchimp, Unsubscribed, subscriber_hash,
};
use onefold_tests::vendors::start;
use onefold_tests::vendors::time::parse_rfc3339;
use serde_json::{Value, json};

const LIST: &str = "/lists/a1b2c3d4e5";

fn description() -> Result<Value, &'static str> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs/mailchimp.json");
    let text =
        std::fs::read_to_string(path).map_err(|_| "../shared/specs/mailchimp.json is not there")?;
    let mut description: Value =
        serde_json::from_str(&text).map_err(|_| "mailchimp.json is not JSON")?;
    mend(&mut description);
    Ok(description)
}

fn mend(node: &mut Value) {
    if let Some(object) = node.as_object_mut() {
        if let Some(merge) = object
            .get_mut("merge_fields")
            .filter(|merge| merge["type"] == "object")
        {
            *merge = json!({"type": "object"});
        }
        if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name != "status_if_new");
        }
        // An empty list of required fields is not allowed in every draft.
        if object
            .get("required")
            .is_some_and(|required| required == &json!([]))
        {
            object.remove("required");
        }
        object.values_mut().for_each(mend);
    } else if let Some(rows) = node.as_array_mut() {
        rows.iter_mut().for_each(mend);
    }
}

struct Checked<'a> {
    description: &'a Value,
    client: Client,
}

impl Checked<'_> {
    fn complain(&self, schema: &Value, body: &Value, what: &str) {
        if schema.is_null() {
            return;
        }
        let mut schema = schema.clone();
        schema["components"] = self.description["components"].clone();
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft4)
            .with_format("date-time", |text: &str| {
                text.is_empty() || parse_rfc3339(text).is_some()
            })
            .build(&schema)
            .unwrap();
        let errors: Vec<String> = validator
            .iter_errors(body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:#?}");
    }

    /// Sends, and checks body and answer against what the description says of `template`.
    fn call(
        &self,
        method: &str,
        template: &str,
        target: &str,
        body: Option<&Value>,
        status: u16,
    ) -> Value {
        let operation = &self.description["paths"][template][method.to_lowercase()];
        assert!(
            operation.is_object(),
            "{method} {template} is not in the description"
        );
        if let Some(body) = body {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            self.complain(schema, body, &format!("request of {method} {template}"));
        }
        let text = body.map(Value::to_string).unwrap_or_default();
        let answer = self
            .client
            .send(
                method,
                &format!("/3.0{target}"),
                "application/json",
                text.as_bytes(),
            )
            .unwrap();
        assert_eq!(
            answer.status,
            status,
            "{method} {target}: {}",
            answer.json()
        );
        let code = if status < 400 {
            status.to_string()
        } else {
            "default".to_string()
        };
        let kind = if status < 400 {
            "application/json"
        } else {
            "application/problem+json"
        };
        let schema = &operation["responses"][&code]["content"][kind]["schema"];
        self.complain(
            schema,
            &answer.json(),
            &format!("answer to {method} {template}"),
        );
        answer.json()
    }
}

fn served() -> Mailchimp {
    let mut mailchimp = Mailchimp::default();
    let sent_ms = 1_700_000_000_000;
    let actions = vec![
        (sent_ms + 1_000, Action::Open),
        (
            sent_ms + 2_000,
            Action::Click {
                url: "https://shop.example/".into(),
            },
        ),
        (sent_ms + 3_000, Action::Bounce { hard: true }),
    ];
    mailchimp.campaigns.push(Campaign {
        id: "c1".into(),
        title: "News".into(),
        sent_ms,
        activity: vec![Activity {
            email: "ada@mail.example".into(),
            actions,
        }],
        unsubscribed: vec![Unsubscribed {
            email: "x@mail.example".into(),
            at_ms: sent_ms,
            reason: "N/A".into(),
        }],
    });
    mailchimp
}

#[test]
fn requests_and_answers_are_as_mailchimp_describes_them() {
    let description = description();
    if !need(
        "the fake Mailchimp against its description",
        description.as_ref().err().copied(),
    ) {
        return;
    }
    let description = description.unwrap();
    let running = start(served(), ([127, 0, 0, 1], 0).into()).unwrap();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("onefold:{KEY}"));
    let client = Client::new(running.address).header("authorization", &format!("Basic {basic}"));
    let checked = Checked {
        description: &description,
        client,
    };
    members(&checked);
    segments(&checked);
    reports_and_erasure(&checked);
}

fn members(checked: &Checked<'_>) {
    let list = LIST;
    let hash = subscriber_hash("ada@mail.example");
    let member = format!("{list}/members/{hash}");
    checked.call("GET", "/ping", "/ping", None, 200);
    checked.call("GET", "/lists", "/lists", None, 200);
    checked.call("GET", "/lists/{listId}", list, None, 200);
    checked.call(
        "GET",
        "/lists/{listId}/merge-fields",
        &format!("{list}/merge-fields"),
        None,
        200,
    );
    let rows = json!({"update_existing": true, "members": [
        {"email_address": "ada@mail.example", "status": "subscribed", "merge_fields": {"FNAME": "Ada", "ORDERS": 3}},
        {"email_address": "left@mail.example", "status": "unsubscribed"},
        {"email_address": "fake@example.com", "status": "subscribed"},
    ]});
    checked.call("POST", "/lists/{listId}", list, Some(&rows), 200);
    checked.call(
        "GET",
        "/lists/{listId}/members",
        &format!("{list}/members?count=1000"),
        None,
        200,
    );
    let put = json!({"email_address": "ada@mail.example", "merge_fields": {"LNAME": "L"}, "status_if_new": "subscribed"});
    checked.call(
        "PUT",
        "/lists/{listId}/members/{subscriberHash}",
        &member,
        Some(&put),
        200,
    );
    checked.call(
        "PATCH",
        "/lists/{listId}/members/{subscriberHash}",
        &member,
        Some(&json!({"vip": true})),
        200,
    );
    checked.call(
        "GET",
        "/lists/{listId}/members/{subscriberHash}",
        &member,
        None,
        200,
    );
    checked.call(
        "GET",
        "/lists/{listId}/members/{subscriberHash}",
        &format!("{list}/members/nobody"),
        None,
        404,
    );
}

fn segments(checked: &Checked<'_>) {
    let list = LIST;
    let hash = subscriber_hash("ada@mail.example");
    let member = format!("{list}/members/{hash}");
    let segments = format!("{list}/segments");
    let new = json!({"name": "vip", "static_segment": []});
    let made = checked.call(
        "POST",
        "/lists/{listId}/segments",
        &segments,
        Some(&new),
        200,
    );
    let segment = format!("{segments}/{}", made["id"]);
    let change = json!({"members_to_add": ["ada@mail.example", "left@mail.example"], "members_to_remove": []});
    checked.call(
        "POST",
        "/lists/{listId}/segments/{segmentId}",
        &segment,
        Some(&change),
        200,
    );
    checked.call("GET", "/lists/{listId}/segments", &segments, None, 200);
    checked.call(
        "GET",
        "/lists/{listId}/segments/{segmentId}/members",
        &format!("{segment}/members"),
        None,
        200,
    );
    checked.call(
        "GET",
        "/lists/{listId}/members/{subscriberHash}/tags",
        &format!("{member}/tags"),
        None,
        200,
    );
    checked.call(
        "GET",
        "/lists/{listId}/tag-search",
        &format!("{list}/tag-search?name=v"),
        None,
        200,
    );
}

fn reports_and_erasure(checked: &Checked<'_>) {
    let list = LIST;
    let hash = subscriber_hash("ada@mail.example");
    let member = format!("{list}/members/{hash}");
    checked.call("GET", "/reports", "/reports", None, 200);
    checked.call(
        "GET",
        "/reports/{campaignId}/email-activity",
        "/reports/c1/email-activity",
        None,
        200,
    );
    checked.call(
        "GET",
        "/reports/{campaignId}/unsubscribed",
        "/reports/c1/unsubscribed",
        None,
        200,
    );
    checked.call(
        "GET",
        "/lists/{listId}/members",
        &format!("{list}/members?count=1001"),
        None,
        400,
    );
    let erase = "/lists/{listId}/members/{subscriberHash}/actions/delete-permanent";
    checked.call(
        "POST",
        erase,
        &format!("{member}/actions/delete-permanent"),
        None,
        204,
    );
}
