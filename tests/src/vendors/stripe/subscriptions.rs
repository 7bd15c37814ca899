//! Subscriptions of the fake Stripe.

use serde_json::{Value, json};

use super::form::{integer, only};
use super::{Answer, Refusal, Stripe};

const MONTH_S: i64 = 30 * 86_400;
/// Items that a subscription itself shows.
const SHOWN: usize = 10;

impl Stripe {
    pub(super) fn create_subscription(&mut self, form: &Value) -> Answer {
        only(
            form,
            &[
                "customer",
                "items",
                "metadata",
                "trial_period_days",
                "cancel_at_period_end",
                "coupon",
                "currency",
            ],
        )?;
        let customer = form["customer"]
            .as_str()
            .ok_or_else(|| missing("customer"))?;
        self.live_customer(customer, "customer")?;
        let now = self.now_s();
        let trial_days = integer(form, "trial_period_days")?;
        let id = self.id("sub");
        let items = self.items(&id, &form["items"], now)?;
        let trial_end = trial_days.map(|days| now + days * 86_400);
        let discount = self.discount(&id, customer, &form["coupon"], now)?;
        let currency = match &form["currency"] {
            Value::Null => items[0]["price"]["currency"].clone(),
            currency => currency.clone(),
        };
        let more = items.len() > SHOWN;
        let all = items.clone();
        let shown = &items[..items.len().min(SHOWN)];
        let subscription = json!({
            "id": id, "object": "subscription", "billing_cycle_anchor": now, "cancel_at": null,
            "cancel_at_period_end": form["cancel_at_period_end"] == "true", "canceled_at": null,
            "cancellation_details": {"comment": null, "feedback": null, "reason": null},
            "collection_method": "charge_automatically", "created": now, "currency": currency,
            "current_period_end": now + MONTH_S, "current_period_start": now,
            "customer": customer, "default_payment_method": null, "description": null, "discount": discount,
            "ended_at": null,
            "items": {"object": "list", "data": shown, "has_more": more,
                      "url": format!("/v1/subscription_items?subscription={id}")},
            "latest_invoice": null, "livemode": false, "metadata": {}, "pause_collection": null,
            "quantity": items[0]["quantity"],
            "start_date": now, "status": if trial_end.is_some() { "trialing" } else { "active" },
            "trial_end": trial_end, "trial_start": trial_end.map(|_| now),
        });
        self.items.insert(id, all);
        self.put_subscription(&subscription);
        self.happened("customer.subscription.created", &subscription, None);
        Ok(subscription)
    }

    fn items(
        &mut self,
        subscription: &str,
        items: &Value,
        now: i64,
    ) -> Result<Vec<Value>, Refusal> {
        let given = items
            .as_array()
            .filter(|items| !items.is_empty())
            .ok_or_else(|| missing("items"))?;
        let mut made = Vec::new();
        for item in given {
            let price_id = item["price"]
                .as_str()
                .ok_or_else(|| missing("items[0][price]"))?;
            let price = self
                .prices
                .get(price_id)
                .ok_or_else(|| Refusal::missing("price", price_id, "items[0][price]"))?;
            let quantity = integer(item, "quantity")?.unwrap_or(1);
            let plan = plan_of(&price);
            made.push(json!({
                "id": self.id("si"), "object": "subscription_item", "created": now,
                "metadata": {},
                "plan": plan, "price": price, "quantity": quantity, "subscription": subscription, "tax_rates": [],
            }));
        }
        Ok(made)
    }

    /// The discount of a subscription that was made with a coupon.
    fn discount(&mut self, subscription: &str, customer: &str, coupon: &Value, now: i64) -> Answer {
        let Some(id) = coupon.as_str() else {
            return Ok(Value::Null);
        };
        let coupon = self
            .coupons
            .get(id)
            .ok_or_else(|| Refusal::missing("coupon", id, "coupon"))?;
        Ok(json!({
            "id": self.id("di"), "object": "discount", "checkout_session": null, "coupon": coupon, "customer": customer,
            "end": null, "invoice": null, "invoice_item": null, "promotion_code": null, "start": now,
            "subscription": subscription,
        }))
    }

    /// All items of a subscription, of which the subscription itself shows the first ten.
    pub(super) fn list_items(&self, subscription: Option<&str>) -> Answer {
        let id = subscription.ok_or_else(|| missing("subscription"))?;
        let items = self
            .items
            .get(id)
            .ok_or_else(|| Refusal::missing("subscription", id, "subscription"))?;
        Ok(
            json!({"object": "list", "data": items, "has_more": false, "url": "/v1/subscription_items"}),
        )
    }

    /// Puts a subscription in as it stands, without an event.
    pub fn put_subscription(&mut self, subscription: &Value) {
        let tag = subscription["customer"].as_str().unwrap_or_default();
        self.subscriptions.put(tag, subscription);
    }

    pub(super) fn update_subscription(&mut self, id: &str, form: &Value) -> Answer {
        only(
            form,
            &[
                "cancel_at_period_end",
                "quantity",
                "metadata",
                "pause_collection",
            ],
        )?;
        let mut subscription = self.subscription(id)?;
        let mut previous = json!({});
        if let Some(flag) = form["cancel_at_period_end"].as_str() {
            previous["cancel_at_period_end"] = subscription["cancel_at_period_end"].take();
            subscription["cancel_at_period_end"] = json!(flag == "true");
        }
        if form["pause_collection"].is_object() {
            previous["pause_collection"] = subscription["pause_collection"].take();
            let behavior = &form["pause_collection"]["behavior"];
            subscription["pause_collection"] = json!({"behavior": behavior, "resumes_at": null});
        } else if form["pause_collection"] == "" {
            previous["pause_collection"] = subscription["pause_collection"].take();
        }
        if let Some(quantity) = integer(form, "quantity")? {
            previous["quantity"] = subscription["quantity"].take();
            subscription["quantity"] = json!(quantity);
            subscription["items"]["data"][0]["quantity"] = json!(quantity);
            if let Some(items) = self.items.get_mut(id) {
                items[0]["quantity"] = json!(quantity);
            }
        }
        self.put_subscription(&subscription);
        self.happened(
            "customer.subscription.updated",
            &subscription,
            Some(previous),
        );
        Ok(subscription)
    }

    pub(super) fn cancel_subscription(&mut self, id: &str) -> Answer {
        let mut subscription = self.subscription(id)?;
        let now = self.now_s();
        subscription["status"] = json!("canceled");
        subscription["canceled_at"] = json!(now);
        subscription["ended_at"] = json!(now);
        self.put_subscription(&subscription);
        self.happened("customer.subscription.deleted", &subscription, None);
        Ok(subscription)
    }

    fn subscription(&self, id: &str) -> Answer {
        let found = self
            .subscriptions
            .get(id)
            .filter(|found| found["status"] != "canceled");
        found.ok_or_else(|| Refusal::missing("subscription", id, "id"))
    }
}

pub(super) fn missing(name: &str) -> Refusal {
    Refusal::invalid(
        name,
        "parameter_missing",
        format!("Missing required param: {name}."),
    )
}

/// The older shape of a price, which Stripe still shows as well.
fn plan_of(price: &Value) -> Value {
    json!({
        "id": price["id"], "object": "plan", "active": true, "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"], "billing_scheme": price["billing_scheme"], "created": price["created"],
        "currency": price["currency"], "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "livemode": false, "metadata": {}, "meter": null, "nickname": price["nickname"], "product": price["product"],
        "tiers_mode": price["tiers_mode"], "transform_usage": price["transform_quantity"], "trial_period_days": null,
        "usage_type": price["recurring"]["usage_type"],
    })
}
