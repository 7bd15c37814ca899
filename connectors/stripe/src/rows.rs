//! The rows of the streams: Stripe's objects, with what follows from objects around them under `onefold`. Owns the requests
//! that this takes. A field that cannot be read costs what follows from it and nothing else.

use crate::events::{Change, Latest, State};
use crate::mrr::{self, Price};
use crate::streams::{Asks, Stream};
use crate::{Config, VENDOR, get};
use onefold_sdk::http::encode;
use onefold_sdk::{Error, Found, Hub, Request, Result, Row, cut};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What is asked for one by one in one answer; more is faster read from the list.
const ASKED_AT_ONCE: usize = 1_000;
/// Money moves this many seconds after the event that moves it, at most.
const SAME_MOMENT: i64 = 60;

/// What a row has under `onefold`.
#[derive(Default, Serialize)]
struct Added {
    /// When an event said that the record changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<i64>,
    /// When the money of a charge was taken, where that was not when the charge was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    captured: Option<i64>,
    /// How much of an authorisation was captured, where that was a part and the charge does not say so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<i64>,
    /// How much was refunded of what was taken, where the rest of the authorisation was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<i64>,
    /// Of a refund: nothing had been taken of what it gives back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_release: bool,
    /// Of a refund: what its charge says of who paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer: Option<Value>,
    /// In the currency's minor units, or why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    mrr: Option<Value>,
}

pub(crate) struct Rows<'a> {
    hub: &'a dyn Hub,
    config: &'a Config,
    stream: &'a Stream,
    /// Prices that had to be asked for, with their tiers; none when Stripe does not have them.
    prices: BTreeMap<String, Option<Price>>,
}

impl<'a> Rows<'a> {
    pub fn new(hub: &'a dyn Hub, config: &'a Config, stream: &'a Stream) -> Self {
        Self {
            hub,
            config,
            stream,
            prices: BTreeMap::new(),
        }
    }

    /// The request for the list.
    pub fn list(&self, limit: u32) -> Request {
        let path = format!("{}{}", self.stream.path, self.stream.query);
        let request = get(self.config, &path).query("limit", &limit.to_string());
        let expand = self.stream.expand.iter();
        expand.fold(request, |request, path| {
            request.query("expand[]", &format!("data.{path}"))
        })
    }

    /// A row of the list.
    pub fn add(&mut self, row: &Row<'_>, found: &mut Found) -> Result<()> {
        match std::str::from_utf8(row.bytes) {
            Ok(raw) if self.stream.asks != Asks::Never => self.push(raw, None, found),
            _ => {
                found.upserts.push_raw(row);
                Ok(())
            }
        }
    }

    /// Whether all of that can be asked for.
    pub fn will_ask_for(&self, latest: &Latest) -> Result<()> {
        let asked = latest.values().filter(|change| match change {
            Change::Is(state) => self.asks_for(state),
            Change::Gone => false,
        });
        if asked.count() <= ASKED_AT_ONCE {
            return Ok(());
        }
        let message = "too much happened since the last run to be read from the events";
        Err(Error::cursor_expired("stripe.too_many_events", message))
    }

    fn asks_for(&self, state: &State) -> bool {
        match self.stream.asks {
            Asks::Never => false,
            Asks::OnChange => !state.is_new,
            Asks::Always => true,
        }
    }

    /// A record that an event is about, which changed at a time.
    pub fn add_changed(
        &mut self,
        id: &str,
        state: &State,
        at: Option<i64>,
        found: &mut Found,
    ) -> Result<()> {
        if !self.asks_for(state) {
            return self.push(&state.raw, at, found);
        }
        let path = format!("{}/{}", self.stream.path, encode(id));
        let expand = self.stream.expand.iter();
        let request = expand.fold(get(self.config, &path), |request, path| {
            request.query("expand[]", path)
        });
        let asked = VENDOR.send(self.hub, request);
        match asked {
            Ok(answer) => match std::str::from_utf8(&answer.body) {
                Ok(raw) => self.push(raw, at, found),
                Err(_) => self.push(&state.raw, at, found),
            },
            // What the event says is the last that is known of it.
            Err(error) if error.status() == Some(404) => self.push(&state.raw, at, found),
            Err(error) => Err(error),
        }
    }

    fn push(&mut self, raw: &str, changed: Option<i64>, found: &mut Found) -> Result<()> {
        let is_plain = self.stream.asks == Asks::Never && changed.is_none();
        let line = match is_plain {
            true => None,
            false => self.completed(raw, changed)?,
        };
        let line = line.unwrap_or_else(|| raw.to_owned());
        cut(format!("[{line}]").as_bytes(), &[])?.append_to(&mut found.upserts);
        Ok(())
    }

    /// The object with what is added; none when it is not a JSON object.
    fn completed(&mut self, raw: &str, changed: Option<i64>) -> Result<Option<String>> {
        let Ok(mut fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw) else {
            return Ok(None);
        };
        let mut added = Added {
            changed,
            ..Added::default()
        };
        let read = |name: &str| {
            fields
                .get(name)
                .map_or(Value::Null, |raw| lenient(raw.get()))
        };
        match self.stream.object {
            "charge" => charge(read, &mut added),
            "refund" => refund(read, &mut added),
            "subscription" => {
                let object = lenient(raw);
                added.mrr = Some(self.mrr(&object)?);
            }
            _ => {}
        }
        // An expanded object is its id again: the row is the same however the object came.
        let id = |name: &&str| raw_of(lenient(fields.get(*name)?.get()).get("id")?);
        let ids: Vec<_> = EXPANDED.iter().map(id).collect();
        for (name, id) in EXPANDED.iter().zip(&ids) {
            if let Some(id) = id {
                fields.insert((*name).to_owned(), id);
            }
        }
        let added = raw_of(&added).filter(|added| added.get() != "{}");
        if let Some(added) = &added {
            fields.insert("onefold".to_owned(), added);
        }
        Ok(serde_json::to_string(&fields).ok())
    }

