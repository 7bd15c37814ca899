//! What a subscription brings in a month, by Stripe's own definition of MRR: see `FACTS.md`. Exact until the one rounding at
//! the end. Pure: prices are passed in.

use serde_json::Value;
use std::cmp::Ordering;

/// Why there is no number.
type Reason = &'static str;

const UNKNOWN_PRICE: Reason = "a price is not known";
const UNKNOWN_DISCOUNT: Reason = "a discount is not known";
const TOO_LARGE: Reason = "the amount is out of range";

/// Currencies without minor units in ISO 4217, of which Stripe counts hundredths.
const HUNDREDTHS: [&str; 2] = ["isk", "ugx"];

/// The items' monthly amount in the currency's minor units by ISO 4217. A price that is not known has none.
pub(crate) fn monthly(
    subscription: &Value,
    items: &[(&Value, Option<Price>)],
) -> Result<i64, Reason> {
    if !counts(subscription) {
        return Ok(0);
    }
    let currency = subscription["currency"].as_str().unwrap_or_default();
    let mut parts = Vec::with_capacity(items.len());
    for (item, price) in items {
        let price = price.as_ref().filter(|price| price.is_whole());
        let price = price.ok_or(UNKNOWN_PRICE)?;
        if price.is_metered {
            continue;
        }
        let months = price.months.ok_or(UNKNOWN_PRICE)?;
        let mut part = [Part {
            amount: price.amount(quantity(item)?)?.over(months)?,
            months,
            product: price.product.clone(),
        }];
        for discount in listed(&item["discounts"]) {
            take_off(discount, currency, &mut part)?;
        }
        parts.extend(part);
    }
    let several = listed(&subscription["discounts"]);
    match several.is_empty() {
        true => take_off(&subscription["discount"], currency, &mut parts)?,
        false => {
            for discount in several {
                take_off(discount, currency, &mut parts)?;
            }
        }
    }
    let mut sum = Fraction::whole(0);
    for part in &parts {
        sum = sum.plus(part.amount)?;
    }
    match HUNDREDTHS.contains(&currency) {
        true => sum.over(Fraction::whole(100))?.rounded(),
        false => sum.rounded(),
    }
}

/// Trials, ended and unpaid subscriptions bring nothing, nor does one whose invoices are voided or written off.
fn counts(subscription: &Value) -> bool {
    let status = subscription["status"].as_str().unwrap_or_default();
    let paused = subscription["pause_collection"]["behavior"].as_str();
    ["active", "past_due"].contains(&status)
        && !paused.is_some_and(|behavior| ["void", "mark_uncollectible"].contains(&behavior))
}

fn quantity(item: &Value) -> Result<i128, Reason> {
    match &item["quantity"] {
        Value::Null => Ok(1),
        given => match given.as_u64() {
            Some(quantity) => Ok(quantity.into()),
            None => Err("a quantity is not known"),
        },
    }
}

fn listed(discounts: &Value) -> &[Value] {
    discounts.as_array().map_or(&[], Vec::as_slice)
}

/// An item's amount in a month.
struct Part {
    amount: Fraction,
    months: Fraction,
    product: Option<String>,
}

/// Takes a discount off the items that it is for, if it lasts for ever; others end, and do not lower what recurs.
fn take_off(discount: &Value, currency: &str, parts: &mut [Part]) -> Result<(), Reason> {
    if discount.is_null() {
        return Ok(());
    }
    let coupon = match &discount["coupon"] {
        Value::Null => &discount["source"]["coupon"],
        coupon => coupon,
    };
    match coupon["duration"].as_str() {
        Some("forever") => {}
        Some("once" | "repeating") => return Ok(()),
        _ => return Err(UNKNOWN_DISCOUNT),
    }
    let products = coupon["applies_to"]["products"].as_array();
    let is_for = |part: &&mut Part| match (products, &part.product) {
        (None, _) => true,
        (Some(products), Some(product)) => products.iter().any(|one| one == product.as_str()),
        (Some(_), None) => false,
    };
    let mut parts: Vec<&mut Part> = parts.iter_mut().filter(is_for).collect();
    if let Some(percent) = Fraction::read(&coupon["percent_off"]) {
        let rest = Fraction::whole(100).minus(percent)?.not_negative();
        for part in parts {
            part.amount = part.amount.times(rest)?.over(Fraction::whole(100))?;
        }
        return Ok(());
    }
    let is_its = coupon["currency"].as_str() == Some(currency);
    let off = match is_its {
        true => Fraction::read(&coupon["amount_off"]),
        false => Fraction::read(&coupon["currency_options"][currency]["amount_off"]),
    };
    // It comes off each invoice, and there is one each time that the shortest interval ends.
    let shortest = parts.iter().map(|part| part.months).min();
    let (Some(off), Some(months)) = (off, shortest) else {
        return match off {
            Some(_) => Ok(()),
            None => Err(UNKNOWN_DISCOUNT),
        };
    };
    let mut left = off.over(months)?;
    for part in &mut parts {
        let taken = left.min(part.amount);
        part.amount = part.amount.minus(taken)?;
        left = left.minus(taken)?;
    }
    Ok(())
}

