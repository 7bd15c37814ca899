//! Converts the value of a reserved field to its shape, or says what was expected.

use crate::expression::{Filter, country_code, scalar_text, to_date, to_timestamp};
use crate::model::{Shape, Value};

/// Null stays null; a blank text clears, except where an amount is expected.
pub fn to_shape(shape: Shape, value: Value) -> Result<Value, &'static str> {
    if value.is_null()
        || (shape != Shape::Money && value.as_str().is_some_and(|text| text.trim().is_empty()))
    {
        return Ok(Value::Null);
    }
    match shape {
        Shape::Text => match value {
            Value::String(_) => Ok(value),
            Value::Number(number) => Ok(number.to_string().into()),
            _ => Err("a text"),
        },
        Shape::TextOrObject => match value {
            Value::String(_) | Value::Object(_) => Ok(value),
            _ => Err("a text or an object"),
        },
        Shape::Number => Filter::Number
            .apply(&value, None, None)
            .map_err(|_| "a number"),
        Shape::Time => match to_timestamp(&value) {
            Ok(time) => Ok(time.0.into()),
            Err(_) => Err("a time"),
        },
        Shape::Date => match to_date(&value) {
            Ok(date) => Ok(date.into()),
            Err(_) => Err("a date"),
        },
        Shape::Country => match value.as_str().and_then(country_code) {
            Some(code) => Ok(code.into()),
            None => Err("a country's ISO 3166 code or English name"),
        },
        Shape::Currency => match scalar_text(&value).map(|text| text.trim().to_ascii_uppercase()) {
            Some(code) if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => {
                Ok(code.into())
            }
            _ => Err("a currency's three letters in ISO 4217"),
        },
        Shape::Money if value.is_i64() => Ok(value),
        Shape::Money => Err("a whole number of minor units"),
    }
}