    fn mrr(&mut self, subscription: &Value) -> Result<Value> {
        let more = subscription["items"]["has_more"] == true;
        let items = match (more, subscription["id"].as_str()) {
            (true, Some(id)) => {
                let request = get(self.config, "/v1/subscription_items?limit=100");
                let list: Value = VENDOR.fetch(self.hub, request.query("subscription", id))?;
                list["data"].clone()
            }
            _ => subscription["items"]["data"].clone(),
        };
        let Some(items) = items.as_array() else {
            return Ok(json!("the items are not known"));
        };
        let currency = subscription["currency"].as_str().unwrap_or_default();
        let mut priced = Vec::with_capacity(items.len());
        for item in items {
            let price = Price::of(item, currency);
            let price = match price.is_whole() {
                true => Some(price),
                false => self.price(&price.id, currency)?,
            };
            priced.push((item, price));
        }
        Ok(match mrr::monthly(subscription, &priced) {
            Ok(amount) => json!(amount),
            Err(reason) => json!(reason),
        })
    }

    /// A price with its tiers and other currencies, which lists of subscriptions do not show.
    fn price(&mut self, id: &str, currency: &str) -> Result<Option<Price>> {
        let key = format!("{id} {currency}");
        if let Entry::Vacant(free) = self.prices.entry(key.clone()) {
            let path = format!("/v1/prices/{}", encode(id));
            let request = get(self.config, &path)
                .query("expand[]", "tiers")
                .query("expand[]", "currency_options.tiers");
            let price = match VENDOR.fetch::<Value>(self.hub, request) {
                Ok(price) => Some(Price::of(&json!({ "price": price }), currency)),
                Err(error) if error.status() == Some(404) => None,
                Err(error) => return Err(error),
            };
            free.insert(price);
        }
        Ok(self.prices.get(&key).cloned().flatten())
    }
}

/// The fields that lists and single requests are asked to expand.
const EXPANDED: [&str; 3] = ["balance_transaction", "charge", "payment_intent"];

/// Money that is authorised first is taken later, and what is not taken is given back at the same moment.
fn charge(read: impl Fn(&str) -> Value, added: &mut Added) {
    let whole = |name: &str| read(name).as_i64();
    let taken_at = read("balance_transaction")["created"].as_i64();
    if read("captured") != true {
        return;
    }
    added.captured = match (taken_at, whole("created")) {
        (Some(taken), Some(made)) => {
            Some(taken).filter(|taken| *taken > made.saturating_add(SAME_MOMENT))
        }
        _ => None,
    };
    let Some(amount) = whole("amount") else {
        return;
    };
    let captured = whole("amount_captured");
    let released = match captured {
        Some(captured) => amount.saturating_sub(captured),
        // Servers that do not say how much was captured have refunded the rest in the same second.
        None => {
            let refunds = read("refunds");
            let refunds = refunds["data"].as_array().into_iter().flatten();
            let at_once = refunds.filter(|refund| is_at(&refund["created"], taken_at, 0));
            let amounts = at_once.filter_map(|refund| refund["amount"].as_i64());
            amounts.fold(0, i64::saturating_add)
        }
    };
    if (1..amount).contains(&released) {
        let refunded = whole("amount_refunded").unwrap_or(0);
        added.taken = captured.is_none().then_some(amount - released);
        added.returned = Some(refunded.saturating_sub(released).max(0));
    }
}

/// A refund is its charge's buyer's.
fn refund(read: impl Fn(&str) -> Value, added: &mut Added) {
    let (charge, intent) = (read("charge"), read("payment_intent"));
    let first = |name: &str| match &charge[name] {
        Value::Null => intent[name].clone(),
        known => known.clone(),
    };
    let id = |value: Value| match value {
        Value::Object(object) => object.get("id").cloned().unwrap_or_default(),
        other => other,
    };
    if charge.is_object() || intent.is_object() {
        added.buyer = Some(json!({
            "customer": id(first("customer")),
            "receipt_email": first("receipt_email"),
            "billing_details": charge["billing_details"],
        }));
    }
    let taken_at = charge["balance_transaction"]["created"].as_i64();
    let (amount, created) = (read("amount").as_i64(), read("created"));
    let is_rest = match (
        charge["amount"].as_i64(),
        charge["amount_captured"].as_i64(),
    ) {
        (Some(of), Some(captured)) => {
            amount == of.checked_sub(captured) && is_at(&created, taken_at, SAME_MOMENT)
        }
        (Some(of), None) => {
            amount.is_some_and(|amount| amount < of) && is_at(&created, taken_at, 0)
        }
        _ => false,
    };
    added.is_release = charge["captured"] == false || charge["captured"] == true && is_rest;
}

fn is_at(time: &Value, other: Option<i64>, seconds: i64) -> bool {
    match (time.as_i64(), other) {
        (Some(time), Some(other)) => time.saturating_sub(other).saturating_abs() <= seconds,
        _ => false,
    }
}

fn raw_of<T: Serialize>(value: &T) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(value).ok()
}

/// A value of which some may not be readable.
fn lenient(json: &str) -> Value {
    Row::of(json.as_bytes()).read().unwrap_or_default()
}

#[cfg(test)]
#[allow(
    clippy::needless_pass_by_value,
    reason = "a test writes its values in place"
)]
mod tests;
