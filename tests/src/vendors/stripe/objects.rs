//! Customers, cards, charges and refunds of the fake Stripe: what a create, an update and a delete do and refuse.

use serde_json::{Map, Value, json};

use super::form::{integer, only};
use super::{Answer, Refusal, Stripe};

const CUSTOMER_FIELDS: [&str; 12] = [
    "name",
    "email",
    "phone",
    "description",
    "address",
    "metadata",
    "source",
    "balance",
    "preferred_locales",
    "invoice_settings",
    "payment_method",
    "shipping",
];
/// Cards that Stripe's documentation says are declined.
const DECLINED: [&str; 2] = ["4000000000000002", "4000000000000341"];

impl Stripe {
    pub(super) fn create_token(&mut self, form: &Value) -> Answer {
        let number = form["card"]["number"]
            .as_str()
            .unwrap_or_default()
            .replace(' ', "");
        if number.len() < 12 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(card_error(
                "Your card number is incorrect.",
                "incorrect_number",
                None,
            ));
        }
        let card_id = self.id("card");
        let card = json!({
            "id": card_id, "object": "card", "brand": "Visa", "country": "US", "exp_month": 12, "exp_year": 2030,
            "funding": "credit", "last4": &number[number.len() - 4..], "customer": null, "metadata": {},
            "name": form["card"]["name"],
        });
        if let Some(name) = form["card"]["name"].as_str() {
            self.names.insert(card_id.clone(), name.to_owned());
        }
        let token = json!({
            "id": self.id("tok"), "object": "token", "card": card, "client_ip": null, "created": self.now_s(),
            "livemode": false, "type": "card", "used": false,
        });
        self.cards.insert(card_id, number);
        self.tokens
            .insert(token["id"].as_str().unwrap_or_default().to_string(), card);
        Ok(token)
    }

    pub(super) fn create_customer(&mut self, form: &Value) -> Answer {
        only(form, &CUSTOMER_FIELDS)?;
        check_customer(form)?;
        let id = self.id("cus");
        let source = self.attach(form)?;
        let mut customer = json!({
            "id": id, "object": "customer", "address": null, "balance": 0, "created": self.now_s(), "currency": null,
            "default_source": source, "delinquent": false, "description": null, "discount": null, "email": null,
            "invoice_prefix": format!("ONE{:05}", self.customers.len()),
            "invoice_settings": {"custom_fields": null, "default_payment_method": null, "footer": null,
                                 "rendering_options": null},
            "livemode": false, "metadata": {}, "name": null, "next_invoice_sequence": 1, "phone": null,
            "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
        });
        set_fields(&mut customer, form);
        self.put_customer(&customer);
        self.happened("customer.created", &customer, None);
        Ok(customer)
    }

    /// Puts a customer in as it stands, without an event.
    pub fn put_customer(&mut self, customer: &Value) {
        let tag = customer["email"].as_str().unwrap_or_default();
        self.customers.put(tag, customer);
    }

    pub(super) fn update_customer(&mut self, id: &str, form: &Value) -> Answer {
        only(form, &CUSTOMER_FIELDS)?;
        check_customer(form)?;
        let mut customer = self.live_customer(id, "id")?;
        let before = customer.clone();
        if let Some(source) = self.attach(form)? {
            customer["default_source"] = json!(source);
        }
        set_fields(&mut customer, form);
        self.put_customer(&customer);
        if customer != before {
            self.happened(
                "customer.updated",
                &customer,
                Some(difference(&before, &customer)),
            );
        }
        Ok(customer)
    }

    pub(super) fn delete_customer(&mut self, id: &str) -> Answer {
        let customer = self.live_customer(id, "id")?;
        for subscription in self.subscriptions.all() {
            if subscription["customer"] == id && subscription["status"] != "canceled" {
                self.cancel_subscription(subscription["id"].as_str().unwrap_or_default())?;
            }
        }
        let stub = json!({"id": id, "object": "customer", "deleted": true});
        self.customers.delete(id, &stub);
        self.happened("customer.deleted", &customer, None);
        Ok(stub)
    }

    pub(super) fn live_customer(&self, id: &str, param: &str) -> Answer {
        self.customers
            .get(id)
            .ok_or_else(|| Refusal::missing("customer", id, param))
    }

    /// Turns the token in `source` into a card of the customer.
    fn attach(&mut self, form: &Value) -> Result<Option<String>, Refusal> {
        let Some(token) = form["source"].as_str() else {
            return Ok(None);
        };
        if let Some(card) = self.tokens.remove(token) {
            return Ok(card["id"].as_str().map(str::to_string));
        }
        let number = match token {
            "tok_visa" => "4242424242424242",
            "tok_chargeCustomerFail" => DECLINED[1],
            _ => return Err(Refusal::missing("token", token, "source")),
        };
        let card = self.id("card");
        self.cards.insert(card.clone(), number.to_string());
        Ok(Some(card))
    }

    pub(super) fn create_charge(&mut self, form: &Value) -> Answer {
        only(
            form,
            &[
                "amount",
                "currency",
                "customer",
                "source",
                "description",
                "metadata",
                "receipt_email",
                "capture",
            ],
        )?;
        let amount = integer(form, "amount")?.ok_or_else(|| required("amount"))?;
        if amount < 1 {
            return Err(Refusal::invalid(
                "amount",
                "parameter_invalid_integer",
                "This value must be greater than or equal to 1.",
            ));
        }
        let currency = currency(form)?;
        let customer = match form["customer"].as_str() {
            Some(id) => Some(self.live_customer(id, "customer")?),
            None => None,
        };
        let is_token = form["source"]
            .as_str()
            .is_some_and(|source| source.starts_with("tok_"));
        let source = match self.attach(form).ok().flatten().filter(|_| is_token) {
            Some(card) => card,
            None => charge_source(form, customer.as_ref())?,
        };
        let number = self
            .cards
            .get(&source)
            .cloned()
            .ok_or_else(|| Refusal::missing("source", &source, "source"))?;
        let declined = DECLINED.contains(&number.as_str());
        let mut charge = charge_body(&self.id("ch"), amount, &currency, self.now_s());
        charge["customer"] = customer.map_or(Value::Null, |customer| customer["id"].clone());
        charge["payment_method"] = json!(source);
        set_fields(&mut charge, form);
        charge["amount"] = json!(amount);
        charge["currency"] = json!(currency);
        if let Some(name) = self.names.get(&source) {
            charge["billing_details"]["name"] = json!(name);
        }
        if declined {
            fail(&mut charge);
        } else if form["capture"] == "false" {
            Self::hold(&mut charge);
        } else {
            self.take(&mut charge);
        }
        self.put_charge(&charge);
        if declined {
            self.happened("charge.failed", &charge, None);
            return Err(card_error(
                "Your card was declined.",
                "card_declined",
                charge["id"].as_str(),
            ));
        }
        self.happened("charge.succeeded", &charge, None);
        Ok(charge)
    }

    /// Puts a charge in as it stands, without an event.
    pub fn put_charge(&mut self, charge: &Value) {
        let tag = charge["customer"].as_str().unwrap_or_default();
        self.charges.put(tag, charge);
    }

    pub(super) fn create_refund(&mut self, form: &Value) -> Answer {
        only(form, &["charge", "amount", "reason", "metadata"])?;
        let charge_id = form["charge"].as_str().ok_or_else(|| required("charge"))?;
        let mut charge = self
            .charges
            .get(charge_id)
            .ok_or_else(|| Refusal::missing("charge", charge_id, "charge"))?;
        if charge["status"] != "succeeded" {
            return Err(Refusal::invalid(
                "charge",
                "charge_not_refundable",
                format!("Charge {charge_id} cannot be refunded."),
            ));
        }
        let total = charge["amount"].as_i64().unwrap_or_default();
        let refunded = charge["amount_refunded"].as_i64().unwrap_or_default();
        if refunded >= total {
            let message = format!("Charge {charge_id} has already been refunded.");
            return Err(Refusal::invalid("", "charge_already_refunded", message));
        }
        let amount = integer(form, "amount")?.unwrap_or(total - refunded);
        if amount < 1 || amount > total - refunded {
            let message = format!(
                "Refund amount ({amount}) is greater than unrefunded amount on charge ({})",
                total - refunded
            );
            return Err(Refusal::invalid("amount", "", message));
        }
        let mut refund = self.refund_of(&charge, amount);
        set_fields(&mut refund, form);
        refund["amount"] = json!(amount);
        charge["amount_refunded"] = json!(refunded + amount);
        charge["refunded"] = json!(refunded + amount == total);
        self.put_charge(&charge);
        self.refunds.put(charge_id, &refund);
        self.happened("refund.created", &refund, None);
        self.happened(
            "charge.refunded",
            &charge,
            Some(json!({"amount_refunded": refunded})),
        );
        Ok(refund)
    }
}

