//! Prices and coupons of the fake Stripe. What they hold but do not show unless it is asked for is in `hidden`.

use serde_json::{Value, json};

use super::form::{integer, only};
use super::subscriptions::missing;
use super::{Answer, Refusal, Stripe};

impl Stripe {
    pub(super) fn create_price(&mut self, form: &Value) -> Answer {
        only(
            form,
            &[
                "currency",
                "unit_amount",
                "unit_amount_decimal",
                "recurring",
                "product",
                "product_data",
                "nickname",
                "metadata",
                "billing_scheme",
                "tiers",
                "tiers_mode",
                "transform_quantity",
                "currency_options",
            ],
        )?;
        let currency = form["currency"]
            .as_str()
            .ok_or_else(|| missing("currency"))?
            .to_lowercase();
        let recurring = recurring(&form["recurring"])?;
        let is_tiered = form["billing_scheme"] == "tiered";
        let amount = match (&form["unit_amount_decimal"], integer(form, "unit_amount")?) {
            _ if is_tiered => Value::Null,
            (Value::String(decimal), _) => json!(decimal),
            (_, Some(amount)) => json!(amount.to_string()),
            _ => return Err(missing("unit_amount")),
        };
        if is_tiered
            && !["graduated", "volume"].contains(&form["tiers_mode"].as_str().unwrap_or_default())
        {
            return Err(missing("tiers_mode"));
        }
        let product = match form["product"].as_str() {
            Some(product) => product.to_string(),
            None => self.id("prod"),
        };
        let id = self.id("price");
        let whole = amount.as_str().and_then(|text| text.parse::<i64>().ok());
        let package = package(&form["transform_quantity"]);
        let price = json!({
            "id": id, "object": "price", "active": true,
            "billing_scheme": if is_tiered { "tiered" } else { "per_unit" },
            "created": self.now_s(), "currency": currency, "custom_unit_amount": null, "livemode": false,
            "lookup_key": null, "metadata": {}, "nickname": form["nickname"], "product": product,
            "recurring": recurring, "tax_behavior": "unspecified", "tiers_mode": form["tiers_mode"],
            "transform_quantity": package, "type": "recurring", "unit_amount": whole,
            "unit_amount_decimal": amount,
        });
        let mut hidden = json!({"currency_options": {currency: {"unit_amount": whole, "unit_amount_decimal": amount}}});
        if is_tiered {
            hidden["tiers"] = tiers(&form["tiers"])?;
        }
        for (currency, option) in form["currency_options"].as_object().into_iter().flatten() {
            let amount = integer(option, "unit_amount")?.ok_or_else(|| missing("unit_amount"))?;
            hidden["currency_options"][currency] =
                json!({"unit_amount": amount, "unit_amount_decimal": amount.to_string()});
        }
        self.hidden.insert(id, hidden);
        self.prices.put("", &price);
        Ok(price)
    }

    pub(super) fn create_coupon(&mut self, form: &Value) -> Answer {
        only(
            form,
            &[
                "id",
                "percent_off",
                "amount_off",
                "currency",
                "duration",
                "duration_in_months",
                "applies_to",
                "name",
            ],
        )?;
        let number = |name: &str| {
            form[name]
                .as_str()
                .and_then(|text| text.parse::<f64>().ok())
        };
        let (percent, amount) = (number("percent_off"), integer(form, "amount_off")?);
        if percent.is_some() == amount.is_some() {
            let message = "You must pass either percent_off or amount_off.";
            return Err(Refusal::invalid("", "parameter_missing", message));
        }
        if amount.is_some() && form["currency"].is_null() {
            return Err(missing("currency"));
        }
        let duration = form["duration"].as_str().unwrap_or("once");
        let months = integer(form, "duration_in_months")?;
        if !["forever", "once", "repeating"].contains(&duration)
            || (duration == "repeating") != months.is_some()
        {
            return Err(Refusal::invalid("duration", "", "Invalid duration"));
        }
        let id = match form["id"].as_str() {
            Some(id) => id.to_owned(),
            None => self.id("coupon"),
        };
        let coupon = json!({
            "id": id, "object": "coupon", "amount_off": amount, "created": self.now_s(), "currency": form["currency"],
            "duration": duration, "duration_in_months": months, "livemode": false, "max_redemptions": null,
            "metadata": {}, "name": form["name"], "percent_off": percent, "redeem_by": null, "times_redeemed": 0,
            "valid": true,
        });
        if form["applies_to"].is_object() {
            let hidden = json!({"applies_to": {"products": form["applies_to"]["products"]}});
            self.hidden.insert(id, hidden);
        }
        self.coupons.put("", &coupon);
        Ok(coupon)
    }
}

fn package(form: &Value) -> Value {
    let whole = |text: &Value| text.as_str().and_then(|text| text.parse::<i64>().ok());
    match form.is_object() {
        true => json!({"divide_by": whole(&form["divide_by"]), "round": form["round"]}),
        false => Value::Null,
    }
}

fn recurring(form: &Value) -> Answer {
    let interval = form["interval"].as_str().unwrap_or("month");
    if !["day", "week", "month", "year"].contains(&interval) {
        return Err(Refusal::invalid(
            "recurring[interval]",
            "",
            "Invalid recurring[interval]: must be one of day, month, week, or year",
        ));
    }
    let count = integer(form, "interval_count")?.unwrap_or(1);
    let usage = form["usage_type"].as_str().unwrap_or("licensed");
    Ok(
        json!({"interval": interval, "interval_count": count, "aggregate_usage": null, "usage_type": usage,
               "trial_period_days": null}),
    )
}

/// The last tier has no end, and in each at least one amount stands.
fn tiers(form: &Value) -> Answer {
    let given = form.as_array().ok_or_else(|| missing("tiers"))?;
    let mut tiers = Vec::new();
    for (at, tier) in given.iter().enumerate() {
        let is_last = at + 1 == given.len();
        let up_to = match tier["up_to"].as_str() {
            Some("inf") if is_last => Value::Null,
            Some(_) if !is_last => json!(integer(tier, "up_to")?),
            _ => {
                return Err(Refusal::invalid(
                    "tiers",
                    "",
                    "The last tier must be a fallback tier, set `up_to` to `inf`.",
                ));
            }
        };
        let (unit, flat) = (integer(tier, "unit_amount")?, integer(tier, "flat_amount")?);
        if unit.is_none() && flat.is_none() {
            return Err(missing("tiers[unit_amount]"));
        }
        let decimal = |amount: Option<i64>| amount.map(|amount| amount.to_string());
        tiers.push(
            json!({"flat_amount": flat, "flat_amount_decimal": decimal(flat), "unit_amount": unit,
                          "unit_amount_decimal": decimal(unit), "up_to": up_to}),
        );
    }
    Ok(Value::Array(tiers))
}
