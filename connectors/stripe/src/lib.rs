//! Stripe: customers, charges, refunds and subscriptions in, by lists, events and webhooks; erasure of customers.
//! Owns what is Stripe's: its endpoints, cursors, signatures. Transport, retries and credentials are the hub's.

mod events;
mod mrr;
mod read;
mod receive;
mod rows;
mod streams;

use onefold_sdk::http::{base, encode};
use onefold_sdk::types::plain;
use onefold_sdk::{
    Batch, CheckReport, Connector, Delivery, Erasure, ErasureStatus, Hub, IdKind, Identifier,
    Privacy, ReadRequest, Reply, Request, Result, Source, Vendor, Webhook, cut,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub struct Stripe;

onefold_sdk::export!(Stripe: source, webhook, privacy);

pub(crate) const VENDOR: Vendor = Vendor {
    name: "stripe",
    code: &["/error/code", "/error/type"],
    message: &["/error/message"],
};

/// The shapes that the mappings expect are those of this version of the API.
const API_VERSION: &str = "2023-08-16";

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    base_url: String,
    page_size: u32,
    events: Events,
    erase: Erase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Events {
    /// Behind the last event, by its id.
    Follow,
    /// By time, newest first, filtered here.
    Scan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Erase {
    Manual,
    Delete,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.stripe.com".to_owned(),
            page_size: 100,
            events: Events::Follow,
            erase: Erase::Manual,
        }
    }
}

fn get(config: &Config, path: &str) -> Request {
    authorised(Request::get(format!("{}{path}", base(&config.base_url))))
}

fn authorised(request: Request) -> Request {
    request.auth("key").header("Stripe-Version", API_VERSION)
}

impl Connector for Stripe {
    type Config = Config;
    const MANIFEST: &'static str = include_str!("../manifest.json");
    const CONFIG_SCHEMA: &'static str = include_str!("../config.schema.json");

    fn check(hub: &dyn Hub, config: &Config) -> Result<CheckReport> {
        let answer = VENDOR.send(hub, get(config, "/v1/customers?limit=1"))?;
        let page = cut(&answer.body, &["data"])?;
        let live = match page.rows.first() {
            Some(row) => row.read::<Value>()?.get("livemode") != Some(&Value::Bool(false)),
            None => true,
        };
        let warnings = if live {
            Vec::new()
        } else {
            vec!["the key is one for test mode".to_owned()]
        };
        Ok(CheckReport {
            account: None,
            warnings,
        })
    }
}

impl Source for Stripe {
    fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
        read::read(hub, config, request)
    }
}

impl Webhook for Stripe {
    fn receive(hub: &dyn Hub, config: &Config, delivery: &Delivery) -> Result<Reply> {
        receive::receive(hub, config, delivery)
    }
}

impl Privacy for Stripe {
    /// Payments have to be kept by law, so nothing is deleted unless the configuration says so.
    fn erase_subject(
        hub: &dyn Hub,
        config: &Config,
        ids: &[Identifier],
        request_id: &str,
    ) -> Result<Erasure> {
        let customers = customers_of(hub, config, ids)?;
        let status = match (customers.len(), config.erase) {
            (0, _) => ErasureStatus::NotFound,
            (_, Erase::Manual) => ErasureStatus::Manual(format!(
                "redact these customers in Stripe's dashboard: {}",
                customers.join(", ")
            )),
            (count, Erase::Delete) => {
                for customer in &customers {
                    let url = format!(
                        "{}/v1/customers/{}",
                        base(&config.base_url),
                        encode(customer)
                    );
                    let key = format!("{request_id}-{customer}");
                    let request = authorised(Request::delete(url)).header("Idempotency-Key", &key);
                    VENDOR.send(hub, request)?;
                }
                ErasureStatus::Done(count as u64)
            }
        };
        let evidence = json!({ "customers": customers });
        Ok(Erasure {
            status,
            evidence: Some(evidence.to_string()),
        })
    }
}

/// The customers that exist under a person's emails and Stripe ids.
fn customers_of(hub: &dyn Hub, config: &Config, ids: &[Identifier]) -> Result<Vec<String>> {
    let mut customers = Vec::new();
    for id in ids {
        let one = std::slice::from_ref(id);
        if let Some(email) = plain(one, IdKind::Email) {
            let request = get(config, "/v1/customers?limit=100").query("email", email);
            let answer: Value = VENDOR.fetch(hub, request)?;
            let found = answer["data"].as_array().into_iter().flatten();
            customers.extend(found.filter_map(|found| found["id"].as_str().map(str::to_owned)));
        }
        if let Some(id) = plain(one, IdKind::ExternalId).filter(|id| id.starts_with("cus_")) {
            let request = get(config, &format!("/v1/customers/{}", encode(id)));
            match VENDOR.fetch::<Value>(hub, request) {
                Ok(found) if found["deleted"] != true => customers.push(id.to_owned()),
                Ok(_) => {}
                Err(error) if error.status() == Some(404) => {}
                Err(error) => return Err(error),
            }
        }
    }
    customers.sort();
    customers.dedup();
    Ok(customers)
}

#[cfg(test)]
mod tests;
