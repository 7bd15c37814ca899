//! A stand-in for Stripe's API: customers, charges, refunds, prices, subscriptions, events and signed webhooks.
//! This file owns the account, authentication, idempotency, routing and the words of an error.

mod events;
mod expand;
mod form;
mod money;
mod objects;
mod prices;
mod shelf;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::{Value, json};

pub use events::signature;
pub use shelf::Shelf;

use super::http::{Reply, Request};
use super::server::Vendor;
use super::time::Clock;

pub const KEY: &str = "sk_test_onefold00000000000000000";
pub const WEBHOOK_SECRET: &str = "whsec_onefold0000000000000000000";

pub struct Stripe {
    pub key: String,
    pub webhook_secret: String,
    pub clock: Clock,
    pub customers: Shelf,
    pub charges: Shelf,
    pub refunds: Shelf,
    pub subscriptions: Shelf,
    pub prices: Shelf,
    pub coupons: Shelf,
    pub events: Shelf,
    transactions: Shelf,
    /// All items of each subscription.
    items: HashMap<String, Vec<Value>>,
    /// What prices and coupons show only when it is expanded, by their id.
    hidden: HashMap<String, Value>,
    tokens: HashMap<String, Value>,
    /// Card number behind each card id, which Stripe never shows.
    cards: HashMap<String, String>,
    /// The holder's name of each card.
    names: HashMap<String, String>,
    /// What a POST with this key asked, and its answer.
    answered: HashMap<String, (String, Reply)>,
    serial: u64,
}

impl Default for Stripe {
    fn default() -> Stripe {
        Stripe {
            key: KEY.to_string(),
            webhook_secret: WEBHOOK_SECRET.to_string(),
            clock: Clock::System,
            customers: Shelf::default(),
            charges: Shelf::default(),
            refunds: Shelf::default(),
            subscriptions: Shelf::default(),
            prices: Shelf::default(),
            coupons: Shelf::default(),
            events: Shelf::default(),
            transactions: Shelf::default(),
            items: HashMap::new(),
            hidden: HashMap::new(),
            tokens: HashMap::new(),
            cards: HashMap::new(),
            names: HashMap::new(),
            answered: HashMap::new(),
            serial: 0,
        }
    }
}

/// A refusal in Stripe's words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub error: Value,
}

impl Refusal {
    pub fn invalid(param: &str, code: &str, message: impl Into<String>) -> Refusal {
        let mut error = json!({"type": "invalid_request_error", "message": message.into()});
        if !param.is_empty() {
            error["param"] = json!(param);
        }
        if !code.is_empty() {
            error["code"] = json!(code);
            error["doc_url"] = json!(format!(
                "https://stripe.com/docs/error-codes/{}",
                code.replace('_', "-")
            ));
        }
        Refusal { status: 400, error }
    }

    pub fn missing(what: &str, id: &str, param: &str) -> Refusal {
        let refusal =
            Refusal::invalid(param, "resource_missing", format!("No such {what}: '{id}'"));
        Refusal {
            status: 404,
            ..refusal
        }
    }

    fn reply(&self) -> Reply {
        Reply::json(self.status, &json!({"error": self.error}))
    }
}

pub(crate) type Answer = Result<Value, Refusal>;

impl Vendor for Stripe {
    fn answer(&mut self, request: &Request) -> Reply {
        self.serial += 1;
        let request_id = format!("req_{:014}", self.serial);
        let reply = match self.authenticate(request) {
            Err(refusal) => refusal.reply(),
            Ok(()) => self.answer_once(request),
        };
        reply
            .with("request-id", request_id)
            .with("stripe-version", "2026-01-28.clover")
    }

    fn too_many_requests(&self) -> Reply {
        let mut refusal = Refusal::invalid(
            "",
            "rate_limit",
            "Request rate limit exceeded. Learn more about rate limits.",
        );
        refusal.status = 429;
        refusal
            .reply()
            .with("stripe-rate-limited-reason", "global-rate")
    }

    fn server_error(&self) -> Reply {
        let error = json!({"type": "api_error", "message": "An unknown error occurred"});
        Refusal { status: 500, error }.reply()
    }
}

