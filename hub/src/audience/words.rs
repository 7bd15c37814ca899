//! Conditions in a few words, for logs and explanations. A condition's own values, never a person's.

use crate::expression::{Comparison, Condition, Measure, POSITIONS, Step, Test, Window};
use crate::model::{EntityKind, Value};

/// What a condition asks, without the conditions inside of it.
pub(super) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::All(parts) if parts.is_empty() => "everybody".to_owned(),
        Condition::Any(parts) if parts.is_empty() => "nobody".to_owned(),
        Condition::All(_) => "all of".to_owned(),
        Condition::Any(_) => "any of".to_owned(),
        Condition::Not(_) => "not".to_owned(),
        Condition::Trait { name, test: asked } => format!("`{name}` {}", test(asked, true)),
        Condition::Near { name, from, until } => format!("`{name}` {}", near(*from, *until, true)),
        Condition::Audience { name, lasting: 0 } => format!("in audience `{name}`"),
        Condition::Audience { name, lasting } => {
            format!("in audience `{name}` for {}", duration(*lasting))
        }
        Condition::AccountAudience { name, lasting: 0 } => format!("account in audience `{name}`"),
        Condition::AccountAudience { name, lasting } => {
            format!("account in audience `{name}` for {}", duration(*lasting))
        }
        Condition::People {
            who,
            at_least,
            at_most,
            ..
        } => {
            let count = bounds(*at_least, *at_most).unwrap_or("any number".to_owned());
            people(&count, who)
        }
        Condition::Consent { purpose } => format!("consent to `{purpose}`"),
        Condition::Split { name, from, until } => split(name, *from, *until),
        Condition::Sequence {
            steps,
            window: last,
        } => {
            format!("{}{}", sequence(steps), window(*last))
        }
        Condition::Event {
            name,
            filter,
            window: when,
            measure,
        } => {
            let name = EntityKind::shown(name);
            let filter = filtered(filter);
            let when = window(*when);
            match measure {
                Measure::Count { at_least, at_most } => {
                    let count = bounds(*at_least, *at_most).unwrap_or("1 or more".to_owned());
                    format!("{count} `{name}`{filter}{when}")
                }
                Measure::Sum {
                    property,
                    at_least,
                    at_most,
                } => {
                    let sum = bounds(*at_least, *at_most).unwrap_or("anything".to_owned());
                    format!("sum of `{property}` over `{name}`{filter}{when} is {sum}")
                }
            }
        }
    }
}

/// `2 or more people (…)`
pub(super) fn people(count: &str, who: &Condition) -> String {
    match who {
        Condition::All(parts) if parts.is_empty() => format!("{count} people"),
        who => match whole(who) {
            group if group.starts_with('(') => format!("{count} people {group}"),
            one => format!("{count} people ({one})"),
        },
    }
}

/// A condition with the conditions inside of it.
fn whole(condition: &Condition) -> String {
    let joined = |parts: &[Condition], with: &str| {
        let parts: Vec<String> = parts.iter().map(whole).collect();
        format!("({})", parts.join(with))
    };
    match condition {
        Condition::All(parts) if parts.len() > 1 => joined(parts, " and "),
        Condition::Any(parts) if parts.len() > 1 => joined(parts, " or "),
        Condition::All(parts) | Condition::Any(parts) if parts.len() == 1 => whole(&parts[0]),
        Condition::Not(part) => format!("not {}", whole(part)),
        leaf => self::condition(leaf),
    }
}

fn bounds<T: std::fmt::Display + PartialEq>(
    at_least: Option<T>,
    at_most: Option<T>,
) -> Option<String> {
    match (at_least, at_most) {
        (None, None) => None,
        (Some(least), None) => Some(format!("{least} or more")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (Some(least), Some(most)) if least == most => Some(format!("exactly {least}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
    }
}

fn filtered(filter: &[(String, Test)]) -> String {
    let tests: Vec<String> = filter
        .iter()
        .map(|(property, asked)| format!("`{property}` {}", test(asked, true)))
        .collect();
    match tests.is_empty() {
        true => String::new(),
        false => format!(" where {}", tests.join(" and ")),
    }
}

/// `A`, then `B` within 7 days
pub(super) fn sequence(steps: &[Step]) -> String {
    let steps: Vec<String> = steps
        .iter()
        .map(|step| {
            let within = step
                .within
                .map(|within| format!(" within {}", duration(within)));
            let within = within.unwrap_or_default();
            format!("`{}`{}{within}", step.name, filtered(&step.filter))
        })
        .collect();
    steps.join(", then ")
}

pub(super) fn split(name: &str, from: u32, until: u32) -> String {
    let percent = |positions: u32| f64::from(positions) * 100.0 / f64::from(POSITIONS);
    format!(
        "split `{name}` from {}% to {}%",
        percent(from),
        percent(until)
    )
}

pub(super) fn near(from: i64, until: i64, holds: bool) -> String {
    let is = if holds { "is" } else { "is not" };
    match (from, until) {
        (from, 0) => format!("{is} within the next {}", duration(from.saturating_neg())),
        (_, until) => format!("{is} within the last {}", duration(until)),
    }
}

pub(super) fn window(window: Window) -> String {
    match window {
        Window::Ever => String::new(),
        Window::Within(length) => format!(" in {}", duration(length)),
        Window::Between(from, to) => format!(" from {} to {}", from.to_minutes(), to.to_minutes()),
    }
}

pub(super) fn duration(millis: i64) -> String {
    const UNITS: [(i64, &str); 4] = [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
    ];
    match UNITS
        .iter()
        .find(|(size, _)| millis > 0 && millis % size == 0)
    {
        Some((size, unit)) if millis == *size => format!("1 {unit}"),
        Some((size, unit)) => format!("{} {unit}s", millis / size),
        None => format!("{millis} ms"),
    }
}

pub(super) fn test(test: &Test, holds: bool) -> String {
    let is = if holds { "is" } else { "is not" };
    match test {
        Test::Is(asked) => format!("{is} {}", value(asked)),
        Test::In(values) => {
            let values: Vec<_> = values.iter().map(value).collect();
            format!("{is} one of {}", values.join(", "))
        }
        Test::Contains(part) if holds => format!("contains `{part}`"),
        Test::Contains(part) => format!("does not contain `{part}`"),
        Test::Matches(pattern) if holds => format!("matches `{}`", pattern.as_str()),
        Test::Matches(pattern) => format!("does not match `{}`", pattern.as_str()),
        Test::Exists(wanted) if *wanted == holds => "exists".to_owned(),
        Test::Exists(_) => "does not exist".to_owned(),
        Test::Before(time) => format!("{is} before {}", time.to_minutes()),
        Test::After(time) => format!("{is} after {}", time.to_minutes()),
        Test::Compare(comparison, bound) => format!("{is} {} {bound}", compared(*comparison)),
        Test::IsTrait(name) => format!("{is} the person's `{name}`"),
        Test::CompareTrait(comparison, name) => {
            format!("{is} {} the person's `{name}`", compared(*comparison))
        }
    }
}

fn compared(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::AtLeast => "at least",
        Comparison::AtMost => "at most",
        Comparison::Above => "above",
        Comparison::Below => "below",
    }
}

pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}
