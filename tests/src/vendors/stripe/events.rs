//! What the fake Stripe tells about changes: an event for each, and webhook bodies signed as Stripe signs them.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::Stripe;

impl Stripe {
    /// Records that something happened. `previous` holds the old values of what an update changed.
    pub(super) fn happened(&mut self, kind: &str, object: &Value, previous: Option<Value>) {
        let created = self.now_s();
        self.happened_at(kind, object, previous, created);
    }

    pub(super) fn happened_at(
        &mut self,
        kind: &str,
        object: &Value,
        previous: Option<Value>,
        created: i64,
    ) {
        let id = self.id("evt");
        let mut data = json!({"object": object});
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        let event = json!({
            "id": id, "object": "event", "api_version": "2026-01-28.clover", "created": created, "data": data,
            "livemode": false, "pending_webhooks": 0, "request": {"id": null, "idempotency_key": null}, "type": kind,
        });
        self.events.put(kind, &event);
    }

    /// The body and the `Stripe-Signature` header of the webhook for an event of ours.
    pub fn webhook(&self, event_id: &str) -> Option<(String, String)> {
        let body = self.events.get(event_id)?.to_string();
        let header = signature(&body, &self.webhook_secret, self.now_s());
        Some((body, header))
    }
}

/// `t=…,v1=…` over `timestamp.body`, HMAC-SHA256.
///
/// # Panics
/// Never: HMAC takes a key of any length.
pub fn signature(body: &str, secret: &str, at_s: i64) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{at_s}.{body}").as_bytes());
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={at_s},v1={hex}")
}
