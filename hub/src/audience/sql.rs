//! A condition as one query over everybody, or over people whose ids are in a range: the oracle of `evaluate` and the
//! backfill for new definitions. A second query finds the people whose answer time alone may change.
//!
//! It reads `person(id, uuid, component, traits, consents)`, `evidence(id, component, person_id)`,
//! `event(evidence_id, name, time, properties)` and `membership(audience, person_id, since)`, the JSON columns as texts.
//! Every value and name is bound, never spliced. Each leaf is an `exists` or a comparison of totals, so that it is never
//! null and `not` means what it says.

use crate::audience::Dialect;
use crate::audience::evaluate::{SCALE, scale};
use crate::expression::{Comparison, Condition, Measure, Step, Test, Window};
use crate::model::{Timestamp, Value};
use std::fmt::Write;

#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Selects `id`, ascending. Placeholders are `$1`, `$2`, … in the order of `binds`.
    pub text: String,
    pub binds: Vec<Bind>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    Text(String),
    Integer(i64),
    Real(f64),
}

/// The people of whom a query asks: `after < id <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub after: i64,
    pub last: i64,
}

impl Part {
    pub const EVERYBODY: Self = Self {
        after: i64::MIN,
        last: i64::MAX,
    };
}

/// The ids of the people for whom `condition` holds at `now`.
pub fn sql(condition: &Condition, now: Timestamp, part: Part, dialect: &Dialect) -> Query {
    let mut writer = Writer::new(now, part, dialect);
    writer.condition(condition, Asks::Holds);
    writer.finish()
}

/// The ids of all people for whom the answer can be different at some time after `now` with no new data, and of a few
/// others. Nothing when it can be so for nobody.
pub fn sql_open(
    condition: &Condition,
    now: Timestamp,
    part: Part,
    dialect: &Dialect,
) -> Option<Query> {
    let mut moves = false;
    condition.visit(&mut |leaf| {
        moves |= match leaf {
            Condition::Audience { lasting, .. } => *lasting > 0,
            Condition::Event { .. } | Condition::Sequence { .. } | Condition::Near { .. } => true,
            _ => false,
        };
    });
    moves.then(|| {
        let mut writer = Writer::new(now, part, dialect);
        writer.condition(condition, Asks::MayHold);
        writer.push(" and ");
        writer.condition(condition, Asks::MayFail);
        writer.finish()
    })
}

/// What is asked of a condition: that it holds now, or that there can be a time from now on at which it holds or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Holds,
    MayHold,
    MayFail,
}

impl Asks {
    fn opposite(self) -> Self {
        match self {
            Self::Holds => Self::Holds,
            Self::MayHold => Self::MayFail,
            Self::MayFail => Self::MayHold,
        }
    }
}

struct Writer<'a> {
    dialect: &'a Dialect,
    now: Timestamp,
    text: String,
    binds: Vec<Bind>,
}

impl<'a> Writer<'a> {
    fn new(now: Timestamp, part: Part, dialect: &'a Dialect) -> Self {
        let mut writer = Writer {
            dialect,
            now,
            text: "select p.id from person as p where ".to_owned(),
            binds: Vec::new(),
        };
        if part != Part::EVERYBODY {
            let (after, last) = (
                writer.bind(Bind::Integer(part.after)),
                writer.bind(Bind::Integer(part.last)),
            );
            let _ = write!(writer.text, "p.id > {after} and p.id <= {last} and ");
        }
        writer
    }

