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

    fn described(mapping: StreamMapping) -> Description {
        Description {
            streams: vec![StreamSpec {
                name: "people".to_owned(),
                mapping: Some(mapping),
                ..StreamSpec::default()
            }],
            ..Description::default()
        }
    }

    #[test]
    fn every_expression_of_a_mapping_is_compiled() {
        let good = StreamMapping {
            to: vec!["person".to_owned()],
            key: "id".to_owned(),
            updated_at: Some("changed".to_owned()),
            created_at: Some("made".to_owned()),
            map: [("email".to_owned(), "email".to_owned())].into(),
            consent: [(
                "news".to_owned(),
                ConsentText {
                    status: "news".to_owned(),
                    at: Some("since".to_owned()),
                },
            )]
            .into(),
            ..StreamMapping::default()
        };
        assert_eq!(check(&described(good.clone())), Ok(()));
        let all = good.expressions();
        let names: Vec<&str> = all.iter().map(|(what, _)| what.as_str()).collect();
        assert_eq!(
            names,
            [
                "key",
                "updated_at",
                "created_at",
                "email",
                "consent.news",
                "consent.news.at"
            ]
        );
        let deep = StreamMapping {
            key: format!("{}1", "-".repeat(30_000)),
            ..good
        };
        let problem = check(&described(deep)).unwrap_err();
        assert_eq!(problem.code.id, "OF0212");
        assert!(
            problem.message.contains("of `people` has `key` by `-----"),
            "{problem}"
        );
        assert!(problem.message.len() < 500, "{problem}");
    }
}
