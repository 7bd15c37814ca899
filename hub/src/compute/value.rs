//! Values with one spelling and one order, and numbers as fixed-point integers: what makes results independent of the order
//! of events. Owns no trait.

use crate::compute::FaultKind;
use crate::expression::scale;
use crate::model::Value;
use std::cmp::Ordering;

/// Parts of one in an amount.
const PARTS: i128 = 10_000;
/// Beyond this no fraction has survived anyway, and sums could leave 128 bits.
const LARGEST: f64 = 1e24;

/// A value that is not null. 5.0 is 5. False and true come first, then numbers by size, texts by their characters, and the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Flag(bool),
    Number(Size),
    Text(String),
    /// A list or an object as JSON.
    Json(String),
}

impl Key {
    pub fn read(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::Number(Size::read(number)),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => Self::Json(value.to_string()),
        })
    }

    pub fn is_single(&self) -> bool {
        !matches!(self, Self::Json(_))
    }

    pub fn size(&self) -> Option<Size> {
        match self {
            Self::Number(size) => Some(*size),
            Self::Flag(_) | Self::Text(_) | Self::Json(_) => None,
        }
    }

    pub fn to_value(&self) -> Value {
        match self {
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Number(size) => size.to_value(),
            Self::Text(text) => Value::String(text.clone()),
            Self::Json(text) => serde_json::from_str(text).unwrap_or_default(),
        }
    }
}

/// A number. It is `Whole` whenever it is one that JSON can write as such, so that equal numbers are equal here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    Whole(i128),
    Real(f64),
}

impl Size {
    pub fn read(number: &serde_json::Number) -> Self {
        let whole = number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from));
        match whole {
            Some(whole) => Self::Whole(whole),
            None => Self::from_real(number.as_f64().unwrap_or_default()),
        }
    }

    pub fn from_real(real: f64) -> Self {
        if real.fract() == 0.0 && fits_json(real as i128) {
            Self::Whole(real as i128)
        } else {
            Self::Real(real)
        }
    }

    pub fn as_real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }

    /// In ten-thousandths.
    pub fn parts(self) -> Result<i128, FaultKind> {
        match self {
            Self::Whole(whole) => Ok(whole * PARTS),
            Self::Real(real) if real.abs() <= LARGEST => Ok(scale(real)),
            Self::Real(_) => Err(FaultKind::TooLarge),
        }
    }

    pub fn to_value(self) -> Value {
        match self {
            Self::Whole(whole) => match (i64::try_from(whole), u64::try_from(whole)) {
                (Ok(whole), _) => whole.into(),
                (Err(_), Ok(whole)) => whole.into(),
                (Err(_), Err(_)) => (whole as f64).into(),
            },
            Self::Real(real) => real.into(),
        }
    }
}

fn fits_json(whole: i128) -> bool {
    i128::from(i64::MIN) <= whole && whole <= i128::from(u64::MAX)
}

impl Ord for Size {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(&b),
            (Self::Whole(a), Self::Real(b)) => below(a, b),
            (Self::Real(a), Self::Whole(b)) => below(b, a).reverse(),
        }
    }
}

/// A real that is not whole, or beyond every whole one, equals none. The conversion stops at the largest integer.
fn below(whole: i128, real: f64) -> Ordering {
    if whole <= real.floor() as i128 {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

impl PartialOrd for Size {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Size {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Size {}

/// `parts` ten-thousandths divided by `count`: a whole number when it is one, else the nearest real.
pub(super) fn quotient(parts: i128, count: usize) -> Value {
    let divisor = PARTS * count.max(1) as i128;
    if parts % divisor == 0 && fits_json(parts / divisor) {
        Size::Whole(parts / divisor).to_value()
    } else {
        Size::from_real(parts as f64 / divisor as f64).to_value()
    }
}

/// The same value in the spelling that every computed trait has.
pub(super) fn spelled(value: Value) -> Value {
    match value {
        Value::Number(number) => Size::read(&number).to_value(),
        other => other,
    }
}