/// What is known of an item's price.
#[derive(Debug, Clone)]
pub(crate) struct Price {
    pub id: String,
    product: Option<String>,
    months: Option<Fraction>,
    is_metered: bool,
    is_tiered: bool,
    is_volume: bool,
    unit: Option<Fraction>,
    tiers: Option<Vec<Tier>>,
    /// Units are counted in packages of so many, and a started package counts or not.
    package: Option<(i128, bool)>,
}

#[derive(Debug, Clone)]
struct Tier {
    /// None in the last.
    up_to: Option<i128>,
    unit: Fraction,
    flat: Fraction,
}

impl Price {
    /// The price of an item, or its plan, which is the older word. `currency` is what the subscription is paid in.
    pub fn of(item: &Value, currency: &str) -> Self {
        let price = match &item["price"] {
            Value::Null => &item["plan"],
            price => price,
        };
        let recurring = match &price["recurring"] {
            Value::Null => price,
            recurring => recurring,
        };
        let own = price["currency"].as_str().unwrap_or_default();
        let amounts = match own.is_empty() || currency.is_empty() || own == currency {
            true => price,
            false => &price["currency_options"][currency],
        };
        let package = [&price["transform_quantity"], &price["transform_usage"]];
        let package = package.into_iter().find(|package| package.is_object());
        let package = package.and_then(|package| {
            let size = package["divide_by"].as_u64().filter(|size| *size > 0)?;
            Some((size.into(), package["round"] == "up"))
        });
        Self {
            id: price["id"].as_str().unwrap_or_default().to_owned(),
            product: id_of(&price["product"]),
            months: months(recurring),
            is_metered: recurring["usage_type"] == "metered",
            is_tiered: price["billing_scheme"] == "tiered",
            is_volume: price["tiers_mode"] == "volume",
            unit: first_of(
                amounts,
                [
                    "unit_amount_decimal",
                    "unit_amount",
                    "amount_decimal",
                    "amount",
                ],
            ),
            tiers: amounts["tiers"]
                .as_array()
                .and_then(|tiers| tiers.iter().map(Tier::of).collect()),
            package,
        }
    }

    /// Whether the amount can be worked out from it.
    pub fn is_whole(&self) -> bool {
        self.is_metered
            || match self.is_tiered {
                true => self.tiers.is_some(),
                false => self.unit.is_some(),
            }
    }

    /// What so many cost each time.
    fn amount(&self, quantity: i128) -> Result<Fraction, Reason> {
        let quantity = match self.package {
            Some((size, true)) => (quantity + size - 1) / size,
            Some((size, false)) => quantity / size,
            None => quantity,
        };
        match &self.tiers {
            Some(tiers) if self.is_tiered && self.is_volume => by_volume(tiers, quantity),
            Some(tiers) if self.is_tiered => graduated(tiers, quantity),
            _ => {
                let unit = self.unit.ok_or(UNKNOWN_PRICE)?;
                unit.times(Fraction::whole(quantity))
            }
        }
    }
}

