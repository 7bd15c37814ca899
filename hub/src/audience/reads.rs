//! What conditions read, so that a caller loads no more than that, and the order in which audiences that refer to others are
//! evaluated.

use crate::expression::{Condition, Measure, Window};
use crate::manifest::Audience;
use crate::model::Timestamp;
use std::collections::BTreeMap;

/// Which events of one name can matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventBound {
    ever: bool,
    within_ms: Option<i64>,
    from: Option<Timestamp>,
    /// Their properties matter, too.
    pub properties: bool,
}

impl EventBound {
    /// Every event, whole.
    pub const ALL: Self = Self {
        ever: true,
        within_ms: None,
        from: None,
        properties: true,
    };

    /// Events at or before this time change nothing at `now` or later; nothing when every event matters.
    pub fn after(&self, now: Timestamp) -> Option<Timestamp> {
        if self.ever {
            return None;
        }
        let window = self
            .within_ms
            .map(|duration| now.0.saturating_sub(duration));
        let from = self.from.map(|from| from.0.saturating_sub(1));
        match (window, from) {
            (Some(a), Some(b)) => Some(Timestamp(a.min(b))),
            (a, b) => a.or(b).map(Timestamp),
        }
    }

    fn widen(&mut self, window: Window) {
        match window {
            Window::Ever => self.ever = true,
            Window::Within(duration) => self.within_ms = self.within_ms.max(Some(duration)),
            Window::Between(from, _) => {
                self.from = Some(self.from.map_or(from, |known| known.min(from)));
            }
        }
    }
}

/// The names of the events that the conditions read, each with its bound. Empty: no events need to be loaded.
pub fn events_read<'a>(
    conditions: impl IntoIterator<Item = &'a Condition>,
) -> BTreeMap<&'a str, EventBound> {
    let mut read: BTreeMap<&str, EventBound> = BTreeMap::new();
    for condition in conditions {
        condition.visit(&mut |leaf| match leaf {
            Condition::Event {
                name,
                filter,
                window,
                measure,
            } => {
                let bound = read.entry(name).or_default();
                bound.widen(*window);
                bound.properties |= !filter.is_empty() || matches!(measure, Measure::Sum { .. });
            }
            Condition::Sequence { steps, window } => {
                let mut window = *window;
                for step in steps.iter().rev() {
                    let bound = read.entry(&step.name).or_default();
                    bound.widen(window);
                    bound.properties |= !step.filter.is_empty();
                    window = before(window, step.within);
                }
            }
            _ => {}
        });
    }
    read
}

/// Where the event before one of `window` can be.
fn before(window: Window, within: Option<i64>) -> Window {
    match (window, within) {
        (Window::Within(duration), Some(within)) => Window::Within(duration.saturating_add(within)),
        (Window::Between(from, to), Some(within)) => {
            Window::Between(Timestamp(from.0.saturating_sub(within)), to)
        }
        (Window::Ever, _) | (_, None) => Window::Ever,
    }
}

/// The audiences that a condition refers to.
pub fn depends_on(condition: &Condition) -> Vec<&str> {
    let mut names = Vec::new();
    condition.visit(&mut |leaf| match leaf {
        Condition::Audience { name, .. } | Condition::AccountAudience { name, .. } => {
            names.push(name.as_str());
        }
        Condition::People { step, .. } => names.extend(step.as_deref()),
        _ => {}
    });
    names
}

/// Indices of the audiences, each after the ones it refers to. Cycles, which `manifest` reports, are in some order.
pub fn order(audiences: &[Audience]) -> Vec<usize> {
    let mut index_of = BTreeMap::new();
    for (index, audience) in audiences.iter().enumerate() {
        index_of.entry(&*audience.name).or_insert(index);
    }
    let needs: Vec<Vec<usize>> = audiences
        .iter()
        .map(|audience| {
            let needs = depends_on(&audience.who).into_iter();
            needs
                .filter_map(|name| index_of.get(name).copied())
                .collect()
        })
        .collect();

    let mut ordered = Vec::with_capacity(audiences.len());
    let mut seen = vec![false; audiences.len()];
    for start in 0..audiences.len() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        // Each audience with the number of its needs that have been looked at.
        let mut path = vec![(start, 0)];
        while let Some((audience, next)) = path.last_mut() {
            match needs[*audience].get(*next) {
                Some(&need) => {
                    *next += 1;
                    if !std::mem::replace(&mut seen[need], true) {
                        path.push((need, 0));
                    }
                }
                None => {
                    ordered.push(*audience);
                    path.pop();
                }
            }
        }
    }
    ordered
}