fn currency(form: &Value) -> Result<String, Refusal> {
    let currency = form["currency"].as_str();
    let currency = currency.ok_or_else(|| required("currency"))?.to_lowercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        let message = format!("Invalid currency: {currency}");
        return Err(Refusal::invalid("currency", "", message));
    }
    Ok(currency)
}

/// The card to charge: the one given, or the customer's own.
fn charge_source(form: &Value, customer: Option<&Value>) -> Result<String, Refusal> {
    let own = customer.and_then(|customer| customer["default_source"].as_str());
    let Some(source) = form["source"].as_str().or(own).map(str::to_string) else {
        let message = if customer.is_some() {
            "Cannot charge a customer that has no active card"
        } else {
            "Must provide source or customer."
        };
        return Err(card_error(message, "missing", None));
    };
    Ok(source)
}

/// A charge that succeeded, of nobody.
pub(super) fn charge_body(id: &str, amount: i64, currency: &str, created: i64) -> Value {
    json!({
        "id": id, "object": "charge", "amount": amount, "amount_captured": amount, "amount_refunded": 0,
        "balance_transaction": null,
        "billing_details": {"address": null, "email": null, "name": null, "phone": null, "tax_id": null},
        "captured": true, "created": created, "currency": currency, "customer": null, "description": null,
        "disputed": false, "failure_code": null, "failure_message": null, "livemode": false, "metadata": {},
        "outcome": {"network_status": "approved_by_network", "reason": null, "type": "authorized"}, "paid": true,
        "payment_intent": null, "payment_method": null, "receipt_email": null, "refunded": false,
        "status": "succeeded",
    })
}