/// All units at the price of the tier that the quantity is in.
fn by_volume(tiers: &[Tier], quantity: i128) -> Result<Fraction, Reason> {
    let holds = |tier: &&Tier| tier.up_to.is_none_or(|up_to| quantity <= up_to);
    let tier = tiers.iter().find(holds).ok_or(UNKNOWN_PRICE)?;
    match quantity {
        0 => Ok(Fraction::whole(0)),
        _ => tier.unit.times(Fraction::whole(quantity))?.plus(tier.flat),
    }
}

/// The units in each tier at its own price, and the flat amount of each tier that is reached.
fn graduated(tiers: &[Tier], quantity: i128) -> Result<Fraction, Reason> {
    let mut sum = Fraction::whole(0);
    let mut below = 0;
    for tier in tiers {
        if quantity <= below {
            return Ok(sum);
        }
        let end = tier.up_to.map_or(quantity, |up_to| up_to.min(quantity));
        let units = Fraction::whole((end - below).max(0));
        sum = sum.plus(tier.unit.times(units)?)?.plus(tier.flat)?;
        below = end;
    }
    match quantity <= below {
        true => Ok(sum),
        false => Err(UNKNOWN_PRICE),
    }
}

impl Tier {
    fn of(tier: &Value) -> Option<Self> {
        let or_none = |names: [&str; 2]| match names {
            [decimal, whole] if tier[decimal].is_null() && tier[whole].is_null() => {
                Some(Fraction::whole(0))
            }
            names => first_of(tier, names),
        };
        Some(Self {
            up_to: match &tier["up_to"] {
                Value::Null => None,
                up_to => Some(up_to.as_u64()?.into()),
            },
            unit: or_none(["unit_amount_decimal", "unit_amount"])?,
            flat: or_none(["flat_amount_decimal", "flat_amount"])?,
        })
    }
}

fn id_of(value: &Value) -> Option<String> {
    let id = match value {
        Value::Object(object) => object.get("id")?,
        id => id,
    };
    id.as_str().map(str::to_owned)
}

fn first_of<const N: usize>(of: &Value, names: [&str; N]) -> Option<Fraction> {
    names.iter().find_map(|name| Fraction::read(&of[*name]))
}

/// How many months an interval has. A year has 12 months and 365 days.
fn months(recurring: &Value) -> Option<Fraction> {
    let count = match &recurring["interval_count"] {
        Value::Null => 1,
        count => count.as_u64().filter(|count| *count > 0)?,
    };
    let count = i128::from(count);
    Some(match recurring["interval"].as_str()? {
        "day" => Fraction::of(12 * count, 365),
        "week" => Fraction::of(84 * count, 365),
        "month" => Fraction::whole(count),
        "year" => Fraction::whole(12 * count),
        _ => return None,
    })
}

/// A number as it is written, exactly. The lower part is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fraction {
    upper: i128,
    lower: i128,
}

impl Fraction {
    fn whole(number: i128) -> Self {
        Self {
            upper: number,
            lower: 1,
        }
    }

    fn of(upper: i128, lower: i128) -> Self {
        let common = greatest_divisor(upper, lower).max(1);
        Self {
            upper: upper / common,
            lower: lower / common,
        }
    }

