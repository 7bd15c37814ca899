//! Each vendor's own Python client against its fake.

use std::path::Path;
use std::process::Command;

use onefold_tests::client::Client;
use onefold_tests::need::need;
use onefold_tests::vendors::hubspot::{self, Owner, seed_bulk};
use onefold_tests::vendors::mailchimp::{self, Mailchimp};
use onefold_tests::vendors::start;
use onefold_tests::vendors::stripe::{self, Stripe};

use super::python::interpreter;

fn run(script: &str, arguments: &[&str]) {
    let interpreter = interpreter();
    if !need(script, interpreter.err()) {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(script);
    let output = Command::new(interpreter.unwrap())
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ok");
}

#[test]
fn hubspots_own_client_understands_the_fake() {
    let mut account = seed_bulk(3);
    let won = [("dealname", "Looms"), ("dealstage", "closedwon")];
    account.of("deals").seed(5, 0, 0, &won);
    account.associate(("deals", 5), ("contacts", 1), 0);
    let called = [("hs_call_status", "COMPLETED")];
    account.of("calls").seed(6, 0, 0, &called);
    account.owners.push(Owner {
        id: 7,
        email: "ola@acme.example",
        first_name: "Ola",
        last_name: "Nowak",
        created_ms: 0,
        updated_ms: 0,
        archived: false,
    });
    let running = start(account, ([127, 0, 0, 1], 0).into()).unwrap();
    run("hubspot_sdk.py", &[&running.base_url(), hubspot::TOKEN]);
}

#[test]
fn stripes_own_client_understands_the_fake_and_its_webhooks() {
    let running = start(Stripe::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    let signed = {
        let other = start(Stripe::default(), ([127, 0, 0, 1], 0).into()).unwrap();
        let client =
            Client::new(other.address).header("authorization", &format!("Bearer {}", stripe::KEY));
        client.form("/v1/customers", "name=Ada").unwrap();
        other.with(|stripe| {
            let event = stripe.events.all()[0]["id"].as_str().unwrap().to_string();
            stripe.webhook(&event).unwrap()
        })
    };
    let arguments = [
        &running.base_url(),
        stripe::KEY,
        stripe::WEBHOOK_SECRET,
        &signed.0,
        &signed.1,
    ];
    run("stripe_sdk.py", &arguments);
}

#[test]
fn mailchimps_own_client_understands_the_fake() {
    let running = start(Mailchimp::default(), ([127, 0, 0, 1], 0).into()).unwrap();
    run(
        "mailchimp_sdk.py",
        &[&running.base_url(), mailchimp::KEY, mailchimp::LIST_ID],
    );
}
