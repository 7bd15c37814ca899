//! When money moves at the fake Stripe: a charge that is captured at once or later, and what is not captured.

use serde_json::{Value, json};

use super::form::{integer, only};
use super::{Answer, Refusal, Stripe};

impl Stripe {
    /// Makes a charge an authorisation, which has moved no money yet.
    pub(super) fn hold(charge: &mut Value) {
        charge["captured"] = json!(false);
        charge["amount_captured"] = json!(0);
    }

    /// The balance transaction of a charge whose money is taken now.
    pub(super) fn take(&mut self, charge: &mut Value) {
        let id = self.id("txn");
        let transaction = json!({
            "id": id, "object": "balance_transaction", "amount": charge["amount_captured"], "created": self.now_s(),
            "available_on": self.now_s() + 2 * 86_400, "currency": charge["currency"], "description": null, "fee": 0,
            "fee_details": [], "net": charge["amount_captured"], "reporting_category": "charge",
            "source": charge["id"], "status": "pending", "type": "charge",
        });
        charge["balance_transaction"] = json!(id);
        self.transactions.put("", &transaction);
    }

    /// "Any additional amount will be automatically refunded": what is not captured is given back at once.
    pub(super) fn capture_charge(&mut self, id: &str, form: &Value) -> Answer {
        only(form, &["amount", "receipt_email"])?;
        let mut charge = self
            .charges
            .get(id)
            .ok_or_else(|| Refusal::missing("charge", id, "charge"))?;
        let refused = |code: &str, what: &str| {
            Err(Refusal::invalid("", code, format!("Charge {id} {what}.")))
        };
        if charge["captured"] == true {
            return refused("charge_already_captured", "has already been captured");
        }
        if charge["refunded"] == true {
            return refused("charge_already_refunded", "has already been refunded");
        }
        if charge["status"] != "succeeded" {
            return refused("charge_not_capturable", "cannot be captured");
        }
        let of = charge["amount"].as_i64().unwrap_or_default();
        let amount = integer(form, "amount")?.unwrap_or(of);
        if !(1..=of).contains(&amount) {
            let message = format!("The amount to capture must be between 1 and {of}.");
            return Err(Refusal::invalid("amount", "amount_too_large", message));
        }
        charge["captured"] = json!(true);
        charge["amount_captured"] = json!(amount);
        self.take(&mut charge);
        if amount < of {
            charge["amount_refunded"] = json!(of - amount);
            let refund = self.refund_of(&charge, of - amount);
            self.refunds.put(id, &refund);
            self.happened("refund.created", &refund, None);
        }
        self.put_charge(&charge);
        self.happened("charge.captured", &charge, Some(json!({"captured": false})));
        Ok(charge)
    }

    /// A refund of a part of a charge.
    pub(super) fn refund_of(&mut self, charge: &Value, amount: i64) -> Value {
        json!({
            "id": self.id("re"), "object": "refund", "amount": amount, "balance_transaction": null,
            "charge": charge["id"], "created": self.now_s(), "currency": charge["currency"],
            "destination_details": {"card": {"type": "reversal"}, "type": "card"}, "metadata": {},
            "payment_intent": null, "reason": null, "receipt_number": null, "source_transfer_reversal": null,
            "status": "succeeded", "transfer_reversal": null,
        })
    }
}