    /// A number, or the decimal text of one that is not negative, with at most twelve digits behind the point.
    fn read(value: &Value) -> Option<Self> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let (whole, behind) = text.split_once('.').unwrap_or((&text, ""));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || behind.len() > 12 || !are_digits(whole) || !are_digits(behind) {
            return None;
        }
        let digits: i128 = format!("{whole}{behind}").parse().ok()?;
        Some(Self::of(digits, 10_i128.pow(behind.len() as u32)))
    }

    fn times(self, other: Self) -> Result<Self, Reason> {
        // Reduced crosswise before, so that nothing is larger than it has to be.
        let (left, right) = (
            Self::of(self.upper, other.lower),
            Self::of(other.upper, self.lower),
        );
        let upper = left.upper.checked_mul(right.upper).ok_or(TOO_LARGE)?;
        let lower = left.lower.checked_mul(right.lower).ok_or(TOO_LARGE)?;
        Ok(Self::of(upper, lower))
    }

    fn over(self, other: Self) -> Result<Self, Reason> {
        if other.upper <= 0 {
            return Err(TOO_LARGE);
        }
        self.times(Self {
            upper: other.lower,
            lower: other.upper,
        })
    }

    fn plus(self, other: Self) -> Result<Self, Reason> {
        let part = |of: Self, by: Self| of.upper.checked_mul(by.lower).ok_or(TOO_LARGE);
        let upper = part(self, other)?.checked_add(part(other, self)?);
        let lower = self.lower.checked_mul(other.lower).ok_or(TOO_LARGE)?;
        Ok(Self::of(upper.ok_or(TOO_LARGE)?, lower))
    }

    fn minus(self, other: Self) -> Result<Self, Reason> {
        self.plus(Self {
            upper: -other.upper,
            lower: other.lower,
        })
    }

    fn not_negative(self) -> Self {
        match self.upper < 0 {
            true => Self::whole(0),
            false => self,
        }
    }

    /// The nearest whole number; a half goes up.
    fn rounded(self) -> Result<i64, Reason> {
        let twice = self.upper.checked_mul(2).ok_or(TOO_LARGE)?;
        let twice = twice.checked_add(self.lower).ok_or(TOO_LARGE)?;
        let divisor = self.lower.checked_mul(2).ok_or(TOO_LARGE)?;
        i64::try_from(twice.div_euclid(divisor)).map_err(|_| TOO_LARGE)
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        // What is too large to compare is left as it is by every use.
        let left = self.upper.saturating_mul(other.lower);
        left.cmp(&other.upper.saturating_mul(self.lower))
    }
}

