//! Values of a row as every database takes them. Knows no database and no table.

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arg<'r> {
    Int(i64),
    OptInt(Option<i64>),
    Text(&'r str),
    OptText(Option<&'r str>),
    Bytes(&'r [u8]),
    /// Stored as bytes, eight each, little endian.
    Integers(&'r [i64]),
    Real(f64),
}

impl Arg<'_> {
    /// Whether both are the same value, as far as that is seen without reading texts.
    pub(super) fn is_surely(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::OptInt(a), Self::OptInt(b)) => a == b,
            (Self::OptText(None), Self::OptText(None)) => true,
            (Self::Text(a), Self::Text(b)) | (Self::OptText(Some(a)), Self::OptText(Some(b))) => {
                std::ptr::eq(*a, *b)
            }
            _ => false,
        }
    }
}

/// Integers as `Arg::Integers` stores them.
pub(super) fn pack(integers: &[i64]) -> Vec<u8> {
    integers
        .iter()
        .flat_map(|integer| integer.to_le_bytes())
        .collect()
}

/// Integers as the JSON array that `dialect::IN_INTEGERS` takes.
pub(super) fn json_integers(values: impl IntoIterator<Item = i64>) -> String {
    let mut text = String::from("[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&value.to_string());
    }
    text.push(']');
    text
}
