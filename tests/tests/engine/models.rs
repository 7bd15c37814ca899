//! Models of what customers will do, from purchases at a payment system to traits, an audience and back to the version before.

use super::transcripts;
use crate::hub::Hub;
use crate::small::JANUARY_MS;
use onefold_tests::population::Draw;
use onefold_tests::vendors::stripe::{Paid, Stripe};
use onefold_tests::vendors::{Running, start};
use serde_json::{Value, json};

const DAY_S: i64 = 86_400;
const DAY_MS: i64 = 86_400_000;
/// The moment of the first fit: a year and a half after the first purchase.
const NOW_MS: i64 = JANUARY_MS + 180 * DAY_MS;
const MANIFEST: &str = r#"
[hub]
name = "shop"
store = "sqlite:shop.db"

[[source]]
name = "payments"
connector = "stripe"
credential.key = "env:STRIPE_KEY"
config.base_url = "http://ADDRESS"
grant.addresses = ["ADDRESS"]
streams = ["customers", "charges"]

[[model]]
name = "orders"
event = "Order Completed"
value = "total"
refit = "30d"

[[audience]]
name = "leaving"
description = "Customers who are probably gone"
who = { trait = "churn_risk", is = "high" }
"#;

struct Shop {
    hub: Hub,
    stripe: Running<Stripe>,
}

impl Shop {
    fn new(customers: usize) -> Shop {
        let anywhere = ([127, 0, 0, 1], 0).into();
        let shop = Shop {
            hub: Hub::new(),
            stripe: start(stripe(customers), anywhere).unwrap(),
        };
        let address = shop.stripe.address.to_string();
        shop.hub
            .write("hub.toml", &MANIFEST.replace("ADDRESS", &address));
        shop.hub.stand_at(NOW_MS);
        shop
    }

    /// Another purchase of the first customer.
    fn buy(&self, id: &str, at_ms: i64) {
        self.stripe.with(|stripe| {
            stripe.seed_charge(id, "cus_0", 5_000, "pln", at_ms / 1_000, Paid::Succeeded);
        });
    }

    /// What a run says of its models.
    fn run(&self) -> Value {
        self.hub.json(&["run"])["models"].clone()
    }

    /// Everybody's traits, and who is in the audience.
    fn digest(&self) -> String {
        format!("{:?}", self.hub.state("shop.db", &["leaving"]))
    }

    fn probability(&self) -> Option<f64> {
        let shown = self
            .hub
            .json(&["profile", "show", "external:payments:cus_0"]);
        shown["traits"]["probability_alive"].as_f64()
    }
}

/// Half of the customers go on buying at a pace of their own, the others stop at some time.
fn stripe(customers: usize) -> Stripe {
    let mut stripe = Stripe::default();
    let mut draw = Draw::new(20_250_101);
    let first_s = JANUARY_MS / 1_000 - 365 * DAY_S;
    let end_s = NOW_MS / 1_000;
    for number in 0..customers {
        let id = format!("cus_{number}");
        let mut at_s = first_s + draw.between(0, 180 * DAY_S);
        let fields = json!({ "email": format!("c{number}@shop.example"), "name": format!("Customer {number}") });
        stripe.seed_customer(&id, at_s, &fields);
        let pace_s = draw.between(10, 90) * DAY_S;
        let leaves_s = match draw.chance(50) {
            true => end_s,
            false => at_s + draw.between(0, 300) * DAY_S,
        };
        let usual = draw.between(1_000, 20_000);
        for purchase in 0.. {
            let charge = format!("ch_{number}_{purchase}");
            let amount = usual + draw.between(-500, 500);
            stripe.seed_charge(&charge, &id, amount, "pln", at_s, Paid::Succeeded);
            at_s += draw.between(pace_s / 4, 2 * pace_s);
            if at_s >= leaves_s.min(end_s) {
                break;
            }
        }
    }
    stripe
}

mod snapshots {
    use super::*;

    #[test]
    fn what_customers_will_do_is_fitted_used_and_taken_back() {
        let shop = Shop::new(220);
        let looks = [
            &["model", "list"][..],
            &["profile", "show", "email:c1@shop.example", "--why"],
            &["audience", "list"],
            &["audience", "explain", "leaving", "email:c1@shop.example"],
        ];
        let mut text = transcripts(&shop.hub, &[&[&["run"][..]], &looks[..]].concat());
        let first = shop.digest();
        assert!(shop.probability().is_some());

        // Neither data nor days: the version stands.
        assert_eq!(shop.run(), json!([]));
        assert_eq!(shop.digest(), first);

        // A month later there is another purchase, and the model is fitted again.
        shop.hub.stand_at(NOW_MS + 30 * DAY_MS);
        shop.buy("ch_late", NOW_MS + 29 * DAY_MS);
        text += "\n";
        text += &transcripts(&shop.hub, &[&["run"], looks[0]]);
        let second = shop.digest();
        assert_ne!(second, first);

        // Dropped, the version before says what it said.
        text += "\n";
        text += &transcripts(&shop.hub, &[&["model", "drop", "2"], looks[0]]);
        assert_eq!(shop.digest(), first);
        // The next run does not make at once what was just thrown away.
        shop.hub.stand_at(NOW_MS + 59 * DAY_MS);
        assert_eq!(shop.run(), json!([]));
        assert_eq!(shop.digest(), first);
        // An operator who wants one gets one.
        text += "\n";
        text += &transcripts(
            &shop.hub,
            &[
                &["model", "fit", "orders"],
                &["model", "fit", "oders"],
                &["model", "drop", "3"],
                &["model", "drop", "1"],
                &["model", "drop", "1"],
                looks[0],
                looks[2],
            ],
        );
        assert_eq!(shop.probability(), None, "no version is left");
        // What the connector logs has the time of this machine.
        let lines = text.lines().filter(|line| !line.contains(" WARN"));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        insta::assert_snapshot!("models", text);
    }

    #[test]
    fn a_model_that_is_refused_is_tried_again_when_there_is_a_reason_to() {
        let shop = Shop::new(40);
        let tried = |models: Value| {
            let models = models.as_array().unwrap().clone();
            assert!(models.iter().all(|model| model["refused"].is_string()));
            models.len()
        };
        let text = transcripts(
            &shop.hub,
            &[&["run"], &["run"], &["model", "list"], &["model", "fit"]],
        );
        insta::assert_snapshot!("models-refused", text);
        let list = shop.hub.json(&["model", "list"]);
        assert_eq!(list["versions"], json!([]));
        assert_eq!(list["refused"][0]["name"], "orders");

        assert_eq!(tried(shop.run()), 0, "nothing is new");
        shop.buy("ch_new", NOW_MS - DAY_MS);
        assert_eq!(tried(shop.run()), 1, "there is a purchase");
        assert_eq!(tried(shop.run()), 0);
        shop.hub.stand_at(NOW_MS + 30 * DAY_MS);
        assert_eq!(tried(shop.run()), 1, "the period has passed");
        assert_eq!(tried(shop.run()), 0);
        let manifest = std::fs::read_to_string(shop.hub.path().join("hub.toml")).unwrap();
        shop.hub
            .write("hub.toml", &manifest.replace("\"30d\"", "\"20d\""));
        assert_eq!(tried(shop.run()), 0, "another period is not another model");
        let other = "event = \"Order Completed\"\nwhere = { currency = \"PLN\" }\nvalue";
        let manifest = manifest.replace("event = \"Order Completed\"\nvalue", other);
        shop.hub.write("hub.toml", &manifest);
        assert_eq!(tried(shop.run()), 1, "the definition is another");
        assert_eq!(shop.probability(), None);
    }
}