impl Stripe {
    /// A fresh id in Stripe's form, in order of making.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}_1Onefold{:012}", self.serial)
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.clock.now_ms() / 1_000
    }

    fn authenticate(&self, request: &Request) -> Result<(), Refusal> {
        let basic = request.basic().map(|(user, _)| user);
        let given = request.bearer().map(str::to_string).or(basic);
        let message = match given {
            Some(key) if key == self.key => return Ok(()),
            Some(key) => {
                let shown: String = key.chars().take(8).collect();
                format!("Invalid API Key provided: {shown}****")
            }
            None => "You did not provide an API key. You need to provide your API key in the Authorization header, \
                     using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
                .to_string(),
        };
        let refusal = Refusal::invalid("", "", message);
        Err(Refusal {
            status: 401,
            ..refusal
        })
    }

    /// A POST with an idempotency key that was seen before gets the first answer again.
    fn answer_once(&mut self, request: &Request) -> Reply {
        let key = request
            .header("idempotency-key")
            .filter(|_| request.method == "POST")
            .map(str::to_string);
        let asked = format!(
            "{} {}",
            request.path,
            String::from_utf8_lossy(&request.body)
        );
        if let Some((before, reply)) = key.as_ref().and_then(|key| self.answered.get(key)) {
            if *before == asked {
                return reply.clone().with("idempotent-replayed", "true");
            }
            let error = json!({
                "type": "idempotency_error",
                "message": "Keys for idempotent requests can only be used with the same parameters they were first \
                            used with.",
            });
            return Refusal { status: 400, error }.reply();
        }
        let reply = self
            .route(request)
            .unwrap_or_else(|refusal| refusal.reply());
        if let Some(key) = key.filter(|_| reply.status < 500) {
            self.answered.insert(key, (asked, reply.clone()));
        }
        reply
    }

    fn route(&mut self, request: &Request) -> Result<Reply, Refusal> {
        let segments = request.segments();
        let ["v1", rest @ ..] = segments.as_slice() else {
            return Err(unknown_url(request));
        };
        if request.method == "GET" {
            return self.read(request, rest);
        }
        let form = form::parse(request)?;
        let value = match (request.method.as_str(), rest) {
            ("POST", ["tokens"]) => self.create_token(&form)?,
            ("POST", ["customers"]) => self.create_customer(&form)?,
            ("POST", ["customers", id]) => self.update_customer(id, &form)?,
            ("DELETE", ["customers", id]) => self.delete_customer(id)?,
            ("POST", ["charges"]) => self.create_charge(&form)?,
            ("POST", ["charges", id, "capture"]) => self.capture_charge(id, &form)?,
            ("POST", ["refunds"]) => self.create_refund(&form)?,
            ("POST", ["coupons"]) => self.create_coupon(&form)?,
            ("POST", ["prices"]) => self.create_price(&form)?,
            ("POST", ["subscriptions"]) => self.create_subscription(&form)?,
            ("POST", ["subscriptions", id]) => self.update_subscription(id, &form)?,
            ("DELETE", ["subscriptions", id]) => self.cancel_subscription(id)?,
            _ => return Err(unknown_url(request)),
        };
        Ok(Reply::json(200, &value))
    }

    fn read(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Refusal> {
        let (shelf, what, filters): (&Shelf, &str, &[&str]) = match rest.first() {
            Some(&"customers") => (&self.customers, "customer", &["email"]),
            Some(&"charges") => (&self.charges, "charge", &["customer"]),
            Some(&"refunds") => (&self.refunds, "refund", &["charge"]),
            Some(&"subscriptions") => {
                (&self.subscriptions, "subscription", &["customer", "status"])
            }
            Some(&"prices") => (&self.prices, "price", &[]),
            Some(&"coupons") => (&self.coupons, "coupon", &[]),
            Some(&"subscription_items") => {
                let items = self.list_items(request.query("subscription"))?;
                return Ok(Reply::json(200, &items));
            }
            Some(&"events") => (&self.events, "event", &["type", "types"]),
            Some(&"account") => return Ok(Reply::json(200, &account())),
            Some(&"balance") => return Ok(Reply::json(200, &balance())),
            _ => return Err(unknown_url(request)),
        };
        let reply = match rest {
            [_] => {
                // Stripe forgets events after thirty days.
                let oldest = if what == "event" {
                    self.now_s() - 30 * 86_400
                } else {
                    i64::MIN
                };
                shelf.list(request, what, filters, oldest)?
            }
            [_, id] => {
                let found = shelf
                    .text(id)
                    .ok_or_else(|| Refusal::missing(what, id, "id"))?;
                Reply::text(200, found.to_string())
            }
            _ => return Err(unknown_url(request)),
        };
        let is_expand = |name: &str| name.split('[').next() == Some("expand");
        if !request.query.iter().any(|(name, _)| is_expand(name)) {
            return Ok(reply);
        }
        let mut answer = serde_json::from_slice(&reply.body).unwrap_or_default();
        self.expand(request, &mut answer)?;
        Ok(Reply::json(200, &answer))
    }
}