pub(super) fn fail(charge: &mut Value) {
    charge["status"] = json!("failed");
    charge["paid"] = json!(false);
    charge["captured"] = json!(false);
    charge["amount_captured"] = json!(0);
    charge["failure_code"] = json!("card_declined");
    charge["failure_message"] = json!("Your card was declined.");
    charge["outcome"] = json!({"network_status": "declined_by_network", "reason": "generic_decline", "type": "issuer_declined"});
}

fn check_customer(form: &Value) -> Result<(), Refusal> {
    let email = form["email"].as_str().unwrap_or_default();
    let (local, domain) = email.rsplit_once('@').unwrap_or_default();
    if !email.is_empty()
        && (local.is_empty() || !domain.contains('.') || email.contains(char::is_whitespace))
    {
        return Err(Refusal::invalid(
            "email",
            "email_invalid",
            format!("Invalid email address: {email}"),
        ));
    }
    if let Some(metadata) = form["metadata"].as_object() {
        let long = |(key, value): (&String, &Value)| {
            key.len() > 40 || value.as_str().is_some_and(|text| text.len() > 500)
        };
        if metadata.len() > 50 || metadata.iter().any(long) {
            return Err(Refusal::invalid(
                "metadata",
                "",
                "Metadata keys are at most 40 and values at most 500 characters.",
            ));
        }
    }
    Ok(())
}

/// Sets the fields that the form names; an empty text clears, `metadata` is merged.
fn set_fields(object: &mut Value, form: &Value) {
    for (name, value) in form.as_object().into_iter().flatten() {
        match name.as_str() {
            "metadata" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    match value.as_str() {
                        Some("") => {
                            object["metadata"]
                                .as_object_mut()
                                .map(|known| known.remove(key));
                        }
                        _ => object["metadata"][key] = value.clone(),
                    }
                }
            }
            "address" => object["address"] = address(value),
            "source" | "expand" | "invoice_settings" | "payment_method" | "capture" => {}
            "balance" => {
                object["balance"] = json!(
                    value
                        .as_str()
                        .and_then(|text| text.parse::<i64>().ok())
                        .unwrap_or(0)
                );
            }
            _ if value == "" => object[name] = Value::Null,
            _ => object[name] = value.clone(),
        }
    }
}

fn address(given: &Value) -> Value {
    let fields = ["city", "country", "line1", "line2", "postal_code", "state"];
    let value = |name: &&str| ((*name).to_string(), given[*name].clone());
    Value::Object(fields.iter().map(value).collect::<Map<_, _>>())
}

fn difference(before: &Value, after: &Value) -> Value {
    let fields = before.as_object().into_iter().flatten();
    Value::Object(
        fields
            .filter(|(name, value)| after[*name] != **value)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn required(name: &str) -> Refusal {
    Refusal::invalid(
        name,
        "parameter_missing",
        format!("Missing required param: {name}."),
    )
}

fn card_error(message: &str, code: &str, charge: Option<&str>) -> Refusal {
    let mut error = json!({"type": "card_error", "code": code, "message": message});
    if let Some(charge) = charge {
        error["charge"] = json!(charge);
        error["decline_code"] = json!("generic_decline");
    }
    Refusal { status: 402, error }
}
