//! JSON in columns of the store: written from values, and parsed again. A stored row that cannot be read is an error, never an
//! empty value: that would be written back in its place.

use crate::problem::Problem;
use crate::problem::codes::STORE_UNREADABLE;
use crate::store::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;

const DAMAGED: &str = "the file is damaged, or something other than the hub wrote to it: put a backup in its place; nothing was \
    written over the row";

/// JSON of a value that has text keys and finite numbers only.
pub fn to_json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("maps with text keys always serialise");
    // Thousands of these texts are in memory at a time until they are written.
    text.shrink_to_fit();
    text
}

/// Parses what `to_json` wrote. `column` is `TABLE.COLUMN` and `row` the number of the row, or its name where that is not
/// personal data: the problem names both and quotes nothing of the text.
pub fn read<T: DeserializeOwned>(column: &str, row: impl Display, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!(
            "`{column}` of row {row} cannot be read: {} at column {}",
            fault(&error),
            error.column()
        );
        Problem::new(&STORE_UNREADABLE, message).hint(DAMAGED)
    })
}

/// The problem of a word in a column that this version does not know.
pub fn unknown(column: &str, row: impl Display) -> Problem {
    let message = format!("`{column}` of row {row} holds a word that is not one of its own");
    Problem::new(&STORE_UNREADABLE, message).hint(DAMAGED)
}

/// The library's own messages quote the text.
fn fault(error: &serde_json::Error) -> &'static str {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "it ends too early",
        Category::Data => "its JSON has another shape",
        Category::Syntax | Category::Io => "it is not JSON",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::{read, to_json};
    use crate::model::Fields;

    #[test]
    fn what_was_written_is_read_back() {
        let fields = Fields::from([("a".to_owned(), "\u{1f600}".into())]);
        let text = to_json(&fields);
        assert_eq!(read::<Fields>("person.traits", 7, &text).unwrap(), fields);
    }

    #[test]
    fn a_problem_names_the_row_and_quotes_nothing() {
        for (text, fault) in [
            (r#"{"email":"ada@example.com""#, "it ends too early"),
            (r#"["ada@example.com"]"#, "its JSON has another shape"),
            (r#"{"email":ada@example.com}"#, "it is not JSON"),
        ] {
            let problem = read::<Fields>("person.traits", 7, text).unwrap_err();
            assert_eq!(problem.code.id, "OF0802");
            let begins = format!("`person.traits` of row 7 cannot be read: {fault}");
            assert!(problem.message.starts_with(&begins), "{problem:?}");
            assert!(!format!("{problem:?}").contains("ada@"), "{problem:?}");
        }
    }
}
