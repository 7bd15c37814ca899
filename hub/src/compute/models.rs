//! Customer models as a hub uses them: fitted to everybody's purchases, evaluated for one person's.
//!
//! A prediction depends only on the model's version and the person's purchases up to the version's date, so it is the same
//! whenever it is computed (I1).

use crate::compute::Event;
use crate::compute::lifetime::{
    Predictions, Purchase, Risk, Summary, bgnbd, gamma_gamma, predict, rfm, summarise,
};
use crate::expression::{Number, number, passes};
use crate::manifest::Model;
use crate::model::{Fields, Timestamp, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

const DAYS_A_WEEK: f64 = 7.0;

/// A model's version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Purchases after this moment are not looked at.
    pub as_of: i64,
    /// Of the definition that it was fitted by.
    pub digest: String,
    pub customers: usize,
    pub buying: bgnbd::Fitted,
    pub values: Option<gamma_gamma::Fitted>,
    /// Why there is no model of values although purchases have values.
    pub no_values: Option<String>,
    pub rfm: Option<rfm::RfmBoundaries>,
}

/// Customers on whom a model is fitted: 24 bytes each, whatever they bought.
#[derive(Debug, Default)]
pub struct Sample {
    customers: Vec<Summary>,
}

impl Sample {
    pub fn add(&mut self, model: &Model, events: &[Event<'_>], as_of: Timestamp) {
        self.customers
            .extend(summarise(&purchases(model, events), as_of.0));
    }

    /// Fits everything that there is enough data for. Without a model of buying there is nothing; the reason is in plain words.
    pub fn fit(&self, model: &Model, as_of: Timestamp) -> Result<Fitted, String> {
        let buyers: Vec<bgnbd::Buyer> = self.customers.iter().map(Summary::buyer).collect();
        let buying = bgnbd::fit(&buyers).map_err(|refusal| refusal.to_string())?;
        let spenders: Vec<gamma_gamma::Spender> =
            self.customers.iter().map(Summary::spender).collect();
        let values = match model.value {
            Some(_) => gamma_gamma::fit(&spenders).map(Some),
            None => Ok(None),
        };
        let shoppers: Vec<rfm::Shopper> = self.customers.iter().map(shopper).collect();
        Ok(Fitted {
            as_of: as_of.0,
            digest: model.digest.clone(),
            customers: self.customers.len(),
            buying,
            no_values: values.as_ref().err().map(ToString::to_string),
            values: values.unwrap_or_default(),
            rfm: rfm::boundaries(&shoppers),
        })
    }
}

fn shopper(customer: &Summary) -> rfm::Shopper {
    rfm::Shopper {
        recency_days: (customer.age - customer.recency) * DAYS_A_WEEK,
        frequency: f64::from(customer.repeats + 1),
        monetary: customer.mean_value,
    }
}

/// The events that the model takes for purchases. One without a number for its value is worth nothing.
fn purchases(model: &Model, events: &[Event<'_>]) -> Vec<Purchase> {
    events
        .iter()
        .filter(|event| {
            event.name == model.event
                && model
                    .filter
                    .iter()
                    .all(|(property, test)| passes(event.properties.get(property), test))
        })
        .map(|event| Purchase {
            time_ms: event.time.0,
            value: match model
                .value
                .as_ref()
                .and_then(|of| event.properties.get(of))
                .and_then(number)
            {
                Some(Number::Whole(whole)) => whole as f64,
                Some(Number::Real(real)) => real,
                None => 0.0,
            },
        })
        .collect()
}

/// What a model says of one person, by the traits' names; nothing of somebody who has bought nothing.
pub fn predicted(model: &Model, fitted: &Fitted, events: &[Event<'_>]) -> Fields {
    let mut fields = Fields::new();
    let Some(customer) = summarise(&purchases(model, events), fitted.as_of) else {
        return fields;
    };
    let values = fitted.values.as_ref().map(|values| &values.parameters);
    let Predictions {
        probability_alive,
        expected_orders_30d,
        expected_orders_90d,
        expected_orders_365d,
        predicted_value_365d,
    } = predict(&fitted.buying.parameters, values, &customer);
    let mut set = |name: &str, value: Value| {
        fields.insert(format!("{}{name}", model.prefix), value);
    };
    set("probability_alive", rounded(probability_alive));
    set("expected_orders_30d", rounded(expected_orders_30d));
    set("expected_orders_90d", rounded(expected_orders_90d));
    set("expected_orders_365d", rounded(expected_orders_365d));
    set("churn_risk", json!(Risk::of(probability_alive)));
    if let Some(value) = predicted_value_365d {
        set("predicted_value_365d", rounded(value));
    }
    if let Some(boundaries) = &fitted.rfm {
        let one = shopper(&customer);
        let (recency, frequency, monetary) =
            rfm::score(boundaries, one.recency_days, one.frequency, one.monetary);
        set("rfm_recency", json!(recency));
        set("rfm_frequency", json!(frequency));
        if model.value.is_some() {
            set("rfm_monetary", json!(monetary));
        }
    }
    fields
}

/// To a millionth: more would be noise.
fn rounded(number: f64) -> Value {
    json!((number * 1e6).round() / 1e6)
}