fn unknown_url(request: &Request) -> Refusal {
    let message = format!(
        "Unrecognized request URL ({}: {}).",
        request.method, request.path
    );
    let refusal = Refusal::invalid("", "", message);
    Refusal {
        status: 404,
        ..refusal
    }
}

fn account() -> Value {
    json!({"id": "acct_1OnefoldDemo", "object": "account", "business_type": "company", "country": "PL",
           "default_currency": "pln", "email": "owner@onefold.example", "charges_enabled": true,
           "details_submitted": true, "payouts_enabled": true, "type": "standard"})
}

fn balance() -> Value {
    json!({"object": "balance", "available": [{"amount": 0, "currency": "pln", "source_types": {"card": 0}}],
           "pending": [{"amount": 0, "currency": "pln", "source_types": {"card": 0}}], "livemode": false})
}

impl Stripe {
    /// A past customer, put in without checks; one younger than thirty days also leaves its event.
    pub fn seed_customer(&mut self, id: &str, created_s: i64, fields: &Value) {
        let mut customer = json!({
            "id": id, "object": "customer", "address": null, "balance": 0, "created": created_s, "currency": null,
            "default_source": null, "delinquent": false, "description": null, "discount": null, "email": null,
            "livemode": false, "metadata": {}, "name": null, "phone": null, "preferred_locales": [],
            "shipping": null, "tax_exempt": "none", "test_clock": null,
        });
        for (name, value) in fields.as_object().into_iter().flatten() {
            customer[name] = value.clone();
        }
        self.put_customer(&customer);
        self.seed_event("customer.created", &customer, created_s);
    }

    /// A past charge of a customer that succeeded, or failed.
    pub fn seed_charge(
        &mut self,
        id: &str,
        customer: &str,
        amount: i64,
        currency: &str,
        created_s: i64,
        paid: Paid,
    ) {
        let mut charge = objects::charge_body(id, amount, currency, created_s);
        charge["customer"] = json!(customer);
        if paid == Paid::Declined {
            objects::fail(&mut charge);
        }
        self.put_charge(&charge);
        let kind = if paid == Paid::Declined {
            "charge.failed"
        } else {
            "charge.succeeded"
        };
        self.seed_event(kind, &charge, created_s);
    }

    /// A past charge of a guest, of whom the form says an address and a name.
    pub fn seed_guest_charge(
        &mut self,
        id: &str,
        (email, name): (&str, &str),
        amount: i64,
        currency: &str,
        created_s: i64,
    ) {
        let mut charge = objects::charge_body(id, amount, currency, created_s);
        charge["billing_details"]["email"] = json!(email);
        charge["billing_details"]["name"] = json!(name);
        self.put_charge(&charge);
        self.seed_event("charge.succeeded", &charge, created_s);
    }

    /// Somebody gives a charge back in Stripe's own pages.
    pub fn refund(&mut self, charge: &str) {
        let refunded = self.create_refund(&json!({ "charge": charge }));
        assert!(refunded.is_ok(), "{refunded:?}");
    }

    fn seed_event(&mut self, kind: &str, object: &Value, created_s: i64) {
        if created_s > self.now_s() - 30 * 86_400 {
            self.happened_at(kind, object, None, created_s);
        }
    }
}

/// How a seeded charge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paid {
    Succeeded,
    Declined,
}
