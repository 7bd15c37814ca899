//! A person's events as SQL: counts, sums, sequences.

use super::{Bind, Writer};
use crate::expression::{SCALE, Step, Test, Window, scale};
use crate::model::Timestamp;
use std::fmt::Write;

impl Writer<'_> {
    /// A count is compared with no more events looked at than its bound needs.
    pub(super) fn count(
        &mut self,
        at_least: Option<u64>,
        at_most: Option<u64>,
        name: &str,
        filter: &[(String, Test)],
        window: Window,
    ) {
        let limit = |bound: u64| i64::try_from(bound).unwrap_or(i64::MAX);
        match (at_least, at_most) {
            (None, None) | (Some(1), None) => {
                self.push("exists (select 1");
                self.happened(name, filter, window);
            }
            (Some(least), None) => {
                self.counted(">=", limit(least), limit(least), (name, filter, window));
            }
            (None, Some(most)) => {
                let most = limit(most);
                self.counted("<=", most, most.saturating_add(1), (name, filter, window));
            }
            (Some(least), Some(most)) => {
                self.count(Some(least), None, name, filter, window);
                self.push(" and ");
                self.count(None, Some(most), name, filter, window);
            }
        }
    }

    fn counted(
        &mut self,
        sign: &str,
        bound: i64,
        limit: i64,
        (name, filter, window): (&str, &[(String, Test)], Window),
    ) {
        self.push("(select count(*) from (select 1");
        self.happened(name, filter, window);
        // The closing bracket of the inner query comes after its limit.
        self.text.pop();
        let limit = self.bind(Bind::Integer(limit));
        let bound = self.bind(Bind::Integer(bound));
        let _ = write!(self.text, " limit {limit}) as some) {sign} {bound}");
    }

    pub(super) fn sum(
        &mut self,
        property: &str,
        (at_least, at_most): (Option<f64>, Option<f64>),
        name: &str,
        filter: &[(String, Test)],
        window: Window,
    ) {
        let bounds = [(">=", at_least), ("<=", at_most)];
        self.push("1 = 1");
        for (sign, bound) in bounds {
            let Some(bound) = bound else { continue };
            let property = self.bind(Bind::Text(property.to_owned()));
            let (fields, number) = (
                (self.dialect.fields)("e.properties", "a"),
                (self.dialect.number)("a"),
            );
            let _ = write!(
                self.text,
                " and (select coalesce(sum(round((select {number} from {fields} where a.key = {property}) * {SCALE:.1})), 0)"
            );
            self.happened(name, filter, window);
            let bound = self.bind(Bind::Real(scale(bound) as f64));
            let _ = write!(self.text, " {sign} {bound}");
        }
    }

    /// From the last step back to the first.
    pub(super) fn sequence(&mut self, steps: &[Step], window: Window) {
        let Some(last) = steps.last() else {
            return self.push("1 = 0");
        };
        self.push("exists (select 1");
        self.happened(&last.name, &last.filter, window);
        self.text.pop();
        for (index, pair) in steps.windows(2).enumerate().rev() {
            let (step, next) = (&pair[0], &pair[1]);
            // The last step's event is `e`, the one before it `e1`, and so on.
            let back = steps.len() - 2 - index;
            let later = match back {
                0 => "e".to_owned(),
                back => format!("e{back}"),
            };
            let here = format!("e{}", back + 1);
            self.push(" and exists (select 1");
            self.events(&here, &step.name);
            let _ = write!(self.text, " and {here}.time < {later}.time");
            if let Some(within) = next.within {
                let within = self.bind(Bind::Integer(within));
                let _ = write!(self.text, " and {here}.time > {later}.time - {within}");
            }
            self.filter(&here, &step.filter);
        }
        self.push(&")".repeat(steps.len()));
    }

    /// ` from …)`: the events of person `p` that count now, as `e`.
    fn happened(&mut self, name: &str, filter: &[(String, Test)], window: Window) {
        self.events("e", name);
        let now = self.bind(Bind::Integer(self.now.millis()));
        let _ = write!(self.text, " and e.time <= {now}");
        match window {
            Window::Ever => {}
            Window::Within(duration) => {
                let after = self.bind(Bind::Integer(self.now.millis().saturating_sub(duration)));
                let _ = write!(self.text, " and e.time > {after}");
            }
            Window::Between(from, to) => self.between(from, to),
        }
        self.filter("e", filter);
        self.push(")");
    }

    fn between(&mut self, from: Timestamp, to: Timestamp) {
        let (from, to) = (
            self.bind(Bind::Integer(from.millis())),
            self.bind(Bind::Integer(to.millis())),
        );
        let _ = write!(self.text, " and e.time >= {from} and e.time < {to}");
    }

    /// The component finds a person's evidence by its index; `cross join` keeps the database from beginning with the events.
    fn events(&mut self, alias: &str, name: &str) {
        let name = self.bind(Bind::Text(name.to_owned()));
        let _ = write!(
            self.text,
            " from evidence as v cross join event as {alias} where v.component = p.component and v.person_id = p.id \
             and {alias}.evidence_id = v.id and {alias}.name = {name}"
        );
    }

    fn filter(&mut self, alias: &str, filter: &[(String, Test)]) {
        for (property, test) in filter {
            self.push(" and ");
            self.field(&format!("{alias}.properties"), property, test);
        }
    }
}
