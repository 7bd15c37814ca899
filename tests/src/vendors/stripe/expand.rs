//! `expand[]`: objects within an object that Stripe shows by their id, or not at all, unless they are asked for.

use serde_json::Value;

use super::super::http::Request;
use super::{Refusal, Stripe};

/// "Expansions have a maximum depth of four levels", the list's own `data` included.
const LEVELS: usize = 4;

impl Stripe {
    /// Expands what the request asks for in an answer.
    pub(super) fn expand(&self, request: &Request, answer: &mut Value) -> Result<(), Refusal> {
        let asked = request.query.iter();
        let asked = asked.filter(|(name, _)| name.split('[').next() == Some("expand"));
        for (_, path) in asked {
            let levels: Vec<&str> = path.split('.').collect();
            if levels.len() > LEVELS {
                let message =
                    format!("You cannot expand more than 4 levels of a property. Property: {path}");
                return Err(Refusal::invalid("expand", "", message));
            }
            self.expand_in(answer, &levels, path)?;
        }
        Ok(())
    }

    fn expand_in(&self, node: &mut Value, levels: &[&str], path: &str) -> Result<(), Refusal> {
        if let Value::Array(rows) = node {
            return rows
                .iter_mut()
                .try_for_each(|row| self.expand_in(row, levels, path));
        }
        let Some((name, deeper)) = levels.split_first() else {
            return Ok(());
        };
        let kind = node["object"].as_str().unwrap_or_default().to_owned();
        let id = node["id"].as_str().unwrap_or_default().to_owned();
        let shown = match (kind.as_str(), *name) {
            ("list", "data")
            | ("subscription", "items" | "discount")
            | ("subscription_item", "price")
            | ("discount", "coupon") => None,
            ("charge" | "refund", "balance_transaction") => {
                Some(by_id(&self.transactions, &node[*name]))
            }
            ("refund", "charge") => Some(by_id(&self.charges, &node[*name])),
            ("charge" | "subscription", "customer") => Some(by_id(&self.customers, &node[*name])),
            ("charge" | "refund", "payment_intent") => Some(node[*name].clone()),
            ("price", "tiers" | "currency_options") | ("coupon", "applies_to") => {
                let hidden = self.hidden.get(&id);
                Some(hidden.map_or(Value::Null, |hidden| hidden[*name].clone()))
            }
            // Its currencies are not objects of their own.
            ("", "tiers") => None,
            _ => {
                let message = format!("This property cannot be expanded ({path}).");
                return Err(Refusal::invalid("expand", "", message));
            }
        };
        if let Some(shown) = shown {
            node[*name] = shown;
        }
        if deeper.is_empty() || node[*name].is_null() {
            return Ok(());
        }
        if *name == "currency_options" {
            let options = node[*name].as_object_mut().into_iter().flatten();
            for (_, option) in options {
                self.expand_in(option, deeper, path)?;
            }
            return Ok(());
        }
        self.expand_in(&mut node[*name], deeper, path)
    }
}

fn by_id(shelf: &super::Shelf, value: &Value) -> Value {
    let found = value.as_str().and_then(|id| shelf.get(id));
    found.unwrap_or_else(|| value.clone())
}
