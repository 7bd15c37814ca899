//! Traits over events: which events count, and a window that moves over them in time. The running totals are in `tally`.

use crate::compute::tally::{Reading, Tally};
use crate::compute::value::{Key, Size, quotient};
use crate::compute::{Answer, Event, FaultKind};
use crate::expression::{Test, Window, passes};
use crate::manifest::Aggregate;
use crate::model::{Timestamp, Value};

/// The aggregate over the events of one name that pass the filter in the window, at `now`.
pub(super) fn over(
    name: &str,
    filter: &[(String, Test)],
    window: Window,
    aggregate: &Aggregate,
    events: &[Event<'_>],
    now: Timestamp,
) -> Answer {
    let counting = events
        .iter()
        .filter(|event| event.name == name && is_inside(event, window) && fits(event, filter));
    let mut items: Vec<Item> = counting
        .filter_map(|event| Item::read(event, aggregate))
        .collect();
    items.sort_unstable();
    let mut slide = Slide {
        items: &items,
        lasts: match window {
            Window::Within(duration) => Some(duration),
            Window::Ever | Window::Between(..) => None,
        },
        aggregate,
        low: 0,
        high: 0,
        tally: Tally::default(),
    };
    slide.move_to(now);
    let (value, fault) = slide.outcome();
    let changes_at = loop {
        let Some(moment) = slide.next_moment() else {
            break None;
        };
        slide.move_to(moment);
        if slide.outcome().0 != value {
            break Some(moment);
        }
    };
    Answer {
        value,
        fault,
        changes_at,
    }
}

fn is_inside(event: &Event<'_>, window: Window) -> bool {
    match window {
        Window::Ever | Window::Within(_) => true,
        Window::Between(from, to) => from <= event.time && event.time < to,
    }
}

fn fits(event: &Event<'_>, filter: &[(String, Test)]) -> bool {
    filter
        .iter()
        .all(|(property, test)| passes(event.properties.get(property), test))
}

/// One event that counts. The order is that of time, then of value.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    time: Timestamp,
    reading: Reading,
}

impl Item {
    /// Nothing when the event lacks the property that is asked for.
    fn read(event: &Event<'_>, aggregate: &Aggregate) -> Option<Self> {
        let key = match aggregate.of() {
            Some(property) => Key::read(event.properties.get(property)?)?,
            None => Key::Number(Size::Whole(event.time.0.into())),
        };
        let any = matches!(
            aggregate,
            Aggregate::Count | Aggregate::First { .. } | Aggregate::Last { .. }
        );
        let by_size = matches!(aggregate, Aggregate::Min { .. } | Aggregate::Max { .. });
        let reading = match key.size() {
            _ if any => Ok(key),
            None if aggregate.is_numeric() => Err(FaultKind::NotANumber),
            Some(size) if aggregate.is_numeric() && !by_size => size.parts().map(|_| key),
            _ if key.is_single() => Ok(key),
            _ => Err(FaultKind::NotASingleValue),
        };
        Some(Self {
            time: event.time,
            reading,
        })
    }
}

/// The items that count at one moment are those from `low` to before `high`, because all last equally long.
struct Slide<'a> {
    items: &'a [Item],
    /// Milliseconds; none for no limit.
    lasts: Option<i64>,
    aggregate: &'a Aggregate,
    low: usize,
    high: usize,
    tally: Tally,
}

impl Slide<'_> {
    /// The first moment at which an item counts no longer.
    fn end(&self, item: &Item) -> Option<Timestamp> {
        item.time.0.checked_add(self.lasts?).map(Timestamp)
    }

    /// When an item next enters or leaves.
    fn next_moment(&self) -> Option<Timestamp> {
        let enters = self.items.get(self.high).map(|item| item.time);
        let leaves = self
            .items
            .get(self.low)
            .filter(|_| self.low < self.high)
            .and_then(|item| self.end(item));
        super::earliest(enters, leaves)
    }

    fn move_to(&mut self, moment: Timestamp) {
        let items = self.items;
        while let Some(item) = items.get(self.high).filter(|item| item.time <= moment) {
            self.tally.enter(&item.reading, self.aggregate);
            self.high += 1;
        }
        while let Some(item) = items
            .get(self.low)
            .filter(|item| self.low < self.high && self.end(item).is_some_and(|end| end <= moment))
        {
            self.tally.leave(&item.reading, self.aggregate);
            self.low += 1;
        }
    }

    /// The value at the moment, and what is wrong with it.
    fn outcome(&self) -> (Option<Value>, Option<FaultKind>) {
        if let Some(fault) = self.tally.fault() {
            return (None, Some(fault));
        }
        let items = self.items.get(self.low..self.high).unwrap_or_default();
        let value = |item: Option<&Item>| item?.reading.as_ref().ok().map(Key::to_value);
        let seen = &self.tally.seen;
        let value = match self.aggregate {
            Aggregate::Count => Some(items.len().into()),
            Aggregate::Sum { .. } => Some(quotient(self.tally.total, 1)),
            Aggregate::UniqueCount { .. } => Some(seen.len().into()),
            _ if items.is_empty() => None,
            Aggregate::Avg { .. } => Some(quotient(self.tally.total, items.len())),
            Aggregate::Min { .. } => seen.keys().next().map(Key::to_value),
            Aggregate::Max { .. } => seen.keys().next_back().map(Key::to_value),
            Aggregate::First { .. } => value(items.first()),
            Aggregate::Last { .. } => value(items.last()),
            Aggregate::MostFrequent { .. } => self
                .tally
                .most_frequent()
                .filter(|(_, count)| *count >= 2)
                .map(|(key, _)| key.to_value()),
            Aggregate::UniqueList { at_most, .. } => {
                let list = seen.keys().take(*at_most).map(Key::to_value).collect();
                let capped = (seen.len() > *at_most).then_some(FaultKind::Capped);
                return (Some(list), capped);
            }
            Aggregate::MovingAverage { last, .. } => {
                let latest = &items[items.len().saturating_sub(*last)..];
                let parts = sizes(latest).filter_map(|size| size.parts().ok()).sum();
                Some(quotient(parts, latest.len()))
            }
            Aggregate::Exponential { alpha, .. } => smooth(items, *alpha),
        };
        (value, None)
    }
}

fn sizes(items: &[Item]) -> impl Iterator<Item = Size> {
    items
        .iter()
        .filter_map(|item| item.reading.as_ref().ok().and_then(Key::size))
}

/// Below this share of the result nothing of a value could be seen in it: 2⁻⁶⁰.
const SEEN: f64 = 1.0 / (1_u64 << 60) as f64;

/// Simple exponential smoothing (R. G. Brown, Smoothing, Forecasting and Prediction, 1963), begun with the oldest value that
/// could be seen in the result: so its cost at each moment does not grow with the number of events. Written as a correction,
/// so that equal values stay what they are to the last bit.
fn smooth(items: &[Item], alpha: f64) -> Option<Value> {
    let (mut start, mut share) = (items.len(), 1.0);
    while start > 0 && share > SEEN {
        start -= 1;
        share *= 1.0 - alpha;
    }
    sizes(items.get(start..)?)
        .map(Size::as_real)
        .reduce(|smoothed, next| smoothed + alpha * (next - smoothed))
        .map(|smoothed| Size::from_real(smoothed).to_value())
}
