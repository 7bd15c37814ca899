//! Why somebody is in an audience or not, in a few words for the log: the leaf that decided. Never a person's value.

use crate::audience::Facts;
use crate::audience::evaluate::{evaluate, measured};
use crate::expression::{Comparison, Condition, Measure, Test, Window};
use crate::model::{Timestamp, Value};

/// Of several leaves that were all needed, the last about events is named, because that is what time and new data move.
pub fn cause(condition: &Condition, facts: &Facts<'_>, now: Timestamp) -> String {
    let holds = evaluate(condition, facts, now).holds;
    match condition {
        Condition::All(parts) if parts.is_empty() => "everybody".to_owned(),
        Condition::Any(parts) if parts.is_empty() => "nobody".to_owned(),
        Condition::All(parts) | Condition::Any(parts) => {
            let decided_by_one = holds == matches!(condition, Condition::Any(_));
            let decisive = if decided_by_one {
                parts
                    .iter()
                    .find(|part| evaluate(part, facts, now).holds == holds)
            } else {
                parts
                    .iter()
                    .rev()
                    .find(|part| is_about_events(part))
                    .or(parts.last())
            };
            decisive.map_or_else(String::new, |part| cause(part, facts, now))
        }
        Condition::Not(part) => cause(part, facts, now),
        Condition::Trait { name, test } => format!("`{name}` {}", describe_test(test, holds)),
        Condition::Audience { name } if holds => format!("in audience `{name}`"),
        Condition::Audience { name } => format!("not in audience `{name}`"),
        Condition::Consent { purpose } if holds => format!("consent to `{purpose}`"),
        Condition::Consent { purpose } => format!("no consent to `{purpose}`"),
        Condition::Event {
            name,
            filter,
            window,
            measure,
        } => {
            let total = measured((name, filter, *window, measure), facts.events, now);
            let what = if filter.is_empty() {
                ""
            } else {
                " as described"
            };
            let when = describe_window(*window);
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
    match condition {
        Condition::Event { .. } => true,
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(is_about_events),
        Condition::Not(part) => is_about_events(part),
        Condition::Trait { .. } | Condition::Audience { .. } | Condition::Consent { .. } => false,
    }
}

fn describe_window(window: Window) -> String {
    const UNITS: [(i64, &str); 4] = [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
    ];
    match window {
        Window::Ever => String::new(),
        Window::Within(duration) => match UNITS
            .iter()
            .find(|(size, _)| duration > 0 && duration % size == 0)
        {
            Some((size, unit)) if duration == *size => format!(" in 1 {unit}"),
            Some((size, unit)) => format!(" in {} {unit}s", duration / size),
            None => format!(" in {duration} ms"),
        },
        Window::Between(from, to) => format!(" from {} to {}", from.to_minutes(), to.to_minutes()),
    }
}

fn describe_test(test: &Test, holds: bool) -> String {
    let is = if holds { "is" } else { "is not" };
    match test {
        Test::Is(value) => format!("{is} {}", describe_value(value)),
        Test::In(values) => {
            let values: Vec<_> = values.iter().map(describe_value).collect();
            format!("{is} one of {}", values.join(", "))
        }
        Test::Contains(part) if holds => format!("contains `{part}`"),
        Test::Contains(part) => format!("does not contain `{part}`"),
        Test::Exists(wanted) if *wanted == holds => "exists".to_owned(),
        Test::Exists(_) => "does not exist".to_owned(),
        Test::Before(time) => format!("{is} before {}", time.to_minutes()),
        Test::After(time) => format!("{is} after {}", time.to_minutes()),
        Test::Compare(comparison, bound) => {
            let comparison = match comparison {
                Comparison::AtLeast => "at least",
                Comparison::AtMost => "at most",
                Comparison::Above => "above",
                Comparison::Below => "below",
            };
            format!("{is} {comparison} {bound}")
        }
    }
}

fn describe_value(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}