fn greatest_divisor(left: i128, right: i128) -> i128 {
    let (mut left, mut right) = (left.saturating_abs(), right.saturating_abs());
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
#[allow(
    clippy::needless_pass_by_value,
    reason = "a test writes its values in place"
)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The monthly amount of a subscription as Stripe lists it, where every price is whole.
    fn mrr(subscription: &Value) -> Result<i64, Reason> {
        let currency = subscription["currency"].as_str().unwrap_or_default();
        let items = subscription["items"]["data"].as_array();
        let items = items.into_iter().flatten();
        let items: Vec<(&Value, Option<Price>)> = items
            .map(|item| (item, Some(Price::of(item, currency))))
            .collect();
        monthly(subscription, &items)
    }

    fn price(amount: &str, interval: &str, count: u32) -> Value {
        json!({ "id": "price_1", "product": "prod_1", "currency": "usd", "billing_scheme": "per_unit", "unit_amount_decimal": amount,
                "recurring": { "interval": interval, "interval_count": count, "usage_type": "licensed" } })
    }

    fn of(items: Value) -> Value {
        json!({ "id": "sub_1", "status": "active", "currency": "usd", "items": { "data": items } })
    }

    fn with(mut subscription: Value, name: &str, value: Value) -> Value {
        subscription[name] = value;
        subscription
    }

    fn coupon(fields: Value) -> Value {
        let mut coupon = json!({ "duration": "forever", "currency": "usd" });
        for (name, value) in fields.as_object().into_iter().flatten() {
            coupon[name] = value.clone();
        }
        json!({ "object": "discount", "coupon": coupon })
    }

    #[test]
    fn every_interval_is_brought_to_a_month() {
        for (amount, interval, count, month) in [
            ("1000", "month", 1, 1000),
            ("1000", "month", 3, 333),
            ("120000", "year", 1, 10_000),
            ("1000", "year", 1, 83),
            ("24000", "year", 2, 1000),
            // 365 days in 12 months.
            ("1000", "week", 1, 4345),
            ("1000", "week", 2, 2173),
            ("1000", "week", 4, 1086),
            ("100", "day", 1, 3042),
            ("3000", "day", 30, 3042),
            ("0.5", "month", 1, 1),
            ("0.4", "month", 1, 0),
            ("0", "month", 1, 0),
        ] {
            let one = of(json!([{ "price": price(amount, interval, count), "quantity": 1 }]));
            assert_eq!(mrr(&one), Ok(month), "{amount} each {count} {interval}");
        }
    }

    #[test]
    fn items_and_quantities_add_up_before_they_are_rounded() {
        let tenth = json!({ "price": price("0.1", "month", 1), "quantity": 7 });
        let year = json!({ "price": price("1000", "year", 1), "quantity": 3 });
        let third = json!({ "price": price("500", "month", 3) });
        assert_eq!(mrr(&of(json!([tenth, tenth, tenth]))), Ok(2));
        assert_eq!(mrr(&of(json!([year, third]))), Ok(417));
        let plan = json!({ "plan": { "id": "old", "amount": 900, "interval": "week", "interval_count": 1, "currency": "usd" }, "quantity": 2 });
        assert_eq!(mrr(&of(json!([plan]))), Ok(7821));
        assert_eq!(mrr(&of(json!([]))), Ok(0));
    }

    #[test]
    fn only_what_recurs_and_is_paid_counts() {
        let items = json!([{ "price": price("1000", "month", 1) }]);
        for (status, month) in [
            ("active", 1000),
            ("past_due", 1000),
            ("trialing", 0),
            ("canceled", 0),
            ("unpaid", 0),
            ("paused", 0),
            ("incomplete", 0),
            ("incomplete_expired", 0),
        ] {
            let one = with(of(items.clone()), "status", json!(status));
            assert_eq!(mrr(&one), Ok(month), "{status}");
        }
        for (behavior, month) in [
            ("void", 0),
            ("mark_uncollectible", 0),
            ("keep_as_draft", 1000),
        ] {
            let paused = json!({ "behavior": behavior, "resumes_at": null });
            let one = with(of(items.clone()), "pause_collection", paused);
            assert_eq!(mrr(&one), Ok(month), "{behavior}");
        }
        let mut metered = price("1000", "month", 1);
        metered["recurring"]["usage_type"] = json!("metered");
        let both = json!([{ "price": metered }, { "price": price("200", "month", 1) }]);
        assert_eq!(mrr(&of(both)), Ok(200));
        // It ends with the period, and counts until then.
        let ending = with(of(items), "cancel_at_period_end", json!(true));
        assert_eq!(mrr(&ending), Ok(1000));
    }

    fn tiered(mode: &str) -> Value {
        let mut price = price("0", "month", 1);
        price["billing_scheme"] = json!("tiered");
        price["tiers_mode"] = json!(mode);
        price["unit_amount_decimal"] = Value::Null;
        price["tiers"] = json!([
            { "up_to": 5, "unit_amount": 700, "unit_amount_decimal": "700", "flat_amount": null },
            { "up_to": 10, "unit_amount_decimal": "650", "flat_amount": 100 },
            { "up_to": null, "unit_amount_decimal": "600.5", "flat_amount_decimal": "0" },
        ]);
        price
    }

    #[test]
    fn tiers_are_counted_whole_or_each_by_its_own_price() {
        for (quantity, volume, graduated) in [
            (0, 0, 0),
            (1, 700, 700),
            (5, 3500, 3500),
            (6, 6 * 650 + 100, 3500 + 650 + 100),
            (10, 6600, 3500 + 3250 + 100),
            (12, 7206, 3500 + 3250 + 100 + 1201),
        ] {
            let month = |mode: &str| {
                mrr(&of(
                    json!([{ "price": tiered(mode), "quantity": quantity }]),
                ))
            };
            assert_eq!(month("volume"), Ok(volume), "{quantity}");
            assert_eq!(month("graduated"), Ok(graduated), "{quantity}");
        }
    }

    #[test]
    fn packages_are_counted_as_the_price_rounds() {
        for (round, quantity, month) in [("up", 11, 3000), ("down", 11, 2000), ("up", 10, 2000)] {
            let mut price = price("1000", "month", 1);
            price["transform_quantity"] = json!({ "divide_by": 5, "round": round });
            let one = of(json!([{ "price": price, "quantity": quantity }]));
            assert_eq!(mrr(&one), Ok(month), "{round} {quantity}");
        }
    }

    #[test]
    fn discounts_that_last_lower_it_and_others_do_not() {
        let items = json!([
            { "price": price("1000", "month", 1) },
            { "price": { "id": "p2", "product": "prod_2", "currency": "usd", "unit_amount": 24000, "recurring": { "interval": "year", "interval_count": 1 } } },
        ]);
        for (discount, month) in [
            (json!({ "percent_off": 50 }), 1500),
            (json!({ "percent_off": 25.5 }), 2235),
            (json!({ "percent_off": 33.33 }), 2000),
            (json!({ "percent_off": 100.0 }), 0),
            (json!({ "percent_off": 50, "duration": "once" }), 3000),
            (
                json!({ "percent_off": 50, "duration": "repeating", "duration_in_months": 3 }),
                3000,
            ),
            (json!({ "amount_off": 400 }), 2600),
            (json!({ "amount_off": 9000 }), 0),
            (
                json!({ "percent_off": 50, "applies_to": { "products": ["prod_1"] } }),
                2500,
            ),
            (
                json!({ "amount_off": 2400, "applies_to": { "products": ["prod_2"] } }),
                2800,
            ),
            (
                json!({ "amount_off": 1200, "applies_to": { "products": ["prod_1"] } }),
                2000,
            ),
            (
                json!({ "amount_off": 1200, "applies_to": { "products": ["gone"] } }),
                3000,
            ),
        ] {
            let one = with(of(items.clone()), "discount", coupon(discount.clone()));
            assert_eq!(mrr(&one), Ok(month), "{discount}");
        }
        let stacked = json!([
            coupon(json!({ "percent_off": 50 })),
            coupon(json!({ "amount_off": 500 }))
        ]);
        assert_eq!(
            mrr(&with(of(items.clone()), "discounts", stacked)),
            Ok(1000)
        );
        let unknown = with(of(items.clone()), "discounts", json!(["di_1"]));
        assert_eq!(mrr(&unknown), Err(UNKNOWN_DISCOUNT));
        let foreign = coupon(json!({ "amount_off": 400, "currency": "eur" }));
        assert_eq!(
            mrr(&with(of(items), "discount", foreign)),
            Err(UNKNOWN_DISCOUNT)
        );
    }

    #[test]
    fn the_amount_is_the_one_of_the_currency_that_is_paid() {
        let mut price = price("1000", "month", 1);
        price["currency_options"] = json!({ "pln": { "unit_amount_decimal": "4200" } });
        let one = with(of(json!([{ "price": price }])), "currency", json!("pln"));
        assert_eq!(mrr(&one), Ok(4200));
        let other = with(one, "currency", json!("eur"));
        assert_eq!(mrr(&other), Err(UNKNOWN_PRICE));
        for currency in HUNDREDTHS {
            let price = json!({ "unit_amount": 500_050, "currency": currency, "recurring": { "interval": "month" } });
            let one = with(of(json!([{ "price": price }])), "currency", json!(currency));
            assert_eq!(mrr(&one), Ok(5001));
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_number() {
        let good = json!({ "price": price("1000", "month", 1), "quantity": 1 });
        let mut bad = Vec::new();
        for (path, value) in [
            ("/price/unit_amount_decimal", json!("ten")),
            ("/price/unit_amount_decimal", json!("-5")),
            ("/price/unit_amount_decimal", json!("0.1234567890123")),
            ("/price/unit_amount_decimal", Value::Null),
            ("/price/recurring/interval", json!("fortnight")),
            ("/price/recurring/interval", Value::Null),
            ("/price/recurring/interval_count", json!(0)),
            ("/price/recurring/interval_count", json!("2")),
            ("/quantity", json!(-1)),
            ("/quantity", json!("2")),
            ("/quantity", json!(1.5)),
            ("/price", json!("price_1")),
            ("/price", json!([])),
        ] {
            let mut item = good.clone();
            *item.pointer_mut(path).expect(path) = value;
            bad.push(item);
        }
        bad.extend([json!({}), json!("si_1"), Value::Null]);
        for item in bad {
            assert!(mrr(&of(json!([item]))).is_err(), "{item}");
        }
        let huge = "9".repeat(36);
        let huge = json!({ "price": price(&huge, "day", 1), "quantity": u64::MAX });
        assert_eq!(mrr(&of(json!([huge]))), Err(TOO_LARGE));
        for subscription in [json!({}), json!([]), json!("sub_1"), Value::Null] {
            assert_eq!(mrr(&subscription), Ok(0), "{subscription}");
        }
    }
}