    fn finish(mut self) -> Query {
        self.push(" order by p.id");
        Query {
            text: self.text,
            binds: self.binds,
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn bind(&mut self, bind: Bind) -> String {
        self.binds.push(bind);
        format!("${}", self.binds.len())
    }

    fn condition(&mut self, condition: &Condition, asks: Asks) {
        match condition {
            Condition::All(parts) if asks == Asks::MayFail => self.join(parts, false, asks),
            Condition::All(parts) => self.join(parts, true, asks),
            Condition::Any(parts) if asks == Asks::MayFail => self.join(parts, true, asks),
            Condition::Any(parts) => self.join(parts, false, asks),
            Condition::Not(part) if asks == Asks::Holds => {
                self.push("not (");
                self.condition(part, asks);
                self.push(")");
            }
            Condition::Not(part) => self.condition(part, asks.opposite()),
            leaf => {
                self.push(match asks {
                    Asks::MayFail => "(not (",
                    Asks::Holds | Asks::MayHold => "((",
                });
                self.leaf(leaf);
                self.push(")");
                if asks != Asks::Holds {
                    self.open(leaf);
                }
                self.push(")");
            }
        }
    }

    fn join(&mut self, parts: &[Condition], all: bool, asks: Asks) {
        if parts.is_empty() {
            return self.push(if all { "1 = 1" } else { "1 = 0" });
        }
        self.push("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.push(if all { " and " } else { " or " });
            }
            self.condition(part, asks);
        }
        self.push(")");
    }

    /// Whether a condition that holds no others holds now.
    fn leaf(&mut self, condition: &Condition) {
        match condition {
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {
                self.condition(condition, Asks::Holds);
            }
            Condition::Trait { name, test } => self.field("p.traits", name, test),
            Condition::Near { name, from, until } => {
                let now = self.now.millis();
                self.near(
                    name,
                    now.saturating_sub(*until),
                    Some(now.saturating_sub(*from)),
                );
            }
            Condition::Audience { name, lasting: 0 } => self.member(name, None),
            Condition::Audience { name, lasting } => {
                let since = self.now.millis().saturating_sub(*lasting);
                self.member(name, Some(("<=", since)));
            }
            Condition::Consent { purpose } => {
                let purpose = self.bind(Bind::Text(purpose.clone()));
                let (fields, nested) = (
                    (self.dialect.fields)("p.consents", "f"),
                    (self.dialect.nested)("f", "s"),
                );
                let status = (self.dialect.text)("s");
                let _ = write!(
                    self.text,
                    "exists (select 1 from {fields} where f.key = {purpose} and exists \
                     (select 1 from {nested} where s.key = 'status' and {status} = 'granted'))"
                );
            }
            Condition::Split { name, from, until } => {
                let name = self.bind(Bind::Text(name.clone()));
                let place = (self.dialect.place)(&name, "p.uuid");
                let (from, until) = (
                    self.bind(Bind::Integer(i64::from(*from))),
                    self.bind(Bind::Integer(i64::from(*until) - 1)),
                );
                let _ = write!(self.text, "{place} between {from} and {until}");
            }
            Condition::Event {
                name,
                filter,
                window,
                measure,
            } => match measure {
                Measure::Count { at_least, at_most } => {
                    self.count(*at_least, *at_most, name, filter, *window);
                }
                Measure::Sum {
                    property,
                    at_least,
                    at_most,
                } => self.sum(property, (*at_least, *at_most), name, filter, *window),
            },
            Condition::Sequence { steps, window } => self.sequence(steps, *window),
        }
    }

    /// Adds what else lets time change a leaf.
    fn open(&mut self, condition: &Condition) {
        match condition {
            Condition::Near { name, until, .. } => {
                self.push(" or ");
                self.near(name, self.now.millis().saturating_sub(*until), None);
            }
            Condition::Audience { name, lasting } if *lasting > 0 => {
                self.push(" or ");
                let since = self.now.millis().saturating_sub(*lasting);
                self.member(name, Some((">", since)));
            }
            Condition::Event {
                name,
                filter,
                window,
                ..
            } => {
                self.push(" or exists (select 1");
                self.later(name, filter, *window);
            }
            Condition::Sequence { steps, window } => {
                if let Some(last) = steps.last() {
                    self.push(" or exists (select 1");
                    self.later(&last.name, &last.filter, *window);
                }
            }
            _ => {}
        }
    }

    /// A trait that is a time after `after`, and at the latest `last`.
    fn near(&mut self, name: &str, after: i64, last: Option<i64>) {
        let name = self.bind(Bind::Text(name.to_owned()));
        let fields = (self.dialect.fields)("p.traits", "f");
        let (text, number) = ((self.dialect.text)("f"), (self.dialect.number)("f"));
        let parsed = (self.dialect.time)(&text);
        let after = self.bind(Bind::Integer(after));
        let last = last.map(|last| self.bind(Bind::Integer(last)));
        let inside = |time: &str| match &last {
            Some(last) => format!("({time} > {after} and {time} <= {last})"),
            None => format!("{time} > {after}"),
        };
        let (number, parsed) = (inside(&number), inside(&parsed));
        let _ = write!(
            self.text,
            "exists (select 1 from {fields} where f.key = {name} and ({number} or {parsed}))"
        );
    }

    fn member(&mut self, name: &str, since: Option<(&str, i64)>) {
        let name = self.bind(Bind::Text(name.to_owned()));
        let _ = write!(
            self.text,
            "exists (select 1 from membership as m where m.person_id = p.id and m.audience = {name}"
        );
        if let Some((sign, since)) = since {
            let since = self.bind(Bind::Integer(since));
            let _ = write!(self.text, " and m.since {sign} {since}");
        }
        self.push(")");
    }

    /// Whether a field of a JSON object passes a test.
    fn field(&mut self, json: &str, name: &str, test: &Test) {
        let name = self.bind(Bind::Text(name.to_owned()));
        let fields = (self.dialect.fields)(json, "f");
        let is_null = (self.dialect.is_null)("f");
        let not = if *test == Test::Exists(false) {
            "not "
        } else {
            ""
        };
        let passes = self.test(test);
        let _ = write!(
            self.text,
            "{not}exists (select 1 from {fields} where f.key = {name} and not ({is_null}) and {passes})"
        );
    }

    /// The condition on a field `f` that is there and not null.
    fn test(&mut self, test: &Test) -> String {
        let text = (self.dialect.text)("f");
        let number = (self.dialect.number)("f");
        match test {
            Test::Exists(_) => "1 = 1".to_owned(),
            Test::Is(wanted) => self.equal(wanted),
            Test::In(wanted) => {
                let any: Vec<_> = wanted.iter().map(|wanted| self.equal(wanted)).collect();
                if any.is_empty() {
                    "1 = 0".to_owned()
                } else {
                    format!("({})", any.join(" or "))
                }
            }
            Test::Contains(part) => {
                let part = self.bind(Bind::Text(part.clone()));
                let contains = (self.dialect.contains)(&text, &part);
                let (items, item) = ((self.dialect.items)("f", "i"), (self.dialect.text)("i"));
                format!("({contains} or exists (select 1 from {items} where {item} = {part}))")
            }
            Test::Matches(pattern) => {
                let pattern = self.bind(Bind::Text(pattern.as_str().to_owned()));
                (self.dialect.matches)(&text, &pattern)
            }
            Test::IsTrait(name) => self.related(name, |dialect| {
                let same = [dialect.text, dialect.number, dialect.boolean]
                    .map(|accessor| format!("{} = {}", accessor("f"), accessor("g")));
                same.join(" or ")
            }),
            Test::CompareTrait(comparison, name) => {
                let sign = sign(*comparison);
                self.related(name, |dialect| {
                    format!("{} {sign} {}", (dialect.number)("f"), (dialect.number)("g"))
                })
            }
            Test::Before(time) | Test::After(time) => {
                let sign = if matches!(test, Test::Before(_)) {
                    '<'
                } else {
                    '>'
                };
                let bound = self.bind(Bind::Integer(time.millis()));
                let parsed = (self.dialect.time)(&text);
                format!("({number} {sign} {bound} or {parsed} {sign} {bound})")
            }
            Test::Compare(comparison, bound) => {
                let sign = sign(*comparison);
                let bound = self.bind(Bind::Real(*bound));
                format!("{number} {sign} {bound}")
            }
        }
    }

    fn equal(&mut self, wanted: &Value) -> String {
        let (accessor, bind) = match wanted {
            Value::String(text) => (self.dialect.text, Bind::Text(text.clone())),
            Value::Bool(flag) => (self.dialect.boolean, Bind::Integer(i64::from(*flag))),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => (self.dialect.number, Bind::Integer(whole)),
                None => (
                    self.dialect.number,
                    Bind::Real(number.as_f64().unwrap_or(f64::NAN)),
                ),
            },
            Value::Null | Value::Array(_) | Value::Object(_) => return "1 = 0".to_owned(),
        };
        let bound = self.bind(bind);
        format!("{} = {bound}", accessor("f"))
    }

