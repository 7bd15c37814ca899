//! Webhooks: the proof that Stripe sent them, and the row that they carry.
//! The key of the signature stays with the hub.

use crate::Config;
use crate::events::{Change, change, read_event};
use crate::rows::Rows;
use crate::streams::STREAMS;
use onefold_sdk::{Delivery, Error, Found, Hub, MacAlgorithm, Reply, Result, Row};
use serde_json::json;

/// How far the time of a signature may be from ours, as Stripe's own libraries have it.
const TOLERANCE_SECONDS: u64 = 300;

pub(crate) fn receive(hub: &dyn Hub, config: &Config, delivery: &Delivery) -> Result<Reply> {
    if let Err(reason) = verified(hub, delivery)? {
        return Ok(refused(reason));
    }
    let Ok(event) = read_event(&Row::of(&delivery.body)) else {
        return Ok(refused("the body is no event"));
    };
    let mut reply = Reply {
        status: 200,
        ..Reply::default()
    };
    for stream in &STREAMS {
        let Some((id, change)) = change(stream, &event) else {
            continue;
        };
        let mut found = Found::default();
        match change {
            // Stripe delivers in any order: the time tells which state is the later one.
            Change::Is(state) => {
                let mut rows = Rows::new(hub, config, stream);
                rows.add_changed(&id, &state, Some(state.at), &mut found)?;
            }
            Change::Gone => found.delete(&json!({ "id": id }))?,
        }
        reply.rows.push(found.into_rows(stream.name));
    }
    Ok(reply)
}

/// Stripe signs `TIME.BODY`; the header holds the time and one signature for each live secret.
fn verified(hub: &dyn Hub, delivery: &Delivery) -> Result<std::result::Result<(), &'static str>> {
    let Some(header) = delivery.header("stripe-signature") else {
        return Ok(Err("there is no `Stripe-Signature`"));
    };
    let values = |wanted: &str| {
        let pairs = header
            .split(',')
            .filter_map(|pair| pair.trim().split_once('='));
        let wanted = wanted.to_owned();
        pairs.filter_map(move |(name, value)| (name == wanted).then_some(value))
    };
    let Some(time) = values("t").next() else {
        return Ok(Err("the signature has no time"));
    };
    let now = hub.now_ms() / 1_000;
    match time.parse::<u64>() {
        Ok(seconds) if now.abs_diff(seconds) <= TOLERANCE_SECONDS => {}
        _ => return Ok(Err("the signature's time is more than five minutes away")),
    }
    let mut signed = format!("{time}.").into_bytes();
    signed.extend_from_slice(&delivery.body);
    let mac = hub
        .mac("webhook_secret", MacAlgorithm::HmacSha256, &signed)
        .map_err(|error| Error::config("stripe.webhook_secret", error))?;
    let expected: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    if values("v1").any(|given| same(given.as_bytes(), expected.as_bytes())) {
        return Ok(Ok(()));
    }
    Ok(Err("the signature is not ours"))
}

/// Compares in a time that does not tell where two texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
}

fn refused(reason: &str) -> Reply {
    Reply {
        status: 400,
        body: json!({ "error": reason }).to_string().into_bytes(),
        rows: Vec::new(),
    }
}
