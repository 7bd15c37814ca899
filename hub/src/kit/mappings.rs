//! The default mappings that a connector brings along, compiled before anybody takes it: what cannot be compiled would stop
//! every command of a hub that has it. Knows no manifest.

use crate::expression::{Expression, shown};
use crate::model::Description;
use crate::problem::{Problem, codes};

/// The first mapping that this hub cannot compile, as a problem.
pub fn check(description: &Description) -> Result<(), Problem> {
    for stream in &description.streams {
        let mapping = stream.mapping.iter();
        for (what, text) in mapping.flat_map(|mapping| mapping.expressions()) {
            if let Err(error) = Expression::parse(text) {
                let message = format!(
                    "the connector's own mapping of `{}` has `{}` by `{}`: {error}",
                    stream.name,
                    shown(&what),
                    shown(text)
                );
                let problem = Problem::new(&codes::BAD_DEFAULT_MAPPING, message);
                return Err(
                    problem.hint("report it to the connector's author, or take another version")
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConsentText, StreamMapping, StreamSpec};

    #[test]
    fn every_expression_of_a_mapping_is_compiled() {
        let described = |change: &dyn Fn(&mut StreamMapping, String)| {
            let mut mapping = StreamMapping {
                to: "person".to_owned(),
                key: "id".to_owned(),
                ..StreamMapping::default()
            };
            change(&mut mapping, format!("{}1", "-".repeat(30_000)));
            Description {
                streams: vec![StreamSpec {
                    name: "people".to_owned(),
                    mapping: Some(mapping),
                    ..StreamSpec::default()
                }],
                ..Description::default()
            }
        };
        assert_eq!(check(&described(&|_, _| ())), Ok(()));
        let consent =
            |status: String, at: Option<String>| ("news".to_owned(), ConsentText { status, at });
        let changes: [(&str, &dyn Fn(&mut StreamMapping, String)); 6] = [
            ("key", &|mapping, text| mapping.key = text),
            ("updated_at", &|mapping, text| {
                mapping.updated_at = Some(text)
            }),
            ("created_at", &|mapping, text| {
                mapping.created_at = Some(text)
            }),
            ("email", &|mapping, text| {
                mapping.map = [("email".to_owned(), text)].into()
            }),
            ("consent.news", &|mapping, text| {
                mapping.consent = [consent(text, None)].into()
            }),
            ("consent.news.at", &|mapping, text| {
                mapping.consent = [consent("'granted'".to_owned(), Some(text))].into();
            }),
        ];
        for (what, change) in changes {
            let problem = check(&described(change)).unwrap_err();
            assert_eq!(problem.code.id, "OF0212");
            let said = format!("of `people` has `{what}` by `-----");
            assert!(problem.message.contains(&said), "{problem}");
            assert!(problem.message.len() < 500, "{problem}");
        }
    }
}
