//! A charge's life at localstripe, a server that nobody here wrote, and what the buyer's profile says at each step.

use std::net::SocketAddr;
use std::time::Duration;

use onefold_tests::client::Client;
use onefold_tests::need::need;
use onefold_tests::vendors::stripe::KEY;
use serde_json::{Value, json};

use super::localstripe::localstripe;
use crate::hub::Hub;

const MANIFEST: &str = r#"
[hub]
name = "shown"
store = "sqlite:shown.db"

[[source]]
name = "payments"
connector = "stripe"
credential.key = "env:STRIPE_KEY"
config.base_url = "http://STRIPE"
config.events = "scan"
grant.addresses = ["STRIPE"]
streams = ["customers", "charges", "refunds", "subscriptions"]
"#;

/// An event with its total; each is an audience, by which a test sees that there is one.
const EVENTS: [(&str, &str, u32); 5] = [
    ("held_9000", "Payment Authorized", 9000),
    ("ordered_2500", "Order Completed", 2500),
    ("ordered_9000", "Order Completed", 9000),
    ("released_6500", "Payment Released", 6500),
    ("refunded_400", "Order Refunded", 400),
];

struct Shop {
    hub: Hub,
    address: SocketAddr,
}

impl Shop {
    fn new(address: SocketAddr) -> Shop {
        let hub = Hub::new();
        let audiences = EVENTS.map(|(name, event, total)| {
            format!("[[audience]]\nname = \"{name}\"\nwho = {{ event = \"{event}\", where = {{ total = {total} }} }}\n")
        });
        let manifest = MANIFEST.replace("STRIPE\"", &format!("{address}\""));
        hub.write("hub.toml", &format!("{manifest}{}", audiences.concat()));
        Shop { hub, address }
    }

    fn post(&self, path: &str, body: &str) -> String {
        let client = Client::new(self.address);
        let client = client.header("authorization", &format!("Bearer {KEY}"));
        let answer = client.form(path, body).unwrap();
        assert_eq!(answer.status, 200, "{path} {:?}", answer.json());
        answer.json()["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Runs, and returns what the profile says: name and country, how many events, and which.
    fn shown(&self, customer: &str) -> Value {
        let ran = self.hub.run(&["run"]).ends_with(0);
        assert!(!ran.stderr.contains("error"), "{ran:#?}");
        let of = format!("external:payments:{customer}");
        let profile = self.hub.json(&["profile", "show", &of]);
        let audiences = profile["audiences"].as_array().unwrap();
        let names: Vec<&Value> = audiences.iter().map(|one| &one["name"]).collect();
        json!([
            profile["traits"]["name"],
            profile["traits"]["country"],
            profile["events"],
            names
        ])
    }
}

/// Whether a refund is of money or of what was never taken is told by its second, at a server that does not say how much was captured.
fn next_second() {
    #[allow(
        clippy::disallowed_methods,
        reason = "another process's clock counts whole seconds"
    )]
    std::thread::sleep(Duration::from_millis(2_100));
}

#[test]
fn what_the_profile_says_while_a_charge_is_held_taken_in_part_and_refunded_in_part() {
    let other = localstripe();
    if !need(
        "a charge's life at localstripe",
        other.as_ref().err().copied(),
    ) {
        return;
    }
    let (_server, address) = other.unwrap();
    let shop = Shop::new(address);
    let card = "card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2030&card[cvc]=123";
    let token = shop.post("/v1/tokens", card);
    let body = format!("name=Ada&email=ada%40mail.example&address[country]=PL&source={token}");
    let ada = shop.post("/v1/customers", &body);
    assert_eq!(shop.shown(&ada), json!(["Ada", "PL", 0, []]));

    let body = format!("amount=9000&currency=usd&customer={ada}&capture=false");
    let charge = shop.post("/v1/charges", &body);
    let held = json!(["Ada", "PL", 1, ["held_9000"]]);
    assert_eq!(shop.shown(&ada), held);
    assert_eq!(shop.shown(&ada), held);

    // The authorisation has become an order of what was taken, and the rest was given back.
    next_second();
    shop.post(&format!("/v1/charges/{charge}/capture"), "amount=2500");
    let taken = json!(["Ada", "PL", 2, ["ordered_2500", "released_6500"]]);
    assert_eq!(shop.shown(&ada), taken);

    next_second();
    shop.post("/v1/refunds", &format!("charge={charge}&amount=400"));
    let all = ["ordered_2500", "refunded_400", "released_6500"];
    assert_eq!(shop.shown(&ada), json!(["Ada", "PL", 3, all]));

    shop.post(
        &format!("/v1/customers/{ada}"),
        "name=Ada+L&address[country]=DE",
    );
    assert_eq!(shop.shown(&ada), json!(["Ada L", "DE", 3, all]));
    // Read again from the beginning it is the same.
    shop.hub.run(&["run", "--full"]).ends_with(0);
    assert_eq!(shop.shown(&ada), json!(["Ada L", "DE", 3, all]));
}
