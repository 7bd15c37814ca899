//! What an expression may call, for people: each filter and test with what it takes and gives, and an example with its result.
//! A test evaluates the examples and compares the names with the ones that expressions may use.

use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

static CALLS: LazyLock<Calls> =
    LazyLock::new(|| toml::from_str(include_str!("reference.toml")).unwrap_or_default());

/// Filters, as in `x | date`, and tests, as in `x is defined`.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    #[serde(rename(deserialize = "filter"))]
    pub filters: Vec<Call>,
    #[serde(rename(deserialize = "test"))]
    pub tests: Vec<Call>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub name: String,
    /// What is written between the brackets; none where there are none.
    pub argument: Option<String>,
    pub takes: String,
    pub gives: String,
    pub example: String,
    /// JSON, like `result`.
    pub record: String,
    pub result: String,
}

pub fn calls() -> &'static Calls {
    &CALLS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::scan::{BUILTIN_FILTERS, MORE_TESTS, TESTS};
    use crate::expression::{Expression, Filter};
    use std::collections::BTreeSet;

    #[test]
    fn every_filter_and_test_is_explained() {
        let names = |calls: &'static [Call]| calls.iter().map(|call| call.name.as_str());
        let filters = Filter::ALL.map(Filter::name).into_iter();
        let filters: BTreeSet<&str> = filters.chain(BUILTIN_FILTERS).collect();
        assert_eq!(names(&calls().filters).collect::<BTreeSet<_>>(), filters);
        let tests: BTreeSet<&str> = TESTS.into_iter().chain(MORE_TESTS).collect();
        assert_eq!(names(&calls().tests).collect::<BTreeSet<_>>(), tests);
    }

    #[test]
    fn every_example_has_its_result() {
        let mut wrong = Vec::new();
        for call in calls().filters.iter().chain(&calls().tests) {
            assert!(call.example.contains(&call.name), "{}", call.example);
            let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            let expression = Expression::parse(&call.example).expect("a valid expression");
            let result = expression.eval(&json(&call.record), None);
            if result != Ok(Some(json(&call.result))) {
                wrong.push((&call.example, result));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_filter_with_an_argument_says_so() {
        for call in &calls().filters {
            if let Some(filter) = Filter::find(&call.name) {
                assert_eq!(call.argument.is_some(), filter.may_take_argument());
                let is_needed = call
                    .argument
                    .as_ref()
                    .is_some_and(|text| text.contains("needed"));
                assert_eq!(is_needed, filter.takes_argument(), "{}", call.name);
            }
        }
    }
}
