//! Why a person is in an audience or not, in a few words for the log: the leaf that decided. Never contains a person's value.

use crate::audience::evaluate::{evaluate, measured};
use crate::audience::{Facts, words};
use crate::expression::{Condition, Measure};
use crate::model::{EntityKind, Timestamp};

/// Of several leaves that were all needed, the last about events is named, because that is what time and new data move.
pub fn cause(condition: &Condition, facts: &Facts<'_>, now: Timestamp) -> String {
    let holds = evaluate(condition, facts, now).holds;
    match condition {
        Condition::All(parts) | Condition::Any(parts) if parts.is_empty() => {
            words::condition(condition)
        }
        Condition::All(parts) | Condition::Any(parts) => {
            let by_one = holds == matches!(condition, Condition::Any(_));
            let decisive = match by_one {
                true => {
                    let mut parts = parts.iter();
                    parts.find(|part| evaluate(part, facts, now).holds == holds)
                }
                false => {
                    let mut late = parts.iter().rev();
                    late.find(|part| is_about_events(part)).or(parts.last())
                }
            };
            decisive.map_or_else(String::new, |part| cause(part, facts, now))
        }
        Condition::Not(part) => cause(part, facts, now),
        Condition::Trait { name, test } => format!("`{name}` {}", words::test(test, holds)),
        Condition::Near { name, from, until } => {
            format!("`{name}` {}", words::near(*from, *until, holds))
        }
        Condition::Audience { .. }
        | Condition::AccountAudience { .. }
        | Condition::Split { .. } => {
            let not = if holds { "" } else { "not " };
            format!("{not}{}", words::condition(condition))
        }
        Condition::People { who, step, .. } => {
            words::people(&(facts.people)(step.as_deref()).to_string(), who)
        }
        Condition::Consent { purpose } if holds => format!("consent to `{purpose}`"),
        Condition::Consent { purpose } => format!("no consent to `{purpose}`"),
        Condition::Sequence { steps, window } => {
            let names = steps.iter().map(|step| format!("`{}`", step.name));
            let names: Vec<String> = names.collect();
            let no = if holds { "" } else { "no " };
            format!("{no}{}{}", names.join(", then "), words::window(*window))
        }
        Condition::Event {
            name,
            filter,
            window,
            measure,
        } => {
            let total = measured((name, filter, *window, measure), facts, now);
            let what = if filter.is_empty() {
                ""
            } else {
                " as described"
            };
            let when = words::window(*window);
            let name = EntityKind::shown(name);
            match measure {
                Measure::Count { .. } if total == 0 => format!("no `{name}`{what}{when}"),
                Measure::Count { .. } => format!("{total} `{name}`{what}{when}"),
                Measure::Sum { property, .. } => {
                    format!("sum of `{property}` over `{name}`{what}{when}")
                }
            }
        }
    }
}

fn is_about_events(condition: &Condition) -> bool {
    let mut found = false;
    condition.visit(&mut |leaf| {
        found |= matches!(
            leaf,
            Condition::Event { .. } | Condition::Sequence { .. } | Condition::People { .. }
        );
    });
    found
}