    /// A person's trait that stands in a relation to the field `f`.
    fn related(&mut self, name: &str, relation: impl Fn(&Dialect) -> String) -> String {
        let name = self.bind(Bind::Text(name.to_owned()));
        let fields = (self.dialect.fields)("p.traits", "g");
        let relation = relation(self.dialect);
        format!("exists (select 1 from {fields} where g.key = {name} and ({relation}))")
    }

    /// A count is compared with no more events looked at than its bound needs.
    fn count(
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
                self.counted(">=", limit(least), limit(least), (name, filter, window))
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

    fn sum(
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
    fn sequence(&mut self, steps: &[Step], window: Window) {
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

    /// ` from …)`: the events of person `p` that will begin or cease to count.
    fn later(&mut self, name: &str, filter: &[(String, Test)], window: Window) {
        self.events("e", name);
        let after = match window {
            Window::Within(duration) => self.now.millis().saturating_sub(duration),
            Window::Ever | Window::Between(..) => self.now.millis(),
        };
        let after = self.bind(Bind::Integer(after));
        let _ = write!(self.text, " and e.time > {after}");
        if let Window::Between(from, to) = window {
            self.between(from, to);
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

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::AtLeast => ">=",
        Comparison::AtMost => "<=",
        Comparison::Above => ">",
        Comparison::Below => "<",
    }
}

#[cfg(test)]
mod properties;
